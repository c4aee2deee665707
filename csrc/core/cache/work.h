#ifndef UC_CORE_CACHE_WORK_H
#define UC_CORE_CACHE_WORK_H

#include <stdatomic.h>

#include "cache/cache.h"
#include "cache/store.h"
#include "common/clock.h"

/* Between cache.c, fill.c, holder.c and ops.c. Everything here happens under
 * the cache's mutex. */

/* Domains of tables that an open transaction has written; with more of them it
 * counts as one that has written all. */
enum { UC_UNSURE = 128 };

/* How long a first level may be trusted after it has asked, and how long the
 * answer is kept back while there is nothing to say. The second is a third of
 * the first: an answer may be late twice before trust is lost. */
enum { UC_LEASE_MS = 100, UC_HOLD_MS = 30 };

/* ---- what a session may keep (holder.c) ---- */

/* A set of hashes, open addressing; 0 is an empty slot. */
typedef struct uc_hashes {
    uint64_t *slots;
    uint32_t mask; /* slots - 1; 0: none */
    uint32_t n;
} uc_hashes;

/*
 * A session that has a first level. Changes are numbered; those that concern it
 * are noted until its next answer takes them along, and are outstanding until
 * the question after that confirms them.
 */
struct uc_holder {
    uc_holder *next;
    uc_session *session; /* weak */
    uint32_t standing;   /* id of its question, 0: none */
    int64_t asked;       /* when that came */
    int64_t answer_at;
    uint64_t last;       /* number of the last change noted for it */
    uint64_t sent;       /* seq of the last answer */
    uint64_t sent_first; /* first change in answers not confirmed, 0: none */
    uint64_t note_first; /* first change noted and not sent, 0: none */
    /* It may trust what it keeps until `trust`, by the answers it was sent;
     * changes outstanding need not be waited for any longer than `until`,
     * which is what that was when the last of them was noted. */
    int64_t trust;
    int64_t until;
    bool all;      /* noted: everything is to be forgotten */
    bool sent_all; /* sent and not confirmed */
    uc_hashes given;
    uint64_t *notes; /* hashes; those of domains are marked */
    uint32_t nnotes, cap;
};

/* A reply that waits until a change has been confirmed. */
typedef struct uc_ack {
    struct uc_ack *next;
    uc_session *session; /* weak */
    uint32_t id;
    uint32_t len;
    uint64_t ticket;
    uint8_t bytes[]; /* [u32 LE length][frame] */
} uc_ack;

/* ---- who loads what (fill.c) ---- */

typedef struct uc_waiter {
    struct uc_waiter *next;
    uc_session *session; /* weak */
    uint32_t id;
    bool l1;
    int64_t deadline; /* 0: none */
    int64_t lease;    /* ns, should it become the one who loads */
    uint64_t clock;   /* the cache's when it came */
} uc_waiter;

/* A key that somebody loads. */
typedef struct uc_fill {
    struct uc_fill *next; /* of its bucket */
    uint64_t token;
    uint64_t hash;
    uc_session *session; /* weak: who loads */
    int64_t until;       /* the end of its lease */
    uint64_t born;       /* generation and clock when the load began */
    uint64_t clock;
    bool outdated; /* the key was changed meanwhile: do not store */
    bool unsure;   /* may have read what was rolled back: not for others */
    uc_waiter *first, **last;
    uint32_t key_len;
    uint8_t key[];
} uc_fill;

enum { UC_FILL_BUCKETS = 1024 };

struct uc_cache {
    _Atomic uint32_t refs;
    /* Somebody may have to hear of a change of a table: there are loads, first
     * levels, or entries with a table. Written under mu. */
    _Atomic bool busy;
    _Atomic bool tied;       /* entries with a table or a row, or loads */
    _Atomic bool rows;       /* entries with a row, or loads */
    _Atomic int64_t rows_at; /* when a row was named last, 0: never */
    _Atomic int64_t due, promised;

    uc_mutex mu;
    uc_cond
        confirmed; /* a change may have been, by the last one it waits for */
    uc_store *store;
    uint64_t max_value, max_reply;
    uint64_t clock; /* counts changes of all kinds */
    int64_t store_at;

    uc_holder *holders;
    uint64_t seq; /* of the last change that concerned a holder */
    uc_ack *acks, **last_ack;

    uc_fill *fills[UC_FILL_BUCKETS];
    uint32_t nfills, nwaiters;
    uint64_t next_token;
    int64_t fills_at; /* not later than the first end of a lease or deadline */
    struct {
        const uc_session *own; /* NULL: no transaction has written anything */
        bool all;
        uint32_t n;
        uint64_t domains[UC_UNSURE];
        /* While a call of a session is answered whose transaction is at work:
         * what it writes is not known yet. */
        const uc_session *at_work;
    } unsure;
    bool no_ties;  /* none may be there */
    bool has_tied; /* entries that belong to a table were stored */
    bool has_rows; /* or to a row */
    struct {
        uint64_t begun, shared, passed, failed, outdated;
    } loads;
};

/* Under mu: `due` is not to be later than at. */
static inline void uc__want(uc_cache *c, int64_t at)
{
    int64_t due = atomic_load_explicit(&c->due, memory_order_relaxed);

    if (at != 0 && (due == 0 || at < due))
        atomic_store(&c->due, at);
}

/* After a put or a drop: the store has work for its tick. */
void uc__store_changed(uc_cache *c, int64_t now);
/* After anything that `busy`, `tied` and `rows` tell of. */
void uc__update_busy(uc_cache *c);
/* An op names a row that an entry belongs to. */
void uc__rows_used(uc_cache *c, int64_t now);

static inline uint64_t uc__key_hash(uc_view key)
{
    return uc_domain('k', key);
}

/* ---- holder.c ---- */

/* In a list of changes: this hash is a domain's. */
#define UC_DOMAIN_BIT ((uint64_t)1 << 63)

/* It may keep an entry from here on; false: it may not, memory ran out. */
bool uc__holder_give(uc_cache *c, uc_holder *h, uint64_t key,
                     const uint64_t *domains, uint32_t n);
/* The op: true when it has been answered in out, or failed; otherwise the
 * answer is published, now or later. */
bool uc__hold(uc_cache *c, uc_call *call, uint64_t seq, bool stand, int64_t now,
              uc_buf *out, uc_error *e);
/*
 * These have changed (keys as they are, domains marked), or with all
 * everything: tells the holders that keep any of it. Returns a ticket, 0 when
 * nothing is to be waited for.
 */
uint64_t uc__holders_tell(uc_cache *c, const uint64_t *changes, uint32_t n,
                          bool all, const uc_session *own, int64_t now);
/* Everybody has confirmed all up to the ticket. *until: otherwise the earliest
 * time at which somebody's silence does not matter any more. */
bool uc__confirmed(const uc_cache *c, uint64_t ticket, const uc_session *own,
                   bool blocked, int64_t now, int64_t *until);
/* Keeps a reply frame until all that the session is not itself has confirmed;
 * false when there is no memory for that. */
bool uc__ack_later(uc_cache *c, uc_session *s, uint32_t id, uint64_t ticket,
                   const uint8_t *frame, size_t len, int64_t now);
void uc__holder_end(uc_cache *c, uc_session *s, const uc_error *e);
bool uc__holder_cancel(uc_cache *c, uc_session *s, uint32_t id,
                       const uc_error *e);
void uc__holders_tick(uc_cache *c, int64_t now);
void uc__holders_free(uc_cache *c);
/* Bytes that the holders take. */
uint64_t uc__holders_bytes(const uc_cache *c, uint32_t *n);

/* ---- fill.c ---- */

typedef struct uc_load_options {
    int64_t lease; /* ns */
    bool stale, l1;
} uc_load_options;

/* The op cache_load, after its arguments have been read. False: it stands, or
 * with !stand it would have to. */
bool uc__load(uc_cache *c, uc_call *call, uc_view key, const uc_load_options *o,
              bool stand, int64_t now, uc_buf *out, uc_error *e);
/* Its end. value.p NULL: there is none; message.p NULL: nor an error. *stored
 * and *version are for the reply. */
void uc__loaded(uc_cache *c, const uc_session *s, uint64_t token, uc_view value,
                const uc_put *put, bool keep, uc_view message, int64_t now,
                bool *stored, uint64_t *version);
/* The key was changed by hand: a load of it began too early. now_there: those
 * who wait are answered with what is there. */
void uc__fill_overtaken(uc_cache *c, uc_view key, bool now_there, int64_t now);
void uc__fills_overtaken(uc_cache *c);
void uc__fills_end(uc_cache *c, uc_session *s, const uc_error *e);
bool uc__fill_cancel(uc_cache *c, uc_session *s, uint32_t id,
                     const uc_error *e);
void uc__fills_tick(uc_cache *c, int64_t now);
void uc__fills_free(uc_cache *c);

/* ---- unsure.c ---- */

/* A put of the session belongs to what its open transaction has written. */
bool uc__is_unsure(const uc_cache *c, const uc_session *s, const uc_put *p);

/* ---- frame.c ---- */

/* A value of the store, as a bin. */
void uc__pack_value(uc_cache *c, const uc_hit *hit, uc_buf *out);
/* bin, ms, hash, domains, seq; given to the session's first level with l1. */
void uc__pack_kept(uc_cache *c, const uc_session *s, uc_view key,
                   const uc_hit *hit, bool l1, int64_t now, uc_buf *out);
/* Publishes an error as the answer of a standing call. */
void uc__stand_fail(uc_session *s, uint32_t id, const uc_error *e);

#endif

#ifndef UC_CORE_DESK_LEASE_H
#define UC_CORE_DESK_LEASE_H

#include "desk/call.h"

/*
 * Something with a life over several calls, which holds a part of the engine: a
 * cursor, a snapshot, a backup. Calls on one lease run one after the other:
 * `busy` is the right to touch what it holds. One that is not used for tx_ms
 * ends. An engine puts it in front of what it needs itself.
 */
typedef enum uc_lease_kind {
    UC_LEASE_CURSOR,
    UC_LEASE_SNAPSHOT,
    UC_LEASE_BACKUP
} uc_lease_kind;

typedef struct uc_lease {
    struct uc_lease *next; /* uc_engine.leases, under mu */
    uint64_t id;
    uc_lease_kind kind;
    struct uc_session *session; /* weak: leases die with their session's peer */
    struct uc_lease *host;      /* the snapshot a cursor runs in */
    uint32_t guests;            /* cursors of this snapshot */
    bool holds;                 /* a version of the database */
    bool busy;         /* a call runs on it (on its host, for a guest) */
    _Atomic bool dead; /* ended or expired; freed when not busy */
    const char *why;   /* why it died, for the error's text */
    int64_t used;      /* uc_now() of the last use */
    int64_t born;
    uc_calls queue; /* calls that wait for it */
} uc_lease;

struct uc_engine;

/* Makes l, zeroed memory of the engine's, the lease of the call that runs. */
void uc__lease_init(uc_lease *l, struct uc_session *s, uc_lease_kind kind);
/* Gives it a number and makes it known. Takes mu. */
void uc__lease_link(struct uc_engine *e, uc_lease *l);
/* True if it was known, and the caller now frees it. Under mu. */
bool uc__lease_unlink(struct uc_engine *e, uc_lease *l);
/* The lease a call has to run on, by meta s or by its first argument; of a
 * guest its host. NULL with *err. Under mu. */
uc_lease *uc__lease_of(struct uc_engine *e, uc_call *c, uc_error *err);
/* The lease that the first argument of a call names, which runs on `on`: that
 * itself, or a guest of it. NULL with *err. Takes mu. */
uc_lease *uc__lease_named(struct uc_engine *e, uc_lease *on, uc_call *c,
                          uc_error *err);
/* Whether the operation is one for such a lease; *err otherwise. */
bool uc__lease_fits(const uc_lease *l, const uc_call *c, uc_error *err);
/* Fills *err for a number that is not known any more; returns false. */
bool uc__lease_gone(struct uc_engine *e, uint64_t id, uc_error *err);
/* A call on it is over: lets the next one go, frees it when dead. Takes mu. */
void uc__lease_done(struct uc_engine *e, uc_lease *l);
/* Frees the guests of a snapshot that ends. Takes mu. */
void uc__lease_end_guests(struct uc_engine *e, uc_lease *host);

typedef enum uc_leases_which {
    UC_LEASES_OF,     /* a session */
    UC_LEASES_IDLE,   /* for longer than allowed */
    UC_LEASES_OLDEST, /* the one that has held a version for longest */
    UC_LEASES_ALL
} uc_leases_which;

/* Ends these; s: with UC_LEASES_OF, else NULL. why: a static word, NULL when
 * nobody is to be told. Returns how many ended. Takes mu. */
uint32_t uc__leases_end(struct uc_engine *e, uc_leases_which which,
                        struct uc_session *s, const char *why);
/* NULL: none. Under mu. */
uc_lease *uc__leases_oldest(struct uc_engine *e);

/* True when the call may run now; otherwise it waits in the lease's queue.
 * Under mu. */
static inline bool uc__lease_claim(uc_lease *l, uc_call *c)
{
    c->lease = l;
    if (l->busy) {
        uc_calls_push(&l->queue, c);
        return false;
    }
    l->busy = true;
    atomic_store(&c->state, UC_CALL_RUNNING);
    return true;
}

#endif

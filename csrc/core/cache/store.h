#ifndef UC_CORE_CACHE_STORE_H
#define UC_CORE_CACHE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/view.h"

/*
 * The entries of one cache: keys and values as bytes, what becomes of them as
 * time passes and when memory is short. Knows no operation, no session and no
 * lock: one thread at a time, the caller sees to that.
 *
 * Times are absolute, in uc_now()'s nanoseconds, and always passed in, so that
 * a test can have a clock of its own; they must not go back. Lengths of time
 * are nanoseconds and not negative.
 *
 * Generations. The store counts: each put and each drop takes the next number.
 * A drop of a domain makes everything absent that belongs to it and was stored
 * before, and refuses what was begun before: whoever loads a value reads
 * uc_store_gen() first and hands it over as `born`. Dropped entries are absent
 * at once; their memory comes back step by step.
 */
typedef struct uc_store uc_store;

enum {
    UC_KEY_MAX = 512,    /* bytes of a key; the least is 1 */
    UC_DOMAINS_MAX = 64, /* domains of one entry */
};

/* The least and the most that `bytes` may be. */
#define UC_STORE_LEAST ((uint64_t)1 << 20)
#define UC_STORE_MOST ((uint64_t)1 << 37)

typedef struct uc_store_options {
    uint64_t bytes;       /* bound on everything mapped; taken into the range */
    uint64_t max_value;   /* bytes; 0 or more than bytes / 4: bytes / 4 */
    uint32_t max_entries; /* 0: none */
    uint64_t seed;        /* of the hash; 0: random, as outside of tests */
} uc_store_options;

/* NULL when memory ran out. Of the bytes, only what is used is mapped. */
uc_store *uc_store_new(const uc_store_options *o);
void uc_store_free(uc_store *s);

/* --- reading -------------------------------------------------------------- */

typedef enum uc_found {
    UC_ABSENT,
    UC_FRESH,
    UC_STALE /* past its TTL, but within stale_until or error_until */
} uc_found;

/* What was found. Borrowed: good until the next call that may change the store,
 * which is any but the three below it. */
typedef struct uc_hit {
    uint32_t len; /* of the value, bytes */
    uint32_t ndomains;
    uint64_t version;    /* of this put; no other has the same */
    int64_t expires;     /* 0: never */
    int64_t stale_until; /* 0: has no such time */
    int64_t error_until; /* 0: has no such time */
    int64_t idle_ns;     /* 0: may be idle for ever */
    uint32_t ref;        /* the store's own */
} uc_hit;

/* count: this is an access that the statistics and the policy are to see, and
 * that an idle time starts anew from. *hit is filled unless absent. */
uc_found uc_store_find(uc_store *s, uc_view key, int64_t now, bool count,
                       uc_hit *hit);
/* Appends the value. */
void uc_store_value(const uc_store *s, const uc_hit *hit, uc_buf *out);
/* Writes the value to dst, which has hit->len bytes. */
void uc_store_copy(const uc_store *s, const uc_hit *hit, uint8_t *dst);
bool uc_store_value_is(const uc_store *s, const uc_hit *hit, uc_view bytes);
/* Writes up to max of the domains to out; returns how many there are. */
uint32_t uc_store_domains(const uc_store *s, const uc_hit *hit, uint64_t *out,
                          uint32_t max);

/* --- writing -------------------------------------------------------------- */

typedef struct uc_put {
    int64_t ttl_ns;   /* 0: does not expire */
    int64_t idle_ns;  /* 0: may be idle for ever */
    int64_t stale_ns; /* for how long after ttl_ns it is still found stale */
    int64_t error_ns; /* the same, for those whose loader failed */
    uint64_t born;    /* generation at which it was begun; 0: now */
    const uint64_t *domains; /* each from uc_domain; repeats do no harm */
    uint32_t ndomains;       /* at most UC_DOMAINS_MAX */
    bool tied;               /* goes with uc_store_drop_tied */
} uc_put;

typedef enum uc_stored {
    UC_STORED,
    UC_OUTDATED, /* something of it was dropped after `born` */
    UC_NO_ROOM   /* too large, or memory ran out */
} uc_stored;

/*
 * Stores a value under a key, in the place of what was there. Unless UC_STORED
 * is returned nothing has changed for that key. *version, which may be NULL, is
 * the number the entry got. A new entry is not always there for long: the
 * policy decides what stays.
 */
uc_stored uc_store_put(uc_store *s, uc_view key, uc_view value, const uc_put *p,
                       int64_t now, uint64_t *version);
/* Whether it was there, fresh or stale. */
bool uc_store_remove(uc_store *s, uc_view key, int64_t now);
/* A new TTL from now on, 0 for none; stale windows keep their length, an idle
 * time starts anew. False when it is not there fresh. The version may become
 * another one, though the value is the same. */
bool uc_store_touch(uc_store *s, uc_view key, int64_t ttl_ns, int64_t now);

/* --- domains -------------------------------------------------------------- */

/* 52 bits, never 0. kind: 'n' a namespace, '#' a tag, 't' a table, 'r' a row
 * ("table:rowid"), 'R' a table's rows; ASCII letters of tables count as lower
 * case. The same in every process and for ever. */
uint64_t uc_domain(char kind, uc_view name);

/* The present generation, never 0. */
uint64_t uc_store_gen(const uc_store *s);
/* Each O(1), and each returns the new generation. */
uint64_t uc_store_drop(uc_store *s, uint64_t domain);
uint64_t uc_store_drop_tied(uc_store *s);
uint64_t uc_store_clear(uc_store *s);

/* --- time and figures ----------------------------------------------------- */

/* What is due: expired and dropped entries, memory given back. A bounded
 * amount of work, about 100 us at most. Returns when it wants to be called
 * again, 0 if only after a put or a drop. */
int64_t uc_store_tick(uc_store *s, int64_t now);

typedef struct uc_store_stats {
    uint64_t hits, misses; /* counted finds; a stale one is a hit */
    uint64_t stale;        /* hits that were stale */
    uint64_t sets;         /* puts that stored */
    uint64_t outdated;     /* puts that did not */
    uint64_t removed;      /* by uc_store_remove */
    struct {
        uint64_t size;    /* for want of room */
        uint64_t ttl;     /* past its TTL and stale windows */
        uint64_t idle;    /* not asked for in its idle time */
        uint64_t dropped; /* with a domain, or by clear */
        uint64_t replaced;
    } evicted;
    uint64_t entries;     /* with those that are gone but not yet collected */
    uint64_t domains;     /* known at present */
    uint64_t bytes;       /* mapped: entries, index, policy, all of it */
    uint64_t limit;       /* what bytes may become */
    uint64_t key_bytes;   /* of the entries */
    uint64_t value_bytes; /* of the entries */
    uint32_t window;      /* the window's share of the room, per mille */
} uc_store_stats;

void uc_store_stats_get(const uc_store *s, uc_store_stats *out);

#endif

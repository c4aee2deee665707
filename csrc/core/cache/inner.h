#ifndef UC_CORE_CACHE_INNER_H
#define UC_CORE_CACHE_INNER_H

#include "cache/blocks.h"
#include "cache/domain.h"
#include "cache/entry.h"
#include "cache/index.h"
#include "cache/policy.h"
#include "cache/store.h"
#include "cache/wheel.h"

/* What the files of the store share. */
struct uc_store {
    uc_blocks blocks;
    uc_index index;
    uc_wheel wheel;
    uc_domains domains;
    uc_policy policy;
    uint64_t seed;
    uint64_t max_value;
    uint32_t max_entries;
    uint32_t entries;

    uint64_t seq;     /* the last number given to a put or a drop */
    uint64_t cleared; /* the last clear */
    uint64_t tied;    /* the last drop of all that is tied to tables */
    uint64_t dropped; /* the last drop that entries may have fallen to */

    uint64_t sweep_to; /* drops up to here are what the sweep is about */
    uint32_t sweep_at; /* line */
    bool sweeping;

    int64_t drain; /* chunk that is being emptied for the index, or -1 */
    uint32_t drain_at;
    uint64_t fixed; /* bytes that are there from the beginning */
    uc_store_stats stats;
};

typedef enum uc_reason {
    UC_GONE_SIZE,
    UC_GONE_TTL,
    UC_GONE_IDLE,
    UC_GONE_DROPPED,
    UC_GONE_REPLACED,
    UC_GONE_REMOVED
} uc_reason;

/* Takes an entry out of everything and gives its blocks back. */
void uc__store_lose(uc_store *s, uint32_t block, uc_reason reason);
/* Whether a drop has made it absent. */
bool uc__store_dead(const uc_store *s, const uc_head *e, uint32_t block);
/* Makes room by losing something; weight: of what is to come in. False when
 * there is nothing to lose. */
bool uc__store_evict(uc_store *s, uint32_t weight);
/* A block for a domain, at the cost of entries if need be; 0: there is none. */
uint32_t uc__store_block(uc_store *s);

/* Looks for dropped entries in a few lines, `budget` units of work; whether it
 * found any. */
bool uc__sweep(uc_store *s, int *budget);
/* Lets the index grow by what it lacks, or has a chunk emptied for it. */
void uc__grow(uc_store *s);
/* Goes on emptying that chunk, `budget` runs of it. */
void uc__drain(uc_store *s, int *budget);

#endif

#ifndef UC_CORE_CACHE_SHADOW_H
#define UC_CORE_CACHE_SHADOW_H

#include <stdbool.h>
#include <stdint.h>

#include "cache/index.h"

/*
 * Small copies of the cache that hold hashes only, one for each share that the
 * window might have. All see the accesses to the same sample of the keys and
 * have room for the same sample of the entries; the one with the most hits says
 * what the share should be.
 */
enum { UC_SHADOWS = 6 };

/* Per mille of the room. */
extern const uint16_t uc__shadow_share[UC_SHADOWS];

typedef struct uc_shadow_node uc_shadow_node;

typedef struct uc_shadow_list {
    uint16_t first, last;
    uint16_t count;
} uc_shadow_list;

typedef struct uc_shadow_one {
    uc_shadow_list queue[3];
    uint32_t hits;   /* of this period */
    uint64_t score;  /* hits, the older the less */
    uint16_t window; /* what the window may have */
    uint16_t guarded;
} uc_shadow_one;

typedef struct uc_shadow {
    uc_shadow_one one[UC_SHADOWS];
    uc_shadow_node *nodes; /* 0 is no node */
    uint16_t *buckets;
    uint16_t spare; /* first of the free nodes */
    uint16_t room;  /* nodes that each may hold */
    uint16_t most;  /* what room may become */
    uint32_t buckets_mask;
    uint32_t sampled;  /* log2: one of so many keys */
    uint32_t accesses; /* of this period */
    uint32_t best;     /* which of them leads */
} uc_shadow;

/* Takes at most so many bytes. */
bool uc__shadow_init(uc_shadow *sh, uint64_t bytes);
void uc__shadow_fini(uc_shadow *sh);
uint64_t uc__shadow_bytes(const uc_shadow *sh);

/* How many entries the cache holds when it is full. */
void uc__shadow_resize(uc_shadow *sh, uint64_t entries);

/* An access; whether another share leads now. */
bool uc__shadow_asked(uc_shadow *sh, const uc_index *x, const uc_blocks *b,
                      uint32_t hash);

#endif

#ifndef UC_CORE_CACHE_POLICY_H
#define UC_CORE_CACHE_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "cache/shadow.h"

/*
 * What stays when room is short: W-TinyLFU (Einziger, Friedman, Manes, ACM ToS
 * 2017). New entries pass through a window that is an LRU; the rest of the room
 * is a segmented LRU, into which comes only what the sketch has seen more often
 * than what would have to go. How much of the room the window has decides
 * whether recency or frequency counts for more. It follows the best of a few
 * shares, each of which runs as a miniature simulation on the hashes of a
 * sample of the keys (Waldspurger et al., USENIX ATC 2017): a step by step
 * search (Einziger et al., Middleware 2018) is too slow for short lives.
 *
 * Entries weigh their blocks, or 1 where the number of entries is limited. An
 * entry of many blocks has to have been seen more often than each of those that
 * would make room for it. Not more often than all of them together, as would
 * be best for the ratio of hits: the counts end at 15, and a large value that
 * everybody asks for would never come in.
 */
typedef struct uc_store uc_store;

typedef struct uc_list {
    uint32_t first, last; /* used last, used longest ago */
    uint64_t weight;
} uc_list;

enum { UC_POLICY_LATE = 16 };

typedef struct uc_policy {
    uc_list queue[3]; /* by uc_queue */
    uint64_t room;    /* weight of all that fits, as last seen */
    uint64_t window;  /* of it, what the window may have */
    uint64_t guarded; /* of it, what the protected queue may have */
    uint64_t counted; /* by the sketch, with what the halvings have left */
    uint32_t halving; /* lines that are still to be halved */
    bool full;        /* something has had to go for want of room */
    /* Hits that the queues have not seen yet. Moving an entry touches three
     * others; by the time it is moved they have come out of memory. */
    uint32_t late[UC_POLICY_LATE];
    uint32_t nlate;
    uc_shadow shadow;
} uc_policy;

/* bytes: what the shadows may take. False: no memory. */
bool uc__policy_init(uc_store *s, uint64_t bytes);
void uc__policy_fini(uc_store *s);

/* A key was asked for, whether it is there or not. */
void uc__policy_asked(uc_store *s, uint32_t hash);
/* An entry came, was asked for, went. */
void uc__policy_enter(uc_store *s, uint32_t block);
void uc__policy_used(uc_store *s, uint32_t block);
void uc__policy_leave(uc_store *s, uint32_t block);
/* One entry takes the place of another. */
void uc__policy_replace(uc_store *s, uint32_t from, uint32_t to);

/* What has to go to make room for something of that weight; 0: nothing is
 * there. by_bytes: it is the memory that is short, not the entries' limit. */
uint32_t uc__policy_victim(uc_store *s, uint32_t weight, bool by_bytes);

/* Entries weigh one each. */
uint32_t uc__policy_weight(const uc_store *s, uint32_t block);
/* The window's share of the room, per mille. */
uint32_t uc__policy_share(const uc_store *s);

#endif

#ifndef UC_CORE_CACHE_SKETCH_H
#define UC_CORE_CACHE_SKETCH_H

#include <stdbool.h>
#include <stdint.h>

#include "cache/hash.h"

/*
 * How often a key has been asked for lately: a count-min sketch (Cormode and
 * Muthukrishnan, 2005) of 4-bit counters with conservative update (Estan and
 * Varghese, 2002), halved as time goes by (TinyLFU: Einziger, Friedman, Manes,
 * ACM ToS 2017). A key's four counters lie in one line of the index, the one
 * that its bucket is in, so that counting costs no further cache miss, and the
 * sketch grows with the index. One line has 64 counters, 16 for each of the
 * four.
 */
typedef struct uc_counters {
    uint64_t row[4];
} uc_counters;

enum { UC_COUNT_MOST = 15 };

static inline unsigned uc__sketch_shift(uint32_t mixed, int row)
{
    return (mixed >> (4 * row) & 15) * 4;
}

static inline unsigned uc__sketch_count(const uc_counters *c, uint32_t hash)
{
    uint32_t mixed = uc__remix(hash);
    unsigned least = UC_COUNT_MOST;

    for (int i = 0; i < 4; i++) {
        unsigned n = c->row[i] >> uc__sketch_shift(mixed, i) & 15;

        least = n < least ? n : least;
    }
    return least;
}

/* False when the counters are at their most. */
static inline bool uc__sketch_add(uc_counters *c, uint32_t hash)
{
    uint32_t mixed = uc__remix(hash);
    unsigned least = uc__sketch_count(c, hash);

    if (least == UC_COUNT_MOST)
        return false;
    for (int i = 0; i < 4; i++) {
        unsigned shift = uc__sketch_shift(mixed, i);

        if ((c->row[i] >> shift & 15) == least)
            c->row[i] += (uint64_t)1 << shift;
    }
    return true;
}

static inline void uc__sketch_halve(uc_counters *c)
{
    for (int i = 0; i < 4; i++)
        c->row[i] = c->row[i] >> 1 & 0x7777777777777777u;
}

/*
 * Whether one count is ahead of another. By one more than by chance: in a loop
 * all keys are asked for equally often, and who was asked for just now is one
 * ahead of who will be asked next.
 */
static inline bool uc__sketch_beats(unsigned count, unsigned other)
{
    return count > other + (other > 0);
}

#endif

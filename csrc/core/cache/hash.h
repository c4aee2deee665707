#ifndef UC_CORE_CACHE_HASH_H
#define UC_CORE_CACHE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "common/mix.h"

/*
 * 32 bits, which index, sketch and policy share. The seed is random outside of
 * tests: whoever chooses the keys must not be able to choose collisions.
 */
static inline uint32_t uc__hash(uint64_t seed, const uint8_t *p, size_t n)
{
    uint64_t h = seed ^ uc_fold(n ^ UC_MIX_1, UC_MIX_2);

    for (; n > 16; n -= 16, p += 16)
        h = uc_fold(uc_load8(p) ^ h, uc_load8(p + 8) ^ UC_MIX_2);
    if (n >= 8)
        h = uc_fold(uc_load8(p) ^ h, uc_load8(p + n - 8) ^ UC_MIX_3);
    else if (n >= 4)
        h = uc_fold(uc_load4(p) ^ h, uc_load4(p + n - 4) ^ UC_MIX_3);
    else if (n > 0)
        h = uc_fold(
            ((uint64_t)p[0] << 16 | (uint64_t)p[n / 2] << 8 | p[n - 1]) ^ h,
            UC_MIX_3);
    h = uc_fold(h ^ UC_MIX_1, UC_MIX_3);
    return (uint32_t)(h ^ h >> 32);
}

/* Other bits for another purpose. */
static inline uint32_t uc__remix(uint32_t hash)
{
    uint64_t h = (hash ^ UC_MIX_2) * UC_MIX_1;

    return (uint32_t)(h >> 32);
}

#endif

#ifndef UC_CORE_CACHE_HASH_H
#define UC_CORE_CACHE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Fractions of the square roots of 2, 3 and 5: numbers with nothing to hide. */
#define UC_MIX_1 0x6a09e667f3bcc909u
#define UC_MIX_2 0xbb67ae8584caa73bu
#define UC_MIX_3 0x3c6ef372fe94f82bu

/* A folded multiplication: the two halves of the product, one over the other,
 * as in Wang Yi's wyhash. */
static inline uint64_t uc__fold(uint64_t a, uint64_t b)
{
    __uint128_t product = (__uint128_t)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t uc__load8(const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint32_t uc__load4(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

/*
 * 32 bits, which index, sketch and policy share. The seed is random outside of
 * tests: whoever chooses the keys must not be able to choose collisions.
 */
static inline uint32_t uc__hash(uint64_t seed, const uint8_t *p, size_t n)
{
    uint64_t h = seed ^ uc__fold(n ^ UC_MIX_1, UC_MIX_2);

    for (; n > 16; n -= 16, p += 16)
        h = uc__fold(uc__load8(p) ^ h, uc__load8(p + 8) ^ UC_MIX_2);
    if (n >= 8)
        h = uc__fold(uc__load8(p) ^ h, uc__load8(p + n - 8) ^ UC_MIX_3);
    else if (n >= 4)
        h = uc__fold(uc__load4(p) ^ h, uc__load4(p + n - 4) ^ UC_MIX_3);
    else if (n > 0)
        h = uc__fold(
            ((uint64_t)p[0] << 16 | (uint64_t)p[n / 2] << 8 | p[n - 1]) ^ h,
            UC_MIX_3);
    h = uc__fold(h ^ UC_MIX_1, UC_MIX_3);
    return (uint32_t)(h ^ h >> 32);
}

/* Other bits for another purpose. */
static inline uint32_t uc__remix(uint32_t hash)
{
    uint64_t h = (hash ^ UC_MIX_2) * UC_MIX_1;

    return (uint32_t)(h >> 32);
}

#endif

#ifndef UC_CORE_COMMON_MIX_H
#define UC_CORE_COMMON_MIX_H

#include <stdint.h>
#include <string.h>

/* What hashes and checks are made of. */

/* Fractions of the square roots of 2, 3 and 5: numbers with nothing to hide. */
#define UC_MIX_1 0x6a09e667f3bcc909u
#define UC_MIX_2 0xbb67ae8584caa73bu
#define UC_MIX_3 0x3c6ef372fe94f82bu

/* A folded multiplication: the two halves of the product, one over the other,
 * as in Wang Yi's wyhash. */
static inline uint64_t uc_fold(uint64_t a, uint64_t b)
{
    __uint128_t product = (__uint128_t)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t uc_load8(const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint32_t uc_load4(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

#endif

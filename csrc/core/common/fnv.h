#ifndef UC_CORE_COMMON_FNV_H
#define UC_CORE_COMMON_FNV_H

#include <stddef.h>
#include <stdint.h>

#include "common/mix.h"

/* FNV-1a of 128 bits: www.isthe.com/chongo/tech/comp/fnv */
typedef unsigned __int128 uc_fnv;

#define UC_FNV_START \
    ((uc_fnv)0x6c62272e07bb0142u << 64 | (uc_fnv)0x62b821756295c58du)
#define UC_FNV_PRIME (((uc_fnv)1 << 88) + 0x13b)

static inline uc_fnv uc_fnv_add(uc_fnv h, const void *p, size_t n)
{
    const uint8_t *s = (const uint8_t *)p;

    for (size_t i = 0; i < n; i++)
        h = (h ^ s[i]) * UC_FNV_PRIME;
    return h;
}

/* Eight bytes at once: not what the bytes would make, and eight times as fast.
 */
static inline uc_fnv uc_fnv_word(uc_fnv h, uint64_t v)
{
    return (h ^ v) * UC_FNV_PRIME;
}

/* Bytes by words, and how many they are. */
static inline uc_fnv uc_fnv_words(uc_fnv h, const void *p, size_t n)
{
    const uint8_t *s = (const uint8_t *)p;
    uint64_t last = 0;
    size_t i = 0;

    for (; i + 8 <= n; i += 8)
        h = uc_fnv_word(h, uc_load8(s + i));
    if (i < n)
        memcpy(&last, s + i, n - i);
    return uc_fnv_word(uc_fnv_word(h, last), n);
}

/* The high byte first. */
static inline void uc_fnv_out(uc_fnv h, uint8_t out[16])
{
    for (int i = 15; i >= 0; i--, h >>= 8)
        out[i] = (uint8_t)h;
}

#endif

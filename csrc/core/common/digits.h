#ifndef UC_CORE_COMMON_DIGITS_H
#define UC_CORE_COMMON_DIGITS_H

#include <stdint.h>

/* All digits, and a sign if it is negative: at most 20 bytes. Returns the end.
 */
static inline uint8_t *uc_emit_digits(uint8_t *p, int64_t v)
{
    uint8_t tmp[20];
    unsigned n = 0;
    uint64_t u = v < 0 ? -(uint64_t)v : (uint64_t)v;

    if (v < 0)
        *p++ = '-';
    do
        tmp[n++] = (uint8_t)('0' + u % 10);
    while ((u /= 10) != 0);
    while (n > 0)
        *p++ = tmp[--n];
    return p;
}

#endif

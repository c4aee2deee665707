#ifndef UC_CORE_COMMON_DIGITS_H
#define UC_CORE_COMMON_DIGITS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Two digits at once, as in Andrei Alexandrescu's "Three optimization tips for
 * C++" (2012): a division each is most of the work. */
static inline const char *uc__two_digits(unsigned v)
{
    static const char digits[] = "00010203040506070809"
                                 "10111213141516171819"
                                 "20212223242526272829"
                                 "30313233343536373839"
                                 "40414243444546474849"
                                 "50515253545556575859"
                                 "60616263646566676869"
                                 "70717273747576777879"
                                 "80818283848586878889"
                                 "90919293949596979899";

    return digits + 2 * (size_t)v;
}

/* How many digits, of at most eight. */
static inline unsigned uc__digits_of(uint32_t v)
{
    if (v < 100)
        return v < 10 ? 1 : 2;
    if (v < 10000)
        return v < 1000 ? 3 : 4;
    if (v < 1000000)
        return v < 100000 ? 5 : 6;
    return v < 10000000 ? 7 : 8;
}

/* n digits, at most eight, with zeros in front. */
static inline uint8_t *uc__emit_n(uint8_t *p, uint32_t v, unsigned n)
{
    uint8_t *at = p + n;

    while (at - p >= 2) {
        memcpy(at -= 2, uc__two_digits(v % 100), 2);
        v /= 100;
    }
    if (at > p)
        *p = (uint8_t)('0' + v);
    return p + n;
}

/* All digits, and a sign if it is negative: at most 20 bytes. Returns the end.
 */
static inline uint8_t *uc_emit_digits(uint8_t *p, int64_t v)
{
    const uint64_t eight = 100000000, sixteen = eight * eight;
    uint64_t u = v < 0 ? -(uint64_t)v : (uint64_t)v;

    if (v < 0)
        *p++ = '-';
    if (u < eight)
        return uc__emit_n(p, (uint32_t)u, uc__digits_of((uint32_t)u));
    if (u < sixteen) {
        uint32_t high = (uint32_t)(u / eight);

        p = uc__emit_n(p, high, uc__digits_of(high));
    } else {
        uint32_t high = (uint32_t)(u / sixteen);

        p = uc__emit_n(p, high, uc__digits_of(high));
        p = uc__emit_n(p, (uint32_t)(u / eight % eight), 8);
    }
    return uc__emit_n(p, (uint32_t)(u % eight), 8);
}

#endif

#ifndef UC_CORE_WIRE_UTF8_H
#define UC_CORE_WIRE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/buf.h"

static inline bool uc_is_ascii(const uint8_t *p, size_t n)
{
    uint64_t w, any = 0;

    for (; n >= 8; n -= 8, p += 8) {
        memcpy(&w, p, 8);
        any |= w;
    }
    if (n >= 4) {
        uint32_t v;

        memcpy(&v, p, 4);
        any |= v;
        n -= 4;
        p += 4;
    }
    for (; n > 0; n--, p++)
        any |= *p;
    return (any & 0x8080808080808080u) == 0;
}

/*
 * Length of valid UTF-8 in UTF-16 code units, or -1 if it is not valid
 * (Unicode 15, table 3-7: no overlong forms, no surrogates, none beyond
 * U+10FFFF).
 */
int64_t uc_utf16_length(const uint8_t *p, size_t n);

static inline bool uc_is_utf8(const uint8_t *p, size_t n)
{
    return uc_is_ascii(p, n) || uc_utf16_length(p, n) >= 0;
}

/*
 * Appends p to b with every maximal subpart of an ill-formed sequence replaced
 * by U+FFFD, as decoders on the web do (encoding.spec.whatwg.org, "utf-8
 * decode"), so that both sides count alike. Returns the length in UTF-16 units.
 */
int64_t uc_utf8_repair(uc_buf *b, const uint8_t *p, size_t n);

#endif

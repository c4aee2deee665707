#include "wire/utf8.h"

/*
 * Length of the well-formed sequence at p (1 to 4), or minus the length of the
 * maximal subpart of an ill-formed one.
 */
static int sequence(const uint8_t *p, const uint8_t *end)
{
    uint8_t c = p[0], lo = 0x80, hi = 0xbf;
    int need;

    if (c < 0x80)
        return 1;
    if (c >= 0xc2 && c <= 0xdf) {
        need = 1;
    } else if (c >= 0xe0 && c <= 0xef) {
        need = 2;
        if (c == 0xe0)
            lo = 0xa0;
        else if (c == 0xed)
            hi = 0x9f;
    } else if (c >= 0xf0 && c <= 0xf4) {
        need = 3;
        if (c == 0xf0)
            lo = 0x90;
        else if (c == 0xf4)
            hi = 0x8f;
    } else {
        return -1;
    }
    for (int i = 1; i <= need; i++) {
        if (p + i >= end || p[i] < lo || p[i] > hi)
            return -i;
        lo = 0x80;
        hi = 0xbf;
    }
    return need + 1;
}

int64_t uc_utf16_length(const uint8_t *p, size_t n)
{
    const uint8_t *end = n > 0 ? p + n : p; /* p may be NULL then */
    int64_t units = 0;

    while (p < end) {
        int len;

        if (*p < 0x80) {
            p++;
            units++;
            continue;
        }
        len = sequence(p, end);
        if (len < 0)
            return -1;
        p += len;
        units += len == 4 ? 2 : 1;
    }
    return units;
}

int64_t uc_utf8_repair(uc_buf *b, const uint8_t *p, size_t n)
{
    const uint8_t *end = n > 0 ? p + n : p; /* p may be NULL then */
    int64_t units = 0;

    while (p < end) {
        int len = sequence(p, end);

        if (len < 0) {
            uc_buf_put(b, "\xef\xbf\xbd", 3);
            units++;
            p -= len;
        } else {
            uc_buf_put(b, p, (size_t)len);
            units += len == 4 ? 2 : 1;
            p += len;
        }
    }
    return units;
}

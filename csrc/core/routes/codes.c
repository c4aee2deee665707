/* UUIDs and base64. */
#include "routes/scalar.h"

bool uc__uuid_of_text(uc_view s, uint8_t p[UC_UUID_LENGTH])
{
    if (s.len != UC_UUID_LENGTH)
        return false;
    for (size_t i = 0; i < UC_UUID_LENGTH; i++) {
        uint8_t c = s.p[i];

        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (c != '-')
                return false;
        } else if (c >= 'A' && c <= 'F') {
            c |= 0x20;
        } else if ((c < '0' || c > '9') && (c < 'a' || c > 'f')) {
            return false;
        }
        p[i] = c;
    }
    return true;
}

/* Its six bits, or -1. */
static int sextet(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+')
        return 62;
    return c == '/' ? 63 : -1;
}

/* Four letters to three bytes, of which n count: 3, or less before the padding,
 * where the bits that are left have to be 0. */
static bool quartet(const uint8_t *s, size_t n, uint8_t *p)
{
    uint32_t bits = 0;

    for (size_t i = 0; i < 4; i++) {
        int six = i <= n ? sextet(s[i]) : 0;

        if (six < 0 || (i > n && s[i] != '='))
            return false;
        bits = bits << 6 | (uint32_t)six;
    }
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(bits >> (16 - 8 * i));
    return (bits & (((uint32_t)1 << (8 * (3 - n))) - 1)) == 0;
}

bool uc__base64_of_text(uc_view s, uint8_t *p, size_t *n)
{
    *n = 0;
    if (s.len % 4 != 0)
        return false;
    for (size_t i = 0; i < s.len; i += 4) {
        size_t take = 3;

        if (i + 4 == s.len && s.p[i + 3] == '=')
            take = s.p[i + 2] == '=' ? 1 : 2;
        if (!quartet(s.p + i, take, p + *n))
            return false;
        *n += take;
    }
    return true;
}

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/json.h"
#include "wire/utf8.h"
#include "wire/writer.h"

static const char hex[] = "0123456789abcdef";

static void escape_rest(uc_buf *b, const uint8_t *s, size_t n);

/* Bytes that JSON forbids in a string: below 0x20, the quote, the backslash. */
static inline bool special(uint8_t c)
{
    return c < 0x20 || c == '"' || c == '\\';
}

/* True if one of the eight bytes of w is special (the classic has-less and
 * has-zero tests: graphics.stanford.edu/~seander/bithacks.html). */
static inline bool any_special(uint64_t w)
{
    const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
    uint64_t quote = w ^ ones * '"', slash = w ^ ones * '\\';

    return (((w - ones * 0x20) & ~w) | ((quote - ones) & ~quote) |
            ((slash - ones) & ~slash)) &
           high;
}

static void string(uc_buf *b, const uint8_t *s, size_t n)
{
    const uint8_t *from = s;
    size_t left = n;
    uint8_t *p;

    if (!uc_buf_reserve(b, n + 2))
        return;
    p = b->p + b->len;
    *p++ = '"';
    while (left >= 8) {
        uint64_t w;

        memcpy(&w, from, 8);
        if (any_special(w))
            break;
        memcpy(p, &w, 8);
        p += 8;
        from += 8;
        left -= 8;
    }
    while (left > 0 && !special(*from)) {
        *p++ = *from++;
        left--;
    }
    b->len = (size_t)(p - b->p);
    if (left > 0)
        escape_rest(b, from, left);
    uc_buf_byte(b, '"');
}

static void escape_rest(uc_buf *b, const uint8_t *s, size_t n)
{
    for (; n > 0; n--, s++) {
        char u[6] = {'\\', 'u', '0', '0', 0, 0};

        if (!special(*s)) {
            uc_buf_byte(b, *s);
            continue;
        }
        switch (*s) {
        case '"':
            uc_buf_put(b, "\\\"", 2);
            break;
        case '\\':
            uc_buf_put(b, "\\\\", 2);
            break;
        case '\b':
            uc_buf_put(b, "\\b", 2);
            break;
        case '\f':
            uc_buf_put(b, "\\f", 2);
            break;
        case '\n':
            uc_buf_put(b, "\\n", 2);
            break;
        case '\r':
            uc_buf_put(b, "\\r", 2);
            break;
        case '\t':
            uc_buf_put(b, "\\t", 2);
            break;
        default:
            u[4] = hex[*s >> 4];
            u[5] = hex[*s & 15];
            uc_buf_put(b, u, 6);
            break;
        }
    }
}

static inline uint64_t word_of(const uint8_t *s, size_t n)
{
    uint64_t w = 0;

    memcpy(&w, s, n);
    return w;
}

static inline bool is_plain(uint64_t w)
{
    return ((any_special(w) ? 1 : 0) | (w & 0x8080808080808080u)) == 0;
}

/* Most text: ASCII, and nothing to escape. It is looked at and copied at once,
 * the last word over a part of the one before. False, with nothing appended:
 * it is no such text. */
static bool plain(uc_buf *b, const uint8_t *s, size_t n)
{
    uint8_t *p;

    if (!uc_buf_reserve(b, n + 2))
        return true;
    p = b->p + b->len;
    if (n >= 8) {
        uint64_t last = word_of(s + n - 8, 8);

        if (!is_plain(last))
            return false;
        for (size_t i = 0; i + 8 < n; i += 8) {
            uint64_t w = word_of(s + i, 8);

            if (!is_plain(w))
                return false;
            memcpy(p + 1 + i, &w, 8);
        }
        memcpy(p + 1 + n - 8, &last, 8);
    } else if (n >= 4) {
        uint64_t first = word_of(s, 4), last = word_of(s + n - 4, 4);

        if (!is_plain(first | last << 32))
            return false;
        memcpy(p + 1, &first, 4);
        memcpy(p + 1 + n - 4, &last, 4);
    } else {
        for (size_t i = 0; i < n; i++) {
            if (special(s[i]) || s[i] >= 0x80)
                return false;
            p[1 + i] = s[i];
        }
    }
    p[0] = p[1 + n] = '"';
    b->len += n + 2;
    return true;
}

/* Text that is not valid UTF-8 would not be valid JSON. */
void uc_json_text(uc_buf *b, uc_view s)
{
    uc_buf fixed;

    if (plain(b, s.p, s.len))
        return;
    if (uc_is_utf8(s.p, s.len)) {
        string(b, s.p, s.len);
        return;
    }
    uc_buf_init(&fixed, b->max);
    uc_utf8_repair(&fixed, s.p, s.len);
    if (fixed.failed)
        b->failed = true;
    else
        string(b, fixed.p, fixed.len);
    uc_buf_fini(&fixed);
}

/*
 * A decimal with few places, which most are: the smallest k for which v is
 * exactly the double nearest to r / 10^k. Both are exact integers below 2^53,
 * so the division is correctly rounded, as reading the text again is (Clinger,
 * "How to read floating point numbers accurately", 1990).
 */
static bool short_decimal(uc_buf *b, double v)
{
    static const double tens[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8};
    uint8_t *p, *end;

    if (v != 0 && fabs(v) < 1e-6)
        return false; /* takes an exponent */
    for (int k = 0; k <= 8; k++) {
        double r = nearbyint(v * tens[k]);
        uint64_t whole, part;

        if (fabs(r) >= 1e15)
            return false;
        if (r / tens[k] != v)
            continue;
        if (!uc_buf_reserve(b, 32))
            return true;
        p = b->p + b->len;
        if (v < 0)
            *p++ = '-';
        whole = (uint64_t)fabs(r) / (uint64_t)tens[k];
        part = (uint64_t)fabs(r) % (uint64_t)tens[k];
        p = uc_emit_digits(p, (int64_t)whole);
        if (k > 0) {
            *p++ = '.';
            end = p + k;
            for (uint8_t *q = end; q > p; part /= 10)
                *--q = (uint8_t)('0' + part % 10);
            p = end;
        }
        b->len = (size_t)(p - b->p);
        return true;
    }
    return false;
}

/*
 * Otherwise the shortest of 15, 16 or 17 digits that reads back the same (a
 * subnormal may need fewer), laid out as ECMAScript's Number::toString does:
 * 0.000001 and 100000000000000000000, but 1e-7 and 1e+21.
 */
void uc_json_double(uc_buf *b, double v)
{
    char s[32], all[20];
    int n = 0, point;

    if (!isfinite(v)) {
        uc_json_null(b);
        return;
    }
    if (short_decimal(b, v))
        return;
    for (int d = fabs(v) < DBL_MIN ? 0 : 14; d <= 16; d++) {
        snprintf(s, sizeof s, "%.*e", d, v);
        if (strtod(s, NULL) == v)
            break;
    }
    /* The digits alone; a host that has set a locale may print a comma. */
    for (const char *p = s; *p != 'e'; p++) {
        if (*p >= '0' && *p <= '9')
            all[n++] = *p;
    }
    while (n > 1 && all[n - 1] == '0')
        n--;
    point = 1 + (int)strtol(strchr(s, 'e') + 1, NULL, 10);
    if (v < 0)
        uc_buf_byte(b, '-');
    if (point > 21 || point < -5) {
        uc_buf_put(b, all, 1);
        if (n > 1) {
            uc_buf_byte(b, '.');
            uc_buf_put(b, all + 1, (size_t)n - 1);
        }
        snprintf(s, sizeof s, "e%+d", point - 1);
        uc_buf_put(b, s, strlen(s));
        return;
    }
    if (point <= 0)
        uc_buf_put(b, "0.000000", (size_t)(2 - point));
    for (int i = 0; i < n || i < point; i++) {
        if (i == point && i > 0)
            uc_buf_byte(b, '.');
        uc_buf_byte(b, i < n ? (uint8_t)all[i] : '0');
    }
}

void uc_json_blob(uc_buf *b, uc_view v)
{
    static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                              "abcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *s = v.p;
    size_t n = v.len;
    uint8_t *p;

    if (!uc_buf_reserve(b, (n + 2) / 3 * 4 + 2))
        return;
    p = b->p + b->len;
    *p++ = '"';
    for (; n >= 3; n -= 3, s += 3) {
        *p++ = (uint8_t)set[s[0] >> 2];
        *p++ = (uint8_t)set[(s[0] & 3) << 4 | s[1] >> 4];
        *p++ = (uint8_t)set[(s[1] & 15) << 2 | s[2] >> 6];
        *p++ = (uint8_t)set[s[2] & 63];
    }
    if (n > 0) {
        *p++ = (uint8_t)set[s[0] >> 2];
        *p++ = (uint8_t)set[(s[0] & 3) << 4 | (n > 1 ? s[1] >> 4 : 0)];
        *p++ = n > 1 ? (uint8_t)set[(s[1] & 15) << 2] : '=';
        *p++ = '=';
    }
    *p++ = '"';
    b->len = (size_t)(p - b->p);
}

void uc_json_key(uc_buf *b, bool first, uc_view name)
{
    uc_buf_byte(b, first ? '{' : ',');
    uc_json_text(b, name);
    uc_buf_byte(b, ':');
}

size_t uc_json_begin(uc_buf *b, uint32_t id)
{
    size_t at;

    uc_reply_begin(b, id, UC_REPLY_BYTES, 3);
    at = b->len;
    uc_buf_put(b, "\xc6\0\0\0\0[", 6);
    return at;
}

void uc_json_end(uc_buf *b, size_t at)
{
    uc_buf_byte(b, ']');
    if (!b->failed)
        uc_put_be32(b->p + at + 1, (uint32_t)(b->len - at - 5));
}

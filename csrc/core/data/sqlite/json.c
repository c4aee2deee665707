#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "data/sqlite/rows.h"
#include "wire/utf8.h"

/*
 * JSON of a row, as JSON.stringify would print it, with these definitions:
 * BLOB is a base64 string (RFC 4648), NaN cannot occur, an infinite REAL is
 * null, integers are printed with all their digits whatever their size.
 */

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

/* Text that is not valid UTF-8 would not be valid JSON. */
static void text(uc_buf *b, const uint8_t *s, size_t n)
{
    uc_buf fixed;

    if (uc_is_ascii(s, n) || uc_utf16_length(s, n) >= 0) {
        string(b, s, n);
        return;
    }
    uc_buf_init(&fixed, b->max);
    uc_utf8_repair(&fixed, s, n);
    if (fixed.failed)
        b->failed = true;
    else
        string(b, fixed.p, fixed.len);
    uc_buf_fini(&fixed);
}

static uint8_t *digits(uint8_t *p, int64_t v)
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
        p = digits(p, (int64_t)whole);
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
static void real(uc_buf *b, double v)
{
    char s[32], all[20];
    int n = 0, point;

    if (!isfinite(v)) {
        uc_buf_put(b, "null", 4);
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

static void base64(uc_buf *b, const uint8_t *s, size_t n)
{
    static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                              "abcdefghijklmnopqrstuvwxyz0123456789+/";
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

char *sq_json_keys(sqlite3_stmt *stmt, int ncols)
{
    uc_buf b;

    uc_buf_init(&b, SIZE_MAX);
    for (int i = 0; i < ncols; i++) {
        const char *name = sqlite3_column_name(stmt, i);

        uc_buf_byte(&b, i == 0 ? '{' : ',');
        text(&b, (const uint8_t *)(name != NULL ? name : ""),
             name != NULL ? strlen(name) : 0);
        uc_buf_put(&b, ":", 2);
    }
    if (b.failed) {
        uc_buf_fini(&b);
        return NULL;
    }
    return (char *)b.p;
}

bool sq_json_row(uc_buf *b, sqlite3_stmt *stmt, int ncols, const char *keys)
{
    for (int i = 0; i < ncols; i++) {
        size_t klen = strlen(keys);
        const uint8_t *s;

        uc_buf_put(b, keys, klen);
        keys += klen + 1;
        switch (sqlite3_column_type(stmt, i)) {
        case SQLITE_INTEGER:
            if (uc_buf_reserve(b, 21))
                b->len = (size_t)(digits(b->p + b->len,
                                         sqlite3_column_int64(stmt, i)) -
                                  b->p);
            break;
        case SQLITE_FLOAT:
            real(b, sqlite3_column_double(stmt, i));
            break;
        case SQLITE_TEXT:
            s = sqlite3_column_text(stmt, i);
            text(b, s != NULL ? s : (const uint8_t *)"",
                 (size_t)sqlite3_column_bytes(stmt, i));
            break;
        case SQLITE_BLOB:
            s = sqlite3_column_blob(stmt, i);
            base64(b, s, (size_t)sqlite3_column_bytes(stmt, i));
            break;
        default:
            uc_buf_put(b, "null", 4);
            break;
        }
    }
    uc_buf_byte(b, '}');
    return !b->failed;
}

/* Queries: application/x-www-form-urlencoded, as url.spec.whatwg.org reads it,
 * but strict where that repairs. */
#include "routes/input.h"

/* The value of a hexadecimal digit, or -1. */
static int digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool encoded(uc_view raw)
{
    for (size_t i = 0; i < raw.len; i++) {
        if (raw.p[i] == '%' || raw.p[i] == '+')
            return true;
    }
    return false;
}

/* The byte at *i, which is raised behind it; -1: not two digits. */
static int decode_one(uc_view raw, size_t *i)
{
    uint8_t c = raw.p[(*i)++];
    int high, low;

    if (c != '%')
        return c == '+' ? ' ' : c;
    if (raw.len - *i < 2)
        return -1;
    high = digit(raw.p[*i]);
    low = digit(raw.p[*i + 1]);
    *i += 2;
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

bool uc__query_decode(uc_view raw, uc_arena *mem, uc_view *text, uc_view *why)
{
    size_t n = 0;
    uint8_t *p;

    *text = raw;
    if (!encoded(raw))
        return true;
    p = uc_arena_alloc(mem, raw.len);
    if (p == NULL)
        return false;
    for (size_t i = 0; i < raw.len;) {
        int c = decode_one(raw, &i);

        if (c < 0) {
            *why = uc__static("has a % without two hexadecimal digits");
            return false;
        }
        p[n++] = (uint8_t)c;
    }
    *text = (uc_view){p, n};
    return true;
}

static void pair(uc_input *in, uc_view name, uc_view value, uc_arena *mem)
{
    uc_view decoded, why;
    uint32_t place;

    /* A name that cannot be decoded is that of no parameter. */
    if (uc__query_decode(name, mem, &decoded, &why))
        name = decoded;
    if (!uc__input_find(in, name, &place))
        uc__input_unknown(in, name);
    else if (uc__input_sent(in, place))
        in->of[place].text = value;
}

/* Without a `=` the value is empty; between two `&` there may be nothing. */
void uc__query_read(uc_input *in, uc_view query, uc_arena *mem)
{
    size_t at = 0;

    while (at < query.len) {
        size_t from = at, equals = SIZE_MAX, behind;

        for (; at < query.len && query.p[at] != '&'; at++) {
            if (query.p[at] == '=' && equals == SIZE_MAX)
                equals = at;
        }
        behind = equals < at ? equals + 1 : at;
        if (equals > at)
            equals = at;
        if (at > from)
            pair(in, (uc_view){query.p + from, equals - from},
                 (uc_view){query.p + behind, at - behind}, mem);
        at++;
    }
}

#include "routes/line.h"

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f';
}

uc_view uc__trimmed(uc_view v)
{
    while (v.len > 0 && is_blank(v.p[0])) {
        v.p++;
        v.len--;
    }
    while (v.len > 0 && is_blank(v.p[v.len - 1]))
        v.len--;
    return v;
}

uc_view uc__line_peek(uc__line *l)
{
    const uint8_t *p;

    while (l->p < l->end && is_blank(*l->p))
        l->p++;
    for (p = l->p; p < l->end && !is_blank(*p);)
        p++;
    return (uc_view){l->p, (size_t)(p - l->p)};
}

uc_view uc__line_word(uc__line *l)
{
    uc_view w = uc__line_peek(l);

    l->p += w.len;
    return w;
}

uc_view uc__line_rest(uc__line *l)
{
    uc_view v = uc__trimmed((uc_view){l->p, (size_t)(l->end - l->p)});

    l->p = l->end;
    return v;
}

bool uc__line_quoted(uc__line *l, uc_arena *mem, uc_view *out)
{
    uint8_t *to = uc_arena_alloc(mem, (size_t)(l->end - l->p));
    size_t n = 0;

    *out = (uc_view){to, 0};
    while (++l->p < l->end) {
        if (*l->p == '\'') {
            if (l->p + 1 >= l->end || l->p[1] != '\'') {
                l->p++;
                out->len = n;
                return true;
            }
            l->p++;
        }
        if (to != NULL)
            to[n] = *l->p;
        n++;
    }
    return false;
}

bool uc__int_of(uc_view v, int64_t *n)
{
    bool negative = v.len > 0 && v.p[0] == '-';
    size_t i = negative;

    *n = 0;
    if (i == v.len)
        return false;
    for (; i < v.len; i++) {
        int digit = v.p[i] - '0';

        if (digit < 0 || digit > 9 || __builtin_mul_overflow(*n, 10, n) ||
            __builtin_add_overflow(*n, negative ? -digit : digit, n))
            return false;
    }
    return true;
}

bool uc__time_of(uc_view v, int64_t *ms)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {
        {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    uc_view number = v;

    for (number.len = 0; number.len < v.len && v.p[number.len] >= '0' &&
                         v.p[number.len] <= '9';)
        number.len++;
    if (!uc__int_of(number, ms))
        return false;
    v = (uc_view){v.p + number.len, v.len - number.len};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (uc_view_is(v, units[i].name))
            return !__builtin_mul_overflow(*ms, units[i].ms, ms) && *ms > 0 &&
                   *ms <= 366 * units[4].ms;
    return false;
}

#include "routes/etag.h"

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == ',';
}

/* The next tag, without W/, from *at on; len 0 where there is none, or where
 * something else stands. */
static uc_view next_tag(uc_view list, size_t *at)
{
    const uint8_t *end = list.p + list.len, *p = list.p + *at, *quote;

    while (p < end && is_blank(*p))
        p++;
    if (end - p >= 2 && p[0] == 'W' && p[1] == '/')
        p += 2;
    quote = end - p >= 2 && *p == '"'
                ? memchr(p + 1, '"', (size_t)(end - p - 1))
                : NULL;
    if (quote == NULL)
        return (uc_view){0};
    *at = (size_t)(quote + 1 - list.p);
    return (uc_view){p, (size_t)(quote + 1 - p)};
}

bool uc_etag_listed(uc_view list, uc_view tag)
{
    size_t at = 0;
    uc_view v;

    if (list.p == NULL)
        return false;
    while ((v = next_tag(list, &at)).len > 0) {
        if (uc_view_same(v, tag))
            return true;
    }
    return false;
}

bool uc_etag_any(uc_view list)
{
    return uc_view_is(list, "*");
}

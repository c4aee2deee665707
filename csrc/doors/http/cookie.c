#include "doors/http/cookie.h"

#include <stdio.h>
#include <string.h>

#include "doors/http/token.h"

static bool is_base64url(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c >= '0' && c <= '9') || c == '-' || c == '_';
}

bool http_cookie_name(http_cookie_names *names, const char *name)
{
    size_t n = strlen(name);

    if (n == 0 || n > HTTP_COOKIE_NAME)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!is_base64url((uint8_t)name[i]))
            return false;
    }
    memcpy(names->plain, name, n + 1);
    snprintf(names->host, sizeof names->host, "__Host-%s", name);
    return true;
}

static bool is_cookie(uc_view name)
{
    return name.len == 6 && memcmp(name.p, "cookie", 6) == 0;
}

bool http_cookie_is_there(const http_request *q)
{
    for (uint32_t i = 0; i < q->nheaders; i++) {
        if (is_cookie(q->headers[i].name))
            return true;
    }
    return false;
}

static bool is_token(uc_view v)
{
    if (v.len != HTTP_TOKEN)
        return false;
    for (size_t i = 0; i < v.len; i++) {
        if (!is_base64url(v.p[i]))
            return false;
    }
    return true;
}

static uc_view unquoted(uc_view v)
{
    if (v.len >= 2 && v.p[0] == '"' && v.p[v.len - 1] == '"')
        return (uc_view){v.p + 1, v.len - 2};
    return v;
}

/* Takes what stands before the next semicolon off the front. */
static uc_view next_pair(uc_view *list)
{
    const uint8_t *end = list->len > 0 ? memchr(list->p, ';', list->len) : NULL;
    uc_view pair = *list;

    if (end == NULL) {
        list->len = 0;
        return pair;
    }
    pair.len = (size_t)(end - list->p);
    list->p += pair.len + 1;
    list->len -= pair.len + 1;
    return pair;
}

/* False: it is one of the name, and nobody's. */
static bool take_pair(uc_view pair, const char *name, uc_view *token)
{
    const uint8_t *at = pair.len > 0 ? memchr(pair.p, '=', pair.len) : NULL;
    uc_view value;
    size_t n;

    if (at == NULL)
        return true;
    n = (size_t)(at - pair.p);
    if (!uc_view_is(http_trim((uc_view){pair.p, n}), name))
        return true;
    value = unquoted(http_trim((uc_view){at + 1, pair.len - n - 1}));
    if (!is_token(value) || (token->p != NULL && !uc_view_same(*token, value)))
        return false;
    *token = value;
    return true;
}

bool http_cookie(const http_request *q, const char *name, uc_view *token)
{
    *token = (uc_view){0};
    for (uint32_t i = 0; i < q->nheaders; i++) {
        uc_view list = q->headers[i].value;

        if (!is_cookie(q->headers[i].name))
            continue;
        while (list.len > 0) {
            if (!take_pair(next_pair(&list), name, token))
                return false;
        }
    }
    return token->p != NULL;
}

#include "doors/http/cors.h"

#include <string.h>

#include "doors/http/caller.h"

static uc_view view_of(const char *s)
{
    return (uc_view){(const uint8_t *)s, strlen(s)};
}

/* ---- the list ---- */

static bool is_host_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
}

/* ":8080", and not the one that browsers leave out. */
static bool is_port(const char *at, const char *own)
{
    size_t digits = strspn(at + 1, "0123456789");

    return *at == ':' && digits > 0 && digits <= 5 && at[1 + digits] == '\0' &&
           at[1] != '0' && strcmp(at + 1, own) != 0;
}

bool http_origin_is_one(const char *text)
{
    bool https = strncmp(text, "https://", 8) == 0;
    const char *at = text + (https ? 8 : 7), *host = at;

    if (!https && strncmp(text, "http://", 7) != 0)
        return false;
    if (*at == '[') {
        at += 1 + strspn(at + 1, "0123456789abcdef:.");
        if (*at++ != ']')
            return false;
    } else {
        while (is_host_char(*at))
            at++;
    }
    return at > host && (*at == '\0' || is_port(at, https ? "443" : "80"));
}

http_origin http_origin_of(const http_origins *o, const http_request *q)
{
    http_origin of = {.is_options = q->verb == HTTP_VERB_OPTIONS};
    uc_view origin;

    if (o->n == 0)
        return of;
    origin = http_only(q, "origin");
    for (uint32_t i = 0; origin.len > 0 && i < o->n && of.listed == 0; i++) {
        if (uc_view_is(origin, o->list[i]))
            of.listed = (uint16_t)(i + 1);
    }
    of.is_preflight = of.is_options && of.listed != 0 &&
                      http_only(q, "access-control-request-method").p != NULL;
    return of;
}

/* ---- answers ---- */

static uint32_t add(http_header *headers, uint32_t n, const char *name,
                    uc_view value)
{
    headers[n] = (http_header){view_of(name), value};
    return n + 1;
}

uint32_t http_cors_dress(const http_origins *o, http_origin of, uc_view allow,
                         uc_view headers_allowed, http_header *headers,
                         uint32_t n)
{
    if (of.is_preflight && allow.len > 0) {
        n = add(headers, n, "access-control-allow-methods", allow);
        n = add(headers, n, "access-control-allow-headers", headers_allowed);
        n = add(headers, n, "access-control-max-age", view_of("600"));
    }
    if (o->n == 0)
        return n;
    n = add(headers, n, "vary", view_of("origin"));
    if (of.listed == 0)
        return n;
    n = add(headers, n, "access-control-allow-origin",
            view_of(o->list[of.listed - 1]));
    n = add(headers, n, "access-control-allow-credentials", view_of("true"));
    return add(headers, n, "access-control-expose-headers",
               view_of("x-request-id, etag"));
}

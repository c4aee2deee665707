#ifndef UC_TEST_ROUTES_REQUESTS_H
#define UC_TEST_ROUTES_REQUESTS_H

/* Requests to routes of this file, and what has been read of them as a text.
 * The file that includes it defines _GNU_SOURCE. */
#include "routes_params.h"

#define PARAM(n, ...)             \
    {                             \
        .name = V(n), __VA_ARGS__ \
    }
#define ROUTE(m, p, all)                                      \
    {                                                         \
        .method = UC_METHOD_##m, .path = V(p),                \
        .nparams = sizeof(all) / sizeof *(all), .params = all \
    }

static const uc_param of_query[] = {
    PARAM("name", TYPE(TEXT), RANGE(1, 64)),
    PARAM("age", TYPE(INTEGER), RANGE(0, 150)),
    PARAM("id", TYPE(INTEGER), FROM(0), PRESET(0)),
    PARAM("ps", TYPE(INTEGER), RANGE(1, 100), PRESET(10)),
    PARAM("_now", TYPE(GIVEN), .given = UC_GIVEN_now),
};
static const uc_param of_set[] = {
    PARAM("id", TYPE(INTEGER), FROM(1)),
    PARAM("name", TYPE(TEXT), RANGE(1, 64), .optional = true),
    PARAM("age", TYPE(INTEGER), RANGE(0, 150), .optional = true),
    PARAM("data", TYPE(JSON), .optional = true),
    PARAM("_user", TYPE(GIVEN), .given = UC_GIVEN_user),
};
static const uc_param of_tenant[] = {
    PARAM("x_tenant", TYPE(TEXT), RANGE(1, 8), .header = true,
          .in_header = V("x-tenant")),
    PARAM("x_depth", TYPE(INTEGER), .header = true, .optional = true,
          .in_header = V("x-depth")),
    PARAM("n", TYPE(INTEGER), .optional = true),
};
static const uc_route query = ROUTE(GET, "/dmail/user/q", of_query);
static const uc_route set = ROUTE(POST, "/dmail/user/set", of_set);
static const uc_route tenant = ROUTE(GET, "/tenant", of_tenant);
static const uc_route post_tenant = ROUTE(POST, "/tenant", of_tenant);

static const uc_view origins[] = {V("https://app.example"),
                                  V("http://localhost:5173"), V("null")};
enum { BODY_MOST = 200000 };
static const uc_serving serving = {
    .body_most = BODY_MOST, .norigins = 3, .origins = origins};

__attribute__((unused)) static uc_header headers[64];
__attribute__((unused)) static uc_request q;

/* "a: b\nc: d" */
__attribute__((unused)) static uint32_t split_headers(const char *s)
{
    uint32_t n = 0;

    while (*s != '\0') {
        const char *colon = strstr(s, ": "), *end = strchrnul(s, '\n');

        headers[n].name = (uc_view){(const uint8_t *)s, (size_t)(colon - s)};
        headers[n].value =
            (uc_view){(const uint8_t *)colon + 2, (size_t)(end - colon - 2)};
        n++;
        s = *end != '\0' ? end + 1 : end;
    }
    return n;
}

__attribute__((unused)) static const char *refusal_name(uc_refusal r)
{
    static const char *const names[] = {
#define X(name, plain, fine) #name,
        UC_REFUSAL_MAP(X)
#undef X
    };

    return names[r];
}

/* What has been read, or why not. */
__attribute__((unused)) static const char *result(bool good)
{
    static char text[400 * 1024];
    char *p = text;

    if (!good) {
        snprintf(text, sizeof text, "%s %.*s", refusal_name(q.refusal),
                 (int)q.text.len, (const char *)q.text.p);
        return text;
    }
    *p = '\0';
    for (uint32_t i = 0; i < q.route->nparams; i++) {
        bool given = q.given >> i & 1, sent = q.sent >> i & 1;

        p += sprintf(p, "%s%s%s", i > 0 ? " " : "", show(&q.args[i]),
                     given == sent ? "" : "*"); /* a preset */
        if (given == (q.args[i].type == UC_ARG_ABSENT))
            p += sprintf(p, " (given is wrong)");
    }
    if (q.idempotency_key.p != NULL)
        p += sprintf(p, " key %.*s", (int)q.idempotency_key.len,
                     (const char *)q.idempotency_key.p);
    if (q.if_none_match.p != NULL)
        sprintf(p, " etag %.*s", (int)q.if_none_match.len,
                (const char *)q.if_none_match.p);
    return text;
}

__attribute__((unused)) static const char *
take(const uc_route *route, uc_view search, const char *head, uc_view body)
{
    q.headers = headers;
    q.nheaders = split_headers(head);
    q.body = body;
    uc__request_start(&q);
    q.route = route;
    return result(uc__request_take(&q, search, &serving));
}

__attribute__((unused)) static const char *get(const uc_route *route,
                                               const char *search)
{
    return take(route, view(search), "", (uc_view){0});
}

#define IS_JSON "content-type: application/json"

__attribute__((unused)) static const char *post(const uc_route *route,
                                                const char *body)
{
    return take(route, (uc_view){0}, IS_JSON, view(body));
}

typedef struct text_case {
    const char *in, *want;
} text_case;

#endif

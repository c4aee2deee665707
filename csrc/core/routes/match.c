/* Method and target to a route, and from there on. */
#include "routes/input.h"

static uc_view path_of(uc_view target, uc_view *query)
{
    const uint8_t *mark =
        target.len > 0 ? memchr(target.p, '?', target.len) : NULL;
    size_t n = mark != NULL ? (size_t)(mark - target.p) : target.len;

    *query = (uc_view){0};
    if (mark != NULL)
        *query = (uc_view){mark + 1, target.len - n - 1};
    return (uc_view){target.p, n};
}

static uc_view allowed(const uc_route *get, const uc_route *post)
{
    if (get != NULL && post != NULL)
        return uc__static("GET, HEAD, POST");
    if (get != NULL)
        return uc__static("GET, HEAD");
    return uc__static(post != NULL ? "POST" : "");
}

uc_view uc_routes_allow(const uc_routes *routes, uc_view target)
{
    uc_view query, path = path_of(target, &query);

    return allowed(uc_routes_find(routes, UC_METHOD_GET, path),
                   uc_routes_find(routes, UC_METHOD_POST, path));
}

static bool match(uc_request *q, const uc_routes *routes, uc_view *query)
{
    uc_view path = path_of(q->target, query);

    q->head = uc_view_is(q->method, "HEAD");
    if (q->head || uc_view_is(q->method, "GET"))
        q->route = uc_routes_find(routes, UC_METHOD_GET, path);
    else if (uc_view_is(q->method, "POST"))
        q->route = uc_routes_find(routes, UC_METHOD_POST, path);
    if (q->route != NULL)
        return true;
    q->allow = uc_routes_allow(routes, q->target);
    if (q->allow.len > 0)
        return uc_request_refuse(q, UC_REFUSAL_METHOD, "method not allowed");
    return uc_request_refuse(q, UC_REFUSAL_NO_ROUTE, "not found");
}

bool uc_request_read(uc_request *q, const uc_routes *routes,
                     const uc_serving *serving)
{
    uc_view query;

    uc__request_start(q);
    return match(q, routes, &query) && uc__request_take(q, query, serving);
}

#include "doors/http/constant.h"

#include <string.h>

#include "common/mem.h"
#include "doors/http/caller.h"
#include "routes/etag.h"

typedef struct http_constant {
    http_answer answer;
    http_answer unchanged; /* for who has it already: 304 */
    size_t held;           /* bytes of all of it */
    http_header headers[];
} http_constant;

void http_constants_fini(http_constants *k)
{
    for (uint32_t i = 0; i < k->n; i++)
        uc_free(k->kept[i]);
    uc_free(k->kept);
    *k = (http_constants){0};
}

/* ---- what is asked ---- */

/* How many fields there are of a name. */
static uint32_t count(const http_request *q, const char *lower)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < q->nheaders; i++)
        n += uc_view_is(q->headers[i].name, lower);
    return n;
}

uint32_t http_constant_route(const http_serving *serving, const http_request *q)
{
    const uc_route *route;
    uint32_t place;

    /* A query or a body would be refused, and the core says how. */
    if (serving->nconstant == 0 ||
        (q->verb != HTTP_VERB_GET && q->verb != HTTP_VERB_HEAD) || q->chunked ||
        q->length > 0 || memchr(q->target.p, '?', q->target.len) != NULL ||
        count(q, "if-none-match") > 1)
        return 0;
    route = uc_routes_find(serving->known, UC_METHOD_GET, q->target);
    if (route == NULL)
        return 0;
    place = (uint32_t)(route - uc_routes_at(serving->known, 0));
    return serving->constant[place] ? place + 1 : 0;
}

static uc_view tag_of(const http_answer *a)
{
    for (uint32_t i = 0; i < a->nheaders; i++) {
        if (uc_view_is(a->headers[i].name, "etag"))
            return a->headers[i].value;
    }
    return (uc_view){0};
}

const http_answer *http_constant_find(const http_constants *k,
                                      const http_serving *serving,
                                      uint32_t route, const http_request *q)
{
    const http_constant *c;
    uc_view tags;

    if (k->set != serving->set || route == 0 || route > k->n ||
        k->kept[route - 1] == NULL)
        return NULL;
    c = k->kept[route - 1];
    tags = http_only(q, "if-none-match");
    if (tags.len > 0 &&
        (uc_etag_any(tags) || uc_etag_listed(tags, tag_of(&c->answer))))
        return &c->unchanged;
    return &c->answer;
}

/* ---- what is kept ---- */

/* Those of other routes are over. */
static bool renew(http_constants *k, const http_serving *serving)
{
    if (k->kept != NULL && k->set == serving->set)
        return true;
    http_constants_fini(k);
    k->kept = uc_calloc(serving->routes, sizeof(http_constant *));
    if (k->kept == NULL)
        return false;
    k->set = serving->set;
    k->n = serving->routes;
    return true;
}

static size_t size_of(const http_answer *a)
{
    size_t n = sizeof(http_constant) + a->type.len + a->body.len +
               a->nheaders * sizeof(http_header);

    for (uint32_t i = 0; i < a->nheaders; i++)
        n += a->headers[i].name.len + a->headers[i].value.len;
    return n;
}

static uc_view copy(uint8_t **to, uc_view v)
{
    uc_view there = {*to, v.len};

    if (v.len > 0)
        memcpy(*to, v.p, v.len);
    *to += v.len;
    return there;
}

static http_constant *constant_new(const http_answer *a, size_t size)
{
    http_constant *c = uc_malloc(size);
    uint8_t *to;

    if (c == NULL)
        return NULL;
    to = (uint8_t *)&c->headers[a->nheaders];
    *c = (http_constant){.held = size};
    c->answer = (http_answer){.status = a->status,
                              .type = copy(&to, a->type),
                              .body = copy(&to, a->body),
                              .nheaders = a->nheaders,
                              .headers = c->headers};
    for (uint32_t i = 0; i < a->nheaders; i++) {
        c->headers[i].name = copy(&to, a->headers[i].name);
        c->headers[i].value = copy(&to, a->headers[i].value);
    }
    c->unchanged = (http_answer){
        .status = 304, .nheaders = a->nheaders, .headers = c->headers};
    return c;
}

void http_constant_keep(http_constants *k, const http_serving *serving,
                        uint32_t route, const http_answer *a)
{
    size_t size = size_of(a);
    http_constant *c;

    if (route == 0 || route > serving->routes || a->status != 200 ||
        tag_of(a).len == 0 || size > HTTP_CONSTANT_MOST || !renew(k, serving))
        return;
    c = k->kept[route - 1];
    if (c != NULL) {
        k->held -= c->held;
        k->kept[route - 1] = NULL;
        uc_free(c);
    }
    if (k->held + size > HTTP_CONSTANTS_MOST)
        return;
    c = constant_new(a, size);
    if (c == NULL)
        return;
    k->held += size;
    k->kept[route - 1] = c;
}

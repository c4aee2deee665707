#include "doors/http/constant.h"

#include <string.h>

#include "common/mem.h"
#include "doors/http/caller.h"
#include "routes/etag.h"

typedef struct http_constant {
    http_answer answer;
    http_answer unchanged; /* for who has it already: 304 */
    uc_view tag;
    uc_buf text; /* what the views point into */
} http_constant;

static void constant_free(http_constant *c)
{
    if (c != NULL)
        uc_buf_fini(&c->text);
    uc_free(c);
}

void http_constants_fini(http_constants *k)
{
    for (uint32_t i = 0; k->kept != NULL && i < k->n; i++)
        constant_free(k->kept[i]);
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
    if (tags.len > 0 && (uc_etag_any(tags) || uc_etag_listed(tags, c->tag)))
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

static size_t held_by(const http_constant *c)
{
    return sizeof *c + c->text.cap;
}

/* Where the views point to is known when all of it is there. */
typedef struct cuts {
    size_t type, headers, tag; /* where each ends */
} cuts;

static void cut(http_constant *c, const http_answer *a, const cuts *at)
{
    const uint8_t *p = c->text.p;

    c->answer = (http_answer){.status = 200,
                              .ready = {p, at->headers},
                              .body = {p + at->tag, a->body.len}};
    c->unchanged = (http_answer){
        .status = 304, .ready = {p + at->type, at->headers - at->type}};
    c->tag = (uc_view){p + at->headers, at->tag - at->headers};
}

/* NULL: no memory, or a header that may not be sent. */
static http_constant *constant_new(const http_answer *a)
{
    http_constant *c = uc_calloc(1, sizeof *c);
    http_answer type = {.status = 200, .type = a->type};
    http_answer headers = {
        .status = 200, .nheaders = a->nheaders, .headers = a->headers};
    uc_view tag = tag_of(a);
    cuts at = {0};
    bool ok;

    if (c == NULL)
        return NULL;
    uc_buf_init(&c->text, SIZE_MAX);
    ok = http_lines(&c->text, &type);
    at.type = c->text.len;
    ok = ok && http_lines(&c->text, &headers);
    at.headers = c->text.len;
    uc_buf_put(&c->text, tag.p, tag.len);
    at.tag = c->text.len;
    uc_buf_put(&c->text, a->body.p, a->body.len);
    if (ok && !c->text.failed) {
        cut(c, a, &at);
        return c;
    }
    constant_free(c);
    return NULL;
}

static void forget(http_constants *k, uint32_t place)
{
    if (k->kept[place] != NULL)
        k->held -= held_by(k->kept[place]);
    constant_free(k->kept[place]);
    k->kept[place] = NULL;
}

void http_constant_keep(http_constants *k, const http_serving *serving,
                        uint32_t route, const http_answer *a)
{
    http_constant *c;

    if (route == 0 || route > serving->routes || a->status != 200 ||
        tag_of(a).len == 0 || a->body.len > HTTP_CONSTANT_MOST ||
        !renew(k, serving))
        return;
    forget(k, route - 1);
    c = constant_new(a);
    if (c == NULL || k->held + held_by(c) > HTTP_CONSTANTS_MOST) {
        constant_free(c);
        return;
    }
    k->held += held_by(c);
    k->kept[route - 1] = c;
}

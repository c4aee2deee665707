/* From a request that has been read to what the core is asked, and by whom. */
#include <string.h>

#include "common/clock.h"
#include "common/digits.h"
#include "common/mem.h"
#include "desk/op.h"
#include "doors/http/conn.h"

/* The client's, or ours. */
uc_view http_conn_id(const http_conn *c, const http_asked *asked,
                     char room[HTTP_ID_ROOM])
{
    size_t n = c->loop->prefix_len;
    uint8_t *p = (uint8_t *)room, *end;

    if (asked->id != NULL)
        return (uc_view){(const uint8_t *)asked->id, strlen(asked->id)};
    /* Of each request, for which snprintf is slow. */
    memcpy(p, c->loop->prefix, n);
    end = uc_emit_digits(p + n, (int64_t)asked->serial);
    return (uc_view){p, (size_t)(end - p)};
}

/* The caller's address, which may be in the room. */
static uc_view caller_of(const http_conn *c, const http_request *q,
                         char room[HTTP_IP])
{
    uc_view ip = {(const uint8_t *)c->ip, c->ip_len};

    return c->trusted ? http_caller(&c->loop->settings->trust, ip, q, room)
                      : ip;
}

/* What is known of its caller; the views may point into the rooms. */
static http_facts facts_of(const http_conn *c, uint32_t number,
                           const http_request *q, char id[HTTP_ID_ROOM],
                           char ip[HTTP_IP])
{
    const http_asked *asked = http_order_asked(&c->order, number);
    http_facts facts = {.ip = caller_of(c, q, ip),
                        .id = http_conn_id(c, asked, id)};

    if (c->trusted)
        facts.host = http_only(q, "x-forwarded-host");
    facts.audit = q->verb == HTTP_VERB_POST && c->loop->noting.log != NULL;
    return facts;
}

bool http_conn_host_is_ours(http_conn *c, uc_view host)
{
    if (c->host_len == host.len && host.len > 0 &&
        memcmp(c->host, host.p, host.len) == 0)
        return true;
    if (!http_host_is_ours(&c->loop->settings->hosts, host))
        return false;
    if (host.len <= sizeof c->host) {
        memcpy(c->host, host.p, host.len);
        c->host_len = (uint8_t)host.len;
    }
    return true;
}

static bool is_https(const http_conn *c, const http_request *q)
{
    return c->trusted && uc_view_is(http_only(q, "x-forwarded-proto"), "https");
}

/* True: it waits until it is known who has sent it, or there is no memory. */
static bool ask_who(http_conn *c, uint32_t number, const http_request *q,
                    const http_facts *facts)
{
    const http_settings *s = c->loop->settings;
    uc_view token;

    if (!http_cookie_is_there(q) ||
        !http_who_asks(&s->cookie, is_https(c, q), c->loop->serving, q, &token))
        return false;
    if (c->who == NULL)
        c->who = http_who_new();
    if (c->who == NULL) {
        c->frames.failed = true;
        return true;
    }
    http_who_begin(c->who, number, c->loop->serving, q, facts, token,
                   &c->frames);
    if (c->frames.failed)
        http_who_end(c->who);
    else
        c->unknown = number;
    return true;
}

void http_conn_put_frame(http_conn *c, uint32_t number, const http_request *q)
{
    char id[HTTP_ID_ROOM], ip[HTTP_IP];
    http_kind kind = http_order_asked(&c->order, number)->kind;
    http_facts facts;

    if (kind == HTTP_KIND_ROUTE) {
        facts = facts_of(c, number, q, id, ip);
        if (!ask_who(c, number, q, &facts))
            http_frame_request(&c->frames, number, c->loop->serving, q, &facts);
        return;
    }
    http_frame_ask(&c->frames, number,
                   kind == HTTP_KIND_HEALTH ? UC_OP_health : UC_OP_stats);
    if (kind == HTTP_KIND_HEALTH && c->probe == 0) {
        c->probe = number;
        c->probe_since = uc_now_coarse();
    }
}

/* It is written into lines and sent back: printable, without blanks, short. */
static char *given_id(const http_request *q)
{
    uc_view v = http_only(q, "x-request-id");

    if (v.len == 0 || v.len > HTTP_ID)
        return NULL;
    for (size_t i = 0; i < v.len; i++) {
        if (v.p[i] <= ' ' || v.p[i] > '~')
            return NULL;
    }
    return uc_strndup((const char *)v.p, v.len);
}

static bool is_path(const http_request *q, const char *path)
{
    size_t n = path != NULL ? strlen(path) : 0;

    return n > 0 && q->target.len >= n && memcmp(q->target.p, path, n) == 0 &&
           (q->target.len == n || q->target.p[n] == '?');
}

static bool is_routes(const http_conn *c, const char *path)
{
    const uc_routes *known = c->loop->serving->known;
    uc_view v = {(const uint8_t *)path, strlen(path)};

    return uc_routes_find(known, UC_METHOD_GET, v) != NULL ||
           uc_routes_find(known, UC_METHOD_POST, v) != NULL;
}

/* Paths of our own are those that no route has. */
static http_kind kind_of(const http_conn *c, const http_request *q)
{
    const http_settings *s = c->loop->settings;

    if (q->verb != HTTP_VERB_GET && q->verb != HTTP_VERB_HEAD)
        return HTTP_KIND_ROUTE;
    if (is_path(q, s->health) && !is_routes(c, s->health))
        return HTTP_KIND_HEALTH;
    if (is_path(q, s->metrics) && !is_routes(c, s->metrics))
        return HTTP_KIND_METRICS;
    return HTTP_KIND_ROUTE;
}

/* Those of our own paths come every few seconds, and have no lines. */
static http_note *note_of(const http_conn *c, const http_request *q,
                          http_kind kind)
{
    const http_loop *l = c->loop;
    char room[HTTP_IP];

    if (kind != HTTP_KIND_ROUTE)
        return NULL;
    return http_note_new(&l->noting, l->serving, q, caller_of(c, q, room));
}

http_asked http_conn_asked_by(http_conn *c, const http_request *q)
{
    http_kind kind = kind_of(c, q);
    http_note *note = note_of(c, q, kind);

    return (http_asked){
        .kind = kind,
        .note = note,
        .is_head = q->verb == HTTP_VERB_HEAD,
        .keep_alive = q->keep_alive,
        .minor = q->minor,
        .constant = kind == HTTP_KIND_ROUTE
                        ? http_constant_route(c->loop->serving, q)
                        : 0,
        .set = c->loop->serving->set,
        .origin = http_origin_of(&c->loop->settings->origins, q),
        .bytes = (uint32_t)((q->chunked ? q->body.len : q->length) +
                            http_note_size(note)),
        .serial = ++c->loop->requests,
        .id = given_id(q),
    };
}

/* From a request that has been read to what the core is asked, or to an answer
 * without it. */
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "desk/op.h"
#include "doors/http/conn.h"

static bool open_session(http_conn *c)
{
    if (c->session == NULL)
        c->session = uc_session_beside(c->loop->home, http_loop_wake, c);
    return c->session != NULL;
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

static bool host_is_ours(http_conn *c, uc_view host)
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

/* True: it is answered already. */
static bool turned_down(http_conn *c, uint32_t number, const http_request *q)
{
    if (!host_is_ours(c, q->host))
        http_conn_answer_text(c, number, 421,
                              "host: is none of this server's names");
    else if (http_conn_is_tight(c))
        http_conn_answer_text(c, number, 503, "busy");
    else
        return false;
    return true;
}

static void put_frame(http_conn *c, uint32_t number, const http_request *q)
{
    char id[HTTP_ID_ROOM], ip[HTTP_IP];
    http_kind kind = http_order_asked(&c->order, number)->kind;
    http_facts facts;

    if (kind == HTTP_KIND_ROUTE) {
        facts = facts_of(c, number, q, id, ip);
        if (!http_conn_ask_who(c, number, q, &facts))
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

/* True: its answer is always the same, and known. */
static bool answer_constant(http_conn *c, uint32_t number,
                            const http_request *q)
{
    const http_asked *asked = http_order_asked(&c->order, number);
    const http_answer *a = http_constant_find(
        &c->loop->constants, c->loop->serving, asked->constant, q);

    if (a != NULL)
        http_conn_answer(c, number, a);
    return a != NULL;
}

static void submit(http_conn *c, uint32_t number, const http_request *q)
{
    size_t before;

    if (turned_down(c, number, q) || answer_constant(c, number, q))
        return;
    if (!open_session(c)) {
        http_conn_answer_text(c, number, 503, "no memory");
        return;
    }
    before = c->frames.len;
    put_frame(c, number, q);
    if (c->frames.failed) {
        uc_buf_rewind(&c->frames, before);
        http_conn_answer_text(c, number, 503, "no memory");
        return;
    }
    c->nframes++;
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

static http_asked asked_by(http_conn *c, const http_request *q)
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

/* The number of the request that was found, 0: no memory. */
static uint32_t number_of(http_conn *c, const http_request *q)
{
    uint32_t number = c->announced;
    http_asked asked;

    c->announced = 0;
    if (number != 0) {
        http_order_wait(&c->order, false, &c->out);
        return number;
    }
    asked = asked_by(c, q);
    number = http_order_add(&c->order, &asked);
    if (number == 0)
        http_conn_close(c);
    return number;
}

void http_conn_begin_request(http_conn *c)
{
    const http_request *q = http_parser_request(c->parser);
    uint32_t number = number_of(c, q);

    if (number == 0)
        return;
    if (atomic_load_explicit(&c->loop->draining, memory_order_relaxed))
        http_order_close(&c->order);
    submit(c, number, q);
}

void http_conn_begin_body(http_conn *c)
{
    http_asked asked = asked_by(c, http_parser_request(c->parser));

    c->announced = http_order_add(&c->order, &asked);
    if (c->announced == 0)
        http_conn_close(c);
    else
        http_order_wait(&c->order, true, &c->out);
}

void http_conn_refuse(http_conn *c, unsigned status, const char *text)
{
    http_asked asked = {.is_head = http_parser_is_head(c->parser), .minor = 1};
    uint32_t number = c->announced;

    c->announced = 0;
    if (number == 0)
        number = http_order_add(&c->order, &asked);
    http_order_close(&c->order);
    if (number == 0)
        http_conn_close(c);
    else
        http_conn_answer_text(c, number, status, text);
}

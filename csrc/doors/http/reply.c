/* Replies of the core, and what the door itself says, as answers. */
#include <string.h>

#include "common/clock.h"
#include "common/digits.h"
#include "common/mem.h"
#include "daemon/log.h"
#include "desk/op.h"
#include "doors/http/conn.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum {
    CACHE_STATS = 4096,           /* bytes: they have a tenth of that */
    HEAD = 4,                     /* of a reply that is taken: its length */
    EXTRA = HTTP_CORS_HEADERS + 1 /* of an answer, beside its own */
};

/* The core knows no OPTIONS, but what may be done there instead. */
static uc_view answer_options(http_answer *a, http_header *allow, uc_buf *text)
{
    static const char more[] = ", OPTIONS";
    uc_view methods = {0};

    if (a->status != 405 || a->nheaders == 0)
        return methods;
    methods = a->headers[0].value;
    uc_buf_put(text, methods.p, methods.len);
    uc_buf_put(text, more, sizeof more - 1);
    *allow = (http_header){{(const uint8_t *)"allow", 5}, {text->p, text->len}};
    *a = (http_answer){.status = 204, .nheaders = 1, .headers = allow};
    return methods;
}

/* *a becomes what is sent. */
static http_ordered order(http_conn *c, uint32_t number, http_answer *a)
{
    const char *date = http_date_text(&c->loop->date, uc_wall_ms());
    http_ordered done = http_order_answer(&c->order, number, a, date, &c->out);

    if (done != HTTP_ORDER_REFUSED)
        return done;
    ud_say("a route's header may not be sent: it has a name or a value that "
           "HTTP does not allow");
    *a = (http_answer){.status = 500, .audit = a->audit};
    return http_order_answer(&c->order, number, a, date, &c->out);
}

static bool has_header(const http_answer *a, const char *name)
{
    for (uint32_t i = 0; i < a->nheaders; i++) {
        if (uc_view_is(a->headers[i].name, name))
            return true;
    }
    return false;
}

/* Its lines in the log, and what is counted. */
static void note_end(const http_conn *c, const http_note *note, uc_view id,
                     bool is_head, const http_answer *a)
{
    http_outcome o = {.status = a->status,
                      .bytes = http_body(a, is_head).len,
                      .limited = (a->status == 400 || a->status == 429) &&
                                 has_header(a, "retry-after"),
                      .audit = a->audit};

    http_note_end(&c->loop->noting, note, id, &o);
}

static void send_answer(http_conn *c, uint32_t number, http_answer *a)
{
    const http_asked *asked = http_order_asked(&c->order, number);
    bool is_head = asked->is_head;
    char room[HTTP_ID_ROOM], id[HTTP_ID_ROOM];
    http_note *note = http_order_take_note(&c->order, number);
    uc_view v = {0};

    if (note != NULL) { /* the request is forgotten with its answer */
        v = http_conn_id(c, asked, room);
        memcpy(id, v.p, v.len);
    }
    if (order(c, number, a) == HTTP_ORDER_MEMORY)
        http_conn_close(c);
    if (note == NULL)
        return;
    note_end(c, note, (uc_view){(const uint8_t *)id, v.len}, is_head, a);
    uc_free(note);
}

/* With what each answer has. a: has HTTP_HEADERS of its own at most. */
void http_conn_answer(http_conn *c, uint32_t number, const http_answer *given)
{
    const http_asked *asked = http_order_asked(&c->order, number);
    http_header headers[HTTP_HEADERS + EXTRA], allow;
    http_answer a = *given;
    uc_view methods = {0};
    char id[HTTP_ID_ROOM];
    uc_buf text;

    if (asked == NULL)
        return;
    uc_buf_init(&text, SIZE_MAX);
    if (asked->origin.is_options)
        methods = answer_options(&a, &allow, &text);
    if (a.nheaders > 0)
        memcpy(headers, a.headers, a.nheaders * sizeof *headers);
    a.nheaders =
        http_cors_dress(&c->loop->settings->origins, asked->origin, methods,
                        c->loop->serving->allowed, headers, a.nheaders);
    if (asked->serial != 0)
        headers[a.nheaders++] = (http_header){
            {(const uint8_t *)"x-request-id", 12}, http_conn_id(c, asked, id)};
    a.headers = headers;
    a.nown = asked->serial != 0;
    send_answer(c, number, &a);
    uc_buf_fini(&text);
}

void http_conn_answer_text(http_conn *c, uint32_t number, unsigned status,
                           const char *sentence)
{
    http_answer a;
    uc_buf text;

    uc_buf_init(&text, SIZE_MAX);
    a = http_text(status, sentence, &text);
    http_conn_answer(c, number, &a);
    uc_buf_fini(&text);
}

static void say_failure(const http_conn *c, uint32_t number,
                        const http_failure *f)
{
    const http_asked *asked = http_order_asked(&c->order, number);
    char room[HTTP_ID_ROOM];
    uc_view id = asked != NULL ? http_conn_id(c, asked, room) : (uc_view){0};

    ud_say("request %.*s: %.*s: %.*s", (int)id.len, (const char *)id.p,
           (int)f->code.len, (const char *)f->code.p, (int)f->message.len,
           (const char *)f->message.p);
}

/* ---- health and metrics ---- */

static bool is_ok(uc_reader r)
{
    uc_value map;
    uc_view key;
    bool ok = false;

    if (!uc_read(&r, &map) || map.type != UC_T_MAP)
        return false;
    for (uint32_t i = 0; i < map.n && uc_read_str(&r, &key); i++) {
        if (uc_view_is(key, "ok"))
            return uc_read_bool(&r, &ok) && ok;
        if (!uc_read_skip(&r))
            break;
    }
    return false;
}

/* What the cache tells of itself, which it does at once; empty: there is none,
 * or it cannot at the moment. */
static uc_reader ask_cache(http_conn *c, uint8_t *room, size_t n)
{
    uint32_t three, number, kind;
    uc_reader r = {room, room};
    uc_buf frame;

    uc_buf_init(&frame, SIZE_MAX);
    http_frame_ask(&frame, 1, UC_OP_cache_stats);
    if (!frame.failed)
        r.end += uc_cache_sync(c->session, frame.p, frame.len, room, n);
    uc_buf_fini(&frame);
    if ((size_t)(r.end - room) > n || !uc_read_array(&r, &three) ||
        !uc_read_u32(&r, &number) || !uc_read_u32(&r, &kind) ||
        kind != UC_REPLY_VALUE)
        r = (uc_reader){room, room};
    return r;
}

static void answer_metrics(http_conn *c, uint32_t number, uc_reader stats)
{
    static const char type[] = "text/plain; version=0.0.4; charset=utf-8";
    http_loop *l = c->loop;
    http_answer a = {.status = 200,
                     .type = {(const uint8_t *)type, sizeof type - 1}};
    uint8_t room[CACHE_STATS];
    uc_buf text;

    uc_buf_init(&text, SIZE_MAX);
    http_metrics_write(l->noting.metrics, atomic_load(l->open), stats,
                       ask_cache(c, room, sizeof room), &text);
    a.body = (uc_view){text.p, text.len};
    if (text.failed)
        http_conn_answer_text(c, number, 503, "no memory");
    else
        http_conn_answer(c, number, &a);
    uc_buf_fini(&text);
}

/* ---- who asks ---- */

/* That of a request which waits for it. False: the reply is a failure, which is
 * the request's. */
static bool take_who(http_conn *c, uc_view frame)
{
    uint32_t number = c->unknown;
    char room[HTTP_ID_ROOM];
    http_whom whom;
    http_who_news news =
        http_who_take(c->who, frame, uc_wall_ms(), &c->frames, &whom);

    c->nframes += whom.frames;
    if (whom.no_table && !c->loop->told_no_table)
        ud_say("a request has the cookie of a session, and there is no table "
               "session: nobody is logged in");
    c->loop->told_no_table = c->loop->told_no_table || whom.no_table;
    if (news == HTTP_WHO_KNOWN) {
        http_who_send(
            c->who, &whom,
            http_conn_id(c, http_order_asked(&c->order, number), room),
            &c->frames);
        c->nframes++;
    }
    if (news != HTTP_WHO_WAITS) {
        http_who_end(c->who);
        c->unknown = 0;
    }
    if (news == HTTP_WHO_FAULT) {
        ud_say("a session could not be read: %s", whom.why);
        http_conn_answer_text(c, number, 500, "internal error");
    }
    if (c->frames.failed)
        http_conn_close(c);
    return news != HTTP_WHO_FAILURE;
}

/* What the core tells of itself, and of who asks. False: it is the answer of a
 * route. */
static bool answer_own(http_conn *c, uc_view frame)
{
    uc_reader r = {frame.p, frame.p + frame.len};
    const http_asked *asked;
    uint32_t n, number, kind;

    if (!uc_read_array(&r, &n) || !uc_read_u32(&r, &number) ||
        !uc_read_u32(&r, &kind) || kind == UC_REPLY_ANSWER)
        return false;
    if (number == c->unknown && number != 0)
        return take_who(c, frame);
    asked = http_order_asked(&c->order, number);
    if (asked == NULL)
        return kind == UC_REPLY_VALUE; /* too late: sweep.c has answered */
    if (asked->kind == HTTP_KIND_ROUTE)
        return false;
    if (number == c->probe)
        c->probe = 0;
    if (asked->kind == HTTP_KIND_METRICS)
        answer_metrics(c, number, r);
    else if (kind == UC_REPLY_VALUE && is_ok(r))
        http_conn_answer_text(c, number, 200, "ok");
    else
        http_conn_answer_text(c, number, 503, "the database does not answer");
    return true;
}

/* The next who asks for it is answered without the core. */
static void keep_constant(const http_conn *c, uint32_t number,
                          const http_answer *a)
{
    const http_asked *asked = http_order_asked(&c->order, number);
    http_loop *l = c->loop;

    if (asked != NULL && asked->constant != 0 && !asked->is_head &&
        asked->set == l->serving->set)
        http_constant_keep(&l->constants, l->serving, asked->constant, a);
}

static void answer_frame(http_conn *c, uc_view frame)
{
    http_header headers[HTTP_HEADERS];
    http_failure failure;
    http_answer a;
    uint32_t number;

    if (answer_own(c, frame))
        return;
    if (!http_frame_answer(frame, &number, &a, headers, HTTP_HEADERS,
                           &failure)) {
        ud_say("a reply of the core could not be read");
        http_conn_close(c);
        return;
    }
    if (failure.failed)
        say_failure(c, number, &failure);
    else
        keep_constant(c, number, &a);
    if (c->loop->settings->fine && uc_view_is(failure.kind, "timeout"))
        a.status = 504;
    http_conn_answer(c, number, &a);
}

void http_conn_take(http_conn *c)
{
    http_loop *l = c->loop;
    size_t n, need = 0;

    while (!c->closing) {
        n = uc_take(c->session, l->taken, l->taken_cap, HEAD, &need);
        if (n == 0 && need == 0)
            break;
        if (n == 0 && !http_loop_room(l, need)) {
            http_conn_close(c);
            break;
        }
        for (size_t at = 0; at < n && !c->closing;) {
            uint32_t len;

            memcpy(&len, l->taken + at, sizeof len);
            answer_frame(c, (uc_view){l->taken + at + HEAD, len});
            at += HEAD + len;
        }
    }
}

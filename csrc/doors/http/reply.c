/* Replies of the core, and what the door itself says, as answers. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "daemon/log.h"
#include "doors/http/conn.h"

enum {
    HEAD = 4,                     /* of a reply that is taken: its length */
    EXTRA = HTTP_CORS_HEADERS + 1 /* of an answer, beside its own */
};

/* The client's, or ours. */
uc_view http_conn_id(const http_conn *c, const http_asked *asked,
                     char room[HTTP_ID_ROOM])
{
    int n;

    if (asked->id != NULL)
        return (uc_view){(const uint8_t *)asked->id, strlen(asked->id)};
    n = snprintf(room, HTTP_ID_ROOM, "%s%" PRIu64, c->loop->prefix,
                 asked->serial);
    return (uc_view){(const uint8_t *)room, (size_t)n};
}

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

static http_ordered order(http_conn *c, uint32_t number, const http_answer *a)
{
    const char *date = http_date_text(&c->loop->date, uc_wall_ms());
    http_ordered done = http_order_answer(&c->order, number, a, date, &c->out);
    http_answer plain = {.status = 500};

    if (done != HTTP_ORDER_REFUSED)
        return done;
    ud_say("a route's header may not be sent: it has a name or a value that "
           "HTTP does not allow");
    return http_order_answer(&c->order, number, &plain, date, &c->out);
}

/* With what each answer has. a: has HTTP_HEADERS of its own at most. */
static void answer(http_conn *c, uint32_t number, const http_answer *given)
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
    if (order(c, number, &a) == HTTP_ORDER_MEMORY)
        http_conn_close(c);
    uc_buf_fini(&text);
}

void http_conn_answer_text(http_conn *c, uint32_t number, unsigned status,
                           const char *sentence)
{
    http_answer a;
    uc_buf text;

    uc_buf_init(&text, SIZE_MAX);
    a = http_text(status, sentence, &text);
    answer(c, number, &a);
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

static void answer_frame(http_conn *c, uc_view frame)
{
    http_header headers[HTTP_HEADERS];
    http_failure failure;
    http_answer a;
    uint32_t number;

    if (!http_frame_answer(frame, &number, &a, headers, HTTP_HEADERS,
                           &failure)) {
        ud_say("a reply of the core could not be read");
        http_conn_close(c);
        return;
    }
    if (failure.failed)
        say_failure(c, number, &failure);
    answer(c, number, &a);
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

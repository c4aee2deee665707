#include <endian.h>
#include <string.h>

#include "common/clock.h"
#include "doors/http/inner.h"

/*
 * What the client reads: answers of the service, of the core by way of it, and
 * of the door's own.
 */

/* ---- answers ---- */

static http_ordered put(ud_conn *c, uint32_t number, const http_answer *a,
                        uc_buf *out)
{
    ud_http *h = ud_http_of(c);

    h->order.draining = c->state != UD_OPEN;
    return http_order_answer(&h->order, number, a,
                             http_date_text(&h->date, uc_wall_ms()), out);
}

bool ud_http_put(ud_conn *c, uint32_t number, const http_answer *a, uc_buf *out)
{
    size_t before = out->len;
    http_ordered done = put(c, number, a, out);

    /* Data has become a header that cannot be sent. */
    if (done == HTTP_ORDER_REFUSED)
        return ud_http_refuse(c, number, 500, "internal error", out);
    if (done == HTTP_ORDER_MEMORY)
        uc_buf_rewind(out, before);
    return done != HTTP_ORDER_MEMORY;
}

bool ud_http_refuse(ud_conn *c, uint32_t number, unsigned status,
                    const char *sentence, uc_buf *out)
{
    http_answer a = http_text(status, sentence, &ud_http_of(c)->text);

    return ud_http_put(c, number, &a, out);
}

bool ud_http_fault(ud_conn *c, const http_fault *f)
{
    ud_http *h = ud_http_of(c);
    http_asked asked = {
        .is_head = h->parser != NULL && http_parser_is_head(h->parser),
        .minor = 1,
    };
    uint32_t number = h->begun;

    if (number == 0)
        number = http_order_add(&h->order, &asked);
    h->begun = 0;
    h->faulty = true;
    http_order_close(&h->order);
    return number != 0 &&
           ud_http_refuse(c, number, f->status, f->text, &c->own);
}

void ud_http_no_memory(ud_conn *c)
{
    uc_error e;

    uc_fail(&e, UC_MEMORY, "no memory for a request");
    ud_conn_fault(c, &e);
}

void ud_http_answer(ud_conn *c, uint32_t number, const http_answer *a)
{
    if (c->state >= UD_LINGERING)
        return;
    if (!ud_http_put(c, number, a, &c->own))
        ud_http_no_memory(c);
    ud_http_await(c);
}

/* ---- replies of the core ---- */

/* [9x, ce, id, kind, ...] */
static uint32_t id_of(uc_view frame)
{
    uint32_t id;

    memcpy(&id, frame.p + 2, 4);
    return be32toh(id);
}

static bool replied(ud_conn *c, uc_view frame, uc_buf *out)
{
    const http_service *service = ud_http_door_of(c)->service;
    http_answer a = {0};

    return !service->reply(service->arg, c, frame, &a) ||
           ud_http_put(c, id_of(frame), &a, out);
}

/* What is in turn takes the place of the replies. */
static bool replace(ud_conn *c, size_t at, const uc_buf *out)
{
    c->out_len = at;
    if (!ud_out_room(c, at + out->len))
        return false;
    if (out->len > 0)
        memcpy(c->out + at, out->p, out->len);
    c->out_len += out->len;
    return true;
}

bool ud_http_dress(ud_conn *c, size_t at)
{
    uc_buf *out = &ud_http_of(c)->out;
    size_t head = c->door->head;
    bool good = true;

    uc_buf_rewind(out, 0);
    for (size_t i = at; good && i < c->out_len;) {
        uint32_t n;

        memcpy(&n, c->out + i + head - 4, 4);
        n = le32toh(n);
        good = replied(c, (uc_view){c->out + i + head, n}, out);
        i += head + n;
    }
    ud_http_await(c);
    return replace(c, at, out) && good;
}

/* ---- what the client owes ---- */

/* Nothing while it is not read. */
static http_owes owes(const ud_conn *c, const ud_http *h)
{
    if (c->stalled)
        return HTTP_OWES_NOTHING;
    switch (h->parser != NULL ? http_parser_phase(h->parser)
                              : HTTP_PHASE_IDLE) {
    case HTTP_PHASE_HEAD:
        return HTTP_OWES_HEAD;
    case HTTP_PHASE_BODY:
        return HTTP_OWES_BODY;
    case HTTP_PHASE_IDLE:
        break;
    }
    return h->order.n > 0 ? HTTP_OWES_NOTHING : HTTP_OWES_IDLE;
}

static int64_t ms_of(const http_settings *s, http_owes what)
{
    switch (what) {
    case HTTP_OWES_IDLE:
        return s->idle_ms;
    case HTTP_OWES_HEAD:
        return s->head_ms;
    case HTTP_OWES_BODY:
        return s->body_ms;
    case HTTP_OWES_NOTHING:
        break;
    }
    return 0;
}

/* The time runs from when it began to be owed, and not from its last byte. */
void ud_http_await(ud_conn *c)
{
    ud_http *h = ud_http_of(c);
    http_owes now = owes(c, h);

    if (c->state != UD_OPEN || (now == h->owes && h->found == h->owes_at))
        return;
    h->owes = now;
    h->owes_at = h->found;
    ud_await(c, ms_of(&ud_http_door_of(c)->settings, now));
}

#include "doors/http/order.h"

#include "common/mem.h"

enum { FIRST_SLOTS = 4 };

static http_slot *slot_of(const http_order *o, uint32_t number)
{
    return &o->slots[number & (o->cap - 1)];
}

static uint32_t first_of(const http_order *o)
{
    return o->last - o->n + 1;
}

static void forget(http_asked *a)
{
    uc_free(a->id);
    uc_free(a->note);
    a->id = NULL;
    a->note = NULL;
}

/* The first is over. */
static void next(http_order *o)
{
    http_slot *s = slot_of(o, first_of(o));

    o->held -= s->text.cap;
    o->asked -= s->asked.bytes;
    uc_buf_fini(&s->text);
    forget(&s->asked);
    o->n--;
}

void http_order_fini(http_order *o)
{
    while (o->n > 0)
        next(o);
    uc_free(o->slots);
    *o = (http_order){0};
}

/* ---- requests ---- */

/* Numbers change their places when there are more of them. */
static bool grow(http_order *o)
{
    http_order wider = *o;

    wider.cap = o->cap == 0 ? FIRST_SLOTS : o->cap * 2;
    wider.slots = uc_calloc(wider.cap, sizeof *wider.slots);
    if (wider.slots == NULL)
        return false;
    for (uint32_t i = 0; i < o->n; i++)
        *slot_of(&wider, first_of(o) + i) = *slot_of(o, first_of(o) + i);
    uc_free(o->slots);
    *o = wider;
    return true;
}

uint32_t http_order_add(http_order *o, const http_asked *asked)
{
    http_slot *s;

    if (o->n == o->cap && !grow(o)) {
        uc_free(asked->id);
        uc_free(asked->note);
        return 0;
    }
    o->asked += asked->bytes;
    o->last++;
    o->n++;
    s = slot_of(o, o->last);
    *s = (http_slot){.asked = *asked};
    uc_buf_init(&s->text, SIZE_MAX);
    if (!asked->keep_alive || o->last == HTTP_REQUESTS)
        http_order_close(o);
    return o->last;
}

const http_asked *http_order_asked(const http_order *o, uint32_t number)
{
    const http_slot *s;

    if (o->n == 0 || number - first_of(o) >= o->n)
        return NULL;
    s = slot_of(o, number);
    return s->answered ? NULL : &s->asked;
}

struct http_note *http_order_take_note(http_order *o, uint32_t number)
{
    struct http_note *note = NULL;

    if (http_order_asked(o, number) != NULL) {
        note = slot_of(o, number)->asked.note;
        slot_of(o, number)->asked.note = NULL;
    }
    return note;
}

void http_order_close(http_order *o)
{
    o->closed = true;
    o->coming = false;
    if (o->n > 0)
        slot_of(o, o->last)->asked.keep_alive = false;
}

/* ---- answers ---- */

static void put_continue(http_order *o, uc_buf *out)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    http_slot *first = o->n > 0 ? slot_of(o, first_of(o)) : NULL;

    if (first != NULL && first->waits)
        uc_buf_put(out, text, sizeof text - 1);
    if (first != NULL)
        first->waits = false;
}

void http_order_wait(http_order *o, bool waits, uc_buf *out)
{
    slot_of(o, o->last)->waits = o->coming = waits;
    put_continue(o, out);
}

/* How the connection goes on behind the first. */
static http_going going(http_order *o)
{
    const http_asked *asked = &slot_of(o, first_of(o))->asked;

    o->ended = !asked->keep_alive || (o->draining && o->n == 1);
    return o->ended            ? HTTP_ENDS
           : asked->minor == 0 ? HTTP_GOES_ON_10
                               : HTTP_GOES_ON;
}

/* What waited for an answer that has gone. */
static void put_waiting(http_order *o, uc_buf *out)
{
    while (o->n > 0 && slot_of(o, first_of(o))->answered) {
        http_slot *s = slot_of(o, first_of(o));

        uc_buf_put(out, s->text.p, s->head);
        http_end(out, going(o));
        uc_buf_put(out, s->text.p + s->head, s->text.len - s->head);
        next(o);
    }
    put_continue(o, out);
}

static http_ordered keep(http_order *o, http_slot *s, const http_answer *a,
                         const char *date)
{
    uc_view body = http_body(a, s->asked.is_head);

    if (!http_head(&s->text, a, date))
        return HTTP_ORDER_REFUSED;
    s->head = s->text.len;
    uc_buf_put(&s->text, body.p, body.len);
    o->held += s->text.cap;
    s->answered = true;
    return s->text.failed ? HTTP_ORDER_MEMORY : HTTP_ORDER_OK;
}

static http_ordered put(http_order *o, http_slot *s, const http_answer *a,
                        const char *date, uc_buf *out)
{
    uc_view body = http_body(a, s->asked.is_head);

    if (!http_head(out, a, date))
        return HTTP_ORDER_REFUSED;
    http_end(out, going(o));
    uc_buf_put(out, body.p, body.len);
    next(o);
    put_waiting(o, out);
    return out->failed ? HTTP_ORDER_MEMORY : HTTP_ORDER_OK;
}

http_ordered http_order_answer(http_order *o, uint32_t number,
                               const http_answer *a, const char *date,
                               uc_buf *out)
{
    http_slot *s;

    if (o->n == 0 || number - first_of(o) >= o->n)
        return HTTP_ORDER_UNKNOWN;
    s = slot_of(o, number);
    if (s->answered)
        return HTTP_ORDER_UNKNOWN;
    if (number != first_of(o))
        return keep(o, s, a, date);
    return put(o, s, a, date, out);
}

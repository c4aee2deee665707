#include "doors/http/inner.h"

/*
 * What the client writes: requests, which the service takes. All of one read
 * that are for the core go to it together.
 */

/* What a burst of requests comes to: frames for the core, side by side. */
typedef struct burst {
    uc_buf frames;
    uint32_t count;
    bool writes;
} burst;

static http_asked asked_of(const http_request *q)
{
    return (http_asked){
        .is_head = q->verb == HTTP_VERB_HEAD,
        .keep_alive = q->keep_alive,
        .minor = q->minor,
    };
}

/* Its number; 0 when memory ran out. */
static uint32_t number_of(ud_http *h, const http_request *q)
{
    http_asked asked = asked_of(q);
    uint32_t number = h->begun;

    h->begun = 0;
    return number != 0 ? number : http_order_add(&h->order, &asked);
}

/* ---- what was found ---- */

/* True when it is in the burst. */
static bool ask_service(ud_conn *c, uint32_t number, const http_request *q,
                        burst *b)
{
    const http_service *service = ud_http_door_of(c)->service;
    http_answer now = {0};
    size_t before = b->frames.len;
    http_taken taken =
        service->request(service->arg, c, number, q, &b->frames, &now);

    if (taken == HTTP_TAKEN_CORE && !b->frames.failed)
        return true;
    uc_buf_rewind(&b->frames, before);
    atomic_fetch_add_explicit(&c->sv->requests, 1, memory_order_relaxed);
    if (taken == HTTP_TAKEN_CORE)
        ud_http_refuse(c, number, 503, "no memory for the request", &c->own);
    else if (taken == HTTP_TAKEN_NOW && !ud_http_put(c, number, &now, &c->own))
        ud_http_no_memory(c);
    return false;
}

static void on_request(ud_conn *c, burst *b)
{
    ud_http *h = ud_http_of(c);
    const http_request *q = http_parser_request(h->parser);
    bool had_number = h->begun != 0;
    uint32_t number = number_of(h, q);

    h->found++;
    if (number == 0) {
        ud_http_no_memory(c);
        return;
    }
    if (had_number)
        http_order_wait(&h->order, false, &c->own);
    if (atomic_load(&c->sv->draining)) {
        http_order_close(&h->order);
        ud_http_refuse(c, number, 503, "the server is shutting down", &c->own);
    } else if (ask_service(c, number, q, b)) {
        b->count++;
        b->writes = b->writes || q->verb == HTTP_VERB_POST;
    }
}

static void on_expected(ud_conn *c)
{
    ud_http *h = ud_http_of(c);
    const http_service *service = ud_http_door_of(c)->service;
    const http_request *q = http_parser_request(h->parser);
    uint32_t number = number_of(h, q);
    http_answer now = {0};

    if (number == 0) {
        ud_http_no_memory(c);
    } else if (service->wants == NULL ||
               service->wants(service->arg, c, q, &now)) {
        h->begun = number;
        http_order_wait(&h->order, true, &c->own);
    } else {
        /* Whether the body comes all the same is not known. */
        h->faulty = true;
        http_order_close(&h->order);
        if (!ud_http_put(c, number, &now, &c->own))
            ud_http_no_memory(c);
    }
}

static void on_fault(ud_conn *c)
{
    atomic_fetch_add(&c->sv->faults, 1);
    if (!ud_http_fault(c, http_parser_fault(ud_http_of(c)->parser)))
        ud_http_no_memory(c);
}

/* ---- bytes ---- */

/* Nothing more is taken from the client. */
static bool is_over(const ud_http *h)
{
    return h->order.closed && !h->order.coming;
}

/* Another request would be one too many, or too much waits for its turn. */
static bool is_full(const ud_conn *c, const ud_http *h)
{
    size_t most = (size_t)c->sv->config->limits.stop_reading_bytes;

    return !http_order_has_room(&h->order) ||
           (h->order.held > most && !h->order.coming);
}

/* One step; *at moves. False when the rest has to wait. */
static bool one(ud_conn *c, size_t *at, burst *b)
{
    ud_http *h = ud_http_of(c);
    size_t used;
    http_found found =
        http_parser_feed(h->parser, c->in + *at, c->in_len - *at, &used);

    *at += used;
    switch (found) {
    case HTTP_FOUND_REQUEST:
        on_request(c, b);
        return true;
    case HTTP_FOUND_CONTINUE:
        on_expected(c);
        return true;
    case HTTP_FOUND_FAULT:
        on_fault(c);
        return false;
    case HTTP_FOUND_MORE:
    case HTTP_FOUND_CLOSED:
        break;
    }
    return false;
}

static bool begun(ud_conn *c)
{
    ud_http *h = ud_http_of(c);

    if (h->parser == NULL)
        h->parser = http_parser_new(&ud_http_door_of(c)->settings.limits);
    if (h->parser == NULL)
        ud_http_no_memory(c);
    return h->parser != NULL;
}

static void hand_over(ud_conn *c, burst *b)
{
    if (b->count > 0 && c->state == UD_OPEN &&
        !ud_submit(c, b->frames.p, b->frames.len, b->count,
                   b->writes ? UC_HINT_WRITE : UC_HINT_ASSIST))
        ud_http_no_memory(c);
    uc_buf_fini(&b->frames);
}

size_t ud_http_cut(ud_conn *c, size_t *need)
{
    ud_http *h = ud_http_of(c);
    size_t at = 0;
    burst b = {0};

    (void)need;
    if (!begun(c))
        return 0;
    uc_buf_init(&b.frames, SIZE_MAX);
    while (c->state == UD_OPEN && at < c->in_len && !is_over(h)) {
        c->stalled = is_full(c, h);
        if (c->stalled || !one(c, &at, &b))
            break;
    }
    hand_over(c, &b);
    if (is_over(h))
        ud_finish(c);
    ud_http_await(c);
    return at;
}

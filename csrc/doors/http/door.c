#include "doors/http/door.h"

#include "doors/http/inner.h"

static void hello(ud_conn *c)
{
    ud_http *h = ud_http_of(c);

    uc_buf_init(&h->text, SIZE_MAX);
    uc_buf_init(&h->out, SIZE_MAX);
    ud_http_await(c);
}

/* Half a request is answered, in its turn; one who idles need not be told. */
static bool late(ud_conn *c, uc_error *e)
{
    ud_http *h = ud_http_of(c);
    http_fault f = {408, "the rest of the body has not come in time"};

    if (h->owes == HTTP_OWES_IDLE)
        return false;
    if (h->owes == HTTP_OWES_HEAD)
        f.text = "the rest of the headers has not come in time";
    atomic_fetch_add(&c->sv->faults, 1);
    if (ud_http_fault(c, &f))
        return false;
    uc_fail(e, UC_MEMORY, "no memory for an answer");
    return true;
}

static unsigned status_of(const uc_error *e)
{
    return e->code == uc_code_name(UC_TIMEOUT)  ? 408
           : e->code == uc_code_name(UC_ACCESS) ? 403
                                                : 503;
}

/* Why the connection ends at once. Where answers are still owed the client
 * would take this for one of them. */
static void fault(ud_conn *c, const uc_error *e)
{
    ud_http *h = ud_http_of(c);
    http_fault f = {status_of(e), e->message};

    if (h->order.n == 0)
        ud_http_fault(c, &f);
}

/* Bytes that nobody has looked at, or the begin of a request. */
static bool is_asking(const ud_conn *c, const ud_http *h)
{
    return c->in_len > 0 || (h->parser != NULL &&
                             http_parser_phase(h->parser) != HTTP_PHASE_IDLE);
}

/*
 * A request that comes too late is refused, so that its client can send it
 * elsewhere; behind an answer that has said Connection: close nobody would read
 * that. One who waits for nothing sees the end at once: what is not read any
 * more must not look as if it was.
 */
static bool goodbye(ud_conn *c)
{
    static const http_fault f = {503, "the server is shutting down"};
    ud_http *h = ud_http_of(c);

    if (c->reading || h->order.n > (h->begun != 0))
        return false;
    if (is_asking(c, h) && !h->order.ended)
        ud_http_fault(c, &f);
    c->prompt = !h->faulty && c->in_len == 0;
    return true;
}

static void end(ud_conn *c)
{
    ud_http *h = ud_http_of(c);

    http_parser_free(h->parser);
    http_order_fini(&h->order);
    uc_buf_fini(&h->text);
    uc_buf_fini(&h->out);
}

static size_t held(ud_conn *c)
{
    const ud_http *h = ud_http_of(c);

    return (h->parser != NULL ? http_parser_held(h->parser) : 0) +
           h->order.held + h->text.cap + h->out.cap;
}

static void trim(ud_conn *c)
{
    ud_http *h = ud_http_of(c);

    uc_buf_fini(&h->text);
    uc_buf_fini(&h->out);
    if (h->parser != NULL)
        http_parser_trim(h->parser);
}

void ud_http_door_init(ud_http_door *d, const http_service *service)
{
    *d = (ud_http_door){
        .door =
            {
                .name = "http",
                .size = sizeof(ud_http),
                .head = 4,
                .hello = hello,
                .cut = ud_http_cut,
                .dress = ud_http_dress,
                .late = late,
                .fault = fault,
                .goodbye = goodbye,
                .end = end,
                .held = held,
                .trim = trim,
            },
        .settings =
            {
                .limits = http_default_limits,
                .head_ms = HTTP_HEAD_MS,
                .body_ms = HTTP_BODY_MS,
                .idle_ms = HTTP_IDLE_MS,
            },
        .service = service,
    };
}

const ud_http_door *ud_http_door_of(const ud_conn *c)
{
    return (const ud_http_door *)(const void *)c->door;
}

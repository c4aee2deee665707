/* What ends by the clock: who is late, idles or does not read, and a drain. */
#include "common/clock.h"
#include "doors/http/conn.h"

enum {
    LINGER_MS = 1000,
    GRACE_MS = 1000, /* for a request that has begun before a drain */
    TRIM_MS = 1000,  /* an idle connection gives memory back */
    PROBE_MS = 2000, /* for the database to say that it is well */
    TIGHT = 8        /* a part of the write time, when memory is short */
};

/* Half a request may become whole, and who has just been let in may ask: for a
 * moment. */
void http_conn_drain(http_conn *c)
{
    if (c->closing || c->lingering || http_conn_is_closed(c))
        return;
    c->since = uc_now_coarse();
    if (http_parser_phase(c->parser) != HTTP_PHASE_IDLE || c->order.last == 0)
        return;
    http_order_close(&c->order);
    http_conn_go_on(c);
}

/* Refused, so that its client can send it elsewhere. */
static void end_grace(http_conn *c)
{
    if (http_parser_phase(c->parser) == HTTP_PHASE_IDLE)
        http_order_close(&c->order);
    else
        http_conn_refuse(c, 503, "the server is shutting down");
    http_conn_go_on(c);
}

static bool passed(int64_t since, int64_t ms, int64_t now)
{
    return now - since > ms * UC_MS;
}

/* Whether a client that has something to read does not. */
static bool is_stuck(http_conn *c, int64_t now)
{
    int64_t most = c->loop->settings->write_ms;
    size_t left = uv_stream_get_write_queue_size(&c->io.stream);

    if (!c->is_sending)
        return false;
    if (left != c->sending_left)
        c->sending_since = now;
    c->sending_left = left;
    return passed(c->sending_since, http_conn_is_tight(c) ? most / TIGHT : most,
                  now);
}

static void sweep_request(http_conn *c, int64_t now)
{
    const http_settings *s = c->loop->settings;
    bool head = c->phase == HTTP_PHASE_HEAD;

    /* It is we who do not read. */
    if (!c->reading)
        c->since = now;
    if (passed(c->since, head ? s->head_ms : s->body_ms, now)) {
        http_conn_refuse(c, 408,
                         head ? "the request did not come in time"
                              : "the body did not come in time");
        http_conn_go_on(c);
    }
}

static void sweep_idle(http_conn *c, int64_t now)
{
    if (c->order.n == 0 && passed(c->since, c->loop->settings->idle_ms, now)) {
        http_order_close(&c->order);
        http_conn_go_on(c);
    } else if (passed(c->since, TRIM_MS, now)) {
        http_parser_trim(c->parser);
        http_conn_count(c);
    }
}

static void end_probe(http_conn *c, int64_t now)
{
    uint32_t number = c->probe;

    if (number == 0 || !passed(c->probe_since, PROBE_MS, now))
        return;
    c->probe = 0;
    http_conn_answer_text(c, number, 503, "the database does not answer");
    http_conn_go_on(c);
}

void http_conn_sweep(http_conn *c, int64_t now)
{
    if (!c->closing)
        end_probe(c, now);
    if (c->closing)
        return;
    if (c->lingering ? passed(c->since, LINGER_MS, now) : is_stuck(c, now))
        http_conn_close(c);
    else if (c->lingering || http_conn_is_closed(c))
        return;
    else if (atomic_load(&c->loop->draining) && passed(c->since, GRACE_MS, now))
        end_grace(c);
    else if (c->phase != HTTP_PHASE_IDLE)
        sweep_request(c, now);
    else
        sweep_idle(c, now);
}

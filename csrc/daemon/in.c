#include <inttypes.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "conn.h"

enum {
    LEAST = 4 << 10, /* less room than this: the buffer grows */
    KEPT = 256 << 10
};

/* Why a connection is not read for now. */
static ud_pause pause_of(ud_conn *c)
{
    const ud_limits *limits = &c->sv->config->limits;
    size_t held;

    if (c->state == UD_LINGERING)
        return UD_READS;
    if (ud_unsent(c) > (size_t)limits->stop_reading_bytes)
        return UD_WAITS_FOR_CLIENT;
    held = c->session != NULL ? uc_held(c->session) : 0;
    ud_conn_charge(c);
    if (held > 2 * (size_t)limits->max_request_bytes ||
        (c->charged > UD_FAIR &&
         atomic_load_explicit(&c->sv->charged, memory_order_relaxed) >
             limits->max_memory_bytes))
        return UD_WAITS_FOR_MEMORY;
    return UD_READS;
}

void ud_receive(ud_conn *c)
{
    ud_pause before = c->pause;
    nng_iov iov;

    if (c->reading || c->state == UD_DRAINING || c->state == UD_SHUT ||
        (c->stalled && c->state == UD_OPEN))
        return;
    c->pause = pause_of(c);
    if (c->pause != UD_READS || c->wait_since != 0)
        ud_server_watch(c->sv);
    if (c->pause != UD_READS)
        return;
    /* It was not the client who was late. */
    if (c->wait_since != 0 && before == UD_WAITS_FOR_CLIENT)
        c->wait_since = uc_now_coarse();
    c->reading = true;
    iov = (nng_iov){c->in + c->in_len, c->in_cap - c->in_len};
    ud_conn_ref(c);
    nng_aio_set_iov(c->rx, 1, &iov);
    c->recv_due = true;
}

void ud_last(ud_conn *c)
{
    if (c->session != NULL && !c->handing_over)
        uc_session_last(c->session);
}

/* What the cache and the log answer (UC_HINT_URGENT) is answered here, whoever
 * else is busy: a writer may be waiting for just that. */
bool ud_submit(ud_conn *c, const uint8_t *frames, size_t len, uint32_t count,
               unsigned hint)
{
    bool assist = (hint & UC_HINT_ASSIST) != 0, ok;

    atomic_fetch_add_explicit(&c->sv->requests, count, memory_order_relaxed);
    if (assist)
        atomic_fetch_or(&c->looking, UD_LOOKING_READ);
    c->handing_over = true;
    uc_unlock(&c->mu);
    ok = uc_submit(c->session, frames, len, count, hint);
    if (ok && assist)
        uc_assist(c->session);
    uc_lock(&c->mu);
    c->handing_over = false;
    if (c->state == UD_DRAINING)
        ud_last(c);
    if (assist)
        atomic_fetch_and(&c->looking, ~(uint32_t)UD_LOOKING_READ);
    return ok;
}

/* The buffer is as large as what has come in, not as what was announced. */
static bool in_room(ud_conn *c, size_t size)
{
    size_t cap = c->in_cap;
    uint8_t *p;

    if (c->in_len == 0 && cap > KEPT)
        cap = UD_IN_FIRST;
    else if (size > cap && cap - c->in_len < LEAST)
        cap = size < cap * 2 ? size : cap * 2;
    else if (cap - c->in_len < LEAST)
        cap *= 2; /* between messages, and the rest of one is in it */
    if (cap == c->in_cap)
        return true;
    p = uc_realloc(c->in, cap);
    if (p == NULL)
        return cap < c->in_cap; /* too large is no failure */
    c->in = p;
    c->in_cap = cap;
    return true;
}

/* What has come in becomes requests. Under c->mu. */
static void digest_once(ud_conn *c)
{
    size_t need = 0, done;

    c->stalled = c->sent_meanwhile = false;
    done = c->door->cut(c, &need);
    if (c->state != UD_OPEN)
        return;
    c->in_len -= done;
    if (done > 0)
        memmove(c->in, c->in + done, c->in_len);
    if (!in_room(c, need)) {
        uc_error e;

        uc_fail(&e, UC_MEMORY, "no memory for a request of %zu bytes", need);
        ud_conn_fault(c, &e);
    }
}

static void digest(ud_conn *c)
{
    do {
        if (c->state == UD_OPEN)
            digest_once(c);
    } while (c->state == UD_OPEN && c->stalled && c->sent_meanwhile);
}

void ud_cut_again(ud_conn *c)
{
    c->sent_meanwhile = true;
    if (!c->stalled || c->reading)
        return;
    c->reading = true; /* the buffer is in use */
    digest(c);
    c->reading = false;
}

/* It was stopped by the drain, or to trim the buffer. */
static void stopped(ud_conn *c)
{
    if (c->trimming && c->in_len == 0) {
        uint8_t *p = uc_realloc(c->in, UD_IN_FIRST);

        if (p != NULL) {
            c->in = p;
            c->in_cap = UD_IN_FIRST;
        }
    }
}

static void received(ud_conn *c, size_t n)
{
    atomic_fetch_add_explicit(&c->sv->bytes_in, n, memory_order_relaxed);
    c->active = uc_now_coarse();
    if (c->state != UD_LINGERING) {
        c->in_len += n;
        digest(c);
    }
    if (c->state == UD_LINGERING)
        c->in_len = 0; /* read so that it can see the reason, and dropped */
}

void ud_on_received(void *arg)
{
    ud_conn *c = arg;
    int rv = nng_aio_result(c->rx);
    size_t n = nng_aio_count(c->rx);

    uc_lock(&c->mu);
    if (c->state == UD_SHUT || (rv != 0 && rv != NNG_ECANCELED)) {
        ud_shut_unlock(c);
        ud_conn_unref(c);
        return;
    }
    if (rv == NNG_ECANCELED)
        stopped(c);
    else
        received(c, n);
    c->trimming = false; /* this came first, or the cancel came too early */
    c->reading = false;
    ud_flush(c);
    ud_receive(c);
    ud_unlock(c);
    ud_conn_unref(c);
}

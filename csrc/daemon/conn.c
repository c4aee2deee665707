#include "conn.h"

#include <inttypes.h>

#include "common/clock.h"
#include "common/mem.h"
#include "log.h"

enum {
    LINGER_MS = 1000,
    IDLE_MS = 1000,  /* after this, buffers shrink */
    STUCK_MS = 1000, /* and this is too long when memory is short */
};

/* ---- life ---- */

void ud_conn_ref(ud_conn *c)
{
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
}

void ud_conn_unref(ud_conn *c)
{
    if (atomic_fetch_sub(&c->refs, 1) == 1)
        ud_server_bury(c->sv, c);
}

void ud_conn_charge(ud_conn *c)
{
    int64_t now = (int64_t)(c->in_cap + c->out_cap + c->own.cap);

    if (c->session != NULL)
        now += (int64_t)(uc_held(c->session) + uc_pending(c->session));
    atomic_fetch_add_explicit(&c->sv->charged, now - c->charged,
                              memory_order_relaxed);
    c->charged = now;
}

static void enlist(ud_server *sv, ud_conn *c)
{
    uc_lock(&sv->mu);
    c->next = sv->conns;
    if (c->next != NULL)
        c->next->prev = c;
    sv->conns = c;
    uc_unlock(&sv->mu);
}

static void delist(ud_server *sv, ud_conn *c)
{
    uc_lock(&sv->mu);
    if (c->prev != NULL)
        c->prev->next = c->next;
    else
        sv->conns = c->next;
    if (c->next != NULL)
        c->next->prev = c->prev;
    uc_unlock(&sv->mu);
}

void ud_conn_free(ud_conn *c)
{
    nng_aio_free(c->rx);
    nng_aio_free(c->tx);
    nng_stream_free(c->stream);
    if (c->session != NULL)
        uc_session_destroy(c->session);
    c->door->end(c);
    delist(c->sv, c);
    atomic_fetch_sub(&c->sv->charged, c->charged);
    atomic_fetch_sub(&c->sv->open, 1);
    uc_buf_fini(&c->own);
    uc_free(c->in);
    uc_free(c->out);
    uc_mutex_fini(&c->mu);
    uc_free(c);
}

/* Under c->mu, which it releases; ends the connection. */
void ud_shut_unlock(ud_conn *c)
{
    bool first = c->state != UD_SHUT;

    c->state = UD_SHUT;
    uc_unlock(&c->mu);
    if (!first)
        return;
    uc_lock(&c->sv->queue_mu);
    c->dead = true;
    uc_unlock(&c->sv->queue_mu);
    atomic_store(&c->closing, true);
    nng_stream_close(c->stream);
    ud_conn_unref(c); /* the server's */
}

/* The core has replies: called with the session locked. */
static void on_replies(void *arg)
{
    ud_conn *c = arg;

    if (atomic_load(&c->looking) == 0)
        ud_server_wake(c->sv, c);
}

static ud_conn *conn_new(const ud_door *door)
{
    ud_conn *c = uc_calloc(1, sizeof *c + door->size);

    if (c == NULL)
        return NULL;
    c->in = uc_malloc(UD_IN_FIRST);
    c->in_cap = UD_IN_FIRST;
    if (c->in == NULL || nng_aio_alloc(&c->rx, ud_on_received, c) != 0 ||
        nng_aio_alloc(&c->tx, ud_on_sent, c) != 0) {
        nng_aio_free(c->rx);
        uc_free(c->in);
        uc_free(c);
        return NULL;
    }
    c->door = door;
    return c;
}

bool ud_conn_open(ud_server *sv, const ud_door *door, nng_stream *stream,
                  const uc_error *refusal)
{
    static _Atomic uint64_t numbers;
    ud_conn *c = conn_new(door);

    if (c == NULL) {
        nng_stream_free(stream);
        return false;
    }
    c->sv = sv;
    c->stream = stream;
    c->number = atomic_fetch_add(&numbers, 1) + 1;
    nng_stream_get_uint64(stream, NNG_OPT_IPC_PEER_PID, &c->pid);
    atomic_init(&c->refs, 2); /* the server's, and ours for a moment */
    atomic_init(&c->looking, 0);
    atomic_init(&c->closing, false);
    uc_mutex_init(&c->mu);
    uc_buf_init(&c->own, SIZE_MAX);
    c->active = uc_now_coarse();
    door->hello(c);
    if (refusal != NULL) {
        door->fault(c, refusal);
        ud_linger(c, LINGER_MS);
    }
    atomic_fetch_add(&sv->open, 1);
    enlist(sv, c);
    uc_lock(&c->mu);
    /* A drain that has begun before it was in the list has not seen it. */
    if (c->state == UD_OPEN && atomic_load(&sv->draining))
        c->state = UD_DRAINING;
    ud_flush(c);
    ud_receive(c);
    ud_unlock(c);
    ud_conn_unref(c);
    return true;
}

bool ud_conn_bind(ud_conn *c, const ud_db *db, bool readonly, uc_error *e)
{
    c->db = db;
    c->session = ud_db_session(db, readonly, on_replies, c);
    if (c->session == NULL)
        return uc_fail(e, UC_MEMORY, "no memory for a session");
    if (c->sv->lines != NULL)
        uc_session_log(c->session, ud_lines_desk(c->sv->lines));
    return true;
}

void ud_unlock(ud_conn *c)
{
    bool sends = c->send_due, receives = c->recv_due;

    c->send_due = c->recv_due = false;
    uc_unlock(&c->mu);
    if (sends)
        nng_stream_send(c->stream, c->tx);
    if (receives)
        nng_stream_recv(c->stream, c->rx);
    /* What begins on a closed stream of nng would never end. */
    if ((sends || receives) && atomic_load(&c->closing)) {
        nng_aio_cancel(c->tx);
        nng_aio_cancel(c->rx);
    }
}

void ud_conn_shut(ud_conn *c)
{
    uc_lock(&c->mu);
    ud_shut_unlock(c);
}

/* ---- the end ---- */

void ud_linger(ud_conn *c, int64_t ms)
{
    c->state = UD_LINGERING;
    c->linger_until = uc_now_coarse() + ms * UC_MS;
    c->wait_since = 0;
    ud_server_watch(c->sv);
}

void ud_await(ud_conn *c, int64_t ms)
{
    c->wait_since = ms > 0 ? uc_now_coarse() : 0;
    c->wait_ms = ms;
}

void ud_conn_fault(ud_conn *c, const uc_error *e)
{
    if (c->state >= UD_LINGERING)
        return;
    atomic_fetch_add(&c->sv->faults, 1);
    ud_log("connection %" PRIu64 " (pid %" PRIu64 ") is closed: %s", c->number,
           c->pid, e->message);
    c->door->fault(c, e);
    ud_linger(c, LINGER_MS);
}

/* ---- from the loop ---- */

static bool late(int64_t since, int64_t now, int64_t ms)
{
    return since != 0 && now - since > ms * UC_MS;
}

/* A client that can not be told why: it does not read. */
static bool is_stuck(ud_conn *c, int64_t now, bool tight)
{
    const ud_limits *limits = &c->sv->config->limits;

    if (c->state == UD_LINGERING)
        return now > c->linger_until;
    if (late(c->sent_since, now, limits->write_timeout_ms)) {
        ud_log("connection %" PRIu64 " (pid %" PRIu64 ") is closed: it has not "
               "read for %" PRId64 " ms (write-timeout-ms)",
               c->number, c->pid, limits->write_timeout_ms);
    } else if (tight && c->charged > UD_FAIR &&
               late(c->sent_since, now, STUCK_MS)) {
        ud_log("connection %" PRIu64 " (pid %" PRIu64 ") is closed: it does "
               "not read, and the %" PRId64 " bytes that wait for it are "
               "needed (max-memory-bytes)",
               c->number, c->pid, c->charged);
    } else {
        return false;
    }
    atomic_fetch_add(&c->sv->faults, 1);
    return true;
}

static bool is_late(ud_conn *c, int64_t now)
{
    return c->pause != UD_WAITS_FOR_CLIENT &&
           late(c->wait_since, now, c->wait_ms);
}

/* Gives back what a connection does not need while it idles. */
static void trim(ud_conn *c)
{
    if (!c->sending && c->out_cap > 0)
        ud_out_drop(c);
    if (c->own.len == 0)
        uc_buf_fini(&c->own);
    if (c->reading && c->in_len == 0 && c->in_cap > UD_IN_FIRST &&
        !c->trimming) {
        c->trimming = true;
        nng_aio_cancel(c->rx);
    }
}

bool ud_conn_sweep(ud_conn *c, int64_t now, bool tight)
{
    uc_error e;
    bool again;

    if (!uc_trylock(&c->mu))
        return true; /* at work */
    if (c->state == UD_SHUT) {
        uc_unlock(&c->mu);
        return false;
    }
    ud_conn_charge(c);
    if (is_stuck(c, now, tight)) {
        ud_shut_unlock(c);
        return false;
    }
    if (c->state != UD_LINGERING && is_late(c, now)) {
        uc_error_init(&e);
        if (c->door->late(c, &e))
            ud_conn_fault(c, &e);
        else
            ud_finish(c);
        ud_flush(c);
    } else if (now - c->active > IDLE_MS * UC_MS) {
        trim(c);
    }
    if (c->pause != UD_READS)
        ud_receive(c);
    again = c->sending || c->out_cap > 0 || c->in_cap > UD_IN_FIRST ||
            c->wait_since != 0 || c->pause != UD_READS ||
            c->state == UD_LINGERING;
    ud_unlock(c);
    return again;
}

void ud_finish(ud_conn *c)
{
    if (c->state != UD_OPEN)
        return;
    c->state = UD_DRAINING;
    c->wait_since = 0;
    if (c->reading)
        nng_aio_cancel(c->rx);
    ud_last(c);
}

void ud_conn_drain(ud_conn *c)
{
    uc_lock(&c->mu);
    ud_finish(c);
    ud_flush(c);
    ud_unlock(c);
}

#include "conn.h"

#include <endian.h>
#include <inttypes.h>
#include <string.h>

#include "adapter.h"
#include "common/clock.h"
#include "common/mem.h"
#include "door.h"
#include "log.h"
#include "op.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum {
    IN_FIRST = 16 << 10, /* the buffer of a connection that idles */
    IN_LEAST = 4 << 10,  /* less room than this: the buffer grows */
    OUT_FIRST = 16 << 10,
    OUT_MOST = 256 << 10, /* about what a socket takes at once */
    OUT_KEPT = 1 << 20,
    LINGER_MS = 1000,
    LINGER_DRAIN_MS = 200,
    IDLE_MS = 1000 /* after this, buffers shrink */
};

enum { LOOKING_SEND = 1, LOOKING_READ = 2 };

static void on_received(void *arg);
static void on_sent(void *arg);
static void flush(ud_conn *c);
static void receive(ud_conn *c);
static void linger(ud_conn *c, int64_t ms);

/* ---- life ---- */

static void ref(ud_conn *c)
{
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
}

void ud_conn_unref(ud_conn *c)
{
    if (atomic_fetch_sub(&c->refs, 1) == 1)
        ud_server_bury(c->sv, c);
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
    delist(c->sv, c);
    atomic_fetch_sub(&c->sv->open, 1);
    ud_ids_fini(&c->ids);
    uc_buf_fini(&c->own);
    uc_free(c->in);
    uc_free(c->out);
    uc_mutex_fini(&c->mu);
    uc_free(c);
}

/* Under c->mu, which it releases; ends the connection. */
static void shut_unlock(ud_conn *c)
{
    bool first = c->state != UD_SHUT;

    c->state = UD_SHUT;
    uc_unlock(&c->mu);
    if (!first)
        return;
    uc_lock(&c->sv->queue_mu);
    c->dead = true;
    uc_unlock(&c->sv->queue_mu);
    nng_stream_close(c->stream);
    ud_conn_unref(c); /* the server's */
}

bool ud_conn_open(ud_server *sv, nng_stream *stream, const uc_error *refusal)
{
    static _Atomic uint64_t numbers;
    ud_conn *c = uc_calloc(1, sizeof *c);

    if (c == NULL) {
        nng_stream_free(stream);
        return false;
    }
    c->in = uc_malloc(IN_FIRST);
    c->in_cap = IN_FIRST;
    if (c->in == NULL || nng_aio_alloc(&c->rx, on_received, c) != 0 ||
        nng_aio_alloc(&c->tx, on_sent, c) != 0) {
        nng_aio_free(c->rx);
        nng_stream_free(stream);
        uc_free(c->in);
        uc_free(c);
        return false;
    }
    c->sv = sv;
    c->stream = stream;
    c->number = atomic_fetch_add(&numbers, 1) + 1;
    nng_stream_get_uint64(stream, NNG_OPT_IPC_PEER_PID, &c->pid);
    atomic_init(&c->refs, 2); /* the server's, and ours for a moment */
    atomic_init(&c->looking, 0);
    uc_mutex_init(&c->mu);
    uc_buf_init(&c->own, SIZE_MAX);
    c->active = uc_now_coarse();
    atomic_fetch_add(&sv->open, 1);
    enlist(sv, c);
    uc_lock(&c->mu);
    uc_buf_put(&c->own, sp_hello, SP_HELLO);
    if (refusal != NULL) {
        ud_answer_error(c, SP_NO_REQUEST, 0, refusal);
        linger(c, LINGER_MS);
    } else {
        c->greet_since = c->active;
        ud_server_watch(sv);
        if (atomic_load(&sv->draining))
            c->state = UD_DRAINING;
    }
    flush(c);
    receive(c);
    uc_unlock(&c->mu);
    ud_conn_unref(c);
    return true;
}

void ud_conn_shut(ud_conn *c)
{
    uc_lock(&c->mu);
    shut_unlock(c);
}

/* The core has replies: called with the session locked. */
static void on_replies(void *arg)
{
    ud_conn *c = arg;

    if (atomic_load(&c->looking) == 0)
        ud_server_wake(c->sv, c);
}

/* ---- answers of our own ---- */

size_t ud_answer_open(ud_conn *c)
{
    size_t at = c->own.len;

    if (uc_buf_reserve(&c->own, SP_HEAD))
        c->own.len += SP_HEAD;
    return at;
}

void ud_answer_close(ud_conn *c, size_t at, uint32_t sp)
{
    if (c->own.failed) {
        /* A client that waits for this answer has its deadline. */
        uc_buf_rewind(&c->own, at);
        return;
    }
    sp_head(c->own.p + at, c->own.len - at - SP_HEAD, sp);
}

void ud_answer_error(ud_conn *c, uint32_t sp, uint32_t id, const uc_error *e)
{
    size_t at = ud_answer_open(c);

    uc_reply_error(&c->own, id, e);
    ud_answer_close(c, at, sp);
}

static void linger(ud_conn *c, int64_t ms)
{
    c->state = UD_LINGERING;
    c->linger_until = uc_now_coarse() + ms * UC_MS;
    c->message_since = 0;
    c->greet_since = 0;
    ud_server_watch(c->sv);
}

void ud_conn_fault(ud_conn *c, const uc_error *e)
{
    if (c->state >= UD_LINGERING)
        return;
    atomic_fetch_add(&c->sv->faults, 1);
    ud_log("connection %" PRIu64 " (pid %" PRIu64 ") is closed: %s", c->number,
           c->pid, e->message);
    ud_answer_error(c, SP_NO_REQUEST, 0, e);
    linger(c, LINGER_MS);
}

/* ---- out ---- */

static void send_more(ud_conn *c)
{
    nng_iov iov = {c->out + c->out_off, c->out_len - c->out_off};

    c->sending = true;
    c->sent_since = uc_now_coarse();
    atomic_fetch_or(&c->looking, LOOKING_SEND);
    ref(c);
    nng_aio_set_iov(c->tx, 1, &iov);
    nng_stream_send(c->stream, c->tx);
}

static bool out_room(ud_conn *c, size_t cap)
{
    uint8_t *p;

    if (c->out_cap >= cap)
        return true;
    p = uc_realloc(c->out, cap);
    if (p == NULL)
        return false;
    c->out = p;
    c->out_cap = cap;
    return true;
}

/* Heads for the replies from `at` on, as uc_take has left them. */
static void dress(ud_conn *c, size_t at)
{
    while (at < c->out_len) {
        uint8_t *p = c->out + at;
        uint32_t n, id;
        ud_id asked;

        memcpy(&n, p + SP_HEAD - 4, 4);
        n = le32toh(n);
        memcpy(&id, p + SP_HEAD + 2, 4); /* [9x, ce, id, ...] */
        id = __builtin_bswap32(id);
        if (ud_ids_take(&c->ids, id, &asked)) {
            c->standing -= asked.op == UC_OP_watch;
            sp_head(p, n, asked.sp);
        } else {
            sp_head(p, n, SP_NO_REQUEST | id);
        }
        at += SP_HEAD + n;
    }
}

static void out_drop(ud_conn *c)
{
    uc_free(c->out);
    c->out = NULL;
    c->out_off = c->out_len = c->out_cap = 0;
}

static bool take_own(ud_conn *c)
{
    if (c->own.len == 0)
        return true;
    if (!out_room(c, c->own.len))
        return false;
    memcpy(c->out, c->own.p, c->own.len);
    c->out_len = c->own.len;
    uc_buf_rewind(&c->own, 0);
    return true;
}

static bool take(ud_conn *c)
{
    size_t pending, need, n, at = c->out_len, room;

    if (c->session == NULL || c->state >= UD_LINGERING)
        return true;
    pending = uc_pending(c->session) * 2; /* our heads are longer */
    room = pending < OUT_FIRST  ? OUT_FIRST
           : pending > OUT_MOST ? OUT_MOST
                                : pending;
    if (!out_room(c, at + room))
        return false;
    n = uc_take(c->session, c->out + at, c->out_cap - at, SP_HEAD, &need);
    if (n == 0 && need > 0) {
        if (!out_room(c, at + need))
            return false;
        n = uc_take(c->session, c->out + at, c->out_cap - at, SP_HEAD, &need);
    }
    c->out_len += n;
    dress(c, at);
    return true;
}

/* How much waits for the client to read it. */
static size_t unsent(ud_conn *c)
{
    size_t n = c->out_len - c->out_off + c->own.len;

    return c->session != NULL ? n + uc_pending(c->session) : n;
}

static void say_goodbye(ud_conn *c)
{
    uc_error e;

    uc_fail(&e, UC_CLOSED, "the daemon is shutting down");
    e.retryable = true;
    for (uint32_t i = 0; c->ids.n > 0 && i <= c->ids.mask; i++) {
        if (c->ids.slots[i].id != 0)
            ud_answer_error(c, c->ids.slots[i].sp, c->ids.slots[i].id, &e);
    }
    ud_answer_error(c, SP_NO_REQUEST, 0, &e);
    linger(c, LINGER_DRAIN_MS);
}

/* Under c->mu. */
static void flush(ud_conn *c)
{
    if (c->sending || c->state == UD_SHUT)
        return;
    c->out_off = c->out_len = 0;
    if (c->out_cap > OUT_KEPT)
        out_drop(c);
    for (;;) {
        if (!take_own(c) || !take(c)) {
            ud_log("no memory for replies: connection %" PRIu64 " is closed",
                   c->number);
            c->state = UD_LINGERING;
            c->linger_until = 1;
            ud_server_watch(c->sv);
            return;
        }
        if (c->out_len > 0) {
            send_more(c);
            return;
        }
        if (c->state != UD_DRAINING || c->ids.n > c->standing)
            return;
        say_goodbye(c);
    }
}

void ud_conn_flush(ud_conn *c)
{
    uc_lock(&c->mu);
    flush(c);
    uc_unlock(&c->mu);
}

static void on_sent(void *arg)
{
    ud_conn *c = arg;
    int rv = nng_aio_result(c->tx);
    size_t n = nng_aio_count(c->tx);

    uc_lock(&c->mu);
    c->sending = false;
    c->sent_since = 0;
    if (rv != 0 || c->state == UD_SHUT) {
        shut_unlock(c);
        ud_conn_unref(c);
        return;
    }
    atomic_fetch_add_explicit(&c->sv->bytes_out, n, memory_order_relaxed);
    c->out_off += n;
    if (c->out_off < c->out_len) {
        send_more(c);
    } else {
        atomic_fetch_and(&c->looking, ~(uint32_t)LOOKING_SEND);
        flush(c);
    }
    receive(c);
    uc_unlock(&c->mu);
    ud_conn_unref(c);
}

/* ---- in ---- */

/* Reads on, unless it reads already or too much waits to be sent. Under c->mu;
 * the caller has a reference. */
static void receive(ud_conn *c)
{
    nng_iov iov;

    if (c->reading || c->state == UD_DRAINING || c->state == UD_SHUT)
        return;
    if (c->state != UD_LINGERING &&
        unsent(c) > (size_t)c->sv->config->limits.stop_reading_bytes) {
        c->paused = true;
        return;
    }
    if (c->message_since != 0) {
        if (c->paused) /* the clock stood still */
            c->message_since = uc_now_coarse();
        ud_server_watch(c->sv);
    }
    c->paused = false;
    c->reading = true;
    iov = (nng_iov){c->in + c->in_len, c->in_cap - c->in_len};
    ref(c);
    nng_aio_set_iov(c->rx, 1, &iov);
    nng_stream_recv(c->stream, c->rx);
}

bool ud_conn_bind(ud_conn *c, const ud_db *db, bool readonly, uc_error *e)
{
    c->db = db;
    c->session = ud_db_session(db, readonly, on_replies, c);
    if (c->session == NULL)
        return uc_fail(e, UC_MEMORY, "no memory for a session");
    return true;
}

/* What a burst of messages comes to: frames for the core, side by side. */
typedef struct burst {
    uint8_t *p;
    size_t len;
    uint32_t count;
    unsigned hint;
    bool reads; /* nothing but */
} burst;

static bool is_read(uint32_t op)
{
    return op == UC_OP_get || op == UC_OP_all || op == UC_OP_json ||
           op == UC_OP_ping || op == UC_OP_define;
}

/* One message. The frame moves to the end of the burst, where there is room:
 * it only moves towards the front. */
static void request(ud_conn *c, const sp_message *m, burst *b)
{
    const uc_op *op;
    sp_request q;
    uc_error e;

    if (!sp_request_read(m->frame, &q)) {
        uc_fail(&e, UC_FRAME,
                "a request is one msgpack array [op, id, meta, ...arguments]; "
                "this one could not be read");
        e.outcome = "not-run";
        ud_answer_error(c, m->id, 0, &e);
        return;
    }
    if (q.op == UC_OP_hello) {
        ud_hello(c, m->id, &q, m->frame);
        return;
    }
    c->spoken = true;
    if (q.op == UC_OP_door) {
        ud_door(c, m->id, &q);
        return;
    }
    e.code = NULL;
    if (c->session == NULL &&
        !ud_conn_bind(c, ud_dbs_first(c->sv->dbs), false, &e)) {
        e.outcome = "not-run";
        ud_answer_error(c, m->id, q.id, &e);
        return;
    }
    if (q.id != 0) {
        if (c->ids.n >= (uint32_t)c->sv->config->limits.max_in_flight) {
            uc_fail(&e, UC_BUSY,
                    "%" PRIu32 " requests of this connection wait for their "
                    "replies; that is the most (max-in-flight)",
                    c->ids.n);
        } else {
            switch (ud_ids_add(&c->ids, q.id, m->id, q.op)) {
            case UD_IDS_OK:
                break;
            case UD_IDS_TWICE:
                uc_fail(&e, UC_FRAME,
                        "a request with the id %" PRIu32 " is in flight "
                        "already",
                        q.id);
                break;
            case UD_IDS_MEMORY:
                uc_fail(&e, UC_MEMORY, "no memory for the request");
                break;
            }
        }
        if (e.code != NULL) {
            e.outcome = "not-run";
            ud_answer_error(c, m->id, q.id, &e);
            return;
        }
        c->standing += q.op == UC_OP_watch;
    }
    op = uc_op_find(q.op);
    if (q.op == UC_OP_cancel)
        b->hint |= UC_HINT_URGENT;
    else if (q.op == UC_OP_run || (op != NULL && op->lane == UC_LANE_WRITE))
        b->hint |= UC_HINT_WRITE;
    b->reads = b->reads && is_read(q.op);
    if (b->count == 0)
        b->p = c->in + (m->frame.p - c->in);
    else
        memmove(b->p + b->len, m->frame.p, m->frame.len);
    b->len += m->frame.len;
    b->count++;
}

/* The core took nothing: each of them is told. */
static void burst_failed(ud_conn *c, const burst *b)
{
    uc_error e;
    uc_view rest = {b->p, b->len};

    uc_fail(&e, UC_MEMORY, "no memory for the request");
    e.outcome = "not-run";
    for (uint32_t i = 0; i < b->count; i++) {
        sp_request q;
        ud_id asked;
        uc_reader r = {rest.p, rest.p + rest.len};
        size_t n;

        uc_read_skip(&r);
        n = (size_t)(r.p - rest.p);
        if (sp_request_read((uc_view){rest.p, n}, &q) &&
            ud_ids_take(&c->ids, q.id, &asked)) {
            c->standing -= asked.op == UC_OP_watch;
            ud_answer_error(c, asked.sp, asked.id, &e);
        }
        rest.p += n;
        rest.len -= n;
    }
}

/* Hands the burst to the core. Under c->mu, which it lets go in between: the
 * core may serve reads on this very thread, and a send must not wait. */
static void hand_over(ud_conn *c, const burst *b)
{
    bool assist = b->reads && b->hint == 0, ok;

    atomic_fetch_add_explicit(&c->sv->requests, b->count, memory_order_relaxed);
    if (assist)
        atomic_fetch_or(&c->looking, LOOKING_READ);
    uc_unlock(&c->mu);
    ok = uc_submit(c->session, b->p, b->len, b->count,
                   assist ? UC_HINT_ASSIST : b->hint);
    if (ok && assist)
        uc_assist(c->session);
    uc_lock(&c->mu);
    if (assist)
        atomic_fetch_and(&c->looking, ~(uint32_t)LOOKING_READ);
    if (!ok)
        burst_failed(c, b);
}

static void fault(ud_conn *c, sp_found what)
{
    uc_error e;

    if (what == SP_LONG)
        uc_fail(&e, UC_FRAME,
                "a request may have %" PRId64 " bytes (max-request-bytes); "
                "this one says it has more",
                c->sv->config->limits.max_request_bytes);
    else
        uc_fail(&e, UC_FRAME,
                what == SP_BAD_TYPE ? "a message has to begin with the byte 01"
                : what == SP_SHORT  ? "a message has to have an id of 4 bytes"
                                    : "a message's id has to have its top bit "
                                      "set");
    ud_conn_fault(c, &e);
}

/* The buffer is as large as what has come in, not as what was announced. */
static bool in_room(ud_conn *c, size_t size)
{
    size_t cap = c->in_cap;
    uint8_t *p;

    if (c->in_len == 0 && cap > OUT_MOST)
        cap = IN_FIRST;
    else if (size > cap && cap - c->in_len < IN_LEAST)
        cap = size < cap * 2 ? size : cap * 2;
    else if (cap - c->in_len < IN_LEAST)
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

/* Cuts what has come in into messages. Under c->mu. */
static void digest(ud_conn *c)
{
    size_t at = 0, max = (size_t)c->sv->config->limits.max_request_bytes;
    burst b = {.reads = true};
    sp_message m = {0};
    sp_found found = SP_MORE;

    if (c->state == UD_GREETING) {
        uc_error e;

        if (c->in_len < SP_HELLO)
            return;
        if (!sp_hello_ok(c->in)) {
            uc_fail(&e, UC_FRAME,
                    "this socket speaks nng's REQ/REP: a client begins with "
                    "00 53 50 00 00 30 00 00");
            ud_conn_fault(c, &e);
            return;
        }
        at = SP_HELLO;
        c->greet_since = 0;
        c->state = UD_OPEN;
    }
    while (c->state == UD_OPEN && (found = sp_next(c->in + at, c->in_len - at,
                                                   max, &m)) == SP_MESSAGE) {
        at += m.size;
        request(c, &m, &b);
    }
    if (b.count > 0)
        hand_over(c, &b);
    if (c->state != UD_OPEN)
        return;
    if (found != SP_MORE) {
        fault(c, found);
        return;
    }
    c->in_len -= at;
    if (at > 0)
        memmove(c->in, c->in + at, c->in_len);
    if (c->in_len == 0)
        c->message_since = 0;
    else if (at > 0 || c->message_since == 0)
        c->message_since = uc_now_coarse();
    if (!in_room(c, m.size)) {
        uc_error e;

        uc_fail(&e, UC_MEMORY, "no memory for a request of %zu bytes", m.size);
        ud_conn_fault(c, &e);
    }
}

static void on_received(void *arg)
{
    ud_conn *c = arg;
    int rv = nng_aio_result(c->rx);
    size_t n = nng_aio_count(c->rx);

    uc_lock(&c->mu);
    if (rv == NNG_ECANCELED && c->state != UD_SHUT) {
        /* Stopped by the drain, or to trim the buffer. */
        if (c->trimming && c->in_len == 0) {
            uint8_t *p = uc_realloc(c->in, IN_FIRST);

            if (p != NULL) {
                c->in = p;
                c->in_cap = IN_FIRST;
            }
        }
        c->trimming = false;
        c->reading = false;
        flush(c);
        receive(c);
        uc_unlock(&c->mu);
        ud_conn_unref(c);
        return;
    }
    if (rv != 0 || c->state == UD_SHUT) {
        shut_unlock(c);
        ud_conn_unref(c);
        return;
    }
    atomic_fetch_add_explicit(&c->sv->bytes_in, n, memory_order_relaxed);
    c->active = uc_now_coarse();
    if (c->state != UD_LINGERING) {
        c->in_len += n;
        digest(c);
    }
    if (c->state == UD_LINGERING)
        c->in_len = 0; /* read so that it can see the reason, and dropped */
    c->reading = false;
    flush(c);
    receive(c);
    uc_unlock(&c->mu);
    ud_conn_unref(c);
}

/* ---- from the loop ---- */

static bool late(int64_t since, int64_t now, int64_t ms)
{
    return since != 0 && now - since > ms * UC_MS;
}

bool ud_conn_sweep(ud_conn *c, int64_t now)
{
    const ud_limits *limits = &c->sv->config->limits;
    uc_error e;
    bool again = true;

    if (!uc_trylock(&c->mu))
        return true; /* at work */
    e.code = NULL;
    if (c->state == UD_SHUT) {
        again = false;
    } else if (late(c->sent_since, now, limits->write_timeout_ms)) {
        ud_log("connection %" PRIu64 " (pid %" PRIu64 ") is closed: it has not "
               "read for %" PRId64 " ms (write-timeout-ms)",
               c->number, c->pid, limits->write_timeout_ms);
        atomic_fetch_add(&c->sv->faults, 1);
        shut_unlock(c);
        return false;
    } else if (c->state == UD_LINGERING && now > c->linger_until) {
        shut_unlock(c);
        return false;
    } else if (late(c->greet_since, now, limits->hello_timeout_ms)) {
        uc_fail(&e, UC_TIMEOUT,
                "no hello of the SP protocol has come (hello-timeout-ms)");
    } else if (c->reading &&
               late(c->message_since, now, limits->message_timeout_ms)) {
        uc_fail(&e, UC_TIMEOUT,
                "half a request has come and its rest has not "
                "(message-timeout-ms)");
    } else {
        if (!c->sending && c->out_cap > 0 &&
            now - c->active > IDLE_MS * UC_MS) {
            out_drop(c);
        }
        if (c->reading && c->in_len == 0 && c->in_cap > IN_FIRST &&
            !c->trimming && now - c->active > IDLE_MS * UC_MS) {
            c->trimming = true;
            nng_aio_cancel(c->rx);
        }
        again = c->sending || c->out_cap > 0 || c->in_cap > IN_FIRST ||
                c->greet_since != 0 || c->message_since != 0 ||
                c->state == UD_LINGERING;
    }
    if (e.code != NULL) {
        ud_conn_fault(c, &e);
        flush(c);
    }
    uc_unlock(&c->mu);
    return again;
}

void ud_conn_drain(ud_conn *c)
{
    uc_lock(&c->mu);
    if (c->state < UD_DRAINING) {
        c->state = UD_DRAINING;
        if (c->reading)
            nng_aio_cancel(c->rx);
        flush(c);
    }
    uc_unlock(&c->mu);
}

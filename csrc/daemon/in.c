#include <inttypes.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "conn.h"
#include "desk/op.h"
#include "door.h"
#include "wire/reader.h"

enum {
    LEAST = 4 << 10, /* less room than this: the buffer grows */
    KEPT = 256 << 10
};

/* The core has replies: called with the session locked. */
static void on_replies(void *arg)
{
    ud_conn *c = arg;

    if (atomic_load(&c->looking) == 0)
        ud_server_wake(c->sv, c);
}

/* ---- in ---- */

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

    if (c->reading || c->state == UD_DRAINING || c->state == UD_SHUT)
        return;
    c->pause = pause_of(c);
    if (c->pause != UD_READS || c->message_since != 0)
        ud_server_watch(c->sv);
    if (c->pause != UD_READS)
        return;
    /* It was not the client who was late. */
    if (c->message_since != 0 && before == UD_WAITS_FOR_CLIENT)
        c->message_since = uc_now_coarse();
    c->reading = true;
    iov = (nng_iov){c->in + c->in_len, c->in_cap - c->in_len};
    ud_conn_ref(c);
    nng_aio_set_iov(c->rx, 1, &iov);
    c->recv_due = true;
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

/* What a burst of messages comes to: frames for the core, side by side. */
typedef struct burst {
    uint8_t *p;
    size_t len;
    uint32_t count;
    unsigned hint;
    bool reads;   /* nothing but */
    bool at_once; /* the cache's or the log's are among them */
} burst;

/* What the core may serve on the thread of the door. */
static bool is_quick(const uc_op *op)
{
    return op != NULL && (op->flags & UC_READ) != 0 &&
           (op->lane == UC_LANE_STMT || op->lane == UC_LANE_INLINE);
}

/* What the writer's thread is woken for. */
static bool is_write(const uc_op *op)
{
    return op != NULL && (op->flags & UC_READ) == 0 &&
           op->lane != UC_LANE_INLINE;
}

/* A request that does not reach the core. An answer without an id would be
 * for nobody, and nobody would know of it: that is the end of the connection.
 */
static void wrong(ud_conn *c, const sp_message *m, const sp_request *q,
                  uc_error *e)
{
    e->outcome = "not-run";
    if (q->id != 0)
        ud_answer_error(c, m->id, q->id, e);
    else
        ud_conn_fault(c, e);
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
                "a request is one msgpack array [op, id, meta, ...arguments] "
                "without ext types; this one could not be read");
        wrong(c, m, &q, &e);
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
        wrong(c, m, &q, &e);
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
        c->standing += uc_op_is(q.op, UC_STANDS);
    }
    op = uc_op_find(q.op);
    if (op != NULL && (op->flags & UC_URGENT) != 0)
        b->hint |= UC_HINT_URGENT;
    else if (is_write(op))
        b->hint |= UC_HINT_WRITE;
    if (op != NULL && (op->lane == UC_LANE_CACHE || op->lane == UC_LANE_LOG))
        b->at_once = true;
    else
        b->reads = b->reads && is_quick(op);
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
            c->standing -= uc_op_is(asked.op, UC_STANDS);
            ud_answer_error(c, asked.sp, asked.id, &e);
        }
        rest.p += n;
        rest.len -= n;
    }
}

void ud_last(ud_conn *c)
{
    if (c->session != NULL && !c->handing_over)
        uc_session_last(c->session);
}

/* Hands the burst to the core. Under c->mu, which it lets go in between: the
 * core may serve reads on this very thread, and a send must not wait. What the
 * cache and the log answer is answered here, whoever else is busy: a writer may
 * be waiting for just that. */
static void hand_over(ud_conn *c, const burst *b)
{
    bool assist = b->reads && b->hint == 0, ok;
    unsigned hint = assist ? UC_HINT_ASSIST : b->hint;

    if (b->at_once)
        hint |= UC_HINT_URGENT;

    atomic_fetch_add_explicit(&c->sv->requests, b->count, memory_order_relaxed);
    if (assist)
        atomic_fetch_or(&c->looking, UD_LOOKING_READ);
    c->handing_over = true;
    uc_unlock(&c->mu);
    ok = uc_submit(c->session, b->p, b->len, b->count, hint);
    if (ok && assist)
        uc_assist(c->session);
    uc_lock(&c->mu);
    c->handing_over = false;
    if (c->state == UD_DRAINING)
        ud_last(c);
    if (assist)
        atomic_fetch_and(&c->looking, ~(uint32_t)UD_LOOKING_READ);
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

void ud_on_received(void *arg)
{
    ud_conn *c = arg;
    int rv = nng_aio_result(c->rx);
    size_t n = nng_aio_count(c->rx);

    uc_lock(&c->mu);
    if (rv == NNG_ECANCELED && c->state != UD_SHUT) {
        /* Stopped by the drain, or to trim the buffer. */
        if (c->trimming && c->in_len == 0) {
            uint8_t *p = uc_realloc(c->in, UD_IN_FIRST);

            if (p != NULL) {
                c->in = p;
                c->in_cap = UD_IN_FIRST;
            }
        }
        c->trimming = false;
        c->reading = false;
        ud_flush(c);
        ud_receive(c);
        ud_unlock(c);
        ud_conn_unref(c);
        return;
    }
    if (rv != 0 || c->state == UD_SHUT) {
        ud_shut_unlock(c);
        ud_conn_unref(c);
        return;
    }
    c->trimming = false; /* this came first, or the cancel came too early */
    atomic_fetch_add_explicit(&c->sv->bytes_in, n, memory_order_relaxed);
    c->active = uc_now_coarse();
    if (c->state != UD_LINGERING) {
        c->in_len += n;
        digest(c);
    }
    if (c->state == UD_LINGERING)
        c->in_len = 0; /* read so that it can see the reason, and dropped */
    c->reading = false;
    ud_flush(c);
    ud_receive(c);
    ud_unlock(c);
    ud_conn_unref(c);
}

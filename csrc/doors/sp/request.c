#include <inttypes.h>
#include <string.h>

#include "desk/op.h"
#include "doors/sp/inner.h"
#include "wire/reader.h"

/*
 * What the client writes: a hello, then messages, each with one request. All
 * requests of one read go to the core together.
 */

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
        ud_sp_error(c, m->id, q->id, e);
    else
        ud_conn_fault(c, e);
}

/* One message. The frame moves to the end of the burst, where there is room:
 * it only moves towards the front. */
static void request(ud_conn *c, const sp_message *m, burst *b)
{
    ud_sp *s = ud_sp_of(c);
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
        ud_sp_hello(c, m->id, &q, m->frame);
        return;
    }
    s->spoken = true;
    if (q.op == UC_OP_door) {
        ud_sp_stats(c, m->id, &q);
        return;
    }
    e.code = NULL;
    if (c->session == NULL &&
        !ud_conn_bind(c, ud_dbs_first(c->sv->dbs), false, &e)) {
        wrong(c, m, &q, &e);
        return;
    }
    if (q.id != 0) {
        if (s->ids.n >= (uint32_t)c->sv->config->limits.max_in_flight) {
            uc_fail(&e, UC_BUSY,
                    "%" PRIu32 " requests of this connection wait for their "
                    "replies; that is the most (max-in-flight)",
                    s->ids.n);
        } else {
            switch (ud_ids_add(&s->ids, q.id, m->id, q.op)) {
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
            ud_sp_error(c, m->id, q.id, &e);
            return;
        }
        s->standing += uc_op_is(q.op, UC_STANDS);
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
    ud_sp *s = ud_sp_of(c);
    uc_view rest = {b->p, b->len};
    uc_error e;

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
            ud_ids_take(&s->ids, q.id, &asked)) {
            s->standing -= uc_op_is(asked.op, UC_STANDS);
            ud_sp_error(c, asked.sp, asked.id, &e);
        }
        rest.p += n;
        rest.len -= n;
    }
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

static void hand_over(ud_conn *c, const burst *b)
{
    unsigned hint = b->hint;

    if (b->reads && hint == 0)
        hint = UC_HINT_ASSIST;
    if (b->at_once)
        hint |= UC_HINT_URGENT;
    if (!ud_submit(c, b->p, b->len, b->count, hint))
        burst_failed(c, b);
}

/* False when more has to come first, or the client speaks something else. */
static bool greeted(ud_conn *c)
{
    ud_sp *s = ud_sp_of(c);

    if (s->greeted)
        return true;
    if (c->in_len < SP_HELLO)
        return false;
    if (!sp_hello_ok(c->in)) {
        uc_error e;

        uc_fail(&e, UC_FRAME,
                "this socket speaks nng's REQ/REP: a client begins with "
                "00 53 50 00 00 30 00 00");
        ud_conn_fault(c, &e);
        return false;
    }
    s->greeted = true;
    return true;
}

size_t ud_sp_cut(ud_conn *c, size_t *need)
{
    bool first = !ud_sp_of(c)->greeted;
    const ud_limits *limits = &c->sv->config->limits;
    size_t at = 0;
    burst b = {.reads = true};
    sp_message m = {0};
    sp_found found = SP_MORE;

    if (!greeted(c))
        return 0;
    if (first)
        at = SP_HELLO;
    while (c->state == UD_OPEN &&
           (found = sp_next(c->in + at, c->in_len - at,
                            (size_t)limits->max_request_bytes, &m)) ==
               SP_MESSAGE) {
        at += m.size;
        request(c, &m, &b);
    }
    if (b.count > 0)
        hand_over(c, &b);
    if (c->state != UD_OPEN)
        return at;
    if (found != SP_MORE) {
        fault(c, found);
        return at;
    }
    *need = m.size;
    if (c->in_len == at)
        ud_await(c, 0);
    else if (at > 0 || c->wait_since == 0)
        ud_await(c, limits->message_timeout_ms);
    return at;
}

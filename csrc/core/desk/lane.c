#include "desk/lane.h"

#include "desk/audit.h"
#include "desk/finish.h"
#include "desk/lookup.h"
#include "desk/routed.h"
#include "desk/session.h"
#include "desk/verdict.h"
#include "wire/writer.h"

/*
 * Which queue a call goes to: what it is, by its operation and the class of its
 * statement, and what it belongs to, by its meta.
 */

static bool statement_of(uc_peer *p, uc_call *c, uc_error *err)
{
    uc_reader r = c->args;
    uc_stmt *s = uc__statement(p, &r, err);

    if (s == NULL)
        return false;
    c->stmt = s;
    c->args = r;
    return true;
}

/* The class as far as it is known now: a new read need not wait for a
 * transaction of somebody else. */
static uc_class class_now(uc_engine *e, uc_stmt *s)
{
    int cls = atomic_load(&s->cls);

    return cls != UC_CLASS_UNKNOWN ? (uc_class)cls : e->ops->classify(e, s);
}

static bool readonly_refused(const uc_peer *p, uc_error *err)
{
    if (!p->readonly)
        return false;
    uc_fail(err, UC_SQL_READONLY, "this handle was opened with readonly: true");
    return true;
}

/*
 * Finds out to which transaction a call belongs: named by its meta or, for
 * those that act on one, by the first argument. Where there is one connection a
 * snapshot is a transaction that is rolled back.
 */
static bool tx_of(const uc_engine *e, uc_call *c, uc_error *err)
{
    uint8_t op = c->op->num;
    uc_reader a = c->args;

    if (op == UC_OP_cursor_next || op == UC_OP_cursor_close) {
        c->tx = 0; /* its rows are in memory already */
        return true;
    }
    if (op == UC_OP_tx_end || op == UC_OP_savepoint ||
        (op == UC_OP_snap_end && e->single)) {
        if (!uc_read_u64(&a, &c->tx) || c->tx == 0)
            return uc_fail(err, UC_FRAME, "%s takes a transaction's number",
                           c->op->name);
    } else if (c->snap != 0 && e->single) {
        c->tx = c->snap;
        c->snap = 0;
    }
    return true;
}

/* Served while that transaction is open. */
static bool into_tx(uc_engine *e, uc_call *c, uc_turn *t, uc_error *err)
{
    bool ok;

    uc_lock(&e->mu);
    ok = e->ops->tx_is_open(e, c, err);
    if (ok && c->op->num == UC_OP_tx_end) /* reads wait for it from here on */
        c->session->peer->ending_tx =
            e->ops->tx_ending != NULL ? e->ops->tx_ending(e, c) : c->tx;
    uc_unlock(&e->mu);
    if (ok)
        uc_calls_push(&t->q.tx, c);
    return ok;
}

/* A page of a cursor whose rows are gathered already: there is no reader's
 * thread to hand it out. */
static void answer_page(uc_engine *e, uc_call *c)
{
    uc_error err = {0};
    uc_buf b;
    size_t at;

    uc_buf_init(&b, SIZE_MAX);
    at = uc__reply_open(&b);
    if (!e->ops->page(e, c, &b, &err)) {
        uc__reply_again(&b, at);
        uc_reply_error(&b, c->id, &err);
    }
    if (c->id != 0) {
        uc__reply_close(&b, at, c->id);
        uc__session_publish(c->session, &b);
    }
    uc_buf_fini(&b);
    uc__finish(c);
}

static bool onto_lease(uc_engine *e, uc_call *c, uc_turn *t, uc_error *err)
{
    bool ok, now;

    uc_lock(&e->mu);
    c->lease = uc__lease_of(e, c, err);
    ok = c->lease != NULL;
    now = ok && uc__lease_claim(c->lease, c);
    if (now && !e->single)
        uc_calls_push(&t->q.reads, c);
    uc_unlock(&e->mu);
    if (now && e->single)
        answer_page(e, c);
    return ok;
}

/* A later chunk of a stream of rows: *tx is its token. */
static bool is_chunk(const uc_call *c, uint64_t *tx)
{
    uc_reader a = c->args;
    uc_value token;

    if (!uc_read(&a, &token) || token.type != UC_T_INT)
        return false;
    *tx = (uint64_t)token.i;
    return true;
}

/* The open transaction waits for the call, which must not wait for it. */
static bool is_inside(uc_engine *e, const uc_call *c)
{
    bool inside;

    if (c->inside == 0)
        return false;
    uc_lock(&e->mu);
    inside = e->ops->tx_waits_for(e, c);
    uc_unlock(&e->mu);
    return inside;
}

/* A read sees the writes that its session issued before it; one inside of a
 * transaction does not wait, since what others have queued waits for that. */
static void into_reads(uc_engine *e, uc_peer *p, uc_call *c, bool inside,
                       uc_turn *t)
{
    bool ok = true;

    if (!inside) {
        c->after = p->last_wseq;
        c->after_tx = p->ending_tx;
    }
    if (c->after > 0 || c->after_tx > 0) {
        uc_lock(&e->mu);
        ok = uc__may_run(e, c);
        uc_unlock(&e->mu);
    }
    uc_calls_push(ok ? &t->q.reads : &t->q.parked, c);
}

/* By its class; what is not known is the writer's to decide, and until then it
 * may be a write. */
static bool by_class(uc_engine *e, uc_peer *p, uc_call *c, bool is_write,
                     uc_turn *t, uc_error *err)
{
    bool inside = is_inside(e, c), is_read = c->op->lane == UC_LANE_READ;

    if (c->op->lane == UC_LANE_ROUTE)
        is_read = !is_write;

    if (c->op->lane == UC_LANE_STMT && !is_write) {
        uc_class cls = class_now(e, c->stmt);

        is_read = cls == UC_CLASS_READ;
        if (cls == UC_CLASS_UNKNOWN) {
            c->after = p->last_wseq;
            c->after_tx = p->ending_tx;
            c->wseq = p->last_wseq = ++e->routed_wseq;
            uc_calls_push(&t->q.writes, c);
            return true;
        }
        if (!uc__class_reads(cls) && readonly_refused(p, err))
            return false;
    } else if (!is_read && readonly_refused(p, err)) {
        return false;
    }
    if (is_read && !e->single) {
        into_reads(e, p, c, inside, t);
        return true;
    }
    if (inside)
        return uc__tx_self(err);
    c->wseq = ++e->routed_wseq;
    if (c->op->num != UC_OP_tx_begin)
        p->last_wseq = c->wseq;
    uc_calls_push(&t->q.writes, c);
    return true;
}

/* A request that needs no statement is over. */
static void answer_refused(uc_call *c, uc_turn *t)
{
    size_t at = uc__reply_open(&t->replies);

    uc__routed_refused(c, &t->replies);
    if (c->id != 0)
        uc__call_close(c, &t->replies, at);
    else
        uc_buf_rewind(&t->replies, at);
    uc__finish(c);
}

/* A deadline of its own, where it is the earlier one. */
static void end_by(uc_call *c, uc_turn *t, int64_t deadline)
{
    if (deadline == 0 || (c->deadline != 0 && c->deadline <= deadline))
        return;
    c->deadline = deadline;
    if (t->deadline == 0 || deadline < t->deadline)
        t->deadline = deadline;
}

static bool into_route(uc_engine *e, uc_peer *p, uc_call *c, uc_turn *t,
                       uc_error *err)
{
    if (c->tx != 0 || c->snap != 0 || c->once.p != NULL || c->repeat)
        return uc_fail(err, UC_FRAME,
                       "a request is no part of anything, and has no key but "
                       "its own");
    if (!uc__routed_begin(p, c, err))
        return false;
    if (c->routed->q.refusal != UC_REFUSAL_NONE) {
        answer_refused(c, t);
        return true;
    }
    end_by(c, t, uc__routed_deadline(c, c->batch->t0));
    return by_class(e, p, c, uc__routed_writes(c), t, err);
}

bool uc__lane(uc_peer *p, uc_call *c, uc_turn *t, uc_error *err)
{
    uc_engine *e = p->engine;
    bool is_stmt = c->op->lane == UC_LANE_STMT;

    if (c->op->lane == UC_LANE_ROUTE)
        return into_route(e, p, c, t, err);
    if (is_stmt || c->op->num == UC_OP_many) {
        if (!statement_of(p, c, err))
            return false;
    } else if (c->op->num == UC_OP_batch && !uc__parts_of(p, c, err)) {
        return false;
    }
    if (c->repeat &&
        !uc__may_repeat(c, is_stmt ? class_now(e, c->stmt) : UC_CLASS_UNKNOWN,
                        err))
        return false;
    if (!tx_of(e, c, err))
        return false;
    if (c->once.p != NULL && !uc__once_allowed(c, UC_CLASS_UNKNOWN, err))
        return false;
    if (c->tx != 0)
        return into_tx(e, c, t, err);
    if (c->snap != 0 && c->stmt != NULL)
        class_now(e, c->stmt); /* where it cannot tell, the snapshot does */
    if (c->op->lane == UC_LANE_PIN || c->snap != 0)
        return onto_lease(e, c, t, err);
    if (c->op->num == UC_OP_many) {
        if (readonly_refused(p, err))
            return false;
        if (is_chunk(c, &c->tx))
            return into_tx(e, c, t, err);
    }
    return by_class(e, p, c, c->once.p != NULL, t, err);
}

#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "data/sqlite/db.h"
#include "wire/writer.h"

/* A batch for a session whose file is closed. */
static void batch_closed(uc_batch *b)
{
    uint32_t n = b->count;

    for (uint32_t i = 0; i < n; i++) {
        uc_error e;
        uc_call *c = uc__batch_next(b, &e);

        if (c == NULL)
            break;
        uc_fail(&e, UC_CLOSED, "the store is closed");
        e.outcome = "not-run";
        uc__call_fail(c, &e);
    }
}

void sq_submit(void *arg, uc_batch *b, unsigned hint)
{
    sq_peer *p = arg;
    sq_db *db = p->db;

    if (atomic_load(&p->gone)) {
        batch_closed(b);
        return;
    }
    atomic_fetch_add(&p->live, b->count);
    atomic_fetch_add(&p->unrouted, 1);
    uc_lock(&db->mu);
    if (db->inbox_tail != NULL)
        db->inbox_tail->next = b;
    else
        db->inbox_head = b;
    db->inbox_tail = b;
    atomic_fetch_add(&db->inbox_n, 1);
    if (!(hint & UC_HINT_WRITE) && db->idle_readers > 0)
        uc_cond_signal(&db->readers_cond);
    else if (db->writer_idle && (hint & UC_HINT_WRITE || db->state != SQ_OPEN ||
                                 db->slow_readers >= db->nreaders))
        uc_cond_signal(&db->writer_cond);
    else if (db->idle_readers > 0)
        uc_cond_signal(&db->readers_cond);
    /* Otherwise a reader is at quick work and looks here when it is done. */
    uc_unlock(&db->mu);
    if (hint & UC_HINT_URGENT)
        sq_route(db, true);
}

/* Takes n off a peer's calls under way; what was the last of a closing one
 * lets it close. */
static void leave(sq_db *db, sq_peer *p, uint32_t n)
{
    if (atomic_fetch_sub(&p->live, n) > n && !p->closing)
        return;
    uc_lock(&db->mu);
    if (p->closing && p->close_call != NULL && atomic_load(&p->live) == 1)
        sq_peer_settle(db, p);
    else
        uc_unlock(&db->mu);
}

void sq_finish(sq_db *db, uc_call *c)
{
    sq_peer *p = c->session->peer;

    sq_sql_unref(db, c->stmt);
    c->stmt = NULL;
    if (c->batch == NULL)
        return;                  /* a sync call */
    uc__session_ref(c->session); /* p lives with its session */
    uc__call_finish(c);
    leave(db, p, 1);
    uc__session_unref(p->session);
}

void sq_finish_all(sq_db *db, uc_call **calls, uint32_t n)
{
    for (uint32_t i = 0, k; i < n; i += k) {
        uc_batch *b = calls[i]->batch;
        uc_session *s = calls[i]->session;

        for (k = 0; i + k < n && calls[i + k]->batch == b; k++)
            sq_sql_unref(db, calls[i + k]->stmt);
        uc__session_ref(s); /* the peer lives with its session */
        uc__batch_finish(b, k);
        leave(db, s->peer, k);
        uc__session_unref(s);
    }
}

void sq_refuse(sq_db *db, uc_call *c, const uc_error *e)
{
    uc_buf b;

    if (c->id != 0) {
        size_t at;

        uc_buf_init(&b, SIZE_MAX);
        at = uc__reply_open(&b);
        uc_reply_error(&b, c->id, e);
        uc__reply_close(&b, at, c->id);
        uc__session_publish(c->session, &b);
        uc_buf_fini(&b);
    }
    sq_finish(db, c);
}

void sq_stopped(uc_call *c, const char *outcome, uc_error *e)
{
    if (atomic_load(&c->stop) == UC_STOP_ABORT)
        uc_fail(e, UC_ABORTED, "the call was aborted");
    else
        uc_fail(e, UC_TIMEOUT, "the call's deadline passed");
    e->outcome = outcome != NULL ? outcome : "not-run";
}

bool sq_call_over(uc_call *c, uc_error *e)
{
    int none = UC_STOP_NONE;

    if (c->deadline != 0 && uc_now_coarse() >= c->deadline)
        atomic_compare_exchange_strong(&c->stop, &none, UC_STOP_TIMEOUT);
    if (atomic_load(&c->stop) == UC_STOP_NONE)
        return false;
    sq_stopped(c, NULL, e);
    return true;
}

void sq_worker_hold(sq_db *db, sq_worker *w, uc_call **calls, uint32_t n)
{
    uc_lock(&db->mu);
    w->calls = calls;
    w->n = n;
    uc_unlock(&db->mu);
}

void sq_stop_running(sq_db *db, uc_session *s, uint32_t id, int reason)
{
    for (sq_worker *w = db->workers; w != NULL; w = w->next) {
        for (uint32_t i = 0; i < w->n; i++) {
            uc_call *c = w->calls[i];
            int none = UC_STOP_NONE;

            if (c != NULL && c->session == s && (id == 0 || c->id == id))
                atomic_compare_exchange_strong(&c->stop, &none, reason);
        }
    }
}

static void unqueue_from(uc_calls *q, uc_session *s, uint32_t id, uc_calls *out)
{
    uc_calls keep = {0};
    uc_call *c;

    while ((c = uc_calls_pop(q)) != NULL)
        uc_calls_push(c->session == s && (id == 0 || c->id == id) ? out : &keep,
                      c);
    *q = keep;
}

uc_calls sq_unqueue(sq_db *db, uc_session *s, uint32_t id)
{
    uc_calls out = {0};

    unqueue_from(&db->reads, s, id, &out);
    unqueue_from(&db->writes, s, id, &out);
    unqueue_from(&db->parked, s, id, &out);
    unqueue_from(&db->tx_calls, s, id, &out);
    for (sq_pin *p = db->pins; p != NULL; p = p->next)
        unqueue_from(&p->queue, s, id, &out);
    atomic_store(&db->reads_n, db->reads.n);
    /* A call taken off the read queue that had claimed a pin lets it go. */
    for (uc_call *c = out.head; c != NULL; c = c->next) {
        sq_pin *pin = c->pin;

        if (pin != NULL && pin->busy &&
            atomic_load(&c->state) == UC_CALL_RUNNING) {
            pin->busy = false;
            atomic_store(&c->state, UC_CALL_QUEUED);
            if (pin->queue.head != NULL) {
                uc_call *nextc = uc_calls_pop(&pin->queue);

                pin->busy = true;
                atomic_store(&nextc->state, UC_CALL_RUNNING);
                uc_calls_push(&db->reads, nextc);
            }
        }
    }
    atomic_store(&db->reads_n, db->reads.n);
    sq_settle(db);
    return out;
}

static bool may_run(const sq_db *db, const uc_call *c)
{
    return c->after <= db->wdone && c->after_tx <= db->ended_tx;
}

/* A read is ready: queue it, behind its pin if it has one. Under mu. */
static void ready(sq_db *db, uc_call *c)
{
    if (c->pin != NULL && !sq_pin_claim(c->pin, c))
        return;
    uc_calls_push(&db->reads, c);
    atomic_store(&db->reads_n, db->reads.n);
}

void sq_settle(sq_db *db)
{
    uint64_t done = db->wseq;
    uc_calls keep = {0};
    uc_call *c;
    uint32_t before = db->reads.n;

    if (db->writes.head != NULL)
        done = db->writes.head->wseq - 1;
    if (db->running_first != 0 && db->running_first - 1 < done)
        done = db->running_first - 1;
    if (done > db->wdone)
        db->wdone = done;
    while ((c = uc_calls_pop(&db->parked)) != NULL) {
        if (may_run(db, c))
            ready(db, c);
        else
            uc_calls_push(&keep, c);
    }
    db->parked = keep;
    if (db->reads.n > before && db->idle_readers > 0)
        uc_cond_broadcast(&db->readers_cond);
    uc_cond_broadcast(&db->owner_cond);
}

void sq_forward(sq_db *db, uc_call *c)
{
    uc_lock(&db->mu);
    if (may_run(db, c)) {
        ready(db, c);
        if (db->idle_readers > 0)
            uc_cond_signal(&db->readers_cond);
    } else {
        uc_calls_push(&db->parked, c);
    }
    uc_unlock(&db->mu);
}

sq_sql *sq_sid(sq_peer *p, uint32_t sid, uc_error *e)
{
    if (sid >= p->nsids || p->sids[sid] == NULL) {
        uc_fail(e, UC_FRAME, "statement %u has not been defined", sid);
        return NULL;
    }
    return p->sids[sid];
}

static bool define(sq_db *db, sq_peer *p, uc_call *c, uc_error *e)
{
    uint32_t sid;
    uc_view sql = {0};
    sq_sql *s = NULL;

    if (!uc_read_u32(&c->args, &sid) || sid > UINT16_MAX ||
        (c->op->num == UC_OP_define && !uc_read_str(&c->args, &sql)))
        return uc_fail(e, UC_FRAME, "define takes a number and a text");
    if (sid >= p->nsids) {
        uint32_t n = p->nsids > 0 ? p->nsids : 64;
        sq_sql **sids;

        while (n <= sid)
            n *= 2;
        sids = uc_realloc(p->sids, n * sizeof *sids);
        if (sids == NULL)
            return uc_fail(e, UC_MEMORY, "no memory for a statement");
        memset(sids + p->nsids, 0, (n - p->nsids) * sizeof *sids);
        p->sids = sids;
        p->nsids = n;
    }
    if (c->op->num == UC_OP_define) {
        s = sq_sql_get(db, (const char *)sql.p, sql.len);
        if (s == NULL)
            return uc_fail(e, UC_MEMORY, "no memory for a statement");
    }
    sq_sql_unref(db, p->sids[sid]);
    p->sids[sid] = s;
    return true;
}

/* What has been routed of one batch and is not in the queues yet. */
typedef struct routed {
    uc_calls reads, parked, writes, tx;
    int64_t deadline; /* the earliest, 0 none */
    int64_t room;     /* calls that the queues still take */
} routed;

/* r: calls of the same batch; NULL when there are none. */
static void cancel(sq_db *db, uc_call *c, routed *r)
{
    uint32_t id, reason;
    uc_calls out;
    uc_call *q;

    if (!uc_read_u32(&c->args, &id) || !uc_read_u32(&c->args, &reason) ||
        id == 0)
        return;
    reason = reason == 1 ? UC_STOP_TIMEOUT : UC_STOP_ABORT;
    uc_lock(&db->mu);
    out = sq_unqueue(db, c->session, id);
    if (r != NULL) {
        unqueue_from(&r->reads, c->session, id, &out);
        unqueue_from(&r->parked, c->session, id, &out);
        unqueue_from(&r->writes, c->session, id, &out);
        unqueue_from(&r->tx, c->session, id, &out);
    }
    sq_stop_running(db, c->session, id, (int)reason);
    uc_unlock(&db->mu);
    while ((q = uc_calls_pop(&out)) != NULL) {
        uc_error e = {0};

        atomic_store(&q->stop, (int)reason);
        sq_stopped(q, NULL, &e);
        sq_refuse(db, q, &e);
    }
}

static void describe(uc_buf *out, uint32_t id)
{
    static const char *const lanes[] = {"inline", "statement", "read", "write",
                                        "pin"};
    uint32_t n = 0;

    while (uc_op_at(n) != NULL)
        n++;
    uc_reply_begin(out, id, UC_REPLY_VALUE, 3);
    uc_pack_map(out, 4);
    uc_pack_str(out, "version");
    uc_pack_str(out, uc_version());
    uc_pack_str(out, "sqlite");
    uc_pack_str(out, sqlite3_libversion());
    uc_pack_str(out, "ops");
    uc_pack_array(out, n);
    for (uint32_t i = 0; i < n; i++) {
        const uc_op *op = uc_op_at(i);

        uc_pack_array(out, 3);
        uc_pack_uint(out, op->num);
        uc_pack_str(out, op->name);
        uc_pack_str(out, lanes[op->lane]);
    }
    uc_pack_str(out, "codes");
    uc_pack_array(out, UC_CODE_COUNT);
    for (int i = 0; i < UC_CODE_COUNT; i++) {
        uc_pack_array(out, 2);
        uc_pack_str(out, uc_code_name((uc_code)i));
        uc_pack_str(out, uc_code_kind((uc_code)i));
    }
}

void sq_inline(sq_db *db, sq_peer *p, uc_call *c, uc_buf *out, uc_error *e)
{
    e->code = NULL;
    switch (c->op->num) {
    case UC_OP_ping:
        uc_reply_begin(out, c->id, UC_REPLY_VALUE, 3);
        if (c->nargs == 0)
            uc_pack_nil(out);
        else
            uc_buf_put(out, c->args.p, (size_t)(c->args.end - c->args.p));
        break;
    case UC_OP_describe:
        describe(out, c->id);
        break;
    case UC_OP_stats:
        sq_stats(db, c->id, out);
        break;
    case UC_OP_cancel:
        cancel(db, c, NULL);
        break;
    case UC_OP_define:
    case UC_OP_undefine:
        define(db, p, c, e);
        break;
    default:
        uc_fail(e, UC_INTERNAL, "operation %s is not inline", c->op->name);
        break;
    }
}

static void flush(sq_db *db, routed *r)
{
    uint32_t reads = r->reads.n;
    bool writer = r->writes.n > 0 || r->tx.n > 0;

    if (reads == 0 && !writer && r->parked.n == 0)
        return;
    uc_lock(&db->mu);
    uc_calls_append(&db->reads, &r->reads);
    atomic_store(&db->reads_n, db->reads.n);
    uc_calls_append(&db->writes, &r->writes);
    db->wseq = db->routed_wseq;
    uc_calls_append(&db->tx_calls, &r->tx);
    if (r->parked.n > 0) {
        uc_calls_append(&db->parked, &r->parked);
        sq_settle(db);
    }
    if (reads > 0 && db->idle_readers > 0)
        uc_cond_signal(&db->readers_cond);
    if (writer && db->writer_idle)
        uc_cond_signal(&db->writer_cond);
    if (r->deadline != 0)
        sq_deadline(db, r->deadline);
    uc_unlock(&db->mu);
    r->deadline = 0;
}

static bool statement_of(sq_peer *p, uc_call *c, uc_error *e)
{
    uc_reader r = c->args;
    uint32_t sid;
    sq_sql *s;

    if (!uc_read_u32(&r, &sid))
        return uc_fail(e, UC_FRAME, "%s: the first argument is a statement",
                       c->op->name);
    s = sq_sid(p, sid, e);
    if (s == NULL)
        return false;
    sq_sql_ref(s);
    c->stmt = s;
    c->args = r;
    return true;
}

/*
 * The class of a statement, decided here if the writer's connection is free:
 * a new read need not wait for a transaction of somebody else. A failure says
 * nothing yet, since a write before it may create what it names.
 */
static int class_now(sq_db *db, sq_sql *s)
{
    int cls = atomic_load(&s->cls);
    uc_error e = {0};

    if (cls == SQ_UNKNOWN && uc_trylock(&db->wconn_mu)) {
        if (db->writer != NULL && sq_classify(db->writer, s, &e))
            cls = atomic_load(&s->cls);
        uc_unlock(&db->wconn_mu);
    }
    return cls;
}

static bool readonly_refused(const sq_peer *p, uc_error *e)
{
    if (!p->readonly)
        return false;
    uc_fail(e, UC_SQL_READONLY, "this handle was opened with readonly: true");
    return true;
}

/*
 * Finds out to which transaction a call belongs: named by its meta or, for
 * those that act on one, by the first argument. A snapshot of :memory:, which
 * has one connection, is a transaction that is rolled back.
 */
static bool tx_of(sq_db *db, uc_call *c, uc_error *e)
{
    uint8_t op = c->op->num;
    uc_reader a = c->args;

    if (op == UC_OP_cursor_next || op == UC_OP_cursor_close) {
        c->tx = 0; /* its rows are in memory already */
        return true;
    }
    if (op == UC_OP_tx_end || op == UC_OP_savepoint ||
        (op == UC_OP_snap_end && db->memory)) {
        if (!uc_read_u64(&a, &c->tx) || c->tx == 0)
            return uc_fail(e, UC_FRAME, "%s takes a transaction's number",
                           c->op->name);
    } else if (c->snap != 0 && db->memory) {
        c->tx = c->snap;
        c->snap = 0;
    }
    return true;
}

static bool tx_is_open(sq_db *db, const uc_call *c, uc_error *e)
{
    if (db->tx_id == c->tx && db->tx_session == c->session &&
        db->owner != SQ_BY_SYNC)
        return true;
    if (db->expired_tx == c->tx)
        return uc_fail(e, UC_TX_EXPIRED,
                       "the transaction was open for longer than "
                       "transactionTimeoutMs (%lld ms) and was rolled back",
                       (long long)db->opt.tx_ms);
    return uc_fail(e, UC_TX_CLOSED, "the transaction has ended");
}

static void answer_inline(sq_db *db, sq_peer *p, uc_call *c)
{
    uc_error e = {0};
    uc_buf b;
    size_t at;

    uc_buf_init(&b, SIZE_MAX);
    at = uc__reply_open(&b);
    sq_inline(db, p, c, &b, &e);
    if (e.code != NULL) {
        uc__reply_again(&b, at);
        uc_reply_error(&b, c->id, &e);
    }
    if (c->id != 0) {
        uc__reply_close(&b, at, c->id);
        uc__session_publish(c->session, &b);
    }
    uc_buf_fini(&b);
    sq_finish(db, c);
}

/* A page of a cursor on :memory:, whose rows are gathered already: there is no
 * reader's thread to hand it out. */
static void answer_page(sq_db *db, uc_call *c)
{
    uc_error e = {0};
    uc_buf b;
    size_t at;

    uc_buf_init(&b, SIZE_MAX);
    at = uc__reply_open(&b);
    if (!sq_pin_call(db, c->pin, c, &b, &e)) {
        uc__reply_again(&b, at);
        uc_reply_error(&b, c->id, &e);
    }
    if (c->id != 0) {
        uc__reply_close(&b, at, c->id);
        uc__session_publish(c->session, &b);
    }
    uc_buf_fini(&b);
    sq_finish(db, c);
}

/* Into a lane, or false with *e. */
static bool lane(sq_db *db, sq_peer *p, uc_call *c, routed *r, uc_error *e)
{
    int lane = c->op->lane, cls;
    bool ok;

    if (lane == UC_LANE_STMT || c->op->num == UC_OP_many) {
        if (!statement_of(p, c, e))
            return false;
    }
    if (!tx_of(db, c, e))
        return false;
    if (c->tx != 0) {
        /* The writer serves them while that transaction is open. */
        uc_lock(&db->mu);
        ok = tx_is_open(db, c, e);
        uc_unlock(&db->mu);
        if (!ok)
            return false;
        if (c->op->num == UC_OP_tx_end)
            p->ending_tx = c->tx; /* reads from here on wait for its end */
        uc_calls_push(&r->tx, c);
        return true;
    }
    if (c->snap != 0 && c->stmt != NULL) {
        cls = class_now(db, c->stmt);
        if (cls == SQ_WRITE || cls == SQ_ALONE)
            return uc_fail(e, UC_SQL_READONLY,
                           "a snapshot only reads: write outside of it");
    }
    if (lane == UC_LANE_PIN || c->snap != 0) {
        uc_lock(&db->mu);
        c->pin = sq_pin_of(db, c, e);
        ok = c->pin != NULL;
        if (ok && sq_pin_claim(c->pin, c)) {
            if (db->memory) {
                uc_unlock(&db->mu);
                answer_page(db, c);
                return true;
            }
            uc_calls_push(&r->reads, c);
        }
        uc_unlock(&db->mu);
        return ok;
    }
    if (c->op->num == UC_OP_many) {
        uc_reader a = c->args;
        uc_value token;

        if (readonly_refused(p, e))
            return false;
        if (uc_read(&a, &token) && token.type == UC_T_INT) {
            /* A later chunk of a stream. */
            c->tx = (uint64_t)token.i;
            uc_lock(&db->mu);
            ok = tx_is_open(db, c, e);
            uc_unlock(&db->mu);
            if (!ok)
                return false;
            uc_calls_push(&r->tx, c);
            return true;
        }
    }
    if (lane == UC_LANE_STMT) {
        cls = class_now(db, c->stmt);
        if (cls == SQ_READ)
            lane = UC_LANE_READ;
        else if (cls == SQ_UNKNOWN) {
            /* The writer decides. Until then it may be a write. */
            c->after = p->last_wseq;
            c->after_tx = p->ending_tx;
            c->wseq = p->last_wseq = ++db->routed_wseq;
            uc_calls_push(&r->writes, c);
            return true;
        } else if (cls != SQ_WRITER_READ && readonly_refused(p, e)) {
            return false;
        } else {
            lane = UC_LANE_WRITE;
        }
    } else if (lane == UC_LANE_WRITE && readonly_refused(p, e)) {
        return false;
    }
    if (lane == UC_LANE_READ && db->memory)
        lane = UC_LANE_WRITE; /* the one connection is the writer's */
    if (lane == UC_LANE_READ) {
        c->after = p->last_wseq;
        c->after_tx = p->ending_tx;
        if (c->after > 0 || c->after_tx > 0) {
            uc_lock(&db->mu);
            ok = may_run(db, c);
            uc_unlock(&db->mu);
            if (!ok) {
                uc_calls_push(&r->parked, c);
                return true;
            }
        }
        uc_calls_push(&r->reads, c);
        return true;
    }
    c->wseq = ++db->routed_wseq;
    if (c->op->num != UC_OP_tx_begin)
        p->last_wseq = c->wseq;
    uc_calls_push(&r->writes, c);
    return true;
}

/* `close`: answered when nothing else of the session is left. */
static void close_peer(sq_db *db, sq_peer *p, uc_call *c)
{
    uc_lock(&db->mu);
    if (p->close_call != NULL) {
        uc_unlock(&db->mu);
        answer_inline(db, p, c);
        return;
    }
    p->closing = true;
    p->close_call = c;
    if (atomic_load(&p->live) == 1)
        sq_peer_settle(db, p);
    else
        uc_unlock(&db->mu);
}

static void route_one(sq_db *db, uc_call *c, uc_error *e, routed *r)
{
    int64_t deadline; /* c may be gone once it is in a lane */
    sq_peer *p = c->session->peer;

    if (e->code == NULL && db->state == SQ_FAILED &&
        c->op->lane != UC_LANE_INLINE)
        *e = db->open_error;
    if (e->code == NULL && p->failed.code != NULL &&
        c->op->lane != UC_LANE_INLINE)
        *e = p->failed;
    if (e->code == NULL && p->closing)
        uc_fail(e, UC_CLOSED, "the store is closed");
    if (e->code == NULL && c->op->lane == UC_LANE_INLINE) {
        if (c->op->num == UC_OP_cancel) {
            cancel(db, c, r);
            sq_finish(db, c);
        } else if (c->op->num == UC_OP_close) {
            flush(db, r);
            close_peer(db, p, c);
        } else if (c->op->num == UC_OP_define || c->op->num == UC_OP_undefine) {
            define(db, p, c, e);
            sq_finish(db, c);
        } else {
            answer_inline(db, p, c);
        }
        return;
    }
    if (e->code == NULL) {
        if (c->deadline == 0 && db->opt.timeout_ms > 0)
            c->deadline = c->batch->t0 + db->opt.timeout_ms * UC_MS;
        if (c->op->num == UC_OP_health)
            c->deadline = 0;
        deadline = c->deadline;
        if (r->room-- <= 0 && c->op->lane != UC_LANE_PIN) {
            uc_fail(e, UC_BUSY, "%lld calls are waiting (option maxQueue)",
                    (long long)db->opt.max_queue);
            e->outcome = "not-run";
        } else if (lane(db, p, c, r, e)) {
            if (deadline != 0 && (r->deadline == 0 || deadline < r->deadline))
                r->deadline = deadline;
            return;
        }
    }
    if (e->outcome == NULL)
        e->outcome = "not-run";
    sq_refuse(db, c, e);
}

static void route_batch(sq_db *db, uc_batch *b)
{
    routed r = {0};
    uc_error e = {0};
    sq_peer *p = b->session->peer;
    uint32_t promised = b->count;
    uc_session *s = uc__session_ref(b->session);
    uint32_t last;
    uc_call *c;

    uc_lock(&db->mu);
    r.room = db->opt.max_queue - (int64_t)db->reads.n - db->writes.n -
             db->parked.n - db->tx_calls.n;
    uc_unlock(&db->mu);
    for (uint32_t i = 0; i < promised; i = last) {
        last = i + 1;
        c = uc__batch_next(b, &e);
        if (c == NULL)
            break;
        /* b may be gone once its last call has been routed. */
        if (e.code != NULL && b->count < promised) {
            atomic_fetch_sub(&p->live, promised - b->count);
            promised = b->count;
        }
        if (c->batch == b && i + 1 == promised) {
            route_one(db, c, &e, &r);
            break;
        }
        route_one(db, c, &e, &r);
    }
    flush(db, &r);
    atomic_fetch_sub(&p->unrouted, 1);
    uc__session_unref(s);
}

void sq_route(sq_db *db, bool wait)
{
    /* With wait, also for a batch that another thread has in hand. */
    while (wait || atomic_load(&db->inbox_n) > 0) {
        uc_batch *b;

        if (wait)
            uc_lock(&db->route_mu);
        else if (!uc_trylock(&db->route_mu))
            return; /* who has it looks again before it leaves */
        for (;;) {
            uc_lock(&db->mu);
            if (db->state == SQ_OPENING) {
                uc_unlock(&db->mu);
                uc_unlock(&db->route_mu);
                return;
            }
            b = db->inbox_head;
            if (b != NULL) {
                db->inbox_head = b->next;
                if (b->next == NULL)
                    db->inbox_tail = NULL;
                atomic_fetch_sub(&db->inbox_n, 1);
            }
            uc_unlock(&db->mu);
            if (b == NULL)
                break;
            route_batch(db, b);
        }
        uc_unlock(&db->route_mu);
        wait = false;
    }
}

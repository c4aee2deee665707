#include "data/sqlite/db.h"
#include "wire/writer.h"

/*
 * From the inbox into the lanes: who runs a call is decided here, in the order
 * of arrival.
 */

void sq_batch_closed(uc_batch *b)
{
    uc_error e;
    uc_call *c;

    atomic_fetch_add(&b->left, 1); /* it stays while it is read */
    while ((c = uc__batch_next(b, &e)) != NULL) {
        uc_fail(&e, UC_CLOSED, "the store is closed");
        e.outcome = "not-run";
        uc__call_fail(c, &e);
    }
    uc__batch_finish(b, 1);
}

/* What the wait of a closing peer is for: see sq_peer. */
bool sq_visit(sq_peer *p)
{
    atomic_fetch_add(&p->visitors, 1);
    if (!atomic_load(&p->leaving))
        return true;
    atomic_fetch_sub(&p->visitors, 1);
    return false;
}

void sq_call_router(sq_db *db, unsigned hint)
{
    if (db->inbox_head != NULL)
        atomic_store(&db->called, true);
    if (!(hint & UC_HINT_WRITE) && db->idle_readers > 0)
        uc_cond_signal(&db->readers_cond);
    else if (db->writer_idle && (hint & UC_HINT_WRITE || db->state != SQ_OPEN ||
                                 db->slow_readers >= db->nreaders))
        uc_cond_signal(&db->writer_cond);
    else if (db->idle_readers > 0)
        uc_cond_signal(&db->readers_cond);
    /* Otherwise a reader is at quick work and looks here when it is done. */
}

void sq_submit(void *arg, uc_batch *b, unsigned hint)
{
    sq_peer *p = arg;
    sq_db *db = p->db;

    if (!sq_visit(p)) {
        sq_batch_closed(b);
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
    if (!(hint & (UC_HINT_ASSIST | UC_HINT_URGENT)))
        sq_call_router(db, hint);
    uc_unlock(&db->mu);
    if (hint & UC_HINT_URGENT)
        sq_route(db, true);
    sq_visit_end(p);
}

/* What has been routed of one batch and is not in the queues yet. */
typedef struct routed {
    uc_calls reads, parked, writes, tx;
    int64_t deadline; /* the earliest, 0 none */
    int64_t room;     /* calls that the queues still take */
    bool quiet;       /* wake no reader */
    uc_session *session;
    uc_buf replies; /* of what was answered on the way, published together */
} routed;

static void flush(sq_db *db, routed *r)
{
    uint32_t reads = r->reads.n;
    bool writer = r->writes.n > 0 || r->tx.n > 0;

    uc__session_publish(r->session, &r->replies);
    sq_hurry(db);
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
    if (reads > 0 && db->idle_readers > 0 && !r->quiet)
        uc_cond_signal(&db->readers_cond);
    if (writer && db->writer_idle)
        uc_cond_signal(&db->writer_cond);
    if (r->deadline != 0)
        sq_deadline(db, r->deadline);
    uc_unlock(&db->mu);
    r->deadline = 0;
}

static bool statement_of(sq_db *db, sq_peer *p, uc_call *c, uc_error *e)
{
    uc_reader r = c->args;
    sq_sql *s = sq_statement(db, p, &r, e);

    if (s == NULL)
        return false;
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

static void answer_inline(sq_db *db, sq_peer *p, uc_call *c, uc_buf *b)
{
    uc_error e = {0};
    size_t at = uc__reply_open(b);

    sq_inline(db, p, c, b, &e);
    if (e.code != NULL) {
        uc__reply_again(b, at);
        uc_reply_error(b, c->id, &e);
    }
    if (c->id != 0)
        uc__reply_close(b, at, c->id);
    else
        uc_buf_rewind(b, at);
    sq_finish(db, c);
}

static bool cache_may(const sq_db *db, const uc_call *c, uc_error *e)
{
    if (db->cache == NULL)
        return uc_fail(e, UC_NO_CACHE, "there is no cache here (cache: false)");
    if (uc__session_full(c->session) && (c->op->flags & UC_REPEATS) != 0 &&
        (c->op->flags & UC_ENDLESS) == 0)
        return uc_fail(e, UC_BUSY,
                       "%zu bytes of replies wait to be read: read them first",
                       uc_pending(c->session));
    return sq_may_repeat(c, SQ_WRITE, e);
}

/* Whether a call of the session's transaction runs or waits: what it writes is
 * not known yet, and what the session stores meanwhile may be just that. */
static bool is_at_work(sq_db *db, const routed *r, const uc_call *c)
{
    bool busy;

    if ((c->op->flags & UC_REPEATS) != 0)
        return false; /* it stores nothing */
    uc_lock(&db->mu);
    busy = db->tx_id != 0 && !db->tx_stream && db->tx_session == c->session &&
           (db->tx_busy || db->tx_calls.n > 0 || r->tx.n > 0);
    uc_unlock(&db->mu);
    return busy;
}

/* A call that stands is over as well: the cache keeps what it needs of it. */
static void answer_cached(sq_db *db, routed *r, uc_call *c)
{
    uc_buf *b = &r->replies;
    size_t at = uc__reply_open(b);

    c->unsure = is_at_work(db, r, c);

    if (uc_cache_call(db->cache, c, UC_CACHE_STAND, b) && c->id != 0)
        uc__reply_close(b, at, c->id);
    else
        uc_buf_rewind(b, at);
    sq_finish(db, c);
}

static void answer_logged(sq_db *db, uc_call *c, uc_buf *b)
{
    size_t at = uc__reply_open(b);

    if (uc_log_call(c, true, b) && c->id != 0)
        uc__reply_close(b, at, c->id);
    else
        uc_buf_rewind(b, at);
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

/* The open transaction waits for the call, which must not wait for it. */
static bool is_inside(sq_db *db, const uc_call *c)
{
    bool inside;

    if (c->inside == 0)
        return false;
    uc_lock(&db->mu);
    inside = sq_tx_waits_for(db, c);
    uc_unlock(&db->mu);
    return inside;
}

/* Into a lane, or false with *e. */
static bool lane(sq_db *db, sq_peer *p, uc_call *c, routed *r, uc_error *e)
{
    int lane = c->op->lane, cls;
    bool ok, inside;

    if (lane == UC_LANE_STMT || c->op->num == UC_OP_many) {
        if (!statement_of(db, p, c, e))
            return false;
    } else if (c->op->num == UC_OP_batch && !sq_parts_of(db, p, c, e)) {
        return false;
    }
    if (c->repeat) {
        cls = lane == UC_LANE_STMT ? class_now(db, c->stmt) : SQ_UNKNOWN;
        if (!sq_may_repeat(c, (sq_class)cls, e))
            return false;
    }
    if (!tx_of(db, c, e))
        return false;
    if (c->once.p != NULL) {
        if (!sq_once_allowed(c, SQ_UNKNOWN, e))
            return false;
        lane = UC_LANE_WRITE; /* the writer looks at the class */
    }
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
    if (c->snap != 0 && c->stmt != NULL)
        class_now(db, c->stmt); /* where it cannot tell, the snapshot does */
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
    inside = is_inside(db, c);
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
    if (lane == UC_LANE_WRITE && inside)
        return sq_tx_self(c, e);
    if (lane == UC_LANE_READ && inside) {
        /* What others have queued waits for the transaction. */
        uc_calls_push(&r->reads, c);
        return true;
    }
    if (lane == UC_LANE_READ) {
        c->after = p->last_wseq;
        c->after_tx = p->ending_tx;
        if (c->after > 0 || c->after_tx > 0) {
            uc_lock(&db->mu);
            ok = sq_may_run(db, c);
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
static void close_peer(sq_db *db, sq_peer *p, uc_call *c, routed *r)
{
    uc_log_session_close(c->session);
    uc_lock(&db->mu);
    if (p->close_call != NULL) {
        uc_unlock(&db->mu);
        answer_inline(db, p, c, &r->replies);
        return;
    }
    p->closing = true;
    p->close_call = c;
    sq_watch_end(db, c->session, true);
    if (db->cache != NULL)
        uc_cache_session_end(db->cache, c->session, true);
    if (atomic_load(&p->live) == 1)
        sq_peer_settle(db, p);
    else
        uc_unlock(&db->mu);
}

/* Ends something, or answers whatever has become of the file. */
static bool is_end(const uc_call *c)
{
    static const uint8_t ends[] = {UC_OP_tx_end, UC_OP_snap_end,
                                   UC_OP_cursor_close, UC_OP_backup_end,
                                   UC_OP_health};

    return c->op != NULL && memchr(ends, c->op->num, sizeof ends) != NULL;
}

static void route_one(sq_db *db, uc_call *c, uc_error *e, routed *r)
{
    int64_t deadline; /* c may be gone once it is in a lane */
    sq_peer *p = c->session->peer;

    /* The log is beside the database. */
    bool needs_db = c->op == NULL || (c->op->lane != UC_LANE_INLINE &&
                                      c->op->lane != UC_LANE_LOG);

    if (e->code == NULL && db->state == SQ_FAILED && needs_db)
        *e = db->open_error;
    if (e->code == NULL && p->failed.code != NULL && needs_db)
        *e = p->failed;
    if (e->code == NULL && needs_db && !is_end(c))
        sq_moved(db, false, e);
    if (e->code == NULL && p->closing)
        uc_fail(e, UC_CLOSED, "the store is closed");
    if (e->code == NULL && c->op->lane == UC_LANE_INLINE) {
        if (c->op->num == UC_OP_cancel) {
            uc_calls *const fresh[] = {&r->reads, &r->parked, &r->writes,
                                       &r->tx};

            sq_cancel(db, c, fresh, 4);
            sq_finish(db, c);
        } else if (c->op->num == UC_OP_close) {
            flush(db, r);
            close_peer(db, p, c, r);
        } else if (c->op->num == UC_OP_watch) {
            sq_watch(db, p, c);
        } else if (c->op->num == UC_OP_define || c->op->num == UC_OP_undefine) {
            sq_inline(db, p, c, NULL, e);
            sq_finish(db, c);
        } else {
            answer_inline(db, p, c, &r->replies);
        }
        return;
    }
    if (e->code == NULL && c->deadline == 0 && db->opt.timeout_ms > 0)
        c->deadline = c->batch->t0 + db->opt.timeout_ms * UC_MS;
    if (e->code == NULL && c->op->lane == UC_LANE_LOG &&
        sq_may_repeat(c, SQ_WRITE, e)) {
        answer_logged(db, c, &r->replies);
        return;
    }
    if (e->code == NULL && c->op->lane == UC_LANE_CACHE &&
        cache_may(db, c, e)) {
        answer_cached(db, r, c);
        return;
    }
    if (e->code == NULL) {
        if (c->op->num == UC_OP_health)
            c->deadline = 0;
        deadline = c->deadline;
        if (r->room-- <= 0 && c->op->lane != UC_LANE_PIN) {
            uc_fail(e, UC_BUSY, "%lld calls are waiting (option maxQueue)",
                    (long long)db->opt.max_queue);
        } else if (lane(db, p, c, r, e)) {
            if (deadline != 0 && (r->deadline == 0 || deadline < r->deadline))
                r->deadline = deadline;
            return;
        }
    }
    if (e->outcome == NULL)
        sq_outcome(c, c->repeat ? "unknown" : "not-run", e);
    sq_refuse(db, c, e);
}

static void route_batch(sq_db *db, uc_batch *b, bool quiet)
{
    uc_session *s = uc__session_ref(b->session);
    routed r = {.quiet = quiet, .session = s};
    uc_error e = {0};
    sq_peer *p = s->peer;
    uint32_t promised = b->count;
    uc_call *c;

    uc_buf_init(&r.replies, SIZE_MAX);
    atomic_fetch_add(&b->left, 1); /* it stays while it is read */
    uc_lock(&db->mu);
    r.room = db->opt.max_queue - (int64_t)db->reads.n - db->writes.n -
             db->parked.n - db->tx_calls.n;
    uc_unlock(&db->mu);
    while ((c = uc__batch_next(b, &e)) != NULL) {
        if (e.code != NULL && b->count < promised) {
            atomic_fetch_sub(&p->live, promised - b->count);
            promised = b->count;
        }
        route_one(db, c, &e, &r);
    }
    uc__batch_finish(b, 1);
    flush(db, &r);
    uc_buf_fini(&r.replies);
    if (atomic_fetch_sub(&p->unrouted, 1) == 1 && atomic_load(&p->last))
        sq_wake_tx(db);
    uc__session_unref(s);
}

static void route(sq_db *db, bool wait, bool quiet)
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
                if (b->next == NULL) {
                    db->inbox_tail = NULL;
                    atomic_store(&db->called, false);
                }
                atomic_fetch_sub(&db->inbox_n, 1);
            }
            uc_unlock(&db->mu);
            if (b == NULL)
                break;
            route_batch(db, b, quiet);
        }
        uc_unlock(&db->route_mu);
        wait = false;
    }
}

void sq_route(sq_db *db, bool wait)
{
    route(db, wait, false);
}

void sq_route_quietly(sq_db *db)
{
    route(db, true, true);
}

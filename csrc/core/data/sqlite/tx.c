#include <stdio.h>
#include <string.h>

#include "cache/cache.h"
#include "data/sqlite/db.h"
#include "data/sqlite/touch.h"
#include "data/sqlite/wal.h"
#include "wire/writer.h"

/*
 * Transactions that live over several calls: those of clients, and the streams
 * of rows of a long `many`. While one is open the writer serves nothing else.
 */

bool sq_is_stream(uc_call *call)
{
    uc_reader r = call->args;
    uc_value token;
    bool more = false;

    return call->op->num == UC_OP_many && uc_read(&r, &token) &&
           token.type == UC_T_NIL && uc_read_bool(&r, &more) && more;
}

bool sq_is_tx(const uc_call *call)
{
    return call->op->num == UC_OP_tx_begin || call->op->num == UC_OP_snap_begin;
}

bool sq_tx_start(sq_db *db, uc_error *e)
{
    sq_conn *c = db->writer;
    int rc;

    if (!sq_wal_room(db, e))
        return false;
    sq_touch_clear(db);
    sq_conn_wait(c, uc_now() + db->e.opt.busy_ms * UC_MS);
    rc = sq_step_once(c->begin_now);
    if (rc != SQLITE_OK) {
        sq_fail(c, rc, e);
        e->outcome = "not-run";
        return false;
    }
    c->defers = false;
    if (db->sql.defer_fks)
        sq_exec_text(c, "pragma defer_foreign_keys=on");
    db->tx.dead = false;
    db->tx.many_open = false;
    sqlite3_set_last_insert_rowid(c->h, 0);
    return true;
}

static bool finish(sq_db *db, const uc_session *by, bool want, uc_error *e)
{
    sq_conn *c = db->writer;
    int rc;

    if (sqlite3_get_autocommit(c->h) != 0) {
        if (want)
            return uc_fail(e, UC_TX_CLOSED,
                           "an earlier error has rolled the transaction back");
        return true;
    }
    if (!want) {
        sq_step_once(c->rollback);
        return true;
    }
    if (sq_moved(db, true, e)) {
        sq_step_once(c->rollback);
        return false;
    }
    if (db->tx.many_open) {
        sq_step_once(c->rollback);
        return uc_fail(e, UC_TX_OPEN,
                       "rows of many() were still coming at the commit: the "
                       "transaction was rolled back");
    }
    sq_conn_wait(c, 0);
    rc = sq_step_once(c->commit);
    if (rc == SQLITE_OK) {
        sq_touch_commit(db, by);
        return true;
    }
    sq_fail(c, rc, e);
    e->outcome = sq_commit_outcome(rc);
    if (sqlite3_get_autocommit(c->h) == 0)
        sq_step_once(c->rollback);
    return false;
}

bool sq_tx_finish(sq_db *db, const uc_session *by, bool want, uc_error *e)
{
    bool ok = finish(db, by, want, e);

    if (db->e.cache != NULL)
        uc_cache_sure(db->e.cache, ok && want);
    return ok;
}

static bool savepoint(sq_db *db, uc_call *call, uc_buf *out, uc_error *e)
{
    uc_reader r = call->args;
    uint64_t x, kind, depth;
    char sql[96];
    int rc;

    if (!uc_read_u64(&r, &x) || !uc_read_u64(&r, &kind) ||
        !uc_read_u64(&r, &depth) || kind > 2 || depth > 1000000)
        return uc_fail(e, UC_FRAME, "savepoint takes [x, kind, depth]");
    if (kind == 0)
        snprintf(sql, sizeof sql, "savepoint t%u", (unsigned)depth);
    else if (kind == 1)
        snprintf(sql, sizeof sql, "release t%u", (unsigned)depth);
    else
        snprintf(sql, sizeof sql, "rollback to t%u; release t%u",
                 (unsigned)depth, (unsigned)depth);
    rc = sq_exec_text(db->writer, sql);
    if (rc != SQLITE_OK)
        return sq_fail(db->writer, rc, e);
    uc_reply_begin(out, call->id, UC_REPLY_VALUE, 3);
    uc_pack_nil(out);
    return true;
}

/*
 * Rows of `many` that come in several chunks: [sid, token, more, rows]. The
 * first has token nil. Inside a client's transaction they are a savepoint.
 * rows nil with more false gives the stream up.
 */
static bool many_chunk(sq_db *db, uc_call *call, uc_buf *out, uc_error *e)
{
    sq_conn *c = db->writer;
    uc_reader r = call->args;
    uc_value token, rows;
    sq_once *o = &db->tx.once;
    size_t reply = out->len;
    uc_reader at;
    bool more, ok = true;

    if (!uc_read(&r, &token) || !uc_read_bool(&r, &more))
        return uc_fail(e, UC_FRAME, "many takes [sid, token, more, rows]");
    at = r;
    if (!uc_read(&at, &rows))
        return uc_fail(e, UC_FRAME, "many takes [sid, token, more, rows]");
    if (!db->tx.many_open) {
        if (token.type != UC_T_NIL)
            return uc_fail(e, UC_TX_CLOSED, "the stream of rows has ended");
        /* A stream's transaction is its own savepoint. */
        if (!db->tx.stream && sq_step_once(c->savepoint) != SQLITE_OK)
            return sq_fail(c, sqlite3_extended_errcode(c->h), e);
        db->tx.many_open = true;
        db->tx.many = (sq_run){0};
        o->open = false;
        if (call->once.p != NULL)
            ok = sq_once_begin(c, o, call, e);
    }
    if (rows.type == UC_T_NIL)
        ok = uc_fail(e, UC_ABORTED, "the stream of rows was given up");
    else if (ok && o->open)
        ok = uc__once_rows(&o->hash, r, e);
    if (ok && !(o->open && o->known))
        ok = sq_many_rows(c, call->stmt, &r, db->tx.many.rows, &db->tx.many, e);
    if (!ok) {
        db->tx.many_open = false;
        if (sqlite3_get_autocommit(c->h) == 0 && !db->tx.stream) {
            sq_step_once(c->rollback_to);
            sq_step_once(c->release);
        }
        return false;
    }
    if (more) {
        uc_reply_begin(out, call->id, UC_REPLY_VALUE, 3);
        uc_pack_uint(out, db->tx.id);
        return true;
    }
    db->tx.many_open = false;
    if (!db->tx.stream && sq_step_once(c->release) != SQLITE_OK)
        return sq_fail(c, sqlite3_extended_errcode(c->h), e);
    if (!o->open || !o->known)
        sq_reply_run(out, call->id, &db->tx.many);
    return !o->open || sq_once_end(c, o, call, out, reply, e);
}

bool sq_tx_call(sq_db *db, uc_call *call, uc_buf *out, uc_error *e)
{
    sq_conn *c = db->writer;
    int64_t limit = call->deadline;
    sq_touch_mark touched;
    uc_class cls;
    bool ok;

    if (db->tx.dead)
        return uc_fail(e, UC_TX_CLOSED,
                       "an earlier error has rolled the transaction back");
    if (db->tx.many_open && call->op->num != UC_OP_many)
        return uc_fail(e, UC_TX_OPEN,
                       "rows of many() are still coming: await it before "
                       "anything else of the transaction");
    if (uc__call_over(call, e))
        return false;
    if (!sq_call_class(db, call, &cls, e))
        return false;
    if (sq_is_alone(db, call, cls))
        return uc_fail(e, UC_SQL_TRANSACTION,
                       "VACUUM, pragmas that act on the file, restore and "
                       "migrations cannot run inside a transaction");
    if (call->once.p != NULL && !db->tx.stream)
        return uc_fail(e, UC_OPTION, "option once: not inside a transaction");
    if (call->session->peer->readonly && cls == UC_CLASS_WRITE)
        return uc_fail(e, UC_SQL_READONLY,
                       "this handle was opened with readonly: true");
    /* The transaction's own limit holds for what runs in it. */
    touched = sq_touch_at(db);
    if (db->owner.by == SQ_BY_THREAD && (limit == 0 || db->tx.until < limit))
        limit = db->tx.until;
    sq_conn_enter(c, call, limit);
    c->own = true; /* from the transaction's beginning on */
    switch (call->op->num) {
    case UC_OP_savepoint:
        ok = savepoint(db, call, out, e);
        break;
    case UC_OP_many:
        ok = many_chunk(db, call, out, e);
        break;
    default:
        ok = sq_unit(c, call, out, e);
        break;
    }
    c->own = false;
    sq_conn_leave(c);
    /* Nobody reads what a stream has written before it is committed. */
    if (!db->tx.stream)
        sq_touch_unsure(db, call->session, touched);
    if (sqlite3_get_autocommit(c->h) != 0)
        db->tx.dead = true;
    return ok;
}

static void reply_tx(uc_call *call, uint64_t id, uc_buf *out)
{
    uc_reply_begin(out, call->id, UC_REPLY_VALUE, 3);
    if (id != 0)
        uc_pack_uint(out, id);
    else
        uc_pack_nil(out);
}

/* What stopped waiting for the next call of a transaction. */
typedef enum tx_end { TX_GOING, TX_ENDED, TX_EXPIRED, TX_DROPPED } tx_end;

/* A statement that the writer is to look at, in the queue behind the
 * transaction, from the write after *seen on; referenced. *own: the transaction
 * waits for one of the calls that were passed. */
static uc_stmt *next_new(sq_db *db, uint64_t *seen, bool *own)
{
    uc_stmt *s = NULL;

    uc_lock(&db->e.mu);
    if (db->e.q.writes.tail != NULL && db->e.q.writes.tail->wseq > *seen) {
        for (uc_call *c = db->e.q.writes.head; c != NULL && s == NULL;
             c = c->next) {
            if (c->wseq <= *seen)
                continue;
            *seen = c->wseq;
            *own = *own || sq_tx_waits_for(db, c);
            s = c->stmt;
            if (s != NULL && atomic_load(&s->cls) == UC_CLASS_UNKNOWN)
                uc__stmt_ref(s);
            else
                s = NULL;
        }
    }
    uc_unlock(&db->e.mu);
    return s;
}

/* Calls that the transaction waits for and that do not read, or of which it
 * cannot be told: what might make their tables comes after it. */
static void refuse_own(sq_db *db, uc_calls *own)
{
    uc_call *c;

    while ((c = uc_calls_pop(own)) != NULL) {
        uc_error e = {0};
        uc_class cls;
        bool ok;

        uc_lock(&db->wconn_mu);
        ok = sq_call_class(db, c, &cls, &e);
        uc_unlock(&db->wconn_mu);
        if (ok)
            uc__tx_self(&e);
        e.outcome = "not-run";
        uc__refuse(c, &e);
    }
}

/* What came while the writer was at a statement of the transaction could not be
 * looked at. If it reads it need not wait for the end. */
static void let_reads_go(sq_db *db, uint64_t *seen)
{
    uc_calls keep = {0}, reads = {0}, own = {0};
    bool any = false;
    uc_call *c;
    uc_stmt *s;

    while ((s = next_new(db, seen, &any)) != NULL) {
        uc_error ignored = {0};

        uc_lock(&db->wconn_mu);
        any = sq_classify(db->writer, s, &ignored) || any;
        uc_unlock(&db->wconn_mu);
        uc__stmt_unref(s);
    }
    if (!any)
        return;
    uc_lock(&db->e.mu);
    while ((c = uc_calls_pop(&db->e.q.writes)) != NULL) {
        bool waits = sq_tx_waits_for(db, c);

        s = c->stmt;
        if (s != NULL && atomic_load(&s->cls) == UC_CLASS_READ &&
            c->op->lane == UC_LANE_STMT && c->once.p == NULL) {
            if (waits)
                c->after = c->after_tx = 0;
            uc_calls_push(&reads, c);
        } else {
            uc_calls_push(waits ? &own : &keep, c);
        }
    }
    db->e.q.writes = keep;
    uc__settle(&db->e);
    while ((c = uc_calls_pop(&reads)) != NULL)
        uc__forward(&db->e, c);
    uc_unlock(&db->e.mu);
    refuse_own(db, &own);
}

/* Nobody ends the transaction any more: its session has gone, or has asked for
 * the last, and all of that is in the queues. Under mu. */
static bool is_orphan(const sq_db *db)
{
    const uc_peer *p;

    if (db->tx.session == NULL)
        return true;
    p = db->tx.session->peer;
    return atomic_load(&p->last) && atomic_load(&p->unrouted) == 0;
}

static uc_call *next_tx_call(sq_db *db, uint64_t *seen, tx_end *end)
{
    uc_call *call;

    for (;;) {
        uc__route(&db->e, false);
        let_reads_go(db, seen);
        uc_lock(&db->e.mu);
        call = uc_calls_pop(&db->e.q.tx);
        db->tx.busy = call != NULL;
        if (call == NULL && is_orphan(db))
            *end = TX_DROPPED;
        else if (call == NULL && uc_now() >= db->tx.until)
            *end = TX_EXPIRED;
        if (call == NULL && *end == TX_GOING && !uc__route_wanted(&db->e)) {
            db->threads.writer_idle = true;
            uc_cond_wait_until(&db->threads.writer_cond, &db->e.mu,
                               db->tx.until);
            db->threads.writer_idle = false;
        }
        uc_unlock(&db->e.mu);
        if (call != NULL || *end != TX_GOING)
            return call;
    }
}

/* Rows of a stream: without a reply nobody learns its token or goes on. */
static bool stream_call(sq_db *db, uc_call *call, uc_buf *out, uc_error *e)
{
    return sq_tx_call(db, call, out, e) &&
           (!out->failed || uc_fail(e, UC_MEMORY, "no memory for the reply"));
}

/* Serves the open transaction until it ends. wconn_mu is held on entry and on
 * return, and free while the client thinks. */
static void serve_tx(sq_db *db, uc_worker *self, uc_buf *out)
{
    tx_end end = TX_GOING;
    bool stream = db->tx.stream;
    uint64_t seen = 0;
    uc_calls left;
    uc_error e = {0};
    uc_call *call;

    while (end == TX_GOING) {
        size_t at;
        bool ok, want = false, ends = false;
        uc_reader r;
        uint64_t x;

        uc_unlock(&db->wconn_mu);
        call = next_tx_call(db, &seen, &end);
        uc_lock(&db->wconn_mu);
        if (call == NULL)
            break;
        uc__worker_hold(&db->e, self, &call, 1);
        at = uc__reply_open(out);
        e.code = NULL;
        if (call->op->num == UC_OP_tx_end || call->op->num == UC_OP_snap_end) {
            r = call->args;
            ok = true;
            if (call->op->num == UC_OP_tx_end &&
                (!uc_read_u64(&r, &x) || !uc_read_bool(&r, &want)))
                ok = uc_fail(&e, UC_FRAME, "tx_end takes [x, commit]");
            if (ok && !sq_tx_finish(db, call->session, want, &e))
                ok = false;
            ends = true;
            if (ok)
                reply_tx(call, 0, out);
        } else {
            ok = stream ? stream_call(db, call, out, &e)
                        : sq_tx_call(db, call, out, &e);
            if (stream && (!ok || !db->tx.many_open)) {
                ends = true;
                if (!sq_tx_finish(db, call->session, ok, &e))
                    ok = false;
            }
        }
        uc__worker_hold(&db->e, self, NULL, 0);
        uc_lock(&db->e.mu);
        db->tx.busy = false; /* before its client hears of it */
        if (ends) {
            end = TX_ENDED;
            db->e.ended_tx = db->tx.id;
            db->tx.id = 0;
        }
        uc_unlock(&db->e.mu);
        uc__answer(call, out, at, ok, &e);
    }
    if (end != TX_ENDED)
        sq_tx_finish(db, NULL, false, &e);
    uc_lock(&db->e.mu);
    if (end != TX_ENDED) {
        db->e.ended_tx = db->tx.id;
        if (end == TX_EXPIRED)
            db->tx.expired = db->tx.id;
        db->tx.id = 0;
    }
    db->tx.session = NULL;
    db->tx.stream = false;
    left = db->e.q.tx;
    db->e.q.tx = (uc_calls){0};
    uc_unlock(&db->e.mu);
    while ((call = uc_calls_pop(&left)) != NULL) {
        uc_error closed = {0};

        if (end == TX_EXPIRED)
            uc_fail(&closed, UC_TX_EXPIRED,
                    "the transaction was open for longer than "
                    "transactionTimeoutMs and was rolled back");
        else
            uc_fail(&closed, UC_TX_CLOSED, "the transaction has ended");
        uc__refuse(call, &closed);
    }
}

void sq_run_tx(sq_db *db, uc_worker *self, uc_call *call, uc_buf *out)
{
    uc_session *s = call->session;
    bool stream = sq_is_stream(call), ok, going;
    size_t at;
    uint64_t id;
    uc_error e = {0};

    /* A group that did not go out in one piece has left its replies here. */
    uc_buf_rewind(out, 0);
    at = uc__reply_open(out);
    uc__worker_hold(&db->e, self, &call, 1);
    sq_conn_enter(db->writer, call, call->deadline);
    ok = !uc__call_over(call, &e) && sq_tx_start(db, &e);
    sq_conn_leave(db->writer);
    uc_lock(&db->e.mu);
    id = ++db->e.next_id;
    if (ok) {
        db->tx.id = id;
        db->tx.session = s;
        db->tx.stream = stream;
        db->tx.until = uc_now() + db->e.opt.tx_ms * UC_MS;
    }
    if (!stream)
        db->e.running_first = 0; /* reads need not wait for it to end */
    uc__settle(&db->e);
    uc_unlock(&db->e.mu);
    going = ok;
    if (ok && stream) {
        ok = stream_call(db, call, out, &e);
        if (!ok || !db->tx.many_open) {
            if (!sq_tx_finish(db, call->session, ok, &e))
                ok = false;
            going = false;
        }
    } else if (ok) {
        reply_tx(call, id, out);
        /* Nobody learns its number, and so nobody would end it. */
        if (out->failed) {
            sq_tx_finish(db, s, false, &e);
            going = false;
        }
    }
    uc__worker_hold(&db->e, self, NULL, 0);
    if (!going) {
        uc_lock(&db->e.mu);
        if (db->tx.id == id) {
            db->e.ended_tx = id;
            db->tx.id = 0;
            db->tx.session = NULL;
        }
        uc_unlock(&db->e.mu);
    }
    uc__answer(call, out, at, ok, &e);
    if (going)
        serve_tx(db, self, out);
}

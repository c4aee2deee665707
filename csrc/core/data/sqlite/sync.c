#include <string.h>

#include "data/sqlite/db.h"
#include "data/sqlite/pin.h"
#include "data/sqlite/stats.h"
#include "data/sqlite/sync.h"
#include "wire/writer.h"

/*
 * Sync calls run on the caller's thread. Reads have a connection of their own,
 * whose read transaction lives for one turn of the event loop: it is ended by
 * the door (a microtask), by any write of the handle, or after turn_ms. Writes
 * borrow the writer's connection while the writer thread is between groups.
 */

static void turn_close(sq_peer *p)
{
    if (p->turn_open) {
        p->turn_open = false;
        sq_step_once(p->sync_conn->commit);
    }
}

void sq_turn_end(uc_peer *p)
{
    turn_close((sq_peer *)p);
}

/* ---- borrowing the writer ---- */

/* Somebody on this very thread has to act before the writer comes free. */
static bool held_by_this_thread(sq_db *db, sq_peer *p)
{
    const uc_peer *holder =
        db->tx.session != NULL ? db->tx.session->peer : NULL;

    if (db->owner.by == SQ_BY_SYNC)
        return db->owner.thread == uc_thread_self();
    return holder != NULL && db->tx.id != 0 && db->owner.by == SQ_BY_THREAD &&
           holder->owner == p->p.owner;
}

/* blocking: what is open is not waited for by the event loop. */
static bool tx_open_error(bool blocking, uc_error *e)
{
    if (blocking)
        uc_fail(e, UC_TX_OPEN,
                "a blocking transaction or call of another handle on this "
                "file is under way in this very thread, which would wait for "
                "itself: use that handle, or call this one afterwards");
    else
        uc_fail(e, UC_TX_OPEN,
                "an async transaction of this thread is open: a sync call "
                "would stop the event loop that has to end it");
    e->outcome = "not-run";
    return false;
}

/* Waits until the session's writes are done and, with own, the writer is
 * ours. */
static bool acquire(sq_db *db, sq_peer *p, bool own, int64_t until, uc_error *e)
{
    bool ok = true;

    uc__route(&db->e, true);
    uc_lock(&db->e.mu);
    if (own)
        db->owner.sync_waiting++;
    while (uc__writes_pending(&p->p) || (own && db->owner.by != SQ_FREE)) {
        if (held_by_this_thread(db, p) &&
            !(p->p.ending_tx == db->tx.id && db->tx.id != 0)) {
            ok = tx_open_error(db->owner.by == SQ_BY_SYNC, e);
            break;
        }
        /* The writer gives way to whoever waits here; it may only do so once
         * what this session has queued is done. */
        if (own && uc__writes_pending(&p->p)) {
            db->owner.sync_waiting--;
            uc_cond_signal(&db->threads.writer_cond);
            ok = uc_cond_wait_until(&db->threads.owner_cond, &db->e.mu, until);
            db->owner.sync_waiting++;
        } else {
            uc_cond_signal(&db->threads.writer_cond);
            ok = uc_cond_wait_until(&db->threads.owner_cond, &db->e.mu, until);
        }
        if (!ok) {
            uc_fail(e, UC_TIMEOUT, "the writer did not come free in time");
            e->outcome = "not-run";
            break;
        }
    }
    if (own) {
        db->owner.sync_waiting--;
        if (ok) {
            db->owner.by = SQ_BY_SYNC;
            db->owner.thread = uc_thread_self();
        }
    }
    uc_unlock(&db->e.mu);
    return ok;
}

static void give_up(sq_db *db)
{
    uc_lock(&db->e.mu);
    db->owner.by = SQ_FREE;
    uc__settle(&db->e);
    uc_cond_signal(&db->threads.writer_cond);
    uc_unlock(&db->e.mu);
}

/* The class of a new statement. In a function of the user, which a call of
 * another handle of this thread runs on the writer, that call has the lock. */
static bool class_here(sq_db *db, uc_call *c, uc_class *cls, uc_error *e)
{
    bool own = false, ok;

    if (!uc_trylock(&db->wconn_mu)) {
        uc_lock(&db->e.mu);
        for (uc_peer *q = db->e.peers; q != NULL; q = q->next)
            own = own || (q->session != c->session &&
                          atomic_load(&q->thread) == uc_thread_self());
        uc_unlock(&db->e.mu);
        if (own)
            return tx_open_error(true, e);
        uc_lock(&db->wconn_mu);
    }
    db->writer->sync = true;
    ok = sq_call_class(db, c, cls, e);
    db->writer->sync = false;
    uc_unlock(&db->wconn_mu);
    return ok;
}

/* ---- transactions ---- */

static void tx_forget(sq_db *db, sq_peer *p)
{
    uc_lock(&db->e.mu);
    db->tx.id = 0;
    db->tx.session = NULL;
    p->sync_tx = 0;
    uc_unlock(&db->e.mu);
    give_up(db);
}

static void tx_begin(sq_db *db, sq_peer *p, uc_call *c, uc_buf *out,
                     uc_error *e)
{
    bool ok;

    if (!acquire(db, p, true, c->deadline, e))
        return;
    turn_close(p);
    uc_lock(&db->wconn_mu);
    ok = sq_tx_start(db, e);
    uc_unlock(&db->wconn_mu);
    if (!ok) {
        give_up(db);
        return;
    }
    uc_lock(&db->e.mu);
    p->sync_tx = db->tx.id = ++db->e.next_id;
    db->tx.session = p->p.session;
    uc_unlock(&db->e.mu);
    uc_reply_begin(out, c->id, UC_REPLY_VALUE, 3);
    uc_pack_uint(out, p->sync_tx);
    if (!out->failed)
        return;
    /* Nobody learns its number, and so nobody would end it. */
    uc_lock(&db->wconn_mu);
    sq_tx_finish(db, p->p.session, false, e);
    uc_unlock(&db->wconn_mu);
    tx_forget(db, p);
}

static void in_tx(sq_db *db, sq_peer *p, uc_call *c, uc_buf *out, uc_error *e)
{
    uc_reader r = c->args;
    uint64_t x;
    bool want = false, ok;

    if (c->op->num == UC_OP_tx_begin) {
        uc_fail(e, UC_TX_OPEN,
                "a sync transaction is open: nest with transaction() of the "
                "transaction object");
        return;
    }
    uc_lock(&db->wconn_mu);
    db->writer->sync = true;
    if (c->op->num == UC_OP_tx_end || c->op->num == UC_OP_snap_end) {
        ok = c->op->num == UC_OP_snap_end ||
             (uc_read_u64(&r, &x) && uc_read_bool(&r, &want));
        if (!ok)
            uc_fail(e, UC_FRAME, "tx_end takes [x, commit]");
        ok = sq_tx_finish(db, p->p.session, ok && want, e) && ok;
        db->writer->sync = false;
        uc_unlock(&db->wconn_mu);
        tx_forget(db, p);
        if (ok) {
            uc_reply_begin(out, c->id, UC_REPLY_VALUE, 3);
            uc_pack_nil(out);
        }
        return;
    }
    ok = sq_tx_call(db, c, out, e);
    db->writer->sync = false;
    uc_unlock(&db->wconn_mu);
    if (ok)
        e->code = NULL;
}

/* ---- reads ---- */

static bool read_now(sq_db *db, sq_peer *p, uc_call *c, uc_buf *out,
                     uc_error *e)
{
    sq_conn *conn = p->sync_conn;
    bool ok;

    if (sq_moved(db, false, e))
        return false;
    if (conn == NULL) {
        conn = p->sync_conn = sq_conn_open(db, SQ_SYNC, e);
        if (conn == NULL)
            return false;
        conn->sync = true;
    }
    if (conn->functions !=
        atomic_load_explicit(&db->sql.functions_version, memory_order_relaxed))
        sq_functions_install(db, conn);
    /* Async writes of the handle end the turn's snapshot as well. */
    if (p->turn_open &&
        (p->p.sync_now >= p->turn_until || p->turn_wseq != p->p.last_wseq ||
         p->turn_tx != p->p.ending_tx))
        turn_close(p);
    if (!p->turn_open && db->e.opt.snapshot_turn_ms > 0) {
        int rc;

        sq_conn_wait(conn, 0);
        rc = sq_step_once(conn->begin);
        if (rc != SQLITE_OK)
            return sq_fail(conn, rc, e);
        p->turn_open = true;
        p->turn_wseq = p->p.last_wseq;
        p->turn_tx = p->p.ending_tx;
        p->turn_until = p->p.sync_now + db->e.opt.snapshot_turn_ms * UC_MS;
    }
    sq_conn_enter(conn, c, c->deadline);
    ok = sq_read_call(conn, c, out, e);
    sq_conn_leave(conn);
    return ok;
}

static bool on_pin(sq_db *db, uc_call *c, uc_buf *out, uc_error *e)
{
    uc_lease *l;
    sq_pin *pin;
    bool free_now;

    uc_lock(&db->e.mu);
    l = uc__lease_of(&db->e, c, e);
    free_now = l != NULL && !l->busy;
    if (free_now)
        l->busy = true;
    uc_unlock(&db->e.mu);
    if (l == NULL)
        return false;
    if (!free_now)
        return uc_fail(e, UC_BUSY, "an async call is under way on this cursor");
    c->lease = l;
    pin = sq_pin_of(c);
    if (pin->conn != NULL)
        pin->conn->sync = true;
    return sq_pin_call(db, pin, c, out, e);
}

/* Anything but a plain read. */
static void general(sq_db *db, sq_peer *p, uc_call *c, uc_buf *out, uc_error *e)
{
    uc_class cls = UC_CLASS_UNKNOWN;

    if (c->once.p != NULL && !uc__once_allowed(c, cls, e))
        return;
    if (c->repeat) {
        /* What is new may be a write. */
        if (c->stmt != NULL)
            cls = (uc_class)atomic_load(&c->stmt->cls);
        if (!uc__may_repeat(c, cls == UC_CLASS_UNKNOWN ? UC_CLASS_WRITE : cls,
                            e))
            return;
    }
    if (p->sync_tx != 0 && c->op->num != UC_OP_cursor_next &&
        c->op->num != UC_OP_cursor_close) {
        in_tx(db, p, c, out, e);
        return;
    }
    /* The pages of a cursor in the transaction are there already. */
    if ((c->tx != 0 && c->tx != p->sync_tx) || c->op->num == UC_OP_tx_end ||
        c->op->num == UC_OP_savepoint) {
        uc_fail(e, UC_TX_CLOSED, "the transaction has ended");
        return;
    }
    if (c->op->lane == UC_LANE_PIN || c->snap != 0) {
        on_pin(db, c, out, e);
        return;
    }
    if (c->stmt != NULL) {
        cls = (uc_class)atomic_load(&c->stmt->cls);
        if (cls == UC_CLASS_UNKNOWN && !class_here(db, c, &cls, e))
            return;
        if (c->once.p != NULL && !uc__once_allowed(c, cls, e))
            return;
    }
    if (!db->memory &&
        (c->op->lane == UC_LANE_READ ||
         (c->op->lane == UC_LANE_STMT && cls == UC_CLASS_READ))) {
        if (uc__writes_pending(&p->p) && !acquire(db, p, false, c->deadline, e))
            return;
        if (c->op->num == UC_OP_cursor_open)
            sq_cursor_open(db, c, NULL, out, e);
        else
            read_now(db, p, c, out, e);
        return;
    }
    if (c->op->num == UC_OP_health) {
        sq_health(db, NULL, c->id, out);
        return;
    }
    if (p->p.readonly && cls != UC_CLASS_READ_HERE) {
        uc_fail(e, UC_SQL_READONLY,
                "this handle was opened with readonly: true");
        return;
    }
    if (c->op->num == UC_OP_tx_begin || c->op->num == UC_OP_snap_begin) {
        tx_begin(db, p, c, out, e);
        return;
    }
    if (!acquire(db, p, true, c->deadline, e))
        return;
    turn_close(p);
    uc_lock(&db->wconn_mu);
    db->writer->sync = true;
    sq_write_one(db, c, out);
    db->writer->sync = false;
    uc_unlock(&db->wconn_mu);
    give_up(db);
}

void sq_sync(uc_peer *peer, uc_call *c, uc_buf *out, uc_error *e)
{
    sq_peer *p = (sq_peer *)peer;
    sq_db *db = sq_db_of(peer->engine);
    bool fast = c->op->lane == UC_LANE_STMT && p->sync_tx == 0 && c->tx == 0 &&
                c->snap == 0 && c->once.p == NULL && !db->memory &&
                c->op->num != UC_OP_cursor_open &&
                atomic_load_explicit(&c->stmt->cls, memory_order_relaxed) ==
                    UC_CLASS_READ &&
                !uc__writes_pending(&p->p);

    if (fast)
        read_now(db, p, c, out, e);
    else
        general(db, p, c, out, e);
}

void sq_sync_release(sq_peer *p)
{
    sq_db *db = sq_db_of(p->p.engine);

    if (p->sync_tx != 0) {
        uc_error e = {0};

        uc_lock(&db->wconn_mu);
        sq_tx_finish(db, p->p.session, false, &e);
        uc_unlock(&db->wconn_mu);
        tx_forget(db, p);
    }
    if (p->sync_conn != NULL) {
        turn_close(p);
        sq_conn_close(p->sync_conn);
        p->sync_conn = NULL;
    }
}

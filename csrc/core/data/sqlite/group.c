#include <stdio.h>
#include <string.h>
#include <time.h>

#include "data/sqlite/db.h"
#include "data/sqlite/errcode.h"
#include "data/sqlite/group.h"
#include "data/sqlite/pragma.h"

/* Group commit: several units of writing in one transaction. */

static void put_error(sq_group *g, uint32_t i, const uc_error *e)
{
    sq_item *it = &g->items[i];

    it->failed = true;
    it->at = uc__reply_open(&g->bad);
    uc__reply_failure(&g->bad, it->call, e);
    uc__call_close(it->call, &g->bad, it->at);
    it->len = g->bad.len - it->at;
}

static bool deferred_violation(sq_conn *c)
{
    int now = 0, high;

    return sqlite3_db_status(c->h, SQLITE_DBSTATUS_DEFERRED_FKS, &now, &high,
                             0) == SQLITE_OK &&
           now > 0;
}

static void fk_error(uc_error *e)
{
    sq_error(e, SQLITE_CONSTRAINT_FOREIGNKEY);
    snprintf(e->message, sizeof e->message, "FOREIGN KEY constraint failed");
}

/* How long the group may wait for another process's lock. */
static int64_t lock_until(sq_db *db, const sq_group *g)
{
    int64_t until = uc_now() + db->e.opt.busy_ms * UC_MS;

    for (uint32_t i = 0; i < g->n; i++) {
        int64_t d = g->items[i].call->deadline;

        if (!g->items[i].failed && d != 0 && d < until)
            until = d;
    }
    return until;
}

/* BEGIN IMMEDIATE; those whose deadline passes meanwhile leave the group. */
static bool begin(sq_db *db, sq_group *g)
{
    sq_conn *c = db->writer;
    int rc;

    for (;;) {
        int64_t patience = uc_now() + db->e.opt.busy_ms * UC_MS;
        bool left = false;
        uc_error e = {0};

        sq_conn_wait(c, lock_until(db, g));
        rc = sq_step_once(c->begin_now);
        if (rc == SQLITE_OK && db->sql.defer_fks)
            sq_exec_text(c, "pragma defer_foreign_keys=on");
        if (rc == SQLITE_OK)
            return true;
        sq_fail(c, rc, &e);
        e.outcome = "not-run";
        for (uint32_t i = 0; i < g->n; i++) {
            uc_error over = {0};

            if (g->items[i].failed)
                continue;
            if (uc__call_over(g->items[i].call, &over))
                put_error(g, i, &over);
            else if ((rc & 0xff) == SQLITE_BUSY && uc_now() < patience &&
                     !atomic_load(&db->e.quit))
                left = true;
            else
                put_error(g, i, &e);
        }
        if (!left)
            return false;
    }
}

/* Whether a failure undoes all of it. */
static bool is_bracketed(const uc_call *call)
{
    return call->op->num == UC_OP_many || call->op->num == UC_OP_batch ||
           call->op->num == UC_OP_exec || call->op->num == UC_OP_request ||
           call->once.p != NULL;
}

/*
 * Runs the items in one transaction. An item that fails is undone alone; one
 * that takes the transaction with it (OR ROLLBACK, RAISE(ROLLBACK), a full
 * disk, an interrupt in a write, a deferred foreign key) is excluded and the
 * others are run again: nothing of the group has been acknowledged yet.
 */
static bool attempt(sq_db *db, sq_group *g, bool *again)
{
    sq_conn *c = db->writer;
    int64_t start = uc_now();
    uint64_t rows = 0;
    bool any = false;

    *again = false;
    uc_buf_rewind(&g->good, 0);
    sq_touch_clear(db);
    if (!begin(db, g))
        return false;
    for (uint32_t i = 0; i < g->n; i++) {
        sq_item *it = &g->items[i];
        uc_call *call = it->call;
        uc_error e;
        int64_t changes = sqlite3_total_changes64(c->h);
        sq_touch_mark mark = sq_touch_at(db);
        bool ok;

        uc_error_init(&e);
        if (it->failed)
            continue;
        it->at = uc__reply_open(&g->good);
        atomic_store(&call->state, UC_CALL_RUNNING);
        sq_conn_enter(c, call, call->deadline);
        ok = !uc__call_over(call, &e) &&
             (call->once.p != NULL ? sq_once_unit : sq_unit)(c, call, &g->good,
                                                             &e);
        sq_conn_leave(c);
        if (ok && deferred_violation(c)) {
            fk_error(&e);
            sq_step_once(c->rollback);
            ok = false;
        }
        sq_defer_end(c);
        if (!ok) {
            uc_buf_rewind(&g->good, it->at);
            put_error(g, i, &e);
            if (is_bracketed(call))
                sq_touch_undo(db, mark);
            /* OR FAIL keeps the rows before the one that failed. */
            if (sqlite3_total_changes64(c->h) != changes)
                any = true;
            if (sqlite3_get_autocommit(c->h) != 0) {
                *again = true;
                return false;
            }
            continue;
        }
        if (call->id == 0)
            uc_buf_rewind(&g->good, it->at);
        else
            uc__call_close(call, &g->good, it->at);
        it->len = g->good.len - it->at;
        atomic_store(&call->state, UC_CALL_RAN);
        any = true;
        rows += (uint64_t)(sqlite3_total_changes64(c->h) - changes);
        if (i + 1 < g->n && g->may_cut &&
            (rows >= (uint64_t)db->e.opt.group_rows ||
             uc_now() - start >= db->e.opt.group_ms * UC_MS)) {
            g->cut = i + 1;
            break;
        }
    }
    return any;
}

/* The session whose group it is, NULL: it is several sessions'. */
static const uc_session *writer_of(const sq_group *g)
{
    const uc_session *s = g->items[0].call->session;

    for (uint32_t i = 1; i < g->cut; i++) {
        if (g->items[i].call->session != s)
            return NULL;
    }
    return s;
}

static void commit(sq_db *db, sq_group *g)
{
    sq_conn *c = db->writer;
    uc_error e = {0};
    int rc;

    sq_conn_wait(c, 0);
    rc = sq_step_once(c->commit);
    if (rc == SQLITE_OK) {
        sq_touch_commit(db, writer_of(g));
        return;
    }
    sq_fail(c, rc, &e);
    if (sqlite3_get_autocommit(c->h) == 0)
        sq_step_once(c->rollback);
    e.outcome = sq_commit_outcome(rc);
    uc_buf_rewind(&g->good, 0);
    for (uint32_t i = 0; i < g->cut; i++) {
        if (!g->items[i].failed)
            put_error(g, i, &e);
    }
}

void sq_group_run(sq_db *db, sq_group *g)
{
    bool again;

    g->cut = g->n;
    /* A savepoint makes SQLite keep every page it touches: not for one. */
    db->writer->whole = g->n == 1;
    for (unsigned tries = 0;; tries++) {
        if (attempt(db, g, &again)) {
            commit(db, g);
            break;
        }
        if (!again) {
            if (sqlite3_get_autocommit(db->writer->h) == 0)
                sq_step_once(db->writer->rollback);
            break;
        }
        atomic_fetch_add(&db->replays, 1);
        g->cut = g->n;
    }
    db->writer->whole = false;
    atomic_fetch_add(&db->groups, 1);
    atomic_fetch_add(&db->grouped, g->cut);
}

void sq_group_init(sq_group *g)
{
    g->n = 0; /* the items are written before they are read */
    g->cut = 0;
    g->may_cut = false;
    uc_buf_init(&g->good, SIZE_MAX);
    uc_buf_init(&g->bad, SIZE_MAX);
}

void sq_group_fini(sq_group *g)
{
    uc_buf_fini(&g->good);
    uc_buf_fini(&g->bad);
}

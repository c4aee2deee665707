#include <stdio.h>
#include <string.h>
#include <time.h>

#include "data/sqlite/db.h"
#include "data/sqlite/group.h"
#include "wire/writer.h"

/*
 * Units of writing: what is undone as a whole when it fails. A single
 * statement is undone by SQLite itself; several need a savepoint.
 */

static bool step(sq_conn *c, sqlite3_stmt *stmt, uc_error *e)
{
    int rc = c->whole ? SQLITE_OK : sq_step_once(stmt);

    return rc == SQLITE_OK || sq_fail(c, rc, e);
}

bool sq_bracket(sq_conn *c, uc_error *e)
{
    return step(c, c->savepoint, e);
}

/* After an error that has ended the transaction there is nothing left to roll
 * back. */
bool sq_bracket_end(sq_conn *c, bool ok, uc_error *e)
{
    if (ok)
        return step(c, c->release, e);
    if (sqlite3_get_autocommit(c->h) != 0)
        return false;
    if (c->whole) {
        sq_step_once(c->rollback);
    } else {
        sq_step_once(c->rollback_to);
        sq_step_once(c->release);
    }
    return false;
}

/* "row 17: " in front of the message. */
static void prefix(uc_error *e, const char *what, uint64_t n)
{
    char head[40];
    size_t k = (size_t)snprintf(head, sizeof head, "%s %llu: ", what,
                                (unsigned long long)n);
    size_t keep = strnlen(e->message, sizeof e->message - 1 - k);

    memmove(e->message + k, e->message, keep);
    e->index = (int64_t)n;
    memcpy(e->message, head, k);
    e->message[k + keep] = '\0';
}

static bool each_row(sq_conn *c, sq_slot *slot, uc_reader *r, uint32_t n,
                     uint64_t first, sq_run *sum, uc_error *e)
{
    for (uint32_t i = 0; i < n; i++) {
        int64_t before = sqlite3_total_changes64(c->h);
        bool ok = sq_bind(slot->stmt, slot->nparams, r, e);
        int rc = SQLITE_DONE;

        if (ok) {
            do
                rc = sqlite3_step(slot->stmt);
            while (rc == SQLITE_ROW);
            if (rc != SQLITE_DONE)
                ok = sq_fail(c, rc, e);
            sqlite3_reset(slot->stmt);
        }
        if (!ok) {
            prefix(e, "row", first + i);
            return false;
        }
        if (sqlite3_total_changes64(c->h) != before)
            sum->changes += sqlite3_changes64(c->h);
    }
    return true;
}

bool sq_many_rows(sq_conn *c, uc_stmt *sql, uc_reader *r, uint64_t first,
                  sq_run *sum, uc_error *e)
{
    sq_slot *slot = sq_slot_get(c, sql, e);
    int64_t start = uc_now(), before = sqlite3_total_changes64(c->h);
    unsigned traits = atomic_load(&sql->traits);
    int64_t rowid;
    uint32_t n;
    bool ok;

    if (slot == NULL)
        return false;
    if (!uc_read_array(r, &n))
        return uc_fail(e, UC_FRAME, "many takes an array of rows");
    if (!slot->readonly)
        sq_notes_on(c, sql, slot);
    rowid = sq_rowid_begin(c, traits);
    ok = each_row(c, slot, r, n, first, sum, e);
    rowid = sq_rowid_end(c, traits, rowid,
                         ok && sqlite3_total_changes64(c->h) != before);
    if (!slot->readonly)
        sq_notes_off(c, slot, ok, before);
    if (!ok) {
        sq_stat_add(slot, sql, uc_now() - start, 0, false, 1);
        return false;
    }
    sum->rows += n;
    if (rowid != 0)
        sum->rowid = rowid;
    if (n > 0) /* the histogram holds the mean of a row */
        sq_stat_add(slot, sql, (uc_now() - start) / n, 0, true, n);
    return true;
}

static bool many(sq_conn *c, uc_call *call, uc_buf *out, uc_error *e)
{
    uc_reader r = call->args;
    sq_run sum = {0};
    uc_value token;
    bool more, own, ok;

    if (!uc_read(&r, &token) || !uc_read_bool(&r, &more))
        return uc_fail(e, UC_FRAME, "many takes [sid, token, more, rows]");
    if (!sq_bracket(c, e))
        return false;
    own = sq_own_begin(c);
    ok = sq_many_rows(c, call->stmt, &r, 0, &sum, e);
    sq_own_end(c, own);
    if (!sq_bracket_end(c, ok, e))
        return false;
    sq_reply_run(out, call->id, &sum);
    sq_note_rows(call, &sum);
    return true;
}

/* [[statement, params], ...] */
/* One of a batch: what returns columns answers with rows. */
static bool part(sq_conn *c, uc_stmt *s, uc_reader *params, uc_buf *out,
                 uc_error *e)
{
    sq_slot *slot;
    sq_run done;

    if (atomic_load(&s->cls) == UC_CLASS_UNKNOWN && !sq_classify(c, s, e))
        return false;
    if (atomic_load(&s->cls) == UC_CLASS_ALONE)
        return uc_fail(e, UC_SQL_TRANSACTION,
                       "this statement cannot be part of a batch");
    slot = sq_slot_get(c, s, e);
    return slot != NULL &&
           sq_execute(c, s, 0, 0, params,
                      slot->ncols > 0 ? SQ_MODE_ALL : SQ_MODE_RUN, out, &done,
                      e);
}

/* [[statement, params], ...]; the statements have been looked up. */
static bool batch(sq_conn *c, uc_call *call, uc_buf *out, uc_error *e)
{
    const uc_parts *parts = call->parts;
    uc_reader r = call->args;
    uint32_t n, two;
    bool ok = true, own;

    if (!sq_bracket(c, e))
        return false;
    own = sq_own_begin(c);
    uc_read_array(&r, &n);
    uc_reply_begin(out, call->id, UC_REPLY_MULTI, 3);
    uc_pack_array(out, parts->n);
    for (uint32_t i = 0; ok && i < parts->n; i++) {
        uc_reader params;

        uc_read_array(&r, &two);
        uc_read_skip(&r);
        params = r;
        uc_read_skip(&r);
        ok = part(c, parts->sql[i], &params, out, e);
        if (!ok)
            prefix(e, "statement", i);
    }
    sq_own_end(c, own);
    return sq_bracket_end(c, ok, e);
}

/* A write that answers with rows may fail for its reply's size when it has
 * written already: that takes a savepoint to undo. */
static bool statement(sq_conn *c, uc_call *call, uint32_t shape, uc_reader *r,
                      uc_buf *out, uc_error *e)
{
    sq_slot *slot = sq_slot_get(c, call->stmt, e);
    sq_run done;
    bool rows;

    if (slot == NULL)
        return false;
    rows = slot->ncols > 0 && !slot->readonly && call->op->num != UC_OP_run;
    if (rows && !sq_bracket(c, e))
        return false;
    if (!sq_execute(c, call->stmt, call->id, shape, r, sq_mode_of(call), out,
                    &done, e))
        return rows ? sq_bracket_end(c, false, e) : false;
    sq_note_rows(call, &done);
    return rows ? sq_bracket_end(c, true, e) : true;
}

/* Its statement is its own, and so are the notes. */
static bool cursor(sq_conn *c, uc_call *call, uc_buf *out, uc_error *e)
{
    int64_t before = sqlite3_total_changes64(c->h);
    sq_notes *notes = sq_notes_new();
    bool ok;

    if (notes == NULL)
        return uc_fail(e, UC_MEMORY, "no memory for a cursor");
    c->notes = notes;
    ok = sq_cursor_open(c->db, call, c, out, e);
    c->notes = NULL;
    if (sqlite3_total_changes64(c->h) != before)
        sq_touch(c->db, notes);
    sq_notes_free(notes);
    return ok;
}

bool sq_unit(sq_conn *c, uc_call *call, uc_buf *out, uc_error *e)
{
    uc_reader r = call->args;
    uint32_t shape;

    switch (call->op->num) {
    case UC_OP_many:
        return many(c, call, out, e);
    case UC_OP_batch:
        return batch(c, call, out, e);
    case UC_OP_exec:
        return sq_exec(c, call, true, out, e);
    case UC_OP_health:
        sq_health(c->db, c, call->id, out);
        return true;
    case UC_OP_cursor_open:
        return cursor(c, call, out, e);
    case UC_OP_get:
    case UC_OP_all:
    case UC_OP_run:
    case UC_OP_json:
        if (!uc_read_u32(&r, &shape))
            return uc_fail(e, UC_FRAME, "%s takes a shape", call->op->name);
        return statement(c, call, shape, &r, out, e);
    default:
        return uc_fail(e, UC_FRAME,
                       "operation %s cannot run in a "
                       "transaction",
                       call->op->name);
    }
}

/* ---- group commit ---- */

static void put_error(sq_group *g, uint32_t i, const uc_error *e)
{
    sq_item *it = &g->items[i];

    it->failed = true;
    it->at = uc__reply_open(&g->bad);
    uc_reply_error(&g->bad, it->call->id, e);
    uc__reply_close(&g->bad, it->at, it->call->id);
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
    memset(e, 0, sizeof *e);
    e->code = "SQLITE_CONSTRAINT_FOREIGNKEY";
    e->kind = "foreign-key";
    e->native = SQLITE_CONSTRAINT_FOREIGNKEY;
    e->offset = -1;
    e->index = -1;
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
        if (rc == SQLITE_OK && db->defer_fks)
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
           call->op->num == UC_OP_exec || call->once.p != NULL;
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
    sq_board_clear(db);
    if (!begin(db, g))
        return false;
    for (uint32_t i = 0; i < g->n; i++) {
        sq_item *it = &g->items[i];
        uc_call *call = it->call;
        uc_error e;
        int64_t changes = sqlite3_total_changes64(c->h);
        sq_board_mark mark = sq_board_at(db);
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
                sq_board_undo(db, mark);
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
            uc__reply_close(&g->good, it->at, call->id);
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
        sq_board_commit(db, writer_of(g));
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

#include <stdio.h>
#include <string.h>

#include "data/sqlite/db.h"
#include "data/sqlite/pin.h"
#include "data/sqlite/stats.h"
#include "wire/writer.h"

/*
 * Units of writing: what is undone as a whole when it fails. A single
 * statement is undone by SQLite itself; several need a savepoint.
 */

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
    case UC_OP_request:
        return uc__routed_writes(call) ? sq_answer_write(c, call, out, e)
                                       : sq_answer_read(c, call, out, e);
    case UC_OP_routes_load:
        return sq_routes_load(c, call, out, e);
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
    case UC_OP_copy_open:
    case UC_OP_copy_put:
    case UC_OP_copy_get:
    case UC_OP_copy_end:
        uc_fail(e, UC_NOT_HERE,
                "COPY is PostgreSQL's, and not there on SQLite");
        e->outcome = "not-run";
        return false;
    default:
        return uc_fail(e, UC_FRAME,
                       "operation %s cannot run in a "
                       "transaction",
                       call->op->name);
    }
}

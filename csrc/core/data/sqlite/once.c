#include <string.h>

#include "data/sqlite/db.h"

/*
 * Writes with a key: a client that lost its connection sends the write again
 * with the same key, and it is applied once. The key, a hash of the request
 * and the reply are a row of _undercroft_once, stored by the transaction of
 * the write itself: either both are there after a crash, or neither. The hash
 * tells the repetition from another write under a key that was used by
 * mistake; it is taken over values, not over their encoding, so that two
 * clients that pack differently agree.
 *
 * Rows end after once_ttl_ms. Since their ids grow with time, a sweep looks at
 * the SWEEP_ROWS oldest only: each insertion of SWEEP_EVERY pays for that.
 */
enum { SWEEP_EVERY = 64, SWEEP_ROWS = 128 };

enum { TABLE, FIND, KEEP, SWEEP };

static const char *const texts[SQ_ONCE_STMTS] = {
    [TABLE] = "create table if not exists main._undercroft_once("
              "id integer primary key, key blob not null unique, "
              "request blob not null, answer blob not null, "
              "expires integer not null)",
    [FIND] = "select request, answer from main._undercroft_once "
             "where key = ?1 and expires > ?2",
    [KEEP] = "insert or replace into main._undercroft_once"
             "(key, request, answer, expires) values (?1, ?2, ?3, ?4)",
    [SWEEP] = "delete from main._undercroft_once where id in "
              "(select id from main._undercroft_once order by id limit ?1) "
              "and expires <= ?2",
};

/* ---- the table ---- */

/* NULL with *e. */
static sqlite3_stmt *statement(sq_conn *c, unsigned i, uc_error *e)
{
    int rc;

    if (c->once[i] != NULL)
        return c->once[i];
    rc = sqlite3_prepare_v3(c->h, texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                            &c->once[i], NULL);
    if (rc != SQLITE_OK)
        sq_fail(c, rc, e);
    return c->once[i];
}

static bool run(sq_conn *c, sqlite3_stmt *stmt, uc_error *e)
{
    int rc = sq_step_once(stmt);

    sqlite3_clear_bindings(stmt);
    return rc == SQLITE_OK || sq_fail(c, rc, e);
}

/* What is known of the key. The table may have been dropped, or its making
 * rolled back, since the last time: where it is there this does nothing. */
static bool look_up(sq_conn *c, sq_once *o, uc_error *e)
{
    sqlite3_stmt *stmt;
    int rc;

    o->known = false;
    stmt = statement(c, TABLE, e);
    if (stmt == NULL || !run(c, stmt, e))
        return false;
    stmt = statement(c, FIND, e);
    if (stmt == NULL)
        return false;
    sqlite3_bind_blob(stmt, 1, o->key, (int)o->len, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 2, uc_wall_ms());
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        const void *hash = sqlite3_column_blob(stmt, 0);
        const void *answer = sqlite3_column_blob(stmt, 1);
        size_t n = (size_t)sqlite3_column_bytes(stmt, 1);

        o->known = true;
        o->first = 0;
        if (hash != NULL && sqlite3_column_bytes(stmt, 0) == sizeof o->first)
            memcpy(&o->first, hash, sizeof o->first);
        uc_buf_rewind(&o->answer, 0);
        if (answer != NULL)
            uc_buf_put(&o->answer, answer, n);
        rc = SQLITE_DONE;
    }
    sqlite3_reset(stmt);
    sqlite3_clear_bindings(stmt);
    if (rc != SQLITE_DONE)
        return sq_fail(c, rc, e);
    return !o->answer.failed ||
           uc_fail(e, UC_MEMORY, "no memory for the answer of a once-key");
}

static bool sweep(sq_conn *c, uc_error *e)
{
    sqlite3_stmt *stmt;

    if (c->once_kept++ % SWEEP_EVERY != 0)
        return true;
    stmt = statement(c, SWEEP, e);
    if (stmt == NULL)
        return false;
    sqlite3_bind_int(stmt, 1, SWEEP_ROWS);
    sqlite3_bind_int64(stmt, 2, uc_wall_ms());
    return run(c, stmt, e);
}

/* The reply is stored as the frame it is; its id is written anew with each
 * repetition. */
static bool keep(sq_conn *c, const sq_once *o, const uc_buf *out, size_t at,
                 uc_error *e)
{
    int64_t rowid = sqlite3_last_insert_rowid(c->h);
    sqlite3_stmt *stmt;

    if (out->failed)
        return uc_fail(e, UC_MEMORY, "no memory for the reply");
    if (!uc__once_fits(out->len - at, e))
        return false;
    if (!sweep(c, e))
        return false;
    stmt = statement(c, KEEP, e);
    if (stmt == NULL)
        return false;
    sqlite3_bind_blob(stmt, 1, o->key, (int)o->len, SQLITE_STATIC);
    sqlite3_bind_blob(stmt, 2, &o->hash.sum, sizeof o->hash.sum, SQLITE_STATIC);
    sqlite3_bind_blob64(stmt, 3, out->p + at, out->len - at, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 4, uc_wall_ms() + c->db->e.opt.once_ttl_ms);
    if (!run(c, stmt, e))
        return false;
    /* What last_insert_rowid() says next is the user's row. */
    sqlite3_set_last_insert_rowid(c->h, rowid);
    return true;
}

/* The answer of the first time. */
static bool repeat(const sq_once *o, const uc_call *call, uc_buf *out,
                   uc_error *e)
{
    if (o->hash.sum != o->first)
        return uc__once_conflict(o->key, o->len, e);
    return uc__once_repeat((uc_view){o->answer.p, o->answer.len}, call, out, e);
}

/* ---- calls ---- */

bool sq_once_begin(sq_conn *c, sq_once *o, uc_call *call, uc_error *e)
{
    o->len = (uint32_t)call->once.len;
    memcpy(o->key, call->once.p, o->len);
    o->open = true;
    uc__once_hash_begin(&o->hash, call);
    if (o->answer.max == 0)
        uc_buf_init(&o->answer, SIZE_MAX);
    return look_up(c, o, e);
}

bool sq_once_end(sq_conn *c, sq_once *o, uc_call *call, uc_buf *out, size_t at,
                 uc_error *e)
{
    o->open = false;
    return o->known ? repeat(o, call, out, e) : keep(c, o, out, at, e);
}

bool sq_once_unit(sq_conn *c, uc_call *call, uc_buf *out, uc_error *e)
{
    size_t at = out->len;
    sq_once o = {.open = false};
    bool ok;

    e->code = NULL;
    if (!sq_once_begin(c, &o, call, e) ||
        !uc__once_hash_request(&o.hash, call, e)) {
        ok = false;
    } else if (o.known) {
        ok = sq_once_end(c, &o, call, out, at, e);
    } else {
        /* A failure leaves nothing, not even the rows of OR FAIL: otherwise
         * the repetition would add to them. */
        ok = sq_bracket(c, e);
        if (ok)
            ok = sq_bracket_end(c,
                                sq_unit(c, call, out, e) &&
                                    sq_once_end(c, &o, call, out, at, e),
                                e);
    }
    sq_once_fini(&o);
    return ok;
}

void sq_once_fini(sq_once *o)
{
    uc_buf_fini(&o->answer);
}

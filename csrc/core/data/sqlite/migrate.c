#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "data/sqlite/db.h"
#include "wire/writer.h"

/*
 * One migration: the file's statements and the record of it in one
 * transaction. Migrations rebuild tables (sqlite.org/lang_altertable.html
 * section 7): foreign keys are off meanwhile, since dropping the old table
 * would delete its children by cascade, and the pragma has no effect inside a
 * transaction; foreign_key_check looks for what was broken before the commit.
 */

static bool do_text(sq_conn *c, const char *sql, uc_error *e)
{
    int rc = sq_exec_text(c, sql);

    if (rc == SQLITE_OK)
        return true;
    sq_fail(c, rc, e);
    e->offset = -1; /* which is for the file's text */
    return false;
}

static bool record(sq_conn *c, int64_t version, uc_view name, uc_view sum,
                   int64_t ms, uc_error *e)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(
        c->h,
        "insert into undercroft_migration(version, name, checksum, "
        "applied_at, ms) values (?, ?, ?, "
        "strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), ?)",
        -1, &stmt, NULL);

    if (rc == SQLITE_OK) {
        sqlite3_bind_int64(stmt, 1, version);
        sqlite3_bind_text64(stmt, 2, (const char *)name.p, name.len,
                            SQLITE_STATIC, SQLITE_UTF8);
        sqlite3_bind_text64(stmt, 3, (const char *)sum.p, sum.len,
                            SQLITE_STATIC, SQLITE_UTF8);
        sqlite3_bind_int64(stmt, 4, ms);
        sqlite3_step(stmt);
        rc = sqlite3_reset(stmt);
        if (rc != SQLITE_OK)
            sq_fail(c, rc, e);
    } else {
        sq_fail(c, rc, e);
    }
    sqlite3_finalize(stmt);
    if (rc != SQLITE_OK)
        e->offset = -1; /* which is for the file's text */
    return rc == SQLITE_OK;
}

static bool keys_hold(sq_conn *c, uc_error *e)
{
    sqlite3_stmt *stmt = NULL;
    bool ok = true;

    if (sqlite3_prepare_v2(c->h, "pragma foreign_key_check", -1, &stmt, NULL) !=
        SQLITE_OK)
        return sq_fail(c, sqlite3_extended_errcode(c->h), e);
    if (sqlite3_step(stmt) == SQLITE_ROW) {
        ok = uc_fail(e, UC_MIGRATION_FILE,
                     "the migration leaves a row of %s (rowid %lld) that "
                     "points to nothing in %s",
                     (const char *)sqlite3_column_text(stmt, 0),
                     (long long)sqlite3_column_int64(stmt, 1),
                     (const char *)sqlite3_column_text(stmt, 2));
    }
    sqlite3_finalize(stmt);
    return ok;
}

bool sq_migrate(sq_conn *c, uc_call *call, uc_buf *out, uc_error *e)
{
    static const char table[] =
        "create table if not exists undercroft_migration("
        "version integer primary key, name text not null, checksum text not "
        "null, applied_at text not null, ms integer not null)";
    uc_reader r = call->args;
    int64_t start = uc_now();
    uc_view name, sum, sql;
    uint64_t version;
    bool alone, ok;
    char *text;
    sq_run done;

    if (!uc_read_u64(&r, &version) || !uc_read_str(&r, &name) ||
        !uc_read_str(&r, &sum) || !uc_read_str(&r, &sql) ||
        !uc_read_bool(&r, &alone))
        return uc_fail(e, UC_FRAME,
                       "migrate_apply takes [version, name, "
                       "checksum, sql, no_transaction]");
    text = sq_text_copy(sql, e);
    if (text == NULL)
        return false;
    sq_conn_wait(c, uc_now() + c->db->e.opt.busy_ms * UC_MS);
    if (alone) {
        ok = do_text(c, table, e) &&
             sq_script(c, text, sql.len, SQ_SCRIPT_EACH, &done, e) &&
             record(c, (int64_t)version, name, sum, (uc_now() - start) / UC_MS,
                    e);
    } else {
        ok = do_text(c, "pragma foreign_keys=off", e) &&
             do_text(c, "begin immediate", e);
        if (ok) {
            /* The record first: a second process that applies the same file
             * stops here, before it does anything. */
            ok = do_text(c, table, e) &&
                 record(c, (int64_t)version, name, sum, 0, e) &&
                 sq_script(c, text, sql.len, SQ_SCRIPT_FILE, &done, e) &&
                 keys_hold(c, e);
            if (ok) {
                char *ms = sqlite3_mprintf(
                    "update undercroft_migration set ms = %lld where "
                    "version = %lld",
                    (long long)((uc_now() - start) / UC_MS),
                    (long long)version);

                ok = ms != NULL && do_text(c, ms, e);
                sqlite3_free(ms);
            }
            ok = ok && do_text(c, "commit", e);
            if (!ok && sqlite3_get_autocommit(c->h) == 0)
                sq_step_once(c->rollback);
        }
        sq_exec_text(c, "pragma foreign_keys=on");
    }
    uc_free(text);
    if (ok) {
        uc_reply_begin(out, call->id, UC_REPLY_VALUE, 3);
        uc_pack_nil(out);
    }
    return ok;
}

#include <string.h>

#include "data/sqlite/db.h"

/*
 * db.exec(): any number of statements without parameters, as one unit. Each
 * is prepared when its turn comes, since it may need what the one before has
 * made, and goes through the same classification as any other text. A script
 * that is one whole BEGIN ... COMMIT means the same as without them.
 */

static bool is_one_of(const char *word, const char *a, const char *b)
{
    return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

/* Skips `BEGIN [DEFERRED|IMMEDIATE|EXCLUSIVE] [TRANSACTION] ;` */
static const char *past_begin(const char *sql, const char *end)
{
    char word[16];
    const char *p = sq_keyword(sql, end, word, sizeof word);

    if (strcmp(word, "BEGIN") != 0)
        return NULL;
    while (p < end && *p != ';')
        p++;
    return p < end ? p + 1 : end;
}

/* True when p is at `COMMIT|END [TRANSACTION] [;]` and nothing follows. */
static bool at_commit(const char *p, const char *end)
{
    char word[16];

    p = sq_keyword(p, end, word, sizeof word);
    if (!is_one_of(word, "COMMIT", "END"))
        return false;
    while (p < end && *p != ';')
        p++;
    return sq_skip_blank(p, end) == end;
}

static bool step(sq_conn *c, sqlite3_stmt *stmt, sq_run *done, uc_error *e)
{
    int64_t before = sqlite3_total_changes64(c->h);
    int rc;

    if (sqlite3_bind_parameter_count(stmt) > 0)
        return uc_fail(e, UC_PARAM_COUNT,
                       "db.exec() takes no parameters: use db.run() or "
                       "db.batch()");
    do
        rc = sqlite3_step(stmt);
    while (rc == SQLITE_ROW);
    if (rc != SQLITE_DONE)
        return sq_fail(c, rc, e);
    if (sqlite3_total_changes64(c->h) != before)
        done->changes += sqlite3_changes64(c->h);
    done->rowid = sqlite3_last_insert_rowid(c->h);
    return true;
}

static bool run_all(sq_conn *c, const char *sql, size_t len, sq_run *done,
                    uc_error *e)
{
    const char *end = sql + len, *p = sql, *body = past_begin(sql, end);
    bool whole = body != NULL, committed = false, any = false;
    bool inside = sqlite3_get_autocommit(c->h) == 0;

    *done = (sq_run){0};
    if (whole)
        p = body;
    while ((p = sq_skip_blank(p, end)) < end) {
        sqlite3_stmt *stmt;
        const char *tail;
        sq_class cls = SQ_UNKNOWN;
        bool ok, temp;

        if (whole && at_commit(p, end)) {
            committed = true;
            break;
        }
        ok = sq_class_of(c, p, (size_t)(end - p), &tail, &stmt, &cls, &temp, e);
        if (ok && stmt != NULL) {
            if (cls == SQ_ALONE && (any || inside))
                ok = uc_fail(e, UC_SQL_TRANSACTION,
                             "VACUUM and pragmas that act on the file cannot "
                             "be part of a script or a transaction: run them "
                             "on their own");
            else
                ok = step(c, stmt, done, e);
            if (ok && temp)
                sq_classes_reset(c->db);
            any = true;
        }
        sqlite3_finalize(stmt);
        if (!ok)
            return false;
        p = tail;
    }
    if (whole && !committed)
        return uc_fail(e, UC_SQL_TRANSACTION,
                       "the script begins a transaction and does not end it "
                       "with COMMIT");
    return true;
}

/* Which of its statements changed something is not asked: the tables of all of
 * them count. */
bool sq_script(sq_conn *c, const char *sql, size_t len, sq_run *done,
               uc_error *e)
{
    int64_t before = sqlite3_total_changes64(c->h);
    sq_notes *notes = sq_notes_new();
    bool ok;

    if (notes == NULL)
        return uc_fail(e, UC_MEMORY, "no memory for the script");
    c->notes = notes;
    ok = run_all(c, sql, len, done, e);
    c->notes = NULL;
    if (sqlite3_total_changes64(c->h) != before || (ok && notes->all))
        sq_touch(c->db, notes);
    sq_notes_free(notes);
    return ok;
}

bool sq_script_alone(sq_conn *c, const char *sql, size_t len, uc_error *e)
{
    const char *end = sql + len, *tail;
    sqlite3_stmt *stmt;
    sq_class cls = SQ_UNKNOWN;
    char word[16];
    bool alone = false, temp;

    e->code = NULL;
    sq_keyword(sql, end, word, sizeof word);
    if (!is_one_of(word, "VACUUM", "PRAGMA"))
        return false;
    if (sq_class_of(c, sq_skip_blank(sql, end),
                    (size_t)(end - sq_skip_blank(sql, end)), &tail, &stmt, &cls,
                    &temp, e))
        alone = cls == SQ_ALONE && sq_skip_blank(tail, end) == end;
    sqlite3_finalize(stmt);
    return alone;
}

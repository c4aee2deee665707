#include <stdio.h>
#include <string.h>

#include "data/sqlite/db.h"
#include "data/sqlite/errcode.h"

/* What runs on a connection, how it fails, and what undoes it. */

void sq_conn_enter(sq_conn *c, uc_call *call, int64_t limit)
{
    sq_conn_wait(c, 0);
    atomic_store_explicit(&c->limit, limit, memory_order_relaxed);
    atomic_store_explicit(&c->cur, call, memory_order_release);
}

void sq_conn_leave(sq_conn *c)
{
    atomic_store_explicit(&c->cur, NULL, memory_order_release);
}

bool sq_defer_refused(uc_error *e)
{
    return uc_fail(
        e, UC_SQL_CONNECTION,
        "pragma defer_foreign_keys holds until the next commit: use "
        "it inside of db.transaction(fn), of a batch or of a script, "
        "or give it to open() as { pragmas: { defer_foreign_keys: "
        "true } } for all of them");
}

/* Another connection's lock is in the way. Says how long that was waited for,
 * which may be not at all: where waiting could be for ever, as when two both
 * want to go from reading to writing, SQLite asks no busy handler. */
static void say_locked(const sq_conn *c, uc_error *e)
{
    int ms = (int)c->db->e.opt.busy_ms;

    if (c->waited > 0)
        snprintf(e->message, sizeof e->message,
                 "another process holds the database's lock and has not given "
                 "it up in %lld ms (option busyTimeoutMs: %d)",
                 (long long)((c->waited + UC_MS - 1) / UC_MS), ms);
    else if (ms == 0)
        snprintf(e->message, sizeof e->message,
                 "another process holds the database's lock, and option "
                 "busyTimeoutMs is 0: nobody waits for it");
    else
        snprintf(e->message, sizeof e->message,
                 "another connection holds the database's lock, and this "
                 "statement cannot wait for it: try again");
}

/* "Attempt to write", where nobody wanted to write. */
static void say_readonly(const sq_conn *c, int rc, uc_error *e)
{
    if (rc == SQLITE_READONLY || rc == SQLITE_READONLY_DBMOVED)
        snprintf(e->message, sizeof e->message,
                 "this handle was opened with readonly: true");
    else
        snprintf(e->message, sizeof e->message,
                 "%.200s is a WAL database: to read it needs the files -wal "
                 "and -shm beside it, and this user cannot make them in the "
                 "directory (let somebody who may have it open, or copy it)",
                 c->db->e.target);
}

/* "UNIQUE constraint failed: person.name, person.age": the first of the
 * columns that SQLite names. A name with a dot or a comma in it is given up. */
static void name_column(uc_error *e)
{
    const char *p = strstr(e->message, " constraint failed: ");
    size_t n;

    if (p == NULL || (strncmp(e->message, "UNIQUE", 6) != 0 &&
                      strncmp(e->message, "NOT NULL", 8) != 0))
        return;
    p = strchr(p, '.');
    n = p != NULL ? strcspn(p + 1, ".,") : 0;
    if (n > 0 && n < sizeof e->column && p[1 + n] != '.') {
        memcpy(e->column, p + 1, n);
        e->column[n] = '\0';
    }
}

bool sq_fail(sq_conn *c, int rc, uc_error *e)
{
    uc_call *call = atomic_load(&c->cur);
    const char *message;

    /* A wait for a lock that ends early ends as busy. */
    if ((rc & 0xff) == SQLITE_INTERRUPT || (rc & 0xff) == SQLITE_BUSY) {
        int stop = call != NULL ? atomic_load(&call->stop) : UC_STOP_NONE;

        if (stop != UC_STOP_NONE) {
            uc__stopped(call, NULL, e);
            return false;
        }
        if (atomic_load(&c->quit) || atomic_load(&c->db->e.quit))
            return uc_fail(e, UC_CLOSED, "the store was destroyed");
    }
    if (rc == SQLITE_AUTH && c->ready) /* all else is judged before */
        return sq_defer_refused(e);
    if ((rc & 0xff) == SQLITE_NOMEM) {
        uc_fail(e, UC_MEMORY, "SQLite ran out of memory");
        e->native = rc;
        return false;
    }
    sq_error(e, rc);
    e->offset = sqlite3_error_offset(c->h);
    message =
        sqlite3_extended_errcode(c->h) == rc || sqlite3_errcode(c->h) == rc
            ? sqlite3_errmsg(c->h)
            : sqlite3_errstr(rc);
    snprintf(e->message, sizeof e->message, "%s", message);
    if ((rc & 0xff) == SQLITE_ERROR && e->offset < 0 &&
        strstr(message, "syntax error") == NULL &&
        strcmp(message, "incomplete input") != 0)
        e->kind = "sql"; /* an error of a function, say, at run time */
    if ((rc & 0xff) == SQLITE_ERROR &&
        (strncmp(message, "no such ", 8) == 0 ||
         strstr(message, "has no column named") != NULL)) {
        e->kind = "schema";
        if (strncmp(message, "no such function: ", 18) == 0 &&
            sq_function_known(c->db, message + 18, strlen(message + 18)))
            snprintf(e->message, sizeof e->message,
                     "%.100s is a user function: it runs on the sync API "
                     "only (db.sync)",
                     message + 18);
    }
    if ((rc & 0xff) == SQLITE_CONSTRAINT)
        name_column(e);
    if ((rc & 0xff) == SQLITE_READONLY && c->db->e.opt.readonly)
        say_readonly(c, rc, e);
    if ((rc & 0xff) == SQLITE_BUSY && rc != SQLITE_BUSY_SNAPSHOT)
        say_locked(c, e);
    return false;
}

int sq_step_once(sqlite3_stmt *stmt)
{
    int rc;

    sqlite3_step(stmt);
    rc = sqlite3_reset(stmt);
    return rc;
}

int sq_exec_text(sq_conn *c, const char *sql)
{
    bool ready = c->ready;
    int rc;

    c->ready = false; /* nobody judges the core */
    rc = sqlite3_exec(c->h, sql, NULL, NULL, NULL);
    c->ready = ready;
    return rc;
}

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

#include <string.h>

#include "data/sqlite/db.h"

/*
 * undercroft_schema(name) is the number of the schema of a database (main,
 * temp, an attached one), which every change of it raises.
 * undercroft_schema(name, number) is 1 while the number still is that, and an
 * error otherwise: a client that has built a statement from what it knows of
 * a table puts this among the conditions. SQLite computes it once, before the
 * first row is looked at, in the transaction that the statement runs in.
 */

static bool read_cookie(sq_conn *c, const char *name, int64_t *number)
{
    bool is_main = strcmp(name, "main") == 0;
    sqlite3_stmt *stmt = is_main ? c->cookie : NULL;
    /* What is prepared here is no part of the statement that asks. */
    sq_notes *notes = c->notes;
    sq_auth *auth = c->auth;
    bool ok = true;

    c->notes = NULL;
    c->auth = NULL;
    if (stmt == NULL) {
        char *sql = sqlite3_mprintf("pragma \"%w\".schema_version", name);

        ok = sql != NULL &&
             sqlite3_prepare_v3(c->h, sql, -1,
                                is_main ? SQLITE_PREPARE_PERSISTENT : 0, &stmt,
                                NULL) == SQLITE_OK;
        sqlite3_free(sql);
    }
    ok = ok && sqlite3_step(stmt) == SQLITE_ROW;
    if (ok)
        *number = sqlite3_column_int64(stmt, 0);
    if (is_main) {
        c->cookie = stmt;
        sqlite3_reset(stmt);
    } else {
        sqlite3_finalize(stmt);
    }
    c->notes = notes;
    c->auth = auth;
    return ok;
}

static void schema(sqlite3_context *ctx, int n, sqlite3_value **args)
{
    const char *name = (const char *)sqlite3_value_text(args[0]);
    int64_t number = 0;

    if (name == NULL)
        return;
    if (!read_cookie(sqlite3_user_data(ctx), name, &number)) {
        sqlite3_result_error(ctx, "the number of the schema cannot be read",
                             -1);
        return;
    }
    if (n == 1)
        sqlite3_result_int64(ctx, number);
    else if (number == sqlite3_value_int64(args[1]))
        sqlite3_result_int(ctx, 1);
    else /* SQLITE_SCHEMA would only make the step begin again */
        sqlite3_result_error(ctx, "the schema has changed since it was read",
                             -1);
}

int sq_cookie_install(sq_conn *c)
{
    static const int flags =
        SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY;
    int rc = SQLITE_OK;

    for (int n = 1; n <= 2 && rc == SQLITE_OK; n++)
        rc = sqlite3_create_function_v2(c->h, "undercroft_schema", n, flags, c,
                                        schema, NULL, NULL, NULL);
    return rc;
}

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/pg/errcode.h"
#include "data/pg/work.h"

/* What a server says, as an error of ours. */

static void text(char *to, size_t size, uc_view v)
{
    snprintf(to, size, "%.*s", (int)(v.len < size ? v.len : size - 1),
             v.p != NULL ? (const char *)v.p : "");
}

/* Whether a connection of ours was in the way and not the statement. */
void pg_error(uc_error *e, uc_view body)
{
    pg_said said;
    const char *code, *kind;
    bool retryable;

    if (!pg_msg_said(body, &said)) {
        pg_nonsense(e, "an error without a SQLSTATE");
        return;
    }
    code = pg_errcode(said.sqlstate, &kind, &retryable);
    uc_error_own(e, code, kind, retryable);
    text(e->sqlstate, sizeof e->sqlstate, said.sqlstate);
    text(e->message, sizeof e->message, said.message);
    text(e->table, sizeof e->table, said.table);
    text(e->column, sizeof e->column, said.column);
    text(e->constraint, sizeof e->constraint, said.constraint);
    text(e->detail, sizeof e->detail, said.detail);
    text(e->hint, sizeof e->hint, said.hint);
    if (said.position.len > 0) /* characters of the text, from 1 */
        e->offset = atoi((const char *)said.position.p) - 1;
}

bool pg_nonsense(uc_error *e, const char *what)
{
    return uc_fail(e, UC_CONNECTION_LOST,
                   "the server sent %s: the connection was given up", what);
}

void pg_lost_error(const pg_db *db, uc_error *e, const char *why)
{
    (void)db;
    uc_fail(e, UC_CONNECTION_LOST, "the connection to the database is gone: %s",
            why);
}

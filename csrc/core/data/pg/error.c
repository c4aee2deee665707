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
    /* A character of what was sent, from 1: pg_place makes a byte of it. */
    if (said.position.len > 0)
        e->offset = (int)strtol((const char *)said.position.p, NULL, 10);
}

/* The statement of several that it is about. */
static const uc_stmt *stmt_at(const pg_flight *f)
{
    const uc_call *call = f->call;
    uint32_t i = f->parts - f->left;

    if (f->mode != PG_MODE_BATCH)
        return call->stmt;
    return i < f->parts ? call->parts->sql[i] : NULL;
}

void pg_place(uc_error *e, const pg_flight *f)
{
    int position = e->offset;
    const uc_stmt *s;
    uc_view text;

    e->offset = -1;
    if (f == NULL || f->call == NULL)
        return;
    if (f->mode == PG_MODE_EXEC) {
        uc_reader r = f->call->args;

        if (uc_read_str(&r, &text))
            e->offset = pg_script_offset(text, position, f->parts);
        return;
    }
    s = stmt_at(f);
    if (s != NULL)
        e->offset = pg_sql_offset((uc_view){(const uint8_t *)s->text, s->len},
                                  position);
}

bool pg_is_end(const pg_conn *c, const uc_error *e, uc_view body)
{
    return strncmp(e->sqlstate, "57P", 3) == 0 || pg_msg_is_fatal(body) ||
           (c->pooled && strcmp(e->sqlstate, "08P01") == 0);
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

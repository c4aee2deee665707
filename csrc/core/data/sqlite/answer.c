#include <stdio.h>
#include <string.h>

#include "data/sqlite/db.h"
#include "desk/routed.h"
#include "wire/answer.h"
#include "wire/json.h"
#include "wire/writer.h"

/*
 * Routes on SQLite: their statements are looked at when they are loaded, and
 * run one after the other for each request, a GET's in one snapshot, a POST's
 * as one unit of the group that it is in.
 */

/* ---- loading ---- */

/* "user.sql:12: " in front of what SQLite has to say. */
static bool bad_statement(const uc_routes *routes, const uc_statement *st,
                          uc_error *e)
{
    uc_view file = uc_routes_file(routes, st->file);
    char message[sizeof e->message];

    snprintf(message, sizeof message, "%s", e->message);
    return uc_fail(e, UC_ROUTE, "%.*s:%u: %s", (int)file.len, file.p, st->line,
                   message);
}

static bool class_fits(const uc_route *route, uc_class cls, unsigned traits,
                       uc_error *e)
{
    if (cls == UC_CLASS_CONTROL)
        return uc_fail(e, UC_ROUTE,
                       "a POST is one transaction already, and a GET one "
                       "snapshot: BEGIN, COMMIT and the like are not needed");
    if (cls == UC_CLASS_ALONE)
        return uc_fail(e, UC_ROUTE,
                       "VACUUM and pragmas that act on the file have no place "
                       "in a route");
    if (cls == UC_CLASS_READ_HERE)
        return uc_fail(e, UC_ROUTE,
                       "TEMP tables belong to a connection, and routes have "
                       "none of their own");
    if (route->method == UC_METHOD_GET && !uc__class_reads((int)cls))
        return uc_fail(e, UC_ROUTE, "a GET only reads: make it a @post");
    if (traits & SQ_ASKS && route->method == UC_METHOD_GET)
        return sq_asks(e);
    return true;
}

static bool has_rows(const uc_statement *st)
{
    return st->form != UC_FORM_NONE || st->refuses;
}

static bool check_text(sq_conn *c, const uc_route *route,
                       const uc_statement *st, uc_view sql, uc_error *e)
{
    const char *tail;
    sqlite3_stmt *stmt = NULL;
    uc_class cls = UC_CLASS_UNKNOWN;
    unsigned traits = 0;
    bool ok = sq_class_of(c, (const char *)sql.p, sql.len, &tail, &stmt, &cls,
                          &traits, e);

    if (ok && stmt == NULL)
        ok = uc_fail(e, UC_ROUTE, "there is no statement");
    ok = ok && class_fits(route, cls, traits, e);
    if (ok && has_rows(st) && sqlite3_column_count(stmt) == 0)
        ok = uc_fail(e, UC_ROUTE,
                     "the answer is made of rows, and this statement has none: "
                     "add RETURNING, or say :none");
    sqlite3_finalize(stmt);
    return ok;
}

/* With all pieces, and with none. */
static bool check_statement(sq_conn *c, uc_routes *routes,
                            const uc_route *route, uc_statement *st,
                            uc_error *e)
{
    const uint64_t given[] = {UINT64_MAX, route->required};

    for (int i = 0; i < 2; i++) {
        uc_variant *v = uc_statement_variant(routes, route, st, given[i]);

        if (v == NULL)
            return uc_fail(e, UC_MEMORY, "no memory for a statement");
        if (!check_text(c, route, st, v->sql, e))
            return bad_statement(routes, st, e);
    }
    return true;
}

static bool check(void *arg, uc_routes *routes, uc_error *e)
{
    for (uint32_t i = 0; i < uc_routes_count(routes); i++) {
        uc_route *route = uc_routes_at(routes, i);

        for (uint32_t k = 0; k < route->nstatements; k++) {
            if (!check_statement(arg, routes, route, &route->statements[k], e))
                return false;
        }
    }
    return true;
}

bool sq_routes_load(sq_conn *c, uc_call *call, uc_buf *out, uc_error *e)
{
    return uc__routes_load(call, check, c, out, e);
}

/* ---- answering ---- */

static sq_mode mode_of(const uc_statement *st)
{
    if (st->refuses)
        return SQ_MODE_CELL;
    switch (st->form) {
    case UC_FORM_NONE:
        return SQ_MODE_RUN;
    case UC_FORM_ONE:
    case UC_FORM_ONE_REQUIRED:
        return SQ_MODE_OBJECT;
    case UC_FORM_TEXT:
        return SQ_MODE_CELL;
    default:
        return SQ_MODE_ARRAY;
    }
}

/* {"users": in front of the first, ,"newest": of the others. */
static void name_part(uc_buf *out, size_t at, const uc_statement *st)
{
    if (st->name.len > 0)
        uc_json_key(out, uc_answer_length(out, at) == 0, st->name);
}

static bool run_statement(sq_conn *c, uc_call *call, uint32_t i, size_t at,
                          uc_buf *out, uc_error *e)
{
    const uc_statement *st = &call->routed->q.route->statements[i];
    size_t body;
    uc_reader params;
    sq_run done;
    uc_stmt *s = uc__routed_statement(call, i, &params, e);

    if (s == NULL)
        return false;
    if (c->role == SQ_WRITER && atomic_load(&s->cls) == UC_CLASS_UNKNOWN &&
        !sq_classify(c, s, e))
        return false;
    name_part(out, at, st);
    body = out->len;
    if (!sq_execute(c, s, 0, 0, &params, mode_of(st), out, &done, e))
        return false;
    if (mode_of(st) == SQ_MODE_RUN)
        uc_buf_rewind(out, body); /* the reply of a run */
    if (st->refuses && done.rows > 0) {
        uc_view text = {out->p + body, out->len - body};

        return uc__routed_refuse(call, UC_REFUSAL_REFUSED, text, e);
    }
    if (done.rows == 0 && st->form == UC_FORM_ONE_REQUIRED) {
        static const uint8_t text[] = "not found";

        return uc__routed_refuse(call, UC_REFUSAL_NO_ROW,
                                 (uc_view){text, sizeof text - 1}, e);
    }
    if (st->name.len > 0 && out->len == body)
        uc_json_null(out);
    return true;
}

static const char *type_of(const uc_route *route)
{
    return route->form == UC_FORM_TEXT ? "text/plain; charset=utf-8"
                                       : "application/json";
}

static void empty_answer(uc_call *call, uc_buf *out, size_t start)
{
    size_t at;

    uc_buf_rewind(out, start);
    at = uc_answer_begin(out, call->id, 200, (uc_view){(const uint8_t *)"", 0});
    uc_answer_end(out, at, 0);
}

static bool run_all(sq_conn *c, uc_call *call, uc_buf *out, uc_error *e)
{
    const uc_route *route = call->routed->q.route;
    const char *type = type_of(route);
    bool named = false;
    size_t start = out->len;
    size_t at = uc_answer_begin(out, call->id, 200,
                                (uc_view){(const uint8_t *)type, strlen(type)});

    for (uint32_t i = 0; i < route->nstatements; i++) {
        if (!run_statement(c, call, i, at, out, e))
            return false;
        named = named || route->statements[i].name.len > 0;
    }
    if (named)
        uc_buf_byte(out, '}');
    if (uc_answer_length(out, at) == 0)
        empty_answer(call, out, start);
    else
        uc_answer_end(out, at, 0);
    return !out->failed || uc_fail(e, UC_MEMORY, "no memory for an answer");
}

/* One statement is a snapshot by itself; where several calls share one, it is
 * open already. */
bool sq_answer_read(sq_conn *c, uc_call *call, uc_buf *out, uc_error *e)
{
    bool opens = call->routed->q.route->nstatements > 1 &&
                 sqlite3_get_autocommit(c->h) != 0;
    int rc = opens ? sq_step_once(c->begin) : SQLITE_OK;
    bool ok;

    if (rc != SQLITE_OK)
        return sq_fail(c, rc, e);
    ok = run_all(c, call, out, e);
    if (opens)
        sq_step_once(c->commit);
    return ok;
}

bool sq_answer_write(sq_conn *c, uc_call *call, uc_buf *out, uc_error *e)
{
    bool own, ok;

    if (!sq_bracket(c, e))
        return false;
    own = sq_own_begin(c);
    ok = run_all(c, call, out, e);
    sq_own_end(c, own);
    return sq_bracket_end(c, ok, e);
}

#include <stdio.h>
#include <string.h>

#include "data/sqlite/columns.h"
#include "data/sqlite/db.h"
#include "data/sqlite/plan.h"
#include "data/sqlite/reads.h"
#include "routes/fits.h"

/*
 * Routes are looked at when they are loaded: whether their statements are what
 * their tags say, which columns they answer with, and which tables a GET reads.
 */

/* A variant has the ends of lines that its statement has in the file. */
static uint32_t line_of(const uc_statement *st, uc_view sql, int offset)
{
    uint32_t line = st->line;

    for (int i = 0; i < offset && (size_t)i < sql.len; i++)
        line += sql.p[i] == '\n';
    return line;
}

/* "user.sql:12: " in front of what SQLite has to say: the line that it names
 * where it does. */
static bool bad_statement(const uc_routes *routes, const uc_statement *st,
                          uc_view sql, uc_error *e)
{
    uc_view file = uc_routes_file(routes, st->file);
    uint32_t line = line_of(st, sql, e->offset);
    char message[sizeof e->message];

    snprintf(message, sizeof message, "%s", e->message);
    return uc_fail(e, UC_ROUTE, "%.*s:%u: %s", (int)file.len, file.p, line,
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

static void note_columns(uc_fits *fits, uint32_t i, sqlite3_stmt *stmt)
{
    int n = sqlite3_column_count(stmt);

    uc_fits_columns(fits, i, (uint32_t)n);
    for (int k = 0; k < n; k++) {
        const char *name = sqlite3_column_name(stmt, k);

        if (name != NULL)
            uc_fits_column(fits, i,
                           (uc_view){(const uint8_t *)name, strlen(name)});
    }
}

/* ---- what is found out ---- */

/* A load, and the route that is looked at. */
typedef struct load {
    sq_conn *conn;
    uc_route_set *set;
    uc_route *route;
    bool plans; /* are to be looked at */
    sq_reads reads;
    uc_fits fits;     /* of a template to its statements */
    bool scans;       /* a table, which the route says is right */
    uint64_t replies; /* a bit for each @reply whose column is there */
} load;

static void load_begin(load *l)
{
    sq_reads_init(&l->reads);
    uc_fits_init(&l->fits, l->set->routes, l->route);
}

static void load_end(load *l)
{
    sq_reads_fini(&l->reads);
    uc_fits_fini(&l->fits);
}

static uc_view copy(uc_arena *mem, const char *s)
{
    if (s == NULL)
        s = "";
    return uc_arena_copy(mem, (uc_view){(const uint8_t *)s, strlen(s)});
}

/* Of the first of a statement's texts, which has all pieces. */
static bool keep_columns(load *l, uc_statement *st, sqlite3_stmt *stmt,
                         uc_error *e)
{
    uint32_t n = (uint32_t)sqlite3_column_count(stmt);
    uc_column *columns;

    if (st->columns != NULL || st->form == UC_FORM_NONE || st->refuses)
        return true;
    columns = uc_arena_calloc(&l->set->mem, n + 1, sizeof *columns);
    for (uint32_t i = 0; columns != NULL && i < n; i++) {
        columns[i].name = copy(&l->set->mem, sqlite3_column_name(stmt, (int)i));
        columns[i].type =
            copy(&l->set->mem, sqlite3_column_decltype(stmt, (int)i));
    }
    if (l->set->mem.failed)
        return uc_fail(e, UC_MEMORY, "no memory for the routes");
    st->columns = columns;
    st->ncolumns = n;
    return true;
}

static void note_replies(load *l, sqlite3_stmt *stmt)
{
    for (uint32_t i = 0; i < l->route->nreplies; i++) {
        if (sq_columns_have(stmt, l->route->replies[i]))
            l->replies |= 1ULL << i;
    }
}

static bool check_plan(load *l, uc_view sql, uc_error *e)
{
    char table[SQ_PLAN_NAME];

    if (!sq_plan_scans(l->conn, sql, table, e))
        return false;
    if (table[0] == '\0')
        return true;
    l->scans = true;
    return l->route->scan_ok ||
           uc_fail(e, UC_ROUTE,
                   "all of table %s is read: give it an index, or say '@scan "
                   "ok'",
                   table);
}

static bool check_text(load *l, uc_statement *st, uc_view sql, uc_error *e)
{
    const char *tail;
    sq_conn *c = l->conn;
    uint32_t place = (uint32_t)(st - l->route->statements);
    sqlite3_stmt *stmt = NULL;
    uc_class cls = UC_CLASS_UNKNOWN;
    unsigned traits = 0;
    bool ok;

    c->reads = l->route->method == UC_METHOD_GET ? &l->reads : NULL;
    ok = sq_class_of(c, (const char *)sql.p, sql.len, &tail, &stmt, &cls,
                     &traits, e);
    c->reads = NULL;
    if (ok && stmt == NULL)
        ok = uc_fail(e, UC_ROUTE, "there is no statement");
    ok = ok && class_fits(l->route, cls, traits, e);
    ok = ok && sq_columns_fit(l->route, st, stmt, e);
    ok = ok && keep_columns(l, st, stmt, e);
    if (ok && place < l->route->nstatements) {
        note_columns(&l->fits, place, stmt);
        note_replies(l, stmt);
    }
    sqlite3_finalize(stmt);
    return ok && (!l->plans || check_plan(l, sql, e));
}

/* ---- statements ---- */

/* Of a GET all texts are looked at, unless they are more than these: each may
 * read another table. */
enum { CHOICES_READ = 6 };

static bool check_given(load *l, uc_statement *st, uint64_t given, uc_error *e)
{
    uc_routes *routes = l->set->routes;
    uc_variant *v = uc_statement_variant(routes, l->route, st, given);

    if (v == NULL)
        return uc_fail(e, UC_MEMORY, "no memory for a statement");
    return check_text(l, st, v->sql, e) || bad_statement(routes, st, v->sql, e);
}

/* What has to be given for some of the pieces, and for no other if that can be.
 */
static uint64_t given_for(const load *l, const uc_statement *st,
                          uint32_t choice)
{
    uint64_t given = l->route->required;

    for (uint32_t i = 0; i < st->npieces; i++) {
        if (st->pieces[i].needs == 0)
            continue;
        if (choice & 1)
            given |= st->pieces[i].needs;
        choice >>= 1;
    }
    return given;
}

static bool looks_at_all(load *l, const uc_statement *st)
{
    if (l->plans)
        return true;
    if (l->route->method != UC_METHOD_GET)
        return false;
    if (st->nchoices <= CHOICES_READ)
        return true;
    if (l->reads.why == NULL)
        l->reads.why = "a statement of it has more than 6 pieces";
    return false;
}

/* With all pieces, with none, and in between. */
static bool check_statement(load *l, uc_statement *st, uc_error *e)
{
    uint32_t most =
        st->nchoices > 0 && looks_at_all(l, st) ? (1U << st->nchoices) - 1 : 0;

    if (!check_given(l, st, UINT64_MAX, e) ||
        !check_given(l, st, l->route->required, e))
        return false;
    for (uint32_t choice = 1; choice < most; choice++) {
        if (!check_given(l, st, given_for(l, st, choice), e))
            return false;
    }
    return true;
}

/* ---- routes ---- */

/* The table has what a row of audit has. */
static bool check_audit(load *l, uc_error *e)
{
    uc_routes *routes = l->set->routes;
    const uc_route *route = l->route;
    uc_statement *st = &route->statements[route->nstatements];
    const uc_variant *v = uc_statement_variant(routes, route, st, UINT64_MAX);
    int len = (int)route->audit.len;
    const char *table = (const char *)route->audit.p;
    char why[sizeof e->message];

    if (v == NULL)
        return uc_fail(e, UC_MEMORY, "no memory for a statement");
    if (check_text(l, st, v->sql, e))
        return true;
    snprintf(why, sizeof why, "%s", e->message);
    uc_fail(e, UC_ROUTE,
            "@audit %.*s: %.200s. The table it needs: create table %.*s("
            "id integer primary key, at integer not null, route text not null, "
            "who, ip text, request text, params text not null)",
            len, table, why, len, table);
    return bad_statement(routes, st, v->sql, e);
}

static bool bad_route(const load *l, uc_error *e, const char *problem)
{
    uc_view file = uc_routes_file(l->set->routes, l->route->file);

    return uc_fail(e, UC_ROUTE, "%.*s:%u: %s", (int)file.len, file.p,
                   l->route->line, problem);
}

/* Answers are kept where it is known when they are no longer right. */
static bool check_cache(load *l, uc_error *e)
{
    const sq_reads *r = &l->reads;
    char problem[256];

    if (l->route->cache_ms == 0)
        return true;
    if (l->route->reads == NULL) {
        snprintf(problem, sizeof problem,
                 "@cache: nobody would know how long an answer is right: "
                 "%s%s%s",
                 r->why, r->what[0] != '\0' ? ": " : "", r->what);
        return bad_route(l, e, problem);
    }
    return uc__routes_keep(l->set, e);
}

static bool check_scan(const load *l, uc_error *e)
{
    if (!l->plans || !l->route->scan_ok || l->scans)
        return true;
    return bad_route(l, e, "@scan ok: no table is read as a whole");
}

static bool check_replies(const load *l, uc_error *e)
{
    const uc_route *route = l->route;
    char problem[64 + UC_ROUTE_NAME];

    for (uint32_t i = 0; i < route->nreplies; i++) {
        uc_view name = route->replies[i];

        if (l->replies & 1ULL << i)
            continue;
        snprintf(problem, sizeof problem,
                 "@reply %.*s: no statement has this column", (int)name.len,
                 (const char *)name.p);
        return bad_route(l, e, problem);
    }
    return true;
}

static bool check_statements(load *l, uc_error *e)
{
    uc_route *route = l->route;

    for (uint32_t k = 0; k < route->nstatements; k++) {
        if (!check_statement(l, &route->statements[k], e))
            return false;
    }
    return true;
}

static bool check_route(load *l, uint32_t schema, uc_error *e)
{
    if (!check_statements(l, e) || !check_replies(l, e))
        return false;
    if (l->route->method == UC_METHOD_GET &&
        !sq_reads_end(&l->reads, l->conn, schema, l->route, &l->set->mem, e))
        return false;
    l->route->constant = l->route->method == UC_METHOD_GET &&
                         sq_reads_nothing(&l->reads, l->route);
    if (l->route->template != NULL && !uc_fits_check(&l->fits, e))
        return false;
    if (l->route->audit.len > 0 && !check_audit(l, e))
        return false;
    return check_cache(l, e) && check_scan(l, e);
}

static bool check_all(sq_conn *c, uc_route_set *set, uint32_t schema,
                      uc_error *e)
{
    bool ok = true;

    for (uint32_t i = 0; i < uc_routes_count(set->routes) && ok; i++) {
        load l = {.plans = set->check,
                  .conn = c,
                  .set = set,
                  .route = uc_routes_at(set->routes, i)};

        load_begin(&l);
        ok = check_route(&l, schema, e);
        load_end(&l);
    }
    return ok;
}

/* All of it is true of one schema: that of the one transaction. What the
 * connection remembers may be an older one, so it looks. */
static bool begin(sq_conn *c, bool *opens, uc_error *e)
{
    int rc = SQLITE_OK;

    *opens = sqlite3_get_autocommit(c->h) != 0;
    if (*opens)
        rc = sq_step_once(c->begin);
    if (rc == SQLITE_OK)
        rc = sq_exec_text(c, "select 1 from main.sqlite_schema limit 1");
    if (rc == SQLITE_OK)
        return true;
    sq_fail(c, rc, e);
    if (*opens)
        sq_step_once(c->rollback);
    return false;
}

static bool check(void *arg, uc_route_set *set, uc_error *e)
{
    sq_conn *c = arg;
    bool opens, ok;

    if (!begin(c, &opens, e))
        return false;
    ok = check_all(c, set, sq_schema_number(c), e);
    if (opens)
        sq_step_once(c->commit);
    if (ok)
        sq_fresh_want(c->db);
    return ok;
}

/* set->mu is held. */
static void look_again(sq_conn *c, uc_route_set *set, uc_route *route)
{
    sq_known *known = sq_known_of(route);
    load l = {.conn = c, .set = set, .route = route};
    uint32_t schema = sq_schema_number(c);
    uc_error e;

    uc_error_init(&e);
    load_begin(&l);
    atomic_store(&known->tried, schema);
    if (check_statements(&l, &e))
        sq_reads_end(&l.reads, c, schema, route, &set->mem, &e);
    load_end(&l);
}

void sq_reads_again(sq_conn *c, uc_route_set *set, const uc_route *route)
{
    bool opens;
    uc_error e;

    uc_error_init(&e);
    if (!uc_trylock(&set->mu))
        return;
    if (begin(c, &opens, &e)) {
        for (uint32_t i = 0; i < uc_routes_count(set->routes); i++) {
            if (uc_routes_at(set->routes, i) == route)
                look_again(c, set, uc_routes_at(set->routes, i));
        }
        if (opens)
            sq_step_once(c->commit);
    }
    uc_unlock(&set->mu);
}

bool sq_routes_load(sq_conn *c, uc_call *call, uc_buf *out, uc_error *e)
{
    return uc__routes_load(call, check, c, out, e);
}

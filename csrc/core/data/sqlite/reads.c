#include "data/sqlite/reads.h"

#include <stdio.h>
#include <string.h>

#include "data/sqlite/db.h"

/* More than any statement names; beyond it the route counts as not known. */
enum { NAMES_MOST = 16384 };

void sq_reads_init(sq_reads *r)
{
    *r = (sq_reads){0};
    uc_buf_init(&r->names, NAMES_MOST);
}

void sq_reads_fini(sq_reads *r)
{
    uc_buf_fini(&r->names);
}

/* The first reason stays. */
static void unknown(sq_reads *r, const char *why, const char *what)
{
    if (r->why != NULL)
        return;
    r->why = why;
    snprintf(r->what, sizeof r->what, "%.60s", what);
}

/* ---- noting ---- */

static bool has(const sq_reads *r, char kind, const char *name)
{
    const char *p = (const char *)r->names.p;
    const char *end;

    if (p == NULL)
        return false; /* nothing has been noted yet */
    end = p + r->names.len;
    while (p < end && (p[0] != kind || sqlite3_stricmp(p + 1, name) != 0))
        p += strlen(p) + 1;
    return p < end;
}

static void add(sq_reads *r, char kind, const char *name)
{
    if (has(r, kind, name))
        return;
    uc_buf_byte(&r->names, (uint8_t)kind);
    uc_buf_put(&r->names, name, strlen(name) + 1);
    if (r->names.failed) {
        r->names.failed = false; /* it is not known, and that is all */
        unknown(r, "it names more than can be noted", name);
    }
}

void sq_reads_note(sq_reads *r, int action, const char *a, const char *b,
                   const char *schema)
{
    if (action == SQLITE_FUNCTION && b != NULL)
        add(r, 'F', b);
    if (action != SQLITE_READ || a == NULL)
        return;
    if (schema != NULL && sqlite3_stricmp(schema, "main") != 0)
        unknown(r, "it reads another file's table", a);
    else
        /* Without a schema: nothing but that there is a row is read, and the
         * name may be that of a query. */
        add(r, schema != NULL ? 'T' : '?', a);
}

/* ---- functions ---- */

/* Those of the clock SQLite calls deterministic, though each but one says what
 * time it is when it is given nothing, or 'now'. */
static bool is_clock(const char *name)
{
    static const char *const names[] = {
        "current_date", "current_time", "current_timestamp", "date",
        "datetime",     "julianday",    "strftime",          "time",
        "timediff",     "unixepoch"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (sqlite3_stricmp(names[i], name) == 0)
            return true;
    }
    return false;
}

static bool has_row(sqlite3_stmt *stmt, const char *name)
{
    bool found;

    sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
    /* What cannot be looked at is not known. */
    found = sqlite3_step(stmt) != SQLITE_DONE;
    sqlite3_reset(stmt);
    return found;
}

/* What is noted of a kind, one after the other; NULL at the end. */
static const char *next_of(const sq_reads *r, char kind, size_t *at)
{
    while (*at < r->names.len) {
        const char *p = (const char *)r->names.p + *at;

        *at += strlen(p) + 1;
        if (p[0] == kind)
            return p + 1;
    }
    return NULL;
}

/* A sum is built in and not marked, since it depends on more than one row. */
static bool judge_functions(sq_reads *r, sq_conn *c)
{
    static const char sql[] =
        "select 1 from pragma_function_list where name = ?1 collate nocase "
        "and (flags & 2048) = 0 and (builtin = 0 or type = 's')";
    sqlite3_stmt *stmt = NULL;
    const char *name;
    size_t at = 0;

    if (sqlite3_prepare_v2(c->h, sql, -1, &stmt, NULL) != SQLITE_OK)
        return false;
    while ((name = next_of(r, 'F', &at)) != NULL) {
        if (is_clock(name))
            unknown(r, "it asks for the time, or may", name);
        else if (has_row(stmt, name))
            unknown(r, "it calls a function that is not deterministic", name);
    }
    sqlite3_finalize(stmt);
    return true;
}

/* ---- tables ---- */

typedef enum kind { KIND_TABLE, KIND_VIEW, KIND_VIRTUAL, KIND_NONE } kind;

static kind kind_of(sqlite3_stmt *stmt, const char *name)
{
    kind k = KIND_NONE;

    sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
    if (sqlite3_step(stmt) == SQLITE_ROW)
        k = (kind)sqlite3_column_int(stmt, 0);
    sqlite3_reset(stmt);
    return k;
}

static bool is_pure_module(const char *name)
{
    return sqlite3_stricmp(name, "json_each") == 0 ||
           sqlite3_stricmp(name, "json_tree") == 0;
}

/* Kept by SQLite or by the core, which tell nobody of changes. */
static bool is_internal(const char *name)
{
    return sqlite3_strnicmp(name, "sqlite_", 7) == 0 ||
           sqlite3_strnicmp(name, "_undercroft", 11) == 0;
}

typedef struct judge {
    sq_reads *r;
    sq_conn *c;
    sqlite3_stmt *kinds, *modules;
    const char *tables[SQ_READS_TABLES];
    uint32_t n;
} judge;

static void keep(judge *j, const char *name)
{
    for (uint32_t i = 0; i < j->n; i++) {
        if (sqlite3_stricmp(j->tables[i], name) == 0)
            return;
    }
    if (j->n == SQ_READS_TABLES)
        unknown(j->r, "it reads more than 32 tables", name);
    else
        j->tables[j->n++] = name;
}

/* is_bare: it may also be the name of a query, or of an attached file's table.
 */
static void judge_table(judge *j, const char *name, bool is_bare)
{
    kind k = kind_of(j->kinds, name);

    if (is_pure_module(name) || k == KIND_VIEW)
        return;
    if (is_internal(name))
        unknown(j->r, "it reads a table whose changes nobody is told of", name);
    else if (k == KIND_VIRTUAL || (k == KIND_NONE && has_row(j->modules, name)))
        unknown(j->r, "it reads a virtual table", name);
    else if (k == KIND_NONE && (!is_bare || j->c->db->e.opt.nattach > 0))
        unknown(j->r, "it reads what is no table of the database", name);
    else if (k == KIND_TABLE)
        keep(j, name);
}

static bool judge_tables(judge *j)
{
    static const char kinds[] =
        "select case when type = 'view' then 1 "
        "when sql like 'create virtual%' then 2 else 0 end "
        "from main.sqlite_schema "
        "where name = ?1 collate nocase and type in ('table', 'view')";
    static const char modules[] =
        "select 1 from pragma_module_list where name = ?1 collate nocase";
    const char *name;
    size_t at = 0;
    bool ok =
        sqlite3_prepare_v2(j->c->h, kinds, -1, &j->kinds, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(j->c->h, modules, -1, &j->modules, NULL) ==
            SQLITE_OK;

    while (ok && (name = next_of(j->r, 'T', &at)) != NULL)
        judge_table(j, name, false);
    at = 0;
    while (ok && (name = next_of(j->r, '?', &at)) != NULL)
        judge_table(j, name, true);
    sqlite3_finalize(j->kinds);
    sqlite3_finalize(j->modules);
    return ok;
}

/* ---- routes ---- */

/* With @repeat and @cache each time's answer is kept by itself, and has the
 * value in its key. Headers are the whole answer's. */
static bool keeps_each(const uc_route *route)
{
    return route->repeat != 0 && route->cache_ms > 0 && route->nreplies == 0;
}

/* What the service gives, and which is another one each time. */
static void judge_given(sq_reads *r, const uc_route *route)
{
    for (uint32_t i = 0; i < route->nparams; i++) {
        const uc_param *p = &route->params[i];
        char name[UC_ROUTE_NAME + 2];

        if (p->type != UC_PARAM_GIVEN || p->given == UC_GIVEN_user ||
            p->given == UC_GIVEN_roles ||
            (p->given == UC_GIVEN_random && keeps_each(route)))
            continue;
        snprintf(name, sizeof name, ":%.*s", (int)p->name.len,
                 (const char *)p->name.p);
        unknown(r, "it is another one each time", name);
    }
}

/* The same tables, in the same order. */
static bool is_same(const sq_known *k, const judge *j)
{
    bool same = k != NULL && k->n == j->n;

    for (uint32_t i = 0; same && i < j->n; i++)
        same = sqlite3_stricmp(k->tables[i].name, j->tables[i]) == 0;
    return same;
}

static sq_known *known_of(const judge *j, uint32_t schema,
                          const uc_route *route, uc_arena *mem)
{
    sq_known *k = uc_arena_alloc(mem, sizeof *k + j->n * sizeof k->tables[0]);

    if (k == NULL)
        return NULL;
    atomic_init(&k->schema, schema);
    atomic_init(&k->tried, schema);
    k->each = route->random != 0;
    k->n = j->n;
    for (uint32_t i = 0; i < j->n; i++) {
        const uint8_t *name = (const uint8_t *)j->tables[i];
        uc_view copy =
            uc_arena_copy(mem, (uc_view){name, strlen(j->tables[i])});

        if (copy.p == NULL)
            return NULL;
        k->tables[i].name = (const char *)copy.p;
        atomic_init(&k->tables[i].id, -1);
    }
    return k;
}

bool sq_reads_end(sq_reads *r, sq_conn *c, uint32_t schema, uc_route *route,
                  uc_arena *mem, uc_error *e)
{
    sq_known *known = sq_known_of(route);
    judge j = {.r = r, .c = c};

    judge_given(r, route);
    if (uc_view_listed(route->replies, route->nreplies, "etag"))
        unknown(r, "the answer has an ETag of its own", "");
    if (r->why == NULL && (!judge_functions(r, c) || !judge_tables(&j)))
        unknown(r, "what it reads could not be looked at", "");
    if (r->why != NULL)
        return true;
    if (is_same(known, &j)) {
        atomic_store(&known->schema, schema);
        return true;
    }
    known = known_of(&j, schema, route, mem);
    if (known == NULL)
        return uc_fail(e, UC_MEMORY, "no memory for the routes");
    __atomic_store_n(&route->reads, known, __ATOMIC_RELEASE);
    return true;
}

bool sq_reads_nothing(const sq_reads *r, const uc_route *route)
{
    size_t tables = 0, bare = 0;

    /* A view is named as well, and may say another thing tomorrow. */
    return r->why == NULL && next_of(r, 'T', &tables) == NULL &&
           next_of(r, '?', &bare) == NULL && route->nparams == 0 &&
           route->nreplies == 0 && route->is_public &&
           route->rate.by == UC_RATE_NONE && route->audit.len == 0;
}

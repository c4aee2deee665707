/*
 * A file of routes, and a template behind the first NUL. What is refused has a
 * sentence with the file's name in it, of valid UTF-8. What is read holds: each
 * route is found by its path, and each variant is SQL without a piece's braces
 * or a name left over, whose numbers are those of its parameters.
 */
#include <stdlib.h>
#include <string.h>

#include "routes/routes.h"
#include "routes/sql.h"
#include "wire/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void sentence(const uc_error *e)
{
    size_t n = strlen(e->message);

    check(e->code != NULL && strcmp(e->code, "UC_ROUTE") == 0);
    check(uc_is_utf8((const uint8_t *)e->message, n));
    check(strncmp(e->message, "r.sql:", 6) == 0 ||
          strncmp(e->message, "t.mustache:", 11) == 0);
}

/* No engine sees anything of ours in it but ?1, ?2, … */
static void text(const uc_variant *v)
{
    uc__sql lex;
    uc__token t;
    uint32_t marks = 0;

    check(v->sql.p[v->sql.len] == '\0');
    for (size_t i = 0; i < v->sql.len; i++)
        marks += v->sql.p[i] == '?';
    check(marks >= v->nparams);
    /* The lexer refuses a ? outside of quotes: up to there it is looked at. */
    uc__sql_begin(&lex, v->sql, 1);
    for (uc__sql_next(&lex, &t);
         t.kind != UC__SQL_END && t.kind != UC__SQL_FAULT;
         uc__sql_next(&lex, &t))
        check(t.kind != UC__SQL_PARAM && !uc__sql_sign(&t, '{') &&
              !uc__sql_sign(&t, '}') && !uc__sql_sign(&t, ';'));
    check(t.kind == UC__SQL_END || lex.fault[0] == 'a');
}

static void statement(uc_routes *set, const uc_route *route, uc_statement *s)
{
    uint64_t given = 0;

    for (uint32_t i = 0; i <= s->npieces; i++) {
        uc_variant *v = uc_statement_variant(set, route, s, given);

        check(v != NULL && uc_statement_variant(set, route, s, given) == v);
        for (uint32_t j = 0; j < v->nparams; j++)
            check(v->params[j] < route->nparams);
        text(v);
        if (i < s->npieces)
            given |= s->pieces[i].needs;
    }
}

static void routes(uc_routes *set)
{
    for (uint32_t i = 0; i < uc_routes_count(set); i++) {
        uc_route *route = uc_routes_at(set, i);

        check(uc_routes_find(set, route->method, route->path) == route);
        check(route->nparams <= UC_ROUTE_PARAMS && route->nstatements > 0);
        check(uc_is_utf8(route->about.p, route->about.len));
        for (uint32_t j = 0; j < route->nstatements; j++)
            statement(set, route, &route->statements[j]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = size > 0 ? memchr(data, 0, size) : NULL;
    size_t first = nul != NULL ? (size_t)(nul - data) : size;
    uc_source files[] = {
        {{(const uint8_t *)"r.sql", 5}, {data, first}},
        {{(const uint8_t *)"t.mustache", 10}, {NULL, 0}},
    };
    uc_routes *set;
    uc_error e;

    if (nul != NULL)
        files[1].text = (uc_view){nul + 1, size - first - 1};
    uc_error_init(&e);
    set = uc_routes_read(files, 2, &e);
    if (set == NULL)
        sentence(&e);
    else
        routes(set);
    uc_routes_unref(set);
    return 0;
}

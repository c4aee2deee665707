#include "routes/draft.h"

#include <stdio.h>

#include "common/near.h"
#include "routes/path.h"
#include "routes/statement.h"
#include "routes/template.h"

static const struct {
    const char *word;
    uc_form form;
} forms[] = {
    {":many", UC_FORM_MANY},         {":one", UC_FORM_ONE},
    {":one!", UC_FORM_ONE_REQUIRED}, {":none", UC_FORM_NONE},
    {":page", UC_FORM_PAGE},         {":text", UC_FORM_TEXT},
    {":html", UC_FORM_HTML},
};

enum { FORMS = sizeof forms / sizeof forms[0] };

/* ---- the beginning ---- */

bool uc__form_read(uc__reading *r, uc__line *l, uc_form *form)
{
    uc_view word = uc__line_word(l);
    uc_near near;

    uc_near_init(&near, word);
    for (int i = 0; i < FORMS; i++) {
        if (uc_view_is(word, forms[i].word)) {
            *form = forms[i].form;
            return true;
        }
        uc_near_try_text(&near, forms[i].word);
    }
    if (near.best.p != NULL)
        return uc__wrong(r, r->line,
                         "unknown form '%.*s': did you mean '%.*s'?",
                         UC__SHOW(word), UC__SHOW(near.best));
    return uc__wrong(r, r->line,
                     "unknown form '%.*s': there are :many, :one, :one!, "
                     ":none, :page, :text and :html",
                     UC__SHOW(word));
}

static bool template(uc__reading *r, uc__line *l)
{
    uc_view name = uc__line_word(l);

    if (name.len == 0)
        return uc__wrong(r, r->line, ":html needs the name of a template");
    if (uc__template_file(r->set, name) < 0)
        return uc__no_template(r, r->line, name);
    r->d.route.html = name;
    return true;
}

/* :page id, or :page created, id */
static bool page_keys(uc__reading *r, uc__line *l)
{
    uc__draft *d = &r->d;
    uc_view w;

    while ((w = uc__line_word(l)).len > 0) {
        if (w.p[w.len - 1] == ',')
            w.len--;
        if (!uc__is_name(w))
            return uc__wrong(r, r->line, ":page: '%.*s' is no name of a column",
                             UC__SHOW(w));
        if (d->route.npage == UC_ROUTE_KEYS)
            return uc__wrong(r, r->line, ":page has at most %d columns",
                             UC_ROUTE_KEYS);
        d->page[d->route.npage++] = w;
    }
    return d->route.npage > 0 ||
           uc__wrong(r, r->line,
                     ":page names the columns behind which the next page "
                     "begins: ':page id'");
}

static bool form(uc__reading *r, uc__line *l)
{
    uc__draft *d = &r->d;
    uc_view rest;

    d->has_form = uc__line_peek(l).len > 0;
    if (d->has_form && !uc__form_read(r, l, &d->route.form))
        return false;
    if (d->route.form == UC_FORM_HTML && !template(r, l))
        return false;
    if (d->route.form == UC_FORM_PAGE && !page_keys(r, l))
        return false;
    rest = uc__line_rest(l);
    return rest.len == 0 ||
           uc__wrong(r, r->line, "'%.*s' behind the form of a route",
                     UC__SHOW(rest));
}

static bool about(uc__reading *r)
{
    uc_view words = {r->about.p, r->about.len};

    if (r->about.failed)
        return uc__no_memory(r);
    r->d.route.about = uc_arena_copy(r->mem, uc__trimmed(words));
    return r->d.route.about.p != NULL || uc__no_memory(r);
}

bool uc__draft_begin(uc__reading *r, uc_method method, uc__line *l)
{
    uc_view path = uc__line_word(l);
    uint32_t line = r->line;
    const char *fault;

    if (!uc__draft_end(r))
        return false;
    if (path.len == 0)
        return uc__wrong(r, line, "a route without a path");
    fault = uc__path_fault(path);
    if (fault != NULL)
        return uc__wrong(r, line, "the path '%.*s' %s", UC__SHOW(path), fault);
    memset(&r->d, 0, sizeof r->d);
    r->d.open = true;
    r->d.route = (uc_route){
        .method = method,
        .path = path,
        .form = method == UC_METHOD_GET ? UC_FORM_MANY : UC_FORM_NONE,
        .file = r->file,
        .line = line,
    };
    return about(r) && form(r, l);
}

/* ---- the end: who may call it ---- */

static bool audience(uc__reading *r)
{
    const uc__draft *d = &r->d;

    if (!d->has_auth && !d->route.is_public)
        return uc__wrong(r, d->route.line,
                         "this route says neither @auth nor @public");
    if (d->route.rate.by == UC_RATE_USER && d->route.is_public)
        return uc__wrong(r, d->rate_line,
                         "@rate by user: nobody is logged in on a @public "
                         "route");
    return true;
}

/* ---- which statements answer ---- */

static bool named(const uc_statement *s)
{
    return s->name.len > 0;
}

static bool refusing(uc__reading *r)
{
    uc__draft *d = &r->d;

    for (uint32_t i = 0; i < d->route.nstatements; i++) {
        uc_statement *s = &d->statements[i];

        s->refuses = d->bounds[i].refuses;
        if (s->refuses && named(s))
            return uc__wrong(r, s->line,
                             "a statement that refuses has no name (@as)");
    }
    return true;
}

static bool count_answers(uc__reading *r, uint32_t *names, uint32_t *plain)
{
    const uc__draft *d = &r->d;
    const uc_statement *unnamed = NULL; /* the first */

    *names = *plain = 0;
    for (uint32_t i = 0; i < d->route.nstatements; i++) {
        const uc_statement *s = &d->statements[i];

        if (s->refuses)
            continue;
        *names += named(s);
        *plain += !named(s);
        if (!named(s) && unnamed == NULL)
            unnamed = s;
    }
    if (d->route.method == UC_METHOD_POST || *plain == 0 ||
        *names + *plain == 1)
        return true;
    return uc__wrong(r, unnamed->line,
                     "of several statements of a GET each has a name: "
                     "'@as name :form' before it");
}

static bool answers(uc__reading *r)
{
    uc__draft *d = &r->d;
    uint32_t names, plain;

    if (!refusing(r) || !count_answers(r, &names, &plain))
        return false;
    if (names > 0 && d->has_form && d->route.form != UC_FORM_HTML)
        return uc__wrong(r, d->route.line,
                         "with @as the forms stand there, and none behind the "
                         "path");
    if (names + plain == 0 && d->route.form != UC_FORM_NONE)
        return uc__wrong(r, d->route.line,
                         "no statement of this route answers, they only "
                         "refuse");
    if (plain > 1 && d->route.form == UC_FORM_PAGE)
        return uc__wrong(r, d->route.line, ":page is of one statement");
    for (uint32_t i = 0; i < d->route.nstatements; i++) {
        uc_statement *s = &d->statements[i];

        if (!named(s))
            s->form = s->refuses || names > 0 ? UC_FORM_NONE : d->route.form;
    }
    return true;
}

/* ---- how many rows ---- */

/* Without a lower bound -1 would be no limit for SQLite, and without a value
 * null none for PostgreSQL. */
static bool limit_of_param(uc__reading *r, const uc_statement *s,
                           const uc__bounds *b)
{
    const uc_param *p = &r->d.params[uc__param_place(&r->d, b->limit)];

    if (p->type != UC_PARAM_INTEGER || p->list)
        return uc__wrong(r, s->line, "the limit ':%.*s' is no integer",
                         UC__SHOW(p->name));
    if (!p->has_least || !p->has_most || p->least < 0)
        return uc__wrong(r, s->line,
                         "the limit ':%.*s' needs a range with both ends, "
                         "from 0 or more on",
                         UC__SHOW(p->name));
    if (p->optional)
        return uc__wrong(r, s->line,
                         "the limit ':%.*s' may be absent: give it a value "
                         "behind '=' in place of '?'",
                         UC__SHOW(p->name));
    return true;
}

/* The first page begins behind its preset, the others behind what `next` of
 * the one before has said. */
static bool key_of_page(uc__reading *r, uc_view name)
{
    const uc__draft *d = &r->d;
    int place = uc__param_place(d, name);

    if (place < 0 || (uint32_t)place >= d->nown)
        return uc__wrong(r, d->route.line,
                         ":page %.*s: there is no @param of this name, which "
                         "brings the page that is asked for",
                         UC__SHOW(name));
    if (d->params[place].preset.type == UC_ARG_ABSENT &&
        !d->params[place].optional)
        return uc__wrong(r, d->params[place].line,
                         "':%.*s' of :page needs a value behind '=', for the "
                         "first page, or '?'",
                         UC__SHOW(name));
    return true;
}

static bool limit_of_page(uc__reading *r, const uc_statement *s,
                          const uc__bounds *b)
{
    uc__draft *d = &r->d;

    if (b->limited != UC__LIMIT_PARAM)
        return uc__wrong(r, s->line,
                         ":page needs a 'limit' that is a parameter");
    if (!b->ordered)
        return uc__wrong(r, s->line, ":page needs an 'order by'");
    d->route.page_limit = (uint8_t)uc__param_place(d, b->limit);
    for (uint32_t i = 0; i < d->route.npage; i++)
        if (!key_of_page(r, d->page[i]))
            return false;
    return true;
}

/* Why rows that are selected have no bound that can be read; NULL: they have.
 * Without a table the engine counts: it may be a function that has rows. */
static const char *unlimited(const uc__bounds *b)
{
    if (b->few || (b->verb != UC__VERB_SELECT && b->verb != UC__VERB_VALUES))
        return NULL;
    switch (b->limited) {
    case UC__LIMIT_PIECE:
        return "its 'limit' stands in a piece { }, and may be absent";
    case UC__LIMIT_UNKNOWN:
        return "its 'limit' has to be a number or a parameter, and the last "
               "of it but 'offset'";
    case UC__LIMIT_NONE:
        return b->from && !b->within
                   ? "a list needs a 'limit': a number, or a parameter "
                     "with a range"
                   : NULL;
    default:
        return NULL;
    }
}

static bool bounded(uc__reading *r, uc_statement *s, const uc__bounds *b)
{
    bool of_param = b->limited == UC__LIMIT_PARAM;
    const char *fault = unlimited(b);

    s->bounded = b->few || of_param || b->limited == UC__LIMIT_NUMBER ||
                 (b->within && b->limited == UC__LIMIT_NONE);
    if (s->form != UC_FORM_MANY && s->form != UC_FORM_PAGE &&
        s->form != UC_FORM_HTML)
        return true;
    if (s->form == UC_FORM_PAGE && !limit_of_page(r, s, b))
        return false;
    if (of_param && !limit_of_param(r, s, b))
        return false;
    return fault == NULL || uc__wrong(r, s->line, "%s", fault);
}

static bool all_bounded(uc__reading *r)
{
    uc__draft *d = &r->d;

    for (uint32_t i = 0; i < d->route.nstatements; i++)
        if (!bounded(r, &d->statements[i], &d->bounds[i]))
            return false;
    return true;
}

/* ---- @repeat ---- */

static bool repeat_param(uc__reading *r, int place)
{
    const uc_param *p = &r->d.params[place];

    if (p->type != UC_PARAM_INTEGER || p->list || p->optional ||
        !p->has_least || !p->has_most || p->least < 0 ||
        p->most > UC_ROUTE_REPEAT)
        return uc__wrong(r, r->d.repeat_line,
                         "@repeat :%.*s: it has to be an integer that is "
                         "always there, with a range within 0..%d",
                         UC__SHOW(p->name), UC_ROUTE_REPEAT);
    r->d.route.repeat = (uint64_t)1 << place;
    r->d.used |= r->d.route.repeat;
    return true;
}

static bool unknown_repeat(uc__reading *r)
{
    const uc__draft *d = &r->d;
    uc_near near;

    uc_near_init(&near, d->repeat);
    for (uint32_t i = 0; i < d->nown; i++)
        uc_near_try(&near, d->params[i].name);
    if (near.best.p == NULL)
        return uc__wrong(r, d->repeat_line, "there is no @param '%.*s'",
                         UC__SHOW(d->repeat));
    return uc__wrong(r, d->repeat_line,
                     "there is no @param '%.*s': did you mean ':%.*s'?",
                     UC__SHOW(d->repeat), UC__SHOW(near.best));
}

static bool repeat(uc__reading *r)
{
    const uc__draft *d = &r->d;
    uc_form f = d->route.form;
    int place;

    if (d->repeat_line == 0)
        return true;
    if (d->as_line != 0)
        return uc__wrong(r, d->repeat_line,
                         "@repeat answers one array: there is no @as then");
    if (f == UC_FORM_PAGE || f == UC_FORM_TEXT || f == UC_FORM_HTML)
        return uc__wrong(r, d->repeat_line,
                         "@repeat answers one array: the "
                         "form is :one or :many");
    place = uc__param_place(d, d->repeat);
    if (place < 0 || (uint32_t)place >= d->nown)
        return unknown_repeat(r);
    return repeat_param(r, place);
}

/* ---- what is not used ---- */

static bool all_used(uc__reading *r)
{
    const uc__draft *d = &r->d;

    for (uint32_t i = 0; i < d->route.nparams; i++) {
        const uc_param *p = &d->params[i];

        if (p->type != UC_PARAM_GIVEN && (d->used & (uint64_t)1 << i) == 0)
            return uc__wrong(r, p->line, "no statement uses ':%.*s'",
                             UC__SHOW(p->name));
    }
    return d->route.random != 0 || d->random_line == 0 ||
           uc__wrong(r, d->random_line, "no statement uses ':_random'");
}

static uint64_t required(const uc__draft *d)
{
    uint64_t bits = 0;

    for (uint32_t i = 0; i < d->nown; i++)
        if (!d->params[i].optional && d->params[i].preset.type == UC_ARG_ABSENT)
            bits |= (uint64_t)1 << i;
    return bits;
}

/* ---- @audit ---- */

/* Columns are never what a database has as a name of its own: `user` is. */
static uc_view audit_text(uc__reading *r)
{
    const uc_route *route = &r->d.route;
    char text[1024];
    int n = snprintf(text, sizeof text,
                     "insert into %.*s(at, route, who, ip, request, params) "
                     "values (:_now, '%.*s', :_user, :_ip, :_id, :_params);",
                     (int)route->audit.len, (const char *)route->audit.p,
                     (int)route->path.len, (const char *)route->path.p);

    return uc_arena_copy(r->mem, (uc_view){(const uint8_t *)text, (size_t)n});
}

/* A statement like others, behind them. */
static bool audit(uc__reading *r)
{
    uc__draft *d = &r->d;
    uc_view text;
    uc__sql sql;
    uc__token first;

    if (d->route.audit.len == 0)
        return true;
    text = audit_text(r);
    if (text.p == NULL)
        return uc__no_memory(r);
    uc__sql_begin(&sql, text, d->audit_line);
    uc__sql_next(&sql, &first);
    d->open = true;
    if (!uc__statement_read(r, &sql, &first))
        return false;
    d->open = false;
    d->statements[--d->route.nstatements].form = UC_FORM_NONE;
    return true;
}

/* ---- the end ---- */

static void *copy(uc__reading *r, const void *of, uint32_t n, size_t size)
{
    void *to = uc_arena_calloc(r->mem, n, size);

    if (to != NULL && n > 0)
        memcpy(to, of, n * size);
    return to;
}

static bool finish(uc__reading *r)
{
    uc__draft *d = &r->d;
    uc_route *route = &d->route;

    if (r->finished.len / sizeof *route == UC_ROUTES_MOST)
        return uc__wrong(r, route->line, "there are more than %d routes",
                         UC_ROUTES_MOST);
    route->required = required(d);
    route->params = copy(r, d->params, route->nparams, sizeof *d->params);
    route->roles = copy(r, d->roles, route->nroles, sizeof *d->roles);
    route->says = copy(r, d->says, route->nsays, sizeof *d->says);
    route->replies = copy(r, d->replies, route->nreplies, sizeof *d->replies);
    route->page = copy(r, d->page, route->npage, sizeof *d->page);
    route->statements = copy(r, d->statements, uc_route_statements(route),
                             sizeof *d->statements);
    uc_buf_put(&r->finished, route, sizeof *route);
    return (!r->mem->failed && !r->finished.failed) || uc__no_memory(r);
}

bool uc__draft_end(uc__reading *r)
{
    uc__draft *d = &r->d;

    if (!d->open)
        return true;
    d->open = false;
    if (d->as_waits)
        return uc__wrong(r, d->as_line, "@as without a statement behind it");
    if (d->route.nstatements == 0)
        return uc__wrong(r, d->route.line, "this route has no statement");
    return audience(r) && answers(r) && all_bounded(r) && repeat(r) &&
           all_used(r) && audit(r) && finish(r);
}

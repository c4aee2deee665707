#include "routes/statement.h"

#include "common/near.h"
#include "routes/line.h"

/* Parentheses, of which one keeps in mind whose they are. */
enum { DEEPEST = 64, STRETCHES = 2 * UC_ROUTE_PIECES + 1 };

typedef struct walk {
    uc__reading *r;
    const uint8_t *from; /* of the stretch that is going on */
    uint64_t uses;       /* in it */
    uint32_t npieces, nchoices;
    uc_piece pieces[STRETCHES];
    bool in_piece;
    uint32_t piece_line;
    int depth, piece_depth;
    uc__verb verbs[DEEPEST + 1]; /* the last one at each depth */
} walk;

bool uc__is_tag(const uc__token *comment, uc_view *line)
{
    uc_view v = uc__trimmed(comment->text);

    if (v.len == 0 || v.p[0] != '@')
        return false;
    *line = (uc_view){v.p + 1, v.len - 1};
    return true;
}

/* ---- names ---- */

static const char *const givens[] = {
#define X(name) "_" #name,
    UC_GIVEN_MAP(X)
#undef X
};

static bool unknown_given(uc__reading *r, const uc__token *t)
{
    uc_near near;

    uc_near_init(&near, t->text);
    for (size_t i = 0; i < UC_GIVENS; i++)
        uc_near_try_text(&near, givens[i]);
    if (near.best.p == NULL)
        return uc__wrong(r, t->line,
                         "the service gives no ':%.*s': it gives :_user, "
                         ":_roles, :_now, :_ip, :_id, :_params and :_random",
                         UC__SHOW(t->text));
    return uc__wrong(r, t->line,
                     "the service gives no ':%.*s': did you mean ':%.*s'?",
                     UC__SHOW(t->text), UC__SHOW(near.best));
}

static bool unknown_param(uc__reading *r, const uc__token *t)
{
    uc_near near;

    uc_near_init(&near, t->text);
    for (uint32_t i = 0; i < r->d.nown; i++)
        uc_near_try(&near, r->d.params[i].name);
    if (near.best.p == NULL)
        return uc__wrong(r, t->line, "there is no @param '%.*s'",
                         UC__SHOW(t->text));
    return uc__wrong(r, t->line,
                     "there is no @param '%.*s': did you mean ':%.*s'?",
                     UC__SHOW(t->text), UC__SHOW(near.best));
}

/* Adds a parameter of the service, for which a route has room beside its own.
 * Its place, or -1: there is none of that name. */
static int add_given(uc__draft *d, uc_view name)
{
    for (int i = 0; i < UC_GIVENS; i++) {
        if (!uc_view_is(name, givens[i]))
            continue;
        d->params[d->route.nparams] = (uc_param){
            .name = {(const uint8_t *)givens[i], strlen(givens[i])},
            .type = UC_PARAM_GIVEN,
            .given = (uc_given)i,
        };
        return (int)d->route.nparams++;
    }
    return -1;
}

static bool use(walk *w, const uc__token *t)
{
    uc__draft *d = &w->r->d;
    int place = uc__param_place(d, t->text);

    if (place < 0 && t->text.p[0] == '_')
        place = add_given(d, t->text);
    if (place < 0)
        return t->text.p[0] == '_' ? unknown_given(w->r, t)
                                   : unknown_param(w->r, t);
    if (d->params[place].type == UC_PARAM_GIVEN &&
        d->params[place].given == UC_GIVEN_random && d->random_line == 0)
        return uc__wrong(w->r, t->line, "':_random' needs '@random lo..hi'");
    w->uses |= (uint64_t)1 << place;
    if (d->params[place].type == UC_PARAM_GIVEN &&
        d->params[place].given == UC_GIVEN_random)
        d->route.random = (uint64_t)1 << place;
    return true;
}

/* ---- pieces ---- */

static uint64_t may_be_absent(const uc__draft *d, uint64_t uses)
{
    uint64_t bits = 0;

    for (uint32_t i = 0; i < d->nown; i++)
        if (d->params[i].optional)
            bits |= uses & (uint64_t)1 << i;
    return bits;
}

static void end_stretch(walk *w, const uint8_t *to, uint64_t needs)
{
    if (to > w->from)
        w->pieces[w->npieces++] = (uc_piece){
            .sql = {w->from, (size_t)(to - w->from)},
            .needs = needs,
            .uses = w->uses,
        };
    w->r->d.used |= w->uses;
    w->uses = 0;
}

static bool begin_piece(walk *w, const uc__token *t)
{
    if (w->in_piece)
        return uc__wrong(w->r, t->line, "a piece { } within a piece");
    if (w->nchoices == UC_ROUTE_PIECES)
        return uc__wrong(w->r, t->line, "a statement has at most %d pieces { }",
                         UC_ROUTE_PIECES);
    end_stretch(w, t->from, 0);
    w->from = t->to;
    w->in_piece = true;
    w->piece_line = t->line;
    w->piece_depth = w->depth;
    return true;
}

static bool end_piece(walk *w, const uc__token *t)
{
    uint64_t needs = may_be_absent(&w->r->d, w->uses);

    if (!w->in_piece)
        return uc__wrong(w->r, t->line, "a '}' without a '{'");
    if (w->depth != w->piece_depth)
        return uc__wrong(w->r, t->line, "a '(' in this piece has no ')' in it");
    if (w->uses == 0)
        return uc__wrong(w->r, w->piece_line,
                         "this piece { } uses no parameter");
    if (needs == 0)
        return uc__wrong(w->r, w->piece_line,
                         "this piece { } is always there: none of its "
                         "parameters may be absent ('?')");
    end_stretch(w, t->from, needs);
    w->nchoices++;
    w->from = t->to;
    w->in_piece = false;
    return true;
}

static bool open_paren(walk *w, const uc__token *t)
{
    if (w->depth == DEEPEST)
        return uc__wrong(w->r, t->line, "more than %d parentheses deep",
                         DEEPEST);
    w->verbs[++w->depth] = UC__VERB_OTHER;
    return true;
}

static bool close_paren(walk *w, const uc__token *t)
{
    if (w->depth == 0)
        return uc__wrong(w->r, t->line, "a ')' without a '('");
    if (w->in_piece && w->depth == w->piece_depth)
        return uc__wrong(w->r, t->line, "a ')' in this piece has no '(' in it");
    w->depth--;
    return true;
}

/* Without its `where` an update or delete would be of all rows. */
static bool keyword(walk *w, const uc__token *t)
{
    uc__verb verb = uc__verb_of(t);

    if (verb != UC__VERB_OTHER)
        w->verbs[w->depth] = verb;
    if (!w->in_piece || w->depth != w->piece_depth || !uc__sql_is(t, "where"))
        return true;
    verb = w->verbs[w->depth];
    if (verb != UC__VERB_UPDATE && verb != UC__VERB_DELETE)
        return true;
    return uc__wrong(w->r, t->line,
                     "the 'where' of this %s stands in a piece { }: without "
                     "it the statement is one of all rows",
                     verb == UC__VERB_UPDATE ? "update" : "delete");
}

static bool token(walk *w, const uc__token *t)
{
    switch (t->kind) {
    case UC__SQL_PARAM:
        return use(w, t);
    case UC__SQL_WORD:
        return keyword(w, t);
    case UC__SQL_SIGN:
        break;
    default:
        return true;
    }
    if (t->text.len != 1)
        return true;
    switch (t->text.p[0]) {
    case '{':
        return begin_piece(w, t);
    case '}':
        return end_piece(w, t);
    case '(':
        return open_paren(w, t);
    case ')':
        return close_paren(w, t);
    default:
        return true;
    }
}

static bool walk_to_end(walk *w, uc_view text, uint32_t line)
{
    uc__sql sql;
    uc__token t;

    uc__sql_begin(&sql, text, line);
    w->from = text.p;
    for (uc__sql_next(&sql, &t); t.kind != UC__SQL_END; uc__sql_next(&sql, &t))
        if (!token(w, &t))
            return false;
    if (w->in_piece)
        return uc__wrong(w->r, w->piece_line, "this '{' has no '}'");
    if (w->depth > 0)
        return uc__wrong(w->r, line, "a '(' of this statement has no ')'");
    end_stretch(w, text.p + text.len, 0);
    return true;
}

/* ---- the whole ---- */

/* From the first token to the last one before the `;`. Comments behind that are
 * no part of it: what an engine puts behind the text must not be in one. */
static bool extent(uc__reading *r, uc__sql *sql, const uc__token *first,
                   uc_view *text)
{
    const uint8_t *end = first->to;
    uc__token t = *first;
    uc_view tag;

    for (; !uc__sql_sign(&t, ';'); uc__sql_next(sql, &t)) {
        if (t.kind == UC__SQL_FAULT)
            return uc__wrong(r, t.line, "%s", sql->fault);
        if (t.kind == UC__SQL_END)
            return uc__wrong(r, first->line, "this statement has no ';'");
        if (t.kind != UC__SQL_COMMENT)
            end = t.to;
        else if (t.first && uc__is_tag(&t, &tag))
            return uc__wrong(r, t.line,
                             "a tag within the statement of line %u: is its "
                             "';' missing?",
                             (unsigned)first->line);
    }
    *text = (uc_view){first->from, (size_t)(end - first->from)};
    return true;
}

static bool keep(uc__reading *r, const walk *w, uc_statement *s)
{
    uc_piece *pieces = uc_arena_calloc(r->mem, w->npieces, sizeof *pieces);

    s->variants =
        uc_arena_calloc(r->mem, (size_t)1 << w->nchoices, sizeof *s->variants);
    if (pieces == NULL || s->variants == NULL)
        return uc__no_memory(r);
    memcpy(pieces, w->pieces, w->npieces * sizeof *pieces);
    s->pieces = pieces;
    s->npieces = w->npieces;
    s->nchoices = w->nchoices;
    return true;
}

static void take_name(uc__draft *d, uc_statement *s)
{
    if (!d->as_waits)
        return;
    s->name = d->as;
    s->form = d->as_form;
    d->as_waits = false;
}

bool uc__statement_read(uc__reading *r, uc__sql *sql, const uc__token *first)
{
    uc__draft *d = &r->d;
    walk w = {.r = r};
    uc_view text = {0};
    uc_statement *s;

    if (!d->open)
        return uc__wrong(r, first->line,
                         "a statement before any route: a route begins with "
                         "@get or @post");
    if (uc__sql_sign(first, ';'))
        return uc__wrong(r, first->line, "a ';' without a statement");
    if (!extent(r, sql, first, &text))
        return false;
    if (text.len > UC_ROUTE_SQL)
        return uc__wrong(r, first->line, "a statement has at most %d bytes",
                         UC_ROUTE_SQL);
    if (d->route.nstatements == UC_ROUTE_STATEMENTS)
        return uc__wrong(r, first->line, "a route has at most %d statements",
                         UC_ROUTE_STATEMENTS);
    if (!walk_to_end(&w, text, first->line))
        return false;
    s = &d->statements[d->route.nstatements];
    *s = (uc_statement){.file = r->file, .line = first->line};
    if (!keep(r, &w, s))
        return false;
    take_name(d, s);
    uc__bounds_of(text, &d->bounds[d->route.nstatements++]);
    return true;
}

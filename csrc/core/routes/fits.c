#include "routes/fits.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/near.h"
#include "routes/reading.h"

/* ---- columns ---- */

void uc_fits_init(uc_fits *f, const uc_routes *set, const uc_route *route)
{
    memset(f, 0, sizeof *f);
    f->set = set;
    f->route = route;
    uc_buf_init(&f->names, SIZE_MAX);
}

void uc_fits_fini(uc_fits *f)
{
    uc_buf_fini(&f->names);
}

void uc_fits_columns(uc_fits *f, uint32_t i, uint32_t n)
{
    if (n > f->columns[i])
        f->columns[i] = n;
}

void uc_fits_column(uc_fits *f, uint32_t i, uc_view name)
{
    uint32_t len = (uint32_t)name.len;

    uc_buf_byte(&f->names, (uint8_t)i);
    uc_buf_put(&f->names, &len, sizeof len);
    uc_buf_put(&f->names, name.p, name.len);
}

/* The next column, whatever its statement; *at moves on. */
static bool next_column(const uc_fits *f, size_t *at, uint32_t *i,
                        uc_view *name)
{
    uint32_t len;

    if (*at >= f->names.len)
        return false;
    *i = f->names.p[*at];
    memcpy(&len, f->names.p + *at + 1, sizeof len);
    *name = (uc_view){f->names.p + *at + 1 + sizeof len, len};
    *at += 1 + sizeof len + len;
    return true;
}

static bool has_column(const uc_fits *f, uint32_t i, uc_view name)
{
    uint32_t of;
    uc_view v;

    for (size_t at = 0; next_column(f, &at, &of, &v);)
        if (of == i && uc_view_same(v, name))
            return true;
    return false;
}

/* ---- what a name means ---- */

enum { NOTHING = -2, CELL = -1 }; /* else the number of a statement */

typedef struct walk {
    const uc_fits *f;
    const uc_template *t;
    const uc_node *n;          /* that is looked at */
    int on[UC_TEMPLATE_DEPTH]; /* what sections stand on */
    uint32_t depth;
    uc_error *e;
} walk;

__attribute__((format(printf, 2, 3))) static bool wrong(walk *w,
                                                        const char *fmt, ...)
{
    uc_view file = uc_routes_file(w->f->set, w->n->file);
    char sentence[sizeof w->e->message - 256];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(sentence, sizeof sentence, fmt, ap);
    va_end(ap);
    return uc_fail(w->e, UC_ROUTE, "%.*s:%u: %s", UC__SHOW(file),
                   (unsigned)w->n->line, sentence);
}

static const uc_statement *statement_at(const walk *w, int i)
{
    return &w->f->route->statements[i];
}

static bool is_object(const uc_statement *st)
{
    return st->form == UC_FORM_ONE || st->form == UC_FORM_ONE_REQUIRED;
}

/* Of several without a name, in a POST, the last that has rows. */
static int statement_named(const walk *w, uc_view name)
{
    for (uint32_t i = w->f->route->nstatements; i-- > 0;) {
        const uc_statement *st = statement_at(w, (int)i);

        if (!st->refuses && w->f->columns[i] > 0 &&
            uc_view_same(uc_html_name(st), name))
            return (int)i;
    }
    return NOTHING;
}

static int column_named(const walk *w, uint8_t name)
{
    for (uint32_t k = w->depth; k-- > 0;) {
        int i = w->on[k];

        if (name == w->t->dot && (i == CELL || w->f->columns[i] == 1))
            return CELL;
        if (i != CELL && has_column(w->f, (uint32_t)i, w->t->names[name]))
            return CELL;
    }
    return NOTHING;
}

static int meaning(const walk *w, uint8_t name)
{
    int i = column_named(w, name);

    if (i == NOTHING)
        i = statement_named(w, w->t->names[name]);
    if (i >= 0 && statement_at(w, i)->form == UC_FORM_TEXT)
        return CELL;
    return i;
}

/* ---- names that mean nothing ---- */

/* A column that stands elsewhere: the statement, or NOTHING. */
static int elsewhere(const walk *w, uc_view name)
{
    uint32_t i;
    uc_view v;

    for (size_t at = 0; next_column(w->f, &at, &i, &v);)
        if (uc_view_same(v, name) &&
            statement_at(w, (int)i)->form != UC_FORM_TEXT)
            return (int)i;
    return NOTHING;
}

static void try_columns(const walk *w, uc_near *near, int statement)
{
    uint32_t i;
    uc_view v;

    for (size_t at = 0; next_column(w->f, &at, &i, &v);)
        if ((int)i == statement)
            uc_near_try(near, v);
}

static void try_all(const walk *w, uc_near *near)
{
    for (uint32_t k = w->depth; k-- > 0;)
        try_columns(w, near, w->on[k]);
    for (uint32_t i = 0; i < w->f->route->nstatements; i++)
        if (w->f->columns[i] > 0 && !statement_at(w, (int)i)->refuses)
            uc_near_try(near, uc_html_name(statement_at(w, (int)i)));
}

static bool missing(walk *w, uc_near *near)
{
    if (near->best.p != NULL)
        return wrong(w, "there is no '%.*s': did you mean '%.*s'?",
                     UC__SHOW(near->word), UC__SHOW(near->best));
    return wrong(w, "there is no '%.*s'", UC__SHOW(near->word));
}

static bool no_name(walk *w, uint8_t name)
{
    uc_view v = w->t->names[name], of;
    uc_near near;
    int i;

    if (name == w->t->dot)
        return wrong(w, "'.' is the value of a section, or the only column of "
                        "its rows: there is none here");
    i = elsewhere(w, v);
    if (i != NOTHING) {
        of = uc_html_name(statement_at(w, i));
        return wrong(w,
                     "'%.*s' is a column of '%.*s': it stands between "
                     "{{#%.*s}} and {{/%.*s}}",
                     UC__SHOW(v), UC__SHOW(of), UC__SHOW(of), UC__SHOW(of));
    }
    uc_near_init(&near, v);
    try_all(w, &near);
    return missing(w, &near);
}

/* ---- the nodes ---- */

/* statement.column */
static bool dotted(walk *w, int i)
{
    uc_view name = w->t->names[w->n->name];
    uc_view column = w->t->names[w->n->column];
    uc_near near;

    if (i == CELL)
        return wrong(w, "'%.*s' is a value: it has no '%.*s'", UC__SHOW(name),
                     UC__SHOW(column));
    if (!is_object(statement_at(w, i)))
        return wrong(w,
                     "'%.*s' is a list: its '%.*s' stands between {{#%.*s}} "
                     "and {{/%.*s}}",
                     UC__SHOW(name), UC__SHOW(column), UC__SHOW(name),
                     UC__SHOW(name));
    if (has_column(w->f, (uint32_t)i, column))
        return true;
    uc_near_init(&near, column);
    try_columns(w, &near, i);
    return missing(w, &near);
}

static bool means(walk *w, int *what)
{
    *what = meaning(w, w->n->name);
    if (*what == NOTHING)
        return no_name(w, w->n->name);
    if (w->n->column == UC_TEMPLATE_NONE)
        return true;
    if (!dotted(w, *what))
        return false;
    *what = CELL;
    return true;
}

static bool is_value(walk *w, int what)
{
    uc_view name = w->t->names[w->n->name];

    if (what == CELL)
        return true;
    return wrong(w, "'%.*s' is %s: {{#%.*s}} … {{/%.*s}} shows what is in it",
                 UC__SHOW(name),
                 is_object(statement_at(w, what)) ? "a row" : "a list",
                 UC__SHOW(name), UC__SHOW(name));
}

static bool nodes(walk *w, uint32_t from, uint32_t to);

static bool section(walk *w, uint32_t i, int what)
{
    const uc_node *n = &w->t->nodes[i];
    bool fits;

    if (n->kind == UC_NODE_INVERTED)
        return nodes(w, i + 1, n->past);
    w->on[w->depth++] = what;
    fits = nodes(w, i + 1, n->past);
    w->depth--;
    return fits;
}

static bool nodes(walk *w, uint32_t from, uint32_t to)
{
    int what;

    for (uint32_t i = from; i < to;) {
        const uc_node *n = &w->t->nodes[i];
        bool holds = n->kind >= UC_NODE_SECTION;

        w->n = n;
        if (n->kind != UC_NODE_TEXT) {
            if (!means(w, &what) ||
                !(holds ? section(w, i, what) : is_value(w, what)))
                return false;
        }
        i = holds ? n->past : i + 1;
    }
    return true;
}

bool uc_fits_check(const uc_fits *f, uc_error *e)
{
    walk w = {.f = f, .t = f->route->template, .e = e};

    if (f->names.failed)
        return uc_fail(e, UC_MEMORY, "routes: out of memory");
    return nodes(&w, 0, w.t->nnodes);
}

#include "routes/template.h"

#include "common/near.h"
#include "routes/line.h"
#include "routes/reading.h"

/* What a template and its partials are gathered in. */
typedef struct build {
    uc__reading *r;
    uc_buf nodes; /* uc_node by uc_node */
    uint32_t nnames;
    uc_view names[UC_TEMPLATE_NAMES];
    uint32_t depth;
    uint32_t open[UC_TEMPLATE_DEPTH]; /* nodes of sections that are open */
    size_t bytes;
} build;

/* One file of them. */
typedef struct source {
    build *b;
    const struct source *above; /* which it is a partial of */
    uint32_t file, line;
    uint32_t base;       /* sections that were open before it */
    uc_view indent;      /* in front of each line */
    uc_view open, close; /* the delimiters */
    const uint8_t *begin, *p, *end;
} source;

typedef struct tag {
    char kind;    /* # ^ / > ! = and, of values, & { or 0 */
    uc_view name; /* what is in it, without blanks around it */
    uint32_t line;
    const uint8_t *from, *to; /* with its delimiters */
} tag;

/* ---- files ---- */

static bool is_sql(uc_view name)
{
    return name.len > 4 && memcmp(name.p + name.len - 4, ".sql", 4) == 0;
}

int64_t uc__template_file(const uc_routes *set, uc_view name)
{
    for (uint32_t i = 0; i < set->nfiles; i++)
        if (!is_sql(name) && uc_view_same(set->files[i].name, name))
            return i;
    return -1;
}

bool uc__no_template(uc__reading *r, uint32_t line, uc_view name)
{
    uc_near near;

    uc_near_init(&near, name);
    for (uint32_t i = 0; i < r->set->nfiles; i++)
        if (!is_sql(r->set->files[i].name))
            uc_near_try(&near, r->set->files[i].name);
    if (near.best.p != NULL)
        return uc__wrong(r, line,
                         "there is no template '%.*s': did you mean '%.*s'?",
                         UC__SHOW(name), UC__SHOW(near.best));
    return uc__wrong(r, line, "there is no template '%.*s'", UC__SHOW(name));
}

/* ---- nodes ---- */

static uint32_t count(const build *b)
{
    return (uint32_t)(b->nodes.len / sizeof(uc_node));
}

static uc_node *node_at(build *b, uint32_t i)
{
    return (uc_node *)(void *)b->nodes.p + i;
}

static bool add(source *s, const uc_node *n)
{
    build *b = s->b;

    if (count(b) == UC_TEMPLATE_NODES)
        return uc__wrong(b->r, n->line,
                         "up to here this template and its partials have more "
                         "than %d tags and texts",
                         UC_TEMPLATE_NODES);
    uc_buf_put(&b->nodes, n, sizeof *n);
    return !b->nodes.failed || uc__no_memory(b->r);
}

static bool add_text(source *s, uc_view text)
{
    uc_node n = {
        .kind = UC_NODE_TEXT, .text = text, .file = s->file, .line = s->line};

    return text.len == 0 || add(s, &n);
}

/* The indentation of a partial, where a line begins. */
static bool add_indent(source *s, const uint8_t *at)
{
    return (at > s->begin && at[-1] != '\n') || add_text(s, s->indent);
}

static bool add_lines(source *s, const uint8_t *from, const uint8_t *to)
{
    const uint8_t *next;

    if (s->indent.len == 0)
        return add_text(s, (uc_view){from, (size_t)(to - from)});
    for (; from < to; from = next) {
        next = memchr(from, '\n', (size_t)(to - from));
        next = next != NULL ? next + 1 : to;
        if (!add_indent(s, from) ||
            !add_text(s, (uc_view){from, (size_t)(next - from)}))
            return false;
    }
    return true;
}

/* ---- names ---- */

static bool number_of(const source *s, const tag *t, uc_view name,
                      uint8_t *number)
{
    build *b = s->b;
    uint32_t i = 0;

    while (i < b->nnames && !uc_view_same(b->names[i], name))
        i++;
    if (i == UC_TEMPLATE_NAMES)
        return uc__wrong(b->r, t->line,
                         "this template and its partials have more than %d "
                         "names",
                         UC_TEMPLATE_NAMES);
    if (i == b->nnames)
        b->names[b->nnames++] = name;
    *number = (uint8_t)i;
    return true;
}

static bool has_blank(uc_view v)
{
    for (size_t i = 0; i < v.len; i++)
        if (v.p[i] <= ' ')
            return true;
    return false;
}

static bool is_name(const source *s, const tag *t)
{
    if (t->name.len == 0)
        return uc__wrong(s->b->r, t->line, "a tag without a name");
    if (has_blank(t->name))
        return uc__wrong(s->b->r, t->line, "'%.*s' is no name: it has blanks",
                         UC__SHOW(t->name));
    return true;
}

/* name, statement.column, or a single dot. */
static bool read_name(const source *s, const tag *t, uc_node *n)
{
    uc_view name = t->name, column = {0};
    const uint8_t *dot;

    n->column = UC_TEMPLATE_NONE;
    if (!is_name(s, t))
        return false;
    dot = memchr(name.p, '.', name.len);
    if (dot == NULL || name.len == 1)
        return number_of(s, t, name, &n->name);
    column = (uc_view){dot + 1, (size_t)(name.p + name.len - dot) - 1};
    name.len = (size_t)(dot - name.p);
    if (name.len == 0 || column.len == 0 ||
        memchr(column.p, '.', column.len) != NULL)
        return uc__wrong(s->b->r, t->line,
                         "'%.*s' is no name: a dot stands between a statement "
                         "and its column",
                         UC__SHOW(t->name));
    return number_of(s, t, name, &n->name) &&
           number_of(s, t, column, &n->column);
}

/* ---- tags ---- */

static bool add_tag(source *s, const tag *t, uc_node_kind kind)
{
    uc_node n = {
        .kind = kind, .text = t->name, .file = s->file, .line = t->line};

    return read_name(s, t, &n) && add(s, &n);
}

static bool open_section(source *s, const tag *t, uc_node_kind kind)
{
    build *b = s->b;

    if (b->depth == UC_TEMPLATE_DEPTH)
        return uc__wrong(b->r, t->line, "more than %d sections in each other",
                         UC_TEMPLATE_DEPTH);
    b->open[b->depth++] = count(b);
    return add_tag(s, t, kind);
}

static bool close_section(source *s, const tag *t)
{
    build *b = s->b;
    uc_node *n;

    if (b->depth == s->base)
        return uc__wrong(b->r, t->line, "no section '%.*s' is open",
                         UC__SHOW(t->name));
    n = node_at(b, b->open[--b->depth]);
    if (!uc_view_same(n->text, t->name))
        return uc__wrong(b->r, t->line,
                         "'%.*s' ends where the section '%.*s' of line %u is "
                         "open",
                         UC__SHOW(t->name), UC__SHOW(n->text),
                         (unsigned)n->line);
    n->past = count(b);
    return true;
}

static bool set_delimiters(source *s, const tag *t)
{
    uc__line l = {t->name.p, t->name.p + t->name.len};
    uc_view open = uc__line_word(&l), close = uc__line_word(&l);

    if (close.len == 0 || uc__line_peek(&l).len > 0 || has_blank(open) ||
        has_blank(close) || memchr(t->name.p, '=', t->name.len) != NULL)
        return uc__wrong(s->b->r, t->line,
                         "delimiters are two words without '=', as in "
                         "{{=<%% %%>=}}");
    s->open = open;
    s->close = close;
    return true;
}

static bool read_source(build *b, uint32_t file, uc_view indent,
                        const source *above);

/* Exactly so, or without its ending. */
static int64_t find_partial(const source *s, uc_view name)
{
    static const char ending[] = ".mustache";
    int64_t file = uc__template_file(s->b->r->set, name);
    uint8_t whole[256 + sizeof ending];

    if (file >= 0 || name.len > 255)
        return file;
    memcpy(whole, name.p, name.len);
    memcpy(whole + name.len, ending, sizeof ending - 1);
    return uc__template_file(s->b->r->set,
                             (uc_view){whole, name.len + sizeof ending - 1});
}

static bool may_stand_here(const source *s, const tag *t, uint32_t file)
{
    unsigned depth = 0;

    for (const source *a = s; a != NULL; a = a->above) {
        if (a->file == file)
            return uc__wrong(s->b->r, t->line,
                             "the partial '%.*s' would be within itself",
                             UC__SHOW(t->name));
        depth++;
    }
    return depth <= UC_TEMPLATE_PARTIALS ||
           uc__wrong(s->b->r, t->line, "more than %d partials in each other",
                     UC_TEMPLATE_PARTIALS);
}

static bool join(const source *s, uc_view lead, uc_view *indent)
{
    uint8_t *p;

    *indent = s->indent.len == 0 ? lead : s->indent;
    if (s->indent.len == 0 || lead.len == 0)
        return true;
    p = uc_arena_alloc(s->b->r->mem, s->indent.len + lead.len);
    if (p == NULL)
        return uc__no_memory(s->b->r);
    memcpy(p, s->indent.p, s->indent.len);
    memcpy(p + s->indent.len, lead.p, lead.len);
    *indent = (uc_view){p, s->indent.len + lead.len};
    return true;
}

/* lead: the blanks before a partial that stands alone; p NULL: it does not. */
static bool partial(source *s, const tag *t, uc_view lead)
{
    uc_view indent = {0};
    int64_t file;
    bool done;

    if (!is_name(s, t))
        return false;
    file = find_partial(s, t->name);
    if (file < 0)
        return uc__no_template(s->b->r, t->line, t->name);
    if (!may_stand_here(s, t, (uint32_t)file) ||
        (lead.p != NULL && !join(s, lead, &indent)))
        return false;
    done = read_source(s->b, (uint32_t)file, indent, s);
    if (done)
        s->b->r->file = s->file;
    return done;
}

static bool act(source *s, const tag *t, uc_view lead)
{
    switch (t->kind) {
    case '!':
        return true;
    case '=':
        return set_delimiters(s, t);
    case '>':
        return partial(s, t, lead);
    case '#':
        return open_section(s, t, UC_NODE_SECTION);
    case '^':
        return open_section(s, t, UC_NODE_INVERTED);
    case '/':
        return close_section(s, t);
    case '{':
    case '&':
        return add_tag(s, t, UC_NODE_RAW);
    case 0:
        return add_tag(s, t, UC_NODE_VALUE);
    default:
        return uc__wrong(s->b->r, t->line,
                         "a tag with '%c': templates inherit nothing here, "
                         "{{>file}} puts one into another",
                         t->kind);
    }
}

/* ---- where they are ---- */

static const uint8_t *find(const uint8_t *p, const uint8_t *end, uc_view what)
{
    while ((size_t)(end - p) >= what.len) {
        p = memchr(p, what.p[0], (size_t)(end - p) - what.len + 1);
        if (p == NULL || memcmp(p, what.p, what.len) == 0)
            return p;
        p++;
    }
    return NULL;
}

/* The closing delimiter, with what stands before it in {{{name}}} and
 * {{=<% %>=}}; last: that, or 0. */
static const uint8_t *find_close(const source *s, const uint8_t *p, char last)
{
    const uint8_t *q = find(p, s->end, s->close);

    while (q != NULL && last != 0 && (q == p || q[-1] != (uint8_t)last))
        q = find(q + 1, s->end, s->close);
    return q;
}

static uint32_t lines(const uint8_t *from, const uint8_t *to)
{
    uint32_t n = 0;

    for (; from < to; from++)
        n += *from == '\n';
    return n;
}

static bool read_tag(const source *s, const uint8_t *at, tag *t)
{
    const uint8_t *p = at + s->open.len, *q;
    char last;

    *t = (tag){.from = at, .to = at, .line = s->line + lines(s->p, at)};
    while (p < s->end && (*p == ' ' || *p == '\t'))
        p++;
    if (p < s->end && *p != '\0' && strchr("#^/>!&={<$", *p) != NULL)
        t->kind = (char)*p++;
    last = t->kind == '{' ? '}' : t->kind == '=' ? '=' : '\0';
    q = find_close(s, p, last);
    if (q == NULL)
        return uc__wrong(s->b->r, t->line, "this tag has no end '%s%.*s'",
                         last == '}'   ? "}"
                         : last == '=' ? "="
                                       : "",
                         UC__SHOW(s->close));
    t->name = uc__trimmed((uc_view){p, (size_t)(q - p) - (last != 0)});
    t->to = q + s->close.len;
    return true;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

/* *lead: where its line begins. *next: the line behind it. */
static bool stands_alone(const source *s, const tag *t, const uint8_t **lead,
                         const uint8_t **next)
{
    const uint8_t *a = t->from, *z = t->to;

    if (t->kind == 0 || t->kind == '&' || t->kind == '{')
        return false;
    while (a > s->p && is_blank(a[-1]))
        a--;
    if (a > s->begin && a[-1] != '\n')
        return false;
    while (z < s->end && is_blank(*z))
        z++;
    if (s->end - z >= 2 && z[0] == '\r' && z[1] == '\n')
        z++;
    if (z < s->end && *z++ != '\n')
        return false;
    *lead = a;
    *next = z;
    return true;
}

/* The text before a tag, and the tag. */
static bool take(source *s, const tag *t)
{
    const uint8_t *lead = t->from, *next = t->to;
    bool alone = stands_alone(s, t, &lead, &next);
    uc_view blanks = {0};

    if (!add_lines(s, s->p, lead) || (!alone && !add_indent(s, t->from)))
        return false;
    if (alone)
        blanks = (uc_view){lead, (size_t)(t->from - lead)};
    s->line += lines(s->p, next);
    s->p = next;
    return act(s, t, blanks);
}

static bool read_tags(source *s)
{
    const uint8_t *at;
    tag t;

    while ((at = find(s->p, s->end, s->open)) != NULL) {
        if (!read_tag(s, at, &t) || !take(s, &t))
            return false;
    }
    return add_lines(s, s->p, s->end);
}

/* That of the byte order, which an editor may have set. */
static uc_view without_mark(uc_view text)
{
    if (text.len >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0)
        return (uc_view){text.p + 3, text.len - 3};
    return text;
}

static bool read_source(build *b, uint32_t file, uc_view indent,
                        const source *above)
{
    uc_view text = without_mark(b->r->set->files[file].text);
    source s = {
        .b = b,
        .above = above,
        .file = file,
        .line = 1,
        .base = b->depth,
        .indent = indent,
        .open = {(const uint8_t *)"{{", 2},
        .close = {(const uint8_t *)"}}", 2},
        .begin = text.p,
        .p = text.p,
        .end = text.p + text.len,
    };

    b->r->file = file;
    b->bytes += text.len + 1; /* an empty one takes time as well */
    if (b->bytes > UC_TEMPLATE_BYTES)
        return uc__wrong(b->r, 1,
                         "with this file a template and its partials have more "
                         "than %d bytes",
                         UC_TEMPLATE_BYTES);
    if (!read_tags(&s))
        return false;
    if (b->depth == s.base)
        return true;
    return uc__wrong(b->r, node_at(b, b->open[b->depth - 1])->line,
                     "the section '%.*s' has no end",
                     UC__SHOW(node_at(b, b->open[b->depth - 1])->text));
}

/* ---- the whole ---- */

static const void *copy(uc__reading *r, const void *of, uint32_t n, size_t size)
{
    void *to = uc_arena_calloc(r->mem, n, size);

    if (to != NULL && n > 0)
        memcpy(to, of, n * size);
    return to;
}

static const uc_template *finish(build *b)
{
    uc__reading *r = b->r;
    uc_template *t = uc_arena_calloc(r->mem, 1, sizeof *t);

    if (t == NULL)
        return NULL;
    t->nnames = b->nnames;
    t->names = copy(r, b->names, b->nnames, sizeof *b->names);
    t->nnodes = count(b);
    t->nodes = copy(r, b->nodes.p, t->nnodes, sizeof *t->nodes);
    t->dot = UC_TEMPLATE_NONE;
    for (uint32_t i = 0; i < b->nnames; i++)
        if (uc_view_is(b->names[i], "."))
            t->dot = (uint8_t)i;
    return r->mem->failed ? NULL : t;
}

const uc_template *uc__template_read(uc__reading *r, uint32_t file)
{
    const uc_template *t = NULL;
    build b = {.r = r};

    uc_buf_init(&b.nodes, UC_TEMPLATE_NODES * sizeof(uc_node));
    if (read_source(&b, file, (uc_view){0}, NULL)) {
        t = finish(&b);
        if (t == NULL)
            uc__no_memory(r);
    }
    uc_buf_fini(&b.nodes);
    return t;
}

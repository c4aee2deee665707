#include "routes/html.h"

/*
 * A row in the buffer of cells: for each cell where it ends, as 4 bytes counted
 * from the end of these, with a bit for whether it is something; then the
 * cells. What is null is an empty one.
 */
static const uint32_t something = 0x80000000u;

/* ---- keeping rows ---- */

uc_view uc_html_name(const uc_statement *st)
{
    static const uint8_t rows[] = "rows";

    return st->name.len > 0 ? st->name : (uc_view){rows, sizeof rows - 1};
}

static uint8_t number_of(const uc_template *t, uc_view name)
{
    for (uint32_t i = 0; i < t->nnames; i++)
        if (uc_view_same(t->names[i], name))
            return (uint8_t)i;
    return UC_TEMPLATE_NONE;
}

void uc_html_begin(uc_html_rows *r, const uc_template *t,
                   const uc_statement *st, size_t at)
{
    r->form = st->form;
    r->name = number_of(t, uc_html_name(st));
    r->ncells = 0;
    r->n = 0;
    r->at = at;
    memset(r->place, UC_TEMPLATE_NONE, sizeof r->place);
    if (st->form == UC_FORM_TEXT)
        r->columns[r->ncells++] = 0;
}

static void keep(uc_html_rows *r, uint8_t name, uint32_t column)
{
    if (name == UC_TEMPLATE_NONE || r->place[name] != UC_TEMPLATE_NONE)
        return;
    r->place[name] = (uint8_t)r->ncells;
    r->columns[r->ncells++] = column;
}

void uc_html_column(uc_html_rows *r, const uc_template *t, uint32_t i,
                    uint32_t n, uc_view name)
{
    if (r->form == UC_FORM_TEXT)
        return;
    keep(r, number_of(t, name), i);
    if (n == 1)
        keep(r, t->dot, i);
}

size_t uc_html_row(uc_html_rows *r, uc_buf *cells)
{
    size_t at = cells->len, ends = r->ncells * sizeof(uint32_t);

    r->n++;
    if (uc_buf_reserve(cells, ends))
        cells->len += ends;
    return at;
}

void uc_html_cell(const uc_html_rows *r, uc_buf *cells, size_t row, uint32_t i,
                  bool is)
{
    size_t end;
    uint32_t v;

    if (cells->failed)
        return;
    end = cells->len - row - r->ncells * sizeof v;
    if (end >= something) {
        cells->failed = cells->full = true;
        return;
    }
    v = (uint32_t)end | (is ? something : 0);
    memcpy(cells->p + row + i * sizeof v, &v, sizeof v);
}

/* ---- escaping ---- */

static const struct {
    uint8_t len;
    char text[7];
} entities[256] = {
    ['&'] = {5, "&amp;"},  ['<'] = {4, "&lt;"},   ['>'] = {4, "&gt;"},
    ['"'] = {6, "&quot;"}, ['\''] = {5, "&#39;"},
};

/* One of the eight bytes may have to be escaped (has-zero tests, see json.c of
 * the wire); " and &, and < and >, differ in one bit. */
static inline bool any_special(uint64_t w)
{
    const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
    uint64_t quote = (w & ones * 0xfb) ^ ones * '"';
    uint64_t angle = (w & ones * 0xfd) ^ ones * '<';
    uint64_t single = w ^ ones * '\'';

    return (((quote - ones) & ~quote) | ((angle - ones) & ~angle) |
            ((single - ones) & ~single)) &
           high;
}

/* Appends the bytes from p on that stand in HTML as they are, looked at and
 * copied at once; the last word over a part of the one before. Returns how
 * many. There is room for all. */
static size_t plain(uc_buf *out, const uint8_t *p, size_t n)
{
    uint8_t *to = out->p + out->len;
    uint64_t w = 0;
    size_t i = 0;

    for (; n - i >= 8; i += 8) {
        memcpy(&w, p + i, 8);
        if (any_special(w))
            break;
        memcpy(to + i, &w, 8);
    }
    if (n >= 8 && n - i < 8) {
        memcpy(&w, p + n - 8, 8);
        if (!any_special(w)) {
            memcpy(to + n - 8, &w, 8);
            i = n;
        }
    }
    for (; i < n && entities[p[i]].len == 0; i++)
        to[i] = p[i];
    out->len += i;
    return i;
}

void uc_html_escape(uc_buf *out, uc_view text)
{
    while (text.len > 0 && uc_buf_reserve(out, text.len)) {
        size_t n = plain(out, text.p, text.len);

        text.p += n;
        text.len -= n;
        if (text.len == 0)
            break;
        uc_buf_put(out, entities[*text.p].text, entities[*text.p].len);
        text.p++;
        text.len--;
    }
}

/* ---- finding values ---- */

typedef struct cell {
    uc_view text;
    bool is;
} cell;

/* What a section stands on: a row, or a cell, whose name is `.`. */
typedef struct frame {
    const uc_html_rows *rows; /* NULL: a cell */
    const uint8_t *row;
    cell value;
} frame;

typedef struct page {
    const uc_template *t;
    const uc_html_rows *rows;
    uint32_t n;
    const uc_buf *cells;
    uc_buf *out;
    uc_html_end end;
    bool over;
    uint32_t steps;
    uint32_t look_step; /* whether it is still wanted is asked then */
    size_t look_byte;
    uint32_t depth;
    frame frames[UC_TEMPLATE_DEPTH];
} page;

/* Rows, or else a cell. */
typedef struct found {
    const uc_html_rows *rows;
    cell cell;
} found;

static uint32_t end_of(const uint8_t *row, uint32_t i)
{
    uint32_t v;

    memcpy(&v, row + i * sizeof v, sizeof v);
    return v;
}

static cell cell_at(const uc_html_rows *r, const uint8_t *row, uint32_t i)
{
    const uint8_t *p = row + r->ncells * sizeof(uint32_t);
    uint32_t from = i > 0 ? end_of(row, i - 1) & ~something : 0;
    uint32_t to = end_of(row, i);

    return (cell){{p + from, (to & ~something) - from}, to & something};
}

/* NULL: there is none to look at. */
static const uint8_t *first_row(const page *g, const uc_html_rows *r)
{
    return r->ncells > 0 && g->cells->p != NULL ? g->cells->p + r->at : NULL;
}

static const uint8_t *next_row(const uc_html_rows *r, const uint8_t *row)
{
    if (r->ncells == 0)
        return row;
    return row + r->ncells * sizeof(uint32_t) +
           (end_of(row, r->ncells - 1) & ~something);
}

static found statement(const page *g, uint8_t name)
{
    found f = {0};

    for (uint32_t i = 0; i < g->n; i++) {
        const uc_html_rows *r = &g->rows[i];

        if (r->name != name)
            continue;
        if (r->form != UC_FORM_TEXT)
            f.rows = r;
        else if (r->n > 0)
            f.cell = cell_at(r, first_row(g, r), 0);
        break;
    }
    return f;
}

/* From the innermost section outwards. */
static found named(const page *g, uint8_t name)
{
    for (uint32_t i = g->depth; i-- > 0;) {
        const frame *f = &g->frames[i];

        if (f->rows == NULL && name == g->t->dot)
            return (found){.cell = f->value};
        if (f->rows != NULL && f->rows->place[name] != UC_TEMPLATE_NONE)
            return (found){.cell =
                               cell_at(f->rows, f->row, f->rows->place[name])};
    }
    return statement(g, name);
}

static found value_of(const page *g, const uc_node *n)
{
    found f = named(g, n->name);
    const uc_html_rows *r = f.rows;

    if (n->column == UC_TEMPLATE_NONE)
        return f;
    if (r == NULL || r->n == 0 || r->place[n->column] == UC_TEMPLATE_NONE)
        return (found){0};
    return (found){.cell = cell_at(r, first_row(g, r), r->place[n->column])};
}

/* ---- the page ---- */

static void nodes(page *g, uint32_t from, uint32_t to);

/* So much is done without a look at whether anybody waits for it: less than a
 * millisecond, unless a cell is larger. */
enum { STEPS_BETWEEN = 4096, BYTES_BETWEEN = 1 << 18 };

static bool is_over(page *g)
{
    if (g->end.is_over == NULL)
        return false;
    g->look_step = g->steps + STEPS_BETWEEN;
    g->look_byte = g->out->len + BYTES_BETWEEN;
    g->over = g->end.is_over(g->end.arg);
    return g->over;
}

static bool goes_on(page *g)
{
    if (g->steps >= UC_HTML_STEPS || g->out->failed || g->over)
        return false;
    if ((g->steps >= g->look_step || g->out->len >= g->look_byte) && is_over(g))
        return false;
    g->steps++;
    return true;
}

static void within(page *g, uint32_t i, const frame *f)
{
    g->frames[g->depth++] = *f;
    nodes(g, i + 1, g->t->nodes[i].past);
    g->depth--;
}

static void section(page *g, uint32_t i)
{
    found f = value_of(g, &g->t->nodes[i]);
    const uint8_t *row;

    if (f.rows == NULL) {
        if (f.cell.is)
            within(g, i, &(frame){.value = f.cell});
        return;
    }
    row = first_row(g, f.rows);
    for (uint64_t k = 0; k < f.rows->n && goes_on(g); k++) {
        within(g, i, &(frame){.rows = f.rows, .row = row});
        row = next_row(f.rows, row);
    }
}

static void inverted(page *g, uint32_t i)
{
    found f = value_of(g, &g->t->nodes[i]);

    if (f.rows != NULL ? f.rows->n == 0 : !f.cell.is)
        nodes(g, i + 1, g->t->nodes[i].past);
}

static void raw(page *g, uc_view v)
{
    uc_buf_put(g->out, v.p, v.len);
}

static void node(page *g, uint32_t i)
{
    const uc_node *n = &g->t->nodes[i];

    switch (n->kind) {
    case UC_NODE_TEXT:
        raw(g, n->text);
        break;
    case UC_NODE_VALUE:
        uc_html_escape(g->out, value_of(g, n).cell.text);
        break;
    case UC_NODE_RAW:
        raw(g, value_of(g, n).cell.text);
        break;
    case UC_NODE_SECTION:
        section(g, i);
        break;
    case UC_NODE_INVERTED:
        inverted(g, i);
        break;
    }
}

static void nodes(page *g, uint32_t from, uint32_t to)
{
    const uc_node *all = g->t->nodes;

    for (uint32_t i = from; i < to && goes_on(g);) {
        bool holds = all[i].kind >= UC_NODE_SECTION;

        node(g, i);
        i = holds ? all[i].past : i + 1;
    }
}

bool uc_html_render(const uc_template *t, const uc_html_rows *rows, uint32_t n,
                    const uc_buf *cells, uc_html_end end, uc_buf *out)
{
    page g = {.t = t,
              .rows = rows,
              .n = n,
              .cells = cells,
              .out = out,
              .end = end,
              .look_step = STEPS_BETWEEN,
              .look_byte = out->len + BYTES_BETWEEN};

    nodes(&g, 0, t->nnodes);
    return g.steps < UC_HTML_STEPS && !g.over;
}

/*
 * A template, and a partial p.mustache behind the first NUL, over rows that are
 * always the same. What is refused has a sentence with a file's name in it, of
 * valid UTF-8. What is read is filled in, whether it fits the statements or
 * not, within its bounds; and nothing of a row stands in it unescaped unless
 * the template says so.
 */
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "routes/fits.h"
#include "wire/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STATEMENTS = 4, COLUMNS = 2, MOST = 65536 };

static const char routes[] = "-- @get / :html t.mustache\n"
                             "-- @public\n"
                             "-- @as list\nselect 1 limit 9;\n"
                             "-- @as one :one\nselect 1;\n"
                             "-- @as text :text\nselect 1;\n"
                             "-- @as none\nselect 1 limit 9;\n";

static const char *const columns[STATEMENTS][COLUMNS] = {
    {"a", "b"}, {"a", "c"}, {"t", NULL}, {"d", NULL}};

/* \1 stands in no template that matters, and here always behind what is
 * escaped: a template may itself end with a "<" where a cell begins. */
static const char *const cells[] = {"<\1>", "", "x&\1", "y<\1"};
static const uint32_t counts[STATEMENTS] = {3, 1, 1, 0};

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
    check(strncmp(e->message, "t.mustache:", 11) == 0 ||
          strncmp(e->message, "p.mustache:", 11) == 0);
}

static uc_view view(const char *s)
{
    return (uc_view){(const uint8_t *)s, strlen(s)};
}

static uint32_t width(uint32_t statement)
{
    return columns[statement][1] != NULL ? 2 : 1;
}

static void look(const uc_routes *set, const uc_route *route)
{
    uc_fits f;
    uc_error e;

    uc_error_init(&e);
    uc_fits_init(&f, set, route);
    for (uint32_t i = 0; i < STATEMENTS; i++) {
        uc_fits_columns(&f, i, width(i));
        for (uint32_t k = 0; k < width(i); k++)
            uc_fits_column(&f, i, view(columns[i][k]));
    }
    if (!uc_fits_check(&f, &e))
        sentence(&e);
    uc_fits_fini(&f);
}

static void keep(uc_html_rows *r, const uc_route *route, uint32_t i,
                 uc_buf *out)
{
    uc_html_begin(r, route->template, &route->statements[i], out->len);
    for (uint32_t k = 0; k < width(i); k++)
        uc_html_column(r, route->template, k, width(i), view(columns[i][k]));
    for (uint32_t k = 0; k < counts[i]; k++) {
        size_t at = uc_html_row(r, out);

        for (uint32_t c = 0; c < r->ncells; c++) {
            const char *s = cells[(k + c) % 4];

            uc_buf_put(out, s, strlen(s));
            uc_html_cell(r, out, at, c, *s != '\0');
        }
    }
}

static bool is_escaped(const uc_template *t)
{
    for (uint32_t i = 0; i < t->nnodes; i++)
        if (t->nodes[i].kind == UC_NODE_RAW)
            return false;
    return true;
}

static void fill(const uc_route *route, bool plain)
{
    uc_html_rows r[STATEMENTS];
    uc_buf kept, out;

    uc_buf_init(&kept, SIZE_MAX);
    uc_buf_init(&out, MOST);
    for (uint32_t i = 0; i < STATEMENTS; i++)
        keep(&r[i], route, i, &kept);
    uc_html_render(route->template, r, STATEMENTS, &kept,
                   (uc_html_end){NULL, NULL}, &out);
    check(out.len <= MOST);
    for (size_t i = 1; plain && i < out.len; i++)
        check(out.p[i] != 1 || (out.p[i - 1] != '<' && out.p[i - 1] != '&'));
    uc_buf_fini(&kept);
    uc_buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = size > 0 ? memchr(data, 0, size) : NULL;
    size_t first = nul != NULL ? (size_t)(nul - data) : size;
    uc_source files[] = {
        {view("r.sql"), view(routes)},
        {view("t.mustache"), {data, first}},
        {view("p.mustache"), {NULL, 0}},
    };
    const uc_route *route;
    uc_routes *set;
    uc_error e;

    if (nul != NULL)
        files[2].text = (uc_view){nul + 1, size - first - 1};
    uc_error_init(&e);
    set = uc_routes_read(files, 3, &e);
    if (set == NULL) {
        sentence(&e);
        return 0;
    }
    route = uc_routes_at(set, 0);
    look(set, route);
    fill(route, (size == 0 || memchr(data, 1, size) == NULL) &&
                    is_escaped(route->template));
    uc_routes_unref(set);
    return 0;
}

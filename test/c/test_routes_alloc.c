/*
 * Allocation number n fails, for n = 1, 2, … until a set of routes has been
 * read, all of its variants made and its templates filled in without reaching
 * n. Whoever asked is told, nothing is lost (LeakSanitizer), and a variant that
 * there was no memory for is made the next time.
 */
#include "common/mem.h"
#include "routes/fits.h"
#include "routes_example.h"
#include "tap.h"

static uc_view view(const char *s)
{
    return (uc_view){(const uint8_t *)s, strlen(s)};
}

static unsigned wrong; /* what should not have been */

static uc_routes *read_all(const char *text)
{
    uc_source files[] = {
        {view("r.sql"), view(text)},
        {view("board.mustache"), view(routes_template)},
        {view("page.mustache"), view("  {{>part}}\n")},
        {view("part.mustache"), view("a\n  {{>item}}\n")},
        {view("item.mustache"), view("{{#rows}}\n{{a}}{{{a}}}\n{{/rows}}\n")}};
    uc_routes *set;
    uc_error e;

    uc_error_init(&e);
    set = uc_routes_read(files, 5, &e);
    if (set == NULL && (e.code == NULL || strcmp(e.code, "UC_MEMORY") != 0)) {
        tap_diag("%s", e.message);
        wrong++;
    }
    return set;
}

static void make_variants(uc_routes *set)
{
    for (uint32_t i = 0; i < uc_routes_count(set); i++) {
        uc_route *route = uc_routes_at(set, i);

        for (uint32_t j = 0; j < route->nstatements; j++) {
            uc_statement *s = &route->statements[j];

            if (uc_statement_variant(set, route, s, UINT64_MAX) == NULL)
                wrong +=
                    uc_statement_variant(set, route, s, UINT64_MAX) == NULL;
        }
    }
}

/* Whether a template names only what there is; without memory nobody knows. */
static void look(const uc_routes *set, const uc_route *route)
{
    uc_fits f;
    uc_error e;

    uc_error_init(&e);
    uc_fits_init(&f, set, route);
    uc_fits_columns(&f, 0, 1);
    uc_fits_column(&f, 0, view("a"));
    if (!uc_fits_check(&f, &e))
        wrong += strcmp(e.code, "UC_MEMORY") != 0;
    uc_fits_fini(&f);
}

/* Of two rows. What was not whole says so. */
static void fill(const uc_route *route)
{
    static const char page[] = "  a\n    &lt;<\n    &lt;<\n";
    uc_html_rows r;
    uc_buf cells, out;

    uc_buf_init(&cells, SIZE_MAX);
    uc_buf_init(&out, SIZE_MAX);
    uc_html_begin(&r, route->template, &route->statements[0], 0);
    uc_html_column(&r, route->template, 0, 1, view("a"));
    for (int i = 0; i < 2; i++) {
        size_t row = uc_html_row(&r, &cells);

        uc_buf_put(&cells, "<", 1);
        uc_html_cell(&r, &cells, row, 0, true);
    }
    if (!cells.failed)
        uc_html_render(route->template, &r, 1, &cells,
                       (uc_html_end){NULL, NULL}, &out);
    if (!cells.failed && !out.failed)
        wrong += out.len != sizeof page - 1 ||
                 memcmp(out.p, page, sizeof page - 1) != 0;
    uc_buf_fini(&cells);
    uc_buf_fini(&out);
}

static void fill_templates(const uc_routes *set)
{
    for (uint32_t i = 0; i < uc_routes_count(set); i++) {
        const uc_route *route = uc_routes_at(set, i);

        if (!uc_view_is(route->html, "page.mustache"))
            continue;
        look(set, route);
        fill(route);
    }
}

/* How many allocations there are. Not each is needed: words that describe no
 * route are kept for a while and then forgotten. */
static uint64_t until_it_holds(const char *text)
{
    for (uint64_t n = 1;; n++) {
        uc_routes *set;

        uc_mem_fail_nth(n);
        set = read_all(text);
        if (set != NULL) {
            make_variants(set);
            fill_templates(set);
        }
        if (uc_mem_fail_nth(0) < n) {
            wrong += set == NULL;
            uc_routes_unref(set);
            return n - 1;
        }
        uc_routes_unref(set);
    }
}

/* A mistake is told, or that there was no memory to find it. */
static void a_mistake(void)
{
    for (uint64_t n = 1; n < 50; n++) {
        const uc_source file = {view("r.sql"), view("-- words\n-- @gte /a\n")};
        uc_error e;

        uc_error_init(&e);
        uc_mem_fail_nth(n);
        wrong += uc_routes_read(&file, 1, &e) != NULL;
        uc_mem_fail_nth(0);
        wrong += e.code == NULL || (strcmp(e.code, "UC_ROUTE") != 0 &&
                                    strcmp(e.code, "UC_MEMORY") != 0);
    }
}

int main(void)
{
    uint64_t n;

    n = until_it_holds(routes_example);
    ok(n > 10, "the example, without each of its allocations");
    tap_diag("%" PRIu64 " allocations", n);
    n = until_it_holds(routes_all);
    ok(n > 10, "the file with everything, likewise");
    tap_diag("%" PRIu64 " allocations", n);
    n = until_it_holds("-- @get /a :html page.mustache\n-- @public\n"
                       "select 1 as a limit 1;\n");
    ok(n > 8, "a page of a template with partials, likewise");
    tap_diag("%" PRIu64 " allocations", n);
    a_mistake();
    eq_int(wrong, 0, "each failure is one of memory, and passes");
    return tap_end();
}

/*
 * Allocation number n fails, for n = 1, 2, … until a set of routes has been
 * read and all of its variants made without reaching n. Whoever asked is told,
 * nothing is lost (LeakSanitizer), and a variant that there was no memory for
 * is made the next time.
 */
#include "common/mem.h"
#include "routes/routes.h"
#include "routes_example.h"
#include "tap.h"

static uc_view view(const char *s)
{
    return (uc_view){(const uint8_t *)s, strlen(s)};
}

static unsigned wrong; /* what should not have been */

static uc_routes *read_all(const char *text)
{
    uc_source files[] = {{view("r.sql"), view(text)},
                         {view("board.mustache"), view(routes_template)}};
    uc_routes *set;
    uc_error e;

    uc_error_init(&e);
    set = uc_routes_read(files, 2, &e);
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

/* How many allocations there are. Not each is needed: words that describe no
 * route are kept for a while and then forgotten. */
static uint64_t until_it_holds(const char *text)
{
    for (uint64_t n = 1;; n++) {
        uc_routes *set;

        uc_mem_fail_nth(n);
        set = read_all(text);
        if (set != NULL)
            make_variants(set);
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
    a_mistake();
    eq_int(wrong, 0, "each failure is one of memory, and passes");
    return tap_end();
}

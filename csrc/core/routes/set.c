#include "routes/set.h"

#include "common/mem.h"
#include "common/mix.h"

/* What the largest files can make of themselves, and more than they should. */
static const size_t most_bytes = (size_t)512 * 1024 * 1024;

static bool copy_files(uc_routes *set, const uc_source *files, uint32_t n)
{
    set->files = uc_arena_calloc(&set->mem, n, sizeof *set->files);
    if (set->files == NULL)
        return false;
    set->nfiles = n;
    for (uint32_t i = 0; i < n; i++) {
        set->files[i].name = uc_arena_copy(&set->mem, files[i].name);
        set->files[i].text = uc_arena_copy(&set->mem, files[i].text);
    }
    return !set->mem.failed;
}

uc_routes *uc__set_new(const uc_source *files, uint32_t n)
{
    uc_routes *set = uc_calloc(1, sizeof *set);

    if (set == NULL)
        return NULL;
    atomic_init(&set->refs, 1);
    uc_arena_init(&set->mem, most_bytes);
    uc_mutex_init(&set->mu);
    if (copy_files(set, files, n))
        return set;
    uc_routes_unref(set);
    return NULL;
}

uc_routes *uc_routes_ref(uc_routes *r)
{
    atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
    return r;
}

void uc_routes_unref(uc_routes *r)
{
    if (r == NULL || atomic_fetch_sub(&r->refs, 1) != 1)
        return;
    uc__variants_free(r);
    uc_mutex_fini(&r->mu);
    uc_arena_fini(&r->mem);
    uc_free(r);
}

static uint32_t hash(uc_method method, uc_view path)
{
    uint64_t h = UC_MIX_1 ^ (uint64_t)method;
    size_t i = 0;

    for (; i + 8 <= path.len; i += 8)
        h = uc_fold(h ^ uc_load8(path.p + i), UC_MIX_2);
    for (; i < path.len; i++)
        h = uc_fold(h ^ path.p[i], UC_MIX_3);
    return (uint32_t)uc_fold(h ^ path.len, UC_MIX_2);
}

/* The place of a route in the index, or the free one where it belongs. */
static uint32_t place(const uc_routes *r, uc_method method, uc_view path)
{
    uint32_t i = hash(method, path) & r->mask;

    for (; r->index[i] != 0; i = (i + 1) & r->mask) {
        const uc_route *route = &r->routes[r->index[i] - 1];

        if (route->method == method && uc_view_same(route->path, path))
            break;
    }
    return i;
}

/* At most half of it is used, so that no search is long. */
static bool make_index(uc_routes *set, uint32_t n)
{
    uint32_t size = 2;

    while (size < 2 * n)
        size *= 2;
    set->mask = size - 1;
    set->index = uc_arena_calloc(&set->mem, size, sizeof *set->index);
    return set->index != NULL;
}

bool uc__set_fill(uc_routes *set, const uc_route *routes, uint32_t n,
                  const uc_route **again, const uc_route **before)
{
    *again = *before = NULL;
    set->routes = uc_arena_calloc(&set->mem, n, sizeof *set->routes);
    if (set->routes == NULL || !make_index(set, n))
        return false;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = place(set, routes[i].method, routes[i].path);

        set->routes[i] = routes[i];
        set->nroutes = i + 1;
        if (set->index[at] != 0) {
            *again = &set->routes[i];
            *before = &set->routes[set->index[at] - 1];
            return false;
        }
        set->index[at] = i + 1;
    }
    return true;
}

uint32_t uc_routes_count(const uc_routes *r)
{
    return r->nroutes;
}

uc_route *uc_routes_at(const uc_routes *r, uint32_t i)
{
    return &r->routes[i];
}

uc_route *uc_routes_find(const uc_routes *r, uc_method method, uc_view path)
{
    uint32_t found = r->index[place(r, method, path)];

    return found == 0 ? NULL : &r->routes[found - 1];
}

uc_view uc_routes_file(const uc_routes *r, uint32_t i)
{
    return r->files[i].name;
}

uc_view uc_routes_text(const uc_routes *r, uc_view name)
{
    for (uint32_t i = 0; i < r->nfiles; i++)
        if (uc_view_same(r->files[i].name, name))
            return r->files[i].text;
    return (uc_view){0};
}

#include "doors/http/serving.h"

#include "common/mem.h"

/* ---- what was loaded ---- */

static bool read_names(http_serving *v)
{
    uc_reader r = {v->names.p, v->names.p + v->names.len};
    uint32_t n;

    if (!uc_read_array(&r, &n))
        return false;
    v->views = uc_calloc(n + 1, sizeof *v->views);
    if (v->views == NULL)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        if (!uc_read_str(&r, &v->views[i]))
            return false;
    }
    v->wanted = (http_wanted){n, v->views};
    return true;
}

static bool read_constant(uc_reader *r, bool *constant)
{
    uc_value map;
    uc_view key;

    if (!uc_read(r, &map) || map.type != UC_T_MAP)
        return false;
    for (uint32_t i = 0; i < map.n; i++) {
        if (!uc_read_str(r, &key) ||
            !(uc_view_is(key, "constant") ? uc_read_bool(r, constant)
                                          : uc_read_skip(r)))
            return false;
    }
    return true;
}

static bool read_routes(http_serving *v, uc_reader r)
{
    if (!uc_read_array(&r, &v->routes))
        return false;
    v->constant = uc_calloc(v->routes + 1, sizeof *v->constant);
    if (v->constant == NULL)
        return false;
    for (uint32_t i = 0; i < v->routes; i++) {
        if (!read_constant(&r, &v->constant[i]))
            return false;
        v->nconstant += v->constant[i];
    }
    return true;
}

/* What a page needs leave for, beside what a browser lets nobody set. */
static bool is_asked_for(uc_view name)
{
    static const char *const never[] = {
        "host",         "origin",          "sec-fetch-site", "if-none-match",
        "content-type", "idempotency-key", "x-request-id",
    };

    for (unsigned i = 0; i < sizeof never / sizeof *never; i++) {
        if (uc_view_is(name, never[i]))
            return false;
    }
    return true;
}

static bool write_allowed(http_serving *v)
{
    static const char always[] = "content-type, idempotency-key, x-request-id";

    uc_buf_put(&v->text, always, sizeof always - 1);
    for (uint32_t i = 0; i < v->wanted.n; i++) {
        uc_view name = v->wanted.names[i];

        if (!is_asked_for(name))
            continue;
        uc_buf_put(&v->text, ", ", 2);
        uc_buf_put(&v->text, name.p, name.len);
    }
    v->allowed = (uc_view){v->text.p, v->text.len};
    return !v->text.failed;
}

http_serving *http_serving_new(uint32_t set, uc_reader described, uc_buf *names)
{
    http_serving *v = uc_calloc(1, sizeof *v);

    if (v == NULL)
        return NULL;
    atomic_init(&v->refs, 1);
    v->set = set;
    v->names = *names;
    uc_buf_init(names, SIZE_MAX);
    uc_buf_init(&v->text, SIZE_MAX);
    if (read_names(v) && read_routes(v, described) && write_allowed(v))
        return v;
    http_serving_unref(v);
    return NULL;
}

http_serving *http_serving_ref(http_serving *v)
{
    atomic_fetch_add(&v->refs, 1);
    return v;
}

void http_serving_unref(http_serving *v)
{
    if (v == NULL || atomic_fetch_sub(&v->refs, 1) > 1)
        return;
    uc_buf_fini(&v->names);
    uc_buf_fini(&v->text);
    uc_free(v->views);
    uc_free(v->constant);
    uc_free(v->counts);
    uc_routes_unref(v->known);
    uc_free(v);
}

/* ---- the newest ---- */

http_serving *http_current_set(http_current *c, http_serving *v)
{
    http_serving *before;

    uc_lock(&c->mu);
    before = c->now;
    c->now = v;
    atomic_fetch_add(&c->number, 1);
    uc_unlock(&c->mu);
    return before;
}

void http_current_take(http_current *c, http_serving **v, uint32_t *number)
{
    http_serving *before = *v;

    uc_lock(&c->mu);
    *v = http_serving_ref(c->now);
    *number = atomic_load(&c->number);
    uc_unlock(&c->mu);
    http_serving_unref(before);
}

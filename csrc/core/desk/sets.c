#include "desk/routed.h"

#include <sys/random.h>

#include "common/mem.h"
#include "data/engine.h"
#include "desk/kept.h"
#include "desk/session.h"
#include "routes/describe.h"
#include "routes/rate.h"
#include "wire/writer.h"

/* Sets of routes: read, found by their number, and dropped. */

/* More than the door of HTTP takes: another door has limits of its own. */
enum { BODY_MOST = 1 << 20, ORIGINS_MOST = 1000 };
/* Of answers that are kept, unless an option says another number. */
enum { KEPT_BYTES = 8 << 20 };

static uc_route_set *set_ref(uc_route_set *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

static void forget_statements(const uc_statement *st)
{
    for (uint32_t i = 0; i < 1U << st->nchoices; i++) {
        uc_variant *v = atomic_load(&st->variants[i]);

        if (v != NULL)
            uc__stmt_unref(__atomic_load_n(&v->slot, __ATOMIC_ACQUIRE));
    }
}

static void set_free(uc_route_set *s)
{
    uc_kept_free(s->kept);
    uc_arena_fini(&s->mem);
    uc_mutex_fini(&s->mu);
    uc_free(s);
}

void uc__set_unref(uc_route_set *s)
{
    if (atomic_fetch_sub(&s->refs, 1) > 1)
        return;
    for (uint32_t i = 0; i < uc_routes_count(s->routes); i++) {
        const uc_route *route = uc_routes_at(s->routes, i);

        for (uint32_t k = 0; k < uc_route_statements(route); k++)
            forget_statements(&route->statements[k]);
    }
    uc_routes_unref(s->routes);
    set_free(s);
}

/* Copied: the frame is gone before the set. */
static bool read_origins(uc_reader *r, uc_route_set *s)
{
    uc_view *origins;
    uint32_t n;

    if (!uc_read_array(r, &n) || n > ORIGINS_MOST)
        return false;
    origins = uc_arena_calloc(&s->mem, n, sizeof *origins);
    for (uint32_t i = 0; i < n; i++) {
        uc_view v;

        if (!uc_read_str(r, &v) || origins == NULL)
            return false;
        origins[i] = uc_arena_copy(&s->mem, v);
        if (origins[i].p == NULL)
            return false;
    }
    s->serving.norigins = n;
    s->serving.origins = origins;
    return true;
}

static bool read_size(uc_reader *r, size_t *size)
{
    uc_value v;

    if (!uc_read(r, &v) || v.type != UC_T_INT || v.i < 0)
        return false;
    *size = (size_t)v.i;
    return true;
}

static bool read_options(uc_reader *r, uc_route_set *s)
{
    uc_value map;
    uc_view key;

    if (!uc_read(r, &map) || map.type != UC_T_MAP)
        return false;
    for (uint32_t i = 0; i < map.n; i++) {
        if (!uc_read_str(r, &key))
            return false;
        if (uc_view_is(key, "fine")) {
            if (!uc_read_bool(r, &s->serving.fine))
                return false;
        } else if (uc_view_is(key, "bodyMost")) {
            if (!read_size(r, &s->serving.body_most))
                return false;
        } else if (uc_view_is(key, "cacheBytes")) {
            if (!read_size(r, &s->kept_most))
                return false;
        } else if (uc_view_is(key, "check")) {
            if (!uc_read_bool(r, &s->check))
                return false;
        } else if (uc_view_is(key, "origins")) {
            if (!read_origins(r, s))
                return false;
        } else if (!uc_read_skip(r)) {
            return false;
        }
    }
    return true;
}

/* [[name, text], ...]. NULL with *e. */
static uc_source *read_files(uc_reader *r, uint32_t *n, uc_error *e)
{
    uc_source *files;
    uint32_t two;

    if (!uc_read_array(r, n)) {
        uc_fail(e, UC_FRAME, "routes_load takes [[name, text], ...]");
        return NULL;
    }
    files = uc_calloc(*n + 1, sizeof *files);
    if (files == NULL) {
        uc_fail(e, UC_MEMORY, "no memory for the routes");
        return NULL;
    }
    for (uint32_t i = 0; i < *n; i++) {
        if (!uc_read_array(r, &two) || two != 2 ||
            !uc_read_str(r, &files[i].name) ||
            !uc_read_str(r, &files[i].text)) {
            uc_fail(e, UC_FRAME, "routes_load takes [[name, text], ...]");
            uc_free(files);
            return NULL;
        }
    }
    return files;
}

static uc_route_set *set_new(uc_call *c, uc_error *e)
{
    uc_route_set *s = uc_calloc(1, sizeof *s);
    uc_reader r = c->args;
    uc_source *files = NULL;
    uint32_t n = 0;

    if (s == NULL) {
        uc_fail(e, UC_MEMORY, "no memory for the routes");
        return NULL;
    }
    atomic_init(&s->refs, 1);
    s->serving.body_most = BODY_MOST;
    s->kept_most = KEPT_BYTES;
    uc_arena_init(&s->mem, UC_ROUTES_BYTES);
    uc_mutex_init(&s->mu);
    files = read_files(&r, &n, e);
    if (files != NULL && !read_options(&r, s))
        uc_fail(e, UC_FRAME, "routes_load: the options could not be read");
    else if (files != NULL)
        s->routes = uc_routes_read(files, n, e);
    uc_free(files);
    if (s->routes != NULL)
        return s;
    set_free(s);
    return NULL;
}

static void reply_set(uc_buf *out, uint32_t id, const uc_route_set *s)
{
    uc_reply_begin(out, id, UC_REPLY_VALUE, 3);
    uc_pack_array(out, 3);
    uc_pack_uint(out, s->number);
    uc_routes_describe(out, s->routes);
    uc_routes_headers(out, s->routes);
}

static uint64_t random_seed(const uc_engine *engine)
{
    uint64_t seed;

    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed)
        seed = (uint64_t)uc_now() ^ (uint64_t)(uintptr_t)engine;
    return seed;
}

static bool has_rate(const uc_routes *routes)
{
    for (uint32_t i = 0; i < uc_routes_count(routes); i++) {
        if (uc_routes_at(routes, i)->rate.by != UC_RATE_NONE)
            return true;
    }
    return false;
}

/* Under mu, before the set is found by anybody. */
static bool make_rates(uc_engine *engine, const uc_routes *routes)
{
    if (engine->rates == NULL && has_rate(routes))
        engine->rates = uc_rates_new(UC_RATES_BUCKETS, random_seed(engine));
    return engine->rates != NULL || !has_rate(routes);
}

/* Into the list of the engine. */
static bool enter(uc_engine *engine, uc_route_set *s, uc_error *e)
{
    bool ok;

    uc_lock(&engine->mu);
    ok = make_rates(engine, s->routes);
    if (ok) {
        s->number = ++engine->nsets;
        s->next = engine->sets;
        engine->sets = s;
    }
    uc_unlock(&engine->mu);
    return ok || uc_fail(e, UC_MEMORY, "no memory for what @rate counts");
}

bool uc__routes_load(uc_call *c, uc_routes_check *check, void *arg, uc_buf *out,
                     uc_error *e)
{
    uc_route_set *s = set_new(c, e);

    if (s == NULL)
        return false;
    s->owner = c->session->peer;
    if (!check(arg, s, e) || !enter(s->owner->engine, s, e)) {
        uc__set_unref(s);
        return false;
    }
    if (s->owner->engine->ops->now_begin != NULL)
        s->owner->engine->ops->now_begin(s->owner->engine);
    reply_set(out, c->id, s);
    return true;
}

/* Taken off the list: the owner's of that number, 0: any of them. NULL where
 * there is none. */
static uc_route_set *take(const uc_peer *owner, uint32_t number)
{
    uc_engine *engine = owner->engine;
    uc_route_set **at, *s;

    uc_lock(&engine->mu);
    for (at = &engine->sets; *at != NULL; at = &(*at)->next) {
        if ((*at)->owner == owner && (number == 0 || (*at)->number == number))
            break;
    }
    s = *at;
    if (s != NULL)
        *at = s->next;
    uc_unlock(&engine->mu);
    return s;
}

bool uc__set_unknown(uc_error *e, uint32_t number)
{
    uc_fail(e, UC_ROUTE, "there are no routes %u", number);
    e->outcome = "not-run";
    return false;
}

bool uc__routes_drop(uc_call *c, uc_buf *out, uc_error *e)
{
    uc_reader r = c->args;
    uc_route_set *s;
    uint32_t number;

    if (!uc_read_u32(&r, &number) || number == 0)
        return uc_fail(e, UC_FRAME, "routes_drop takes a number");
    s = take(c->session->peer, number);
    if (s == NULL)
        return uc__set_unknown(e, number);
    uc__set_unref(s);
    uc_reply_begin(out, c->id, UC_REPLY_VALUE, 3);
    uc_pack_nil(out);
    return true;
}

void uc__routes_end(uc_peer *p)
{
    uc_route_set *s;

    while ((s = take(p, 0)) != NULL)
        uc__set_unref(s);
}

uc_route_set *uc__set_find(uc_engine *engine, uint32_t number)
{
    uc_route_set *s;

    uc_lock(&engine->mu);
    for (s = engine->sets; s != NULL && s->number != number;)
        s = s->next;
    if (s != NULL)
        set_ref(s);
    uc_unlock(&engine->mu);
    return s;
}

bool uc__routes_keep(uc_route_set *s, uc_error *e)
{
    if (s->kept == NULL)
        s->kept = uc_kept_new(s->kept_most);
    return s->kept != NULL ||
           uc_fail(e, UC_MEMORY, "no memory for answers that are kept");
}

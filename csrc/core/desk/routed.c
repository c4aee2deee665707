#include "desk/routed.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "common/mem.h"
#include "common/mix.h"
#include "data/engine.h"
#include "desk/kept.h"
#include "desk/session.h"
#include "routes/describe.h"
#include "routes/etag.h"
#include "routes/rate.h"
#include "wire/answer.h"
#include "wire/writer.h"

/* More than the door of HTTP takes: another door has limits of its own. */
enum { HEADERS_MOST = 128, BODY_MOST = 1 << 20, ORIGINS_MOST = 1000 };
/* Of answers that are kept, unless an option says another number. */
enum { KEPT_BYTES = 8 << 20 };

/* ---- sets ---- */

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

static void set_unref(uc_route_set *s)
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
        set_unref(s);
        return false;
    }
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

static bool unknown_set(uc_error *e, uint32_t number)
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
        return unknown_set(e, number);
    set_unref(s);
    uc_reply_begin(out, c->id, UC_REPLY_VALUE, 3);
    uc_pack_nil(out);
    return true;
}

void uc__routes_end(uc_peer *p)
{
    uc_route_set *s;

    while ((s = take(p, 0)) != NULL)
        set_unref(s);
}

/* Referenced. */
static uc_route_set *find(uc_engine *engine, uint32_t number)
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

/* ---- requests ---- */

static bool read_headers(uc_reader *r, uc_routed *d)
{
    uc_header *headers = d->few;
    uint32_t n;

    if (!uc_read_array(r, &n) || n % 2 != 0 || n / 2 > HEADERS_MOST)
        return false;
    n /= 2;
    if (n > UC_ROUTED_HEADERS)
        headers = d->more = uc_calloc(n, sizeof *d->more);
    if (headers == NULL)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        if (!uc_read_str(r, &headers[i].name) ||
            !uc_read_str(r, &headers[i].value))
            return false;
    }
    d->q.nheaders = n;
    d->q.headers = headers;
    return true;
}

/* method, target, headers, body; the facts are what is left. */
static bool read_frame(uc_reader *r, uc_routed *d)
{
    uc_value body;

    if (!uc_read_str(r, &d->q.method) || !uc_read_str(r, &d->q.target) ||
        !read_headers(r, d) || !uc_read(r, &body))
        return false;
    if (body.type == UC_T_BIN || body.type == UC_T_STR)
        d->q.body = body.s;
    return body.type == UC_T_BIN || body.type == UC_T_STR ||
           body.type == UC_T_NIL;
}

static uc_routed *routed_new(uc_route_set *set)
{
    uc_routed *d = uc_calloc(1, sizeof *d);

    if (d == NULL) {
        set_unref(set);
        return NULL;
    }
    d->set = set;
    uc_buf_init(&d->params, SIZE_MAX);
    return d;
}

static void put_text(uc_buf *b, uc_view v)
{
    uc_buf_put(b, v.p, v.len);
    uc_buf_byte(b, '\0');
}

/* What an Idempotency-Key is stored under: two routes, and two users, may have
 * the same. False with *e. */
static bool key_of(uc_call *c, uc_error *e)
{
    const uc_facts *facts = &c->routed->facts;
    uc_request *q = &c->routed->q;
    uc_buf b;

    uc_buf_init(&b, UC_ONCE_KEY_MOST);
    put_text(&b, (uc_view){(const uint8_t *)"route", 5});
    put_text(&b, q->route->path);
    if (facts->user.type == UC_T_INT)
        uc_pack_int(&b, facts->user.i);
    else if (facts->user.type == UC_T_STR)
        put_text(&b, facts->user.s);
    uc_buf_byte(&b, '\0');
    uc_buf_put(&b, q->idempotency_key.p, q->idempotency_key.len);
    if (!b.failed)
        c->once = uc_arena_copy(&q->mem, (uc_view){b.p, b.len});
    uc_buf_fini(&b);
    return c->once.p != NULL ||
           uc_fail(e, UC_OPTION,
                   "the Idempotency-Key, the route and the user have more than "
                   "%d bytes together",
                   UC_ONCE_KEY_MOST);
}

static bool first_statement(uc_call *c, uc_error *e)
{
    uc_reader params;
    uc_stmt *s;

    if (c->routed->q.route->nstatements == 0)
        return true;
    s = uc__routed_statement(c, 0, &params, e);
    if (s == NULL)
        return false;
    uc__stmt_ref(s);
    c->stmt = s;
    return true;
}

static uc_arg address_of(const uc_facts *facts, char buf[UC_RATE_ADDRESS])
{
    if (facts->ip.type != UC_T_STR)
        return (uc_arg){.type = UC_ARG_NULL};
    return (uc_arg){.type = UC_ARG_TEXT,
                    .s = uc_rate_address(facts->ip.s, buf)};
}

/* @rate. Whose address is not known is counted with all others of whom it is
 * not: a limit that some do not have would be none. */
static bool within_rate(uc_engine *engine, uc_request *q, const uc_facts *facts)
{
    const uc_route *route = q->route;
    uc_rate_caller who = {route->method, route->path, {0}};
    char address[UC_RATE_ADDRESS];
    int64_t ns;

    if (route->rate.by == UC_RATE_NONE)
        return true;
    who.who = route->rate.by == UC_RATE_USER ? uc_fact_arg(&facts->user)
                                             : address_of(facts, address);
    ns = uc_rates_take(engine->rates, &route->rate, &who, uc_now());
    if (ns == 0)
        return true;
    q->retry_s = (ns + 1000 * UC_MS - 1) / (1000 * UC_MS);
    return uc_request_refuse(q, UC_REFUSAL_RATE,
                             "too many requests, try again in %" PRId64 " s",
                             q->retry_s);
}

/* True to go on; otherwise q->refusal says why not. */
static bool admit(uc_peer *p, uc_routed *d, uc_reader facts)
{
    const uc_route_set *set = d->set;

    if (!uc_request_read(&d->q, set->routes, &set->serving)) {
        uc_facts_read(facts, &d->facts); /* for the line of audit */
        return false;
    }
    return uc_request_given(&d->q, facts, uc_wall_ms(), &d->facts) &&
           within_rate(p->engine, &d->q, &d->facts);
}

bool uc__routed_begin(uc_peer *p, uc_call *c, uc_error *e)
{
    uc_reader r = c->args;
    uc_route_set *set;
    uint32_t number;

    if (!uc_read_u32(&r, &number))
        return uc_fail(e, UC_FRAME, "request begins with a number of routes");
    set = find(p->engine, number);
    if (set == NULL)
        return unknown_set(e, number);
    c->routed = routed_new(set);
    if (c->routed == NULL)
        return uc_fail(e, UC_MEMORY, "no memory for a request");
    if (!read_frame(&r, c->routed))
        return uc_fail(e, UC_FRAME,
                       "request takes [routes, method, target, headers, body, "
                       "facts]");
    uc_request_init(&c->routed->q);
    if (!admit(p, c->routed, r))
        return true;
    uc__routed_again(c);
    if (c->routed->q.idempotency_key.p != NULL && !key_of(c, e))
        return false;
    return first_statement(c, e);
}

int64_t uc__routed_deadline(const uc_call *c)
{
    int64_t ms = c->routed->q.route->timeout_ms;

    return ms > 0 ? c->batch->t0 + ms * UC_MS : 0;
}

int64_t uc__routed_times(const uc_call *c)
{
    const uc_request *q = &c->routed->q;

    if (q->route->repeat == 0)
        return -1;
    return q->args[__builtin_ctzll(q->route->repeat)].i;
}

/* For rows to look at, and not for secrets. */
static int64_t random_of(uc_routed *d)
{
    const uc_route *route = d->q.route;
    uint64_t span =
        (uint64_t)route->random_most - (uint64_t)route->random_least + 1;

    if (d->random == 0) /* few requests ask for the clock because of it */
        d->random = (uint64_t)uc_now() ^ (uint64_t)(uintptr_t)d;
    d->random += UC_MIX_1;
    if (span == 0)
        return (int64_t)uc_fold(d->random, UC_MIX_2);
    return (int64_t)((uint64_t)route->random_least +
                     uc_fold(d->random, UC_MIX_2) % span);
}

void uc__routed_again(uc_call *c)
{
    uc_routed *d = c->routed;
    const uc_route *route = d->q.route;

    for (uint32_t i = 0; i < route->nparams; i++) {
        const uc_param *p = &route->params[i];

        if (p->type == UC_PARAM_GIVEN && p->given == UC_GIVEN_random)
            d->q.args[i] = (uc_arg){.type = UC_ARG_INT, .i = random_of(d)};
    }
}

void uc__routed_free(uc_call *c)
{
    uc_routed *d = c->routed;

    if (d == NULL)
        return;
    c->routed = NULL;
    uc_request_fini(&d->q);
    uc_buf_fini(&d->params);
    uc_free(d->more);
    set_unref(d->set);
    uc_free(d);
}

/* The interned statement of a variant: the first to come makes it. */
static uc_stmt *stmt_of(uc_engine *engine, uc_variant *v)
{
    uc_stmt *s = __atomic_load_n(&v->slot, __ATOMIC_ACQUIRE);
    void *none = NULL;

    if (s != NULL)
        return s;
    s = uc__stmt_get(&engine->stmts, (const char *)v->sql.p, v->sql.len);
    if (s == NULL ||
        __atomic_compare_exchange_n(&v->slot, &none, s, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE))
        return s;
    uc__stmt_unref(s);
    return none;
}

uc_stmt *uc__routed_statement(uc_call *c, uint32_t i, uc_reader *params,
                              uc_error *e)
{
    uc_routed *d = c->routed;
    const uc_route *route = d->q.route;
    uc_variant *v = uc_statement_variant(d->set->routes, route,
                                         &route->statements[i], d->q.given);
    uc_stmt *s = v != NULL ? stmt_of(c->session->peer->engine, v) : NULL;

    uc_buf_rewind(&d->params, 0);
    if (s != NULL)
        uc_request_bind(&d->q, v, &d->params);
    if (s == NULL || d->params.failed) {
        uc_fail(e, UC_MEMORY, "no memory for the statement of a route");
        return NULL;
    }
    *params = (uc_reader){d->params.p, d->params.p + d->params.len};
    return s;
}

void uc__routed_refused(uc_call *c, uc_buf *out)
{
    static const char text[] = "text/plain; charset=utf-8";
    const uc_routed *d = c->routed;
    const uc_request *q = &d->q;
    unsigned status = uc_refusal_status(q->refusal, d->set->serving.fine);
    bool allows = q->allow.len > 0;
    char retry[24];
    size_t at;

    if (q->refusal == UC_REFUSAL_NO_ROUTE)
        status = 0; /* another may have it */
    at = uc_answer_begin(out, c->id, status,
                         (uc_view){(const uint8_t *)text, sizeof text - 1});
    uc_buf_put(out, q->text.p, q->text.len);
    uc_answer_end(out, at, allows + (q->retry_s > 0));
    if (allows) {
        uc_pack_str(out, "allow");
        uc_pack_strn(out, q->allow.p, q->allow.len);
    }
    if (q->retry_s > 0) {
        snprintf(retry, sizeof retry, "%" PRId64, q->retry_s);
        uc_pack_str(out, "retry-after");
        uc_pack_str(out, retry);
    }
}

bool uc__routed_refuse(uc_call *c, uc_refusal why, uc_view text, uc_error *e)
{
    uc_request *q = &c->routed->q;

    uc_request_refuse(q, why, "%.*s", (int)text.len, (const char *)text.p);
    return uc_fail(e, UC_ABORTED, "the request was refused");
}

/* ---- tags, and answers that are kept ---- */

bool uc__routed_has_tag(const uc_call *c, uc_view tag)
{
    return uc_etag_listed(c->routed->q.if_none_match, tag);
}

bool uc__routed_any_tag(const uc_call *c)
{
    return uc_etag_any(c->routed->q.if_none_match);
}

bool uc__routes_keep(uc_route_set *s, uc_error *e)
{
    if (s->kept == NULL)
        s->kept = uc_kept_new(s->kept_most);
    return s->kept != NULL ||
           uc_fail(e, UC_MEMORY, "no memory for answers that are kept");
}

bool uc__routed_kept(const uc_call *c, uc_view key, const uint8_t tag[16],
                     uc_buf *out)
{
    return uc_kept_get(c->routed->set->kept, key, tag, uc_now(), out);
}

void uc__routed_keep(const uc_call *c, uc_view key, const uint8_t tag[16],
                     uc_view answer)
{
    int64_t until = uc_now() + c->routed->q.route->cache_ms * UC_MS;

    uc_kept_put(c->routed->set->kept, key, tag, until, answer);
}

/* ---- constraints ---- */

static bool is_said(const uc_say *say, const uc_error *e)
{
    return (uc_view_is(say->kind, e->kind) ||
            uc_view_is(say->kind, "constraint")) &&
           (say->column.len == 0 || uc_view_is(say->column, e->column));
}

/* What @say has for it; the first that fits. */
static const uc_say *said(const uc_route *route, const uc_error *e)
{
    for (uint32_t i = 0; i < route->nsays; i++) {
        if (is_said(&route->says[i], e))
            return &route->says[i];
    }
    return NULL;
}

static const struct {
    const char *kind, *text;
    uc_refusal why;
} constraints[] = {
    {"unique", "is taken", UC_REFUSAL_CONFLICT},
    {"foreign-key", "refers to nothing", UC_REFUSAL_REFUSED},
    {"check", "is not allowed", UC_REFUSAL_REFUSED},
    {"not-null", "is missing", UC_REFUSAL_REFUSED},
    {"constraint", "is not allowed", UC_REFUSAL_REFUSED},
};

/* Nothing of the error's own message: it names tables. */
static bool refused_by_constraint(uc_request *q, const uc_error *e)
{
    const uc_say *say;

    for (size_t i = 0; i < sizeof constraints / sizeof *constraints; i++) {
        if (strcmp(constraints[i].kind, e->kind) != 0)
            continue;
        say = said(q->route, e);
        if (say != NULL)
            uc_request_refuse(q, constraints[i].why, "%.*s", (int)say->text.len,
                              (const char *)say->text.p);
        else
            uc_request_refuse(q, constraints[i].why, "%s: %s",
                              e->column[0] != '\0' ? e->column : "value",
                              constraints[i].text);
        return true;
    }
    return false;
}

static bool refused_by_key(uc_request *q, const uc_error *e)
{
    if (strcmp(e->code, uc_code_name(UC_ONCE_CONFLICT)) != 0)
        return false;
    uc_request_refuse(q, UC_REFUSAL_CONFLICT,
                      "idempotency-key: belongs to another request");
    return true;
}

void uc__reply_failure(uc_buf *out, uc_call *c, const uc_error *e)
{
    uc_request *q = c->routed != NULL ? &c->routed->q : NULL;

    if (q != NULL && q->route != NULL &&
        (q->refusal != UC_REFUSAL_NONE || refused_by_key(q, e) ||
         refused_by_constraint(q, e)))
        uc__routed_refused(c, out);
    else
        uc_reply_error(out, c->id, e);
}

#include "desk/routed.h"

#include <inttypes.h>

#include "common/mem.h"
#include "common/mix.h"
#include "data/engine.h"
#include "desk/session.h"
#include "routes/rate.h"
#include "wire/writer.h"

/* A request from its frame to its end, around what the engine does with it. */

enum { HEADERS_MOST = 128 };

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

/* ---- memory ---- */

/*
 * What a request took, the next one takes again, and its buffers with it. Who
 * routes takes, under route_mu; whichever thread ends a request gives back.
 */
enum { SPARES_MOST = 128, SPARE_BYTES = 4096 };

static uc_routed *take_spare(uc_engine *e)
{
    uc_routed *d = e->spare;

    if (d == NULL)
        d = atomic_exchange(&e->returned, NULL);
    if (d == NULL)
        return NULL;
    e->spare = d->next;
    atomic_fetch_sub_explicit(&e->nspares, 1, memory_order_relaxed);
    return d;
}

static void routed_fini(uc_routed *d)
{
    uc_request_fini(&d->q);
    uc_free(d);
}

static void give_back(uc_engine *e, uc_routed *d)
{
    if (atomic_fetch_add_explicit(&e->nspares, 1, memory_order_relaxed) >=
        SPARES_MOST) {
        atomic_fetch_sub_explicit(&e->nspares, 1, memory_order_relaxed);
        routed_fini(d);
        return;
    }
    uc_arena_reset(&d->q.mem);
    if (d->q.mem.left > SPARE_BYTES)
        uc_arena_fini(&d->q.mem);
    uc_buf_rewind(&d->q.text, 0);
    if (d->q.text.cap > SPARE_BYTES)
        uc_buf_fini(&d->q.text);
    d->next = atomic_load_explicit(&e->returned, memory_order_relaxed);
    while (!atomic_compare_exchange_weak(&e->returned, &d->next, d))
        ;
}

void uc__routed_end(uc_engine *e)
{
    uc_routed *d;

    while ((d = take_spare(e)) != NULL)
        routed_fini(d);
}

/* Takes the reference of the set, also without memory. */
static uc_routed *routed_new(uc_engine *e, uc_route_set *set)
{
    uc_routed *d = take_spare(e);

    if (d == NULL) {
        d = uc_malloc(sizeof *d);
        if (d == NULL) {
            uc__set_unref(set);
            return NULL;
        }
        uc_request_init(&d->q);
    }
    d->set = set;
    d->q.route = NULL;
    d->q.refusal = UC_REFUSAL_NONE;
    d->q.body = (uc_view){0};
    d->more = NULL;
    d->random = 0;
    d->facts = (uc_facts){0};
    d->changes = 0;
    return d;
}

/* ---- requests ---- */

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
    const uc_variant *v;
    uc_stmt *s;

    if (c->routed->q.route->nstatements == 0)
        return true;
    s = uc__routed_statement(c, 0, &v, e);
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

/* True to go on; otherwise q->refusal says why not, or *e. */
static bool admit(uc_peer *p, uc_call *c, uc_reader facts, uc_error *e)
{
    uc_routed *d = c->routed;
    const uc_route_set *set = d->set;

    if (!uc_request_read(&d->q, set->routes, &set->serving)) {
        uc_facts_read(facts, &d->facts); /* for the line of audit */
        return false;
    }
    if (!uc_request_given(&d->q, facts, uc_wall_ms(), &d->facts))
        return false;
    if (c->batch == NULL && d->q.route->rate.by != UC_RATE_NONE)
        return uc_fail(e, UC_BUSY, "what is counted is not begun twice");
    return within_rate(p->engine, &d->q, &d->facts);
}

bool uc__routed_begin(uc_peer *p, uc_call *c, uc_error *e)
{
    uc_reader r = c->args;
    uc_route_set *set;
    uint32_t number;

    if (!uc_read_u32(&r, &number))
        return uc_fail(e, UC_FRAME, "request begins with a number of routes");
    set = uc__set_find(p->engine, number);
    if (set == NULL)
        return uc__set_unknown(e, number);
    c->routed = routed_new(p->engine, set);
    if (c->routed == NULL)
        return uc_fail(e, UC_MEMORY, "no memory for a request");
    if (!read_frame(&r, c->routed))
        return uc_fail(e, UC_FRAME,
                       "request takes [routes, method, target, headers, body, "
                       "facts]");
    if (!admit(p, c, r, e))
        return e->code == NULL;
    uc__routed_again(c);
    if (c->routed->q.idempotency_key.p != NULL && !key_of(c, e))
        return false;
    return first_statement(c, e);
}

int64_t uc__routed_deadline(const uc_call *c, int64_t t0)
{
    int64_t ms = c->routed->q.route->timeout_ms;

    return ms > 0 ? t0 + ms * UC_MS : 0;
}

uint64_t uc__routed_ns(const uc_call *c)
{
    const uc_routed *d = c->routed;
    const uc_route *route = d->q.route;
    int64_t times = uc__routed_times(c);
    uint64_t sum = 0;

    for (uint32_t i = 0; i < route->nstatements; i++) {
        const uc_variant *v = uc_statement_variant(
            d->set->routes, route, &route->statements[i], d->q.given);
        const uc_stmt *s =
            v != NULL ? __atomic_load_n(&v->slot, __ATOMIC_ACQUIRE) : NULL;
        uint32_t ns =
            s != NULL ? atomic_load_explicit(&s->ns, memory_order_relaxed) : 0;

        if (ns == 0)
            return 0;
        sum += ns;
    }
    return times > 1 ? sum * (uint64_t)times : sum;
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
    uint64_t random = d->q.route->random;
    uc_arg *arg;

    if (random == 0)
        return;
    arg = &d->q.args[__builtin_ctzll(random)];
    arg->type = UC_ARG_INT;
    arg->i = random_of(d);
}

void uc__routed_free(uc_call *c)
{
    uc_routed *d = c->routed;

    if (d == NULL)
        return;
    c->routed = NULL;
    uc_free(d->more);
    uc__set_unref(d->set);
    give_back(c->session->peer->engine, d);
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

uc_stmt *uc__routed_statement(uc_call *c, uint32_t i, const uc_variant **v,
                              uc_error *e)
{
    uc_routed *d = c->routed;
    const uc_route *route = d->q.route;
    uc_variant *made = uc_statement_variant(d->set->routes, route,
                                            &route->statements[i], d->q.given);
    uc_stmt *s = made != NULL ? stmt_of(c->session->peer->engine, made) : NULL;

    if (s == NULL)
        uc_fail(e, UC_MEMORY, "no memory for the statement of a route");
    *v = made;
    return s;
}

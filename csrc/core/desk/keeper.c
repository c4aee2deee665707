#include "desk/keeper.h"

#include "cache/cache.h"
#include "data/engine.h"
#include "desk/finish.h"
#include "desk/verdict.h"

/*
 * The keeper: one thread a database for what nobody else has time for.
 * Deadlines of calls that wait, leases that nobody uses, the cache, and what
 * the engine puts off. It sleeps until the next known moment, for ever when
 * nothing is under way.
 */

enum { LOOK_MS = 50 };

/* ---- the cache ---- */

/* Under mu. When the cache wants to be looked at, with the promise that this
 * thread is there then; 0: not so far. */
static int64_t cache_at(uc_engine *e, int64_t look_at)
{
    int64_t at;

    if (e->cache == NULL)
        return 0;
    at = uc_cache_due(e->cache);
    if (e->ops->look != NULL && !e->single && uc_cache_is_tied(e->cache) &&
        (at == 0 || look_at < at))
        at = look_at;
    uc_cache_promise(e->cache, at);
    /* What came in between has seen no promise, or this one. */
    return uc_cache_is_impatient(e->cache) ? uc_cache_due(e->cache) : at;
}

/* What others commit is seen by nobody here: it is looked for, soon afterwards,
 * and drops everything that belongs to a table. */
static void cache_turn(uc_engine *e, int64_t *look_at)
{
    int64_t now = uc_now(), due;

    if (e->cache == NULL)
        return;
    uc_cache_promise(e->cache, 0);
    due = uc_cache_due(e->cache);
    if (due != 0 && due <= now)
        uc_cache_tick(e->cache, now);
    if (e->ops->look != NULL && !e->single && now >= *look_at &&
        uc_cache_is_tied(e->cache)) {
        if (e->ops->look(e))
            uc_cache_tables_changed(e->cache, NULL, NULL, 0, true);
        *look_at = now + LOOK_MS * UC_MS;
    }
}

/* ---- the thread ---- */

static void wait_until(uc_engine *e, int64_t at)
{
    if (at == 0)
        uc_cond_wait(&e->keeper_cond, &e->mu);
    else
        uc_cond_wait_until(&e->keeper_cond, &e->mu, at);
}

void *uc__keeper_main(void *arg)
{
    uc_engine *e = arg;
    int64_t look_at = 1; /* long ago */

    uc_lock(&e->mu);
    while (!e->stop) {
        uc_calls out = {0};
        bool tick;
        uc_call *c;

        if (!e->tick_wanted) {
            int64_t at = cache_at(e, look_at);

            if (at == 0 || (e->next_deadline != 0 && e->next_deadline < at))
                at = e->next_deadline;
            wait_until(e, at);
        }
        if (e->stop)
            break;
        tick = e->tick_wanted;
        if (e->next_deadline != 0 && uc_now() >= e->next_deadline)
            e->next_deadline = uc__expire(e, uc_now(), &out);
        uc_unlock(&e->mu);
        while ((c = uc_calls_pop(&out)) != NULL) {
            uc_error err = {0};

            atomic_store(&c->stop, UC_STOP_TIMEOUT);
            uc__stopped(c, "not-run", &err);
            if (e->ops->late != NULL)
                e->ops->late(e, &err);
            c->lease = NULL;
            uc__refuse(c, &err);
        }
        cache_turn(e, &look_at);
        uc__leases_end(e, UC_LEASES_IDLE, NULL, "idle");
        uc__route(e, false); /* everybody else may be busy */
        if (tick)
            e->ops->tick(e);
        uc_lock(&e->mu);
        if (tick)
            e->tick_wanted = false;
    }
    uc_unlock(&e->mu);
    return NULL;
}

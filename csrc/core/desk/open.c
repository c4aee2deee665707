#include "desk/open.h"

#include <string.h>

#include "cache/cache.h"
#include "common/mem.h"
#include "data/engine.h"
#include "desk/end.h"
#include "desk/keeper.h"
#include "desk/registry.h"
#include "desk/session.h"

/* The first one that takes a target has it, and the last one what is left. */
#ifdef UC_TEST_ENGINE
extern const uc_engine_ops UC_TEST_ENGINE; /* of a test build, see test/c */
static const uc_engine_ops *const engines[] = {&UC_TEST_ENGINE, &uc_engine_pg,
                                               &uc_engine_sqlite};
#else
static const uc_engine_ops *const engines[] = {&uc_engine_pg,
                                               &uc_engine_sqlite};
#endif

static const uc_engine_ops *engine_of(const char *target)
{
    unsigned i = 0, last = sizeof engines / sizeof *engines - 1;

    while (i < last && !engines[i]->takes(target))
        i++;
    return engines[i];
}

static uc_engine *engine_new(const uc_engine_ops *ops, const char *target,
                             uc_options *o)
{
    uc_engine *e = uc_calloc(1, ops->engine_size);

    if (e == NULL)
        return NULL;
    e->ops = ops;
    uc_mutex_init(&e->route_mu);
    uc_mutex_init(&e->mu);
    uc_cond_init(&e->open_cond);
    uc_cond_init(&e->keeper_cond);
    uc_cond_init(&e->closing_cond);
    uc__board_init(&e->board);
    uc__post_init(&e->post);
    uc__stmts_init(&e->stmts, o->stmt_cache);
    if (o->cache_bytes > 0)
        e->cache = uc_cache_new((uint64_t)o->cache_bytes,
                                (uint64_t)o->cache_value_bytes,
                                (uint64_t)o->max_bytes);
    e->opt = *o;
    *o = (uc_options){0};
    e->target = uc_strndup(target, strlen(target));
    if (!ops->init(e) || e->target == NULL ||
        (e->opt.cache_bytes > 0 && e->cache == NULL)) {
        uc__engine_free(e);
        return NULL;
    }
    return e;
}

void uc__opened(uc_engine *e, const uc_error *err)
{
    uc_error failed;

    if (err == NULL && uc_thread_start(&e->keeper_thread, "uc-keeper",
                                       uc__keeper_main, e) != 0) {
        uc_fail(&failed, UC_MEMORY, "no thread for the keeper");
        err = &failed;
    } else if (err == NULL) {
        e->keeper_started = true;
    }
    if (err != NULL) {
        uc__registry_lock();
        uc__registry_remove(e); /* the next one to open it tries again */
        uc__registry_unlock();
    }
    uc_lock(&e->mu);
    if (err != NULL)
        e->open_error = *err;
    e->state = err != NULL ? UC_FAILED : UC_OPEN;
    atomic_store(&e->called, e->inbox_head != NULL);
    uc_cond_broadcast(&e->open_cond);
    e->ops->wake(e, UC_WAKE_STOP);
    uc_unlock(&e->mu);
}

/* Under the registry's lock; takes the key. */
static uc_engine *create(const uc_engine_ops *ops, const char *target,
                         char *key, uc_options *o, const uc_error *failed)
{
    uc_engine *e = engine_new(ops, target, o);

    if (e == NULL)
        return NULL;
    if (failed != NULL) {
        e->state = UC_FAILED;
        e->open_error = *failed;
    }
    if (!ops->start(e)) {
        uc__engine_free(e);
        return NULL;
    }
    e->key = key;
    if (key != NULL && failed == NULL)
        uc__registry_add(e);
    return e;
}

/* The engine under that key. One whose target is gone says so to whoever joins
 * it, as to those that had it: a new one would be empty, and be taken for what
 * they had. Only where another one has come is that opened. Under the
 * registry's lock. */
static uc_engine *find(const uc_engine_ops *ops, const char *key, bool readonly)
{
    uc_engine *e = uc__registry_find(key, readonly);
    uc_error gone;

    while (e != NULL && ops->stale != NULL && ops->stale(e, true, &gone) &&
           ops->replaced(e)) {
        uc__registry_remove(e);
        e = uc__registry_find(key, readonly);
    }
    return e;
}

/* The engine under that key, or a new one: NULL when memory ran out. Under the
 * registry's lock. Takes the key and what *o owns. */
static uc_engine *join(const uc_engine_ops *ops, const char *target, char *key,
                       uc_options *o, const uc_error *failed, uc_peer *p)
{
    uc_engine *e = key != NULL ? find(ops, key, p->readonly) : NULL;
    uc_error clash;

    if (e != NULL) {
        uc_options_same(&e->opt, o, &p->failed);
    } else {
        if (key != NULL && uc__registry_clashes(ops, target, key, &clash))
            failed = &clash;
        e = create(ops, target, key, o, failed);
        if (e != NULL)
            key = NULL;
    }
    uc_options_fini(o);
    uc_free(key);
    return e;
}

/* Under the registry's lock. */
static void take_engine(uc_session *s, uc_peer *p, uc_engine *e, bool cached)
{
    e->npeers++;
    p->engine = e;
    if (e->cache != NULL && cached && p->failed.code == NULL)
        s->cache = uc_cache_ref(e->cache);
}

static void enter(uc_peer *p)
{
    uc_engine *e = p->engine;

    uc_lock(&e->mu);
    p->next = e->peers;
    e->peers = p;
    uc_unlock(&e->mu);
}

uc_peer *uc__peer_open(uc_session *s, const char *target, uc_options *o,
                       const uc_error *failed)
{
    const uc_engine_ops *ops = engine_of(target);
    uc_peer *p = uc_calloc(1, ops->peer_size);
    bool alone = failed != NULL;
    char *key = alone ? NULL : ops->key(target, &alone);
    uc_engine *e;

    if (p == NULL || (!alone && key == NULL)) {
        uc_free(p);
        uc_free(key);
        uc_options_fini(o);
        return NULL;
    }
    p->session = s;
    p->owner = uc_thread_self();
    p->readonly = o->readonly != 0;
    uc__registry_lock();
    e = join(ops, target, key, o, failed, p);
    if (e == NULL) {
        uc__registry_unlock();
        uc_free(p);
        return NULL;
    }
    take_engine(s, p, e, failed == NULL);
    uc__registry_unlock();
    enter(p);
    return p;
}

uc_peer *uc__peer_beside(uc_session *s, const uc_peer *of)
{
    uc_peer *p = uc_calloc(1, of->engine->ops->peer_size);

    if (p == NULL)
        return NULL;
    p->session = s;
    p->owner = uc_thread_self();
    p->readonly = of->readonly;
    p->failed = of->failed;
    uc__registry_lock();
    take_engine(s, p, of->engine, of->session->cache != NULL);
    uc__registry_unlock();
    enter(p);
    return p;
}

#include "desk/end.h"

#include <stdlib.h>
#include <unistd.h>

#include "cache/cache.h"
#include "common/mem.h"
#include "desk/registry.h"
#include "desk/routed.h"
#include "desk/session.h"
#include "log/desk.h"
#include "routes/rate.h"
#include "wire/writer.h"

/* The end of a session's side, and of the engine with its last one. */

void uc__engine_free(uc_engine *e)
{
    e->ops->fini(e);
    uc__routed_end(e);
    uc__stmts_fini(&e->stmts);
    uc__board_fini(&e->board);
    uc__post_fini(&e->post);
    uc_cache_unref(e->cache);
    uc_rates_free(e->rates);
    uc_options_fini(&e->opt);
    uc_mutex_fini(&e->route_mu);
    uc_mutex_fini(&e->mu);
    uc_cond_fini(&e->open_cond);
    uc_cond_fini(&e->keeper_cond);
    uc_cond_fini(&e->closing_cond);
    uc_free(e->target);
    uc_free(e->key);
    uc_free(e);
}

void uc__batch_closed(uc_batch *b)
{
    uc_error e;
    uc_call *c;

    atomic_fetch_add(&b->left, 1); /* it stays while it is read */
    while ((c = uc__batch_next(b, &e)) != NULL) {
        uc_fail(&e, UC_CLOSED, "the store is closed");
        e.outcome = "not-run";
        uc__call_fail(c, &e);
    }
    uc__batch_finish(b, 1);
}

/* Nobody routes any more, and whoever submitted has left: what came too late to
 * be routed is refused like what comes now. */
static void drop_inbox(uc_engine *e)
{
    uc_batch *b;

    while ((b = e->inbox_head) != NULL) {
        e->inbox_head = b->next;
        uc__batch_closed(b);
    }
    e->inbox_tail = NULL;
    atomic_store(&e->called, false);
}

static void stop(uc_engine *e)
{
    uc_lock(&e->mu);
    e->stop = true;
    uc_cond_broadcast(&e->keeper_cond);
    uc_cond_broadcast(&e->open_cond);
    e->ops->wake(e, UC_WAKE_STOP);
    uc_unlock(&e->mu);
    if (e->keeper_started)
        uc_thread_join(e->keeper_thread);
    e->ops->stop(e);
    drop_inbox(e);
    e->state = UC_STOPPED;
}

/* True if it was the last; the engine cannot be found any more then. */
static bool leave(uc_engine *e, uc_peer *p)
{
    bool last;

    /* Under both: whoever is the last one frees the engine. */
    uc__registry_lock();
    uc_lock(&e->mu);
    for (uc_peer **q = &e->peers; *q != NULL; q = &(*q)->next) {
        if (*q == p) {
            *q = p->next;
            break;
        }
    }
    uc_unlock(&e->mu);
    last = --e->npeers == 0;
    if (last)
        uc__registry_remove(e);
    uc__registry_unlock();
    return last;
}

/* Gives back what only this peer used. */
static void peer_fini(uc_engine *e, uc_peer *p)
{
    uc__watch_end(e, p->session, false);
    uc__listen_end(e, p->session, false);
    if (e->cache != NULL)
        uc_cache_session_end(e->cache, p->session, false);
    uc_log_session_end(p->session);
    uc__hurry(e);
    uc__leases_end(e, UC_LEASES_OF, p->session, NULL);
    e->ops->peer_end(p);
    uc__routes_end(p);
    uc_lock(&e->route_mu);
    for (uint32_t i = 0; i < p->nsids; i++)
        uc__stmt_unref(p->sids[i]);
    uc_free(p->sids);
    p->sids = NULL;
    p->nsids = 0;
    uc_unlock(&e->route_mu);
}

/* Lets nobody of the door in any more and waits for who is: what they do is
 * short, and what they run can be stopped. */
static void shut(uc_peer *p)
{
    unsigned long self = uc_thread_self(), in;

    atomic_store(&p->leaving, true);
    while (atomic_load(&p->visitors) > 0)
        usleep(100);
    /* A user function may end its own session: it waits for nobody. */
    while ((in = atomic_load(&p->thread)) != 0 && in != self)
        usleep(100);
}

static void answer_close(uc_call *c)
{
    uc_buf b;
    size_t at;

    uc_buf_init(&b, SIZE_MAX);
    at = uc__reply_open(&b);
    uc_reply_begin(&b, c->id, UC_REPLY_VALUE, 3);
    uc_pack_nil(&b);
    uc__reply_close(&b, at, c->id);
    if (c->id != 0)
        uc__session_publish(c->session, &b);
    uc_buf_fini(&b);
    uc__call_finish(c);
}

/* Joining threads is not for a thread that is to be joined: this one waits for
 * the others of the session to be over. */
static void *closer_main(void *arg)
{
    uc_peer *p = arg;
    uc_engine *e = p->engine;
    uc_call *close_call = p->close_call;

    uc_lock(&e->mu);
    while (atomic_load(&p->live) != 1)
        uc_cond_wait(&e->closing_cond, &e->mu);
    uc_unlock(&e->mu);
    shut(p);
    peer_fini(e, p);
    if (leave(e, p)) {
        stop(e);
        uc__engine_free(e);
    }
    atomic_store(&p->live, 0);
    atomic_store(&p->gone, true);
    answer_close(close_call);
    return NULL;
}

void uc__end_in_order(uc_peer *p, uc_call *close_call)
{
    uc_thread t;

    p->closing = true;
    p->close_call = close_call;
    if (uc_thread_start(&t, "uc-closer", closer_main, p) != 0)
        abort(); /* not even a thread's stack is left: nothing can be closed */
    uc_thread_detach(t);
}

void uc__end_now(uc_peer *p)
{
    uc_engine *e = p->engine;

    shut(p);
    peer_fini(e, p);
    atomic_store(&p->gone, true);
    if (leave(e, p)) {
        e->fast_stop = true;
        stop(e);
        uc__engine_free(e);
    }
}

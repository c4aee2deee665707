#include "desk/abandon.h"

#include <unistd.h>

#include "data/engine.h"
#include "desk/end.h"
#include "desk/finish.h"
#include "desk/registry.h"
#include "desk/session.h"

/* A session that is destroyed without having been closed. */

/* So long it is waited for. */
enum { ABANDON_MS = 2000 };

/* Drops what is queued of a session and stops what runs of it, until no more
 * than `rest` calls are left or the time is up. The transaction is dropped
 * again and again: a call that was under way may have been its begin. */
static bool drain(uc_engine *e, uc_peer *p, uint32_t rest, int64_t until)
{
    e->ops->tx_drop(e, p->session);
    while (atomic_load(&p->live) > rest) {
        uc_calls out;
        uc_call *c;

        uc_lock(&e->mu);
        out = uc__unqueue(e, NULL, p->session, 0);
        uc__stop_running(e, p->session, 0, UC_STOP_ABORT);
        uc_unlock(&e->mu);
        while ((c = uc_calls_pop(&out)) != NULL)
            uc__finish(c);
        if (uc_now() >= until)
            return false;
        if (atomic_load(&p->live) > rest)
            usleep(100);
        e->ops->tx_drop(e, p->session);
    }
    e->ops->tx_drop(e, p->session);
    return true;
}

static void *abandoned_main(void *arg)
{
    uc_peer *p = arg;
    uc_session *s = p->session;

    drain(p->engine, p, 0, INT64_MAX);
    uc__end_now(p);
    uc__session_unref(s);
    return NULL;
}

/* A call that does not stop (its disk hangs, say) is not waited for any
 * longer: a thread of its own ends the session when it is over. */
static bool leave_to_thread(uc_peer *p)
{
    uc_thread t;

    uc__session_ref(p->session); /* the peer lives with it */
    if (uc_thread_start(&t, "uc-closer", abandoned_main, p) == 0) {
        uc_thread_detach(t);
        return true;
    }
    uc__session_unref(p->session);
    return false;
}

static void wait_gone(const uc_peer *p, int64_t until)
{
    while (!atomic_load(&p->gone) && uc_now() < until)
        usleep(100);
}

void uc__abandon(uc_peer *p)
{
    uc_engine *e = p->engine;
    int64_t until = uc_now() + ABANDON_MS * UC_MS;
    bool last, in_order;

    if (!uc__visit(p)) {
        wait_gone(p, until);
        return;
    }
    uc__registry_lock();
    last = e->npeers == 1 && !p->closing;
    if (last)
        uc__registry_remove(e); /* nobody joins what is being stopped */
    uc__registry_unlock();
    if (last)
        atomic_store(&e->quit, true);
    uc_lock(&e->mu);
    while (e->state == UC_OPENING)
        uc_cond_wait(&e->open_cond, &e->mu);
    uc_unlock(&e->mu);
    uc__route(e, true);
    uc_lock(&e->mu);
    in_order = p->close_call != NULL; /* it goes on when the others are over */
    p->closing = true;
    uc_unlock(&e->mu);
    if (in_order) {
        drain(e, p, 1, until);
        uc__visit_end(p);
        wait_gone(p, until);
        return;
    }
    if (!drain(e, p, 0, until)) {
        uc__visit_end(p);
        if (leave_to_thread(p))
            return;
        drain(e, p, 0, INT64_MAX);
    } else {
        uc__visit_end(p);
    }
    uc__end_now(p);
}

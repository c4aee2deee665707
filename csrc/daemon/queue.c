#include "conn.h"

/*
 * What connections ask of the server, on whichever thread: they are put down
 * here, and the loop or the reaper finds them.
 */

void ud_server_wake(ud_server *sv, ud_conn *c)
{
    bool first = false;

    uc_lock(&sv->queue_mu);
    if (!c->dead && !c->queued) {
        c->queued = true;
        atomic_fetch_add(&c->refs, 1);
        first = sv->dirty == NULL;
        c->qnext = sv->dirty;
        sv->dirty = c;
    }
    uc_unlock(&sv->queue_mu);
    if (first)
        uv_async_send(&sv->async);
}

void ud_server_watch(ud_server *sv)
{
    if (!atomic_load(&sv->watching) && !atomic_exchange(&sv->watching, true))
        uv_async_send(&sv->async);
}

void ud_server_bury(ud_server *sv, ud_conn *c)
{
    uc_lock(&sv->queue_mu);
    c->qnext = sv->dead;
    sv->dead = c;
    uc_cond_signal(&sv->dead_cond);
    uc_unlock(&sv->queue_mu);
}

#include "desk/cancel.h"

#include "cache/cache.h"
#include "data/engine.h"
#include "desk/finish.h"
#include "desk/session.h"
#include "desk/verdict.h"
#include "log/desk.h"

/* A call that is not wanted any more, wherever it is: in a queue, in the hands
 * of a thread, or standing. */
void uc__cancel(uc_call *c, uc_queues *fresh)
{
    uc_peer *p = c->session->peer;
    uc_engine *e = p->engine;
    uint32_t id, reason;
    uc_calls out;
    uc_call *q;

    if (!uc_read_u32(&c->args, &id) || !uc_read_u32(&c->args, &reason) ||
        id == 0)
        return;
    reason = reason == 1 ? UC_STOP_TIMEOUT : UC_STOP_ABORT;
    uc_lock(&e->mu);
    out = uc__unqueue(e, fresh, c->session, id);
    uc__stop_running(e, c->session, id, (int)reason);
    uc_unlock(&e->mu);
    while ((q = uc_calls_pop(&out)) != NULL) {
        uc_error err = {0};

        atomic_store(&q->stop, (int)reason);
        uc__stopped(q, NULL, &err);
        uc__refuse(q, &err);
    }
    uc__watch_cancel(e, c->session, id);
    uc__listen_cancel(e, c->session, id);
    if (e->cache != NULL)
        uc_cache_cancel(e->cache, c->session, id, reason == UC_STOP_TIMEOUT);
    uc_log_cancel(c->session, id, reason == UC_STOP_TIMEOUT);
}

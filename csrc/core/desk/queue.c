#include "desk/queue.h"

#include "cache/cache.h"
#include "data/engine.h"
#include "desk/session.h"
#include "desk/verdict.h"

/*
 * Calls between their queues and their ends: stopped, taken off a queue, let go
 * when what they waited for is done, found too late.
 */

enum { LATE_MS = 5 };

void uc__worker_add(uc_engine *e, uc_worker *w)
{
    uc_lock(&e->mu);
    w->next = e->workers;
    e->workers = w;
    uc_unlock(&e->mu);
}

void uc__worker_remove(uc_engine *e, uc_worker *w)
{
    uc_worker **link = &e->workers;

    uc_lock(&e->mu);
    while (*link != w)
        link = &(*link)->next;
    *link = w->next;
    uc_unlock(&e->mu);
}

void uc__worker_hold(uc_engine *e, uc_worker *w, uc_call **calls, uint32_t n)
{
    uc_lock(&e->mu);
    w->calls = calls;
    w->n = n;
    uc_unlock(&e->mu);
}

void uc__stop_running(uc_engine *e, uc_session *s, uint32_t id, int reason)
{
    bool any = false;

    for (uc_worker *w = e->workers; w != NULL; w = w->next) {
        for (uint32_t i = 0; i < w->n; i++) {
            uc_call *c = w->calls[i];
            int none = UC_STOP_NONE;

            if (c != NULL && c->session == s && (id == 0 || c->id == id)) {
                atomic_compare_exchange_strong(&c->stop, &none, reason);
                any = true;
            }
        }
    }
    if (any)
        e->ops->wake(e, UC_WAKE_LOOK);
}

static void unqueue_from(uc_calls *q, uc_session *s, uint32_t id, uc_calls *out)
{
    uc_calls keep = {0};
    uc_call *c;

    while ((c = uc_calls_pop(q)) != NULL)
        uc_calls_push(c->session == s && (id == 0 || c->id == id) ? out : &keep,
                      c);
    *q = keep;
}

static void unqueue_all(uc_queues *q, uc_session *s, uint32_t id, uc_calls *out)
{
    unqueue_from(&q->reads, s, id, out);
    unqueue_from(&q->writes, s, id, out);
    unqueue_from(&q->parked, s, id, out);
    unqueue_from(&q->tx, s, id, out);
}

void uc__lease_next(uc_engine *e, uc_lease *l)
{
    uc_call *c = uc_calls_pop(&l->queue);

    if (c == NULL)
        return;
    l->busy = true;
    atomic_store(&c->state, UC_CALL_RUNNING);
    uc_calls_push(&e->q.reads, c);
    atomic_store(&e->reads_n, e->q.reads.n);
    e->ops->wake(e, UC_WAKE_READ);
}

/* A call taken off the read queue, or from what was on its way there, that had
 * claimed a lease lets it go. */
static void unclaim(uc_engine *e, const uc_calls *out)
{
    for (uc_call *c = out->head; c != NULL; c = c->next) {
        uc_lease *l = c->lease;

        if (l != NULL && l->busy && atomic_load(&c->state) == UC_CALL_RUNNING) {
            l->busy = false;
            atomic_store(&c->state, UC_CALL_QUEUED);
            uc__lease_next(e, l);
        }
    }
    atomic_store(&e->reads_n, e->q.reads.n);
}

uc_calls uc__unqueue(uc_engine *e, uc_queues *fresh, uc_session *s, uint32_t id)
{
    uc_calls out = {0};

    unqueue_all(&e->q, s, id, &out);
    for (uc_lease *l = e->leases; l != NULL; l = l->next)
        unqueue_from(&l->queue, s, id, &out);
    unclaim(e, &out);
    uc__settle(e);
    if (fresh != NULL) {
        unqueue_all(fresh, s, id, &out);
        unclaim(e, &out);
    }
    return out;
}

/* A read is ready: queue it, behind its lease if it has one. Under mu. */
static void ready(uc_engine *e, uc_call *c)
{
    if (c->lease != NULL && !uc__lease_claim(c->lease, c))
        return;
    uc_calls_push(&e->q.reads, c);
    atomic_store(&e->reads_n, e->q.reads.n);
}

bool uc__may_run(const uc_engine *e, const uc_call *c)
{
    if (c->after > e->wdone && (e->ops->writes_done == NULL ||
                                !e->ops->writes_done(e, c->session, c->after)))
        return false;
    if (c->after_tx == 0 || e->ops->tx_ended == NULL)
        return c->after_tx <= e->ended_tx;
    return e->ops->tx_ended(e, c->session, c->after_tx);
}

void uc__settle(uc_engine *e)
{
    uint64_t done = e->wseq;
    uc_calls keep = {0};
    uc_call *c;
    uint32_t before = e->q.reads.n;

    if (e->q.writes.head != NULL)
        done = e->q.writes.head->wseq - 1;
    if (e->running_first != 0 && e->running_first - 1 < done)
        done = e->running_first - 1;
    if (done > e->wdone)
        e->wdone = done;
    while ((c = uc_calls_pop(&e->q.parked)) != NULL) {
        if (uc__may_run(e, c))
            ready(e, c);
        else
            uc_calls_push(&keep, c);
    }
    e->q.parked = keep;
    e->ops->wake(e, e->q.reads.n > before ? UC_WAKE_READS | UC_WAKE_ORDER
                                          : UC_WAKE_ORDER);
}

void uc__forward(uc_engine *e, uc_call *c)
{
    if (uc__may_run(e, c)) {
        ready(e, c);
        e->ops->wake(e, UC_WAKE_READ);
    } else {
        uc_calls_push(&e->q.parked, c);
    }
}

/* ---- deadlines ---- */

void uc__deadline(uc_engine *e, int64_t at)
{
    if (e->next_deadline == 0 || at < e->next_deadline) {
        e->next_deadline = at;
        uc_cond_signal(&e->keeper_cond);
    }
}

void uc__hurry(uc_engine *e)
{
    if (e->cache != NULL && uc_cache_is_impatient(e->cache)) {
        uc_lock(&e->mu);
        uc_cond_signal(&e->keeper_cond);
        uc_unlock(&e->mu);
    }
}

static void expire_from(uc_calls *q, int64_t now, uc_calls *out, int64_t *next)
{
    uc_calls keep = {0};
    uc_call *c;

    while ((c = uc_calls_pop(q)) != NULL) {
        if (c->deadline != 0 && c->deadline <= now && c->lease == NULL) {
            uc_calls_push(out, c);
            continue;
        }
        if (c->deadline != 0 && (*next == 0 || c->deadline < *next))
            *next = c->deadline > now ? c->deadline : now + LATE_MS * UC_MS;
        uc_calls_push(&keep, c);
    }
    *q = keep;
}

/* Calls of a lease's queue have no claim yet. */
static void expire_waiting(uc_calls *q, int64_t now, uc_calls *out,
                           int64_t *next)
{
    for (uc_call *c = q->head; c != NULL; c = c->next)
        c->lease = NULL;
    expire_from(q, now, out, next);
}

static void say_unknown(uc_call *c)
{
    uc_error e = {0};

    uc_fail(&e, UC_TIMEOUT,
            "the deadline passed after the statement had run and before its "
            "commit was known");
    uc__outcome(c, "unknown", &e);
    uc__call_tell(c, &e);
}

int64_t uc__expire(uc_engine *e, int64_t now, uc_calls *out)
{
    int64_t next = 0;

    expire_from(&e->q.reads, now, out, &next);
    atomic_store(&e->reads_n, e->q.reads.n);
    expire_from(&e->q.writes, now, out, &next);
    expire_from(&e->q.parked, now, out, &next);
    expire_from(&e->q.tx, now, out, &next);
    for (uc_lease *l = e->leases; l != NULL; l = l->next) {
        int64_t end = l->used + e->opt.tx_ms * UC_MS;

        for (uc_call *c = l->queue.head; c != NULL; c = c->next)
            c->after = 0;
        expire_waiting(&l->queue, now, out, &next);
        for (uc_call *c = l->queue.head; c != NULL; c = c->next)
            c->lease = l;
        if (end <= now)
            end = now + LATE_MS * UC_MS;
        if (next == 0 || end < next)
            next = end;
    }
    for (uc_worker *w = e->workers; w != NULL; w = w->next) {
        for (uint32_t i = 0; i < w->n; i++) {
            uc_call *c = w->calls[i];
            int ran = UC_CALL_RAN;

            if (c == NULL || c->deadline == 0)
                continue;
            if (c->deadline > now) {
                if (next == 0 || c->deadline < next)
                    next = c->deadline;
            } else if (atomic_compare_exchange_strong(&c->state, &ran,
                                                      UC_CALL_ANSWERED)) {
                say_unknown(c);
            } else if (next == 0 || now + LATE_MS * UC_MS < next) {
                next = now + LATE_MS * UC_MS;
            }
        }
    }
    if (out->n > 0)
        uc__settle(e);
    return next;
}

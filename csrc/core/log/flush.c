#include "log/inner.h"

#include "common/clock.h"
#include "common/mem.h"

/* The longest sleep without a look around: the owner may have died. */
#define NAP 20

void uc__log_nudge(uc_log *l)
{
    atomic_fetch_add(&l->nudge, 1);
    uc_futex_wake(&l->nudge);
    if (l->place != NULL)
        uc_place_wake(l->place);
}

uc__point uc__log_point(const uc_log *l)
{
    return (uc__point){l->ring->gen, l->ring->head};
}

/* The first ring that holds something before the point, or NULL. */
static uc_ring *first_behind(const uc_log *l, uc__point p)
{
    for (uint32_t i = 0; i < l->nolder; i++) {
        uc_ring *r = l->older[i];
        uint64_t pos = r->gen == p.gen ? p.pos : r->head;

        if (r->gen <= p.gen && !uc_ring_drained_to(r, pos))
            return r;
    }
    if (l->ring->gen == p.gen && !uc_ring_drained_to(l->ring, p.pos))
        return l->ring;
    return NULL;
}

bool uc__log_reached(const uc_log *l, uc__point p)
{
    return first_behind(l, p) == NULL;
}

/* Under mu, which is let go meanwhile. */
static void wait_for(uc_log *l, uc_ring *r, uint64_t pos, int64_t ms)
{
    uc_ring_ref(r);
    uc__log_nudge(l);
    uc_unlock(&l->mu);
    uc_ring_wait(r, pos, ms < NAP ? ms : NAP);
    uc_ring_unref(r);
    uc_lock(&l->mu);
}

static bool is_synced(const uc_log *l, uint32_t number)
{
    uint32_t done = atomic_load(&l->place->control->sync_done);

    return (int32_t)(done - number) >= 0;
}

/* Whether a sync has failed since the process was told of the last one: then it
 * is told now, and whoever waits beside it too. Under mu. */
static bool has_failed(uc_log *l, uint32_t failures)
{
    uint32_t now = atomic_load(&l->place->control->sync_failures);

    if (now == failures)
        return false;
    l->place->failures = now;
    uc__log_get_text(&l->place->control->error, l->error);
    return true;
}

/* Asks the owner for a sync, which will have this number. */
static uint32_t ask_sync(uc_log *l)
{
    uint32_t n = atomic_fetch_add(&l->place->control->sync_asked, 1) + 1;

    uc__log_nudge(l);
    return n;
}

/* Under mu, which is let go meanwhile: places are kept until the end. */
static void wait_for_sync(uc_log *l, uint32_t number, int64_t ms)
{
    _Atomic uint32_t *done = &l->place->control->sync_done;
    uint32_t seen = atomic_load(done);

    uc_unlock(&l->mu);
    if ((int32_t)(seen - number) < 0)
        uc_futex_wait(done, seen, ms < NAP ? ms : NAP);
    uc_lock(&l->mu);
}

static bool fail(const uc_log *l, uc_error *e)
{
    char why[200];

    if (l->place != NULL && atomic_load(&l->place->control->stalled) != 0) {
        uc__log_get_text(&l->place->control->error, why);
        return uc_fail(e, UC_LOG_IO, "log: not all lines are in the file: %s",
                       why);
    }
    if (l->error[0] != '\0')
        return uc_fail(e, UC_LOG_IO, "log: not all lines are in the file: %s",
                       l->error);
    return uc_fail(e, UC_TIMEOUT,
                   "log: not all lines were in the file when the time was up");
}

bool uc_log_flush(uc_log *l, int64_t timeout_ms, bool sync, uc_error *e)
{
    int64_t until = uc_now() + timeout_ms * UC_MS, ms;
    uint32_t number = 0, failures = 0;
    bool asked = false, done = false;
    uc__point point;

    uc_lock(&l->mu);
    point = uc__log_point(l);
    for (;;) {
        uc_ring *behind = first_behind(l, point);

        if (behind == NULL && sync && !asked && l->place != NULL) {
            number = ask_sync(l);
            failures = l->place->failures;
            asked = true;
        }
        done = behind == NULL &&
               (!sync || (asked && l->place != NULL && is_synced(l, number)));
        /* Rounded up: a time that is not over is not nothing. */
        ms = (until - uc_now() + UC_MS - 1) / UC_MS;
        if (done || ms <= 0)
            break;
        if (behind != NULL)
            wait_for(l, behind,
                     behind->gen == point.gen ? point.pos : behind->head, ms);
        else if (l->place == NULL)
            break;
        else
            wait_for_sync(l, number, ms);
    }
    if (!done) {
        fail(l, e);
    } else if (sync && has_failed(l, failures)) {
        done = uc_fail(e, UC_LOG_IO,
                       "log: not all lines may be on the disk: %s", l->error);
    }
    uc_unlock(&l->mu);
    return done;
}

void uc_log_on_flushed(uc_log *l, bool sync, void (*fn)(void *arg, bool ok),
                       void *arg, int64_t deadline)
{
    uc__waiter *w = uc_calloc(1, sizeof *w);

    if (w == NULL) {
        fn(arg, false);
        return;
    }
    w->sync = sync;
    w->deadline = deadline;
    w->fn = fn;
    w->arg = arg;
    uc_lock(&l->mu);
    w->point = uc__log_point(l);
    w->next = l->waiters;
    l->waiters = w;
    atomic_fetch_add(&l->nwaiters, 1);
    uc__log_nudge(l);
    uc_unlock(&l->mu);
}

/* 1: it is so, 0: not yet, -1: it failed, or the time is up. Under mu. */
static int outcome(uc_log *l, uc__waiter *w, int64_t now)
{
    if (uc__log_reached(l, w->point)) {
        if (!w->sync)
            return 1;
        if (l->place != NULL && !w->asked) {
            w->number = ask_sync(l);
            w->failures = l->place->failures;
            w->asked = true;
        }
        if (w->asked && l->place != NULL && is_synced(l, w->number))
            return has_failed(l, w->failures) ? -1 : 1;
    }
    return now >= w->deadline ? -1 : 0;
}

int64_t uc__log_answer(uc_log *l, int64_t now, bool end)
{
    uc__waiter *over = NULL, **at = &l->waiters;
    int64_t next = INT64_MAX;

    if (atomic_load(&l->nwaiters) == 0)
        return next;
    uc_lock(&l->mu);
    while (*at != NULL) {
        uc__waiter *w = *at;
        int is = outcome(l, w, now);

        if (is == 0 && !end) {
            next = w->deadline < next ? w->deadline : next;
            at = &w->next;
            continue;
        }
        *at = w->next;
        atomic_fetch_sub(&l->nwaiters, 1);
        w->reached = is > 0;
        w->next = over;
        over = w;
    }
    uc_unlock(&l->mu);
    while (over != NULL) {
        uc__waiter *w = over;

        over = w->next;
        w->fn(w->arg, w->reached);
        uc_free(w);
    }
    return next;
}

void uc_log_reopen(uc_log *l)
{
    uc_lock(&l->mu);
    if (l->place != NULL)
        atomic_fetch_add(&l->place->control->reopen, 1);
    uc__log_nudge(l);
    uc_unlock(&l->mu);
}

void uc_log_rotate(uc_log *l)
{
    uc_lock(&l->mu);
    if (l->place != NULL)
        atomic_fetch_add(&l->place->control->rotate, 1);
    uc__log_nudge(l);
    uc_unlock(&l->mu);
}

#include "desk/route.h"

#include <string.h>

#include "cache/cache.h"
#include "desk/cancel.h"
#include "desk/end.h"
#include "desk/finish.h"
#include "desk/inline.h"
#include "desk/lane.h"
#include "desk/session.h"
#include "desk/verdict.h"
#include "log/desk.h"
#include "wire/writer.h"

/*
 * From the inbox into the queues, in the order of arrival. What needs no
 * statement (the core's own operations, the cache's, the log's) is answered on
 * the way.
 */

void uc__call_router(uc_engine *e, unsigned hint)
{
    if (e->inbox_head != NULL)
        atomic_store(&e->called, true);
    e->ops->wake(e, hint & UC_HINT_WRITE ? UC_WAKE_ROUTE_WRITE : UC_WAKE_ROUTE);
}

void uc__wake_last(uc_engine *e)
{
    uc_lock(&e->mu);
    e->ops->wake(e, UC_WAKE_WRITE);
    uc_unlock(&e->mu);
}

/* Into the queues. Under mu. */
static void enqueue(uc_engine *e, uc_turn *t)
{
    uint32_t reads = t->q.reads.n;
    bool writer = t->q.writes.n > 0 || t->q.tx.n > 0;
    unsigned what = 0;

    if (reads == 0 && !writer && t->q.parked.n == 0)
        return;
    uc_calls_append(&e->q.reads, &t->q.reads);
    atomic_store(&e->reads_n, e->q.reads.n);
    uc_calls_append(&e->q.writes, &t->q.writes);
    e->wseq = e->routed_wseq;
    uc_calls_append(&e->q.tx, &t->q.tx);
    if (t->q.parked.n > 0) {
        uc_calls_append(&e->q.parked, &t->q.parked);
        uc__settle(e);
    }
    if (reads > 0 && !t->quiet)
        what |= UC_WAKE_READ;
    if (writer && t->quiet)
        t->wrote = true;
    else if (writer)
        what |= UC_WAKE_WRITE;
    if (what != 0)
        e->ops->wake(e, what);
    if (t->deadline != 0)
        uc__deadline(e, t->deadline);
    t->deadline = 0;
}

static void flush(uc_engine *e, uc_turn *t)
{
    uc__session_publish(t->session, &t->replies);
    uc__hurry(e);
    uc_lock(&e->mu);
    enqueue(e, t);
    uc_unlock(&e->mu);
}

static void answer_inline(uc_peer *p, uc_call *c, uc_buf *b)
{
    uc_error err = {0};
    size_t at = uc__reply_open(b);

    uc__inline(p, c, b, &err);
    if (err.code != NULL) {
        uc__reply_again(b, at);
        uc_reply_error(b, c->id, &err);
    }
    if (c->id != 0)
        uc__reply_close(b, at, c->id);
    else
        uc_buf_rewind(b, at);
    uc__finish(c);
}

static bool cache_may(const uc_engine *e, const uc_call *c, uc_error *err)
{
    if (e->cache == NULL)
        return uc_fail(err, UC_NO_CACHE,
                       "there is no cache here (cache: false)");
    if (uc__session_full(c->session) && (c->op->flags & UC_REPEATS) != 0 &&
        (c->op->flags & UC_ENDLESS) == 0)
        return uc_fail(err, UC_BUSY,
                       "%zu bytes of replies wait to be read: read them first",
                       uc_pending(c->session));
    return uc__may_repeat(c, UC_CLASS_WRITE, err);
}

/* Whether a call of the session's transaction runs or waits: what it writes is
 * not known yet, and what the session stores meanwhile may be just that. */
static bool is_at_work(uc_engine *e, const uc_turn *t, const uc_call *c)
{
    bool busy;

    if ((c->op->flags & UC_REPEATS) != 0)
        return false; /* it stores nothing */
    uc_lock(&e->mu);
    busy = e->ops->tx_at_work(e, c->session, t->q.tx.n > 0);
    uc_unlock(&e->mu);
    return busy;
}

/* A call that stands is over as well: the cache keeps what it needs of it. */
static void answer_cached(uc_engine *e, uc_turn *t, uc_call *c)
{
    uc_buf *b = &t->replies;
    size_t at = uc__reply_open(b);

    c->unsure = is_at_work(e, t, c);

    if (uc_cache_call(e->cache, c, UC_CACHE_STAND, b) && c->id != 0)
        uc__reply_close(b, at, c->id);
    else
        uc_buf_rewind(b, at);
    uc__finish(c);
}

static void answer_logged(uc_call *c, uc_buf *b)
{
    size_t at = uc__reply_open(b);

    if (uc_log_call(c, true, b) && c->id != 0)
        uc__reply_close(b, at, c->id);
    else
        uc_buf_rewind(b, at);
    uc__finish(c);
}

/* `close`: answered when nothing else of the session is left. */
static void close_peer(uc_engine *e, uc_peer *p, uc_call *c, uc_turn *t)
{
    uc_log_session_close(c->session);
    uc_lock(&e->mu);
    if (p->close_call != NULL) {
        uc_unlock(&e->mu);
        answer_inline(p, c, &t->replies);
        return;
    }
    p->closing = true;
    uc__watch_end(e, c->session, true);
    uc__listen_end(e, c->session, true);
    if (e->cache != NULL)
        uc_cache_session_end(e->cache, c->session, true);
    uc__end_in_order(p, c);
    uc_unlock(&e->mu);
}

/* Ends something, or answers whatever has become of the file. */
static bool is_end(const uc_call *c)
{
    static const uint8_t ends[] = {UC_OP_tx_end, UC_OP_snap_end,
                                   UC_OP_cursor_close, UC_OP_backup_end,
                                   UC_OP_health};

    return memchr(ends, c->op->num, sizeof ends) != NULL;
}

/* What the call needs is there; *err otherwise. The log is beside the database.
 */
static bool has_all(uc_engine *e, const uc_peer *p, const uc_call *c,
                    uc_error *err)
{
    bool needs_db = c->op->lane != UC_LANE_INLINE && c->op->lane != UC_LANE_LOG;

    if (needs_db && e->state == UC_FAILED)
        *err = e->open_error;
    else if (needs_db && p->failed.code != NULL)
        *err = p->failed;
    else if (needs_db && e->ops->stale != NULL && !is_end(c) &&
             e->ops->stale(e, false, err))
        return false;
    else if (p->closing)
        return uc_fail(err, UC_CLOSED, "the store is closed");
    else
        return true;
    return false;
}

static void route_inline(uc_engine *e, uc_peer *p, uc_call *c, uc_turn *t)
{
    uc_error ignored;

    switch (c->op->num) {
    case UC_OP_cancel:
        uc__cancel(c, &t->q);
        uc__finish(c);
        break;
    case UC_OP_close:
        flush(e, t);
        close_peer(e, p, c, t);
        break;
    case UC_OP_watch:
        uc__watch(p, c);
        break;
    case UC_OP_listen:
        uc__listen(p, c);
        break;
    case UC_OP_define:
    case UC_OP_undefine:
        uc__inline(p, c, NULL, &ignored);
        uc__finish(c);
        break;
    default:
        answer_inline(p, c, &t->replies);
        break;
    }
}

/* A call that has all it needs is answered or queued; otherwise *err. */
static bool route_call(uc_engine *e, uc_peer *p, uc_call *c, uc_turn *t,
                       uc_error *err)
{
    int64_t deadline; /* c may be gone once it is in a lane */

    if (c->deadline == 0 && e->opt.timeout_ms > 0)
        c->deadline = c->batch->t0 + e->opt.timeout_ms * UC_MS;
    if (c->op->lane == UC_LANE_LOG) {
        if (!uc__may_repeat(c, UC_CLASS_WRITE, err))
            return false;
        answer_logged(c, &t->replies);
        return true;
    }
    if (c->op->lane == UC_LANE_CACHE) {
        if (!cache_may(e, c, err))
            return false;
        answer_cached(e, t, c);
        return true;
    }
    if (c->op->num == UC_OP_health)
        c->deadline = 0;
    deadline = c->deadline;
    if (t->room-- <= 0 && c->op->lane != UC_LANE_PIN)
        return uc_fail(err, UC_BUSY, "%lld calls are waiting (option maxQueue)",
                       (long long)e->opt.max_queue);
    if (!uc__lane(p, c, t, err))
        return false;
    if (deadline != 0 && (t->deadline == 0 || deadline < t->deadline))
        t->deadline = deadline;
    return true;
}

static void route_one(uc_engine *e, uc_call *c, uc_error *err, uc_turn *t)
{
    uc_peer *p = c->session->peer;

    if (err->code == NULL && has_all(e, p, c, err)) {
        if (c->op->lane == UC_LANE_INLINE) {
            route_inline(e, p, c, t);
            return;
        }
        if (route_call(e, p, c, t, err))
            return;
    }
    if (err->outcome == NULL)
        uc__outcome(c, c->repeat ? "unknown" : "not-run", err);
    uc__refuse(c, err);
}

/* Up to where its calls go into the queues. */
static void route_batch(uc_engine *e, uc_batch *b, uc_turn *t)
{
    uc_session *s = t->session = uc__session_ref(b->session);
    uc_error err; /* begun with each call */
    uc_peer *p = s->peer;
    uint32_t promised = b->count;
    uc_call *c;

    uc_buf_init(&t->replies, SIZE_MAX);
    atomic_fetch_add(&b->left, 1); /* it stays while it is read */
    while ((c = uc__batch_next(b, &err)) != NULL) {
        if (err.code != NULL && b->count < promised) {
            atomic_fetch_sub(&p->live, promised - b->count);
            promised = b->count;
        }
        route_one(e, c, &err, t);
    }
    uc__batch_finish(b, 1);
    uc__session_publish(s, &t->replies);
    uc__hurry(e);
}

/* They are there. */
static void turn_end(uc_engine *e, uc_turn *t)
{
    uc_peer *p = t->session->peer;

    uc_buf_fini(&t->replies);
    if (atomic_fetch_sub(&p->unrouted, 1) == 1 && atomic_load(&p->last))
        uc__wake_last(e);
    uc__session_unref(t->session);
}

/* Calls that the queues still take. Under mu. */
static int64_t room(const uc_engine *e)
{
    return e->opt.max_queue - (int64_t)e->q.reads.n - e->q.writes.n -
           e->q.parked.n - e->q.tx.n;
}

/* The next of the inbox; NULL when that is empty, or when nothing is routed
 * yet. Under mu. */
static uc_batch *take(uc_engine *e)
{
    uc_batch *b = e->state != UC_OPENING ? e->inbox_head : NULL;

    e->routing = b != NULL;
    if (b == NULL)
        return NULL;
    e->inbox_head = b->next;
    if (b->next == NULL) {
        e->inbox_tail = NULL;
        atomic_store(&e->called, false);
    }
    return b;
}

/* All that is in the inbox; false: it is to stay there until the file is open.
 * With quiet the writer is woken once for all of it, so that writes of several
 * sessions come to share a commit. Under route_mu. */
static bool empty_inbox(uc_engine *e, bool quiet)
{
    uc_turn t = {.session = NULL};
    bool wrote = false, opening;
    uc_batch *b;

    for (;;) {
        int64_t most;

        uc_lock(&e->mu);
        enqueue(e, &t);
        wrote = wrote || t.wrote;
        b = take(e);
        most = room(e);
        opening = e->state == UC_OPENING;
        if (b == NULL && wrote)
            e->ops->wake(e, UC_WAKE_WRITE);
        uc_unlock(&e->mu);
        if (t.session != NULL)
            turn_end(e, &t);
        if (b == NULL)
            return !opening;
        t = (uc_turn){.quiet = quiet, .room = most};
        route_batch(e, b, &t);
    }
}

void uc__route(uc_engine *e, bool wait)
{
    bool more = true;

    if (wait) { /* also for a batch that another thread has in hand */
        uc_lock(&e->route_mu);
        more = empty_inbox(e, false);
        uc_unlock(&e->route_mu);
    }
    /* Who has the lock looks again before it leaves. */
    while (more && atomic_load(&e->called) && uc_trylock(&e->route_mu)) {
        more = empty_inbox(e, false);
        uc_unlock(&e->route_mu);
    }
}

void uc__route_quietly(uc_engine *e)
{
    uc_lock(&e->route_mu);
    empty_inbox(e, true);
    uc_unlock(&e->route_mu);
    uc__route(e, false);
}

void uc__peer_submit(uc_peer *p, uc_batch *b, unsigned hint)
{
    uc_engine *e = p->engine;

    if (!uc__visit(p)) {
        uc__batch_closed(b);
        return;
    }
    atomic_fetch_add(&p->live, b->count);
    atomic_fetch_add(&p->unrouted, 1);
    uc_lock(&e->mu);
    if (e->inbox_tail != NULL)
        e->inbox_tail->next = b;
    else
        e->inbox_head = b;
    e->inbox_tail = b;
    if (!(hint & (UC_HINT_ASSIST | UC_HINT_URGENT)))
        uc__call_router(e, hint);
    uc_unlock(&e->mu);
    if (hint & UC_HINT_URGENT)
        uc__route(e, true);
    uc__visit_end(p);
}

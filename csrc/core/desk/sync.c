#include "cache/cache.h"
#include "data/engine.h"
#include "desk/cancel.h"
#include "desk/inline.h"
#include "desk/lookup.h"
#include "desk/routed.h"
#include "desk/session.h"
#include "desk/verdict.h"
#include "log/desk.h"
#include "uc.h"
#include "wire/writer.h"

/* Sync calls run on the caller's thread; what is for the database is run there
 * by its engine. */

enum { OPEN_MS = 60000 };

static bool failed(uc_peer *p, uc_error *err)
{
    uc_engine *e = p->engine;
    int64_t until = uc_now() + OPEN_MS * UC_MS;
    bool bad = true;

    uc_lock(&e->mu);
    while (e->state == UC_OPENING) {
        if (!uc_cond_wait_until(&e->open_cond, &e->mu, until)) {
            uc_unlock(&e->mu);
            uc_fail(err, UC_TIMEOUT, "the file could not be opened in time");
            return true;
        }
    }
    if (e->state != UC_OPEN)
        *err = e->open_error;
    else if (p->failed.code != NULL)
        *err = p->failed;
    else
        bad = false;
    uc_unlock(&e->mu);
    p->sync_ready = !bad;
    return bad;
}

static void inlined(uc_peer *p, uc_call *c, uc_buf *out, uc_error *err)
{
    uc_engine *e = p->engine;

    if (c->op->num == UC_OP_close || c->op->num == UC_OP_watch ||
        c->op->num == UC_OP_listen) {
        uc_fail(err, UC_FRAME, "%s is not a sync call", c->op->name);
        return;
    }
    uc_lock(&e->route_mu);
    if (c->op->num == UC_OP_cancel)
        uc__cancel(c, NULL);
    else
        uc__inline(p, c, out, err);
    uc_unlock(&e->route_mu);
}

static void cached(uc_engine *e, uc_call *c, uc_buf *out, uc_error *err)
{
    if (e->cache == NULL)
        uc_fail(err, UC_NO_CACHE, "there is no cache here (cache: false)");
    else if (!uc__may_repeat(c, UC_CLASS_WRITE, err))
        return;
    else if (!uc_cache_call(e->cache, c, UC_CACHE_BLOCK, out))
        uc_fail(err, UC_BUSY, "somebody else is loading this");
    uc__hurry(e);
}

/* What needs no statement, of which there are fewer: false for the others. */
static bool beside(uc_peer *p, uc_call *c, uc_buf *out, uc_error *err)
{
    switch (c->op->lane) {
    case UC_LANE_INLINE:
        inlined(p, c, out, err);
        return true;
    case UC_LANE_CACHE:
        cached(p->engine, c, out, err);
        return true;
    case UC_LANE_LOG:
        uc_log_call(c, false, out);
        return true;
    default:
        return false;
    }
}

/* *text: the statement was given as such, and is referenced. */
static bool statement(uc_peer *p, uc_call *c, bool *text, uc_error *err)
{
    uc_reader r = c->args;
    uint32_t sid;

    if (uc_read_u32(&r, &sid)) {
        c->args = r;
        c->stmt = uc__sid(p, sid, err); /* its number keeps it meanwhile */
    } else {
        c->stmt = uc__statement(p, &c->args, err);
        *text = c->stmt != NULL;
    }
    return c->stmt != NULL;
}

/* The call, with *err filled where it fails. */
static void run_here(uc_peer *p, uc_call *c, uc_buf *out, uc_error *err)
{
    uc_engine *e = p->engine;
    bool text = false;

    if (!p->sync_ready && failed(p, err))
        return;
    if (atomic_load(&p->unrouted) > 0)
        uc__route(e, true);
    p->sync_now = uc_now_coarse();
    if (c->deadline == 0)
        c->deadline =
            p->sync_now +
            (e->opt.timeout_ms > 0 ? e->opt.timeout_ms : INT32_MAX) * UC_MS;
    if (c->op->lane == UC_LANE_STMT || c->op->num == UC_OP_many) {
        if (!statement(p, c, &text, err))
            return;
    } else if (c->op->lane == UC_LANE_ROUTE) {
        uc_fail(err, UC_NOT_HERE, "a request is no blocking call");
        return;
    } else if (beside(p, c, out, err)) {
        return;
    } else if (c->op->num == UC_OP_batch && !uc__parts_of(p, c, err)) {
        uc__parts_free(c);
        return;
    }
    if (e->ops->sync != NULL)
        e->ops->sync(p, c, out, err);
    else
        uc_fail(err, UC_NOT_HERE, "%s has no blocking calls", e->ops->name);
    if (text)
        uc__stmt_unref(c->stmt);
    if (c->parts != NULL)
        uc__parts_free(c);
}

/* The thread that is in here is named by p->thread, which an engine that closes
 * waits for like for `visitors`; the name is there before `leaving` is read. */
static void run(uc_peer *p, uc_call *c, uc_buf *out)
{
    uc_error e;

    uc_error_init(&e);
    if (atomic_load_explicit(&p->thread, memory_order_relaxed) != 0) {
        uc_fail(&e, UC_BUSY,
                "a sync call inside a user function is not possible");
        uc_reply_error(out, c->id, &e);
        return;
    }
    atomic_store(&p->thread, uc_thread_self());
    if (atomic_load(&p->leaving))
        uc_fail(&e, UC_CLOSED, "the store is closed");
    else
        run_here(p, c, out, &e);
    atomic_store_explicit(&p->thread, 0, memory_order_release);
    if (e.code != NULL) {
        uc_buf_rewind(out, 0);
        uc_reply_error(out, c->id, &e);
    }
}

size_t uc_sync(uc_session *s, const uint8_t *frame, size_t len, uint8_t *dst,
               size_t cap)
{
    uc_reader r = {frame, frame + len};
    uc_buf *out = &s->sync_left;
    uc_error e;
    uc_call c;

    uc_error_init(&e);
    uc_buf_rewind(out, 0);
    if (uc__call_parse(&c, &r, 0, true, &e)) {
        c.session = s;
        if (c.deadline != 0)
            c.deadline += uc_now();
        run(s->peer, &c, out);
    } else {
        uc_reply_error(out, c.id, &e);
    }
    return uc__sync_reply(out, c.id, dst, cap);
}

/* ---- requests that are answered where they arrive ---- */

/* What the session has submitted is in the queues, so that the order of its
 * calls is known. Whoever was woken to route it may not be there yet. */
static bool is_routed(uc_peer *p)
{
    if (atomic_load(&p->unrouted) > 0)
        uc__route(p->engine, false);
    return atomic_load(&p->unrouted) == 0;
}

/* The file is open and where it was. Waits for nothing. */
static bool is_clear(uc_peer *p)
{
    uc_engine *e = p->engine;
    uc_error err;

    if (e->ops->now == NULL || !is_routed(p) || p->closing)
        return false;
    if (!p->sync_ready) {
        uc_lock(&e->mu);
        p->sync_ready = e->state == UC_OPEN && p->failed.code == NULL;
        uc_unlock(&e->mu);
    }
    uc_error_init(&err);
    return p->sync_ready &&
           (e->ops->stale == NULL || !e->ops->stale(e, false, &err));
}

/* False where another thread routes, or the frame is at fault. */
static bool begin(uc_peer *p, uc_call *c)
{
    uc_engine *e = p->engine;
    uc_error err;
    bool ok;

    if (!uc_trylock(&e->route_mu))
        return false;
    uc_error_init(&err);
    ok = uc__routed_begin(p, c, &err);
    uc_unlock(&e->route_mu);
    uc__route(e, false); /* for who found it locked */
    return ok;
}

/* False, with nothing done, where it is to be submitted. */
static bool answer(uc_peer *p, uc_call *c, uc_buf *out)
{
    int64_t now = uc_now_coarse(), deadline;

    if (!begin(p, c))
        return false;
    if (c->routed->q.refusal != UC_REFUSAL_NONE) {
        uc__routed_refused(c, out);
        return true;
    }
    if (uc__routed_writes(c) || uc__writes_pending(p))
        return false;
    deadline = uc__routed_deadline(c, now);
    if (deadline != 0 && (c->deadline == 0 || deadline < c->deadline))
        c->deadline = deadline;
    return p->engine->ops->now(p, c, out);
}

size_t uc_request_now(uc_session *s, const uint8_t *frame, size_t len,
                      uint8_t *dst, size_t cap)
{
    uc_reader r = {frame, frame + len};
    uc_buf *out = &s->sync_left;
    uc_peer *p = s->peer;
    bool ok = false;
    uc_error e;
    uc_call c;

    uc_error_init(&e);
    uc_buf_rewind(out, 0);
    if (!uc__call_parse(&c, &r, 0, true, &e) || c.op->lane != UC_LANE_ROUTE ||
        !uc__visit(p))
        return 0;
    c.session = s;
    if (c.deadline != 0)
        c.deadline += uc_now();
    if (c.tx == 0 && c.snap == 0 && c.inside == 0 && c.once.p == NULL &&
        !c.repeat && is_clear(p))
        ok = answer(p, &c, out);
    uc__finish(&c);
    uc__visit_end(p);
    if (!ok || out->failed) {
        uc_buf_rewind(out, 0);
        return 0;
    }
    return uc__sync_reply(out, c.id, dst, cap);
}

size_t uc_sync_take(uc_session *s, uint8_t *dst, size_t cap)
{
    return uc__sync_left(&s->sync_left, dst, cap);
}

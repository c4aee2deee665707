#include "data/sqlite/db.h"
#include "log/desk.h"
#include "wire/writer.h"

#include <string.h>

/*
 * Calls between their lanes and their ends: stopped, taken off a queue, let go
 * when what they waited for is done, answered with an error, finished.
 */

/* Takes n off a peer's calls under way; what was the last of a closing one
 * lets it close. */
static void leave(sq_db *db, sq_peer *p, uint32_t n)
{
    if (atomic_fetch_sub(&p->live, n) > n && !p->closing)
        return;
    uc_lock(&db->mu);
    if (p->closing && p->close_call != NULL && atomic_load(&p->live) == 1)
        sq_peer_settle(db, p);
    else
        uc_unlock(&db->mu);
}

/* A statement is over, which may have been slow. */
static void tell_slow(const uc_call *c)
{
    const sq_sql *s = c->stmt;
    uc_view sql = {NULL, 0};
    uc_reader r = c->args;

    if (c->session->desk == NULL || c->batch == NULL)
        return;
    if (s != NULL)
        sql = (uc_view){(const uint8_t *)s->text, s->len};
    else if (c->op == NULL ||
             (c->op->num != UC_OP_exec && c->op->num != UC_OP_batch))
        return;
    else if (c->op->num == UC_OP_exec && !uc_read_str(&r, &sql))
        return;
    uc_log_slow(c, sql);
}

void sq_finish(sq_db *db, uc_call *c)
{
    sq_peer *p = c->session->peer;

    tell_slow(c);
    sq_sql_unref(db, c->stmt);
    c->stmt = NULL;
    sq_parts_free(db, c);
    if (c->batch == NULL)
        return;                  /* a sync call */
    uc__session_ref(c->session); /* p lives with its session */
    uc__call_finish(c);
    leave(db, p, 1);
    uc__session_unref(p->session);
}

void sq_finish_all(sq_db *db, uc_call **calls, uint32_t n)
{
    for (uint32_t i = 0, k; i < n; i += k) {
        uc_batch *b = calls[i]->batch;
        uc_session *s = calls[i]->session;

        for (k = 0; i + k < n && calls[i + k]->batch == b; k++) {
            tell_slow(calls[i + k]);
            sq_sql_unref(db, calls[i + k]->stmt);
        }
        uc__session_ref(s); /* the peer lives with its session */
        uc__batch_finish(b, k);
        leave(db, s->peer, k);
        uc__session_unref(s);
    }
}

void sq_refuse(sq_db *db, uc_call *c, const uc_error *e)
{
    uc_buf b;

    if (c->id != 0) {
        size_t at;

        uc_buf_init(&b, SIZE_MAX);
        at = uc__reply_open(&b);
        uc_reply_error(&b, c->id, e);
        uc__reply_close(&b, at, c->id);
        uc__session_publish(c->session, &b);
        uc_buf_fini(&b);
    }
    sq_finish(db, c);
}

/* Whether it may run a second time without doing more. */
static bool is_harmless(const uc_call *c)
{
    const sq_sql *s = c->stmt;
    int cls;

    if (c->once.p != NULL)
        return true;
    if (c->op == NULL || c->op->lane != UC_LANE_STMT)
        return c->op != NULL && (c->op->flags & UC_REPEATS) != 0;
    cls = s != NULL ? atomic_load(&s->cls) : SQ_UNKNOWN;
    return cls == SQ_READ || cls == SQ_WRITER_READ;
}

void sq_outcome(const uc_call *c, const char *outcome, uc_error *e)
{
    e->outcome = outcome;
    if (strcmp(outcome, "unknown") == 0 && !is_harmless(c))
        e->retryable = false;
}

void sq_stopped(uc_call *c, const char *outcome, uc_error *e)
{
    if (atomic_load(&c->stop) == UC_STOP_ABORT)
        uc_fail(e, UC_ABORTED, "the call was aborted");
    else
        uc_fail(e, UC_TIMEOUT, "the call's deadline passed");
    sq_outcome(c,
               c->repeat         ? "unknown"
               : outcome != NULL ? outcome
                                 : "not-run",
               e);
}

bool sq_may_repeat(const uc_call *c, sq_class cls, uc_error *e)
{
    if (!c->repeat || c->once.p != NULL || (c->op->flags & UC_REPEATS) != 0)
        return true;
    if (c->op->lane == UC_LANE_STMT && c->tx == 0 && c->snap == 0 &&
        (cls == SQ_UNKNOWN || cls == SQ_READ || cls == SQ_WRITER_READ))
        return true;
    uc_fail(e, UC_NOT_REPEATED,
            "the connection was lost before the reply came: it may have run, "
            "and what is no read is not run again");
    e->outcome = "unknown";
    return false;
}

/* Its reply would wait behind too many that nobody reads. What ends something
 * (a transaction, a cursor) is not stopped by that. */
static bool unread(const uc_call *c)
{
    return c->batch != NULL && uc__session_full(c->session) &&
           (c->op->lane == UC_LANE_STMT || c->op->num == UC_OP_batch ||
            c->op->num == UC_OP_exec || c->op->num == UC_OP_cursor_next);
}

bool sq_call_over(uc_call *c, uc_error *e)
{
    int none = UC_STOP_NONE;

    if (c->deadline != 0 && uc_now_coarse() >= c->deadline)
        atomic_compare_exchange_strong(&c->stop, &none, UC_STOP_TIMEOUT);
    if (atomic_load(&c->stop) != UC_STOP_NONE) {
        sq_stopped(c, NULL, e);
        return true;
    }
    if (unread(c)) {
        uc_fail(e, UC_BUSY,
                "%zu bytes of replies wait to be read: read them first",
                uc_pending(c->session));
        sq_outcome(c, c->repeat ? "unknown" : "not-run", e);
        return true;
    }
    return false;
}

void sq_worker_hold(sq_db *db, sq_worker *w, uc_call **calls, uint32_t n)
{
    uc_lock(&db->mu);
    w->calls = calls;
    w->n = n;
    uc_unlock(&db->mu);
}

void sq_stop_running(sq_db *db, uc_session *s, uint32_t id, int reason)
{
    for (sq_worker *w = db->workers; w != NULL; w = w->next) {
        for (uint32_t i = 0; i < w->n; i++) {
            uc_call *c = w->calls[i];
            int none = UC_STOP_NONE;

            if (c != NULL && c->session == s && (id == 0 || c->id == id))
                atomic_compare_exchange_strong(&c->stop, &none, reason);
        }
    }
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

/* A call taken off the read queue, or from what was on its way there, that had
 * claimed a pin lets it go. */
static void unclaim(sq_db *db, const uc_calls *out)
{
    for (uc_call *c = out->head; c != NULL; c = c->next) {
        sq_pin *pin = c->pin;

        if (pin != NULL && pin->busy &&
            atomic_load(&c->state) == UC_CALL_RUNNING) {
            pin->busy = false;
            atomic_store(&c->state, UC_CALL_QUEUED);
            if (pin->queue.head != NULL) {
                uc_call *nextc = uc_calls_pop(&pin->queue);

                pin->busy = true;
                atomic_store(&nextc->state, UC_CALL_RUNNING);
                uc_calls_push(&db->reads, nextc);
                if (db->idle_readers > 0)
                    uc_cond_signal(&db->readers_cond);
            }
        }
    }
    atomic_store(&db->reads_n, db->reads.n);
}

uc_calls sq_unqueue(sq_db *db, uc_session *s, uint32_t id)
{
    uc_calls out = {0};

    unqueue_from(&db->reads, s, id, &out);
    unqueue_from(&db->writes, s, id, &out);
    unqueue_from(&db->parked, s, id, &out);
    unqueue_from(&db->tx_calls, s, id, &out);
    for (sq_pin *p = db->pins; p != NULL; p = p->next)
        unqueue_from(&p->queue, s, id, &out);
    unclaim(db, &out);
    sq_settle(db);
    return out;
}

/* A read is ready: queue it, behind its pin if it has one. Under mu. */
static void ready(sq_db *db, uc_call *c)
{
    if (c->pin != NULL && !sq_pin_claim(c->pin, c))
        return;
    uc_calls_push(&db->reads, c);
    atomic_store(&db->reads_n, db->reads.n);
}

void sq_settle(sq_db *db)
{
    uint64_t done = db->wseq;
    uc_calls keep = {0};
    uc_call *c;
    uint32_t before = db->reads.n;

    if (db->writes.head != NULL)
        done = db->writes.head->wseq - 1;
    if (db->running_first != 0 && db->running_first - 1 < done)
        done = db->running_first - 1;
    if (done > db->wdone)
        db->wdone = done;
    while ((c = uc_calls_pop(&db->parked)) != NULL) {
        if (sq_may_run(db, c))
            ready(db, c);
        else
            uc_calls_push(&keep, c);
    }
    db->parked = keep;
    if (db->reads.n > before && db->idle_readers > 0)
        uc_cond_broadcast(&db->readers_cond);
    uc_cond_broadcast(&db->owner_cond);
}

void sq_forward(sq_db *db, uc_call *c)
{
    if (sq_may_run(db, c)) {
        ready(db, c);
        if (db->idle_readers > 0)
            uc_cond_signal(&db->readers_cond);
    } else {
        uc_calls_push(&db->parked, c);
    }
}

void sq_cancel(sq_db *db, uc_call *c, uc_calls *const *fresh, uint32_t n)
{
    uint32_t id, reason;
    uc_calls out;
    uc_call *q;

    if (!uc_read_u32(&c->args, &id) || !uc_read_u32(&c->args, &reason) ||
        id == 0)
        return;
    reason = reason == 1 ? UC_STOP_TIMEOUT : UC_STOP_ABORT;
    uc_lock(&db->mu);
    out = sq_unqueue(db, c->session, id);
    for (uint32_t i = 0; i < n; i++)
        unqueue_from(fresh[i], c->session, id, &out);
    unclaim(db, &out);
    sq_stop_running(db, c->session, id, (int)reason);
    uc_unlock(&db->mu);
    while ((q = uc_calls_pop(&out)) != NULL) {
        uc_error e = {0};

        atomic_store(&q->stop, (int)reason);
        sq_stopped(q, NULL, &e);
        sq_refuse(db, q, &e);
    }
    sq_watch_cancel(db, c->session, id);
    if (db->cache != NULL)
        uc_cache_cancel(db->cache, c->session, id, reason == UC_STOP_TIMEOUT);
    uc_log_cancel(c->session, id, reason == UC_STOP_TIMEOUT);
}

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "data/sqlite/db.h"
#include "data/sqlite/group.h"
#include "data/sqlite/wal.h"

/*
 * The writer thread: takes what is queued, in order, and runs it as one
 * transaction (group.c); transactions of clients, streams of rows (tx.c) and
 * what cannot be in a transaction have it for themselves.
 */

/* Writes known to take longer than this do not share a group. */
enum { SLOW_WRITE_NS = 5000000, LARGE_MANY_BYTES = 1 << 18 };

static bool wants_writer_alone(sq_db *db, uc_call *call, uc_class cls)
{
    const uc_stmt *s = call->stmt;

    if (sq_is_tx(call) || sq_is_stream(call) || sq_is_alone(db, call, cls))
        return true;
    if (call->op->num == UC_OP_many)
        return call->args.end - call->args.p > LARGE_MANY_BYTES;
    return s != NULL && atomic_load(&s->ns) > SLOW_WRITE_NS;
}

static void push_back(sq_db *db, uc_call *call)
{
    uc_lock(&db->e.mu);
    uc_calls_push_front(&db->e.q.writes, call);
    uc_unlock(&db->e.mu);
}

static void publish_group(sq_db *db, sq_group *g)
{
    uc_buf *out = &g->good;
    uc_buf part;
    bool plain = g->bad.len == 0;

    for (uint32_t i = 0; i < g->cut; i++) {
        sq_item *it = &g->items[i];
        int ran = UC_CALL_RAN;

        if (it->call->session != g->items[0].call->session)
            plain = false;
        if (!it->failed && !atomic_compare_exchange_strong(
                               &it->call->state, &ran, UC_CALL_DONE)) {
            it->len = 0; /* its deadline passed: 'unknown' has been said */
            plain = false;
        }
    }
    if (plain) {
        uc__session_publish(g->items[0].call->session, out);
        return;
    }
    uc_buf_init(&part, SIZE_MAX);
    for (uint32_t i = 0; i < g->cut; i++) {
        sq_item *it = &g->items[i];

        if (it->call->id != 0 && it->len > 0)
            uc_buf_put(&part, (it->failed ? g->bad.p : out->p) + it->at,
                       it->len);
        if (i + 1 == g->cut ||
            g->items[i + 1].call->session != it->call->session)
            uc__session_publish(it->call->session, &part);
    }
    uc_buf_fini(&part);
    (void)db;
}

static void run_group(sq_db *db, uc_worker *self, sq_group *g)
{
    uc_call **calls = g->calls;
    uc_error e = {0};

    uc_buf_rewind(&g->good, 0);
    uc_buf_rewind(&g->bad, 0);
    if (!sq_wal_room(db, &e)) {
        uc__worker_hold(&db->e, self, NULL, 0); /* they are about to be gone */
        for (uint32_t i = 0; i < g->n; i++)
            uc__refuse(calls[i], &e);
        g->n = 0;
        return;
    }
    uc__worker_hold(&db->e, self, calls, g->n);
    g->may_cut = true;
    sq_group_run(db, g);
    publish_group(db, g);
    uc__worker_hold(&db->e, self, NULL, 0);
    for (uint32_t i = g->n; i > g->cut; i--) {
        atomic_store(&calls[i - 1]->state, UC_CALL_QUEUED);
        push_back(db, calls[i - 1]);
    }
    for (uint32_t i = 0; i < g->cut; i++)
        uc__finish(calls[i]);
    g->n = 0;
}

static void run_alone(sq_db *db, uc_worker *self, uc_call *call, uc_class cls,
                      sq_group *g)
{
    size_t at;
    uc_error e = {0};
    bool ok;

    if (!sq_is_alone(db, call, cls)) { /* slow or large: a group of one */
        g->items[0] = (sq_item){.call = call};
        g->n = 1;
        run_group(db, self, g);
        return;
    }
    uc_buf_rewind(&g->good, 0);
    at = uc__reply_open(&g->good);
    uc__worker_hold(&db->e, self, &call, 1);
    sq_conn_enter(db->writer, call, call->deadline);
    ok = !uc__call_over(call, &e) && sq_alone(db->writer, call, &g->good, &e);
    sq_conn_leave(db->writer);
    uc__worker_hold(&db->e, self, NULL, 0);
    uc__answer(call, &g->good, at, ok, &e);
}

/* What was taken and is not wanted yet, from the i-th on, goes back in front;
 * the worker keeps what is in g->calls in hand. */
static void keep(sq_db *db, uc_worker *self, sq_group *g, uint32_t kept,
                 uc_call **taken, uint32_t i, uint32_t n)
{
    uc_lock(&db->e.mu);
    while (n > i)
        uc_calls_push_front(&db->e.q.writes, taken[--n]);
    self->calls = g->calls;
    self->n = kept;
    uc_unlock(&db->e.mu);
}

/* Out of the hands of the worker, so that nobody finds it there. */
static void let_go(sq_db *db, uc_call **taken, uint32_t i)
{
    uc_lock(&db->e.mu);
    taken[i] = NULL;
    uc_unlock(&db->e.mu);
}

/* Whether a call goes on to a group; otherwise it has been answered or sent
 * elsewhere. *wait: what it names may be what the group is about to create. */
static bool admit(sq_db *db, uc_call **taken, uint32_t i, bool first,
                  uc_class *cls, bool *wait)
{
    uc_call *call = taken[i];
    uc_error e;

    uc_error_init(&e);
    *wait = false;
    if (!uc__call_over(call, &e)) {
        if (sq_call_class(db, call, cls, &e)) {
            if (*cls == UC_CLASS_READ && call->op->lane == UC_LANE_STMT &&
                call->once.p == NULL) {
                uc_lock(&db->e.mu);
                taken[i] = NULL;
                uc__forward(&db->e, call);
                uc_unlock(&db->e.mu);
                return false;
            }
            if (uc__may_repeat(call, *cls, &e) &&
                (call->once.p == NULL || uc__once_allowed(call, *cls, &e))) {
                if (*cls == UC_CLASS_READ_HERE ||
                    call->op->lane != UC_LANE_STMT ||
                    !call->session->peer->readonly)
                    return true;
                uc_fail(&e, UC_SQL_READONLY,
                        "this handle was opened with readonly: true");
            }
        } else if (!first) {
            *wait = true;
            return false;
        } else {
            /* Nor can it be told whether it is a read. */
            uc__may_repeat(call, UC_CLASS_WRITE, &e);
        }
    }
    let_go(db, taken, i);
    uc__refuse(call, &e);
    return false;
}

/* Takes the next group, or the one call that wants the writer for itself. */
static void run_next(sq_db *db, uc_worker *self, sq_group *g)
{
    uc_call *taken[SQ_GROUP], *call;
    uint32_t n = 0, i;
    uc_class cls;
    bool wait;

    g->n = 0;
    uc_lock(&db->e.mu);
    while (n < SQ_GROUP && (call = uc_calls_pop(&db->e.q.writes)) != NULL)
        taken[n++] = call;
    if (n > 0 && db->e.running_first == 0)
        db->e.running_first = taken[0]->wseq;
    self->calls = taken;
    self->n = n;
    uc_unlock(&db->e.mu);
    for (i = 0; i < n; i++) {
        call = taken[i];
        if (!admit(db, taken, i, g->n == 0, &cls, &wait)) {
            if (wait)
                break;
            continue;
        }
        if (wants_writer_alone(db, call, cls)) {
            if (g->n > 0)
                break;
            g->calls[0] = call;
            keep(db, self, g, 1, taken, i + 1, n);
            if (sq_is_tx(call) || sq_is_stream(call))
                sq_run_tx(db, self, call, &g->good);
            else
                run_alone(db, self, call, cls, g);
            return;
        }
        g->calls[g->n] = call;
        g->items[g->n++] = (sq_item){.call = call};
    }
    keep(db, self, g, g->n, taken, i, n);
    if (g->n > 0)
        run_group(db, self, g);
}

void sq_write_one(sq_db *db, uc_call *call, uc_buf *out)
{
    static const size_t prefix = 4;
    size_t at = out->len;
    sq_conn *c = db->writer;
    uc_error e = {0};
    uc_class cls;
    sq_group g;

    if (!sq_call_class(db, call, &cls, &e) || !sq_wal_room(db, &e)) {
        uc__reply_failure(out, call, &e);
        return;
    }
    if (sq_is_alone(db, call, cls)) {
        sq_conn_enter(c, call, call->deadline);
        if (!sq_alone(c, call, out, &e)) {
            uc_buf_rewind(out, at);
            uc__reply_failure(out, call, &e);
        }
        sq_conn_leave(c);
        return;
    }
    sq_group_init(&g);
    g.items[0] = (sq_item){.call = call};
    g.n = 1;
    sq_group_run(db, &g);
    if (g.items[0].failed)
        uc_buf_put(out, g.bad.p + g.items[0].at + prefix,
                   g.items[0].len - prefix);
    else if (g.items[0].len > prefix)
        uc_buf_put(out, g.good.p + g.items[0].at + prefix,
                   g.items[0].len - prefix);
    sq_group_fini(&g);
}

void sq_writer_loop(sq_db *db)
{
    static const struct timespec others = {0, 500000};
    uc_worker self = {.next = NULL};
    sq_group g;

    sq_group_init(&g);
    uc__worker_add(&db->e, &self);
    for (;;) {
        bool contended;

        uc__route(&db->e, false);
        uc_lock(&db->e.mu);
        if (db->e.q.writes.head == NULL || db->owner.by != SQ_FREE ||
            db->owner.sync_waiting > 0) {
            if (db->e.stop && db->e.q.writes.head == NULL) {
                uc_unlock(&db->e.mu);
                break;
            }
            if (!uc__route_wanted(&db->e) || db->e.q.writes.head != NULL) {
                db->threads.writer_idle = true;
                uc_cond_wait(&db->threads.writer_cond, &db->e.mu);
                db->threads.writer_idle = false;
            }
            uc_unlock(&db->e.mu);
            continue;
        }
        db->owner.by = SQ_BY_THREAD;
        uc_unlock(&db->e.mu);
        uc_lock(&db->wconn_mu);
        run_next(db, &self, &g);
        contended = db->writer->contended;
        db->writer->contended = false;
        uc_unlock(&db->wconn_mu);
        uc_lock(&db->e.mu);
        db->owner.by = SQ_FREE;
        db->e.running_first = 0;
        uc__settle(&db->e);
        uc_unlock(&db->e.mu);
        if (contended) /* another process is waiting, too: its turn */
            nanosleep(&others, NULL);
    }
    uc__worker_remove(&db->e, &self);
    sq_group_fini(&g);
}

#include <string.h>
#include <time.h>

#include "common/mem.h"
#include "data/engine.h"
#include "desk/session.h"
#include "wire/writer.h"

/*
 * An engine without a database, to show that the desk needs none: what is for a
 * database is answered UC_NOT_HERE, but for `health`. Only test builds have it
 * (test/c/Makefile, target `stub`). The name of its database says how:
 *
 *   stub:       at once, one call after the other
 *   stub:late   from several threads, late and in any order. `select hang` is
 *               never answered unless it is stopped, `select give up` is
 *               aborted by the engine itself
 *
 * Each answer says how many writes had been answered before it, so that a test
 * sees whether a read was begun before a write that its session issued earlier.
 */

enum { THREADS = 4, HELD = 16, LATEST_US = 3000 };

typedef struct stub_worker {
    uc_worker w;
    uc_call *held[HELD];
    uc_thread thread;
    struct stub *db;
    unsigned seed;
} stub_worker;

typedef struct stub {
    uc_engine e; /* first */
    bool late;
    uc_cond work; /* of e.mu */
    uint32_t idle;
    uint64_t answered; /* writes; e.mu */
    stub_worker workers[THREADS];
    uint32_t nworkers;
} stub;

static const char *name_of(const char *target)
{
    const char *slash = strrchr(target, '/');

    return slash != NULL ? slash + 1 : target;
}

static bool takes(const char *target)
{
    return strncmp(name_of(target), "stub:", 5) == 0;
}

static char *key(const char *target, bool *alone)
{
    *alone = false;
    return uc_strndup(target, strlen(target));
}

static bool init(uc_engine *e)
{
    stub *db = (stub *)e;

    uc_cond_init(&db->work);
    db->late =
        e->target != NULL && strcmp(name_of(e->target), "stub:late") == 0;
    db->nworkers = db->late ? THREADS : 1;
    return true;
}

static void fini(uc_engine *e)
{
    uc_cond_fini(&((stub *)e)->work);
}

/* ---- the threads ---- */

static bool has_text(const uc_call *c, const char *text)
{
    return c->stmt != NULL && strcmp(c->stmt->text, text) == 0;
}

/* The write with the smallest number that somebody has in hand. Under mu. */
static void note_running(stub *db)
{
    uint64_t first = 0;

    for (uint32_t i = 0; i < db->nworkers; i++) {
        for (unsigned k = 0; k < HELD; k++) {
            const uc_call *c = db->workers[i].held[k];

            if (c != NULL && c->wseq != 0 && (first == 0 || c->wseq < first))
                first = c->wseq;
        }
    }
    db->e.running_first = first;
}

/* Takes what waits, up to `most`. Under mu. */
static uint32_t take(stub *db, stub_worker *self, uint32_t most)
{
    uc_queues *q = &db->e.q;
    uint32_t n = 0;

    for (unsigned k = 0; k < HELD; k++) {
        uc_call *c = NULL;

        if (self->held[k] == NULL && n < most) {
            c = uc_calls_pop(&q->reads);
            if (c == NULL)
                c = uc_calls_pop(&q->writes);
            if (c == NULL)
                c = uc_calls_pop(&q->tx);
            if (c != NULL)
                atomic_store(&c->state, UC_CALL_RUNNING);
            self->held[k] = c;
        }
        n += self->held[k] != NULL;
    }
    atomic_store(&db->e.reads_n, q->reads.n);
    note_running(db);
    return n;
}

/* A daemon asks before it listens. */
static void answer_health(uc_call *c)
{
    uc_error e = {0};
    size_t at;
    uc_buf b;

    uc_buf_init(&b, SIZE_MAX);
    at = uc__reply_open(&b);
    uc_reply_begin(&b, c->id, UC_REPLY_VALUE, 3);
    uc_pack_map(&b, 1);
    uc_pack_str(&b, "ok");
    uc_pack_bool(&b, true);
    uc__answer(c, &b, at, true, &e);
    uc_buf_fini(&b);
}

/* Ends the call at k, which is in nobody's hands then. */
static void end(stub *db, stub_worker *self, unsigned k, const uc_error *e)
{
    uc_call *c = self->held[k];
    bool write = c->wseq != 0;

    uc_lock(&db->e.mu);
    self->held[k] = NULL;
    db->answered += write;
    uc_unlock(&db->e.mu);
    /* A write is over before a read that waits for it is let go. */
    if (c->op->num == UC_OP_health)
        answer_health(c);
    else
        uc__refuse(c, e);
    uc_lock(&db->e.mu);
    note_running(db);
    uc__settle(&db->e);
    uc_unlock(&db->e.mu);
}

/* False: it goes on. */
static bool try_end(stub *db, stub_worker *self, unsigned k)
{
    uc_call *c = self->held[k];
    uint64_t answered;
    uc_error e = {0};

    uc_lock(&db->e.mu);
    answered = db->answered;
    uc_unlock(&db->e.mu);
    if (uc__call_over(c, &e)) {
        end(db, self, k, &e);
        return true;
    }
    if (db->late && has_text(c, "select hang"))
        return false;
    if (db->late && has_text(c, "select give up"))
        uc_fail(&e, UC_ABORTED, "the engine gave it up");
    else
        uc_fail(&e, UC_NOT_HERE, "%s is not here, after %llu writes",
                c->op->name, (unsigned long long)answered);
    e.outcome = "not-run";
    end(db, self, k, &e);
    return true;
}

static void pause_us(unsigned us)
{
    struct timespec ts = {0, (long)us * 1000};

    nanosleep(&ts, NULL);
}

static unsigned rnd(stub_worker *self)
{
    self->seed = self->seed * 1103515245u + 12345u;
    return self->seed >> 16;
}

/* One of what is held, after a while. */
static void some_end(stub *db, stub_worker *self, uint32_t n)
{
    unsigned from = rnd(self) % HELD;

    if (db->late)
        pause_us(rnd(self) % LATEST_US);
    for (unsigned i = 0; i < HELD; i++) {
        unsigned k = (from + i) % HELD;

        if (self->held[k] != NULL && try_end(db, self, k) && db->late)
            return;
    }
    if (n > 0)
        pause_us(100); /* what is left is waited for */
}

static void *worker_main(void *arg)
{
    stub_worker *self = arg;
    stub *db = self->db;
    uc_engine *e = &db->e;

    if (self == db->workers && e->state == UC_OPENING)
        uc__opened(e, NULL);
    self->w.calls = self->held;
    self->w.n = HELD;
    uc__worker_add(e, &self->w);
    for (;;) {
        uint32_t n;

        uc__route(e, false);
        uc_lock(&e->mu);
        n = take(db, self, db->late ? HELD : 1);
        if (n == 0 && e->stop) {
            uc_unlock(&e->mu);
            break;
        }
        if (n == 0 && (e->inbox_head == NULL || e->state == UC_OPENING)) {
            db->idle++;
            uc_cond_wait(&db->work, &e->mu);
            db->idle--;
        }
        uc_unlock(&e->mu);
        if (n > 0)
            some_end(db, self, n);
    }
    uc__worker_remove(e, &self->w);
    return NULL;
}

static bool start(uc_engine *e)
{
    stub *db = (stub *)e;
    uint32_t want = db->nworkers;

    for (uint32_t i = 0; i < want; i++) {
        stub_worker *w = &db->workers[i];

        w->db = db;
        w->seed = i + 1;
        if (uc_thread_start(&w->thread, "stub", worker_main, w) != 0) {
            uc_lock(&e->mu);
            db->nworkers = i;
            uc_unlock(&e->mu);
            break;
        }
    }
    return db->nworkers > 0;
}

static void stop(uc_engine *e)
{
    stub *db = (stub *)e;

    for (uint32_t i = 0; i < db->nworkers; i++)
        uc_thread_join(db->workers[i].thread);
}

/* ---- what the desk asks ---- */

static void wake(uc_engine *e, unsigned what)
{
    stub *db = (stub *)e;

    if (what != UC_WAKE_ORDER && (db->idle > 0 || what & UC_WAKE_STOP))
        uc_cond_broadcast(&db->work);
}

/* As far as a test needs it; what is unknown waits among the writes. */
static uc_class classify(uc_engine *e, uc_stmt *s)
{
    int cls = strncmp(s->text, "select", 6) == 0   ? UC_CLASS_READ
              : strncmp(s->text, "insert", 6) == 0 ? UC_CLASS_WRITE
                                                   : UC_CLASS_UNKNOWN;

    (void)e;
    atomic_store(&s->cls, cls);
    return (uc_class)cls;
}

static bool tx_is_open(uc_engine *e, const uc_call *c, uc_error *err)
{
    (void)e;
    (void)c;
    return uc_fail(err, UC_TX_CLOSED, "the transaction has ended");
}

static bool tx_waits_for(uc_engine *e, const uc_call *c)
{
    (void)e;
    (void)c;
    return false;
}

static bool tx_at_work(uc_engine *e, const uc_session *s, bool more)
{
    (void)e;
    (void)s;
    (void)more;
    return false;
}

static void tx_drop(uc_engine *e, uc_session *s)
{
    (void)e;
    (void)s;
}

static void peer_end(uc_peer *p)
{
    (void)p;
}

static void stats(uc_engine *e, uint32_t id, uc_buf *out)
{
    uc_error err = {0};

    (void)e;
    uc_fail(&err, UC_NOT_HERE, "stats is not here");
    uc_reply_error(out, id, &err);
}

extern const uc_engine_ops uc_engine_stub;
const uc_engine_ops uc_engine_stub = {
    .name = "stub",
    .engine_size = sizeof(stub),
    .peer_size = sizeof(uc_peer),
    .takes = takes,
    .key = key,
    .init = init,
    .fini = fini,
    .start = start,
    .stop = stop,
    .wake = wake,
    .classify = classify,
    .tx_is_open = tx_is_open,
    .tx_waits_for = tx_waits_for,
    .tx_at_work = tx_at_work,
    .tx_drop = tx_drop,
    .peer_end = peer_end,
    .stats = stats,
};

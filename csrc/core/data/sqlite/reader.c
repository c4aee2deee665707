#include <sched.h>
#include <string.h>

#include "data/sqlite/db.h"
#include "data/sqlite/pin.h"

/*
 * A reader takes what is queued, up to SQ_TAKE calls, and serves it in one
 * read transaction: BEGIN costs more than a point read. Only calls that were
 * queued before the BEGIN are in it, so a reply is never older than its
 * request. A statement that is new or known to be slow is taken on its own, so
 * that it holds up nobody's reply.
 */
enum {
    SLOW_NS = 200000, /* on its own from here on */
    FLUSH_BYTES = 1 << 18,
    /* Spinning, see `spin`: */
    SPIN_US = 200, /* longest, where there are two processors */
    SPIN_MARGIN_NS = 20000,
    GAP_MAX_NS = 1000000, /* counts as much as any longer one */
    GAP_WEIGHT = 8
};

bool sq_is_quick(const uc_call *c)
{
    const uc_stmt *s = c->stmt;
    uint32_t ns;

    if (c->lease != NULL || s == NULL)
        return false;
    ns = atomic_load_explicit(&s->ns, memory_order_relaxed);
    return ns != 0 && ns < SLOW_NS;
}

/* Under mu. */
static uint32_t take(sq_db *db, uc_call **run, bool *slow)
{
    uint32_t n = 0, most = SQ_TAKE;

    if (db->threads.nreaders > 1 && db->e.q.reads.n > db->threads.nreaders) {
        /* Leave the others their share. */
        most = db->e.q.reads.n / db->threads.nreaders;
        if (most > SQ_TAKE)
            most = SQ_TAKE;
    }
    while (n < most && db->e.q.reads.head != NULL) {
        if (n > 0 && !sq_is_quick(db->e.q.reads.head))
            break;
        run[n++] = uc_calls_pop(&db->e.q.reads);
        if (!sq_is_quick(run[n - 1])) {
            *slow = true;
            break;
        }
    }
    atomic_store(&db->e.reads_n, db->e.q.reads.n);
    if (db->e.q.reads.n > 0 && db->threads.idle_readers > 0)
        uc_cond_signal(&db->threads.readers_cond);
    return n;
}

/* False when the call was given up because the thread is wanted back. */
static bool serve(sq_db *db, sq_conn *c, uc_call *call, int64_t now,
                  uc_buf *out)
{
    size_t at = uc__reply_open(out);
    uc_error e;
    bool ok;

    uc_error_init(&e);
    atomic_store_explicit(&call->state, UC_CALL_RUNNING, memory_order_relaxed);
    if (call->lease != NULL) {
        ok = sq_pin_call(db, sq_pin_of(call), call, out, &e);
        call->lease = NULL;
    } else {
        sq_conn_enter(c, call, call->deadline);
        ok = (c->sampled &&
              atomic_load_explicit(&call->stop, memory_order_relaxed) ==
                  UC_STOP_NONE &&
              call->deadline > now && !uc__session_full(call->session)) ||
             !uc__call_over(call, &e);
        ok = ok && sq_read_call(c, call, out, &e);
        sq_conn_leave(c);
        if (!ok && c->overdue) {
            uc_buf_rewind(out, at);
            atomic_store(&call->state, UC_CALL_QUEUED);
            return false;
        }
    }
    if (!ok) {
        uc__reply_again(out, at);
        uc__reply_failure(out, call, &e);
    }
    if (call->id == 0)
        uc_buf_rewind(out, at);
    else
        uc__reply_close(out, at, call->id);
    return true;
}

uint32_t sq_read_batch(sq_db *db, sq_conn *c, uc_call **run, uint32_t n,
                       uc_buf *out)
{
    bool shared = n > 1;
    int64_t now = uc_now_coarse();
    int rc = SQLITE_OK;
    uint32_t i;

    sq_conn_wait(c, 0);
    c->sampled = shared; /* all known to be quick: one look at the clock */
    sq_fresh_at(db, &c->moment);
    if (shared)
        rc = sq_step_once(c->begin);
    for (i = 0; i < n; i++) {
        if (c->lent_until != 0 && uc_now_coarse() >= c->lent_until)
            break;
        if (i > 0 &&
            (run[i]->session != run[i - 1]->session || out->len > FLUSH_BYTES))
            uc__session_publish(run[i - 1]->session, out);
        if (!serve(db, c, run[i], now, out))
            break;
    }
    if (i > 0)
        uc__session_publish(run[i - 1]->session, out);
    if (shared && rc == SQLITE_OK)
        sq_step_once(c->commit);
    c->moment.gen = 0;
    return i;
}

static bool work_waits(const sq_db *db)
{
    return atomic_load(&db->e.reads_n) > 0 || atomic_load(&db->e.called);
}

/*
 * A wake-up through the kernel takes longer than many point reads (in a virtual
 * machine, whose idle processor has to be woken as well, 100 us and more): look
 * for a while before sleeping, where another processor can bring work
 * meanwhile. How long is learnt from how long work has been in coming: twice
 * the average gap between the end of a batch and the arrival of the next, and
 * not at all where that is beyond the limit.
 */
typedef struct spinner {
    int64_t limit;
    int64_t gap; /* moving average, ns */
    int64_t idle_since;
} spinner;

static void spin(const sq_db *db, spinner *s)
{
    int64_t most = 2 * s->gap + SPIN_MARGIN_NS;

    s->idle_since = uc_now();
    if (s->gap > s->limit || s->limit == 0)
        return;
    if (most > s->limit)
        most = s->limit;
    while (!work_waits(db) && uc_now() - s->idle_since < most) {
        for (int i = 0; i < 20; i++)
            uc_cpu_relax();
    }
}

/* Work that arrived at `t0` ended the gap. */
static void spin_learn(spinner *s, int64_t t0)
{
    int64_t gap = t0 - s->idle_since;

    if (s->idle_since == 0)
        return;
    s->idle_since = 0;
    if (gap < 0)
        gap = 0;
    else if (gap > GAP_MAX_NS)
        gap = GAP_MAX_NS;
    s->gap += (gap - s->gap) / GAP_WEIGHT;
}

void *sq_reader_main(void *arg)
{
    sq_db *db = arg;
    uc_error e = {0};
    uc_call *run[SQ_TAKE];
    uc_worker self = {.next = NULL};
    spinner spins = {0};
    sq_conn *c = sq_conn_open(db, SQ_READER, &e);
    bool worked = false;
    uc_buf out;

    if (db->e.opt.spin_us >= 0)
        spins.limit = db->e.opt.spin_us * 1000;
    else if (uc_cpus() > 1)
        spins.limit = (int64_t)SPIN_US * 1000;
    uc_buf_init(&out, SIZE_MAX);
    uc__worker_add(&db->e, &self);
    for (;;) {
        bool slow = false;
        uint32_t n;

        uc__route(&db->e, false);
        uc_lock(&db->e.mu);
        n = take(db, run, &slow);
        self.calls = run;
        self.n = n;
        db->threads.slow_readers += slow;
        if (n == 0 && db->e.stop) {
            uc_unlock(&db->e.mu);
            break;
        }
        uc_unlock(&db->e.mu);
        if (n == 0) {
            if (worked) /* writes are not its business */
                spin(db, &spins);
            worked = false;
            uc_lock(&db->e.mu);
            if (!db->e.stop && db->e.q.reads.n == 0 &&
                !uc__route_wanted(&db->e)) {
                db->threads.idle_readers++;
                uc_cond_wait(&db->threads.readers_cond, &db->e.mu);
                db->threads.idle_readers--;
            }
            uc_unlock(&db->e.mu);
            continue;
        }
        if (c == NULL) { /* the file could not be opened once more */
            c = sq_conn_open(db, SQ_READER, &e);
            if (c == NULL) {
                uc_lock(&db->e.mu);
                self.n = 0;
                db->threads.slow_readers -= slow;
                uc_unlock(&db->e.mu);
                for (uint32_t i = 0; i < n; i++) {
                    if (run[i]->lease != NULL)
                        uc__lease_done(&db->e, run[i]->lease);
                    run[i]->lease = NULL;
                    uc__refuse(run[i], &e);
                }
                continue;
            }
        }
        worked = true;
        if (run[0]->batch != NULL)
            spin_learn(&spins, run[0]->batch->t0);
        sq_read_batch(db, c, run, n, &out);
        uc_lock(&db->e.mu);
        self.n = 0;
        db->threads.slow_readers -= slow;
        uc_unlock(&db->e.mu);
        uc__finish_all(run, n);
    }
    uc__worker_remove(&db->e, &self);
    sq_conn_close(c);
    uc_buf_fini(&out);
    return NULL;
}

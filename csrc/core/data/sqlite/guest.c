#include "data/sqlite/db.h"

/*
 * A door may lend its thread: a call that comes alone is answered sooner where
 * it arrives than after a wake-up through the kernel. Only reads known to be
 * quick are served here, so that the door is back at its own work soon, and one
 * thread at a time, because what several would do at once is the readers' work.
 *
 * Nobody was woken for what the door has submitted, so on every way out what
 * is left is made known, under mu, where a reader that is about to sleep looks
 * once more.
 */

/* The thread is wanted back then; a statement that turns out to take longer
 * than it did so far is given up and begun anew by a reader. */
enum { LEND_MS = 5 };

static bool is_for_guest(const uc_call *c)
{
    /* A cursor is quick to open, but leases a connection of its own. */
    return sq_is_quick(c) && c->op->num != UC_OP_cursor_open;
}

/* Quick reads from among the first of the queue; the others stay in their
 * order. Under mu. */
static uint32_t take(sq_db *db, sq_guest *g)
{
    uc_calls left = {0};
    uint32_t n = 0;
    uc_call *c;

    for (uint32_t i = 0;
         i < SQ_TAKE && (c = uc_calls_pop(&db->e.q.reads)) != NULL; i++) {
        if (is_for_guest(c))
            g->run[n++] = c;
        else
            uc_calls_push(&left, c);
    }
    uc_calls_append(&left, &db->e.q.reads);
    db->e.q.reads = left;
    atomic_store(&db->e.reads_n, db->e.q.reads.n);
    if (db->e.q.reads.n > 0 && db->threads.idle_readers > 0)
        uc_cond_signal(&db->threads.readers_cond); /* beside the guest */
    g->self.calls = g->run;
    g->self.n = n;
    return n;
}

/* The guests' connection, opened by the first of them. Without one everything
 * is the readers'. */
static bool ready(sq_db *db, sq_guest *g)
{
    uc_error e;
    bool is_open;

    if (g->tried)
        return g->conn != NULL;
    uc_lock(&db->e.mu);
    is_open = db->e.state == UC_OPEN;
    uc_unlock(&db->e.mu);
    if (!is_open)
        return false;
    uc_error_init(&e);
    g->tried = true;
    g->conn = sq_conn_open(db, SQ_READER, &e);
    if (g->conn == NULL)
        return false;
    uc__worker_add(&db->e, &g->self);
    return true;
}

/* What the time was too short for goes back to where it was. */
static void put_back(sq_db *db, sq_guest *g, uint32_t served, uint32_t n)
{
    uc_lock(&db->e.mu);
    g->self.n = 0;
    while (n > served)
        uc_calls_push_front(&db->e.q.reads, g->run[--n]);
    atomic_store(&db->e.reads_n, db->e.q.reads.n);
    uc_unlock(&db->e.mu);
}

static void serve(sq_db *db, sq_guest *g)
{
    uint32_t n, served;

    if (!ready(db, g))
        return;
    uc__route_quietly(&db->e);
    uc_lock(&db->e.mu);
    n = take(db, g);
    uc_unlock(&db->e.mu);
    if (n == 0)
        return;
    g->conn->lent_until = uc_now_coarse() + LEND_MS * UC_MS;
    g->conn->overdue = false;
    served = sq_read_batch(db, g->conn, g->run, n, &g->out);
    put_back(db, g, served, n);
    uc__finish_all(g->run, served);
}

void sq_assist(uc_engine *e)
{
    sq_db *db = sq_db_of(e);

    if (!db->memory && uc_trylock(&db->guest.mu)) {
        serve(db, &db->guest);
        uc_unlock(&db->guest.mu);
    }
}

void sq_now_begin(uc_engine *e)
{
    sq_db *db = sq_db_of(e);

    if (!db->memory && uc_trylock(&db->guest.mu)) {
        ready(db, &db->guest);
        uc_unlock(&db->guest.mu);
    }
}

/* ---- a request, answered where it arrived ---- */

/* Who asks is a thread with an event loop, which stands still meanwhile. */
enum { NOW_NS = 100000, NOW_MS = 2 };

/* Of one call what sq_read_batch does of several; nobody else sees it, so no
 * worker holds it. */
static bool answer_now(sq_db *db, sq_conn *c, uc_call *call, uc_buf *out)
{
    uc_error e;
    bool ok;

    c->lent_until = uc_now_coarse() + NOW_MS * UC_MS;
    c->overdue = false;
    c->sampled = true;
    sq_fresh_at(db, &c->moment);
    uc_error_init(&e);
    sq_conn_enter(c, call, call->deadline);
    ok = sq_read_call(c, call, out, &e);
    sq_conn_leave(c);
    c->moment.gen = 0;
    if (!ok && !c->overdue && call->routed->q.refusal != UC_REFUSAL_NONE) {
        uc_buf_rewind(out, 0);
        uc__routed_refused(call, out);
        ok = true;
    }
    return ok;
}

bool sq_now(uc_peer *p, uc_call *c, uc_buf *out)
{
    sq_db *db = sq_db_of(p->engine);
    uint64_t ns = uc__routed_ns(c);
    bool ok;

    if (db->memory || ns == 0 || ns > NOW_NS || !uc_trylock(&db->guest.mu))
        return false;
    ok = db->guest.conn != NULL && answer_now(db, db->guest.conn, c, out);
    uc_unlock(&db->guest.mu);
    return ok;
}

void sq_guest_end(sq_db *db)
{
    sq_conn_close(db->guest.conn);
    db->guest.conn = NULL;
    uc_buf_fini(&db->guest.out);
}

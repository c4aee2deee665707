#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "common/mem.h"
#include "data/pg/copy.h"
#include "data/pg/feed.h"
#include "data/pg/pool.h"

/* The thread of a database. */

enum {
    EVENTS = 64,
    LATE_MS = 5,
    GRACE_MS = 500,
    PASS_MS = 50,      /* so long others wait behind a read */
    MAKE_WAY_MS = 200, /* and behind a write */
    FEED_MS = 1000     /* for which one that is opened waits for the feed */
};

/* ---- time ---- */

static int64_t sooner(int64_t a, int64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

/* Whether what it does may last; a transaction may still keep it. */
static bool may_last(const pg_conn *c, const pg_flight *f)
{
    const uc_stmt *s = f->call->stmt;

    if (s != NULL && uc__class_reads(atomic_load(&s->cls)))
        return false;
    return c->role == PG_WRITER || (c->tx != NULL && f->mode != PG_MODE_BEGIN);
}

/* A call that is not wanted any more is answered at once; what the server says
 * to it then is dropped. */
static void stop_one(pg_db *db, pg_flight *f)
{
    uc_call *call = f->call;
    bool ran = f->conn != NULL && may_last(f->conn, f);
    uc_error e;

    pg_given_up(f);
    uc__stopped(call, ran ? "unknown" : "not-run", &e);
    if (f->conn == NULL)
        pg_waited(&db->e, &e);
    f->call = NULL;
    uc_lock(&db->e.mu);
    db->held[f->at] = NULL;
    uc_unlock(&db->e.mu);
    uc__refuse(call, &e);
}

static const pg_step *step_at(const pg_conn *c, uint32_t i)
{
    return &c->steps[(c->first + i) % c->capacity];
}

/* The flights of one Sync that waits to be answered. The server keeps their
 * answers until it comes there, so that it cannot be told which it is at. */
static uint32_t first_batch(const pg_conn *c, uint32_t *flights)
{
    const pg_flight *last = NULL;
    uint32_t n = 0;

    *flights = 0;
    for (; n < c->nsteps && step_at(c, n)->kind != PG_STEP_SYNC; n++) {
        const pg_flight *f = step_at(c, n)->flight;

        *flights += f != NULL && f != last;
        last = f != NULL ? f : last;
    }
    return n;
}

/* The server is at one read for long: those behind it go elsewhere, and it gets
 * no others; so do those that share a Sync with it, each with one of its own
 * this time. Returns when to look again, 0: when something happens. */
static int64_t let_pass(pg_conn *c, int64_t now)
{
    const pg_flight *slow = pg_step_flight(c);
    uint32_t n, flights;
    int64_t since;

    if (c->role != PG_READER || c->alone || slow == NULL || slow->call == NULL)
        return 0;
    since = c->done_at > slow->sent ? c->done_at : slow->sent;
    if (now < since + PASS_MS * UC_MS)
        return since + PASS_MS * UC_MS;
    c->alone = true;
    n = first_batch(c, &flights);
    for (uint32_t i = 0; i < c->nsteps; i++) {
        pg_flight *f = step_at(c, i)->flight;

        if (f == NULL || f->call == NULL || (f == slow && flights == 1))
            continue;
        f->call->alone = i < n;
        pg_move(c->db, f);
    }
    if (flights > 1)
        pg_cancel_begin(c);
    return 0;
}

/* Whether a flight of the session is among the first n steps. */
static bool is_among(const pg_conn *c, uint32_t n, const uc_session *s)
{
    for (uint32_t i = 0; i < n; i++) {
        const pg_flight *f = step_at(c, i)->flight;

        if (f != NULL && f->session == s)
            return true;
    }
    return false;
}

/* Whether other writes are beside or behind the one that the server is at, and
 * none that would overtake another of its own session. Those of one transaction
 * go back together, in their order. */
static bool others_wait(const pg_conn *c)
{
    const pg_flight *one = NULL;
    uint32_t n = 0;
    bool any = false;

    while (n < c->nsteps && step_at(c, n)->kind != PG_STEP_SYNC)
        n++;
    for (uint32_t i = 0; i < c->nsteps; i++) {
        const pg_flight *f = step_at(c, i)->flight;

        if (f == NULL)
            continue;
        if (i > n && is_among(c, n, f->session))
            return false;
        any = any || (one != NULL && f != one);
        one = f;
    }
    return any;
}

/* The server is at one write for long, which may wait for a lock: others go by
 * another connection. Those behind it cannot be called back, so it is stopped
 * itself, and run again where nobody is behind it. */
static int64_t make_way(pg_conn *c, int64_t now)
{
    const pg_flight *slow = pg_step_flight(c);
    int64_t since;

    if (c->role != PG_WRITER || c->stuck || slow == NULL || slow->call == NULL)
        return 0;
    since = c->done_at > slow->sent ? c->done_at : slow->sent;
    if (now < since + MAKE_WAY_MS * UC_MS)
        return since + MAKE_WAY_MS * UC_MS;
    pg_stuck(c->db, c, true);
    if (!slow->call->alone && slow->call->stmt != NULL && others_wait(c)) {
        c->yields = true;
        pg_cancel_begin(c);
    }
    return 0;
}

/* What the server is at, if nobody waits for it any more. Returns when to look
 * again, 0: when something happens. */
static int64_t stop_server(pg_conn *c, int64_t now)
{
    const pg_flight *f = pg_step_flight(c);

    if (f == NULL || (f->call != NULL && !f->failed) || f->moved ||
        c->cancelling)
        return 0;
    if (c->out_at < c->out.len) /* it may not have come there */
        return now + LATE_MS * UC_MS;
    if (now < c->cancel_after)
        return c->cancel_after;
    pg_cancel_begin(c);
    return 0;
}

static void too_late(pg_conn *c, uc_error *e)
{
    const pg_host *h = &c->db->info.hosts[pg_way_host(c)];
    uc_view name = h->name.len > 0 ? h->name : h->addr;
    int n = (int)(name.len < 200 ? name.len : 200);

    if (c->phase == PG_FINDING)
        uc_fail(e, UC_CONNECT,
                "the name %.*s has no address: no name server has answered "
                "within connect_timeout (%lld ms)",
                n, name.p, (long long)c->db->info.connect_ms);
    else
        uc_fail(e, UC_CONNECT,
                "the server at %.*s:%u did not answer within connect_timeout "
                "(%lld ms)",
                n, name.p, h->port, (long long)c->db->info.connect_ms);
    e->outcome = "not-run";
    c->wrong = PG_WRONG_ADDRESS;
}

int64_t pg_late(pg_db *db, int64_t now)
{
    int64_t next = 0;

    for (uint32_t i = 0; i < db->nflights; i++) {
        pg_flight *f = db->flights[i];
        int none = UC_STOP_NONE;
        uc_call *c = f->call;

        if (c == NULL || f->failed)
            continue;
        if (c->deadline != 0 && c->deadline <= now)
            atomic_compare_exchange_strong(&c->stop, &none, UC_STOP_TIMEOUT);
        if (atomic_load(&c->stop) != UC_STOP_NONE &&
            atomic_load(&c->state) == UC_CALL_RUNNING)
            stop_one(db, f);
        else
            next = sooner(next, c->deadline);
    }
    for (pg_conn *c = db->conns; c != NULL; c = c->next) {
        uc_error e;

        if (c->phase == PG_DEAD)
            continue;
        if (c->phase == PG_READY) {
            next = sooner(next, stop_server(c, now));
            next = sooner(next, let_pass(c, now));
            next = sooner(next, make_way(c, now));
            continue;
        }
        next = sooner(next, c->until);
        if (now < c->until)
            continue;
        too_late(c, &e);
        pg_conn_fail(c, &e);
    }
    next = sooner(next, pg_pool_late(db, now));
    next = sooner(next, pg_cancels_late(db, now));
    next = sooner(next, pg_names_late(db->names, now));
    return sooner(next, pg_txs_late(db, now));
}

/* ---- turns ---- */

static void event(pg_db *db, const struct epoll_event *ev)
{
    pg_end *end = ev->data.ptr;
    pg_conn *c = ev->data.ptr;

    if (end == NULL) {
        pg_bell_heard(db);
        return;
    }
    if (end->is == PG_END_NAMES) {
        pg_names_event(db->names);
        return;
    }
    if (end->is == PG_END_CANCEL) {
        pg_cancel_event(db, ev->data.ptr);
        return;
    }
    if (c->phase == PG_DEAD)
        return;
    if (c->phase == PG_DIALING)
        pg_dialled(c);
    else if (c->phase <= PG_FINDING)
        return;
    else if (c->phase == PG_SHAKING ||
             (c->phase == PG_ASKING && !(ev->events & EPOLLOUT)))
        pg_tls_event(c);
    else if (ev->events & EPOLLOUT)
        pg_conn_send(c);
    /* The server has gone: what is left of it is read to its end. */
    if (c->paused && c->phase != PG_DEAD && ev->events & (EPOLLHUP | EPOLLERR))
        pg_conn_pause(c, false);
    if (c->phase >= PG_GREETING && c->phase != PG_DEAD &&
        ev->events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        pg_conn_receive(c);
}

static void flush(pg_db *db)
{
    for (pg_conn *c = db->conns; c != NULL; c = c->next) {
        if (c->phase == PG_DEAD)
            continue;
        pg_publish(c);
        if (c->dirty)
            pg_conn_send(c);
        pg_copy_look(c);
    }
}

/* Those that nothing was read from for a while: some has come before that. */
static void resume(pg_db *db)
{
    for (pg_conn *c = db->conns; c != NULL; c = c->next) {
        if (c->resumed)
            pg_conn_resume(c);
    }
}

/* Whether there is nothing to do but to wait; then the bell is listened to. Who
 * has brought something since the turn began has rung, or has it in `called`.
 */
static bool sleeps(pg_db *db)
{
    uc_engine *e = &db->e;
    bool idle;

    uc_lock(&e->mu);
    idle = !atomic_load(&db->called) && db->again.n == 0 && !db->moved &&
           !uc__route_wanted(e);
    pg_count(db);
    atomic_store(&db->asleep, idle);
    uc_unlock(&e->mu);
    return idle;
}

static int timeout(int64_t next, int64_t now)
{
    if (next == 0)
        return -1;
    return next <= now ? LATE_MS : (int)((next - now) / UC_MS + 1);
}

static bool is_over(pg_db *db)
{
    bool over;

    uc_lock(&db->e.mu);
    over = db->e.stop;
    uc_unlock(&db->e.mu);
    return over;
}

static bool waits_for_dial(pg_db *db)
{
    bool waits;

    uc_lock(&db->e.mu);
    waits = db->e.q.reads.head != NULL || db->e.q.writes.head != NULL ||
            db->begins != NULL || db->slow != NULL;
    uc_unlock(&db->e.mu);
    return waits;
}

static void dial_feed(pg_db *db, int64_t now)
{
    pg_role role;

    while (pg_feed_wants(db, now, &role))
        pg_feed_takes(db, role, pg_dial(db, role));
}

static void turn(pg_db *db)
{
    struct epoll_event events[EVENTS];
    int64_t now = uc_now(), next;
    int n;

    atomic_store(&db->called, false);
    uc__route(&db->e, false);
    pg_dial_on(db);
    pg_leases_sweep(db);
    resume(db);
    pg_leases_go_on(db);
    pg_writes(db);
    pg_txs(db);
    pg_reads(db);
    pg_begins(db);
    dial_feed(db, now);
    next = sooner(pg_late(db, now), pg_feed_turn(db, now));
    if ((waits_for_dial(db) || db->e.state == UC_OPENING) &&
        db->dial_after > now)
        next = sooner(next, db->dial_after);
    flush(db);
    pg_lost(db);
    pg_calls_finish(db);
    n = epoll_wait(db->epoll, events, EVENTS,
                   sleeps(db) ? timeout(next, uc_now()) : 0);
    atomic_store(&db->asleep, false);
    for (int i = 0; i < n; i++)
        event(db, &events[i]);
    pg_lost(db);
}

/* ---- the thread ---- */

/* The first connection says whether there is such a database, and who one is.
 */
static bool open_first(pg_db *db, uc_error *e)
{
    int64_t until;

    if (db->wrong.code != NULL) {
        *e = db->wrong;
        return false;
    }
    if (db->info.sslmode != PG_SSL_DISABLE) {
        db->tls = pg_tls_setup_new(&db->info, e);
        if (db->tls == NULL)
            return false;
    }
    until = uc_now() + FEED_MS * UC_MS;
    while (!is_over(db)) {
        if (pg_pick(db, PG_WRITER) != NULL) {
            if (!pg_feed_begins(db) || uc_now() >= until)
                return true;
        }
        if (db->conns == NULL && db->fails > 0 && uc_now() >= db->hopes_until)
            break;
        turn(db);
    }
    if (db->fails == 0)
        return uc_fail(e, UC_CLOSED, "the store is closed");
    *e = db->dial_error;
    return false;
}

static void close_all(pg_db *db)
{
    uc__leases_end(&db->e, UC_LEASES_ALL, NULL, NULL);
    pg_gates_open(db);
    for (pg_conn *c = db->conns; c != NULL; c = c->next) {
        if (c->phase != PG_DEAD)
            pg_conn_end(c);
    }
    pg_lost(db);
    pg_gates_open(db);
    pg_leases_sweep(db);
    pg_cancels_free(db);
    pg_calls_finish(db);
}

/* A cancel on its way is waited for, for a moment: pgbouncer 1.18 ends with an
 * error when the connection goes that one is for. */
static void end_cancels(pg_db *db)
{
    int64_t until = uc_now() + GRACE_MS * UC_MS;

    while (db->cancels != NULL && !db->e.fast_stop && uc_now() < until)
        turn(db);
}

static void *io_main(void *arg)
{
    pg_db *db = arg;
    uc_error e;

    uc__worker_add(&db->e, &db->worker);
    if (db->e.state == UC_OPENING)
        uc__opened(&db->e, open_first(db, &e) ? NULL : &e);
    while (!is_over(db))
        turn(db);
    end_cancels(db);
    close_all(db);
    uc__worker_remove(&db->e, &db->worker);
    return NULL;
}

static bool listen_to_bell(pg_db *db)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL};

    db->epoll = epoll_create1(EPOLL_CLOEXEC);
    db->names_end.is = PG_END_NAMES;
    db->names = pg_names_new(db->epoll, &db->names_end);
    return db->epoll >= 0 && pg_bell_open(db) && db->names != NULL &&
           epoll_ctl(db->epoll, EPOLL_CTL_ADD, db->bell, &ev) == 0;
}

bool pg_io_start(pg_db *db)
{
    return listen_to_bell(db) &&
           uc_thread_start(&db->io, "uc-postgres", io_main, db) == 0;
}

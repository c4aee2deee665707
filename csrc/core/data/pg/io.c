#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/mem.h"
#include "data/pg/db.h"

/* The thread of a database. */

enum {
    EVENTS = 64,
    LATE_MS = 5,
    AGAIN_MS = 100 /* between two tries to connect */
};

/* ---- the end of a connection ---- */

/* How many ways there are to try. */
static uint32_t ways(const pg_db *db)
{
    bool both =
        db->info.sslmode == PG_SSL_PREFER || db->info.sslmode == PG_SSL_ALLOW;

    return db->info.nhosts * (both ? 2 : 1);
}

/* What was under way on it. A read has changed nothing and goes elsewhere; so
 * does a write that is known not to have run. */
static void give_up(pg_conn *c, pg_flight *f, bool known, const uc_error *why)
{
    bool again = c->role == PG_READER ? c->told || f->tries++ < 1
                                      : c->role == PG_WRITER && known;
    uc_error e = *why;

    if (f->call == NULL || f->failed) {
        pg_flight_end(c->db, f);
        return;
    }
    if (again) {
        pg_again(c->db, f);
        return;
    }
    uc__outcome(f->call, c->role == PG_READER || known ? "not-run" : "unknown",
                &e);
    pg_flight_fail(c->db, f, &e);
}

static void refuse_waiting(pg_db *db, const uc_error *e)
{
    uc_calls out = {0};
    uc_call *call;

    uc_lock(&db->e.mu);
    uc_calls_append(&out, &db->e.q.reads);
    uc_calls_append(&out, &db->e.q.writes);
    atomic_store(&db->e.reads_n, 0);
    uc_unlock(&db->e.mu);
    while ((call = uc_calls_pop(&out)) != NULL)
        uc__refuse(call, e);
    pg_begins_fail(db, e);
    pg_slow_fail(db, e);
    db->moved = true;
}

static bool has_ready(const pg_db *db)
{
    for (const pg_conn *c = db->conns; c != NULL; c = c->next) {
        if (c->phase == PG_READY)
            return true;
    }
    return false;
}

void pg_no_server(pg_db *db, const uc_error *e)
{
    db->dial_after = uc_now() + AGAIN_MS * UC_MS;
    if (db->e.state != UC_OPENING && !has_ready(db))
        refuse_waiting(db, e);
}

void pg_conn_lost(pg_conn *c, const uc_error *e)
{
    pg_db *db = c->db;
    bool was = c->phase == PG_READY;
    pg_step *s;

    c->phase = PG_DEAD;
    c->error = *e;
    pg_publish(c);
    while (c->waiting != NULL) {
        pg_flight *f = c->waiting;

        c->waiting = f->next;
        give_up(c, f, c->told && !f->committed, e);
    }
    while ((s = pg_step_first(c)) != NULL) {
        pg_flight *f = s->flight;
        bool is_call = s->kind == PG_STEP_EXECUTE || s->kind == PG_STEP_QUERY;

        pg_step_pop(c);
        if (is_call && f != NULL && (f->left == 0 || --f->left == 0))
            give_up(c, f, c->told, e);
    }
    pg_tx_over(c);
    pg_leases_lost(c);
    pg_cancel_forget(c);
    pg_names_forget(db->names, c);
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    if (was)
        return;
    /* It never was one: who waits for the first of all hears why. */
    db->dial_error = *e;
    db->fails++;
    atomic_store(&db->called, true); /* another turn: the next host */
    if (db->fails % 2 == 0 || ways(db) == db->info.nhosts)
        db->dial_host = (c->host + 1) % db->info.nhosts;
    if (db->fails >= ways(db))
        pg_no_server(db, e);
}

void pg_tx_drop_conn(pg_conn *c, bool expired)
{
    uc_error e;

    if (expired)
        uc_fail(&e, UC_TX_EXPIRED,
                "the transaction was open for longer than "
                "transactionTimeoutMs and was rolled back");
    else
        uc_fail(&e, UC_TX_CLOSED, "the transaction has ended");
    pg_conn_lost(c, &e);
}

static void sweep(pg_db *db)
{
    pg_conn **q = &db->conns;

    while (*q != NULL) {
        pg_conn *c = *q;

        if (c->phase != PG_DEAD) {
            q = &c->next;
            continue;
        }
        *q = c->next;
        db->nconns--;
        pg_conn_free(c);
    }
}

/* ---- time ---- */

static int64_t sooner(int64_t a, int64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

/* A call that is not wanted any more is answered at once; what the server says
 * to it then is dropped. */
static void stop_one(pg_db *db, pg_flight *f)
{
    uc_call *call = f->call;
    bool read = f->conn == NULL || f->conn->role == PG_READER;
    uc_error e;

    (void)db;
    pg_given_up(f);
    uc__stopped(call, read ? "not-run" : "unknown", &e);
    f->call = NULL;
    uc_lock(&db->e.mu);
    db->held[f->at] = NULL;
    uc_unlock(&db->e.mu);
    uc__refuse(call, &e);
}

/* What the server is at, if nobody waits for it any more. */
static void stop_server(pg_conn *c)
{
    const pg_step *s = pg_step_first(c);

    if (s != NULL && s->flight != NULL && s->flight->call == NULL &&
        !c->cancelling && c->out_at == c->out.len)
        pg_cancel_begin(c);
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
            stop_server(c);
            continue;
        }
        next = sooner(next, c->until);
        if (now < c->until)
            continue;
        uc_fail(&e, UC_CONNECT,
                "the server did not answer within connect_timeout");
        pg_conn_lost(c, &e);
    }
    next = sooner(next, pg_cancels_late(db, now));
    next = sooner(next, pg_names_late(db->names, now));
    return sooner(next, pg_txs_late(db, now));
}

/* ---- turns ---- */

static void event(pg_db *db, const struct epoll_event *ev)
{
    pg_end *end = ev->data.ptr;
    pg_conn *c = ev->data.ptr;
    uint64_t n;

    if (end == NULL) {
        if (read(db->bell, &n, sizeof n) < 0)
            return;
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
    else if (c->phase == PG_FINDING)
        return;
    else if (c->phase == PG_SHAKING ||
             (c->phase == PG_ASKING && !(ev->events & EPOLLOUT)))
        pg_tls_event(c);
    else if (ev->events & EPOLLOUT)
        pg_conn_send(c);
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
    idle = !atomic_load(&db->called) && db->again.n == 0 && !db->moved;
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

static void turn(pg_db *db)
{
    struct epoll_event events[EVENTS];
    int64_t now = uc_now(), next;
    int n;

    atomic_store(&db->called, false);
    uc__route(&db->e, false);
    pg_leases_sweep(db);
    pg_writes(db);
    pg_txs(db);
    pg_reads(db);
    pg_begins(db);
    next = pg_late(db, now);
    if (waits_for_dial(db) && db->dial_after > now)
        next = sooner(next, db->dial_after);
    flush(db);
    sweep(db);
    n = epoll_wait(db->epoll, events, EVENTS,
                   sleeps(db) ? timeout(next, uc_now()) : 0);
    atomic_store(&db->asleep, false);
    for (int i = 0; i < n; i++)
        event(db, &events[i]);
}

/* ---- the thread ---- */

/* The first connection says whether there is such a database, and who one is.
 */
static bool open_first(pg_db *db, uc_error *e)
{
    int64_t until = uc_now() + db->info.connect_ms * UC_MS;

    if (db->wrong.code != NULL) {
        *e = db->wrong;
        return false;
    }
    if (db->info.sslmode != PG_SSL_DISABLE) {
        db->tls = pg_tls_setup_new(&db->info, e);
        if (db->tls == NULL)
            return false;
    }
    while (uc_now() < until && !is_over(db)) {
        pg_conn *c = pg_pick(db, PG_WRITER);

        if (c != NULL)
            return true;
        if (db->conns == NULL &&
            (db->fails >= ways(db) || db->dial_after > uc_now()))
            break;
        turn(db);
        sweep(db);
    }
    *e = db->dial_error;
    if (e->code == NULL)
        uc_fail(e, UC_CONNECT,
                "the server did not answer within connect_timeout");
    return false;
}

static void close_all(pg_db *db)
{
    uc__leases_end(&db->e, UC_LEASES_ALL, NULL, NULL);
    for (pg_conn *c = db->conns; c != NULL; c = c->next) {
        pg_msg_bye(&c->out);
        if (c->phase == PG_READY)
            pg_conn_send(c);
        if (c->phase != PG_DEAD) {
            uc_error e;

            uc_fail(&e, UC_CLOSED, "the store is closed");
            pg_conn_lost(c, &e);
        }
    }
    pg_leases_sweep(db);
    sweep(db);
    pg_cancels_free(db);
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
    close_all(db);
    uc__worker_remove(&db->e, &db->worker);
    return NULL;
}

static bool listen_to_bell(pg_db *db)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL};

    db->epoll = epoll_create1(EPOLL_CLOEXEC);
    db->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    db->names_end.is = PG_END_NAMES;
    db->names = pg_names_new(db->epoll, &db->names_end);
    return db->epoll >= 0 && db->bell >= 0 && db->names != NULL &&
           epoll_ctl(db->epoll, EPOLL_CTL_ADD, db->bell, &ev) == 0;
}

bool pg_io_start(pg_db *db)
{
    return listen_to_bell(db) &&
           uc_thread_start(&db->io, "uc-postgres", io_main, db) == 0;
}

void pg_ring(pg_db *db)
{
    uint64_t one = 1;

    atomic_store(&db->called, true);
    if (atomic_exchange(&db->asleep, false) &&
        write(db->bell, &one, sizeof one) < 0)
        return; /* it is full: it rings already */
}

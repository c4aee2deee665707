#include <string.h>

#include "common/mem.h"
#include "data/pg/once.h"
#include "data/pg/pool.h"

/* From the queues to the connections, and back. */

enum {
    DEEP = 128,       /* calls under way on one */
    BATCH = 64,       /* calls of one Sync */
    WRITES = 64,      /* under way */
    SLOW_NS = 5000000 /* on a connection of its own from here on */
};

static bool is_slow(const uc_call *call)
{
    return call->stmt != NULL &&
           atomic_load_explicit(&call->stmt->ns, memory_order_relaxed) >
               SLOW_NS;
}

/* In the order in which they were asked for. */
static void insert_write(uc_calls *q, uc_call *c)
{
    uc_calls front = {0};

    while (q->head != NULL && q->head->wseq < c->wseq)
        uc_calls_push(&front, uc_calls_pop(q));
    uc_calls_push(&front, c);
    uc_calls_append(&front, q);
    *q = front;
}

/* They were taken first, so they go in front. Under mu. */
static void put_back(pg_db *db)
{
    uc_calls reads = {0}, writes = {0};
    uc_call *c;

    while ((c = uc_calls_pop(&db->again)) != NULL) {
        if (c->wseq == 0)
            uc_calls_push(&reads, c);
        else
            insert_write(&writes, c);
    }
    uc_calls_append(&reads, &db->e.q.reads);
    db->e.q.reads = reads;
    uc_calls_append(&writes, &db->e.q.writes);
    db->e.q.writes = writes;
    atomic_store(&db->e.reads_n, reads.n);
}

/* ---- one call ---- */

static bool not_here(uc_error *e, const uc_call *call)
{
    uc_fail(e, UC_NOT_HERE, "%s is not there on PostgreSQL", call->op->name);
    e->outcome = "not-run";
    return false;
}

static bool is_statement(const uc_call *call)
{
    return call->op->num == UC_OP_get || call->op->num == UC_OP_all ||
           call->op->num == UC_OP_run || call->op->num == UC_OP_json ||
           call->op->num == UC_OP_many || call->op->num == UC_OP_batch;
}

static bool script(pg_conn *c, pg_flight *f, uc_error *e)
{
    uc_reader r = f->call->args;
    uc_view sql;
    pg_script s;
    char *text;
    bool ok;

    if (!uc_read_str(&r, &sql))
        return uc_fail(e, UC_FRAME, "exec takes a text");
    if (!pg_script_read(&s, sql, e))
        return false;
    c->alters = c->alters || pg_sql_alters(sql);
    text = uc_malloc(sql.len + 1);
    if (text != NULL)
        pg_script_put(&s, text);
    ok = text != NULL && pg_query(c, f, text);
    uc_free(text);
    return ok || uc_fail(e, UC_MEMORY, "no memory for the script");
}

/* Where a Sync is due before it, since a Query is its own. */
static bool begin(pg_conn *c, pg_flight *f, uc_error *e)
{
    uc_call *call = f->call;

    if (is_statement(call))
        return pg_bind(c, f, e);
    if (call->op->num == UC_OP_cursor_open && c->tx != NULL)
        return pg_cursor_in(c, f, e);
    if (call->op->num == UC_OP_cursor_open) /* it writes: all rows at once */
        return pg_bind(c, f, e);
    if (c->batch > 0)
        pg_sync(c, c->flushes);
    if (call->op->num == UC_OP_health)
        return pg_query(c, f, "select 1") ||
               uc_fail(e, UC_MEMORY, "no memory for a call");
    if (call->op->num == UC_OP_exec)
        return script(c, f, e);
    return (call->op->num != UC_OP_cursor_open || pg_may_have_rows(c, f, e)) &&
           not_here(e, call);
}

static void send_on(pg_conn *c, pg_flight *f)
{
    uc_error e;

    uc_error_init(&e);
    f->sent = uc_now();
    if (begin(c, f, &e))
        return;
    if (e.outcome == NULL)
        e.outcome = "not-run";
    pg_flight_fail(c->db, f, &e);
}

void pg_run(pg_conn *c, uc_call *call)
{
    pg_flight *f = pg_flight_of(c->db, call);

    if (f != NULL)
        send_on(c, f);
}

/* ---- reads ---- */

static uint32_t take(pg_db *db, uc_call **to, uint32_t n)
{
    uint32_t k = 0;

    uc_lock(&db->e.mu);
    while (k < n && db->e.q.reads.head != NULL)
        to[k++] = uc_calls_pop(&db->e.q.reads);
    atomic_store(&db->e.reads_n, db->e.q.reads.n);
    uc_unlock(&db->e.mu);
    return k;
}

void pg_slow_fail(pg_db *db, const uc_error *e)
{
    while (db->slow != NULL) {
        pg_flight *f = db->slow;

        db->slow = f->next;
        pg_flight_fail(db, f, e);
    }
    db->last_slow = NULL;
}

static void put_aside(pg_db *db, uc_call *call)
{
    pg_flight *f = pg_flight_of(db, call);

    if (f == NULL)
        return;
    f->next = NULL;
    if (db->last_slow != NULL)
        db->last_slow->next = f;
    else
        db->slow = f;
    db->last_slow = f;
}

/* Whether there may be one cursor or snapshot more. One connection is left to
 * transactions. */
static bool has_room(const pg_db *db, uc_error *e)
{
    int64_t n = 0, most = db->e.opt.cursors, all = db->e.opt.pool_max - 3;

    if (most > all)
        most = all > 1 ? all : 1;
    for (const pg_conn *c = db->conns; c != NULL; c = c->next)
        n += c->lease != NULL && c->phase != PG_DEAD;
    for (const pg_flight *f = db->begins; f != NULL; f = f->next)
        n += f->call != NULL &&
             (f->mode == PG_MODE_CURSOR || f->mode == PG_MODE_SNAPSHOT);
    if (n < most)
        return true;
    uc_fail(e, UC_CURSORS,
            "all %lld connections for cursors and snapshots are in use "
            "(options cursors and poolMax): end one, or try again",
            (long long)most);
    e->outcome = "not-run";
    return false;
}

static void wants_pinned(pg_db *db, uc_call *call)
{
    uc_error e;
    pg_flight *f;

    if (call->wseq == 0 && !has_room(db, &e)) {
        uc__refuse(call, &e);
        return;
    }
    f = pg_flight_of(db, call);

    if (f != NULL)
        pg_begins_push(db, f);
}

/* One that waited for another, or the other: which it was will be seen. */
static void by_its_own_sync(pg_conn *c, uc_call *call)
{
    if (c->batch > 0)
        pg_sync(c, false);
    pg_run(c, call);
    if (c->batch > 0)
        pg_sync(c, false);
}

static void read_one(pg_db *db, pg_conn *c, uc_call *call)
{
    if (call->lease != NULL)
        pg_lease_call(db, call);
    else if (call->op->num == UC_OP_cursor_open ||
             call->op->num == UC_OP_snap_begin)
        wants_pinned(db, call);
    else if (is_slow(call))
        put_aside(db, call);
    else if (call->alone)
        by_its_own_sync(c, call);
    else
        pg_run(c, call);
}

static void slow_reads(pg_db *db)
{
    while (db->slow != NULL) {
        pg_conn *c = db->slow->call != NULL ? pg_pick_alone(db) : NULL;
        pg_flight *f = db->slow; /* it may have been refused just now */

        if (f == NULL || (f->call != NULL && c == NULL))
            return;
        db->slow = f->next;
        if (db->slow == NULL)
            db->last_slow = NULL;
        f->next = NULL;
        if (f->call == NULL) { /* it was stopped meanwhile */
            pg_flight_end(db, f);
            continue;
        }
        send_on(c, f);
        c->alone = c->batch > 0;
        if (c->batch > 0)
            pg_sync(c, false);
    }
}

void pg_reads(pg_db *db)
{
    slow_reads(db);
    while (atomic_load(&db->e.reads_n) > 0) {
        pg_conn *c = pg_pick(db, PG_READER);
        uc_call *calls[BATCH];
        uint32_t n;

        if (c == NULL || c->calls >= (db->serial ? 1 : DEEP))
            return;
        n = take(db, calls, db->serial ? 1 : BATCH);
        for (uint32_t i = 0; i < n; i++)
            read_one(db, c, calls[i]);
        if (c->batch > 0)
            pg_sync(c, false);
        slow_reads(db);
    }
}

/* ---- writes ---- */

/* Whether it is a write, and one that may be; otherwise it has been answered or
 * sent elsewhere. */
static bool admit(pg_db *db, uc_call *call)
{
    uc_class cls = UC_CLASS_WRITE;
    uc_error e;

    uc_error_init(&e);
    if (call->stmt != NULL) {
        if (pg_stmt_of(db, call->stmt, &e) == NULL) {
            e.outcome = "not-run";
            uc__refuse(call, &e);
            return false;
        }
        cls = (uc_class)atomic_load(&call->stmt->cls);
    }
    if (cls == UC_CLASS_READ && call->once.p == NULL) {
        uc_lock(&db->e.mu);
        uc__forward(&db->e, call);
        uc_unlock(&db->e.mu);
        return false;
    }
    if (uc__may_repeat(call, cls, &e) && call->session->peer->readonly &&
        is_statement(call))
        uc_fail(&e, UC_SQL_READONLY,
                "this handle was opened with readonly: true");
    if (e.code == NULL && call->once.p != NULL)
        uc__once_allowed(call, cls, &e);
    if (e.code == NULL)
        return true;
    e.outcome = "not-run";
    uc__refuse(call, &e);
    return false;
}

static bool has_before(const uc_calls *q, const uc_session *s, uint64_t wseq)
{
    for (const uc_call *c = q->head; c != NULL; c = c->next) {
        if (c->session == s && c->wseq != 0 && c->wseq < wseq)
            return true;
    }
    return false;
}

bool pg_writes_before(const pg_db *db, const uc_session *s, uint64_t wseq)
{
    if (db->taken == s && db->taken_wseq != 0 && db->taken_wseq < wseq)
        return true;
    for (uint32_t i = 0; i < db->nflights; i++) {
        const pg_flight *f = db->flights[i];

        if (f->session == s && f->wseq != 0 && f->wseq < wseq)
            return true;
    }
    return has_before(&db->e.q.writes, s, wseq) ||
           has_before(&db->again, s, wseq);
}

/* One of its writes is where nothing goes on: the others keep their order. */
static bool is_bound(const pg_db *db, const uc_session *s)
{
    for (uint32_t i = 0; db->nstuck > 0 && i < db->nflights; i++) {
        const pg_flight *f = db->flights[i];

        if (f->session == s && f->wseq != 0 && f->conn != NULL &&
            f->conn->stuck)
            return true;
    }
    return false;
}

/* The first that may go on; those before it stay where they are. */
static uc_call *next_write(pg_db *db)
{
    uc_calls keep = {0};
    uc_call *call;

    uc_lock(&db->e.mu);
    while ((call = uc_calls_pop(&db->e.q.writes)) != NULL &&
           is_bound(db, call->session))
        uc_calls_push(&keep, call);
    uc_calls_append(&keep, &db->e.q.writes);
    db->e.q.writes = keep;
    if (call != NULL) {
        db->taken = call->session;
        db->taken_wseq = call->wseq;
    }
    if (call != NULL &&
        (db->e.running_first == 0 || call->wseq < db->e.running_first))
        db->e.running_first = call->wseq;
    uc_unlock(&db->e.mu);
    return call;
}

/* The oldest write under way; lets go who waited for those before it. */
static void settle(pg_db *db)
{
    uint64_t first = 0;

    uc_lock(&db->e.mu);
    put_back(db);
    db->taken = NULL;
    if (db->moved) {
        for (uint32_t i = 0; i < db->nflights; i++) {
            uint64_t wseq = db->flights[i]->wseq;

            if (wseq != 0 && (first == 0 || wseq < first))
                first = wseq;
        }
        db->e.running_first = first;
        uc__settle(&db->e);
        db->moved = false;
    }
    uc_unlock(&db->e.mu);
}

/* An INSERT alone waits for nobody's row, so that several may be one
 * transaction; what else there is has one each, as it would elsewhere. */
static bool may_share(const pg_db *db, const uc_call *call)
{
    const pg_stmt *st;

    if (call->wseq <= db->singly || call->stmt == NULL ||
        call->op->num == UC_OP_many)
        return false;
    st = call->stmt->slot < db->nstmts ? db->stmts[call->stmt->slot] : NULL;
    return st != NULL && st->gen == call->stmt->gen && st->sql.inserts;
}

/* What is sent to the writer in one turn. */
typedef struct round {
    pg_conn *c;
    bool open;  /* a transaction of INSERTs, which flushes itself */
    bool loose; /* commits that wait for a barrier: what follows may fail, or
                   write nothing, and flush nothing then */
} round;

static void close_group(round *r)
{
    /* One that fails sends the others back: nothing may overtake them. */
    r->c->stall = r->c->stall || r->c->batch > 1;
    if (r->c->batch > 0) {
        pg_mark(r->c);
        pg_sync(r->c, !r->loose);
    }
    r->open = false;
}

static bool any_write(pg_db *db)
{
    bool any;

    uc_lock(&db->e.mu);
    any = db->e.q.writes.head != NULL;
    uc_unlock(&db->e.mu);
    return any;
}

/* What comes alone flushes its own commit; with others a barrier does it for
 * all of them. */
static bool is_last(pg_db *db, const round *r, const uc_call *call)
{
    uc_class cls = call->stmt != NULL ? (uc_class)atomic_load(&call->stmt->cls)
                                      : UC_CLASS_WRITE;

    return !r->loose && is_statement(call) && cls == UC_CLASS_WRITE &&
           !any_write(db);
}

static void share(round *r, uc_call *call)
{
    if (!r->open)
        pg_open_group(r->c, !r->loose, true);
    r->open = true;
    pg_run(r->c, call);
    if (r->c->batch >= BATCH)
        close_group(r);
}

/* Nobody else is in its transaction, whose commit flushes: nothing waits for a
 * barrier here. */
static void alone(round *r, uc_call *call)
{
    pg_open_group(r->c, true, false);
    r->open = true;
    pg_run(r->c, call);
    close_group(r);
}

/* Whether it can be no more than that: behind anything else plans may be
 * others.
 */
static bool changes_rows(const pg_db *db, const uc_stmt *s)
{
    const pg_stmt *st = s->slot < db->nstmts ? db->stmts[s->slot] : NULL;

    return st != NULL && st->gen == s->gen && st->sql.changes;
}

static bool only_changes_rows(const pg_db *db, const uc_call *call)
{
    if (call->stmt != NULL)
        return changes_rows(db, call->stmt);
    for (uint32_t i = 0; call->parts != NULL && i < call->parts->n; i++) {
        if (!changes_rows(db, call->parts->sql[i]))
            return false;
    }
    return call->parts != NULL;
}

static void by_itself(round *r, uc_call *call)
{
    pg_conn *c = r->c;

    c->stall = c->stall || !only_changes_rows(c->db, call);
    pg_run(c, call);
    if (c->batch > 0) {
        pg_mark(c);
        pg_sync(c, c->flushes);
    }
    r->loose = !c->flushes;
}

static void barrier(round *r)
{
    if (!r->loose)
        return;
    pg_barrier(r->c);
    r->loose = false;
}

/* The next write, if it is one with a key that may share a transaction with
 * others. */
static uc_call *next_keyed(pg_db *db)
{
    uc_call *call;

    uc_lock(&db->e.mu);
    call = db->e.q.writes.head;
    if (call != NULL && call->once.p != NULL && may_share(db, call) &&
        !call->alone && !is_bound(db, call->session)) {
        uc_calls_pop(&db->e.q.writes);
        db->taken = call->session;
        db->taken_wseq = call->wseq;
    } else
        call = NULL;
    uc_unlock(&db->e.mu);
    return call;
}

static void with_key(pg_db *db, round *r, uc_call *call)
{
    bool more = !call->alone && may_share(db, call);

    barrier(r);
    pg_once_run(r->c, call);
    while (more && r->c->calls < WRITES && (call = next_keyed(db)) != NULL) {
        if (admit(db, call))
            pg_once_run(r->c, call);
    }
    pg_once_sent(r->c);
}

static bool stalls(pg_conn *c)
{
    c->stall = c->stall && c->nsteps > 0;
    return c->stall;
}

/* An error between the turns of a write with a key is of that turn: what was
 * sent before has been answered by then. */
static bool must_wait(pg_conn *c)
{
    c->stall = c->nsteps > 0;
    return c->stall;
}

/* It has waited for others before: nothing is put behind it. */
static void by_its_own(pg_db *db, round *r, uc_call *call)
{
    barrier(r);
    if (call->once.p != NULL)
        with_key(db, r, call);
    else
        alone(r, call);
    if (r->c->nsteps > 0)
        pg_stuck(db, r->c, true);
}

/* False: it has to wait for what was sent just now. */
static bool run_one(pg_db *db, round *r, uc_call *call)
{
    bool shares = !call->alone && call->once.p == NULL && may_share(db, call);

    if (call->op->num == UC_OP_tx_begin || pg_starts_stream(call) ||
        call->op->num == UC_OP_migrate_apply) {
        wants_pinned(db, call);
        return true;
    }
    if (r->open && !shares) {
        close_group(r);
        if (stalls(r->c))
            return false;
    }
    if (call->once.p != NULL && must_wait(r->c))
        return false;
    if (call->alone)
        by_its_own(db, r, call);
    else if (call->once.p != NULL)
        with_key(db, r, call);
    else if (shares)
        share(r, call);
    else if (is_last(db, r, call))
        alone(r, call);
    else
        by_itself(r, call);
    return true;
}

static void run_all(pg_db *db, round *r)
{
    while (r->c->calls < (db->serial ? 1 : WRITES) && r->c->claims == NULL &&
           !stalls(r->c) && !r->c->stuck) {
        uc_call *call = next_write(db);

        if (call == NULL)
            break;
        db->moved = true;
        if (admit(db, call) && !run_one(db, r, call)) {
            uc_lock(&db->e.mu);
            uc_calls_push_front(&db->e.q.writes, call);
            uc_unlock(&db->e.mu);
        }
    }
}

void pg_writes(pg_db *db)
{
    round r = {0};

    settle(db);
    if (any_write(db))
        r.c = pg_pick(db, PG_WRITER);
    if (r.c != NULL && r.c->claims == NULL && !stalls(r.c)) {
        run_all(db, &r);
        if (r.open)
            close_group(&r);
        barrier(&r);
    }
    settle(db);
}

#include <stdio.h>
#include <string.h>

#include "cache/cache.h"
#include "common/mem.h"
#include "data/pg/copy.h"
#include "data/pg/pool.h"

/* Transactions of clients: a connection each. */

pg_tx *pg_tx_of(const pg_db *db, uint64_t id)
{
    for (pg_tx *t = db->txs; t != NULL; t = t->next) {
        if (t->id == id)
            return t;
    }
    return NULL;
}

static pg_tx *tx_new(pg_db *db, pg_flight *f, pg_conn *c)
{
    pg_tx *t = uc_calloc(1, sizeof *t);

    if (t == NULL)
        return NULL;
    t->session = f->call->session;
    t->conn = c;
    t->until = uc_now() + db->e.opt.tx_ms * UC_MS;
    uc_lock(&db->e.mu);
    t->id = ++db->e.next_id;
    t->next = db->txs;
    db->txs = t;
    uc_unlock(&db->e.mu);
    c->tx = t;
    return t;
}

static void forget(pg_db *db, pg_tx *t)
{
    uc_lock(&db->e.mu);
    for (pg_tx **q = &db->txs; *q != NULL; q = &(*q)->next) {
        if (*q == t) {
            *q = t->next;
            break;
        }
    }
    uc_unlock(&db->e.mu);
    if (atomic_load(&t->wrote) && !t->committed && t->session != NULL &&
        db->e.cache != NULL)
        uc_cache_undone(db->e.cache, t->session);
    db->moved = true; /* what its session reads may have waited for it */
    uc_free(t);
}

void pg_tx_over(pg_conn *c)
{
    pg_tx *t = c->tx;

    if (t == NULL)
        return;
    c->tx = NULL;
    pg_leases_lost(c); /* its cursors */
    forget(c->db, t);
}

void pg_tx_lost(pg_conn *c, const uc_error *e)
{
    pg_tx *t = c->tx;

    if (t == NULL)
        return;
    if (t->ending || t->session == NULL) {
        pg_tx_over(c);
        return;
    }
    c->tx = NULL;
    uc_fail(&t->why, UC_CONNECTION_LOST,
            "the connection of the transaction has been lost, and the "
            "transaction was rolled back: %.400s",
            e->message);
    t->why.outcome = "not-run";
    uc_lock(&c->db->e.mu);
    t->conn = NULL;
    uc_unlock(&c->db->e.mu);
}

void pg_tx_failed(pg_conn *c, uc_error *e)
{
    pg_tx *t = c->tx;
    char text[sizeof e->message];

    if (t == NULL)
        return;
    if (strcmp(e->sqlstate, "25P02") != 0) {
        t->why = *e;
        return;
    }
    if (t->why.code == NULL)
        return;
    snprintf(text, sizeof text,
             "an earlier error has ended the transaction, or the nested one "
             "that it was in: %.400s",
             t->why.message);
    memcpy(e->message, text, sizeof text);
}

/* It ends by a rollback, though its client has asked for a commit. */
void pg_tx_rolled_back(const pg_tx *t, uc_error *e)
{
    uc_fail(e, UC_TX_CLOSED,
            "an earlier error has rolled the transaction back%s%.400s",
            t->why.code != NULL ? ": " : "",
            t->why.code != NULL ? t->why.message : "");
    e->outcome = "not-run";
    if (t->why.code != NULL)
        memcpy(e->sqlstate, t->why.sqlstate, sizeof e->sqlstate);
}

/* ---- the beginning ---- */

/* Who waits for a connection of his own gets one in the order of arrival. */
void pg_begins_push(pg_db *db, pg_flight *f)
{
    pg_flight **q = &db->begins;

    while (*q != NULL)
        q = &(*q)->next;
    f->next = NULL;
    *q = f;
}

void pg_begins_fail(pg_db *db, const uc_error *e)
{
    while (db->begins != NULL) {
        pg_flight *f = db->begins;

        db->begins = f->next;
        pg_flight_fail(db, f, e);
    }
}

/* [level]: 0, or nothing, is what the server has configured. */
static const char *begin_of(const uc_call *call)
{
    static const char *const texts[] = {"begin",
                                        "begin isolation level read committed",
                                        "begin isolation level repeatable read",
                                        "begin isolation level serializable"};
    uc_reader r = call->args;
    uint64_t level = 0;

    if (call->nargs > 0 && !uc_read_u64(&r, &level))
        return NULL;
    return level < sizeof texts / sizeof *texts ? texts[level] : NULL;
}

static void begin_tx(pg_conn *c, pg_flight *f)
{
    const char *sql = begin_of(f->call);
    uc_error e;

    if (sql == NULL) {
        uc_fail(&e, UC_FRAME, "tx_begin takes a level of isolation, 0 to 3");
        pg_flight_fail(c->db, f, &e);
    } else if (tx_new(c->db, f, c) == NULL || !pg_query(c, f, sql)) {
        uc_fail(&e, UC_MEMORY, "no memory for a transaction");
        pg_tx_over(c);
        pg_flight_fail(c->db, f, &e);
    }
}

static bool stream_of(const uc_call *call, bool *more, bool *none)
{
    uc_reader r = call->args;
    uc_value token, rows;

    if (call->op->num != UC_OP_many || !uc_read(&r, &token) ||
        !uc_read_bool(&r, more) || !uc_read(&r, &rows))
        return false;
    *none = rows.type == UC_T_NIL;
    return token.type != UC_T_NIL || *more;
}

bool pg_starts_stream(const uc_call *call)
{
    bool more, none;

    return stream_of(call, &more, &none) && more && call->tx == 0;
}

/* Rows that come in several parts are a transaction, which nobody else sees:
 * the first part begins it, the last one commits it. */
static void begin_stream(pg_conn *c, pg_flight *f)
{
    pg_tx *t = tx_new(c->db, f, c);
    uc_error e;

    uc_error_init(&e);
    if (f->call->once.p != NULL) {
        uc_fail(&e, UC_NOT_HERE,
                "option once: rows in several parts have no key on PostgreSQL; "
                "give each thousand of them one, or use batch");
        e.outcome = "not-run";
    } else if (t != NULL && pg_query(c, NULL, "begin")) {
        t->stream = t->coming = true;
        atomic_store(&t->wrote, true);
        if (pg_bind(c, f, &e)) {
            pg_sync(c, false);
            return;
        }
        pg_query(c, NULL, "rollback");
        e.outcome = "not-run";
    } else {
        uc_fail(&e, UC_MEMORY, "no memory for a transaction");
    }
    pg_tx_over(c);
    pg_flight_fail(c->db, f, &e);
}

/* Behind the writes that its session asked for before it: it sees them. */
static bool may_begin(pg_db *db, const pg_flight *f)
{
    bool may;

    uc_lock(&db->e.mu);
    may = f->wseq == 0 || !pg_writes_before(db, f->session, f->wseq);
    uc_unlock(&db->e.mu);
    return may;
}

static void begin_on(pg_conn *c, pg_flight *f)
{
    uc_error e;

    uc_error_init(&e);
    if (f->mode == PG_MODE_BEGIN)
        begin_tx(c, f);
    else if (f->mode == PG_MODE_MANY)
        begin_stream(c, f);
    else if (f->mode == PG_MODE_MIGRATE ? !pg_migrate_begin(c, f, &e)
                                        : !pg_lease_begin(c, f, &e))
        pg_flight_fail(c->db, f, &e);
}

void pg_begins(pg_db *db)
{
    pg_flight **q = &db->begins, *f;

    while ((f = *q) != NULL) {
        pg_conn *c = NULL;

        if (f->call != NULL && !may_begin(db, f)) {
            q = &f->next;
            continue;
        }
        if (f->call != NULL && (c = pg_pick(db, PG_PINNED)) == NULL)
            return;
        *q = f->next;
        f->next = NULL;
        if (c != NULL)
            begin_on(c, f);
        else
            pg_flight_end(db, f); /* it was stopped meanwhile */
    }
}

/* ---- calls of it ---- */

static bool savepoint(const uc_call *call, char *sql, size_t n, uc_error *e)
{
    uc_reader r = call->args;
    uint64_t x, kind, depth;

    if (!uc_read_u64(&r, &x) || !uc_read_u64(&r, &kind) ||
        !uc_read_u64(&r, &depth) || kind > 2 || depth > 1000000)
        return uc_fail(e, UC_FRAME, "savepoint takes [x, kind, depth]");
    snprintf(sql, n,
             kind == 0   ? "savepoint t%u"
             : kind == 1 ? "release t%u"
                         : "rollback to t%u; release t%u",
             (unsigned)depth, (unsigned)depth);
    return true;
}

/* What ends it is not refused because it is late. */
static pg_flight *flight(pg_conn *c, uc_call *call, pg_mode mode)
{
    pg_flight *f;
    uc_error e;

    if (mode != PG_MODE_END)
        return pg_flight_of(c->db, call);
    f = pg_flight_new(c->db, call);
    if (f == NULL) {
        uc_fail(&e, UC_MEMORY, "no memory for a call");
        uc__refuse(call, &e);
        return NULL;
    }
    f->mode = mode;
    f->sent = uc_now();
    atomic_store(&call->state, UC_CALL_RUNNING);
    return f;
}

static bool control(pg_conn *c, uc_call *call, const char *sql, pg_mode mode,
                    bool commits)
{
    pg_flight *f = flight(c, call, mode);
    uc_error e;

    if (f == NULL)
        return false;
    f->mode = mode;
    f->commits = commits;
    if (pg_query(c, f, sql))
        return true;
    uc_fail(&e, UC_MEMORY, "no memory for a call");
    pg_flight_fail(c->db, f, &e);
    return false;
}

static bool wants_commit(const uc_call *call, bool *commit, uc_error *e)
{
    uc_reader r = call->args;
    uint64_t x;

    return (uc_read_u64(&r, &x) && uc_read_bool(&r, commit)) ||
           uc_fail(e, UC_FRAME, "tx_end takes [x, commit]");
}

static void end(pg_conn *c, uc_call *call)
{
    bool commit = false;
    uc_error e;

    if (!wants_commit(call, &commit, &e)) {
        uc__refuse(call, &e);
        return;
    }
    if (commit && c->tx->coming) {
        uc_error_init(&e);
        uc_fail(&e, UC_TX_OPEN,
                "rows of many() were still coming at the commit: the "
                "transaction was rolled back");
        uc__refuse(call, &e);
        pg_query(c, NULL, "rollback");
        pg_tx_over(c);
        return;
    }
    if (commit)
        pg_mark_query(c);
    c->quiet = commit && !atomic_load(&c->tx->wrote);
    if (control(c, call, commit ? "commit" : "rollback", PG_MODE_END, commit))
        c->tx->ending = true;
}

/* A part of a stream; within a transaction that is a savepoint. */
static void part(pg_conn *c, uc_call *call, bool gives_up)
{
    pg_tx *t = c->tx;
    bool own = t->stream;
    uc_error e;

    uc_error_init(&e);
    if (gives_up) {
        t->coming = false;
        if (control(c, call,
                    own ? "rollback" : "rollback to uc_rows; release uc_rows",
                    own ? PG_MODE_END : PG_MODE_SAVEPOINT, false))
            t->ending = own;
        return;
    }
    if (!t->coming) {
        t->coming = true;
        pg_query(c, NULL, "savepoint uc_rows");
    }
    pg_run(c, call);
    if (c->batch > 0)
        pg_sync(c, false);
}

/* Its connection has gone, and it with that: its end may come. */
static void run_lost(pg_db *db, pg_tx *t, uc_call *call)
{
    bool commit = true, ends = call->op->num == UC_OP_tx_end, ok;
    uc_error e = t->why;
    uc_buf b;
    size_t at;

    if (ends)
        forget(db, t);
    ok = ends && wants_commit(call, &commit, &e) && !commit;
    uc_buf_init(&b, SIZE_MAX);
    at = uc__reply_open(&b);
    if (ok) {
        uc_reply_begin(&b, call->id, UC_REPLY_VALUE, 3);
        uc_pack_nil(&b);
    }
    uc__answer(call, &b, at, ok, &e);
    uc_buf_fini(&b);
}

/* Whether it may write. What a function does is not known. */
static void note(pg_conn *c, const uc_call *call)
{
    uc_error ignored;

    if (call->stmt != NULL)
        pg_stmt_of(c->db, call->stmt, &ignored); /* what class it has */
    if (call->op->num == UC_OP_tx_end || call->op->num == UC_OP_savepoint ||
        (call->stmt != NULL && atomic_load(&call->stmt->cls) == UC_CLASS_READ))
        return;
    atomic_store(&c->tx->wrote, true);
}

static void run(pg_conn *c, uc_call *call)
{
    char sql[80];
    bool more, none;
    uc_error e;

    uc_error_init(&e);
    note(c, call);
    if (pg_copy_takes(c, call)) {
        pg_copy_call(c, call);
    } else if (stream_of(call, &more, &none)) {
        part(c, call, none);
    } else if (call->op->num == UC_OP_tx_end) {
        end(c, call);
    } else if (call->op->num == UC_OP_savepoint) {
        if (savepoint(call, sql, sizeof sql, &e))
            control(c, call, sql, PG_MODE_SAVEPOINT, false);
        else
            uc__refuse(call, &e);
    } else {
        pg_run(c, call);
        if (c->batch > 0)
            pg_sync(c, false);
    }
}

/* The first call whose transaction's connection may have something new: where
 * a call is being stopped the next one might be hit. The others keep their
 * order. */
static uc_call *next_call(pg_db *db, pg_tx **t)
{
    uc_calls keep = {0};
    uc_call *call;

    uc_lock(&db->e.mu);
    while ((call = uc_calls_pop(&db->e.q.tx)) != NULL) {
        *t = pg_tx_of(db, call->tx);
        if (*t == NULL || (*t)->conn == NULL || !(*t)->conn->cancelling)
            break;
        uc_calls_push(&keep, call);
    }
    uc_calls_append(&keep, &db->e.q.tx);
    db->e.q.tx = keep;
    uc_unlock(&db->e.mu);
    return call;
}

void pg_txs(pg_db *db)
{
    uc_call *call;
    pg_tx *t;

    pg_begins(db);
    while ((call = next_call(db, &t)) != NULL) {
        uc_error e;

        if (t != NULL && !t->ending) {
            if (t->conn != NULL)
                run(t->conn, call);
            else
                run_lost(db, t, call);
            continue;
        }
        uc_fail(&e, UC_TX_CLOSED, "the transaction has ended");
        uc__refuse(call, &e);
    }
}

/* ---- time ---- */

/* Its session has gone, or it took too long: it is rolled back. What it is at
 * may take long, so then the connection goes with it. */
static void drop(pg_db *db, pg_tx *t, bool expired)
{
    pg_conn *c = t->conn;
    uc_error e;

    if (t->ending)
        return;
    if (expired) {
        uc_lock(&db->e.mu);
        db->expired_tx[db->expired_txs++ % PG_EXPIRED_TXS] = t->id;
        uc_unlock(&db->e.mu);
    }
    if (c == NULL) {
        forget(db, t);
        return;
    }
    t->ending = true;
    if (pg_step_first(c) == NULL && pg_query(c, NULL, "rollback")) {
        pg_tx_over(c);
        return;
    }
    pg_cancel_begin(c);
    if (expired)
        uc_fail(&e, UC_TX_EXPIRED,
                "the transaction was open for longer than "
                "transactionTimeoutMs and was rolled back");
    else
        uc_fail(&e, UC_TX_CLOSED, "the transaction has ended");
    c->ends = true;
    pg_conn_fail(c, &e);
}

int64_t pg_txs_late(pg_db *db, int64_t now)
{
    int64_t next = 0;

    for (pg_tx *t = db->txs, *after; t != NULL; t = after) {
        bool expired = now >= t->until;

        after = t->next;
        if (t->session == NULL || expired)
            drop(db, t, expired);
        else if (next == 0 || t->until < next)
            next = t->until;
    }
    return next;
}

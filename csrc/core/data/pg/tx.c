#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "data/pg/work.h"

/* Transactions of clients: a connection each. */

static pg_tx *find(pg_db *db, uint64_t id)
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

void pg_tx_over(pg_conn *c)
{
    pg_db *db = c->db;
    pg_tx *t = c->tx;

    if (t == NULL)
        return;
    uc_lock(&db->e.mu);
    for (pg_tx **q = &db->txs; *q != NULL; q = &(*q)->next) {
        if (*q == t) {
            *q = t->next;
            break;
        }
    }
    if (t->id > db->e.ended_tx)
        db->e.ended_tx = t->id;
    uc_unlock(&db->e.mu);
    c->tx = NULL;
    pg_leases_lost(c); /* its cursors */
    db->moved = true;
    uc_free(t);
}

/* ---- the beginning ---- */

void pg_begins_fail(pg_db *db, const uc_error *e)
{
    while (db->begins != NULL) {
        pg_flight *f = db->begins;

        db->begins = f->next;
        pg_flight_fail(db, f, e);
    }
}

void pg_begins(pg_db *db)
{
    while (db->begins != NULL) {
        pg_conn *c = pg_pick(db, PG_PINNED);
        pg_flight *f = db->begins;
        uc_error e;

        if (c == NULL || f == NULL)
            return;
        db->begins = f->next;
        f->next = NULL;
        uc_error_init(&e);
        if (f->call == NULL) {
            pg_flight_end(db, f);
        } else if (f->mode != PG_MODE_BEGIN) {
            if (!pg_lease_begin(c, f, &e))
                pg_flight_fail(db, f, &e);
        } else if (tx_new(db, f, c) == NULL || !pg_query(c, f, "begin")) {
            uc_fail(&e, UC_MEMORY, "no memory for a transaction");
            pg_tx_over(c);
            pg_flight_fail(db, f, &e);
        }
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

static void control(pg_conn *c, uc_call *call, const char *sql, pg_mode mode,
                    bool commits)
{
    pg_flight *f = pg_flight_new(c->db, call);
    uc_error e;

    if (f != NULL) {
        f->mode = mode;
        f->commits = commits;
        if (pg_query(c, f, sql))
            return;
        uc_fail(&e, UC_MEMORY, "no memory for a call");
        pg_flight_fail(c->db, f, &e);
        return;
    }
    uc_fail(&e, UC_MEMORY, "no memory for a call");
    uc__refuse(call, &e);
}

static void end(pg_conn *c, uc_call *call)
{
    uc_reader r = call->args;
    bool commit = false;
    uint64_t x;
    uc_error e;

    if (!uc_read_u64(&r, &x) || !uc_read_bool(&r, &commit)) {
        uc_fail(&e, UC_FRAME, "tx_end takes [x, commit]");
        uc__refuse(call, &e);
        return;
    }
    c->tx->ending = true;
    control(c, call, commit ? "commit" : "rollback", PG_MODE_END, commit);
}

static void run(pg_conn *c, uc_call *call)
{
    char sql[80];
    uc_error e;

    uc_error_init(&e);
    if (call->op->num == UC_OP_tx_end) {
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

static uc_call *next_call(pg_db *db, pg_tx **t)
{
    uc_call *call;

    uc_lock(&db->e.mu);
    call = uc_calls_pop(&db->e.q.tx);
    *t = call != NULL ? find(db, call->tx) : NULL;
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
            run(t->conn, call);
            continue;
        }
        uc_fail(&e, UC_TX_CLOSED, "the transaction has ended");
        uc__refuse(call, &e);
    }
}

/* ---- time ---- */

/* Its session has gone, or it took too long: it is rolled back. */
static void drop(pg_tx *t, bool expired)
{
    pg_db *db = t->conn->db;
    uc_error e;

    if (t->ending)
        return;
    t->ending = true;
    if (expired)
        db->expired_tx = t->id;
    /* The connection goes with it: what it is at may take long. */
    if (expired)
        uc_fail(&e, UC_TX_EXPIRED,
                "the transaction was open for longer than "
                "transactionTimeoutMs and was rolled back");
    else
        uc_fail(&e, UC_TX_CLOSED, "the transaction has ended");
    pg_conn_fail(t->conn, &e);
}

int64_t pg_txs_late(pg_db *db, int64_t now)
{
    int64_t next = 0;

    for (pg_tx *t = db->txs, *after; t != NULL; t = after) {
        bool expired = now >= t->until;

        after = t->next;
        if (t->session == NULL || expired)
            drop(t, expired);
        else if (next == 0 || t->until < next)
            next = t->until;
    }
    return next;
}

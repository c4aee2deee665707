#include <stdio.h>
#include <string.h>

#include "data/pg/feed.h"
#include "wire/writer.h"

/* What stats() and health() say. */

static void key_uint(uc_buf *b, const char *key, uint64_t v)
{
    uc_pack_str(b, key);
    uc_pack_uint(b, v);
}

static void key_double(uc_buf *b, const char *key, double v)
{
    uc_pack_str(b, key);
    uc_pack_double(b, v);
}

static void key_str(uc_buf *b, const char *key, const char *v)
{
    uc_pack_str(b, key);
    uc_pack_str(b, v);
}

/* ---- statements ---- */

/* Two buckets an octave of 256 ns, as uc_stat has them. */
static unsigned bucket(int64_t ns)
{
    uint64_t u = (uint64_t)(ns > 0 ? ns : 0) >> 8;
    unsigned b;

    if (u == 0)
        return 0;
    b = 63 - (unsigned)__builtin_clzll(u);
    b = 1 + 2 * b + (b > 0 ? (unsigned)(u >> (b - 1)) & 1 : 0);
    return b < UC_BUCKETS ? b : UC_BUCKETS - 1;
}

static double middle(unsigned i)
{
    double low;

    if (i == 0)
        return 128;
    low = (double)(1ull << ((i - 1) / 2)) * 256;
    return (i - 1) % 2 == 0 ? low * 1.25 : low * 1.75;
}

void pg_stat_add(uc_stmt *s, int64_t ns, uint64_t rows, bool ok)
{
    uc_stat *t = &s->cursors;

    atomic_fetch_add_explicit(&t->count, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&t->rows, rows, memory_order_relaxed);
    atomic_fetch_add_explicit(&t->ns, (uint64_t)ns, memory_order_relaxed);
    atomic_fetch_add_explicit(&t->errors, !ok, memory_order_relaxed);
    atomic_fetch_add_explicit(&t->hist[bucket(ns)], 1, memory_order_relaxed);
}

static double percentile(const uc_stat *t, double q)
{
    uint64_t all = 0, seen = 0;

    for (unsigned i = 0; i < UC_BUCKETS; i++)
        all += atomic_load(&t->hist[i]);
    for (unsigned i = 0; i < UC_BUCKETS && all > 0; i++) {
        seen += atomic_load(&t->hist[i]);
        if ((double)seen >= q * (double)all)
            return middle(i) / 1000.0;
    }
    return 0;
}

static void statement(const uc_stmt *s, uc_buf *out)
{
    static const char *const classes[] = {"unknown", "read",  "read",
                                          "write",   "alone", "control"};
    const uc_stat *t = &s->cursors;

    uc_pack_map(out, 9);
    uc_pack_str(out, "sql");
    uc_pack_strn(out, s->text, s->len);
    key_str(out, "class", classes[atomic_load(&s->cls)]);
    key_uint(out, "count", atomic_load(&t->count));
    key_uint(out, "errors", atomic_load(&t->errors));
    key_uint(out, "rows", atomic_load(&t->rows));
    key_double(out, "totalMs", (double)atomic_load(&t->ns) / 1e6);
    key_double(out, "p50Us", percentile(t, 0.50));
    key_double(out, "p99Us", percentile(t, 0.99));
    key_double(out, "p999Us", percentile(t, 0.999));
}

static void statements(uc_engine *e, uc_buf *out)
{
    uint32_t n = 0;

    uc_lock(&e->stmts.mu);
    for (uc_stmt *s = e->stmts.newest; s != NULL; s = s->older)
        n++;
    uc_pack_str(out, "statements");
    uc_pack_array(out, n);
    for (uc_stmt *s = e->stmts.newest; s != NULL; s = s->older)
        statement(s, out);
    uc_unlock(&e->stmts.mu);
}

/* ---- the whole ---- */

void pg_waited(uc_engine *e, uc_error *err)
{
    pg_db *db = pg_db_of(e);
    size_t n = strlen(err->message);

    uc_lock(&e->mu);
    if (db->census.failing)
        snprintf(err->message + n, sizeof err->message - n,
                 ": there was no connection for it: %.300s",
                 db->dial_error.message);
    uc_unlock(&e->mu);
}

static void connections(const pg_db *db, uc_buf *out)
{
    const pg_census *n = &db->census;

    uc_pack_str(out, "connections");
    uc_pack_map(out, 14);
    key_uint(out, "open", n->idle + n->busy + n->retiring);
    key_uint(out, "connecting", n->connecting);
    key_uint(out, "idle", n->idle);
    key_uint(out, "busy", n->busy);
    key_uint(out, "retiring", n->retiring);
    key_uint(out, "max", (uint64_t)db->e.opt.pool_max);
    key_uint(out, "readers", n->readers);
    key_uint(out, "writers", n->writers);
    key_uint(out, "pinned", n->pinned);
    key_uint(out, "transactions", n->transactions);
    key_uint(out, "snapshots", n->snapshots);
    key_uint(out, "prepared", n->prepared);
    key_uint(out, "begun", n->dialled);
    key_uint(out, "lost", n->lost);
}

static void queues(const uc_engine *e, uc_buf *out)
{
    uc_pack_str(out, "queues");
    uc_pack_map(out, 5);
    key_uint(out, "reads", e->q.reads.n);
    key_uint(out, "writes", e->q.writes.n);
    key_uint(out, "waitingReads", e->q.parked.n);
    key_uint(out, "transaction", e->q.tx.n);
    key_uint(out, "max", (uint64_t)e->opt.max_queue);
}

static void server(const pg_db *db, uc_buf *out)
{
    uc_pack_str(out, "server");
    uc_pack_map(out, 4);
    key_str(out, "engine", "postgres");
    key_str(out, "version", db->census.version);
    uc_pack_str(out, "pooler");
    uc_pack_bool(out, db->census.pooled);
    uc_pack_str(out, "lastError");
    if (db->dial_error.code != NULL)
        uc_pack_str(out, db->dial_error.message);
    else
        uc_pack_nil(out);
}

void pg_stats(uc_engine *e, uint32_t id, uc_buf *out)
{
    pg_db *db = pg_db_of(e);
    uint32_t peers = 0;

    uc_lock(&e->mu);
    for (uc_peer *p = e->peers; p != NULL; p = p->next)
        peers++;
    uc_reply_begin(out, id, UC_REPLY_VALUE, 3);
    uc_pack_map(out, 8);
    key_str(out, "engine", "postgres");
    key_str(out, "path", db->label);
    key_uint(out, "handles", peers);
    queues(e, out);
    connections(db, out);
    server(db, out);
    pg_feed_stats(db, out);
    statements(e, out);
    uc_unlock(&e->mu);
}

void pg_health(const pg_conn *c, const pg_flight *f, uc_buf *out)
{
    const pg_db *db = c->db;

    uc_reply_begin(out, f->call->id, UC_REPLY_VALUE, 3);
    uc_pack_map(out, 6);
    uc_pack_str(out, "ok");
    uc_pack_bool(out, true);
    key_str(out, "path", db->label);
    key_str(out, "engine", "postgres");
    key_str(out, "server", db->version);
    uc_pack_str(out, "standby");
    uc_pack_bool(out, c->facts.standby);
    key_double(out, "readMs", (double)(uc_now() - f->sent) / 1e6);
}

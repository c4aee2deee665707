#include <string.h>

#include "common/mem.h"
#include "data/sqlite/db.h"
#include "data/sqlite/pin.h"
#include "data/sqlite/stats.h"
#include "wire/writer.h"

/* One statement's numbers, summed over all connections. */
typedef struct total {
    uint64_t count, errors, rows, ns;
    uint64_t hist[UC_BUCKETS];
} total;

static void key_uint(uc_buf *b, const char *key, uint64_t v)
{
    uc_pack_str(b, key);
    uc_pack_uint(b, v);
}

static double percentile(const total *t, double q)
{
    uint64_t all = 0, seen = 0;

    for (unsigned i = 0; i < UC_BUCKETS; i++)
        all += t->hist[i];
    if (all == 0)
        return 0;
    for (unsigned i = 0; i < UC_BUCKETS; i++) {
        seen += t->hist[i];
        if ((double)seen >= q * (double)all)
            return sq_bucket_ns(i) / 1000.0;
    }
    return 0;
}

static void sum(total *t, const uc_stat *s)
{
    t->count += atomic_load(&s->count);
    t->errors += atomic_load(&s->errors);
    t->rows += atomic_load(&s->rows);
    t->ns += atomic_load(&s->ns);
    for (unsigned i = 0; i < UC_BUCKETS; i++)
        t->hist[i] += atomic_load(&s->hist[i]);
}

/* Under mu and sql_mu. */
static void statement(sq_db *db, const uc_stmt *s, uc_buf *out)
{
    static const char *const classes[] = {"unknown", "read", "read", "write",
                                          "alone"};
    total t = {0};

    sum(&t, &s->cursors);
    for (sq_conn *c = db->conns; c != NULL; c = c->next) {
        if (s->slot < c->nslots && c->slots[s->slot].gen == s->gen &&
            c->slots[s->slot].stat != NULL)
            sum(&t, c->slots[s->slot].stat);
    }
    uc_pack_map(out, 9);
    uc_pack_str(out, "sql");
    uc_pack_strn(out, s->text, s->len);
    uc_pack_str(out, "class");
    uc_pack_str(out, classes[atomic_load(&s->cls)]);
    key_uint(out, "count", t.count);
    key_uint(out, "errors", t.errors);
    key_uint(out, "rows", t.rows);
    uc_pack_str(out, "totalMs");
    uc_pack_double(out, (double)t.ns / 1e6);
    uc_pack_str(out, "p50Us");
    uc_pack_double(out, percentile(&t, 0.50));
    uc_pack_str(out, "p99Us");
    uc_pack_double(out, percentile(&t, 0.99));
    uc_pack_str(out, "p999Us");
    uc_pack_double(out, percentile(&t, 0.999));
}

static void statements(sq_db *db, uc_buf *out)
{
    uint32_t n = 0;

    uc_lock(&db->e.stmts.mu);
    for (uc_stmt *s = db->e.stmts.newest; s != NULL; s = s->older)
        n++;
    uc_pack_str(out, "statements");
    uc_pack_array(out, n);
    for (uc_stmt *s = db->e.stmts.newest; s != NULL; s = s->older)
        statement(db, s, out);
    uc_unlock(&db->e.stmts.mu);
}

static void wal(sq_db *db, uc_buf *out)
{
    static const char *const kinds[] = {"cursor", "snapshot", "backup"};
    const sq_pin *p = (sq_pin *)uc__leases_oldest(&db->e);

    uc_pack_str(out, "wal");
    uc_pack_map(out, 6);
    key_uint(out, "bytes", (uint64_t)atomic_load(&db->wal.bytes));
    key_uint(out, "peakBytes", (uint64_t)atomic_load(&db->wal.peak));
    key_uint(out, "capBytes", (uint64_t)db->e.opt.wal_cap);
    key_uint(out, "checkpoints", atomic_load(&db->wal.checkpoints));
    key_uint(out, "overCap", atomic_load(&db->wal.big_transactions));
    uc_pack_str(out, "pinnedBy");
    if (p == NULL) {
        uc_pack_nil(out);
        return;
    }
    uc_pack_map(out, 4);
    uc_pack_str(out, "kind");
    uc_pack_str(out, kinds[p->l.kind]);
    key_uint(out, "id", p->l.id);
    uc_pack_str(out, "ageMs");
    uc_pack_double(out, (double)(uc_now() - p->l.born) / 1e6);
    uc_pack_str(out, "sql");
    if (p->sql != NULL)
        uc_pack_strn(out, p->sql->text, p->sql->len);
    else
        uc_pack_nil(out);
}

void sq_stats(uc_engine *engine, uint32_t id, uc_buf *out)
{
    sq_db *db = sq_db_of(engine);
    uint32_t pins = 0, conns = 0, peers = 0;

    uc_lock(&db->e.mu);
    for (uc_lease *l = db->e.leases; l != NULL; l = l->next)
        pins++;
    for (sq_conn *c = db->conns; c != NULL; c = c->next)
        conns++;
    for (uc_peer *p = db->e.peers; p != NULL; p = p->next)
        peers++;
    uc_reply_begin(out, id, UC_REPLY_VALUE, 3);
    uc_pack_map(out, 7);
    uc_pack_str(out, "path");
    uc_pack_str(out, db->e.target);
    key_uint(out, "handles", peers);
    uc_pack_str(out, "queues");
    uc_pack_map(out, 5);
    key_uint(out, "reads", db->e.q.reads.n);
    key_uint(out, "writes", db->e.q.writes.n);
    key_uint(out, "waitingReads", db->e.q.parked.n);
    key_uint(out, "transaction", db->e.q.tx.n);
    key_uint(out, "max", (uint64_t)db->e.opt.max_queue);
    uc_pack_str(out, "connections");
    uc_pack_map(out, 5);
    key_uint(out, "open", conns);
    key_uint(out, "readers", db->threads.nreaders);
    key_uint(out, "pinned", db->pinned);
    key_uint(out, "pins", pins);
    key_uint(out, "maxPinned", (uint64_t)db->e.opt.cursors);
    uc_pack_str(out, "writer");
    uc_pack_map(out, 4);
    key_uint(out, "groups", atomic_load(&db->groups));
    key_uint(out, "calls", atomic_load(&db->grouped));
    key_uint(out, "replays", atomic_load(&db->replays));
    uc_pack_str(out, "transactionOpen");
    uc_pack_bool(out, db->tx.id != 0);
    wal(db, out);
    statements(db, out);
    uc_unlock(&db->e.mu);
}

void sq_health(sq_db *db, sq_conn *c, uint32_t id, uc_buf *out)
{
    int64_t start = uc_now();
    uc_error gone;
    bool ok = true;

    /* Not only "the thread is alive": a page of the file is read. */
    if (c != NULL)
        ok = sq_exec_text(c, "pragma schema_version") == SQLITE_OK;
    ok = ok && !sq_moved(db, true, &gone);
    uc_reply_begin(out, id, UC_REPLY_VALUE, 3);
    uc_pack_map(out, 5);
    uc_pack_str(out, "ok");
    uc_pack_bool(out, ok);
    uc_pack_str(out, "path");
    uc_pack_str(out, db->e.target);
    uc_pack_str(out, "sqlite");
    uc_pack_str(out, sqlite3_libversion());
    uc_pack_str(out, "readMs");
    uc_pack_double(out, (double)(uc_now() - start) / 1e6);
    key_uint(out, "walBytes", (uint64_t)atomic_load(&db->wal.bytes));
}

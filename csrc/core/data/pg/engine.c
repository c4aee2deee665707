#include <string.h>
#include <unistd.h>

#include "common/mem.h"
#include "data/pg/feed.h"
#include "wire/writer.h"

/* What the desk calls. */

static bool takes(const char *target)
{
    return pg_info_takes(target);
}

/* The same database as the same user, whatever the address looked like. */
static char *key(const char *target, bool *alone)
{
    uc_error ignored;
    pg_info info;
    char *k = NULL;

    *alone = false;
    if (pg_info_read(&info, target, &ignored))
        k = pg_info_key(&info);
    else
        k = uc_strndup(target, strlen(target));
    pg_info_fini(&info);
    return k;
}

static bool init(uc_engine *e)
{
    pg_db *db = pg_db_of(e);

    db->epoll = db->bell = -1;
    if (e->target == NULL)
        return false;
    uc_error_init(&db->wrong);
    uc_error_init(&db->dial_error);
    if (!pg_info_read(&db->info, e->target, &db->wrong))
        db->wrong.outcome = "not-run";
    db->label = pg_info_label(&db->info);
    return pg_feed_init(db) && db->label != NULL;
}

static void fini(uc_engine *e)
{
    pg_db *db = pg_db_of(e);

    while (db->spare != NULL) {
        pg_flight *f = db->spare;

        db->spare = f->next;
        uc_free(f);
    }
    pg_feed_fini(db);
    uc_free(db->held);
    uc_free(db->flights);
    pg_stmts_free(db);
    pg_tls_setup_free(db->tls);
    pg_names_free(db->names);
    uc_free(db->label);
    pg_info_fini(&db->info);
    if (db->epoll >= 0)
        close(db->epoll);
    if (db->bell >= 0)
        close(db->bell);
}

static bool start(uc_engine *e)
{
    return pg_io_start(pg_db_of(e));
}

static void stop(uc_engine *e)
{
    uc_thread_join(pg_db_of(e)->io);
}

static void wake(uc_engine *e, unsigned what)
{
    if (what != UC_WAKE_ORDER)
        pg_ring(pg_db_of(e));
}

static uc_class classify(uc_engine *e, uc_stmt *s)
{
    uc_error ignored;
    pg_sql sql = {0};

    (void)e;
    if (pg_sql_classify(&sql, (uc_view){(const uint8_t *)s->text, s->len},
                        &ignored))
        atomic_store(&s->cls, sql.cls);
    return (uc_class)atomic_load(&s->cls);
}

static bool is_expired(const pg_db *db, uint64_t id)
{
    for (unsigned i = 0; i < PG_EXPIRED_TXS; i++) {
        if (db->expired_tx[i] == id)
            return true;
    }
    return false;
}

static bool tx_is_open(uc_engine *e, const uc_call *c, uc_error *err)
{
    const pg_db *db = pg_db_of(e);
    const pg_tx *t = pg_tx_of(db, c->tx);

    if (t != NULL && t->session == c->session)
        return true; /* what comes behind its end is refused there */
    if (is_expired(db, c->tx))
        return uc_fail(err, UC_TX_EXPIRED,
                       "the transaction was open for longer than "
                       "transactionTimeoutMs (%lld ms) and was rolled back",
                       (long long)e->opt.tx_ms);
    return uc_fail(err, UC_TX_CLOSED, "the transaction has ended");
}

/* Others have connections of their own, but may wait for its locks. */
static bool tx_waits_for(uc_engine *e, const uc_call *c)
{
    const pg_tx *t = pg_tx_of(pg_db_of(e), c->inside);

    return t != NULL && t->session == c->session;
}

static bool writes_done(const uc_engine *e, const uc_session *s, uint64_t upto)
{
    const pg_db *db = (const pg_db *)e;

    /* What has just been routed may be in no queue so far. */
    return db->nstuck > 0 && upto <= e->wseq &&
           !pg_writes_before(db, s, upto + 1);
}

static uint64_t tx_ending(uc_engine *e, const uc_call *c)
{
    pg_db *db = pg_db_of(e);
    pg_tx *t = pg_tx_of(db, c->tx);

    if (t->asked == 0)
        t->asked = ++db->asked;
    return db->asked;
}

static bool tx_ended(const uc_engine *e, const uc_session *s, uint64_t number)
{
    const pg_db *db = (const pg_db *)e;

    for (const pg_tx *t = db->txs; t != NULL; t = t->next) {
        if (t->session == s && t->asked != 0 && t->asked <= number)
            return false;
    }
    return true;
}

static bool tx_at_work(uc_engine *e, const uc_session *s, bool more)
{
    const pg_db *db = pg_db_of(e);
    bool open = false;

    for (const pg_tx *t = db->txs; t != NULL; t = t->next) {
        open = open || t->session == s;
        /* Which tables is not known. */
        if (t->session == s && atomic_load(&t->wrote))
            return true;
    }
    if (!open || more || e->q.tx.n > 0)
        return open;
    for (uint32_t i = 0; i < db->worker.n; i++) {
        const uc_call *c = db->worker.calls[i];

        if (c != NULL && c->session == s && c->tx != 0)
            return true;
    }
    return false;
}

static void tx_drop(uc_engine *e, uc_session *s)
{
    uc_lock(&e->mu);
    for (pg_tx *t = pg_db_of(e)->txs; t != NULL; t = t->next) {
        if (t->session == s)
            t->session = NULL;
    }
    uc_unlock(&e->mu);
    pg_ring(pg_db_of(e));
}

/* Something is tied to tables: from now on it matters what others write. */
static bool look(uc_engine *e)
{
    pg_db *db = pg_db_of(e);

    if (!atomic_exchange(&db->feed->wanted, true))
        pg_ring(db);
    return false;
}

static void listens(uc_engine *e)
{
    pg_db *db = pg_db_of(e);

    atomic_store(&db->feed->wanted, true);
    pg_ring(db);
}

static void peer_end(uc_peer *p)
{
    (void)p;
}

const uc_engine_ops uc_engine_pg = {
    .name = "postgres",
    .schema = "public",
    .engine_size = sizeof(pg_db),
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
    .writes_done = writes_done,
    .tx_ending = tx_ending,
    .tx_ended = tx_ended,
    .tx_at_work = tx_at_work,
    .tx_drop = tx_drop,
    .late = pg_waited,
    .lease_free = pg_lease_free,
    .peer_end = peer_end,
    .look = look,
    .listens = listens,
    .stats = pg_stats,
};

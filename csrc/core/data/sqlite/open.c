#define _GNU_SOURCE
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mem.h"
#include "data/sqlite/db.h"
#include "data/sqlite/errcode.h"
#include "data/sqlite/pin.h"
#include "data/sqlite/stats.h"
#include "data/sqlite/sync.h"
#include "data/sqlite/wal.h"

/* Opening and closing of a file, and what the desk calls. */

/* The WAL-reset race (sqlite.org/wal.html#walresetbug) is fixed from here. */
enum { LEAST_SQLITE = 3051003 };

static bool takes(const char *target)
{
    (void)target; /* anything may be a path */
    return true;
}

static bool is_memory(const char *path)
{
    return strcmp(path, ":memory:") == 0 || path[0] == '\0';
}

/* One name for one file: the real path, or that of its folder for a file that
 * does not exist yet. Owned by the caller. */
static char *canonical(const char *path)
{
    char full[PATH_MAX], dir[PATH_MAX];
    const char *slash;
    char *out;
    size_t n;

    if (realpath(path, full) != NULL)
        return uc_strndup(full, strlen(full));
    slash = strrchr(path, '/');
    n = slash == NULL ? 0 : (size_t)(slash - path);
    if (n >= sizeof dir)
        return uc_strndup(path, strlen(path));
    if (slash == NULL) {
        strcpy(dir, ".");
    } else if (n == 0) {
        strcpy(dir, "/");
    } else {
        memcpy(dir, path, n);
        dir[n] = '\0';
    }
    if (realpath(dir, full) == NULL)
        return uc_strndup(path, strlen(path));
    path = slash != NULL ? slash + 1 : path;
    n = strlen(full) + strlen(path) + 2;
    out = uc_malloc(n);
    if (out != NULL)
        snprintf(out, n, "%s/%s", strcmp(full, "/") == 0 ? "" : full, path);
    return out;
}

static char *key(const char *target, bool *alone)
{
    *alone = is_memory(target);
    return *alone ? NULL : canonical(target);
}

/*
 * Another name of a file that is open here: a hard link, since the keys of
 * symbolic links are the same. SQLite finds the WAL by the name of its file, so
 * that each name would have one of its own, and neither would see what the
 * other has committed. (sqlite.org/howtocorrupt.html, 2.5)
 */
static bool is_same(const char *target, const uc_engine *other, uc_error *e)
{
    sq_file_id id = sq_file_id_of(target);

    if (id.ino == 0 || !sq_file_id_same(sq_file_id_of(other->key), id))
        return false;
    sq_error(e, SQLITE_CANTOPEN);
    e->outcome = "not-run";
    snprintf(e->message, sizeof e->message,
             "%.200s is another name (a hard link) of %.200s, which is "
             "open here: open it by that name, since two names would be "
             "two WALs",
             target, other->key);
    return true;
}

static bool init(uc_engine *e)
{
    sq_db *db = sq_db_of(e);

    uc_mutex_init(&db->wconn_mu);
    uc_mutex_init(&db->wal.mu);
    uc_mutex_init(&db->guest.mu);
    uc_buf_init(&db->guest.out, SIZE_MAX);
    sq_fresh_init(db);
    db->touches.round = 1;
    uc_cond_init(&db->threads.readers_cond);
    uc_cond_init(&db->threads.writer_cond);
    uc_cond_init(&db->threads.owner_cond);
    if (e->target == NULL)
        return false;
    e->single = db->memory = is_memory(e->target);
    db->wal.page_size = 4096;
    db->threads.nreaders = e->opt.readers > 0 ? (uint32_t)e->opt.readers
                           : uc_cpus() > 4    ? 4
                           : uc_cpus() > 1    ? uc_cpus() - 1
                                              : 1;
    if (db->memory)
        db->threads.nreaders = 0;
    db->threads.readers =
        uc_calloc(db->threads.nreaders + 1, sizeof *db->threads.readers);
    return db->threads.readers != NULL;
}

static void fini(uc_engine *e)
{
    sq_db *db = sq_db_of(e);

    sq_shapes_free(db);
    sq_functions_drop(db, NULL);
    sq_once_fini(&db->tx.once);
    sq_touches_fini(&db->touches);
    sq_fresh_fini(db);
    uc_mutex_fini(&db->wconn_mu);
    uc_mutex_fini(&db->wal.mu);
    uc_mutex_fini(&db->guest.mu);
    uc_cond_fini(&db->threads.readers_cond);
    uc_cond_fini(&db->threads.writer_cond);
    uc_cond_fini(&db->threads.owner_cond);
    uc_free(db->threads.readers);
    uc_free(db->file.name);
}

/* ---- the writer thread opens the file ---- */

static void read_page_size(sq_db *db)
{
    sqlite3_stmt *stmt = NULL;

    if (sqlite3_prepare_v2(db->writer->h, "pragma page_size", -1, &stmt,
                           NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        db->wal.page_size = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
}

static bool start_readers(sq_db *db, uc_error *e)
{
    uint32_t want = db->threads.nreaders;

    db->threads.nreaders = 0;
    db->threads.readers_started = true;
    while (db->threads.nreaders < want) {
        if (uc_thread_start(&db->threads.readers[db->threads.nreaders],
                            "uc-reader", sq_reader_main, db) != 0)
            break;
        uc_lock(&db->e.mu); /* the readers look at it */
        db->threads.nreaders++;
        uc_unlock(&db->e.mu);
    }
    if (db->threads.nreaders == 0 && want > 0)
        return uc_fail(e, UC_MEMORY, "no thread for a reader");
    return true;
}

static bool open_file(sq_db *db, uc_error *e)
{
    if (sqlite3_libversion_number() < LEAST_SQLITE)
        return uc_fail(e, UC_ENGINE,
                       "SQLite %s has the WAL-reset race; 3.51.3 or later is "
                       "needed",
                       sqlite3_libversion());
    db->writer = sq_conn_open(db, SQ_WRITER, e);
    if (db->writer == NULL)
        return false;
    read_page_size(db);
    sq_others_wrote(db); /* from here on */
    sq_moved_begin(db);
    return true;
}

static void *writer_main(void *arg)
{
    sq_db *db = arg;
    uc_error e = {0};

    if (db->e.state == UC_OPENING) {
        bool ok = open_file(db, &e) && start_readers(db, &e);

        uc__opened(&db->e, ok ? NULL : &e);
    }
    sq_writer_loop(db);
    return NULL;
}

static bool start(uc_engine *e)
{
    sq_db *db = sq_db_of(e);

    return uc_thread_start(&db->threads.writer, "uc-writer", writer_main, db) ==
           0;
}

static void stop(uc_engine *e)
{
    sq_db *db = sq_db_of(e);

    uc_thread_join(db->threads.writer);
    for (uint32_t i = 0;
         i < db->threads.nreaders && db->threads.readers_started; i++)
        uc_thread_join(db->threads.readers[i]);
    uc__leases_end(e, UC_LEASES_ALL, NULL, NULL);
    sq_pins_close(db);
    sq_guest_end(db);
    sq_conn_close(db->wal.keeper);
    sq_moved_end(db);
    /* The last connection checkpoints and removes the WAL, unless the process
     * is on its way out: the next one to open the file does it then. */
    if (db->writer != NULL && !e->fast_stop)
        sqlite3_db_config(db->writer->h, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0,
                          NULL);
    sq_conn_close(db->writer);
}

/* ---- what the desk calls ---- */

static void wake(uc_engine *e, unsigned what)
{
    sq_db *db = sq_db_of(e);
    bool routes = (what & (UC_WAKE_ROUTE | UC_WAKE_ROUTE_WRITE)) != 0;

    if (what & UC_WAKE_STOP) {
        uc_cond_broadcast(&db->threads.readers_cond);
        uc_cond_broadcast(&db->threads.writer_cond);
    }
    if (routes && !(what & UC_WAKE_ROUTE_WRITE) && db->threads.idle_readers > 0)
        uc_cond_signal(&db->threads.readers_cond);
    else if (routes && db->threads.writer_idle &&
             (what & UC_WAKE_ROUTE_WRITE || e->state != UC_OPEN ||
              db->threads.slow_readers >= db->threads.nreaders))
        uc_cond_signal(&db->threads.writer_cond);
    else if (routes && db->threads.idle_readers > 0)
        uc_cond_signal(&db->threads.readers_cond);
    /* Otherwise a reader is at quick work and looks here when it is done. */
    if (what & UC_WAKE_READS && db->threads.idle_readers > 0)
        uc_cond_broadcast(&db->threads.readers_cond);
    else if (what & UC_WAKE_READ && db->threads.idle_readers > 0)
        uc_cond_signal(&db->threads.readers_cond);
    if (what & UC_WAKE_WRITE && db->threads.writer_idle)
        uc_cond_signal(&db->threads.writer_cond);
    if (what & UC_WAKE_ORDER)
        uc_cond_broadcast(&db->threads.owner_cond);
}

static bool stale(uc_engine *e, bool now, uc_error *err)
{
    return sq_moved(sq_db_of(e), now, err);
}

static bool replaced(const uc_engine *e)
{
    return sq_moved_replaced((const sq_db *)e);
}

/* With the writer's connection, if that is free. A failure says nothing yet,
 * since a write before it may create what the statement names. */
static uc_class classify(uc_engine *e, uc_stmt *s)
{
    sq_db *db = sq_db_of(e);
    uc_error err = {0};

    if (uc_trylock(&db->wconn_mu)) {
        if (db->writer != NULL)
            sq_classify(db->writer, s, &err);
        uc_unlock(&db->wconn_mu);
    }
    return (uc_class)atomic_load(&s->cls);
}

static bool tx_is_open(uc_engine *e, const uc_call *c, uc_error *err)
{
    const sq_db *db = sq_db_of(e);

    if (db->tx.id == c->tx && db->tx.session == c->session &&
        db->owner.by != SQ_BY_SYNC)
        return true;
    if (db->tx.expired == c->tx)
        return uc_fail(err, UC_TX_EXPIRED,
                       "the transaction was open for longer than "
                       "transactionTimeoutMs (%lld ms) and was rolled back",
                       (long long)e->opt.tx_ms);
    return uc_fail(err, UC_TX_CLOSED, "the transaction has ended");
}

static bool tx_waits_for(uc_engine *e, const uc_call *c)
{
    return sq_tx_waits_for(sq_db_of(e), c);
}

static bool tx_at_work(uc_engine *e, const uc_session *s, bool more)
{
    const sq_db *db = sq_db_of(e);

    return db->tx.id != 0 && !db->tx.stream && db->tx.session == s &&
           (db->tx.busy || e->q.tx.n > 0 || more);
}

/* The writer rolls it back. */
static void tx_drop(uc_engine *e, uc_session *s)
{
    sq_db *db = sq_db_of(e);

    uc_lock(&e->mu);
    if (db->tx.session == s && db->owner.by == SQ_BY_THREAD) {
        db->tx.session = NULL;
        uc_cond_broadcast(&db->threads.writer_cond);
    }
    uc_unlock(&e->mu);
}

static bool page(uc_engine *e, uc_call *c, uc_buf *out, uc_error *err)
{
    return sq_pin_call(sq_db_of(e), sq_pin_of(c), c, out, err);
}

static void peer_end(uc_peer *p)
{
    sq_sync_release((sq_peer *)p);
    sq_functions_drop(sq_db_of(p->engine), p);
}

/* While the writer is at work nobody looks; other processes have to wait for it
 * as well. */
static bool look(uc_engine *e)
{
    sq_db *db = sq_db_of(e);
    bool wrote;

    if (!uc_trylock(&db->wconn_mu))
        return false;
    wrote = sq_others_wrote(db);
    uc_unlock(&db->wconn_mu);
    return wrote;
}

const char *uc_sqlite_version(void)
{
    return sqlite3_libversion();
}

const uc_engine_ops uc_engine_sqlite = {
    .name = "sqlite",
    .engine_size = sizeof(sq_db),
    .peer_size = sizeof(sq_peer),
    .takes = takes,
    .key = key,
    .is_same = is_same,
    .init = init,
    .fini = fini,
    .start = start,
    .stop = stop,
    .wake = wake,
    .stale = stale,
    .replaced = replaced,
    .classify = classify,
    .tx_is_open = tx_is_open,
    .tx_waits_for = tx_waits_for,
    .tx_at_work = tx_at_work,
    .tx_drop = tx_drop,
    .page = page,
    .lease_free = sq_pin_free,
    .assist = sq_assist,
    .now = sq_now,
    .now_begin = sq_now_begin,
    .sync = sq_sync,
    .turn_end = sq_turn_end,
    .function = sq_function_add,
    .peer_end = peer_end,
    .tick = sq_wal_tick,
    .look = look,
    .stats = sq_stats,
};

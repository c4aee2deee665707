#define _GNU_SOURCE
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mem.h"
#include "data/sqlite/db.h"
#include "data/sqlite/errcode.h"
#include "wire/writer.h"

/*
 * Opening and closing. The registry makes all handles of one file in this
 * process (worker threads included) share one sq_db; two SQLite connections
 * pools on one file would take each other's snapshots and caches for nothing.
 */

/* The WAL-reset race (sqlite.org/wal.html#walresetbug) is fixed from here. */
enum { LEAST_SQLITE = 3051003 };

/* So long a destroyed session is waited for. */
enum { ABANDON_MS = 2000 };

static uc_mutex registry_mu = UC_MUTEX_INIT;
static sq_db *registry;

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

static sq_db *db_new(const char *path, uc_options *o)
{
    sq_db *db = uc_calloc(1, sizeof *db);

    if (db == NULL)
        return NULL;
    uc_mutex_init(&db->route_mu);
    uc_mutex_init(&db->wconn_mu);
    uc_mutex_init(&db->checkpoint_mu);
    uc_mutex_init(&db->mu);
    uc_mutex_init(&db->sql_mu);
    uc_mutex_init(&db->guest.mu);
    uc_buf_init(&db->guest.out, SIZE_MAX);
    sq_board_init(&db->board);
    if (o->cache_bytes > 0)
        db->cache = uc_cache_new((uint64_t)o->cache_bytes,
                                 (uint64_t)o->cache_value_bytes,
                                 (uint64_t)o->max_bytes);
    uc_cond_init(&db->readers_cond);
    uc_cond_init(&db->writer_cond);
    uc_cond_init(&db->keeper_cond);
    uc_cond_init(&db->owner_cond);
    uc_cond_init(&db->open_cond);
    db->memory = strcmp(path, ":memory:") == 0 || path[0] == '\0';
    db->opt = *o;
    *o = (uc_options){0};
    db->page_size = 4096;
    db->path = uc_strndup(path, strlen(path));
    db->nreaders = db->opt.readers > 0 ? (uint32_t)db->opt.readers
                   : uc_cpus() > 4     ? 4
                   : uc_cpus() > 1     ? uc_cpus() - 1
                                       : 1;
    if (db->memory)
        db->nreaders = 0;
    db->reader_threads =
        uc_calloc(db->nreaders + 1, sizeof *db->reader_threads);
    if (db->path == NULL || db->reader_threads == NULL ||
        (db->opt.cache_bytes > 0 && db->cache == NULL)) {
        sq_db_free(db);
        return NULL;
    }
    return db;
}

void sq_db_free(sq_db *db)
{
    sq_statements_free(db);
    sq_functions_drop(db, NULL);
    sq_once_fini(&db->tx_once);
    sq_board_fini(&db->board);
    uc_cache_unref(db->cache);
    uc_options_fini(&db->opt);
    uc_mutex_fini(&db->route_mu);
    uc_mutex_fini(&db->wconn_mu);
    uc_mutex_fini(&db->checkpoint_mu);
    uc_mutex_fini(&db->mu);
    uc_mutex_fini(&db->sql_mu);
    uc_mutex_fini(&db->guest.mu);
    uc_cond_fini(&db->readers_cond);
    uc_cond_fini(&db->writer_cond);
    uc_cond_fini(&db->keeper_cond);
    uc_cond_fini(&db->owner_cond);
    uc_cond_fini(&db->open_cond);
    uc_free(db->reader_threads);
    uc_free(db->path);
    uc_free(db->key);
    uc_free(db->file_name);
    uc_free(db);
}

/* ---- the writer thread opens the file ---- */

static void read_page_size(sq_db *db)
{
    sqlite3_stmt *stmt = NULL;

    if (sqlite3_prepare_v2(db->writer->h, "pragma page_size", -1, &stmt,
                           NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        db->page_size = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
}

static bool start_helpers(sq_db *db, uc_error *e)
{
    uint32_t want = db->nreaders;

    db->nreaders = 0;
    if (uc_thread_start(&db->keeper_thread, "uc-keeper", sq_keeper_main, db) !=
        0)
        return uc_fail(e, UC_MEMORY, "no thread for the keeper");
    db->keeper_started = true;
    while (db->nreaders < want) {
        if (uc_thread_start(&db->reader_threads[db->nreaders], "uc-reader",
                            sq_reader_main, db) != 0)
            break;
        uc_lock(&db->mu); /* the readers look at it */
        db->nreaders++;
        uc_unlock(&db->mu);
    }
    if (db->nreaders == 0 && want > 0)
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

static void unlist_locked(sq_db *db)
{
    sq_db **q = &registry;

    if (!db->listed)
        return;
    while (*q != db)
        q = &(*q)->next;
    *q = db->next;
    db->listed = false;
}

static void unlist(sq_db *db)
{
    uc_lock(&registry_mu);
    unlist_locked(db);
    uc_unlock(&registry_mu);
}

void *sq_writer_main(void *arg)
{
    sq_db *db = arg;
    uc_error e = {0};
    bool ok = db->state == SQ_OPENING;

    if (ok) {
        sq_state state;

        ok = open_file(db, &e);
        state = ok ? SQ_OPEN : SQ_FAILED;
        if (ok && !start_helpers(db, &e))
            state = SQ_FAILED;
        if (state == SQ_FAILED)
            unlist(db); /* the next one to open the file tries again */
        uc_lock(&db->mu);
        if (state == SQ_FAILED)
            db->open_error = e;
        db->state = state;
        uc_cond_broadcast(&db->open_cond);
        uc_cond_broadcast(&db->readers_cond);
        uc_unlock(&db->mu);
    }
    sq_writer_loop(db);
    return NULL;
}

/* ---- opening a session ---- */

static sq_db *find(const char *key, bool readonly)
{
    for (sq_db *db = registry; db != NULL; db = db->next) {
        if (db->key != NULL && strcmp(db->key, key) == 0 &&
            (readonly || !db->opt.readonly))
            return db;
    }
    return NULL;
}

/*
 * Another name of a file that is open here: a hard link, since the keys of
 * symbolic links are the same. SQLite finds the WAL by the name of its file, so
 * that each name would have one of its own, and neither would see what the
 * other has committed. (sqlite.org/howtocorrupt.html, 2.5) Under registry_mu.
 */
static bool has_other_name(const char *path, const char *key, uc_error *e)
{
    sq_file_id id = sq_file_id_of(path);

    for (sq_db *db = registry; id.ino != 0 && db != NULL; db = db->next) {
        if (db->key == NULL || strcmp(db->key, key) == 0 ||
            !sq_file_id_same(sq_file_id_of(db->key), id))
            continue;
        uc_error_init(e);
        e->code = sq_errcode(SQLITE_CANTOPEN, &e->kind, &e->retryable);
        e->native = SQLITE_CANTOPEN;
        e->outcome = "not-run";
        snprintf(e->message, sizeof e->message,
                 "%.200s is another name (a hard link) of %.200s, which is "
                 "open here: open it by that name, since two names would be "
                 "two WALs",
                 path, db->key);
        return true;
    }
    return false;
}

/* Under registry_mu. */
static sq_db *create(const char *path, char *key, uc_options *o,
                     const uc_error *failed)
{
    sq_db *db = db_new(path, o);

    if (db == NULL)
        return NULL;
    db->key = key;
    if (failed != NULL) {
        db->state = SQ_FAILED;
        db->open_error = *failed;
    }
    if (uc_thread_start(&db->writer_thread, "uc-writer", sq_writer_main, db) !=
        0) {
        db->key = NULL;
        sq_db_free(db);
        return NULL;
    }
    db->writer_started = true;
    if (key != NULL && failed == NULL) {
        db->listed = true;
        db->next = registry;
        registry = db;
    }
    return db;
}

void *sq_open(uc_session *s, const char *path, uc_options *o,
              const uc_error *failed)
{
    sq_peer *p = uc_calloc(1, sizeof *p);
    bool memory = strcmp(path, ":memory:") == 0 || path[0] == '\0';
    char *key = memory || failed != NULL ? NULL : canonical(path);
    uc_error gone, linked;
    sq_db *db;

    if (p == NULL || (!memory && failed == NULL && key == NULL)) {
        uc_free(p);
        uc_free(key);
        uc_options_fini(o);
        return NULL;
    }
    p->session = s;
    p->owner = uc_thread_self();
    p->readonly = o->readonly != 0;
    uc_lock(&registry_mu);
    db = key != NULL ? find(key, p->readonly) : NULL;
    while (db != NULL && sq_moved(db, true, &gone)) {
        unlist_locked(db); /* at its path is another one, or none */
        db = find(key, p->readonly);
    }
    if (db != NULL) {
        uc_options_same(&db->opt, o, &p->failed);
        uc_options_fini(o);
        uc_free(key);
    } else {
        if (key != NULL && has_other_name(path, key, &linked))
            failed = &linked;
        db = create(path, key, o, failed);
        if (db == NULL) {
            uc_unlock(&registry_mu);
            uc_free(key);
            uc_free(p);
            uc_options_fini(o);
            return NULL;
        }
    }
    db->npeers++;
    p->db = db;
    if (db->cache != NULL && failed == NULL && p->failed.code == NULL)
        s->cache = uc_cache_ref(db->cache);
    uc_unlock(&registry_mu);
    uc_lock(&db->mu);
    p->next = db->peers;
    db->peers = p;
    uc_unlock(&db->mu);
    return p;
}

/* ---- closing ---- */

/* True if it was the last; the db cannot be found any more then. */
static bool leave(sq_db *db, sq_peer *p)
{
    bool last;

    /* Under both: whoever is the last one frees the db. */
    uc_lock(&registry_mu);
    uc_lock(&db->mu);
    for (sq_peer **q = &db->peers; *q != NULL; q = &(*q)->next) {
        if (*q == p) {
            *q = p->next;
            break;
        }
    }
    uc_unlock(&db->mu);
    last = --db->npeers == 0;
    if (last)
        unlist_locked(db);
    uc_unlock(&registry_mu);
    return last;
}

/* Nobody routes any more, and whoever submitted has left: what came too late to
 * be routed is refused like what comes now. */
static void drop_inbox(sq_db *db)
{
    uc_batch *b;

    while ((b = db->inbox_head) != NULL) {
        db->inbox_head = b->next;
        sq_batch_closed(b);
    }
    db->inbox_tail = NULL;
    atomic_store(&db->inbox_n, 0);
}

void sq_db_stop(sq_db *db)
{
    uc_lock(&db->mu);
    db->stop = true;
    uc_cond_broadcast(&db->readers_cond);
    uc_cond_broadcast(&db->writer_cond);
    uc_cond_broadcast(&db->keeper_cond);
    uc_cond_broadcast(&db->open_cond);
    uc_unlock(&db->mu);
    if (db->writer_started)
        uc_thread_join(db->writer_thread);
    for (uint32_t i = 0; i < db->nreaders && db->keeper_started; i++)
        uc_thread_join(db->reader_threads[i]);
    if (db->keeper_started)
        uc_thread_join(db->keeper_thread);
    sq_pins_free(db);
    sq_guest_end(db);
    sq_conn_close(db->keeper);
    sq_moved_end(db);
    /* The last connection checkpoints and removes the WAL, unless the process
     * is on its way out: the next one to open the file does it then. */
    if (db->writer != NULL && !db->fast_stop)
        sqlite3_db_config(db->writer->h, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0,
                          NULL);
    sq_conn_close(db->writer);
    drop_inbox(db);
    db->state = SQ_STOPPED;
}

/* Gives back what only this peer used. */
static void peer_fini(sq_db *db, sq_peer *p)
{
    sq_watch_end(db, p->session, false);
    if (db->cache != NULL)
        uc_cache_session_end(db->cache, p->session, false);
    uc_log_session_end(p->session);
    sq_hurry(db);
    sq_pins_end(db, p->session, false, false, NULL);
    sq_sync_release(p);
    uc_lock(&db->route_mu);
    for (uint32_t i = 0; i < p->nsids; i++)
        sq_sql_unref(db, p->sids[i]);
    uc_free(p->sids);
    p->sids = NULL;
    p->nsids = 0;
    uc_unlock(&db->route_mu);
    sq_functions_drop(db, p);
}

static void answer_close(uc_call *c)
{
    uc_buf b;
    size_t at;

    uc_buf_init(&b, SIZE_MAX);
    at = uc__reply_open(&b);
    uc_reply_begin(&b, c->id, UC_REPLY_VALUE, 3);
    uc_pack_nil(&b);
    uc__reply_close(&b, at, c->id);
    if (c->id != 0)
        uc__session_publish(c->session, &b);
    uc_buf_fini(&b);
    uc__call_finish(c);
}

/* Lets nobody of the door in any more and waits for who is: what they do is
 * short, and what they run can be stopped. */
static void shut(sq_peer *p)
{
    unsigned long self = uc_thread_self(), in;

    atomic_store(&p->leaving, true);
    while (atomic_load(&p->visitors) > 0)
        usleep(100);
    /* A user function may end its own session: it waits for nobody. */
    while ((in = atomic_load(&p->thread)) != 0 && in != self)
        usleep(100);
}

static void end_peer(sq_db *db, sq_peer *p, uc_call *close_call)
{
    shut(p);
    peer_fini(db, p);
    if (leave(db, p)) {
        sq_db_stop(db);
        sq_db_free(db);
    }
    atomic_store(&p->live, 0);
    atomic_store(&p->gone, true);
    answer_close(close_call);
}

typedef struct closing {
    sq_db *db;
    sq_peer *peer;
    uc_call *call;
} closing;

static void *closer_main(void *arg)
{
    closing c = *(closing *)arg;

    uc_free(arg);
    end_peer(c.db, c.peer, c.call);
    return NULL;
}

void sq_peer_settle(sq_db *db, sq_peer *p)
{
    uc_call *call = p->close_call;
    closing *c;
    uc_thread t;

    if (p->settled) {
        uc_unlock(&db->mu);
        return;
    }
    p->settled = true;
    uc_unlock(&db->mu);
    /* Joining threads is not for the thread that is to be joined. */
    c = malloc(sizeof *c);
    if (c != NULL) {
        *c = (closing){db, p, call};
        if (uc_thread_start(&t, "uc-closer", closer_main, c) == 0) {
            uc_thread_detach(t);
            return;
        }
        free(c);
    }
    abort(); /* not even a thread's stack is left: nothing can be closed */
}

/* The writer rolls the session's transaction back. Asked again whenever a call
 * may have ended: one that was under way may have been its begin. */
static void drop_tx(sq_db *db, sq_peer *p)
{
    uc_lock(&db->mu);
    if (db->tx_session == p->session && db->owner == SQ_BY_THREAD) {
        db->tx_session = NULL;
        uc_cond_broadcast(&db->writer_cond);
    }
    uc_unlock(&db->mu);
}

/* Drops what is queued of a session and stops what runs of it, until no more
 * than `rest` calls are left or the time is up. */
static bool drain(sq_db *db, sq_peer *p, uint32_t rest, int64_t until)
{
    drop_tx(db, p);
    while (atomic_load(&p->live) > rest) {
        uc_calls out;
        uc_call *c;

        uc_lock(&db->mu);
        out = sq_unqueue(db, p->session, 0);
        sq_stop_running(db, p->session, 0, UC_STOP_ABORT);
        uc_unlock(&db->mu);
        while ((c = uc_calls_pop(&out)) != NULL)
            sq_finish(db, c);
        if (uc_now() >= until)
            return false;
        if (atomic_load(&p->live) > rest)
            usleep(100);
        drop_tx(db, p);
    }
    drop_tx(db, p);
    return true;
}

static void end_abandoned(sq_db *db, sq_peer *p)
{
    shut(p);
    peer_fini(db, p);
    atomic_store(&p->gone, true);
    if (leave(db, p)) {
        db->fast_stop = true;
        sq_db_stop(db);
        sq_db_free(db);
    }
}

static void *abandoned_main(void *arg)
{
    sq_peer *p = arg;
    uc_session *s = p->session;

    drain(p->db, p, 0, INT64_MAX);
    end_abandoned(p->db, p);
    uc__session_unref(s);
    return NULL;
}

/* A call that does not stop (its disk hangs, say) is not waited for any
 * longer: a thread of its own ends the session when it is over. */
static bool leave_to_thread(sq_peer *p)
{
    uc_thread t;

    uc__session_ref(p->session); /* the peer lives with it */
    if (uc_thread_start(&t, "uc-closer", abandoned_main, p) == 0) {
        uc_thread_detach(t);
        return true;
    }
    uc__session_unref(p->session);
    return false;
}

static void wait_gone(const sq_peer *p, int64_t until)
{
    while (!atomic_load(&p->gone) && uc_now() < until)
        usleep(100);
}

void sq_abandon(void *arg)
{
    sq_peer *p = arg;
    sq_db *db = p->db;
    int64_t until = uc_now() + ABANDON_MS * UC_MS;
    bool last, in_order;

    if (!sq_visit(p)) {
        wait_gone(p, until);
        return;
    }
    uc_lock(&registry_mu);
    last = db->npeers == 1 && !p->closing;
    if (last)
        unlist_locked(db); /* nobody joins a file that is being stopped */
    uc_unlock(&registry_mu);
    if (last)
        atomic_store(&db->quit, true);
    uc_lock(&db->mu);
    while (db->state == SQ_OPENING)
        uc_cond_wait(&db->open_cond, &db->mu);
    uc_unlock(&db->mu);
    sq_route(db, true);
    uc_lock(&db->mu);
    in_order = p->close_call != NULL; /* it goes on when the others are over */
    p->closing = true;
    uc_unlock(&db->mu);
    if (in_order) {
        drain(db, p, 1, until);
        sq_visit_end(p);
        wait_gone(p, until);
        return;
    }
    if (!drain(db, p, 0, until)) {
        sq_visit_end(p);
        if (leave_to_thread(p))
            return;
        drain(db, p, 0, INT64_MAX);
    } else {
        sq_visit_end(p);
    }
    end_abandoned(db, p);
}

/* The door's thread, which has called the cache itself. */
static void hurry(void *arg)
{
    sq_peer *p = arg;

    if (!sq_visit(p))
        return;
    sq_hurry(p->db);
    sq_visit_end(p);
}

void sq_release(void *arg)
{
    sq_peer *p = arg;

    uc_cache_unref(p->session->cache);
    uc_free(p);
}

const char *uc_sqlite_version(void)
{
    return sqlite3_libversion();
}

const uc_driver uc_driver_sqlite = {
    .name = "sqlite",
    .open = sq_open,
    .submit = sq_submit,
    .last = sq_last,
    .assist = sq_assist,
    .sync = sq_sync,
    .turn_end = sq_turn_end,
    .hurry = hurry,
    .function = sq_function_add,
    .abandon = sq_abandon,
    .release = sq_release,
};

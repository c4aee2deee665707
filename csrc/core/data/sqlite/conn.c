#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/mem.h"
#include "data/sqlite/db.h"
#include "data/sqlite/errcode.h"
#include "data/sqlite/pragma.h"
#include "data/sqlite/reads.h"

/*
 * How often a statement looks up: every 2000 VDBE steps is a few
 * microseconds of work and costs less than 1 % (sqlite.org/c3ref/
 * progress_handler.html).
 */
enum { PROGRESS_STEPS = 2000 };

static int on_progress(void *arg)
{
    sq_conn *c = arg;
    uc_call *call = atomic_load_explicit(&c->cur, memory_order_relaxed);
    int64_t limit = atomic_load_explicit(&c->limit, memory_order_relaxed);

    if (atomic_load_explicit(&c->quit, memory_order_relaxed) ||
        atomic_load_explicit(&c->db->e.quit, memory_order_relaxed))
        return 1;
    if (call == NULL)
        return 0;
    if (atomic_load_explicit(&call->stop, memory_order_relaxed) != UC_STOP_NONE)
        return 1;
    if (limit != 0 && uc_now_coarse() >= limit) {
        int none = UC_STOP_NONE;

        atomic_compare_exchange_strong(&call->stop, &none, UC_STOP_TIMEOUT);
        return 1;
    }
    if (c->lent_until != 0 && uc_now_coarse() >= c->lent_until) {
        c->overdue = true;
        return 1;
    }
    return 0;
}

bool sq_conn_over(sq_conn *c)
{
    return on_progress(c) != 0;
}

/*
 * Waits for another process's lock: short sleeps with jitter, so that writers
 * of several processes get their turns in a fair lottery, until busy_until.
 * SQLite's own handler backs off to 100 ms and starves the one who waits.
 */
static int on_busy(void *arg, int count)
{
    sq_conn *c = arg;
    uint64_t ns = 200000 + (uint64_t)(rand() % 800000);
    struct timespec ts = {0, (long)ns};
    int64_t now = uc_now();

    c->contended = true;
    if (count == 0 && c->busy_until == 0)
        c->busy_until = now + c->db->e.opt.busy_ms * UC_MS;
    if (count > 0)
        c->waited += now - c->waited_to;
    c->waited_to = now;
    if (now >= c->busy_until || on_progress(c))
        return 0;
    nanosleep(&ts, NULL);
    return 1;
}

static int on_auth(void *arg, int action, const char *a, const char *b,
                   const char *dbname, const char *trigger)
{
    sq_conn *c = arg;
    sq_auth *auth = c->auth;

    if (auth == NULL && action == SQLITE_PRAGMA && c->ready &&
        sq_pragma_ignored(a, b))
        return SQLITE_IGNORE;
    if (auth == NULL && action == SQLITE_PRAGMA && c->ready && b != NULL &&
        sqlite3_stricmp(a, "defer_foreign_keys") == 0)
        return sq_defer(c);
    if (c->notes != NULL)
        sq_note(c, action, a, b, dbname);
    if (c->reads != NULL)
        sq_reads_note(c->reads, action, a, b, dbname);
    if (auth == NULL)
        return SQLITE_OK;
    if (dbname != NULL && sqlite3_stricmp(dbname, "temp") == 0)
        auth->temp = true;
    switch (action) {
    case SQLITE_READ:
        if (dbname == NULL)
            sq_auth_table(auth, a);
        if (sqlite3_stricmp(a, "pragma_optimize") == 0)
            auth->optimizes = true;
        break;
    case SQLITE_PRAGMA:
        auth->pragma = true;
        auth->pragma_arg = b != NULL;
        snprintf(auth->pragma_name, sizeof auth->pragma_name, "%s", a);
        snprintf(auth->pragma_value, sizeof auth->pragma_value, "%s",
                 b != NULL ? b : "");
        /* Merely preparing some pragmas changes the connection. */
        return SQLITE_DENY;
    case SQLITE_INSERT:
        if (trigger == NULL)
            auth->traits |= SQ_INSERTS;
        /* What a trigger is on, SQLite says by the schema that it would
         * write. */
        if (auth->trigger && dbname != NULL &&
            sqlite3_stricmp(dbname, "temp") != 0)
            auth->trigger_out = true;
        break;
    case SQLITE_CREATE_TABLE:
    case SQLITE_CREATE_VIEW:
    case SQLITE_CREATE_VTABLE:
    case SQLITE_CREATE_TEMP_TABLE:
    case SQLITE_CREATE_TEMP_VIEW:
        auth->made_temp = auth->temp || action == SQLITE_CREATE_TEMP_TABLE ||
                          action == SQLITE_CREATE_TEMP_VIEW;
        auth->temp = auth->made_temp;
        snprintf(auth->made, sizeof auth->made, "%s", a);
        break;
    case SQLITE_CREATE_TEMP_TRIGGER:
        auth->trigger = auth->temp = true;
        break;
    case SQLITE_ALTER_TABLE:
        if (sqlite3_stricmp(a, "temp") == 0)
            auth->temp = auth->alters_temp = true;
        break;
    case SQLITE_FUNCTION:
        if (sqlite3_stricmp(b, "last_insert_rowid") == 0 ||
            sqlite3_stricmp(b, "changes") == 0 ||
            sqlite3_stricmp(b, "total_changes") == 0)
            auth->traits |= trigger == NULL ? SQ_ASKS : SQ_ASKS_BELOW;
        break;
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT:
        auth->control = true;
        break;
    case SQLITE_ATTACH:
    case SQLITE_DETACH:
        auth->attach = true;
        return SQLITE_DENY;
    case SQLITE_CREATE_TEMP_INDEX:
    case SQLITE_DROP_TEMP_INDEX:
    case SQLITE_DROP_TEMP_TABLE:
    case SQLITE_DROP_TEMP_TRIGGER:
    case SQLITE_DROP_TEMP_VIEW:
        auth->temp = true;
        break;
    default:
        break;
    }
    return SQLITE_OK;
}

void sq_conn_authorize(sq_conn *c)
{
    sqlite3_set_authorizer(c->h, on_auth, c);
}

/* Asks the keeper for a checkpoint when there is enough to do. */
static int on_wal(void *arg, sqlite3 *h, const char *name, int pages)
{
    sq_db *db = arg;
    int64_t bytes = pages * db->wal.page_size, before;

    (void)h;
    if (strcmp(name, "main") != 0)
        return SQLITE_OK;
    before = atomic_exchange(&db->wal.bytes, bytes);
    if (bytes > atomic_load(&db->wal.peak))
        atomic_store(&db->wal.peak, bytes);
    if (bytes - before > db->e.opt.wal_cap)
        atomic_fetch_add(&db->wal.big_transactions, 1);
    uc_lock(&db->e.mu);
    if (bytes < before)
        db->wal.next = 0; /* it was begun anew */
    if (bytes >= db->e.opt.wal_checkpoint && bytes >= db->wal.next &&
        !db->e.tick_wanted) {
        db->e.tick_wanted = true;
        uc_cond_signal(&db->e.keeper_cond);
    }
    uc_unlock(&db->e.mu);
    return SQLITE_OK;
}

static int control(sq_conn *c, sqlite3_stmt **stmt, const char *sql)
{
    return sqlite3_prepare_v3(c->h, sql, -1, SQLITE_PREPARE_PERSISTENT, stmt,
                              NULL);
}

static bool pragma(sq_conn *c, const char *name, const char *value, uc_error *e)
{
    char *sql = sqlite3_mprintf("pragma \"%w\" = \"%w\"", name, value);
    int rc = sql != NULL ? sq_exec_text(c, sql) : SQLITE_NOMEM;

    sqlite3_free(sql);
    if (rc == SQLITE_OK)
        return true;
    sq_fail(c, rc, e);
    return false;
}

static bool attach(sq_conn *c, const uc_pair *p, uc_error *e)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(c->h, "attach ? as ?", -1, &stmt, NULL);

    if (rc == SQLITE_OK) {
        sqlite3_bind_text(stmt, 1, p->value, -1, SQLITE_STATIC);
        sqlite3_bind_text(stmt, 2, p->name, -1, SQLITE_STATIC);
        sqlite3_step(stmt);
    }
    if (stmt != NULL)
        rc = sqlite3_finalize(stmt);
    if (rc == SQLITE_OK)
        return true;
    sq_fail(c, rc, e);
    return false;
}

static bool read_text(sq_conn *c, const char *sql, char *out, size_t n)
{
    sqlite3_stmt *stmt = NULL;
    bool ok = false;

    if (sqlite3_prepare_v2(c->h, sql, -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW) {
        snprintf(out, n, "%s", (const char *)sqlite3_column_text(stmt, 0));
        ok = true;
    }
    return sqlite3_finalize(stmt) == SQLITE_OK && ok;
}

/* Pragmas that the core sets itself, and names that SQLite does not know and
 * would ignore without a word. */
static bool pragma_allowed(sq_conn *c, const char *name, uc_error *e)
{
    static const char *const owned[] = {
        "journal_mode",     "query_only",         "locking_mode",
        "synchronous",      "wal_autocheckpoint", "writable_schema",
        "read_uncommitted", "wal_checkpoint",     "incremental_vacuum"};
    static const char *const stored[] = {"user_version", "application_id",
                                         "schema_version"};
    sqlite3_stmt *stmt = NULL;
    int rc;

    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) {
        if (sqlite3_stricmp(name, owned[i]) == 0)
            return uc_fail(e, UC_OPTION,
                           "option pragmas.%s: the core sets it itself%s", name,
                           strcmp(owned[i], "synchronous") == 0
                               ? " (option synchronous)"
                               : "");
    }
    for (size_t i = 0; i < sizeof stored / sizeof *stored; i++) {
        if (sqlite3_stricmp(name, stored[i]) == 0)
            return uc_fail(e, UC_OPTION,
                           "option pragmas.%s: it is stored in the file, and "
                           "each connection would set it back; run \"pragma "
                           "%s = VALUE\" once instead, in a migration",
                           name, stored[i]);
    }
    rc = sqlite3_prepare_v2(c->h,
                            "select 1 from pragma_pragma_list where name = "
                            "lower(?)",
                            -1, &stmt, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
        rc = sqlite3_step(stmt);
    }
    sqlite3_finalize(stmt);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return sq_fail(c, rc, e);
    return rc == SQLITE_ROW ||
           uc_fail(e, UC_OPTION, "option pragmas.%s: SQLite has no such pragma",
                   name);
}

/* WAL, durability and what every connection has in common. */
static bool configure(sq_conn *c, uc_error *e)
{
    static const char *const levels[] = {
        "pragma synchronous=0", "pragma synchronous=1", "pragma synchronous=2",
        "pragma synchronous=3"};
    sq_db *db = c->db;
    char text[32] = "";
    int rc;

    if (c->role == SQ_WRITER) {
        /* The first real look at the file: says if it is no database. */
        if (!read_text(c, "pragma schema_version", text, sizeof text)) {
            sq_fail(c, sqlite3_extended_errcode(c->h), e);
            return false;
        }
        for (uint32_t i = 0; i < db->e.opt.npragmas; i++) {
            /* These have to come before the file is made. */
            const char *n = db->e.opt.pragmas[i].name;

            if (!pragma_allowed(c, n, e))
                return false;
            if ((sqlite3_stricmp(n, "page_size") == 0 ||
                 sqlite3_stricmp(n, "encoding") == 0 ||
                 sqlite3_stricmp(n, "auto_vacuum") == 0) &&
                !pragma(c, n, db->e.opt.pragmas[i].value, e))
                return false;
        }
        if (!db->memory && !db->e.opt.readonly) {
            if (!read_text(c, "pragma journal_mode=wal", text, sizeof text)) {
                sq_fail(c, sqlite3_extended_errcode(c->h), e);
                return false;
            }
            if (strcmp(text, "wal") != 0)
                return uc_fail(e, UC_ENGINE,
                               "the file system of %s does not support WAL "
                               "(journal mode stayed %s)",
                               db->e.target, text);
        }
    }
    rc = sq_exec_text(c, levels[db->e.opt.synchronous]);
    if (rc == SQLITE_OK)
        rc = sq_exec_text(c, "pragma foreign_keys=on");
    if (rc != SQLITE_OK) {
        sq_fail(c, rc, e);
        return false;
    }
    for (uint32_t i = 0; i < db->e.opt.nattach; i++) {
        if (!attach(c, &db->e.opt.attach[i], e))
            return false;
    }
    for (uint32_t i = 0; i < db->e.opt.npragmas; i++) {
        if (!pragma(c, db->e.opt.pragmas[i].name, db->e.opt.pragmas[i].value,
                    e))
            return false;
    }
    if (c->role != SQ_WRITER && c->role != SQ_KEEPER &&
        (rc = sq_exec_text(c, "pragma query_only=1")) != SQLITE_OK) {
        sq_fail(c, rc, e);
        return false;
    }
    if (c->role == SQ_WRITER) {
        db->sql.has_fks =
            read_text(c, "pragma foreign_keys", text, sizeof text) &&
            strcmp(text, "1") == 0;
        db->sql.defer_fks =
            read_text(c, "pragma defer_foreign_keys", text, sizeof text) &&
            strcmp(text, "1") == 0;
    }
    c->utf8 = read_text(c, "pragma encoding", text, sizeof text) &&
              strcmp(text, "UTF-8") == 0;
    return true;
}

/* Another process does something to the file that it will be through with. */
static bool is_locked(int rc)
{
    return (rc & 0xff) == SQLITE_BUSY || (rc & 0xff) == SQLITE_PROTOCOL;
}

/* SQLite tries to read what it may not create, and reports that there is no
 * such file: true, with a better message, when it was the folder. */
static bool say_folder(const sq_db *db, uc_error *e)
{
    char folder[300];
    const char *slash = strrchr(db->e.target, '/');
    size_t n = slash == NULL ? 0 : (size_t)(slash - db->e.target);

    if (!db->e.opt.create || n >= sizeof folder ||
        access(db->e.target, F_OK) == 0)
        return false;
    snprintf(folder, sizeof folder, "%.*s", (int)n, db->e.target);
    if (n == 0)
        snprintf(folder, sizeof folder, "%s", slash == NULL ? "." : "/");
    if (access(folder, F_OK) != 0 || access(folder, W_OK | X_OK) == 0)
        return false;
    snprintf(e->message, sizeof e->message,
             "cannot make %.200s: the directory cannot be written by this "
             "user: %s",
             db->e.target, strerror(errno));
    return true;
}

/* waited: so far, in ns; until: no longer than that. */
static sq_conn *open_once(sq_db *db, sq_role role, int64_t waited,
                          int64_t until, uc_error *e)
{
    sq_conn *c = uc_calloc(1, sizeof *c);
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int rc;

    if (c == NULL) {
        uc_fail(e, UC_MEMORY, "no memory for a connection");
        return NULL;
    }
    c->db = db;
    c->role = role;
    uc_buf_init(&c->text, SIZE_MAX);
    if (db->e.opt.readonly)
        flags |= SQLITE_OPEN_READONLY;
    else
        flags |=
            SQLITE_OPEN_READWRITE |
            (db->e.opt.create && role == SQ_WRITER ? SQLITE_OPEN_CREATE : 0);
    rc = sqlite3_open_v2(db->memory ? ":memory:" : db->e.target, &c->h, flags,
                         NULL);
    if (rc != SQLITE_OK) {
        if (c->h != NULL) {
            int sys = sqlite3_system_errno(c->h);

            sq_fail(c, rc, e);
            if (!say_folder(db, e))
                snprintf(e->message, sizeof e->message,
                         "cannot open %.300s: %s%s%s", db->e.target,
                         sqlite3_errmsg(c->h), sys != 0 ? ": " : "",
                         sys != 0 ? strerror(sys) : "");
        } else {
            uc_fail(e, UC_MEMORY, "no memory for a connection");
        }
        sq_conn_close(c);
        return NULL;
    }
    sq_conn_wait(c, until);
    c->waited = waited;
    sqlite3_busy_handler(c->h, on_busy, c);
    sqlite3_progress_handler(c->h, PROGRESS_STEPS, on_progress, c);
    sq_conn_authorize(c);
    /* Without it a bound LIMIT is prepared anew at each execution. */
    sqlite3_db_config(c->h, SQLITE_DBCONFIG_ENABLE_QPSG, 1, NULL);
    sqlite3_db_config(c->h, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(c->h, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (!configure(c, e) || sq_cookie_install(c) != SQLITE_OK ||
        sq_uuid_install(c) != SQLITE_OK ||
        control(c, &c->begin, "begin") != SQLITE_OK ||
        control(c, &c->begin_now, "begin immediate") != SQLITE_OK ||
        control(c, &c->commit, "commit") != SQLITE_OK ||
        control(c, &c->rollback, "rollback") != SQLITE_OK ||
        control(c, &c->savepoint, "savepoint uc") != SQLITE_OK ||
        control(c, &c->release, "release uc") != SQLITE_OK ||
        control(c, &c->rollback_to, "rollback to uc") != SQLITE_OK) {
        if (e->code == NULL)
            sq_fail(c, sqlite3_extended_errcode(c->h), e);
        sq_conn_close(c);
        return NULL;
    }
    if (role == SQ_WRITER) {
        sqlite3_wal_autocheckpoint(c->h, 0);
        sqlite3_wal_hook(c->h, on_wal, db);
    }
    sq_conn_wait(c, 0);
    c->ready = true;
    sq_functions_install(db, c);
    uc_lock(&db->e.mu);
    c->next = db->conns;
    db->conns = c;
    uc_unlock(&db->e.mu);
    return c;
}

/*
 * Of several processes that open a new file together each reads that it is no
 * WAL yet and then wants to make it one. All but one are told at once that it
 * is busy, without being asked whether they want to wait, since each of them
 * holds a lock that another waits for. So everything is let go of, and begun
 * anew, as long as one would have waited.
 */
sq_conn *sq_conn_open(sq_db *db, sq_role role, uc_error *e)
{
    int64_t start = uc_now(), until = start + db->e.opt.busy_ms * UC_MS;
    int64_t waited = 0;

    for (;;) {
        struct timespec ts = {0, 500000 + rand() % 4000000};
        sq_conn *c;

        uc_error_init(e);
        if (sq_moved(db, true, e))
            return NULL;
        c = open_once(db, role, waited, until, e);
        if (c != NULL && sq_moved(db, true, e)) {
            sq_conn_close(c);
            return NULL;
        }
        if (c != NULL || !is_locked(e->native) || uc_now() >= until ||
            atomic_load(&db->e.quit))
            return c;
        nanosleep(&ts, NULL);
        waited = uc_now() - start;
    }
}

void sq_conn_close(sq_conn *c)
{
    if (c == NULL)
        return;
    uc_lock(&c->db->e.mu);
    for (sq_conn **p = &c->db->conns; *p != NULL; p = &(*p)->next) {
        if (*p == c) {
            *p = c->next;
            break;
        }
    }
    uc_unlock(&c->db->e.mu);
    sq_slots_free(c);
    sqlite3_finalize(c->begin);
    sqlite3_finalize(c->begin_now);
    sqlite3_finalize(c->commit);
    sqlite3_finalize(c->rollback);
    sqlite3_finalize(c->savepoint);
    sqlite3_finalize(c->release);
    sqlite3_finalize(c->rollback_to);
    for (unsigned i = 0; i < SQ_ONCE_STMTS; i++)
        sqlite3_finalize(c->once[i]);
    sqlite3_finalize(c->version);
    sqlite3_finalize(c->cookie);
    sqlite3_close_v2(c->h);
    uc_buf_fini(&c->text);
    uc_free(c);
}

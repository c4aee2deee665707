#include "data/sqlite/fresh.h"

#include <string.h>
#include <sys/random.h>

#include "data/sqlite/db.h"

/*
 * Whether anybody has written that the board has not heard of, without a lock,
 * a system call or a statement.
 *
 * The board counts the commits of this core. Those of other processes are found
 * by `pragma data_version` on the writer's connection, which changes for all
 * commits but the connection's own. That takes the writer's connection, and
 * nobody who reads wants to wait for that. So it is asked seldom, and what the
 * file looked like then is remembered:
 *
 *     known ── everything up to here is in the generations and in `others`
 *
 * What a file in WAL mode looks like are the 48 bytes at the beginning of the
 * WAL's index, which is shared memory: the number of commits, the length of the
 * WAL, its salts and checksums (sqlite.org/walformat.html, 2.1). Every commit
 * changes them, and they do not come again: SQLite itself takes them for proof
 * that the pages in its cache are still right. Whoever finds `known` there
 * knows that nobody has committed since.
 *
 * Where they differ, either a commit of ours is not told to the board yet, or
 * another process has written. Then the writer's connection is asked, if it is
 * free, and otherwise nothing is known: the data is read.
 *
 * A moment is taken before the snapshot that it stands for. So the data is
 * never older than the moment says. It may be newer, which does no harm: then
 * the next moment is another one.
 */

/* So long is the index's first part in shared memory, which has the header. */
enum { INDEX_PART = 32768, TRIES = 3 };

void sq_fresh_init(sq_db *db)
{
    sq_fresh *f = &db->fresh;

    uc_mutex_init(&f->mu);
    if (getrandom(&f->epoch, sizeof f->epoch, GRND_NONBLOCK) != sizeof f->epoch)
        f->epoch = (uint64_t)uc_wall_ms() << 20 ^ (uint64_t)uc_now() ^
                   (uint64_t)(uintptr_t)db;
}

void sq_fresh_fini(sq_db *db)
{
    uc_mutex_fini(&db->fresh.mu);
}

void sq_fresh_want(sq_db *db)
{
    atomic_store(&db->fresh.wanted, true);
}

/* ---- the index ---- */

/* Of a file in WAL mode that has been read; NULL where there is none. */
static const volatile uint32_t *map_index(sq_conn *w)
{
    sqlite3_file *file = NULL;
    void volatile *p = NULL;
    sqlite3_stmt *mode = NULL;
    bool is_wal =
        sqlite3_prepare_v2(w->h, "pragma main.journal_mode", -1, &mode, NULL) ==
            SQLITE_OK &&
        sqlite3_step(mode) == SQLITE_ROW &&
        sqlite3_stricmp((const char *)sqlite3_column_text(mode, 0), "wal") == 0;

    sqlite3_finalize(mode);
    if (!is_wal ||
        sqlite3_file_control(w->h, "main", SQLITE_FCNTL_FILE_POINTER, &file) !=
            SQLITE_OK ||
        file == NULL || file->pMethods == NULL ||
        file->pMethods->iVersion < 2 || file->pMethods->xShmMap == NULL)
        return NULL;
    /* 0: it is there, or it is not made. */
    if (file->pMethods->xShmMap(file, 0, INDEX_PART, 0, &p) != SQLITE_OK)
        return NULL;
    return (const volatile uint32_t *)p;
}

/*
 * There are two copies, of which a writer changes the second one first. Read in
 * the other order they are equal only where nobody was at it. Other processes
 * write here, and SQLite in this one: it is no race that a sanitizer could
 * know anything of.
 */
__attribute__((no_sanitize("thread"))) static bool
read_index(const volatile uint32_t *from, sq_index *to)
{
    for (int i = 0; i < SQ_INDEX_WORDS; i++)
        to->w[i] = from[i];
    __sync_synchronize();
    for (int i = 0; i < SQ_INDEX_WORDS; i++) {
        if (to->w[i] != from[SQ_INDEX_WORDS + i])
            return false;
    }
    __sync_synchronize();
    return true;
}

/* ---- the writer's connection; wconn_mu held ---- */

/* False: it is locked just now. */
static bool look(sq_db *db)
{
    sq_conn *c = db->writer;
    int64_t version;
    bool ok;

    if (c->version == NULL &&
        sqlite3_prepare_v3(c->h, "pragma data_version", -1,
                           SQLITE_PREPARE_PERSISTENT, &c->version,
                           NULL) != SQLITE_OK)
        return false;
    sq_conn_wait(c, 0);
    ok = sqlite3_step(c->version) == SQLITE_ROW;
    version = ok ? sqlite3_column_int64(c->version, 0) : c->seen;
    sqlite3_reset(c->version);
    if (version != c->seen) {
        uc_lock(&db->fresh.mu);
        db->fresh.others++;
        uc_unlock(&db->fresh.mu);
    }
    c->seen = version;
    return ok;
}

static bool is_between(const sq_db *db)
{
    return db->writer != NULL && sqlite3_get_autocommit(db->writer->h) != 0;
}

bool sq_others_wrote(sq_db *db)
{
    sq_fresh *f = &db->fresh;
    bool wrote;

    if (!is_between(db))
        return false;
    look(db);
    wrote = f->told_any && f->told != f->others;
    f->told_any = true;
    f->told = f->others;
    return wrote;
}

uint32_t sq_schema_number(sq_conn *c)
{
    sqlite3_stmt *stmt = NULL;
    uint32_t number = 0;

    if (sqlite3_prepare_v2(c->h, "pragma main.schema_version", -1, &stmt,
                           NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        number = (uint32_t)sqlite3_column_int(stmt, 0) + 1;
    sqlite3_finalize(stmt);
    return number;
}

static void forget(sq_fresh *f)
{
    uc_lock(&f->mu);
    f->sure = false;
    uc_unlock(&f->mu);
}

/* The state at which nobody has committed while it was looked at. */
static void learn_file(sq_db *db)
{
    sq_fresh *f = &db->fresh;
    sq_index before, after;

    forget(f);
    if (f->index == NULL)
        f->index = map_index(db->writer);
    for (int i = 0; i < TRIES && f->index != NULL; i++) {
        bool ok = read_index(f->index, &before) && look(db);
        uint32_t schema = ok ? sq_schema_number(db->writer) : 0;

        if (schema == 0 || !read_index(f->index, &after) ||
            memcmp(&before, &after, sizeof before) != 0)
            continue;
        uc_lock(&f->mu);
        f->known = after;
        f->schema = schema;
        f->sure = true;
        uc_unlock(&f->mu);
        return;
    }
}

static void learn(sq_db *db)
{
    uint32_t schema;

    if (!db->memory) {
        learn_file(db);
        return;
    }
    schema = sq_schema_number(db->writer); /* nobody else can write */
    uc_lock(&db->fresh.mu);
    db->fresh.schema = schema;
    db->fresh.sure = true;
    uc_unlock(&db->fresh.mu);
}

void sq_fresh_committed(sq_db *db)
{
    if (atomic_load_explicit(&db->fresh.wanted, memory_order_relaxed) &&
        is_between(db))
        learn(db);
}

/* ---- anybody ---- */

static bool is_known(sq_db *db)
{
    sq_fresh *f = &db->fresh;
    const volatile uint32_t *index;
    sq_index now;
    bool known;

    uc_lock(&f->mu);
    known = f->sure;
    index = f->index;
    uc_unlock(&f->mu);
    if (!known || db->memory)
        return known;
    /* Before `known`, which may be a later one then: that is another one. */
    if (!read_index(index, &now))
        return false;
    uc_lock(&f->mu);
    known = f->sure && memcmp(&now, &f->known, sizeof now) == 0;
    uc_unlock(&f->mu);
    return known;
}

/* Asks the writer's connection if it is free. In memory there is one, which is
 * the caller's. */
static void ask(sq_db *db)
{
    if (db->memory) {
        if (db->writer != NULL)
            learn(db);
    } else if (uc_trylock(&db->wconn_mu)) {
        if (is_between(db))
            learn(db);
        uc_unlock(&db->wconn_mu);
    }
}

bool sq_fresh_is_sure(sq_db *db)
{
    if (is_known(db))
        return true;
    ask(db);
    return is_known(db);
}

void sq_fresh_at(sq_db *db, sq_moment *m)
{
    sq_fresh *f = &db->fresh;

    *m = (sq_moment){0};
    if (!atomic_load_explicit(&f->wanted, memory_order_relaxed))
        return;
    /* An old moment would do no harm, but that its tag is never met again. */
    sq_fresh_is_sure(db);
    uc_lock(&f->mu);
    m->others = f->others;
    m->schema = f->schema;
    uc_unlock(&f->mu);
    uc_lock(&db->e.board.mu);
    m->gen = db->e.board.gen;
    uc_unlock(&db->e.board.mu);
}

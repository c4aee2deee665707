#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/mem.h"
#include "data/sqlite/db.h"
#include "data/sqlite/errcode.h"

/*
 * A file that is deleted, or replaced by another one, while it is open. The
 * connections that are open go on with the old one; one that is opened now
 * would take the new file together with the old one's WAL, which SQLite finds
 * by its name, and so would whoever opens the new file later. Hence the WAL
 * loses its name as soon as this is noticed, nothing is opened any more, and
 * every call says what has happened. What was committed is brought into the old
 * file at the end, which may only have been renamed.
 */

/* So often those look who cannot do harm. */
enum { LOOK_MS = 100 };

sq_file_id sq_file_id_of(const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return (sq_file_id){0, 0};
    return (sq_file_id){(uint64_t)st.st_dev, (uint64_t)st.st_ino};
}

/* False where nobody can tell, as when the folder may not be read just now. */
static bool is_gone(const sq_db *db)
{
    struct stat st;

    if (stat(db->e.target, &st) != 0)
        return errno == ENOENT || errno == ENOTDIR;
    return (uint64_t)st.st_ino != db->file.id.ino ||
           (uint64_t)st.st_dev != db->file.id.dev;
}

static void side_name(const sq_db *db, const char *end, char *out, size_t n)
{
    snprintf(out, n, "%s%s", db->file.name, end);
}

void sq_moved_begin(sq_db *db)
{
    const char *full = sqlite3_db_filename(db->writer->h, "main");
    char name[4200];
    int moved = 0;

    if (db->memory || full == NULL)
        return;
    /* SQLite's own: links are followed. */
    db->file.name = uc_strndup(full, strlen(full));
    if (db->file.name == NULL)
        return;
    db->file.id = sq_file_id_of(db->e.target);
    sqlite3_file_control(db->writer->h, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
    side_name(db, "-wal", name, sizeof name);
    db->file.wal = sq_file_id_of(name);
    side_name(db, "-shm", name, sizeof name);
    db->file.shm = sq_file_id_of(name);
    atomic_store(&db->file.looks, db->file.id.ino != 0 && moved == 0);
}

/* Takes its name from a file of ours; what has that name by now may be
 * another's. */
static void unname(sq_db *db, const char *end, sq_file_id id)
{
    char name[4200];

    side_name(db, end, name, sizeof name);
    if (id.ino != 0 && sq_file_id_same(sq_file_id_of(name), id))
        unlink(name);
}

bool sq_moved(sq_db *db, bool now, uc_error *e)
{
    if (!atomic_load_explicit(&db->file.looks, memory_order_acquire))
        return false;
    if (!atomic_load(&db->file.moved)) {
        int64_t at = uc_now_coarse();

        if (!now && at < atomic_load(&db->file.looked) + LOOK_MS * UC_MS)
            return false;
        atomic_store(&db->file.looked, at);
        if (!is_gone(db))
            return false;
        unname(db, "-wal", db->file.wal);
        unname(db, "-shm", db->file.shm);
        atomic_store(&db->file.moved, true);
    }
    sq_error(e, SQLITE_READONLY_DBMOVED);
    e->outcome = "not-run";
    snprintf(e->message, sizeof e->message,
             "%.300s was deleted or replaced while it was open: close its "
             "handles, or end its daemon, and open it again",
             db->e.target);
    return true;
}

bool sq_moved_replaced(const sq_db *db)
{
    sq_file_id id = sq_file_id_of(db->e.target);

    return id.ino != 0 && !sq_file_id_same(id, db->file.id);
}

void sq_moved_end(sq_db *db)
{
    uc_error e;

    if (db->writer != NULL && sq_moved(db, true, &e))
        sqlite3_wal_checkpoint_v2(db->writer->h, NULL,
                                  SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
}

#ifndef UC_CORE_DATA_SQLITE_MOVED_H
#define UC_CORE_DATA_SQLITE_MOVED_H

#include "data/sqlite/types.h"

/* A file of the file system; ino 0: none. */
typedef struct sq_file_id {
    uint64_t dev, ino;
} sq_file_id;

/* What is at a path, links followed; ino 0: nothing that can be seen. */
sq_file_id sq_file_id_of(const char *path);
static inline bool sq_file_id_same(sq_file_id a, sq_file_id b)
{
    return a.ino == b.ino && a.dev == b.dev;
}
/* The writer has opened the file: from here on it is the one. */
void sq_moved_begin(sq_db *db);
/* True, with *e filled, when that file is not at its path any more: nothing
 * more may be opened or written then. now: looks in any case, and not only
 * each so often. Any thread. */
bool sq_moved(sq_db *db, bool now, uc_error *e);
/* Of a file that has moved: another one is at its path. False where there is
 * none, or the same one has come back, whose WAL is still ours. Any thread. */
bool sq_moved_replaced(const sq_db *db);
/* Brings the WAL into the file, wherever that is; only the writer's connection
 * is left. */
void sq_moved_end(sq_db *db);

#endif

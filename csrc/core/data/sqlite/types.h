#ifndef UC_CORE_DATA_SQLITE_TYPES_H
#define UC_CORE_DATA_SQLITE_TYPES_H

#include "common/buf.h"
#include "common/clock.h"
#include "common/thread.h"
#include "data/engine.h"
#include "desk/session.h"
#include <sqlite3.h>

/* What all files of the engine know; db.h says how they belong together. */
typedef struct sq_db sq_db;
typedef struct sq_conn sq_conn;

static inline sq_db *sq_db_of(uc_engine *e)
{
    return (sq_db *)e;
}

enum { SQ_TAKE = 64, SQ_GROUP = 1024 }; /* calls taken at once */

#endif

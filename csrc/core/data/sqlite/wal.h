#ifndef UC_CORE_DATA_SQLITE_WAL_H
#define UC_CORE_DATA_SQLITE_WAL_H

#include "data/sqlite/conn.h"

/* True when a write may start; otherwise *e is UC_WAL_FULL. */
bool sq_wal_room(sq_db *db, uc_error *e);
bool sq_checkpoint(sq_conn *c, uc_call *call, uc_buf *out, uc_error *e);

/* The checkpoint that the hook has asked the keeper for. */
void sq_wal_tick(uc_engine *e);

#endif

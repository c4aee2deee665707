#ifndef UC_CORE_DATA_SQLITE_STATS_H
#define UC_CORE_DATA_SQLITE_STATS_H

#include "data/sqlite/conn.h"

void sq_stats(uc_engine *e, uint32_t id, uc_buf *out);
void sq_health(sq_db *db, sq_conn *c, uint32_t id, uc_buf *out);

#endif

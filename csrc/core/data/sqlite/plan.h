#ifndef UC_CORE_DATA_SQLITE_PLAN_H
#define UC_CORE_DATA_SQLITE_PLAN_H

#include "common/err.h"
#include "common/view.h"
#include "data/sqlite/types.h"

enum { SQ_PLAN_NAME = 128 };

/* Whether SQLite would read all of a table, or of an index, for the statement;
 * which one. False with *e: it has no plan. */
bool sq_plan_scans(sq_conn *c, uc_view sql, char table[SQ_PLAN_NAME],
                   uc_error *e);

#endif

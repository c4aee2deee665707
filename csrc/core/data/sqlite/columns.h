#ifndef UC_CORE_DATA_SQLITE_COLUMNS_H
#define UC_CORE_DATA_SQLITE_COLUMNS_H

#include "data/engine.h"
#include "data/sqlite/types.h"

/*
 * The columns of a route's statement, when routes are loaded.
 */

/* Whether they are what the tags of the route say. stmt: with all of its pieces
 * when `st` has no columns yet. False with *e, UC_ROUTE. */
bool sq_columns_fit(const uc_route *route, const uc_statement *st,
                    sqlite3_stmt *stmt, uc_error *e);
bool sq_columns_have(sqlite3_stmt *stmt, uc_view name);

#endif

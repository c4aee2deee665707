#ifndef UC_CORE_DATA_SQLITE_FUNC_H
#define UC_CORE_DATA_SQLITE_FUNC_H

#include "data/sqlite/conn.h"

typedef struct sq_function sq_function;

bool sq_function_add(uc_peer *p, const struct uc_fn_spec *spec,
                     const char **error);
/* Makes all functions of the db known to a connection. */
void sq_functions_install(sq_db *db, sq_conn *c);
bool sq_function_known(sq_db *db, const char *name, size_t len);
void sq_functions_drop(sq_db *db, const uc_peer *p);

#endif

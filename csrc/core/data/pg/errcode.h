#ifndef UC_CORE_DATA_PG_ERRCODE_H
#define UC_CORE_DATA_PG_ERRCODE_H

#include <stdbool.h>

#include "common/view.h"

/* The name of a SQLSTATE of five characters, and what is known of it; all
 * static. "PG_ERROR": it is not in the table, a function of somebody's made it.
 */
const char *pg_errcode(uc_view state, const char **kind, bool *retryable);

#endif

#ifndef UC_CORE_DATA_SQLITE_ERRCODE_H
#define UC_CORE_DATA_SQLITE_ERRCODE_H

#include <stdbool.h>

#include "common/err.h"

/*
 * SQLite's own name of a result code ("SQLITE_CONSTRAINT_UNIQUE"), our word
 * for its kind and whether doing the same again may help. Static strings; an
 * unknown extended code falls back to its primary one. See
 * sqlite.org/rescode.html.
 */
const char *sq_errcode(int rc, const char **kind, bool *retryable);
/* An error by that name, without a message. */
void sq_error(uc_error *e, int rc);

#endif

#ifndef UC_CORE_DESK_AUDIT_H
#define UC_CORE_DESK_AUDIT_H

#include "desk/call.h"

/*
 * Closes the reply of a call that begins at `at`, as uc__reply_close does. A
 * POST whose door wants to write a line of audit (`audit` among its facts) gets
 * what that door does not know, as JSON: {"route", "user", "params",
 * "changes"}. It stands behind the headers of an answer, and in an error as
 * `audit`. A key of once keeps the answer without it: who repeats it is another
 * line.
 */
void uc__call_close(const uc_call *c, uc_buf *out, size_t at);

#endif

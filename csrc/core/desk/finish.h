#ifndef UC_CORE_DESK_FINISH_H
#define UC_CORE_DESK_FINISH_H

#include "desk/call.h"

/* A call is over: publishes nothing. Takes and releases the engine's mu when
 * the session is closing. It is gone after this, unless it is a sync call. */
void uc__finish(uc_call *c);
/* The same for calls that a worker has had in hand, without parts. */
void uc__finish_all(uc_call **calls, uint32_t n);
/* Answers with an error and finishes. */
void uc__refuse(uc_call *c, const uc_error *e);
/* Publishes the reply that begins at `at` (uc__reply_open) or, unless ok, the
 * error in its place, and finishes. *out is empty then. */
void uc__answer(uc_call *c, uc_buf *out, size_t at, bool ok, const uc_error *e);

#endif

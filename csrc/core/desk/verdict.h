#ifndef UC_CORE_DESK_VERDICT_H
#define UC_CORE_DESK_VERDICT_H

#include "desk/call.h"
#include "desk/stmt.h"

/* Bytes of a key, at most: of a client's; and of what a request's becomes,
 * which has its route and its user in it. */
enum { UC_ONCE_KEY = 200, UC_ONCE_KEY_MOST = 1024 };

/* What is known of a call that ends with *e: "not-run" or "unknown". Where
 * it may have run and running it again would do more, it is not retryable. */
void uc__outcome(const uc_call *c, const char *outcome, uc_error *e);
/* Error of a call that was stopped. outcome: NULL is "not-run". */
void uc__stopped(uc_call *c, const char *outcome, uc_error *e);
/* True, with *e filled, when a call must not be begun any more. */
bool uc__call_over(uc_call *c, uc_error *e);
/* Of a call that may have run before, without a key to tell: only a read is run
 * again, anything else is refused with *e. cls: UC_CLASS_UNKNOWN passes, to be
 * asked about once it is known. */
bool uc__may_repeat(const uc_call *c, uc_class cls, uc_error *e);
/* True when the call may have a key; otherwise *e says why not. cls: of its
 * statement, UC_CLASS_UNKNOWN where that is not known yet. */
bool uc__once_allowed(const uc_call *call, uc_class cls, uc_error *e);
/* Fills *e for a call that would wait for a transaction that waits for it. */
bool uc__tx_self(uc_error *e);

#endif

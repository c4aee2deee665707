#ifndef UC_CORE_DESK_CANCEL_H
#define UC_CORE_DESK_CANCEL_H

#include "desk/call.h"
#include "desk/queue.h"

/* The op `cancel`. fresh: calls that are in no queue of the engine yet, or
 * NULL. Takes mu. */
void uc__cancel(uc_call *c, uc_queues *fresh);

#endif

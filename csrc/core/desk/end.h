#ifndef UC_CORE_DESK_END_H
#define UC_CORE_DESK_END_H

#include "data/engine.h"

/* The op `close`: when nothing else of the session is left, a thread of its own
 * ends the peer, and the engine if it was the last one, and answers. Under mu.
 */
void uc__end_in_order(uc_peer *p, uc_call *close_call);
/* Ends a peer of which no call is left, and its engine (in haste) with it. */
void uc__end_now(uc_peer *p);
/* Refuses a batch for a session whose database is closed. */
void uc__batch_closed(uc_batch *b);
/* Frees what is not started, or has stopped. */
void uc__engine_free(uc_engine *e);

#endif

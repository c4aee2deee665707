#ifndef UC_CORE_DESK_ROUTE_H
#define UC_CORE_DESK_ROUTE_H

#include "data/engine.h"

/* See uc_submit; the batch is the desk's from here on. */
void uc__peer_submit(uc_peer *p, uc_batch *b, unsigned hint);
/* Under mu: wakes a thread that routes what is in the inbox. hint: of
 * uc_submit. */
void uc__call_router(uc_engine *e, unsigned hint);
/* A session asks for nothing more: its transaction may have nobody left. */
void uc__wake_last(uc_engine *e);

#endif

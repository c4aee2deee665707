#ifndef UC_CORE_DESK_SYNC_H
#define UC_CORE_DESK_SYNC_H

#include "desk/call.h"
#include "desk/peer.h"

/* Runs c on this thread and appends its reply frame to out. */
void uc__sync(uc_peer *p, uc_call *c, uc_buf *out);

#endif

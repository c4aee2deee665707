#ifndef UC_CORE_DESK_INLINE_H
#define UC_CORE_DESK_INLINE_H

#include "desk/call.h"
#include "desk/peer.h"

/* Answers one of the inline ops, or fills *e; out is NULL for those without a
 * reply. Under route_mu. */
void uc__inline(uc_peer *p, uc_call *c, uc_buf *out, uc_error *e);

#endif

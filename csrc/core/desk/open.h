#ifndef UC_CORE_DESK_OPEN_H
#define UC_CORE_DESK_OPEN_H

#include "desk/options.h"
#include "desk/peer.h"

/* The session's side of the database that the target names, or NULL when memory
 * ran out. Returns at once; a failure to open (or `failed`, when the options
 * were bad) is the answer to every call. Takes what *o owns. */
uc_peer *uc__peer_open(struct uc_session *s, const char *target, uc_options *o,
                       const uc_error *failed);
/* The same on the database of a peer that is there. */
uc_peer *uc__peer_beside(struct uc_session *s, const uc_peer *of);

#endif

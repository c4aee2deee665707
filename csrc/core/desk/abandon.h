#ifndef UC_CORE_DESK_ABANDON_H
#define UC_CORE_DESK_ABANDON_H

#include "desk/peer.h"

/* Drops what is queued of a session, interrupts what runs and waits for it, but
 * not for ever: what does not stop ends the session by itself later. */
void uc__abandon(uc_peer *p);

#endif

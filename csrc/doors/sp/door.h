#ifndef UD_SP_DOOR_H
#define UD_SP_DOOR_H

#include "daemon/door.h"

/* The daemon's door for our own clients and for any REQ socket of nng: request
 * and reply frames of the core in messages of SP (WIRE.md). */
extern const ud_door ud_sp_door;

#endif

#ifndef UD_DOOR_H
#define UD_DOOR_H

#include "conn.h"

/* The requests that the door answers itself: `hello` and `door`. c->mu is
 * held; the answer is in c->own afterwards. */
void ud_hello(ud_conn *c, uint32_t sp, const sp_request *q, uc_view frame);
void ud_door(ud_conn *c, uint32_t sp, const sp_request *q);

#endif

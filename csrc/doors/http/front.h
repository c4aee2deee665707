#ifndef UD_HTTP_FRONT_H
#define UD_HTTP_FRONT_H

#include "daemon/config.h"
#include "daemon/dbs.h"
#include "daemon/front.h"

/*
 * HTTP as the daemon's front: its options, read. There is one in a process.
 * UD_OK, or an exit code, whose reason has been said.
 */
int ud_http_front(ud_front *front, const ud_config *config);

#endif

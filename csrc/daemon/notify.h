#ifndef UD_NOTIFY_H
#define UD_NOTIFY_H

#include "config.h"

/* Tells who started us that we serve: a line "ready" to --ready-fd, which is
 * closed then, and READY=1 to systemd. */
void ud_notify_ready(const ud_config *config);
void ud_notify_stopping(void);

#endif

#ifndef UD_LINES_H
#define UD_LINES_H

#include "config.h"
#include "log/desk.h"

/*
 * The log that the daemon keeps for its clients and itself (--log-dir): one for
 * all its databases. Its ring is called after the socket, so that the next
 * daemon on the socket takes up what this one has left, and knows which lines
 * of its clients are there already.
 */
typedef struct ud_lines ud_lines;

/* *out is NULL where no log is wanted. UD_OK or an exit code, whose reason has
 * been said. From here on ud_log and ud_say go into it as well. */
int ud_lines_open(const ud_config *config, ud_lines **out);
/* No session is served any more. l may be NULL. */
void ud_lines_close(ud_lines *l);

/* NULL without a log. */
uc_log_desk *ud_lines_desk(const ud_lines *l);
uc_log *ud_lines_log(const ud_lines *l);
void ud_lines_reopen(ud_lines *l);
/* Every few seconds, and soon again when it says true. */
bool ud_lines_tick(ud_lines *l);

#endif

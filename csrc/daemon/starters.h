#ifndef UD_STARTERS_H
#define UD_STARTERS_H

#include <stdbool.h>
#include <uv.h>

#include "config.h"

/*
 * The processes of --end-with: when one of them ends, so does the daemon.
 * Nobody else tells it: a signal for npm, or for a shell, is none for what
 * they have started.
 */

/* False, and said, when a value is no number of a process. */
bool ud_starters_check(const ud_config *config);

/*
 * Calls on_end(arg) on the loop, once for each that has ended; at once for
 * one that is gone already. Handles end with uv_walk and uv_close, what they
 * hold with ud_starters_free after that. A kernel that cannot be asked for
 * the end of a process (pidfd_open, 5.3) is asked once a second.
 */
void ud_starters_watch(const ud_config *config, uv_loop_t *loop,
                       void (*on_end)(void *arg, int pid), void *arg);
void ud_starters_free(void);

#endif

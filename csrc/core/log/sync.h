#ifndef UC_CORE_LOG_SYNC_H
#define UC_CORE_LOG_SYNC_H

#include <stdbool.h>

/*
 * A thread that waits for the disk, so that the one which drains the rings does
 * not: an fdatasync can take as long as a ring takes to fill. Used by one
 * thread.
 */
typedef struct uc_logsync uc_logsync;

/* NULL: no memory or no thread. */
uc_logsync *uc__logsync_start(void);
/* After the sync that is running, if any; closes what was handed over. s may be
 * NULL. */
void uc__logsync_stop(uc_logsync *s);

/* Syncs fd, which stays the caller's and open until it is handed over or the
 * thread has stopped. Waits only when a full queue of files is before it. */
void uc__logsync_want(uc_logsync *s, int fd);
/* The same with the file's size and times, and closes it. */
void uc__logsync_last(uc_logsync *s, int fd);
/* Until all that was asked for is done. */
void uc__logsync_wait(uc_logsync *s);
/* errno of a sync that failed since the last call, or 0. */
int uc__logsync_error(uc_logsync *s);

#endif

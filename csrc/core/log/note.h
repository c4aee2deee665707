#ifndef UC_CORE_LOG_NOTE_H
#define UC_CORE_LOG_NOTE_H

#include "log/log.h"

/*
 * Puts a line of our own: {"level":…,"time":…,"pid":…,"hostname":…,"name":…,
 * "msg":…}. name: who says it, ASCII. Does not wait: a full ring drops it. Any
 * thread.
 */
__attribute__((format(printf, 4, 5))) void
uc_log_note(uc_log *log, int level, const char *name, const char *fmt, ...);

#endif

#ifndef UC_CORE_LOG_NOTE_H
#define UC_CORE_LOG_NOTE_H

#include "common/view.h"
#include "log/log.h"

/*
 * Puts a line of our own: {"level":…,"time":…,"pid":…,"hostname":…,"name":…,
 * "msg":…}. name: who says it, ASCII. Does not wait: a full ring drops it,
 * which is counted. Any thread.
 */
__attribute__((format(printf, 4, 5))) void
uc_log_note(uc_log *log, int level, const char *name, const char *fmt, ...);

/* The same with more fields in front of the message: JSON, each with a comma
 * behind it. */
void uc_log_note_with(uc_log *log, int level, const char *name,
                      const char *fields, const char *msg);

/* A statement that took ns: with its text, unless sql.p is NULL, the operation,
 * its rows where they are known and the ids of its trace. */
struct uc_call;
void uc_log_note_slow(uc_log *log, const struct uc_call *call, uc_view sql,
                      int64_t ns);

/* s as the inside of a JSON string, cut at a character where it has more than
 * most bytes; `to` has room for six times as much and a 0. What is no UTF-8
 * becomes '?'. */
void uc_log_escape(char *to, const char *s, size_t len, size_t most);

#endif

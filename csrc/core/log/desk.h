#ifndef UC_CORE_LOG_DESK_H
#define UC_CORE_LOG_DESK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "desk/call.h"
#include "log/log.h"

struct uc_session;

/*
 * The log as the clients of a daemon see it: one desk for the sessions of all
 * its databases. It takes the lines that clients have numbered, knows the level
 * that holds for all of them, and has what stands: who waits for another level,
 * and who for a flush.
 *
 * A mutex guards all of it, outside of session.mu and of the log's own; it is
 * held while lines are copied, and while a step of a spool is read (spool.h).
 */
typedef struct uc_log_desk uc_log_desk;

/*
 * dir: of the log, as clients are told it. The log has to stay open until
 * uc_log_desk_end. NULL when memory ran out; else a reference of the caller's.
 */
uc_log_desk *uc_log_desk_new(uc_log *log, const char *dir);
void uc_log_desk_ref(uc_log_desk *d);
/* d may be NULL. */
void uc_log_desk_unref(uc_log_desk *d);
/* The log is about to be closed: every call is answered with UC_CLOSED from
 * here on. */
void uc_log_desk_end(uc_log_desk *d);
/* Takes in what clients have left in spools, if there may be any, a small step
 * of it. To be called before the first client is served, every few seconds, and
 * within a few milliseconds when it says true: there is more. */
bool uc_log_desk_tick(uc_log_desk *d);

/* From here on statements that take at least so long, in nanoseconds, become
 * lines of the log; 0: none do. Before the first session. */
void uc_log_desk_slow(uc_log_desk *d, int64_t ns);

/*
 * A call of a session is over, between its arrival and now: a line if that was
 * long. sql: its text, p NULL when it has none. Cheap where nobody asked for
 * such lines. Any thread, without locks; the call is still there.
 */
void uc_log_slow(const uc_call *call, uc_view sql);

/*
 * Runs one op of the lane LOG and appends its reply frame, which may be an
 * error's; the call is not finished. The session's desk may be NULL. False:
 * nothing was appended, the reply will be published to the session; only with
 * may_stand, otherwise what would have to stand is an error. Any thread, one at
 * a time for a session.
 */
bool uc_log_call(uc_call *call, bool may_stand, uc_buf *out);

/* Ends a standing call of the session with UC_ABORTED, or UC_TIMEOUT. */
void uc_log_cancel(struct uc_session *s, uint32_t id, bool timed_out);
/* The session closes: its standing calls end with UC_CLOSED. */
void uc_log_session_close(struct uc_session *s);
/* It is not to be answered any more. What its client has left in a spool is
 * taken in. May be repeated. */
void uc_log_session_end(struct uc_session *s);

#endif

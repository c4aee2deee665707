#ifndef UC_CORE_DATA_PG_REPLY_H
#define UC_CORE_DATA_PG_REPLY_H

#include "data/pg/work.h"

/* What answer.c does with the replies of calls: reply.c. */

/* An error goes out as the answer of a call, which is not over by that. */
void pg_reply_tell(pg_conn *c, pg_flight *f, const uc_error *e);
/* A call fails with an error, once. */
void pg_reply_fail(pg_conn *c, pg_flight *f, const uc_error *e);
/* Its reply begins in c->row. */
void pg_reply_begin(pg_conn *c, const pg_step *s);
/* What a write answers: how many rows it changed. */
void pg_reply_run(uc_buf *b, uint32_t id, int64_t changes);
/* The reply is complete, and the call over. */
void pg_reply_finish(pg_conn *c, pg_flight *f);
/* A write has run: its reply waits for the commit. */
void pg_reply_hold(pg_conn *c, pg_flight *f);
/* One with a key has run. */
void pg_reply_ran(pg_conn *c, pg_flight *f);
/* A statement of its own, of one with a key, has come to its end. */
void pg_reply_keyed(pg_conn *c, pg_flight *f);
/* What waited for the commit goes out. */
void pg_reply_settle(pg_conn *c);
/* Writes up to this one share no transaction. */
void pg_reply_singly(pg_db *db, const pg_flight *f);
/* The commit did not come: what waited for it is run again, each by itself.
 * Returns how many there were, with 1 *only is to blame and still the caller's.
 */
unsigned pg_reply_undo(pg_conn *c, pg_flight **only);

#endif

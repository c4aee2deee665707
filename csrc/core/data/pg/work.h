#ifndef UC_CORE_DATA_PG_WORK_H
#define UC_CORE_DATA_PG_WORK_H

#include "data/pg/db.h"

/*
 * What the files of the engine do for each other. All of it is of the thread of
 * the database, but where it says otherwise. Who may call whom:
 *
 *   io ─> receive ─> answer ─┐
 *    └──> lost ──────────────┼─> tx ─> lanes ─> lease ─> bind ─> step
 *                            └─────────> start <─ dial <─┘ └───> conn, bell
 */

/* ---- flights: step.c ---- */

/* A call that has been taken from its queue. NULL: no memory. */
pg_flight *pg_flight_new(pg_db *db, uc_call *call);
/* It is over, and its reply, if any, is on its way. */
void pg_flight_end(pg_db *db, pg_flight *f);
/* At the end of a turn: their replies have gone out. */
void pg_calls_finish(pg_db *db);
/* Answers with an error and ends it. */
void pg_flight_fail(pg_db *db, pg_flight *f, const uc_error *e);
/* The same for a call that is no flight. */
void pg_call_fail(pg_db *db, uc_call *call, const uc_error *e);
bool pg_step_push(pg_conn *c, pg_step step);
/* The last ones are not wanted after all. */
void pg_step_drop(pg_conn *c, uint32_t n);
/* A step that will not be done: what it prepared is not there. */
void pg_unprepared(pg_conn *c, const pg_step *s);
pg_step *pg_step_first(pg_conn *c);
void pg_step_pop(pg_conn *c);
/* Whose step is the first one before the next Sync, our own left out; NULL:
 * nobody's. The server says nothing of it before that Sync. */
const pg_flight *pg_step_flight(const pg_conn *c);

/* A flight of a call that may begin; NULL: it has been answered. */
pg_flight *pg_flight_of(pg_db *db, uc_call *call);

/* ---- what it sends: receive.c, answer.c ---- */

void pg_conn_receive(pg_conn *c);
/* The same after a pause: some may have come before it. */
void pg_conn_resume(pg_conn *c);
/* A message of a connection that is in use. False with *e: it is none that may
 * come now. */
bool pg_answer(pg_conn *c, const pg_msg *m, uc_error *e);
/* A row is larger than any reply may be: its call fails. False: none is waited
 * for. */
bool pg_row_too_large(pg_conn *c);
/* What is complete goes to its session. */
void pg_publish(pg_conn *c);

/* ---- once more: again.c ---- */

/* Its statement came to its end: how long it took, as far as can be told. */
void pg_took(pg_conn *c, const pg_flight *f);
/* It is stopped while the server may be at it: it took so long at least. */
void pg_given_up(const pg_flight *f);
/* A call goes back: it did nothing wrong, or did it where it may not. */
void pg_again(pg_db *db, pg_flight *f);
/* A read that has been sent is sent elsewhere as well; what its connection
 * answers is dropped. */
void pg_move(pg_db *db, pg_flight *f);
/* A writer is at one write for long, or not any more. */
void pg_stuck(pg_db *db, pg_conn *c, bool is);
/* The same for one that failed, where that may be mended by running it again,
 * maybe elsewhere. */
bool pg_retries(pg_conn *c, pg_flight *f, const uc_error *e);

/* ---- calls as messages: bind.c ---- */

/* Appends what runs the flight's statement, or all of them, and its steps.
 * False with *e, and nothing appended. */
bool pg_bind(pg_conn *c, pg_flight *f, uc_error *e);
/* What has no rows is not run to find out: false with *e (UC_SQL_NO_ROWS, or
 * what is wrong with the statement). */
bool pg_may_have_rows(pg_conn *c, pg_flight *f, uc_error *e);
/* A statement of our own that was prepared under that name. */
void pg_execute(pg_conn *c, const char *name);
/* Begins a transaction. flushes: its commit does, where it has written
 * something; so it is no barrier for others. shared: several INSERTs may be in
 * it, and what is deferred is found at each. */
void pg_open_group(pg_conn *c, bool flushes, bool shared);
/* durable: what has been committed by it is flushed then. */
void pg_sync(pg_conn *c, bool durable);
/* The same of a barrier. */
void pg_sync_all(pg_conn *c);
/* Appends a Query. */
bool pg_query(pg_conn *c, pg_flight *f, const char *text);

/* ---- what changes: feed.h, gate.c ---- */

/* Behind writes on the writer, before their Sync. */
void pg_mark(pg_conn *c);
/* A transaction, with its Sync, that flushes all commits before it. */
void pg_barrier(pg_conn *c);
/* In a transaction, before its COMMIT; false: no memory. */
bool pg_mark_query(pg_conn *c);
/* One has run. written: there was something to be marked. */
void pg_marked(pg_conn *c, uint64_t mark, bool written);
/* What waits on the connection, if anything, is committed, and flushed as it
 * should be: the cache and the board are told now, or (true) its replies go out
 * when the feed has come there. */
bool pg_committed(pg_conn *c);
/* The same of what is committed alone. */
void pg_acked(pg_conn *c);

/* ---- what is not wanted any more: cancel.c ---- */

/* Asks the server to stop what it does for the connection, which may be lost
 * right after that. */
void pg_cancel_begin(pg_conn *c);
void pg_cancel_event(pg_db *db, pg_cancel *x);
void pg_cancel_forget(pg_conn *c);
int64_t pg_cancels_late(pg_db *db, int64_t now);
void pg_cancels_free(pg_db *db);

/* ---- lanes ---- */

/* Whether the session has writes that are not done, with a number below that.
 * Under e.mu. */
bool pg_writes_before(const pg_db *db, const uc_session *s, uint64_t wseq);
void pg_reads(pg_db *db);
void pg_writes(pg_db *db);
void pg_txs(pg_db *db);
/* Who waits for a connection of its own gets one, as far as there are. */
void pg_begins(pg_db *db);
/* Answers calls that are not wanted any more, and ends what is too late.
 * Returns when to look again, 0: when something happens. */
int64_t pg_late(pg_db *db, int64_t now);
/* One call of a statement on c; it is answered where it cannot be begun. */
void pg_run(pg_conn *c, uc_call *call);
/* The transaction with that number, or NULL. Under e.mu. */
pg_tx *pg_tx_of(const pg_db *db, uint64_t id);
/* The transaction of a connection has ended. */
void pg_tx_over(pg_conn *c);
/* It has gone with its connection: who goes on with it hears why. */
void pg_tx_lost(pg_conn *c, const uc_error *e);
/* One of its statements failed; an error that is only due to an earlier one
 * says which that was. */
void pg_tx_failed(pg_conn *c, uc_error *e);
/* The error of a commit that was none. */
void pg_tx_rolled_back(const pg_tx *t, uc_error *e);
void pg_begins_push(pg_db *db, pg_flight *f);
/* Whether it is the first part of rows that have a transaction of their own. */
bool pg_starts_stream(const uc_call *call);
void pg_begins_fail(pg_db *db, const uc_error *e);
void pg_slow_fail(pg_db *db, const uc_error *e);
int64_t pg_txs_late(pg_db *db, int64_t now);

/* ---- the thread: io.c, lost.c, bell.c ---- */

bool pg_io_start(pg_db *db);
/* Does what follows from connections that are dead, and frees them. */
void pg_lost(pg_db *db);
bool pg_bell_open(pg_db *db);
void pg_bell_heard(pg_db *db);
/* Wakes the thread. Any thread. */
void pg_ring(pg_db *db);

/* ---- cursors and snapshots: lease.c ---- */

void pg_lease_call(pg_db *db, uc_call *call);
/* What waited for the end of a cancel. */
void pg_leases_go_on(pg_db *db);
/* On a connection that it has for itself. False with *e. */
bool pg_lease_begin(pg_conn *c, pg_flight *f, uc_error *e);
/* Within the transaction of a client. */
bool pg_cursor_in(pg_conn *c, pg_flight *f, uc_error *e);
/* A page has so many bytes. */
void pg_lease_paged(pg_flight *f, size_t bytes);
/* It has ended: what it was for is counted, once. */
void pg_lease_count(pg_lease *l);
void pg_lease_free(uc_engine *e, uc_lease *l);
void pg_leases_sweep(pg_db *db);
void pg_leases_lost(pg_conn *c);
/* The Execute of a portal that is there; false: no memory. */
bool pg_bind_page(pg_conn *c, pg_flight *f, pg_lease *l);

/* ---- values: cells.c ---- */

/* Whether values of a type come in binary when they may. */
bool pg_is_binary(uint32_t oid);
/* Appends a row in the form that the flight asks for. False: no memory or too
 * large, as the buffer says, or (*bad) nonsense. */
bool pg_row(pg_conn *c, const pg_step *s, uc_view body, bool *bad);

/* ---- what it says of itself: stats.c ---- */

void pg_stats(uc_engine *e, uint32_t id, uc_buf *out);
/* The reply to a `health` that has come back from the server. */
void pg_health(const pg_conn *c, const pg_flight *f, uc_buf *out);
/* To the error of a call that has waited too long: that there was no
 * connection, and why. Any thread. */
void pg_waited(uc_engine *e, uc_error *err);
/* One execution of a statement is over. */
void pg_stat_add(uc_stmt *s, int64_t ns, uint64_t rows, bool ok);

/* ---- errors: error.c ---- */

void pg_error(uc_error *e, uc_view body);
/* Whether the connection ends with that error, e, of the message: the server
 * stops or gives it up, or a pooler has lost the server (pgbouncer says 08P01,
 * of old as an ERROR). */
bool pg_is_end(const pg_conn *c, const uc_error *e, uc_view body);
/* Its offset is the server's position until then: a byte of the caller's text
 * from then on, or -1. f: NULL, one of our own. */
void pg_place(uc_error *e, const pg_flight *f);
bool pg_nonsense(uc_error *e, const char *what);
void pg_lost_error(const pg_db *db, uc_error *e, const char *why);

#endif

#ifndef UC_CORE_DATA_PG_COPY_H
#define UC_CORE_DATA_PG_COPY_H

#include "data/pg/work.h"

/* What takes a connection for many calls: migrations and COPY. */

/* ---- migrations: migrate.c ---- */

/* On a connection that it has for itself, which ends with it. False with *e. */
bool pg_migrate_begin(pg_conn *c, pg_flight *f, uc_error *e);
/* What it was at has failed. position: the server's, 0: it has given none. */
void pg_migrate_failed(pg_conn *c, const uc_error *e, int position);
/* The server is ready for more. False: there is more. Otherwise it is over,
 * and *e says why where it has failed. */
bool pg_migrate_over(pg_conn *c, pg_flight *f, uc_error *e);
/* The connection goes with it. */
void pg_migrate_end(pg_conn *c);

/* ---- COPY: copy.c ---- */

/* One is under way, or this is a call of one. */
bool pg_copy_takes(const pg_conn *c, const uc_call *call);
/* A call on a connection of a transaction. */
void pg_copy_call(pg_conn *c, uc_call *call);
/* A message while one is under way. False with *e. */
bool pg_copy_answer(pg_conn *c, const pg_msg *m, uc_error *e);
/* Why it has failed. */
uc_error *pg_copy_error(pg_conn *c);
/* Once a turn: what was sent is answered, and what was stopped let go. */
void pg_copy_look(pg_conn *c);
/* The connection is lost: the calls that wait are told. */
void pg_copy_lost(pg_conn *c, const uc_error *why);
void pg_copy_free(pg_conn *c);

#endif

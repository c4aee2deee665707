#ifndef UC_CORE_DATA_PG_POOL_H
#define UC_CORE_DATA_PG_POOL_H

#include "data/pg/work.h"

/*
 * How many connections there are, for what, and for how long: at most poolMax,
 * begun when they are wanted, ended after poolIdleTimeoutMs without work and
 * after about poolLifetimeMs in any case, when what is under way on them is
 * over. One can always be had for each role: reads, writes, transactions.
 */

/* The connection of a role that has least to do and is ready, or NULL; one is
 * begun where there is none, or too few. */
pg_conn *pg_pick(pg_db *db, pg_role role);
/* A reader that nobody else is on, or NULL; the same. */
pg_conn *pg_pick_alone(pg_db *db);
/* Ends those that are idle, or old. Returns when to look again, 0: never. */
int64_t pg_pool_late(pg_db *db, int64_t now);
/* Counts them for stats(). Under e.mu. */
void pg_count(pg_db *db);

#endif

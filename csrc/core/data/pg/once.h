#ifndef UC_CORE_DATA_PG_ONCE_H
#define UC_CORE_DATA_PG_ONCE_H

#include "data/pg/work.h"
#include "desk/once.h"

/* Writes with a key: once.c. */

typedef enum pg_once_phase {
    PG_ONCE_CLAIM,
    PG_ONCE_KEEP,
    PG_ONCE_FIND
} pg_once_phase;

/* What pg_flight.once is; step.c frees it with the flight. */
struct pg_once {
    pg_once_phase phase;
    bool found;
    uc_once_hash hash, first; /* first: of who used the key before */
    uc_buf answer;            /* a reply frame: to be kept, or found */
};

/* Sends the first turn of one; pg_once_sent when no more come with it. */
void pg_once_run(pg_conn *c, uc_call *call);
void pg_once_sent(pg_conn *c);
/* Its statements have run, and the reply stands in c->row. False with *e: it
 * cannot be kept. */
bool pg_once_ran(pg_conn *c, pg_flight *f, uc_error *e);
/* After that: the second turn, if it was the last of the first. */
void pg_once_next(pg_conn *c);
/* A row, and the end, of one of its own statements. */
void pg_once_row(const pg_flight *f, uc_view body);
typedef enum pg_once_end {
    PG_ONCE_GOES_ON,
    PG_ONCE_RAN,      /* there were no rows to be written */
    PG_ONCE_ANSWERED, /* its reply stands in c->row: not closed */
    PG_ONCE_AGAIN,
    PG_ONCE_FAILED /* with *e */
} pg_once_end;
pg_once_end pg_once_done(pg_conn *c, pg_flight *f, uc_error *e);
/* An error in the first turn. ours: of its own statements. False: f fails with
 * *e; otherwise it goes on. */
bool pg_once_failed(pg_conn *c, pg_flight *f, bool ours, uc_error *e);
/* The first turn failed by nobody's fault: all of it begins again. */
void pg_once_undone(pg_conn *c);
/* The connection has gone: the flights of the first turn are the caller's. */
void pg_once_lost(pg_conn *c);

#endif

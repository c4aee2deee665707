#ifndef UC_CORE_DATA_SQLITE_WRITE_H
#define UC_CORE_DATA_SQLITE_WRITE_H

#include "data/sqlite/exec.h"

typedef enum sq_owner { SQ_FREE, SQ_BY_THREAD, SQ_BY_SYNC } sq_owner;

/* ---- writer.c ---- */
/* The writer thread after the file has been opened, until the db stops. */
void sq_writer_loop(sq_db *db);
/* Runs one write call in its own transaction on the calling thread, which
 * owns the writer and holds wconn_mu. Appends its reply. */
void sq_write_one(sq_db *db, uc_call *call, uc_buf *out);
/* ---- alone.c ---- */
/* Makes sure that the class of a call's statement is known; wconn_mu held. */
bool sq_call_class(sq_db *db, uc_call *call, uc_class *cls, uc_error *e);
/* What runs between groups: VACUUM, pragmas, restore, migrations. */
bool sq_alone(sq_conn *c, uc_call *call, uc_buf *out, uc_error *e);
/* It cannot be in a transaction. */
bool sq_is_alone(sq_db *db, uc_call *call, uc_class cls);

/* ---- unit.c ---- */
/* One unit of writing inside an open transaction; undone alone on failure. */
bool sq_unit(sq_conn *c, uc_call *call, uc_buf *out, uc_error *e);
bool sq_many_rows(sq_conn *c, uc_stmt *sql, uc_reader *r, uint64_t first,
                  sq_run *sum, uc_error *e);

/* ---- tx.c ---- */
/* The first chunk of several of a `many`. */
bool sq_is_stream(uc_call *call);
/* What begins a transaction, or a snapshot of :memory:, which is one. */
bool sq_is_tx(const uc_call *call);
/* Runs a transaction of a client, or a stream, from `call`, which begins it,
 * to its end. The writer's thread, with wconn_mu, which is free meanwhile. */
void sq_run_tx(sq_db *db, uc_worker *self, uc_call *call, uc_buf *out);

/* The outcome of what a COMMIT that failed with SQLite's code rc was to keep:
 * after a failed sync nobody can say what has reached the disk. */
static inline const char *sq_commit_outcome(int rc)
{
    return (rc & 0xff) == SQLITE_IOERR && rc != SQLITE_IOERR_NOMEM ? "unknown"
                                                                   : "not-run";
}
/* Starts, ends a transaction there; used by both sides. by: whose it is. */
bool sq_tx_start(sq_db *db, uc_error *e);
bool sq_tx_finish(sq_db *db, const uc_session *by, bool commit, uc_error *e);
/* One call inside the open transaction. */
bool sq_tx_call(sq_db *db, uc_call *call, uc_buf *out, uc_error *e);

#endif

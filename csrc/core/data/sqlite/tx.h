#ifndef UC_CORE_DATA_SQLITE_TX_H
#define UC_CORE_DATA_SQLITE_TX_H

#include "data/sqlite/db.h"

/* ---- tx.c ---- */
/* The first chunk of several of a `many`. */
bool sq_is_stream(uc_call *call);
/* What begins a transaction, or a snapshot of :memory:, which is one. */
bool sq_is_tx(const uc_call *call);
/* Runs a transaction of a client, or a stream, from `call`, which begins it,
 * to its end. The writer's thread, with wconn_mu, which is free meanwhile. */
void sq_run_tx(sq_db *db, uc_worker *self, uc_call *call, uc_buf *out);

/* ---- writer.c ---- */
/* It cannot be in a transaction. */
bool sq_is_alone(sq_db *db, uc_call *call, uc_class cls);

#endif

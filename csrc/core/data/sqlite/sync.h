#ifndef UC_CORE_DATA_SQLITE_SYNC_H
#define UC_CORE_DATA_SQLITE_SYNC_H

#include "data/sqlite/conn.h"

typedef struct sq_peer {
    uc_peer p; /* first */
    /* sync side: the session's thread only */
    sq_conn *sync_conn;
    bool turn_open;
    int64_t turn_until;
    uint64_t turn_wseq, turn_tx; /* the last of its own that the turn sees */
    uint64_t sync_tx;            /* id of the sync transaction it holds, or 0 */
} sq_peer;

void sq_sync(uc_peer *p, uc_call *c, uc_buf *out, uc_error *e);
void sq_turn_end(uc_peer *p);
/* Ends what the session's thread holds (transaction, snapshot, connection). */
void sq_sync_release(sq_peer *p);

#endif

#include <stdio.h>
#include <string.h>

#include "data/sqlite/db.h"
#include "data/sqlite/wal.h"
#include "wire/writer.h"

/*
 * The WAL: how large it may become, and its checkpoints, which the keeper makes
 * when nobody has to wait for them.
 */

enum { WAL_RESTART_MS = 100, WAL_ROOM_MS = 200 };

void sq_wal_tick(uc_engine *engine)
{
    sq_db *db = sq_db_of(engine);
    int64_t bytes = atomic_load(&db->wal.bytes);
    int mode = SQLITE_CHECKPOINT_PASSIVE;
    uc_error e = {0};

    if (db->wal.keeper == NULL)
        db->wal.keeper = sq_conn_open(db, SQ_KEEPER, &e);
    if (db->wal.keeper == NULL)
        return;
    /* Passive never stops anybody and cannot make a busy WAL small; once it
     * is large, wait a moment for the readers to let go. */
    if (bytes >= 4 * db->e.opt.wal_checkpoint)
        mode = SQLITE_CHECKPOINT_RESTART;
    sq_conn_wait(db->wal.keeper, uc_now() + WAL_RESTART_MS * UC_MS);
    uc_lock(&db->wal.mu);
    /* Its two counts are read from the WAL index after its locks were given
     * back, while the writer may begin the WAL anew: not asked for. */
    sqlite3_wal_checkpoint_v2(db->wal.keeper->h, NULL, mode, NULL, NULL);
    uc_unlock(&db->wal.mu);
    atomic_fetch_add(&db->wal.checkpoints, 1);
    uc_lock(&db->e.mu);
    db->wal.next = bytes + db->e.opt.wal_checkpoint;
    uc_unlock(&db->e.mu);
}

bool sq_wal_room(sq_db *db, uc_error *e)
{
    const char *who = "another process, or a reader that is at work";

    if (sq_moved(db, true, e))
        return false;
    while (atomic_load(&db->wal.bytes) >= db->e.opt.wal_cap) {
        int rc;

        /* SQLite says busy at once while another checkpoint runs. Wait for
         * readers once; from then on look without waiting, so that what has
         * queued is not refused one group at a time. */
        uc_lock(&db->wal.mu);
        sq_conn_wait(db->writer,
                     uc_now() + (db->wal.stuck ? 0 : WAL_ROOM_MS * UC_MS));
        rc = sqlite3_wal_checkpoint_v2(db->writer->h, NULL,
                                       SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
        uc_unlock(&db->wal.mu);
        if (rc == SQLITE_OK) {
            atomic_store(&db->wal.bytes, 0);
            break;
        }
        if (uc__leases_end(&db->e, UC_LEASES_OLDEST, NULL, "WAL") == 0) {
            db->wal.stuck = true;
            uc_lock(&db->e.mu);
            if (uc__leases_oldest(&db->e) != NULL)
                who = "a cursor or snapshot of this process that is at work";
            uc_unlock(&db->e.mu);
            uc_fail(e, UC_WAL_FULL,
                    "the WAL has reached walCapBytes (%lld) and cannot be "
                    "checkpointed: %s holds an old snapshot",
                    (long long)db->e.opt.wal_cap, who);
            e->outcome = "not-run";
            return false;
        }
    }
    db->wal.stuck = false;
    return true;
}

bool sq_checkpoint(sq_conn *c, uc_call *call, uc_buf *out, uc_error *e)
{
    static const struct {
        const char *name;
        int mode;
    } modes[] = {{"passive", SQLITE_CHECKPOINT_PASSIVE},
                 {"restart", SQLITE_CHECKPOINT_RESTART},
                 {"truncate", SQLITE_CHECKPOINT_TRUNCATE}};
    uc_reader r = call->args;
    uc_view name;
    int log = 0, done = 0, rc;

    if (!uc_read_str(&r, &name))
        return uc_fail(e, UC_FRAME, "checkpoint takes a mode");
    for (unsigned i = 0; i < 3; i++) {
        if (!uc_view_is(name, modes[i].name))
            continue;
        sq_conn_wait(c, 0);
        uc_lock(&c->db->wal.mu);
        rc = sqlite3_wal_checkpoint_v2(c->h, NULL, modes[i].mode, &log, &done);
        uc_unlock(&c->db->wal.mu);
        if (rc != SQLITE_OK)
            return sq_fail(c, rc, e);
        if (modes[i].mode == SQLITE_CHECKPOINT_TRUNCATE)
            atomic_store(&c->db->wal.bytes, 0);
        uc_reply_begin(out, call->id, UC_REPLY_VALUE, 3);
        uc_pack_map(out, 2);
        uc_pack_str(out, "pages");
        uc_pack_int(out, log);
        uc_pack_str(out, "checkpointed");
        uc_pack_int(out, done);
        return true;
    }
    return uc_fail(e, UC_FRAME,
                   "checkpoint: expected passive, restart or truncate");
}

#ifndef UC_CORE_DATA_SQLITE_DB_H
#define UC_CORE_DATA_SQLITE_DB_H

#include "data/sqlite/exec.h"
#include "data/sqlite/fresh.h"
#include "data/sqlite/func.h"
#include "data/sqlite/moved.h"
#include "data/sqlite/once.h"
#include "data/sqlite/read.h"
#include "data/sqlite/touch.h"
#include "data/sqlite/write.h"

/*
 * The SQLite engine: one sq_db owns one file of the process.
 *
 *   queues ─┬─> reads ──> reader threads (n)
 *           ├─> writes ─> writer thread (1), group commit
 *           ├─> tx ─────> the same, while a transaction is open
 *           └─> leases    cursors, snapshots, backups, on connections of their
 *                         own, by a reader's thread
 *   guest: quick reads, on the thread of a door that offers it (guest.c)
 *   the keeper's thread: checkpoints
 *   sync calls: on the caller's thread, own reader connection; the writer's
 *   connection while the writer thread is between groups
 *
 * Invariants
 *  1. uc_engine.mu guards the queues, the transaction's state and ownership of
 *     the writer. It is never held while SQL runs.
 *  2. Order of locks: guest.mu (only ever tried), route_mu, wconn_mu, mu, the
 *     board's, the cache's, session.mu.
 *  3. Only the owner of the writer (sq_db.owner) writes; only who holds
 *     wconn_mu touches the writer's connection.
 *  4. A reader or pinned connection belongs to one thread at a time.
 *  5. Write seqs are given in routing order; wdone is the last one of the
 *     unbroken run of finished writes.
 */
struct sq_db {
    uc_engine e; /* first */
    bool memory;

    struct { /* wakes the threads; e.mu */
        uc_cond readers_cond, writer_cond, owner_cond;
        uint32_t idle_readers;
        uint32_t slow_readers; /* at something that may take long */
        bool writer_idle;
        uc_thread writer;
        uc_thread *readers;
        uint32_t nreaders;
        bool readers_started;
    } threads;

    struct { /* who may write; e.mu */
        sq_owner by;
        unsigned long thread; /* whose it is with SQ_BY_SYNC */
        uint32_t sync_waiting;
    } owner;

    struct {         /* transactions of clients, streams of rows; e.mu */
        uint64_t id; /* of the open one, 0 = none */
        uc_session *session;
        bool busy;   /* a call of it runs */
        bool stream; /* it is the stream of a long `many` */
        int64_t until;
        uint64_t expired; /* last one that ended by its time limit */
        /* wconn_mu: */
        bool dead;   /* an error has rolled it back */
        sq_run many; /* sums of the `many` under way in it */
        bool many_open;
        sq_once once; /* the key of the stream of rows */
    } tx;

    /* e.mu */
    uint32_t pinned; /* connections in use by pins */
    sq_conn *spare;  /* pinned connections not in use (linked by spare_next) */
    sq_conn *conns;

    struct {                   /* what SQL means here; e.stmts.mu */
        _Atomic bool has_temp; /* TEMP objects were made on the writer */
        bool has_fks;          /* foreign keys are checked, */
        bool defer_fks;        /* each at the commit; options */
        sq_shape **shapes;
        uint32_t nshapes, next_shape;
        sq_function *functions;
        _Atomic uint32_t functions_version;
    } sql;

    struct { /* moved.c: what was opened; not written once `looks` is set */
        char *name;
        sq_file_id id, wal, shm;
        _Atomic bool looks, moved;
        _Atomic int64_t looked; /* uc_now() terms */
    } file;

    uc_mutex wconn_mu; /* the writer's connection, and: */
    sq_conn *writer;
    sq_touches touches; /* by the transaction under way */
    _Atomic uint64_t groups, grouped, replays;

    struct {         /* written by the writer and the keeper */
        uc_mutex mu; /* one checkpoint at a time; inside wconn_mu */
        sq_conn *keeper;
        int64_t page_size;
        _Atomic int64_t bytes;
        int64_t next; /* checkpoint again at this size; e.mu */
        bool stuck;   /* full, and waiting did not help; wconn_mu */
        _Atomic int64_t peak;
        _Atomic uint64_t checkpoints;
        _Atomic uint64_t big_transactions; /* larger than the WAL cap */
    } wal;

    sq_guest guest;
    sq_fresh fresh;
};

/* An open transaction waits for the call (meta i). Under e.mu. */
static inline bool sq_tx_waits_for(const sq_db *db, const uc_call *c)
{
    return c->inside != 0 && c->inside == db->tx.id &&
           c->session == db->tx.session;
}

#endif

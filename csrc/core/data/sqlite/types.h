#ifndef UC_CORE_DATA_SQLITE_TYPES_H
#define UC_CORE_DATA_SQLITE_TYPES_H

#include <sqlite3.h>

#include "cache/cache.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/thread.h"
#include "data/engine.h"
#include "data/sqlite/touch.h"
#include "desk/session.h"

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
typedef struct sq_db sq_db;
typedef struct sq_conn sq_conn;

/* ---- statements (stmt.c) ---- */

/* What else classifying finds out. */
enum {
    SQ_MAKES_TEMP = 1, /* changes the TEMP schema */
    SQ_INSERTS = 2,    /* itself, not by a trigger */
    SQ_ASKS = 4, /* calls last_insert_rowid(), changes() or total_changes() */
    SQ_ASKS_BELOW = 8 /* or a trigger or a view of it does */
};

/* A list of column names; replies carry its id. Referenced by slots. */
typedef struct sq_shape {
    _Atomic uint32_t refs;
    uint32_t id;
    uint32_t ncols;
    uint64_t hash;
    size_t len;
    uint8_t names[]; /* msgpack array of str, ready for a reply */
} sq_shape;

typedef struct sq_slot {
    sqlite3_stmt *stmt;
    uc_stmt *sql; /* weak: compare gen first */
    uint32_t gen;
    int nparams;
    int ncols;
    int reprepared; /* SQLITE_STMTSTATUS_REPREPARE when shape was taken */
    bool readonly;
    sq_shape *shape;
    char *json_keys; /* ncols NUL-terminated strings: ,"name": */
    uint32_t tick;   /* sync executions, of which some are timed */
    uc_stat *stat;
    sq_notes *notes; /* the writer's: what it changes */
} sq_slot;

/* What a write did. */
typedef struct sq_run {
    int64_t changes;
    int64_t rowid;
    uint64_t rows;
} sq_run;

/* A write with a key (once.c): what is known of the key, and the hash of the
 * request as far as it has been read. */
enum { SQ_ONCE_STMTS = 4 };
typedef struct sq_once {
    uint8_t key[UC_ONCE_KEY];
    uint32_t len;
    unsigned __int128 hash;
    unsigned __int128 first; /* of the request that used the key first */
    bool open;               /* a stream of rows with a key is under way */
    bool known;              /* the key is there: its answer is repeated */
    uc_buf answer;           /* the reply frame that was kept */
} sq_once;

/* ---- connections (conn.c) ---- */

typedef enum sq_role {
    SQ_WRITER,
    SQ_READER,
    SQ_PINNED,
    SQ_SYNC,
    SQ_KEEPER
} sq_role;

typedef struct sq_auth {
    bool pragma, pragma_arg, temp, attach;
    bool control; /* BEGIN, COMMIT, SAVEPOINT, ... */
    unsigned traits;
    bool optimizes; /* reads pragma_optimize, which writes */
    bool unsure;    /* reads tables without saying of which database: */
    bool too_many;  /* more than fit */
    size_t tables_len;
    char tables[512]; /* each NUL-terminated */
    char pragma_name[48], pragma_value[16];
    char made[256];   /* table or view that it makes, "": none */
    bool made_temp;   /* in the TEMP schema */
    bool trigger;     /* makes a TEMP trigger */
    bool trigger_out; /* on a table outside of it */
    bool alters_temp;
} sq_auth;

struct sq_conn {
    sqlite3 *h;
    sq_db *db;
    sq_role role;
    sq_conn *next; /* all connections of the db, under mu */
    sq_slot *slots;
    uint32_t nslots; /* under mu when it grows */
    sqlite3_stmt *begin, *begin_now, *commit, *rollback;
    sqlite3_stmt *savepoint, *release, *rollback_to;
    _Atomic(uc_call *) cur; /* what runs on it now */
    _Atomic int64_t limit;  /* uc_now() terms: stop what runs then, 0 none */
    _Atomic bool quit;
    bool ready;         /* configured: its settings stay as they are */
    bool asking;        /* a text is prepared to say what it is */
    bool defers;        /* foreign keys wait for the end of what runs */
    bool sync;          /* sync call: functions in JavaScript may run */
    bool own;           /* the writer's: in a unit of several statements, whose
                         * last_insert_rowid() and changes() are its own */
    bool sampled;       /* one of many: not each one is timed */
    bool utf8;          /* database encoding */
    uint32_t functions; /* version of db->functions it knows */
    int64_t busy_until; /* busy handler: gives up then; see sq_conn_wait */
    int64_t waited;     /* ns that locks have been waited for since then, */
    int64_t waited_to;  /* counted up to then */
    bool whole;         /* the transaction is one unit, its own savepoint */
    bool contended;     /* the busy handler has waited since last asked */
    bool logs_rows;     /* the writer's: rowlog.c looks at each change */
    sq_notes *notes;    /* set while what it prepares is noted */
    sq_auth *auth;      /* set while a statement is classified */
    sqlite3_stmt *once[SQ_ONCE_STMTS]; /* once.c; the writer's alone */
    sqlite3_stmt *version; /* pragma data_version; the writer's alone */
    int64_t seen;          /* what that said last */
    sqlite3_stmt *cookie;  /* pragma schema_version, once it was asked */
    uint32_t once_kept;    /* keys stored; each so many sweep old ones */
    uc_buf text;           /* scratch of the row encoder */
    int64_t lent_until;    /* on a thread that is wanted back then, 0 not */
    bool overdue;          /* and was wanted back: what ran was given up */
    sq_conn *spare_next;   /* db->spare, under mu */
};

/* ---- pins (pin.c) ---- */

/* A lease, and the connection that it holds. A cursor inside a snapshot borrows
 * the snapshot's; one that was materialised (in a transaction, in :memory:)
 * holds rows instead. */
typedef struct sq_pin {
    uc_lease l;    /* first */
    sq_conn *conn; /* NULL: none */
    /* cursor */
    sqlite3_stmt *stmt;
    uc_stmt *sql;
    sq_shape *shape;
    uint8_t *params; /* what is bound points here */
    bool row_ready;  /* the statement stands on a row not yet sent */
    uint64_t page_bytes;
    uint64_t nrows; /* handed out so far */
    int64_t run_ns; /* that this took */
    bool failed;
    uc_buf *pages; /* materialised: [u32 LE len][rows reply tail]... */
    size_t pages_off;
    /* backup */
    void (*drop)(struct sq_pin *p); /* gives up what is under way */
    sqlite3_backup *backup;
    sqlite3 *dest;
    char *dest_path, *part_path;
} sq_pin;

/* ---- the session's side ---- */

typedef struct sq_peer {
    uc_peer p; /* first */
    /* sync side: the session's thread only */
    sq_conn *sync_conn;
    bool turn_open;
    int64_t turn_until;
    uint64_t turn_wseq, turn_tx; /* the last of its own that the turn sees */
    uint64_t sync_tx;            /* id of the sync transaction it holds, or 0 */
} sq_peer;

/* ---- the file ---- */

static inline sq_pin *sq_pin_of(const uc_call *c)
{
    return (sq_pin *)c->lease;
}

typedef enum sq_owner { SQ_FREE, SQ_BY_THREAD, SQ_BY_SYNC } sq_owner;

typedef struct sq_function sq_function;

static inline sq_db *sq_db_of(uc_engine *e)
{
    return (sq_db *)e;
}

enum { SQ_TAKE = 64, SQ_GROUP = 1024 }; /* calls taken at once */

/* What a door's thread serves quick reads with: one at a time a file. */
typedef struct sq_guest {
    uc_mutex mu;   /* held by who serves; all that follows is its own */
    bool tried;    /* to open the connection */
    sq_conn *conn; /* NULL: no guests */
    uc_worker self;
    uc_call *run[SQ_TAKE];
    uc_buf out;
} sq_guest;

/* A file of the file system; ino 0: none. */
typedef struct sq_file_id {
    uint64_t dev, ino;
} sq_file_id;

struct sq_db {
    uc_engine e; /* first */
    bool memory;

    uc_mutex wconn_mu;
    uc_mutex checkpoint_mu; /* one checkpoint at a time; inside wconn_mu */
    uc_cond readers_cond, writer_cond, owner_cond; /* of e.mu */

    /* e.mu */
    uint32_t idle_readers;
    uint32_t slow_readers; /* at something that may take long */
    bool writer_idle;
    uint32_t pinned; /* connections in use by pins */
    sq_conn *spare;  /* pinned connections not in use (linked by spare_next) */
    sq_conn *conns;
    sq_owner owner;
    unsigned long owner_thread; /* whose it is with SQ_BY_SYNC */
    uint32_t sync_waiting;
    uint64_t tx_id; /* open transaction or stream, 0 = none */
    uc_session *tx_session;
    bool tx_busy;   /* a call of it runs */
    bool tx_stream; /* it is the stream of a long `many` */
    bool tx_dead;   /* an error has rolled it back; wconn_mu */
    sq_run tx_many; /* sums of the `many` under way in it; wconn_mu */
    bool tx_many_open;
    sq_once tx_once; /* the key of the stream of rows; wconn_mu */
    int64_t tx_until;
    uint64_t expired_tx; /* last one that ended by its time limit */

    /* e.stmts.mu */
    _Atomic bool has_temp; /* TEMP objects were made on the writer */
    bool has_fks;          /* foreign keys are checked, */
    bool defer_fks;        /* each at the commit; options */
    sq_shape **shapes;
    uint32_t nshapes, next_shape;
    sq_function *functions;
    _Atomic uint32_t functions_version;

    /* threads */
    uc_thread writer_thread;
    uc_thread *reader_threads;
    uint32_t nreaders;
    bool readers_started;

    /* moved.c: the files that were opened; not written once `looks` is set */
    char *file_name;
    sq_file_id file_id, wal_id, shm_id;
    _Atomic bool looks, moved;
    _Atomic int64_t looked; /* uc_now() terms */

    sq_touches touches; /* by the transaction under way */
    sq_conn *writer;
    sq_conn *keeper;
    sq_guest guest;

    /* WAL, written by the writer and the keeper */
    int64_t page_size;
    _Atomic int64_t wal_bytes;
    int64_t wal_next; /* checkpoint again at this size; mu */
    bool wal_stuck;   /* full, and waiting did not help; wconn_mu */
    _Atomic int64_t wal_peak;
    _Atomic uint64_t checkpoints, groups, grouped, replays;
    _Atomic uint64_t big_transactions; /* larger than the WAL cap */
};

#endif

#ifndef UC_CORE_DATA_SQLITE_TYPES_H
#define UC_CORE_DATA_SQLITE_TYPES_H

#include <sqlite3.h>

#include "cache/cache.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/thread.h"
#include "data/sqlite/watch.h"
#include "desk/call.h"
#include "desk/options.h"
#include "desk/session.h"
#include "log/desk.h"

/*
 * The SQLite driver: one sq_db owns one file of the process.
 *
 *   door ──submit──> inbox ──route──> reads ──> reader threads (n)
 *                                 ├─> writes ─> writer thread (1), group commit
 *                                 ├─> parked    reads that wait for a write
 *                                 └─> pins      cursors, snapshots, backups
 *   guest: quick reads, on the thread of a door that offers it (guest.c)
 *   keeper thread: deadlines, expiry, checkpoints, shutdown
 *   sync calls: on the caller's thread, own reader connection; the writer's
 *   connection while the writer thread is between groups
 *
 * Invariants
 *  1. sq_db.mu guards all queues, pins, the transaction's state and ownership
 *     of the writer. It is never held while SQL runs.
 *  2. route_mu serialises routing, hence the order of arrival. Order of locks:
 *     guest.mu (only ever tried), route_mu, wconn_mu, mu, board.mu, the
 *     cache's, session.mu.
 *  3. Only the owner of the writer (sq_db.owner) writes; only who holds
 *     wconn_mu touches the writer's connection.
 *  4. A reader or pinned connection belongs to one thread at a time.
 *  5. Write seqs are given in routing order; wdone is the last one of the
 *     unbroken run of finished writes.
 */
typedef struct sq_db sq_db;
typedef struct sq_conn sq_conn;

/* ---- statements (stmt.c) ---- */

/* Decided on the writer's connection before a reader sees the text. */
typedef enum sq_class {
    SQ_UNKNOWN,
    SQ_READ,        /* may run on any reader */
    SQ_WRITER_READ, /* reads, but needs the writer's connection (TEMP) */
    SQ_WRITE,       /* in a group */
    SQ_ALONE,       /* between groups: VACUUM, journal pragmas, ... */
    SQ_CONTROL      /* BEGIN, COMMIT, SAVEPOINT, ...: never run as they are */
} sq_class;

/* What else classifying finds out. */
typedef enum sq_trait {
    SQ_MAKES_TEMP = 1, /* changes the TEMP schema */
    SQ_INSERTS = 2,    /* itself, not by a trigger */
    SQ_ASKS = 4, /* calls last_insert_rowid(), changes() or total_changes() */
    SQ_ASKS_BELOW = 8 /* or a trigger or a view of it does */
} sq_trait;

/* What one connection measured of one statement. Written by the thread that
 * has the connection, read by `stats`: plain stores of atomics. Histogram:
 * bucket i counts executions of [2^(i/2), 2^((i+1)/2)) * 256 ns roughly. */
enum { SQ_BUCKETS = 48 };
typedef struct sq_stat {
    _Atomic uint64_t count, errors, rows, ns;
    _Atomic uint32_t hist[SQ_BUCKETS];
} sq_stat;

/* An interned SQL text; its slot indexes each connection's prepared
 * statements. Referenced by sessions (sid tables) and by calls. */
typedef struct sq_sql {
    struct sq_sql *hnext;         /* hash chain */
    struct sq_sql *older, *newer; /* least recently defined first */
    uint64_t hash;
    uint32_t slot;
    uint32_t gen; /* of the slot: tells a reused slot from the old text */
    _Atomic uint32_t refs;
    _Atomic int cls;         /* sq_class */
    _Atomic unsigned traits; /* of sq_trait */
    _Atomic uint32_t ns;     /* running mean of one execution, 0 = never ran */
    sq_stat cursors;         /* of those that have ended, from any thread */
    size_t len;
    char text[];
} sq_sql;

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
    sq_sql *sql; /* weak: compare gen first */
    uint32_t gen;
    int nparams;
    int ncols;
    int reprepared; /* SQLITE_STMTSTATUS_REPREPARE when shape was taken */
    bool readonly;
    sq_shape *shape;
    char *json_keys; /* ncols NUL-terminated strings: ,"name": */
    uint32_t tick;   /* sync executions, of which some are timed */
    sq_stat *stat;
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
enum { SQ_ONCE_KEY = 200, SQ_ONCE_STMTS = 4 };
typedef struct sq_once {
    uint8_t key[SQ_ONCE_KEY];
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

typedef enum sq_pin_kind {
    SQ_PIN_CURSOR,
    SQ_PIN_SNAPSHOT,
    SQ_PIN_BACKUP
} sq_pin_kind;

/* Something with a life over several calls that holds a connection. A cursor
 * inside a snapshot borrows the snapshot's; one that was materialised (in a
 * transaction, in :memory:) holds rows instead. */
typedef struct sq_pin {
    struct sq_pin *next; /* db->pins, under mu */
    uint64_t id;
    sq_pin_kind kind;
    uc_session *session; /* weak: pins die with their session's peer */
    sq_conn *conn;       /* NULL once given back */
    struct sq_pin *host; /* the snapshot a cursor runs in */
    uint32_t guests;     /* cursors of this snapshot */
    bool busy;           /* a call runs on it (on its host, for a guest) */
    _Atomic bool dead;   /* ended or expired; freed when not busy */
    const char *why;     /* why it died, for the error's text */
    int64_t used;        /* uc_now() of the last use */
    int64_t born;
    uc_calls queue; /* calls that wait for it */
    /* cursor */
    sqlite3_stmt *stmt;
    sq_sql *sql;
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
    sqlite3_backup *backup;
    sqlite3 *dest;
    char *dest_path, *part_path;
} sq_pin;

/* ---- the session's side ---- */

/* Calls of a session keep the file open, but those of a closing one may end
 * while its door's thread is still in here: the file waits for `visitors`, too,
 * and once it is `leaving` lets no more in. */

typedef struct sq_peer {
    struct sq_peer *next; /* db->peers, under mu */
    uc_session *session;
    sq_db *db;
    bool readonly;
    _Atomic bool closing;
    uc_error failed; /* of this handle alone (option conflict); code or NULL */
    sq_sql **sids;
    uint32_t nsids;
    uint64_t last_wseq;        /* of the last write routed; route_mu */
    uint64_t ending_tx;        /* of the last tx_end routed; route_mu */
    _Atomic uint32_t live;     /* calls submitted and not finished */
    _Atomic uint32_t unrouted; /* batches submitted and not routed */
    _Atomic bool last;         /* and no more will be */
    _Atomic uint32_t visitors; /* threads of the door inside the driver */
    _Atomic bool leaving;
    unsigned long owner; /* the thread that opened it */
    uc_call *close_call; /* answered when only it is left; mu */
    bool settled;        /* and that has begun; mu */
    uint32_t watches;    /* standing; board.mu */
    _Atomic bool gone;   /* the file is none of its business any more */
    /* sync side: the session's thread only */
    sq_conn *sync_conn;
    bool turn_open;
    int64_t turn_until;
    uint64_t turn_wseq, turn_tx; /* the last of its own that the turn sees */
    int64_t sync_now;            /* when the sync call under way began */
    bool sync_ready;             /* the file is known to be open */
    uint64_t sync_tx;            /* id of the sync transaction it holds, or 0 */
    _Atomic unsigned long thread; /* the thread of its sync call, else 0 */
} sq_peer;

/* ---- the file ---- */

typedef enum sq_state { SQ_OPENING, SQ_OPEN, SQ_FAILED, SQ_STOPPED } sq_state;

typedef enum sq_owner { SQ_FREE, SQ_BY_THREAD, SQ_BY_SYNC } sq_owner;

typedef struct sq_function sq_function;

/* What a thread has taken from a queue, so that cancel finds it. Under mu. */
enum { SQ_TAKE = 64, SQ_GROUP = 1024 };
typedef struct sq_worker {
    struct sq_worker *next;
    uc_call **calls;
    uint32_t n;
} sq_worker;

/* What a door's thread serves quick reads with: one at a time a file. */
typedef struct sq_guest {
    uc_mutex mu;   /* held by who serves; all that follows is its own */
    bool tried;    /* to open the connection */
    sq_conn *conn; /* NULL: no guests */
    sq_worker self;
    uc_call *run[SQ_TAKE];
    uc_buf out;
} sq_guest;

/* A file of the file system; ino 0: none. */
typedef struct sq_file_id {
    uint64_t dev, ino;
} sq_file_id;

struct sq_db {
    sq_db *next; /* registry */
    char *key;   /* canonical path; NULL for :memory: */
    char *path;
    bool memory;
    bool listed;     /* in the registry */
    uint32_t npeers; /* registry lock */
    uc_options opt;

    uc_mutex route_mu;
    uc_mutex wconn_mu;
    uc_mutex checkpoint_mu; /* one checkpoint at a time; inside wconn_mu */
    uc_mutex mu;
    uc_cond readers_cond, writer_cond, keeper_cond, owner_cond, open_cond;

    /* mu */
    sq_state state;
    uc_error open_error;
    uc_batch *inbox_head, *inbox_tail;
    _Atomic uint32_t inbox_n;
    _Atomic bool called; /* a thread of ours is to look into the inbox */
    uc_calls reads, writes, parked;
    uc_calls tx_calls;        /* of the open transaction or stream */
    _Atomic uint32_t reads_n; /* reads.n, for spinning readers */
    uint32_t idle_readers;
    uint32_t slow_readers; /* at something that may take long */
    bool writer_idle;
    sq_peer *peers;
    sq_pin *pins;
    uint64_t expired_pins[16]; /* the last ones, for a better error */
    uint32_t expired_n;
    uint32_t pinned; /* connections in use by pins */
    sq_conn *spare;  /* pinned connections not in use (linked by spare_next) */
    sq_conn *conns;
    uint64_t wseq; /* the last one that is in a queue */
    _Atomic uint64_t wdone;
    uint64_t routed_wseq;   /* route_mu: the last one given */
    uint64_t running_first; /* first wseq of the group that runs, 0 = none */
    sq_owner owner;
    unsigned long owner_thread; /* whose it is with SQ_BY_SYNC */
    uint32_t sync_waiting;
    uint64_t next_id; /* transactions, pins */
    uint64_t tx_id;   /* open transaction or stream, 0 = none */
    uc_session *tx_session;
    bool tx_busy;   /* a call of it runs */
    bool tx_stream; /* it is the stream of a long `many` */
    bool tx_dead;   /* an error has rolled it back; wconn_mu */
    sq_run tx_many; /* sums of the `many` under way in it; wconn_mu */
    bool tx_many_open;
    sq_board board;  /* what has changed, for who watches */
    uc_cache *cache; /* NULL: none */
    sq_once tx_once; /* the key of the stream of rows; wconn_mu */
    int64_t tx_until;
    _Atomic uint64_t ended_tx;
    uint64_t expired_tx;   /* last one that ended by its time limit */
    int64_t next_deadline; /* earliest that the keeper knows of, 0 none */
    bool checkpoint_wanted;
    bool stop;
    bool fast_stop;  /* no checkpoint, interrupt everything */
    uc_call *closer; /* `close` of the last session, answered when stopped */
    sq_worker *workers;

    _Atomic bool quit; /* progress handlers return at once */

    /* statements: sql_mu (a leaf) */
    uc_mutex sql_mu;
    sq_sql **buckets;
    uint32_t nbuckets, nsql;
    size_t sql_bytes;
    sq_sql *oldest, *newest;
    _Atomic bool has_temp; /* TEMP objects were made on the writer */
    bool has_fks;          /* foreign keys are checked, */
    bool defer_fks;        /* each at the commit; options */
    uint32_t *free_slots;
    uint32_t nfree, nslots;
    uint32_t next_gen;
    sq_shape **shapes;
    uint32_t nshapes, next_shape;
    sq_function *functions;
    _Atomic uint32_t functions_version;

    /* threads */
    uc_thread writer_thread, keeper_thread;
    uc_thread *reader_threads;
    uint32_t nreaders;
    bool writer_started, keeper_started;

    /* moved.c: the files that were opened; not written once `looks` is set */
    char *file_name;
    sq_file_id file_id, wal_id, shm_id;
    _Atomic bool looks, moved;
    _Atomic int64_t looked; /* uc_now() terms */

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

#ifndef UC_CORE_DATA_SQLITE_DB_H
#define UC_CORE_DATA_SQLITE_DB_H

#include <sqlite3.h>

#include "cache/cache.h"
#include "call.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/thread.h"
#include "data/sqlite/watch.h"
#include "log/desk.h"
#include "options.h"
#include "session.h"

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

/* ---- open.c ---- */
void *sq_open(uc_session *s, const char *path, uc_options *o,
              const uc_error *failed);
void sq_abandon(void *peer);
void sq_release(void *peer);
/* All calls of a closing peer are over: ends it, and the file if it was the
 * last one. Under mu on entry; releases it. */
void sq_peer_settle(sq_db *db, sq_peer *p);
/* Stops all threads and closes all connections. */
void sq_db_stop(sq_db *db);
void sq_db_free(sq_db *db);

/* ---- conn.c ---- */
sq_conn *sq_conn_open(sq_db *db, sq_role role, uc_error *e);
void sq_conn_close(sq_conn *c);
/* From here on it waits for other processes' locks until then (uc_now() terms;
 * 0: for busy_ms from the first lock on that is held). */
static inline void sq_conn_wait(sq_conn *c, int64_t until)
{
    c->busy_until = until;
    c->waited = 0;
}
/* Runs a prepared control statement (BEGIN, COMMIT, ...). SQLite's code. */
int sq_step_once(sqlite3_stmt *stmt);
/* Runs SQL text that returns nothing. */
int sq_exec_text(sq_conn *c, const char *sql);
/* Sets the authorizer; all statements are prepared anew at their next step. */
void sq_conn_authorize(sq_conn *c);
/* Fills *e from the connection's last error. Returns false. */
bool sq_fail(sq_conn *c, int rc, uc_error *e);
/* What runs on a connection from here on: cancel, deadlines and errors. */
void sq_conn_enter(sq_conn *c, uc_call *call, int64_t limit);
void sq_conn_leave(sq_conn *c);

/* ---- stmt.c ---- */
uint64_t sq_hash(const void *p, size_t n);
/* Interns a text and references it, NULL when memory ran out. */
sq_sql *sq_sql_get(sq_db *db, const char *text, size_t len);
void sq_sql_ref(sq_sql *s);
void sq_sql_unref(sq_db *db, sq_sql *s);
/* Prepares (or finds) a statement on a connection. NULL with *e filled. */
sq_slot *sq_slot_get(sq_conn *c, sq_sql *s, uc_error *e);
/* Prepares exactly one statement. */
bool sq_prepare_one(sq_conn *c, const char *sql, size_t len, unsigned flags,
                    sqlite3_stmt **out, uc_error *e);
/* Decides the class with the writer's connection, whose lock is held. */
bool sq_classify(sq_conn *writer, sq_sql *s, uc_error *e);
/* Whether a snapshot on c may run it. The schema that it sees may be an older
 * one, in which the writer cannot classify: then this is decided on c. */
bool sq_class_in_snapshot(sq_conn *c, const sq_sql *s, uc_error *e);
/* The class of one statement text; used by classify and by scripts. *stmt is
 * the prepared statement, owned by the caller. */
bool sq_class_of(sq_conn *writer, const char *sql, size_t len,
                 const char **tail, sqlite3_stmt **stmt, sq_class *cls,
                 unsigned *traits, uc_error *e);
/* A TEMP object was made or dropped: what names it may mean another thing
 * now, so every class is decided anew. */
void sq_classes_reset(sq_db *db);

/* ---- what a client may change (pragma.c) ---- */

/* The class of a pragma, or false and the error that refuses it by name. */
bool sq_pragma_class(const sq_db *db, const sq_auth *a, sq_class *cls,
                     uc_error *e);
/* SQLITE_OK, SQLITE_IGNORE or SQLITE_DENY for pragma defer_foreign_keys on a
 * connection that is about to prepare it for good. */
int sq_defer(sq_conn *c);
/* The error of SQLITE_DENY. Returns false. */
bool sq_defer_refused(uc_error *e);
/* The unit that deferred is over: foreign keys are checked as before. Forgets
 * what is still violated: look before. */
void sq_defer_end(sq_conn *c);
/* Whether what the statement makes in the TEMP schema, which all clients share,
 * leaves the others' statements as they are. */
bool sq_temp_allowed(sq_conn *w, const sq_auth *a, uc_error *e);

/* True for a pragma that is accepted and must not act: value NULL asks. */
bool sq_pragma_ignored(const char *name, const char *value);

/* Remembers a table of which SQLite did not say the database. */
void sq_auth_table(sq_auth *a, const char *name);

/* One of those is a temporary table or view, or may be. With the writer's
 * connection held. */
bool sq_auth_temp(sq_conn *writer, const sq_auth *a);
void sq_slots_free(sq_conn *c);
void sq_statements_free(sq_db *db);
sq_shape *sq_shape_of(sq_db *db, sqlite3_stmt *stmt);
void sq_shape_unref(sq_shape *s);
/* The first keyword, upper case, at most n - 1 bytes; where it ends. */
const char *sq_keyword(const char *sql, const char *end, char *word, size_t n);
/* Past white space, comments and semicolons. */
const char *sq_skip_blank(const char *p, const char *end);
/* False, with *e, for a text with a NUL in it: SQLite reads no further. */
bool sq_text_whole(const char *sql, size_t len, uc_error *e);
/* Fills *e for a statement of SQ_CONTROL; word: its keyword. */
bool sq_refuse_control(const char *word, uc_error *e);
/* weight: executions that this one measured stands for. */
void sq_stat_add(sq_slot *slot, sq_sql *sql, int64_t ns, uint64_t rows, bool ok,
                 uint32_t weight);
/* Counts one that was not timed. */
void sq_stat_count(sq_slot *slot, uint64_t rows);
/* A cursor of s has ended; any thread. */
void sq_stat_cursor(sq_sql *s, int64_t ns, uint64_t rows, bool ok);
double sq_bucket_ns(unsigned i);

/* ---- exec.c ---- */
typedef enum sq_mode {
    SQ_MODE_GET,
    SQ_MODE_ALL,
    SQ_MODE_RUN,
    SQ_MODE_JSON
} sq_mode;

/* Binds the next value of r (an array or a map of parameters). */
bool sq_bind(sqlite3_stmt *stmt, int nparams, uc_reader *r, uc_error *e);
/* Executes s on c with the parameters at r and appends a reply frame. False
 * with *e filled and *out as it was. */
bool sq_execute(sq_conn *c, sq_sql *s, uint32_t id, uint32_t shape,
                uc_reader *params, sq_mode mode, uc_buf *out, sq_run *done,
                uc_error *e);
/* Around the steps of a statement that writes: the rowid of the last row that
 * it inserts, 0 if it inserts none. What last_insert_rowid() says stays as it
 * is where it does not. The beginning returns what the end takes; changed:
 * rows, as sqlite3_changes has them. */
int64_t sq_rowid_begin(sq_conn *c, unsigned traits);
int64_t sq_rowid_end(sq_conn *c, unsigned traits, int64_t before, bool changed);
/* A unit of several statements begins on the writer, with no row inserted;
 * returns what its end takes. */
bool sq_own_begin(sq_conn *c);
static inline void sq_own_end(sq_conn *c, bool before)
{
    c->own = before;
}
/* Fills *e for a statement of SQ_ASKS outside of such a unit. */
bool sq_asks(uc_error *e);
/* Fills *e: rows were asked for, and the statement has none. */
bool sq_no_rows(uc_error *e);
void sq_reply_run(uc_buf *out, uint32_t id, const sq_run *run);
/* What a call has done, for the log. */
static inline void sq_note_rows(uc_call *call, const sq_run *run)
{
    bool changes = call->op->num == UC_OP_run || call->op->num == UC_OP_many ||
                   call->op->num == UC_OP_exec;

    call->rows = changes ? run->changes : (int64_t)run->rows;
}
/* Around the steps of a statement that writes: what it changes is noted, and
 * touched if it did. before: total_changes in front of it. */
void sq_notes_on(sq_conn *c, const sq_sql *s, const sq_slot *slot);
void sq_notes_off(sq_conn *c, const sq_slot *slot, bool ok, int64_t before);

/* ---- script.c ---- */
typedef enum sq_script_kind {
    SQ_SCRIPT_UNIT, /* as one unit; may be one whole BEGIN ... COMMIT */
    SQ_SCRIPT_FILE, /* the same in a migration's transaction: no BEGIN */
    SQ_SCRIPT_EACH  /* each statement on its own: no BEGIN */
} sq_script_kind;

/* Runs every statement of a text without a NUL, which ends with one. When it
 * fails, e->offset is where in the text: what SQLite names, or the beginning of
 * the statement. The caller undoes what had been done. */
bool sq_script(sq_conn *c, const char *sql, size_t len, sq_script_kind kind,
               sq_run *done, uc_error *e);
/* The op `exec`; unit: in an open transaction, undone as a whole. */
bool sq_exec(sq_conn *c, uc_call *call, bool unit, uc_buf *out, uc_error *e);
/* True if the script of an `exec` is one statement that must run between
 * groups. */
bool sq_script_alone(sq_conn *c, const uc_call *call);
/* A copy of SQL text as SQLite wants it, with a NUL behind it, for uc_free.
 * NULL with *e; a NUL inside, and what is no UTF-8, is refused. */
char *sq_text_copy(uc_view text, uc_error *e);

/* ---- route.c ---- */
/* A thread of the door comes in: false when the peer is leaving the file. */
bool sq_visit(sq_peer *p);
static inline void sq_visit_end(sq_peer *p)
{
    atomic_fetch_sub(&p->visitors, 1);
}
void sq_submit(void *peer, uc_batch *b, unsigned hint);
/* Refuses a batch for a session whose file is closed. */
void sq_batch_closed(uc_batch *b);
/* Routes all that has come in. wait: also when another thread is at it. */
void sq_route(sq_db *db, bool wait);
/* The same, with wait, but wakes no reader: the caller takes the reads, or
 * wakes one itself. */
void sq_route_quietly(sq_db *db);
/* Under mu: wakes a thread that routes what is in the inbox. */
void sq_call_router(sq_db *db, unsigned hint);

/* ---- inline.c ---- */
/* Answers one of the inline ops; out is NULL for those without a reply. */
void sq_inline(sq_db *db, sq_peer *p, uc_call *c, uc_buf *out, uc_error *e);
/* The statement of a number, not referenced. By who keeps the numbers from
 * changing: under route_mu or sql_mu, or in a sync call, whose session has
 * nothing unrouted. */
sq_sql *sq_sid(sq_peer *p, uint32_t sid, uc_error *e);
/* The statement that the next value of r names, by its number or as text,
 * referenced. NULL with *e. Any thread. */
sq_sql *sq_statement(sq_db *db, sq_peer *p, uc_reader *r, uc_error *e);
/* The statements of a batch, looked up when it is routed: until it runs their
 * numbers may have been given to others. False with *e. */
typedef struct sq_parts {
    uint32_t n;
    sq_sql *sql[]; /* referenced */
} sq_parts;
bool sq_parts_of(sq_db *db, sq_peer *p, uc_call *c, uc_error *e);
void sq_parts_free(sq_db *db, uc_call *c);

/* ---- calls.c ---- */
/* What it has to wait for is done. Under mu. */
static inline bool sq_may_run(const sq_db *db, const uc_call *c)
{
    return c->after <= db->wdone && c->after_tx <= db->ended_tx;
}
/* Under mu: recomputes wdone and lets parked reads go. */
void sq_settle(sq_db *db);
/* A call is over: publishes nothing. Takes and releases mu when the session
 * is closing. */
void sq_finish(sq_db *db, uc_call *c);
/* The same for calls that a worker has had in hand. */
void sq_finish_all(sq_db *db, uc_call **calls, uint32_t n);
/* Answers with an error and finishes. */
void sq_refuse(sq_db *db, uc_call *c, const uc_error *e);
/* Removes the call (session, id) or, with id 0, all calls of the session from
 * the queues and returns them; under mu. */
uc_calls sq_unqueue(sq_db *db, uc_session *s, uint32_t id);
/* What is known of a call that ends with *e: "not-run" or "unknown". Where
 * it may have run and running it again would do more, it is not retryable. */
void sq_outcome(const uc_call *c, const char *outcome, uc_error *e);
/* The outcome of what a COMMIT that failed with SQLite's code rc was to keep:
 * after a failed sync nobody can say what has reached the disk. */
static inline const char *sq_commit_outcome(int rc)
{
    return (rc & 0xff) == SQLITE_IOERR && rc != SQLITE_IOERR_NOMEM ? "unknown"
                                                                   : "not-run";
}
/* Error of a call that was stopped. */
void sq_stopped(uc_call *c, const char *outcome, uc_error *e);
/* Asks running calls of the session (id 0: all) to stop; under mu. */
void sq_stop_running(sq_db *db, uc_session *s, uint32_t id, int reason);
/* Tells cancel what a worker has in hand; takes mu. n 0: nothing any more. */
void sq_worker_hold(sq_db *db, sq_worker *w, uc_call **calls, uint32_t n);
/* True, with *e filled, when a call must not be begun any more. */
bool sq_call_over(uc_call *c, uc_error *e);
/* Of a call that may have run before, without a key to tell: only a read is run
 * again, anything else is refused with *e. cls: SQ_UNKNOWN passes, to be asked
 * about once it is known. */
bool sq_may_repeat(const uc_call *c, sq_class cls, uc_error *e);
/* Hands a read to the readers, or parks it; under mu. */
void sq_forward(sq_db *db, uc_call *c);
/* The op `cancel`. fresh: n queues of calls that are in no queue of the db
 * yet, where it may be as well. Takes mu. */
void sq_cancel(sq_db *db, uc_call *c, uc_calls *const *fresh, uint32_t n);

/* ---- reader.c, guest.c, pin.c ---- */
void *sq_reader_main(void *db);
void sq_assist(void *peer);
/* Nobody is a guest any more. */
void sq_guest_end(sq_db *db);
/* A statement, not on a pin, known to take less time than a wake-up. */
bool sq_is_quick(const uc_call *c);
/* Serves calls in one read transaction and publishes their replies; they are
 * not finished. Returns how many: fewer than n when the thread was lent and is
 * wanted back, and the rest is as if it had not been begun. */
uint32_t sq_read_batch(sq_db *db, sq_conn *c, uc_call **run, uint32_t n,
                       uc_buf *out);
/* Runs a call of the read lane or of a pin on c (NULL: it finds its own).
 * Appends a reply frame or fills *e. Any thread that owns the connection. */
bool sq_read_call(sq_conn *c, uc_call *call, uc_buf *out, uc_error *e);
bool sq_pin_call(sq_db *db, sq_pin *pin, uc_call *call, uc_buf *out,
                 uc_error *e);
/* Under mu. */
sq_pin *sq_pin_of(sq_db *db, uc_call *call, uc_error *e);
/* True when the call may run now; otherwise it waits in the pin's queue. */
bool sq_pin_claim(sq_pin *pin, uc_call *call);
/* A call on the pin is over: lets the next one go, frees it when dead. Takes
 * mu. */
void sq_pin_done(sq_db *db, sq_pin *pin);
bool sq_cursor_open(sq_db *db, uc_call *call, sq_conn *writer, uc_buf *out,
                    uc_error *e);
sq_pin *sq_pin_make(sq_db *db, uc_session *s, sq_pin_kind kind, uc_error *e);
bool sq_snap_begin(sq_db *db, uc_call *call, uc_buf *out, uc_error *e);
/* Ends pins of a session (NULL: those idle longer than allowed; with wal: the
 * oldest). Takes mu. Returns how many ended. */
uint32_t sq_pins_end(sq_db *db, uc_session *s, bool all, bool wal,
                     const char *why);
void sq_pins_free(sq_db *db);
/* Oldest pin for stats: what pins the WAL. Under mu. */
sq_pin *sq_pins_oldest(sq_db *db);

/* ---- backup.c ---- */
bool sq_backup_begin(sq_db *db, uc_call *call, uc_buf *out, uc_error *e);
bool sq_backup_step(sq_pin *pin, uc_call *call, uc_buf *out, uc_error *e);
void sq_backup_abandon(sq_pin *pin);
bool sq_restore(sq_conn *c, uc_call *call, uc_buf *out, uc_error *e);

/* ---- writer.c ---- */
void *sq_writer_main(void *db);
/* The writer thread after the file has been opened, until the db stops. */
void sq_writer_loop(sq_db *db);
/* Runs one write call in its own transaction on the calling thread, which
 * owns the writer and holds wconn_mu. Appends its reply. */
void sq_write_one(sq_db *db, uc_call *call, uc_buf *out);
/* Makes sure that the class of a call's statement is known; wconn_mu held. */
bool sq_call_class(sq_db *db, uc_call *call, sq_class *cls, uc_error *e);
/* One unit of writing inside an open transaction; undone alone on failure. */
bool sq_unit(sq_conn *c, uc_call *call, uc_buf *out, uc_error *e);
bool sq_many_rows(sq_conn *c, sq_sql *sql, uc_reader *r, uint64_t first,
                  sq_run *sum, uc_error *e);
/* What runs between groups: VACUUM, pragmas, restore, migrations. */
bool sq_alone(sq_conn *c, uc_call *call, uc_buf *out, uc_error *e);
sq_mode sq_mode_of(const uc_call *call);
/* Starts, ends a transaction there; used by both sides. by: whose it is. */
bool sq_tx_start(sq_db *db, uc_error *e);
bool sq_tx_finish(sq_db *db, const uc_session *by, bool commit, uc_error *e);
/* One call inside the open transaction. */
bool sq_tx_call(sq_db *db, uc_call *call, uc_buf *out, uc_error *e);
/* Under mu: the open transaction waits for the call (meta i). */
static inline bool sq_tx_waits_for(const sq_db *db, const uc_call *c)
{
    return c->inside != 0 && c->inside == db->tx_id &&
           c->session == db->tx_session;
}
/* Fills *e for a call that would wait for a transaction that waits for it. */
bool sq_tx_self(const uc_call *c, uc_error *e);
bool sq_migrate(sq_conn *c, uc_call *call, uc_buf *out, uc_error *e);
/* A savepoint around a unit, or the transaction itself where it is the unit
 * (see `whole`). The end undoes what is inside unless ok, which it returns. */
bool sq_bracket(sq_conn *c, uc_error *e);
bool sq_bracket_end(sq_conn *c, bool ok, uc_error *e);

/* ---- once.c ---- */
/* True when the call may have a key; otherwise *e says why not. cls: of its
 * statement, SQ_UNKNOWN where that is not known yet. */
bool sq_once_allowed(const uc_call *call, sq_class cls, uc_error *e);
/* sq_unit for a call with a key. */
bool sq_once_unit(sq_conn *c, uc_call *call, uc_buf *out, uc_error *e);
/* The key of a stream of rows: from the first chunk, each chunk's rows, and at
 * its end the reply, which stands in out from `at` on when the rows have been
 * written and is put there when the key was known. */
bool sq_once_begin(sq_conn *c, sq_once *o, uc_call *call, uc_error *e);
bool sq_once_rows(sq_once *o, uc_reader rows, uc_error *e);
bool sq_once_end(sq_conn *c, sq_once *o, uc_call *call, uc_buf *out, size_t at,
                 uc_error *e);
void sq_once_fini(sq_once *o);

/* ---- moved.c ---- */
/* The writer has opened the file: from here on it is the one. */
void sq_moved_begin(sq_db *db);
/* True, with *e filled, when that file is not at its path any more: nothing
 * more may be opened or written then. now: looks in any case, and not only
 * each so often. Any thread. */
bool sq_moved(sq_db *db, bool now, uc_error *e);
/* Brings the WAL into the file, wherever that is; only the writer's connection
 * is left. */
void sq_moved_end(sq_db *db);

/* ---- keeper.c ---- */
void *sq_keeper_main(void *db);
/* Under mu: makes the keeper look at a deadline in time. */
void sq_deadline(sq_db *db, int64_t at);
int sq_wal_hook(void *db, sqlite3 *h, const char *name, int pages);
/* True when a write may start; otherwise *e is UC_WAL_FULL. */
bool sq_wal_room(sq_db *db, uc_error *e);
bool sq_checkpoint(sq_conn *c, uc_call *call, uc_buf *out, uc_error *e);

/* Wakes the keeper if the cache is impatient; not under mu. */
static inline void sq_hurry(sq_db *db)
{
    if (db->cache != NULL && uc_cache_is_impatient(db->cache)) {
        uc_lock(&db->mu);
        uc_cond_signal(&db->keeper_cond);
        uc_unlock(&db->mu);
    }
}
/* Has another process written to the file since the last time? wconn_mu. */
bool sq_others_wrote(sq_db *db);

/* ---- sync.c ---- */
void sq_sync(void *peer, uc_call *c, uc_buf *out);
void sq_turn_end(void *peer);
/* Ends what the session's thread holds (transaction, snapshot, connection). */
void sq_sync_release(sq_peer *p);

/* ---- stats.c ---- */
void sq_stats(sq_db *db, uint32_t id, uc_buf *out);
void sq_health(sq_db *db, sq_conn *c, uint32_t id, uc_buf *out);

/* ---- func.c ---- */
bool sq_function_add(void *peer, const struct uc_fn_spec *spec,
                     const char **error);
/* Makes all functions of the db known to a connection. */
void sq_functions_install(sq_db *db, sq_conn *c);
bool sq_function_known(sq_db *db, const char *name, size_t len);
void sq_functions_drop(sq_db *db, sq_peer *p);

/* Makes undercroft_schema() known to a connection that is being opened: the
 * number of a schema, and the check that it still is one (cookie.c). SQLite's
 * code. */
int sq_cookie_install(sq_conn *c);

#endif

#ifndef UC_CORE_DATA_PG_DB_H
#define UC_CORE_DATA_PG_DB_H

#include "data/engine.h"
#include "data/pg/info.h"
#include "data/pg/msg.h"
#include "data/pg/names.h"
#include "data/pg/scram.h"
#include "data/pg/sql.h"
#include "data/pg/tls.h"
#include "desk/session.h"
#include "wire/rows.h"

/*
 * The PostgreSQL engine: one pg_db is one database of a server, as one user.
 *
 *   queues ─┬─> reads ──> connections for reads, several calls behind each
 *           │             other, one Sync for a batch (read.c)
 *           ├─> writes ─> the connection for writes, in order (write.c)
 *           └─> tx ─────> a connection for each transaction (tx.c)
 *
 * One thread, io.c, does all of it: it routes, encodes, reads and writes
 * sockets and answers. Nothing here is touched by another thread but the
 * queues, under uc_engine.mu, and `bell`.
 *
 *   dial.c   a socket; start.c   the start-up, and who one is
 *   stmt.c   what is known of a statement; bind.c   a call as messages
 *   step.c   what a connection waits for; answer.c   a message for that
 *   cells.c  values of the server as ours
 *   error.c  what a server says as an error of ours
 */
typedef struct pg_db pg_db;
typedef struct pg_conn pg_conn;
typedef struct pg_flight pg_flight;
typedef struct pg_cancel pg_cancel;

/* ---- statements ---- */

/* What is known of a statement: what uc_stmt.slot means here. */
typedef struct pg_stmt {
    uint32_t gen; /* of the slot, 0: none */
    pg_sql sql;
    bool described;
    uint32_t ncols;
    uint32_t *oids; /* of the columns' types */
    uint32_t shape; /* of their names, 0: it has no columns */
    uc_buf names;   /* msgpack array of str */
    uc_buf keys;    /* of JSON objects, each with its length before it */
} pg_stmt;

/* What the call's statement is, read when it is first seen. NULL with *e. */
pg_stmt *pg_stmt_of(pg_db *db, uc_stmt *s, uc_error *e);
/* What a RowDescription says; body of length 0: it has no columns. False: no
 * memory, or the server sends nonsense. */
bool pg_stmt_describe(pg_db *db, pg_stmt *st, uc_view body);
/* The columns may be others now. */
void pg_stmt_forget(pg_stmt *st);
void pg_stmts_free(pg_db *db);

/* ---- calls under way ---- */

typedef enum pg_mode {
    PG_MODE_GET,
    PG_MODE_ALL,
    PG_MODE_RUN,
    PG_MODE_JSON,
    PG_MODE_MANY,   /* rows of one statement */
    PG_MODE_BATCH,  /* several statements */
    PG_MODE_EXEC,   /* a script */
    PG_MODE_HEALTH, /* `select 1` */
    PG_MODE_CURSOR, /* a page */
    PG_MODE_SNAPSHOT,
    PG_MODE_BEGIN, /* of a transaction */
    PG_MODE_SAVEPOINT,
    PG_MODE_END
} pg_mode;

struct pg_flight {
    uint32_t at;   /* in pg_db.flights */
    uc_call *call; /* NULL: it has been answered, and what comes is dropped */
    pg_conn *conn; /* NULL: it has not been sent */
    pg_mode mode;
    uint32_t known; /* shape that the client has */
    uint32_t parts; /* of several statements, or rows of one */
    uint32_t left;  /* EXECUTEs that have not come to their end */
    bool failed;    /* and its caller has been told */
    bool begun;     /* its reply is in conn->row */
    bool opens;     /* a cursor */
    bool more;      /* the server has ended a page, not the rows */
    bool commits;   /* END: with a COMMIT */
    bool committed; /* it is in conn->waiting for its commit to be flushed */
    uint8_t tries;
    uint64_t wseq; /* of its call, 0: no write */
    int64_t sent;  /* uc_now() */
    int64_t changes;
    uint64_t rows;
    size_t reply_at, reply_len; /* in conn->held */
    uc_lease *lease;            /* that it has claimed, or NULL */
    struct pg_lease *cursor;    /* whose page it is; of a snapshot itself */
    pg_flight *next;            /* in conn->waiting */
};

/* ---- connections ---- */

/* What an event of epoll is for: the first member of that. */
typedef enum pg_end_kind {
    PG_END_CONN,
    PG_END_CANCEL,
    PG_END_NAMES
} pg_end_kind;
typedef struct pg_end {
    pg_end_kind is;
} pg_end;

/* What comes next from the server. */
typedef enum pg_step_kind {
    PG_STEP_PARSE,
    PG_STEP_DESCRIBE,
    PG_STEP_EXECUTE,
    PG_STEP_SYNC,
    PG_STEP_QUERY /* a script, up to its ReadyForQuery */
} pg_step_kind;

typedef struct pg_step {
    pg_step_kind kind;
    bool durable;      /* SYNC: its commit is flushed, and all before it */
    bool binary;       /* EXECUTE: rows come so where their types allow it */
    uint32_t slot;     /* of the statement */
    pg_stmt *stmt;     /* NULL: one of our own */
    pg_flight *flight; /* the same */
} pg_step;

typedef enum pg_role { PG_READER, PG_WRITER, PG_PINNED } pg_role;

typedef enum pg_phase {
    PG_FINDING,  /* the address of its host */
    PG_DIALING,  /* connect() is under way */
    PG_ASKING,   /* for TLS */
    PG_SHAKING,  /* its handshake */
    PG_GREETING, /* start-up and authentication */
    PG_SETTING,  /* our own statements before it is used */
    PG_READY,
    PG_DEAD /* closed; freed at the end of the turn */
} pg_phase;

typedef struct pg_prepared {
    uint32_t gen; /* of the slot's text, 0: not prepared here */
} pg_prepared;

struct pg_conn {
    pg_end end; /* first */
    pg_conn *next;
    pg_db *db;
    pg_role role;
    pg_phase phase;
    int fd;
    pg_tls *tls; /* NULL: none */
    pg_addresses found;
    uint32_t address; /* of these, that is tried or connected */
    uint32_t host;    /* of info.hosts */
    bool wants_out;   /* epoll looks for room */
    bool dirty;       /* `out` is to be sent at the end of the turn */
    uc_buf in, out;
    size_t in_at, out_at; /* consumed */
    uint32_t pid, key;    /* for a CancelRequest */
    bool cancelling;      /* one is under way: nothing new is sent */
    int64_t cancel_after; /* the next one not before this */
    char status;          /* of the last ReadyForQuery: I, T, E */
    int64_t until;        /* the start-up's deadline */
    pg_scram scram;
    bool bound;     /* to the channel */
    uc_error error; /* why it died; code or NULL */
    bool was_ready; /* when it died */
    bool told;      /* the server said so itself: what is in the ring has not
                       run */

    pg_step *steps; /* a ring */
    uint32_t first, nsteps, capacity;
    int64_t done_at; /* when it last came to the end of a call, uc_now() */
    bool alone;      /* it has a slow call, and gets no other */
    uint32_t calls;  /* in the ring */
    uint32_t batch;  /* calls since the last Sync */

    /* A writer's. */
    bool flushes;     /* commits are flushed one by one, as it was configured */
    char level[16];   /* of synchronous_commit, as it was configured */
    unsigned setting; /* our own statements so far */

    pg_prepared *prepared; /* by slot */
    uint32_t nprepared;

    /* The reply that is being written, and those that may go out. */
    uc_rows rows;
    uc_buf row, text, scratch, done;
    uc_session *session; /* whose `done` is */
    /* Replies of writes until their commit is known. */
    uc_buf held;
    pg_flight *waiting, *last_waiting;
    struct pg_tx *tx;
    struct pg_lease *lease; /* whose alone it is */
};

/* A transaction of a client. */
typedef struct pg_tx {
    struct pg_tx *next;
    uint64_t id;
    uint64_t asked;      /* its end's place among those asked for, 0: it is not;
                            e.mu */
    uc_session *session; /* NULL: it has gone */
    pg_conn *conn;       /* NULL: it has been lost, as `why` says */
    int64_t until;
    bool ending;
    uc_error why; /* the error that has ended it, code or NULL */
} pg_tx;

/* A cursor or a snapshot. */
typedef struct pg_lease {
    uc_lease l;            /* first */
    struct pg_lease *next; /* in pg_db.freed */
    pg_db *db;
    pg_conn *conn; /* NULL: it has gone */
    char portal[24];
    uc_stmt *text; /* referenced; NULL: a snapshot */
    uint64_t page_bytes;
    uint32_t rows; /* to ask for next */
    bool binary;   /* as pg_step has it */
} pg_lease;

enum { PG_EXPIRED_TXS = 16 };

struct pg_db {
    uc_engine e; /* first */
    pg_info info;
    uc_error wrong; /* of the address; code or NULL */
    pg_tls_setup *tls;
    pg_names *names;
    pg_end names_end; /* the tag of its sockets */
    bool turned;      /* of prefer and allow: the other way it went */
    uint32_t fails;   /* of connections since the last one that was ready */

    uc_thread io;
    int epoll, bell;             /* an eventfd */
    _Atomic bool asleep, called; /* called: since its last turn began */

    pg_conn *conns;
    uint32_t nconns;
    bool dead;          /* one of them is, and what follows is to be done */
    bool dial_failed;   /* for want of memory */
    int64_t dial_after; /* not again before this */
    uint32_t dial_host; /* where the last one was found */
    uc_error dial_error;

    pg_stmt **stmts; /* by slot */
    uint32_t nstmts, next_shape;

    uc_worker worker;    /* e.mu */
    uc_call **held;      /* its calls; e.mu */
    pg_flight **flights; /* beside it */
    uint32_t nflights, capacity;
    pg_flight *spare;
    uc_calls again;    /* what goes back to the reads at the end of the turn */
    bool moved;        /* a write has begun or ended */
    uint64_t singly;   /* writes up to here share no transaction: one of their
                          group had failed */
    pg_flight *begins; /* of transactions, without a connection so far */
    pg_flight *slow, *last_slow; /* reads that want a connection alone */

    pg_cancel *cancels;
    _Atomic(pg_lease *) freed;           /* to be let go by the thread */
    pg_tx *txs;                          /* e.mu */
    uint64_t asked;                      /* ends of transactions; e.mu */
    uint64_t expired_tx[PG_EXPIRED_TXS]; /* the last that took too long; e.mu */
    uint32_t expired_txs;
};

static inline pg_db *pg_db_of(uc_engine *e)
{
    return (pg_db *)e;
}

#endif

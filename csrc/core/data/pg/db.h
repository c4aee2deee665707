#ifndef UC_CORE_DATA_PG_DB_H
#define UC_CORE_DATA_PG_DB_H

#include "data/engine.h"
#include "data/pg/conn.h"
#include "data/pg/sql.h"

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
 *   pool.c   how many connections, and for how long
 *   way.c    which server; dial.c  a socket; start.c  who one is
 *   setup.c  what the server is, and what is set
 *   feed.h   what others change
 *   stmt.c   what is known of a statement; prepared.c  on a connection
 *   bind.c   a call as messages
 *   step.c   what a connection waits for; answer.c  a message for that, of
 *            which reply.c makes replies
 *   cells.c  values of the server as ours
 *   error.c  what a server says as an error of ours
 */
typedef struct pg_cancel pg_cancel;
typedef struct pg_once pg_once;
typedef struct pg_feed pg_feed;

/* ---- statements ---- */

enum { PG_BYTEA = 17 }; /* pg_type.dat */

/* What is known of a statement: what uc_stmt.slot means here. */
struct pg_stmt {
    uint32_t gen; /* of the slot, 0: none */
    pg_sql sql;
    bool described;
    uint32_t rev;        /* counts what its columns have been; from 1 on */
    uc_buf described_as; /* the description itself */
    uint32_t ncols;
    uint32_t *oids; /* of the columns' types */
    uint32_t shape; /* of their names, 0: it has no columns */
    uc_buf names;   /* msgpack array of str */
    uc_buf keys;    /* of JSON objects, each with its length before it */
    /* Types of the parameters: as the server has said, 0 until then, and as it
     * was told when the statement was first sent, 0: it is to choose. NULL: all
     * of them are 0. */
    uint32_t *params, *given;
    bool sent; /* ever */
};

/* What the call's statement is, read when it is first seen. NULL with *e. */
pg_stmt *pg_stmt_of(pg_db *db, uc_stmt *s, uc_error *e);
/* What a RowDescription says; body of length 0: it has no columns. False: no
 * memory, or the server sends nonsense. */
bool pg_stmt_describe(pg_db *db, pg_stmt *st, uc_view body);
/* What a ParameterDescription says. */
void pg_stmt_params(pg_stmt *st, uc_view body);
/* It is sent for the first time, with these: what a value alone can say of its
 * parameter's type is from then on said with it. */
void pg_stmt_send(pg_stmt *st, const uc_value *v);
/* Appends its Parse. */
void pg_stmt_parse(const pg_stmt *st, uc_buf *b, const char *name);
/* 0: nobody knows. */
uint32_t pg_stmt_param(const pg_stmt *st, uint32_t i);
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
    PG_MODE_END,
    PG_MODE_MIGRATE,
    PG_MODE_COPY /* one call of a COPY */
} pg_mode;

/* Rows of one call, or of several, which are a stream. */
typedef enum pg_chunk {
    PG_WHOLE,
    PG_CHUNK_FIRST,
    PG_CHUNK,
    PG_CHUNK_LAST
} pg_chunk;

struct pg_flight {
    uint32_t at;   /* in pg_db.flights */
    uc_call *call; /* NULL: it has been answered, and what comes is dropped */
    pg_conn *conn; /* NULL: it has not been sent */
    pg_mode mode;
    uint32_t known;   /* shape that the client has */
    uint32_t parts;   /* of several statements, or rows of one */
    uint32_t left;    /* EXECUTEs that have not come to their end */
    bool failed;      /* and its caller has been told */
    bool begun;       /* its reply is in conn->row */
    bool opens;       /* a cursor */
    bool more;        /* the server has ended a page, not the rows */
    bool moved;       /* its call has gone elsewhere */
    bool stale;       /* its columns were others than is known by now */
    bool commits;     /* END: with a COMMIT */
    pg_chunk chunk;   /* of MANY */
    uint32_t base;    /* rows of chunks before it */
    uint32_t at_part; /* that failed */
    bool committed;   /* it is in conn->waiting for its commit to be flushed */
    uc_session *session; /* whose it is; only to be compared */
    uint64_t wseq;       /* of its call, 0: no write */
    int64_t sent;        /* uc_now() */
    int64_t changes;
    uint64_t rows;
    size_t reply_at, reply_len; /* in conn->held */
    uc_lease *lease;            /* that it has claimed, or NULL */
    struct pg_lease *cursor;    /* whose page it is; of a snapshot itself */
    pg_once *once;              /* its key; NULL: it has none */
    pg_flight *next;            /* in conn->waiting or conn->claims */
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
    bool committed;
    _Atomic bool wrote; /* or may have */
    bool stream;        /* it is nobody's but a stream's of rows */
    bool coming;        /* rows of a stream are */
    uint32_t rows;      /* of the stream so far */
    int64_t changes;    /* of the stream so far */
    uc_error why;       /* the error that has ended it, code or NULL */
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
    bool counted;  /* in the numbers of its statement */
    uint64_t seen; /* rows */
    int64_t took;  /* ns, for all pages */
} pg_lease;

enum { PG_EXPIRED_TXS = 16 };

/* What stats() says of the connections, as of the last turn. */
typedef struct pg_census {
    uint32_t connecting, idle, busy, retiring;
    uint32_t readers, writers, pinned, transactions, snapshots, prepared;
    uint64_t dialled, lost;
    bool pooled;
    bool failing; /* the last try to have one more led nowhere */
    char version[40];
} pg_census;

struct pg_db {
    uc_engine e; /* first */
    pg_info info;
    uc_error wrong; /* of the address; code or NULL */
    pg_tls_setup *tls;
    pg_names *names;
    pg_end names_end; /* the tag of its sockets */
    char *label;      /* of the address, without a password */
    uint32_t fails;   /* rounds of servers since the last one that was ready */
    bool unnamed;     /* statements with names do not last: there is a pooler */
    bool serial; /* somebody between mixes up what is sent before an answer has
                    come: one call after the other */
    unsigned strange;    /* statements that were gone */
    int64_t dropped_at;  /* when all connections were last let go */
    int64_t hopes_until; /* what has no connection is not refused so far */
    uint64_t dialled, lost;
    char version[40]; /* of the server */
    pg_census census; /* e.mu */

    uc_thread io;
    int epoll, bell;             /* an eventfd */
    _Atomic bool asleep, called; /* called: since its last turn began */

    pg_conn *conns;
    uint32_t nconns;
    bool dead;           /* one of them is, and what follows is to be done */
    int64_t dial_after;  /* not again before this */
    uc_error dial_error; /* e.mu, where another thread reads it */

    pg_stmt **stmts; /* by slot */
    uint32_t nstmts, next_shape;

    uc_worker worker;    /* e.mu */
    uc_call **held;      /* its calls; e.mu */
    pg_flight **flights; /* beside it */
    uint32_t nflights, capacity;
    pg_flight *spare;
    uc_calls over;     /* calls that are finished when their replies have gone
                          out: a session that closes waits for that */
    uc_calls again;    /* what goes back to the reads at the end of the turn */
    bool moved;        /* a write has begun or ended */
    uint64_t singly;   /* writes up to here share no transaction: one of their
                          group had failed */
    pg_flight *begins; /* of transactions, without a connection so far */
    /* The write that was taken last, which may be no flight yet; e.mu. */
    const uc_session *taken;
    uint64_t taken_wseq;
    uint32_t nstuck;  /* writers that are at one write for long; e.mu */
    pg_flight *later; /* on leases whose connection is being cancelled */
    pg_flight *slow, *last_slow; /* reads that want a connection alone */

    struct pg_feed *feed;
    pg_cancel *cancels;
    _Atomic(pg_lease *) freed;           /* to be let go by the thread */
    pg_tx *txs;                          /* e.mu */
    uint32_t keys;                       /* of writes, stored so far */
    uint64_t asked;                      /* ends of transactions; e.mu */
    uint64_t expired_tx[PG_EXPIRED_TXS]; /* the last that took too long; e.mu */
    uint32_t expired_txs;
};

static inline pg_db *pg_db_of(uc_engine *e)
{
    return (pg_db *)e;
}

#endif

#ifndef UC_CORE_DATA_PG_CONN_H
#define UC_CORE_DATA_PG_CONN_H

#include "data/pg/msg.h"
#include "data/pg/names.h"
#include "data/pg/scram.h"
#include "data/pg/tls.h"
#include "data/pg/way.h"
#include "desk/session.h"
#include "wire/rows.h"

/* A connection to a server, and what it waits for: the part of db.h that is
 * about one. */

typedef struct pg_db pg_db;
typedef struct pg_conn pg_conn;
typedef struct pg_flight pg_flight;
typedef struct pg_stmt pg_stmt;

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
    PG_STEP_ONCE,  /* a statement about the key of its flight's write */
    PG_STEP_QUERY, /* a script, up to its ReadyForQuery */
    PG_STEP_COPY   /* the same of a COPY */
} pg_step_kind;

typedef struct pg_step {
    pg_step_kind kind;
    bool durable;      /* SYNC: its commit is flushed */
    bool barrier;      /* the same, and it flushes all before it */
    bool binary;       /* EXECUTE: rows come so where their types allow it */
    uint32_t rev;      /* EXECUTE: pg_stmt.rev of its rows, 0: as it is when
                          they begin */
    uint32_t slot;     /* of the statement */
    uint64_t mark;     /* that it puts into its transaction, or 0 */
    pg_stmt *stmt;     /* NULL: one of our own */
    pg_flight *flight; /* the same */
} pg_step;

/* The last two are not of the pool: feed.h. */
typedef enum pg_role {
    PG_READER,
    PG_WRITER,
    PG_PINNED,
    PG_EAR,
    PG_FEED
} pg_role;

typedef enum pg_phase {
    PG_TURNING,  /* to the next server, in the next turn */
    PG_FINDING,  /* the address of its host */
    PG_DIALING,  /* connect() is under way */
    PG_ASKING,   /* for TLS */
    PG_SHAKING,  /* its handshake */
    PG_GREETING, /* start-up and authentication */
    PG_SETTING,  /* our own statements before it is used */
    PG_READY,
    PG_DEAD /* closed; freed at the end of the turn */
} pg_phase;

/* Of a statement on a connection. */
typedef struct pg_prepared {
    uint32_t gen, rev;     /* of the slot's text and its columns; gen 0: not
                              prepared here; rev 0: it is not told yet */
    bool there;            /* the server may have one of the name */
    bool listed;           /* among those that are counted */
    uint32_t older, newer; /* slots, PG_NO_SLOT: none */
} pg_prepared;
enum { PG_NO_SLOT = UINT32_MAX };

/* What a server says of itself when one is let in. */
typedef struct pg_facts {
    uint32_t pid;     /* of the process that runs statements */
    bool standby;     /* it follows another */
    bool readonly;    /* it takes no writes */
    char level[16];   /* of synchronous_commit, as it was configured */
    uint32_t version; /* 150002 */
    bool publishes;   /* changes, by logical decoding: feed.h */
    bool utf8, iso;   /* client_encoding and DateStyle are what was asked for */
    char missing[64]; /* one of `options` that has not arrived, or "" */
} pg_facts;

struct pg_conn {
    pg_end end; /* first */
    pg_conn *next;
    pg_db *db;
    pg_role role;
    pg_phase phase;
    int fd;
    pg_tls *tls; /* NULL: none */
    pg_addresses found;
    pg_way way;     /* which of these, of which host */
    pg_wrong wrong; /* what it is if it is lost now, before it is ready */
    bool wants_out; /* epoll looks for room */
    bool dirty;     /* `out` is to be sent at the end of the turn */
    uc_buf in, out;
    size_t in_at, out_at; /* consumed */
    size_t skip;          /* bytes of a row that is too large */
    uint32_t pid, key;    /* for a CancelRequest */
    bool cancelling;      /* one is under way: nothing new is sent */
    int64_t cancel_after; /* the next one not before this */
    uint32_t strays;      /* steps, from the first, that one may have hit */
    bool stray;           /* the error that is looked at may be one */
    char status;          /* of the last ReadyForQuery: I, T, E */
    int64_t until;        /* the start-up's deadline */
    pg_facts facts;
    bool pooled;             /* by somebody between: the server's process is
                                another one each time */
    bool retires;            /* gets nothing new, and ends when it is idle */
    bool ends;               /* no other server is tried */
    int64_t used, retire_at; /* when it last had something; uc_now() */
    pg_scram scram;
    bool bound;     /* to the channel */
    uc_error error; /* why it died; code or NULL */
    bool was_ready; /* when it died */
    bool undone;    /* what was not known to be committed is rolled back */
    bool told;      /* the server said so itself: what is in the ring has not
                       run */

    pg_step *steps; /* a ring */
    uint32_t first, nsteps, capacity;
    int64_t done_at; /* when it last came to the end of a call, uc_now() */
    bool alone;      /* it has a slow call, and gets no other */
    uint32_t calls;  /* in the ring */
    uint32_t batch;  /* calls since the last Sync */
    bool stuck;      /* a writer that is at one write for long: others go by
                        another one */
    bool yields; /* what it is at is stopped, to be run where nobody waits */
    bool stall;  /* of a writer: nothing new before the ring is empty, since
                    what is in it may have to be run again, in its place */

    /* A writer's. */
    bool flushes;     /* commits are flushed one by one, as it was configured */
    bool loose;       /* there are commits that no barrier has flushed */
    bool aborted;     /* an error since the last Sync: its commit is none */
    unsigned setting; /* our own statements so far */

    pg_prepared *prepared; /* by slot */
    uint32_t nprepared;    /* slots */
    uint32_t nthere;       /* statements */
    uint32_t oldest, newest;
    uint32_t unnamed_slot, unnamed_gen; /* what the one without a name is in
                                           this batch; gen 0: another */

    /* The reply that is being written, and those that may go out. */
    uc_rows rows;
    uc_buf row, text, scratch, done;
    uc_session *session; /* whose `done` is */
    /* Replies of writes until their commit is known. */
    uc_buf held;
    pg_flight *waiting, *last_waiting;
    /* Writes with a key in their first turn: nothing else is sent. */
    pg_flight *claims;
    uint32_t claiming; /* of these, those whose statements have not ended */
    bool keyed;        /* the statements about keys are prepared */
    /* Since the last time that writes of its were known to be committed. */
    uint64_t marked; /* the last mark that it has set, 0: none */
    bool mark_ran;   /* one has been tried: without a write there is none */
    bool unmarked;   /* a script has committed by itself */
    bool alters;     /* something that is no row */
    bool quiet;      /* a transaction of reads alone */
    struct pg_tx *tx;
    struct pg_lease *lease; /* whose alone it is */
    struct pg_migration *migration;
    struct pg_copy *copy;
    bool paused;  /* nothing is read: nobody takes what a COPY sends */
    bool resumed; /* it is over with that, and some may have come */
};

/* ---- connections: conn.c ---- */

/* A socket on its way to an address; -1 with errno. */
int pg_socket(const pg_info *info, const pg_address *a);
/* Closes a socket that epoll may know. */
void pg_close(pg_db *db, int fd);
/* NULL: no memory. */
pg_conn *pg_conn_new(pg_db *db, pg_role role);
/* It is over. Its calls are answered, or go elsewhere, before the next turn. */
void pg_conn_fail(pg_conn *c, const uc_error *e);
/* The same, as somebody has cut it. */
void pg_conn_broken(pg_conn *c, const char *why);
/* Says good-bye; nothing is under way on it. */
void pg_conn_end(pg_conn *c);
bool pg_conn_is_idle(const pg_conn *c);
/* All are let go, when what they are at is over: another server has to be
 * looked for. False: that was a moment ago. */
bool pg_conns_drop(pg_db *db);
/* From 7/8 to 9/8 of n, so that what began together does not end together. */
int64_t pg_jittered(int64_t n);
void pg_conn_free(pg_conn *c);
/* Whether epoll tells when there is room. */
void pg_conn_look(pg_conn *c, bool out);
/* Whether nothing is read until that is over. */
void pg_conn_pause(pg_conn *c, bool paused);
void pg_conn_send(pg_conn *c);
/* It is to be sent at the end of the turn. */
static inline void pg_conn_touch(pg_conn *c)
{
    c->dirty = true;
}

/* ---- the way to one: way.h, dial.c, start.c, setup.c ---- */

/* Begins one; NULL: no memory. It may be lost already. */
pg_conn *pg_dial(pg_db *db, pg_role role);
/* Its socket is connected, or not. */
void pg_dialled(pg_conn *c);
/* An answer to what was asked about TLS, or a step of the handshake. */
void pg_tls_event(pg_conn *c);
/* It was not to be: another server is tried in the next turn, or (false) there
 * is none. */
bool pg_dial_next(pg_conn *c);
/* Those turn to it. */
void pg_dial_on(pg_db *db);
/* A message of its start-up. */
void pg_greeting(pg_conn *c, const pg_msg *m);
void pg_greet(pg_conn *c);
/* One is let in: what the server is and what has to be set. */
void pg_setup(pg_conn *c);
/* A ParameterStatus. */
void pg_setup_note(pg_conn *c, uc_view body);
/* A row for one of our own statements. */
void pg_setup_row(pg_conn *c, uc_view body);
/* The next of our own statements, or it is ready. */
bool pg_set(pg_conn *c, uc_error *e);

/* ---- statements of a connection: prepared.c ---- */

/* Whether it is prepared here, and not with other columns than are known.
 * *sure: with those. */
bool pg_prepared_is(pg_conn *c, uint32_t slot, const pg_stmt *st, bool *sure);
/* The server has said what its columns are here: those that are known. */
void pg_prepared_described(pg_conn *c, uint32_t slot, const pg_stmt *st);
/* Appends what prepares it: with a Close before it where its name may be taken,
 * and of the one that was used longest ago where there are too many. False: no
 * memory. */
bool pg_prepared_put(pg_conn *c, uint32_t slot, const pg_stmt *st);
/* It is not prepared after all, as far as is known. */
void pg_prepared_lose(pg_conn *c, uint32_t slot);
/* Statements with names are not for this connection. */
bool pg_is_unnamed(const pg_conn *c);
/* A name was gone, or (taken) was there that should not be. */
void pg_prepared_strange(pg_conn *c, bool taken);

#endif

#ifndef UC_CORE_DATA_SQLITE_CONN_H
#define UC_CORE_DATA_SQLITE_CONN_H

#include "data/sqlite/fresh.h"
#include "data/sqlite/once.h"
#include "data/sqlite/stmt.h"

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
    sqlite3_stmt *version;  /* pragma data_version; the writer's alone */
    int64_t seen;           /* what that said last */
    sqlite3_stmt *cookie;   /* pragma schema_version, once it was asked */
    uint32_t once_kept;     /* keys stored; each so many sweep old ones */
    uc_buf text;            /* scratch of the row encoder */
    struct sq_part *part;   /* of a route's statement that answers, else NULL */
    struct sq_reads *reads; /* set while what a route reads is noted */
    sq_moment moment;       /* before the snapshot that it has */
    int64_t lent_until;     /* on a thread that is wanted back then, 0 not */
    bool overdue;           /* and was wanted back: what ran was given up */
    sq_conn *spare_next;    /* db->spare, under mu */
};

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
/* Whether what runs has to end: its deadline, its caller, the end of the store.
 */
bool sq_conn_over(sq_conn *c);
/* Sets the authorizer; all statements are prepared anew at their next step. */
void sq_conn_authorize(sq_conn *c);

/* ---- run.c ---- */
/* Runs a prepared control statement (BEGIN, COMMIT, ...). SQLite's code. */
int sq_step_once(sqlite3_stmt *stmt);
/* Runs SQL text that returns nothing. */
int sq_exec_text(sq_conn *c, const char *sql);
/* Fills *e from the connection's last error. Returns false. */
bool sq_fail(sq_conn *c, int rc, uc_error *e);
/* What runs on a connection from here on: cancel, deadlines and errors. */
void sq_conn_enter(sq_conn *c, uc_call *call, int64_t limit);
void sq_conn_leave(sq_conn *c);
/* The error of SQLITE_DENY. Returns false. */
bool sq_defer_refused(uc_error *e);
/* A savepoint around a unit, or the transaction itself where it is the unit
 * (see `whole`). The end undoes what is inside unless ok, which it returns. */
bool sq_bracket(sq_conn *c, uc_error *e);
bool sq_bracket_end(sq_conn *c, bool ok, uc_error *e);

/* ---- cookie.c ---- */
/* Makes undercroft_schema() known to a connection that is being opened: the
 * number of a schema, and the check that it still is one (cookie.c). SQLite's
 * code. */
int sq_cookie_install(sq_conn *c);
/* The function uuidv7() (uuid.c). SQLite's code. */
int sq_uuid_install(sq_conn *c);

#endif

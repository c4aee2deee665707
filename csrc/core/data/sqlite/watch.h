#ifndef UC_CORE_DATA_SQLITE_WATCH_H
#define UC_CORE_DATA_SQLITE_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "common/thread.h"

/*
 * Which tables have changed, and when. A generation is the number of a commit
 * that changed something; each table remembers the last one that changed it.
 * The names come from SQLite's authorizer, which tells at prepare what a
 * statement writes, through triggers and foreign key actions as well: nothing
 * is asked of a row. What is not known exactly (a new schema, a restored file)
 * counts as a change of everything.
 *
 * The writer marks tables as it goes (sq_touch) and publishes the marks with
 * its COMMIT (sq_board_commit), before anybody is told that the commit
 * happened. Commits of other processes are not seen.
 */

/* What a statement changes: indexes of tables. The writer's connection only.
 */
typedef struct sq_notes {
    uint32_t *ids;
    uint32_t n;
    bool all;
} sq_notes;

typedef struct sq_table {
    char *name; /* as in the schema; "schema.name" outside of main */
    uint64_t hash;
    uint64_t domain; /* its name for the cache */
    /* Outside of main: its name without the schema, within `name`, with hash
     * and domain; and whether SQL may call it so, of the last commit. */
    const char *bare;
    uint64_t bare_hash, bare_domain;
    bool is_bare;
    uint64_t gen;  /* of its last change, 0: not seen yet */
    uint32_t mark; /* round in which it was touched */
    /* wconn_mu; see rowlog.c */
    enum { SQ_TABLE_ASK, SQ_TABLE_PLAIN, SQ_TABLE_VIRTUAL } kind;
    bool vague; /* not all of its rows that have changed are known */
} sq_table;

/* A row that the transaction under way has changed. */
typedef struct sq_row {
    uint32_t table;
    int64_t rowid;
} sq_row;

typedef struct sq_watcher sq_watcher;

/* Where to go back to when a unit is undone. */
typedef struct sq_board_mark {
    uint32_t n;
    bool all;
} sq_board_mark;

typedef struct sq_board {
    uc_mutex mu; /* inside wconn_mu and sq_db.mu; outside session.mu */
    /* mu, and changed only by who has wconn_mu as well: */
    sq_table *tables;
    uint32_t ntables;
    /* mu */
    uint64_t first;   /* generations of this core begin behind it */
    uint64_t gen;     /* of the last commit */
    uint64_t all_gen; /* of the last one that may have changed everything */
    sq_watcher *watchers;
    /* wconn_mu */
    uint32_t *touched; /* in the transaction under way; room for all tables */
    uint32_t ntouched;
    uint32_t round;
    bool touched_all;
    sq_row *rows; /* NULL until rows matter */
    uint32_t nrows;
    uint32_t nvague; /* tables that are */
} sq_board;

struct sq_db;
struct sq_conn;
struct uc_peer;
struct uc_engine;
struct uc_call;
struct uc_session;

void sq_board_init(sq_board *b);
void sq_board_fini(sq_board *b);

/* The authorizer's: adds what it was told to the connection's notes. arg: of a
 * pragma. */
void sq_note(struct sq_conn *c, int action, const char *table, const char *arg,
             const char *schema);
sq_notes *sq_notes_new(void); /* NULL when memory ran out */
void sq_notes_free(sq_notes *n);

/* The statement of these notes has changed something; wconn_mu held. */
void sq_touch(struct sq_db *db, const sq_notes *n);
void sq_touch_all(struct sq_db *db);
sq_board_mark sq_board_at(const struct sq_db *db);
void sq_board_undo(struct sq_db *db, sq_board_mark at);
/* A transaction is about to begin: forgets what one that was rolled back has
 * touched. */
void sq_board_clear(struct sq_db *db);
/* What the session's open transaction has touched since the mark is not to be
 * stored in the cache; before its call is answered. wconn_mu held. */
void sq_board_unsure(struct sq_db *db, const struct uc_session *own,
                     sq_board_mark since);
/* It was committed, by one session or (NULL) for several: what the cache has of
 * it goes, also where it is kept by clients, for which this waits 100 ms at
 * most; then a generation is made of it and who watches is answered. Takes
 * board.mu, the cache's and session.mu. */
void sq_board_commit(struct sq_db *db, const struct uc_session *by);

/* rowlog.c. Before a transaction: forgets the rows of the one before, and looks
 * whether those of this one are to be written down. */
void sq_rowlog_begin(struct sq_db *db);
/* Whether the rows written down are all that changed in a touched table. After
 * the commit, and false only after a transaction whose rows may matter. */
bool sq_rowlog_whole(struct sq_db *db, uint32_t table);
/* The number of a table that was noted, -1 if it was not. */
int64_t sq_table_noted(const sq_board *b, const char *schema, const char *name);

/* The op `watch`: answers the call or keeps what it asks, and finishes it. */
void sq_watch(struct uc_peer *p, struct uc_call *call);
/* Ends a standing watch of the session with UC_ABORTED. */
void sq_watch_cancel(struct uc_engine *e, struct uc_session *s, uint32_t id);
/* Ends all of the session's, with UC_CLOSED or without a word. */
void sq_watch_end(struct uc_engine *e, struct uc_session *s, bool tell);

#endif

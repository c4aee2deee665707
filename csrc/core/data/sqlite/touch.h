#ifndef UC_CORE_DATA_SQLITE_TOUCH_H
#define UC_CORE_DATA_SQLITE_TOUCH_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Tables that statements change, by their numbers on the board (desk/board.h).
 * The writer marks them as it goes (sq_touch) and publishes the marks with its
 * COMMIT (sq_touch_commit), before anybody is told that the commit happened.
 */

/* What a statement changes. The writer's connection only. */
typedef struct sq_notes {
    uint32_t *ids;
    uint32_t n;
    bool all;
} sq_notes;

typedef struct sq_table {
    uint64_t domain, bare_domain; /* its names for the cache */
    uint32_t mark;                /* round in which it was touched */
    enum { SQ_TABLE_ASK, SQ_TABLE_PLAIN, SQ_TABLE_VIRTUAL } kind;
    bool vague; /* not all of its rows that have changed are known */
} sq_table;

/* A row that the transaction under way has changed. */
typedef struct sq_row {
    uint32_t table;
    int64_t rowid;
} sq_row;

/* Where to go back to when a unit is undone. */
typedef struct sq_touch_mark {
    uint32_t n;
    bool all;
} sq_touch_mark;

/* wconn_mu */
typedef struct sq_touches {
    sq_table *tables;  /* as many as the board has */
    uint32_t *touched; /* in the transaction under way; room for all tables */
    uint32_t ntouched;
    uint32_t round;
    bool touched_all;
    sq_row *rows; /* NULL until rows matter */
    uint32_t nrows;
    uint32_t nvague; /* tables that are */
} sq_touches;

struct sq_db;
struct sq_conn;
struct uc_session;

/* ---- notes.c ---- */
/* The authorizer's: adds what it was told to the connection's notes. arg: of a
 * pragma. */
void sq_note(struct sq_conn *c, int action, const char *table, const char *arg,
             const char *schema);
sq_notes *sq_notes_new(void); /* NULL when memory ran out */
void sq_notes_free(sq_notes *n);

/* ---- touch.c; wconn_mu held ---- */
/* The statement of these notes has changed something. */
void sq_touch(struct sq_db *db, const sq_notes *n);
void sq_touch_all(struct sq_db *db);
sq_touch_mark sq_touch_at(const struct sq_db *db);
void sq_touch_undo(struct sq_db *db, sq_touch_mark at);
/* A transaction is about to begin: forgets what one that was rolled back has
 * touched. */
void sq_touch_clear(struct sq_db *db);
/* What the session's open transaction has touched since the mark is not to be
 * stored in the cache; before its call is answered. */
void sq_touch_unsure(struct sq_db *db, const struct uc_session *own,
                     sq_touch_mark since);
/* It was committed, by one session or (NULL) for several: what the cache has of
 * it goes, also where it is kept by clients, for which this waits 100 ms at
 * most; then who watches is answered. Takes the cache's mu, the board's and
 * session.mu. */
void sq_touch_commit(struct sq_db *db, const struct uc_session *by);
void sq_touches_fini(sq_touches *t);

/* ---- rowlog.c ---- */
/* Before a transaction: forgets the rows of the one before, and looks whether
 * those of this one are to be written down. */
void sq_rowlog_begin(struct sq_db *db);
/* Whether the rows written down are all that changed in a touched table. After
 * the commit, and false only after a transaction whose rows may matter. */
bool sq_rowlog_whole(struct sq_db *db, uint32_t table);

#endif

#ifndef UC_CORE_DATA_SQLITE_STMT_H
#define UC_CORE_DATA_SQLITE_STMT_H

#include "data/sqlite/touch.h"
#include "data/sqlite/types.h"

/* What else classifying finds out. */
enum {
    SQ_MAKES_TEMP = 1, /* changes the TEMP schema */
    SQ_INSERTS = 2,    /* itself, not by a trigger */
    SQ_ASKS = 4, /* calls last_insert_rowid(), changes() or total_changes() */
    SQ_ASKS_BELOW = 8, /* or a trigger or a view of it does */
    SQ_LEAVES = 16     /* not found out before it has: it failed, and had left
                        * something behind; see answer.c */
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
    char *json_keys; /* of sq_json_keys; NULL: not needed yet */
    uint32_t tick;   /* sync executions, of which some are timed */
    uc_stat *stat;
    sq_notes *notes; /* the writer's: what it changes */
} sq_slot;

/* Prepares (or finds) a statement on a connection. NULL with *e filled. */
sq_slot *sq_slot_get(sq_conn *c, uc_stmt *s, uc_error *e);
/* Prepares exactly one statement. */
bool sq_prepare_one(sq_conn *c, const char *sql, size_t len, unsigned flags,
                    sqlite3_stmt **out, uc_error *e);
/* Decides the class with the writer's connection, whose lock is held. */
bool sq_classify(sq_conn *writer, uc_stmt *s, uc_error *e);
/* Whether a snapshot on c may run it. The schema that it sees may be an older
 * one, in which the writer cannot classify: then this is decided on c. */
bool sq_class_in_snapshot(sq_conn *c, const uc_stmt *s, uc_error *e);
/* The class of one statement text; used by classify and by scripts. *stmt is
 * the prepared statement, owned by the caller. */
bool sq_class_of(sq_conn *writer, const char *sql, size_t len,
                 const char **tail, sqlite3_stmt **stmt, uc_class *cls,
                 unsigned *traits, uc_error *e);
/* A TEMP object was made or dropped: what names it may mean another thing
 * now, so every class is decided anew. */
void sq_classes_reset(sq_db *db);

void sq_slots_free(sq_conn *c);
void sq_shapes_free(sq_db *db);
sq_shape *sq_shape_of(sq_db *db, sqlite3_stmt *stmt);
void sq_shape_unref(sq_shape *s);
/* The first keyword, upper case, at most n - 1 bytes; where it ends. */
const char *sq_keyword(const char *sql, const char *end, char *word, size_t n);
/* Past white space, comments and semicolons. */
const char *sq_skip_blank(const char *p, const char *end);
/* False, with *e, for a text with a NUL in it: SQLite reads no further. */
bool sq_text_whole(const char *sql, size_t len, uc_error *e);
/* Fills *e for a statement of UC_CLASS_CONTROL; word: its keyword. */
bool sq_refuse_control(const char *word, uc_error *e);
/* weight: executions that this one measured stands for. */
void sq_stat_add(sq_slot *slot, uc_stmt *sql, int64_t ns, uint64_t rows,
                 bool ok, uint32_t weight);
/* Counts one that was not timed. */
void sq_stat_count(sq_slot *slot, uint64_t rows);
/* A cursor of s has ended; any thread. */
void sq_stat_cursor(uc_stmt *s, int64_t ns, uint64_t rows, bool ok);
double sq_bucket_ns(unsigned i);

/* Fills *e for a statement of SQ_ASKS outside of such a unit. */
bool sq_asks(uc_error *e);

#endif

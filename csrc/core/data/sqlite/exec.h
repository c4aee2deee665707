#ifndef UC_CORE_DATA_SQLITE_EXEC_H
#define UC_CORE_DATA_SQLITE_EXEC_H

#include "data/sqlite/conn.h"

/* What a write did. */
typedef struct sq_run {
    int64_t changes;
    int64_t rowid;
    uint64_t rows;
} sq_run;

/* ---- exec.c ---- */
typedef enum sq_mode {
    SQ_MODE_GET,
    SQ_MODE_ALL,
    SQ_MODE_RUN,
    SQ_MODE_JSON,
    /* Bytes without a reply around them. */
    SQ_MODE_ARRAY,  /* of objects, in JSON */
    SQ_MODE_OBJECT, /* the first row; nothing where there is none */
    SQ_MODE_CELL,   /* the first cell as a text; the same */
    /* Rows as sq_part.html wants them. */
    SQ_MODE_KEEP,
    SQ_MODE_KEEP_ONE /* the first */
} sq_mode;

/* Binds the next value of r (an array or a map of parameters). */
bool sq_bind(sqlite3_stmt *stmt, int nparams, uc_reader *r, uc_error *e);
/* Executes s on c with the parameters at r and appends a reply frame. False
 * with *e filled and *out as it was. */
bool sq_execute(sq_conn *c, uc_stmt *s, uint32_t id, uint32_t shape,
                uc_reader *params, sq_mode mode, uc_buf *out, sq_run *done,
                uc_error *e);
/* The same of a request to a route, whose values are bound as they are; slot:
 * that of s on c. */
bool sq_execute_args(sq_conn *c, uc_stmt *s, sq_slot *slot, const uc_request *q,
                     const uc_variant *v, sq_mode mode, uc_buf *out,
                     sq_run *done, uc_error *e);

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
void sq_notes_on(sq_conn *c, const uc_stmt *s, const sq_slot *slot);
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

/* ---- load.c ---- */
/* The op `routes_load`, on any connection. */
bool sq_routes_load(sq_conn *c, uc_call *call, uc_buf *out, uc_error *e);

/* ---- answer.c ---- */
/* The op `request`: a GET in one snapshot, a POST as one unit. False with *e;
 * what the unit has done is undone then. */
bool sq_answer_read(sq_conn *c, uc_call *call, uc_buf *out, uc_error *e);
bool sq_answer_write(sq_conn *c, uc_call *call, uc_buf *out, uc_error *e);

/* ---- migrate.c ---- */
bool sq_migrate(sq_conn *c, uc_call *call, uc_buf *out, uc_error *e);

#endif

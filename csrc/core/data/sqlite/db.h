#ifndef UC_CORE_DATA_SQLITE_DB_H
#define UC_CORE_DATA_SQLITE_DB_H

#include "data/sqlite/types.h"

/* What the files of the engine do for each other; types.h has what they do it
 * with. */

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

/* ---- what a client may change (pragma.c) ---- */

/* The class of a pragma, or false and the error that refuses it by name. */
bool sq_pragma_class(const sq_db *db, const sq_auth *a, uc_class *cls,
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
bool sq_execute(sq_conn *c, uc_stmt *s, uint32_t id, uint32_t shape,
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

/* ---- reader.c ---- */
void *sq_reader_main(void *db);
/* A statement, not on a pin, known to take less time than a wake-up. */
bool sq_is_quick(const uc_call *c);
/* Serves calls in one read transaction and publishes their replies; they are
 * not finished. Returns how many: fewer than n when the thread was lent and is
 * wanted back, and the rest is as if it had not been begun. */
uint32_t sq_read_batch(sq_db *db, sq_conn *c, uc_call **run, uint32_t n,
                       uc_buf *out);

/* ---- guest.c ---- */
void sq_assist(uc_engine *e);
/* Nobody is a guest any more. */
void sq_guest_end(sq_db *db);

/* ---- read.c ---- */
sq_mode sq_mode_of(const uc_call *call);
/* Runs a call of the read lane or of a pin on c. Appends a reply frame or fills
 * *e. Any thread that owns the connection. */
bool sq_read_call(sq_conn *c, uc_call *call, uc_buf *out, uc_error *e);

/* ---- pin.c ---- */
/* Takes a spare connection or opens one, with a transaction begun on it. NULL
 * with *e. */
sq_conn *sq_pin_lease(sq_db *db, uc_error *e);
/* Zeroed but for its lease, which is the caller's until uc__lease_done. NULL
 * with *e. */
sq_pin *sq_pin_new(uc_session *s, uc_lease_kind kind, uc_error *e);
/* A pin with a connection that has taken its snapshot, linked. The caller's
 * until uc__lease_done. */
sq_pin *sq_pin_make(sq_db *db, uc_session *s, uc_lease_kind kind, uc_error *e);
bool sq_snap_begin(sq_db *db, uc_call *call, uc_buf *out, uc_error *e);
/* Frees what a pin holds; its lease is not linked any more. */
void sq_pin_free(uc_engine *e, uc_lease *l);
/* Closes the spare connections. */
void sq_pins_close(sq_db *db);

/* ---- cursor.c ---- */
/* writer: the connection that it runs on, or NULL: one of its own. */
bool sq_cursor_open(sq_db *db, uc_call *call, sq_conn *writer, uc_buf *out,
                    uc_error *e);
bool sq_cursor_next(sq_pin *p, uc_call *call, uc_buf *out, uc_error *e);

/* ---- pinned.c ---- */
/* Runs a call on the pin whose lease it has claimed, and lets go of that. */
bool sq_pin_call(sq_db *db, sq_pin *pin, uc_call *call, uc_buf *out,
                 uc_error *e);

/* ---- backup.c ---- */
bool sq_backup_begin(sq_db *db, uc_call *call, uc_buf *out, uc_error *e);
bool sq_backup_step(sq_pin *pin, uc_call *call, uc_buf *out, uc_error *e);
bool sq_restore(sq_conn *c, uc_call *call, uc_buf *out, uc_error *e);

/* ---- writer.c ---- */
/* The writer thread after the file has been opened, until the db stops. */
void sq_writer_loop(sq_db *db);
/* Runs one write call in its own transaction on the calling thread, which
 * owns the writer and holds wconn_mu. Appends its reply. */
void sq_write_one(sq_db *db, uc_call *call, uc_buf *out);
/* Makes sure that the class of a call's statement is known; wconn_mu held. */
bool sq_call_class(sq_db *db, uc_call *call, uc_class *cls, uc_error *e);
/* One unit of writing inside an open transaction; undone alone on failure. */
bool sq_unit(sq_conn *c, uc_call *call, uc_buf *out, uc_error *e);
bool sq_many_rows(sq_conn *c, uc_stmt *sql, uc_reader *r, uint64_t first,
                  sq_run *sum, uc_error *e);
/* What runs between groups: VACUUM, pragmas, restore, migrations. */
bool sq_alone(sq_conn *c, uc_call *call, uc_buf *out, uc_error *e);
/* The outcome of what a COMMIT that failed with SQLite's code rc was to keep:
 * after a failed sync nobody can say what has reached the disk. */
static inline const char *sq_commit_outcome(int rc)
{
    return (rc & 0xff) == SQLITE_IOERR && rc != SQLITE_IOERR_NOMEM ? "unknown"
                                                                   : "not-run";
}
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
bool sq_migrate(sq_conn *c, uc_call *call, uc_buf *out, uc_error *e);
/* A savepoint around a unit, or the transaction itself where it is the unit
 * (see `whole`). The end undoes what is inside unless ok, which it returns. */
bool sq_bracket(sq_conn *c, uc_error *e);
bool sq_bracket_end(sq_conn *c, bool ok, uc_error *e);

/* ---- once.c ---- */
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
/* What is at a path, links followed; ino 0: nothing that can be seen. */
sq_file_id sq_file_id_of(const char *path);
static inline bool sq_file_id_same(sq_file_id a, sq_file_id b)
{
    return a.ino == b.ino && a.dev == b.dev;
}
/* The writer has opened the file: from here on it is the one. */
void sq_moved_begin(sq_db *db);
/* True, with *e filled, when that file is not at its path any more: nothing
 * more may be opened or written then. now: looks in any case, and not only
 * each so often. Any thread. */
bool sq_moved(sq_db *db, bool now, uc_error *e);
/* Brings the WAL into the file, wherever that is; only the writer's connection
 * is left. */
void sq_moved_end(sq_db *db);

/* ---- wal.c ---- */
int sq_wal_hook(void *db, sqlite3 *h, const char *name, int pages);
/* True when a write may start; otherwise *e is UC_WAL_FULL. */
bool sq_wal_room(sq_db *db, uc_error *e);
bool sq_checkpoint(sq_conn *c, uc_call *call, uc_buf *out, uc_error *e);

/* The checkpoint that the hook has asked the keeper for. */
void sq_wal_tick(uc_engine *e);
/* Has another process written to the file since the last time? wconn_mu. */
bool sq_others_wrote(sq_db *db);

/* ---- sync.c ---- */
void sq_sync(uc_peer *p, uc_call *c, uc_buf *out, uc_error *e);
void sq_turn_end(uc_peer *p);
/* Ends what the session's thread holds (transaction, snapshot, connection). */
void sq_sync_release(sq_peer *p);

/* ---- stats.c ---- */
void sq_stats(uc_engine *e, uint32_t id, uc_buf *out);
void sq_health(sq_db *db, sq_conn *c, uint32_t id, uc_buf *out);

/* ---- func.c ---- */
bool sq_function_add(uc_peer *p, const struct uc_fn_spec *spec,
                     const char **error);
/* Makes all functions of the db known to a connection. */
void sq_functions_install(sq_db *db, sq_conn *c);
bool sq_function_known(sq_db *db, const char *name, size_t len);
void sq_functions_drop(sq_db *db, const uc_peer *p);

/* Makes undercroft_schema() known to a connection that is being opened: the
 * number of a schema, and the check that it still is one (cookie.c). SQLite's
 * code. */
int sq_cookie_install(sq_conn *c);

#endif

#ifndef UC_CORE_DATA_SQLITE_PIN_H
#define UC_CORE_DATA_SQLITE_PIN_H

#include "data/sqlite/conn.h"

/* A lease, and the connection that it holds. A cursor inside a snapshot borrows
 * the snapshot's; one that was materialised (in a transaction, in :memory:)
 * holds rows instead. */
typedef struct sq_pin {
    uc_lease l;    /* first */
    sq_conn *conn; /* NULL: none */
    /* cursor */
    sqlite3_stmt *stmt;
    uc_stmt *sql;
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
    void (*drop)(struct sq_pin *p); /* gives up what is under way */
    sqlite3_backup *backup;
    sqlite3 *dest;
    char *dest_path, *part_path;
} sq_pin;

static inline sq_pin *sq_pin_of(const uc_call *c)
{
    return (sq_pin *)c->lease;
}

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

#endif

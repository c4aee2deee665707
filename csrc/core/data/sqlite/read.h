#ifndef UC_CORE_DATA_SQLITE_READ_H
#define UC_CORE_DATA_SQLITE_READ_H

#include "data/sqlite/exec.h"

/* What a door's thread serves quick reads with: one at a time a file. */
typedef struct sq_guest {
    uc_mutex mu;   /* held by who serves; all that follows is its own */
    bool tried;    /* to open the connection */
    sq_conn *conn; /* NULL: no guests */
    uc_worker self;
    uc_call *run[SQ_TAKE];
    uc_buf out;
} sq_guest;

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
/* The guests' connection is opened by sq_now_begin, and not by sq_now, which
 * waits for nothing. */
void sq_now_begin(uc_engine *e);
bool sq_now(uc_peer *p, uc_call *c, uc_buf *out);
/* Nobody is a guest any more. */
void sq_guest_end(sq_db *db);

/* ---- read.c ---- */
sq_mode sq_mode_of(const uc_call *call);
/* Runs a call of the read lane or of a pin on c. Appends a reply frame or fills
 * *e. Any thread that owns the connection. */
bool sq_read_call(sq_conn *c, uc_call *call, uc_buf *out, uc_error *e);

#endif

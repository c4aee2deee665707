#ifndef UC_CORE_DATA_PG_DECODE_H
#define UC_CORE_DATA_PG_DECODE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/view.h"

/*
 * What a stream of logical decoding says, one message at a time (55.4 and 55.9
 * of PostgreSQL's manual: pgoutput, protocol version 1, with the messages of
 * pg_logical_emit_message). Bytes, and nothing of a connection: what comes is
 * not believed, and nothing is kept between two messages.
 */

typedef enum pg_wal_kind {
    PG_WAL_BAD,
    PG_WAL_ALIVE, /* a keepalive */
    PG_WAL_DATA   /* one message of pgoutput */
} pg_wal_kind;

/* The inside of a CopyData. */
typedef struct pg_wal {
    pg_wal_kind kind;
    uint64_t at;    /* DATA: where it begins. ALIVE: everything before it has
                       been sent */
    bool asks;      /* ALIVE: for an answer at once */
    uc_view change; /* DATA */
} pg_wal;

void pg_wal_read(uc_view copied, pg_wal *w);

typedef enum pg_change_kind {
    PG_CHANGE_BAD,
    PG_CHANGE_NONE, /* of no interest */
    PG_CHANGE_BEGIN,
    PG_CHANGE_COMMIT,
    PG_CHANGE_RELATION,
    PG_CHANGE_ROW, /* inserted, updated or deleted */
    PG_CHANGE_TRUNCATE,
    PG_CHANGE_MESSAGE
} pg_change_kind;

typedef struct pg_change {
    pg_change_kind kind;
    uint32_t xid;      /* BEGIN */
    uint64_t end;      /* COMMIT: behind it */
    uint32_t relation; /* RELATION, ROW */
    /* RELATION */
    uc_view schema, name; /* schema "": pg_catalog */
    char identity;        /* what tells its rows: d, n, f, i (pg_class) */
    int key; /* the one column of that, from 0; -1: none, several */
    /* ROW: its columns before, where its identity has changed or it is gone,
     * and after; p NULL: not told */
    uc_view before, after;
    /* TRUNCATE: numbers of 32 bits, in the byte order of the network */
    uc_view relations;
    /* MESSAGE */
    uc_view prefix, content;
} pg_change;

/* Views point into the message. */
void pg_change_read(uc_view message, pg_change *c);
/* The text of a column of a ROW; false: it has none there, it is NULL, or as it
 * was. */
bool pg_change_column(uc_view row, int column, uc_view *text);
/* An integer of 64 bits, as PostgreSQL writes it. */
bool pg_change_integer(uc_view text, int64_t *n);

#endif

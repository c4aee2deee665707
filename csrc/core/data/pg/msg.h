#ifndef UC_CORE_DATA_PG_MSG_H
#define UC_CORE_DATA_PG_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/view.h"

/*
 * Messages of protocol 3.0 (chapter 55 of PostgreSQL's manual): bytes, and
 * nothing of a connection. What comes from a server is not believed: each
 * length is checked against what is there before it is used.
 */

/* ---- to the server ---- */

/* Begins a message and returns what pg_msg_end takes. type 0: one of those at
 * the start, which have none. */
size_t pg_msg_begin(uc_buf *b, char type);
void pg_msg_end(uc_buf *b, size_t at);
void pg_put16(uc_buf *b, uint16_t v);
void pg_put32(uc_buf *b, uint32_t v);
/* With a NUL behind it. */
void pg_put_str(uc_buf *b, const char *s);
void pg_put_view(uc_buf *b, uc_view v);

/* Whole messages. name: of a statement or portal, "" for the unnamed one. */
void pg_msg_ssl(uc_buf *b);
void pg_msg_cancel(uc_buf *b, uint32_t pid, uint32_t key);
/* text: NUL-terminated. */
void pg_msg_parse(uc_buf *b, const char *name, const char *text);
void pg_msg_describe(uc_buf *b, char what, const char *name);
void pg_msg_execute(uc_buf *b, const char *portal, uint32_t rows);
void pg_msg_close(uc_buf *b, char what, const char *name);
void pg_msg_query(uc_buf *b, const char *text);
void pg_msg_sync(uc_buf *b);
void pg_msg_bye(uc_buf *b);

/* ---- from the server ---- */

typedef struct pg_msg {
    char type;
    uc_view body;
} pg_msg;

typedef enum pg_cut {
    PG_CUT_MORE, /* it is not there yet as a whole */
    PG_CUT_ONE,
    PG_CUT_BAD /* no message: a length that cannot be */
} pg_cut;

/*
 * Takes the first message of the n bytes at p, whose length comes back in
 * *used. most: of a message that carries rows, in bytes; others are held to 1
 * MiB. *want: with PG_CUT_MORE, how many bytes the message has as far as is
 * known.
 */
pg_cut pg_msg_cut(const uint8_t *p, size_t n, size_t most, pg_msg *m,
                  size_t *used, size_t *want);

/* Reads on within a body; all fail for ever once something was not there. */
typedef struct pg_reader {
    const uint8_t *p, *end;
    bool failed;
} pg_reader;

static inline pg_reader pg_reader_of(uc_view v)
{
    return (pg_reader){v.p, v.len > 0 ? v.p + v.len : v.p, false};
}

uint8_t pg_get8(pg_reader *r);
uint16_t pg_get16(pg_reader *r);
uint32_t pg_get32(pg_reader *r);
/* Up to a NUL, which is skipped. */
uc_view pg_get_str(pg_reader *r);
uc_view pg_get_bytes(pg_reader *r, size_t n);

/* What an ErrorResponse or a NoticeResponse says; p NULL where it does not. */
typedef struct pg_said {
    uc_view severity, sqlstate, message, detail, hint, position;
    uc_view schema, table, column, type, constraint, where;
} pg_said;

/* False: the body is no such message. */
bool pg_msg_said(uc_view body, pg_said *said);
/* Whether it ends the connection (54.8, severity FATAL or PANIC). */
bool pg_msg_is_fatal(uc_view body);

#endif

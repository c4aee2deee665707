#ifndef UC_CORE_DATA_SQLITE_PART_H
#define UC_CORE_DATA_SQLITE_PART_H

#include <sqlite3.h>

#include "common/buf.h"
#include "common/view.h"
#include "routes/html.h"

/*
 * What the rows of a route's statement are besides JSON: columns that become
 * headers of the answer and are left out of its body, those that say where the
 * next page begins, and those that a template names. Set in front of a
 * statement, asked behind it.
 */
enum { SQ_PART_COLUMNS = 64 };

typedef struct sq_columns {
    uint32_t n;
    const uc_view *names;
    int at[SQ_PART_COLUMNS]; /* places among the columns, -1: not there */
    uc_buf values; /* [u32 length] bytes, by name; see sq_part_value */
} sq_columns;

typedef struct sq_part {
    uint64_t most;      /* rows; more are an error. 0: as maxRows says */
    sq_columns headers; /* of the first row, as texts */
    sq_columns keys;    /* of the last one, in JSON */
    const uc_template *template; /* NULL: none */
    uc_html_rows *html;          /* what is kept of the statement that runs */
} sq_part;

/* names: of columns; SQ_PART_COLUMNS at most. */
void sq_part_init(sq_part *p, const uc_view *headers, uint32_t nheaders,
                  const uc_view *keys, uint32_t nkeys);
void sq_part_fini(sq_part *p);
/* A statement begins to answer: finds the columns. */
void sq_part_begin(sq_part *p, sqlite3_stmt *stmt, int ncols);
/* It stands on its nth row, from 1. */
void sq_part_row(sq_part *p, sqlite3_stmt *stmt, uint64_t nth);
/* Whether the column stands in no body. */
bool sq_part_skips(const sq_part *p, int column);
/* The value of a name, *at moving on to the next; p NULL: there is none. */
uc_view sq_part_value(const sq_columns *c, size_t *at);

#endif

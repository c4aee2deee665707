#ifndef UC_CORE_DATA_SQLITE_ROWS_H
#define UC_CORE_DATA_SQLITE_ROWS_H

#include <sqlite3.h>

#include "data/sqlite/db.h"

/*
 * Encodes result rows as a reply of kind 2:
 *   [id, 2, shape, columns | nil, cursor | nil, pages], a page being
 *   [nrows, enc, cells (bin32), text (str32)].
 * Cells are msgpack values in row order, but a text's bytes stand apart: the
 * cell is a str header that counts UTF-16 units, and the texts of a page
 * follow each other in `text`. A JavaScript client turns `text` into one
 * string and cuts it; that is the reason for the layout. enc 0: all ASCII.
 *
 * Counts that are not known yet are written with a fixed width and filled in
 * at the end.
 */
typedef struct sq_rows {
    uc_buf *out;
    uc_buf *text; /* of the current page */
    size_t cursor_at, pages_at, page_at, cells_at;
    size_t page_bytes;
    uint32_t pages, nrows;
    bool wide; /* a text that is not ASCII */
    bool open; /* a page is open */
} sq_rows;

/* shape NULL: a statement without columns. known: the client's shape id.
 * cursor: the reply has a cursor's number, which sq_rows_end writes. */
void sq_rows_begin(sq_rows *r, uc_buf *out, uc_buf *text, uint32_t id,
                   const sq_shape *shape, uint32_t known, size_t page_bytes,
                   bool cursor);
/* The row that stmt stands on. False: out of memory or over the maximum. */
bool sq_rows_add(sq_rows *r, sqlite3_stmt *stmt, int ncols, bool utf8);
/* cursor: 0 = there is no more. */
void sq_rows_end(sq_rows *r, uint32_t cursor);

/* One row as a JSON object into b; keys: see json.c. */
bool sq_json_row(uc_buf *b, sqlite3_stmt *stmt, int ncols, const char *keys);
/* ncols pieces `"name":`, each NUL-terminated. Owned by the caller. */
char *sq_json_keys(sqlite3_stmt *stmt, int ncols);

/* One argument of a function, or a value of any kind, as plain msgpack. */
void sq_pack_value(uc_buf *b, sqlite3_value *v);

#endif

#ifndef UC_CORE_DATA_SQLITE_ROWS_H
#define UC_CORE_DATA_SQLITE_ROWS_H

#include <sqlite3.h>

#include "data/sqlite/db.h"
#include "data/sqlite/part.h"
#include "wire/rows.h"

/*
 * The columns of a row of SQLite's, put into the replies of wire/rows.h and
 * wire/json.h.
 */

/* uc_rows_begin with the columns of a shape. NULL: there are none. */
void sq_rows_begin(uc_rows *r, uc_buf *out, uc_buf *text, uint32_t id,
                   const sq_shape *shape, uint32_t known, size_t page_bytes,
                   bool cursor);
/* The row that stmt stands on. utf8: so is the text in the database. False: out
 * of memory or over the maximum. */
bool sq_rows_add(uc_rows *r, sqlite3_stmt *stmt, int ncols, bool utf8);

/* One row as a JSON object into b; keys: of sq_json_keys. */
bool sq_json_row(uc_buf *b, sqlite3_stmt *stmt, int ncols, const char *keys);
/* ncols pieces of uc_json_key, each behind its length. Owned by the caller;
 * NULL when memory runs out. */
char *sq_json_keys(sqlite3_stmt *stmt, int ncols);

/* The same without the columns that the part skips. */
bool sq_json_part(uc_buf *b, sqlite3_stmt *stmt, int ncols, const char *keys,
                  const sq_part *part);
void sq_json_cell(uc_buf *b, sqlite3_value *v);
/* A cell of the row that stmt stands on, as a text: its bytes. */
void sq_cell_text(uc_buf *b, sqlite3_stmt *stmt, int column);

/* The row that stmt stands on, as a template wants it. */
void sq_html_row(uc_buf *b, sqlite3_stmt *stmt, uc_html_rows *rows);

/* One argument of a function, or a value of any kind, as plain msgpack. */
void sq_pack_value(uc_buf *b, sqlite3_value *v);

#endif

#ifndef UC_CORE_WIRE_ROWS_H
#define UC_CORE_WIRE_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/view.h"
#include "wire/utf8.h"
#include "wire/writer.h"

/*
 * Encodes result rows as a reply of kind 2:
 *   [id, 2, shape, columns | nil, cursor | nil, pages], a page being
 *   [nrows, enc, cells (bin32), text (str32)].
 * Cells are msgpack values in row order, but a text's bytes stand apart: the
 * cell is a str header that counts UTF-16 units, and the texts of a page
 * follow each other in `text`. A JavaScript client turns `text` into one
 * string and cuts it; that is the reason for the layout. enc 0: all ASCII.
 * A text that stands for something else has an ext header instead.
 *
 * Counts that are not known yet are written with a fixed width and filled in
 * at the end.
 *
 * An engine writes a row like this; the place where the next cell goes stays
 * in a register, which is why it is handed on instead of kept:
 *
 *   uint8_t *p = uc_row_begin(&r, 2);
 *
 *   if (p == NULL)
 *       return false;
 *   p = uc_row_int(p, 1);
 *   p = uc_row_text(&r, p, name);
 *   return uc_row_end(&r, p);
 *
 * One thread at a time. What is handed in is copied.
 */
typedef struct uc_rows {
    uc_buf *out;
    uc_buf *text; /* of the current page */
    size_t cursor_at, pages_at, page_at, cells_at;
    size_t page_bytes;
    uint32_t pages, nrows;
    bool wide; /* a text that is not ASCII */
    bool open; /* a page is open */
} uc_rows;

/* The columns of a statement: a number for their names, and the names. */
typedef struct uc_columns {
    uint32_t shape; /* from 1 */
    uc_view names;  /* msgpack array of str */
} uc_columns;

/* Of a cell, but for the bytes of a blob. */
enum { UC_CELL_MAX = 9 };

/*
 * Begins a reply in out; it and text stay the caller's, and text is emptied.
 * cols NULL: a statement without columns. known: the shape whose names the
 * client has. page_bytes: a page is closed when its cells or its text have
 * reached that. cursor: the reply has a cursor's number, which uc_rows_end
 * writes. Where memory runs out out->failed says so.
 */
void uc_rows_begin(uc_rows *r, uc_buf *out, uc_buf *text, uint32_t id,
                   const uc_columns *cols, uint32_t known, size_t page_bytes,
                   bool cursor);
/* cursor: 0 = there is no more. Without effect when out has failed. */
void uc_rows_end(uc_rows *r, uint32_t cursor);

/* Used by those below. */
bool uc_rows_page_open(uc_rows *r);
void uc_rows_page_close(uc_rows *r);

/* Where the first of ncols cells goes. NULL: out of memory or over out->max,
 * which out->failed says as well. */
static inline uint8_t *uc_row_begin(uc_rows *r, size_t ncols)
{
    if (!r->open && !uc_rows_page_open(r))
        return NULL;
    if (!uc_buf_reserve(r->out, ncols * UC_CELL_MAX))
        return NULL;
    return r->out->p + r->out->len;
}

/* The cells, one for each column; all return where the next one goes. */

static inline uint8_t *uc_row_null(uint8_t *p)
{
    *p = 0xc0;
    return p + 1;
}

static inline uint8_t *uc_row_int(uint8_t *p, int64_t v)
{
    return uc_emit_int(p, v);
}

static inline uint8_t *uc_row_double(uint8_t *p, double v)
{
    return uc_emit_double(p, v);
}

/* What is not UTF-8 is repaired. s.p may be NULL when it is empty. */
static inline uint8_t *uc_row_text(uc_rows *r, uint8_t *p, uc_view s)
{
    int64_t units;

    if (uc_is_ascii(s.p, s.len)) {
        uc_buf_put(r->text, s.p, s.len);
        return uc_emit_str_header(p, (uint32_t)s.len);
    }
    r->wide = true;
    units = uc_utf16_length(s.p, s.len);
    if (units >= 0)
        uc_buf_put(r->text, s.p, s.len);
    else
        units = uc_utf8_repair(r->text, s.p, s.len);
    return uc_emit_str_header(p, (uint32_t)units);
}

static inline uint8_t *uc_row_bool(uint8_t *p, bool v)
{
    *p = v ? 0xc3 : 0xc2;
    return p + 1;
}

/* What a text is, where a client is to make more of it than a string: the type
 * of an ext header, whose length counts UTF-16 units as that of a str does. */
typedef enum uc_meaning {
    UC_MEANS_JSON = 1, /* a document, or an array */
    UC_MEANS_TIME = 2  /* a moment: ISO 8601, with a zone */
} uc_meaning;

/* c7, c8 or c9: at most 6 bytes, and as a text otherwise. */
uint8_t *uc_row_meant(uc_rows *r, uint8_t *p, uc_view s, uc_meaning meaning);

/* left: cells of the row from this one on. NULL as uc_row_begin has it; the row
 * is not ended then. */
static inline uint8_t *uc_row_blob(uc_rows *r, uint8_t *p, uc_view s,
                                   size_t left)
{
    uc_buf *out = r->out;

    out->len = (size_t)(p - out->p);
    if (!uc_buf_reserve(out, s.len + left * UC_CELL_MAX))
        return NULL;
    p = uc_emit_bin_header(out->p + out->len, (uint32_t)s.len);
    if (s.len > 0)
        memcpy(p, s.p, s.len);
    return p + s.len;
}

/* p: behind the last cell. False: out of memory or over the maximum. */
static inline bool uc_row_end(uc_rows *r, const uint8_t *p)
{
    uc_buf *out = r->out;

    out->len = (size_t)(p - out->p);
    r->nrows++;
    if (r->text->failed || r->text->len + out->len > out->max) {
        out->full = !r->text->failed;
        out->failed = true;
        return false;
    }
    if (out->len - r->cells_at >= r->page_bytes ||
        r->text->len >= r->page_bytes)
        uc_rows_page_close(r);
    return !out->failed;
}

#endif

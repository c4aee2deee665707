#include "data/sqlite/rows.h"

#include "wire/utf8.h"
#include "wire/writer.h"

enum {
    /* 94 | ce nrows | enc | c6 cells length */
    PAGE_HEAD = 1 + 5 + 1 + 5,
    CELL_MAX = 9
};

void sq_rows_begin(sq_rows *r, uc_buf *out, uc_buf *text, uint32_t id,
                   const sq_shape *shape, uint32_t known, size_t page_bytes,
                   bool cursor)
{
    uint8_t *p;
    bool tell = shape != NULL && shape->id != known;

    r->out = out;
    r->text = text;
    r->page_bytes = page_bytes;
    r->pages = 0;
    r->open = false;
    uc_buf_rewind(text, 0);
    if (!uc_buf_reserve(out, 32 + (tell ? shape->len : 1)))
        return;
    p = out->p + out->len;
    *p++ = 0x96;
    p = uc_emit_u32(p, id);
    *p++ = UC_REPLY_ROWS;
    p = uc_emit_u32(p, shape != NULL ? shape->id : 0);
    if (tell) {
        memcpy(p, shape->names, shape->len);
        p += shape->len;
    } else {
        *p++ = shape != NULL ? 0xc0 : 0x90;
    }
    r->cursor_at = cursor ? (size_t)(p - out->p) : 0;
    if (cursor)
        p = uc_emit_u32(p, 0);
    else
        *p++ = 0xc0;
    r->pages_at = (size_t)(p - out->p);
    *p = 0xdd;
    p += 5;
    out->len = (size_t)(p - out->p);
}

static bool page_open(sq_rows *r)
{
    uc_buf *out = r->out;

    if (!uc_buf_reserve(out, PAGE_HEAD))
        return false;
    r->page_at = out->len;
    out->len += PAGE_HEAD;
    r->cells_at = out->len;
    r->nrows = 0;
    r->wide = false;
    r->open = true;
    uc_buf_rewind(r->text, 0);
    return true;
}

static void page_close(sq_rows *r)
{
    uc_buf *out = r->out;
    size_t cells = out->len - r->cells_at;
    uint8_t *p;

    if (!uc_buf_reserve(out, 5 + r->text->len))
        return;
    p = out->p + r->page_at;
    *p++ = 0x94;
    p = uc_emit_u32(p, r->nrows);
    *p++ = r->wide;
    *p++ = 0xc6;
    uc_put_be32(p, (uint32_t)cells);
    p = out->p + out->len;
    *p = 0xdb;
    uc_put_be32(p + 1, (uint32_t)r->text->len);
    if (r->text->len > 0)
        memcpy(p + 5, r->text->p, r->text->len);
    out->len += 5 + r->text->len;
    r->pages++;
    r->open = false;
}

static uint8_t *text_cell(sq_rows *r, uint8_t *p, const uint8_t *s, size_t n)
{
    int64_t units;

    if (uc_is_ascii(s, n)) {
        uc_buf_put(r->text, s, n);
        return uc_emit_str_header(p, (uint32_t)n);
    }
    r->wide = true;
    units = uc_utf16_length(s, n);
    if (units >= 0)
        uc_buf_put(r->text, s, n);
    else
        units = uc_utf8_repair(r->text, s, n);
    return uc_emit_str_header(p, (uint32_t)units);
}

bool sq_rows_add(sq_rows *r, sqlite3_stmt *stmt, int ncols, bool utf8)
{
    uc_buf *out = r->out;
    uint8_t *p;

    if (!r->open && !page_open(r))
        return false;
    if (!uc_buf_reserve(out, (size_t)ncols * CELL_MAX))
        return false;
    p = out->p + out->len;
    for (int i = 0; i < ncols; i++) {
        /* One look-up a cell instead of one a question. */
        sqlite3_value *v = sqlite3_column_value(stmt, i);
        const uint8_t *s;
        size_t n;

        switch (sqlite3_value_type(v)) {
        case SQLITE_INTEGER:
            p = uc_emit_int(p, sqlite3_value_int64(v));
            break;
        case SQLITE_FLOAT:
            p = uc_emit_double(p, sqlite3_value_double(v));
            break;
        case SQLITE_TEXT:
            /* _blob of a text gives its bytes without making SQLite copy
             * them to add a NUL; only right when they are UTF-8. */
            s = utf8 ? sqlite3_value_blob(v) : sqlite3_value_text(v);
            n = (size_t)sqlite3_value_bytes(v);
            if (s == NULL)
                n = 0;
            p = text_cell(r, p, s != NULL ? s : (const uint8_t *)"", n);
            break;
        case SQLITE_BLOB:
            s = sqlite3_value_blob(v);
            n = (size_t)sqlite3_value_bytes(v);
            out->len = (size_t)(p - out->p);
            if (!uc_buf_reserve(out, n + (size_t)(ncols - i) * CELL_MAX))
                return false;
            p = uc_emit_bin_header(out->p + out->len, (uint32_t)n);
            if (n > 0)
                memcpy(p, s, n);
            p += n;
            break;
        default:
            *p++ = 0xc0;
            break;
        }
    }
    out->len = (size_t)(p - out->p);
    r->nrows++;
    if (r->text->failed || r->text->len + out->len > out->max) {
        out->full = !r->text->failed;
        out->failed = true;
        return false;
    }
    if (out->len - r->cells_at >= r->page_bytes ||
        r->text->len >= r->page_bytes)
        page_close(r);
    return !out->failed;
}

void sq_rows_end(sq_rows *r, uint32_t cursor)
{
    if (r->open)
        page_close(r);
    if (r->out->failed)
        return;
    if (r->cursor_at != 0)
        uc_put_be32(r->out->p + r->cursor_at + 1, cursor);
    uc_put_be32(r->out->p + r->pages_at + 1, r->pages);
}

void sq_pack_value(uc_buf *b, sqlite3_value *v)
{
    uint8_t *p;
    size_t n;

    if (!uc_buf_reserve(b, CELL_MAX))
        return;
    p = b->p + b->len;
    switch (sqlite3_value_type(v)) {
    case SQLITE_INTEGER:
        p = uc_emit_int(p, sqlite3_value_int64(v));
        break;
    case SQLITE_FLOAT:
        p = uc_emit_double(p, sqlite3_value_double(v));
        break;
    case SQLITE_TEXT:
    case SQLITE_BLOB:
        n = (size_t)sqlite3_value_bytes(v);
        p = sqlite3_value_type(v) == SQLITE_TEXT
                ? uc_emit_str_header(p, (uint32_t)n)
                : uc_emit_bin_header(p, (uint32_t)n);
        b->len = (size_t)(p - b->p);
        uc_buf_put(b,
                   sqlite3_value_type(v) == SQLITE_TEXT
                       ? (const void *)sqlite3_value_text(v)
                       : sqlite3_value_blob(v),
                   n);
        return;
    default:
        *p++ = 0xc0;
        break;
    }
    b->len = (size_t)(p - b->p);
}

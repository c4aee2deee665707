#include "wire/rows.h"

enum {
    /* 94 | ce nrows | enc | c6 cells length */
    PAGE_HEAD = 1 + 5 + 1 + 5
};

void uc_rows_begin(uc_rows *r, uc_buf *out, uc_buf *text, uint32_t id,
                   const uc_columns *cols, uint32_t known, size_t page_bytes,
                   bool cursor)
{
    uint8_t *p;
    bool tell = cols != NULL && cols->shape != known;

    r->out = out;
    r->text = text;
    r->page_bytes = page_bytes;
    r->pages = 0;
    r->open = false;
    uc_buf_rewind(text, 0);
    if (!uc_buf_reserve(out, 32 + (tell ? cols->names.len : 1)))
        return;
    p = out->p + out->len;
    *p++ = 0x96;
    p = uc_emit_u32(p, id);
    *p++ = UC_REPLY_ROWS;
    p = uc_emit_u32(p, cols != NULL ? cols->shape : 0);
    if (tell) {
        memcpy(p, cols->names.p, cols->names.len);
        p += cols->names.len;
    } else {
        *p++ = cols != NULL ? 0xc0 : 0x90;
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

bool uc_rows_page_open(uc_rows *r)
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

void uc_rows_page_close(uc_rows *r)
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

void uc_rows_end(uc_rows *r, uint32_t cursor)
{
    if (r->open)
        uc_rows_page_close(r);
    if (r->out->failed)
        return;
    if (r->cursor_at != 0)
        uc_put_be32(r->out->p + r->cursor_at + 1, cursor);
    uc_put_be32(r->out->p + r->pages_at + 1, r->pages);
}

uint8_t *uc_row_meant(uc_rows *r, uint8_t *p, uc_view s, uc_meaning meaning)
{
    uint8_t header[UC_CELL_MAX], *end = uc_row_text(r, header, s);
    uint32_t n = header[0] & 0x1f;

    if (end - header == 2)
        n = header[1];
    else if (end - header == 3)
        n = (uint32_t)header[1] << 8 | header[2];
    else if (end - header == 5)
        n = (uint32_t)header[1] << 24 | (uint32_t)header[2] << 16 |
            (uint32_t)header[3] << 8 | header[4];
    return uc_emit_ext_header(p, n, (uint8_t)meaning);
}

#include "data/sqlite/rows.h"

#include "wire/json.h"
#include "wire/utf8.h"

void sq_rows_begin(uc_rows *r, uc_buf *out, uc_buf *text, uint32_t id,
                   const sq_shape *shape, uint32_t known, size_t page_bytes,
                   bool cursor)
{
    uc_columns cols;

    if (shape != NULL)
        cols = (uc_columns){shape->id, {shape->names, shape->len}};
    uc_rows_begin(r, out, text, id, shape != NULL ? &cols : NULL, known,
                  page_bytes, cursor);
}

bool sq_rows_add(uc_rows *r, sqlite3_stmt *stmt, int ncols, bool utf8)
{
    uint8_t *p = uc_row_begin(r, (size_t)ncols);

    if (p == NULL)
        return false;
    for (int i = 0; i < ncols; i++) {
        /* One look-up a cell instead of one a question. */
        sqlite3_value *v = sqlite3_column_value(stmt, i);
        uc_view s;

        switch (sqlite3_value_type(v)) {
        case SQLITE_INTEGER:
            p = uc_row_int(p, sqlite3_value_int64(v));
            break;
        case SQLITE_FLOAT:
            p = uc_row_double(p, sqlite3_value_double(v));
            break;
        case SQLITE_TEXT:
            /* _blob of a text gives its bytes without making SQLite copy
             * them to add a NUL; only right when they are UTF-8. */
            s.p = utf8 ? sqlite3_value_blob(v) : sqlite3_value_text(v);
            s.len = s.p != NULL ? (size_t)sqlite3_value_bytes(v) : 0;
            p = uc_row_text(r, p, s);
            break;
        case SQLITE_BLOB:
            s.p = sqlite3_value_blob(v);
            s.len = (size_t)sqlite3_value_bytes(v);
            p = uc_row_blob(r, p, s, (size_t)(ncols - i));
            if (p == NULL)
                return false;
            break;
        default:
            p = uc_row_null(p);
            break;
        }
    }
    return uc_row_end(r, p);
}

/* A key takes whole words, which are copied without asking how many bytes of
 * them count. */
enum { KEY_WORD = 8, INT_MOST = 21 };

static size_t padded(size_t len)
{
    return (len + KEY_WORD - 1) & ~(size_t)(KEY_WORD - 1);
}

char *sq_json_keys(sqlite3_stmt *stmt, int ncols)
{
    static const char zeros[KEY_WORD];
    uc_buf b;

    uc_buf_init(&b, SIZE_MAX);
    for (int i = 0; i < ncols; i++) {
        const char *name = sqlite3_column_name(stmt, i);
        uc_view s = {(const uint8_t *)name, name != NULL ? strlen(name) : 0};
        size_t at = b.len;
        uint32_t len = 0;

        uc_buf_put(&b, &len, sizeof len);
        uc_json_key(&b, i == 0, s);
        if (b.failed)
            break;
        len = (uint32_t)(b.len - at - sizeof len);
        memcpy(b.p + at, &len, sizeof len);
        uc_buf_put(&b, zeros, padded(len) - len);
    }
    if (b.failed) {
        uc_buf_fini(&b);
        return NULL;
    }
    return (char *)b.p;
}

/* Takes the next off them. */
static uc_view next_key(const char **keys)
{
    uint32_t len;
    uc_view key;

    memcpy(&len, *keys, sizeof len);
    key = (uc_view){(const uint8_t *)*keys + sizeof len, len};
    *keys += sizeof len + padded(len);
    return key;
}

/* The same, appended; behind it is room for an integer. */
static void put_key(uc_buf *b, const char **keys)
{
    uc_view key = next_key(keys);
    size_t n = padded(key.len);

    if (!uc_buf_reserve(b, n + INT_MOST))
        return;
    for (size_t i = 0; i < n; i += KEY_WORD)
        memcpy(b->p + b->len + i, key.p + i, KEY_WORD);
    b->len += key.len;
}

void sq_json_cell(uc_buf *b, sqlite3_value *v)
{
    uc_view s;

    switch (sqlite3_value_type(v)) {
    case SQLITE_INTEGER:
        uc_json_int(b, sqlite3_value_int64(v));
        break;
    case SQLITE_FLOAT:
        uc_json_double(b, sqlite3_value_double(v));
        break;
    case SQLITE_TEXT:
        s.p = sqlite3_value_text(v);
        s.len = s.p != NULL ? (size_t)sqlite3_value_bytes(v) : 0;
        uc_json_text(b, s);
        break;
    case SQLITE_BLOB:
        s.p = sqlite3_value_blob(v);
        s.len = (size_t)sqlite3_value_bytes(v);
        uc_json_blob(b, s);
        break;
    default:
        uc_json_null(b);
        break;
    }
}

bool sq_json_row(uc_buf *b, sqlite3_stmt *stmt, int ncols, const char *keys)
{
    for (int i = 0; i < ncols; i++) {
        put_key(b, &keys);
        sq_json_cell(b, sqlite3_column_value(stmt, i));
    }
    uc_buf_byte(b, '}');
    return !b->failed;
}

bool sq_json_part(uc_buf *b, sqlite3_stmt *stmt, int ncols, const char *keys,
                  const sq_part *part)
{
    bool first = true;

    for (int i = 0; i < ncols; i++) {
        uc_view key = next_key(&keys);

        if (sq_part_skips(part, i))
            continue;
        uc_buf_byte(b, first ? '{' : ',');
        uc_buf_put(b, key.p + 1, key.len - 1);
        sq_json_cell(b, sqlite3_column_value(stmt, i));
        first = false;
    }
    if (first)
        uc_buf_byte(b, '{');
    uc_buf_byte(b, '}');
    return !b->failed;
}

void sq_cell_text(uc_buf *b, sqlite3_stmt *stmt, int column)
{
    const unsigned char *p = sqlite3_column_text(stmt, column);

    if (p != NULL)
        uc_buf_put(b, p, (size_t)sqlite3_column_bytes(stmt, column));
    else if (sqlite3_column_type(stmt, column) != SQLITE_NULL)
        b->failed = true; /* no memory for a number's digits */
}

static bool html_text(uc_buf *b, sqlite3_value *v)
{
    const uint8_t *p = sqlite3_value_text(v);
    size_t n = p != NULL ? (size_t)sqlite3_value_bytes(v) : 0;

    if (p == NULL)
        b->failed = true;
    else if (uc_is_utf8(p, n))
        uc_buf_put(b, p, n);
    else
        uc_utf8_repair(b, p, n);
    return n > 0;
}

/* base64, as in JSON but without quotes. */
static bool html_blob(uc_buf *b, sqlite3_value *v)
{
    size_t n = (size_t)sqlite3_value_bytes(v), at = b->len;

    uc_json_blob(b, (uc_view){sqlite3_value_blob(v), n});
    if (!b->failed) {
        b->len -= 2;
        memmove(b->p + at, b->p + at + 1, b->len - at);
    }
    return n > 0;
}

/* Numbers as in JSON. False for what a section does not show: null, 0 and what
 * is empty. */
static bool html_cell(uc_buf *b, sqlite3_value *v)
{
    switch (sqlite3_value_type(v)) {
    case SQLITE_INTEGER:
        uc_json_int(b, sqlite3_value_int64(v));
        return sqlite3_value_int64(v) != 0;
    case SQLITE_FLOAT:
        uc_json_double(b, sqlite3_value_double(v));
        return sqlite3_value_double(v) != 0;
    case SQLITE_TEXT:
        return html_text(b, v);
    case SQLITE_BLOB:
        return html_blob(b, v);
    default:
        return false;
    }
}

void sq_html_row(uc_buf *b, sqlite3_stmt *stmt, uc_html_rows *rows)
{
    size_t at = uc_html_row(rows, b);

    for (uint32_t i = 0; i < rows->ncells; i++) {
        bool is =
            html_cell(b, sqlite3_column_value(stmt, (int)rows->columns[i]));

        uc_html_cell(rows, b, at, i, is);
    }
}

void sq_pack_value(uc_buf *b, sqlite3_value *v)
{
    uint8_t *p;
    size_t n;

    if (!uc_buf_reserve(b, UC_CELL_MAX))
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

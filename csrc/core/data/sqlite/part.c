#include "data/sqlite/part.h"

#include <string.h>

#include "data/sqlite/rows.h"

/* The length of a value that is not there. */
static const uint32_t none = UINT32_MAX;

static void columns_init(sq_columns *c, const uc_view *names, uint32_t n)
{
    c->n = n < SQ_PART_COLUMNS ? n : SQ_PART_COLUMNS;
    c->names = names;
    uc_buf_init(&c->values, SIZE_MAX);
}

void sq_part_init(sq_part *p, const uc_view *headers, uint32_t nheaders,
                  const uc_view *keys, uint32_t nkeys)
{
    p->most = 0;
    p->template = NULL;
    p->html = NULL;
    columns_init(&p->headers, headers, nheaders);
    columns_init(&p->keys, keys, nkeys);
}

void sq_part_fini(sq_part *p)
{
    uc_buf_fini(&p->headers.values);
    uc_buf_fini(&p->keys.values);
}

static int column_of(sqlite3_stmt *stmt, int ncols, uc_view name)
{
    for (int i = 0; i < ncols; i++) {
        const char *s = sqlite3_column_name(stmt, i);

        if (s != NULL && uc_view_is(name, s))
            return i;
    }
    return -1;
}

static void find(sq_columns *c, sqlite3_stmt *stmt, int ncols)
{
    for (uint32_t i = 0; i < c->n; i++)
        c->at[i] = column_of(stmt, ncols, c->names[i]);
}

static void keep(sq_part *p, sqlite3_stmt *stmt, int ncols)
{
    for (int i = 0; i < ncols; i++) {
        const char *s = sqlite3_column_name(stmt, i);

        if (s != NULL)
            uc_html_column(p->html, p->template, (uint32_t)i, (uint32_t)ncols,
                           (uc_view){(const uint8_t *)s, strlen(s)});
    }
}

void sq_part_begin(sq_part *p, sqlite3_stmt *stmt, int ncols)
{
    find(&p->headers, stmt, ncols);
    find(&p->keys, stmt, ncols);
    if (p->html != NULL)
        keep(p, stmt, ncols);
}

static void put_value(uc_buf *b, sqlite3_stmt *stmt, int column, bool json)
{
    size_t at = b->len;
    uint32_t len;

    if (column < 0 || sqlite3_column_type(stmt, column) == SQLITE_NULL) {
        uc_buf_put(b, &none, sizeof none);
        return;
    }
    uc_buf_put(b, &none, sizeof none);
    if (json)
        sq_json_cell(b, sqlite3_column_value(stmt, column));
    else
        sq_cell_text(b, stmt, column);
    if (b->failed)
        return;
    len = (uint32_t)(b->len - at - sizeof len);
    memcpy(b->p + at, &len, sizeof len);
}

static void note(sq_columns *c, sqlite3_stmt *stmt, bool json)
{
    if (c->n > 0)
        uc_buf_rewind(&c->values, 0);
    for (uint32_t i = 0; i < c->n; i++)
        put_value(&c->values, stmt, c->at[i], json);
}

void sq_part_row(sq_part *p, sqlite3_stmt *stmt, uint64_t nth)
{
    if (nth == 1)
        note(&p->headers, stmt, false);
    note(&p->keys, stmt, true);
}

bool sq_part_skips(const sq_part *p, int column)
{
    for (uint32_t i = 0; i < p->headers.n; i++) {
        if (p->headers.at[i] == column)
            return true;
    }
    return false;
}

uc_view sq_part_value(const sq_columns *c, size_t *at)
{
    uc_view v = {0};
    uint32_t len;

    if (*at + sizeof len > c->values.len)
        return v;
    memcpy(&len, c->values.p + *at, sizeof len);
    *at += sizeof len;
    if (len == none)
        return v;
    v = (uc_view){c->values.p + *at, len};
    *at += len;
    return v;
}

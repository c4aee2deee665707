#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/pg/array.h"
#include "data/pg/work.h"
#include "wire/json.h"

/* Values of the server as cells of rows, or as JSON. */

/* Of types: pg_type.dat. */
enum {
    OID_BOOL = 16,
    OID_BYTEA = PG_BYTEA,
    OID_INT8 = 20,
    OID_INT2 = 21,
    OID_INT4 = 23,
    OID_OID = 26,
    OID_JSON = 114,
    OID_FLOAT4 = 700,
    OID_FLOAT8 = 701,
    OID_TIMESTAMPTZ = 1184,
    OID_JSONB = 3802
};

bool pg_is_binary(uint32_t oid)
{
    switch (oid) {
    case OID_BOOL:
    case OID_BYTEA:
    case OID_INT8:
    case OID_INT2:
    case OID_INT4:
    case OID_OID:
    case OID_FLOAT4:
    case OID_FLOAT8:
        return true;
    default:
        return false;
    }
}

/* A value as read: what a cell and a member of JSON are made of. */
typedef struct value {
    enum {
        IS_NULL,
        IS_INT,
        IS_DOUBLE,
        IS_TEXT,
        IS_BLOB,
        IS_BOOL,
        IS_JSON,
        IS_TIME
    } is;
    union {
        int64_t i;
        double d;
        uc_view s;
    };
} value;

static uint64_t big_endian(uc_view v)
{
    uint64_t u = 0;

    for (size_t i = 0; i < v.len; i++)
        u = u << 8 | v.p[i];
    return u;
}

static double double_of(uint64_t u)
{
    double d;

    memcpy(&d, &u, sizeof d);
    return d;
}

static double float_of(uint32_t u)
{
    float f;

    memcpy(&f, &u, sizeof f);
    return (double)f;
}

/* A float4 as the number that it prints, not as the double next to it. */
static double shortest(double d)
{
    char text[32];

    for (int digits = 1; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, d);
        if ((float)strtod(text, NULL) == (float)d)
            break;
    }
    return strtod(text, NULL);
}

static bool binary(uint32_t oid, uc_view v, value *to)
{
    static const struct {
        uint32_t oid;
        size_t len;
    } sizes[] = {{OID_BOOL, 1}, {OID_INT8, 8},   {OID_INT2, 2},  {OID_INT4, 4},
                 {OID_OID, 4},  {OID_FLOAT4, 4}, {OID_FLOAT8, 8}};
    uint64_t u = v.len <= 8 ? big_endian(v) : 0;

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        if (sizes[i].oid == oid && sizes[i].len != v.len)
            return false;
    }
    to->is = IS_INT;
    switch (oid) {
    case OID_BOOL:
        to->is = IS_BOOL;
        to->i = u != 0;
        break;
    case OID_INT8:
        to->i = (int64_t)u;
        break;
    case OID_INT2:
        to->i = (int16_t)u;
        break;
    case OID_INT4:
        to->i = (int32_t)u;
        break;
    case OID_OID:
        to->i = (int64_t)u;
        break;
    case OID_FLOAT4:
        to->is = IS_DOUBLE;
        to->d = shortest(float_of((uint32_t)u));
        break;
    case OID_FLOAT8:
        to->is = IS_DOUBLE;
        to->d = double_of(u);
        break;
    default:
        to->is = IS_BLOB;
        to->s = v;
        break;
    }
    return true;
}

static bool digits(uc_view v, int64_t *n)
{
    char text[24], *end;

    if (v.len == 0 || v.len >= sizeof text)
        return false;
    memcpy(text, v.p, v.len);
    text[v.len] = '\0';
    *n = strtoll(text, &end, 10);
    return *end == '\0';
}

static bool number(uc_view v, double *d)
{
    char text[64], *end;

    if (v.len == 0 || v.len >= sizeof text)
        return false;
    memcpy(text, v.p, v.len);
    text[v.len] = '\0';
    *d = strtod(text, &end);
    return *end == '\0';
}

static int nibble(uint8_t c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

/* \x and digits. A reservation may move what was read before of the same row,
 * which has been copied into it by then. */
static bool bytes(pg_conn *c, uc_view v, value *to)
{
    size_t at = c->scratch.len, n = v.len / 2;

    if (v.len < 2 || v.len % 2 != 0 || v.p[0] != '\\' || v.p[1] != 'x')
        return false;
    if (!uc_buf_reserve(&c->scratch, n))
        return false;
    for (size_t i = 1; i < n; i++) {
        int high = nibble(v.p[2 * i]), low = nibble(v.p[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        c->scratch.p[at + i - 1] = (uint8_t)(high << 4 | low);
    }
    c->scratch.len += n;
    to->is = IS_BLOB;
    to->s = (uc_view){c->scratch.p + at, n - 1};
    return true;
}

static bool array(pg_conn *c, uint32_t oid, uc_view v, value *to)
{
    size_t at = c->scratch.len;

    if (!pg_array_json(&c->scratch, pg_array_element(oid), v))
        return false;
    to->is = IS_JSON;
    to->s = (uc_view){c->scratch.p + at, c->scratch.len - at};
    return true;
}

static bool text(pg_conn *c, uint32_t oid, uc_view v, value *to)
{
    to->is = IS_TEXT;
    to->s = v;
    switch (oid) {
    case OID_BOOL:
        to->is = IS_BOOL;
        to->i = v.len > 0 && *v.p == 't';
        return v.len == 1;
    case OID_INT8:
    case OID_INT2:
    case OID_INT4:
    case OID_OID:
        to->is = IS_INT;
        return digits(v, &to->i);
    case OID_FLOAT4:
    case OID_FLOAT8:
        to->is = IS_DOUBLE;
        return number(v, &to->d);
    case OID_BYTEA:
        return bytes(c, v, to);
    case OID_JSON:
    case OID_JSONB:
        to->is = IS_JSON;
        return true;
    case OID_TIMESTAMPTZ:
        to->is = IS_TIME;
        return true;
    default:
        return pg_array_element(oid) == 0 || array(c, oid, v, to);
    }
}

/* The next value of a row. False: nonsense. */
static bool next(pg_conn *c, const pg_step *s, uint32_t i, pg_reader *r,
                 value *to)
{
    uint32_t oid = s->stmt->oids[i], n = pg_get32(r);
    uc_view v;

    if (n == UINT32_MAX) {
        to->is = IS_NULL;
        return !r->failed;
    }
    v = pg_get_bytes(r, n);
    if (r->failed)
        return false;
    return s->binary && pg_is_binary(oid) ? binary(oid, v, to)
                                          : text(c, oid, v, to);
}

/* ---- as rows ---- */

static uint8_t *cell(pg_conn *c, uint8_t *p, const value *v, uint32_t left)
{
    switch (v->is) {
    case IS_NULL:
        return uc_row_null(p);
    case IS_BOOL:
        return uc_row_bool(p, v->i != 0);
    case IS_JSON:
        return uc_row_meant(&c->rows, p, v->s, UC_MEANS_JSON);
    case IS_TIME:
        return uc_row_meant(&c->rows, p, v->s, UC_MEANS_TIME);
    case IS_INT:
        return uc_row_int(p, v->i);
    case IS_DOUBLE:
        return uc_row_double(p, v->d);
    case IS_BLOB:
        return uc_row_blob(&c->rows, p, v->s, left);
    default:
        return uc_row_text(&c->rows, p, v->s);
    }
}

static bool as_row(pg_conn *c, const pg_step *s, pg_reader *r, bool *bad)
{
    uint32_t n = s->stmt->ncols;
    uint8_t *p = uc_row_begin(&c->rows, n);

    for (uint32_t i = 0; p != NULL && i < n; i++) {
        value v;

        if (!next(c, s, i, r, &v)) {
            *bad = true;
            return false;
        }
        p = cell(c, p, &v, n - i);
    }
    return p != NULL && uc_row_end(&c->rows, p);
}

/* ---- as JSON ---- */

static void member(uc_buf *b, const value *v)
{
    switch (v->is) {
    case IS_NULL:
        uc_json_null(b);
        break;
    case IS_BOOL:
        uc_buf_put(b, v->i ? "true" : "false", v->i ? 4 : 5);
        break;
    case IS_INT:
        uc_json_int(b, v->i);
        break;
    case IS_DOUBLE:
        uc_json_double(b, v->d);
        break;
    case IS_BLOB:
        uc_json_blob(b, v->s);
        break;
    case IS_JSON:
        pg_put_view(b, v->s);
        break;
    default:
        uc_json_text(b, v->s);
        break;
    }
}

static bool as_json(pg_conn *c, const pg_step *s, pg_reader *r, bool *bad)
{
    const uint8_t *keys = s->stmt->keys.p;
    uc_buf *b = &c->row;

    if (s->flight->rows > 1)
        uc_buf_byte(b, ',');
    for (uint32_t i = 0; i < s->stmt->ncols; i++) {
        uint32_t n;
        value v;

        memcpy(&n, keys, sizeof n);
        uc_buf_put(b, keys + sizeof n, n);
        keys += sizeof n + n;
        if (!next(c, s, i, r, &v)) {
            *bad = true;
            return false;
        }
        member(b, &v);
    }
    uc_buf_byte(b, '}');
    return !b->failed;
}

bool pg_row(pg_conn *c, const pg_step *s, uc_view body, bool *bad)
{
    pg_reader r = pg_reader_of(body);
    pg_mode mode = s->flight->mode;

    *bad = pg_get16(&r) != s->stmt->ncols;
    if (*bad)
        return false;
    uc_buf_rewind(&c->scratch, 0);
    s->flight->rows++;
    if (mode == PG_MODE_RUN || mode == PG_MODE_MANY)
        return true;
    return mode == PG_MODE_JSON ? as_json(c, s, &r, bad)
                                : as_row(c, s, &r, bad);
}

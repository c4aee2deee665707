#include "data/pg/msg.h"

#include <string.h>

enum {
    SSL_REQUEST = 80877103,    /* 55.2.10 */
    CANCEL_REQUEST = 80877102, /* 55.2.8 */
    OTHERS_MOST = 1 << 20
};

/* ---- to the server ---- */

void pg_put16(uc_buf *b, uint16_t v)
{
    v = __builtin_bswap16(v);
    uc_buf_put(b, &v, sizeof v);
}

void pg_put32(uc_buf *b, uint32_t v)
{
    v = __builtin_bswap32(v);
    uc_buf_put(b, &v, sizeof v);
}

void pg_put_str(uc_buf *b, const char *s)
{
    uc_buf_put(b, s, strlen(s) + 1);
}

void pg_put_view(uc_buf *b, uc_view v)
{
    uc_buf_put(b, v.p, v.len);
}

size_t pg_msg_begin(uc_buf *b, char type)
{
    size_t at;

    if (type != 0)
        uc_buf_byte(b, (uint8_t)type);
    at = b->len;
    pg_put32(b, 0);
    return at;
}

void pg_msg_end(uc_buf *b, size_t at)
{
    uint32_t n;

    if (b->failed)
        return;
    n = __builtin_bswap32((uint32_t)(b->len - at));
    memcpy(b->p + at, &n, sizeof n);
}

void pg_msg_ssl(uc_buf *b)
{
    size_t at = pg_msg_begin(b, 0);

    pg_put32(b, SSL_REQUEST);
    pg_msg_end(b, at);
}

void pg_msg_cancel(uc_buf *b, uint32_t pid, uint32_t key)
{
    size_t at = pg_msg_begin(b, 0);

    pg_put32(b, CANCEL_REQUEST);
    pg_put32(b, pid);
    pg_put32(b, key);
    pg_msg_end(b, at);
}

void pg_msg_parse(uc_buf *b, const char *name, const char *text)
{
    size_t at = pg_msg_begin(b, 'P');

    pg_put_str(b, name);
    pg_put_str(b, text);
    pg_put16(b, 0); /* the server chooses the types */
    pg_msg_end(b, at);
}

static void named(uc_buf *b, char type, char what, const char *name)
{
    size_t at = pg_msg_begin(b, type);

    uc_buf_byte(b, (uint8_t)what);
    pg_put_str(b, name);
    pg_msg_end(b, at);
}

void pg_msg_describe(uc_buf *b, char what, const char *name)
{
    named(b, 'D', what, name);
}

void pg_msg_close(uc_buf *b, char what, const char *name)
{
    named(b, 'C', what, name);
}

void pg_msg_execute(uc_buf *b, const char *portal, uint32_t rows)
{
    size_t at = pg_msg_begin(b, 'E');

    pg_put_str(b, portal);
    pg_put32(b, rows);
    pg_msg_end(b, at);
}

void pg_msg_query(uc_buf *b, const char *text)
{
    size_t at = pg_msg_begin(b, 'Q');

    pg_put_str(b, text);
    pg_msg_end(b, at);
}

void pg_msg_sync(uc_buf *b)
{
    pg_msg_end(b, pg_msg_begin(b, 'S'));
}

void pg_msg_bye(uc_buf *b)
{
    pg_msg_end(b, pg_msg_begin(b, 'X'));
}

/* ---- from the server ---- */

static uint32_t be32(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof v);
    return __builtin_bswap32(v);
}

pg_cut pg_msg_cut(const uint8_t *p, size_t n, size_t most, pg_msg *m,
                  size_t *used, size_t *want)
{
    uint32_t len;
    size_t limit;

    *want = 5;
    if (n < 5)
        return PG_CUT_MORE;
    len = be32(p + 1);
    limit =
        p[0] == 'D' || p[0] == 'd' || most < OTHERS_MOST ? most : OTHERS_MOST;
    if (len < 4 || len > limit)
        return PG_CUT_BAD;
    *want = (size_t)len + 1;
    if (n < *want)
        return PG_CUT_MORE;
    *m = (pg_msg){(char)p[0], {p + 5, len - 4}};
    *used = *want;
    return PG_CUT_ONE;
}

static const uint8_t *next(pg_reader *r, size_t n)
{
    const uint8_t *p = r->p;

    if (r->failed || (size_t)(r->end - p) < n) {
        r->failed = true;
        return NULL;
    }
    r->p += n;
    return p;
}

uint8_t pg_get8(pg_reader *r)
{
    const uint8_t *p = next(r, 1);

    return p != NULL ? *p : 0;
}

uint16_t pg_get16(pg_reader *r)
{
    const uint8_t *p = next(r, 2);

    return p != NULL ? (uint16_t)(p[0] << 8 | p[1]) : 0;
}

uint32_t pg_get32(pg_reader *r)
{
    const uint8_t *p = next(r, 4);

    return p != NULL ? be32(p) : 0;
}

uc_view pg_get_bytes(pg_reader *r, size_t n)
{
    const uint8_t *p = next(r, n);

    return (uc_view){p, p != NULL ? n : 0};
}

uc_view pg_get_str(pg_reader *r)
{
    const uint8_t *p = r->p, *nul = NULL;

    if (!r->failed && p < r->end)
        nul = memchr(p, 0, (size_t)(r->end - p));
    if (nul == NULL) {
        r->failed = true;
        return (uc_view){NULL, 0};
    }
    r->p = nul + 1;
    return (uc_view){p, (size_t)(nul - p)};
}

static uc_view *field(pg_said *said, uint8_t code)
{
    switch (code) {
    case 'V': /* never translated; S may be, and a pooler has it alone */
        return &said->severity;
    case 'S':
        return said->severity.p == NULL ? &said->severity : NULL;
    case 'C':
        return &said->sqlstate;
    case 'M':
        return &said->message;
    case 'D':
        return &said->detail;
    case 'H':
        return &said->hint;
    case 'P':
        return &said->position;
    case 's':
        return &said->schema;
    case 't':
        return &said->table;
    case 'c':
        return &said->column;
    case 'd':
        return &said->type;
    case 'n':
        return &said->constraint;
    case 'W':
        return &said->where;
    default:
        return NULL;
    }
}

bool pg_msg_said(uc_view body, pg_said *said)
{
    pg_reader r = pg_reader_of(body);
    uint8_t code;

    memset(said, 0, sizeof *said);
    while ((code = pg_get8(&r)) != 0) {
        uc_view *to = field(said, code), v = pg_get_str(&r);

        if (to != NULL)
            *to = v;
    }
    return !r.failed && said->sqlstate.len == 5;
}

bool pg_msg_is_fatal(uc_view body)
{
    pg_said said;

    return pg_msg_said(body, &said) && (uc_view_is(said.severity, "FATAL") ||
                                        uc_view_is(said.severity, "PANIC"));
}

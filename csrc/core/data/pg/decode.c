#include "data/pg/decode.h"

#include <string.h>

#include "data/pg/msg.h"

static uint64_t get64(pg_reader *r)
{
    uint64_t high = pg_get32(r);

    return high << 32 | pg_get32(r);
}

static uc_view rest(const pg_reader *r)
{
    return (uc_view){r->p, (size_t)(r->end - r->p)};
}

static bool is_over(const pg_reader *r)
{
    return !r->failed && r->p == r->end;
}

void pg_wal_read(uc_view copied, pg_wal *w)
{
    pg_reader r = pg_reader_of(copied);
    uint8_t type = pg_get8(&r);

    *w = (pg_wal){.kind = PG_WAL_BAD};
    w->at = get64(&r);
    if (type == 'k') {
        get64(&r); /* the server's time */
        w->asks = pg_get8(&r) != 0;
        if (is_over(&r))
            w->kind = PG_WAL_ALIVE;
        return;
    }
    get64(&r); /* the end of the WAL there */
    get64(&r);
    w->change = rest(&r);
    if (type == 'w' && !r.failed)
        w->kind = PG_WAL_DATA;
}

/* ---- rows ---- */

/* Skips a TupleData, which comes back with its number of columns in front. */
static uc_view tuple(pg_reader *r)
{
    const uint8_t *from = r->p;
    uint32_t n = pg_get16(r);

    for (uint32_t i = 0; i < n && !r->failed; i++) {
        uint8_t how = pg_get8(r);

        if (how == 't' || how == 'b')
            pg_get_bytes(r, pg_get32(r));
        else if (how != 'n' && how != 'u')
            r->failed = true;
    }
    return r->failed ? (uc_view){0} : (uc_view){from, (size_t)(r->p - from)};
}

bool pg_change_column(uc_view row, int column, uc_view *text)
{
    pg_reader r = pg_reader_of(row);
    uint32_t n = row.p != NULL ? pg_get16(&r) : 0;

    for (uint32_t i = 0; i < n && !r.failed; i++) {
        uint8_t how = pg_get8(&r);
        uc_view v = {0};

        if (how == 't' || how == 'b')
            v = pg_get_bytes(&r, pg_get32(&r));
        if ((int)i != column)
            continue;
        *text = v;
        return how == 't' && !r.failed;
    }
    return false;
}

bool pg_change_integer(uc_view text, int64_t *n)
{
    size_t i = text.len > 0 && text.p[0] == '-';
    bool negative = i == 1;

    *n = 0;
    if (i == text.len || text.len > 20)
        return false;
    for (; i < text.len; i++) {
        int digit = text.p[i] - '0';

        if (digit < 0 || digit > 9 || __builtin_mul_overflow(*n, 10, n) ||
            __builtin_sub_overflow(*n, digit, n))
            return false;
    }
    return negative || !__builtin_sub_overflow(0, *n, n);
}

static void read_row(pg_reader *r, uint8_t type, pg_change *c)
{
    uint8_t part;

    c->relation = pg_get32(r);
    part = pg_get8(r);
    if (type != 'I' && (part == 'K' || part == 'O')) {
        c->before = tuple(r);
        part = type == 'U' ? pg_get8(r) : 0;
    }
    if (part == 'N' && type != 'D')
        c->after = tuple(r);
    else if (type != 'D' || c->before.p == NULL)
        r->failed = true;
    c->kind = PG_CHANGE_ROW;
}

/* ---- tables ---- */

static void read_relation(pg_reader *r, pg_change *c)
{
    uint32_t n, keys = 0;

    c->kind = PG_CHANGE_RELATION;
    c->key = -1;
    c->relation = pg_get32(r);
    c->schema = pg_get_str(r);
    c->name = pg_get_str(r);
    c->identity = (char)pg_get8(r);
    n = pg_get16(r);
    for (uint32_t i = 0; i < n && !r->failed; i++) {
        uint8_t flags = pg_get8(r);

        pg_get_str(r);
        pg_get32(r); /* its type */
        pg_get32(r); /* and what is told of it besides */
        if (flags & 1) {
            c->key = (int)i;
            keys++;
        }
    }
    if (keys != 1)
        c->key = -1;
}

static void read_truncate(pg_reader *r, pg_change *c)
{
    uint32_t n = pg_get32(r);

    c->kind = PG_CHANGE_TRUNCATE;
    pg_get8(r); /* cascade, restart identity */
    if (n > (size_t)(r->end - r->p) / 4) {
        r->failed = true;
        return;
    }
    c->relations = pg_get_bytes(r, (size_t)n * 4);
}

static void read_message(pg_reader *r, pg_change *c)
{
    c->kind = PG_CHANGE_MESSAGE;
    pg_get8(r); /* of a transaction, or not */
    get64(r);
    c->prefix = pg_get_str(r);
    c->content = pg_get_bytes(r, pg_get32(r));
}

static void read_by_type(pg_reader *r, uint8_t type, pg_change *c)
{
    switch (type) {
    case 'B':
        c->kind = PG_CHANGE_BEGIN;
        get64(r); /* where its commit is */
        get64(r);
        c->xid = pg_get32(r);
        break;
    case 'C':
        c->kind = PG_CHANGE_COMMIT;
        pg_get8(r);
        get64(r);
        c->end = get64(r);
        get64(r);
        break;
    case 'R':
        read_relation(r, c);
        break;
    case 'I':
    case 'U':
    case 'D':
        read_row(r, type, c);
        break;
    case 'T':
        read_truncate(r, c);
        break;
    case 'M':
        read_message(r, c);
        break;
    case 'O': /* where it came from */
    case 'Y': /* a type */
        c->kind = PG_CHANGE_NONE;
        r->p = r->end;
        break;
    default:
        r->failed = true;
        break;
    }
}

void pg_change_read(uc_view message, pg_change *c)
{
    pg_reader r = pg_reader_of(message);
    uint8_t type = pg_get8(&r);

    *c = (pg_change){.kind = PG_CHANGE_BAD};
    read_by_type(&r, type, c);
    if (!is_over(&r))
        c->kind = PG_CHANGE_BAD;
}

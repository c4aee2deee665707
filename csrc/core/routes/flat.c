#include "routes/flat.h"

#include "wire/utf8.h"

enum { DIGITS_MOST = 18 /* of any integer that surely fits */ };

typedef struct cursor {
    const uint8_t *p, *end;
} cursor;

static void blanks(cursor *c)
{
    while (c->p < c->end &&
           (*c->p == ' ' || *c->p == '\n' || *c->p == '\t' || *c->p == '\r'))
        c->p++;
}

/* This byte, and the blanks behind it. */
static bool mark(cursor *c, uint8_t byte)
{
    if (c->p == c->end || *c->p != byte)
        return false;
    c->p++;
    blanks(c);
    return true;
}

static bool string(cursor *c, uc_view *s)
{
    const uint8_t *from = ++c->p;

    while (c->p < c->end && *c->p >= 0x20 && *c->p != '"' && *c->p != '\\')
        c->p++;
    if (c->p == c->end || *c->p != '"')
        return false;
    *s = (uc_view){from, (size_t)(c->p++ - from)};
    return true;
}

/* -?(0|[1-9][0-9]*), and nothing behind it that belongs to a number. */
static bool integer(cursor *c, int64_t *i)
{
    bool negative = *c->p == '-';
    const uint8_t *from = c->p += negative;
    uint64_t n = 0; /* one digit more than counts fits as well */

    while (c->p < c->end && *c->p >= '0' && *c->p <= '9' &&
           c->p - from <= DIGITS_MOST)
        n = 10 * n + (uint64_t)(*c->p++ - '0');
    if (c->p == from || c->p - from > DIGITS_MOST || c->p == c->end ||
        *c->p == '.' || *c->p == 'e' || *c->p == 'E' ||
        (*from == '0' && (negative || c->p - from > 1)))
        return false;
    *i = negative ? -(int64_t)n : (int64_t)n;
    return true;
}

static bool word(cursor *c, const char *s, size_t n)
{
    if ((size_t)(c->end - c->p) < n || memcmp(c->p, s, n) != 0)
        return false;
    c->p += n;
    return true;
}

static bool value(cursor *c, uc_flat_member *m)
{
    if (c->p == c->end)
        return false;
    switch (*c->p) {
    case '"':
        m->type = UC_FLAT_STRING;
        return string(c, &m->s);
    case 't':
        m->type = UC_FLAT_TRUE;
        return word(c, "true", 4);
    case 'f':
        m->type = UC_FLAT_FALSE;
        return word(c, "false", 5);
    case 'n':
        m->type = UC_FLAT_NULL;
        return word(c, "null", 4);
    default:
        m->type = UC_FLAT_INTEGER;
        return integer(c, &m->i);
    }
}

static bool is_new(const uc_flat *f, uc_view key)
{
    for (uint32_t i = 0; i < f->n; i++) {
        if (uc_view_same(f->members[i].key, key))
            return false;
    }
    return true;
}

static bool member(cursor *c, uc_flat *f)
{
    uc_flat_member *m = &f->members[f->n];

    if (f->n == UC_FLAT_MEMBERS || c->p == c->end || *c->p != '"' ||
        !string(c, &m->key) || !is_new(f, m->key))
        return false;
    blanks(c);
    if (!mark(c, ':') || !value(c, m))
        return false;
    blanks(c);
    f->n++;
    return true;
}

bool uc__flat_read(uc_view text, uc_flat *f)
{
    cursor c = {text.p, text.p + text.len};

    f->n = 0;
    blanks(&c);
    if (!mark(&c, '{'))
        return false;
    do {
        if (!member(&c, f))
            return false;
    } while (mark(&c, ','));
    return mark(&c, '}') && c.p == c.end && uc_is_utf8(text.p, text.len);
}

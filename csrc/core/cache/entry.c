#include "cache/entry.h"

/* To the beginning of the next run. */
static void cross(uc_cursor *c)
{
    const uc_rest *r = uc__block(c->b, c->more);

    c->p = (uint8_t *)uc__block(c->b, c->more) + sizeof *r;
    c->left = uc__run_bytes(r->run) - (uint32_t)sizeof *r;
    c->more = r->more;
}

uc_cursor uc__cursor(const uc_blocks *b, uint32_t block, uint32_t at)
{
    const uc_head *e = uc__head(b, block);
    uc_cursor c = {.b = b,
                   .p = uc__block(b, block),
                   .left = uc__run_bytes(e->run),
                   .more = e->more};

    while (at > c.left || (at == c.left && c.more != 0)) {
        at -= c.left;
        cross(&c);
    }
    c.p += at;
    c.left -= at;
    return c;
}

/* Bytes that may be worked on in one piece; 0 only when n is 0. */
static uint32_t piece(uc_cursor *c, uint64_t n)
{
    if (c->left == 0 && n > 0)
        cross(c);
    return n < c->left ? (uint32_t)n : c->left;
}

static void move_on(uc_cursor *c, uint32_t n)
{
    c->p += n;
    c->left -= n;
}

void uc__cursor_write(uc_cursor *c, const void *p, uint64_t n)
{
    const uint8_t *from = p;
    uint32_t here;

    for (; n > 0; n -= here, from += here) {
        here = piece(c, n);
        memcpy(c->p, from, here);
        move_on(c, here);
    }
}

void uc__cursor_read(uc_cursor *c, void *p, uint64_t n)
{
    uint8_t *to = p;
    uint32_t here;

    for (; n > 0; n -= here, to += here) {
        here = piece(c, n);
        memcpy(to, c->p, here);
        move_on(c, here);
    }
}

bool uc__cursor_is(uc_cursor *c, const void *p, uint64_t n)
{
    const uint8_t *with = p;
    uint32_t here;

    for (; n > 0; n -= here, with += here) {
        here = piece(c, n);
        if (memcmp(c->p, with, here) != 0)
            return false;
        move_on(c, here);
    }
    return true;
}

void uc__cursor_copy(uc_cursor *to, uc_cursor *from, uint64_t n)
{
    uint32_t here;

    for (; n > 0; n -= here) {
        here = piece(from, n);
        uc__cursor_write(to, from->p, here);
        move_on(from, here);
    }
}

int64_t uc__entry_get(const uc_blocks *b, uint32_t block, uint32_t at)
{
    uc_cursor c = uc__cursor(b, block, at);
    int64_t v;

    uc__cursor_read(&c, &v, sizeof v);
    return v;
}

void uc__entry_set(const uc_blocks *b, uint32_t block, uint32_t at, int64_t v)
{
    uc_cursor c = uc__cursor(b, block, at);

    uc__cursor_write(&c, &v, sizeof v);
}

int64_t uc__entry_due(const uc_blocks *b, uint32_t block)
{
    uc_head *e = uc__head(b, block);
    uint32_t at = uc__at_windows(e->flags);
    int64_t due = uc__times(e)->expires;

    if (due == 0)
        due = INT64_MAX;
    else if (e->flags & UC_ENTRY_WINDOWS) {
        int64_t stale = uc__entry_get(b, block, at);
        int64_t error = uc__entry_get(b, block, at + 8);

        due = uc__later(due, stale > error ? stale : error);
    }
    if (e->flags & UC_ENTRY_IDLE) {
        int64_t idle, used;

        at = uc__at_idle(e->flags);
        idle = uc__entry_get(b, block, at);
        used = uc__entry_get(b, block, at + 8);
        if (uc__later(used, idle) < due)
            due = uc__later(used, idle);
    }
    return due;
}

void uc__entry_free(uc_blocks *b, uint32_t block)
{
    while (block != 0) {
        const uc_head *e = uc__head(b, block);
        uint32_t more = e->more;

        uc__blocks_give(b, block, e->run);
        block = more;
    }
}

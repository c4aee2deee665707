#include <endian.h>
#include <string.h>

#include "desk/op.h"
#include "doors/sp/inner.h"
#include "wire/writer.h"

/*
 * What the client reads: answers of the door's own, each with its head, and the
 * heads of the core's replies.
 */

size_t ud_sp_open(ud_conn *c)
{
    size_t at = c->own.len;

    if (uc_buf_reserve(&c->own, SP_HEAD))
        c->own.len += SP_HEAD;
    return at;
}

void ud_sp_close(ud_conn *c, size_t at, uint32_t sp)
{
    if (c->own.failed) {
        /* A client that waits for this answer has its deadline. */
        uc_buf_rewind(&c->own, at);
        return;
    }
    sp_head(c->own.p + at, c->own.len - at - SP_HEAD, sp);
}

void ud_sp_error(ud_conn *c, uint32_t sp, uint32_t id, const uc_error *e)
{
    size_t at = ud_sp_open(c);

    uc_reply_error(&c->own, id, e);
    ud_sp_close(c, at, sp);
}

bool ud_sp_dress(ud_conn *c, size_t at)
{
    ud_sp *s = ud_sp_of(c);

    while (at < c->out_len) {
        uint8_t *p = c->out + at;
        uint32_t n, id;
        ud_id asked;

        memcpy(&n, p + SP_HEAD - 4, 4);
        n = le32toh(n);
        memcpy(&id, p + SP_HEAD + 2, 4); /* [9x, ce, id, ...] */
        id = __builtin_bswap32(id);
        if (ud_ids_take(&s->ids, id, &asked)) {
            s->standing -= uc_op_is(asked.op, UC_STANDS);
            sp_head(p, n, asked.sp);
        } else {
            sp_head(p, n, SP_NO_REQUEST | id);
        }
        at += SP_HEAD + n;
    }
    return true;
}

void ud_sp_fault(ud_conn *c, const uc_error *e)
{
    ud_sp_error(c, SP_NO_REQUEST, 0, e);
}

bool ud_sp_goodbye(ud_conn *c)
{
    const ud_sp *s = ud_sp_of(c);
    uc_error e;

    if (s->ids.n > s->standing)
        return false;
    uc_fail(&e, UC_CLOSED, "the daemon is shutting down");
    e.retryable = true;
    for (uint32_t i = 0; s->ids.n > 0 && i <= s->ids.mask; i++) {
        if (s->ids.slots[i].id != 0)
            ud_sp_error(c, s->ids.slots[i].sp, s->ids.slots[i].id, &e);
    }
    ud_sp_fault(c, &e);
    return true;
}

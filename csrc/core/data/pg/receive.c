#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "data/pg/work.h"

/* What a server sends, in whole messages. */

enum { READ_BYTES = 1 << 16 };

/* A row beyond what a reply may have is read past, which takes no memory.
 * False: the message is no row. */
static bool skips(pg_conn *c)
{
    const uint8_t *p = c->in.p + c->in_at;
    uint32_t n;

    if (c->phase != PG_READY || *p != 'D')
        return false;
    memcpy(&n, p + 1, sizeof n);
    n = __builtin_bswap32(n);
    if (n < sizeof n || n > INT32_MAX || !pg_row_too_large(c))
        return false;
    c->skip = (size_t)n + 1;
    return true;
}

/* False: there is more to come that is skipped. */
static bool skipped(pg_conn *c)
{
    size_t n = c->in.len - c->in_at;

    if (n > c->skip)
        n = c->skip;
    c->in_at += n;
    c->skip -= n;
    return c->skip == 0;
}

/* All whole messages of what has come. False: it is dead. */
static bool take_messages(pg_conn *c)
{
    size_t most = (size_t)c->db->e.opt.max_bytes, used, want;
    uc_error e;

    while (c->in.len > 0 && !c->paused && skipped(c)) {
        pg_msg m;
        pg_cut cut = pg_msg_cut(c->in.p + c->in_at, c->in.len - c->in_at, most,
                                &m, &used, &want);

        if (cut == PG_CUT_MORE)
            break;
        if (cut == PG_CUT_BAD && skips(c))
            continue;
        if (cut == PG_CUT_BAD) {
            pg_nonsense(&e, "a message of a length that cannot be");
            pg_conn_fail(c, &e);
            return false;
        }
        c->in_at += used;
        if (c->phase == PG_GREETING)
            pg_greeting(c, &m);
        else if (!pg_answer(c, &m, &e))
            pg_conn_fail(c, &e);
        if (c->phase == PG_DEAD)
            return false;
    }
    if (c->in_at == c->in.len)
        c->in.len = c->in_at = 0;
    return true;
}

static bool make_room(pg_conn *c)
{
    if (c->in_at > 0 && c->in.cap - c->in.len < READ_BYTES) {
        memmove(c->in.p, c->in.p + c->in_at, c->in.len - c->in_at);
        c->in.len -= c->in_at;
        c->in_at = 0;
    }
    return uc_buf_reserve(&c->in, READ_BYTES);
}

void pg_conn_receive(pg_conn *c)
{
    while (!c->paused) {
        size_t room;
        ssize_t n;

        if (!make_room(c)) {
            pg_conn_broken(c, "no memory for what it sends");
            return;
        }
        room = c->in.cap - c->in.len;
        n = c->tls != NULL ? pg_tls_recv(c->tls, c->in.p + c->in.len, room)
                           : recv(c->fd, c->in.p + c->in.len, room, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0) {
            pg_conn_broken(c, n == 0 ? "the server has closed it"
                                     : strerror(errno));
            return;
        }
        c->in.len += (size_t)n;
        if (!take_messages(c) || c->paused ||
            (c->tls == NULL && (size_t)n < room))
            return;
    }
}

void pg_conn_resume(pg_conn *c)
{
    c->resumed = false;
    if (c->phase == PG_READY && take_messages(c))
        pg_conn_receive(c);
}

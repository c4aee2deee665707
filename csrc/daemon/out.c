#include <endian.h>
#include <inttypes.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "conn.h"
#include "log.h"
#include "wire/writer.h"

enum {
    FIRST = 16 << 10,
    MOST = 256 << 10, /* about what a socket takes at once */
    KEPT = 1 << 20,
    LINGER_MS = 200 /* at the good-bye */
};

/* ---- answers of our own ---- */

size_t ud_answer_open(ud_conn *c)
{
    size_t at = c->own.len;

    if (uc_buf_reserve(&c->own, SP_HEAD))
        c->own.len += SP_HEAD;
    return at;
}

void ud_answer_close(ud_conn *c, size_t at, uint32_t sp)
{
    if (c->own.failed) {
        /* A client that waits for this answer has its deadline. */
        uc_buf_rewind(&c->own, at);
        return;
    }
    sp_head(c->own.p + at, c->own.len - at - SP_HEAD, sp);
}

void ud_answer_error(ud_conn *c, uint32_t sp, uint32_t id, const uc_error *e)
{
    size_t at = ud_answer_open(c);

    uc_reply_error(&c->own, id, e);
    ud_answer_close(c, at, sp);
}

/* ---- out ---- */

static void send_more(ud_conn *c)
{
    nng_iov iov = {c->out + c->out_off, c->out_len - c->out_off};

    c->sending = true;
    c->sent_since = uc_now_coarse();
    ud_server_watch(c->sv); /* for the write-timeout */
    atomic_fetch_or(&c->looking, UD_LOOKING_SEND);
    ud_conn_ref(c);
    nng_aio_set_iov(c->tx, 1, &iov);
    c->send_due = true;
}

static bool out_room(ud_conn *c, size_t cap)
{
    uint8_t *p;

    if (c->out_cap >= cap)
        return true;
    p = uc_realloc(c->out, cap);
    if (p == NULL)
        return false;
    c->out = p;
    c->out_cap = cap;
    return true;
}

/* Heads for the replies from `at` on, as uc_take has left them. */
static void dress(ud_conn *c, size_t at)
{
    while (at < c->out_len) {
        uint8_t *p = c->out + at;
        uint32_t n, id;
        ud_id asked;

        memcpy(&n, p + SP_HEAD - 4, 4);
        n = le32toh(n);
        memcpy(&id, p + SP_HEAD + 2, 4); /* [9x, ce, id, ...] */
        id = __builtin_bswap32(id);
        if (ud_ids_take(&c->ids, id, &asked)) {
            c->standing -= uc_op_is(asked.op, UC_STANDS);
            sp_head(p, n, asked.sp);
        } else {
            sp_head(p, n, SP_NO_REQUEST | id);
        }
        at += SP_HEAD + n;
    }
}

void ud_out_drop(ud_conn *c)
{
    uc_free(c->out);
    c->out = NULL;
    c->out_off = c->out_len = c->out_cap = 0;
}

static bool take_own(ud_conn *c)
{
    if (c->own.len == 0)
        return true;
    if (!out_room(c, c->own.len))
        return false;
    memcpy(c->out, c->own.p, c->own.len);
    c->out_len = c->own.len;
    uc_buf_rewind(&c->own, 0);
    return true;
}

static bool take(ud_conn *c)
{
    size_t pending, need, n, at = c->out_len, room;

    if (c->session == NULL || c->state >= UD_LINGERING)
        return true;
    pending = uc_pending(c->session) * 2; /* our heads are longer */
    room = pending < FIRST ? FIRST : pending > MOST ? MOST : pending;
    if (!out_room(c, at + room))
        return false;
    n = uc_take(c->session, c->out + at, c->out_cap - at, SP_HEAD, &need);
    if (n == 0 && need > 0) {
        if (!out_room(c, at + need))
            return false;
        n = uc_take(c->session, c->out + at, c->out_cap - at, SP_HEAD, &need);
    }
    c->out_len += n;
    dress(c, at);
    return true;
}

/* How much waits for the client to read it. */
size_t ud_unsent(ud_conn *c)
{
    size_t n = c->out_len - c->out_off + c->own.len;

    return c->session != NULL ? n + uc_pending(c->session) : n;
}

static void say_goodbye(ud_conn *c)
{
    uc_error e;

    uc_fail(&e, UC_CLOSED, "the daemon is shutting down");
    e.retryable = true;
    for (uint32_t i = 0; c->ids.n > 0 && i <= c->ids.mask; i++) {
        if (c->ids.slots[i].id != 0)
            ud_answer_error(c, c->ids.slots[i].sp, c->ids.slots[i].id, &e);
    }
    ud_answer_error(c, SP_NO_REQUEST, 0, &e);
    ud_linger(c, LINGER_MS);
}

/* Under c->mu. */
void ud_flush(ud_conn *c)
{
    if (c->sending || c->state == UD_SHUT)
        return;
    c->out_off = c->out_len = 0;
    if (c->out_cap > KEPT)
        ud_out_drop(c);
    for (;;) {
        if (!take_own(c) || !take(c)) {
            ud_log("no memory for replies: connection %" PRIu64 " is closed",
                   c->number);
            c->state = UD_LINGERING;
            c->linger_until = 1;
            ud_server_watch(c->sv);
            return;
        }
        if (c->out_len > 0) {
            send_more(c);
            return;
        }
        if (c->state != UD_DRAINING || c->ids.n > c->standing)
            return;
        say_goodbye(c);
    }
}

void ud_conn_flush(ud_conn *c)
{
    uc_lock(&c->mu);
    ud_flush(c);
    ud_unlock(c);
}

void ud_on_sent(void *arg)
{
    ud_conn *c = arg;
    int rv = nng_aio_result(c->tx);
    size_t n = nng_aio_count(c->tx);

    uc_lock(&c->mu);
    c->sending = false;
    c->sent_since = 0;
    if (rv != 0 || c->state == UD_SHUT) {
        ud_shut_unlock(c);
        ud_conn_unref(c);
        return;
    }
    atomic_fetch_add_explicit(&c->sv->bytes_out, n, memory_order_relaxed);
    c->out_off += n;
    if (c->out_off < c->out_len) {
        send_more(c);
    } else {
        atomic_fetch_and(&c->looking, ~(uint32_t)UD_LOOKING_SEND);
        ud_flush(c);
    }
    ud_receive(c);
    ud_unlock(c);
    ud_conn_unref(c);
}

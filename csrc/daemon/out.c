#include <inttypes.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "conn.h"
#include "log.h"

enum {
    FIRST = 16 << 10,
    MOST = 256 << 10, /* about what a socket takes at once */
    KEPT = 1 << 20,
    LINGER_MS = 200 /* at the good-bye */
};

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

bool ud_out_room(ud_conn *c, size_t cap)
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
    if (!ud_out_room(c, c->own.len))
        return false;
    memcpy(c->out, c->own.p, c->own.len);
    c->out_len = c->own.len;
    uc_buf_rewind(&c->own, 0);
    return true;
}

static bool take_once(ud_conn *c, size_t at, size_t *taken)
{
    size_t pending, need, n, room, head = c->door->head;

    pending = uc_pending(c->session) * 2; /* the door's heads are longer */
    room = pending < FIRST ? FIRST : pending > MOST ? MOST : pending;
    if (!ud_out_room(c, at + room))
        return false;
    n = uc_take(c->session, c->out + at, c->out_cap - at, head, &need);
    if (n == 0 && need > 0) {
        if (!ud_out_room(c, at + need))
            return false;
        n = uc_take(c->session, c->out + at, c->out_cap - at, head, &need);
    }
    c->out_len = at + n;
    *taken = n;
    return n == 0 || c->door->dress(c, at);
}

/* Until there is something to send or nothing is left: a door may keep what is
 * not in turn. */
static bool take(ud_conn *c)
{
    size_t at = c->out_len, n;

    if (c->session == NULL || c->state >= UD_LINGERING)
        return true;
    do {
        if (!take_once(c, at, &n))
            return false;
    } while (n > 0 && c->out_len == at);
    return true;
}

/* How much waits for the client to read it. */
size_t ud_unsent(ud_conn *c)
{
    size_t n = c->out_len - c->out_off + c->own.len;

    return c->session != NULL ? n + uc_pending(c->session) : n;
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
        if (c->state != UD_DRAINING || !c->door->goodbye(c))
            return;
        ud_linger(c, LINGER_MS);
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
        ud_cut_again(c);
        ud_flush(c);
    }
    ud_receive(c);
    ud_unlock(c);
    ud_conn_unref(c);
}

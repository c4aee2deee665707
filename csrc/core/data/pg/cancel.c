#define _GNU_SOURCE
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/mem.h"
#include "data/pg/work.h"

/*
 * CancelRequests (55.2.8). One goes over a socket of its own, and stops
 * whatever the server is doing for the connection when it gets there, which may
 * be the call of somebody else by then. So a connection is given nothing new
 * before the server has closed that socket, and who was hit by mistake is run
 * again. The postmaster sends the signal twice, to the process and to its group
 * (signal_child of postmaster.c): one cancel may hit two.
 */

enum { PATIENCE_MS = 5000, AGAIN_MS = 100 };

struct pg_cancel {
    pg_end end; /* first */
    pg_cancel *next;
    pg_conn *conn;     /* NULL: it has gone, and its server need not know */
    uint32_t pid, key; /* of it */
    int fd;
    bool sent;
    int64_t until;
};

static void done(pg_db *db, pg_cancel *x)
{
    for (pg_cancel **q = &db->cancels; *q != NULL; q = &(*q)->next) {
        if (*q == x) {
            *q = x->next;
            break;
        }
    }
    if (x->conn != NULL) {
        /* What it was for may have been missed, if it got there at all. What
         * is sent from here on cannot be hit. */
        x->conn->cancelling = false;
        x->conn->strays = x->conn->nsteps;
        x->conn->cancel_after = uc_now() + AGAIN_MS * UC_MS;
    }
    pg_close(db, x->fd);
    uc_free(x);
}

void pg_cancel_begin(pg_conn *c)
{
    pg_db *db = c->db;
    pg_cancel *x = uc_calloc(1, sizeof *x);
    struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT};

    c->cancel_after = uc_now() + AGAIN_MS * UC_MS;
    if (x == NULL)
        return; /* it is tried again */
    x->end.is = PG_END_CANCEL;
    x->conn = c;
    x->pid = c->pid;
    x->key = c->key;
    x->until = uc_now() + PATIENCE_MS * UC_MS;
    x->fd = pg_socket(&db->info, &c->found.all[c->way.address]);
    ev.data.ptr = x;
    if (x->fd < 0 || epoll_ctl(db->epoll, EPOLL_CTL_ADD, x->fd, &ev) != 0) {
        if (x->fd >= 0)
            close(x->fd);
        uc_free(x);
        return;
    }
    c->cancelling = true;
    x->next = db->cancels;
    db->cancels = x;
}

static bool send_it(const pg_db *db, pg_cancel *x)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = x};
    bool sent;
    uc_buf b;

    uc_buf_init(&b, SIZE_MAX);
    pg_msg_cancel(&b, x->pid, x->key);
    sent = !b.failed && send(x->fd, b.p, b.len, MSG_NOSIGNAL) == (ssize_t)b.len;
    uc_buf_fini(&b);
    x->sent = true;
    return sent && epoll_ctl(db->epoll, EPOLL_CTL_MOD, x->fd, &ev) == 0;
}

void pg_cancel_event(pg_db *db, pg_cancel *x)
{
    char byte;

    if (!x->sent) {
        if (!send_it(db, x))
            done(db, x);
        return;
    }
    if (recv(x->fd, &byte, 1, 0) >= 0 || errno != EAGAIN)
        done(db, x); /* the server has seen it */
}

void pg_cancel_forget(pg_conn *c)
{
    for (pg_cancel *x = c->db->cancels; x != NULL; x = x->next) {
        if (x->conn == c)
            x->conn = NULL;
    }
}

int64_t pg_cancels_late(pg_db *db, int64_t now)
{
    int64_t next = 0;

    for (pg_cancel *x = db->cancels, *after; x != NULL; x = after) {
        after = x->next;
        if (now >= x->until)
            done(db, x);
        else if (next == 0 || x->until < next)
            next = x->until;
    }
    return next;
}

void pg_cancels_free(pg_db *db)
{
    while (db->cancels != NULL)
        done(db, db->cancels);
}

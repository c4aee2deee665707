#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/mem.h"
#include "data/pg/work.h"

/* A connection as a thing: made, sent on, given up, freed. */

/* ---- sockets ---- */

static void tune(int fd)
{
    static const struct {
        int level, name, value;
    } options[] = {
        {IPPROTO_TCP, TCP_NODELAY, 1},   {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, 30}, {IPPROTO_TCP, TCP_KEEPINTVL, 10},
        {IPPROTO_TCP, TCP_KEEPCNT, 3},   {IPPROTO_TCP, TCP_USER_TIMEOUT, 30000},
    };

    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        setsockopt(fd, options[i].level, options[i].name, &options[i].value,
                   sizeof options[i].value);
}

int pg_socket(const pg_address *a)
{
    int fd = socket(a->at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
                    0),
        err;

    if (fd < 0)
        return -1;
    if (a->at.ss_family != AF_UNIX)
        tune(fd);
    if (connect(fd, (const struct sockaddr *)&a->at, a->len) == 0 ||
        errno == EINPROGRESS || errno == EAGAIN)
        return fd;
    err = errno;
    close(fd);
    errno = err;
    return -1;
}

void pg_conn_look(pg_conn *c, bool out)
{
    struct epoll_event ev = {.events = EPOLLIN | (out ? EPOLLOUT : 0),
                             .data.ptr = c};

    if (c->wants_out == out)
        return;
    c->wants_out = out;
    epoll_ctl(c->db->epoll, EPOLL_CTL_MOD, c->fd, &ev);
}

/* ---- from its beginning to its end ---- */

pg_conn *pg_conn_new(pg_db *db, pg_role role)
{
    pg_conn *c = uc_calloc(1, sizeof *c);

    if (c == NULL)
        return NULL;
    c->db = db;
    c->role = role;
    c->fd = -1;
    c->host = db->dial_host;
    c->until = uc_now() + db->info.connect_ms * UC_MS;
    uc_buf_init(&c->in, SIZE_MAX);
    uc_buf_init(&c->out, SIZE_MAX);
    uc_buf_init(&c->row, (size_t)db->e.opt.max_bytes);
    uc_buf_init(&c->text, SIZE_MAX);
    uc_buf_init(&c->scratch, SIZE_MAX);
    uc_buf_init(&c->done, SIZE_MAX);
    uc_buf_init(&c->held, SIZE_MAX);
    return c;
}

/* What follows from it is done when nobody is in the middle of something
 * (lost.c). */
void pg_conn_fail(pg_conn *c, const uc_error *e)
{
    if (c->phase == PG_DEAD)
        return;
    c->was_ready = c->phase == PG_READY;
    c->phase = PG_DEAD;
    c->error = *e;
    c->db->dead = true;
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

void pg_conn_broken(pg_conn *c, const char *why)
{
    uc_error e;

    pg_lost_error(c->db, &e, why);
    pg_conn_fail(c, &e);
}

void pg_conn_free(pg_conn *c)
{
    pg_tls_free(c->tls);
    if (c->fd >= 0)
        close(c->fd);
    if (c->session != NULL)
        uc__session_unref(c->session);
    uc_buf_fini(&c->in);
    uc_buf_fini(&c->out);
    uc_buf_fini(&c->row);
    uc_buf_fini(&c->text);
    uc_buf_fini(&c->scratch);
    uc_buf_fini(&c->done);
    uc_buf_fini(&c->held);
    uc_free(c->steps);
    uc_free(c->prepared);
    uc_free(c);
}

/* ---- bytes ---- */

void pg_conn_send(pg_conn *c)
{
    c->dirty = false;
    while (c->out_at < c->out.len) {
        const uint8_t *p = c->out.p + c->out_at;
        size_t left = c->out.len - c->out_at;
        ssize_t n = c->tls != NULL ? pg_tls_send(c->tls, p, left)
                                   : send(c->fd, p, left, MSG_NOSIGNAL);

        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            pg_conn_look(c, true);
            return;
        }
        if (n < 0) {
            pg_conn_broken(c, strerror(errno));
            return;
        }
        c->out_at += (size_t)n;
    }
    uc_buf_rewind(&c->out, 0);
    c->out_at = 0;
    pg_conn_look(c, false);
}

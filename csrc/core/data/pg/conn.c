#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/mem.h"
#include "data/pg/work.h"

/* A connection as a thing: made, sent on, given up, freed. */

enum { DROP_MS = 1000 }; /* between two times that all are let go */

/* ---- sockets ---- */

static void set(int fd, int level, int name, int value)
{
    setsockopt(fd, level, name, &value, sizeof value);
}

/* 0: the system's own, as with libpq. */
static void set_given(int fd, int level, int name, const pg_info *info,
                      pg_key key)
{
    int n = pg_info_number(info, key);

    if (n > 0)
        set(fd, level, name, n);
}

/* A server that has gone without a word is noticed: by what is sent and not
 * acknowledged, and where nothing is sent by asking. */
static void tune(const pg_info *info, int fd)
{
    set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_given(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, info, PG_TCP_USER_TIMEOUT);
    if (pg_info_number(info, PG_KEEPALIVES) == 0)
        return;
    set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_given(fd, IPPROTO_TCP, TCP_KEEPIDLE, info, PG_KEEPALIVES_IDLE);
    set_given(fd, IPPROTO_TCP, TCP_KEEPINTVL, info, PG_KEEPALIVES_INTERVAL);
    set_given(fd, IPPROTO_TCP, TCP_KEEPCNT, info, PG_KEEPALIVES_COUNT);
}

int pg_socket(const pg_info *info, const pg_address *a)
{
    int fd = socket(a->at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
                    0),
        err;

    if (fd < 0)
        return -1;
    if (a->at.ss_family != AF_UNIX)
        tune(info, fd);
    if (connect(fd, (const struct sockaddr *)&a->at, a->len) == 0 ||
        errno == EINPROGRESS || errno == EAGAIN)
        return fd;
    err = errno;
    close(fd);
    errno = err;
    return -1;
}

static void look(pg_conn *c)
{
    struct epoll_event ev = {.events = (c->paused ? 0 : EPOLLIN) |
                                       (c->wants_out ? EPOLLOUT : 0),
                             .data.ptr = c};

    epoll_ctl(c->db->epoll, EPOLL_CTL_MOD, c->fd, &ev);
}

/* A child that is being made has the descriptor too, until it is another
 * program: epoll would go on telling of it, with a pointer to what is not there
 * any more (epoll(7), questions and answers, 6). */
void pg_close(pg_db *db, int fd)
{
    epoll_ctl(db->epoll, EPOLL_CTL_DEL, fd, NULL);
    close(fd);
}

void pg_conn_look(pg_conn *c, bool out)
{
    if (c->wants_out == out)
        return;
    c->wants_out = out;
    look(c);
}

void pg_conn_pause(pg_conn *c, bool paused)
{
    if (c->paused == paused)
        return;
    c->paused = paused;
    c->resumed = !paused;
    if (c->resumed)
        atomic_store(&c->db->called, true);
    look(c);
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
    pg_way_begin(c);
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
        pg_close(c->db, c->fd);
    c->fd = -1;
}

void pg_conn_broken(pg_conn *c, const char *why)
{
    uc_error e;

    pg_lost_error(c->db, &e, why);
    pg_conn_fail(c, &e);
}

void pg_conn_end(pg_conn *c)
{
    uc_error e;

    c->ends = true;
    if (c->phase == PG_READY) {
        pg_msg_bye(&c->out);
        pg_conn_send(c);
    }
    uc_fail(&e, UC_CLOSED, "the connection was let go");
    pg_conn_fail(c, &e);
}

bool pg_conn_is_idle(const pg_conn *c)
{
    return c->phase == PG_READY && c->nsteps == 0 && !c->cancelling &&
           c->tx == NULL && c->lease == NULL && c->migration == NULL &&
           c->waiting == NULL;
}

bool pg_conns_drop(pg_db *db)
{
    int64_t now = uc_now();

    if (db->dropped_at != 0 && now - db->dropped_at < DROP_MS * UC_MS)
        return false;
    db->dropped_at = now;
    for (pg_conn *c = db->conns; c != NULL; c = c->next)
        c->retires = c->retires || c->phase == PG_READY;
    return true;
}

/* Without random numbers it is n. */
int64_t pg_jittered(int64_t n)
{
    uint32_t r;

    if (getrandom(&r, sizeof r, GRND_NONBLOCK) != sizeof r)
        return n;
    return n - n / 8 + (int64_t)((double)n / 4 * r / UINT32_MAX);
}

void pg_conn_free(pg_conn *c)
{
    pg_tls_free(c->tls);
    if (c->fd >= 0)
        pg_close(c->db, c->fd);
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

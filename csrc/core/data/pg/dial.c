#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/mem.h"
#include "data/pg/db.h"

/* Sockets of connections. */

enum { READ_BYTES = 1 << 16 };

/* ---- the beginning ---- */

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

static void no_server(uc_error *e, const pg_host *h, int err)
{
    uc_view name = h->name.len > 0 ? h->name : h->addr;

    uc_fail(e, UC_CONNECT, "no server answers at %.*s%s%u: %s",
            (int)(name.len < 200 ? name.len : 200), name.p,
            h->local ? "/.s.PGSQL." : ":", h->port, strerror(err));
    e->outcome = "not-run";
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

/* The next of its addresses; all are tried before the host is given up. */
static void try_address(pg_conn *c, int err)
{
    struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
    uc_error e;

    for (; c->address < c->found.n; c->address++) {
        c->fd = pg_socket(&c->found.all[c->address]);
        if (c->fd >= 0 &&
            epoll_ctl(c->db->epoll, EPOLL_CTL_ADD, c->fd, &ev) == 0) {
            c->phase = PG_DIALING;
            c->wants_out = true;
            return;
        }
        err = errno;
        if (c->fd >= 0)
            close(c->fd);
        c->fd = -1;
    }
    no_server(&e, &c->db->info.hosts[c->host], err);
    pg_conn_lost(c, &e);
}

static void has_addresses(void *arg, const pg_addresses *found,
                          const uc_error *e)
{
    pg_conn *c = arg;

    if (found == NULL) {
        pg_conn_lost(c, e);
        return;
    }
    c->found = *found;
    try_address(c, 0);
}

static void find(pg_conn *c)
{
    const pg_host *h = &c->db->info.hosts[c->host];
    uc_error e;

    if (!h->local) {
        pg_names_find(c->db->names, h, has_addresses, c);
        return;
    }
    c->found.n = 1;
    if (pg_local_address(h, &c->found.all[0])) {
        try_address(c, 0);
        return;
    }
    uc_fail(&e, UC_OPTION, "the path of the server's socket is too long: %.*s",
            (int)(h->name.len < 200 ? h->name.len : 200), h->name.p);
    e.outcome = "not-run";
    pg_conn_lost(c, &e);
}

static pg_conn *conn_new(pg_db *db, pg_role role)
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

pg_conn *pg_dial(pg_db *db, pg_role role)
{
    pg_conn *c = conn_new(db, role);

    if (c == NULL) {
        uc_fail(&db->dial_error, UC_MEMORY, "no memory for a connection");
        return NULL;
    }
    c->next = db->conns;
    db->conns = c;
    db->nconns++;
    find(c);
    return c;
}

/* ---- TLS ---- */

static void look_for(pg_conn *c, bool out)
{
    struct epoll_event ev = {.events = EPOLLIN | (out ? EPOLLOUT : 0),
                             .data.ptr = c};

    if (c->wants_out == out)
        return;
    c->wants_out = out;
    epoll_ctl(c->db->epoll, EPOLL_CTL_MOD, c->fd, &ev);
}

/* Over a socket of the machine there is none, whatever is asked for. */
static bool wants_tls(const pg_conn *c)
{
    const pg_info *info = &c->db->info;

    if (info->hosts[c->host].local || info->sslmode == PG_SSL_DISABLE)
        return false;
    if (info->sslmode == PG_SSL_ALLOW)
        return c->db->turned;
    return info->sslmode != PG_SSL_PREFER || !c->db->turned;
}

static void ask(pg_conn *c)
{
    pg_msg_ssl(&c->out);
    c->phase = PG_ASKING;
    pg_conn_touch(c);
}

/* With `prefer` what fails with TLS is tried without. */
static void no_tls(pg_conn *c, const uc_error *e)
{
    if (c->db->info.sslmode == PG_SSL_PREFER)
        c->db->turned = true;
    pg_conn_lost(c, e);
}

void pg_turn(pg_conn *c)
{
    pg_sslmode mode = c->db->info.sslmode;

    if (mode == PG_SSL_ALLOW || mode == PG_SSL_PREFER)
        c->db->turned = !c->db->turned;
}

static void shake(pg_conn *c)
{
    bool out = false;
    uc_error e;

    switch (pg_tls_shake(c->tls, &out, &e)) {
    case PG_TLS_WAITS:
        look_for(c, out);
        break;
    case PG_TLS_FAILED:
        e.outcome = "not-run";
        no_tls(c, &e);
        break;
    case PG_TLS_DONE:
        look_for(c, false);
        pg_greet(c);
        break;
    }
}

/* One byte: S or N. More would be somebody between us and the server
 * (CVE-2021-23222). */
static void answered(pg_conn *c)
{
    char byte[2];
    ssize_t n = recv(c->fd, byte, 2, 0);
    uc_error e;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n == 1 && byte[0] == 'S') {
        c->tls = pg_tls_new(c->db->tls, &c->db->info.hosts[c->host], c->fd);
        c->phase = PG_SHAKING;
    } else if (n == 1 && byte[0] == 'N' &&
               c->db->info.sslmode <= PG_SSL_PREFER) {
        pg_greet(c);
        return;
    }
    if (c->tls != NULL) {
        shake(c);
        return;
    }
    uc_fail(&e, UC_CONNECT, "%s",
            n == 1 && byte[0] == 'N'
                ? "the server has no TLS, and sslmode asks for it"
                : "the server's answer about TLS is none");
    e.outcome = "not-run";
    no_tls(c, &e);
}

void pg_tls_event(pg_conn *c)
{
    if (c->phase == PG_ASKING)
        answered(c);
    else
        shake(c);
}

void pg_dialled(pg_conn *c)
{
    int err = 0;
    socklen_t len = sizeof err;

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len) != 0)
        err = errno;
    if (err != 0) {
        close(c->fd);
        c->fd = -1;
        c->address++;
        try_address(c, err);
    } else if (wants_tls(c)) {
        ask(c);
    } else {
        pg_greet(c);
    }
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

static void broken(pg_conn *c, const char *why)
{
    uc_error e;

    pg_lost_error(c->db, &e, why);
    pg_conn_lost(c, &e);
}

void pg_conn_send(pg_conn *c)
{
    c->dirty = false;
    while (c->out_at < c->out.len) {
        const uint8_t *p = c->out.p + c->out_at;
        size_t left = c->out.len - c->out_at;
        ssize_t n = c->tls != NULL ? pg_tls_send(c->tls, p, left)
                                   : send(c->fd, p, left, MSG_NOSIGNAL);

        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            look_for(c, true);
            return;
        }
        if (n < 0) {
            broken(c, strerror(errno));
            return;
        }
        c->out_at += (size_t)n;
    }
    uc_buf_rewind(&c->out, 0);
    c->out_at = 0;
    look_for(c, false);
}

/* All whole messages of what has come. False: it is dead. */
static bool take_messages(pg_conn *c)
{
    size_t most = (size_t)c->db->e.opt.max_bytes, used, want;
    uc_error e;

    for (;;) {
        pg_msg m;
        pg_cut cut = pg_msg_cut(c->in.p + c->in_at, c->in.len - c->in_at, most,
                                &m, &used, &want);

        if (cut == PG_CUT_MORE)
            break;
        if (cut == PG_CUT_BAD) {
            pg_nonsense(&e, "a message of a length that cannot be");
            pg_conn_lost(c, &e);
            return false;
        }
        c->in_at += used;
        if (c->phase == PG_GREETING)
            pg_greeting(c, &m);
        else if (!pg_answer(c, &m, &e))
            pg_conn_lost(c, &e);
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
    for (;;) {
        size_t room;
        ssize_t n;

        if (!make_room(c)) {
            broken(c, "no memory for what it sends");
            return;
        }
        room = c->in.cap - c->in.len;
        n = c->tls != NULL ? pg_tls_recv(c->tls, c->in.p + c->in.len, room)
                           : recv(c->fd, c->in.p + c->in.len, room, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0) {
            broken(c, n == 0 ? "the server has closed it" : strerror(errno));
            return;
        }
        c->in.len += (size_t)n;
        if (!take_messages(c) || (c->tls == NULL && (size_t)n < room))
            return;
    }
}

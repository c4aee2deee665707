#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "data/pg/work.h"

/* The way to a server: names, sockets, TLS. */

/* ---- the beginning ---- */

static void no_server(uc_error *e, const pg_host *h, int err)
{
    uc_view name = h->name.len > 0 ? h->name : h->addr;

    uc_fail(e, UC_CONNECT, "no server answers at %.*s%s%u: %s",
            (int)(name.len < 200 ? name.len : 200), name.p,
            h->local ? "/.s.PGSQL." : ":", h->port, strerror(err));
    e->outcome = "not-run";
}

static void try_address(pg_conn *c)
{
    struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
    uc_error e;

    c->fd = pg_socket(&c->db->info, &c->found.all[c->way.address]);
    if (c->fd >= 0 && epoll_ctl(c->db->epoll, EPOLL_CTL_ADD, c->fd, &ev) == 0) {
        c->phase = PG_DIALING;
        c->wants_out = true;
        return;
    }
    no_server(&e, &c->db->info.hosts[pg_way_host(c)], errno);
    pg_conn_fail(c, &e);
}

static void has_addresses(void *arg, const pg_addresses *found,
                          const uc_error *e)
{
    pg_conn *c = arg;

    if (found == NULL) {
        c->wrong = PG_WRONG_HOST;
        pg_conn_fail(c, e);
        return;
    }
    c->found = *found;
    try_address(c);
}

static void find(pg_conn *c)
{
    const pg_host *h = &c->db->info.hosts[pg_way_host(c)];
    uc_error e;

    c->phase = PG_FINDING;
    if (!h->local) {
        pg_names_find(c->db->names, h, has_addresses, c);
        return;
    }
    c->found.n = 1;
    if (pg_local_address(h, &c->found.all[0])) {
        try_address(c);
        return;
    }
    uc_fail(&e, UC_OPTION, "the path of the server's socket is too long: %.*s",
            (int)(h->name.len < 200 ? h->name.len : 200), h->name.p);
    e.outcome = "not-run";
    c->wrong = PG_WRONG_HOST;
    pg_conn_fail(c, &e);
}

/* connect_timeout is for each address, as with libpq. */
static void try_one(pg_conn *c)
{
    c->until = uc_now() + c->db->info.connect_ms * UC_MS;
    c->wrong = PG_WRONG_ADDRESS;
    if (c->found.n == 0)
        find(c);
    else
        try_address(c);
}

void pg_dial_on(pg_db *db)
{
    for (pg_conn *c = db->conns; c != NULL; c = c->next) {
        if (c->phase == PG_TURNING)
            try_one(c);
    }
}

/* As it was before the first try. */
static void wipe(pg_conn *c)
{
    pg_tls_free(c->tls);
    c->tls = NULL;
    uc_buf_rewind(&c->in, 0);
    uc_buf_rewind(&c->out, 0);
    c->in_at = c->out_at = 0;
    c->nsteps = c->first = 0;
    c->dirty = c->wants_out = c->bound = c->told = false;
    c->setting = 0;
    memset(&c->scram, 0, sizeof c->scram);
    memset(&c->facts, 0, sizeof c->facts);
    uc_error_init(&c->error);
}

bool pg_dial_next(pg_conn *c)
{
    if (c->was_ready || c->ends || !pg_way_next(c, c->wrong))
        return false;
    pg_names_forget(c->db->names, c);
    wipe(c);
    c->phase = PG_TURNING;
    atomic_store(&c->db->called, true); /* in another turn */
    return true;
}

pg_conn *pg_dial(pg_db *db, pg_role role)
{
    pg_conn *c = pg_conn_new(db, role);

    if (c == NULL)
        return NULL;
    c->next = db->conns;
    db->conns = c;
    db->nconns++;
    db->dialled++;
    try_one(c);
    return c;
}

/* ---- TLS ---- */

static void ask(pg_conn *c)
{
    pg_msg_ssl(&c->out);
    c->phase = PG_ASKING;
    pg_conn_touch(c);
}

/* With `prefer` what fails with TLS is tried without. */
static void no_tls(pg_conn *c, const uc_error *e)
{
    c->wrong = PG_WRONG_TLS;
    pg_conn_fail(c, e);
}

static void shake(pg_conn *c)
{
    bool out = false;
    uc_error e;

    switch (pg_tls_shake(c->tls, &out, &e)) {
    case PG_TLS_WAITS:
        pg_conn_look(c, out);
        break;
    case PG_TLS_FAILED:
        e.outcome = "not-run";
        no_tls(c, &e);
        break;
    case PG_TLS_DONE:
        pg_conn_look(c, false);
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
        c->tls =
            pg_tls_new(c->db->tls, &c->db->info.hosts[pg_way_host(c)], c->fd);
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
        uc_error e;

        no_server(&e, &c->db->info.hosts[pg_way_host(c)], err);
        pg_conn_fail(c, &e);
    } else if (pg_way_has_tls(c)) {
        ask(c);
    } else {
        pg_greet(c);
    }
}

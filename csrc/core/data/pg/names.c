#include "data/pg/names.h"

#include <ares.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <sys/un.h>

#include "common/clock.h"
#include "common/mem.h"

enum { SOCKETS = 16, PORT_TEXT = 8 };

/* Somebody who waits. */
typedef struct asker {
    struct asker *next;
    pg_names *names;
    pg_names_fn *fn;
    void *arg; /* NULL: it has been forgotten */
    char name[256];
} asker;

struct pg_names {
    ares_channel channel;
    bool there; /* the channel */
    int epoll;
    void *tag;
    struct {
        int fd;
        uint32_t events;
    } sockets[SOCKETS];
    uint32_t nsockets;
    asker *askers;
};

/* ---- numbers and paths ---- */

bool pg_local_address(const pg_host *h, pg_address *a)
{
    struct sockaddr_un *un = (struct sockaddr_un *)(void *)&a->at;
    int n;

    memset(a, 0, sizeof *a);
    un->sun_family = AF_UNIX;
    n = snprintf(un->sun_path, sizeof un->sun_path, "%.*s/.s.PGSQL.%u",
                 (int)h->name.len, h->name.p, h->port);
    a->len = sizeof *un;
    return n > 0 && (size_t)n < sizeof un->sun_path;
}

static bool numeric(const char *text, uint16_t port, pg_address *a)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&a->at;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&a->at;

    memset(a, 0, sizeof *a);
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        a->len = sizeof *v4;
        return true;
    }
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    a->len = sizeof *v6;
    return inet_pton(AF_INET6, text, &v6->sin6_addr) == 1;
}

/* ---- sockets ---- */

static void watch(pg_names *n, int fd, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.ptr = n->tag};
    uint32_t i = 0;

    while (i < n->nsockets && n->sockets[i].fd != fd)
        i++;
    if (events == 0 && i < n->nsockets) {
        epoll_ctl(n->epoll, EPOLL_CTL_DEL, fd, &ev);
        n->sockets[i] = n->sockets[--n->nsockets];
    } else if (events != 0 && i < n->nsockets) {
        n->sockets[i].events = events;
        epoll_ctl(n->epoll, EPOLL_CTL_MOD, fd, &ev);
    } else if (events != 0 && i < SOCKETS) {
        n->sockets[i].fd = fd;
        n->sockets[i].events = events;
        n->nsockets++;
        epoll_ctl(n->epoll, EPOLL_CTL_ADD, fd, &ev);
    }
}

static void socket_state(void *arg, ares_socket_t fd, int in, int out)
{
    watch(arg, fd, (in ? EPOLLIN : 0u) | (out ? EPOLLOUT : 0u));
}

void pg_names_event(pg_names *n)
{
    int fds[SOCKETS];
    uint32_t k = n->nsockets;

    for (uint32_t i = 0; i < k; i++)
        fds[i] = n->sockets[i].fd;
    for (uint32_t i = 0; i < k; i++)
        ares_process_fd(n->channel, fds[i], fds[i]);
}

int64_t pg_names_late(pg_names *n, int64_t now)
{
    struct timeval tv, *left;

    if (!n->there || n->askers == NULL)
        return 0;
    ares_process_fd(n->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    left = ares_timeout(n->channel, NULL, &tv);
    if (left == NULL)
        return 0;
    return now + (int64_t)left->tv_sec * 1000 * UC_MS +
           (int64_t)left->tv_usec * 1000 + 1;
}

/* ---- asking ---- */

static void take_off(asker *a)
{
    for (asker **q = &a->names->askers; *q != NULL; q = &(*q)->next) {
        if (*q == a) {
            *q = a->next;
            return;
        }
    }
}

static void gather(pg_addresses *to, const struct ares_addrinfo *found)
{
    to->n = 0;
    for (const struct ares_addrinfo_node *i = found->nodes;
         i != NULL && to->n < PG_ADDRESSES; i = i->ai_next) {
        pg_address *a = &to->all[to->n];

        if (i->ai_addrlen > sizeof a->at)
            continue;
        memset(a, 0, sizeof *a);
        memcpy(&a->at, i->ai_addr, i->ai_addrlen);
        a->len = i->ai_addrlen;
        to->n++;
    }
}

static void found(void *arg, int status, int timeouts,
                  struct ares_addrinfo *result)
{
    asker *a = arg;
    pg_addresses all = {0};
    uc_error e;

    (void)timeouts;
    take_off(a);
    if (status == ARES_SUCCESS && result != NULL)
        gather(&all, result);
    if (result != NULL)
        ares_freeaddrinfo(result);
    if (a->arg != NULL && all.n > 0) {
        a->fn(a->arg, &all, NULL);
    } else if (a->arg != NULL) {
        uc_fail(&e, UC_CONNECT, "the name %s has no address: %s", a->name,
                ares_strerror(status));
        e.outcome = "not-run";
        a->fn(a->arg, NULL, &e);
    }
    uc_free(a);
}

static bool open_channel(pg_names *n)
{
    struct ares_options options = {0};

    if (n->there)
        return true;
    options.sock_state_cb = socket_state;
    options.sock_state_cb_data = n;
    n->there = ares_init_options(&n->channel, &options,
                                 ARES_OPT_SOCK_STATE_CB) == ARES_SUCCESS;
    return n->there;
}

static void ask(pg_names *n, const pg_host *host, pg_names_fn *fn, void *arg)
{
    struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC,
                                        .ai_socktype = SOCK_STREAM};
    asker *a = uc_calloc(1, sizeof *a);
    char port[PORT_TEXT];
    uc_error e;

    if (a == NULL || !open_channel(n)) {
        uc_free(a);
        uc_fail(&e, UC_MEMORY, "no memory to look a name up");
        e.outcome = "not-run";
        fn(arg, NULL, &e);
        return;
    }
    a->names = n;
    a->fn = fn;
    a->arg = arg;
    a->next = n->askers;
    n->askers = a;
    snprintf(a->name, sizeof a->name, "%.*s", (int)host->name.len,
             (const char *)host->name.p);
    snprintf(port, sizeof port, "%u", host->port);
    ares_getaddrinfo(n->channel, a->name, port, &hints, found, a);
}

void pg_names_find(pg_names *n, const pg_host *host, pg_names_fn *fn, void *arg)
{
    uc_view v = host->addr.len > 0 ? host->addr : host->name;
    pg_addresses one = {.n = 1};

    if (numeric((const char *)v.p, host->port, &one.all[0]))
        fn(arg, &one, NULL);
    else
        ask(n, host, fn, arg);
}

void pg_names_forget(pg_names *n, void *arg)
{
    for (asker *a = n->askers; a != NULL; a = a->next) {
        if (a->arg == arg)
            a->arg = NULL;
    }
}

pg_names *pg_names_new(int epoll, void *tag)
{
    pg_names *n = uc_calloc(1, sizeof *n);

    if (n == NULL)
        return NULL;
    n->epoll = epoll;
    n->tag = tag;
    return n;
}

void pg_names_free(pg_names *n)
{
    if (n == NULL)
        return;
    if (n->there)
        ares_destroy(n->channel); /* who waits is called, and forgets itself */
    uc_free(n);
}

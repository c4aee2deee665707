/*
 * A port that two servers have at once: who comes while the first of them ends
 * goes to the second, and none of them stands in a line that is about to be
 * closed. Clients are connected one after the other and never wait: what the
 * kernel has given to a listener is in its line when connect() has returned.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "doors/http/address.h"
#include "tap.h"

enum { MOST = 4, CLIENTS = 64, WAIT_MS = 10000 };

/* A server: so many sockets, and how many clients each has been given. */
typedef struct side {
    http_address address;
    unsigned n;
    int fds[MOST];
    unsigned came[MOST];
} side;

static bool listens(side *s, unsigned n, const char *where, bool over)
{
    const http_taking how = {.over = over, .mode = 0600};
    const char *why = "";

    *s = (side){.n = n};
    return http_address_read(&s->address, where, &why) &&
           http_address_listen(&s->address, &how, n, s->fds);
}

static void closes(side *s, unsigned i)
{
    close(s->fds[i]);
    s->fds[i] = -1;
}

static void ends(side *s)
{
    for (unsigned i = 0; i < s->n; i++) {
        if (s->fds[i] >= 0)
            closes(s, i);
    }
}

/* All that stand in line there now. */
static unsigned takes(side *s)
{
    unsigned all = 0;

    for (unsigned i = 0; i < s->n; i++) {
        int fd;

        while (s->fds[i] >= 0 && (fd = accept(s->fds[i], NULL, NULL)) >= 0) {
            close(fd);
            s->came[i]++;
            all++;
        }
    }
    return all;
}

static void waits(const side *a, const side *b)
{
    struct pollfd all[2 * MOST];
    nfds_t n = 0;

    for (unsigned i = 0; i < a->n; i++)
        all[n++] = (struct pollfd){.fd = a->fds[i], .events = POLLIN};
    for (unsigned i = 0; b != NULL && i < b->n; i++)
        all[n++] = (struct pollfd){.fd = b->fds[i], .events = POLLIN};
    poll(all, n, WAIT_MS);
}

/* n clients come; *first and *second of them go to each. False: one could not
 * come, or was lost. */
static bool come(unsigned n, side *a, side *b, unsigned *first,
                 unsigned *second)
{
    int fds[CLIENTS];
    unsigned got;
    bool ok = true;

    *first = *second = 0;
    for (unsigned i = 0; i < n; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ok = ok && connect(fds[i], (const struct sockaddr *)&a->address.at,
                           a->address.len) == 0;
    }
    while (ok && *first + *second < n) {
        unsigned before = *first + *second;

        waits(a, b);
        *first += takes(a);
        *second += b != NULL ? takes(b) : 0;
        got = *first + *second;
        ok = got > before;
    }
    for (unsigned i = 0; i < n; i++)
        close(fds[i]);
    return ok;
}

static void spreads(side *a, side *b)
{
    unsigned first, second;

    ok(come(CLIENTS, a, b, &first, &second), "all come");
    ok(first > 0 && second > 0, "to either of them, while both serve");
}

/* How the first of n sockets go, one by one: `step` to the next. */
static void goes(unsigned n, unsigned from, unsigned step)
{
    unsigned first, second;
    side a, b;

    ok(listens(&a, n, "127.0.0.1:0", false), "sockets listen");
    ok(listens(&b, n, a.address.text, true), "and those of a successor");
    spreads(&a, &b);
    http_address_yield(&a.address, a.fds[0], n);
    ok(come(CLIENTS, &a, &b, &first, &second), "all come");
    eq_int(first, 0, "and none of them to who ends");
    for (unsigned i = 0; i < n; i++) {
        closes(&a, (from + i * step) % n);
        ok(come(CLIENTS, &a, &b, &first, &second) && first == 0,
           "nor when one more of them is closed");
    }
    for (unsigned i = 0; i < n && n > 1; i++)
        ok(b.came[i] > 0, "each of the successor's has some in the end");
    ends(&b);
}

/* Nobody is there to take over. */
static void goes_alone(void)
{
    unsigned first, second;
    side a;

    ok(listens(&a, 2, "127.0.0.1:0", false), "two sockets listen");
    http_address_yield(&a.address, a.fds[0], 2);
    ok(come(CLIENTS, &a, NULL, &first, &second), "all are taken");
    eq_int(first, CLIENTS, "by who is there");
    ends(&a);
}

static void is_taken(void)
{
    side a, b;

    ok(listens(&a, 1, "127.0.0.1:0", false), "a socket listens");
    ok(!listens(&b, 1, a.address.text, false), "a port is not shared unasked");
    ends(&a);
}

int main(void)
{
    goes(1, 0, 1);
    goes(2, 0, 1);
    goes(2, 1, 1);
    goes(3, 0, 1);
    goes(3, 2, 2);
    goes(4, 1, 3);
    goes_alone();
    is_taken();
    return tap_end();
}

#include "doors/http/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 1024 };

static bool fail(const char **why, const char *sentence)
{
    *why = sentence;
    return false;
}

static bool read_unix(http_address *a, const char *path, const char **why)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};

    if (path[0] != '/')
        return fail(why, "the path of a unix socket is absolute");
    if (strlen(path) + 1 >= sizeof un.sun_path) /* and a ~, see below */
        return fail(why, "the path of a unix socket has 106 bytes at most");
    memcpy(un.sun_path, path, strlen(path) + 1);
    memcpy(&a->at, &un, sizeof un);
    a->len = sizeof un;
    a->is_unix = a->is_loopback = true;
    return true;
}

static bool read_port(const char *text, in_port_t *port)
{
    char *end;
    long n;

    if (text[0] < '0' || text[0] > '9')
        return false;
    n = strtol(text, &end, 10);
    *port = htons((uint16_t)n);
    return *end == '\0' && n >= 0 && n <= 65535;
}

static bool read_v6(http_address *a, const char *host, in_port_t port)
{
    struct sockaddr_in6 in = {.sin6_family = AF_INET6, .sin6_port = port};

    if (inet_pton(AF_INET6, host, &in.sin6_addr) != 1)
        return false;
    memcpy(&a->at, &in, sizeof in);
    a->len = sizeof in;
    a->is_loopback = IN6_IS_ADDR_LOOPBACK(&in.sin6_addr);
    return true;
}

static bool read_v4(http_address *a, const char *host, in_port_t port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = port};

    if (strcmp(host, "localhost") == 0)
        host = "127.0.0.1";
    if (inet_pton(AF_INET, host, &in.sin_addr) != 1)
        return false;
    memcpy(&a->at, &in, sizeof in);
    a->len = sizeof in;
    a->is_loopback = ntohl(in.sin_addr.s_addr) >> 24 == 127;
    return true;
}

static bool read_host(http_address *a, char *host, in_port_t port)
{
    size_t n = strlen(host);

    if (host[0] == '[' && host[n - 1] == ']') {
        host[n - 1] = '\0';
        return read_v6(a, host + 1, port);
    }
    return read_v4(a, host, port);
}

/* ---- a socket that systemd has bound (sd_listen_fds(3)) ---- */

enum { FIRST_GIVEN = 3 };

static bool is_number(const char *name, long wanted)
{
    const char *text = getenv(name);

    return text != NULL && strtol(text, NULL, 10) == wanted;
}

/* What it is decides who can reach it. */
static bool look_at(http_address *a, int fd)
{
    struct sockaddr_in in;
    struct sockaddr_in6 in6;

    a->len = sizeof a->at;
    if (getsockname(fd, (struct sockaddr *)&a->at, &a->len) != 0)
        return false;
    memcpy(&in, &a->at, sizeof in);
    memcpy(&in6, &a->at, sizeof in6);
    a->is_unix = a->at.ss_family == AF_UNIX;
    a->is_loopback =
        a->is_unix ||
        (a->at.ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr)) ||
        (a->at.ss_family == AF_INET && ntohl(in.sin_addr.s_addr) >> 24 == 127);
    return true;
}

static bool read_given(http_address *a, const char **why)
{
    int listens = 0;
    socklen_t n = sizeof listens;

    if (!is_number("LISTEN_PID", getpid()) || !is_number("LISTEN_FDS", 1))
        return fail(why, "systemd has not handed over one socket: its unit "
                         "needs a .socket beside it");
    if (getsockopt(FIRST_GIVEN, SOL_SOCKET, SO_ACCEPTCONN, &listens, &n) != 0 ||
        !listens || !look_at(a, FIRST_GIVEN))
        return fail(why, "what systemd has handed over does not listen");
    a->given = FIRST_GIVEN;
    return true;
}

bool http_address_read(http_address *a, const char *text, const char **why)
{
    char host[80] = "127.0.0.1";
    const char *colon = strrchr(text, ':');
    in_port_t port;

    *a = (http_address){.given = -1};
    if (strlen(text) >= sizeof a->text)
        return fail(why, "the address is too long");
    snprintf(a->text, sizeof a->text, "%s", text);
    if (strcmp(text, "systemd") == 0)
        return read_given(a, why);
    if (strncmp(text, "unix:", 5) == 0)
        return read_unix(a, text + 5, why);
    if (!read_port(colon != NULL ? colon + 1 : text, &port))
        return fail(why, "expected address:port, 127.0.0.1:4000, or "
                         "unix:/path");
    if (colon != NULL) {
        if (colon == text || (size_t)(colon - text) >= sizeof host)
            return fail(why, "expected an address in front of the port");
        memcpy(host, text, (size_t)(colon - text));
        host[colon - text] = '\0';
    }
    return read_host(a, host, port) ||
           fail(why, "expected an address of digits, 127.0.0.1 or [::1], and "
                     "no name");
}

/* ---- ports ---- */

static bool set(int fd, int option)
{
    int on = 1;

    return setsockopt(fd, SOL_SOCKET, option, &on, sizeof on) == 0;
}

static bool closed(int fd)
{
    int saved = errno;

    if (fd >= 0)
        close(fd);
    errno = saved;
    return false;
}

static int socket_for(const http_address *a)
{
    return socket(a->at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
                  0);
}

/* Whoever shares a port has to say so, and so would share it with a stranger:
 * asked without that, the kernel says whether the port is served. */
static bool is_free(const http_address *a)
{
    int fd = socket_for(a);
    bool ok = fd >= 0 && set(fd, SO_REUSEADDR) &&
              bind(fd, (const struct sockaddr *)&a->at, a->len) == 0;

    closed(fd);
    return ok;
}

static int listen_port(http_address *a)
{
    int fd = socket_for(a);

    if (fd >= 0 && set(fd, SO_REUSEADDR) && set(fd, SO_REUSEPORT) &&
        bind(fd, (const struct sockaddr *)&a->at, a->len) == 0 &&
        listen(fd, BACKLOG) == 0 &&
        getsockname(fd, (struct sockaddr *)&a->at, &a->len) == 0)
        return fd;
    closed(fd);
    return -1;
}

static void tell_port(http_address *a)
{
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    char host[INET6_ADDRSTRLEN] = "";

    memcpy(&in, &a->at, sizeof in);
    memcpy(&in6, &a->at, sizeof in6);
    if (a->at.ss_family == AF_INET6) {
        inet_ntop(AF_INET6, &in6.sin6_addr, host, sizeof host);
        snprintf(a->text, sizeof a->text, "[%s]:%d", host,
                 ntohs(in6.sin6_port));
    } else {
        inet_ntop(AF_INET, &in.sin_addr, host, sizeof host);
        snprintf(a->text, sizeof a->text, "%s:%d", host, ntohs(in.sin_port));
    }
}

static bool listen_ports(http_address *a, bool over, unsigned n, int *fds)
{
    if (!over && !is_free(a))
        return false;
    for (unsigned i = 0; i < n; i++) {
        fds[i] = listen_port(a);
        if (fds[i] < 0)
            return false;
    }
    tell_port(a);
    return true;
}

/* ---- unix sockets ---- */

static struct sockaddr_un unix_of(const http_address *a)
{
    struct sockaddr_un un;

    memcpy(&un, &a->at, sizeof un);
    return un;
}

/* A socket file that nobody listens on is in the way of the next one. */
static bool is_stale(const http_address *a)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool stale = fd >= 0 &&
                 connect(fd, (const struct sockaddr *)&a->at, a->len) != 0 &&
                 (errno == ECONNREFUSED || errno == ENOENT);

    closed(fd);
    if (!stale)
        errno = EADDRINUSE;
    return stale;
}

static bool let_in(const struct sockaddr_un *un, const http_taking *how)
{
    return (!how->has_group ||
            chown(un->sun_path, (uid_t)-1, how->group) == 0) &&
           chmod(un->sun_path, how->mode) == 0;
}

/* Beside its place first, so that at no time nobody listens there. */
static int listen_unix(http_address *a, const http_taking *how)
{
    struct sockaddr_un to = unix_of(a), un = to;
    size_t n = strlen(to.sun_path);
    struct stat st;
    mode_t before;
    bool ok;
    int fd;

    if (!how->over && !is_stale(a))
        return -1;
    if (n + 2 > sizeof un.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(un.sun_path + n, "~", 2);
    unlink(un.sun_path);
    fd = socket_for(a);
    before = umask(0177);
    ok = fd >= 0 && bind(fd, (const struct sockaddr *)&un, sizeof un) == 0;
    umask(before);
    if (ok && listen(fd, BACKLOG) == 0 && let_in(&un, how) &&
        stat(un.sun_path, &st) == 0 && rename(un.sun_path, to.sun_path) == 0) {
        a->file = st.st_ino;
        return fd;
    }
    if (ok)
        unlink(un.sun_path);
    closed(fd);
    return -1;
}

static bool copy_all(int fd, unsigned n, int *fds)
{
    if (fd < 0)
        return false;
    fds[0] = fd;
    for (unsigned i = 1; i < n; i++) {
        fds[i] = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        if (fds[i] < 0)
            return false;
    }
    return true;
}

bool http_address_listen(http_address *a, const http_taking *how, unsigned n,
                         int *fds)
{
    bool ok;

    for (unsigned i = 0; i < n; i++)
        fds[i] = -1;
    if (a->given >= 0)
        ok = fcntl(a->given, F_SETFL, O_NONBLOCK) == 0 &&
             fcntl(a->given, F_SETFD, FD_CLOEXEC) == 0 &&
             copy_all(a->given, n, fds);
    else if (a->is_unix)
        ok = copy_all(listen_unix(a, how), n, fds);
    else
        ok = listen_ports(a, how->over, n, fds);
    for (unsigned i = 0; !ok && i < n; i++) {
        closed(fds[i]);
        fds[i] = -1;
    }
    return ok;
}

/* ---- the end ---- */

/* Of the sockets of a port those of a successor stand behind our n: the program
 * chooses the first of them. Where it is none the kernel spreads as before.
 *
 * The last socket moves to the place of one that is closed, so this holds as
 * long as a successor's are more than we have closed: until the end where it
 * has as many loops. With fewer, who comes between a loop's last look at its
 * line and its close may still be lost. */
void http_address_yield(const http_address *a, int fd, unsigned n)
{
    struct sock_filter next = BPF_STMT(BPF_RET | BPF_K, n);
    struct sock_fprog program = {1, &next};

    if (!a->is_unix && a->given < 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program,
                         sizeof program);
}

void http_address_remove(const http_address *a)
{
    struct sockaddr_un un = unix_of(a);
    struct stat st;

    if (a->file != 0 && stat(un.sun_path, &st) == 0 && st.st_ino == a->file)
        unlink(un.sun_path);
}

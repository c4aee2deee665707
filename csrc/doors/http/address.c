#include "doors/http/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
    if (strlen(path) >= sizeof un.sun_path)
        return fail(why, "the path of a unix socket has 107 bytes at most");
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

bool http_address_read(http_address *a, const char *text, const char **why)
{
    char host[80] = "127.0.0.1";
    const char *colon = strrchr(text, ':');
    in_port_t port;

    *a = (http_address){0};
    if (strlen(text) >= sizeof a->text)
        return fail(why, "the address is too long");
    snprintf(a->text, sizeof a->text, "%s", text);
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

static bool set(int fd, int option)
{
    int on = 1;

    return setsockopt(fd, SOL_SOCKET, option, &on, sizeof on) == 0;
}

/* A socket file that nobody listens on is in the way of the next one. */
static void remove_stale(const http_address *a)
{
    struct sockaddr_un un;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(&un, &a->at, sizeof un);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&a->at, a->len) != 0 &&
        errno == ECONNREFUSED)
        unlink(un.sun_path);
    if (fd >= 0)
        close(fd);
}

int http_address_listen(const http_address *a, bool shared)
{
    int fd, saved;

    if (a->is_unix)
        remove_stale(a);
    fd = socket(a->at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if ((a->is_unix ||
         (set(fd, SO_REUSEADDR) && (!shared || set(fd, SO_REUSEPORT)))) &&
        bind(fd, (const struct sockaddr *)&a->at, a->len) == 0 &&
        listen(fd, BACKLOG) == 0)
        return fd;
    saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

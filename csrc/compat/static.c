/*
 * What a static executable must not take out of libc: names of hosts and users
 * are looked up by modules that are loaded at run time and have to be of the
 * very same libc. nng has a resolver for TCP and libuv asks for the user's home
 * directory; the daemon uses neither, so both find nothing here. c-ares looks
 * for names of services, and is given numbers.
 */
#include <errno.h>
#include <netdb.h>
#include <pwd.h>
#include <stddef.h>

int getaddrinfo(const char *node, const char *service,
                const struct addrinfo *hints, struct addrinfo **found)
{
    (void)node;
    (void)service;
    (void)hints;
    *found = NULL;
    return EAI_FAIL;
}

void freeaddrinfo(struct addrinfo *found)
{
    (void)found;
}

int getpwuid_r(uid_t uid, struct passwd *pwd, char *buf, size_t n,
               struct passwd **found)
{
    (void)uid;
    (void)pwd;
    (void)buf;
    (void)n;
    *found = NULL;
    return ENOENT;
}

struct servent *getservbyname(const char *name, const char *protocol)
{
    (void)name;
    (void)protocol;
    return NULL;
}

int getservbyport_r(int port, const char *protocol, struct servent *buffer,
                    char *text, size_t n, struct servent **found)
{
    (void)port;
    (void)protocol;
    (void)buffer;
    (void)text;
    (void)n;
    *found = NULL;
    return ENOENT;
}

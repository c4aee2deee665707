#ifndef UD_HTTP_ADDRESS_H
#define UD_HTTP_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

/* Where to listen: 127.0.0.1:4000, [::1]:4000, 4000, unix:/run/app/http.sock,
 * or systemd, whose socket is there already. */
typedef struct http_address {
    struct sockaddr_storage at;
    socklen_t len;
    bool is_unix;
    bool is_loopback; /* or a unix socket: nobody else can reach it */
    int given;        /* descriptor from systemd; -1: none */
    ino_t file;       /* of the unix socket that was bound; 0: none */
    char text[128];
} http_address;

/* False with a sentence in *why, static. */
bool http_address_read(http_address *a, const char *text, const char **why);

/* How a place is taken. */
typedef struct http_taking {
    bool over; /* from a daemon that still serves it, and ends then */
    mode_t mode;
    bool has_group;
    gid_t group;
} http_taking;

/*
 * n sockets that listen, not blocking, in fds; -1 with errno otherwise. A port
 * is bound n times, and the kernel spreads clients over them; a unix socket is
 * one with n descriptors. A successor may bind the port as well, and puts its
 * unix socket in the place of ours. Port 0 becomes the one that was found.
 */
bool http_address_listen(http_address *a, const http_taking *how, unsigned n,
                         int *fds);
/* Those who come from now on are a successor's, where there is one. fd: one of
 * the n of http_address_listen. */
void http_address_yield(const http_address *a, int fd, unsigned n);
/* The file of a unix socket goes, unless it is another's by now. */
void http_address_remove(const http_address *a);

#endif

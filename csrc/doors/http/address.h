#ifndef UD_HTTP_ADDRESS_H
#define UD_HTTP_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

/* Where to listen: 127.0.0.1:4000, [::1]:4000, 4000, unix:/run/app/http.sock.
 */
typedef struct http_address {
    struct sockaddr_storage at;
    socklen_t len;
    bool is_unix;
    bool is_loopback; /* or a unix socket: nobody else can reach it */
    char text[128];
} http_address;

/* False with a sentence in *why, static. */
bool http_address_read(http_address *a, const char *text, const char **why);
/* A socket that listens, not blocking, or -1 with errno. shared: others of this
 * process listen there as well. */
int http_address_listen(const http_address *a, bool shared);

#endif

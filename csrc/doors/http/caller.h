#ifndef UD_HTTP_CALLER_H
#define UD_HTTP_CALLER_H

#include "doors/http/request.h"

/*
 * Who asks, and whom: which names of hosts are ours, and whose word counts
 * about the address of a caller. Read once; then any thread.
 */
enum { HTTP_IP = 46 }; /* bytes of an address as text */

/*
 * A page of another site may have its own name resolve to our address (DNS
 * rebinding). Origin and Host agree then, and only the name gives it away. An
 * address or localhost is no such name.
 */
typedef struct http_hosts {
    bool any;
    uint32_t n;
    char *const *names;
} http_hosts;

bool http_host_is_ours(const http_hosts *h, uc_view host);

/* Proxies whose X-Forwarded-* are believed. */
typedef struct http_network {
    uint8_t address[16]; /* IPv4 as ::ffff:… */
    unsigned bits;
} http_network;

typedef struct http_trust {
    bool unix_sockets;
    uint32_t n;
    http_network *networks;
} http_trust;

/* loopback, unix, an address or a network such as 10.0.0.0/8. False: it is
 * none of them, or there is no memory. */
bool http_trust_add(http_trust *t, const char *text);
void http_trust_fini(http_trust *t);

/* ip: of the peer; empty: a unix socket. */
bool http_trust_has(const http_trust *t, uc_view ip);

/* The caller's address: from the end of X-Forwarded-For to the first that is
 * no trusted proxy. Into out, where it is not the peer's own. */
uc_view http_caller(const http_trust *t, uc_view peer, const http_request *q,
                    char out[HTTP_IP]);

/* The value of the only header of this name; empty: there is none, or several.
 */
uc_view http_only(const http_request *q, const char *lower);

/* An address without the ::ffff: of IPv4 in the clothes of IPv6. */
uc_view http_plain_ip(uc_view ip);

#endif

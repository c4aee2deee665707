#include "doors/http/caller.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "doors/http/token.h"

enum { HOPS_MOST = 32 }; /* proxies in a row: more were not written by them */

static const char mapped[] = "::ffff:";

uc_view http_plain_ip(uc_view ip)
{
    size_t n = sizeof mapped - 1;

    if (ip.len > n && memcmp(ip.p, mapped, n) == 0 &&
        memchr(ip.p, '.', ip.len) != NULL)
        return (uc_view){ip.p + n, ip.len - n};
    return ip;
}

/* An address → 16 bytes. False: it is none. */
static bool read_ip(uc_view v, uint8_t out[16])
{
    static const uint8_t front[12] = {[10] = 0xff, [11] = 0xff};
    char text[HTTP_IP];

    if (v.len == 0 || v.len >= sizeof text)
        return false;
    memcpy(text, v.p, v.len);
    text[v.len] = '\0';
    if (memchr(v.p, ':', v.len) != NULL)
        return inet_pton(AF_INET6, text, out) == 1;
    memcpy(out, front, sizeof front);
    return inet_pton(AF_INET, text, out + sizeof front) == 1;
}

/* ---- hosts ---- */

/* Without its port, and an IPv6 address without its brackets. */
static uc_view bare_host(uc_view host)
{
    const uint8_t *end = host.p + host.len, *at;

    if (host.len > 0 && *host.p == '[') {
        at = memchr(host.p, ']', host.len);
        if (at == NULL || (at + 1 < end && at[1] != ':') ||
            memchr(host.p, ':', (size_t)(at - host.p)) == NULL)
            return (uc_view){0};
        return (uc_view){host.p + 1, (size_t)(at - host.p) - 1};
    }
    at = host.len > 0 ? memchr(host.p, ':', host.len) : NULL;
    return at == NULL ? host : (uc_view){host.p, (size_t)(at - host.p)};
}

static uc_view view_of(const char *s)
{
    return (uc_view){(const uint8_t *)s, strlen(s)};
}

bool http_host_is_ours(const http_hosts *h, uc_view host)
{
    uc_view bare = bare_host(host);
    uint8_t address[16];

    if (h->any || read_ip(bare, address) || http_same(bare, "localhost"))
        return true;
    for (uint32_t i = 0; i < h->n; i++) {
        uc_view name = view_of(h->names[i]);

        if (http_same_view(name, bare) || http_same_view(name, host))
            return true;
    }
    return false;
}

/* ---- trust ---- */

static bool add_network(http_trust *t, uc_view address, long bits, bool is_any)
{
    http_network w = {0}, *all;
    bool is_v4 = memchr(address.p, ':', address.len) == NULL;
    unsigned most = is_v4 ? 32 : 128;

    if (!read_ip(address, w.address) ||
        (!is_any && (bits < 0 || bits > (long)most)))
        return false;
    w.bits = (is_any ? most : (unsigned)bits) + (is_v4 ? 96 : 0);
    all = uc_realloc(t->networks, (t->n + 1) * sizeof *all);
    if (all == NULL)
        return false;
    t->networks = all;
    all[t->n++] = w;
    return true;
}

bool http_trust_add(http_trust *t, const char *text)
{
    const char *slash = strchr(text, '/');
    uc_view address = view_of(text);
    char *end = NULL;
    long bits = 0;

    if (strcmp(text, "unix") == 0)
        return t->unix_sockets = true;
    if (strcmp(text, "loopback") == 0)
        return http_trust_add(t, "127.0.0.0/8") && http_trust_add(t, "::1");
    if (slash != NULL) {
        address.len = (size_t)(slash - text);
        bits = strtol(slash + 1, &end, 10);
        if (slash[1] < '0' || slash[1] > '9' || *end != '\0')
            return false;
    }
    return add_network(t, address, bits, slash == NULL);
}

void http_trust_fini(http_trust *t)
{
    uc_free(t->networks);
    *t = (http_trust){0};
}

static bool covers(const http_network *w, const uint8_t address[16])
{
    unsigned whole = w->bits / 8, rest = w->bits % 8;

    if (memcmp(w->address, address, whole) != 0)
        return false;
    return rest == 0 || (w->address[whole] ^ address[whole]) >> (8 - rest) == 0;
}

static bool has_address(const http_trust *t, const uint8_t address[16])
{
    for (uint32_t i = 0; i < t->n; i++) {
        if (covers(&t->networks[i], address))
            return true;
    }
    return false;
}

bool http_trust_has(const http_trust *t, uc_view ip)
{
    uint8_t address[16];

    if (ip.len == 0)
        return t->unix_sockets;
    return read_ip(ip, address) && has_address(t, address);
}

/* ---- what proxies say ---- */

/* An address of a list, which may have a port. */
static uc_view bare_hop(uc_view hop)
{
    const uint8_t *colon;

    if (hop.len > 0 && *hop.p == '[')
        return bare_host(hop);
    colon = hop.len > 0 ? memchr(hop.p, ':', hop.len) : NULL;
    if (colon != NULL && memchr(hop.p, '.', (size_t)(colon - hop.p)) != NULL)
        return (uc_view){hop.p, (size_t)(colon - hop.p)};
    return hop;
}

/* Takes the last of a list off it. */
static uc_view last_hop(uc_view *list)
{
    size_t at = list->len;
    uc_view hop;

    while (at > 0 && list->p[at - 1] != ',')
        at--;
    hop = (uc_view){list->p + at, list->len - at};
    list->len = at > 0 ? at - 1 : 0;
    return bare_hop(http_trim(hop));
}

/* Goes back along a list. False: it is known who it was. */
static bool walk(const http_trust *t, uc_view list, unsigned *hops,
                 uc_view *found)
{
    while (list.len > 0) {
        uc_view hop = last_hop(&list);
        uint8_t address[16];

        if (++*hops > HOPS_MOST || !read_ip(hop, address))
            return false;
        *found = hop;
        if (!has_address(t, address))
            return false;
    }
    return true;
}

uc_view http_caller(const http_trust *t, uc_view peer, const http_request *q,
                    char out[HTTP_IP])
{
    uc_view found = peer;
    unsigned hops = 0;

    if (!http_trust_has(t, peer))
        return peer;
    for (uint32_t i = q->nheaders; i-- > 0;) {
        if (uc_view_is(q->headers[i].name, "x-forwarded-for") &&
            !walk(t, q->headers[i].value, &hops, &found))
            break;
    }
    found = http_plain_ip(found);
    if (found.len == 0)
        return found;
    memcpy(out, found.p, found.len);
    return (uc_view){(const uint8_t *)out, found.len};
}

uc_view http_only(const http_request *q, const char *lower)
{
    uc_view found = {0};

    for (uint32_t i = 0; i < q->nheaders; i++) {
        if (!uc_view_is(q->headers[i].name, lower))
            continue;
        if (found.p != NULL)
            return (uc_view){0};
        found = q->headers[i].value;
    }
    return found;
}

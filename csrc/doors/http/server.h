#ifndef UD_HTTP_SERVER_H
#define UD_HTTP_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/dbs.h"
#include "doors/http/address.h"
#include "doors/http/caller.h"
#include "doors/http/cookie.h"
#include "doors/http/cors.h"
#include "doors/http/request.h"

/*
 * Routes over HTTP/1.1: loops of libuv around connections, each with a session
 * of the core.
 *
 *   socket ─ loop.c ─> conn.c ─ parse ─> frame ──> core, one batch a turn
 *                        ^                            │
 *                        └── order <── answer <───────┘
 *
 * A turn of a loop reads from all connections that have something to say, then
 * offers its thread to the core once: their reads share one transaction. What
 * is written, slow or of another turn comes back by the loop's async.
 */
enum { HTTP_LOOPS = 64 };

typedef struct http_settings {
    http_address address;
    const char *routes; /* directory */
    unsigned loops;     /* threads; a port is shared by SO_REUSEPORT */
    http_limits limits;
    uint32_t max_connections;
    int64_t head_ms, body_ms, idle_ms, write_ms;
    size_t unsent; /* bytes; the client is not read while it has so much */
    int64_t held;  /* bytes of all connections; more requests are refused */
    http_hosts hosts;
    http_trust trust;
    http_origins origins;
    http_cookie_names cookie; /* of sessions */
    bool fine;                /* statuses beyond 200, 400 and 500 */
    long mode;                /* of a unix socket; -1: as the daemon\'s own */
    const char *health, *metrics; /* paths of the door's own; NULL: none */
    struct uc_log *log;           /* NULL: no lines for requests */
} http_settings;

extern const http_settings http_default_settings;

typedef struct http_server http_server;

/*
 * Reads the routes and serves who comes to fds, which listen: one for each
 * loop. They become the server's. NULL: why not has been said. on_end(arg) is
 * called, from any thread, when it has drained. The database and *settings stay
 * the caller's.
 */
http_server *http_server_start(const http_settings *settings, const int *fds,
                               const ud_db *db, void (*on_end)(void *arg),
                               void *arg);
/* Nobody comes in any more; each connection ends with the answers that it waits
 * for. Any thread. */
void http_server_drain(http_server *s);
/* Ends all of it at once, and frees it. s may be NULL. */
void http_server_stop(http_server *s);
/* Reads the routes once more: those under way end as they began. False: there
 * is a mistake in them, which has been said, and the old ones stay. Any thread,
 * one at a time. */
bool http_server_reload(http_server *s);

/* Another number whenever there is a connection, or was one. */
uint64_t http_server_traffic(http_server *s);

#endif

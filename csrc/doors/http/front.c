#include "doors/http/front.h"

#include "daemon/log.h"
#include "doors/http/server.h"

static struct {
    http_settings settings;
    const ud_db *db;
    http_server *server;
} http;

static bool start(void *arg, void (*on_end)(void *end_arg), void *end_arg)
{
    (void)arg;
    http.server = http_server_start(&http.settings, http.db, on_end, end_arg);
    return http.server != NULL;
}

static void drain(void *arg)
{
    (void)arg;
    if (http.server != NULL)
        http_server_drain(http.server);
}

static void reload(void *arg)
{
    (void)arg;
    if (http_server_reload(http.server))
        ud_say("--routes %s: read again", http.settings.routes);
    else
        ud_say("--routes %s: the routes that were there go on",
               http.settings.routes);
}

static void stop(void *arg)
{
    (void)arg;
    http_server_stop(http.server);
    http.server = NULL;
}

static void read_limits(http_settings *s, const ud_limits *l)
{
    s->loops = (unsigned)l->http_loops;
    s->max_connections = (uint32_t)l->http_connections;
    s->limits.body = (size_t)l->http_body_bytes;
    s->head_ms = l->http_head_ms;
    s->body_ms = l->http_body_ms;
    s->idle_ms = l->http_idle_ms;
    s->write_ms = l->write_timeout_ms;
    s->unsent = (size_t)l->stop_reading_bytes;
}

int ud_http_front(ud_front *front, const ud_config *config, const ud_db *db)
{
    http_settings *s = &http.settings;
    const char *why;

    *s = http_default_settings;
    if (!http_address_read(&s->address, config->http, &why)) {
        ud_say("--http %s: %s", config->http, why);
        return UD_USAGE;
    }
    if (!s->address.is_loopback && !config->http_any_address) {
        ud_say(
            "--http %s: others can reach this address. There is no TLS here: "
            "put a gateway in front and serve 127.0.0.1, or say "
            "--http-any-address",
            config->http);
        return UD_USAGE;
    }
    s->routes = config->routes;
    read_limits(s, &config->limits);
    http.db = db;
    *front = (ud_front){.start = start,
                        .drain = drain,
                        .reload = reload,
                        .stop = stop,
                        .files = config->limits.http_connections};
    return UD_OK;
}

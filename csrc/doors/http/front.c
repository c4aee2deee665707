#include "doors/http/front.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mem.h"
#include "daemon/log.h"
#include "doors/http/server.h"

static struct {
    http_settings settings;
    char **origins; /* of both lists; the names are the options' */
    int fds[HTTP_LOOPS];
    bool bound;
    http_server *server;
} http;

static bool take_place(void *arg, const ud_claim *claim, bool over)
{
    http_settings *s = &http.settings;
    http_taking how = {.over = over,
                       .mode = s->mode < 0 ? claim->mode : (mode_t)s->mode,
                       .has_group = claim->has_group,
                       .group = claim->group};

    (void)arg;
    http.bound = http_address_listen(&s->address, &how, s->loops, http.fds);
    if (!http.bound)
        ud_say("--http %s: %m", s->address.text);
    return http.bound;
}

static void leave_place(void)
{
    for (unsigned i = 0; http.bound && i < http.settings.loops; i++)
        close(http.fds[i]);
    if (http.bound)
        http_address_remove(&http.settings.address);
    http.bound = false;
}

static bool start(void *arg, const ud_db *db, struct uc_log *log,
                  void (*on_end)(void *end_arg), void *end_arg)
{
    (void)arg;
    http.settings.log = log;
    http.server =
        http_server_start(&http.settings, http.fds, db, on_end, end_arg);
    http.bound = false;
    return http.server != NULL;
}

static uint64_t traffic(void *arg)
{
    (void)arg;
    return http.server != NULL ? http_server_traffic(http.server) : 0;
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
    leave_place();
    http_trust_fini(&http.settings.trust);
    uc_free(http.origins);
    http.origins = NULL;
}

/* ---- options ---- */

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
    s->held = l->max_memory_bytes;
}

/* Behind a unix socket is a gateway, which no browser reaches by another name;
 * at a port there may be a browser. */
static void read_hosts(http_settings *s, const ud_list *names)
{
    s->hosts = (http_hosts){.any = s->address.is_unix && names->n == 0,
                            .n = names->n,
                            .names = names->at};
    for (unsigned i = 0; i < names->n; i++)
        s->hosts.any = s->hosts.any || strcmp(names->at[i], "*") == 0;
}

static bool read_trust(http_settings *s, const ud_list *names)
{
    s->trust.unix_sockets = names->n == 0;
    for (unsigned i = 0; i < names->n; i++) {
        if (strcmp(names->at[i], "none") == 0 ||
            http_trust_add(&s->trust, names->at[i]))
            continue;
        ud_say("--http-trust %s: expected loopback, unix, none, an address or "
               "a network such as 10.0.0.0/8",
               names->at[i]);
        return false;
    }
    return true;
}

static bool add_origins(http_settings *s, const char *option,
                        const ud_list *list)
{
    for (unsigned i = 0; i < list->n; i++) {
        if (!http_origin_is_one(list->at[i])) {
            ud_say("--%s %s: expected an origin as browsers write it, such as "
                   "https://shop.example, and never *",
                   option, list->at[i]);
            return false;
        }
        http.origins[s->origins.n++] = list->at[i];
    }
    return true;
}

static bool may_develop(const ud_list *list)
{
    const char *env = getenv("NODE_ENV");

    if (list->n == 0)
        return true;
    if (env != NULL && strcmp(env, "production") == 0) {
        ud_say("--http-dev-origin %s: not where NODE_ENV is production; an "
               "origin that is to stay is an --http-origin",
               list->at[0]);
        return false;
    }
    ud_say("--http-dev-origin %s: pages from there may do all that a user may, "
           "which is for development",
           list->at[0]);
    return true;
}

static bool read_origins(http_settings *s, const ud_config *config)
{
    unsigned n = config->http_origin.n + config->http_dev_origin.n;

    if (n > HTTP_ORIGINS) {
        ud_say("--http-origin: there are more than %d", HTTP_ORIGINS);
        return false;
    }
    http.origins = uc_calloc(n + 1, sizeof *http.origins);
    if (http.origins == NULL) {
        ud_say("no memory for the options");
        return false;
    }
    s->origins = (http_origins){.list = http.origins};
    return may_develop(&config->http_dev_origin) &&
           add_origins(s, "http-origin", &config->http_origin) &&
           add_origins(s, "http-dev-origin", &config->http_dev_origin);
}

/* A path of the door's own, "" for none. */
static bool read_path(const char *option, const char *value, const char **path)
{
    *path = value[0] != '\0' ? value : NULL;
    if (*path == NULL || (value[0] == '/' && strpbrk(value, "?#% ") == NULL))
        return true;
    ud_say("--%s %s: expected a path such as /%s, or nothing for none", option,
           value, option + sizeof "http-" - 1);
    return false;
}

static bool read_paths(http_settings *s, const ud_config *config)
{
    const char *health = config->http_health, *metrics = config->http_metrics;

    return read_path("http-health", health != NULL ? health : "/health",
                     &s->health) &&
           read_path("http-metrics", metrics != NULL ? metrics : "",
                     &s->metrics);
}

static bool read_mode(http_settings *s, const ud_config *config)
{
    const char *text = config->http_mode;
    char *end;

    s->mode = -1;
    if (text == NULL)
        return true;
    s->mode = strtol(text, &end, 8);
    if (text[0] >= '0' && text[0] <= '7' && *end == '\0' && s->mode <= 0777 &&
        (s->mode & 0600) == 0600)
        return true;
    ud_say("--http-mode %s: expected an octal mode of the socket such as 0660, "
           "with 6 for the owner",
           text);
    return false;
}

static bool read_session(http_settings *s, const ud_config *config)
{
    const char *name =
        config->http_session != NULL ? config->http_session : "sid";

    s->cookie = (http_cookie_names){.secure = config->http_secure};
    if (name[0] == '\0' || http_cookie_name(&s->cookie, name))
        return true;
    ud_say("--http-session %s: expected the name of a cookie, 1 to %d letters, "
           "digits, - and _, or nothing for none",
           name, HTTP_COOKIE_NAME);
    return false;
}

static bool read_statuses(http_settings *s, const ud_config *config)
{
    const char *text = config->http_statuses;

    s->fine = text != NULL && strcmp(text, "fine") == 0;
    if (text == NULL || s->fine || strcmp(text, "plain") == 0)
        return true;
    ud_say("--http-statuses %s: expected plain or fine", text);
    return false;
}

static bool read_address(http_settings *s, const ud_config *config)
{
    const char *why;

    if (!http_address_read(&s->address, config->http, &why)) {
        ud_say("--http %s: %s", config->http, why);
        return false;
    }
    if (!s->address.is_loopback && !config->http_any_address) {
        ud_say(
            "--http %s: others can reach this address. There is no TLS here: "
            "put a gateway in front and serve 127.0.0.1, or say "
            "--http-any-address",
            config->http);
        return false;
    }
    return true;
}

int ud_http_front(ud_front *front, const ud_config *config)
{
    http_settings *s = &http.settings;

    *s = http_default_settings;
    *front = (ud_front){.bind = take_place,
                        .start = start,
                        .drain = drain,
                        .reload = reload,
                        .stop = stop,
                        .traffic = traffic,
                        .files = config->limits.http_connections};
    s->routes = config->routes;
    read_limits(s, &config->limits);
    if (!read_address(s, config) || !read_trust(s, &config->http_trust) ||
        !read_origins(s, config) || !read_paths(s, config) ||
        !read_session(s, config) || !read_statuses(s, config) ||
        !read_mode(s, config))
        return UD_USAGE;
    read_hosts(s, &config->http_host);
    return UD_OK;
}

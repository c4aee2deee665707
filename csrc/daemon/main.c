#include <malloc.h>
#include <stdio.h>

#include "claim.h"
#include "config.h"
#include "dbs.h"
#include "doors/http/front.h"
#include "doors/sp/door.h"
#include "lines.h"
#include "log.h"
#include "server.h"

static int begin_http(ud_front *front, const ud_config *config, const ud_db *db)
{
#ifdef UC_NO_HTTP
    (void)front;
    (void)config;
    (void)db;
    ud_say("--http: this daemon was built without llhttp, and so without HTTP");
    return UD_USAGE;
#else
    return ud_http_front(front, config, db);
#endif
}

/*
 * undercroftd: the core behind a unix socket. In order: what is wanted, the
 * right to serve it, the log, the databases, and only then the socket, so that
 * who can connect is served.
 */
static int run(const ud_config *config)
{
    char url[160];
    ud_claim claim;
    ud_port port = {.url = url, .door = &ud_sp_door, .claim = &claim};
    ud_front front;
    bool has_front = false;
    ud_dbs *dbs = NULL;
    ud_lines *lines = NULL;
    int code = ud_claim_take(&claim, config);

    if (config->listen != NULL)
        snprintf(url, sizeof url, "ipc://%s", config->listen);
    if (code == UD_OK)
        code = ud_lines_open(config, &lines);
    if (code == UD_OK)
        dbs = ud_dbs_open(config, &code);
    if (dbs != NULL && config->http != NULL) {
        code = begin_http(&front, config, ud_dbs_first(dbs));
        has_front = code == UD_OK;
    }
    if (dbs != NULL) {
        if (code == UD_OK)
            code = ud_serve(config, dbs, lines, &port, config->listen != NULL,
                            has_front ? &front : NULL);
        ud_dbs_close(dbs, config->limits.drain_ms);
    }
    ud_lines_close(lines);
    ud_claim_free(&claim);
    return code;
}

int main(int argc, char **argv)
{
    ud_config config;
    int code;

    /* A thread takes memory from few pools: with one for each of its threads
     * an idle daemon would keep several times what it needs. */
    mallopt(M_ARENA_MAX, 4);
    /* Buffers of a few hundred KB come and go with every large reply: as
     * mappings of their own each would begin as pages that fault. */
    mallopt(M_MMAP_THRESHOLD, 4 << 20);
    mallopt(M_TRIM_THRESHOLD, 8 << 20);
    if (ud_config_read(&config, argc, argv, &code))
        code = run(&config);
    ud_config_free(&config);
    return code;
}

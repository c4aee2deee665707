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

static int make_front(ud_front *front, const ud_config *config)
{
#ifdef UC_NO_HTTP
    (void)front;
    (void)config;
    ud_say("--http: this daemon was built without llhttp, and so without HTTP");
    return UD_USAGE;
#else
    return ud_http_front(front, config);
#endif
}

/*
 * undercroftd: the core behind a unix socket. In order: what is wanted, the
 * right to serve it, the log, the databases, and only then the sockets, so that
 * who can connect is served.
 */
static int open_and_serve(const ud_config *config, const ud_claim *claim,
                          const ud_front *front)
{
    char url[160] = "";
    ud_port port = {.url = url, .door = &ud_sp_door, .claim = claim};
    ud_dbs *dbs = NULL;
    ud_lines *lines = NULL;
    int code = ud_lines_open(config, &lines);

    if (config->listen != NULL)
        snprintf(url, sizeof url, "ipc://%s", config->listen);
    if (code == UD_OK)
        dbs = ud_dbs_open(config, &code);
    if (dbs != NULL) {
        if (front != NULL && !config->replace &&
            !front->bind(front->arg, claim, false))
            code = UD_SOCKET;
        if (code == UD_OK)
            code = ud_serve(config, dbs, lines, &port, config->listen != NULL,
                            front);
        ud_dbs_close(dbs, config->limits.drain_ms);
    }
    ud_lines_close(lines);
    return code;
}

/*
 * A successor takes its place for HTTP before the one who has it is asked to
 * end: nobody is refused meanwhile. Who comes waits until the file has been
 * given on, since it has one owner at a time.
 */
static int take_and_serve(const ud_config *config, ud_claim *claim,
                          const ud_front *front)
{
    int code;

    if (front != NULL && config->replace &&
        !front->bind(front->arg, claim, true))
        return UD_SOCKET;
    code = ud_claim_take(claim, config);
    return code == UD_OK ? open_and_serve(config, claim, front) : code;
}

static int run(const ud_config *config)
{
    ud_claim claim;
    ud_front front = {0};
    bool has_front = config->http != NULL;
    int code = UD_USAGE;

    if (ud_claim_read(&claim, config))
        code = has_front ? make_front(&front, config) : UD_OK;
    if (code == UD_OK)
        code = take_and_serve(config, &claim, has_front ? &front : NULL);
    if (front.stop != NULL)
        front.stop(front.arg);
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

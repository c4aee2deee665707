#ifndef UD_HTTP_LOAD_H
#define UD_HTTP_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/thread.h"
#include "doors/http/serving.h"
#include "uc.h"

/*
 * The routes of a directory, loaded by a session of the server's own, which
 * keeps them for all connections.
 */
typedef struct http_keeper {
    uc_session *session;
    uc_mutex mu;
    uc_cond cond;
    bool woken;
    uint32_t calls;
} http_keeper;

/* Takes the session; free it either way. */
void http_keeper_init(http_keeper *k);
void http_keeper_fini(http_keeper *k);
void http_keeper_wake(void *keeper);

/* What the core is told with them. */
typedef struct http_loading {
    const char *dir;
    size_t body_most;
    bool fine;         /* statuses beyond 200, 400 and 500 */
    uint32_t norigins; /* pages that may post, beside those of the host */
    char *const *origins;
} http_loading;

/*
 * Reads *.sql and what else stands in the directory, and has the core check it.
 * NULL: why not has been said. Blocks.
 */
http_serving *http_keeper_load(http_keeper *k, const http_loading *what);
void http_keeper_drop(http_keeper *k, uint32_t set);

#endif

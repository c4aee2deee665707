#ifndef UD_HTTP_SERVING_H
#define UD_HTTP_SERVING_H

#include <stdatomic.h>

#include "common/buf.h"
#include "common/thread.h"
#include "common/view.h"
#include "routes/routes.h"
#include "wire/reader.h"

/*
 * The routes that serve, as a door needs to know them. What is loaded is never
 * changed: a reload makes another, which each loop takes over between two of
 * its turns. Until then the loop has the old one, and the core keeps that.
 */

/* Headers that the core asks for. */
typedef struct http_wanted {
    uint32_t n;
    const uc_view *names; /* in lower case */
} http_wanted;

typedef struct http_serving {
    _Atomic uint32_t refs;
    uint32_t set;    /* its number in the core */
    uint32_t routes; /* so many are there */
    http_wanted wanted;
    uc_view allowed;           /* of those what a page may set: for CORS */
    struct http_serving *next; /* the server's list of old ones */
    uc_routes *known; /* the same files: for lines of the log and the metrics */
    uint32_t nconstant; /* so many of `constant` are true */
    bool *constant;     /* of each of them: its answer is always the same */
    struct http_count **counts; /* of each of them; NULL: nobody counts */

    uc_buf names, text; /* what the views point into */
    uc_view *views;
} http_serving;

/* names: a msgpack array, which is taken over; described: that of the routes.
 * NULL: they are none, or there is no memory. */
http_serving *http_serving_new(uint32_t set, uc_reader described,
                               uc_buf *names);
http_serving *http_serving_ref(http_serving *v);
void http_serving_unref(http_serving *v);

/* The newest; it has a reference. */
typedef struct http_current {
    uc_mutex mu;
    http_serving *now;
    _Atomic uint32_t number; /* of reloads: to see at once whether it is old */
} http_current;

/* Takes v over. -> the one before, and its reference. */
http_serving *http_current_set(http_current *c, http_serving *v);
/* The newest in place of *v, with a reference; *number says which it is. */
void http_current_take(http_current *c, http_serving **v, uint32_t *number);

#endif

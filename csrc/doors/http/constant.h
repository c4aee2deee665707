#ifndef UD_HTTP_CONSTANT_H
#define UD_HTTP_CONSTANT_H

#include "doors/http/answer.h"
#include "doors/http/request.h"
#include "doors/http/serving.h"

/*
 * Answers that are the same for everybody. Of a route that takes nothing and
 * reads nothing (csrc/WIRE.md: constant) the core is asked once; what it has
 * answered is given from here as long as its routes serve. A loop has these of
 * its own: no lock, no other thread, no frame.
 */
enum {
    HTTP_CONSTANT_MOST = 64 * 1024,   /* bytes of a body: a larger one is asked
                                         for each time */
    HTTP_CONSTANTS_MOST = 1024 * 1024 /* of all that a loop keeps */
};

/* All zero: nothing is kept. */
typedef struct http_constants {
    uint32_t set;                /* the routes that these are of */
    uint32_t n;                  /* of `kept`: routes of the set */
    size_t held;                 /* bytes */
    struct http_constant **kept; /* by the place of the route; NULL: nothing */
} http_constants;

void http_constants_fini(http_constants *k);

/* The place of the route that answers the request with what may be kept, and 1;
 * 0: there is none, or something of the request may change the answer. */
uint32_t http_constant_route(const http_serving *serving,
                             const http_request *q);

/* What is kept of that route of these routes, or 304 where the request has its
 * tag; NULL: nothing. */
const http_answer *http_constant_find(const http_constants *k,
                                      const http_serving *serving,
                                      uint32_t route, const http_request *q);

/* Keeps a copy of what the core has answered to a GET, or does not: there is no
 * memory, it is too large, or no 200 with a tag. */
void http_constant_keep(http_constants *k, const http_serving *serving,
                        uint32_t route, const http_answer *a);

#endif

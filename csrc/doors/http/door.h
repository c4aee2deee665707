#ifndef UD_HTTP_DOOR_H
#define UD_HTTP_DOOR_H

#include "common/buf.h"
#include "daemon/door.h"
#include "doors/http/answer.h"
#include "doors/http/request.h"

/*
 * The daemon's door for HTTP/1.1, and what stands behind it: a service that
 * turns requests into answers, now, by the core, or later. Answers leave in the
 * order of the requests; a connection has HTTP_UNDER_WAY of them at most
 * (order.h).
 */

/* How long a client may take, in ms. */
enum {
    HTTP_HEAD_MS = 10000, /* for a header block, from its first byte */
    HTTP_BODY_MS = 30000, /* for a body */
    HTTP_IDLE_MS = 75000 /* between requests: longer than a gateway keeps one */
};

typedef struct http_settings {
    http_limits limits;
    int64_t head_ms, body_ms, idle_ms;
} http_settings;

/* Where the answer to a request comes from. */
typedef enum http_taken {
    HTTP_TAKEN_NOW,   /* *now is it */
    HTTP_TAKEN_CORE,  /* the core: a frame with the request's number as its id
                         has  been put behind `frames` */
    HTTP_TAKEN_LATER, /* ud_http_answer(), from whichever thread */
} http_taken;

/* All are called with the connection's mutex held, and wait for nothing. What
 * an answer points at has to stay until the call after this one. */
typedef struct http_service {
    void *arg;
    /* A request, whole. Its views are gone when this returns. */
    http_taken (*request)(void *arg, ud_conn *c, uint32_t number,
                          const http_request *q, uc_buf *frames,
                          http_answer *now);
    /* Whether the body is wanted of a request whose client waits for a 100. If
     * not, *now is the answer and the connection ends. NULL: it is. */
    bool (*wants)(void *arg, ud_conn *c, const http_request *q,
                  http_answer *now);
    /* A reply frame of the core, whose id is a request's number, as an answer.
     * False when it is none: it is for nobody, and the answer comes later. */
    bool (*reply)(void *arg, ud_conn *c, uc_view frame, http_answer *a);
} http_service;

/* A door has its settings and its service, so that a daemon may have several.
 */
typedef struct ud_http_door {
    ud_door door; /* of a port */
    http_settings settings;
    const http_service *service;
} ud_http_door;

/* With the defaults; to be changed before it is in use. */
void ud_http_door_init(ud_http_door *d, const http_service *service);

/* The answer to a request that the service has kept for later; nothing when
 * nobody waits for it any more. c->mu is held; ud_flush(c) sends it. */
void ud_http_answer(ud_conn *c, uint32_t number, const http_answer *a);

#endif

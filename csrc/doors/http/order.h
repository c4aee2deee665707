#ifndef UD_HTTP_ORDER_H
#define UD_HTTP_ORDER_H

#include "doors/http/answer.h"
#include "doors/http/cors.h"

/*
 * The answers of a connection in the order of its requests, whenever they come.
 * Each request has a number. An answer out of turn waits here, written but for
 * how the connection goes on, which is known only when it is its turn. One
 * owner, no locking.
 */
enum {
    HTTP_UNDER_WAY = 64,
    /* Of one connection; the last of them ends it, so that numbers never come
     * round. */
    HTTP_REQUESTS = 1 << 30
};

struct http_note;

/* Who answers: the core by a route, or the door with what the core tells. */
typedef enum http_kind {
    HTTP_KIND_ROUTE,
    HTTP_KIND_HEALTH,
    HTTP_KIND_METRICS
} http_kind;

/* What an answer has to know of its request. */
typedef struct http_asked {
    http_kind kind;
    bool is_head;
    bool keep_alive;
    uint8_t minor; /* of HTTP/1.x */
    http_origin origin;
    uint32_t bytes;         /* of its body and its note */
    uint32_t constant;      /* http_constant_route(), */
    uint32_t set;           /* of these routes */
    uint64_t serial;        /* of our own id */
    char *id;               /* that the client has given; NULL: none */
    struct http_note *note; /* for the log; from uc_malloc, NULL: none */
} http_asked;

typedef struct http_slot {
    http_asked asked;
    bool answered;
    bool waits;  /* for a 100, before the body is sent */
    size_t head; /* bytes of text up to where http_end belongs */
    uc_buf text;
} http_slot;

/* All zero: no request has come. */
typedef struct http_order {
    uint32_t last; /* the number of the newest request; the first is 1 */
    uint32_t n;    /* under way */
    uint32_t cap;  /* slots: 0 or a power of two */
    bool closed;   /* no request is accepted behind the newest */
    bool coming;   /* the newest has a number, and its body is still to come */
    bool draining; /* the answer to the newest request ends the connection */
    bool ended;    /* and one has: its client reads nothing behind it */
    size_t held;   /* bytes of answers that wait for their turn */
    size_t asked;  /* bytes of bodies under way */
    http_slot *slots; /* the one of a number: its low bits */
} http_order;

typedef enum http_ordered {
    HTTP_ORDER_OK,
    HTTP_ORDER_UNKNOWN, /* no request of this number waits for an answer */
    HTTP_ORDER_REFUSED, /* a header may not be sent: nothing has been written */
    HTTP_ORDER_MEMORY   /* the connection has to end */
} http_ordered;

void http_order_fini(http_order *o);

/* Whether more is taken from the client: a request, or the rest of one. */
static inline bool http_order_has_room(const http_order *o)
{
    return o->coming || (o->n < HTTP_UNDER_WAY && !o->closed);
}

/* A request that waits for its answer from now on; there is room. One without
 * keep_alive is the last. asked->id is taken over. -> its number; 0: no memory.
 */
uint32_t http_order_add(http_order *o, const http_asked *asked);

/* Of a request that waits for its answer; NULL: none of this number does. */
const http_asked *http_order_asked(const http_order *o, uint32_t number);
/* Its note, which is the caller's from now on. */
struct http_note *http_order_take_note(http_order *o, uint32_t number);

/* The newest request is the last, whatever it has asked for, and no more of it
 * is taken. */
void http_order_close(http_order *o);

/* The client of the newest request waits for a 100 and sends its body then:
 * that goes to out when it is in turn. waits false: no more, since the body has
 * come. */
void http_order_wait(http_order *o, bool waits, uc_buf *out);

/* The answer to a request. It goes to out, with all that is in turn behind it;
 * or waits. */
http_ordered http_order_answer(http_order *o, uint32_t number,
                               const http_answer *a, const char *date,
                               uc_buf *out);

#endif

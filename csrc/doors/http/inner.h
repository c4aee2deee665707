#ifndef UD_HTTP_INNER_H
#define UD_HTTP_INNER_H

#include "daemon/conn.h"
#include "doors/http/door.h"
#include "doors/http/order.h"
#include "doors/http/parse.h"

/* What the client owes, and since which request. */
typedef enum http_owes {
    HTTP_OWES_NOTHING,
    HTTP_OWES_IDLE,
    HTTP_OWES_HEAD,
    HTTP_OWES_BODY
} http_owes;

/* The door's part of a connection; under its mutex. */
typedef struct ud_http {
    http_parser *parser; /* NULL until something has come */
    http_order order;
    uint32_t begun; /* the number of the request whose body is to come, when it
                       has one before that; 0: none */
    uint32_t found; /* requests */
    http_owes owes;
    uint32_t owes_at; /* `found` when that began */
    bool faulty;      /* a fault has been answered */
    http_date date;
    uc_buf text; /* what an answer of the door's own says */
    uc_buf out;  /* what replies become */
} ud_http;

static inline ud_http *ud_http_of(ud_conn *c)
{
    return ud_part(c);
}

/* door.c: the ud_door is the first of it. */
const ud_http_door *ud_http_door_of(const ud_conn *c);

/* ---- reply.c: what the client reads ---- */

/* Answers to out, or keeps it until it is in turn. False, with out as it was,
 * when memory ran out: the connection has to end. */
bool ud_http_put(ud_conn *c, uint32_t number, const http_answer *a,
                 uc_buf *out);
/* Answers a request with a sentence. */
bool ud_http_refuse(ud_conn *c, uint32_t number, unsigned status,
                    const char *sentence, uc_buf *out);
/* The request that is coming in is refused, and is the last. */
bool ud_http_fault(ud_conn *c, const http_fault *f);
/* The connection ends without an answer. */
void ud_http_no_memory(ud_conn *c);
/* Waits for what the client owes now. */
void ud_http_await(ud_conn *c);
/* Of the door. */
bool ud_http_dress(ud_conn *c, size_t at);

/* ---- cut.c: what the client writes ---- */

/* Of the door. */
size_t ud_http_cut(ud_conn *c, size_t *need);

#endif

#ifndef UD_HTTP_PARSE_H
#define UD_HTTP_PARSE_H

#include "doors/http/request.h"

/*
 * Bytes of a connection → requests, however they are cut:
 *
 *   bytes ─ strict.c ─> header block ─┬─> http_request
 *         ─ chunks.c ─> its framing  ─┴─> llhttp ─> the body
 *
 * Both our strict look and llhttp follow the framing, and a request is one only
 * where they agree on where it ends. Behind a request that is the last of its
 * connection, and behind a fault, nothing is looked at any more.
 *
 * A connection has one. One thread at a time.
 */
typedef struct http_parser http_parser;

typedef enum http_found {
    HTTP_FOUND_MORE,     /* all of the bytes are in it, and it is not whole */
    HTTP_FOUND_CONTINUE, /* a request without its body, whose client waits for a
                            100 before it sends that */
    HTTP_FOUND_REQUEST,
    HTTP_FOUND_FAULT, /* the connection has to end */
    HTTP_FOUND_CLOSED /* the request before was the last */
} http_found;

typedef enum http_phase {
    HTTP_PHASE_IDLE, /* between requests */
    HTTP_PHASE_HEAD,
    HTTP_PHASE_BODY
} http_phase;

/* limits: must outlive it. NULL when memory ran out. */
http_parser *http_parser_new(const http_limits *limits);
void http_parser_free(http_parser *p);

/*
 * Takes bytes that follow those before. *used: how many of them; the rest is to
 * come again in front of what follows. Fewer than n only with REQUEST, FAULT
 * and CLOSED.
 */
http_found http_parser_feed(http_parser *p, const uint8_t *bytes, size_t n,
                            size_t *used);

/* The request that was found, until the next feed. */
const http_request *http_parser_request(const http_parser *p);
const http_fault *http_parser_fault(const http_parser *p);
/* Whether the faulty request is known to be a HEAD, to which no body is sent.
 */
bool http_parser_is_head(const http_parser *p);

http_phase http_parser_phase(const http_parser *p);
/* Bytes that it holds. */
size_t http_parser_held(const http_parser *p);
/* Gives back what it does not need while it idles. */
void http_parser_trim(http_parser *p);

#endif

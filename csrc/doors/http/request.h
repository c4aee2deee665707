#ifndef UD_HTTP_REQUEST_H
#define UD_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/view.h"

/*
 * A request of HTTP/1.x as the door understands it, and what it may cost. Names
 * of our own: llhttp.h has HTTP_GET and its like.
 */
enum {
    HTTP_HEADERS = 64,       /* of one request */
    HTTP_BLOCK = 16 * 1024,  /* bytes from the method to the empty line */
    HTTP_TARGET = 8 * 1024,  /* bytes */
    HTTP_BODY = 1024 * 1024, /* bytes, without the framing of chunks */
    HTTP_LENGTH_DIGITS = 15, /* of Content-Length */
};

typedef struct http_limits {
    size_t block, target, body; /* bytes */
    uint32_t headers;           /* HTTP_HEADERS at most */
} http_limits;

extern const http_limits http_default_limits;

typedef struct http_header {
    uc_view name;  /* a token in lower case */
    uc_view value; /* without blanks around it */
} http_header;

typedef enum http_verb {
    HTTP_VERB_GET,
    HTTP_VERB_HEAD,
    HTTP_VERB_POST,
    HTTP_VERB_OPTIONS
} http_verb;

typedef struct http_request {
    http_verb verb;
    uc_view method; /* "GET" */
    uc_view target; /* "/a?b", or "*" of OPTIONS: never http://… */
    uc_view host;
    uint8_t minor; /* of HTTP/1.x: 0 or 1 */
    bool keep_alive;
    bool expects_continue; /* waits for a 100 before it sends its body */
    bool chunked;
    uint64_t length; /* of the body, when it is not chunked */
    uint32_t nheaders;
    http_header headers[HTTP_HEADERS];
    uc_view body;
} http_request;

/* Why a request is refused. A status of 0: it is not. */
typedef struct http_fault {
    unsigned status;
    const char *text; /* static: one sentence */
} http_fault;

/* Fills *f; returns false, so that `return http_refuse(...)` reads well. */
static inline bool http_refuse(http_fault *f, unsigned status, const char *text)
{
    *f = (http_fault){status, text};
    return false;
}

#endif

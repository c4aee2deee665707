#ifndef UD_HTTP_CORS_H
#define UD_HTTP_CORS_H

#include "doors/http/answer.h"

/*
 * What pages of other origins may do: those on the list, with credentials, and
 * never `*`. As lib/routes/cors.js, header for header.
 */
typedef struct http_origins {
    uint32_t n;
    char *const *list; /* as browsers write them */
} http_origins;

enum {
    HTTP_CORS_HEADERS = 7, /* at most, that an answer gains */
    HTTP_ORIGINS = 1000    /* on a list */
};

/* What the answer has to know of its request. */
typedef struct http_origin {
    uint16_t listed; /* its origin's place on the list, from 1 on; 0: none */
    bool is_options;
    bool is_preflight; /* of a listed origin */
} http_origin;

/* scheme://host, and a port that is not the scheme's own. */
bool http_origin_is_one(const char *text);

http_origin http_origin_of(const http_origins *o, const http_request *q);

/* Appends to the n headers of an answer what a browser has to see. -> how many
 * there are then. allow: of a preflight; its methods. */
uint32_t http_cors_dress(const http_origins *o, http_origin of, uc_view allow,
                         uc_view headers_allowed, http_header *headers,
                         uint32_t n);

#endif

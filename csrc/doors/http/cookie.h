#ifndef UD_HTTP_COOKIE_H
#define UD_HTTP_COOKIE_H

#include "doors/http/request.h"

/*
 * The token of a session, as lib/kit/session/cookie.js reads it: strictly,
 * since whoever can set a cookie for a neighbour of this host (another
 * subdomain, a page without TLS) can set one of our name beside ours.
 */
enum {
    HTTP_TOKEN = 43, /* characters: 32 bytes as base64url */
    HTTP_COOKIE_NAME = 64
};

/* How the cookie is called; all zero: sessions are not read. */
typedef struct http_cookie_names {
    char plain[HTTP_COOKIE_NAME + 1];
    char host[sizeof "__Host-" + HTTP_COOKIE_NAME]; /* behind https */
    bool secure; /* all requests count as such of https */
} http_cookie_names;

/* name: letters, digits, - and _. False: it is none. */
bool http_cookie_name(http_cookie_names *names, const char *name);

/* Whether the request has cookies at all. */
bool http_cookie_is_there(const http_request *q);
/* The token under that name, of all cookies of the request. False: there is
 * none, it is none of ours, or there are two that differ: then nobody knows
 * which of them is the user's. */
bool http_cookie(const http_request *q, const char *name, uc_view *token);

#endif

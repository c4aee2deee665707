#ifndef UD_HTTP_WHO_H
#define UD_HTTP_WHO_H

#include "doors/http/cookie.h"
#include "doors/http/frame.h"

/*
 * Who is logged in: sessions that JavaScript makes (lib/kit/session) are read
 * here, as docs/session.md has it. The door only reads: it makes none, ends
 * none and moves no session's end.
 *
 *   cookie: token ── sha-256 ──> id, whose first 64 bits are the row's key
 *                                 │
 *   cache_load, tied to that row ─┴─> [user, roles, expires] ──> the request,
 *        └─ absent: json ─> cache_loaded                         with facts
 *
 * A commit that changes the row, by whomever, drops what was cached before it
 * is acknowledged. The request waits meanwhile as a frame without its facts.
 *
 * A connection has one of these, for one request at a time. It knows no
 * connection: what the core is to be asked it appends to a buffer, under the
 * number of the request. One thread.
 */
typedef struct http_who http_who;

/* Whether it has to be asked who has sent the request: it has a token of ours,
 * and its route wants to know. https: the browser's side of it. */
bool http_who_asks(const http_cookie_names *names, bool https,
                   const http_serving *serving, const http_request *q,
                   uc_view *token);

/* NULL: no memory. w may be NULL to be freed. */
http_who *http_who_new(void);
void http_who_free(http_who *w);
/* Bytes that it holds; w may be NULL. */
size_t http_who_held(const http_who *w);

/* Keeps the request, and appends the first frame to out. facts: without user
 * and roles. Look at out->failed. */
void http_who_begin(http_who *w, uint32_t number, http_serving *serving,
                    const http_request *q, const http_facts *facts,
                    uc_view token, uc_buf *out);

typedef enum http_who_news {
    HTTP_WHO_WAITS,   /* more has been asked */
    HTTP_WHO_KNOWN,   /* *person, user.len 0: nobody is logged in */
    HTTP_WHO_FAILURE, /* the reply is an error, and the request's as well */
    HTTP_WHO_FAULT    /* *why */
} http_who_news;

typedef struct http_whom {
    uc_view user, roles; /* as http_facts has them; into w, or the reply */
    bool no_table;       /* nobody is, since there is no table of sessions */
    const char *why;     /* one sentence; static */
    uint32_t frames;     /* so many have been appended */
} http_whom;

/* Takes the reply to the last frame. now_ms: milliseconds since 1970. */
http_who_news http_who_take(http_who *w, uc_view frame, int64_t now_ms,
                            uc_buf *out, http_whom *whom);
/* Appends the request's own frame. id: the request's. */
void http_who_send(const http_who *w, const http_whom *whom, uc_view id,
                   uc_buf *out);
/* The request is over, or has been sent. */
void http_who_end(http_who *w);

#endif

#ifndef UD_HTTP_NOTE_H
#define UD_HTTP_NOTE_H

#include "doors/http/caller.h"
#include "doors/http/metrics.h"
#include "doors/http/request.h"
#include "doors/http/serving.h"
#include "log/log.h"

/*
 * What is kept of a request until it is answered: for its line in the log, that
 * of audit when it is a POST, and for the metrics. Nothing that is `secret` is
 * in it.
 */
typedef struct http_note {
    int64_t began; /* uc_now() */
    http_count *count;
    bool is_post;
    char ip[HTTP_IP]; /* of a POST's caller; empty: not known */
    size_t len;
    char fields[]; /* JSON, each with a comma behind it */
} http_note;

/* Where notes go: each may be NULL. */
typedef struct http_noting {
    uc_log *log;
    http_metrics *metrics;
} http_noting;

/* NULL: nobody wants one, or there is no memory. ip: of the caller. Free it
 * with uc_free. */
http_note *http_note_new(const http_noting *to, const http_serving *serving,
                         const http_request *q, uc_view ip);

/* Bytes of memory; n may be NULL. */
static inline size_t http_note_size(const http_note *n)
{
    return n != NULL ? sizeof *n + n->len + 1 : 0;
}

/* What came of it. */
typedef struct http_outcome {
    unsigned status;
    size_t bytes;  /* of the body that is sent */
    bool limited;  /* by @rate */
    uc_view audit; /* JSON of the core; empty: none */
} http_outcome;

/* Lines have the form of those of log.http (lib/log/http.js). */
void http_note_end(const http_noting *to, const http_note *n, uc_view id,
                   const http_outcome *o);
/* Its client has gone before. */
void http_note_abort(const http_noting *to, const http_note *n, uc_view id);

#endif

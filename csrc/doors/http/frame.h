#ifndef UD_HTTP_FRAME_H
#define UD_HTTP_FRAME_H

#include "common/buf.h"
#include "doors/http/answer.h"
#include "doors/http/request.h"
#include "doors/http/serving.h"

/*
 * Between HTTP and the core: a request as a frame of the operation `request`,
 * and a reply frame as an answer. csrc/WIRE.md has both.
 */

/* What the door knows of a caller. */
typedef struct http_facts {
    uc_view ip;   /* empty: a unix socket */
    uc_view id;   /* of the request */
    uc_view host; /* in place of the header; empty: that is right */
    bool audit;   /* the answer is to say what a line of audit needs */
    /* Who is logged in, as uc_person has it; empty: nobody. */
    uc_view user, roles;
} http_facts;

/* Appends the beginning of a frame: its arguments, so many, follow. */
void http_frame_front(uc_buf *out, uint32_t id, uint8_t op, uint8_t args);
/* Appends a bin. */
void http_frame_bin(uc_buf *out, uc_view v);

/* Appends the frame of a request but for its last element, the facts. host: as
 * that of the facts. */
void http_frame_begin(uc_buf *out, uint32_t id, const http_serving *serving,
                      const http_request *q, uc_view host);
void http_frame_facts(uc_buf *out, const http_facts *facts);
/* Appends all of it. */
void http_frame_request(uc_buf *out, uint32_t id, const http_serving *serving,
                        const http_request *q, const http_facts *facts);

/* The same of an operation without arguments: health, stats. */
void http_frame_ask(uc_buf *out, uint32_t id, uint8_t op);

/* An error reply: what the log says. */
typedef struct http_failure {
    bool failed;
    uc_view code, kind, message;
    uc_view audit; /* as that of an answer */
} http_failure;

/*
 * Reads a reply frame into *a, whose views point into it; headers has room for
 * `most`. An error becomes an answer that says nothing of it, and *f has what
 * the log is to say. False: it is no reply of a request.
 */
bool http_frame_answer(uc_view frame, uint32_t *id, http_answer *a,
                       http_header *headers, uint32_t most, http_failure *f);

#endif

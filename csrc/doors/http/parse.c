#include "doors/http/parse.h"

#include <llhttp.h>

#include "common/buf.h"
#include "common/mem.h"
#include "doors/http/chunks.h"
#include "doors/http/strict.h"

enum {
    LINE_REST = 64,      /* of the first line, beside its target */
    BODY_KEPT = 16 << 10 /* a larger buffer goes with its request */
};

struct http_parser {
    const http_limits *limits;
    http_phase phase;
    bool over;    /* nothing more is looked at */
    bool greeted; /* CONTINUE has been found */
    bool whole;   /* llhttp has seen the end of the request */
    http_fault fault;
    http_scan scan;
    uc_buf block;
    http_chunks chunks;
    uint64_t left; /* of a body that is not chunked */
    uc_buf body;
    llhttp_t ll;
    http_request request;
};

/* ---- llhttp ---- */

static int on_body(llhttp_t *ll, const char *at, size_t n)
{
    http_parser *p = ll->data;

    uc_buf_put(&p->body, at, n);
    return p->body.failed ? HPE_USER : HPE_OK;
}

/* It stops where the request ends: what follows is none of its business. */
static int on_message_complete(llhttp_t *ll)
{
    http_parser *p = ll->data;

    p->whole = true;
    return HPE_PAUSED;
}

/* llhttp keeps its address. */
static const llhttp_settings_t settings = {
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

static bool second_opinion(http_parser *p, const uint8_t *bytes, size_t n)
{
    llhttp_errno_t found = llhttp_execute(&p->ll, (const char *)bytes, n);
    const char *at = llhttp_get_error_pos(&p->ll);

    if (p->body.failed)
        return http_refuse(&p->fault, p->body.full ? 413 : 503,
                           p->body.full ? "body: is too large"
                                        : "no memory for the body");
    if (found == HPE_OK ||
        (found == HPE_PAUSED && p->whole && at == (const char *)bytes + n))
        return true;
    return http_refuse(&p->fault, 400, "the request could not be read");
}

/* ---- a request's way through it ---- */

http_parser *http_parser_new(const http_limits *limits)
{
    http_parser *p = uc_calloc(1, sizeof *p);

    if (p == NULL)
        return NULL;
    p->limits = limits;
    uc_buf_init(&p->block, limits->block);
    uc_buf_init(&p->body, limits->body);
    return p;
}

void http_parser_free(http_parser *p)
{
    if (p == NULL)
        return;
    uc_buf_fini(&p->block);
    uc_buf_fini(&p->body);
    uc_free(p);
}

static void begin(http_parser *p)
{
    p->phase = HTTP_PHASE_HEAD;
    p->greeted = p->whole = false;
    p->scan = (http_scan){.line_most = p->limits->target + LINE_REST};
    p->chunks = (http_chunks){0};
    p->request.verb = HTTP_VERB_GET;
    uc_buf_rewind(&p->block, 0);
    uc_buf_rewind(&p->body, 0);
    if (p->body.cap > BODY_KEPT)
        uc_buf_fini(&p->body);
    llhttp_init(&p->ll, HTTP_REQUEST, &settings);
    p->ll.data = p;
}

/* What is wrong is in p->fault. */
static http_found stop(http_parser *p)
{
    p->over = true;
    return HTTP_FOUND_FAULT;
}

static http_found fault(http_parser *p, unsigned status, const char *text)
{
    http_refuse(&p->fault, status, text);
    return stop(p);
}

static http_found whole(http_parser *p)
{
    if (!p->whole)
        return fault(p, 400, "the request could not be read");
    p->phase = HTTP_PHASE_IDLE;
    p->over = !p->request.keep_alive;
    p->request.body = (uc_view){p->body.p, p->body.len};
    return HTTP_FOUND_REQUEST;
}

/* The block is whole. */
static bool read_block(http_parser *p)
{
    size_t skip = p->scan.skipped ? 2 : 0;
    uint8_t *block = p->block.p + skip;
    size_t len = p->block.len - skip;

    if (!http_strict_read(&p->request, block, len, p->limits, &p->fault) ||
        !second_opinion(p, block, len))
        return false;
    p->left = p->request.length;
    p->phase = HTTP_PHASE_BODY;
    if (p->whole == (p->request.chunked || p->left > 0))
        return http_refuse(&p->fault, 400, "the request could not be read");
    return true;
}

/* No byte is looked at for which there is no room: what is wrong with a block
 * must not depend on how it was cut. */
static http_found head(http_parser *p, const uint8_t *bytes, size_t n,
                       size_t *used)
{
    size_t room = p->block.max - p->block.len;
    http_scanned found;

    if (room == 0)
        return fault(p, 431, "the headers are too large");
    found = http_scan_bytes(&p->scan, bytes, n < room ? n : room, used);
    if (found == HTTP_SCAN_BAD)
        return fault(p, 400,
                     "lines end with CR LF, and have no other control byte");
    if (found == HTTP_SCAN_LONG)
        return fault(p, 414, "the target is too long");
    uc_buf_put(&p->block, bytes, *used);
    if (p->block.failed)
        return fault(p, 503, "no memory for the request");
    if (found == HTTP_SCAN_END && !read_block(p))
        return stop(p);
    return p->whole ? whole(p) : HTTP_FOUND_MORE;
}

static http_found sized_body(http_parser *p, const uint8_t *bytes, size_t n,
                             size_t *used)
{
    *used = n > p->left ? (size_t)p->left : n;
    p->left -= *used;
    if (!second_opinion(p, bytes, *used))
        return stop(p);
    return p->left == 0 ? whole(p) : HTTP_FOUND_MORE;
}

static http_found chunked_body(http_parser *p, const uint8_t *bytes, size_t n,
                               size_t *used)
{
    http_run run;

    if (!http_chunks_look(&p->chunks, bytes, n, p->limits, &run, &p->fault) ||
        (!run.dropped && !second_opinion(p, bytes, run.len)))
        return stop(p);
    *used = run.len;
    return p->chunks.state == HTTP_CHUNK_END ? whole(p) : HTTP_FOUND_MORE;
}

static http_found some(http_parser *p, const uint8_t *bytes, size_t n,
                       size_t *used)
{
    if (p->phase == HTTP_PHASE_IDLE)
        begin(p);
    if (p->phase == HTTP_PHASE_HEAD)
        return head(p, bytes, n, used);
    return p->request.chunked ? chunked_body(p, bytes, n, used)
                              : sized_body(p, bytes, n, used);
}

http_found http_parser_feed(http_parser *p, const uint8_t *bytes, size_t n,
                            size_t *used)
{
    http_found found = HTTP_FOUND_MORE;

    *used = 0;
    if (p->over)
        return p->fault.status != 0 ? HTTP_FOUND_FAULT : HTTP_FOUND_CLOSED;
    while (*used < n && found == HTTP_FOUND_MORE) {
        size_t some_used = 0;

        found = some(p, bytes + *used, n - *used, &some_used);
        *used += some_used;
    }
    if (found == HTTP_FOUND_MORE && p->phase == HTTP_PHASE_BODY &&
        p->request.expects_continue && !p->greeted) {
        /* Once: a client that has begun its body does not wait. */
        p->greeted = true;
        if (p->body.len == 0 && p->left == p->request.length &&
            p->chunks.digits == 0)
            return HTTP_FOUND_CONTINUE;
    }
    return found;
}

/* ---- what was found ---- */

const http_request *http_parser_request(const http_parser *p)
{
    return &p->request;
}

const http_fault *http_parser_fault(const http_parser *p)
{
    return &p->fault;
}

bool http_parser_is_head(const http_parser *p)
{
    return p->request.verb == HTTP_VERB_HEAD;
}

http_phase http_parser_phase(const http_parser *p)
{
    if (p->phase == HTTP_PHASE_HEAD && p->scan.lines == 0 &&
        p->scan.line_len == 0)
        return HTTP_PHASE_IDLE; /* an empty line begins nothing */
    return p->phase;
}

size_t http_parser_held(const http_parser *p)
{
    return sizeof *p + p->block.cap + p->body.cap;
}

void http_parser_trim(http_parser *p)
{
    if (p->phase != HTTP_PHASE_IDLE)
        return;
    uc_buf_fini(&p->block);
    uc_buf_fini(&p->body);
}

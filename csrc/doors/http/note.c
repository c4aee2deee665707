#include "doors/http/note.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "common/clock.h"
#include "common/mem.h"
#include "log/note.h"
#include "routes/audit.h"
#include "wire/json.h"

enum { INFO = 30, WARN = 40, ERROR = 50 };

enum { TRACE = 32, SPAN = 16, TRACEPARENT = 55, URL_MOST = 4 * 1024 };

static const char name[] = "undercroftd";

/* ---- the beginning ---- */

static uc_view view_of(const char *s)
{
    return (uc_view){(const uint8_t *)s, strlen(s)};
}

static void put_field(uc_buf *b, const char *key, uc_view value)
{
    uc_buf_byte(b, '"');
    uc_buf_put(b, key, strlen(key));
    uc_buf_put(b, "\":", 2);
    uc_json_text(b, value);
    uc_buf_byte(b, ',');
}

static bool is_hex(uc_view v)
{
    bool zero = true;

    for (size_t i = 0; i < v.len; i++) {
        uint8_t c = v.p[i];

        if ((c < '0' || c > '9') && (c < 'a' || c > 'f'))
            return false;
        zero = zero && c == '0';
    }
    return !zero;
}

/* 00-<trace>-<span>-<flags>, as W3C's Trace Context has it. A later version
 * may have more behind that. */
static bool read_trace(uc_view v, uc_view *trace, uc_view *span)
{
    if (v.len < TRACEPARENT || v.p[2] != '-' || v.p[35] != '-' ||
        v.p[52] != '-' || memcmp(v.p, "ff", 2) == 0 ||
        (v.len > TRACEPARENT &&
         (memcmp(v.p, "00", 2) == 0 || v.p[TRACEPARENT] != '-')))
        return false;
    *trace = (uc_view){v.p + 3, TRACE};
    *span = (uc_view){v.p + 36, SPAN};
    return is_hex(*trace) && is_hex(*span);
}

/* The request is a span of the caller's trace. */
static void put_trace(uc_buf *b, const http_request *q)
{
    uc_view trace, parent;
    uint64_t own;
    char span[SPAN + 1];

    if (!read_trace(http_only(q, "traceparent"), &trace, &parent) ||
        getrandom(&own, sizeof own, GRND_NONBLOCK) != sizeof own)
        return;
    snprintf(span, sizeof span, "%016" PRIx64, own);
    put_field(b, "traceId", trace);
    put_field(b, "spanId", view_of(span));
    put_field(b, "parentId", parent);
}

static void put_url(uc_buf *b, const uc_routes *routes, uc_view target)
{
    uc_buf shown;

    uc_buf_init(&shown, SIZE_MAX);
    uc_routes_target(routes, target, &shown);
    if (shown.len > URL_MOST)
        shown.len = URL_MOST;
    put_field(b, "url", (uc_view){shown.p, shown.len});
    b->failed |= shown.failed;
    uc_buf_fini(&shown);
}

static uc_view path_of(uc_view target)
{
    const uint8_t *at =
        target.len > 0 ? memchr(target.p, '?', target.len) : NULL;

    if (at != NULL)
        target.len = (size_t)(at - target.p);
    return target;
}

static http_count *count_of(const http_noting *to, const http_serving *serving,
                            const http_request *q)
{
    uc_method method =
        q->verb == HTTP_VERB_POST ? UC_METHOD_POST : UC_METHOD_GET;
    const uc_route *route = NULL;

    if (to->metrics == NULL)
        return NULL;
    if (q->verb != HTTP_VERB_OPTIONS)
        route = uc_routes_find(serving->known, method, path_of(q->target));
    if (route == NULL || serving->counts == NULL)
        return http_metrics_of(to->metrics, NULL);
    return serving->counts[route - uc_routes_at(serving->known, 0)];
}

static http_note *make(const uc_buf *fields)
{
    http_note *n = uc_malloc(sizeof *n + fields->len + 1);

    if (n == NULL)
        return NULL;
    *n = (http_note){.began = uc_now(), .len = fields->len};
    if (fields->len > 0)
        memcpy(n->fields, fields->p, fields->len);
    n->fields[fields->len] = '\0';
    return n;
}

http_note *http_note_new(const http_noting *to, const http_serving *serving,
                         const http_request *q, uc_view ip)
{
    http_note *n = NULL;
    uc_buf fields;

    if (to->log == NULL && to->metrics == NULL)
        return NULL;
    uc_buf_init(&fields, SIZE_MAX);
    if (to->log != NULL) {
        put_trace(&fields, q);
        put_field(&fields, "method", q->method);
        put_url(&fields, serving->known, q->target);
    }
    if (!fields.failed)
        n = make(&fields);
    uc_buf_fini(&fields);
    if (n == NULL)
        return NULL;
    n->count = count_of(to, serving, q);
    n->is_post = q->verb == HTTP_VERB_POST;
    if (ip.len < sizeof n->ip)
        memcpy(n->ip, ip.p, ip.len);
    return n;
}

/* ---- the end ---- */

static void put_ms(uc_buf *b, int64_t ns)
{
    char ms[48];

    snprintf(ms, sizeof ms, "\"ms\":%" PRId64 ".%03" PRId64 ",", ns / UC_MS,
             ns / 1000 % 1000);
    uc_buf_put(b, ms, strlen(ms));
}

static void put_int(uc_buf *b, const char *key, uint64_t v)
{
    char text[64];

    snprintf(text, sizeof text, "\"%s\":%" PRIu64 ",", key, v);
    uc_buf_put(b, text, strlen(text));
}

/* The fields are put into a line of the log, and are over. */
static void write_line(uc_log *log, int level, uc_buf *fields, const char *msg)
{
    uc_buf_byte(fields, '\0');
    if (fields->failed)
        uc_log_lost(log, 1, false);
    else
        uc_log_note_with(log, level, name, (const char *)fields->p, msg);
    uc_buf_fini(fields);
}

static void begin_line(uc_buf *b, const http_note *n, uc_view id)
{
    uc_buf_init(b, SIZE_MAX);
    put_field(b, "reqId", id);
    uc_buf_put(b, n->fields, n->len);
}

static void access_line(uc_log *log, const http_note *n, uc_view id,
                        const http_outcome *o, int64_t ns)
{
    uc_buf b;

    begin_line(&b, n, id);
    put_int(&b, "status", o->status);
    put_ms(&b, ns);
    if (o->bytes > 0)
        put_int(&b, "bytes", o->bytes);
    write_line(log, o->status >= 500 ? ERROR : INFO, &b, "request done");
}

/* The core's object without its braces: {"route":…,"changes":1}. */
static void audit_line(uc_log *log, const http_note *n, uc_view id,
                       const http_outcome *o, int64_t ns)
{
    uc_buf b;

    uc_buf_init(&b, SIZE_MAX);
    put_field(&b, "reqId", id);
    uc_buf_put(&b, o->audit.p + 1, o->audit.len - 2);
    uc_buf_byte(&b, ',');
    if (n->ip[0] != '\0')
        put_field(&b, "ip", view_of(n->ip));
    put_int(&b, "status", o->status);
    put_ms(&b, ns);
    write_line(log, INFO, &b, "audit");
}

void http_note_end(const http_noting *to, const http_note *n, uc_view id,
                   const http_outcome *o)
{
    int64_t ns = uc_now() - n->began;

    if (n->count != NULL)
        http_metrics_add(n->count, o->status, ns, o->limited);
    if (to->log == NULL)
        return;
    if (o->audit.len > 2)
        audit_line(to->log, n, id, o, ns);
    access_line(to->log, n, id, o, ns);
}

void http_note_abort(const http_noting *to, const http_note *n, uc_view id)
{
    uc_buf b;

    if (to->log == NULL)
        return;
    begin_line(&b, n, id);
    put_ms(&b, uc_now() - n->began);
    write_line(to->log, WARN, &b, "request aborted");
}

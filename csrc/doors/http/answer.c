#include "doors/http/answer.h"

#include <stdio.h>
#include <time.h>

#include "common/digits.h"
#include "doors/http/token.h"

static const struct {
    unsigned status;
    const char *reason;
} reasons[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

const char *http_reason(unsigned status)
{
    for (unsigned i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        if (reasons[i].status == status)
            return reasons[i].reason;
    }
    return "";
}

/* ---- the date ---- */

/* Not strftime: the names are English whatever the locale is. */
const char *http_date_text(http_date *d, int64_t wall_ms)
{
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed",
                                    "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr",
                                       "May", "Jun", "Jul", "Aug",
                                       "Sep", "Oct", "Nov", "Dec"};
    int64_t second = wall_ms / 1000;
    time_t t = (time_t)second;
    struct tm at;

    if (d->second == second && d->text[0] != '\0')
        return d->text;
    gmtime_r(&t, &at);
    snprintf(d->text, sizeof d->text, "%s, %02d %s %04d %02d:%02d:%02d GMT",
             days[at.tm_wday], at.tm_mday, months[at.tm_mon], at.tm_year + 1900,
             at.tm_hour, at.tm_min, at.tm_sec);
    d->second = second;
    return d->text;
}

/* ---- headers ---- */

/* What says where a message ends, or whose words are this file's. */
static bool is_ours(uc_view name)
{
#define OURS(name)                                \
    {                                             \
        (const uint8_t *)(name), sizeof(name) - 1 \
    }
    static const uc_view ours[] = {
        OURS("connection"),        OURS("content-length"),
        OURS("content-type"),      OURS("date"),
        OURS("keep-alive"),        OURS("trailer"),
        OURS("transfer-encoding"), OURS("upgrade"),
    };
#undef OURS

    for (unsigned i = 0; i < sizeof ours / sizeof *ours; i++) {
        if (ours[i].len == name.len && http_same_view(ours[i], name))
            return true;
    }
    return false;
}

static bool is_value(uc_view v)
{
    return http_text_len(v.p, v.len) == v.len;
}

static bool may_be_sent(const http_answer *a)
{
    for (uint32_t i = 0; i + a->nown < a->nheaders; i++) {
        const http_header *h = &a->headers[i];

        if (!http_is_token(h->name) || is_ours(h->name) || !is_value(h->value))
            return false;
    }
    return is_value(a->type);
}

static void text(uc_buf *b, const char *s)
{
    uc_buf_put(b, s, strlen(s));
}

/* Writers into room that has been made: returns the end. */
static uint8_t *put(uint8_t *p, const void *s, size_t n)
{
    if (n > 0)
        memcpy(p, s, n);
    return p + n;
}

/* A literal. */
#define PUT(p, s) put(p, s, sizeof(s) - 1)

static uint8_t *put_header(uint8_t *p, uc_view name, uc_view value)
{
    p = put(p, name.p, name.len);
    p = PUT(p, ": ");
    p = put(p, value.p, value.len);
    return PUT(p, "\r\n");
}

/* RFC 9110, 6.4.1: statuses whose answer ends with its headers. */
static bool has_no_body(unsigned status)
{
    return status < 200 || status == 204 || status == 304;
}

/* More than http_head writes: the words of its own, and what varies. */
static size_t room_of(const http_answer *a, size_t reason, size_t date)
{
    enum { WORDS = 160 };
    size_t n = WORDS + reason + date + a->type.len + a->ready.len;

    for (uint32_t i = 0; i < a->nheaders; i++)
        n += a->headers[i].name.len + a->headers[i].value.len + 4;
    return n;
}

static uint8_t *put_lines(uint8_t *p, const http_answer *a)
{
    if (a->type.len > 0 && !has_no_body(a->status)) {
        p = PUT(p, "Content-Type: ");
        p = put(p, a->type.p, a->type.len);
        p = PUT(p, "\r\n");
    }
    for (uint32_t i = 0; i < a->nheaders; i++)
        p = put_header(p, a->headers[i].name, a->headers[i].value);
    return p;
}

bool http_lines(uc_buf *b, const http_answer *a)
{
    if (!may_be_sent(a) || !uc_buf_reserve(b, room_of(a, 0, 0)))
        return false;
    b->len = (size_t)(put_lines(b->p + b->len, a) - b->p);
    return true;
}

/* Of each answer: room is made once, and not for each of its words. */
bool http_head(uc_buf *b, const http_answer *a, const char *date)
{
    const char *reason = http_reason(a->status);
    size_t reason_len = strlen(reason), date_len = strlen(date);
    uint8_t *p;

    if (!may_be_sent(a))
        return false;
    if (!uc_buf_reserve(b, room_of(a, reason_len, date_len)))
        return true; /* b tells of it */
    p = PUT(b->p + b->len, "HTTP/1.1 ");
    p = uc_emit_digits(p, a->status);
    p = PUT(p, " ");
    p = put(p, reason, reason_len);
    p = PUT(p, "\r\nDate: ");
    p = put(p, date, date_len);
    p = PUT(p, "\r\n");
    p = put(p, a->ready.p, a->ready.len);
    p = put_lines(p, a);
    if (!has_no_body(a->status)) {
        p = PUT(p, "Content-Length: ");
        p = uc_emit_digits(p, (int64_t)a->body.len);
        p = PUT(p, "\r\n");
    }
    b->len = (size_t)(p - b->p);
    return true;
}

void http_end(uc_buf *b, http_going going)
{
    static const char *const lines[] = {
        "\r\n",
        "Connection: keep-alive\r\n\r\n",
        "Connection: close\r\n\r\n",
    };

    text(b, lines[going]);
}

uc_view http_body(const http_answer *a, bool is_head)
{
    return is_head || has_no_body(a->status) ? (uc_view){0} : a->body;
}

const http_header http_retry_after = {
    {(const uint8_t *)"Retry-After", 11},
    {(const uint8_t *)"1", 1},
};

http_answer http_text(unsigned status, const char *sentence, uc_buf *b)
{
    static const char type[] = "text/plain; charset=utf-8";
    static const http_header allow = {
        {(const uint8_t *)"Allow", 5},
        {(const uint8_t *)"GET, HEAD, POST, OPTIONS", 24},
    };

    uc_buf_rewind(b, 0);
    text(b, sentence);
    text(b, "\n");
    return (http_answer){
        .status = status,
        .type = {(const uint8_t *)type, sizeof type - 1},
        .body = {b->p, b->len},
        .nheaders = status == 405 || status == 503,
        .headers = status == 405 ? &allow : &http_retry_after,
    };
}

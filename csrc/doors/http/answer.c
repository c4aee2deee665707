#include "doors/http/answer.h"

#include <stdio.h>
#include <time.h>

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
    static const char *const ours[] = {
        "connection", "content-length", "content-type",      "date",
        "keep-alive", "trailer",        "transfer-encoding", "upgrade",
    };

    for (unsigned i = 0; i < sizeof ours / sizeof *ours; i++) {
        if (http_same(name, ours[i]))
            return true;
    }
    return false;
}

static bool is_value(uc_view v)
{
    for (size_t i = 0; i < v.len; i++) {
        if (!http_is_text(v.p[i]))
            return false;
    }
    return true;
}

static bool may_be_sent(const http_answer *a)
{
    for (uint32_t i = 0; i < a->nheaders; i++) {
        const http_header *h = &a->headers[i];

        if (!http_is_token(h->name) || is_ours(h->name) || !is_value(h->value))
            return false;
    }
    return is_value(a->type);
}

static uc_view view_of(const char *s)
{
    return (uc_view){(const uint8_t *)s, strlen(s)};
}

static void text(uc_buf *b, const char *s)
{
    uc_buf_put(b, s, strlen(s));
}

static void header(uc_buf *b, uc_view name, uc_view value)
{
    uc_buf_put(b, name.p, name.len);
    text(b, ": ");
    uc_buf_put(b, value.p, value.len);
    text(b, "\r\n");
}

static void number(uc_buf *b, uint64_t v)
{
    char digits[20];
    size_t n = sizeof digits;

    do {
        digits[--n] = (char)('0' + v % 10);
        v /= 10;
    } while (v > 0);
    uc_buf_put(b, digits + n, sizeof digits - n);
}

/* RFC 9110, 6.4.1: statuses whose answer ends with its headers. */
static bool has_no_body(unsigned status)
{
    return status < 200 || status == 204 || status == 304;
}

bool http_head(uc_buf *b, const http_answer *a, const char *date)
{
    if (!may_be_sent(a))
        return false;
    text(b, "HTTP/1.1 ");
    number(b, a->status);
    text(b, " ");
    text(b, http_reason(a->status));
    text(b, "\r\nDate: ");
    text(b, date);
    text(b, "\r\n");
    if (a->type.len > 0 && !has_no_body(a->status))
        header(b, view_of("Content-Type"), a->type);
    for (uint32_t i = 0; i < a->nheaders; i++)
        header(b, a->headers[i].name, a->headers[i].value);
    if (!has_no_body(a->status)) {
        text(b, "Content-Length: ");
        number(b, a->body.len);
        text(b, "\r\n");
    }
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

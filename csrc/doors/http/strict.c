#include "doors/http/strict.h"

#include "doors/http/token.h"

const http_limits http_default_limits = {
    .block = HTTP_BLOCK,
    .target = HTTP_TARGET,
    .body = HTTP_BODY,
    .headers = HTTP_HEADERS,
};

/* ---- bytes ---- */

/* The LF of a line. False when it may not be there. */
static bool line_ends(http_scan *s)
{
    bool empty = s->line_len == 0;

    /* RFC 9112, 2.2: one empty line, as from a client that ends a body with one
     * that it has not counted. */
    if (s->last != '\r' || (empty && s->lines == 0 && s->skipped))
        return false;
    s->skipped = s->skipped || (empty && s->lines == 0);
    s->lines += !empty;
    s->line_len = 0;
    return true;
}

http_scanned http_scan_bytes(http_scan *s, const uint8_t *p, size_t n,
                             size_t *used)
{
    size_t i = 0;

    while (i < n) {
        size_t len = http_text_len(p + i, n - i);

        if (s->last == '\r' && p[i] != '\n')
            return HTTP_SCAN_BAD;
        if (len > 0) {
            s->line_len += len;
            i += len;
            if (s->lines == 0 && s->line_len > s->line_most)
                return HTTP_SCAN_LONG;
        } else if (p[i] == '\n') {
            bool last = s->line_len == 0 && s->lines > 0;

            if (!line_ends(s))
                return HTTP_SCAN_BAD;
            i++;
            if (last) {
                *used = i;
                return HTTP_SCAN_END;
            }
        } else if (p[i++] != '\r') {
            return HTTP_SCAN_BAD;
        }
        s->last = p[i - 1];
    }
    *used = n;
    return HTTP_SCAN_MORE;
}

/* ---- the first line ---- */

static uc_view view_of(const char *s)
{
    return (uc_view){(const uint8_t *)s, strlen(s)};
}

/* Cuts off what is before the first `end`. False when there is none. */
static bool cut(uc_view *v, uint8_t end, uc_view *part)
{
    const uint8_t *at = v->len > 0 ? memchr(v->p, end, v->len) : NULL;

    if (at == NULL)
        return false;
    *part = (uc_view){v->p, (size_t)(at - v->p)};
    v->len -= part->len + 1;
    v->p = at + 1;
    return true;
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool read_version(http_request *q, uc_view v, http_fault *f)
{
    if (v.len != 8 || memcmp(v.p, "HTTP/", 5) != 0 || !is_digit(v.p[5]) ||
        v.p[6] != '.' || !is_digit(v.p[7]))
        return http_refuse(f, 400,
                           "a request begins with METHOD, a space, the target, "
                           "a space and HTTP/1.1");
    if (v.p[5] != '1' || v.p[7] > '1')
        return http_refuse(f, 505, "only HTTP/1.1 and HTTP/1.0 are spoken");
    q->minor = v.p[7] - '0';
    return true;
}

static bool read_method(http_request *q, uc_view method, http_fault *f)
{
    static const char *const known[] = {"GET", "HEAD", "POST", "OPTIONS"};
    static const char *const others[] = {"PUT", "DELETE", "PATCH", "TRACE",
                                         "CONNECT"};

    for (unsigned i = 0; i < sizeof known / sizeof *known; i++) {
        if (uc_view_is(method, known[i])) {
            q->verb = (http_verb)i;
            return true;
        }
    }
    if (!http_is_token(method))
        return http_refuse(f, 400, "a method is a word");
    for (unsigned i = 0; i < sizeof others / sizeof *others; i++) {
        if (uc_view_is(method, others[i]))
            return http_refuse(f, 405,
                               "only GET, HEAD, POST and OPTIONS are answered");
    }
    return http_refuse(f, 501, "the method is not known");
}

static bool is_visible(uc_view v)
{
    for (size_t i = 0; i < v.len; i++) {
        if (v.p[i] <= 0x20 || v.p[i] >= 0x7f || v.p[i] == '#')
            return false;
    }
    return v.len > 0;
}

/* The scheme and the host of an absolute target, which *rest is behind. */
static bool read_absolute(uc_view target, uc_view *authority, uc_view *rest)
{
    static const char *const schemes[] = {"http://", "https://"};

    for (unsigned i = 0; i < 2; i++) {
        size_t n = strlen(schemes[i]), end = n;

        if (target.len <= n || !http_same((uc_view){target.p, n}, schemes[i]))
            continue;
        while (end < target.len && target.p[end] != '/' && target.p[end] != '?')
            end++;
        *authority = (uc_view){target.p + n, end - n};
        *rest = (uc_view){target.p + end, target.len - end};
        return authority->len > 0;
    }
    return false;
}

/* *authority: of an absolute target; what Host has to be. */
static bool read_target(http_request *q, uc_view target,
                        const http_limits *limits, uc_view *authority,
                        http_fault *f)
{
    uc_view rest;

    if (target.len > limits->target)
        return http_refuse(f, 414, "the target is too long");
    if (!is_visible(target))
        return http_refuse(f, 400,
                           "a target has visible ASCII characters alone, and "
                           "no '#'");
    q->target = target;
    if (target.p[0] == '/')
        return true;
    if (uc_view_is(target, "*") && q->verb == HTTP_VERB_OPTIONS)
        return true;
    if (!read_absolute(target, authority, &rest))
        return http_refuse(f, 400, "a target begins with '/'");
    if (rest.len > 0 && rest.p[0] != '/')
        return http_refuse(f, 400, "a target has a path in front of its query");
    q->target = rest.len > 0                   ? rest
                : q->verb == HTTP_VERB_OPTIONS ? view_of("*")
                                               : view_of("/");
    return true;
}

static bool read_line(http_request *q, uc_view line, const http_limits *limits,
                      uc_view *authority, http_fault *f)
{
    uc_view target;

    if (!cut(&line, ' ', &q->method) || !cut(&line, ' ', &target))
        return http_refuse(f, 400,
                           "a request begins with METHOD, a space, the target, "
                           "a space and HTTP/1.1");
    return read_version(q, line, f) && read_method(q, q->method, f) &&
           read_target(q, target, limits, authority, f);
}

/* ---- fields ---- */

/* What the fields of one block have said so far. */
typedef struct look {
    http_request *q;
    http_fault *f;
    bool padded; /* the value at hand has more around it than one space */
    bool has_length, close, keep_alive, expects;
} look;

static bool is_host(uc_view v)
{
    size_t end = 0;

    if (v.len > 0 && v.p[0] == '[') {
        end = 1;
        while (end < v.len &&
               (http_token_chars[v.p[end]] != 0 || v.p[end] == ':'))
            end++;
        if (end == 1 || end == v.len || v.p[end++] != ']')
            return false;
    } else {
        while (end < v.len && http_token_chars[v.p[end]] != 0)
            end++;
    }
    if (end == 0)
        return false;
    if (end < v.len && v.p[end++] != ':')
        return false;
    while (end < v.len && is_digit(v.p[end]))
        end++;
    return end == v.len;
}

static bool read_host(look *l, uc_view v)
{
    if (l->q->host.p != NULL)
        return http_refuse(l->f, 400, "there are two fields Host");
    if (!is_host(v))
        return http_refuse(l->f, 400, "Host is a name or an address");
    l->q->host = v;
    return true;
}

static bool read_length(look *l, uc_view v)
{
    if (l->has_length)
        return http_refuse(l->f, 400, "there are two fields Content-Length");
    if (l->padded || v.len == 0 || v.len > HTTP_LENGTH_DIGITS)
        return http_refuse(l->f, 400, "Content-Length is a number");
    for (size_t i = 0; i < v.len; i++) {
        if (!is_digit(v.p[i]))
            return http_refuse(l->f, 400, "Content-Length is a number");
        l->q->length = l->q->length * 10 + (v.p[i] - '0');
    }
    l->has_length = true;
    return true;
}

static bool read_coding(look *l, uc_view v)
{
    if (l->q->chunked)
        return http_refuse(l->f, 400, "there are two fields Transfer-Encoding");
    if (l->padded || !http_same(v, "chunked"))
        return http_refuse(l->f, 400, "Transfer-Encoding is the word chunked");
    if (l->q->minor == 0)
        return http_refuse(l->f, 400,
                           "HTTP/1.0 does not know Transfer-Encoding");
    l->q->chunked = true;
    return true;
}

static bool read_connection(look *l, uc_view v)
{
    l->close = l->close || http_lists(v, "close");
    l->keep_alive = l->keep_alive || http_lists(v, "keep-alive");
    return true;
}

static bool read_expect(look *l, uc_view v)
{
    if (l->expects || !http_same(v, "100-continue"))
        return http_refuse(l->f, 417,
                           "nothing but 100-continue may be expected");
    l->expects = true;
    return true;
}

static const struct {
    uc_view name;
    bool (*read)(look *l, uc_view value);
} known_fields[] = {
    {{(const uint8_t *)"host", 4}, read_host},
    {{(const uint8_t *)"content-length", 14}, read_length},
    {{(const uint8_t *)"transfer-encoding", 17}, read_coding},
    {{(const uint8_t *)"connection", 10}, read_connection},
    {{(const uint8_t *)"expect", 6}, read_expect},
};

static bool read_known(look *l, uc_view name, uc_view value)
{
    for (unsigned i = 0; i < sizeof known_fields / sizeof *known_fields; i++) {
        const uc_view *known = &known_fields[i].name;

        if (name.len == known->len && memcmp(name.p, known->p, name.len) == 0)
            return known_fields[i].read(l, value);
    }
    return true;
}

/* The length of the name that a field begins with, which becomes lower case; 0:
 * it begins with none. */
static size_t read_name(uint8_t *p, size_t len)
{
    size_t n = 0;

    for (uint8_t c; n < len && (c = http_token_chars[p[n]]) != 0; n++)
        p[n] = c;
    return n < len && p[n] == ':' ? n : 0;
}

static bool read_field(look *l, uint8_t *line, size_t len,
                       const http_limits *limits)
{
    size_t n = read_name(line, len);
    http_header *h = &l->q->headers[l->q->nheaders];
    uc_view raw = {line + n + 1, len - n - 1};

    if (n == 0)
        return http_refuse(l->f, 400,
                           "a header is a name, a colon directly behind it, "
                           "and a value in the same line");
    if (l->q->nheaders == limits->headers)
        return http_refuse(l->f, 431, "there are too many headers");
    l->q->nheaders++;
    h->name = (uc_view){line, n};
    h->value = http_trim(raw);
    l->padded = raw.len > h->value.len + (raw.len > 0 && raw.p[0] == ' ');
    return read_known(l, h->name, h->value);
}

/* ---- all of it ---- */

static bool fits_together(look *l, uc_view authority, const http_limits *limits)
{
    http_request *q = l->q;

    if (q->host.p == NULL)
        return http_refuse(l->f, 400, "there is no field Host");
    if (authority.p != NULL && !http_same_view(authority, q->host))
        return http_refuse(l->f, 400, "Host is not the host of the target");
    if (q->chunked && l->has_length)
        return http_refuse(l->f, 400,
                           "there are both Content-Length and "
                           "Transfer-Encoding");
    if (q->length > limits->body)
        return http_refuse(l->f, 413, "body: is too large");
    q->keep_alive = !l->close && (q->minor == 1 || l->keep_alive);
    q->expects_continue =
        l->expects && q->minor == 1 && (q->chunked || q->length > 0);
    return true;
}

/* The line at *at, whose CR and LF are skipped. */
static uc_view next_line(const uint8_t *block, size_t len, size_t *at)
{
    const uint8_t *p = block + *at;
    const uint8_t *end = memchr(p, '\r', len - *at);

    *at = (size_t)(end - block) + 2;
    return (uc_view){p, (size_t)(end - p)};
}

bool http_strict_read(http_request *q, uint8_t *block, size_t len,
                      const http_limits *limits, http_fault *f)
{
    look l = {.q = q, .f = f};
    uc_view authority = {0}, line;
    size_t at = 0;

    q->nheaders = 0;
    q->chunked = false;
    q->length = 0;
    q->host = q->body = (uc_view){0};
    line = next_line(block, len, &at);
    if (!read_line(q, line, limits, &authority, f))
        return false;
    while ((line = next_line(block, len, &at)).len > 0) {
        if (!read_field(&l, block + (line.p - block), line.len, limits))
            return false;
    }
    return fits_together(&l, authority, limits);
}

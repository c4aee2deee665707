/*
 * Bytes as what a client of the HTTP door sends. An input is a byte that says
 * how the stream is cut into reads and then the stream. However it is cut, the
 * same requests come out of it and the same fault ends it. The bytes of each
 * request are read once more, slowly and by other means: by regular expressions
 * and whole lines. Behind a fault nothing is looked at.
 */
#include <regex.h>
#include <stdlib.h>

#include "doors/http/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Small, so that inputs meet them. */
static const http_limits limits = {
    .block = 600, .target = 100, .body = 300, .headers = 8};

enum { LONGEST = 8192 };

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* ---- the slow reader ---- */

#define TOKEN "[-!#$%&'*+.^_`|~0-9A-Za-z]+"

static regex_t line_form, field_form, length_form, size_form, host_form;

static void form(regex_t *r, const char *text, int flags)
{
    must(regcomp(r, text, REG_EXTENDED | flags) == 0);
}

static void forms(void)
{
    static bool made;

    if (made)
        return;
    made = true;
    form(&line_form,
         "^(GET|HEAD|POST|OPTIONS) "
         "(/[!\"$-~]*|\\*|[Hh][Tt][Tt][Pp][Ss]?://[!\"$-~]+) HTTP/1\\.[01]$",
         0);
    form(&field_form, "^(" TOKEN "):(.*)$", 0);
    form(&length_form, "^ ?[0-9]{1,15}$", 0);
    form(&size_form, "^[0-9a-f]{1,8}(;[!-~]+)?$", REG_ICASE);
    form(&host_form, "^(" TOKEN "|\\[[^][]+\\])(:[0-9]*)?$", 0);
}

static bool is(const regex_t *r, const char *text)
{
    return regexec(r, text, 0, NULL, 0) == 0;
}

/* The bytes that are left of a request. */
typedef struct rest {
    const uint8_t *p;
    size_t n;
} rest;

static void take(rest *r, void *to, size_t n)
{
    must(r->n >= n);
    if (to != NULL)
        memcpy(to, r->p, n);
    r->p += n;
    r->n -= n;
}

/* A line that ends with CR LF, as a string: no byte of it is NUL, CR or LF. */
static const char *line(rest *r)
{
    static char text[LONGEST];
    size_t n = 0;

    for (;; n++) {
        must(n < r->n && n < LONGEST);
        if (r->p[n] == '\r')
            break;
        must(r->p[n] == '\t' || (r->p[n] >= ' ' && r->p[n] != 0x7f));
    }
    take(r, text, n);
    text[n] = '\0';
    must(r->n >= 2 && r->p[1] == '\n');
    take(r, NULL, 2);
    return text;
}

/* What the fields of a request come to. */
typedef struct facts {
    unsigned fields, hosts, lengths, codings;
    size_t length;
} facts;

static bool named(const char *field, const char *name)
{
    size_t n = strlen(name);

    return strncasecmp(field, name, n) == 0 && field[n] == ':';
}

static void field(facts *f, const char *text)
{
    const char *value;

    must(is(&field_form, text));
    value = strchr(text, ':') + 1;
    f->fields++;
    if (named(text, "host")) {
        char host[LONGEST];

        value += strspn(value, " \t");
        strcpy(host, value);
        for (size_t n = strlen(host);
             n > 0 && (host[n - 1] == ' ' || host[n - 1] == '\t');)
            host[--n] = '\0';
        must(is(&host_form, host));
        f->hosts++;
    } else if (named(text, "content-length")) {
        must(is(&length_form, value));
        f->length = strtoul(value, NULL, 10);
        f->lengths++;
    } else if (named(text, "transfer-encoding")) {
        must(strcasecmp(value + (*value == ' '), "chunked") == 0);
        f->codings++;
    }
}

static size_t chunked(rest *r, uint8_t *body)
{
    size_t len = 0, n;
    const char *text;

    do {
        text = line(r);
        must(is(&size_form, text));
        n = strtoul(text, NULL, 16);
        must(len + n <= limits.body);
        take(r, body + len, n);
        len += n;
        if (n > 0)
            must(*line(r) == '\0');
    } while (n > 0);
    while (*(text = line(r)) != '\0')
        must(is(&field_form, text));
    return len;
}

static bool same(uc_view v, const char *text, size_t n)
{
    return v.len == n && memcmp(v.p, text, n) == 0;
}

/* The first line is that of the request. */
static void check_line(const char *text, const http_request *q)
{
    const char *target = strchr(text, ' ') + 1, *end = strchr(target, ' ');
    const char *host = strstr(target, "://");

    must(same(q->method, text, (size_t)(target - 1 - text)));
    must(text[strlen(text) - 1] == '0' + q->minor);
    must((size_t)(end - target) <= limits.target);
    must(*target != '*' || q->verb == HTTP_VERB_OPTIONS);
    if (*target != '/' && *target != '*') {
        host += 3;
        target = host + strcspn(host, "/? ");
        must(q->host.len == (size_t)(target - host) &&
             strncasecmp(host, (const char *)q->host.p, q->host.len) == 0);
    }
    if (target == end)
        must(same(q->target, q->verb == HTTP_VERB_OPTIONS ? "*" : "/", 1));
    else
        must(same(q->target, target, (size_t)(end - target)));
}

/* These bytes are this request, and nothing more. */
static void check(const uint8_t *p, size_t n, const http_request *q)
{
    rest r = {p, n};
    uint8_t body[300];
    size_t len = 0;
    facts f = {0};
    const char *text = line(&r);

    if (*text == '\0')
        text = line(&r);
    must(is(&line_form, text));
    check_line(text, q);
    while (*(text = line(&r)) != '\0')
        field(&f, text);
    must((size_t)(r.p - p) <= limits.block);
    must(f.fields == q->nheaders && f.fields <= limits.headers);
    must(f.hosts == 1 && f.lengths <= 1 && f.codings <= 1);
    must(f.lengths == 0 || f.codings == 0);
    must(f.codings == 0 || q->minor == 1);
    must(f.length <= limits.body);
    if (f.codings > 0)
        len = chunked(&r, body);
    else
        take(&r, body, len = f.length);
    must(r.n == 0);
    must(q->body.len == len && (len == 0 || memcmp(q->body.p, body, len) == 0));
}

/* ---- what the stream comes to ---- */

static uint64_t add(uint64_t sum, uc_view v)
{
    for (size_t i = 0; i < v.len; i++)
        sum = (sum ^ v.p[i]) * 0x100000001b3u;
    return (sum ^ v.len) * 0x100000001b3u;
}

static uint64_t digest(uint64_t sum, const http_request *q)
{
    sum = add(add(add(sum, q->method), q->target), q->body);
    sum = (sum ^ q->keep_alive) * 0x100000001b3u;
    for (uint32_t i = 0; i < q->nheaders; i++)
        sum = add(add(sum, q->headers[i].name), q->headers[i].value);
    return sum;
}

/* Nothing is taken for a request any more. */
static void stays_closed(http_parser *p, http_found found)
{
    static const char good[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    size_t used;

    for (int i = 0; i < 3; i++) {
        must(http_parser_feed(p, (const uint8_t *)good, sizeof good - 1,
                              &used) == found);
        must(used == 0);
    }
}

/* Reads `step` bytes at a time; all at once each request is checked, too. */
static uint64_t stream(const uint8_t *data, size_t size, size_t step)
{
    http_parser *p = http_parser_new(&limits);
    size_t at = 0, begin = 0;
    uint64_t sum = 0;

    while (at < size) {
        size_t n = size - at < step ? size - at : step, used;
        /* In a block of its own: not a byte more may be looked at. */
        uint8_t *copy = malloc(n);
        http_found found;

        memcpy(copy, data + at, n);
        found = http_parser_feed(p, copy, n, &used);
        free(copy);
        must(used <= n && (found != HTTP_FOUND_MORE || used == n));
        at += used;
        if (found == HTTP_FOUND_REQUEST) {
            const http_request *q = http_parser_request(p);

            if (step == size)
                check(data + begin, at - begin, q);
            sum = digest(sum, q);
            begin = at;
        }
        if (found == HTTP_FOUND_FAULT || found == HTTP_FOUND_CLOSED) {
            stays_closed(p, found);
            sum = sum * 3 + http_parser_fault(p)->status + found;
            break;
        }
    }
    must(http_parser_held(p) < 20000);
    http_parser_free(p);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t sum;

    forms();
    if (size < 2 || size > LONGEST)
        return 0;
    sum = stream(data + 1, size - 1, size - 1);
    must(stream(data + 1, size - 1, 1 + data[0] % 40) == sum);
    return 0;
}

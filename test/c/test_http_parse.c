/*
 * Bytes → requests. The corpus (test/http/corpus.js; one line a request) says
 * what is accepted and what refused; each of it is fed in one piece, byte by
 * byte, and in two pieces cut at each place, and comes to the same. Inputs lie
 * in blocks of their exact length, so that a sanitizer sees a byte that is read
 * too much.
 */
#include <libgen.h>
#include <stdlib.h>

#include "common/buf.h"
#include "common/mem.h"
#include "doors/http/parse.h"
#include "tap.h"

enum { WHOLE_CUTS = 1200 }; /* longer inputs are not cut at each place */

/* ---- what an input comes to ---- */

/* Requests as text, one after the other, and how it ends. */
typedef struct outcome {
    unsigned requests, status;
    uc_buf text;
} outcome;

static void put(uc_buf *b, uc_view v)
{
    uc_buf_put(b, v.p, v.len);
    uc_buf_byte(b, '\n');
}

static void put_request(outcome *o, const http_request *q)
{
    char facts[100];

    snprintf(facts, sizeof facts, "%d 1.%d %d %d %u", q->verb, q->minor,
             q->keep_alive, q->expects_continue, q->nheaders);
    put(&o->text, (uc_view){(const uint8_t *)facts, strlen(facts)});
    put(&o->text, q->method);
    put(&o->text, q->target);
    for (uint32_t i = 0; i < q->nheaders; i++) {
        put(&o->text, q->headers[i].name);
        put(&o->text, q->headers[i].value);
    }
    put(&o->text, q->body);
    o->requests++;
}

/* Feeds n bytes; false when nothing more is looked at. */
static bool feed(http_parser *p, const uint8_t *bytes, size_t n, outcome *o)
{
    uint8_t *copy = malloc(n + (n == 0));
    bool goes_on = true;

    if (n > 0)
        memcpy(copy, bytes, n);
    for (size_t at = 0, used; goes_on;) {
        http_found found = http_parser_feed(p, copy + at, n - at, &used);

        at += used;
        if (found == HTTP_FOUND_MORE && at != n)
            abort();
        if (found == HTTP_FOUND_REQUEST)
            put_request(o, http_parser_request(p));
        if (found == HTTP_FOUND_FAULT)
            o->status = http_parser_fault(p)->status;
        goes_on = found < HTTP_FOUND_FAULT;
        if (found == HTTP_FOUND_MORE)
            break;
    }
    free(copy);
    return goes_on;
}

/* In pieces: first `cut` bytes, then `step` bytes at a time. */
static outcome parse(const uint8_t *bytes, size_t n, size_t cut, size_t step)
{
    http_parser *p = http_parser_new(&http_default_limits);
    outcome o = {0};
    size_t at = cut < n ? cut : n;

    uc_buf_init(&o.text, SIZE_MAX);
    if (feed(p, bytes, at, &o)) {
        while (at < n) {
            size_t some = n - at < step ? n - at : step;

            if (!feed(p, bytes + at, some, &o))
                break;
            at += some;
        }
    }
    http_parser_free(p);
    return o;
}

static bool same(const outcome *a, const outcome *b)
{
    return a->requests == b->requests && a->status == b->status &&
           a->text.len == b->text.len &&
           (a->text.len == 0 || memcmp(a->text.p, b->text.p, a->text.len) == 0);
}

/* Whether it comes to the same, cut like this. */
static bool same_cut(const uint8_t *bytes, size_t n, size_t cut, size_t step,
                     const outcome *want)
{
    outcome o = parse(bytes, n, cut, step);
    bool good = same(&o, want);

    uc_buf_fini(&o.text);
    return good;
}

/* ---- the corpus ---- */

static size_t unhex(const char *hex, uint8_t **bytes)
{
    size_t n = strlen(hex) / 2;

    *bytes = malloc(n + 1);
    for (size_t i = 0; i < n; i++) {
        char two[3] = {hex[2 * i], hex[2 * i + 1], '\0'};

        (*bytes)[i] = (uint8_t)strtoul(two, NULL, 16);
    }
    return n;
}

static void one_case(const char *name, unsigned requests, unsigned status,
                     const uint8_t *bytes, size_t n)
{
    outcome o = parse(bytes, n, n, 1);
    char text[200];
    size_t cut = 0;

    snprintf(text, sizeof text, "%s: %u requests", name, requests);
    eq_int(o.requests, requests, text);
    snprintf(text, sizeof text, "%s: %s", name,
             status != 0 ? "refused" : "not refused");
    eq_int(o.status, status, text);
    snprintf(text, sizeof text, "%s: the same however it is cut", name);
    while (cut <= n && same_cut(bytes, n, cut, n - cut + 1, &o))
        cut += n <= WHOLE_CUTS ? 1 : n / 50;
    ok(cut > n && (n > 100000 || same_cut(bytes, n, 0, 1, &o)) &&
           same_cut(bytes, n, 0, 7, &o),
       text);
    uc_buf_fini(&o.text);
}

static void corpus(const char *path)
{
    FILE *f = fopen(path, "r");
    char *line = NULL;
    size_t cap = 0;
    unsigned n = 0;

    if (!ok(f != NULL, "the corpus is there"))
        return;
    while (getline(&line, &cap, f) > 0) {
        char *at = line;
        const char *name = strsep(&at, "\t");
        unsigned requests = (unsigned)strtoul(strsep(&at, "\t"), NULL, 10);
        unsigned status = (unsigned)strtoul(strsep(&at, "\t"), NULL, 10);
        uint8_t *bytes;
        size_t len = unhex(strsep(&at, "\n"), &bytes);
        /* In a block of its own length. */
        one_case(name, requests, status, bytes, len);
        free(bytes);
        n++;
    }
    free(line);
    fclose(f);
    ok(n >= 150, "it is not a short one");
}

/* ---- what a request says ---- */

static http_parser *parser_of(const char *text, http_found want)
{
    http_parser *p = http_parser_new(&http_default_limits);
    size_t used;

    eq_int(http_parser_feed(p, (const uint8_t *)text, strlen(text), &used),
           want, "as expected");
    return p;
}

static void eq_view(uc_view v, const char *want, const char *name)
{
    eq_bytes(v.p, v.len, want, strlen(want), name);
}

static void request(void)
{
    http_parser *p = parser_of("POST http://A:1/b?c HTTP/1.1\r\nHoSt: a:1\r\n"
                               "X-One:  two \t \r\nContent-Length: 2\r\n"
                               "Empty:\r\n\r\nhi",
                               HTTP_FOUND_REQUEST);
    const http_request *q = http_parser_request(p);

    eq_int(q->verb, HTTP_VERB_POST, "the method");
    eq_view(q->method, "POST", "as it was written");
    eq_view(q->target, "/b?c", "the target without its host");
    eq_view(q->host, "a:1", "the host");
    eq_int(q->nheaders, 4, "each header");
    eq_view(q->headers[0].name, "host", "in lower case");
    eq_view(q->headers[1].name, "x-one", "one's name");
    eq_view(q->headers[1].value, "two", "and its value, without blanks");
    eq_view(q->headers[3].value, "", "an empty one");
    eq_view(q->body, "hi", "the body");
    eq_int(q->minor, 1, "the version");
    ok(q->keep_alive && !q->expects_continue, "it goes on");
    http_parser_free(p);

    p = parser_of("OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n",
                  HTTP_FOUND_REQUEST);
    eq_view(http_parser_request(p)->target, "*", "OPTIONS of a host alone");
    http_parser_free(p);
    p = parser_of("GET http://a HTTP/1.1\r\nHost: a\r\n\r\n",
                  HTTP_FOUND_REQUEST);
    eq_view(http_parser_request(p)->target, "/", "GET of a host alone");
    http_parser_free(p);
    p = parser_of("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
                  "\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nX: z\r\n\r\n",
                  HTTP_FOUND_REQUEST);
    eq_view(http_parser_request(p)->body, "abcde", "a body of chunks");
    http_parser_free(p);
}

static void connection(void)
{
    static const struct {
        const char *version, *header;
        bool stays;
    } table[] = {
        {"1.1", "", true},
        {"1.1", "Connection: keep-alive\r\n", true},
        {"1.1", "Connection: close\r\n", false},
        {"1.1", "Connection: a,\tClose ,b\r\n", false},
        {"1.1", "Connection: close\r\nConnection: keep-alive\r\n", false},
        {"1.1", "Connection: closed\r\n", true},
        {"1.1", "Connection: ,,\r\n", true},
        {"1.0", "", false},
        {"1.0", "Connection: Keep-Alive\r\n", true},
        {"1.0", "Connection: keep-alive, close\r\n", false},
        {"1.0", "Keep-Alive: timeout=5\r\n", false},
    };

    for (unsigned i = 0; i < sizeof table / sizeof *table; i++) {
        char text[200];
        http_parser *p;
        size_t used;

        snprintf(text, sizeof text, "GET / HTTP/%s\r\nHost: a\r\n%s\r\n",
                 table[i].version, table[i].header);
        p = parser_of(text, HTTP_FOUND_REQUEST);
        eq_int(http_parser_request(p)->keep_alive, table[i].stays,
               table[i].header);
        eq_int(http_parser_feed(p, (const uint8_t *)text, strlen(text), &used),
               table[i].stays ? HTTP_FOUND_REQUEST : HTTP_FOUND_CLOSED,
               "what comes behind it");
        http_parser_free(p);
    }
}

/* ---- the way of a request ---- */

static void continues(void)
{
#define HEAD                                                                 \
    "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: " \
    "2\r\n\r\n"
    http_parser *p = parser_of(HEAD, HTTP_FOUND_CONTINUE);
    size_t used;

    eq_int(http_parser_phase(p), HTTP_PHASE_BODY, "its body is to come");
    ok(http_parser_request(p)->expects_continue, "when it was allowed to");
    eq_int(http_parser_feed(p, NULL, 0, &used), HTTP_FOUND_MORE,
           "that is said once");
    eq_int(http_parser_feed(p, (const uint8_t *)"hi", 2, &used),
           HTTP_FOUND_REQUEST, "then it comes");
    eq_view(http_parser_request(p)->body, "hi", "as it is");
    http_parser_free(p);
    p = parser_of(HEAD "h", HTTP_FOUND_MORE);
    http_parser_free(p);
    p = parser_of(HEAD "hi", HTTP_FOUND_REQUEST);
    http_parser_free(p);
    p = parser_of("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                  "Transfer-Encoding: chunked\r\n\r\n",
                  HTTP_FOUND_CONTINUE);
    http_parser_free(p);
#undef HEAD
}

static void phases(void)
{
    static const char text[] =
        "\r\nPOST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi";
    http_parser *p = http_parser_new(&http_default_limits);
    size_t head = strlen(text) - 2, used;

    for (size_t i = 0; i < strlen(text); i++) {
        http_phase want = i < 2      ? HTTP_PHASE_IDLE
                          : i < head ? HTTP_PHASE_HEAD
                                     : HTTP_PHASE_BODY;

        if (i != 2 && http_parser_phase(p) != want)
            eq_int(http_parser_phase(p), want, "the phase");
        http_parser_feed(p, (const uint8_t *)text + i, 1, &used);
    }
    eq_int(http_parser_phase(p), HTTP_PHASE_IDLE, "and it idles again");
    ok(http_parser_held(p) > 1024, "it holds something");
    http_parser_trim(p);
    ok(http_parser_held(p) < 4096, "and little when it idles");
    http_parser_free(p);
}

static void faults(void)
{
    http_parser *p = parser_of("HEAD / HTTP/1.1\r\n\r\n", HTTP_FOUND_FAULT);
    size_t used = 1;

    ok(http_parser_is_head(p), "a HEAD that is refused is known as one");
    eq_str(http_parser_fault(p)->text, "there is no field Host", "and why");
    eq_int(http_parser_feed(p, (const uint8_t *)"GET", 3, &used),
           HTTP_FOUND_FAULT, "nothing behind it is looked at");
    eq_int(used, 0, "not a byte");
    http_parser_free(p);
    p = parser_of("GET \1", HTTP_FOUND_FAULT);
    ok(!http_parser_is_head(p), "another is not");
    http_parser_free(p);
}

static void smaller_limits(void)
{
    static const http_limits limits = {
        .block = 60, .target = 10, .body = 4, .headers = 2};
    static const struct {
        const char *text;
        unsigned status;
    } table[] = {
        {"GET /12345678 HTTP/1.1\r\nHost: a\r\n\r\n", 0},
        {"GET /123456789 HTTP/1.1\r\nHost: a\r\n\r\n", 0},
        {"GET /1234567890 HTTP/1.1\r\nHost: a\r\n\r\n", 414},
        {"GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n\r\n", 0},
        {"GET / HTTP/1.1\r\nHost: a\r\nA: b\r\nC: d\r\n\r\n", 431},
        {"GET / HTTP/1.1\r\nHost: a\r\nA: 12345678901234567890123456789\r\n"
         "\r\n",
         431},
        {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabcd", 0},
        {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", 413},
    };

    for (unsigned i = 0; i < sizeof table / sizeof *table; i++) {
        http_parser *p = http_parser_new(&limits);
        size_t used;
        http_found found = http_parser_feed(p, (const uint8_t *)table[i].text,
                                            strlen(table[i].text), &used);

        eq_int(http_parser_fault(p)->status, table[i].status, table[i].text);
        eq_int(found,
               table[i].status == 0 ? HTTP_FOUND_REQUEST : HTTP_FOUND_FAULT,
               "as it should be");
        http_parser_free(p);
    }
}

/* Each allocation fails once: a fault, and no leak. */
static void no_memory(void)
{
    static const char text[] =
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000\r\n\r\n";
    uint8_t body[3000] = {0};
    unsigned failed = 0, whole = 0;

    for (uint64_t n = 1; whole == 0; n++) {
        http_found found = HTTP_FOUND_FAULT;
        http_parser *p;
        size_t used;

        uc_mem_fail_nth(n);
        p = http_parser_new(&http_default_limits);
        if (p != NULL) {
            http_parser_feed(p, (const uint8_t *)text, strlen(text), &used);
            found = http_parser_feed(p, body, sizeof body, &used);
            failed += found == HTTP_FOUND_FAULT &&
                      http_parser_fault(p)->status == 503;
            whole += found == HTTP_FOUND_REQUEST;
        } else {
            failed++;
        }
        uc_mem_fail_nth(0);
        http_parser_free(p);
        if (n != failed + whole)
            break;
    }
    eq_int(whole, 1, "without memory a request is refused");
    eq_int(failed, 3, "for each of its allocations");
}

int main(int argc, char **argv)
{
    char dir[1000], path[1100];

    snprintf(dir, sizeof dir, "%s", argv[0]);
    snprintf(path, sizeof path, "%s/http_corpus.tsv", dirname(dir));
    request();
    connection();
    continues();
    phases();
    faults();
    smaller_limits();
    no_memory();
    corpus(argc > 1 ? argv[1] : path);
    return tap_end();
}

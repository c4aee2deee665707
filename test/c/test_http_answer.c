/*
 * Answers → bytes: what one is written as, what is never written, and that
 * those of a connection leave in the order of its requests, whenever they come.
 */
#include <stdlib.h>

#include "common/buf.h"
#include "common/mem.h"
#include "doors/http/order.h"
#include "doors/http/token.h"
#include "tap.h"

#define DATE "Mon, 30 Nov 2026 13:06:44 GMT"

static uc_view view(const char *s)
{
    return (uc_view){(const uint8_t *)s, strlen(s)};
}

/* What was written, as a string that the next call overwrites. */
static const char *text_of(uc_buf *b)
{
    static char text[100000];

    snprintf(text, sizeof text, "%.*s", (int)b->len, (const char *)b->p);
    uc_buf_rewind(b, 0);
    return text;
}

/* ---- one answer ---- */

static void dates(void)
{
    static const struct {
        int64_t ms;
        const char *text;
    } table[] = {
        {0, "Thu, 01 Jan 1970 00:00:00 GMT"},
        {999, "Thu, 01 Jan 1970 00:00:00 GMT"},
        {951782400000, "Tue, 29 Feb 2000 00:00:00 GMT"},
        {1796044004000, "Mon, 30 Nov 2026 13:06:44 GMT"},
        {1796044004999, "Mon, 30 Nov 2026 13:06:44 GMT"},
        {1796044005000, "Mon, 30 Nov 2026 13:06:45 GMT"},
    };
    http_date d = {0};

    for (unsigned i = 0; i < sizeof table / sizeof *table; i++)
        eq_str(http_date_text(&d, table[i].ms), table[i].text, "a date");
}

/* Writes one as a connection that goes on would. */
static bool write_one(uc_buf *b, const http_answer *a, bool is_head)
{
    uc_view body = http_body(a, is_head);

    if (!http_head(b, a, DATE))
        return false;
    http_end(b, HTTP_GOES_ON);
    uc_buf_put(b, body.p, body.len);
    return true;
}

static void forms(void)
{
    const http_header extra[] = {{view("ETag"), view("\"1\"")},
                                 {view("X-A"), view("")}};
    const struct {
        http_answer a;
        bool is_head;
        const char *text, *name;
    } table[] = {
        {{.status = 200, .type = view("application/json"), .body = view("[]")},
         false,
         "HTTP/1.1 200 OK\r\nDate: " DATE
         "\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n[]",
         "an answer"},
        {{.status = 200, .type = view("application/json"), .body = view("[]")},
         true,
         "HTTP/1.1 200 OK\r\nDate: " DATE
         "\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n",
         "one to a HEAD"},
        {{.status = 200},
         false,
         "HTTP/1.1 200 OK\r\nDate: " DATE "\r\nContent-Length: 0\r\n\r\n",
         "an empty one"},
        {{.status = 204, .type = view("text/plain"), .body = view("no")},
         false,
         "HTTP/1.1 204 No Content\r\nDate: " DATE "\r\n\r\n",
         "204 has no body"},
        {{.status = 304, .nheaders = 2, .headers = extra, .body = view("no")},
         false,
         "HTTP/1.1 304 Not Modified\r\nDate: " DATE
         "\r\nETag: \"1\"\r\nX-A: \r\n\r\n",
         "304 has its headers alone"},
        {{.status = 599, .body = view("x")},
         false,
         "HTTP/1.1 599 \r\nDate: " DATE "\r\nContent-Length: 1\r\n\r\nx",
         "a status without a name"},
    };
    uc_buf b;

    uc_buf_init(&b, SIZE_MAX);
    for (unsigned i = 0; i < sizeof table / sizeof *table; i++) {
        ok(write_one(&b, &table[i].a, table[i].is_head), "it can be written");
        eq_str(text_of(&b), table[i].text, table[i].name);
    }
    uc_buf_fini(&b);
}

static void endings(void)
{
    uc_buf b;

    uc_buf_init(&b, SIZE_MAX);
    http_end(&b, HTTP_GOES_ON);
    eq_str(text_of(&b), "\r\n", "a connection of HTTP/1.1 goes on");
    http_end(&b, HTTP_GOES_ON_10);
    eq_str(text_of(&b), "Connection: keep-alive\r\n\r\n", "one of HTTP/1.0");
    http_end(&b, HTTP_ENDS);
    eq_str(text_of(&b), "Connection: close\r\n\r\n", "and one that ends");
    uc_buf_fini(&b);
}

static void sentences(void)
{
    uc_buf text;
    http_answer a;

    uc_buf_init(&text, SIZE_MAX);
    a = http_text(404, "there is no such route", &text);
    eq_int(a.status, 404, "a sentence has its status");
    eq_bytes(a.body.p, a.body.len, "there is no such route\n", 23,
             "and ends with a line feed");
    eq_bytes(a.type.p, a.type.len, "text/plain; charset=utf-8", 25, "its type");
    eq_int(a.nheaders, 0, "and nothing else");
    a = http_text(405, "no", &text);
    eq_bytes(a.headers[0].value.p, a.headers[0].value.len,
             "GET, HEAD, POST, OPTIONS", 24, "405 says what there is");
    ok(http_head(&text, &a, DATE), "which may be sent");
    uc_buf_fini(&text);
}

/* Nothing that an answer says can become a header of ours, or a second answer.
 */
static void refused(void)
{
    static const struct {
        const char *name, *value;
        size_t len;
    } table[] = {
        {"X-A", "a\r\nSet-Cookie: b", 16},
        {"X-A", "a\n", 2},
        {"X-A", "a\r", 2},
        {"X-A", "a\0b", 3},
        {"X-A", "\x1b[0m", 4},
        {"X-A", "a\x7f", 2},
        {"X A", "b", 1},
        {"X-A:", "b", 1},
        {"X-A\r\nB", "b", 1},
        {"", "b", 1},
        {"X-\xc3\xa4", "b", 1},
        {"Content-Length", "3", 1},
        {"content-length", "3", 1},
        {"Transfer-Encoding", "chunked", 7},
        {"Connection", "close", 5},
        {"Keep-Alive", "timeout=1", 9},
        {"Upgrade", "h2c", 3},
        {"Trailer", "x", 1},
        {"Date", "now", 3},
        {"Content-Type", "text/html", 9},
    };
    uc_buf b;

    uc_buf_init(&b, SIZE_MAX);
    for (unsigned i = 0; i < sizeof table / sizeof *table; i++) {
        http_header h = {view(table[i].name),
                         {(const uint8_t *)table[i].value, table[i].len}};
        http_answer a = {.status = 200, .nheaders = 1, .headers = &h};

        ok(!http_head(&b, &a, DATE) && b.len == 0, table[i].name);
    }
    ok(!http_head(&b, &(http_answer){.status = 200, .type = view("a\r\nB: c")},
                  DATE),
       "a type is a value, too");
    for (int c = 0; c < 256; c++) {
        uint8_t byte = (uint8_t)c;
        http_header h = {view("X-A"), {&byte, 1}};
        http_answer a = {.status = 200, .nheaders = 1, .headers = &h};
        bool may = c == '\t' || (c >= 0x20 && c != 0x7f);

        if (http_head(&b, &a, DATE) != may)
            eq_int(c, -1, "a byte of a value");
    }
    uc_buf_fini(&b);
}

static void tokens(void)
{
    static const char separators[] = "\"(),/:;<=>?@[\\]{}";
    unsigned n = 0;

    for (int c = 0; c < 256; c++) {
        bool is = c > 0x20 && c < 0x7f && strchr(separators, c) == NULL;
        int lower = c >= 'A' && c <= 'Z' ? c + 32 : c;

        n += http_token_chars[c] == (is ? lower : 0);
    }
    eq_int(n, 256, "the characters of a token, in lower case");
    ok(http_lists(view("a, close ,b"), "close"), "one of a list");
    ok(!http_lists(view("a, closed, clos e"), "close"), "and no part of one");
    ok(!http_lists(view(""), "close") && !http_lists(view(",,"), "close"),
       "none of none");
}

/* ---- many, in order ---- */

static const http_asked stays = {.keep_alive = true, .minor = 1};

/* The answer "n", as it leaves a connection that goes on. */
static const char *answer_text(unsigned n, const char *how)
{
    static char text[200];
    char body[12];

    snprintf(body, sizeof body, "%u", n);
    snprintf(text, sizeof text,
             "HTTP/1.1 200 OK\r\nDate: " DATE "\r\nContent-Length: %zu\r\n"
             "%s\r\n%s",
             strlen(body), how, body);
    return text;
}

static http_ordered answer(http_order *o, uint32_t number, uc_buf *out)
{
    char body[12];

    snprintf(body, sizeof body, "%u", number);
    return http_order_answer(o, number,
                             &(http_answer){.status = 200, .body = view(body)},
                             DATE, out);
}

static void in_order(void)
{
    http_order o = {0};
    uc_buf out;

    uc_buf_init(&out, SIZE_MAX);
    for (uint32_t i = 1; i <= 3; i++)
        eq_int(http_order_add(&o, &stays), i, "requests are numbered");
    eq_int(answer(&o, 2, &out), HTTP_ORDER_OK, "the second is answered first");
    eq_int(out.len, 0, "and waits");
    ok(o.held > 0, "in memory");
    eq_int(answer(&o, 2, &out), HTTP_ORDER_UNKNOWN, "only once");
    eq_int(answer(&o, 1, &out), HTTP_ORDER_OK, "then the first");
    ok(strncmp(text_of(&out), answer_text(1, ""), strlen(answer_text(1, ""))) ==
           0,
       "is in front");
    eq_int(o.held, 0, "nothing waits");
    eq_int(o.n, 1, "one is under way");
    answer(&o, 3, &out);
    eq_str(text_of(&out), answer_text(3, ""), "the third is in turn");
    for (uint32_t number = 0; number < 6; number++)
        eq_int(answer(&o, number, &out), HTTP_ORDER_UNKNOWN,
               "nobody waits for others");
    eq_int(out.len, 0, "nothing is written for them");
    http_order_fini(&o);
    uc_buf_fini(&out);
}

/* Every request is answered once and in turn, whatever the order is. */
static void any_order(void)
{
    http_order o = {0};
    uint32_t asked = 0, open[HTTP_UNDER_WAY], n = 0, seen = 0, i;
    bool good = true;
    uc_buf out;

    uc_buf_init(&out, SIZE_MAX);
    tap_seed(20);
    while (good && seen < 5000) {
        size_t at = 0;

        if (tap_random() % 3 > 0 && http_order_has_room(&o)) {
            open[n++] = http_order_add(&o, &stays);
            good = open[n - 1] == ++asked;
            continue;
        }
        if (n == 0)
            continue;
        i = (uint32_t)(tap_random() % n);
        good = answer(&o, open[i], &out) == HTTP_ORDER_OK;
        open[i] = open[--n];
        while (good && at < out.len) {
            const char *want = answer_text(++seen, "");
            size_t len = strlen(want);

            good = out.len - at >= len && memcmp(out.p + at, want, len) == 0;
            at += len;
        }
        uc_buf_rewind(&out, 0);
        good = good && o.n == asked - seen && o.cap <= HTTP_UNDER_WAY;
    }
    ok(good, "any order of answers leaves in that of the requests");
    http_order_fini(&o);
    uc_buf_fini(&out);
}

static void the_last(void)
{
    http_order o = {0};
    uc_buf out;

    uc_buf_init(&out, SIZE_MAX);
    for (int i = 0; i < HTTP_UNDER_WAY; i++)
        http_order_add(&o, &stays);
    ok(!http_order_has_room(&o), "64 are under way, and no more");
    http_order_fini(&o);

    http_order_add(&o, &stays);
    http_order_add(&o, &(http_asked){.minor = 1});
    ok(!http_order_has_room(&o), "behind a request that closes there is none");
    answer(&o, 2, &out);
    answer(&o, 1, &out);
    eq_str(strstr(text_of(&out), "Connection"), "Connection: close\r\n\r\n2",
           "whose answer says so");
    ok(o.ended, "and it is known that it has");
    http_order_fini(&o);

    http_order_add(&o, &(http_asked){.keep_alive = true});
    answer(&o, 1, &out);
    eq_str(text_of(&out), answer_text(1, "Connection: keep-alive\r\n"),
           "HTTP/1.0 has to be told that it goes on");
    ok(!o.ended, "which is no end");
    http_order_fini(&o);

    for (int i = 0; i < 3; i++)
        http_order_add(&o, &stays);
    answer(&o, 2, &out);
    answer(&o, 3, &out);
    o.draining = true;
    answer(&o, 1, &out);
    eq_str(strstr(text_of(&out), "Connection"), "Connection: close\r\n\r\n3",
           "of a drain, the last says so, and it alone");
    http_order_fini(&o);

    o.last = HTTP_REQUESTS - 1;
    http_order_add(&o, &stays);
    ok(!http_order_has_room(&o), "a connection ends before its numbers do");
    answer(&o, HTTP_REQUESTS, &out);
    ok(strstr(text_of(&out), "Connection: close") != NULL, "and says so");
    http_order_fini(&o);
    uc_buf_fini(&out);
}

static void interim(void)
{
    static const char hundred[] = "HTTP/1.1 100 Continue\r\n\r\n";
    http_order o = {0};
    uc_buf out;

    uc_buf_init(&out, SIZE_MAX);
    http_order_add(&o, &stays);
    http_order_wait(&o, true, &out);
    eq_str(text_of(&out), hundred, "who is in turn may send the body");
    answer(&o, 1, &out);
    eq_str(text_of(&out), answer_text(1, ""), "and is told no second time");
    http_order_add(&o, &stays);
    http_order_add(&o, &stays);
    http_order_wait(&o, true, &out);
    eq_int(out.len, 0, "who is not waits");
    answer(&o, 2, &out);
    eq_str(strstr(text_of(&out), "HTTP/1.1 100"), hundred,
           "for the answer before");
    http_order_wait(&o, false, &out);
    answer(&o, 3, &out);
    eq_str(text_of(&out), answer_text(3, ""), "and the answer comes");
    http_order_add(&o, &stays);
    http_order_add(&o, &stays);
    http_order_wait(&o, true, &out);
    http_order_wait(&o, false, &out);
    answer(&o, 4, &out);
    eq_str(text_of(&out), answer_text(4, ""),
           "a body that has come needs no leave");
    http_order_fini(&o);

    http_order_add(&o, &(http_asked){.minor = 1});
    ok(!http_order_has_room(&o), "nothing is taken behind the last");
    http_order_wait(&o, true, &out);
    ok(http_order_has_room(&o), "but its body, when that is to come");
    http_order_wait(&o, false, &out);
    ok(!http_order_has_room(&o), "and no more");
    http_order_wait(&o, true, &out);
    http_order_close(&o);
    ok(!http_order_has_room(&o), "nor when the connection has to end");
    http_order_fini(&o);
    uc_buf_fini(&out);
}

/* A header that may not be sent leaves the request unanswered, in turn or not.
 */
static void second_try(void)
{
    http_header bad = {view("X-A"), view("a\nb")};
    http_answer a = {.status = 200, .nheaders = 1, .headers = &bad};
    http_order o = {0};
    uc_buf out;

    uc_buf_init(&out, SIZE_MAX);
    http_order_add(&o, &stays);
    http_order_add(&o, &stays);
    for (uint32_t number = 2; number > 0; number--) {
        eq_int(http_order_answer(&o, number, &a, DATE, &out),
               HTTP_ORDER_REFUSED, "it is refused");
        eq_int(out.len, 0, "and nothing is written");
        eq_int(answer(&o, number, &out), HTTP_ORDER_OK, "another is taken");
    }
    eq_int(o.n, 0, "both are answered");
    http_order_fini(&o);
    uc_buf_fini(&out);
}

static void no_memory(void)
{
    unsigned failed = 0;

    for (uint64_t n = 1;; n++) {
        http_order o = {0};
        bool good;
        uc_buf out;

        uc_buf_init(&out, SIZE_MAX);
        uc_mem_fail_nth(n);
        good = http_order_add(&o, &stays) != 0 &&
               http_order_add(&o, &stays) != 0 &&
               answer(&o, 2, &out) == HTTP_ORDER_OK &&
               answer(&o, 1, &out) == HTTP_ORDER_OK;
        uc_mem_fail_nth(0);
        http_order_fini(&o);
        uc_buf_fini(&out);
        if (good)
            break;
        failed++;
    }
    eq_int(failed, 3, "without memory it is said, and nothing leaks");
}

/* Lines that are written once stand for what they were written from. */
static void ready(void)
{
    const http_header own = {view("etag"), view("\"a\"")};
    const http_header bad = {view("etag"), view("a\r\nb: c")};
    http_answer a = {.status = 200,
                     .type = view("text/plain"),
                     .body = view("words"),
                     .nheaders = 1,
                     .headers = &own};
    uc_buf lines, one, other;

    uc_buf_init(&lines, SIZE_MAX);
    uc_buf_init(&one, SIZE_MAX);
    uc_buf_init(&other, SIZE_MAX);
    ok(http_lines(&lines, &a), "lines of a type and a header");
    ok(write_one(&one, &a, false), "an answer with both");
    a = (http_answer){
        .status = 200, .body = a.body, .ready = {lines.p, lines.len}};
    ok(write_one(&other, &a, false), "and one with those lines");
    eq_bytes(other.p, other.len, one.p, one.len, "are the same");
    uc_buf_rewind(&lines, 0);
    a = (http_answer){.status = 200, .nheaders = 1, .headers = &bad};
    ok(!http_lines(&lines, &a) && lines.len == 0, "what may not be sent");
    uc_buf_fini(&lines);
    uc_buf_fini(&one);
    uc_buf_fini(&other);
}

/* What the door has put behind a route's headers is not looked at again; what
 * is in front of it is. */
static void own_headers(void)
{
    http_header two[] = {{view("a"), view("b")}, {view("x"), view("\n")}};
    http_answer a = {.status = 200, .nheaders = 2, .nown = 1, .headers = two};
    uc_buf b;

    uc_buf_init(&b, SIZE_MAX);
    ok(http_head(&b, &a, "now"), "the last is the door's own");
    a.nown = 0;
    ok(!http_head(&b, &a, "now"), "and is a route's where it is not");
    two[0].value = view("\n");
    a.nown = 1;
    ok(!http_head(&b, &a, "now"), "those in front are a route's");
    uc_buf_fini(&b);
}

int main(void)
{
    dates();
    ready();
    forms();
    endings();
    sentences();
    refused();
    tokens();
    in_order();
    any_order();
    the_last();
    interim();
    second_try();
    no_memory();
    own_headers();
    return tap_end();
}

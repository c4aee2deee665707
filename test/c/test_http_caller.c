/* Names of hosts, trusted proxies, and pages of other origins. */
#include <stdio.h>
#include <string.h>

#include "doors/http/caller.h"
#include "doors/http/cors.h"
#include "tap.h"

static uc_view view(const char *s)
{
    return (uc_view){(const uint8_t *)s, strlen(s)};
}

/* ---- hosts ---- */

static void hosts(void)
{
    static char first[] = "shop.example", second[] = "odd.example:81";
    char *const names[] = {first, second};
    const http_hosts h = {.n = 2, .names = names};
    static const struct {
        const char *host;
        bool ours;
    } cases[] = {
        {"127.0.0.1", true},
        {"127.0.0.1:4000", true},
        {"10.9.8.7", true},
        {"[::1]", true},
        {"[::1]:4000", true},
        {"[fe80::1]:4000", true},
        {"localhost", true},
        {"LOCALHOST:1", true},
        {"shop.example", true},
        {"Shop.Example:443", true},
        {"odd.example:81", true},
        {"", false},
        {":80", false},
        {"odd.example", false},
        {"odd.example:82", false},
        {"shop.example.", false},
        {"a.shop.example", false},
        {"localhost.example", false},
        {"127.0.0.1.example", false},
        {"127.1", false},
        {"0x7f000001", false},
        {"2130706433", false},
        {"[::1", false},
        {"[::1]x", false},
        {"[shop.example]", false},
        {"::1", false},
    };

    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
        ok(http_host_is_ours(&h, view(cases[i].host)) == cases[i].ours,
           cases[i].host);
    ok(http_host_is_ours(&(http_hosts){.any = true}, view("a.example")),
       "any host");
}

/* ---- proxies ---- */

static void caller(const http_trust *t, const char *peer, const char *first,
                   const char *second, const char *wanted)
{
    static http_request q;
    char room[HTTP_IP], text[HTTP_IP + 1];
    uc_view found;

    q.nheaders = second != NULL ? 2 : 1;
    q.headers[0] = (http_header){view("x-forwarded-for"), view(first)};
    if (second != NULL)
        q.headers[1] = (http_header){view("x-forwarded-for"), view(second)};
    found = http_caller(t, view(peer), &q, room);
    snprintf(text, sizeof text, "%.*s", (int)found.len, (const char *)found.p);
    eq_str(text, wanted, first);
}

static void proxies(void)
{
    static const char *const wrong[] = {
        "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0/8",
        "::1/129",     "example",   "10.0.0.0/8x", "",
        "*",           "/8",
    };
    http_trust t = {0}, none = {0};
    char many[200] = "6.6.6.6";

    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++)
        ok(!http_trust_add(&t, wrong[i]), wrong[i]);
    ok(http_trust_add(&t, "loopback") && http_trust_add(&t, "10.0.0.0/9") &&
           http_trust_add(&t, "2001:db8::/33") && http_trust_add(&t, "9.9.9.9"),
       "networks");
    ok(http_trust_has(&t, view("10.127.255.255")), "in one");
    ok(!http_trust_has(&t, view("10.128.0.0")), "beside it");
    ok(http_trust_has(&t, view("2001:db8:7fff::1")), "in one of IPv6");
    ok(!http_trust_has(&t, view("2001:db8:8000::1")), "beside it");
    ok(http_trust_has(&t, view("9.9.9.9")), "an address");
    ok(!http_trust_has(&t, view("9.9.9.8")), "another");
    ok(!http_trust_has(&t, view("")), "a unix socket is not trusted");
    ok(http_trust_add(&t, "unix") && http_trust_has(&t, view("")),
       "until it is");
    caller(&none, "127.0.0.1", "1.1.1.1", NULL, "127.0.0.1");
    caller(&none, "", "1.1.1.1", NULL, "");
    caller(&t, "8.8.8.8", "1.1.1.1", NULL, "8.8.8.8");
    caller(&t, "127.0.0.1", "1.1.1.1", NULL, "1.1.1.1");
    caller(&t, "", "2.2.2.2,1.1.1.1", NULL, "1.1.1.1");
    caller(&t, "", "2.2.2.2, 1.1.1.1 ,\t10.1.1.1", NULL, "1.1.1.1");
    caller(&t, "", "2.2.2.2, 1.1.1.1", "10.1.1.1", "1.1.1.1");
    caller(&t, "", "2.2.2.2", "1.1.1.1, 10.1.1.1", "1.1.1.1");
    caller(&t, "", "10.2.2.2, 10.1.1.1", NULL, "10.2.2.2");
    caller(&t, "", "1.1.1.1, who", NULL, "");
    caller(&t, "", "1.1.1.1, who, 10.1.1.1", NULL, "10.1.1.1");
    caller(&t, "127.0.0.1", "", NULL, "127.0.0.1");
    caller(&t, "", "1.1.1.1:80", NULL, "1.1.1.1");
    caller(&t, "", "[2001:db8:9000::1]:80", NULL, "2001:db8:9000::1");
    caller(&t, "", "2001:db8:9000::1", NULL, "2001:db8:9000::1");
    caller(&t, "", "::ffff:1.1.1.1", NULL, "1.1.1.1");
    for (int i = 0; i < 12; i++)
        strcat(many, ", 10.1.1.1");
    caller(&t, "", many, NULL, "6.6.6.6");
    caller(&t, "", many, many, "6.6.6.6");
    http_trust_fini(&t);
}

/* ---- pages ---- */

static void origins(void)
{
    static const struct {
        const char *text;
        bool is_one;
    } cases[] = {
        {"https://shop.example", true},
        {"http://localhost:5173", true},
        {"http://127.0.0.1:80", false},
        {"http://127.0.0.1:443", true},
        {"https://a.example:443", false},
        {"https://a.example:80", true},
        {"http://[::1]:3000", true},
        {"http://[::1", false},
        {"*", false},
        {"null", false},
        {"", false},
        {"https://", false},
        {"https://Shop.example", false},
        {"https://shop.example/", false},
        {"https://shop.example:", false},
        {"https://shop.example:0443", false},
        {"https://shop.example:123456", false},
        {"https://user@shop.example", false},
        {"ftp://shop.example", false},
    };
    static char listed[] = "https://shop.example";
    char *const list[] = {listed};
    const http_origins o = {1, list};
    static http_request q;
    http_header headers[HTTP_CORS_HEADERS];
    http_origin of;

    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
        ok(http_origin_is_one(cases[i].text) == cases[i].is_one, cases[i].text);
    q.verb = HTTP_VERB_OPTIONS;
    q.nheaders = 2;
    q.headers[0] = (http_header){view("origin"), view(listed)};
    q.headers[1] =
        (http_header){view("access-control-request-method"), view("POST")};
    of = http_origin_of(&o, &q);
    ok(of.listed == 1 && of.is_preflight, "a preflight of a listed page");
    eq_int(http_cors_dress(&o, of, view("POST"), view("a"), headers, 0), 7,
           "is told all");
    eq_int(http_cors_dress(&o, of, view(""), view("a"), headers, 0), 4,
           "and of a path that is not there little");
    q.headers[0].value = view("https://evil.example");
    of = http_origin_of(&o, &q);
    ok(of.listed == 0 && !of.is_preflight, "another page");
    eq_int(http_cors_dress(&o, of, view("POST"), view("a"), headers, 0), 1,
           "is told nothing but Vary");
    q.headers[1] = q.headers[0] = (http_header){view("origin"), view(listed)};
    ok(http_origin_of(&o, &q).listed == 0, "who has two is none");
}

int main(void)
{
    hosts();
    proxies();
    origins();
    return tap_end();
}

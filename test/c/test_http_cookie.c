/* The token of a session among the cookies of a request: the cases of
 * test/kit/cookie.test.js, for the reader in C. */
#include <string.h>

#include "doors/http/cookie.h"
#include "tap.h"

#define TOKEN "iU7eiu_aWDo7D-6w5-K-Wz2Znp8hXSqUccYBUcFhKMc"
#define OTHER "AU7eiu_aWDo7D-6w5-K-Wz2Znp8hXSqUccYBUcFhKMc"
#define CUT "iU7eiu_aWDo7D-6w5-K-Wz2Znp8hXSqUccYBUcFhKM"

static uc_view view(const char *s)
{
    return (uc_view){(const uint8_t *)s, strlen(s)};
}

static void add(http_request *q, const char *name, const char *value)
{
    if (value != NULL)
        q->headers[q->nheaders++] = (http_header){view(name), view(value)};
}

static bool found(const char *first, const char *second, const char *name,
                  uc_view *token)
{
    static http_request q;

    q = (http_request){0};
    add(&q, "host", "localhost");
    add(&q, "cookie", first);
    add(&q, "cookie", second);
    ok(http_cookie_is_there(&q) == (first != NULL), "cookies are seen");
    return http_cookie(&q, name, token);
}

static void there(const char *header)
{
    uc_view token;

    ok(found(header, NULL, "sid", &token) && uc_view_is(token, TOKEN), header);
}

static void not_there(const char *header)
{
    uc_view token;

    ok(!found(header, NULL, "sid", &token), header != NULL ? header : "none");
}

static void headers(void)
{
    static const char *const with[] = {
        "sid=" TOKEN,
        "sid=\"" TOKEN "\"",
        " sid = " TOKEN " ",
        "\tsid\t=\t" TOKEN "\t",
        "sid=" TOKEN ";",
        ";;sid=" TOKEN ";;",
        "a=1; sid=" TOKEN "; b=2",
        "a=1;sid=" TOKEN ";b=2",
        "a=\"x; sid=" TOKEN,
        "a==; sid=" TOKEN,
        "=; sid=" TOKEN,
        "sid; sid=" TOKEN,
        "sid=" TOKEN "; sid=" TOKEN,
        "sid=" TOKEN "; SID=" OTHER,
        "sid=" TOKEN "; sid2=" OTHER "; xsid=" OTHER,
        "sid=" TOKEN "; __Host-sid=" OTHER,
    };
    static const char *const without[] = {
        NULL,
        "",
        ";",
        "=",
        "sid",
        "sid=",
        "sid=" CUT,
        "sid=" TOKEN "x",
        "sid=" TOKEN "=",
        "sid=\"" TOKEN,
        "sid=" TOKEN "\"",
        "sid=\"\"" TOKEN "\"\"",
        "sid='" TOKEN "'",
        "sid=" CUT "+",
        "sid=" CUT " ",
        "sid=" CUT "\xd9",
        "sid=%69" CUT,
        "SID=" TOKEN,
        "a=1, sid=" TOKEN,
        "sid\xa0=" TOKEN,
        "sid=" TOKEN "; sid=" OTHER,
        "sid=" TOKEN "; sid=",
        "sid=; sid=" TOKEN,
        "sid=" TOKEN "; sid=x",
        "__Host-sid=" TOKEN,
        "$Version=1; $sid=" TOKEN,
    };

    for (unsigned i = 0; i < sizeof with / sizeof *with; i++)
        there(with[i]);
    for (unsigned i = 0; i < sizeof without / sizeof *without; i++)
        not_there(without[i]);
}

static void several(void)
{
    uc_view token;

    ok(found("a=1", "sid=" TOKEN, "sid", &token) && uc_view_is(token, TOKEN),
       "the second header counts as well");
    ok(!found("sid=" TOKEN, "sid=" OTHER, "sid", &token),
       "two that differ are nobody's, in whatever headers");
    ok(found("sid=" OTHER "; __Host-sid=" TOKEN, NULL, "__Host-sid", &token) &&
           uc_view_is(token, TOKEN),
       "behind https that of this very host");
    ok(!found("sid=" TOKEN, NULL, "__Host-sid", &token), "and no other");
}

static void names(void)
{
    static const char longest[] = "a123456789012345678901234567890123456789"
                                  "012345678901234567890123";
    http_cookie_names n;

    ok(http_cookie_name(&n, "shop_1-a"), "a name");
    eq_str(n.plain, "shop_1-a", "as it is");
    eq_str(n.host, "__Host-shop_1-a", "behind https");
    ok(http_cookie_name(&n, longest) && strlen(n.host) == 64 + 7,
       "the longest");
    ok(!http_cookie_name(&n, "a1234567890123456789012345678901234567890123456"
                             "789012345678901234"),
       "longer");
    ok(!http_cookie_name(&n, "") && !http_cookie_name(&n, "a b") &&
           !http_cookie_name(&n, "a=") && !http_cookie_name(&n, "\xc3\xa9"),
       "none");
}

int main(void)
{
    headers();
    several();
    names();
    return tap_end();
}

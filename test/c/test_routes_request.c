/* Requests: queries, bodies, headers, and what is answered to those that are
 * refused. */
#define _GNU_SOURCE
#include "common/thread.h"
#include "routes/json.h"
#include "routes_requests.h"

static const text_case queries[] = {
    {"name=2---&ps=10&id=354757&age=4", "'2---' 4 354757 10 absent"},
    {"name=a&age=0", "'a' 0 0* 10* absent"},
    {"age=0&name=a", "'a' 0 0* 10* absent"},
    {"name=a&age=0&", "'a' 0 0* 10* absent"},
    {"&&name=a&&age=0", "'a' 0 0* 10* absent"},
    {"name=a=b&age=0", "'a=b' 0 0* 10* absent"},
    {"name=a?b&age=0", "'a?b' 0 0* 10* absent"},
    {"name=a+b&age=0", "'a b' 0 0* 10* absent"},
    {"name=a%20b&age=0", "'a b' 0 0* 10* absent"},
    {"name=a%2Bb%2b%26%3D%25&age=0", "'a+b+&=%' 0 0* 10* absent"},
    {"name=a%2541&age=0", "'a%41' 0 0* 10* absent"},
    {"name=%C3%BC&age=%34", "'\xc3\xbc' 4 0* 10* absent"},
    {"name=\xc3\xbc&age=4", "'\xc3\xbc' 4 0* 10* absent"},
    {"n%61me=a&age=0", "'a' 0 0* 10* absent"},
    {"", "PARAMS name: is missing\nage: is missing"},
    {"&", "PARAMS name: is missing\nage: is missing"},
    {"name", "PARAMS name: must have 1 to 64 characters\nage: is missing"},
    {"name=&age",
     "PARAMS name: must have 1 to 64 characters\nage: must be an integer"},
    {"name=a&age=151&ps=0&id=-1",
     "PARAMS age: must be between 0 and 150\nid: must be at least 0\n"
     "ps: must be between 1 and 100"},
    {"age=4&age=5&name=a", "PARAMS age: was given twice"},
    {"age=4&age=4&name=a", "PARAMS age: was given twice"},
    {"name=a&age=4&n%61me=b", "PARAMS name: was given twice"},
    {"age=4&name=a&age=x&age=9", "PARAMS age: was given twice"},
    {"name=%&age=4", "PARAMS name: has a % without two hexadecimal digits"},
    {"name=%4&age=4", "PARAMS name: has a % without two hexadecimal digits"},
    {"name=%zz&age=4", "PARAMS name: has a % without two hexadecimal digits"},
    {"name=%4g&age=4", "PARAMS name: has a % without two hexadecimal digits"},
    {"name=%u0041&age=4",
     "PARAMS name: has a % without two hexadecimal digits"},
    {"name=%ff&age=4", "PARAMS name: must be valid UTF-8"},
    {"name=%ed%a0%80&age=4", "PARAMS name: must be valid UTF-8"},
    {"name=%00&age=4%00", "PARAMS name: must not contain a NUL character\n"
                          "age: must not contain a NUL character"},
    {"name=a&age=+4", "PARAMS age: must be an integer"},
    {"name=a&age=4&x=1", "PARAMS x: is unknown"},
    {"x=1&name=&y", "PARAMS name: must have 1 to 64 characters\n"
                    "age: is missing\nx: is unknown\ny: is unknown"},
    {"name=a&age=4&x=1&x=2", "PARAMS x: is unknown"},
    {"name=a&age=4&=1", "PARAMS \"\": is unknown"},
    {"name=a&age=4&Name=b", "PARAMS Name: is unknown"},
    {"name=a&age=4&name%20=b", "PARAMS name : is unknown"},
    {"name=a&age=4&name[]=b", "PARAMS name[]: is unknown"},
    {"name=a&age=4&_now=1", "PARAMS _now: is unknown"},
    {"name=a&age=4&:_now=1", "PARAMS :_now: is unknown"},
    {"name=a&age=4&_user=1", "PARAMS _user: is unknown"},
    {"name=a&age=4&a%0a%0d%1b%7f%c2%85%e2%80%a8%e2%80%ae%e2%81%a6b=1",
     "PARAMS a????????b: is unknown"},
    {"name=a&age=4&a%ffb%00=1", "PARAMS a\xef\xbf\xbd"
                                "b?: is unknown"},
    {"name=a&age=4&a%zz=1", "PARAMS a%zz: is unknown"},
    {"name=a&age=4&"
     "0123456789012345678901234567890123456789=1",
     "PARAMS 0123456789012345678901234567890123456789: is unknown"},
    {"name=a&age=4&"
     "01234567890123456789012345678901234567890=1",
     "PARAMS 0123456789012345678901234567890123456789...: is unknown"},
    {"name=a&age=4&a&b&c&d&e&f&g&h",
     "PARAMS a: is unknown\nb: is unknown\nc: is unknown\nd: is unknown\n"
     "e: is unknown\nf: is unknown\ng: is unknown\nh: is unknown"},
    {"name=a&age=4&a&b&c&d&e&f&g&h&i&j",
     "PARAMS a: is unknown\nb: is unknown\nc: is unknown\nd: is unknown\n"
     "e: is unknown\nf: is unknown\ng: is unknown\nh: is unknown\n"
     "query: has 2 more unknown parameters"},
};

static const text_case bodies[] = {
    {"{\"id\":1}", "1 absent absent absent absent"},
    {" { \"id\" : 1 } \n", "1 absent absent absent absent"},
    {"{\"id\":1,\"name\":\"a\",\"age\":4}", "1 'a' 4 absent absent"},
    {"{\"id\":1,\"name\":null,\"age\":null,\"data\":null}",
     "1 null null null absent"},
    {"{\"id\":1,\"data\":{\"b\":[],\"a\":{\"id\":1}}}",
     "1 absent absent '{\"a\":{\"id\":1},\"b\":[]}' absent"},
    {"{\"\\u0069d\":1}", "1 absent absent absent absent"},
    {"", "PARAMS id: is missing"},
    {"{}", "PARAMS id: is missing"},
    {"{\"id\":null}", "PARAMS id: must not be null"},
    {"{\"id\":\"1\",\"name\":5,\"age\":4.5}",
     "PARAMS id: must be an integer\nname: must be a string\n"
     "age: must be an integer"},
    {"{\"x\":1,\"_user\":2,\"id\":0,\"\":3}",
     "PARAMS id: must be at least 1\nx: is unknown\n_user: is unknown\n"
     "\"\": is unknown"},
    {"{\"id\":1,\"constructor\":{},\"__proto__\":{}}",
     "PARAMS constructor: is unknown\n__proto__: is unknown"},
    {"{\"id\":1,\"a\":0,\"b\":0,\"c\":0,\"d\":0,\"e\":0,\"f\":0,\"g\":0,"
     "\"h\":0,\"i\":0}",
     "PARAMS a: is unknown\nb: is unknown\nc: is unknown\nd: is unknown\n"
     "e: is unknown\nf: is unknown\ng: is unknown\nh: is unknown\n"
     "body: has 1 more unknown parameters"},
    {"[]", "PARAMS body: must be a JSON object"},
    {"1", "PARAMS body: must be a JSON object"},
    {"null", "PARAMS body: must be a JSON object"},
    {"\"id\"", "PARAMS body: must be a JSON object"},
    {" ", "PARAMS body: is not valid JSON (line 1, column 1)"},
    {"id=1", "PARAMS body: is not valid JSON (line 1, column 2)"},
    {"{\"id\":1", "PARAMS body: is not valid JSON (line 1, column 7)"},
    {"{\"id\":1}}", "PARAMS body: is not valid JSON (line 1, column 9)"},
    {"{\"id\":1}{}", "PARAMS body: is not valid JSON (line 1, column 9)"},
    {"{\n \"id\":01}", "PARAMS body: is not valid JSON (line 2, column 7)"},
    {"{\"id\":1,}", "PARAMS body: is not valid JSON (line 1, column 9)"},
    {"{'id':1}", "PARAMS body: is not valid JSON (line 1, column 2)"},
    {"{id:1}", "PARAMS body: is not valid JSON (line 1, column 3)"},
    {"{\"id\":NaN}", "PARAMS body: is not valid JSON (line 1, column 9)"},
    {"{\"id\":+1}", "PARAMS body: is not valid JSON (line 1, column 7)"},
    {"{\"id\":1} // one", "PARAMS body: is not valid JSON (line 1, column 10)"},
    {"\xef\xbb\xbf{\"id\":1}",
     "PARAMS body: is not valid JSON (line 1, column 1)"},
    {"{\"name\":\"\\ud800\"}",
     "PARAMS body: is not valid JSON (line 1, column 16)"},
    {"{\"name\":\"\\udc00\"}",
     "PARAMS body: is not valid JSON (line 1, column 16)"},
    {"{\"name\":\"\\ud800\\u0041\"}",
     "PARAMS body: is not valid JSON (line 1, column 22)"},
    {"{\"name\":\"a\nb\"}",
     "PARAMS body: is not valid JSON (line 1, column 10)"},
    {"{\"name\":\"\\x41\"}",
     "PARAMS body: is not valid JSON (line 1, column 11)"},
    {"{\"name\":\"\xff\"}",
     "PARAMS body: is not valid UTF-8 (line 1, column 9)"},
    {"{\"name\":\"\xed\xa0\x80\"}",
     "PARAMS body: is not valid UTF-8 (line 1, column 9)"},
    {"{\"id\":9223372036854775808}",
     "PARAMS body: has a number that is too large (line 1, column 25)"},
    {"{\"id\":-9223372036854775809}",
     "PARAMS body: has a number that is too large (line 1, column 26)"},
    {"{\"id\":1e999}",
     "PARAMS body: has a number that is too large (line 1, column 11)"},
    {"{\"i\\u0000d\":1}",
     "PARAMS body: has a key with a NUL character (line 1, column 11)"},
    {"{\"id\":1,\"id\":1}", "PARAMS id: was given twice"},
    {"{\"id\":1, \"name\" : \"{\\\"\", \"name\" : 2, \"x\":",
     "PARAMS name: was given twice"},
    {"{\"x\":1,\"x\":1}", "PARAMS body: has a key twice (line 1, column 10)"},
    {"{\"id\":1,\"\\u0069d\":1}",
     "PARAMS body: has a key twice (line 1, column 17)"},
    {"{\"id\":1,\"data\":{\"id\":1,\"id\":2}}",
     "PARAMS body: has a key twice (line 1, column 27)"},
};

/* An unknown name of many long characters is cut between two of them. */
static void long_name(void)
{
    char search[1000] = "name=a&age=4&", want[1000] = "PARAMS ";

    for (int i = 0; i < 200; i++)
        strcat(search, "\xf0\x9f\x98\x80");
    for (int i = 0; i < 40; i++)
        strcat(want, "\xf0\x9f\x98\x80");
    strcat(want, "...: is unknown");
    eq_str(get(&query, search), want, "a long unknown name is cut");
}

static void all_requests(void)
{
    char name[200];

    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        snprintf(name, sizeof name, "?%.80s", queries[i].in);
        eq_str(get(&query, queries[i].in), queries[i].want, name);
    }
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        snprintf(name, sizeof name, "body %.80s", bodies[i].in);
        for (char *p = name; *p != '\0'; p++)
            *p = *p == '\n' ? ' ' : *p;
        eq_str(post(&set, bodies[i].in), bodies[i].want, name);
    }
    eq_str(take(&set, (uc_view){0}, IS_JSON, (uc_view)V("{\"id\":1}\0")),
           "PARAMS body: is not valid JSON (line 1, column 9)",
           "a NUL behind the body");
    eq_str(take(&set, (uc_view)V("id=1"), IS_JSON, (uc_view)V("{\"id\":1}")),
           "PARAMS query: a POST takes its parameters from the body",
           "a POST with a query");
    eq_str(take(&query, (uc_view)V("name=a&age=4"), "", (uc_view)V("{}")),
           "PARAMS body: a GET takes none", "a GET with a body");
    long_name();
}

static char *repeated(const char *s, size_t n, const char *end)
{
    size_t len = strlen(s);
    char *p = malloc(len * n + strlen(end) + 20);

    strcpy(p, "{\"id\":1,\"data\":");
    for (size_t i = 0, at = strlen(p); i < n; i++, at += len)
        memcpy(p + at, s, len + 1);
    strcat(p, end);
    return p;
}

/* Of a body, each of the bounds: what still fits and what does not. */
static void body_bounds(void)
{
    char *body, *closing;

    closing = malloc(100);
    memset(closing, ']', 63);
    strcpy(closing + 63, "}");
    body = repeated("[", 63, closing);
    ok(strncmp(post(&set, body), "1 ", 2) == 0, "64 levels deep");
    free(body);
    memset(closing, ']', 64);
    strcpy(closing + 64, "}");
    body = repeated("[", 64, closing);
    eq_str(post(&set, body), "PARAMS body: nests more than 64 levels deep",
           "65 levels deep");
    free(body);
    body = repeated("[", 90000, "");
    eq_str(post(&set, body), "PARAMS body: nests more than 64 levels deep",
           "without an end");
    free(body);
    free(closing);
    body = repeated("[", 1, "\"[[[[,,,,\\\"[[[\"]}");
    ok(strncmp(post(&set, body), "1 ", 2) == 0,
       "what is in a string nests not");
    free(body);
    body = repeated("0,", 45000, "");
    memcpy(body, "{\"id\":1,\"data\":[0,0,", 20);
    ok(strstr(post(&set, body), "is not valid JSON") != NULL,
       "many values, cut off");
    free(body);
    body = repeated(",{}", 60000, "]}");
    body[15] = '[';
    ok(strncmp(post(&set, body), "1 ", 2) == 0, "what takes most memory");
    free(body);
    /* The body itself, id, data and its entries. */
    body = repeated(",0", UC_JSON_VALUES - 3, "]}");
    body[15] = '[';
    ok(strncmp(post(&set, body), "1 ", 2) == 0,
       "as many values as there may be");
    free(body);
    body = repeated(",0", UC_JSON_VALUES - 2, "]}");
    body[15] = '[';
    eq_str(post(&set, body), "PARAMS body: has more than 65536 values",
           "one value more");
    body = realloc(body, BODY_MOST + 2);
    memset(body, ' ', BODY_MOST + 1);
    memcpy(body, "{\"id\":1}", 8);
    body[BODY_MOST + 1] = '\0';
    eq_str(post(&set, body), "BODY_SIZE body: must have at most 200000 bytes",
           "one byte more");
    body[BODY_MOST] = '\0';
    eq_str(post(&set, body), "1 absent absent absent absent",
           "as many bytes as there may be");
    free(body);
}

/* ---- headers ------------------------------------------------------------- */

#define ELSEWHERE "ORIGIN origin: a page of another site may not post here"
#define NOT_JSON "PARAMS content-type: must be application/json"
#define TAKEN "1 absent absent absent absent"

static const text_case posts[] = {
    {IS_JSON, TAKEN},
    {IS_JSON ";charset=utf-8", TAKEN},
    {IS_JSON " ; charset=UTF-8 ", TAKEN},
    {IS_JSON "; charset=\"utf-8\"", TAKEN},
    {"content-type: Application/JSON", TAKEN},
    {"", NOT_JSON},
    {"content-type: ", NOT_JSON},
    {"content-type: text/plain", NOT_JSON},
    {"content-type: text/plain; application/json", NOT_JSON},
    {"content-type: application/x-www-form-urlencoded", NOT_JSON},
    {"content-type: multipart/form-data", NOT_JSON},
    {"content-type: application/json5", NOT_JSON},
    {"content-type: application/jsonp; charset=utf-8", NOT_JSON},
    {"content-type: application/ld+json", NOT_JSON},
    {"content-type: application/json, text/plain", NOT_JSON},
    {IS_JSON "; charset=latin1", NOT_JSON},
    {IS_JSON "; charset=utf-8x", NOT_JSON},
    {IS_JSON "; charset=utf-8; q=1", NOT_JSON},
    {IS_JSON "; boundary=x", NOT_JSON},
    {IS_JSON ";", NOT_JSON},
    {IS_JSON "\n" IS_JSON, NOT_JSON},
    /* where it comes from */
    {IS_JSON "\nsec-fetch-site: same-origin", TAKEN},
    {IS_JSON "\nsec-fetch-site: none", TAKEN},
    {IS_JSON "\nsec-fetch-site: same-site", ELSEWHERE},
    {IS_JSON "\nsec-fetch-site: cross-site", ELSEWHERE},
    {IS_JSON "\nsec-fetch-site: ", ELSEWHERE},
    {IS_JSON "\nsec-fetch-site: Same-Origin", ELSEWHERE},
    {IS_JSON "\nsec-fetch-site: same-origin, same-origin", ELSEWHERE},
    {IS_JSON "\nsec-fetch-site: none\nsec-fetch-site: none", ELSEWHERE},
    {IS_JSON "\nsec-fetch-site: cross-site\norigin: https://app.example",
     TAKEN},
    {IS_JSON "\nsec-fetch-site: same-site\norigin: http://localhost:5173",
     TAKEN},
    {IS_JSON "\nsec-fetch-site: cross-site\norigin: https://APP.example",
     ELSEWHERE},
    {IS_JSON "\nsec-fetch-site: cross-site\norigin: https://app.example/",
     ELSEWHERE},
    {IS_JSON "\nsec-fetch-site: cross-site\norigin: https://app.example.evil",
     ELSEWHERE},
    {IS_JSON "\nsec-fetch-site: cross-site\norigin: https://app.exampl",
     ELSEWHERE},
    {IS_JSON "\nsec-fetch-site: cross-site\norigin: http://app.example",
     ELSEWHERE},
    {IS_JSON "\nsec-fetch-site: cross-site\norigin: null", ELSEWHERE},
    {IS_JSON "\nsec-fetch-site: cross-site\nhost: a.b\norigin: https://a.b",
     ELSEWHERE},
    {IS_JSON "\nsec-fetch-site: same-origin\norigin: https://other", TAKEN},
    {IS_JSON "\norigin: https://app.example", TAKEN},
    {IS_JSON "\norigin: https://app.example\norigin: https://app.example",
     ELSEWHERE},
    {IS_JSON "\norigin: null", ELSEWHERE},
    {IS_JSON "\norigin: ", ELSEWHERE},
    {IS_JSON "\norigin: https://other", ELSEWHERE},
    {IS_JSON "\nhost: a.b\norigin: https://a.b", TAKEN},
    {IS_JSON "\nhost: a.b:80\norigin: http://a.b:80", TAKEN},
    {IS_JSON "\nhost: a.b:80\norigin: http://a.b", ELSEWHERE},
    {IS_JSON "\nhost: a.b\norigin: http://a.b:81", ELSEWHERE},
    {IS_JSON "\nhost: a.b\norigin: http://x.a.b", ELSEWHERE},
    {IS_JSON "\nhost: a.b\norigin: http://a.b.x", ELSEWHERE},
    {IS_JSON "\nhost: a.b\norigin: ftp://a.b", ELSEWHERE},
    {IS_JSON "\nhost: a.b\norigin: a.b", ELSEWHERE},
    {IS_JSON "\nhost: \norigin: http://", ELSEWHERE},
    {IS_JSON "\nhost: null\norigin: null", ELSEWHERE},
    {IS_JSON "\nhost: a.b\nhost: a.b\norigin: http://a.b", ELSEWHERE},
    {"content-type: text/plain\nsec-fetch-site: cross-site", ELSEWHERE},
    /* keys */
    {IS_JSON "\nidempotency-key: a-1", TAKEN " key a-1"},
    {IS_JSON "\nidempotency-key: \"!~\"", TAKEN " key \"!~\""},
    {IS_JSON "\nidempotency-key: ",
     "PARAMS idempotency-key: must have 1 to 255 characters of visible ASCII"},
    {IS_JSON "\nidempotency-key: a b",
     "PARAMS idempotency-key: must have 1 to 255 characters of visible ASCII"},
    {IS_JSON "\nidempotency-key: \xc3\xbc",
     "PARAMS idempotency-key: must have 1 to 255 characters of visible ASCII"},
    {IS_JSON "\nidempotency-key: \x7f",
     "PARAMS idempotency-key: must have 1 to 255 characters of visible ASCII"},
    {IS_JSON "\nidempotency-key: a\nidempotency-key: a",
     "PARAMS idempotency-key: was given twice"},
    {IS_JSON "\nif-none-match: \"a\"", TAKEN},
};

static const text_case tenants[] = {
    {"x-tenant: a", "'a' absent absent"},
    {"x-tenant: a\nx-depth: -4", "'a' -4 absent"},
    {"x-tenant: a%20+b", "'a%20+b' absent absent"},
    {"x-tenant: \xc3\xbc", "'\xc3\xbc' absent absent"},
    {"x-tenant: \xfc", "PARAMS x-tenant: must be valid UTF-8"},
    {"", "PARAMS x-tenant: is missing"},
    {"x-tenant: ", "PARAMS x-tenant: must have 1 to 8 characters"},
    {"x-tenant: a\nx-tenant: a", "PARAMS x-tenant: was given twice"},
    {"x-tenant: a\nx-tenant: a\nx-tenant: a",
     "PARAMS x-tenant: was given twice"},
    {"x-tenant: 123456789\nx-depth: 04",
     "PARAMS x-tenant: must have 1 to 8 characters\n"
     "x-depth: must be an integer"},
    {"x_tenant: a", "PARAMS x-tenant: is missing"},
    {"x-tenant: a\nif-none-match: W/\"1\", \"2\"",
     "'a' absent absent etag W/\"1\", \"2\""},
    {"x-tenant: a\nif-none-match: ", "'a' absent absent"},
    {"x-tenant: a\nidempotency-key: no key", "'a' absent absent"},
    {"x-tenant: a\norigin: https://evil\nsec-fetch-site: cross-site",
     "'a' absent absent"},
};

static void all_headers(void)
{
    char name[200], key[400] = IS_JSON "\nidempotency-key: ";
    const uc_view id = V("{\"id\":1}");
    size_t n = strlen(key);

    for (size_t i = 0; i < sizeof posts / sizeof *posts; i++) {
        snprintf(name, sizeof name, "%.100s", posts[i].in);
        for (char *p = name; *p != '\0'; p++)
            *p = *p == '\n' ? ' ' : *p;
        eq_str(take(&set, (uc_view){0}, posts[i].in, id), posts[i].want, name);
    }
    for (size_t i = 0; i < sizeof tenants / sizeof *tenants; i++) {
        snprintf(name, sizeof name, "header, case %zu", i);
        eq_str(take(&tenant, (uc_view){0}, tenants[i].in, (uc_view){0}),
               tenants[i].want, name);
    }
    eq_str(take(&tenant, (uc_view)V("n=4&x_tenant=b&x-tenant=c"), "x-tenant: a",
                (uc_view){0}),
           "PARAMS x_tenant: is unknown\nx-tenant: is unknown",
           "what comes from a header comes from nowhere else");
    eq_str(take(&post_tenant, (uc_view){0}, IS_JSON "\nx-tenant: a",
                (uc_view)V("{\"n\":4}")),
           "'a' absent 4", "a header beside a body");
    eq_str(take(&post_tenant, (uc_view){0}, IS_JSON "\nx-tenant: a",
                (uc_view)V("{\"x_tenant\":\"b\"}")),
           "PARAMS x_tenant: is unknown", "nor from a body");
    memset(key + n, 'k', 256);
    key[n + 255] = '\0';
    take(&set, (uc_view){0}, key, id);
    eq_int(q.idempotency_key.len, 255, "the longest key");
    key[n + 255] = 'k';
    eq_str(take(&set, (uc_view){0}, key, id),
           "PARAMS idempotency-key: must have 1 to 255 characters of visible "
           "ASCII",
           "a longer one");
}

/* ---- answers ------------------------------------------------------------- */

static void answers(void)
{
    char text[2000];

    eq_int(uc_refusal_status(UC_REFUSAL_NONE, true), 200, "nothing refused");
    eq_int(uc_refusal_status(UC_REFUSAL_CONFLICT, false), 400, "the notes'");
    eq_int(uc_refusal_status(UC_REFUSAL_CONFLICT, true), 409, "a fine one");
    eq_int(uc_refusal_status(UC_REFUSAL_TIMEOUT, false), 500, "a time-out");
    eq_int(uc_refusal_status(UC_REFUSAL_TIMEOUT, true), 504, "a fine time-out");
    eq_int(uc_refusal_status(UC_REFUSAL_NO_ROUTE, false), 404, "no route");
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = '\0';
    ok(!uc_request_refuse(&q, UC_REFUSAL_REFUSED, "%s", text) &&
           q.text.len == sizeof text - 1 && q.refusal == UC_REFUSAL_REFUSED,
       "a long sentence");
    ok(!uc_request_refuse(&q, UC_REFUSAL_NO_ROW, "not %s", "found") &&
           q.text.len == 9 && memcmp(q.text.p, "not found", 9) == 0,
       "takes the place of what was there");
    ok(uc_origin_listed(&serving, origins[0]) &&
           !uc_origin_listed(&serving, view("https://app.example ")) &&
           !uc_origin_listed(&serving, view("null")) &&
           !uc_origin_listed(&serving, (uc_view){0}),
       "origins on the list");
}

/* ---- threads --------------------------------------------------------------
 */

/* Many threads read at once, the first bodies of the process among them. */
static void *reader(void *wrong)
{
    static const char body[] = "{\"id\":7,\"data\":{\"b\":1,\"a\":[2.50]}}";
    static const uc_header json[] = {
        {V("content-type"), V("application/json")}};
    uc_request one = {.headers = json, .nheaders = 1, .body = V(body)};

    uc_request_init(&one);
    for (int i = 0; i < 500; i++) {
        uc__request_start(&one);
        one.route = &set;
        *(unsigned *)wrong +=
            !uc__request_take(&one, (uc_view){0}, &serving) ||
            one.args[0].i != 7 ||
            !uc_view_is(one.args[3].s, "{\"a\":[2.5],\"b\":1}");
    }
    uc_request_fini(&one);
    return NULL;
}

static void threads(void)
{
    unsigned wrong[4] = {0};
    uc_thread t[4];

    for (int i = 0; i < 4; i++) {
        if (uc_thread_start(&t[i], "reader", reader, &wrong[i]) != 0)
            abort();
    }
    for (int i = 0; i < 4; i++)
        uc_thread_join(t[i]);
    eq_int(wrong[0] + wrong[1] + wrong[2] + wrong[3], 0,
           "threads do not meet in each other's memory");
}

int main(void)
{
    threads();
    uc_request_init(&q);
    all_requests();
    body_bounds();
    all_headers();
    answers();
    uc_request_fini(&q);
    return tap_end();
}

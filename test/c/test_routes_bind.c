/* What a request becomes: what is bound, its hash, and which route of files it
 * is for. */
#define _GNU_SOURCE
#include "routes_requests.h"

/* ---- what is bound ------------------------------------------------------- */

static void bind(void)
{
    static const uc_param of_all[] = {
        PARAM("t", TYPE(TEXT)),
        PARAM("i", TYPE(INTEGER)),
        PARAM("r", TYPE(REAL)),
        PARAM("b", TYPE(BLOB)),
        PARAM("o", TYPE(BOOLEAN)),
        PARAM("n", TYPE(TEXT), .optional = true),
        PARAM("a", TYPE(TEXT), .optional = true),
        PARAM("d", TYPE(INTEGER), PRESET(-7)),
    };
    static const uc_route all = ROUTE(POST, "/all", of_all);
    static const uint8_t places[] = {0, 1, 2, 3, 4, 5, 6, 7, 0};
    static const uint8_t want[] =
        "\x99\xa2\xc3\xbc\xcd\x01\x2c\xcb\x3f\xf8\0\0\0\0\0\0\xc4\x02\0\1\x01"
        "\xc0\xc0\xf9\xa2\xc3\xbc";
    const uc_variant v = {.nparams = sizeof places, .params = places};
    const uc_variant none = {.nparams = 0};
    uc_buf b;

    uc_buf_init(&b, SIZE_MAX);
    post(&all, "{\"t\":\"\xc3\xbc\",\"i\":300,\"r\":1.5,\"b\":\"AAE=\","
               "\"o\":true,\"n\":null}");
    uc_request_bind(&q, &v, &b);
    eq_bytes(b.p, b.len, want, sizeof want - 1,
             "each type, in a variant's order");
    uc_buf_rewind(&b, 0);
    uc_request_bind(&q, &none, &b);
    eq_bytes(b.p, b.len, "\x90", 1, "no parameters");
    uc_buf_fini(&b);
    uc_buf_init(&b, 10);
    uc_request_bind(&q, &v, &b);
    ok(b.failed, "a buffer that is too small says so");
    uc_buf_fini(&b);
}

static void hash_of(const uc_route *route, const char *body, uint8_t hash[16])
{
    if (route->method == UC_METHOD_POST)
        post(route, body);
    else
        get(route, body);
    uc_request_hash(&q, hash);
}

static bool same_hash(const uc_route *a, const char *x, const uc_route *b,
                      const char *y)
{
    uint8_t one[16], two[16];

    hash_of(a, x, one);
    hash_of(b, y, two);
    return memcmp(one, two, sizeof one) == 0;
}

static void hashes(void)
{
    static const uc_param of_two[] = {
        PARAM("a", TYPE(TEXT), .optional = true),
        PARAM("b", TYPE(TEXT), .optional = true),
        PARAM("r", TYPE(REAL), .optional = true),
        PARAM("j", TYPE(JSON), .optional = true),
        PARAM("p", TYPE(INTEGER), PRESET(5)),
        PARAM("s", TYPE(TEXT), .optional = true, .secret = true),
    };
    static const uc_route two = ROUTE(POST, "/two", of_two);
    static const uc_route other = ROUTE(POST, "/other", of_two);
    static const struct {
        const char *a, *b;
        bool same;
    } pairs[] = {
        {"{\"a\":\"x\",\"b\":\"y\"}", "{ \"b\":\"y\", \"a\":\"\\u0078\" }",
         true},
        {"{\"r\":1.50}", "{\"r\":15e-1}", true},
        {"{\"r\":-0.0}", "{\"r\":0}", true},
        {"{\"j\":{\"x\":1,\"y\":2}}", "{\"j\":{\"y\":2.0, \"x\":1}}", true},
        {"{\"a\":\"ab\",\"b\":\"c\"}", "{\"a\":\"a\",\"b\":\"bc\"}", false},
        {"{\"a\":\"x\"}", "{\"b\":\"x\"}", false},
        {"{\"a\":\"x\"}", "{\"a\":\"y\"}", false},
        {"{\"a\":null}", "{}", false},
        {"{\"a\":null}", "{\"a\":\"\"}", false},
        {"{\"p\":5}", "{}", false}, /* what was sent, and no preset */
        {"{\"j\":[1,2]}", "{\"j\":[2,1]}", false},
        {"{\"j\":\"1\"}", "{\"j\":1}", false},
        {"{\"a\":\"x\",\"s\":\"y\"}", "{\"a\":\"x\",\"s\":\"z\"}", true},
        {"{\"a\":\"x\",\"s\":\"y\"}", "{\"a\":\"x\"}", true},
    };
    char name[100];

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        snprintf(name, sizeof name, "hash: %.40s %.40s", pairs[i].a,
                 pairs[i].b);
        ok(same_hash(&two, pairs[i].a, &two, pairs[i].b) == pairs[i].same,
           name);
    }
    ok(!same_hash(&two, "{}", &other, "{}"), "hash: another route");
    ok(same_hash(&query, "name=a%20b&age=4", &query, "age=4&name=a+b"),
       "hash: a query");
}

/* ---- from files ---------------------------------------------------------- */

static const char file[] =
    "-- @get /dmail/user/q :many\n"
    "-- @param name text 1..64\n"
    "-- @param age integer 0..150\n"
    "-- @param id integer 0.. = 0 the last id seen\n"
    "-- @param ps integer 1..100 = 10 page size\n"
    "-- @public\n"
    "select id from person where name = :name and age = :age and id > :id\n"
    "order by id limit :ps;\n"
    "-- @post /dmail/user/set\n"
    "-- @param id integer 1..\n"
    "-- @param name text 1..64 ?\n"
    "-- @auth editor\n"
    "update person set id = id {, name = :name } where id = :id\n"
    " and owner = :_user;\n"
    "-- @get /both :one\n"
    "-- @param queries integer 1..500 @clamp = 1\n"
    "-- @public\n"
    "select :queries as n;\n"
    "-- @post /both :one\n"
    "-- @param at time = 2026-11-30\n"
    "-- @param tags 'a'|'b'[] ?\n"
    "-- @param share real 0..1 = 0.5\n"
    "-- @public\n"
    "select :at a, :tags b, :share c;\n";

typedef struct target_case {
    const char *method, *target, *want;
} target_case;

static const target_case targets[] = {
    {"GET", "/dmail/user/q?name=2---&ps=10&id=354757&age=4",
     "'2---' 4 354757 10"},
    {"HEAD", "/dmail/user/q?name=2---&age=4", "'2---' 4 0* 10* head"},
    {"GET", "/dmail/user/q", "PARAMS name: is missing\nage: is missing"},
    {"GET", "/dmail/user/q?", "PARAMS name: is missing\nage: is missing"},
    {"POST", "/dmail/user/q", "METHOD method not allowed (GET, HEAD)"},
    {"PUT", "/dmail/user/q", "METHOD method not allowed (GET, HEAD)"},
    {"OPTIONS", "/dmail/user/q", "METHOD method not allowed (GET, HEAD)"},
    {"get", "/dmail/user/q", "METHOD method not allowed (GET, HEAD)"},
    {"", "/dmail/user/q", "METHOD method not allowed (GET, HEAD)"},
    {"GET", "/dmail/user/set", "METHOD method not allowed (POST)"},
    {"HEAD", "/dmail/user/set?id=1", "METHOD method not allowed (POST)"},
    {"DELETE", "/both", "METHOD method not allowed (GET, HEAD, POST)"},
    {"POST", "/dmail/user/set", "1 absent absent"},
    {"POST", "/dmail/user/set?", "1 absent absent"},
    {"POST", "/dmail/user/set?id=1",
     "PARAMS query: a POST takes its parameters from the body"},
    {"POST", "/both", "PARAMS id: is unknown"},
    {"GET", "/both", "1*"},
    {"GET", "/both?queries=", "1"},
    {"GET", "/both?queries=foo", "1"},
    {"GET", "/both?queries=0", "1"},
    {"GET", "/both?queries=20", "20"},
    {"GET", "/both?queries=501", "500"},
    {"GET", "/", "NO_ROUTE not found"},
    {"GET", "", "NO_ROUTE not found"},
    {"GET", "*", "NO_ROUTE not found"},
    {"OPTIONS", "*", "NO_ROUTE not found"},
    {"GET", "?", "NO_ROUTE not found"},
    {"GET", "/Both", "NO_ROUTE not found"},
    {"GET", "/both/", "NO_ROUTE not found"},
    {"GET", "//both", "NO_ROUTE not found"},
    {"GET", "/b%6fth", "NO_ROUTE not found"},
    {"GET", "/x/../both", "NO_ROUTE not found"},
    {"GET", "/both#x", "NO_ROUTE not found"},
    {"GET", "http://a/both", "NO_ROUTE not found"},
    {"PUT", "/nowhere", "NO_ROUTE not found"},
};

static const char *target(uc_routes *routes, const target_case *c)
{
    static char text[2000];
    size_t n;

    q.method = view(c->method);
    q.target = view(c->target);
    q.nheaders = split_headers(IS_JSON);
    q.headers = headers;
    q.body = view(strcmp(c->method, "POST") == 0 ? "{\"id\":1}" : "");
    snprintf(text, sizeof text, "%s",
             result(uc_request_read(&q, routes, &serving)));
    n = strlen(text);
    if (q.head && q.refusal == UC_REFUSAL_NONE)
        snprintf(text + n, sizeof text - n, " head");
    if (q.allow.len > 0)
        snprintf(text + n, sizeof text - n, " (%.*s)", (int)q.allow.len,
                 (const char *)q.allow.p);
    return text;
}

static void from_files(void)
{
    uc_source source = {V("a.sql"), V(file)};
    uc_routes *routes;
    char name[200];
    uc_error e;

    uc_error_init(&e);
    routes = uc_routes_read(&source, 1, &e);
    ok(routes != NULL, e.code != NULL ? e.message : "the file is read");
    if (routes == NULL)
        return;
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        const target_case *c = &targets[i];

        snprintf(name, sizeof name, "%s %s", c->method, c->target);
        eq_str(target(routes, c), c->want, name);
    }
    q.target = view("/both");
    q.method = view("POST");
    q.nheaders = split_headers(IS_JSON);
    q.body = view("{\"tags\":[\"b\",\"a\"]}");
    eq_str(result(uc_request_read(&q, routes, &serving)),
           "'2026-11-30T00:00:00.000Z'* '[\"b\",\"a\"]' real 0.5*",
           "presets are read as a caller's values are");
    ok(uc_view_is(uc_routes_allow(routes, view("/both?x")),
                  "GET, HEAD, POST") &&
           uc_routes_allow(routes, view("/nowhere")).len == 0,
       "what OPTIONS answers");
    uc_routes_unref(routes);
}

int main(void)
{
    uc_request_init(&q);
    bind();
    hashes();
    from_files();
    uc_request_fini(&q);
    return tap_end();
}

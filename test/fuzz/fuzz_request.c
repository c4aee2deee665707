/*
 * Bytes as a request: a line each for method, target and headers, an empty
 * line, the body. What is accepted is within its bounds and can be bound; what
 * is refused says why in lines of UTF-8 that no caller has broken.
 */
#include <math.h>
#include <stdlib.h>

#include "routes/json.h"
#include "routes/request.h"
#include "wire/reader.h"
#include "wire/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEADERS = 16 };

#define ROUTE(begin)                                                        \
    "-- @" begin " /a :one\n"                                               \
    "-- @public\n"                                                          \
    "-- @param text text 1..8 ?\n"                                          \
    "-- @param integer integer -5..150 ?\n"                                 \
    "-- @param real real -0.5..1e3 ?\n"                                     \
    "-- @param boolean boolean ?\n"                                         \
    "-- @param time time ?\n"                                               \
    "-- @param uuid uuid ?\n"                                               \
    "-- @param json json ?\n"                                               \
    "-- @param blob blob 1..8 ?\n"                                          \
    "-- @param word 'new'|'paid' ?\n"                                       \
    "-- @param page integer 1..500 @clamp = 1\n"                            \
    "-- @param integers integer[] 0..3 ?\n"                                 \
    "-- @param texts text[] 0..3 ?\n"                                       \
    "-- @header x-tenant text 1..8 ?\n"                                     \
    "select :text a, :integer b, :real c, :boolean d, :time e, :uuid f, "   \
    ":json g, :blob h, :word i, :page j, :integers k, :texts l, :x_tenant " \
    "m;\n"

static const char file[] = ROUTE("get") ROUTE("post");

static const uc_view origins[] = {{(const uint8_t *)"https://app.example", 19}};
static const uc_serving serving = {
    .body_most = 4096, .norigins = 1, .origins = origins};

static uc_routes *routes;
static uc_request q;

static void set_up(void)
{
    uc_source source = {{(const uint8_t *)"a.sql", 5},
                        {(const uint8_t *)file, sizeof file - 1}};
    uc_error e;

    if (routes != NULL)
        return;
    routes = uc_routes_read(&source, 1, &e);
    if (routes == NULL) {
        fprintf(stderr, "%s\n", e.message);
        abort();
    }
    uc_request_init(&q);
}

/* ---- cutting ------------------------------------------------------------- */

static uc_view line(uc_view *rest)
{
    const uint8_t *end =
        rest->len > 0 ? memchr(rest->p, '\n', rest->len) : NULL;
    size_t n = end != NULL ? (size_t)(end - rest->p) : rest->len;
    uc_view v = {rest->p, n};

    rest->p += end != NULL ? n + 1 : n;
    rest->len -= end != NULL ? n + 1 : n;
    return v;
}

static uc_header header_of(uc_view v)
{
    const uint8_t *colon = memchr(v.p, ':', v.len);
    uc_header h = {v, {v.p + v.len, 0}};

    if (colon != NULL) {
        h.name.len = (size_t)(colon - v.p);
        h.value = (uc_view){colon + 1, v.len - h.name.len - 1};
    }
    return h;
}

static void cut(uc_view rest, uc_header *headers)
{
    uc_view v;

    q.method = line(&rest);
    q.target = line(&rest);
    q.nheaders = 0;
    q.headers = headers;
    while (q.nheaders < HEADERS && (v = line(&rest)).len > 0)
        headers[q.nheaders++] = header_of(v);
    q.body = rest;
}

/* ---- what has to hold ---------------------------------------------------- */

static void fail(const char *what, int at)
{
    fprintf(stderr, "line %d does not hold: %s\n", at, what);
    abort();
}

#define must(holds) ((holds) ? (void)0 : fail(#holds, __LINE__))

static bool is_json(uc_view s)
{
    uc_json_error e;
    uc_arena mem;
    bool good;

    uc_arena_init(&mem, 1 << 24);
    good = uc__json_read(s, 0, &mem, &e) != NULL;
    uc_arena_fini(&mem);
    return good;
}

static size_t characters(uc_view s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.len; i++)
        n += (s.p[i] & 0xc0) != 0x80;
    return n;
}

static void text_fits(const uc_param *p, uc_view s)
{
    uint8_t time[24];

    must(uc_is_utf8(s.p, s.len));
    must(s.len == 0 || memchr(s.p, '\0', s.len) == NULL);
    if (p->list || p->type == UC_PARAM_JSON)
        must(is_json(s));
    else if (p->type == UC_PARAM_TEXT)
        must(characters(s) >= 1 && characters(s) <= 8);
    else if (p->type == UC_PARAM_TIME)
        must(s.len == sizeof time && s.p[23] == 'Z');
    else if (p->type == UC_PARAM_UUID)
        must(s.len == 36);
    else
        must(uc_view_is(s, "new") || uc_view_is(s, "paid"));
}

static void value_fits(const uc_param *p, const uc_arg *arg)
{
    switch (arg->type) {
    case UC_ARG_ABSENT:
    case UC_ARG_NULL:
        must(p->optional);
        break;
    case UC_ARG_INT:
        must(p->type == UC_PARAM_BOOLEAN
                 ? arg->i == 0 || arg->i == 1
                 : arg->i >= p->least && arg->i <= p->most);
        break;
    case UC_ARG_REAL:
        must(arg->d >= -0.5 && arg->d <= 1000 &&
             !(arg->d == 0 && signbit(arg->d)));
        break;
    case UC_ARG_TEXT:
        text_fits(p, arg->s);
        break;
    case UC_ARG_BLOB:
        must(arg->s.len >= 1 && arg->s.len <= 8);
        break;
    }
}

static void bound(void)
{
    uint8_t places[UC_ROUTE_PARAMS], hash[16];
    uc_variant v = {.nparams = q.route->nparams, .params = places};
    uc_reader r;
    uc_buf b;

    for (uint32_t i = 0; i < v.nparams; i++)
        places[i] = (uint8_t)i;
    uc_buf_init(&b, SIZE_MAX);
    uc_request_bind(&q, &v, &b);
    r = (uc_reader){b.p, b.p + b.len};
    must(!b.failed && uc_read_skip(&r) && r.p == r.end);
    uc_buf_fini(&b);
    uc_request_hash(&q, hash);
}

/* Lines, each with a name and a sentence; no controls but their ends. */
static void told(void)
{
    unsigned status = uc_refusal_status(q.refusal, false);

    must(status == 400 || status == 404 || status == 405 || status == 413);
    must((status == 405) == (q.allow.len > 0));
    must(q.text.len > 0 && uc_is_utf8(q.text.p, q.text.len));
    must(q.text.p[q.text.len - 1] != '\n');
    for (size_t i = 0; i < q.text.len; i++)
        must((q.text.p[i] >= 0x20 && q.text.p[i] != 0x7f) ||
             q.text.p[i] == '\n');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uc_header headers[HEADERS];

    set_up();
    cut((uc_view){data, size}, headers);
    if (!uc_request_read(&q, routes, &serving)) {
        told();
        return 0;
    }
    must(q.refusal == UC_REFUSAL_NONE && q.text.len == 0);
    must((q.sent & ~q.given) == 0);
    for (uint32_t i = 0; i < q.route->nparams; i++) {
        must((q.given >> i & 1) == (q.args[i].type != UC_ARG_ABSENT));
        value_fits(&q.route->params[i], &q.args[i]);
    }
    bound();
    return 0;
}

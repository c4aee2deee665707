#include "routes/describe.h"

#include <string.h>

#include "wire/writer.h"

static void put_view(uc_buf *out, uc_view v)
{
    uc_pack_strn(out, v.p, v.len);
}

static void put_views(uc_buf *out, const uc_view *v, uint32_t n)
{
    uc_pack_array(out, n);
    for (uint32_t i = 0; i < n; i++)
        put_view(out, v[i]);
}

static void put_key_view(uc_buf *out, const char *key, uc_view v)
{
    uc_pack_str(out, key);
    put_view(out, v);
}

static void put_key_str(uc_buf *out, const char *key, const char *s)
{
    uc_pack_str(out, key);
    uc_pack_str(out, s);
}

static void put_key_uint(uc_buf *out, const char *key, uint64_t n)
{
    uc_pack_str(out, key);
    uc_pack_uint(out, n);
}

static void put_key_bool(uc_buf *out, const char *key, bool v)
{
    uc_pack_str(out, key);
    uc_pack_bool(out, v);
}

static const char *form_name(uc_form form)
{
    static const char *const names[] = {
        [UC_FORM_MANY] = "many",         [UC_FORM_ONE] = "one",
        [UC_FORM_ONE_REQUIRED] = "one!", [UC_FORM_NONE] = "none",
        [UC_FORM_PAGE] = "page",         [UC_FORM_TEXT] = "text",
        [UC_FORM_HTML] = "html",
    };

    return names[form];
}

static const char *type_name(uc_param_type type)
{
    static const char *const names[] = {
        [UC_PARAM_TEXT] = "text",   [UC_PARAM_INTEGER] = "integer",
        [UC_PARAM_REAL] = "real",   [UC_PARAM_BOOLEAN] = "boolean",
        [UC_PARAM_TIME] = "time",   [UC_PARAM_UUID] = "uuid",
        [UC_PARAM_JSON] = "json",   [UC_PARAM_BLOB] = "blob",
        [UC_PARAM_WORDS] = "words", [UC_PARAM_GIVEN] = "given",
    };

    return names[type];
}

/* ---- parameters ---- */

static void put_bound(uc_buf *out, const char *key, const uc_param *p, bool has,
                      int64_t whole, double real)
{
    uc_pack_str(out, key);
    if (!has)
        uc_pack_nil(out);
    else if (p->type == UC_PARAM_REAL && !p->list)
        uc_pack_double(out, real);
    else
        uc_pack_int(out, whole);
}

/* As the caller would write it. */
static void put_base64(uc_buf *out, uc_view v)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "abcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t n = (v.len + 2) / 3 * 4;
    uint8_t *p;

    if (!uc_buf_reserve(out, n + 5))
        return;
    p = uc_emit_str_header(out->p + out->len, (uint32_t)n);
    for (size_t i = 0; i < v.len; i += 3) {
        size_t left = v.len - i;
        uint32_t three = (uint32_t)v.p[i] << 16 |
                         (left > 1 ? (uint32_t)v.p[i + 1] << 8 : 0) |
                         (left > 2 ? v.p[i + 2] : 0);

        *p++ = (uint8_t)letters[three >> 18];
        *p++ = (uint8_t)letters[three >> 12 & 63];
        *p++ = left > 1 ? (uint8_t)letters[three >> 6 & 63] : '=';
        *p++ = left > 2 ? (uint8_t)letters[three & 63] : '=';
    }
    out->len = (size_t)(p - out->p);
}

static void put_preset(uc_buf *out, const uc_param *p)
{
    uc_pack_str(out, "preset");
    switch (p->preset.type) {
    case UC_ARG_INT:
        if (p->type == UC_PARAM_BOOLEAN)
            uc_pack_bool(out, p->preset.i != 0);
        else
            uc_pack_int(out, p->preset.i);
        break;
    case UC_ARG_REAL:
        uc_pack_double(out, p->preset.d);
        break;
    case UC_ARG_TEXT:
        put_view(out, p->preset.s);
        break;
    case UC_ARG_BLOB:
        put_base64(out, p->preset.s);
        break;
    default:
        uc_pack_nil(out);
        break;
    }
}

static void put_param(uc_buf *out, const uc_route *route, const uc_param *p)
{
    uc_pack_map(out, 12);
    put_key_view(out, "name", p->name);
    put_key_str(out, "type", type_name(p->type));
    put_key_bool(out, "list", p->list);
    put_key_bool(out, "optional", p->optional);
    put_key_bool(out, "secret", p->secret);
    put_bound(out, "least", p, p->has_least, p->least, p->least_real);
    put_bound(out, "most", p, p->has_most, p->most, p->most_real);
    uc_pack_str(out, "words");
    put_views(out, p->words, p->nwords);
    put_preset(out, p);
    put_key_view(out, "about", p->about);
    put_key_str(out, "in",
                p->header                         ? "header"
                : route->method == UC_METHOD_POST ? "body"
                                                  : "query");
    put_key_view(out, "header", p->in_header);
}

static void put_params(uc_buf *out, const uc_route *route)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < route->nparams; i++)
        n += route->params[i].type != UC_PARAM_GIVEN;
    uc_pack_str(out, "params");
    uc_pack_array(out, n);
    for (uint32_t i = 0; i < route->nparams; i++) {
        if (route->params[i].type != UC_PARAM_GIVEN)
            put_param(out, route, &route->params[i]);
    }
}

/* What its statements take of the service. */
static void put_given(uc_buf *out, const uc_route *route)
{
    static const char *const names[] = {
#define X(name) #name,
        UC_GIVEN_MAP(X)
#undef X
    };
    uint32_t n = 0;

    for (uint32_t i = 0; i < route->nparams; i++)
        n += route->params[i].type == UC_PARAM_GIVEN;
    uc_pack_str(out, "given");
    uc_pack_array(out, n);
    for (uint32_t i = 0; i < route->nparams; i++) {
        if (route->params[i].type == UC_PARAM_GIVEN)
            uc_pack_str(out, names[route->params[i].given]);
    }
}

/* ---- routes ---- */

/* Those that answer. */
static bool is_part(const uc_statement *st)
{
    return st->form != UC_FORM_NONE && !st->refuses;
}

/* nil: nobody has looked. */
static void put_columns(uc_buf *out, const uc_statement *st)
{
    uc_pack_str(out, "columns");
    if (st->columns == NULL) {
        uc_pack_nil(out);
        return;
    }
    uc_pack_array(out, st->ncolumns);
    for (uint32_t i = 0; i < st->ncolumns; i++) {
        uc_pack_map(out, 2);
        put_key_view(out, "name", st->columns[i].name);
        put_key_view(out, "type", st->columns[i].type);
    }
}

static void put_parts(uc_buf *out, const uc_route *route)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < route->nstatements; i++)
        n += is_part(&route->statements[i]);
    uc_pack_str(out, "parts");
    uc_pack_array(out, n);
    for (uint32_t i = 0; i < route->nstatements; i++) {
        const uc_statement *st = &route->statements[i];

        if (!is_part(st))
            continue;
        uc_pack_map(out, 3);
        put_key_view(out, "name", st->name);
        put_key_str(out, "form", form_name(st->form));
        put_columns(out, st);
    }
}

static void put_rate(uc_buf *out, const uc_rate *rate)
{
    uc_pack_str(out, "rate");
    if (rate->by == UC_RATE_NONE) {
        uc_pack_nil(out);
        return;
    }
    uc_pack_map(out, 3);
    put_key_uint(out, "n", rate->n);
    put_key_uint(out, "everyMs", (uint64_t)rate->every_ms);
    put_key_str(out, "by", rate->by == UC_RATE_IP ? "ip" : "user");
}

static void put_route(uc_buf *out, const uc_routes *routes,
                      const uc_route *route)
{
    uc_pack_map(out, 16);
    put_key_str(out, "method", route->method == UC_METHOD_GET ? "GET" : "POST");
    put_key_view(out, "path", route->path);
    put_key_str(out, "form", form_name(route->form));
    put_key_view(out, "about", route->about);
    put_key_view(out, "file", uc_routes_file(routes, route->file));
    put_key_uint(out, "line", route->line);
    put_key_bool(out, "public", route->is_public);
    uc_pack_str(out, "roles");
    put_views(out, route->roles, route->nroles);
    put_params(out, route);
    put_given(out, route);
    put_parts(out, route);
    put_key_uint(out, "cacheMs", (uint64_t)route->cache_ms);
    put_key_uint(out, "timeoutMs", (uint64_t)route->timeout_ms);
    put_rate(out, &route->rate);
    uc_pack_str(out, "replies");
    put_views(out, route->replies, route->nreplies);
    put_key_bool(out, "constant", route->constant);
}

void uc_routes_describe(uc_buf *out, const uc_routes *routes)
{
    uint32_t n = uc_routes_count(routes);

    uc_pack_array(out, n);
    for (uint32_t i = 0; i < n; i++)
        put_route(out, routes, uc_routes_at(routes, i));
}

/* ---- headers ---- */

/* The array of what has been packed from `at` on has it already. */
static bool is_packed(const uc_buf *names, uc_view name)
{
    for (size_t at = 0; at < names->len; at += 1U + names->p[at]) {
        const uint8_t *p = names->p + at;

        if (p[0] == name.len && memcmp(p + 1, name.p, name.len) == 0)
            return true;
    }
    return false;
}

static uint32_t add(uc_buf *names, uc_view name)
{
    if (is_packed(names, name))
        return 0;
    uc_buf_byte(names, (uint8_t)name.len);
    uc_buf_put(names, name.p, name.len);
    return 1;
}

static uint32_t gather(uc_buf *names, const uc_route *route)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < route->nparams; i++) {
        if (route->params[i].header)
            n += add(names, route->params[i].in_header);
    }
    return n;
}

/* What requests are read by, whatever the routes. */
static uint32_t gather_always(uc_buf *names)
{
    static const char *const always[] = {"content-type",    "host",
                                         "idempotency-key", "if-none-match",
                                         "origin",          "sec-fetch-site"};
    uint32_t n = 0;

    for (size_t i = 0; i < sizeof always / sizeof *always; i++)
        n += add(names,
                 (uc_view){(const uint8_t *)always[i], strlen(always[i])});
    return n;
}

void uc_routes_headers(uc_buf *out, const uc_routes *routes)
{
    uint32_t n = 0;
    uc_buf names; /* a byte of length, and the name */

    uc_buf_init(&names, SIZE_MAX);
    n = gather_always(&names);
    for (uint32_t i = 0; i < uc_routes_count(routes); i++)
        n += gather(&names, uc_routes_at(routes, i));
    uc_pack_array(out, n);
    for (size_t at = 0; at < names.len; at += 1U + names.p[at])
        uc_pack_strn(out, names.p + at + 1, names.p[at]);
    if (names.failed)
        out->failed = true;
    uc_buf_fini(&names);
}

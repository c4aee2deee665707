#include "routes/audit.h"

#include "routes/input.h"
#include "wire/json.h"

/* Of a line: bytes of a value, and after so many of all values none. */
enum { VALUE_MOST = 256, ALL_MOST = 4096 };

static const uint8_t mark[] = "…";

/* The beginning of a text, up to a character's end, and the mark. */
static void put_cut(uc_buf *out, uc_view text)
{
    uint8_t cut[VALUE_MOST + sizeof mark];
    size_t n = VALUE_MOST;

    if (text.len < n)
        n = text.len;
    while (n > 0 && n < text.len && (text.p[n] & 0xc0) == 0x80)
        n--;
    if (n > 0)
        memcpy(cut, text.p, n);
    memcpy(cut + n, mark, sizeof mark - 1);
    uc_json_text(out, (uc_view){cut, n + sizeof mark - 1});
}

/* JSON as the caller has sent it is JSON here, not a text. */
static bool is_json(const uc_param *p)
{
    return p->list || p->type == UC_PARAM_JSON;
}

static void put_text(uc_buf *out, const uc_param *p, uc_view text, bool whole)
{
    if (!whole && text.len > VALUE_MOST)
        put_cut(out, text);
    else if (is_json(p))
        uc_buf_put(out, text.p, text.len);
    else
        uc_json_text(out, text);
}

static void put_blob(uc_buf *out, uc_view bytes, bool whole)
{
    if (!whole && bytes.len > VALUE_MOST)
        bytes.len = VALUE_MOST;
    uc_json_blob(out, bytes);
}

static void put_int(uc_buf *out, const uc_param *p, int64_t v)
{
    if (p->type != UC_PARAM_BOOLEAN)
        uc_json_int(out, v);
    else if (v != 0)
        uc_buf_put(out, "true", 4);
    else
        uc_buf_put(out, "false", 5);
}

static void put_value(uc_buf *out, const uc_param *p, const uc_arg *arg,
                      bool whole)
{
    switch (arg->type) {
    case UC_ARG_INT:
        put_int(out, p, arg->i);
        break;
    case UC_ARG_REAL:
        uc_json_double(out, arg->d);
        break;
    case UC_ARG_TEXT:
        put_text(out, p, arg->s, whole);
        break;
    case UC_ARG_BLOB:
        put_blob(out, arg->s, whole);
        break;
    default:
        uc_json_null(out);
    }
}

void uc_request_params(const uc_request *q, bool whole, uc_buf *out)
{
    size_t from = out->len;
    bool first = true;

    for (uint32_t i = 0; i < q->route->nparams; i++) {
        const uc_param *p = &q->route->params[i];

        if (p->secret || (q->sent >> i & 1) == 0)
            continue;
        uc_json_key(out, first, p->name);
        first = false;
        if (whole || out->len - from < ALL_MOST)
            put_value(out, p, &q->args[i], whole);
        else
            put_cut(out, (uc_view){mark, 0});
    }
    uc_buf_put(out, "{}", first ? 2 : 0);
    uc_buf_put(out, "}", first ? 0 : 1);
}

/* ---- targets ---- */

static bool is_secret_of(const uc_route *route, uc_view name)
{
    for (uint32_t i = 0; route != NULL && i < route->nparams; i++) {
        if (route->params[i].secret &&
            uc_view_same(route->params[i].name, name))
            return true;
    }
    return false;
}

/* Whoever sends to the wrong method has sent it all the same. */
typedef struct secrets {
    const uc_route *get, *post;
} secrets;

/* By its name as the core reads it, whatever its spelling. */
static bool is_secret(const secrets *s, uc_view name)
{
    uc_view decoded, why;
    uc_arena mem;
    bool found;

    uc_arena_init(&mem, SIZE_MAX);
    if (uc__query_decode(name, &mem, &decoded, &why))
        name = decoded;
    found = is_secret_of(s->get, name) || is_secret_of(s->post, name);
    uc_arena_fini(&mem);
    return found;
}

static void put_pair(const secrets *s, uc_view pair, uc_buf *out)
{
    static const char hidden[] = "[Redacted]";
    const uint8_t *equals = pair.len > 0 ? memchr(pair.p, '=', pair.len) : NULL;
    uc_view name = pair;

    if (equals != NULL)
        name.len = (size_t)(equals - pair.p);
    if (equals == NULL || !is_secret(s, name)) {
        uc_buf_put(out, pair.p, pair.len);
        return;
    }
    uc_buf_put(out, pair.p, name.len + 1);
    uc_buf_put(out, hidden, sizeof hidden - 1);
}

void uc_routes_target(const uc_routes *routes, uc_view target, uc_buf *out)
{
    const uint8_t *end = target.p + target.len, *at;
    uc_view path = target;
    secrets s;

    at = target.len > 0 ? memchr(target.p, '?', target.len) : NULL;
    if (at != NULL)
        path.len = (size_t)(at - target.p);
    uc_buf_put(out, path.p, path.len);
    if (at == NULL)
        return;
    s = (secrets){uc_routes_find(routes, UC_METHOD_GET, path),
                  uc_routes_find(routes, UC_METHOD_POST, path)};
    while (at < end) {
        const uint8_t *from = at + 1;

        uc_buf_byte(out, *at);
        for (at = from; at < end && *at != '&';)
            at++;
        put_pair(&s, (uc_view){from, (size_t)(at - from)}, out);
    }
}

#include "routes/audit.h"

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

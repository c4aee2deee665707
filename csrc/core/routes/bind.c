/* From a request that has been read to what an engine takes. */
#include "common/fnv.h"
#include "routes/request.h"
#include "wire/writer.h"

/* ---- msgpack ------------------------------------------------------------- */

static void put_bytes(uc_buf *out, uc_view s, bool text)
{
    uint8_t *p, *end;

    if (s.len > UINT32_MAX - 5 || !uc_buf_reserve(out, s.len + 5)) {
        out->failed = true;
        return;
    }
    p = out->p + out->len;
    end = text ? uc_emit_str_header(p, (uint32_t)s.len)
               : uc_emit_bin_header(p, (uint32_t)s.len);
    if (s.len > 0)
        memcpy(end, s.p, s.len);
    out->len += (size_t)(end - p) + s.len;
}

static void put_number(uc_buf *out, const uc_arg *arg)
{
    uint8_t *p, *end;

    if (!uc_buf_reserve(out, 9))
        return;
    p = out->p + out->len;
    end = arg->type == UC_ARG_INT ? uc_emit_int(p, arg->i)
                                  : uc_emit_double(p, arg->d);
    out->len += (size_t)(end - p);
}

void uc_request_bind(const uc_request *q, const uc_variant *v, uc_buf *out)
{
    uc_pack_array(out, v->nparams);
    for (uint32_t i = 0; i < v->nparams; i++) {
        const uc_arg *arg = &q->args[v->params[i]];

        switch (arg->type) {
        case UC_ARG_ABSENT:
        case UC_ARG_NULL:
            uc_buf_byte(out, 0xc0);
            break;
        case UC_ARG_INT:
        case UC_ARG_REAL:
            put_number(out, arg);
            break;
        case UC_ARG_TEXT:
        case UC_ARG_BLOB:
            put_bytes(out, arg->s, arg->type == UC_ARG_TEXT);
            break;
        }
    }
}

/* ---- a hash -------------------------------------------------------------- */

/* With its length: "ab", "c" is not "a", "bc". */
static uc_fnv add_view(uc_fnv h, uc_view v)
{
    uint64_t n = v.len;

    h = uc_fnv_add(h, &n, sizeof n);
    return uc_fnv_add(h, v.p, v.len);
}

static uc_fnv add_arg(uc_fnv h, const uc_arg *arg)
{
    uint8_t type = (uint8_t)arg->type;

    h = uc_fnv_add(h, &type, 1);
    switch (arg->type) {
    case UC_ARG_INT:
        return uc_fnv_add(h, &arg->i, sizeof arg->i);
    case UC_ARG_REAL:
        return uc_fnv_add(h, &arg->d, sizeof arg->d);
    case UC_ARG_TEXT:
    case UC_ARG_BLOB:
        return add_view(h, arg->s);
    case UC_ARG_ABSENT:
    case UC_ARG_NULL:
        break;
    }
    return h;
}

void uc_request_hash(const uc_request *q, uint8_t hash[16])
{
    const uc_route *r = q->route;
    uc_fnv h = UC_FNV_START;
    uint8_t method = (uint8_t)r->method;

    h = uc_fnv_add(h, &method, 1);
    h = add_view(h, r->path);
    for (uint32_t i = 0; i < r->nparams; i++) {
        if (!(q->sent >> i & 1) || r->params[i].secret)
            continue;
        h = add_view(h, r->params[i].name);
        h = add_arg(h, &q->args[i]);
    }
    uc_fnv_out(h, hash);
}

/* ---- a key --------------------------------------------------------------- */

static void key_bytes(uc_buf *out, uc_view v)
{
    uint64_t n = v.len;

    uc_buf_put(out, &n, sizeof n);
    uc_buf_put(out, v.p, v.len);
}

static void key_arg(uc_buf *out, const uc_arg *arg)
{
    uc_buf_byte(out, (uint8_t)arg->type);
    if (arg->type == UC_ARG_INT)
        uc_buf_put(out, &arg->i, sizeof arg->i);
    else if (arg->type == UC_ARG_REAL)
        uc_buf_put(out, &arg->d, sizeof arg->d);
    else if (arg->type == UC_ARG_TEXT || arg->type == UC_ARG_BLOB)
        key_bytes(out, arg->s);
}

void uc_request_key_values(const uc_request *q, uint64_t without, uc_buf *out)
{
    for (uint32_t i = 0; i < q->route->nparams; i++) {
        if ((without >> i & 1) == 0)
            key_arg(out, &q->args[i]);
    }
}

void uc_request_key(const uc_request *q, uc_buf *out)
{
    const uc_route *r = q->route;

    uc_buf_byte(out, (uint8_t)r->method);
    key_bytes(out, r->path);
    uc_request_key_values(q, 0, out);
}

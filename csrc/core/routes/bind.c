/* From a request that has been read to what an engine takes. */
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

/* FNV-1a: www.isthe.com/chongo/tech/comp/fnv */
typedef unsigned __int128 fnv;

static fnv add(fnv h, const void *p, size_t n)
{
    const fnv prime = ((fnv)1 << 88) + 0x13b;
    const uint8_t *s = p;

    for (size_t i = 0; i < n; i++)
        h = (h ^ s[i]) * prime;
    return h;
}

/* With its length: "ab", "c" is not "a", "bc". */
static fnv add_view(fnv h, uc_view v)
{
    uint64_t n = v.len;

    h = add(h, &n, sizeof n);
    return add(h, v.p, v.len);
}

static fnv add_arg(fnv h, const uc_arg *arg)
{
    uint8_t type = (uint8_t)arg->type;

    h = add(h, &type, 1);
    switch (arg->type) {
    case UC_ARG_INT:
        return add(h, &arg->i, sizeof arg->i);
    case UC_ARG_REAL:
        return add(h, &arg->d, sizeof arg->d);
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
    fnv h = (fnv)0x6c62272e07bb0142u << 64 | 0x62b821756295c58du;
    uint8_t method = (uint8_t)r->method;

    h = add(h, &method, 1);
    h = add_view(h, r->path);
    for (uint32_t i = 0; i < r->nparams; i++) {
        if (!(q->sent >> i & 1))
            continue;
        h = add_view(h, r->params[i].name);
        h = add_arg(h, &q->args[i]);
    }
    for (int i = 15; i >= 0; i--, h >>= 8)
        hash[i] = (uint8_t)h;
}

#include "wire/writer.h"

#include <msgpack/pack.h>

static int append(void *data, const char *p, size_t n)
{
    uc_buf_put(data, p, n);
    return 0;
}

static msgpack_packer packer(uc_buf *b)
{
    msgpack_packer pk;

    msgpack_packer_init(&pk, b, append);
    return pk;
}

void uc_pack_nil(uc_buf *b)
{
    msgpack_packer pk = packer(b);

    msgpack_pack_nil(&pk);
}

void uc_pack_bool(uc_buf *b, bool v)
{
    msgpack_packer pk = packer(b);

    if (v)
        msgpack_pack_true(&pk);
    else
        msgpack_pack_false(&pk);
}

void uc_pack_uint(uc_buf *b, uint64_t v)
{
    msgpack_packer pk = packer(b);

    msgpack_pack_uint64(&pk, v);
}

void uc_pack_int(uc_buf *b, int64_t v)
{
    msgpack_packer pk = packer(b);

    msgpack_pack_int64(&pk, v);
}

void uc_pack_double(uc_buf *b, double v)
{
    msgpack_packer pk = packer(b);

    msgpack_pack_double(&pk, v);
}

void uc__pack_any_strn(uc_buf *b, const void *s, size_t n)
{
    msgpack_packer pk = packer(b);

    msgpack_pack_str(&pk, n);
    msgpack_pack_str_body(&pk, s, n);
}

void uc_pack_array(uc_buf *b, uint32_t n)
{
    msgpack_packer pk = packer(b);

    msgpack_pack_array(&pk, n);
}

void uc_pack_map(uc_buf *b, uint32_t n)
{
    msgpack_packer pk = packer(b);

    msgpack_pack_map(&pk, n);
}

static uint8_t *emit(uint8_t *p, uint8_t head, uint64_t v, unsigned width)
{
    *p++ = head;
    v = __builtin_bswap64(v << (64 - 8 * width));
    memcpy(p, &v, width);
    return p + width;
}

uint8_t *uc_emit_int(uint8_t *p, int64_t v)
{
    if (v >= 0) {
        if (v < 0x80) {
            *p = (uint8_t)v;
            return p + 1;
        }
        if (v <= 0xff)
            return emit(p, 0xcc, (uint64_t)v, 1);
        if (v <= 0xffff)
            return emit(p, 0xcd, (uint64_t)v, 2);
        if (v <= 0xffffffff)
            return uc_emit_u32(p, (uint32_t)v);
        return emit(p, 0xcf, (uint64_t)v, 8);
    }
    if (v >= -32) {
        *p = (uint8_t)v;
        return p + 1;
    }
    if (v >= INT8_MIN)
        return emit(p, 0xd0, (uint64_t)v & 0xff, 1);
    if (v >= INT16_MIN)
        return emit(p, 0xd1, (uint64_t)v & 0xffff, 2);
    if (v >= INT32_MIN)
        return emit(p, 0xd2, (uint64_t)v & 0xffffffff, 4);
    return emit(p, 0xd3, (uint64_t)v, 8);
}

uint8_t *uc_emit_double(uint8_t *p, double v)
{
    uint64_t u;

    memcpy(&u, &v, 8);
    return emit(p, 0xcb, u, 8);
}

uint8_t *uc_emit_str_header(uint8_t *p, uint32_t n)
{
    if (n < 32) {
        *p = (uint8_t)(0xa0 | n);
        return p + 1;
    }
    if (n <= 0xff)
        return emit(p, 0xd9, n, 1);
    if (n <= 0xffff)
        return emit(p, 0xda, n, 2);
    return emit(p, 0xdb, n, 4);
}

uint8_t *uc_emit_bin_header(uint8_t *p, uint32_t n)
{
    if (n <= 0xff)
        return emit(p, 0xc4, n, 1);
    if (n <= 0xffff)
        return emit(p, 0xc5, n, 2);
    return emit(p, 0xc6, n, 4);
}

uint8_t *uc_emit_ext_header(uint8_t *p, uint32_t n, uint8_t type)
{
    if (n <= 0xff)
        p = emit(p, 0xc7, n, 1);
    else if (n <= 0xffff)
        p = emit(p, 0xc8, n, 2);
    else
        p = emit(p, 0xc9, n, 4);
    *p = type;
    return p + 1;
}

void uc_reply_begin(uc_buf *b, uint32_t id, uint8_t kind, uint8_t n)
{
    uint8_t *p;

    if (!uc_buf_reserve(b, 7))
        return;
    p = b->p + b->len;
    *p = (uint8_t)(0x90 | n);
    uc_emit_u32(p + 1, id);
    p[6] = kind;
    b->len += 7;
}

static void field(uc_buf *b, const char *key, const char *value)
{
    uc_pack_str(b, key);
    uc_pack_str(b, value);
}

void uc_reply_error(uc_buf *b, uint32_t id, const uc_error *e)
{
    const struct {
        const char *key, *value;
    } texts[] = {
        {"param", e->param},
        {"column", e->column},
        {"sqlstate", e->sqlstate},
        {"table", e->table},
        {"constraint", e->constraint},
        {"detail", e->detail},
        {"hint", e->hint},
    };
    uint32_t n = 4;

    n += e->outcome != NULL;
    n += e->native != 0;
    n += e->offset >= 0;
    n += e->index >= 0;
    for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++)
        n += *texts[i].value != '\0';
    uc_reply_begin(b, id, UC_REPLY_ERROR, 3);
    uc_pack_map(b, n);
    field(b, "code", e->code);
    field(b, "kind", e->kind);
    field(b, "message", e->message);
    uc_pack_str(b, "retryable");
    uc_pack_bool(b, e->retryable);
    if (e->outcome != NULL)
        field(b, "outcome", e->outcome);
    if (e->native != 0) {
        uc_pack_str(b, "native");
        uc_pack_int(b, e->native);
    }
    if (e->offset >= 0) {
        uc_pack_str(b, "offset");
        uc_pack_int(b, e->offset);
    }
    if (e->index >= 0) {
        uc_pack_str(b, "index");
        uc_pack_int(b, e->index);
    }
    for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (*texts[i].value != '\0')
            field(b, texts[i].key, texts[i].value);
    }
}

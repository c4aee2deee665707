#include "wire/reader.h"

static inline uint16_t be16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t be32(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, 4);
    return __builtin_bswap32(v);
}

static inline uint64_t be64(const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, 8);
    return __builtin_bswap64(v);
}

static inline bool have(const uc_reader *r, size_t n)
{
    return (size_t)(r->end - r->p) >= n;
}

static bool bytes(uc_reader *r, uc_value *v, uc_type type, size_t n)
{
    if (!have(r, n))
        return false;
    v->type = type;
    v->s = (uc_view){r->p, n};
    r->p += n;
    return true;
}

/* An element takes a byte at least, so a larger count is a lie. */
static bool count(uc_reader *r, uc_value *v, uc_type type, uint32_t n)
{
    size_t least = type == UC_T_MAP ? (size_t)n * 2 : n;

    if (!have(r, least))
        return false;
    v->type = type;
    v->n = n;
    return true;
}

static inline bool integer(uc_value *v, int64_t i)
{
    v->type = UC_T_INT;
    v->i = i;
    return true;
}

bool uc_read(uc_reader *r, uc_value *v)
{
    const uint8_t *p = r->p;
    uint8_t c;
    uint32_t n;
    uint64_t u;
    float f;

    if (p == r->end)
        return false;
    c = *p;
    r->p++;
    if (c <= 0x7f)
        return integer(v, c);
    if (c >= 0xe0)
        return integer(v, (int8_t)c);
    if (c >= 0xa0 && c <= 0xbf)
        return bytes(r, v, UC_T_STR, c & 0x1f);
    if (c >= 0x90 && c <= 0x9f)
        return count(r, v, UC_T_ARRAY, c & 0x0f);
    if (c >= 0x80 && c <= 0x8f)
        return count(r, v, UC_T_MAP, c & 0x0f);
    p++;
    switch (c) {
    case 0xc0:
        v->type = UC_T_NIL;
        return true;
    case 0xc2:
    case 0xc3:
        v->type = UC_T_BOOL;
        v->b = c == 0xc3;
        return true;
    case 0xc4:
    case 0xd9:
        if (!have(r, 1))
            return false;
        r->p += 1;
        return bytes(r, v, c == 0xc4 ? UC_T_BIN : UC_T_STR, p[0]);
    case 0xc5:
    case 0xda:
        if (!have(r, 2))
            return false;
        r->p += 2;
        return bytes(r, v, c == 0xc5 ? UC_T_BIN : UC_T_STR, be16(p));
    case 0xc6:
    case 0xdb:
        if (!have(r, 4))
            return false;
        r->p += 4;
        return bytes(r, v, c == 0xc6 ? UC_T_BIN : UC_T_STR, be32(p));
    case 0xca:
        if (!have(r, 4))
            return false;
        n = be32(p);
        memcpy(&f, &n, 4);
        r->p += 4;
        v->type = UC_T_DOUBLE;
        v->d = (double)f;
        return true;
    case 0xcb:
        if (!have(r, 8))
            return false;
        u = be64(p);
        r->p += 8;
        v->type = UC_T_DOUBLE;
        memcpy(&v->d, &u, 8);
        return true;
    case 0xcc:
        if (!have(r, 1))
            return false;
        r->p += 1;
        return integer(v, p[0]);
    case 0xcd:
        if (!have(r, 2))
            return false;
        r->p += 2;
        return integer(v, be16(p));
    case 0xce:
        if (!have(r, 4))
            return false;
        r->p += 4;
        return integer(v, be32(p));
    case 0xcf:
        if (!have(r, 8))
            return false;
        u = be64(p);
        r->p += 8;
        if (u <= INT64_MAX)
            return integer(v, (int64_t)u);
        v->type = UC_T_UINT;
        v->u = u;
        return true;
    case 0xd0:
        if (!have(r, 1))
            return false;
        r->p += 1;
        return integer(v, (int8_t)p[0]);
    case 0xd1:
        if (!have(r, 2))
            return false;
        r->p += 2;
        return integer(v, (int16_t)be16(p));
    case 0xd2:
        if (!have(r, 4))
            return false;
        r->p += 4;
        return integer(v, (int32_t)be32(p));
    case 0xd3:
        if (!have(r, 8))
            return false;
        r->p += 8;
        return integer(v, (int64_t)be64(p));
    case 0xdc:
    case 0xde:
        if (!have(r, 2))
            return false;
        r->p += 2;
        return count(r, v, c == 0xdc ? UC_T_ARRAY : UC_T_MAP, be16(p));
    case 0xdd:
    case 0xdf:
        if (!have(r, 4))
            return false;
        r->p += 4;
        return count(r, v, c == 0xdd ? UC_T_ARRAY : UC_T_MAP, be32(p));
    default: /* c1 is reserved; ext types are not part of the protocol */
        return false;
    }
}

bool uc_read_skip(uc_reader *r)
{
    uint64_t left[UC_MAX_DEPTH];
    unsigned depth = 0;
    uc_value v;

    left[0] = 1;
    for (;;) {
        while (left[depth] == 0) {
            if (depth == 0)
                return true;
            depth--;
        }
        left[depth]--;
        if (!uc_read(r, &v))
            return false;
        if (v.type == UC_T_ARRAY || v.type == UC_T_MAP) {
            if (++depth == UC_MAX_DEPTH)
                return false;
            left[depth] = v.type == UC_T_MAP ? (uint64_t)v.n * 2 : v.n;
        }
    }
}

bool uc_read_u64(uc_reader *r, uint64_t *n)
{
    uc_value v;

    if (!uc_read(r, &v))
        return false;
    if (v.type == UC_T_INT && v.i >= 0)
        *n = (uint64_t)v.i;
    else if (v.type == UC_T_UINT)
        *n = v.u;
    else
        return false;
    return true;
}

bool uc__read_any_u32(uc_reader *r, uint32_t *n)
{
    uint64_t u;

    if (!uc_read_u64(r, &u) || u > UINT32_MAX)
        return false;
    *n = (uint32_t)u;
    return true;
}

bool uc__read_any_str(uc_reader *r, uc_view *s)
{
    uc_value v;

    if (!uc_read(r, &v) || v.type != UC_T_STR)
        return false;
    *s = v.s;
    return true;
}

bool uc_read_bool(uc_reader *r, bool *b)
{
    uc_value v;

    if (!uc_read(r, &v) || v.type != UC_T_BOOL)
        return false;
    *b = v.b;
    return true;
}

bool uc__read_any_array(uc_reader *r, uint32_t *n)
{
    uc_value v;

    if (!uc_read(r, &v) || v.type != UC_T_ARRAY)
        return false;
    *n = v.n;
    return true;
}

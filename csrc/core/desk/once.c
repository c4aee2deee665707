#include "desk/once.h"

#include <string.h>

#include "common/clock.h"
#include "desk/lookup.h"
#include "desk/routed.h"
#include "wire/writer.h"

/* What is the same of writes with a key whatever keeps the keys. */

/* ---- the hash ---- */

/* FNV-1a with 128 bits (www.isthe.com/chongo/tech/comp/fnv): the prime is
 * 2^88 + 0x13b. It is no defence against somebody who looks for collisions in
 * his own keys, and need not be one. */
#define FNV_BASIS \
    ((unsigned __int128)0x6c62272e07bb0142u << 64 | 0x62b821756295c58du)
#define FNV_PRIME ((unsigned __int128)1 << 88 | 0x13b)

static void hash_bytes(uc_once_hash *o, const void *p, size_t n)
{
    const uint8_t *b = p;
    unsigned __int128 h = o->sum;

    for (size_t i = 0; i < n; i++)
        h = (h ^ b[i]) * FNV_PRIME;
    o->sum = h;
}

static void hash_u64(uc_once_hash *o, uint8_t tag, uint64_t v)
{
    hash_bytes(o, &tag, 1);
    hash_bytes(o, &v, sizeof v);
}

static void hash_text(uc_once_hash *o, const void *p, size_t n)
{
    hash_u64(o, UC_T_STR, n);
    hash_bytes(o, p, n);
}

/* One value with all that is in it. */
static bool hash_value(uc_once_hash *o, uc_reader *r)
{
    uint64_t left = 1, bits;
    uc_value v;

    for (; left > 0; left--) {
        if (!uc_read(r, &v))
            return false;
        switch (v.type) {
        case UC_T_NIL:
            hash_u64(o, v.type, 0);
            break;
        case UC_T_BOOL:
            hash_u64(o, v.type, v.b);
            break;
        case UC_T_INT:
            hash_u64(o, v.type, (uint64_t)v.i);
            break;
        case UC_T_UINT:
            hash_u64(o, v.type, v.u);
            break;
        case UC_T_DOUBLE:
            memcpy(&bits, &v.d, sizeof bits);
            hash_u64(o, v.type, bits);
            break;
        case UC_T_STR:
        case UC_T_BIN:
            hash_u64(o, v.type, v.s.len);
            hash_bytes(o, v.s.p, v.s.len);
            break;
        case UC_T_ARRAY:
            hash_u64(o, v.type, v.n);
            left += v.n;
            break;
        case UC_T_MAP:
            hash_u64(o, v.type, v.n);
            left += (uint64_t)v.n * 2;
            break;
        }
    }
    return true;
}

/* No parameters at all are the same as an empty list of them. */
static bool hash_params(uc_once_hash *o, uc_reader *r)
{
    uc_reader at = *r;
    uc_value v;

    if (!uc_read(&at, &v))
        return false;
    if (v.type != UC_T_NIL)
        return hash_value(o, r);
    hash_u64(o, UC_T_ARRAY, 0);
    *r = at;
    return true;
}

static bool hash_batch(uc_once_hash *o, const uc_call *call, uc_reader *r)
{
    const uc_parts *parts = call->parts;
    uint32_t n, two;

    uc_read_array(r, &n);
    for (uint32_t i = 0; i < parts->n; i++) {
        hash_text(o, parts->sql[i]->text, parts->sql[i]->len);
        if (!uc_read_array(r, &two) || !uc_read_skip(r) || !hash_params(o, r))
            return false;
    }
    return true;
}

bool uc__once_rows(uc_once_hash *o, uc_reader rows, uc_error *e)
{
    uint32_t n;

    if (!uc_read_array(&rows, &n))
        return uc_fail(e, UC_FRAME, "many takes an array of rows");
    /* Row by row: where a stream was cut into chunks is no part of it. */
    for (uint32_t i = 0; i < n; i++) {
        if (!hash_params(o, &rows))
            return uc_fail(e, UC_FRAME, "many: a row could not be read");
    }
    return true;
}

void uc__once_hash_begin(uc_once_hash *o, const uc_call *call)
{
    const uc_stmt *s = call->stmt;

    o->sum = FNV_BASIS;
    hash_bytes(o, &call->op->num, 1);
    if (s != NULL)
        hash_text(o, s->text, s->len);
}

bool uc__once_hash_request(uc_once_hash *o, uc_call *call, uc_error *e)
{
    uc_reader r = call->args;
    bool ok;

    uc__once_hash_begin(o, call);
    switch (call->op->num) {
    case UC_OP_request:
        uc_request_hash(&call->routed->q, (uint8_t *)&o->sum);
        return true;
    case UC_OP_batch:
        return hash_batch(o, call, &r) ||
               uc_fail(e, UC_FRAME, "parameters could not be read");
    case UC_OP_many:
        ok = uc_read_skip(&r);       /* token */
        ok = ok && uc_read_skip(&r); /* more */
        if (ok)
            return uc__once_rows(o, r, e);
        return uc_fail(e, UC_FRAME, "many takes [sid, token, more, rows]");
    default: /* shape */
        return (uc_read_skip(&r) && hash_params(o, &r)) ||
               uc_fail(e, UC_FRAME, "parameters could not be read");
    }
}

/* ---- answers ---- */

bool uc__once_conflict(const uint8_t *key, size_t n, uc_error *e)
{
    uc_fail(e, UC_ONCE_CONFLICT,
            "the once-key %.*s belongs to another write: a key is for one "
            "write and its repetitions",
            (int)(n < 64 ? n : 64), (const char *)key);
    e->outcome = "not-run";
    return false;
}

bool uc__once_fits(size_t n, uc_error *e)
{
    return n <= UC_ONCE_ANSWER ||
           uc_fail(e, UC_REPLY_TOO_LARGE,
                   "the answer of a write with a key is kept with it and "
                   "may have %d bytes: read the rows in another call",
                   UC_ONCE_ANSWER);
}

bool uc__once_repeat(uc_view answer, const uc_call *call, uc_buf *out,
                     uc_error *e)
{
    size_t at = out->len;

    if (answer.len < 7)
        return uc_fail(e, UC_INTERNAL, "the row of a once-key is damaged");
    uc_buf_put(out, answer.p, answer.len);
    if (!out->failed)
        uc_emit_u32(out->p + at + 1, call->id);
    return true;
}

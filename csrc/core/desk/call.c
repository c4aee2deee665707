#include "desk/call.h"

#include "common/clock.h"
#include "common/mem.h"
#include "desk/session.h"
#include "wire/writer.h"

/* A session keeps the memory of a small batch for its next one. */
enum { SPARE_BATCH = 1024 };

static uc_batch *batch_alloc(uc_session *s, size_t size)
{
    uc_batch *b = NULL;

    if (size <= SPARE_BATCH)
        b = atomic_exchange(&s->spare_batch, NULL);
    if (b != NULL)
        return b;
    b = uc_malloc(size < SPARE_BATCH ? SPARE_BATCH : size);
    if (b != NULL)
        b->is_small = size <= SPARE_BATCH;
    return b;
}

uc_batch *uc__batch_new(uc_session *s, const uint8_t *frames, size_t len,
                        uint32_t count)
{
    size_t head = sizeof(uc_batch) + (size_t)count * sizeof(uc_call);
    uc_batch *b = batch_alloc(s, head + len);
    uint8_t *bytes;

    if (b == NULL)
        return NULL;
    bytes = (uint8_t *)b + head;
    memcpy(bytes, frames, len);
    b->next = NULL;
    b->session = uc__session_ref(s);
    b->t0 = uc_now();
    atomic_init(&b->left, count);
    b->count = count;
    b->bytes = len;
    b->parsed = 0;
    atomic_fetch_add_explicit(&s->held, len, memory_order_relaxed);
    b->rest = (uc_reader){bytes, bytes + len};
    return b;
}

static void batch_release(uc_batch *b, uint32_t n)
{
    if (n > 0 && atomic_fetch_sub(&b->left, n) == n) {
        uc_session *s = b->session;

        atomic_fetch_sub_explicit(&s->held, b->bytes, memory_order_relaxed);
        if (b->is_small)
            b = atomic_exchange(&s->spare_batch, b);
        uc_free(b);
        uc__session_unref(s);
    }
}

/* {"t": timeout ms, "x": transaction, "s": snapshot, "i": a transaction that
 * it is called inside of, "o": once-key, "r": a repetition, "w": ids of a
 * trace}; other keys: ignored, so that a newer client may send more. */
static bool meta(uc_call *c, uc_reader *r, int64_t t0)
{
    uc_value v;
    uc_view key;
    uint64_t n;

    if (!uc_read(r, &v))
        return false;
    if (v.type == UC_T_NIL)
        return true;
    if (v.type != UC_T_MAP)
        return false;
    for (uint32_t i = v.n; i > 0; i--) {
        if (!uc_read_str(r, &key))
            return false;
        if (uc_view_is(key, "o")) {
            if (!uc_read_str(r, &c->once))
                return false;
            continue;
        }
        if (uc_view_is(key, "r")) {
            if (!uc_read_bool(r, &c->repeat))
                return false;
            continue;
        }
        if (uc_view_is(key, "w")) {
            if (!uc_read(r, &v) || v.type != UC_T_BIN ||
                v.s.len != UC_TRACE_BYTES)
                return false;
            c->trace = v.s;
            continue;
        }
        if (key.len != 1 || (key.p[0] != 't' && key.p[0] != 'x' &&
                             key.p[0] != 's' && key.p[0] != 'i')) {
            if (!uc_read_skip(r))
                return false;
            continue;
        }
        if (!uc_read_u64(r, &n))
            return false;
        if (key.p[0] == 'x')
            c->tx = n;
        else if (key.p[0] == 's')
            c->snap = n;
        else if (key.p[0] == 'i')
            c->inside = n;
        else if (n > 0 && n < INT64_MAX / (4 * UC_MS))
            c->deadline = t0 + (int64_t)n * UC_MS;
        else /* 0: none, not even the default one */
            c->deadline = INT64_MAX / 2;
    }
    return true;
}

/* Field by field: a memset of this size is a `rep stos`, whose start alone
 * takes longer. */
static inline void clear(uc_call *c)
{
    c->next = NULL;
    c->batch = NULL;
    c->session = NULL;
    c->op = NULL;
    c->id = 0;
    c->nargs = 0;
    c->args = (uc_reader){NULL, NULL};
    c->tx = 0;
    c->snap = 0;
    c->inside = 0;
    c->repeat = false;
    c->unsure = false;
    c->again = 0;
    c->alone = false;
    c->once = (uc_view){NULL, 0};
    c->trace = (uc_view){NULL, 0};
    c->deadline = 0;
    atomic_init(&c->state, UC_CALL_QUEUED);
    atomic_init(&c->stop, UC_STOP_NONE);
    c->rows = -1;
    c->stmt = NULL;
    c->parts = NULL;
    c->routed = NULL;
    c->lease = NULL;
    c->wseq = 0;
    c->after = 0;
    c->after_tx = 0;
}

/* The front as clients mostly write it, without meta: 9x op | ce id | c0.
 * False, with nothing read, for any other, which may be as valid. */
static inline bool common_head(uc_reader *r, uint32_t *n, uint32_t *num,
                               uint32_t *id)
{
    const uint8_t *p = r->p;

    if (r->end - p < 8 || p[0] < 0x93 || p[0] > 0x9f || p[1] > 0x7f ||
        p[2] != 0xce || p[7] != 0xc0 || (uint32_t)(p[0] & 0x0f) > r->end - p)
        return false;
    *n = p[0] & 0x0f;
    *num = p[1];
    *id = (uint32_t)p[3] << 24 | (uint32_t)p[4] << 16 | (uint32_t)p[5] << 8 |
          (uint32_t)p[6];
    r->p += 8;
    return true;
}

bool uc__call_parse(uc_call *c, uc_reader *r, int64_t t0, bool last,
                    uc_error *e)
{
    uint32_t n, num;

    clear(c);
    if (!common_head(r, &n, &num, &c->id) &&
        (!uc_read_array(r, &n) || n < 3 || !uc_read_u32(r, &num) ||
         !uc_read_u32(r, &c->id) || !meta(c, r, t0)))
        return uc_fail(e, UC_FRAME,
                       "a request is [op, id, meta, ...arguments]; this one "
                       "could not be read");
    c->nargs = n - 3;
    c->args.p = r->p;
    if (last)
        r->p = r->end;
    for (uint32_t i = 0; !last && i < c->nargs; i++) {
        if (!uc_read_skip(r))
            return uc_fail(e, UC_FRAME,
                           "argument %u of the request could not be read",
                           i + 1);
    }
    c->args.end = r->p;
    c->op = uc_op_find(num);
    if (c->op == NULL)
        return uc_fail(e, UC_OP, "there is no operation %u", num);
    if (c->nargs < c->op->lo || c->nargs > c->op->hi)
        return uc_fail(e, UC_FRAME, "operation %s takes %u to %u arguments",
                       c->op->name, c->op->lo, c->op->hi);
    return true;
}

/* Nothing needs to know where it ends: what it is about to be read by looks at
 * all of it. */
static bool is_last_request(const uc_batch *b)
{
    return b->parsed == b->count && b->rest.end - b->rest.p > 1 &&
           b->rest.p[1] == UC_OP_request;
}

uc_call *uc__batch_next(uc_batch *b, uc_error *e)
{
    uc_call *c;

    e->code = NULL;
    if (b->parsed == b->count)
        return NULL;
    c = &b->calls[b->parsed++];
    uc__call_parse(c, &b->rest, b->t0, is_last_request(b), e);
    c->batch = b;
    c->session = b->session;
    if (e->code != NULL && c->op == NULL &&
        strcmp(e->code, uc_code_name(UC_FRAME)) == 0) {
        /* Where the next frame begins is not known any more. */
        batch_release(b, b->count - b->parsed);
        b->count = b->parsed;
    }
    return c;
}

void uc__batch_finish(uc_batch *b, uint32_t n)
{
    batch_release(b, n);
}

void uc__call_finish(uc_call *c)
{
    atomic_store(&c->state, UC_CALL_DONE);
    if (c->batch != NULL)
        batch_release(c->batch, 1);
}

void uc__call_tell(uc_call *c, const uc_error *e)
{
    uc_buf b;
    size_t at;

    if (c->id == 0)
        return;
    uc_buf_init(&b, SIZE_MAX);
    at = uc__reply_open(&b);
    uc_reply_error(&b, c->id, e);
    uc__reply_close(&b, at, c->id);
    uc__session_publish(c->session, &b);
    uc_buf_fini(&b);
}

void uc__call_fail(uc_call *c, const uc_error *e)
{
    uc__call_tell(c, e);
    uc__call_finish(c);
}

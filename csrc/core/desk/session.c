#include "desk/session.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/mem.h"
#include "log/desk.h"
#include "wire/writer.h"

uc_session *uc__session_ref(uc_session *s)
{
    atomic_fetch_add(&s->refs, 1);
    return s;
}

static void drop_chunks(uc_session *s)
{
    while (s->head != NULL) {
        uc_chunk *c = s->head;

        s->head = c->next;
        uc_buf_fini(&c->buf);
        uc_free(c);
    }
    s->tail = NULL;
    atomic_store(&s->pending, 0);
    atomic_store(&s->held, 0);
}

void uc__session_unref(uc_session *s)
{
    if (atomic_fetch_sub(&s->refs, 1) != 1)
        return;
    if (s->peer != NULL)
        s->driver->release(s->peer);
    drop_chunks(s);
    uc_buf_fini(&s->sync_left);
    uc_buf_fini(&s->cache_left);
    uc_log_desk_unref(s->desk);
    uc_mutex_fini(&s->mu);
    uc_free(s);
}

uc_session *uc_session_open(const char *path, const uint8_t *options,
                            size_t options_len, uc_wake_fn *wake,
                            void *wake_arg)
{
    uc_session *s = uc_calloc(1, sizeof *s);
    uc_options o;
    uc_error e = {0};
    bool ok;

    if (s == NULL)
        return NULL;
    atomic_init(&s->refs, 1);
    uc_mutex_init(&s->mu);
    s->wake = wake;
    s->wake_arg = wake_arg;
    s->driver = &uc_driver_sqlite;
    uc_buf_init(&s->sync_left, SIZE_MAX);
    uc_buf_init(&s->cache_left, SIZE_MAX);
    ok = uc_options_read(&o, (uc_view){options, options_len}, &e);
    s->max_unsent = (size_t)o.max_unsent;
    /* A bad option is an answer to every call, like a bad file. */
    s->peer = s->driver->open(s, path, &o, ok ? NULL : &e);
    if (s->peer == NULL) {
        uc__session_unref(s);
        return NULL;
    }
    return s;
}

void uc_session_log(uc_session *s, struct uc_log_desk *desk)
{
    uc_log_desk_ref(desk);
    s->desk = desk;
}

static bool at_once(uint8_t num)
{
    const uc_op *op = uc_op_find(num);

    return op != NULL &&
           (op->lane == UC_LANE_CACHE || op->lane == UC_LANE_LOG ||
            (op->flags & UC_URGENT) != 0);
}

bool uc_submit(uc_session *s, const uint8_t *frames, size_t len, uint32_t count,
               unsigned hint)
{
    uc_batch *b;

    if (count == 0 || len / 4 < count)
        return count == 0;
    b = uc__batch_new(s, frames, len, count);
    if (b == NULL)
        return false;
    /* What the cache and the log answer needs no other thread, and a cancel
     * must not wait for one. */
    if (len > 1 && at_once(frames[1]))
        hint |= UC_HINT_URGENT;
    s->driver->submit(s->peer, b, hint);
    return true;
}

void uc_session_last(uc_session *s)
{
    s->driver->last(s->peer);
}

void uc_assist(uc_session *s)
{
    s->driver->assist(s->peer);
}

void uc__session_publish(uc_session *s, uc_buf *replies)
{
    uc_chunk *c;

    if (replies->len == 0) {
        replies->failed = false;
        return;
    }
    do
        c = malloc(sizeof *c); /* not the seam: a lost reply is a hang */
    while (c == NULL);
    c->next = NULL;
    c->off = 0;
    c->buf = *replies;
    uc_buf_init(replies, replies->max);
    uc_lock(&s->mu);
    if (s->dead) {
        uc_unlock(&s->mu);
        uc_buf_fini(&c->buf);
        uc_free(c);
        return;
    }
    if (s->tail != NULL)
        s->tail->next = c;
    else
        s->head = c;
    s->tail = c;
    atomic_fetch_add(&s->pending, c->buf.len);
    if (!s->woken) {
        s->woken = true;
        s->wake(s->wake_arg);
    }
    uc_unlock(&s->mu);
}

static size_t frame_len(const uint8_t *p)
{
    return (size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 |
           (size_t)p[3] << 24;
}

/* Whole replies of one chunk, each with `gap` bytes in front. Returns what was
 * written to dst and moves the chunk on. */
static size_t take_chunk(uc_chunk *c, uint8_t *dst, size_t cap, size_t gap)
{
    size_t len = 0, n = c->buf.len - c->off;

    if (gap == 0 && n <= cap) {
        memcpy(dst, c->buf.p + c->off, n);
        c->off += n;
        return n;
    }
    while (c->off < c->buf.len) {
        const uint8_t *p = c->buf.p + c->off;

        n = 4 + frame_len(p);
        if (gap > cap - len || n > cap - len - gap)
            break;
        memcpy(dst + len + gap, p, n);
        len += gap + n;
        c->off += n;
    }
    return len;
}

size_t uc_take(uc_session *s, uint8_t *dst, size_t cap, size_t head,
               size_t *need)
{
    size_t len = 0, gone = 0, gap = head - 4;
    uc_chunk *spent = NULL;

    *need = 0;
    uc_lock(&s->mu);
    while (s->head != NULL) {
        uc_chunk *c = s->head;
        size_t off = c->off;

        len += take_chunk(c, dst + len, cap - len, gap);
        gone += c->off - off;
        if (c->off < c->buf.len) {
            if (len == 0)
                *need = head + frame_len(c->buf.p + c->off);
            break;
        }
        s->head = c->next;
        if (s->head == NULL)
            s->tail = NULL;
        c->next = spent;
        spent = c;
    }
    atomic_fetch_sub(&s->pending, gone);
    if (len == 0 && *need == 0)
        s->woken = false;
    uc_unlock(&s->mu);
    while (spent != NULL) {
        uc_chunk *c = spent;

        spent = c->next;
        uc_buf_fini(&c->buf);
        uc_free(c);
    }
    return len;
}

size_t uc_held(uc_session *s)
{
    return atomic_load_explicit(&s->held, memory_order_relaxed);
}

size_t uc_pending(uc_session *s)
{
    return atomic_load_explicit(&s->pending, memory_order_relaxed);
}

void uc__reply_close(uc_buf *b, size_t at, uint32_t id)
{
    uint32_t n;

    if (b->failed) {
        uc_error e = {0};

        b->max = b->max < at + 1024 ? at + 1024 : b->max;
        /* A lost reply is a hang: better to wait for what it takes. */
        do
            uc_buf_rewind(b, at);
        while (!uc_buf_reserve(b, 512));
        uc__reply_open(b);
        uc_fail(&e, UC_MEMORY, "no memory for the reply");
        uc_reply_error(b, id, &e);
    }
    n = (uint32_t)(b->len - at - 4);
    b->p[at] = (uint8_t)n;
    b->p[at + 1] = (uint8_t)(n >> 8);
    b->p[at + 2] = (uint8_t)(n >> 16);
    b->p[at + 3] = (uint8_t)(n >> 24);
}

void uc__call_fail(uc_call *c, const uc_error *e)
{
    uc_buf b;

    if (c->id != 0) {
        size_t at;

        uc_buf_init(&b, SIZE_MAX);
        at = uc__reply_open(&b);
        uc_reply_error(&b, c->id, e);
        uc__reply_close(&b, at, c->id);
        uc__session_publish(c->session, &b);
        uc_buf_fini(&b);
    }
    uc__call_finish(c);
}

size_t uc__sync_reply(uc_buf *out, uint32_t id, uint8_t *dst, size_t cap)
{
    if (out->failed) {
        uc_error e;

        uc_error_init(&e);
        do
            uc_buf_rewind(out, 0);
        while (!uc_buf_reserve(out, 512));
        uc_fail(&e, UC_MEMORY, "no memory for the reply");
        uc_reply_error(out, id, &e);
    }
    if (out->len > 0 && out->len <= cap)
        memcpy(dst, out->p, out->len);
    return out->len;
}

size_t uc__sync_left(uc_buf *out, uint8_t *dst, size_t cap)
{
    size_t n = out->len;

    if (n == 0 || n > cap)
        return n;
    memcpy(dst, out->p, n);
    if (out->cap > 1 << 20)
        uc_buf_fini(out);
    uc_buf_rewind(out, 0);
    return n;
}

size_t uc_sync(uc_session *s, const uint8_t *frame, size_t len, uint8_t *dst,
               size_t cap)
{
    uc_reader r = {frame, frame + len};
    uc_buf *out = &s->sync_left;
    uc_error e;
    uc_call c;

    uc_error_init(&e);
    uc_buf_rewind(out, 0);
    if (uc__call_parse(&c, &r, 0, true, &e)) {
        c.session = s;
        if (c.deadline != 0)
            c.deadline += uc_now();
        s->driver->sync(s->peer, &c, out);
    } else {
        uc_reply_error(out, c.id, &e);
    }
    return uc__sync_reply(out, c.id, dst, cap);
}

size_t uc_sync_take(uc_session *s, uint8_t *dst, size_t cap)
{
    return uc__sync_left(&s->sync_left, dst, cap);
}

void uc_turn_end(uc_session *s)
{
    s->driver->turn_end(s->peer);
}

bool uc_session_function(uc_session *s, const uc_fn_spec *spec,
                         const char **error)
{
    return s->driver->function(s->peer, spec, error);
}

void uc_session_destroy(uc_session *s)
{
    uc_lock(&s->mu);
    s->dead = true;
    drop_chunks(s);
    uc_unlock(&s->mu);
    s->driver->abandon(s->peer);
    uc__session_unref(s);
}

const char *uc_version(void)
{
    return "0.1.0";
}

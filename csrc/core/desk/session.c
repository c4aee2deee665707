#include "desk/session.h"

#include <stdlib.h>

#include "cache/cache.h"
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
    uc_cache_unref(s->cache);
    uc_free(s->peer);
    drop_chunks(s);
    uc_buf_fini(&s->sync_left);
    uc_buf_fini(&s->cache_left);
    uc_log_desk_unref(s->desk);
    uc_mutex_fini(&s->mu);
    uc_free(s);
}

void uc__session_die(uc_session *s)
{
    uc_lock(&s->mu);
    s->dead = true;
    drop_chunks(s);
    uc_unlock(&s->mu);
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

void uc__sync_failed(uc_buf *out, uint32_t id)
{
    uc_error e;

    uc_error_init(&e);
    do
        uc_buf_rewind(out, 0);
    while (!uc_buf_reserve(out, 512));
    uc_fail(&e, UC_MEMORY, "no memory for the reply");
    uc_reply_error(out, id, &e);
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

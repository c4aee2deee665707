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

/* A chunk that a session keeps for its next replies has at most so much, and
 * what is longer than that is not copied. */
enum { SPARE_CHUNK = 2048 };

static void chunk_free(uc_chunk *c)
{
    if (c == NULL)
        return;
    uc_buf_fini(&c->buf);
    uc_free(c);
}

static void drop_chunks(uc_session *s)
{
    while (s->head != NULL) {
        uc_chunk *c = s->head;

        s->head = c->next;
        chunk_free(c);
    }
    s->tail = NULL;
    chunk_free(s->spare);
    s->spare = NULL;
    atomic_store(&s->pending, 0);
    atomic_store(&s->held, 0);
}

void uc__session_unref(uc_session *s)
{
    if (atomic_fetch_sub(&s->refs, 1) != 1)
        return;
    uc_cache_unref(s->cache);
    uc_free(s->peer);
    uc_free(atomic_load(&s->spare_batch));
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

static void append(uc_session *s, uc_chunk *c)
{
    c->next = NULL;
    c->off = 0;
    if (s->tail != NULL)
        s->tail->next = c;
    else
        s->head = c;
    s->tail = c;
}

/* Under mu: so many bytes more wait. */
static void announce(uc_session *s, size_t n)
{
    atomic_fetch_add(&s->pending, n);
    if (!atomic_exchange(&s->woken, true))
        s->wake(s->wake_arg);
}

static bool has_room(const uc_chunk *c, size_t n)
{
    return c != NULL && c->buf.cap - c->buf.len >= n;
}

/* What is short is copied where there is room, so that its buffer stays, warm,
 * with who writes the next. Under mu; false: there is none. */
static bool copied(uc_session *s, uc_buf *replies)
{
    size_t n = replies->len;

    if (n > SPARE_CHUNK)
        return false;
    if (!has_room(s->tail, n)) {
        if (!has_room(s->spare, n))
            return false;
        append(s, s->spare);
        s->spare = NULL;
    }
    uc_buf_put(&s->tail->buf, replies->p, n);
    uc_buf_rewind(replies, 0);
    announce(s, n);
    return true;
}

void uc__session_publish(uc_session *s, uc_buf *replies)
{
    uc_chunk *c;
    bool done;

    if (replies->len == 0) {
        replies->failed = false;
        return;
    }
    uc_lock(&s->mu);
    done = s->dead || copied(s, replies);
    uc_unlock(&s->mu);
    if (done) {
        uc_buf_rewind(replies, 0);
        return;
    }
    do
        c = malloc(sizeof *c); /* not the seam: a lost reply is a hang */
    while (c == NULL);
    c->buf = *replies;
    uc_buf_init(replies, replies->max);
    uc_lock(&s->mu);
    done = s->dead;
    if (!done) {
        append(s, c);
        announce(s, c->buf.len);
    }
    uc_unlock(&s->mu);
    if (done)
        chunk_free(c);
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

/* Nothing waits, and whoever adds something wakes the door. Who does so says
 * how much waits before it looks whether the door is awake; here it is the
 * other way round, so that one of both sees the other. */
static bool is_empty(uc_session *s)
{
    if (atomic_load(&s->pending) > 0)
        return false;
    atomic_store(&s->woken, false);
    return atomic_load(&s->pending) == 0;
}

size_t uc_take(uc_session *s, uint8_t *dst, size_t cap, size_t head,
               size_t *need)
{
    size_t len = 0, gone = 0, gap = head - 4;
    uc_chunk *spent = NULL;

    *need = 0;
    if (is_empty(s))
        return 0;
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
        if (s->spare == NULL && c->buf.cap <= SPARE_CHUNK) {
            uc_buf_rewind(&c->buf, 0);
            s->spare = c;
            continue;
        }
        c->next = spent;
        spent = c;
    }
    atomic_fetch_sub(&s->pending, gone);
    if (len == 0 && *need == 0)
        atomic_store(&s->woken, false);
    uc_unlock(&s->mu);
    while (spent != NULL) {
        uc_chunk *c = spent;

        spent = c->next;
        chunk_free(c);
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

#include "log/record.h"

static uint32_t skip_check(uint64_t salt, uint64_t pos)
{
    return uc__record_check(~salt, pos, NULL, 0);
}

static void write_header(uc_ring *r, uint64_t at, uint32_t len, uint32_t check,
                         uint64_t pos)
{
    uc__record header = {.len = len, .check = check, .pos = pos};

    memcpy(r->data + at, &header, sizeof header);
}

/* The owner's tail, if it can be one: what is in the file may be anything. */
static void see_tail(uc_ring *r)
{
    uint64_t tail = atomic_load_explicit(&r->page->tail, memory_order_acquire);

    if (tail >= r->tail && tail <= r->head)
        r->tail = tail;
}

uint64_t uc__record_room(uc_ring *r, uint32_t len)
{
    uint64_t left = r->cap - r->at, size = uc__record_size(len);
    uint64_t need = left < size ? left + size : size;

    if (r->cap - (r->head - r->tail) < need) {
        see_tail(r);
        if (r->cap - (r->head - r->tail) < need)
            return 0;
    }
    return r->head + need;
}

void uc__record_put(uc_ring *r, const uint8_t *p, uint32_t len)
{
    uint64_t left = r->cap - r->at, size = uc__record_size(len);

    if (left < size) {
        if (left >= sizeof(uc__record))
            write_header(r, r->at, UC__SKIP, skip_check(r->salt, r->head),
                         r->head);
        r->head += left;
        r->at = 0;
    }
    memcpy(r->data + r->at + sizeof(uc__record), p, len);
    write_header(r, r->at, len, uc__record_check(r->salt, r->head, p, len),
                 r->head);
    r->head += size;
    r->at = left == size ? 0 : r->at + size;
    atomic_store_explicit(&r->page->head, r->head, memory_order_release);
}

bool uc_ring_put(uc_ring *r, const uint8_t *p, uint32_t len)
{
    if (uc__record_room(r, len) == 0)
        return false;
    uc__record_put(r, p, len);
    return true;
}

void uc_ring_seal(uc_ring *r)
{
    atomic_store(&r->page->sealed, 1);
}

uint64_t uc_ring_used(const uc_ring *r)
{
    uint64_t tail = atomic_load_explicit(&r->page->tail, memory_order_acquire);

    return tail <= r->head && r->head - tail <= r->cap ? r->head - tail
                                                       : r->head - r->tail;
}

bool uc_ring_drained_to(const uc_ring *r, uint64_t pos)
{
    return atomic_load(&r->page->tail) >= pos;
}

void uc_ring_wait(uc_ring *r, uint64_t pos, int64_t ms)
{
    uint32_t seen = atomic_load(&r->page->moved);

    atomic_store(&r->page->waiting, 1);
    if (!uc_ring_drained_to(r, pos))
        uc_futex_wait(&r->page->moved, seen, ms);
}

void uc_ring_free(uc_ring *r, uint64_t tail)
{
    atomic_store(&r->page->tail, tail);
    if (atomic_load(&r->page->waiting) == 0)
        return;
    atomic_store(&r->page->waiting, 0);
    atomic_fetch_add(&r->page->moved, 1);
    uc_futex_wake(&r->page->moved);
}

bool uc_ring_is_sealed(const uc_ring *r)
{
    return atomic_load_explicit(&r->page->sealed, memory_order_acquire) != 0;
}

/* --- the walk ------------------------------------------------------------- */

uint64_t uc_ring_tail(const uc_ring *r)
{
    uint64_t head = atomic_load_explicit(&r->page->head, memory_order_acquire);
    uint64_t tail = atomic_load_explicit(&r->page->tail, memory_order_acquire);

    if (tail <= head && head - tail <= r->cap && tail % 8 == 0)
        return tail;
    /* One of the two is wrong. What is there twice is better than what is lost:
     * from where the head could have started, or else the tail is right. */
    if (head % 8 != 0 || head > UINT64_MAX - 2 * r->cap)
        return tail & ~(uint64_t)7;
    return head > r->cap ? head - r->cap : 0;
}

void uc_ring_walk_begin(uc_ring_walk *w, const uc_ring *r, uint64_t from)
{
    uint64_t head = atomic_load_explicit(&r->page->head, memory_order_acquire);

    *w = (uc_ring_walk){.data = r->data,
                        .cap = r->cap,
                        .salt = r->salt,
                        .pos = from,
                        .at = from % r->cap,
                        .end = head};
    if (head >= from && head - from <= r->cap && head % 8 == 0)
        return;
    w->lost = true;
    w->end = from > UINT64_MAX - r->cap ? from : from + r->cap;
}

/* What is at pos: its size, or 0 when it is no record; len 0: to be skipped
 * over, as the producer did. */
static uint64_t look(uc_ring_walk *w, uc_view *record)
{
    uint64_t at = w->at, left = w->cap - at, size;
    uc__record header;

    *record = (uc_view){NULL, 0};
    if (left < sizeof header)
        return left <= w->end - w->pos ? left : 0;
    memcpy(&header, w->data + at, sizeof header);
    if (header.pos != w->pos || w->end - w->pos < sizeof header)
        return 0;
    if (header.len == UC__SKIP)
        return header.check == skip_check(w->salt, w->pos) &&
                       left <= w->end - w->pos
                   ? left
                   : 0;
    size = uc__record_size(header.len);
    if (header.len == 0 || size > left || size > w->end - w->pos)
        return 0;
    if (header.check != uc__record_check(w->salt, w->pos,
                                         w->data + at + sizeof header,
                                         header.len)) {
        w->cost += size;
        return 0;
    }
    *record = (uc_view){w->data + at + sizeof header, header.len};
    return size;
}

static void advance(uc_ring_walk *w, uint64_t n)
{
    w->pos += n;
    w->at += n;
    if (w->at >= w->cap)
        w->at -= w->cap;
}

bool uc_ring_walk_next(uc_ring_walk *w, uc_view *record)
{
    while (w->pos < w->end) {
        uint64_t size = look(w, record);

        if (size > 0) {
            advance(w, size);
            if (record->len > 0)
                return true;
        } else if (w->lost) {
            w->end = w->pos;
        } else if (w->cost > 2 * w->cap) {
            /* Many false headers before a lot of bytes: somebody made them, and
             * they are not worth the time. */
            w->skipped += w->end - w->pos;
            advance(w, w->end - w->pos);
        } else {
            advance(w, 8);
            w->skipped += 8;
        }
    }
    return false;
}

void uc__records_resalt(uc_ring *r, uint64_t salt, uint64_t from, uint64_t to)
{
    uc_ring_walk w = {.data = r->data,
                      .cap = r->cap,
                      .salt = salt,
                      .pos = from,
                      .at = from % r->cap,
                      .end = to};

    while (w.pos < w.end) {
        uc_view record;
        uint64_t size = look(&w, &record);

        if (record.len > 0)
            write_header(r, w.at, (uint32_t)record.len,
                         uc__record_check(r->salt, w.pos, record.p, record.len),
                         w.pos);
        else if (size >= sizeof(uc__record))
            write_header(r, w.at, UC__SKIP, skip_check(r->salt, w.pos), w.pos);
        advance(&w, size > 0 ? size : 8);
    }
}

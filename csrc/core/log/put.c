#include "log/inner.h"

#include "common/clock.h"
#include "log/names.h"

/* The longest sleep without a look around: the owner may have died. */
#define NAP 50

static void count(uc_log *l, size_t len, uint32_t nlines)
{
    l->lines += nlines;
    l->bytes += len;
}

/* The owner sleeps only when nothing has come for a while, so that this is no
 * system call. Its way into the sleep is so slow that a store which this load
 * has overtaken is seen by it. */
static void wake_owner(const uc_log *l)
{
    if (l->place != NULL && uc_place_is_asleep(l->place))
        uc_place_wake(l->place);
}

static void tell(uc_log *l, uint64_t *untold, const char *why)
{
    char line[512];
    size_t n;

    if (*untold == 0)
        return;
    n = uc__log_line(line, sizeof line, &l->o, 40, "dropped", *untold,
                     "%llu lines were dropped: %s", (unsigned long long)*untold,
                     why);
    if (!uc_ring_put(l->ring, (const uint8_t *)line, (uint32_t)n))
        return;
    *untold = 0;
    count(l, n, 1);
    wake_owner(l);
}

void uc__log_tell(uc_log *l)
{
    tell(l, &l->untold, "the log's ring was full");
    tell(l, &l->untold_long, "they are too long for the ring");
}

void uc__log_prune(uc_log *l)
{
    uint32_t n = 0;

    while (n < l->nolder && uc_ring_drained_to(l->older[n], l->older[n]->head))
        uc_ring_unref(l->older[n++]);
    l->nolder -= n;
    memmove(l->older, l->older + n, l->nolder * sizeof *l->older);
}

/* Goes on in another ring of twice the size. False: there may be none. */
static bool grow(uc_log *l)
{
    uint64_t total = l->ring->cap, size = l->ring->cap * 2;
    uc_ring *r;
    int err;

    uc__log_prune(l);
    for (uint32_t i = 0; i < l->nolder; i++)
        total += l->older[i]->cap;
    if (l->place == NULL || l->ring->fd < 0 || l->nolder == UC__LOG_OLDER ||
        total + l->o.ring_bytes > l->o.grow_bytes)
        return false;
    if (size > l->o.grow_bytes - total)
        size = l->o.grow_bytes - total;
    if (size > UC_RING_MOST)
        size = UC_RING_MOST;
    r = uc_ring_create(l->place->rings, l->id, l->ring->gen + 1, l->ring->kept,
                       size & ~(uint64_t)4095, l->ring, false, &err);
    if (r == NULL)
        return false;
    uc__log_step(&l->o, "ring made");
    uc_ring_seal(l->ring);
    l->older[l->nolder++] = l->ring;
    l->ring = r;
    atomic_store(&l->youngest, r->gen);
    atomic_fetch_add(&l->place->control->rings, 1);
    uc_place_wake(l->place);
    return true;
}

/* Lets the owner make room, without mu. False: the time is up. */
static bool wait_for_room(uc_log *l, int64_t until)
{
    int64_t ms = (until - uc_now()) / UC_MS;
    uc_ring *r = uc_ring_ref(l->ring);
    uint64_t tail = r->tail;

    uc__log_nudge(l);
    uc_unlock(&l->mu);
    if (ms > 0)
        uc_ring_wait(r, tail + 1, ms < NAP ? ms : NAP);
    uc_ring_unref(r);
    uc_lock(&l->mu);
    return ms > 0;
}

static uc_log_result drop(uc_log *l, uint32_t nlines)
{
    l->dropped += nlines;
    l->untold += nlines;
    return UC_LOG_DROPPED;
}

static uc_log_result drop_long(uc_log *l, uint64_t nlines)
{
    l->dropped += nlines;
    l->untold_long += nlines;
    return UC_LOG_TOO_LARGE;
}

/* When the first try was in vain. */
static uc_log_result put_full(uc_log *l, const uint8_t *p, size_t len,
                              uint32_t nlines, bool may_wait)
{
    int64_t until = 0;

    for (;;) {
        uc__log_tell(l);
        if (l->untold == 0 && uc_ring_put(l->ring, p, (uint32_t)len)) {
            l->dropping = false;
            return UC_LOG_DONE;
        }
        if (l->o.overflow == UC_LOG_GROW && grow(l))
            continue;
        if (l->o.overflow != UC_LOG_BLOCK)
            return drop(l, nlines);
        if (!may_wait)
            return UC_LOG_WOULD_WAIT;
        if (l->dropping)
            return drop(l, nlines);
        if (until == 0) {
            until = uc_now() + l->o.block_ms * UC_MS;
            l->blocked++;
        }
        if (!wait_for_room(l, until)) {
            l->dropping = true;
            return drop(l, nlines);
        }
    }
}

uc_log_result uc_log_put(uc_log *l, const uint8_t *lines, size_t len,
                         uint32_t nlines, bool may_wait)
{
    uc_log_result result = UC_LOG_DONE;

    if (len == 0)
        return UC_LOG_DONE;
    uc_lock(&l->mu);
    if (len > uc_ring_largest(l->ring))
        result = drop_long(l, nlines);
    else if (l->untold > 0 || !uc_ring_put(l->ring, lines, (uint32_t)len))
        result = put_full(l, lines, len, nlines, may_wait);
    if (result == UC_LOG_DONE) {
        count(l, len, nlines);
        wake_owner(l);
    }
    uc_unlock(&l->mu);
    return result;
}

uc_log_result uc_log_put_from(uc_log *l, const uint8_t client[16],
                              uint64_t last_seq, const uint8_t *lines,
                              size_t len, uint32_t nlines)
{
    uc_log_result result = UC_LOG_WOULD_WAIT;

    if (len == 0)
        return UC_LOG_DONE;
    uc_lock(&l->mu);
    if (uc_ring_seen(l->ring, client) >= last_seq) {
        uc_unlock(&l->mu);
        return UC_LOG_DONE;
    }
    uc__log_tell(l);
    if (len > uc_ring_largest(l->ring))
        result = UC_LOG_TOO_LARGE;
    else if (uc_ring_put_from(l->ring, lines, (uint32_t)len, client, last_seq))
        result = UC_LOG_DONE;
    else if (l->o.overflow == UC_LOG_GROW && grow(l) &&
             uc_ring_put_from(l->ring, lines, (uint32_t)len, client, last_seq))
        result = UC_LOG_DONE;
    if (result == UC_LOG_DONE)
        count(l, len, nlines);
    /* Whose lines have no room wants it soon. */
    if (result == UC_LOG_WOULD_WAIT)
        uc__log_nudge(l);
    else
        wake_owner(l);
    uc_unlock(&l->mu);
    return result;
}

void uc_log_lost(uc_log *l, uint64_t nlines, bool too_long)
{
    uc_lock(&l->mu);
    if (too_long)
        drop_long(l, nlines);
    else
        drop(l, (uint32_t)nlines);
    uc_unlock(&l->mu);
}

uint64_t uc_log_seen(uc_log *l, const uint8_t client[16])
{
    uint64_t seq;

    uc_lock(&l->mu);
    seq = uc_ring_seen(l->ring, client);
    uc_unlock(&l->mu);
    return seq;
}

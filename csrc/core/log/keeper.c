#define _GNU_SOURCE
#include "log/inner.h"

#include "common/clock.h"
#include "common/mem.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define POLL 5                   /* ms, while there is traffic */
#define QUIET (1000 * UC_MS)     /* then the owner goes to sleep */
#define SLEEP 1000               /* ms, at most */
#define CLAIM (200 * UC_MS)      /* whether the owner still lives */
#define PLACE (2000 * UC_MS)     /* whether the disk has room again */
#define CHECK (1000 * UC_MS)     /* whether the directory is still there */
#define WARM ((uint64_t)2 << 20) /* ahead of the head */

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

static void note_error(uc_log *l, const uc_error *e)
{
    uc_lock(&l->mu);
    snprintf(l->error, sizeof l->error, "%.199s", e->message);
    uc_unlock(&l->mu);
}

/* Its own rings it reads where they are mapped; from a generation on. */
static void adopt(uc_log *l, uc_drain *d, uint64_t from)
{
    uc_lock(&l->mu);
    for (uint32_t i = 0; i < l->nolder; i++)
        if (l->older[i]->gen >= from)
            uc_drain_adopt(d, l->older[i]);
    uc_drain_adopt(d, l->ring);
    l->adopted = l->ring->gen;
    uc_unlock(&l->mu);
}

static void set_drain(uc_log *l, uc_drain *d)
{
    uc_lock(&l->mu);
    l->drain = d;
    if (d != NULL)
        l->error[0] = '\0';
    uc_unlock(&l->mu);
}

bool uc__log_take_over(uc_log *l, uc_error *e)
{
    uc_drain *d;

    uc_error_init(e);
    if (!uc_place_claim(l->place))
        return false;
    d = uc_drain_new(&l->o, l->place);
    if (d == NULL) {
        uc_place_yield(l->place);
        return uc_fail(e, UC_MEMORY, "log: out of memory");
    }
    adopt(l, d, 0);
    /* A full disk passes: the drain tries again. */
    if (!uc_drain_begin(d, e) && !uc__log_is_full(e->native)) {
        uc_drain_free(d);
        uc_place_yield(l->place);
        return false;
    }
    l->last_busy = uc_now();
    l->drowsy = false;
    set_drain(l, d);
    return true;
}

static void try_claim(uc_log *l, int64_t now)
{
    uc_error e;

    if (now < l->next_claim)
        return;
    l->next_claim = now + CLAIM;
    if (uc__log_take_over(l, &e) || e.code == NULL)
        return;
    note_error(l, &e);
    l->next_claim = now + QUIET;
}

/* --- a disk that was full, a directory that has gone -----------------------
 */

/* From memory to a file, as soon as there is room for one. */
static void move_ring(uc_log *l)
{
    uc_ring *old = l->ring, *r;
    int err;

    uc_lock(&l->mu);
    r = uc__log_copy_ring(l, &err);
    if (r != NULL) {
        l->ring = r;
        atomic_store(&l->youngest, r->gen);
        atomic_fetch_add(&l->place->control->rings, 1);
    }
    uc_unlock(&l->mu);
    if (r == NULL)
        return;
    l->warm = 0;
    if (l->drain != NULL) {
        uc_drain_disown(l->drain, old);
        uc_drain_adopt(l->drain, r);
    }
    l->adopted = r->gen;
    uc_ring_unref(old);
}

/* What is in its rings stays: they are mapped. It has to begin anew all the
 * same, or a process that comes later would have another lock. */
static void leave_place(uc_log *l)
{
    uc_drain *d = l->drain;

    set_drain(l, NULL);
    uc_drain_free(d);
    uc_lock(&l->mu);
    l->place->next = l->left;
    l->left = l->place;
    l->place = NULL;
    for (uint32_t i = 0; i <= l->nolder; i++) {
        uc_ring *r = i < l->nolder ? l->older[i] : l->ring;

        if (r->fd >= 0)
            close(r->fd);
        r->fd = -1;
    }
    uc_unlock(&l->mu);
    l->next_place = 0;
}

static void try_place(uc_log *l, int64_t now)
{
    uc_place *place;
    uc_error e;

    if (now < l->next_place)
        return;
    l->next_place = now + PLACE;
    if (l->place == NULL) {
        place = uc_malloc(sizeof *place);
        if (place == NULL)
            return;
        if (!uc_place_open(place, l->o.dir, true, &e) ||
            !uc_place_join(place, l->o.dir, l->o.name, &e)) {
            uc_free(place);
            note_error(l, &e);
            return;
        }
        uc_lock(&l->mu);
        l->place = place;
        l->error[0] = '\0';
        uc_unlock(&l->mu);
    }
    if (l->ring->fd < 0)
        move_ring(l);
}

/* --- the thread ----------------------------------------------------------- */

/* A page that is written for the first time costs a fault. That is this
 * thread's, and not a caller's, while somebody puts. */
static void warm(uc_log *l)
{
    uint8_t *from = l->ring->data + l->warm;
    uint64_t head = atomic_load(&l->ring->page->head),
             n = l->ring->cap - l->warm;

    if (n == 0 || (l->warm > 0 && head + WARM / 2 < l->warm))
        return;
    if (n > WARM)
        n = WARM;
    /* An old kernel does not know it, which costs nothing. */
    madvise(from, n, MADV_POPULATE_WRITE);
    l->warm += n;
}

static void chores(uc_log *l, int64_t now)
{
    if (l->place != NULL && now >= l->next_check) {
        l->next_check = now + CHECK;
        if (uc_place_is_gone(l->place, l->o.dir))
            leave_place(l);
    }
    if (l->place == NULL || l->ring->fd < 0)
        try_place(l, now);
    if (l->place != NULL && l->drain == NULL)
        try_claim(l, now);
    if (l->drain != NULL && atomic_load(&l->youngest) != l->adopted)
        adopt(l, l->drain, l->adopted + 1);
    warm(l);
    if (now < l->next_look)
        return;
    l->next_look = now + CLAIM;
    uc_lock(&l->mu);
    uc__log_prune(l);
    uc__log_tell(l);
    uc_unlock(&l->mu);
}

/* Before it sleeps for long the owner says so and looks once more, after a
 * while: who has put without having seen it has been seen by then. */
static void rest(uc_log *l, uint32_t seen, int64_t now, int64_t next)
{
    uc_control *c = l->place->control;
    int64_t ms = (next - now + UC_MS - 1) / UC_MS;

    if (now - l->last_busy < QUIET || ms <= POLL) {
        uc_futex_wait(&c->wake, seen, ms < 1 ? 1 : ms < POLL ? ms : POLL);
    } else if (!l->drowsy || atomic_load(&c->asleep) == 0) {
        atomic_store(&c->asleep, 1);
        l->drowsy = true;
        uc_futex_wait(&c->wake, seen, POLL);
    } else {
        uc_futex_wait(&c->wake, seen, ms < SLEEP ? ms : SLEEP);
    }
}

/* One round; sleeps unless there is more to do. */
static void turn(uc_log *l)
{
    uint32_t nudge = atomic_load(&l->nudge), wake;
    bool more;
    int64_t now = uc_now(), next, deadline;

    chores(l, now);
    if (l->drain == NULL) {
        deadline = uc__log_answer(l, now, false);
        uc_futex_wait(&l->nudge, nudge,
                      deadline < INT64_MAX ? 2 : CLAIM / UC_MS);
        return;
    }
    wake = atomic_load(&l->place->control->wake);
    if (atomic_load(&l->nudge) != nudge)
        return; /* it may have been before wake was read */
    more = uc_drain_run(l->drain, now, &next);
    if (uc_drain_was_busy(l->drain)) {
        l->last_busy = now;
        l->drowsy = false;
    }
    deadline = uc__log_answer(l, now, false);
    /* More has come while this was written, but little: that can wait until
     * it is worth a write. Who cannot wait for it nudges. */
    if (more && uc_drain_is_behind(l->drain))
        return;
    if (!atomic_load(&l->stop))
        rest(l, wake, now, next < deadline ? next : deadline);
}

/* The owner removes what is sealed and empty, but may have ended as well. */
static void remove_rings(const uc_log *l)
{
    char file[UC_RING_FILE];

    for (uint32_t i = 0; l->place != NULL && i <= l->nolder; i++) {
        const uc_ring *r = i < l->nolder ? l->older[i] : l->ring;

        if (r->fd < 0 || !uc_ring_is_sealed(r) ||
            !uc_ring_drained_to(r, r->head))
            continue;
        uc_ring_file(file, r->name, r->gen);
        unlinkat(l->place->rings, file, 0);
    }
}

/* The last lines are the owner's to write, which this one may become. */
static void finish(uc_log *l)
{
    int64_t until = atomic_load(&l->until), now, next;
    uc_error e;

    uc_lock(&l->mu);
    uc__log_tell(l);
    if (!l->ring->kept)
        uc_ring_seal(l->ring);
    uc_unlock(&l->mu);
    while ((now = uc_now()) < until) {
        uint32_t nudge = atomic_load(&l->nudge);

        l->next_claim = 0;
        chores(l, now);
        if (l->drain != NULL) {
            if (uc_drain_run(l->drain, now, &next))
                continue;
            if (!uc_drain_has_lines(l->drain))
                break;
            uc_futex_wait(&l->nudge, nudge, POLL);
            continue;
        }
        uc_lock(&l->mu);
        if (uc__log_reached(l, uc__log_point(l)))
            until = 0;
        else
            uc__log_nudge(l);
        uc_unlock(&l->mu);
        if (until != 0)
            uc_futex_wait(&l->nudge, nudge + 1, POLL);
    }
    if (l->drain != NULL && l->o.sync_ms > 0)
        uc_drain_sync(l->drain, &e);
    uc__log_answer(l, now, true);
    remove_rings(l);
}

void *uc__log_keep(void *log)
{
    uc_log *l = log;
    uc_drain *d;

    while (!atomic_load(&l->stop))
        turn(l);
    finish(l);
    d = l->drain;
    set_drain(l, NULL);
    uc_drain_free(d);
    if (d != NULL)
        uc_place_yield(l->place);
    return NULL;
}

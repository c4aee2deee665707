#define _GNU_SOURCE
#include "log/inner.h"

#include "common/clock.h"
#include "common/mem.h"
#include "log/names.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define LAST ((int64_t)2000) /* ms, for what is left at the end */
#define GRACE (500 * UC_MS)  /* for the thread to end after that */

static uc_mutex registry_mu = UC_MUTEX_INIT;
static uc_log *registry;

void uc_log_options_init(uc_log_options *o)
{
    *o = (uc_log_options){.name = "app",
                          .ring_bytes = (uint64_t)8 << 20,
                          .overflow = UC_LOG_BLOCK,
                          .grow_bytes = (uint64_t)64 << 20,
                          .block_ms = 1000,
                          .rotate_bytes = (uint64_t)64 << 20,
                          .daily = true,
                          .compress = UC_LOG_GZIP,
                          .keep_ms = (int64_t)60 * 86400 * 1000,
                          .keep_bytes = (uint64_t)10 << 30,
                          .sync_ms = 1000};
}

static bool check_options(const uc_log_options *o, uc_error *e)
{
    if (o->dir == NULL || o->dir[0] == '\0')
        return uc_fail(e, UC_OPTION, "log.dir is missing");
    if (o->name == NULL || !uc__log_is_name(o->name))
        return uc_fail(e, UC_OPTION,
                       "log.name must be 1 to 64 of A-Z, a-z, 0-9, _ and -");
    if (o->ring != NULL && !uc__log_is_name(o->ring))
        return uc_fail(e, UC_OPTION,
                       "log.ring must be 1 to 64 of A-Z, a-z, 0-9, _ and -");
    if (o->ring_bytes < UC_RING_LEAST || o->ring_bytes > UC_RING_MOST)
        return uc_fail(e, UC_OPTION, "log.ringBytes must be from %llu to %llu",
                       (unsigned long long)UC_RING_LEAST,
                       (unsigned long long)UC_RING_MOST);
    if (o->overflow > UC_LOG_GROW)
        return uc_fail(e, UC_OPTION, "log.overflow is none of the three");
    if (o->compress > UC_LOG_ZSTD)
        return uc_fail(e, UC_OPTION, "log.compress is none of the three");
    if (o->block_ms < 0)
        return uc_fail(e, UC_OPTION, "log.blockMs must not be negative");
    if (o->keep_ms < 0)
        return uc_fail(e, UC_OPTION, "log.keep.days must not be negative");
    if (o->sync_ms < 0)
        return uc_fail(e, UC_OPTION, "log.syncMs must not be negative");
    return true;
}

/* The field in which two differ, or NULL. dir is known to be the same. */
static const char *difference(const uc_log_options *a, const uc_log_options *b)
{
    if (strcmp(a->name, b->name) != 0)
        return "name";
    if ((a->ring == NULL) != (b->ring == NULL) ||
        (a->ring != NULL && strcmp(a->ring, b->ring) != 0))
        return "ring";
    return a->ring_bytes != b->ring_bytes       ? "ringBytes"
           : a->overflow != b->overflow         ? "overflow"
           : a->grow_bytes != b->grow_bytes     ? "growBytes"
           : a->block_ms != b->block_ms         ? "blockMs"
           : a->rotate_bytes != b->rotate_bytes ? "rotate.bytes"
           : a->daily != b->daily               ? "rotate.daily"
           : a->compress != b->compress         ? "compress"
           : a->keep_ms != b->keep_ms           ? "keep.days"
           : a->keep_bytes != b->keep_bytes     ? "keep.bytes"
           : a->sync_ms != b->sync_ms           ? "syncMs"
                                                : NULL;
}

/* --- opening -------------------------------------------------------------- */

static void free_log(uc_log *l)
{
    for (uint32_t i = 0; i < l->nolder; i++)
        uc_ring_unref(l->older[i]);
    uc_ring_unref(l->ring);
    if (l->place != NULL) {
        l->place->next = l->left;
        l->left = l->place;
    }
    while (l->left != NULL) {
        uc_place *p = l->left;

        l->left = p->next;
        uc_place_close(p);
        uc_free(p);
    }
    uc_free((char *)(uintptr_t)l->o.dir);
    uc_free((char *)(uintptr_t)l->o.name);
    uc_free((char *)(uintptr_t)l->o.ring);
    uc_cond_fini(&l->ends);
    uc_mutex_fini(&l->end_mu);
    uc_mutex_fini(&l->mu);
    uc_free(l);
}

static uc_log *make_log(const uc_log_options *o)
{
    uc_log *l = uc_calloc(1, sizeof *l);
    uint64_t id = 0;

    if (l == NULL)
        return NULL;
    uc_mutex_init(&l->mu);
    uc_mutex_init(&l->end_mu);
    uc_cond_init(&l->ends);
    l->refs = 1;
    l->pid = getpid();
    l->o = *o;
    l->o.dir = uc_strndup(o->dir, strlen(o->dir));
    l->o.name = uc_strndup(o->name, strlen(o->name));
    l->o.ring = o->ring == NULL ? NULL : uc_strndup(o->ring, strlen(o->ring));
    if (l->o.dir == NULL || l->o.name == NULL ||
        (o->ring != NULL && l->o.ring == NULL)) {
        free_log(l);
        return NULL;
    }
    if (getrandom(&id, sizeof id, GRND_NONBLOCK) != sizeof id)
        id = (uint64_t)uc_now() ^ ((uint64_t)l->pid << 32);
    if (o->ring != NULL)
        snprintf(l->id, sizeof l->id, "%s", o->ring);
    else
        snprintf(l->id, sizeof l->id, "%016llx", (unsigned long long)id);
    return l;
}

/* The place, or none with a full disk. */
static bool open_place(uc_log *l, uc_error *e)
{
    uc_place *p = uc_malloc(sizeof *p);
    struct stat st;

    if (p == NULL)
        return uc_fail(e, UC_MEMORY, "log: out of memory");
    if (!uc_place_open(p, l->o.dir, true, e) ||
        !uc_place_join(p, l->o.dir, l->o.name, e)) {
        uc_free(p);
        return uc__log_is_full(e->native);
    }
    l->place = p;
    if (fstat(p->dir, &st) == 0) {
        l->dev = st.st_dev;
        l->ino = st.st_ino;
    }
    return true;
}

static bool open_ring(uc_log *l, uc_error *e)
{
    int err = ENOSPC;

    if (l->place != NULL)
        l->ring = uc__log_new_ring(l, &err, e);
    if (l->ring != NULL)
        return true;
    if (!uc__log_is_full(err))
        return false;
    fprintf(stderr,
            "undercroft: log: no room for a ring in %s: lines are in memory "
            "alone until there is\n",
            l->o.dir);
    l->next_place = uc_now();
    l->ring = uc_ring_anonymous(l->id, l->o.ring_bytes, &err);
    return l->ring != NULL ||
           uc__log_fail(e, err, "no memory for a ring of %llu bytes",
                        (unsigned long long)l->o.ring_bytes);
}

static void *run(void *log)
{
    uc_log *l = log;
    bool left_alone;

    uc__log_keep(l);
    uc_lock(&l->end_mu);
    l->ended = true;
    left_alone = l->left_alone;
    uc_cond_signal(&l->ends);
    uc_unlock(&l->end_mu);
    if (left_alone)
        free_log(l);
    return NULL;
}

static bool start(uc_log *l, uc_error *e)
{
    int rc;

    if (!open_place(l, e) || !open_ring(l, e))
        return false;
    atomic_store(&l->youngest, l->ring->gen);
    if (l->place != NULL && !uc__log_take_over(l, e) && e->code != NULL)
        return false;
    rc = uc_thread_start(&l->thread, "uc-log", run, l);
    if (rc != 0)
        return uc_fail(e, UC_MEMORY, "log: no thread: %s", strerror(rc));
    return true;
}

/* Undoes a start that went half way. */
static void abandon(uc_log *l)
{
    if (l->ring != NULL && !l->ring->kept)
        uc_ring_seal(l->ring);
    uc_drain_free(l->drain);
    free_log(l);
}

/* One of this process's that is open. The registry's mutex is held. */
static uc_log *find(const char *dir)
{
    pid_t pid = getpid();
    struct stat st = {0};
    bool there = stat(dir, &st) == 0;

    for (uc_log *l = registry; l != NULL; l = l->next)
        if (l->pid == pid &&
            (strcmp(l->o.dir, dir) == 0 ||
             (there && l->dev == st.st_dev && l->ino == st.st_ino)))
            return l;
    return NULL;
}

uc_log *uc_log_open(const uc_log_options *o, uc_error *e)
{
    const char *field;
    uc_log *l;

    uc_error_init(e);
    if (!check_options(o, e))
        return NULL;
    uc_lock(&registry_mu);
    l = find(o->dir);
    field = l == NULL ? NULL : difference(&l->o, o);
    if (field != NULL) {
        if (strcmp(field, "name") == 0)
            uc__place_other_name(e, o->dir, o->name, l->o.name);
        else
            uc_fail(e, UC_OPTIONS_CONFLICT,
                    "log.%s is not what this process has open for %s", field,
                    o->dir);
        l = NULL;
    } else if (l != NULL) {
        l->refs++;
    } else if ((l = make_log(o)) == NULL) {
        uc_fail(e, UC_MEMORY, "log: out of memory");
    } else if (!start(l, e)) {
        abandon(l);
        l = NULL;
    } else {
        l->next = registry;
        registry = l;
    }
    uc_unlock(&registry_mu);
    return l;
}

void uc_log_ref(uc_log *l)
{
    uc_lock(&registry_mu);
    l->refs++;
    uc_unlock(&registry_mu);
}

/* --- the end -------------------------------------------------------------- */

/* Gives a reference back. True: it was the last one. */
static bool give_back(uc_log *l)
{
    uc_log **at = &registry;
    bool last;

    uc_lock(&registry_mu);
    last = --l->refs == 0;
    if (last) {
        while (*at != l)
            at = &(*at)->next;
        *at = l->next;
    }
    uc_unlock(&registry_mu);
    return last;
}

/* mu, which a thread may have that waits for the disk. False: not in time. */
static bool lock_until(uc_log *l, int64_t until)
{
    while (!uc_trylock(&l->mu)) {
        if (uc_now() >= until)
            return false;
        usleep(1000);
    }
    return true;
}

/* Whether the thread has ended; from then on it is the caller's, else the
 * thread's own. */
static bool await_end(uc_log *l, int64_t until)
{
    bool ended;

    uc_lock(&l->end_mu);
    while (!l->ended && uc_cond_wait_until(&l->ends, &l->end_mu, until))
        ;
    ended = l->ended;
    uc_unlock(&l->end_mu);
    if (ended)
        return true;
    fprintf(stderr,
            "undercroft: log: the disk of %s does not answer: what is in the "
            "ring stays there until it does\n",
            l->o.dir);
    /* Nobody else would tell them for as long as that. */
    if (lock_until(l, 0)) {
        uc_unlock(&l->mu);
        uc__log_answer(l, uc_now(), true);
    }
    uc_lock(&l->end_mu);
    ended = l->ended;
    l->left_alone = !ended;
    uc_unlock(&l->end_mu);
    return ended;
}

/* After the last reference. */
static void end(uc_log *l, int64_t ms)
{
    int64_t until = uc_now() + ms * UC_MS;
    uc_thread thread = l->thread;

    atomic_store(&l->until, until);
    atomic_store(&l->stop, true);
    if (lock_until(l, until)) {
        uc__log_nudge(l);
        uc_unlock(&l->mu);
    }
    if (await_end(l, until + GRACE)) {
        uc_thread_join(thread);
        free_log(l);
    } else {
        uc_thread_detach(thread);
    }
}

void uc_log_unref(uc_log *l)
{
    if (l != NULL && give_back(l))
        end(l, LAST);
}

typedef struct ending {
    uc_log *log;
    int64_t ms;
    void (*fn)(void *arg);
    void *arg;
} ending;

static void *end_later(void *arg)
{
    ending *e = arg;

    end(e->log, e->ms);
    if (e->fn != NULL)
        e->fn(e->arg);
    uc_free(e);
    return NULL;
}

void uc_log_unref_later(uc_log *l, int64_t ms, void (*fn)(void *arg), void *arg)
{
    ending *e = NULL;
    uc_thread thread;

    if (l != NULL && give_back(l)) {
        e = uc_malloc(sizeof *e);
        if (e != NULL)
            *e = (ending){l, ms, fn, arg};
        if (e != NULL &&
            uc_thread_start(&thread, "uc-log-end", end_later, e) == 0) {
            uc_thread_detach(thread);
            return;
        }
        end(l, ms);
    }
    uc_free(e);
    if (fn != NULL)
        fn(arg);
}

void uc_log_stats_get(uc_log *l, uc_log_stats *s)
{
    *s = (uc_log_stats){0};
    uc_lock(&l->mu);
    s->owner = l->drain != NULL;
    s->volatile_ring = l->ring->fd < 0;
    s->lines = l->lines;
    s->bytes = l->bytes;
    s->dropped = l->dropped;
    s->blocked = l->blocked;
    s->ring_bytes = l->ring->cap;
    s->ring_used = uc_ring_used(l->ring);
    for (uint32_t i = 0; i < l->nolder; i++) {
        s->ring_bytes += l->older[i]->cap;
        s->ring_used += uc_ring_used(l->older[i]);
    }
    memcpy(s->error, l->error, sizeof s->error);
    if (l->drain != NULL) {
        const uc_drain_stats *d = uc_drain_get_stats(l->drain);
        char error[200];

        s->stalled = atomic_load(&d->stalled);
        s->files = atomic_load(&d->files);
        s->archived = atomic_load(&d->archived);
        s->deleted = atomic_load(&d->deleted);
        s->unreadable = atomic_load(&d->unreadable);
        uc__log_get_text(&d->error, error);
        if (error[0] != '\0')
            memcpy(s->error, error, sizeof s->error);
    }
    uc_unlock(&l->mu);
}

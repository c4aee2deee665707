#define _GNU_SOURCE
#include "log/source.h"

#include "common/clock.h"
#include "common/mem.h"
#include "log/names.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK (1000 * UC_MS)

void uc__sources_init(uc_sources *s, int dirfd)
{
    *s = (uc_sources){.dir = dirfd};
}

void uc__sources_fini(uc_sources *s)
{
    for (uint32_t i = 0; i < s->n; i++)
        uc_ring_unref(s->all[i].ring);
    uc_free(s->all);
}

static int compare(const char *name, uint64_t gen, const uc_ring *r)
{
    int order = strcmp(name, r->name);

    if (order != 0)
        return order;
    return gen < r->gen ? -1 : gen > r->gen;
}

bool uc__sources_add(uc_sources *s, uc_ring *r, bool own)
{
    uint32_t at = s->n;

    /* A scan may have come upon what its producer hands over after that. */
    for (uint32_t i = 0; i < s->n; i++)
        if (compare(r->name, r->gen, s->all[i].ring) == 0 &&
            s->all[i].ring->salt == r->salt) {
            s->all[i].own |= own;
            return true;
        }
    if (s->n == s->cap) {
        uint32_t cap = s->cap == 0 ? 16 : s->cap * 2;
        uc_source *all = uc_realloc(s->all, cap * sizeof *all);

        if (all == NULL)
            return false;
        s->all = all;
        s->cap = cap;
    }
    while (at > 0 && compare(r->name, r->gen, s->all[at - 1].ring) < 0)
        at--;
    memmove(&s->all[at + 1], &s->all[at], (s->n - at) * sizeof *s->all);
    s->all[at] = (uc_source){
        .ring = uc_ring_ref(r), .tail = uc_ring_tail(r), .own = own};
    s->n++;
    return true;
}

static void drop(uc_sources *s, uint32_t at)
{
    uc_ring_unref(s->all[at].ring);
    s->n--;
    memmove(&s->all[at], &s->all[at + 1], (s->n - at) * sizeof *s->all);
}

void uc__sources_forget(uc_sources *s, const uc_ring *r)
{
    for (uint32_t i = 0; i < s->n; i++)
        if (s->all[i].ring == r) {
            drop(s, i);
            return;
        }
}

static bool has(const uc_sources *s, const char *name, uint64_t gen)
{
    for (uint32_t i = 0; i < s->n; i++)
        if (compare(name, gen, s->all[i].ring) == 0)
            return true;
    return false;
}

/* Removes a file whose maker has ended; its size. */
static uint64_t remove_orphan(const uc_sources *s, const char *file)
{
    int fd = openat(s->dir, file, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st = {0};

    if (fd < 0)
        return 0;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0)
        unlinkat(s->dir, file, 0);
    close(fd);
    return (uint64_t)st.st_size;
}

static void take_up(uc_sources *s, const char *file)
{
    size_t len = strlen(file);
    char name[UC_RING_NAME + 1];
    uint64_t gen;
    uc_ring *r;
    int err;

    if (len > 4 && strcmp(file + len - 4, ".new") == 0)
        remove_orphan(s, file);
    if (!uc_ring_parse(file, name, &gen) || has(s, name, gen))
        return;
    r = uc_ring_open(s->dir, file, false, &err);
    if (r != NULL)
        uc__sources_add(s, r, false);
    else if (err == EBADMSG)
        s->spoiled += remove_orphan(s, file);
    uc_ring_unref(r);
}

void uc__sources_scan(uc_sources *s)
{
    int fd = openat(s->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;

    if (dir == NULL) {
        if (fd >= 0)
            close(fd);
        return;
    }
    uc__sources_check(s);
    while ((entry = readdir(dir)) != NULL)
        take_up(s, entry->d_name);
    closedir(dir);
}

void uc__sources_raise(uc_sources *s, const uc_tail *tails, uint64_t n)
{
    for (uint32_t i = 0; i < s->n; i++)
        for (uint64_t j = 0; j < n; j++) {
            uc_source *source = &s->all[i];
            uint64_t tail = tails[j].tail;

            if (tails[j].salt == source->ring->salt && tail > source->tail &&
                tail - source->tail <= source->ring->cap && tail % 8 == 0)
                uc__source_taken(source, tail);
        }
}

void uc__sources_check(uc_sources *s)
{
    for (uint32_t i = s->n; i-- > 0;) {
        /* This process's producer would be the first to feel it. */
        uint64_t cut = s->all[i].own ? 0 : uc_ring_cut(s->all[i].ring);

        if (cut == 0)
            continue;
        s->spoiled += cut;
        drop(s, i);
    }
}

bool uc__sources_has_to_wait(const uc_sources *s, uint32_t at)
{
    return at > 0 &&
           strcmp(s->all[at - 1].ring->name, s->all[at].ring->name) == 0;
}

void uc__source_begin(uc_source *s)
{
    uc_ring_walk_begin(&s->walk, s->ring, s->tail);
}

bool uc__source_has_more(uc_source *s)
{
    uc_view record;

    uc__source_begin(s);
    return uc_ring_walk_next(&s->walk, &record) || s->walk.pos != s->tail;
}

void uc__source_taken(uc_source *s, uint64_t tail)
{
    s->tail = tail;
    /* The disk may have taken its time with what was read. */
    if (s->own || uc_ring_cut(s->ring) == 0)
        uc_ring_free(s->ring, tail);
}

/* Of a daemon that does not come again, as on a socket which was moved. What it
 * knew of its clients is as old as the oldest lines. */
static bool is_forgotten(const uc_ring *r, const uc_log_options *o)
{
    int64_t now = uc__log_wall(o), at = uc_ring_touched(r);

    return o->keep_ms > 0 && at <= now && now - at > o->keep_ms;
}

/* Nothing will come any more, and nothing is left. outdated: a younger one of
 * its name is there, so that nobody takes it up again: its process has died
 * before it could seal it. */
static bool is_over(uc_source *s, const uc_log_options *o, bool outdated,
                    int64_t now)
{
    /* Before the look at what is there: it is the last word of a producer. */
    bool sealed = uc_ring_is_sealed(s->ring);

    if (!sealed && (s->own || s->ring->fd < 0 || now - s->looked < LOOK))
        return false;
    if (uc__source_has_more(s))
        return false;
    if (sealed)
        return true;
    s->looked = now;
    /* Once its lock is taken nobody puts, but somebody may just have. */
    return (!s->ring->kept || outdated || is_forgotten(s->ring, o)) &&
           uc_ring_is_orphan(s->ring) && !uc__source_has_more(s);
}

static bool is_outdated(const uc_sources *s, uint32_t at)
{
    return at + 1 < s->n && uc__sources_has_to_wait(s, at + 1) &&
           s->all[at + 1].ring->gen > s->all[at].ring->gen;
}

void uc__sources_sweep(uc_sources *s, const uc_log_options *o, int64_t now)
{
    char file[UC_RING_FILE];

    for (uint32_t i = s->n; i-- > 0;)
        if (is_over(&s->all[i], o, is_outdated(s, i), now)) {
            uc_ring_file(file, s->all[i].ring->name, s->all[i].ring->gen);
            if (s->all[i].ring->fd >= 0)
                unlinkat(s->dir, file, 0);
            drop(s, i);
        }
}

#define _GNU_SOURCE
#include "log/inner.h"

#include "common/clock.h"
#include "log/names.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

static DIR *open_list(int dirfd)
{
    int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);

    if (dir == NULL && fd >= 0)
        close(fd);
    return dir;
}

/* The rings of a name that are there: the youngest, or false. */
static bool youngest(int dirfd, const char *name, uint64_t *gen)
{
    DIR *dir = open_list(dirfd);
    const struct dirent *entry;
    char found[UC_RING_NAME + 1];
    bool any = false;
    uint64_t g;

    if (dir == NULL)
        return false;
    while ((entry = readdir(dir)) != NULL)
        if (uc_ring_parse(entry->d_name, found, &g) &&
            strcmp(found, name) == 0 && (!any || g > *gen)) {
            *gen = g;
            any = true;
        }
    closedir(dir);
    return any;
}

static uc_ring *open_one(uc_log *l, uint64_t gen, int *err)
{
    char file[UC_RING_FILE];

    uc_ring_file(file, l->id, gen);
    return uc_ring_open(l->place->rings, file, true, err);
}

/* Seals the rings of this name before a generation whose lock the caller has: a
 * process may have died after it had made the next one and before it sealed
 * this, and what is not sealed keeps the younger ones waiting. */
static void seal_before(uc_log *l, uint64_t gen)
{
    DIR *dir = open_list(l->place->rings);
    const struct dirent *entry;
    char found[UC_RING_NAME + 1];
    uint64_t g;

    if (dir == NULL)
        return;
    while ((entry = readdir(dir)) != NULL) {
        uc_ring *r;
        int err;

        if (!uc_ring_parse(entry->d_name, found, &g) || g >= gen ||
            strcmp(found, l->id) != 0)
            continue;
        /* Somebody else has it only for a moment: an owner that looks whether
         * its process has ended, and does not need this. */
        r = open_one(l, g, &err);
        if (r != NULL)
            uc_ring_seal(r);
        uc_ring_unref(r);
    }
    closedir(dir);
}

/* Locks the youngest ring of this name, of generation *gen. NULL: *err, which
 * is 0 when there is none. */
static uc_ring *lock_youngest(uc_log *l, uint64_t *gen, int *err)
{
    uint64_t again;
    uc_ring *r;

    *err = 0;
    for (;;) {
        if (!youngest(l->place->rings, l->id, gen))
            return NULL;
        r = open_one(l, *gen, err);
        /* Whoever had it may have made the next one before it let go. */
        if (r == NULL || !youngest(l->place->rings, l->id, &again) ||
            again <= *gen)
            return r;
        uc_ring_unref(r);
    }
}

/* The ring of the last process of this name. NULL with *err 0: a new one is
 * to be made, of generation *gen. */
static uc_ring *take_up(uc_log *l, uint64_t *gen, int *err)
{
    uint64_t there = 0;
    uc_ring *r, *next;

    *gen = 0;
    *err = 0;
    if (l->o.ring == NULL)
        return NULL;
    r = lock_youngest(l, &there, err);
    if (r == NULL && *err == 0)
        return NULL;
    *gen = there + 1;
    if (r == NULL) {
        if (*err == EBADMSG || *err == ENOENT)
            *err = 0;
        return NULL;
    }
    if (r->cap == ((l->o.ring_bytes + 4095) & ~(uint64_t)4095) &&
        !uc_ring_is_sealed(r))
        return r;
    /* Of another size, or given up: its clients go on in a new one. */
    next = uc_ring_create(l->place->rings, l->id, *gen, true, l->o.ring_bytes,
                          r, false, err);
    if (next != NULL) {
        uc__log_step(&l->o, "ring made");
        uc_ring_seal(r);
    }
    uc_ring_unref(r);
    return next;
}

uc_ring *uc__log_new_ring(uc_log *l, int *err, uc_error *e)
{
    uint64_t gen;
    uc_ring *r = take_up(l, &gen, err);

    if (r == NULL && *err == 0)
        r = uc_ring_create(l->place->rings, l->id, gen, l->o.ring != NULL,
                           l->o.ring_bytes, NULL, false, err);
    if (r != NULL) {
        if (l->o.ring != NULL)
            seal_before(l, r->gen);
        atomic_fetch_add(&l->place->control->rings, 1);
        return r;
    }
    if (*err == EWOULDBLOCK)
        uc_fail(e, UC_LOG_IO, "log: another process has the ring %s of %s",
                l->id, l->o.dir);
    else
        uc__log_fail(e, *err, "cannot make a ring in %s", l->o.dir);
    return NULL;
}

uc_ring *uc__log_copy_ring(uc_log *l, int *err)
{
    uint64_t gen = l->ring->gen, there;
    uc_ring *old = lock_youngest(l, &there, err);

    if (old == NULL && *err != 0)
        return NULL;
    /* A named one of an earlier time comes first, and gets nothing more. */
    if (old != NULL) {
        uc_ring_seal(old);
        seal_before(l, there);
        uc_ring_unref(old);
        gen = there >= gen ? there + 1 : gen;
    }
    return uc_ring_create(l->place->rings, l->id, gen, l->o.ring != NULL,
                          l->ring->cap, l->ring, true, err);
}

bool uc_log_recover(const uc_log_options *o, uc_error *e)
{
    /* Who only reads knows nothing of the log's options: how long files are
     * kept and when they end is for its owners. */
    uc_log_options own = *o;
    char why[200], name[65];
    uc_place p;
    uc_drain *d;
    bool ok = true;
    int64_t next;

    own.rotate_bytes = 0;
    own.daily = false;

    if (!uc_place_open(&p, o->dir, false, e))
        return e->native == ENOENT;
    if (!uc_place_claim(&p)) {
        uc_place_close(&p);
        return true;
    }
    /* The lines belong to the log that was there. */
    if (uc_place_name(&p, name))
        own.name = name;
    d = uc_drain_new(&own, &p);
    if (d == NULL) {
        ok = uc_fail(e, UC_MEMORY, "log: out of memory");
    } else if (uc_drain_has_lines(d)) {
        uc_drain_keep_files(d);
        ok = uc_drain_begin(d, e);
        while (ok && uc_drain_run(d, uc_now(), &next))
            ;
        if (ok && uc_drain_has_lines(d)) {
            uc__log_get_text(&uc_drain_get_stats(d)->error, why);
            ok = uc_fail(e, UC_LOG_IO, "%s", why);
        }
    }
    uc_drain_free(d);
    uc_place_close(&p);
    return ok;
}

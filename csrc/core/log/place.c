#define _GNU_SOURCE
#include "log/place.h"

#include "common/clock.h"
#include "log/names.h"
#include "log/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC 0x000174636f6c6375u /* "uclct" and the version */
#define SIZE ((size_t)4096)
/* For the lock of the name: 100 ms for somebody who is refused to let go of it,
 * 2 s for somebody who has it alone, which is for a moment. */
#define TRIES 100
#define TRY_US 1000
#define ALONE (2000 * UC_MS)

_Static_assert(sizeof(uc_control) <= SIZE, "a page");

bool uc__log_is_full(int err)
{
    return err == ENOSPC || err == EDQUOT;
}

bool uc__log_fail(uc_error *e, int err, const char *fmt, ...)
{
    bool access = err == EACCES || err == EPERM || err == EROFS;
    char what[400];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    uc_fail(e, access ? UC_ACCESS : UC_LOG_IO, "log: %s: %s", what,
            strerror(err));
    e->native = err;
    return false;
}

void uc__log_set_text(uc_log_text *t, const char *s)
{
    size_t i = 0;

    for (; i < sizeof t->at - 1 && s[i] != '\0'; i++)
        atomic_store_explicit(&t->at[i], s[i], memory_order_relaxed);
    atomic_store_explicit(&t->at[i], '\0', memory_order_relaxed);
}

void uc__log_get_text(const uc_log_text *t, char out[200])
{
    size_t i = 0;

    for (; i < sizeof t->at - 1; i++)
        if ((out[i] = atomic_load_explicit(&t->at[i], memory_order_relaxed)) ==
            '\0')
            break;
    out[i] = '\0';
}

/* A directory with all that it is in. 0 or an errno. */
static int make_dirs(const char *dir)
{
    char path[4096];
    size_t len = strlen(dir);

    if (len >= sizeof path)
        return ENAMETOOLONG;
    memcpy(path, dir, len + 1);
    for (size_t i = 1; i <= len; i++) {
        char c = path[i];

        if (c != '/' && c != '\0')
            continue;
        path[i] = '\0';
        if (mkdir(path, 0750) != 0 && errno != EEXIST) {
            struct stat st;
            int err = errno;

            /* Of what is there already any error may be said. */
            if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
                return err;
        }
        path[i] = c;
    }
    return 0;
}

/* Which start of the kernel this is; 0 and 0 when it does not say. */
static void read_boot(uint64_t boot[2])
{
    uint8_t text[64];
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text);

    if (fd >= 0)
        close(fd);
    boot[0] = boot[1] = 0;
    if (n > 0) {
        boot[0] = uc__record_hash(1, 0, text, (size_t)n);
        boot[1] = uc__record_hash(2, 0, text, (size_t)n);
    }
}

/* A file of the place: opened, or made. */
static int open_ours(const uc_place *p, const char *file)
{
    const int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW;
    int fd = openat(p->rings, file, flags);

    if (fd >= 0 || errno != ENOENT)
        return fd;
    fd = openat(p->rings, file, flags | O_CREAT | O_EXCL, 0600);
    if (fd < 0)
        return errno == EEXIST ? openat(p->rings, file, flags) : -1;
    uc__log_give(p->dir, fd);
    return fd;
}

/* The page, which the first process makes. 0 or an errno. */
static int map_control(uc_place *p)
{
    int fd = open_ours(p, "control");
    void *map;
    int err;

    if (fd < 0)
        return errno;
    /* Of a file that is long enough nothing is changed. */
    do
        err = posix_fallocate(fd, 0, (off_t)SIZE);
    while (err == EINTR);
    if (err == 0) {
        map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (map == MAP_FAILED)
            err = errno;
        else
            p->control = map;
    }
    p->page = fd;
    return err;
}

static bool fail_open(uc_place *p, int err, const char *what, const char *dir,
                      uc_error *e)
{
    uc__log_fail(e, err, "%s %s", what, dir);
    uc_place_close(p);
    return false;
}

bool uc_place_open(uc_place *p, const char *dir, bool make, uc_error *e)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    bool made;
    int err = 0;

    *p = (uc_place){.dir = -1, .rings = -1, .lock = -1, .page = -1};
    read_boot(p->boot);
    if (make)
        err = make_dirs(dir);
    if (err != 0)
        return fail_open(p, err, "cannot make the directory", dir, e);
    p->dir = open(dir, flags);
    if (p->dir < 0)
        return fail_open(p, errno, "cannot open the directory", dir, e);
    made = make && mkdirat(p->dir, ".rings", 0750) == 0;
    if (make && !made && errno != EEXIST)
        return fail_open(p, errno, "cannot write to the directory", dir, e);
    p->rings = openat(p->dir, ".rings", flags | O_NOFOLLOW);
    if (p->rings < 0)
        return fail_open(p, errno, "cannot open .rings in", dir, e);
    if (made)
        uc__log_give(p->dir, p->rings);
    p->lock = open_ours(p, "lock");
    if (p->lock < 0)
        return fail_open(p, errno, "cannot open .rings/lock in", dir, e);
    err = map_control(p);
    if (err != 0)
        return fail_open(p, err, "cannot make .rings/control in", dir, e);
    p->failures = atomic_load(&p->control->sync_failures);
    return true;
}

void uc_place_close(uc_place *p)
{
    if (p->control != NULL)
        munmap(p->control, SIZE);
    /* The lock goes last: what it guards is not used any more. */
    if (p->rings >= 0)
        close(p->rings);
    if (p->dir >= 0)
        close(p->dir);
    if (p->lock >= 0)
        close(p->lock);
    if (p->page >= 0)
        close(p->page);
    *p = (uc_place){.dir = -1, .rings = -1, .lock = -1, .page = -1};
}

bool uc_place_name(const uc_place *p, char name[65])
{
    memcpy(name, p->control->name, 64);
    name[64] = '\0';
    return p->control->name[64] == '\0' && uc__log_is_name(name);
}

bool uc__place_other_name(uc_error *e, const char *dir, const char *name,
                          const char *there)
{
    return uc_fail(e, UC_OPTIONS_CONFLICT,
                   "log.name is \"%s\", and the log in %s is open with the "
                   "name \"%s\": use a directory for each name",
                   name, dir, there);
}

/* Shared, behind a look whether nobody has it: then the name is ours to set.
 * The step from the one to the other may be another's chance, so the name is
 * read only when the lock is shared. 0, EWOULDBLOCK or another errno. */
static int lock_name(uc_place *p, const char *name)
{
    if (flock(p->page, LOCK_EX | LOCK_NB) == 0) {
        memset(p->control->name, 0, sizeof p->control->name);
        memcpy(p->control->name, name, strlen(name));
    } else if (errno != EWOULDBLOCK) {
        return errno;
    }
    return flock(p->page, LOCK_SH | LOCK_NB) == 0 ? 0 : errno;
}

bool uc_place_join(uc_place *p, const char *dir, const char *name, uc_error *e)
{
    int64_t until = uc_now() + ALONE;
    char there[65];

    /* Who is refused, or just setting the name, has it for a moment as well. */
    for (int refused = 0; refused < TRIES && uc_now() < until;) {
        int err = lock_name(p, name);

        /* Without locks nobody becomes the owner either. */
        if (err != 0 && err != EWOULDBLOCK)
            return true;
        if (err == 0 && (!uc_place_name(p, there) || strcmp(there, name) == 0))
            return true;
        if (err == 0) {
            refused++;
            flock(p->page, LOCK_UN);
        }
        usleep(TRY_US);
    }
    if (!uc_place_name(p, there))
        there[0] = '\0';
    else if (strcmp(there, name) == 0)
        return true; /* somebody stands still who has just set it */
    uc_place_close(p);
    return uc__place_other_name(e, dir, name, there);
}

bool uc_place_is_gone(const uc_place *p, const char *dir)
{
    struct stat by_name, held, lock;

    if (fstat(p->dir, &held) != 0 || fstat(p->lock, &lock) != 0)
        return false;
    if (stat(dir, &by_name) != 0)
        return errno == ENOENT || errno == ENOTDIR;
    return by_name.st_ino != held.st_ino || by_name.st_dev != held.st_dev ||
           lock.st_nlink == 0;
}

bool uc_place_claim(uc_place *p)
{
    if (flock(p->lock, LOCK_EX | LOCK_NB) != 0)
        return false;
    p->owner = true;
    atomic_store(&p->control->asleep, 0);
    return true;
}

void uc_place_yield(uc_place *p)
{
    p->owner = false;
    flock(p->lock, LOCK_UN);
}

static uint64_t slot_check(const uc_published *s)
{
    return uc__record_hash(MAGIC, s->seq, (const uint8_t *)s,
                           offsetof(uc_published, check));
}

static uint64_t name_hash(const char *name)
{
    return uc__record_hash(MAGIC, 0, (const uint8_t *)name, strlen(name));
}

bool uc_place_published(const uc_place *p, uc_published *last)
{
    uint64_t seq = atomic_load(&p->control->published);

    if (p->control->magic != MAGIC)
        return false;
    memcpy(last, &p->control->slots[seq % 2], sizeof *last);
    return last->seq == seq && last->n <= UC_PLACE_RINGS &&
           last->check == slot_check(last);
}

bool uc_place_is_ours(const uc_place *p, const uc_published *last,
                      const char *name)
{
    return last->boot[0] == p->boot[0] && last->boot[1] == p->boot[1] &&
           (p->boot[0] | p->boot[1]) != 0 && last->name == name_hash(name);
}

void uc_place_publish(uc_place *p, const uc_log_options *o,
                      const uc_logmark *mark, const uc_tail *tails, uint64_t n)
{
    uint64_t seq = atomic_load(&p->control->published) + 1;
    uc_published next = {.seq = seq,
                         .boot = {p->boot[0], p->boot[1]},
                         .name = name_hash(o->name),
                         .mark = *mark,
                         .n = n};

    if (n > 0)
        memcpy(next.tails, tails, n * sizeof *tails);
    next.check = slot_check(&next);
    uc__log_step(o, "publish");
    memcpy(&p->control->slots[seq % 2], &next, sizeof next);
    p->control->magic = MAGIC;
    uc__log_step(o, "flip");
    atomic_store(&p->control->published, seq);
}

void uc_place_wake(uc_place *p)
{
    atomic_store(&p->control->asleep, 0);
    atomic_fetch_add(&p->control->wake, 1);
    uc_futex_wake(&p->control->wake);
}

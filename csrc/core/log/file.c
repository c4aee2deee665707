#define _GNU_SOURCE
#include "log/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/mem.h"
#include "log/names.h"
#include "log/sync.h"

#define SECOND (1000 * UC_MS)

struct uc_logfile {
    const uc_log_options *o;
    uc_logsync *sync;
    char *path; /* of the file */
    size_t path_size;
    int fd;
    dev_t dev;
    ino_t ino;
    uc_logmark mark;
    uint32_t today; /* the clock's day when the file was begun or last seen */
    bool torn;      /* bytes of a failed append are behind the mark */
    bool moved;     /* the path leads to another file, or nowhere */
    bool rotate;
    int64_t unsynced; /* uc_now() of the first append since the sync, or 0 */
    int64_t look;     /* when to see whether it was moved */
    uint64_t count;
};

static bool same_file(const uc_logfile *f, const struct stat *st)
{
    return f->fd >= 0 && st->st_dev == f->dev && st->st_ino == f->ino;
}

/* The part of the path that is the file's name. */
static const char *file_name(const uc_logfile *f)
{
    return f->path + strlen(f->o->dir) + 1;
}

static void set_path(uc_logfile *f, uint32_t day, uint32_t number)
{
    uc_logname n = {.day = day, .number = number, .kind = UC_LOG_PLAIN};
    char name[UC_LOGNAME_MAX];

    uc__logname_write(&n, f->o->name, name);
    snprintf(f->path, f->path_size, "%s/%s", f->o->dir, name);
}

/* From now on fd, of which st is known, is the file; the old one is synced,
 * which nobody waits for. */
static void take(uc_logfile *f, int fd, const struct stat *st, uint32_t day,
                 uint32_t number)
{
    int old = f->fd;

    f->fd = fd;
    f->dev = st->st_dev;
    f->ino = st->st_ino;
    f->mark = (uc_logmark){day, number, (uint64_t)st->st_size};
    f->today = uc__log_day(uc__log_wall(f->o));
    f->torn = f->moved = f->rotate = false;
    f->unsynced = 0;
    set_path(f, day, number);
    if (old < 0)
        return;
    if (f->o->sync_ms > 0)
        uc__logsync_last(f->sync, old);
    else
        close(old);
}

/*
 * An open file of ours, or -1: with `make` it must not be there yet, else it
 * has to be a file and not a link to one.
 */
static int open_file(int dir, const char *name, bool make, struct stat *st)
{
    int flags = O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    int fd = openat(dir, name, flags | (make ? O_CREAT | O_EXCL : 0), 0640);

    if (fd < 0)
        return -1;
    if (make)
        uc__log_give(dir, fd);
    if (fstat(fd, st) == 0 && S_ISREG(st->st_mode))
        return fd;
    close(fd);
    errno = EEXIST;
    return -1;
}

/* `current` is a convenience: where links cannot be had, or something else has
 * the name, the log does without. */
static void point_current(const uc_logfile *f, int dir)
{
    static const char link[] = "current", made[] = ".current.new";
    char target[UC_LOGNAME_MAX];
    struct stat st;
    ssize_t n = readlinkat(dir, link, target, sizeof target - 1);

    if (n >= 0) {
        target[n] = '\0';
        if (strcmp(target, file_name(f)) == 0)
            return;
    } else if (fstatat(dir, link, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        return;
    }
    unlinkat(dir, made, 0);
    if (symlinkat(file_name(f), dir, made) != 0)
        return;
    uc__log_step(f->o, "current made");
    if (renameat(dir, made, dir, link) != 0)
        unlinkat(dir, made, 0);
}

/*
 * The name of the next file: behind all that are there, archives too, and not
 * before the open one, so that a clock which was set back keeps the order. An
 * empty file behind the open one was begun by somebody who then died: *make is
 * false, and it is taken.
 */
static bool next_name(const uc_logfile *f, int dir, uc_logname *next,
                      bool *make, uc_error *e)
{
    uint32_t today = uc__log_day(uc__log_wall(f->o));
    uc_logname *list, last = {.day = f->mark.day, .number = f->mark.number};
    char name[UC_LOGNAME_MAX];
    struct stat st;
    size_t n;

    if (!uc__log_list(dir, f->o->name, &list, &n, e))
        return false;
    *make = true;
    if (n > 0 && uc__logname_compare(&list[n - 1], &last) > 0) {
        last = list[n - 1];
        uc__logname_write(&last, f->o->name, name);
        *make = last.kind != UC_LOG_PLAIN || last.day < today ||
                fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
                st.st_size > 0 ||
                faccessat(dir, name, R_OK | W_OK, AT_EACCESS) != 0;
    }
    uc_free(list);
    *next = (uc_logname){.day = last.day, .number = last.number};
    if (!*make)
        return true;
    if (today > next->day)
        *next = (uc_logname){.day = today, .number = 1};
    else if (next->number < UC_LOGNUMBER_MAX)
        next->number++;
    else
        *next = (uc_logname){.day = next->day + 1, .number = 1};
    return true;
}

/* Begins the next file. On failure the open one stays. */
static bool begin(uc_logfile *f, uc_error *e)
{
    int dir = uc__log_dir(f->o, e), fd;
    char name[UC_LOGNAME_MAX];
    uc_logname next;
    struct stat st;
    bool make;

    if (dir < 0)
        return false;
    if (!next_name(f, dir, &next, &make, e)) {
        close(dir);
        return false;
    }
    uc__logname_write(&next, f->o->name, name);
    fd = open_file(dir, name, make, &st);
    if (fd < 0) {
        uc__log_failed(e, errno, "begin", name);
        close(dir);
        return false;
    }
    uc__log_step(f->o, "file made");
    take(f, fd, &st, next.day, next.number);
    f->count++;
    point_current(f, dir);
    uc__log_step(f->o, "current set");
    /* The name of the new file has to last as well. */
    if (f->o->sync_ms > 0)
        uc__logsync_last(f->sync, dir);
    else
        close(dir);
    return true;
}

/* Cuts off what is behind the last \n: of a line whose end was never written,
 * or of blocks that a power cut has left without content. */
static bool cut_torn_line(uc_logfile *f, uc_error *e)
{
    char chunk[8192];
    uint64_t end = f->mark.offset;

    while (end > 0) {
        size_t want = end < sizeof chunk ? (size_t)end : sizeof chunk;
        ssize_t n = pread(f->fd, chunk, want, (off_t)(end - want));
        const char *nl;

        if (n != (ssize_t)want)
            return uc__log_failed(e, n < 0 ? errno : EIO, "read", f->path);
        nl = memrchr(chunk, '\n', want);
        end -= want;
        if (nl != NULL) {
            end += (uint64_t)(nl - chunk) + 1;
            break;
        }
    }
    if (end == f->mark.offset)
        return true;
    if (ftruncate(f->fd, (off_t)end) != 0)
        return uc__log_failed(e, errno, "truncate", f->path);
    f->mark.offset = end;
    return true;
}

/* Whether another file is begun for want of this one: somebody has moved it,
 * made a link of it, or has it for himself alone. */
static bool is_lost(int err)
{
    return err == ENOENT || err == ELOOP || err == EEXIST || err == EACCES;
}

/* Takes up a file that is there; false in *there when it is not. */
static bool resume(uc_logfile *f, const uc_logmark *at, bool known, bool *there,
                   uc_error *e)
{
    int dir = uc__log_dir(f->o, e), fd;
    struct stat st;

    if (dir < 0)
        return false;
    set_path(f, at->day, at->number);
    fd = open_file(dir, file_name(f), false, &st);
    *there = fd >= 0;
    if (fd < 0) {
        bool lost = is_lost(errno);

        if (!lost)
            uc__log_failed(e, errno, "open", f->path);
        close(dir);
        return lost;
    }
    take(f, fd, &st, at->day, at->number);
    point_current(f, dir);
    close(dir);
    if (!known || f->mark.offset < at->offset)
        return cut_torn_line(f, e);
    if (f->mark.offset > at->offset && ftruncate(fd, (off_t)at->offset) != 0)
        return uc__log_failed(e, errno, "truncate", f->path);
    f->mark.offset = at->offset;
    return true;
}

/* The newest file, when it is not an archive. */
static bool newest(uc_logfile *f, uc_logmark *mark, bool *there, uc_error *e)
{
    int dir = uc__log_dir(f->o, e);
    uc_logname *list;
    size_t n;
    bool good;

    if (dir < 0)
        return false;
    good = uc__log_list(dir, f->o->name, &list, &n, e);
    close(dir);
    if (!good)
        return false;
    *there = n > 0 && list[n - 1].kind == UC_LOG_PLAIN;
    if (*there)
        *mark = (uc_logmark){list[n - 1].day, list[n - 1].number, 0};
    uc_free(list);
    return true;
}

static bool open_first(uc_logfile *f, const uc_logmark *published, uc_error *e)
{
    uc_logmark mark = {0};
    bool there = published != NULL;

    if (there)
        mark = *published;
    else if (!newest(f, &mark, &there, e))
        return false;
    if (there && !resume(f, &mark, published != NULL, &there, e))
        return false;
    if (there)
        return true;
    f->mark = mark;
    return begin(f, e);
}

uc_logfile *uc_logfile_open(const uc_log_options *o,
                            const uc_logmark *published, uc_error *e)
{
    uc_logfile *f = uc_calloc(1, sizeof *f);

    uc_error_init(e);
    if (f == NULL) {
        uc_fail(e, UC_MEMORY, "out of memory");
        return NULL;
    }
    f->o = o;
    f->fd = -1;
    f->path_size = strlen(o->dir) + 1 + UC_LOGNAME_MAX;
    f->path = uc_malloc(f->path_size);
    f->sync = f->path == NULL ? NULL : uc__logsync_start();
    if (f->sync == NULL)
        uc_fail(e, UC_MEMORY, "out of memory");
    else if (open_first(f, published, e))
        return f;
    uc_logfile_close(f);
    return NULL;
}

void uc_logfile_close(uc_logfile *f)
{
    if (f == NULL)
        return;
    uc__logsync_stop(f->sync);
    if (f->fd >= 0)
        close(f->fd);
    uc_free(f->path);
    uc_free(f);
}

/* Removes what a failed append has left. */
static bool mend(uc_logfile *f, uc_error *e)
{
    struct stat st;

    if (fstat(f->fd, &st) != 0)
        return uc__log_failed(e, errno, "look at", f->path);
    if ((uint64_t)st.st_size > f->mark.offset &&
        ftruncate(f->fd, (off_t)f->mark.offset) != 0)
        return uc__log_failed(e, errno, "truncate", f->path);
    f->torn = false;
    return true;
}

/* The vectors from byte `done` of the i-th on. */
static int rest_of(const struct iovec *iov, int n, int i, size_t done,
                   struct iovec part[64])
{
    int parts = 0;

    for (; i < n && parts < 64; i++, done = 0)
        part[parts++] = (struct iovec){(char *)iov[i].iov_base + done,
                                       iov[i].iov_len - done};
    return parts;
}

bool uc_logfile_append(uc_logfile *f, const struct iovec *iov, int n,
                       uc_error *e)
{
    struct iovec part[64];
    uint64_t total = 0, written = 0;
    size_t done = 0;
    int i = 0, err = 0;

    for (int j = 0; j < n; j++)
        total += iov[j].iov_len;
    if (f->torn && !mend(f, e))
        return false;
    while (written < total && err == 0) {
        ssize_t wrote = writev(f->fd, part, rest_of(iov, n, i, done, part));

        if (wrote <= 0) {
            /* Nothing written and no reason given: it would go on for ever. */
            err = wrote == 0 ? EIO : errno == EINTR ? 0 : errno;
            continue;
        }
        written += (uint64_t)wrote;
        done += (size_t)wrote;
        for (; i < n && done >= iov[i].iov_len; i++)
            done -= iov[i].iov_len;
    }
    if (err != 0) {
        f->torn = true;
        /* What this says of its own failure is less to the point. */
        mend(f, e);
        return uc__log_failed(e, err, "write", f->path);
    }
    f->mark.offset += total;
    if (f->unsynced == 0 && total > 0)
        f->unsynced = uc_now_coarse();
    return true;
}

/* What others may have done to the open file: removed it, truncated it, or
 * appended to it. */
static bool settle(uc_logfile *f, uc_error *e)
{
    struct stat st;

    if (f->torn && !mend(f, e))
        return false;
    if (fstat(f->fd, &st) != 0)
        return uc__log_failed(e, errno, "look at", f->path);
    f->mark.offset = (uint64_t)st.st_size;
    f->moved |= st.st_nlink == 0;
    return true;
}

/* The path leads elsewhere: to a file that is taken, as logrotate makes it, or
 * nowhere. */
static bool follow(uc_logfile *f, uc_error *e)
{
    struct stat st;
    int fd = open_file(AT_FDCWD, f->path, false, &st);

    if (fd < 0)
        return is_lost(errno) ? begin(f, e)
                              : uc__log_failed(e, errno, "open", f->path);
    if (same_file(f, &st)) {
        close(fd);
        f->moved = false;
        return true;
    }
    take(f, fd, &st, f->mark.day, f->mark.number);
    return true;
}

bool uc_logfile_turn(uc_logfile *f, uint64_t coming, uc_error *e)
{
    const uc_log_options *o = f->o;
    uint32_t today;
    bool due;

    if (!settle(f, e) || (f->moved && !follow(f, e)))
        return false;
    today = uc__log_day(uc__log_wall(o));
    due = o->daily &&
          (today > f->mark.day || (today != f->today && f->mark.offset > 0));
    due |= f->mark.offset > 0 &&
           (f->rotate ||
            (o->rotate_bytes > 0 && f->mark.offset + coming > o->rotate_bytes));
    if (due)
        return begin(f, e);
    f->today = today;
    f->rotate = false;
    return true;
}

void uc_logfile_mark(const uc_logfile *f, uc_logmark *mark)
{
    *mark = f->mark;
}

static bool check_sync(uc_logfile *f, uc_error *e)
{
    int err = uc__logsync_error(f->sync);

    return err == 0 || uc__log_failed(e, err, "sync", f->path);
}

bool uc_logfile_tick(uc_logfile *f, int64_t now, int64_t *next, uc_error *e)
{
    *next = f->look;
    if (now >= f->look) {
        struct stat st;

        f->moved |= stat(f->path, &st) != 0 || !same_file(f, &st);
        f->look = *next = now + SECOND;
    }
    if (f->unsynced != 0 && f->o->sync_ms > 0) {
        int64_t due = f->unsynced + f->o->sync_ms * UC_MS;

        if (now >= due) {
            uc__logsync_want(f->sync, f->fd);
            f->unsynced = 0;
        } else if (due < *next) {
            *next = due;
        }
    }
    return check_sync(f, e);
}

bool uc_logfile_sync(uc_logfile *f, uc_error *e)
{
    uc__logsync_want(f->sync, f->fd);
    f->unsynced = 0;
    uc__logsync_wait(f->sync);
    return check_sync(f, e);
}

void uc_logfile_reopen(uc_logfile *f)
{
    f->moved = true;
}

void uc_logfile_rotate(uc_logfile *f)
{
    f->rotate = true;
}

uint64_t uc_logfile_count(const uc_logfile *f)
{
    return f->count;
}

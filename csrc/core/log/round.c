#define _GNU_SOURCE
#include "log/round.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/mem.h"
#include "log/compress.h"
#include "log/names.h"

/* A clock that is told the time, or slewed, moves by less; one that was set
 * ahead is set right again, or not, within the other. */
#define TOLERANCE ((int64_t)3600000)
#define STEADY ((int64_t)300000)

/* One of our files, as a round found it. */
typedef struct item {
    uc_logname name;
    char file[UC_LOGNAME_MAX];
    uint64_t size;
    int64_t changed; /* ms since 1970 */
    bool past;       /* not the current one and not behind it */
    bool paired;     /* with an archive that cannot be replaced */
    bool gone;
} item;

/* One look at the directory, and what is done about it. */
typedef struct round {
    uc_logduty *duty;
    const uc_log_options *o;
    uint64_t pokes; /* when it began */
    int dir;
    item *items;
    size_t n;
    char error[UC_LOGROUND_ERROR];
} round;

static bool stopped(round *r)
{
    return atomic_load_explicit(&r->duty->stop, memory_order_relaxed);
}

/* errno as the reason why something could not be done. False. */
static bool because(uc_error *e, int err)
{
    char text[128];

    uc_fail(e, UC_LOG_IO, "%s", strerror_r(err, text, sizeof text));
    e->native = err;
    return false;
}

/* The first thing that goes wrong is said; that the log ends is none. */
static void note(round *r, const uc_error *e, const char *verb,
                 const char *file)
{
    char text[1024];

    if (r->error[0] != '\0' || strcmp(e->code, "UC_ABORTED") == 0)
        return;
    snprintf(text, sizeof text, "the log could not %s %s: %s", verb, file,
             e->message);
    memcpy(r->error, text, sizeof r->error - 1);
}

/* -- the round's list ------------------------------------------------------ */

static bool look(round *r, const uc_logmark *current, uc_error *e)
{
    const uc_logname now = {.day = current->day, .number = current->number};
    uc_logname *names;
    size_t n;

    if (!uc__log_list(r->dir, r->o->name, &names, &n, e))
        return false;
    r->items = n > 0 ? uc_calloc(n, sizeof *r->items) : NULL;
    if (n > 0 && r->items == NULL) {
        uc_free(names);
        return uc_fail(e, UC_MEMORY, "out of memory");
    }
    for (size_t i = 0; i < n; i++) {
        item *f = &r->items[r->n];
        struct stat st;

        f->name = names[i];
        uc__logname_write(&f->name, r->o->name, f->file);
        if (fstatat(r->dir, f->file, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        f->size = (uint64_t)st.st_size;
        f->changed =
            (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
        f->past = names[i].day < now.day ||
                  (names[i].day == now.day && names[i].number < now.number);
        r->n++;
    }
    uc_free(names);
    return true;
}

static bool drop(round *r, item *f, const char *step)
{
    if (unlinkat(r->dir, f->file, 0) != 0 && errno != ENOENT) {
        uc_error e;

        because(&e, errno);
        note(r, &e, "delete", f->file);
        return false;
    }
    f->gone = true;
    uc__log_step(r->o, step);
    return true;
}

/* -- archives -------------------------------------------------------------- */

static int open_item(round *r, const char *file)
{
    return openat(r->dir, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
}

static bool sum_of(round *r, const item *f, uc_logsum *sum, uc_error *e)
{
    int fd = open_item(r, f->file);
    bool good;

    if (fd < 0)
        return because(e, errno);
    good = uc__log_sum(f->name.kind, fd, sum, &r->duty->stop, e);
    close(fd);
    return good;
}

/*
 * A file and its archive, both there: a crash has kept us from deleting the
 * file, or somebody has unpacked it. The archive is looked at again before the
 * file goes; one that is broken goes itself, and the file is archived anew. Of
 * two that are whole and differ neither is touched.
 */
static void settle_pair(round *r, item *file, item *archive)
{
    uc_logsum of_file, of_archive;
    uc_error e;

    if (!sum_of(r, archive, &of_archive, &e)) {
        if (strcmp(e.code, "UC_LOG_IO") == 0 && e.native == 0)
            drop(r, archive, "broken archive deleted");
        else
            note(r, &e, "verify", archive->file);
        file->paired = !archive->gone;
        return;
    }
    file->paired = true;
    if (!sum_of(r, file, &of_file, &e)) {
        note(r, &e, "verify", file->file);
    } else if (of_file.len == of_archive.len && of_file.crc == of_archive.crc) {
        drop(r, file, "archived file deleted");
    } else {
        uc_fail(&e, UC_LOG_IO, "it is not what %.60s has", archive->file);
        note(r, &e, "delete", file->file);
    }
}

static void leftovers(round *r)
{
    for (size_t i = 0; i < r->n && !stopped(r); i++) {
        item *f = &r->items[i];

        if (f->name.part)
            drop(r, f, "part deleted");
    }
    for (size_t i = 0; i + 1 < r->n && !stopped(r); i++) {
        item *f = &r->items[i];

        if (f->name.kind != UC_LOG_PLAIN || !f->past)
            continue;
        for (size_t j = i + 1; j < r->n && !f->gone && !f->paired &&
                               r->items[j].name.day == f->name.day &&
                               r->items[j].name.number == f->name.number;
             j++)
            if (!r->items[j].gone)
                settle_pair(r, f, &r->items[j]);
    }
}

/* Packs into an open file and reads that again, from the disk. */
static bool pack_and_verify(round *r, const struct stat *st, int from, int to,
                            uc_error *e)
{
    /* The archive is as old as what is in it: retention goes by that. */
    const struct timespec times[2] = {st->st_atim, st->st_mtim};
    uc_logsum sum, again;

    if (!uc__log_pack(r->o->compress, from, to, &sum, &r->duty->stop, e))
        return false;
    if (futimens(to, times) != 0 || fsync(to) != 0)
        return because(e, errno);
    posix_fadvise(to, 0, 0, POSIX_FADV_DONTNEED);
    uc__log_step(r->o, "archive written");
    if (lseek(to, 0, SEEK_SET) != 0)
        return because(e, errno);
    if (!uc__log_sum(r->o->compress, to, &again, &r->duty->stop, e))
        return false;
    if (again.len != sum.len || again.crc != sum.crc ||
        sum.len != (uint64_t)st->st_size)
        return uc_fail(e, UC_LOG_IO, "what was written is not what is read");
    uc__log_step(r->o, "archive verified");
    return true;
}

static bool archive(round *r, item *f, uc_error *e)
{
    uc_logname name = f->name;
    char part[UC_LOGNAME_MAX], whole[UC_LOGNAME_MAX];
    int from = open_item(r, f->file), to = -1;
    struct stat st;
    bool good;

    name.kind = r->o->compress;
    uc__logname_write(&name, r->o->name, whole);
    name.part = true;
    uc__logname_write(&name, r->o->name, part);
    if (from < 0 || fstat(from, &st) != 0 ||
        (to = openat(r->dir, part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
                     st.st_mode & 0777)) < 0) {
        because(e, errno);
        if (from >= 0)
            close(from);
        return false;
    }
    uc__log_give(r->dir, to);
    uc__log_step(r->o, "archive begun");
    good = pack_and_verify(r, &st, from, to, e);
    close(from);
    close(to);
    if (good && renameat(r->dir, part, r->dir, whole) != 0)
        good = because(e, errno);
    if (!good) {
        unlinkat(r->dir, part, 0);
        return false;
    }
    uc__log_step(r->o, "archive named");
    if (fsync(r->dir) != 0 && errno != EINVAL)
        return because(e, errno);
    uc__log_step(r->o, "archive synced");
    f->size = 0;
    if (fstatat(r->dir, whole, &st, AT_SYMLINK_NOFOLLOW) == 0)
        f->size = (uint64_t)st.st_size;
    if (unlinkat(r->dir, f->file, 0) != 0)
        return because(e, errno);
    uc__log_step(r->o, "archived file deleted");
    /* From here on the item is the archive. */
    f->name.kind = r->o->compress;
    memcpy(f->file, whole, sizeof f->file);
    atomic_fetch_add(&r->duty->archived, 1);
    return true;
}

/* Whether there are files that this round does not know of. */
static bool is_outdated(round *r)
{
    return atomic_load(&r->duty->pokes) != r->pokes;
}

/* The oldest first. Where files come faster than they are packed the round
 * ends early, so that retention has a look at them. */
static void archive_all(round *r)
{
    for (size_t i = 0; i < r->n && !stopped(r); i++) {
        item *f = &r->items[i];
        uc_error e;

        if (f->gone || !f->past || f->paired || f->name.kind != UC_LOG_PLAIN)
            continue;
        /* A crash came before its first line. */
        if (f->size == 0) {
            drop(r, f, "empty file deleted");
            continue;
        }
        if (r->o->compress == UC_LOG_PLAIN)
            continue;
        if (archive(r, f, &e)) {
            if (is_outdated(r))
                return;
            continue;
        }
        note(r, &e, "archive", f->file);
        /* The next one would not find room either. */
        if (e.native == ENOSPC || e.native == EDQUOT)
            return;
    }
}

/* -- retention ------------------------------------------------------------- */

/* When the last line of it was written, as far as can be known; INT64_MAX when
 * nothing of what is known can be true. */
static int64_t last_written(const item *f, int64_t now)
{
    int64_t by_name = ((int64_t)f->name.day + 1) * UC_LOGDAY_MS, at = INT64_MIN;

    if (f->name.day <= uc__log_day(now))
        at = by_name;
    if (f->changed <= now && f->changed > at)
        at = f->changed;
    return at == INT64_MIN ? INT64_MAX : at;
}

static void forget(round *r, item *f)
{
    if (drop(r, f, "old file deleted"))
        atomic_fetch_add(&r->duty->deleted, 1);
}

/* Whether the clock can be believed: it has gone on with the time since a
 * reading that is long enough ago. Else what it says now is that reading. */
static bool is_steady(round *r, int64_t now)
{
    uc_logpace *p = r->duty->pace, was = *p;
    const uint64_t *boot = r->duty->boot;
    int64_t steady = uc__log_steady(r->o), passed, moved;

    /* Anything may have stood there: no arithmetic that can overflow. */
    if (was.boot[0] == boot[0] && was.boot[1] == boot[1] &&
        was.steady_ms >= 0 && was.steady_ms <= steady &&
        !__builtin_sub_overflow(now, was.wall_ms, &moved)) {
        passed = steady - was.steady_ms;
        if (moved >= passed - TOLERANCE && moved <= passed + TOLERANCE)
            return passed >= STEADY;
    }
    *p = (uc_logpace){{boot[0], boot[1]}, now, steady};
    return false;
}

static void retain_age(round *r)
{
    int64_t now = uc__log_wall(r->o);

    if (!is_steady(r, now))
        return;
    for (size_t i = 0; r->o->keep_ms > 0 && i < r->n && !stopped(r); i++) {
        item *f = &r->items[i];
        int64_t at = last_written(f, now);

        if (!f->gone && f->past && at <= now && now - at > r->o->keep_ms)
            forget(r, f);
    }
}

static void retain_bytes(round *r)
{
    uint64_t total = 0;

    if (r->o->keep_bytes == 0)
        return;
    for (size_t i = 0; i < r->n; i++)
        if (!r->items[i].gone)
            total += r->items[i].size;
    for (size_t i = 0; i < r->n && total > r->o->keep_bytes && !stopped(r);
         i++) {
        item *f = &r->items[i];

        if (f->gone || !f->past)
            continue;
        forget(r, f);
        if (f->gone)
            total -= f->size;
    }
}

/* -------------------------------------------------------------------------- */

void uc__log_round(uc_logduty *duty, const uc_logmark *current, uint64_t pokes,
                   char error[UC_LOGROUND_ERROR])
{
    round r = {.duty = duty, .o = duty->o, .pokes = pokes};
    uc_error e;

    r.dir = uc__log_dir(r.o, &e);
    if (r.dir < 0 || !look(&r, current, &e)) {
        snprintf(r.error, sizeof r.error, "%.199s", e.message);
    } else {
        leftovers(&r);
        retain_age(&r);
        archive_all(&r);
        retain_bytes(&r);
    }
    if (r.dir >= 0)
        close(r.dir);
    uc_free(r.items);
    memcpy(error, r.error, sizeof r.error);
}

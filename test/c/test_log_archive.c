/* What becomes of the log's files: archives, retention, 90 days of both. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/clock.h"
#include "log/archive.h"
#include "log/names.h"
#include "log/round.h"
#include "log_dir.h"
#include "tap.h"

#define TEN_MINUTES ((int64_t)600000)
#define LIMIT (30 * 1000 * UC_MS)

/* One round of it, with the current file as f has it. */
static void poke(uc_archive *a, const uc_logfile *f)
{
    uc_logmark mark;

    uc_logfile_mark(f, &mark);
    uc_archive_poke(a, &mark);
    if (!uc_archive_wait(a, uc_now() + LIMIT))
        ok(false, "a round takes no longer than 30 seconds");
}

static const char *error_of(uc_archive *a)
{
    static char text[200];

    uc_archive_error(a, text, sizeof text);
    return text;
}

static void archives(uc_log_compress kind, const char *ending)
{
    uint64_t archived, deleted;
    struct stat st, of_dir;
    uc_logfile *f;
    uc_archive *a;
    uc_error e;
    log_dir d;
    char name[64];

    tap_diag("%s", ending);
    log_dir_init(&d);
    umask(022);
    /* What is root's is given to the directory's user. */
    if (geteuid() == 0 && chown(d.path, 1234, 5678) != 0)
        tap_diag("the directory is root's");
    d.o.compress = kind;
    f = uc_logfile_open(&d.o, NULL, &e);
    a = uc_archive_start(&d.o, &e);
    log_append(f, 1, 20000);
    uc_logfile_rotate(f);
    uc_logfile_turn(f, 1, &e);
    log_append(f, 20001, 5);
    log_write(&d, "other-2026-01-01.1.log", "not ours");
    poke(a, f);
    eq_str(error_of(a), "", "nothing went wrong");
    eq_int(log_count(&d, ending), 1, "the first file is archived");
    eq_int(log_count(&d, ".log"), 2, "itself has gone, the current one not");
    eq_int(log_count(&d, ".part"), 0, "nothing is left over");
    snprintf(name, sizeof name, "app-2026-01-01.1%s", ending);
    ok(stat(log_path(&d, name), &st) == 0 && (st.st_mode & 07777) == 0640,
       "with the file's mode");
    ok(stat(d.path, &of_dir) == 0 && st.st_uid == of_dir.st_uid &&
           (geteuid() != 0 || st.st_gid == of_dir.st_gid),
       "and the directory's user");
    ok(st.st_size > 100 && st.st_size < 280000 / 4, "and much smaller");
    ok(log_holds(&d, 1, 20005), "every line is there");
    uc_archive_counts(a, &archived, &deleted);
    ok(archived == 1 && deleted == 0, "and counted");
    poke(a, f);
    eq_int(log_count(&d, ending), 1, "a second round finds nothing to do");
    uc_archive_stop(a);
    uc_logfile_close(f);
    log_dir_fini(&d);
}

static void plain(void)
{
    uc_logfile *f;
    uc_archive *a;
    uc_error e;
    log_dir d;

    log_dir_init(&d);
    d.o.compress = UC_LOG_PLAIN;
    f = uc_logfile_open(&d.o, NULL, &e);
    a = uc_archive_start(&d.o, &e);
    log_append(f, 1, 5);
    uc_logfile_rotate(f);
    uc_logfile_turn(f, 1, &e);
    log_append(f, 6, 1);
    poke(a, f);
    eq_int(log_count(&d, ".log"), 2, "without compression files stay");
    ok(log_holds(&d, 1, 6), "as they are");
    uc_archive_stop(a);
    uc_logfile_close(f);
    log_dir_fini(&d);
}

/* Changes one byte amid a file. */
static void spoil(const log_dir *d, const char *name, off_t at)
{
    int fd = open(log_path(d, name), O_RDWR);
    char c = 0;

    ok(pread(fd, &c, 1, at) == 1, "there is something to spoil");
    c ^= 0x10;
    ok(pwrite(fd, &c, 1, at) == 1, "spoiled");
    close(fd);
}

static void copy(const log_dir *d, const char *from, const char *to)
{
    char bytes[65536];
    int fd = open(log_path(d, from), O_RDONLY);
    ssize_t n = read(fd, bytes, sizeof bytes);

    close(fd);
    log_write_bytes(d, to, bytes, n > 0 ? (size_t)n : 0);
}

static void hook(void *arg, const char *where)
{
    const log_dir *d = arg;

    if (strcmp(where, "archive written") == 0)
        spoil(d, "app-2026-01-01.1.log.gz.part", 40);
}

/* Archives that are not what they ought to be. */
static void broken(void)
{
    uc_logfile *f;
    uc_archive *a;
    uc_error e;
    log_dir d;

    log_dir_init(&d);
    f = uc_logfile_open(&d.o, NULL, &e);
    log_append(f, 1, 2000);
    uc_logfile_rotate(f);
    uc_logfile_turn(f, 1, &e);
    log_append(f, 2001, 1);
    d.o.step = hook;
    d.o.step_arg = &d;
    a = uc_archive_start(&d.o, &e);
    poke(a, f);
    ok(strstr(error_of(a), "app-2026-01-01.1.log") != NULL,
       "an archive that is read otherwise than it was written is told");
    eq_int(log_count(&d, ".log"), 2, "the file stays");
    eq_int(log_count(&d, ".gz") + log_count(&d, ".part"), 0,
           "the archive does not");
    uc_archive_stop(a);
    d.o.step = NULL;

    copy(&d, "app-2026-01-01.1.log", "kept");
    a = uc_archive_start(&d.o, &e);
    poke(a, f);
    eq_int(log_count(&d, ".log.gz"), 1, "the next round archives it");
    copy(&d, "kept", "app-2026-01-01.1.log");
    poke(a, f);
    eq_int(log_count(&d, ".log"), 1, "both are there: the file goes");
    ok(log_holds(&d, 1, 2001), "every line is there");

    copy(&d, "kept", "app-2026-01-01.1.log");
    spoil(&d, "app-2026-01-01.1.log.gz", 60);
    poke(a, f);
    eq_str(error_of(a), "", "a broken archive beside its file");
    ok(log_holds(&d, 1, 2001), "is made anew");
    eq_int(log_count(&d, ".log"), 1, "and the file goes");

    copy(&d, "kept", "app-2026-01-01.1.log");
    ok(truncate(log_path(&d, "app-2026-01-01.1.log.gz"), 100) == 0, "cut");
    poke(a, f);
    ok(log_count(&d, ".log") == 1 && log_holds(&d, 1, 2001),
       "so is one that is cut off");
    copy(&d, "kept", "app-2026-01-01.1.log");
    log_write(&d, "app-2026-01-01.1.log.gz", "more");
    poke(a, f);
    ok(log_count(&d, ".log") == 1 && log_holds(&d, 1, 2001),
       "and one with something behind its end");

    log_write(&d, "app-2026-01-01.1.log", "somebody unpacks it");
    poke(a, f);
    ok(strstr(error_of(a), "is not what") != NULL,
       "a file beside a whole archive that has something else");
    eq_int(log_count(&d, ".log"), 2, "the file stays");
    eq_int(log_count(&d, ".log.gz"), 1, "and so does the archive");
    unlink(log_path(&d, "app-2026-01-01.1.log"));
    log_write(&d, "app-2026-01-01.1.log.gz.part", "half");
    log_write(&d, "app-2025-12-31.7.log", "");
    poke(a, f);
    eq_int(log_count(&d, ".part"), 0, "what was half made goes");
    eq_int(log_size(&d, "app-2025-12-31.7.log"), -1, "and an empty file");
    ok(log_holds(&d, 1, 2001), "every line is there");
    uc_archive_stop(a);
    uc_logfile_close(f);
    log_dir_fini(&d);
}

static void set_changed(const log_dir *d, const char *name, int64_t wall_ms)
{
    struct timeval times[2] = {{wall_ms / 1000, 0}, {wall_ms / 1000, 0}};

    utimes(log_path(d, name), times);
}

/* Time passes, and the clock shows it. */
static void pass(log_dir *d, int64_t ms)
{
    __atomic_add_fetch(&d->now, ms, __ATOMIC_RELAXED);
    __atomic_add_fetch(&d->steady, ms, __ATOMIC_RELAXED);
}

/* Somebody sets the clock. */
static void set_clock(log_dir *d, int64_t by)
{
    __atomic_add_fetch(&d->now, by, __ATOMIC_RELAXED);
}

static void old_ones(void)
{
    const int64_t day = UC_LOGDAY_MS;
    uc_logfile *f;
    uc_archive *a;
    uc_error e;
    log_dir d;

    log_dir_init(&d);
    d.o.compress = UC_LOG_PLAIN;
    d.o.keep_ms = 10 * day;
    f = uc_logfile_open(&d.o, NULL, &e);
    a = uc_archive_start(&d.o, &e);
    log_append(f, 1, 1);
    log_write(&d, "app-2025-12-21.1.log", "x\n");
    log_write(&d, "app-2025-12-22.1.log", "x\n");
    log_write(&d, "app-2025-01-01.1.log.gz", "x\n");
    log_write(&d, "app-2025-01-02.1.log.zst", "x\n");
    log_write(&d, "app-2025-01-03.1.log", "x\n");
    log_write(&d, "app-2199-01-01.1.log", "x\n");
    log_write(&d, "old-2025-01-01.1.log", "x\n");
    log_write(&d, "app-2025-01-01.1.log.bak", "x\n");
    mkdir(log_path(&d, "app-2025-01-01.5.log"), 0700);
    set_changed(&d, "app-2025-12-21.1.log", d.now - 12 * day);
    set_changed(&d, "app-2025-12-22.1.log", d.now - 12 * day);
    set_changed(&d, "app-2025-01-01.1.log.gz", d.now + 400 * day);
    set_changed(&d, "app-2025-01-02.1.log.zst", d.now - 400 * day);
    set_changed(&d, "app-2025-01-03.1.log", d.now - 2 * day);
    poke(a, f);
    eq_int(log_count(&d, ".log") + log_count(&d, ".gz"), 8,
           "nothing is known of the clock yet: none goes");
    pass(&d, TEN_MINUTES);
    poke(a, f);
    eq_int(log_size(&d, "app-2025-12-21.1.log"), -1, "11 days old by its name");
    eq_int(log_size(&d, "app-2025-12-22.1.log"), 2, "10 days and some hours");
    eq_int(log_size(&d, "app-2025-01-01.1.log.gz"), -1,
           "a time of change in the future says nothing");
    eq_int(log_size(&d, "app-2025-01-02.1.log.zst"), -1, "an old archive");
    eq_int(log_size(&d, "app-2025-01-03.1.log"), 2,
           "an old name, but changed lately");
    eq_int(log_size(&d, "app-2199-01-01.1.log"), 2, "a day in the future");
    eq_int(log_size(&d, "old-2025-01-01.1.log"), 2, "another log's");
    eq_int(log_size(&d, "app-2025-01-01.1.log.bak"), 2, "no name of ours");
    ok(log_size(&d, "app-2025-01-01.5.log") > 0, "no file");
    eq_int(log_size(&d, "app-2026-01-01.1.log"), 14, "the current one");
    rmdir(log_path(&d, "app-2025-01-01.5.log"));
    set_clock(&d, 1000 * day);
    poke(a, f);
    pass(&d, TEN_MINUTES / 10);
    poke(a, f);
    eq_int(log_size(&d, "app-2025-12-22.1.log"), 2,
           "a clock that was set ahead is not believed at once");
    set_clock(&d, -1000 * day);
    pass(&d, TEN_MINUTES);
    poke(a, f);
    pass(&d, TEN_MINUTES);
    poke(a, f);
    eq_int(log_size(&d, "app-2025-12-22.1.log"), 2,
           "and does no harm if it is set right again");
    pass(&d, 1000 * day);
    poke(a, f);
    eq_int(log_size(&d, "app-2026-01-01.1.log"), 14,
           "the current one, however old");
    eq_int(log_size(&d, "app-2025-12-22.1.log"), -1, "the others go");
    uc_archive_stop(a);
    uc_logfile_close(f);
    log_dir_fini(&d);
}

/* Whether an owner deletes an old file in its first round. */
static bool deletes_at_once(log_dir *d, uc_logpace *pace, uint64_t boot)
{
    uc_error e;
    uc_logfile *f = uc_logfile_open(&d->o, NULL, &e);
    uc_archive *a = uc_archive_start(&d->o, &e);
    const uint64_t boots[2] = {boot, boot};

    log_write(d, "app-2025-01-01.1.log", "x\n");
    set_changed(d, "app-2025-01-01.1.log", d->now - 400 * UC_LOGDAY_MS);
    uc_archive_remember(a, pace, boots);
    poke(a, f);
    uc_archive_stop(a);
    uc_logfile_close(f);
    return log_size(d, "app-2025-01-01.1.log") < 0;
}

/* What one owner knows of the clock the next one knows as well. */
static void owners_and_the_clock(void)
{
    bool believed = false;
    uc_logpace pace = {{0}, 0, 0};
    log_dir d;

    log_dir_init(&d);
    d.o.compress = UC_LOG_PLAIN;
    d.o.keep_ms = 10 * UC_LOGDAY_MS;
    d.steady = TEN_MINUTES;
    ok(!deletes_at_once(&d, &pace, 7), "the first one knows nothing");
    pass(&d, TEN_MINUTES / 10);
    ok(!deletes_at_once(&d, &pace, 7), "it is too soon for the second");
    pass(&d, TEN_MINUTES);
    ok(deletes_at_once(&d, &pace, 7), "the third knows that the clock goes");
    set_clock(&d, 2 * UC_LOGDAY_MS);
    ok(!deletes_at_once(&d, &pace, 7), "it was set between two of them");
    pass(&d, TEN_MINUTES);
    ok(deletes_at_once(&d, &pace, 7), "and has gone on");
    pass(&d, TEN_MINUTES);
    ok(!deletes_at_once(&d, &pace, 8), "of another start nothing is known");
    pass(&d, TEN_MINUTES);
    ok(!deletes_at_once(&d, &pace, 0), "nor where no start can be told");
    for (int i = 0; i < 200; i++) {
        for (size_t at = 0; at < sizeof pace; at++)
            ((uint8_t *)&pace)[at] = (uint8_t)tap_random();
        pace.boot[0] = pace.boot[1] = 7;
        believed |= deletes_at_once(&d, &pace, 7);
    }
    ok(!believed, "any bytes are no proof");
    log_dir_fini(&d);
}

static void many_bytes(void)
{
    uint64_t archived, deleted;
    uc_logfile *f;
    uc_archive *a;
    uc_error e;
    log_dir d;

    log_dir_init(&d);
    d.o.compress = UC_LOG_PLAIN;
    d.o.keep_bytes = 14 * 35;
    f = uc_logfile_open(&d.o, NULL, &e);
    a = uc_archive_start(&d.o, &e);
    for (unsigned i = 0; i < 10; i++) {
        log_append(f, i * 10 + 1, 10);
        uc_logfile_rotate(f);
        uc_logfile_turn(f, 1, &e);
    }
    log_append(f, 101, 5);
    poke(a, f);
    ok(log_holds(&d, 71, 105), "the oldest go until the rest fits");
    uc_archive_counts(a, &archived, &deleted);
    eq_int(deleted, 7, "files were deleted");
    log_append(f, 106, 1);
    poke(a, f);
    ok(log_holds(&d, 81, 106), "one line more costs another");
    d.o.keep_bytes = 1;
    poke(a, f);
    ok(log_holds(&d, 101, 106), "the current one stays");
    uc_archive_stop(a);
    uc_logfile_close(f);
    log_dir_fini(&d);
}

static uc_archive *busy; /* who is poked while it packs */
static uc_logmark busy_mark;
static unsigned busy_pokes;

static void poke_again(void *arg, const char *where)
{
    (void)arg;
    if (strcmp(where, "archive begun") == 0 && busy_pokes < 3) {
        busy_pokes++;
        uc_archive_poke(busy, &busy_mark);
    }
}

/* Files that come faster than they are packed. */
static void overtaken(void)
{
    uc_logfile *f;
    unsigned first;
    uc_error e;
    log_dir d;

    log_dir_init(&d);
    d.o.keep_bytes = 14 * 500;
    d.o.step = poke_again;
    f = uc_logfile_open(&d.o, NULL, &e);
    for (unsigned i = 0; i < 10; i++) {
        log_append(f, i * 100 + 1, 100);
        uc_logfile_rotate(f);
        uc_logfile_turn(f, 1, &e);
    }
    log_append(f, 1001, 1);
    uc_logfile_mark(f, &busy_mark);
    busy = uc_archive_start(&d.o, &e);
    uc_archive_poke(busy, &busy_mark);
    /* Each wait is for the pokes so far: the first round and those that it
     * was asked for meanwhile. */
    for (int i = 0; i < 5; i++)
        ok(uc_archive_wait(busy, uc_now() + LIMIT), "a round ends");
    eq_int(busy_pokes, 3, "it was asked for others meanwhile");
    first = log_first(&d);
    ok(first > 1 && first <= 601, "the oldest went before all was packed");
    ok(log_holds(&d, first, 1001), "no other did");
    eq_int(log_count(&d, ".log"), 1, "in the end all are packed");
    uc_archive_stop(busy);
    uc_logfile_close(f);
    log_dir_fini(&d);
}

/*
 * 90 days: six times a day 40 lines, each file to be no larger than 1000 bytes;
 * every ninth day the process starts anew, on day 30 and 60 the clock goes back
 * by a day and a half, and by three.
 */
static void ninety_days(void)
{
    const int64_t start = 20454 * UC_LOGDAY_MS;
    unsigned line = 0, most = 0, gaps = 0;
    uc_logfile *f;
    uc_archive *a;
    uc_error e;
    log_dir d;

    log_dir_init(&d);
    d.o.rotate_bytes = 1000;
    d.o.keep_ms = 60 * UC_LOGDAY_MS;
    f = uc_logfile_open(&d.o, NULL, &e);
    a = uc_archive_start(&d.o, &e);
    for (int turn = 0; turn < 90 * 6; turn++) {
        uc_logmark mark;
        unsigned first;

        __atomic_store_n(&d.now,
                         start + turn * UC_LOGDAY_MS / 6 -
                             (turn >= 180 && turn < 190   ? UC_LOGDAY_MS * 3 / 2
                              : turn >= 360 && turn < 370 ? UC_LOGDAY_MS * 3
                                                          : 0),
                         __ATOMIC_RELAXED);
        __atomic_store_n(&d.steady, turn * UC_LOGDAY_MS / 6, __ATOMIC_RELAXED);
        for (int i = 0; i < 8; i++, line += 5) {
            if (!uc_logfile_turn(f, 70, &e))
                tap_diag("%s", e.message);
            log_append(f, line + 1, 5);
        }
        poke(a, f);
        if (turn % 54 == 53) {
            uc_logfile_mark(f, &mark);
            uc_archive_stop(a);
            uc_logfile_close(f);
            f = uc_logfile_open(&d.o, turn % 108 == 53 ? &mark : NULL, &e);
            a = uc_archive_start(&d.o, &e);
        }
        if (turn % 30 != 29)
            continue;
        first = log_first(&d);
        gaps += !log_holds(&d, first, line);
        most = log_count(&d, ".gz") > most ? log_count(&d, ".gz") : most;
        if (turn < 60 * 6)
            gaps += first != 1;
    }
    eq_int(gaps, 0, "at no time a line is missing among those that are kept");
    poke(a, f);
    ok(log_first(&d) > 240 * 28 && log_first(&d) <= 240 * 30,
       "the first 29 days have gone");
    ok(log_holds(&d, log_first(&d), 240 * 90), "the last 61 are there");
    eq_int(log_count(&d, ".log"), 1, "all but the current file are archives");
    eq_int(log_count(&d, ".part"), 0, "and nothing is left over");
    ok(most >= 61 * 3 && most < 64 * 6, "a few files a day");
    uc_archive_stop(a);
    uc_logfile_close(f);
    log_dir_fini(&d);
}

typedef struct ending {
    uc_archive *a; /* set before there is anything to archive */
    atomic_bool begun;
} ending;

/* Holds the archive until it has been told to stop. It begins with its duty. */
static void wait_for_stop(void *arg, const char *where)
{
    ending *end = arg;

    if (strcmp(where, "archive begun") != 0)
        return;
    atomic_store(&end->begun, true);
    while (!atomic_load(&((uc_logduty *)end->a)->stop))
        usleep(100);
}

/* Ends amid a file that takes longer. */
static void stops(void)
{
    const size_t size = 1 << 20;
    char *bytes = malloc(size);
    ending end = {.begun = false};
    uc_logfile *f;
    uc_logmark mark;
    uc_error e;
    log_dir d;

    log_dir_init(&d);
    d.o.step = wait_for_stop;
    d.o.step_arg = &end;
    tap_seed(7);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)tap_random();
    for (int i = 0; i < 16; i++)
        log_write_bytes(&d, "app-2025-12-31.1.log", bytes, size);
    log_write(&d, "app-2025-12-31.1.log", "\n");
    free(bytes);
    f = uc_logfile_open(&d.o, NULL, &e);
    uc_logfile_rotate(f);
    uc_logfile_turn(f, 1, &e);
    end.a = uc_archive_start(&d.o, &e);
    uc_logfile_mark(f, &mark);
    uc_archive_poke(end.a, &mark);
    while (!atomic_load(&end.begun))
        usleep(100);
    eq_int(log_count(&d, ".part"), 1, "an archive is begun");
    uc_archive_stop(end.a);
    eq_int(log_size(&d, "app-2025-12-31.1.log"), (16 << 20) + 1,
           "stopped amid a file: it is there");
    eq_int(log_count(&d, ".part") + log_count(&d, ".gz"), 0, "and alone");
    uc_logfile_close(f);
    log_dir_fini(&d);
}

int main(void)
{
    archives(UC_LOG_GZIP, ".log.gz");
    archives(UC_LOG_ZSTD, ".log.zst");
    plain();
    broken();
    old_ones();
    owners_and_the_clock();
    many_bytes();
    overtaken();
    ninety_days();
    stops();
    return tap_end();
}

/* The log's files and archives when their process dies, at every step and at
 * any moment, and when the disk is full. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "log/archive.h"
#include "log/names.h"
#include "log_dir.h"
#include "tap.h"

#define LIMIT (30 * 1000 * UC_MS)

/* What the control page of the log is for, as little of it as it takes: how
 * much is in the files. It survives the process that writes it. */
typedef struct page {
    struct {
        uc_logmark mark;
        unsigned lines;
    } slot[2];
    atomic_uint current; /* 0: nothing is published */
    atomic_uint steps;   /* taken by the process that runs */
} page;

static page *shared;
static unsigned crash_at; /* which step of the process is its last; 0 none */

static void step(void *arg, const char *where)
{
    (void)arg;
    (void)where;
    if (atomic_fetch_add(&shared->steps, 1) + 1 == crash_at)
        _exit(7);
}

static void publish(const uc_logfile *f, unsigned lines)
{
    unsigned to = atomic_load(&shared->current) == 1 ? 1 : 0;

    uc_logfile_mark(f, &shared->slot[to].mark);
    shared->slot[to].lines = lines;
    step(NULL, "written");
    atomic_store(&shared->current, to + 1);
    step(NULL, "published");
}

/* An owner: goes on where the last one was until `last` lines are in the
 * files and all but the current one are archived. Does not return. */
__attribute__((noreturn)) static void owner(log_dir *d, unsigned last,
                                            bool know_nothing)
{
    unsigned current = atomic_load(&shared->current), lines = 0;
    const uc_logmark *published = NULL;
    uc_logmark before, mark;
    uc_logfile *f;
    uc_archive *a;
    uc_error e;

    atomic_store(&shared->steps, 0);
    if (current > 0) {
        published = &shared->slot[current - 1].mark;
        lines = shared->slot[current - 1].lines;
    }
    f = uc_logfile_open(&d->o, know_nothing ? NULL : published, &e);
    a = uc_archive_start(&d->o, &e);
    if (f == NULL || a == NULL) {
        tap_diag("%s", e.message);
        _exit(1);
    }
    /* Before the first append: else the next owner, who knows of nothing,
     * would keep it, and repeat it. */
    publish(f, lines);
    uc_logfile_mark(f, &before);
    uc_archive_poke(a, &before);
    while (lines < last) {
        if (!uc_logfile_turn(f, 5 * 14, &e))
            _exit(2);
        uc_logfile_mark(f, &mark);
        if (mark.number != before.number) {
            publish(f, lines);
            uc_archive_poke(a, &mark);
            before = mark;
        }
        log_append(f, lines + 1, 5);
        step(NULL, "appended");
        lines += 5;
        publish(f, lines);
    }
    if (!uc_archive_wait(a, uc_now() + LIMIT))
        _exit(3);
    uc_archive_stop(a);
    uc_logfile_close(f);
    _exit(0);
}

/* -> how it ended, as waitpid says; killed after `us` if that is not 0. */
static int run_owner(log_dir *d, unsigned last, bool know_nothing, unsigned us)
{
    int status;
    pid_t pid;

    /* Else what is buffered would be printed by both. */
    fflush(stdout);
    pid = fork();
    if (pid == 0)
        owner(d, last, know_nothing);
    if (us > 0) {
        usleep(us);
        kill(pid, SIGKILL);
    }
    waitpid(pid, &status, 0);
    return status;
}

/* Whether all is as if nothing had happened. */
static bool complete(log_dir *d, unsigned lines)
{
    return log_holds(d, 1, lines) && log_count(d, ".log") == 1 &&
           log_count(d, ".part") == 0 && log_count(d, ".new") == 0 &&
           log_size(d, log_link(d)) > 0;
}

static void begin(log_dir *d, uc_log_compress kind)
{
    log_dir_init(d);
    d->o.rotate_bytes = 14 * 20;
    d->o.compress = kind;
    d->o.step = step;
    atomic_store(&shared->current, 0);
}

static void every_step(uc_log_compress kind, const char *name)
{
    unsigned faults = 0, crashed = 0;

    for (crash_at = 1;; crash_at++) {
        unsigned at = crash_at;
        log_dir d;
        int first, second;

        begin(&d, kind);
        first = run_owner(&d, 60, false, 0);
        crash_at = 0;
        second = run_owner(&d, 70, false, 0);
        crash_at = at;
        if (second != 0 || !complete(&d, 70)) {
            tap_diag("after a crash at step %u (%x, %x)", at, first, second);
            faults++;
        }
        log_dir_fini(&d);
        if (first == 0)
            break;
        crashed += WIFEXITED(first) && WEXITSTATUS(first) == 7;
    }
    tap_diag("%u steps", crash_at - 1);
    eq_int(crashed, crash_at - 1, "every step was somebody's last");
    ok(crash_at > 40, "and there are many");
    eq_int(faults, 0, name);
    crash_at = 0;
}

/* The one who comes after a crash crashes as well, at each step of its own. */
static void twice(void)
{
    unsigned faults = 0, most = 0;

    for (unsigned i = 0; i < 60; i++) {
        log_dir d;
        int last;

        begin(&d, UC_LOG_GZIP);
        for (int crash = 0; crash < 3; crash++) {
            crash_at = 1 + (unsigned)(tap_random() % 40);
            run_owner(&d, 60, false, 0);
        }
        crash_at = 0;
        last = run_owner(&d, 70, false, 0);
        if (last != 0 || !complete(&d, 70)) {
            tap_diag("after three crashes, round %u (%x)", i, last);
            faults++;
        }
        most = atomic_load(&shared->steps) > most ? atomic_load(&shared->steps)
                                                  : most;
        log_dir_fini(&d);
    }
    eq_int(faults, 0, "three crashes at random steps: every line once");
}

static void kills(void)
{
    unsigned killed = 0;
    log_dir d;
    int status = 1;

    begin(&d, UC_LOG_GZIP);
    for (unsigned i = 0; i < 100; i++) {
        status = run_owner(&d, 4000, false, 1 + tap_random() % 20000);
        killed += WIFSIGNALED(status);
    }
    tap_diag("killed %u times of 100", killed);
    status = run_owner(&d, 4005, false, 0);
    eq_int(status, 0, "killed at any moment, the last one comes to the end");
    ok(complete(&d, 4005), "every line is there once");
    log_dir_fini(&d);
}

/* After a power cut nothing is known, but with no rings to be replayed. */
static void another_boot(void)
{
    unsigned faults = 0;

    for (crash_at = 1; crash_at < 60; crash_at += 7) {
        unsigned at = crash_at, lines;
        log_dir d;

        begin(&d, UC_LOG_ZSTD);
        run_owner(&d, 60, false, 0);
        lines = atomic_load(&shared->current) == 0
                    ? 0
                    : shared->slot[atomic_load(&shared->current) - 1].lines;
        /* The lines of an append that was not published stay: nobody is there
         * who would repeat them. */
        if (!log_holds(&d, 1, lines) && log_holds(&d, 1, lines + 5))
            lines += 5;
        shared->slot[0].lines = shared->slot[1].lines = lines;
        crash_at = 0;
        run_owner(&d, lines + 40, true, 0);
        faults += !complete(&d, lines + 40);
        crash_at = at;
        log_dir_fini(&d);
    }
    crash_at = 0;
    eq_int(faults, 0, "another boot: the newest file is continued");
}

/* -- no room --------------------------------------------------------------- */

static void too_large(void)
{
    struct rlimit old, limit;
    bool first, second;
    uc_error e, again;
    uc_logfile *f;
    uc_logmark mark;
    int64_t size;
    log_dir d;

    log_dir_init(&d);
    /* Without a point in between: it holds for stdout as well. */
    signal(SIGXFSZ, SIG_IGN);
    f = uc_logfile_open(&d.o, NULL, &e);
    log_append(f, 1, 10);
    getrlimit(RLIMIT_FSIZE, &old);
    limit = old;
    limit.rlim_cur = 14 * 10 + 33;
    setrlimit(RLIMIT_FSIZE, &limit);
    first = log_try_append(f, 11, 100, &e);
    size = log_size(&d, "app-2026-01-01.1.log");
    uc_logfile_mark(f, &mark);
    second = log_try_append(f, 11, 2, &again);
    setrlimit(RLIMIT_FSIZE, &old);
    ok(!first, "an append that does not fit fails");
    eq_str(e.code, "UC_LOG_IO", "with a code");
    ok(e.native == EFBIG && strstr(e.message, "app-2026-01-01.1.log") != NULL,
       "and a reason");
    eq_int(size, 140, "it leaves nothing");
    eq_int(mark.offset, 140, "nor does the mark move");
    ok(second, "a smaller one fits");
    log_append(f, 13, 100);
    ok(log_holds(&d, 1, 112), "every line is there once");
    uc_logfile_close(f);
    log_dir_fini(&d);
}

/* A directory of 256 KiB, for this process alone. */
static bool small_disk(const char *path)
{
    if (unshare(CLONE_NEWNS) != 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        return false;
    return mount("none", path, "tmpfs", 0, "size=262144") == 0;
}

/* Takes all the room there is. */
static void fill(const log_dir *d)
{
    char bytes[4096] = {0};
    int fd = open(log_path(d, "filler"), O_WRONLY | O_CREAT | O_APPEND, 0600);

    while (write(fd, bytes, sizeof bytes) > 0)
        ;
    close(fd);
}

static void full(void)
{
    unsigned line = 1000, failures = 0;
    uc_logfile *f;
    uc_archive *a;
    uc_logmark mark;
    char text[200];
    uc_error e;
    log_dir d;

    log_dir_init(&d);
    if (!small_disk(d.path)) {
        tap_skip("a full disk", strerror(errno));
        log_dir_fini(&d);
        return;
    }
    f = uc_logfile_open(&d.o, NULL, &e);
    log_append(f, 1, line);
    fill(&d);
    while (log_try_append(f, line + 1, 50, &e))
        line += 50;
    eq_int(e.native, ENOSPC, "the disk is full amid an append");
    for (int i = 0; i < 20; i++)
        failures += !log_try_append(f, line + 1, 500, &e);
    eq_int(failures, 20, "it stays full");
    ok(log_holds(&d, 1, line), "no line is there in part");
    unlink(log_path(&d, "filler"));
    ok(log_try_append(f, line + 1, 500, &e), "there is room again");
    line += 500;

    uc_logfile_rotate(f);
    ok(uc_logfile_turn(f, 1, &e), "rotated");
    a = uc_archive_start(&d.o, &e);
    fill(&d);
    uc_logfile_mark(f, &mark);
    uc_archive_poke(a, &mark);
    ok(uc_archive_wait(a, uc_now() + LIMIT), "no room for the archive");
    uc_archive_error(a, text, sizeof text);
    ok(strstr(text, "No space left") != NULL, "it is said");
    eq_int(log_count(&d, ".part") + log_count(&d, ".gz"), 0, "none is begun");
    ok(log_holds(&d, 1, line), "the file is there");
    ok(uc_logfile_turn(f, 1, &e), "nothing keeps the next append from trying");
    unlink(log_path(&d, "filler"));
    uc_archive_poke(a, &mark);
    ok(uc_archive_wait(a, uc_now() + LIMIT), "there is room again");
    uc_archive_error(a, text, sizeof text);
    eq_str(text, "", "nothing is wrong any more");
    eq_int(log_count(&d, ".log.gz"), 1, "it is archived");
    log_append(f, line + 1, 1);
    ok(log_holds(&d, 1, line + 1), "every line is there once");
    uc_archive_stop(a);
    uc_logfile_close(f);
    umount(d.path);
    log_dir_fini(&d);
}

int main(void)
{
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    tap_seed((uint64_t)uc_now());
    every_step(UC_LOG_GZIP, "gzip: every line is there once, nothing else");
    every_step(UC_LOG_ZSTD, "zstd: every line is there once, nothing else");
    twice();
    kills();
    another_boot();
    too_large();
    full();
    return tap_end();
}

/* The files of the log: names, appends, rotation, what a crash leaves. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/mem.h"
#include "log/file.h"
#include "log/names.h"
#include "log_dir.h"
#include "tap.h"

static void names(void)
{
    static const char *const good[] = {
        "app-1970-01-01.1.log",           "app-2026-11-23.1.log",
        "app-2024-02-29.999999999.log",   "app-2026-11-23.12.log.gz",
        "app-2026-11-23.12.log.zst",      "app-2026-11-23.12.log.gz.part",
        "app-2026-11-23.12.log.zst.part", "app-9999-12-31.7.log",
    };
    static const char *const bad[] = {
        "app",
        "app-",
        "app-2026-11-23",
        "app-2026-11-23.log",
        "app-2026-11-23.0.log",
        "app-2026-11-23.01.log",
        "app-2026-11-23.1000000000.log",
        "app-2026-02-29.1.log",
        "app-2026-13-01.1.log",
        "app-2026-00-01.1.log",
        "app-2026-01-00.1.log",
        "app-1969-12-31.1.log",
        "app-2026-1-1.1.log",
        "app-2026-11-23.1.log.part",
        "app-2026-11-23.1.log.bz2",
        "app-2026-11-23.1.log.gz.part.part",
        "app-2026-11-23.1.logs",
        "app-2026-11-23.-1.log",
        "app-x-2026-11-23.1.log",
        "apps-2026-11-23.1.log",
        "ap-2026-11-23.1.log",
        "",
    };
    char again[UC_LOGNAME_MAX];
    uc_logname n, m;
    unsigned faults = 0;

    for (unsigned i = 0; i < sizeof good / sizeof *good; i++) {
        again[0] = '\0';
        if (uc__logname_read(&n, "app", good[i]))
            uc__logname_write(&n, "app", again);
        faults += strcmp(again, good[i]) != 0;
    }
    eq_int(faults, 0, "names are read and written alike");
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
        if (uc__logname_read(&n, "app", bad[i])) {
            tap_diag("taken for ours: %s", bad[i]);
            faults++;
        }
    eq_int(faults, 0, "others are not ours");
    uc__logname_read(&n, "app", good[1]);
    eq_int(n.day, 20780, "the day is UTC's, since 1970");
    faults = 0;
    for (uint32_t day = 0; day <= UC_LOGDAY_MAX; day += 61) {
        n = (uc_logname){.day = day, .number = day % 1000 + 1};
        uc__logname_write(&n, "a-1", again);
        faults += !uc__logname_read(&m, "a-1", again) || m.day != day ||
                  m.number != n.number;
    }
    eq_int(faults, 0, "every day to the year 9999");
    eq_int(uc__log_day(-5), 0, "a clock before 1970");
    eq_int(uc__log_day(INT64_MAX), UC_LOGDAY_MAX, "and one beyond");
}

static void grows(void)
{
    log_dir d;
    uc_logfile *f;
    uc_logmark mark;
    uc_error e;
    struct stat st;

    log_dir_init(&d);
    umask(022);
    f = uc_logfile_open(&d.o, NULL, &e);
    if (!ok(f != NULL, "opened"))
        return;
    ok(lstat(log_path(&d, "app-2026-01-01.1.log"), &st) == 0 &&
           (st.st_mode & 07777) == 0640,
       "a file of that day, for its group to read");
    eq_str(log_link(&d), "app-2026-01-01.1.log", "current leads to it");
    ok(uc_logfile_turn(f, 100, &e), "nothing to turn");
    log_append(f, 1, 3);
    uc_logfile_mark(f, &mark);
    eq_int(mark.offset, log_size(&d, "app-2026-01-01.1.log"), "the mark");
    ok(uc_logfile_sync(f, &e), "synced");

    uc_logfile_rotate(f);
    ok(uc_logfile_turn(f, 100, &e), "turned when asked");
    eq_str(log_link(&d), "app-2026-01-01.2.log", "to the next number");
    uc_logfile_mark(f, &mark);
    ok(mark.number == 2 && mark.offset == 0, "as the mark says");
    uc_logfile_rotate(f);
    ok(uc_logfile_turn(f, 100, &e), "asked while it is empty");
    eq_str(log_link(&d), "app-2026-01-01.2.log", "it stays");
    log_append(f, 4, 3);
    d.o.rotate_bytes = 100;
    ok(uc_logfile_turn(f, 10, &e), "small enough");
    eq_str(log_link(&d), "app-2026-01-01.2.log", "stays");
    ok(uc_logfile_turn(f, 100, &e), "too large with what comes");
    eq_str(log_link(&d), "app-2026-01-01.3.log", "does not");
    log_append(f, 7, 50);
    ok(uc_logfile_turn(f, 1, &e), "one append may be larger than a file");
    eq_str(log_link(&d), "app-2026-01-01.4.log", "the next is another");
    log_append(f, 57, 1);

    d.now += UC_LOGDAY_MS;
    d.o.rotate_bytes = 0;
    ok(uc_logfile_turn(f, 1, &e), "the next day");
    eq_str(log_link(&d), "app-2026-01-02.1.log", "begins with 1");
    log_append(f, 58, 1);
    d.now -= UC_LOGDAY_MS;
    ok(uc_logfile_turn(f, 1, &e), "the clock is set back");
    eq_str(log_link(&d), "app-2026-01-02.2.log", "the order stays");
    log_append(f, 59, 1);
    d.now += 30 * UC_LOGDAY_MS;
    d.o.daily = false;
    ok(uc_logfile_turn(f, 1, &e), "not by day");
    eq_str(log_link(&d), "app-2026-01-02.2.log", "the file stays");
    eq_int(uc_logfile_count(f), 6, "files were begun");
    uc_logfile_close(f);
    ok(log_holds(&d, 1, 59), "every line is there once, in order");
    log_dir_fini(&d);
}

static void taken_up(void)
{
    log_dir d;
    uc_logfile *f;
    uc_logmark mark, now;
    uc_error e;

    log_dir_init(&d);
    f = uc_logfile_open(&d.o, NULL, &e);
    log_append(f, 1, 5);
    uc_logfile_mark(f, &mark);
    log_append(f, 6, 5);
    uc_logfile_close(f);
    f = uc_logfile_open(&d.o, &mark, &e);
    ok(f != NULL, "opened again");
    uc_logfile_mark(f, &now);
    eq_int(now.offset, mark.offset, "cut to what was published");
    log_append(f, 6, 1);
    uc_logfile_close(f);
    ok(log_holds(&d, 1, 6), "and continued");

    log_write(&d, "app-2026-01-01.1.log", "half a line");
    f = uc_logfile_open(&d.o, NULL, &e);
    log_append(f, 7, 1);
    uc_logfile_close(f);
    ok(log_holds(&d, 1, 7), "of another boot: a torn line is cut off");
    for (int i = 0; i < 20000; i++)
        log_write_bytes(&d, "app-2026-01-01.1.log", "\0\0\0", 3);
    f = uc_logfile_open(&d.o, NULL, &e);
    log_append(f, 8, 1);
    uc_logfile_mark(f, &mark);
    uc_logfile_close(f);
    ok(log_holds(&d, 1, 8), "and what a power cut has not written");

    ok(truncate(log_path(&d, "app-2026-01-01.1.log"), 20) == 0, "truncated");
    f = uc_logfile_open(&d.o, &mark, &e);
    uc_logfile_mark(f, &now);
    ok(now.offset <= 20, "less than was published: whole lines stay");
    uc_logfile_close(f);

    unlink(log_path(&d, "app-2026-01-01.1.log"));
    f = uc_logfile_open(&d.o, &mark, &e);
    eq_str(log_link(&d), "app-2026-01-01.2.log",
           "a published file that has gone: the next");
    uc_logfile_close(f);
    log_write(&d, "app-2026-01-05.3.log.gz", "archive");
    d.now += 2 * UC_LOGDAY_MS;
    f = uc_logfile_open(&d.o, NULL, &e);
    eq_str(log_link(&d), "app-2026-01-05.4.log",
           "behind the newest archive, though it is of a later day");
    uc_logfile_close(f);
    log_dir_fini(&d);
}

/* What somebody else may do to the file while it is open. */
static void meddled(void)
{
    log_dir d;
    uc_logfile *f;
    uc_logmark mark;
    uc_error e;
    int64_t now, next;
    char aside[300];

    log_dir_init(&d);
    f = uc_logfile_open(&d.o, NULL, &e);
    log_append(f, 1, 2);
    snprintf(aside, sizeof aside, "%s", log_path(&d, "app-2026-01-01.9.log"));
    rename(log_path(&d, "app-2026-01-01.1.log"), aside);
    ok(uc_logfile_turn(f, 1, &e), "moved, which nobody has seen yet");
    log_append(f, 3, 1);
    now = uc_now();
    ok(uc_logfile_tick(f, now, &next, &e), "looked");
    ok(next > now && next < now + 2000 * UC_MS, "again in a second");
    ok(uc_logfile_turn(f, 1, &e), "turned");
    eq_str(log_link(&d), "app-2026-01-01.10.log", "to another one");
    log_append(f, 4, 1);
    ok(log_holds(&d, 1, 4), "nothing is lost");

    unlink(log_path(&d, "app-2026-01-01.10.log"));
    ok(uc_logfile_turn(f, 1, &e), "removed: seen at once");
    eq_str(log_link(&d), "app-2026-01-01.11.log", "and the next is made");
    rename(log_path(&d, "app-2026-01-01.11.log"),
           log_path(&d, "app-2026-01-01.8.log"));
    log_write(&d, "app-2026-01-01.11.log", "");
    uc_logfile_reopen(f);
    log_append(f, 4, 1);
    ok(uc_logfile_turn(f, 1, &e), "moved, and another made, as logrotate does");
    uc_logfile_mark(f, &mark);
    ok(mark.number == 11 && mark.offset == 0, "that one is taken");
    log_append(f, 5, 1);
    eq_int(log_size(&d, "app-2026-01-01.11.log"), 14, "and written to");
    uc_logfile_reopen(f);
    ok(uc_logfile_turn(f, 1, &e), "reopened where nothing was moved");
    uc_logfile_mark(f, &mark);
    eq_int(mark.offset, 14, "nothing changes");
    ok(truncate(log_path(&d, "app-2026-01-01.11.log"), 0) == 0, "truncated");
    ok(uc_logfile_turn(f, 1, &e), "turned");
    uc_logfile_mark(f, &mark);
    eq_int(mark.offset, 0, "the mark follows");
    log_append(f, 5, 1);
    eq_int(log_size(&d, "app-2026-01-01.11.log"), 14, "no hole");

    unlink(log_path(&d, "current"));
    log_write(&d, "current", "mine");
    uc_logfile_rotate(f);
    ok(uc_logfile_turn(f, 1, &e), "something else is called current");
    eq_int(log_size(&d, "current"), 4, "it is left alone");
    uc_logfile_close(f);
    log_dir_fini(&d);
}

/* What cannot be had: said, and nothing is changed. */
static void refused(void)
{
    struct rlimit old, none;
    uc_logfile *f;
    uc_error e;
    log_dir d;
    char under[300];
    bool turned;

    log_dir_init(&d);
    log_write(&d, "file", "x");
    snprintf(under, sizeof under, "%s/file", d.path);
    d.o.dir = under;
    ok(uc_logfile_open(&d.o, NULL, &e) == NULL, "a file for a directory");
    ok(strcmp(e.code, "UC_LOG_IO") == 0 && e.native == ENOTDIR &&
           strstr(e.message, under) != NULL,
       "the error names it");
    snprintf(under, sizeof under, "%s/none/none", d.path);
    ok(uc_logfile_open(&d.o, NULL, &e) == NULL && e.native == ENOENT,
       "a directory in none");

    d.o.dir = d.path;
    f = uc_logfile_open(&d.o, NULL, &e);
    log_append(f, 1, 5);
    uc_logfile_rotate(f);
    getrlimit(RLIMIT_NOFILE, &old);
    none = old;
    none.rlim_cur = 0;
    setrlimit(RLIMIT_NOFILE, &none);
    turned = uc_logfile_turn(f, 1, &e);
    setrlimit(RLIMIT_NOFILE, &old);
    ok(!turned && e.native == EMFILE, "no file can be opened");
    eq_str(log_link(&d), "app-2026-01-01.1.log", "the open one stays");
    log_append(f, 6, 1);
    ok(uc_logfile_turn(f, 1, &e), "the next turn does what was asked");
    eq_str(log_link(&d), "app-2026-01-01.2.log", "to the next number");
    log_append(f, 7, 1);
    uc_logfile_close(f);
    ok(log_holds(&d, 1, 7), "every line is there");
    log_dir_fini(&d);
}

int main(void)
{
    names();
    grows();
    taken_up();
    meddled();
    refused();
    return tap_end();
}

/* The log when the disk does not take what was written: whoever has asked for a
 * sync is told, once. */
#define _GNU_SOURCE
#include "log/log.h"

#include "common/clock.h"
#include "log_lines.h"
#include "tap.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Shared with a child: syncs that will fail, and whether it is the owner. */
static struct {
    _Atomic int failing;
    _Atomic bool owner, over;
} * all;

static char base[64];

/* In libc's place. */
int fdatasync(int fd)
{
    int n = atomic_load(&all->failing);

    while (n > 0 && !atomic_compare_exchange_weak(&all->failing, &n, n - 1))
        ;
    if (n == 0)
        return (int)syscall(SYS_fdatasync, fd);
    errno = EIO;
    return -1;
}

static uc_log *must_open(const char *dir, int64_t sync_ms)
{
    uc_log_options o;
    uc_error e;
    uc_log *l;

    uc_log_options_init(&o);
    o.dir = dir;
    o.compress = UC_LOG_PLAIN;
    o.sync_ms = sync_ms;
    l = uc_log_open(&o, &e);
    if (l == NULL)
        tap_diag("open: %s", e.message);
    return l;
}

static bool is_refused(uc_log *l, const char *why)
{
    uc_error e;

    if (uc_log_flush(l, 20000, true, &e))
        return false;
    tap_diag("%s: %s", e.code, e.message);
    return strcmp(e.code, "UC_LOG_IO") == 0 && strstr(e.message, why) != NULL;
}

static bool flushes(uc_log *l)
{
    uc_error e;

    if (uc_log_flush(l, 20000, true, &e))
        return true;
    tap_diag("%s: %s", e.code, e.message);
    return false;
}

static unsigned times(const char *dir, const char *what)
{
    char *text = lines_text(dir);
    unsigned n = 0;

    for (const char *p = text; (p = strstr(p, what)) != NULL; p++)
        n++;
    free(text);
    return n;
}

static void asked_for(void)
{
    char *dir = lines_dir(base, "asked");
    uc_log *l = must_open(dir, 0);
    uc_log_stats s;

    put(l, "a", 0);
    ok(flushes(l), "on the disk");
    put(l, "a", 1);
    atomic_store(&all->failing, 1);
    ok(is_refused(l, "Input/output error"), "a sync that fails is no success");
    uc_log_stats_get(l, &s);
    ok(strstr(s.error, "Input/output error") != NULL, "stats has the reason");
    ok(flushes(l), "the next one is");
    put(l, "a", 2);
    ok(flushes(l), "and so is the one behind it");
    ok(all_there(dir, "a", 3), "every line is there");
    atomic_store(&all->failing, 1);
    ok(is_refused(l, "Input/output error"), "another failure is another");
    uc_log_unref(l);
    eq_int(times(dir, "could not be synced: Input/output error"), 1,
           "it is a line, but not each time");
    lines_free(dir);
}

static void by_itself(void)
{
    char *dir = lines_dir(base, "itself");
    uc_log *l;

    atomic_store(&all->failing, 1);
    l = must_open(dir, 10);
    put(l, "b", 0);
    for (int i = 0; i < 5000 && atomic_load(&all->failing) > 0; i++)
        usleep(1000);
    eq_int(atomic_load(&all->failing), 0, "a sync that nobody waits for fails");
    put(l, "b", 1);
    ok(is_refused(l, "Input/output error"), "who asks next is told");
    ok(flushes(l), "once");
    uc_log_unref(l);
    lines_free(dir);
}

static void on_flushed(void *arg, bool done)
{
    atomic_store((_Atomic int *)arg, done ? 1 : 2);
}

static int await(_Atomic int *called)
{
    for (int i = 0; i < 20000 && atomic_load(called) == 0; i++)
        usleep(1000);
    return atomic_load(called);
}

static void called_back(void)
{
    _Atomic int called[4] = {0};
    char *dir = lines_dir(base, "called");
    uc_log *l = must_open(dir, 0);
    int64_t until = uc_now() + 20000 * UC_MS;

    put(l, "c", 0);
    atomic_store(&all->failing, 1);
    uc_log_on_flushed(l, true, on_flushed, &called[0], until);
    eq_int(await(&called[0]), 2, "who is called back hears of it");
    uc_log_on_flushed(l, true, on_flushed, &called[1], until);
    uc_log_on_flushed(l, false, on_flushed, &called[2], until);
    eq_int(await(&called[1]), 1, "the next one hears of a success");
    eq_int(await(&called[2]), 1, "who waits for no sync always does");
    uc_log_unref(l);
    lines_free(dir);
}

__attribute__((noreturn)) static void own(const char *dir)
{
    uc_log *l = must_open(dir, 0);
    uc_log_stats s;

    uc_log_stats_get(l, &s);
    atomic_store(&all->owner, s.owner);
    while (!atomic_load(&all->over))
        usleep(1000);
    uc_log_unref(l);
    _exit(0);
}

/* The owner is another process. */
static void elsewhere(void)
{
    char *dir = lines_dir(base, "elsewhere");
    pid_t pid = fork();
    uc_log_stats s;
    uc_log *l;

    if (pid == 0)
        own(dir);
    while (!atomic_load(&all->owner))
        usleep(1000);
    l = must_open(dir, 0);
    put(l, "d", 0);
    ok(flushes(l), "another process syncs");
    put(l, "d", 1);
    atomic_store(&all->failing, 1);
    ok(is_refused(l, "Input/output error"), "its failure is told here");
    uc_log_stats_get(l, &s);
    ok(!s.owner && strstr(s.error, "Input/output error") != NULL,
       "with the reason");
    ok(flushes(l), "once");
    atomic_store(&all->over, true);
    waitpid(pid, NULL, 0);
    uc_log_unref(l);
    lines_free(dir);
}

int main(void)
{
    snprintf(base, sizeof base, "/tmp/uc-log-sync-XXXXXX");
    all = mmap(NULL, sizeof *all, PROT_READ | PROT_WRITE,
               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED || mkdtemp(base) == NULL)
        return 1;
    elsewhere();
    asked_for();
    by_itself();
    called_back();
    lines_free(strdup(base));
    return tap_end();
}

/* Who shares the directory of a log: another user, another name, processes that
 * come and go together, and what somebody does to the files they share. */
#define _GNU_SOURCE
#include "log/log.h"

#include "log_child.h"
#include "tap.h"

#include <errno.h>

/* --- another user --------------------------------------------------------- */

#define NOBODY 65534

/* As another user opens the log, puts 20 lines, of which the first has that
 * number, and flushes them; then the process is killed. 0: all went well. */
static int run_as_nobody(const char *dir, uint64_t first, bool may_write)
{
    uc_log_options o = options(dir);
    int status = 0;
    pid_t pid = fork();
    uc_error e;
    uc_log *l;

    if (pid == 0) {
        if (setgid(NOBODY) != 0 || setuid(NOBODY) != 0)
            _exit(2);
        o.step = may_write ? NULL : stand;
        l = must_open(&o);
        for (uint64_t i = 0; i < 20; i++)
            put(l, "n", first + i);
        if (may_write && !uc_log_flush(l, 20000, true, &e))
            _exit(3);
        raise(SIGKILL);
    }
    waitpid(pid, &status, 0);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? 0 : status;
}

static bool is_nobodys(const char *dir, const char *file)
{
    char path[512];
    struct stat st;

    snprintf(path, sizeof path, "%s/%s", dir, file);
    return stat(path, &st) == 0 && st.st_uid == NOBODY && st.st_gid == NOBODY;
}

/* A service and root, who reads its log. */
static void users(void)
{
    char *dir = lines_dir(base, "users"), path[512];
    uc_log_options o = options(dir);
    char target[256] = "";
    uc_error e;
    pid_t pid;

    if (geteuid() != 0) {
        tap_skip("a log of another user", "only root can become one");
        free(dir);
        return;
    }
    snprintf(path, sizeof path, "%s/current", dir);
    if (chmod(base, 0711) != 0 || mkdir(dir, 0750) != 0 ||
        chown(dir, NOBODY, NOBODY) != 0)
        tap_diag("%s", strerror(errno));
    eq_int(run_as_nobody(dir, 0, true), 0, "a service of another user");
    eq_int(run_as_nobody(dir, 20, false), 0, "is killed before it writes");
    /* Moved away, and what takes its place is of root's making. */
    if (readlink(path, target, sizeof target - 1) > 0)
        snprintf(path, sizeof path, "%s/%s", dir, target);
    eq_int(unlink(path), 0, "the file is moved away");
    ok(uc_log_recover(&o, &e), "root writes what was left");
    snprintf(path, sizeof path, "%s/current", dir);
    memset(target, 0, sizeof target);
    ok(readlink(path, target, sizeof target - 1) > 0 && is_nobodys(dir, target),
       "into a file of the directory's user");
    eq_int(run_as_nobody(dir, 40, true), 0, "in which the service goes on");

    snprintf(path, sizeof path, "%s/%s", dir, target);
    ok(chown(path, 0, 0) == 0 && chmod(path, 0600) == 0,
       "a file that the service may not open");
    eq_int(run_as_nobody(dir, 60, true), 0, "another one is begun");
    lines_free(dir);

    dir = lines_dir(base, "owned");
    o.dir = dir;
    if (mkdir(dir, 0750) != 0 || chown(dir, NOBODY, NOBODY) != 0)
        tap_diag("%s", strerror(errno));
    gather(dir);
    ok(is_nobodys(dir, ".rings") && is_nobodys(dir, ".rings/lock") &&
           is_nobodys(dir, ".rings/control"),
       "where root was first all belongs to the directory's user");
    pid = start_full(dir);
    end(pid);
    eq_int(run_as_nobody(dir, 0, true), 0, "who comes after it");
    ok(all_there(dir, "left", 300), "and writes what root has left");
    lines_free(dir);
}

/* --- two names ------------------------------------------------------------ */

/* NULL: *e. */
static uc_log *open_as(const char *dir, const char *name, uc_error *e)
{
    uc_log_options o = options(dir);

    o.name = name;
    return uc_log_open(&o, e);
}

static bool is_refused(const char *dir, const char *name, const char *there)
{
    char want[64];
    uc_error e;
    uc_log *l = open_as(dir, name, &e);

    if (l != NULL) {
        uc_log_unref(l);
        return false;
    }
    snprintf(want, sizeof want, "with the name \"%s\"", there);
    return strcmp(e.code, "UC_OPTIONS_CONFLICT") == 0 &&
           strstr(e.message, name) != NULL && strstr(e.message, want) != NULL &&
           strstr(e.message, "a directory for each") != NULL;
}

static void two_names(void)
{
    char *dir = lines_dir(base, "names");
    uc_log_options o;
    int status = 1;
    uc_log *l, *other;
    uc_error e;
    pid_t pid;

    forget();
    pid = fork();
    if (pid == 0) {
        l = open_as(dir, "web", &e);
        put(l, "n", 0);
        all->child[0].owner = 1;
        for (;;)
            pause();
    }
    while (all->child[0].owner == 0)
        sched_yield();
    ok(is_refused(dir, "worker", "web"), "another name beside the owner's");
    l = open_as(dir, "web", &e);
    ok(l != NULL, "the same one is fine");
    ok(is_refused(dir, "worker", "web"), "another in the same process");
    end(pid);
    pid = fork();
    if (pid == 0)
        _exit(is_refused(dir, "worker", "web") ? 0 : 1);
    waitpid(pid, &status, 0);
    eq_int(status, 0, "who is left keeps the name");
    uc_log_unref(l);

    /* What is left is the last name's, whatever the reader thinks. */
    pid = fork();
    if (pid == 0) {
        o = options(dir);
        o.name = "web";
        o.step = stand;
        l = must_open(&o);
        put(l, "n", 1);
        raise(SIGKILL);
    }
    waitpid(pid, NULL, 0);
    o = options(dir);
    ok(uc_log_recover(&o, &e) && all_there(dir, "n", 2), "a recovery");
    eq_int(count_logs(dir), 1, "writes into the files that are there");
    other = open_as(dir, "worker", &e);
    ok(other != NULL, "nobody has it open: another name is fine");
    uc_log_unref(other);
    lines_free(dir);
}

/* Of those that have it open at the same time all have the same name. */
static void names_at_once(void)
{
    static const char *const names[] = {"even", "odd"};
    char *dir = lines_dir(base, "at-once");
    uint64_t opened[2] = {0};
    bool right = true;
    pid_t pid[6];

    forget();
    for (int i = 0; i < 6; i++) {
        pid[i] = fork();
        if (pid[i] != 0)
            continue;
        for (int round = 0; round < 30; round++) {
            uc_error e;
            uc_log *l = open_as(dir, names[i % 2], &e);

            if (l == NULL) {
                if (strcmp(e.code, "UC_OPTIONS_CONFLICT") != 0)
                    _exit(1);
                usleep(500);
                continue;
            }
            all->child[i % 2].owner++;
            all->child[i % 2].taken++;
            if (all->child[1 - i % 2].owner != 0)
                _exit(2);
            usleep((unsigned)(tap_random() % 2000));
            all->child[i % 2].owner--;
            uc_log_unref(l);
        }
        _exit(0);
    }
    for (int i = 0; i < 6; i++) {
        int status;

        waitpid(pid[i], &status, 0);
        if (status != 0)
            tap_diag("%x", status);
        right = right && status == 0;
        opened[i % 2] = all->child[i % 2].taken;
    }
    tap_diag("opened %" PRIu64 " and %" PRIu64 " times", opened[0], opened[1]);
    ok(right, "two names are never open at once");
    ok(opened[0] > 0 && opened[1] > 0, "one after the other they are");
    lines_free(dir);
}

/* More of them than one publication tells of. */
static void many_rings(void)
{
    char *dir = lines_dir(base, "many"), who[16];
    uc_log_options o = options(dir);
    bool right = true;
    pid_t owner;

    owner = start_full(dir);
    for (int i = 0; i < 150; i++) {
        pid_t pid = fork();

        snprintf(who, sizeof who, "m%d", i);
        if (pid == 0) {
            uc_log *l = must_open(&o);

            for (uint64_t j = 0; j < 5; j++)
                put(l, who, j);
            kill(getpid(), SIGKILL);
        }
        waitpid(pid, NULL, 0);
    }
    end(owner);
    eq_int(lines_rings(dir), 151, "many processes have died");
    gather(dir);
    for (int i = 0; i < 150; i++) {
        snprintf(who, sizeof who, "m%d", i);
        right = all_there(dir, who, 5) && right;
    }
    ok(right && all_there(dir, "left", 300), "all that they left is written");
    eq_int(lines_rings(dir), 0, "and all rings are gone");
    lines_free(dir);
}

/* The owner goes on writing, and a line may be caught half-way. What is lost,
 * or there twice, is so each time. */
static bool there_meanwhile(const char *dir, const char *who, uint64_t n)
{
    for (int i = 0; i < 100; i++) {
        if (all_there(dir, who, n))
            return true;
        sched_yield();
    }
    return false;
}

/* The lines of one are the other's to write. */
static void flush_elsewhere(void)
{
    char *dir = lines_dir(base, "elsewhere");
    uc_log_options o = options(dir);
    uc_log_stats s;
    uc_error e;
    pid_t owner;
    uc_log *l;

    forget();
    owner = start_writer(dir, 0);
    await_lines(0, 1);
    l = must_open(&o);
    for (uint64_t i = 0; i < 500; i++)
        put(l, "x", i);
    ok(uc_log_flush(l, 20000, false, &e) && there_meanwhile(dir, "x", 500),
       "flushed into the file by the owner");
    put(l, "y", 0);
    ok(uc_log_flush(l, 20000, true, &e) && there_meanwhile(dir, "y", 1),
       "and onto the disk");
    uc_log_stats_get(l, &s);
    ok(!s.owner, "which is another process");
    end(owner);
    put(l, "z", 0);
    ok(uc_log_flush(l, 20000, true, &e) && all_there(dir, "z", 1),
       "until that is dead");
    uc_log_unref(l);
    lines_free(dir);
}

/* Of processes that end at the same time the last one writes what is left. */
static void end_together(void)
{
    char *dir = lines_dir(base, "together"), who[32];
    uc_log_options o = options(dir);
    bool right = true;
    pid_t pid[4];

    for (int round = 0; round < 10; round++) {
        forget();
        for (int i = 0; i < 4; i++) {
            pid[i] = fork();
            if (pid[i] == 0) {
                uc_log *l = must_open(&o);

                snprintf(who, sizeof who, "e%d-%d", round, i);
                for (uint64_t j = 0; j < 200; j++)
                    put(l, who, j);
                uc_log_unref(l);
                _exit(0);
            }
        }
        for (int i = 0; i < 4; i++)
            waitpid(pid[i], NULL, 0);
        for (int i = 0; i < 4; i++) {
            snprintf(who, sizeof who, "e%d-%d", round, i);
            right = all_there(dir, who, 200) && right;
        }
    }
    ok(right, "processes that end together leave no line behind");
    eq_int(lines_rings(dir), 0, "nor a ring");
    lines_free(dir);
}

/* A ring's file that somebody truncates is its process's trouble alone. */
static void truncated(off_t size)
{
    char *dir = lines_dir(base, "truncated"), path[128];
    uc_log_options o = options(dir);
    pid_t owner, other;

    snprintf(path, sizeof path, "%s/.rings/cut.0.ring", dir);
    o.ring = "cut";
    forget();
    owner = start_writer(dir, 0);
    await_lines(0, MOST);
    other = fork();
    if (other == 0) {
        uc_log *l = must_open(&o);
        uc_error e;

        put(l, "cut", 0);
        uc_log_flush(l, 20000, false, &e);
        kill(getpid(), SIGKILL);
    }
    waitpid(other, NULL, 0);
    ok(truncate(path, size) == 0, "an empty ring is truncated");
    /* Its looks at what is idle are a second apart. */
    usleep(2200000);
    ok(waitpid(owner, NULL, WNOHANG) == 0, "the owner goes on");
    end(owner);
    gather(dir);
    ok(is_right(dir, "c0", 0), "and nothing of its own is lost");
    lines_free(dir);
}

/* Anything in the page that the processes share. */
static void control(void)
{
    char *dir = lines_dir(base, "control"), path[128];
    bool right = true;

    snprintf(path, sizeof path, "%s/.rings/control", dir);
    for (int i = 0; i < 60; i++) {
        uint64_t n, more, bad;
        char *text;
        pid_t pid;
        int fd;

        forget();
        pid = start_writer(dir, 0);
        await_lines(0, 500);
        end(pid);
        fd = open(path, O_WRONLY);
        for (int j = 0; j < 8; j++) {
            uint64_t bytes = tap_random();

            right = right && pwrite(fd, &bytes, 8, tap_random() % 4089) == 8;
        }
        close(fd);
        gather(dir);
        text = lines_text(dir);
        n = all->child[0].taken;
        right = right && count(text, "c0", n, &more, &bad) == n;
        free(text);
        lines_free(strdup(dir));
    }
    ok(right, "any bytes in the page of control: nothing is lost");
    lines_free(dir);
}

int main(void)
{
    tap_seed(20261124);
    if (!children("shared"))
        return 1;
    users();
    two_names();
    names_at_once();
    many_rings();
    flush_elsewhere();
    end_together();
    truncated(0);
    truncated(100 << 10);
    control();
    lines_free(strdup(base));
    return tap_end();
}

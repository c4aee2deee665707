/* The log when processes are killed: what a call has taken is in the files,
 * once. */
#define _GNU_SOURCE
#include "log/log.h"

#include "common/clock.h"
#include "log/ring.h"
#include "log_lines.h"
#include "tap.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define CHILDREN 64
#define MOST 6000 /* lines of one of them */

/* What is known of a child when it is dead. */
typedef struct shared {
    _Atomic uint64_t steps;
    struct {
        _Atomic uint64_t taken; /* lines of calls that have returned */
        _Atomic int owner;      /* 1: yes, 2: no */
    } child[CHILDREN];
} shared;

static char base[64];
static shared *all;

static uc_log_options options(const char *dir)
{
    uc_log_options o;

    uc_log_options_init(&o);
    o.dir = dir;
    o.compress = UC_LOG_PLAIN;
    o.ring_bytes = 64 << 10;
    o.rotate_bytes = 20000;
    /* However long the next owner takes on a busy machine. */
    o.block_ms = 60000;
    return o;
}

static uc_log *must_open(const uc_log_options *o)
{
    uc_error e;
    uc_log *l = uc_log_open(o, &e);

    if (l == NULL) {
        fprintf(stderr, "open: %s\n", e.message);
        _exit(1);
    }
    return l;
}

static void forget(void)
{
    memset(all, 0, sizeof *all);
}

/* What is left of the dead is written when somebody opens the log. */
static void gather(const char *dir)
{
    uc_log_options o = options(dir);
    uc_log *l = must_open(&o);
    uc_error e;

    uc_log_flush(l, 20000, false, &e);
    uc_log_unref(l);
}

/* Of a child that was killed: all that it was told is there, once, and at most
 * the line that it was about to be told of. */
static bool is_right_in(const char *text, const char *who, int child)
{
    uint64_t n = all->child[child].taken, more, bad;
    uint64_t found = count(text, who, n, &more, &bad);

    if (found == n && more <= 1 && bad == 0)
        return true;
    tap_diag("%s: %" PRIu64 " of %" PRIu64 ", %" PRIu64 " more, %" PRIu64
             " bad",
             who, found, n, more, bad);
    return false;
}

static bool is_right(const char *dir, const char *who, int child)
{
    char *text = lines_text(dir);
    bool is = is_right_in(text, who, child);

    free(text);
    return is;
}

static int end(pid_t pid)
{
    int status = 0;

    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    return status;
}

/* --- at every step -------------------------------------------------------- */

static void kill_at_step(void *arg, const char *where)
{
    (void)where;
    if (atomic_fetch_add(&all->steps, 1) + 1 == *(const uint64_t *)arg)
        kill(getpid(), SIGKILL);
}

static void live_until(uc_log_options *o, uint64_t step)
{
    uc_error e;
    uc_log *l;

    o->step = kill_at_step;
    o->step_arg = &step;
    l = must_open(o);
    for (uint64_t i = 0; i < 400; i++) {
        put(l, "k", i);
        all->child[0].taken = i + 1;
        if (i % 40 == 39)
            uc_log_flush(l, 20000, i % 80 == 79, &e);
    }
    uc_log_unref(l);
    _exit(0);
}

static void every_step(void)
{
    bool right = true, done = false;
    uint64_t step;

    for (step = 1; !done && step < 1000; step++) {
        char *dir = lines_dir(base, "steps");
        uc_log_options o = options(dir);
        int status = 0;
        pid_t pid;

        forget();
        pid = fork();
        if (pid == 0)
            live_until(&o, step);
        waitpid(pid, &status, 0);
        done = WIFEXITED(status) && WEXITSTATUS(status) == 0;
        gather(dir);
        if (!is_right(dir, "k", 0) || lines_rings(dir) != 0) {
            tap_diag("after step %" PRIu64, step);
            right = false;
        }
        lines_free(dir);
    }
    ok(right, "killed at each step: nothing lost, nothing twice");
    ok(done && step > 40, "of which there are some");
    tap_diag("%" PRIu64 " steps", step);
}

/* --- at any time ---------------------------------------------------------- */

static void write_for_ever(const char *dir, int child)
{
    uc_log_options o = options(dir);
    uc_log_stats s;
    char who[16];
    uc_log *l;

    snprintf(who, sizeof who, "c%d", child);
    l = must_open(&o);
    for (uint64_t i = 0;; i++) {
        uc_log_stats_get(l, &s);
        all->child[child].owner = s.owner ? 1 : 2;
        if (i >= MOST) {
            sched_yield();
            continue;
        }
        put(l, who, i);
        all->child[child].taken = i + 1;
    }
}

static pid_t start_writer(const char *dir, int child)
{
    pid_t pid = fork();

    if (pid == 0)
        write_for_ever(dir, child);
    return pid;
}

/* Until it has put so many lines more. */
static void await_lines(int child, uint64_t n)
{
    uint64_t from = all->child[child].taken;

    while (all->child[child].taken < from + n && all->child[child].taken < MOST)
        sched_yield();
}

static void owners(void)
{
    char *dir = lines_dir(base, "owners"), who[16], *text;
    int at[3] = {0, 1, 2}, next = 3, count_owners = 0, status;
    pid_t pid[3];
    bool right = true;

    forget();
    for (int i = 0; i < 3; i++)
        pid[i] = start_writer(dir, i);
    for (int i = 0; i < 3; i++)
        await_lines(i, 100);
    for (int i = 0; i < 3; i++)
        count_owners += all->child[i].owner == 1;
    eq_int(count_owners, 1, "of three that start together one is the owner");

    /* The owner, each time, and then another is. */
    while (next < 30) {
        int victim = -1;

        for (int i = 0; i < 3; i++)
            if (all->child[at[i]].owner == 1)
                victim = i;
        if (victim < 0) {
            sched_yield();
            continue;
        }
        await_lines(at[victim], tap_random() % 1000);
        status = end(pid[victim]);
        right = right && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
        all->child[at[victim]].owner = 2;
        at[victim] = next;
        pid[victim] = start_writer(dir, next++);
    }
    for (int i = 0; i < 3; i++) {
        status = end(pid[i]);
        right = right && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    }
    ok(right, "nobody ends otherwise");
    gather(dir);
    text = lines_text(dir);
    for (int i = 0; i < next; i++) {
        snprintf(who, sizeof who, "c%d", i);
        right = is_right_in(text, who, i) && right;
    }
    free(text);
    ok(right, "thirty processes killed: nothing lost, nothing twice");
    eq_int(lines_rings(dir), 0, "their rings are gone");
    lines_free(dir);
}

/* --- clients that send again ---------------------------------------------- */

static const uint8_t client[16] = "who sends again";

/* A daemon in which a client's lines arrive again, though they are there. */
static void serve(const char *dir)
{
    uc_log_options o = options(dir);
    uint64_t taken = all->child[0].taken, n = taken > 5 ? taken - 5 : 0;
    char line[512];
    uc_log *l;

    o.ring = "daemon";
    l = must_open(&o);
    for (;;) {
        size_t len = line_of(line, "r", n);

        if (uc_log_put_from(l, client, n + 1, (uint8_t *)line, len, 1) !=
            UC_LOG_DONE) {
            sched_yield();
            continue;
        }
        if (++n > taken)
            all->child[0].taken = n;
    }
}

static void daemons(void)
{
    char *dir = lines_dir(base, "daemons");
    uc_log_options o = options(dir);
    uint64_t seen;
    uc_log *l;
    pid_t pid;

    forget();
    for (int i = 0; i < 25; i++) {
        pid = fork();
        if (pid == 0)
            serve(dir);
        await_lines(0, 1 + tap_random() % 400);
        end(pid);
    }
    o.ring = "daemon";
    l = must_open(&o);
    seen = uc_log_seen(l, client);
    uc_log_unref(l);
    ok(is_right(dir, "r", 0) && seen >= all->child[0].taken &&
           seen <= all->child[0].taken + 1,
       "twenty-five daemons killed: what is sent again is there once");
    lines_free(dir);
}

/* --- killed between two rings ----------------------------------------------
 */

static void stand(void *arg, const char *where)
{
    (void)arg;
    while (strcmp(where, "append") == 0)
        pause();
}

static void fill_ring(const char *dir)
{
    uc_log_options o = options(dir);
    uc_log *l;

    o.step = stand;
    l = must_open(&o);
    for (uint64_t i = 0; i < 300; i++) {
        put(l, "left", i);
        all->child[0].taken = i + 1;
    }
    all->child[0].owner = 1;
    for (;;)
        pause();
}

/* A process that has filled its ring and has the directory. */
static pid_t start_full(const char *dir)
{
    pid_t pid;

    forget();
    pid = fork();
    if (pid == 0)
        fill_ring(dir);
    while (all->child[0].owner == 0)
        sched_yield();
    return pid;
}

static bool there_quietly(const char *dir, const char *line)
{
    char *text = lines_text(dir);
    bool is = strstr(text, line) != NULL;

    free(text);
    return is;
}

/* The next ring has its name, and the one before it is not sealed. */
static void die_at_ring(void *arg, const char *where)
{
    (void)arg;
    if (strcmp(where, "ring made") == 0)
        kill(getpid(), SIGKILL);
}

/* Puts into the ring "daemon" until that is to grow, or with `size` into one of
 * that size, which the last one was not. */
static void put_until_killed(const char *dir, uint64_t size)
{
    uc_log_options o = options(dir);
    uc_log *l;

    o.ring = "daemon";
    o.step = die_at_ring;
    o.overflow = UC_LOG_GROW;
    if (size != 0)
        o.ring_bytes = size;
    l = must_open(&o);
    for (uint64_t i = 0; i < MOST; i++) {
        put(l, "g", i);
        all->child[0].taken = i + 1;
    }
    _exit(0);
}

static bool is_killed(pid_t pid)
{
    int status = 0;

    waitpid(pid, &status, 0);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

/* The next one of the name writes all that its predecessors have left. */
static bool goes_on(const char *dir, uint64_t size)
{
    uc_log_options o = options(dir);
    uc_log *l;
    uc_error e;
    bool good;

    o.ring = "daemon";
    o.ring_bytes = size;
    o.overflow = UC_LOG_GROW;
    l = must_open(&o);
    put(l, "h", 0);
    good = uc_log_flush(l, 10000, false, &e);
    if (!good)
        tap_diag("flush: %s", e.message);
    uc_log_unref(l);
    return good && is_right(dir, "g", 0) && all_there(dir, "h", 1) &&
           lines_rings(dir) == 1;
}

static void between_rings(void)
{
    char *dir = lines_dir(base, "grown");
    uc_log_options o = options(dir);
    pid_t pid, owner;
    uc_error e;
    uc_log *l;

    owner = start_full(dir);
    forget();
    pid = fork();
    if (pid == 0)
        put_until_killed(dir, 0);
    ok(is_killed(pid), "killed when it had made another ring");
    end(owner);
    ok(goes_on(dir, o.ring_bytes), "the next one of its name goes on");
    lines_free(dir);

    dir = lines_dir(base, "resized");
    o = options(dir);
    o.ring = "daemon";
    forget();
    pid = fork();
    if (pid == 0) {
        o.step = stand;
        l = must_open(&o);
        for (uint64_t i = 0; i < 100; i++)
            put(l, "g", i);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    all->child[0].taken = 100;
    pid = fork();
    if (pid == 0)
        put_until_killed(dir, 256 << 10);
    ok(is_killed(pid), "killed when it had made a ring of another size");
    ok(goes_on(dir, 256 << 10), "the next one of its name goes on");
    lines_free(dir);

    /* Nobody of that name comes: the owner sees by itself that it is over. */
    dir = lines_dir(base, "orphans");
    o = options(dir);
    owner = start_full(dir);
    pid = fork();
    if (pid == 0)
        put_until_killed(dir, 0);
    ok(is_killed(pid), "killed so once more");
    pid = fork();
    if (pid == 0) {
        /* What was in the younger one when a process died amid all this. */
        uc_ring *young;
        char file[UC_RING_FILE];
        int at, err;

        at = open(dir, O_RDONLY | O_DIRECTORY);
        uc_ring_file(file, "daemon", 1);
        at = openat(at, ".rings", O_RDONLY | O_DIRECTORY);
        young = uc_ring_open(at, file, true, &err);
        _exit(young != NULL && uc_ring_put(young, (const uint8_t *)"y 0 \n", 5)
                  ? 0
                  : 1);
    }
    waitpid(pid, NULL, 0);
    end(owner);
    l = must_open(&o);
    for (int i = 0; i < 500 && lines_rings(dir) > 2; i++)
        usleep(10000);
    ok(uc_log_flush(l, 10000, false, &e) && is_right(dir, "g", 0),
       "an owner writes what both hold");
    for (int i = 0; i < 500 && !there_quietly(dir, "y 0 \n"); i++)
        usleep(10000);
    ok(there_quietly(dir, "y 0 \n"), "one after the other");
    eq_int(lines_rings(dir), 2, "and removes the older one");
    uc_log_unref(l);
    lines_free(dir);
}

/* --- what is left --------------------------------------------------------- */

static void recovering(void)
{
    char *dir = lines_dir(base, "left");
    uc_log_options o = options(dir);
    uc_error e;
    pid_t pid;

    ok(uc_log_recover(&o, &e), "where there is no log there is nothing to do");
    ok(access(dir, F_OK) != 0, "and nothing is made");
    pid = start_full(dir);
    ok(uc_log_recover(&o, &e) && lines_rings(dir) == 1,
       "nor where there is an owner");
    end(pid);
    ok(uc_log_recover(&o, &e) && all_there(dir, "left", 300),
       "what dead processes have left is written");
    eq_int(lines_rings(dir), 0, "and their rings are removed");
    ok(uc_log_recover(&o, &e) && all_there(dir, "left", 300), "once");
    lines_free(dir);
}

static int count_logs(const char *dir)
{
    struct dirent **names;
    int n = scandir(dir, &names, lines_is_log, NULL);

    for (int i = 0; i < n; i++)
        free(names[i]);
    if (n >= 0)
        free(names);
    return n;
}

static int64_t in_a_year(void *arg)
{
    (void)arg;
    return uc_wall_ms() + (int64_t)366 * 86400 * 1000;
}

/* So that what runs beside it comes to what it would do. */
static void dawdle(void *arg, const char *where)
{
    (void)arg;
    if (strcmp(where, "append") == 0)
        usleep(200000);
}

static int64_t size_of(const char *dir, const char *file)
{
    char path[512];
    struct stat st;

    snprintf(path, sizeof path, "%s/%s", dir, file);
    return stat(path, &st) == 0 ? (int64_t)st.st_size : -1;
}

/* Who reads has other options than the service, which keeps all. */
static void recovering_beside_old_files(void)
{
    static const char old[] = "app-2020-01-01.1.log";
    const uc_log_clock clock = {in_a_year, NULL, NULL};
    char *dir = lines_dir(base, "old"), path[512], *text;
    uint64_t more, bad;
    uc_log_options o;
    uc_error e;
    pid_t pid;
    FILE *f;

    pid = start_full(dir);
    end(pid);
    snprintf(path, sizeof path, "%s/%s", dir, old);
    f = fopen(path, "w");
    fputs("of 2020\n", f);
    fclose(f);
    uc_log_options_init(&o);
    o.dir = dir;
    o.clock = &clock;
    o.rotate_bytes = 1000;
    o.keep_bytes = 1;
    o.step = dawdle;
    ok(uc_log_recover(&o, &e), "what is left is written with the defaults");
    eq_int(size_of(dir, old), 8, "an old file stays, and is not archived");
    text = lines_text(dir);
    ok(count(text, "left", 300, &more, &bad) == 300 && more + bad == 0,
       "the lines are there");
    free(text);
    eq_int(count_logs(dir), 2, "in the file that was there");
    lines_free(dir);
}

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
    tap_seed(20261123);
    snprintf(base, sizeof base, "/tmp/uc-log-kill-XXXXXX");
    all = mmap(NULL, sizeof *all, PROT_READ | PROT_WRITE,
               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (mkdtemp(base) == NULL || all == MAP_FAILED)
        return 1;
    every_step();
    owners();
    daemons();
    between_rings();
    recovering();
    recovering_beside_old_files();
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

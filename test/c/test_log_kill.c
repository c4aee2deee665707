/* The log when processes are killed: what a call has taken is in the files,
 * once. */
#define _GNU_SOURCE
#include "log/log.h"

#include "common/clock.h"
#include "log/ring.h"
#include "log_child.h"
#include "tap.h"

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

int main(void)
{
    tap_seed(20261123);
    if (!children("kill"))
        return 1;
    every_step();
    owners();
    daemons();
    between_rings();
    recovering();
    recovering_beside_old_files();
    lines_free(strdup(base));
    return tap_end();
}

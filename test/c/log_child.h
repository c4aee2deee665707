#ifndef UC_TEST_LOG_CHILD_H
#define UC_TEST_LOG_CHILD_H

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "log_lines.h"

/* Processes that log until they are killed, and what is known of them then.
 * _GNU_SOURCE, as log_lines.h. */

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

__attribute__((unused)) static uc_log_options options(const char *dir)
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

__attribute__((unused)) static uc_log *must_open(const uc_log_options *o)
{
    uc_error e;
    uc_log *l = uc_log_open(o, &e);

    if (l == NULL) {
        fprintf(stderr, "open: %s\n", e.message);
        _exit(1);
    }
    return l;
}

__attribute__((unused)) static void forget(void)
{
    memset(all, 0, sizeof *all);
}

/* What is left of the dead is written when somebody opens the log. */
__attribute__((unused)) static void gather(const char *dir)
{
    uc_log_options o = options(dir);
    uc_log *l = must_open(&o);
    uc_error e;

    uc_log_flush(l, 20000, false, &e);
    uc_log_unref(l);
}

/* Of a child that was killed: all that it was told is there, once, and at most
 * the line that it was about to be told of. */
__attribute__((unused)) static bool is_right_in(const char *text,
                                                const char *who, int child)
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

__attribute__((unused)) static bool is_right(const char *dir, const char *who,
                                             int child)
{
    char *text = lines_text(dir);
    bool is = is_right_in(text, who, child);

    free(text);
    return is;
}

__attribute__((unused)) static int end(pid_t pid)
{
    int status = 0;

    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    return status;
}

__attribute__((unused)) static void write_for_ever(const char *dir, int child)
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

__attribute__((unused)) static pid_t start_writer(const char *dir, int child)
{
    pid_t pid = fork();

    if (pid == 0)
        write_for_ever(dir, child);
    return pid;
}

/* Until it has put so many lines more. */
__attribute__((unused)) static void await_lines(int child, uint64_t n)
{
    uint64_t from = all->child[child].taken;

    while (all->child[child].taken < from + n && all->child[child].taken < MOST)
        sched_yield();
}

__attribute__((unused)) static void stand(void *arg, const char *where)
{
    (void)arg;
    while (strcmp(where, "append") == 0)
        pause();
}

__attribute__((unused)) static void fill_ring(const char *dir)
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
__attribute__((unused)) static pid_t start_full(const char *dir)
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

__attribute__((unused)) static int count_logs(const char *dir)
{
    struct dirent **names;
    int n = scandir(dir, &names, lines_is_log, NULL);

    for (int i = 0; i < n; i++)
        free(names[i]);
    if (n >= 0)
        free(names);
    return n;
}

/* The children's memory, and a place for the directories. */
__attribute__((unused)) static bool children(const char *name)
{
    snprintf(base, sizeof base, "/tmp/uc-log-%s-XXXXXX", name);
    all = mmap(NULL, sizeof *all, PROT_READ | PROT_WRITE,
               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return mkdtemp(base) != NULL && all != MAP_FAILED;
}

#endif

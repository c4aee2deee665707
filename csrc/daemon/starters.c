#include "starters.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/mem.h"
#include "log.h"

/* Of every architecture since Linux 5.3; older headers do not know it. */
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

enum { ASK_MS = 1000 };

typedef struct starter {
    int pid, fd; /* fd -1: asked by a timer */
    union {
        uv_poll_t poll;
        uv_timer_t timer;
    } by;
} starter;

static struct {
    starter *at;
    unsigned n;
    void (*on_end)(void *arg, int pid);
    void *arg;
} all;

static bool pid_of(const char *text, int *out)
{
    char *end;
    long n;

    errno = 0;
    n = strtol(text, &end, 10);
    *out = (int)n;
    return end != text && *end == '\0' && errno == 0 && n > 0 && n < 1 << 30;
}

bool ud_starters_check(const ud_config *config)
{
    int pid;

    for (unsigned i = 0; i < config->end_with.n; i++) {
        if (!pid_of(config->end_with.at[i], &pid)) {
            ud_say("--end-with %s: expected the number of a process",
                   config->end_with.at[i]);
            return false;
        }
    }
    return true;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    starter *s = poll->data;

    (void)status;
    (void)events;
    uv_poll_stop(poll);
    all.on_end(all.arg, s->pid);
}

static void on_ask(uv_timer_t *timer)
{
    starter *s = timer->data;

    if (kill(s->pid, 0) == 0 || errno != ESRCH)
        return;
    uv_timer_stop(timer);
    all.on_end(all.arg, s->pid);
}

static void watch(starter *s, uv_loop_t *loop)
{
    s->fd = (int)syscall(SYS_pidfd_open, s->pid, 0);
    if (s->fd >= 0 && uv_poll_init(loop, &s->by.poll, s->fd) == 0) {
        s->by.poll.data = s;
        uv_poll_start(&s->by.poll, UV_READABLE, on_poll);
        return;
    }
    /* One that is gone is found by the first call of the timer. */
    uv_timer_init(loop, &s->by.timer);
    s->by.timer.data = s;
    uv_timer_start(&s->by.timer, on_ask, 0, ASK_MS);
}

void ud_starters_watch(const ud_config *config, uv_loop_t *loop,
                       void (*on_end)(void *arg, int pid), void *arg)
{
    unsigned n = config->end_with.n;

    all.on_end = on_end;
    all.arg = arg;
    all.at = n == 0 ? NULL : uc_calloc(n, sizeof *all.at);
    if (n > 0 && all.at == NULL) {
        ud_say("no memory to watch who has started this");
        return;
    }
    for (; all.n < n; all.n++) {
        starter *s = &all.at[all.n];

        pid_of(config->end_with.at[all.n], &s->pid);
        watch(s, loop);
    }
}

void ud_starters_free(void)
{
    for (unsigned i = 0; i < all.n; i++) {
        if (all.at[i].fd >= 0)
            close(all.at[i].fd);
    }
    uc_free(all.at);
    all.at = NULL;
    all.n = 0;
}

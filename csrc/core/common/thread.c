#define _GNU_SOURCE
#include "common/thread.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <time.h>

void uc_mutex_init(uc_mutex *m)
{
    pthread_mutex_init(m, NULL);
}

void uc_mutex_fini(uc_mutex *m)
{
    pthread_mutex_destroy(m);
}

void uc_cond_init(uc_cond *c)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(c, &attr);
    pthread_condattr_destroy(&attr);
}

void uc_cond_fini(uc_cond *c)
{
    pthread_cond_destroy(c);
}

void uc_cond_signal(uc_cond *c)
{
    pthread_cond_signal(c);
}

void uc_cond_broadcast(uc_cond *c)
{
    pthread_cond_broadcast(c);
}

void uc_cond_wait(uc_cond *c, uc_mutex *m)
{
    pthread_cond_wait(c, m);
}

bool uc_cond_wait_until(uc_cond *c, uc_mutex *m, int64_t until)
{
    struct timespec ts = {.tv_sec = until / 1000000000,
                          .tv_nsec = until % 1000000000};

    return pthread_cond_timedwait(c, m, &ts) != ETIMEDOUT;
}

int uc_thread_start(uc_thread *t, const char *name, void *(*fn)(void *),
                    void *arg)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
    sigset_t all, old;
    int rc;

    sigfillset(&all);
    for (unsigned i = 0; i < sizeof faults / sizeof *faults; i++)
        sigdelset(&all, faults[i]);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = pthread_create(t, NULL, fn, arg);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc == 0)
        pthread_setname_np(*t, name);
    return rc;
}

void uc_thread_join(uc_thread t)
{
    pthread_join(t, NULL);
}

void uc_thread_detach(uc_thread t)
{
    pthread_detach(t);
}

unsigned uc_cpus(void)
{
    cpu_set_t set;
    int n;

    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    n = CPU_COUNT(&set);
    return n > 0 ? (unsigned)n : 1;
}

#ifndef UC_CORE_COMMON_THREAD_H
#define UC_CORE_COMMON_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

typedef pthread_mutex_t uc_mutex;
typedef pthread_cond_t uc_cond;
typedef pthread_t uc_thread;

/* For a mutex with static storage. */
#define UC_MUTEX_INIT PTHREAD_MUTEX_INITIALIZER

void uc_mutex_init(uc_mutex *m);
void uc_mutex_fini(uc_mutex *m);

static inline void uc_lock(uc_mutex *m)
{
    pthread_mutex_lock(m);
}

static inline bool uc_trylock(uc_mutex *m)
{
    return pthread_mutex_trylock(m) == 0;
}

static inline void uc_unlock(uc_mutex *m)
{
    pthread_mutex_unlock(m);
}

/* Conditions wait on the monotonic clock (see uc_now). */
void uc_cond_init(uc_cond *c);
void uc_cond_fini(uc_cond *c);
void uc_cond_signal(uc_cond *c);
void uc_cond_broadcast(uc_cond *c);
void uc_cond_wait(uc_cond *c, uc_mutex *m);
/* Until: absolute, in uc_now()'s nanoseconds. False when the time is up. */
bool uc_cond_wait_until(uc_cond *c, uc_mutex *m, int64_t until);

/*
 * Starts a thread with every signal blocked, so that the host's handlers keep
 * running on the host's threads; but not those of a fault of the thread itself,
 * which would end the process without a word of whoever reports crashes. name:
 * at most 15 bytes. 0 or an errno.
 */
int uc_thread_start(uc_thread *t, const char *name, void *(*fn)(void *),
                    void *arg);
void uc_thread_join(uc_thread t);
/* Nobody will join it. */
void uc_thread_detach(uc_thread t);
/* A number for the calling thread, never 0. */
static inline unsigned long uc_thread_self(void)
{
    return (unsigned long)pthread_self();
}

/* Processors this process may run on, at least 1. */
unsigned uc_cpus(void);

static inline void uc_cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif

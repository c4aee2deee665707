#define _GNU_SOURCE
#include "log/archive.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/thread.h"
#include "log/round.h"

/* When nobody pokes: files grow old all the same, and what failed may work. */
#define IDLE (600000 * UC_MS)
#define AGAIN (60000 * UC_MS)

struct uc_archive {
    uc_logduty duty;
    uc_logpace pace; /* where nobody remembers it */
    uc_thread thread;
    uc_mutex mu;
    uc_cond wake, idle;
    /* Under mu. */
    uc_logmark current;
    uint64_t seen; /* pokes that were answered */
    char error[UC_LOGROUND_ERROR];
};

/* Behind everything else: whoever uses the processor or the disk for something
 * that somebody waits for has it. */
static void become_unimportant(void)
{
    const struct sched_param none = {0};

    /* In Linux both are of the calling thread. */
    setpriority(PRIO_PROCESS, 0, 19);
    sched_setscheduler(0, SCHED_BATCH, &none);
}

static void *run(void *arg)
{
    uc_archive *a = arg;
    int64_t until = INT64_MAX;
    char error[UC_LOGROUND_ERROR];

    become_unimportant();
    uc_lock(&a->mu);
    while (!atomic_load(&a->duty.stop)) {
        uint64_t pokes = atomic_load(&a->duty.pokes);
        uc_logmark current = a->current;

        if (pokes == 0) {
            uc_cond_wait(&a->wake, &a->mu);
            continue;
        }
        if (pokes == a->seen && uc_cond_wait_until(&a->wake, &a->mu, until))
            continue;
        uc_unlock(&a->mu);
        uc__log_round(&a->duty, &current, pokes, error);
        uc_lock(&a->mu);
        memcpy(a->error, error, sizeof a->error);
        a->seen = pokes;
        until = uc_now() + (error[0] != '\0' ? AGAIN : IDLE);
        uc_cond_broadcast(&a->idle);
    }
    uc_unlock(&a->mu);
    return NULL;
}

uc_archive *uc_archive_start(const uc_log_options *o, uc_error *e)
{
    uc_archive *a = uc_calloc(1, sizeof *a);

    if (a != NULL) {
        a->duty.o = o;
        a->duty.pace = &a->pace;
        /* No pace that anybody had. */
        a->pace.steady_ms = INT64_MAX;
        uc_mutex_init(&a->mu);
        uc_cond_init(&a->wake);
        uc_cond_init(&a->idle);
        if (uc_thread_start(&a->thread, "uc-log-archive", run, a) == 0)
            return a;
        uc_cond_fini(&a->idle);
        uc_cond_fini(&a->wake);
        uc_mutex_fini(&a->mu);
        uc_free(a);
    }
    uc_fail(e, UC_MEMORY, "out of memory");
    return NULL;
}

void uc_archive_remember(uc_archive *a, uc_logpace *pace,
                         const uint64_t boot[2])
{
    if ((boot[0] | boot[1]) == 0)
        return;
    a->duty.pace = pace;
    a->duty.boot[0] = boot[0];
    a->duty.boot[1] = boot[1];
}

void uc_archive_poke(uc_archive *a, const uc_logmark *current)
{
    uc_lock(&a->mu);
    a->current = *current;
    atomic_fetch_add(&a->duty.pokes, 1);
    uc_cond_signal(&a->wake);
    uc_unlock(&a->mu);
}

void uc_archive_stop(uc_archive *a)
{
    if (a == NULL)
        return;
    uc_lock(&a->mu);
    atomic_store(&a->duty.stop, true);
    uc_cond_signal(&a->wake);
    uc_unlock(&a->mu);
    uc_thread_join(a->thread);
    uc_cond_fini(&a->idle);
    uc_cond_fini(&a->wake);
    uc_mutex_fini(&a->mu);
    uc_free(a);
}

bool uc_archive_wait(uc_archive *a, int64_t until)
{
    uint64_t pokes;
    bool done;

    uc_lock(&a->mu);
    pokes = atomic_load(&a->duty.pokes);
    while (a->seen < pokes && uc_cond_wait_until(&a->idle, &a->mu, until))
        ;
    done = a->seen >= pokes;
    uc_unlock(&a->mu);
    return done;
}

void uc_archive_counts(uc_archive *a, uint64_t *archived, uint64_t *deleted)
{
    *archived = atomic_load(&a->duty.archived);
    *deleted = atomic_load(&a->duty.deleted);
}

void uc_archive_error(uc_archive *a, char *text, size_t size)
{
    uc_lock(&a->mu);
    snprintf(text, size, "%s", a->error);
    uc_unlock(&a->mu);
}

#include "log/sync.h"

#include <errno.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/thread.h"

/* Files begun while the disk does not answer; each has its directory beside
 * it. */
#define QUEUE 32

typedef struct job {
    int fd;
    bool last;
} job;

struct uc_logsync {
    uc_thread thread;
    uc_mutex mu;
    uc_cond asked, done;
    /* Under mu; the first is the one that is being done. */
    job queue[QUEUE];
    unsigned n;
    int err;
    bool stop;
};

static int sync_fd(job j)
{
    int rc;

    do
        rc = j.last ? fsync(j.fd) : fdatasync(j.fd);
    while (rc != 0 && errno == EINTR);
    return rc == 0 ? 0 : errno;
}

static void *run(void *arg)
{
    uc_logsync *s = arg;

    uc_lock(&s->mu);
    for (;;) {
        int err;
        job j;

        while (s->n == 0 && !s->stop)
            uc_cond_wait(&s->asked, &s->mu);
        if (s->stop)
            break;
        j = s->queue[0];
        uc_unlock(&s->mu);
        err = sync_fd(j);
        if (j.last)
            close(j.fd);
        uc_lock(&s->mu);
        /* EINVAL: what has no disk behind it cannot be synced. */
        if (err != 0 && err != EINVAL)
            s->err = err;
        s->n--;
        for (unsigned i = 0; i < s->n; i++)
            s->queue[i] = s->queue[i + 1];
        uc_cond_broadcast(&s->done);
    }
    uc_unlock(&s->mu);
    return NULL;
}

uc_logsync *uc__logsync_start(void)
{
    uc_logsync *s = uc_calloc(1, sizeof *s);

    if (s == NULL)
        return NULL;
    uc_mutex_init(&s->mu);
    uc_cond_init(&s->asked);
    uc_cond_init(&s->done);
    if (uc_thread_start(&s->thread, "uc-log-sync", run, s) == 0)
        return s;
    uc_cond_fini(&s->done);
    uc_cond_fini(&s->asked);
    uc_mutex_fini(&s->mu);
    uc_free(s);
    return NULL;
}

void uc__logsync_stop(uc_logsync *s)
{
    if (s == NULL)
        return;
    uc_lock(&s->mu);
    s->stop = true;
    uc_cond_signal(&s->asked);
    uc_unlock(&s->mu);
    uc_thread_join(s->thread);
    for (unsigned i = 0; i < s->n; i++)
        if (s->queue[i].last)
            close(s->queue[i].fd);
    uc_cond_fini(&s->done);
    uc_cond_fini(&s->asked);
    uc_mutex_fini(&s->mu);
    uc_free(s);
}

static void put(uc_logsync *s, job j)
{
    uc_lock(&s->mu);
    /* One that waits does for both; the one that is being done may have begun
     * before the last write. */
    for (unsigned i = 1; i < s->n; i++)
        if (!j.last && s->queue[i].fd == j.fd) {
            uc_unlock(&s->mu);
            return;
        }
    while (s->n == QUEUE)
        uc_cond_wait(&s->done, &s->mu);
    s->queue[s->n++] = j;
    uc_cond_signal(&s->asked);
    uc_unlock(&s->mu);
}

void uc__logsync_want(uc_logsync *s, int fd)
{
    put(s, (job){fd, false});
}

void uc__logsync_last(uc_logsync *s, int fd)
{
    put(s, (job){fd, true});
}

void uc__logsync_wait(uc_logsync *s)
{
    uc_lock(&s->mu);
    while (s->n > 0)
        uc_cond_wait(&s->done, &s->mu);
    uc_unlock(&s->mu);
}

int uc__logsync_error(uc_logsync *s)
{
    int err;

    uc_lock(&s->mu);
    err = s->err;
    s->err = 0;
    uc_unlock(&s->mu);
    return err;
}

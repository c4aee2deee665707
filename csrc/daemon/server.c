#include "server.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/clock.h"
#include "conn.h"
#include "log.h"
#include "notify.h"
#include "starters.h"

enum {
    SWEEP_MS = 250,
    SWEEP_DRAIN_MS = 50,
    ACCEPT_AGAIN_MS = 100,
    SPOOL_MS = 5000,
    SPOOL_AGAIN_MS = 10,
    SHUT_US = 1000,
    SPARE_FILES = 64 /* descriptors for databases and ourselves */
};

/* ---- the reaper ---- */

static void *reaper_main(void *arg)
{
    ud_server *sv = arg;

    uc_lock(&sv->queue_mu);
    for (;;) {
        ud_conn *c = sv->dead;

        if (c == NULL) {
            if (sv->reaper_stop)
                break;
            uc_cond_wait(&sv->dead_cond, &sv->queue_mu);
            continue;
        }
        sv->dead = c->qnext;
        uc_unlock(&sv->queue_mu);
        ud_conn_free(c);
        if (atomic_load(&sv->draining) || sv->config->limits.idle_exit > 0)
            uv_async_send(&sv->async);
        uc_lock(&sv->queue_mu);
    }
    uc_unlock(&sv->queue_mu);
    return NULL;
}

/* ---- the loop ---- */

static void on_sweep(uv_timer_t *timer)
{
    ud_server *sv = timer->data;
    int64_t now = uc_now_coarse();
    bool again = false, tight = atomic_load(&sv->charged) >
                                sv->config->limits.max_memory_bytes;

    atomic_store(&sv->watching, false);
    uc_lock(&sv->mu);
    for (ud_conn *c = sv->conns; c != NULL; c = c->next)
        again = ud_conn_sweep(c, now, tight) || again;
    uc_unlock(&sv->mu);
    if (again)
        atomic_store(&sv->watching, true);
    else if (!atomic_load(&sv->watching))
        uv_timer_stop(timer);
}

static void drain(ud_server *sv);

/* Since this was asked for the last time. */
static bool front_was_busy(ud_server *sv)
{
    uint64_t before = sv->traffic;

    if (sv->front != NULL)
        sv->traffic = sv->front->traffic(sv->front->arg);
    return sv->traffic != before;
}

static void on_idle(uv_timer_t *timer)
{
    ud_server *sv = timer->data;

    if (atomic_load(&sv->open) > 0)
        return;
    if (front_was_busy(sv)) {
        uv_timer_start(&sv->idle, on_idle,
                       (uint64_t)sv->config->limits.idle_exit * 1000, 0);
        return;
    }
    ud_say("no clients for %" PRId64 " s (idle-exit): the end",
           sv->config->limits.idle_exit);
    drain(sv);
}

static void on_again(uv_timer_t *timer)
{
    ud_server *sv = timer->data;

    for (unsigned i = 0; i < sv->nlisteners && !atomic_load(&sv->draining); i++)
        ud_listener_again(&sv->listeners[i]);
}

static void on_spool(uv_timer_t *timer)
{
    ud_server *sv = timer->data;

    bool more = ud_lines_tick(sv->lines);

    uv_timer_start(timer, on_spool, more ? SPOOL_AGAIN_MS : SPOOL_MS, 0);
}

static void flush_dirty(ud_server *sv)
{
    ud_conn *c;

    uc_lock(&sv->queue_mu);
    c = sv->dirty;
    sv->dirty = NULL;
    uc_unlock(&sv->queue_mu);
    while (c != NULL) {
        ud_conn *next = c->qnext;

        uc_lock(&sv->queue_mu);
        c->queued = false;
        uc_unlock(&sv->queue_mu);
        ud_conn_flush(c);
        ud_conn_unref(c);
        c = next;
    }
}

static void on_async(uv_async_t *async)
{
    ud_server *sv = async->data;
    bool draining = atomic_load(&sv->draining);
    int64_t idle = sv->config->limits.idle_exit;

    flush_dirty(sv);
    if (atomic_load(&sv->watching) && !uv_is_active((uv_handle_t *)&sv->sweep))
        uv_timer_start(&sv->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
    for (unsigned i = 0; i < sv->nlisteners && !draining; i++) {
        if (atomic_load(&sv->listeners[i].failed) &&
            !uv_is_active((uv_handle_t *)&sv->again))
            uv_timer_start(&sv->again, on_again, ACCEPT_AGAIN_MS, 0);
    }
    if (draining) {
        if (atomic_load(&sv->open) == 0 && atomic_load(&sv->front_ended))
            uv_stop(&sv->loop);
    } else if (idle > 0) {
        if (atomic_load(&sv->open) > 0)
            uv_timer_stop(&sv->idle);
        else if (!uv_is_active((uv_handle_t *)&sv->idle))
            uv_timer_start(&sv->idle, on_idle, (uint64_t)idle * 1000, 0);
    }
}

/* ---- the end ---- */

static void on_drain_over(uv_timer_t *timer)
{
    ud_server *sv = timer->data;

    if (atomic_load(&sv->open) > 0)
        ud_say("%" PRIu64 " connections were not done in time (drain-ms)",
               (uint64_t)atomic_load(&sv->open));
    if (!atomic_load(&sv->front_ended))
        ud_say("requests of HTTP were not done in time (drain-ms)");
    uv_stop(&sv->loop);
}

static void drain(ud_server *sv)
{
    ud_notify_stopping();
    atomic_store(&sv->draining, true);
    for (unsigned i = 0; i < sv->nlisteners; i++)
        ud_listener_close(&sv->listeners[i]);
    if (sv->front != NULL)
        sv->front->drain(sv->front->arg);
    uv_timer_stop(&sv->idle);
    uv_timer_start(&sv->drain, on_drain_over,
                   (uint64_t)sv->config->limits.drain_ms, 0);
    uv_timer_start(&sv->sweep, on_sweep, SWEEP_DRAIN_MS, SWEEP_DRAIN_MS);
    atomic_store(&sv->watching, true);
    uc_lock(&sv->mu);
    for (ud_conn *c = sv->conns; c != NULL; c = c->next)
        ud_conn_drain(c);
    uc_unlock(&sv->mu);
    uv_async_send(&sv->async);
}

static void on_signal(uv_signal_t *handle, int number)
{
    ud_server *sv = handle->data;

    if (atomic_load(&sv->draining)) {
        ud_say("a second %s: the end, at once", strsignal(number));
        _exit(UD_FAILED);
    }
    ud_say("%s: shutting down", strsignal(number));
    drain(sv);
}

/* Who has started us may have told us, too: that is one end. */
static void on_starter_gone(void *arg, int pid)
{
    ud_server *sv = arg;

    if (atomic_load(&sv->draining))
        return;
    ud_say("process %d has ended, and this ends with it: shutting down", pid);
    drain(sv);
}

static void on_front_end(void *arg)
{
    ud_server *sv = arg;

    atomic_store(&sv->front_ended, true);
    uv_async_send(&sv->async);
}

static void reload(uv_work_t *work)
{
    ud_server *sv = work->data;

    sv->front->reload(sv->front->arg);
}

static void begin_reload(ud_server *sv);

static void on_reloaded(uv_work_t *work, int status)
{
    ud_server *sv = work->data;

    (void)status;
    sv->reloading = false;
    if (sv->reload_again)
        begin_reload(sv);
}

/* What has changed while it is read is read after that. */
static void begin_reload(ud_server *sv)
{
    sv->reload_again = sv->reloading;
    if (sv->reloading || atomic_load(&sv->draining))
        return;
    sv->reload.data = sv;
    sv->reloading =
        uv_queue_work(&sv->loop, &sv->reload, reload, on_reloaded) == 0;
}

/* The files of the log were moved away, by logrotate or by hand; those of the
 * front have changed. */
static void on_hangup(uv_signal_t *handle, int number)
{
    ud_server *sv = handle->data;

    (void)number;
    if (sv->lines != NULL)
        ud_lines_reopen(sv->lines);
    if (sv->front != NULL)
        begin_reload(sv);
}

/* Whatever hangs, a shutdown has an end. */
static void on_alarm(int number)
{
    static const char text[] =
        "undercroftd: the shutdown took too long and was cut short\n";
    ssize_t rc = write(STDERR_FILENO, text, sizeof text - 1);

    (void)number;
    (void)rc;
    _exit(UD_FAILED);
}

/* Nobody is being accepted any more: the list only becomes shorter. */
static void shut_all(ud_server *sv)
{
    uc_lock(&sv->mu);
    for (ud_conn *c = sv->conns; c != NULL; c = c->next)
        ud_conn_shut(c);
    uc_unlock(&sv->mu);
    while (atomic_load(&sv->open) > 0)
        usleep(SHUT_US);
}

static void on_closed_walk(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

/* ---- the beginning ---- */

/* Each client is a descriptor. */
static void raise_files(const ud_server *sv)
{
    rlim_t want = (rlim_t)sv->config->limits.max_connections + UD_REFUSALS +
                  SPARE_FILES +
                  (rlim_t)(sv->front != NULL ? sv->front->files : 0);
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= want)
        return;
    files.rlim_cur = want < files.rlim_max ? want : files.rlim_max;
    if (files.rlim_max < want && geteuid() == 0)
        files.rlim_cur = files.rlim_max = want;
    if (setrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur < want)
        ud_say("this process may open %" PRIu64 " files, too few for %" PRId64
               " connections (max-connections): raise `ulimit -n`, or "
               "LimitNOFILE of the unit",
               (uint64_t)files.rlim_cur, sv->config->limits.max_connections);
}

static bool loop_init(ud_server *sv)
{
    uv_timer_t *timers[] = {&sv->sweep, &sv->idle, &sv->drain, &sv->again,
                            &sv->spool};

    if (uv_loop_init(&sv->loop) != 0)
        return false;
    uv_async_init(&sv->loop, &sv->async, on_async);
    sv->async.data = sv;
    for (unsigned i = 0; i < 5; i++) {
        uv_timer_init(&sv->loop, timers[i]);
        timers[i]->data = sv;
    }
    uv_signal_init(&sv->loop, &sv->terminate);
    uv_signal_init(&sv->loop, &sv->interrupt);
    sv->terminate.data = sv->interrupt.data = sv;
    uv_signal_start(&sv->terminate, on_signal, SIGTERM);
    uv_signal_start(&sv->interrupt, on_signal, SIGINT);
    ud_starters_watch(sv->config, &sv->loop, on_starter_gone, sv);
    if (sv->lines != NULL || sv->front != NULL) {
        uv_signal_init(&sv->loop, &sv->hangup);
        sv->hangup.data = sv;
        uv_signal_start(&sv->hangup, on_hangup, SIGHUP);
    }
    if (sv->lines != NULL) {
        uv_timer_start(&sv->spool, on_spool, SPOOL_AGAIN_MS, 0);
    }
    return true;
}

static void loop_fini(ud_server *sv)
{
    uv_walk(&sv->loop, on_closed_walk, NULL);
    uv_run(&sv->loop, UV_RUN_DEFAULT);
    uv_loop_close(&sv->loop);
    ud_starters_free();
}

/* All of them, or none is served. */
static bool listen_on(ud_server *sv, const ud_port *ports, unsigned n)
{
    const ud_front *front = sv->front;

    for (unsigned i = 0; i < n; i++) {
        sv->nlisteners = i + 1;
        if (!ud_listener_open(&sv->listeners[i], sv, &ports[i]))
            return false;
    }
    for (unsigned i = 0; i < n; i++)
        ud_say("serving on %s (pid %d)", ports[i].url, (int)getpid());
    if (front == NULL)
        return true;
    atomic_store(&sv->front_ended, false);
    return front->start(front->arg, ud_dbs_first(sv->dbs),
                        ud_lines_log(sv->lines), on_front_end, sv);
}

/* Waits for who is just coming in. */
static void listen_end(ud_server *sv)
{
    for (unsigned i = 0; i < sv->nlisteners; i++)
        ud_listener_free(&sv->listeners[i]);
}

int ud_serve(const ud_config *config, ud_dbs *dbs, ud_lines *lines,
             const ud_port *ports, unsigned nports, const ud_front *front)
{
    static ud_server server;
    ud_server *sv = &server;
    int code = UD_OK;

    sv->config = config;
    sv->dbs = dbs;
    sv->lines = lines;
    sv->front = front;
    atomic_store(&sv->front_ended, true);
    sv->started = uc_now();
    uc_mutex_init(&sv->mu);
    uc_mutex_init(&sv->queue_mu);
    uc_cond_init(&sv->dead_cond);
    signal(SIGPIPE, SIG_IGN);
    raise_files(sv);
    if (!loop_init(sv) ||
        uc_thread_start(&sv->reaper, "ud-reaper", reaper_main, sv) != 0) {
        ud_say("no descriptors or threads to start with");
        return UD_FAILED;
    }
    if (listen_on(sv, ports, nports)) {
        ud_notify_ready(config);
        uv_async_send(&sv->async); /* the idle time begins */
        uv_run(&sv->loop, UV_RUN_DEFAULT);
        signal(SIGALRM, on_alarm);
        alarm((unsigned)(ud_close_ms(&config->limits) + 999) / 1000);
    } else {
        code = UD_SOCKET;
    }
    listen_end(sv);
    if (front != NULL)
        front->stop(front->arg);
    shut_all(sv);
    uc_lock(&sv->queue_mu);
    sv->reaper_stop = true;
    uc_cond_signal(&sv->dead_cond);
    uc_unlock(&sv->queue_mu);
    uc_thread_join(sv->reaper);
    loop_fini(sv);
    uc_cond_fini(&sv->dead_cond);
    uc_mutex_fini(&sv->queue_mu);
    uc_mutex_fini(&sv->mu);
    nng_fini();
    return code;
}

#define _GNU_SOURCE /* accept4 */
#include "doors/http/loop.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/mem.h"
#include "daemon/log.h"
#include "doors/http/conn.h"

enum {
    READ_BYTES = 64 * 1024,
    TAKE_BYTES = 64 * 1024,
    SWEEP_MS = 500,
    ACCEPTS = 64 /* in one turn, so that who is here is served meanwhile */
};

static _Thread_local http_loop *current;

/* ---- who has replies ---- */

void http_loop_wake(void *arg)
{
    http_conn *c = arg;
    http_loop *l = c->loop;
    bool first = false;

    uc_lock(&l->mu);
    if (!c->dirty && !c->dead) {
        c->dirty = true;
        first = l->dirty == NULL;
        c->dnext = l->dirty;
        l->dirty = c;
    }
    uc_unlock(&l->mu);
    if (first && current != l)
        uv_async_send(&l->async);
}

void http_loop_forget(http_loop *l, http_conn *c)
{
    uc_lock(&l->mu);
    c->dead = true;
    if (c->dirty) {
        http_conn **at = &l->dirty;

        while (*at != NULL && *at != c)
            at = &(*at)->dnext;
        if (*at == c)
            *at = c->dnext;
        c->dirty = false;
    }
    uc_unlock(&l->mu);
}

static http_conn *next_dirty(http_loop *l)
{
    http_conn *c;

    uc_lock(&l->mu);
    c = l->dirty;
    if (c != NULL) {
        l->dirty = c->dnext;
        c->dirty = false;
    }
    uc_unlock(&l->mu);
    return c;
}

/* Nothing of this turn is under way to the core: what comes next is asked of
 * the newest routes. */
static void renew(http_loop *l)
{
    if (atomic_load(&l->current->number) != l->number)
        http_current_take(l->current, &l->serving, &l->number);
}

/* The end of a turn: what its requests have brought, and what that brings. */
static void settle(http_loop *l)
{
    http_conn *c;

    do {
        if (l->submitted != NULL) {
            uc_session *s = l->submitted;

            l->submitted = NULL;
            uc_assist(s);
        }
        while ((c = next_dirty(l)) != NULL)
            http_conn_flush(c);
    } while (l->submitted != NULL);
    renew(l);
}

static void on_check(uv_check_t *check)
{
    settle(check->data);
}

/* ---- the end ---- */

void http_loop_bury(http_loop *l, http_conn *c)
{
    http_reaper *r = l->reaper;

    uc_lock(&r->mu);
    c->dnext = r->first;
    r->first = c;
    uc_cond_signal(&r->cond);
    uc_unlock(&r->mu);
}

/* ---- who comes ---- */

/* False: nobody is there, or the next cannot be let in at the moment, for which
 * it waits in the queue. */
static bool let_in(http_loop *l)
{
    int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd >= 0) {
        http_conn_open(l, fd);
        return true;
    }
    if (errno == EINTR || errno == ECONNABORTED || errno == EPROTO)
        return true;
    if (errno != EAGAIN && !l->paused) {
        ud_say("http: a connection cannot be let in: %s", strerror(errno));
        l->paused = true;
        uv_poll_stop(&l->listener);
    }
    return false;
}

static void on_connection(uv_poll_t *listener, int status, int events)
{
    http_loop *l = listener->data;

    (void)events;
    for (int i = 0; status == 0 && i < ACCEPTS && let_in(l);)
        i++;
}

static void resume(http_loop *l)
{
    if (!l->paused || !l->listening)
        return;
    l->paused = false;
    uv_poll_start(&l->listener, UV_READABLE, on_connection);
}

/* Who stands in its queue is let in first: with SO_REUSEPORT nobody else would
 * have them. */
static void close_listener(http_loop *l)
{
    if (!l->listening)
        return;
    l->listening = false;
    uv_poll_stop(&l->listener);
    while (let_in(l))
        ;
    uv_close((uv_handle_t *)&l->listener, NULL);
    close(l->fd);
    l->fd = -1;
}

/* ---- the drain ---- */

static void end_if_drained(http_loop *l)
{
    if (!atomic_load(&l->draining) || l->listening || l->conns != NULL ||
        l->drained)
        return;
    l->drained = true;
    l->on_drained(l->arg);
}

static void drain(http_loop *l)
{
    http_conn *next;

    for (http_conn *c = l->conns; c != NULL; c = next) {
        next = c->next;
        http_conn_drain(c);
    }
    end_if_drained(l);
}

static void on_async(uv_async_t *async)
{
    http_loop *l = async->data;

    if (atomic_load(&l->stopping))
        uv_stop(&l->uv);
}

static void on_sweep(uv_timer_t *timer)
{
    http_loop *l = timer->data;
    int64_t now = uc_now_coarse();
    http_conn *next;

    resume(l);

    for (http_conn *c = l->conns; c != NULL; c = next) {
        next = c->next;
        http_conn_sweep(c, now);
    }
    settle(l);
}

void http_loop_add(http_loop *l, http_conn *c)
{
    c->next = l->conns;
    if (l->conns != NULL)
        l->conns->prev = c;
    l->conns = c;
    atomic_fetch_add(l->open, 1);
    atomic_fetch_add(l->let_in, 1);
}

void http_loop_remove(http_loop *l, http_conn *c)
{
    if (c->prev != NULL)
        c->prev->next = c->next;
    else
        l->conns = c->next;
    if (c->next != NULL)
        c->next->prev = c->prev;
    atomic_fetch_sub(l->open, 1);
    end_if_drained(l);
}

bool http_loop_room(http_loop *l, size_t n)
{
    uint8_t *p;

    if (n <= l->taken_cap)
        return true;
    p = uc_realloc(l->taken, n);
    if (p == NULL)
        return false;
    l->taken = p;
    l->taken_cap = n;
    return true;
}

/* ---- the beginning ---- */

/* A turn between both: what clients have sent before they could know is read
 * first. */
static void begin_drain(http_loop *l)
{
    if (!l->listening)
        return;
    close_listener(l);
    uv_run(&l->uv, UV_RUN_NOWAIT);
    drain(l);
    settle(l);
}

static void *loop_main(void *arg)
{
    http_loop *l = arg;

    current = l;
    while (!atomic_load(&l->stopping)) {
        uv_run(&l->uv, UV_RUN_ONCE);
        if (atomic_load(&l->draining))
            begin_drain(l);
    }
    return NULL;
}

static void on_walk(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

/* All of its handles; the thread has ended. */
static void fini(http_loop *l)
{
    http_conn *next;

    for (http_conn *c = l->conns; c != NULL; c = next) {
        next = c->next;
        http_conn_close(c);
    }
    uv_walk(&l->uv, on_walk, NULL);
    uv_run(&l->uv, UV_RUN_DEFAULT);
    uv_loop_close(&l->uv);
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
    http_serving_unref(l->serving);
    l->serving = NULL;
    http_constants_fini(&l->constants);
    uc_free(l->in);
    uc_free(l->taken);
}

void http_loop_free(http_loop *l)
{
    uc_mutex_fini(&l->mu);
}

static bool open_handles(http_loop *l)
{
    int rc;

    uv_async_init(&l->uv, &l->async, on_async);
    uv_check_init(&l->uv, &l->check);
    uv_timer_init(&l->uv, &l->sweep);
    l->async.data = l->check.data = l->sweep.data = l->listener.data = l;
    uv_check_start(&l->check, on_check);
    uv_timer_start(&l->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
    rc = uv_poll_init(&l->uv, &l->listener, l->fd);
    if (rc == 0)
        rc = uv_poll_start(&l->listener, UV_READABLE, on_connection);
    if (rc != 0)
        ud_say("http: %s", uv_strerror(rc));
    l->listening = rc == 0;
    return rc == 0;
}

bool http_loop_start(http_loop *l)
{
    uc_mutex_init(&l->mu);
    if (uv_loop_init(&l->uv) != 0) {
        ud_say("no descriptors for a loop");
        close(l->fd);
        uc_mutex_fini(&l->mu);
        return false;
    }
    l->in = uc_malloc(READ_BYTES);
    l->taken = uc_malloc(TAKE_BYTES);
    l->taken_cap = TAKE_BYTES;
    snprintf(l->prefix, sizeof l->prefix, "%" PRIx64 "-",
             (uint64_t)uc_wall_ms() << 8 ^ (uint64_t)getpid() ^
                 (uint64_t)l->fd << 40);
    l->prefix_len = (uint8_t)strlen(l->prefix);
    http_current_take(l->current, &l->serving, &l->number);
    if (l->in != NULL && l->taken != NULL && open_handles(l) &&
        uc_thread_start(&l->thread, "ud-http", loop_main, l) == 0)
        return true;
    fini(l);
    uc_mutex_fini(&l->mu);
    return false;
}

void http_loop_renew(http_loop *l)
{
    uv_async_send(&l->async);
}

void http_loop_drain(http_loop *l)
{
    atomic_store(&l->draining, true);
    uv_async_send(&l->async);
}

void http_loop_stop(http_loop *l)
{
    atomic_store(&l->stopping, true);
    uv_async_send(&l->async);
    uc_thread_join(l->thread);
    fini(l);
}

#include "doors/http/loop.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/mem.h"
#include "daemon/log.h"
#include "doors/http/conn.h"

enum {
    READ_BYTES = 64 * 1024,
    TAKE_BYTES = 64 * 1024,
    SWEEP_MS = 500,
    BACKLOG = 1024
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

static void on_listener_closed(uv_handle_t *handle)
{
    http_loop *l = handle->data;

    l->listening = false;
}

/* Who stands in its queue is let in first: with SO_REUSEPORT nobody else would
 * have them. libuv does not block in accept. */
static void close_listener(http_loop *l)
{
    if (!l->listening || uv_is_closing(&l->listener.handle))
        return;
    uv_run(&l->uv, UV_RUN_NOWAIT);
    uv_close(&l->listener.handle, on_listener_closed);
}

static void end_if_drained(http_loop *l)
{
    if (!atomic_load(&l->draining) || l->conns != NULL || l->drained)
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

    for (http_conn *c = l->conns; c != NULL; c = next) {
        next = c->next;
        http_conn_sweep(c, now);
    }
}

void http_loop_add(http_loop *l, http_conn *c)
{
    c->next = l->conns;
    if (l->conns != NULL)
        l->conns->prev = c;
    l->conns = c;
    atomic_fetch_add(l->open, 1);
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

static void on_connection(uv_stream_t *listener, int status)
{
    if (status == 0)
        http_conn_accept(listener->data, listener);
}

static bool listen_on(http_loop *l)
{
    const http_address *a = &l->settings->address;
    int fd = http_address_listen(a, l->settings->loops > 1), rc;

    if (fd < 0) {
        ud_say("--http %s: %s", a->text, strerror(errno));
        return false;
    }
    if (a->is_unix) {
        uv_pipe_init(&l->uv, &l->listener.pipe, 0);
        rc = uv_pipe_open(&l->listener.pipe, fd);
    } else {
        uv_tcp_init(&l->uv, &l->listener.tcp);
        rc = uv_tcp_open(&l->listener.tcp, fd);
    }
    l->listener.handle.data = l;
    l->listening = true;
    if (rc == 0)
        rc = uv_listen(&l->listener.stream, BACKLOG, on_connection);
    else
        close(fd);
    if (rc != 0)
        ud_say("--http %s: %s", a->text, uv_strerror(rc));
    return rc == 0;
}

static void on_drain_wanted(http_loop *l)
{
    static _Thread_local bool begun;

    if (begun)
        return;
    begun = true;
    close_listener(l);
    drain(l);
}

static void *loop_main(void *arg)
{
    http_loop *l = arg;

    current = l;
    while (!atomic_load(&l->stopping)) {
        uv_run(&l->uv, UV_RUN_ONCE);
        if (atomic_load(&l->draining))
            on_drain_wanted(l);
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
    uc_mutex_fini(&l->mu);
    uc_free(l->in);
    uc_free(l->taken);
}

bool http_loop_start(http_loop *l)
{
    uc_mutex_init(&l->mu);
    l->in = uc_malloc(READ_BYTES);
    l->taken = uc_malloc(TAKE_BYTES);
    l->taken_cap = TAKE_BYTES;
    snprintf(l->prefix, sizeof l->prefix, "%" PRIx64 "-",
             (uint64_t)uc_wall_ms() << 8 ^ (uint64_t)getpid());
    if (uv_loop_init(&l->uv) != 0) {
        ud_say("no descriptors for a loop");
        return false;
    }
    uv_async_init(&l->uv, &l->async, on_async);
    uv_check_init(&l->uv, &l->check);
    uv_timer_init(&l->uv, &l->sweep);
    l->async.data = l->check.data = l->sweep.data = l;
    uv_check_start(&l->check, on_check);
    uv_timer_start(&l->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
    if (l->in == NULL || l->taken == NULL || !listen_on(l) ||
        uc_thread_start(&l->thread, "ud-http", loop_main, l) != 0) {
        fini(l);
        return false;
    }
    return true;
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

#ifndef UD_HTTP_LOOP_H
#define UD_HTTP_LOOP_H

#include <stdatomic.h>
#include <uv.h>

#include "common/buf.h"
#include "common/thread.h"
#include "doors/http/answer.h"
#include "doors/http/server.h"
#include "uc.h"

/*
 * One thread with its listener and its connections.
 */
typedef struct http_conn http_conn;

/* Those that end, for a thread that may wait for them. */
typedef struct http_reaper {
    uc_mutex mu;
    uc_cond cond;
    http_conn *first;
    bool stop;
    uc_thread thread;
} http_reaper;

typedef struct http_loop {
    const http_settings *settings;
    const ud_db *db;
    http_serving *serving;
    http_reaper *reaper;
    _Atomic uint64_t *open;        /* connections of all loops */
    void (*on_drained)(void *arg); /* all of its connections have ended */
    void *arg;

    uc_thread thread;
    uv_loop_t uv;
    uv_async_t async;
    uv_check_t check;
    uv_timer_t sweep;
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } listener;
    bool listening;
    bool drained; /* on_drained was called */

    uc_mutex mu; /* guards `dirty` and what connections say of it */
    http_conn *dirty;

    http_conn *conns;
    uc_session *submitted; /* the last that gave the core something this turn */
    uint8_t *in;           /* what is read, by one connection at a time */
    uint8_t *taken;        /* what is taken from the core */
    size_t taken_cap;
    http_date date;
    uint64_t requests; /* so many have come */
    char prefix[24];   /* of their ids */
    _Atomic bool draining, stopping;
} http_loop;

/* Binds, and starts its thread. False with what is wrong said. */
bool http_loop_start(http_loop *l);
/* From any thread. */
void http_loop_drain(http_loop *l);
void http_loop_stop(http_loop *l); /* waits for its thread */

/* The core has something for c. Any thread; see uc_wake_fn. */
void http_loop_wake(void *conn);
/* c is not to be woken any more. */
void http_loop_forget(http_loop *l, http_conn *c);
/* c is closed: its session may end. */
void http_loop_bury(http_loop *l, http_conn *c);
/* c has come, or gone. */
void http_loop_add(http_loop *l, http_conn *c);
void http_loop_remove(http_loop *l, http_conn *c);

/* Room for n bytes in l->taken. */
bool http_loop_room(http_loop *l, size_t n);

#endif

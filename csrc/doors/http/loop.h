#ifndef UD_HTTP_LOOP_H
#define UD_HTTP_LOOP_H

#include <stdatomic.h>
#include <uv.h>

#include "common/buf.h"
#include "common/thread.h"
#include "doors/http/answer.h"
#include "doors/http/constant.h"
#include "doors/http/note.h"
#include "doors/http/server.h"
#include "doors/http/serving.h"
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
    const uc_session *home; /* that has the routes: others are beside it */
    http_current *current;  /* routes */
    http_reaper *reaper;
    _Atomic uint64_t *open;   /* connections of all loops */
    _Atomic uint64_t *let_in; /* so many have come */
    _Atomic int64_t *held;    /* bytes that they hold, about */
    http_noting noting;
    int fd;                        /* listens; the loop's from its start on */
    void (*on_drained)(void *arg); /* all of its connections have ended */
    void *arg;

    uc_thread thread;
    uv_loop_t uv;
    uv_async_t async;
    uv_check_t check;
    uv_timer_t sweep;
    uv_poll_t listener;
    bool listening; /* until it drains */
    bool paused;    /* somebody could not be let in: the sweep tries again */
    bool drained;   /* on_drained was called */
    http_serving *serving; /* the routes of this turn */
    uint32_t number;       /* of them */
    http_constants constants;

    uc_mutex mu; /* guards `dirty` and what connections say of it */
    http_conn *dirty;

    http_conn *conns;
    uc_session *submitted; /* the last that gave the core something this turn */
    uint8_t *in;           /* what is read, by one connection at a time */
    uint8_t *taken;        /* what is taken from the core */
    size_t taken_cap;
    http_date date;
    uint64_t requests;  /* so many have come */
    bool told_no_table; /* that there are no sessions has been said */
    char prefix[24];    /* of their ids */
    uint8_t prefix_len;
    _Atomic bool draining, stopping;
} http_loop;

/* Starts its thread. False with what is wrong said; then all but the struct is
 * gone. */
bool http_loop_start(http_loop *l);
/* From any thread. */
void http_loop_drain(http_loop *l);
/* There are other routes. */
void http_loop_renew(http_loop *l);
/* Waits for its thread. Its connections are the reaper's, and wake it in vain;
 * free it when that has ended. */
void http_loop_stop(http_loop *l);
void http_loop_free(http_loop *l);

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

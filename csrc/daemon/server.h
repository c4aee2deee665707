#ifndef UD_SERVER_H
#define UD_SERVER_H

#include <nng/nng.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "accept.h"
#include "claim.h"
#include "common/thread.h"
#include "config.h"
#include "dbs.h"
#include "front.h"
#include "lines.h"

/*
 * The daemon: one loop (signals, timers, replies that come from the core's
 * threads, shutdown) around connections that live on nng's threads.
 *
 * Locks in order: ud_server.mu, ud_conn.mu, the core's, ud_server.queue_mu.
 */
enum { UD_PORTS = 4 };

typedef struct ud_server {
    const ud_config *config;
    ud_dbs *dbs;
    ud_lines *lines;       /* NULL: no log */
    const ud_front *front; /* NULL: none */
    uv_work_t reload;      /* of the front */
    bool reloading, reload_again;
    _Atomic bool front_ended; /* or there is none */
    uint64_t traffic;         /* of the front, when the idle time began */
    int64_t started;          /* uc_now() */

    uv_loop_t loop;
    uv_async_t async;
    uv_signal_t terminate, interrupt, hangup;
    uv_timer_t sweep; /* runs only while somebody's time may run out */
    uv_timer_t idle;  /* --idle-exit */
    uv_timer_t drain; /* the end of the shutdown's time */
    uv_timer_t again; /* accepting, after descriptors ran out */
    uv_timer_t spool; /* what clients of the log have left */

    ud_listener listeners[UD_PORTS];
    unsigned nlisteners;

    uc_mutex mu; /* the list */
    ud_conn *conns;

    uc_mutex queue_mu;
    ud_conn *dirty; /* have replies to take, by the loop */
    ud_conn *dead;  /* are to be freed, by the reaper */
    uc_cond dead_cond;
    bool reaper_stop;
    uc_thread reaper;

    _Atomic int64_t charged; /* bytes that all connections hold, about */
    _Atomic bool draining;
    _Atomic bool watching; /* the sweep runs or has been asked for */

    /* What `door` tells. */
    _Atomic uint64_t open, accepted, refused, faults;
    _Atomic uint64_t requests, bytes_in, bytes_out;
} ud_server;

/*
 * Serves on the ports, UD_PORTS at most, and beside them the front, until a
 * signal or the idle time ends it, drains, and closes all connections. The
 * databases and the log stay the caller's. Exit code of the process; what went
 * wrong has been said.
 */
int ud_serve(const ud_config *config, ud_dbs *dbs, ud_lines *lines,
             const ud_port *ports, unsigned nports, const ud_front *front);

/* ---- for connections; any thread (queue.c) ---- */

/* Has the loop call ud_conn_flush(c); takes a reference. queue_mu must not be
 * held; c must not be dead. */
void ud_server_wake(ud_server *sv, ud_conn *c);
/* Somebody's time may run out: starts the sweep unless it runs. */
void ud_server_watch(ud_server *sv);
/* The last reference of c is gone: the reaper frees it. */
void ud_server_bury(ud_server *sv, ud_conn *c);

#endif

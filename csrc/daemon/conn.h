#ifndef UD_CONN_H
#define UD_CONN_H

#include <stdalign.h>

#include "common/buf.h"
#include "common/err.h"
#include "door.h"
#include "server.h"
#include "uc.h"

/*
 * One connection: a state machine between a stream of nng and a session of the
 * core. Bytes come in on one of nng's threads (one at a time), its door cuts
 * them into requests, which go to the core as one batch a burst. Replies are
 * taken by whoever is first to see them (the thread that read, the one that
 * sent, or the loop) and leave one send at a time. What the bytes mean is the
 * door's business alone (door.h).
 *
 * References: one of the server until the connection is shut, one of each
 * operation of nng that is under way, one of the queue of the woken.
 */
typedef enum ud_state {
    UD_OPEN,
    UD_DRAINING,  /* nothing is read any more; what is in flight ends */
    UD_LINGERING, /* the reason has been said: the client may read it */
    UD_SHUT
} ud_state;

typedef enum ud_pause {
    UD_READS,
    UD_WAITS_FOR_CLIENT, /* who has to read replies first */
    UD_WAITS_FOR_MEMORY
} ud_pause;

struct ud_conn {
    ud_conn *prev, *next; /* server->conns, under server->mu */
    ud_conn *qnext;       /* server->dirty or ->dead, under queue_mu */
    bool queued;          /* queue_mu */
    bool dead;            /* queue_mu: must not be queued any more */
    ud_server *sv;
    const ud_door *door;
    uint64_t number; /* in messages */
    uint64_t pid;    /* of the peer, as it was when it connected; 0: unknown */
    _Atomic uint32_t refs;
    /* Replies will be looked for without a wake-up: reasons, as bits. */
    _Atomic uint32_t looking;
    _Atomic bool closing; /* the stream is being closed, or is */

    nng_stream *stream;
    nng_aio *rx, *tx;

    uc_mutex mu;
    ud_state state;
    const ud_db *db;
    uc_session *session; /* NULL until ud_conn_bind */
    bool reading;        /* rx, or its callback, has the buffer */
    bool handing_over;   /* and the core is just being given what was in it */
    bool stalled;        /* the door has enough: see `cut` */
    bool sent_meanwhile; /* while it was cutting */
    ud_pause pause;
    bool trimming; /* and was stopped to make the buffer small again */
    bool sending;  /* tx is under way and has out */
    bool send_due, recv_due; /* what ud_unlock begins */

    /* Bytes that came in; rx's while reading, then its callback's. */
    uint8_t *in;
    size_t in_len, in_cap;
    int64_t charged; /* its part of the server's */

    uc_buf own; /* what the door says that is not the core's */
    uint8_t *out;
    size_t out_off, out_len, out_cap;

    /* uc_now_coarse() terms, 0: not running. */
    int64_t wait_since; /* the client owes something: see ud_await */
    int64_t wait_ms;    /* and may owe it for so long */
    int64_t sent_since; /* a send has made no progress */
    int64_t linger_until;
    int64_t active; /* the last time that anything came in */

    alignas(max_align_t) uint8_t part[]; /* the door's */
};

/*
 * Takes over a stream that was accepted. refusal: NULL, or why it is not
 * served; the client is told and the connection ends. False, with the stream
 * freed, when memory ran out.
 */
bool ud_conn_open(ud_server *sv, const ud_door *door, nng_stream *stream,
                  const uc_error *refusal);

/* Takes replies and sends them, unless a send is under way. Any thread. */
void ud_conn_flush(ud_conn *c);
/* Gives a reference back. */
void ud_conn_unref(ud_conn *c);
/* Closes what has run out of time; gives back memory that idles. tight: too
 * much memory is in use. True while it should be looked at again. Loop;
 * server->mu is held. */
bool ud_conn_sweep(ud_conn *c, int64_t now, bool tight);
/* Stops reading; says good-bye when nothing is in flight any more. Loop. */
void ud_conn_drain(ud_conn *c);
/* Ends it at once. Any thread. */
void ud_conn_shut(ud_conn *c);
/* Frees it and ends its session, which may wait for a statement to notice.
 * Nothing of it is under way any more. Reaper. */
void ud_conn_free(ud_conn *c);

/* ---- for its door; c->mu is held ---- */

/* The door's own part. */
static inline void *ud_part(ud_conn *c)
{
    return c->part;
}

/* Opens the session. False with *e filled. */
bool ud_conn_bind(ud_conn *c, const ud_db *db, bool readonly, uc_error *e);

/*
 * Hands frames that lie side by side to the core, see uc_submit. Lets c->mu go
 * meanwhile: the core may serve reads on this very thread, and a send must not
 * wait. hint: as there; with UC_HINT_ASSIST alone this thread is offered. False
 * when memory ran out and the core took nothing.
 */
bool ud_submit(ud_conn *c, const uint8_t *frames, size_t len, uint32_t count,
               unsigned hint);

/* The client has `ms` from now on to send what is missing; after that `late`
 * says what that was. Time in which it is not read does not count where it was
 * the client who had to read. 0: nothing is missing. */
void ud_await(ud_conn *c, int64_t ms);

/* Makes room for `cap` bytes in c->out. False when memory ran out. */
bool ud_out_room(ud_conn *c, size_t cap);

/* Nothing more is read; when what is in flight is answered and `goodbye` is
 * said, it ends. */
void ud_finish(ud_conn *c);

/* The client broke a rule: it is told why and the connection ends. */
void ud_conn_fault(ud_conn *c, const uc_error *e);

/* ---- between conn.c, in.c and out.c; c->mu is held ---- */

/* Why replies will be looked for anyway: a send is under way, or requests are
 * being handed over. */
enum { UD_LOOKING_SEND = 1, UD_LOOKING_READ = 2 };

/* The buffer of a connection that idles. */
enum { UD_IN_FIRST = 16 << 10 };

/* More than this of the memory that all share is not just a share. */
enum { UD_FAIR = 1 << 20 };

void ud_conn_ref(ud_conn *c);
/* Lets c->mu go, then begins what was prepared under it: the callback may run
 * on another thread at once, and would only wait for the mutex. The caller has
 * a reference, or server->mu. */
void ud_unlock(ud_conn *c);
/* Brings its part of the server's account up to date. */
void ud_conn_charge(ud_conn *c);
/* Ends the connection; c->mu is free afterwards. */
void ud_shut_unlock(ud_conn *c);
/* Nothing more is taken from the client, who may read for so long. */
void ud_linger(ud_conn *c, int64_t ms);

/* in.c. Tells the core that the client is not read any more, once it has all
 * that was. */
void ud_last(ud_conn *c);
/* Reads on, unless that is under way or too much waits to be sent. */
void ud_receive(ud_conn *c);
/* Has the door look again at what it has stalled. Not on the loop. */
void ud_cut_again(ud_conn *c);
void ud_on_received(void *arg);

/* out.c. ud_conn_flush with the lock held. */
void ud_flush(ud_conn *c);
void ud_on_sent(void *arg);
/* Bytes that wait for the client to read them. */
size_t ud_unsent(ud_conn *c);
void ud_out_drop(ud_conn *c);

#endif

#ifndef UD_CONN_H
#define UD_CONN_H

#include "common/buf.h"
#include "common/err.h"
#include "desk/op.h"
#include "doors/sp/ids.h"
#include "doors/sp/sp.h"
#include "server.h"
#include "uc.h"

/*
 * One connection: a state machine between a stream of nng and a session of the
 * core. Bytes come in on one of nng's threads (one at a time), whole messages
 * go to the core as one batch a burst, replies are taken by whoever is first
 * to see them (the thread that read, the one that sent, or the loop) and leave
 * one send at a time.
 *
 * References: one of the server until the connection is shut, one of each
 * operation of nng that is under way, one of the queue of the woken.
 */
typedef enum ud_state {
    UD_GREETING, /* the client's hello has not come yet */
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
    uint64_t number; /* in messages */
    uint64_t pid;    /* of the peer, as it was when it connected */
    _Atomic uint32_t refs;
    /* Replies will be looked for without a wake-up: reasons, as bits. */
    _Atomic uint32_t looking;
    _Atomic bool closing; /* the stream is being closed, or is */

    nng_stream *stream;
    nng_aio *rx, *tx;

    uc_mutex mu;
    ud_state state;
    bool spoken; /* a request has come: it is too late for `hello` */
    const ud_db *db;
    uc_session *session; /* opened by the first request */
    ud_ids ids;
    uint32_t standing; /* of them: those that end with the connection */
    bool reading;      /* rx, or its callback, has the buffer */
    bool handing_over; /* and the core is just being given what was in it */
    ud_pause pause;
    bool trimming; /* and was stopped to make the buffer small again */
    bool sending;  /* tx is under way and has out */
    bool send_due, recv_due; /* what ud_unlock begins */

    /* Bytes that came in; rx's while reading, then its callback's. */
    uint8_t *in;
    size_t in_len, in_cap;
    int64_t charged; /* its part of the server's */

    uc_buf own; /* answers that are not the core's */
    uint8_t *out;
    size_t out_off, out_len, out_cap;

    /* uc_now_coarse() terms, 0: not running. */
    int64_t greet_since;   /* waits for the hello */
    int64_t message_since; /* the front of a message is there */
    int64_t sent_since;    /* a send has made no progress */
    int64_t linger_until;
    int64_t active; /* the last time that anything came in */
};

/*
 * Takes over a stream that was accepted. refusal: NULL, or why it is not
 * served; the client is told and the connection ends. False, with the stream
 * freed, when memory ran out.
 */
bool ud_conn_open(ud_server *sv, nng_stream *stream, const uc_error *refusal);

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

/* ---- between conn.c, in.c, out.c and door.c; c->mu is held ---- */

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
void ud_on_received(void *arg);

/* out.c. ud_conn_flush with the lock held. */
void ud_flush(ud_conn *c);
void ud_on_sent(void *arg);
/* Bytes that wait for the client to read them. */
size_t ud_unsent(ud_conn *c);
void ud_out_drop(ud_conn *c);

/* Opens an answer to the message `sp` in c->own; write the frame, then close
 * it with what this returned. */
size_t ud_answer_open(ud_conn *c);
void ud_answer_close(ud_conn *c, size_t at, uint32_t sp);
void ud_answer_error(ud_conn *c, uint32_t sp, uint32_t id, const uc_error *e);
/* The client broke a rule: it is told why and the connection ends. */
void ud_conn_fault(ud_conn *c, const uc_error *e);
/* Binds it to a database. False with *e filled. */
bool ud_conn_bind(ud_conn *c, const ud_db *db, bool readonly, uc_error *e);

#endif

#ifndef UD_HTTP_CONN_H
#define UD_HTTP_CONN_H

#include <uv.h>

#include "doors/http/frame.h"
#include "doors/http/loop.h"
#include "doors/http/order.h"
#include "doors/http/parse.h"
#include "doors/http/who.h"
#include "uc.h"

enum { HTTP_HOST_KEPT = 63 }; /* bytes of a Host: a longer one is read anew */

/*
 * A connection of a loop, and its session. All of it belongs to the loop's
 * thread but what `dirty` says: the core wakes it from any.
 *
 * A session is opened with the first request. It ends on the reaper's thread,
 * since what runs has to notice first; until then the connection stays.
 */
struct http_conn {
    http_conn *prev, *next; /* loop->conns */
    http_conn *dnext;       /* loop->dirty, or the reaper's list */
    bool dirty;             /* in the list; loop->mu */
    bool dead;              /* not to be put there any more; loop->mu */
    http_loop *loop;
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } io;
    http_parser *parser;
    http_order order;
    uc_session *session; /* NULL: nothing has been asked yet */

    uint32_t announced; /* number of a request whose body is still to come */
    uc_buf frames;      /* of this turn, for the core */
    uint32_t nframes;
    uc_buf left; /* what was read while too much was under way */

    http_who *who;    /* NULL: nobody has come with a session yet */
    uint32_t unknown; /* number of the request of which it is asked who has sent
                         it; 0: none */

    uc_buf out, sending; /* to be written; being written */
    uv_write_t write;
    uv_shutdown_t shutdown;
    bool is_sending;
    bool reading;
    bool ended;     /* nothing more comes in */
    bool lingering; /* all has been said: the client may read it */
    bool closing;

    int64_t since;         /* uc_now_coarse(): of the phase that it is in */
    http_phase phase;      /* of the parser, as it was then */
    int64_t sending_since; /* no progress since then */
    size_t sending_left;   /* bytes, as it was then */
    size_t sending_from;   /* what of it has been sent before */
    size_t counted;        /* bytes that are in *loop->held */

    /* A Host that was found to be ours: the next request has the same. */
    uint8_t host[HTTP_HOST_KEPT];
    uint8_t host_len; /* 0: none yet */

    char ip[HTTP_IP]; /* of the peer */
    uint8_t ip_len;   /* 0: a unix socket */
    bool trusted;     /* a proxy whose word counts */

    uint32_t probe; /* number of a request for health that waits; 0: none */
    int64_t probe_since;
};

/* A client that has been let in. */
void http_conn_open(http_loop *loop, int fd);
/* Takes what the core has replied, and writes it. */
void http_conn_flush(http_conn *c);
/* What was asked for is the last. */
void http_conn_drain(http_conn *c);
/* Ends it when its time is over. */
void http_conn_sweep(http_conn *c, int64_t now);
void http_conn_close(http_conn *c);
/* On the reaper's thread. */
void http_conn_free(http_conn *c);

/* ---- between its files: conn.c, ask.c, reply.c, sweep.c ---- */

enum { HTTP_ID = 128, HTTP_ID_ROOM = HTTP_ID + 1 /* of a request, as text */ };

/* The client's id of a request, or ours; in room. */
uc_view http_conn_id(const http_conn *c, const http_asked *asked,
                     char room[HTTP_ID_ROOM]);
/* Answers a request with *a, and what each answer has. */
void http_conn_answer(http_conn *c, uint32_t number, const http_answer *a);
/* The same with a sentence. */
void http_conn_answer_text(http_conn *c, uint32_t number, unsigned status,
                           const char *sentence);
/* Answers with what the core has replied. */
void http_conn_take(http_conn *c);

/* ask.c: what is known of a request, with a note where there are lines. */
http_asked http_conn_asked_by(http_conn *c, const http_request *q);
/* Whether it is for us by its name. */
bool http_conn_host_is_ours(http_conn *c, uc_view host);
/* Appends what the core is asked for it, or for who has sent it. Look at
 * c->frames.failed. */
void http_conn_put_frame(http_conn *c, uint32_t number, const http_request *q);

/* After whatever has happened: goes on, or ends. */
void http_conn_go_on(http_conn *c);
/* What cannot be read, or is late, is answered after all that was asked. */
void http_conn_refuse(http_conn *c, unsigned status, const char *text);
/* Nothing more is taken from the client. */
bool http_conn_is_closed(const http_conn *c);

/* What it holds now is counted, roughly, with all that others do. */
void http_conn_count(http_conn *c);
/* All of them hold more than they may. */
bool http_conn_is_tight(const http_conn *c);

#endif

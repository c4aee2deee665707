#ifndef UC_CORE_CALL_H
#define UC_CORE_CALL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/view.h"
#include "desk/op.h"
#include "wire/reader.h"

/*
 * A call is one request between its arrival and its reply; a batch is the
 * calls that a door handed over together, with the bytes they point into. The
 * batch holds a reference to its session and frees itself with its last call.
 *
 * States of a call (atomic, because cancel and deadlines come from elsewhere):
 *   QUEUED -> RUNNING -> DONE                     reads, calls in transactions
 *   QUEUED -> RUNNING -> RAN -> DONE              writes of a group: RAN until
 *                                                 the group's commit is known
 *   QUEUED -> DONE                                cancelled, expired, refused
 *   RAN -> ANSWERED -> DONE                       deadline passed before the
 *                                                 commit: 'unknown' was sent
 */
typedef enum uc_call_state {
    UC_CALL_QUEUED,
    UC_CALL_RUNNING,
    UC_CALL_RAN,
    UC_CALL_ANSWERED,
    UC_CALL_DONE
} uc_call_state;

/* Of a trace's id, and of the span's in it that the call belongs to. */
enum { UC_TRACE_BYTES = 16 + 8 };

/* Why a call should stop; the first reason wins. */
enum { UC_STOP_NONE = 0, UC_STOP_ABORT = 1, UC_STOP_TIMEOUT = 2 };

struct uc_session;
typedef struct uc_batch uc_batch;

typedef struct uc_call {
    struct uc_call *next; /* link of whatever queue holds it */
    uc_batch *batch;
    struct uc_session *session;
    const uc_op *op;
    uint32_t id; /* 0: no reply wanted */
    uint32_t nargs;
    uc_reader args;   /* at the first argument */
    uint64_t tx;      /* meta x, 0 = none */
    uint64_t snap;    /* meta s, 0 = none */
    uint64_t inside;  /* meta i: a transaction that waits for it, 0 = none */
    bool repeat;      /* meta r: it may have run before; see uc__may_repeat */
    bool unsure;      /* its session's transaction is at work: for the cache */
    uint8_t again;    /* how often an engine has put it back into its queue */
    bool alone;       /* an engine's: nothing is to wait behind it */
    uc_view once;     /* meta o, p NULL = none */
    uc_view trace;    /* meta w: UC_TRACE_BYTES, p NULL = none */
    int64_t deadline; /* uc_now() terms, 0 = none */
    _Atomic int state;
    _Atomic int stop;
    int64_t rows; /* that it answered or changed, -1 when it is not known */
    struct uc_stmt *stmt;     /* interned statement, referenced */
    struct uc_parts *parts;   /* those of a batch */
    struct uc_routed *routed; /* a request to a route */
    struct uc_lease *lease;   /* that it must run on */
    uint64_t wseq;     /* place in the order of writes, 0 = not a write */
    uint64_t after;    /* runs when all writes up to here are done */
    uint64_t after_tx; /* and this transaction has ended */
} uc_call;

struct uc_batch {
    uc_batch *next;
    struct uc_session *session;
    int64_t t0; /* uc_now() at arrival */
    _Atomic uint32_t left;
    uint32_t count;
    uint32_t parsed;
    size_t bytes;
    bool is_small; /* its memory may be the session's next one */
    uc_reader rest;
    uc_call calls[];
};

/* A queue of calls, linked through `next`. No locking of its own. */
typedef struct uc_calls {
    uc_call *head;
    uc_call *tail;
    uint32_t n;
} uc_calls;

static inline void uc_calls_push(uc_calls *q, uc_call *c)
{
    c->next = NULL;
    if (q->tail != NULL)
        q->tail->next = c;
    else
        q->head = c;
    q->tail = c;
    q->n++;
}

static inline void uc_calls_push_front(uc_calls *q, uc_call *c)
{
    c->next = q->head;
    q->head = c;
    if (q->tail == NULL)
        q->tail = c;
    q->n++;
}

static inline uc_call *uc_calls_pop(uc_calls *q)
{
    uc_call *c = q->head;

    if (c != NULL) {
        q->head = c->next;
        if (q->head == NULL)
            q->tail = NULL;
        q->n--;
    }
    return c;
}

static inline void uc_calls_append(uc_calls *to, uc_calls *from)
{
    if (from->head == NULL)
        return;
    if (to->tail != NULL)
        to->tail->next = from->head;
    else
        to->head = from->head;
    to->tail = from->tail;
    to->n += from->n;
    *from = (uc_calls){0};
}

/* NULL when memory ran out. References s. */
uc_batch *uc__batch_new(struct uc_session *s, const uint8_t *frames, size_t len,
                        uint32_t count);

/*
 * The next call of the batch, parsed as far as its arguments, or NULL at the
 * end. On a frame that cannot be read *e is filled (e->code != NULL) and the
 * call, which then only has an id (0 if that was not readable either), must
 * be answered with it.
 */
uc_call *uc__batch_next(uc_batch *b, uc_error *e);

/* Parses one frame into a call of the caller's (sync calls: no batch). last:
 * no frame follows, so the arguments need not be walked to find their end. */
bool uc__call_parse(uc_call *c, uc_reader *r, int64_t t0, bool last,
                    uc_error *e);

/* The call is over and its reply, if any, published. It is gone after this. */
void uc__call_finish(uc_call *c);
/* Publishes one error reply, where one is wanted. */
void uc__call_tell(uc_call *c, const uc_error *e);
/* The same, and finishes the call. */
void uc__call_fail(uc_call *c, const uc_error *e);
/* n calls of one batch at once. */
void uc__batch_finish(uc_batch *b, uint32_t n);

#endif

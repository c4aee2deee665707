#ifndef UC_CORE_DESK_QUEUE_H
#define UC_CORE_DESK_QUEUE_H

#include "desk/call.h"

/*
 * Where calls wait. An engine takes from the head of a queue when it has a
 * thread or a connection for it, so that what a cancel, a deadline and a
 * session that ends look for is in one place whatever the engine.
 */
typedef struct uc_queues {
    uc_calls reads;
    uc_calls parked; /* reads that wait for a write or a transaction's end */
    uc_calls writes;
    uc_calls tx; /* of open transactions and streams of rows */
} uc_queues;

/* What a thread has taken from a queue, so that cancel finds it. Under mu. */
typedef struct uc_worker {
    struct uc_worker *next;
    uc_call **calls;
    uint32_t n;
} uc_worker;

struct uc_engine;

/* What the call has to wait for is done. Under mu. */
bool uc__may_run(const struct uc_engine *e, const uc_call *c);
/* Recomputes wdone and lets parked reads go. Under mu. */
void uc__settle(struct uc_engine *e);
/* Hands a read that was among the writes to the readers, or parks it. Under mu.
 */
void uc__forward(struct uc_engine *e, uc_call *c);
/* Queues the next call of a lease that has come free. Under mu. */
void uc__lease_next(struct uc_engine *e, struct uc_lease *l);
/* Removes the call (session, id) or, with id 0, all calls of the session from
 * the queues, and from *fresh unless that is NULL, and returns them. Under mu.
 */
uc_calls uc__unqueue(struct uc_engine *e, uc_queues *fresh,
                     struct uc_session *s, uint32_t id);
/* Asks running calls of the session (id 0: all) to stop. Under mu. */
void uc__stop_running(struct uc_engine *e, struct uc_session *s, uint32_t id,
                      int reason);
/* Begins and ends to be a thread that runs calls. Takes mu. */
void uc__worker_add(struct uc_engine *e, uc_worker *w);
void uc__worker_remove(struct uc_engine *e, uc_worker *w);
/* Tells cancel what a worker has in hand; takes mu. n 0: nothing any more. */
void uc__worker_hold(struct uc_engine *e, uc_worker *w, uc_call **calls,
                     uint32_t n);
/* Moves what is too late to *out, and says 'unknown' of what has run and whose
 * commit is not known. Returns the next moment, 0 for none. Under mu. */
int64_t uc__expire(struct uc_engine *e, int64_t now, uc_calls *out);

/* Makes the keeper look at a deadline in time. Under mu. */
void uc__deadline(struct uc_engine *e, int64_t at);
/* Wakes the keeper if the cache is impatient; not under mu. */
void uc__hurry(struct uc_engine *e);

#endif

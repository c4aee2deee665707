#ifndef UC_CORE_LOG_INNER_H
#define UC_CORE_LOG_INNER_H

#include <stdatomic.h>
#include <sys/types.h>

#include "common/thread.h"
#include "log/drain.h"
#include "log/log.h"
#include "log/place.h"
#include "log/ring.h"

/*
 * A log as its own files have it: log.c opens and ends it, put.c is what
 * callers' threads do, flush.c who waits for the file, keeper.c its thread.
 *
 * Locks in order: the registry's (log.c), mu. No file is written and nobody
 * waits under mu, but for a ring that is made because the last one is full.
 */
#define UC__LOG_OLDER 16

/* All that was put up to there. */
typedef struct uc__point {
    uint64_t gen, pos;
} uc__point;

typedef struct uc__waiter {
    struct uc__waiter *next;
    uc__point point;
    bool sync, asked, reached;
    uint32_t number;   /* of the sync, once it is asked for */
    uint32_t failures; /* the place's, then */
    int64_t deadline;
    void (*fn)(void *arg, bool ok);
    void *arg;
} uc__waiter;

struct uc_log {
    uc_log *next; /* in the registry, whose mutex has these five */
    uint32_t refs;
    pid_t pid; /* a forked child's copy is not its log */
    dev_t dev;
    ino_t ino;
    uc_log_options o; /* with strings of its own */
    char id[UC_RING_NAME + 1];

    uc_mutex mu;
    uc_ring *ring;
    uc_ring *older[UC__LOG_OLDER]; /* sealed, the oldest first */
    uint32_t nolder;
    uint64_t lines, bytes, dropped, blocked;
    /* Dropped, and no line says so yet; for being too long. */
    uint64_t untold, untold_long;
    bool dropping;   /* a wait was in vain: no other until there is room */
    uc_place *place; /* NULL: not yet, for want of disk. The thread's to set */
    uc_place *left;  /* those whose directory has gone; until the end */
    uc_drain *drain; /* of an owner. The thread's to set */
    uc__waiter *waiters;
    char error[200];
    /* What the thread can see without mu, which a caller's thread would have to
     * wait for if this one were interrupted with it. */
    _Atomic uint64_t youngest; /* the ring's generation */
    _Atomic uint32_t nwaiters;

    uc_thread thread;
    _Atomic uint32_t
        nudge; /* a futex: for the thread, unless it is the owner */
    _Atomic bool stop;
    _Atomic int64_t until; /* to write what is left, in uc_now()'s terms */

    /* Who frees it: the last reference's holder, or the thread when that one
     * did not want to wait for it any longer. */
    uc_mutex end_mu;
    uc_cond ends;
    bool ended, left_alone;

    /* The thread's alone. */
    uint64_t adopted; /* its rings are read up to this generation */
    uint64_t warm;    /* bytes of the ring that are in memory */
    int64_t next_claim, next_place, next_look, next_check, last_busy;
    bool drowsy;
};

/* --- put.c; under mu ------------------------------------------------------ */

/* Puts the lines that say how many were dropped, if there are any and they have
 * room. */
void uc__log_tell(uc_log *l);
/* Lets go of older rings that are empty. */
void uc__log_prune(uc_log *l);

/* --- flush.c -------------------------------------------------------------- */

/* Under mu: what has been put so far, and whether all of it is in the file. */
uc__point uc__log_point(const uc_log *l);
bool uc__log_reached(const uc_log *l, uc__point p);
/* Calls back who waits no longer; with end everybody. Returns when the first of
 * the others has to be told, INT64_MAX when there are none. Without mu. */
int64_t uc__log_answer(uc_log *l, int64_t now, bool end);
/* Makes the thread look, and the owner's. Under mu. */
void uc__log_nudge(uc_log *l);

/* --- keeper.c ------------------------------------------------------------- */

/* Becomes the owner if there is none. False: there is one, or e says why it
 * cannot be this one. */
bool uc__log_take_over(uc_log *l, uc_error *e);
void *uc__log_keep(void *log);

/* --- take.c --------------------------------------------------------------- */

/* A ring for the log in its place. NULL: *err; e is made unless that passes. */
uc_ring *uc__log_new_ring(uc_log *l, int *err, uc_error *e);
/* The same, as a copy of the one in memory. Under mu, since somebody may put.
 */
uc_ring *uc__log_copy_ring(uc_log *l, int *err);

#endif

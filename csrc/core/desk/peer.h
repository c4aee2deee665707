#ifndef UC_CORE_DESK_PEER_H
#define UC_CORE_DESK_PEER_H

#include "desk/call.h"
#include "desk/stmt.h"

struct uc_engine;
struct uc_session;

/*
 * A session's side of its database. An engine puts it in front of what it needs
 * itself. Calls of a session keep the database open, but those of a closing one
 * may end while its door's thread is still in here: the database waits for
 * `visitors`, too, and once the peer is `leaving` lets no more in.
 */
typedef struct uc_peer {
    struct uc_peer *next; /* uc_engine.peers, under mu */
    struct uc_session *session;
    struct uc_engine *engine;
    bool readonly;
    _Atomic bool closing;
    uc_error failed; /* of this handle alone (option conflict); code or NULL */
    uc_stmt **sids;  /* by number; route_mu and stmts.mu, see lookup.h */
    uint32_t nsids;
    uint64_t last_wseq;        /* of the last write routed; route_mu */
    uint64_t ending_tx;        /* of the last tx_end routed; route_mu */
    _Atomic uint32_t live;     /* calls submitted and not finished */
    _Atomic uint32_t unrouted; /* batches submitted and not routed */
    _Atomic bool last;         /* and no more will be */
    _Atomic uint32_t visitors; /* threads of the door in here */
    _Atomic bool leaving;
    unsigned long owner; /* the thread that opened it */
    uc_call *close_call; /* answered when only it is left; mu */
    uint32_t watches;    /* standing; the board's mu */
    _Atomic bool gone;   /* the database is none of its business any more */
    bool sync_ready;     /* its thread's: the database is known to be open */
    int64_t sync_now;    /* when the sync call under way began */
    _Atomic unsigned long thread; /* the thread of its sync call, else 0 */
} uc_peer;

/* A thread of the door comes in: false when the peer is leaving. */
static inline bool uc__visit(uc_peer *p)
{
    atomic_fetch_add(&p->visitors, 1);
    if (!atomic_load(&p->leaving))
        return true;
    atomic_fetch_sub(&p->visitors, 1);
    return false;
}

static inline void uc__visit_end(uc_peer *p)
{
    atomic_fetch_sub(&p->visitors, 1);
}

#endif

#ifndef UC_CORE_DATA_ENGINE_H
#define UC_CORE_DATA_ENGINE_H

#include "common/clock.h"
#include "desk/audit.h"
#include "desk/board.h"
#include "desk/call.h"
#include "desk/finish.h"
#include "desk/lease.h"
#include "desk/options.h"
#include "desk/peer.h"
#include "desk/post.h"
#include "desk/queue.h"
#include "desk/routed.h"
#include "desk/stmt.h"
#include "desk/verdict.h"

/*
 * What a database engine fills in, and what it is given.
 *
 *   door ──submit──> inbox ──route──> queues ──> the engine's threads
 *
 * The desk has read the frame, found the statement, refused what is read-only,
 * repeated or too much, set the deadline, found the lease and put the call into
 * a queue in the order of arrival. The engine takes calls from the queues when
 * it has something to run them with, answers each by uc__session_publish() and
 * ends it by uc__finish() (or both by uc__refuse()): once, from whichever
 * thread and in whichever order it likes. Nothing above it assumes that a call
 * holds a thread.
 *
 * An engine takes calls and is not handed them, because then what a cancel, a
 * deadline and a session that ends look for is in one place, and because an
 * engine that groups calls (one read transaction, one commit, one round trip)
 * does so at the moment when it comes free. It has no thread of the desk's
 * between itself and a door: routing is done by its own threads and by the
 * door's, whichever comes first.
 *
 * An engine's duties
 *  1. A thread of its own calls uc__route(e, false) whenever it is woken and
 *     before it sleeps; it does not sleep while uc__route_wanted(e) (under mu,
 *     where it would be woken).
 *  2. What a thread has taken it holds in a uc_worker (uc__worker_hold), so
 *     that it is found; before a call is begun, and while it runs, it looks
 *     whether it should stop (uc__call_over, uc_call.stop, uc_call.deadline).
 *  3. Before a write is begun running_first is its number, or a smaller one of
 *     a write that runs beside it; after the last of them it is 0, and
 *     uc__settle lets the reads behind them go. A read that stood among the
 *     writes because nothing was known of its class is passed on to the reads
 *     (uc__forward).
 *  4. A call with a lease has it claimed: the engine runs it and calls
 *     uc__lease_done.
 *  5. After a commit, and before it is told to anybody: the cache
 *     (uc_cache_tables_changed) and the board (uc__board_changed) hear of it.
 *  6. A call between its statement and the commit that keeps it is in the state
 *     UC_CALL_RAN: a deadline that passes then is answered 'unknown'.
 *
 * What an engine has not it says with a pointer that is NULL: a set of bits
 * beside that could say another thing.
 *
 * Locks in order: route_mu, the engine's own that are held while it runs
 * something, mu, the engine's others, the cache's, session.mu; stmts.mu is a
 * leaf. Nothing runs under mu.
 */
typedef struct uc_engine uc_engine;
struct uc_fn_spec;
struct uc_route_set;

/* What `wake` is to wake, under mu. */
enum {
    UC_WAKE_ROUTE = 1, /* a thread that calls uc__route: the inbox has some */
    UC_WAKE_ROUTE_WRITE = 2, /* the same, one that serves writes, if it can */
    UC_WAKE_READ = 4,        /* one that serves reads */
    UC_WAKE_READS = 8,       /* all of them */
    UC_WAKE_WRITE = 16,      /* one that serves writes and transactions */
    UC_WAKE_ORDER = 32,      /* who waits for wdone or ended_tx to move */
    UC_WAKE_STOP = 64,       /* everybody: the state has changed, or `stop` */
    UC_WAKE_LOOK = 128 /* who has calls that wait for others, not for a thread:
                          uc_call.stop of one has changed */
};

typedef struct uc_engine_ops {
    const char *name;
    const char *schema; /* whose tables need no name of it; NULL: main */
    /* Allocated and zeroed by the desk: begin with uc_engine and uc_peer. */
    size_t engine_size, peer_size;

    /* Whether a target (a path, ":memory:", ...) is this engine's. */
    bool (*takes)(const char *target);
    /* Targets with one key share an engine. Owned by the caller; *alone: it is
     * shared with nobody, and NULL is its key. NULL: no memory. */
    char *(*key)(const char *target, bool *alone);
    /* NULL, or: the target is another name of what is open in `other`, and *err
     * says so. */
    bool (*is_same)(const char *target, const uc_engine *other, uc_error *err);
    /* Prepares the engine's part after the desk's, and undoes that; the latter
     * after any init, and when nobody is in the engine any more. */
    bool (*init)(uc_engine *e);
    void (*fini)(uc_engine *e);
    /* Starts its threads, which call uc__opened once; with state UC_FAILED
     * they only route. False: none could be started. */
    bool (*start)(uc_engine *e);
    /* No session is left: ends the threads and lets go of what is open. With
     * fast_stop in haste. */
    void (*stop)(uc_engine *e);

    /* Under mu. what: a set of UC_WAKE_. */
    void (*wake)(uc_engine *e, unsigned what);
    /* NULL: never. What was opened is not there any more, with *err. now: look
     * in any case, and not only each so often. */
    bool (*stale)(uc_engine *e, bool now, uc_error *err);
    /* With stale, for an e that is: another one is at the target by now, which
     * may be opened beside it. */
    bool (*replaced)(const uc_engine *e);
    /* The class of a statement, as far as it can be found out without waiting.
     */
    uc_class (*classify)(uc_engine *e, uc_stmt *s);
    /* The transaction c->tx takes calls of its session; *err otherwise. mu. */
    bool (*tx_is_open)(uc_engine *e, const uc_call *c, uc_error *err);
    /* An open transaction waits for the call (meta i). mu. */
    bool (*tx_waits_for)(uc_engine *e, const uc_call *c);
    /* NULL: only when all up to it are done. Whether the session's own writes
     * up to that number are, though others are not. mu. */
    bool (*writes_done)(const uc_engine *e, const struct uc_session *s,
                        uint64_t upto);
    /* The end of c->tx has been asked for: the number that the session's reads
     * from here on wait for, in an order of the engine's. NULL: the
     * transactions of the engine end in the order of their numbers, and
     * ended_tx is the last one. mu. */
    uint64_t (*tx_ending)(uc_engine *e, const uc_call *c);
    /* All ends up to that number, of the session, have come. With tx_ending.
     * mu. */
    bool (*tx_ended)(const uc_engine *e, const struct uc_session *s,
                     uint64_t number);
    /* A call of an open transaction of the session runs or waits, or one does
     * that is on its way to it. mu. */
    bool (*tx_at_work)(uc_engine *e, const struct uc_session *s, bool more);
    /* Rolls the session's transactions back: it is going. */
    void (*tx_drop)(uc_engine *e, struct uc_session *s);
    /* Appends what a call on a lease that holds rows answers, or *err; the
     * lease is done. Where `single` is set. */
    bool (*page)(uc_engine *e, uc_call *c, uc_buf *out, uc_error *err);
    /* NULL, or: a call's deadline has passed while it waited, as *err says;
     * adds what it has waited for, if that is known. Any thread. */
    void (*late)(uc_engine *e, uc_error *err);
    /* Frees a lease that nobody knows any more. */
    void (*lease_free)(uc_engine *e, uc_lease *l);

    /* NULL: it wakes its own threads. See uc_assist. */
    void (*assist)(uc_engine *e);
    /* NULL: never. See uc_request_now: false, with nothing done, where it
     * cannot be answered at once. */
    bool (*now)(uc_peer *p, uc_call *c, uc_buf *out);
    /* Opens what that needs, on a thread of the engine: there are routes. */
    void (*now_begin)(uc_engine *e);
    /* NULL: it has no blocking calls. Runs c on this thread and appends its
     * reply frame to out, or fills *err (whose code is NULL otherwise). */
    void (*sync)(uc_peer *p, uc_call *c, uc_buf *out, uc_error *err);
    /* NULL, or: the turn that sync reads share is over. */
    void (*turn_end)(uc_peer *p);
    /* NULL: it has no functions in JavaScript. See uc_session_function. */
    bool (*function)(uc_peer *p, const struct uc_fn_spec *spec,
                     const char **error);
    /* The session is going: lets go of what only it used. */
    void (*peer_end)(uc_peer *p);

    /* On the keeper's thread, after tick_wanted was set. */
    void (*tick)(uc_engine *e);
    /* NULL: it sees each commit. Whether others have written since the last
     * time; asked often while there is something in the cache to drop. */
    bool (*look)(uc_engine *e);
    /* NULL: it has no channels. Somebody wants to listen to one: it looks at
     * uc__post_next. Any thread. */
    void (*listens)(uc_engine *e);
    /* The op `stats`. */
    void (*stats)(uc_engine *e, uint32_t id, uc_buf *out);
} uc_engine_ops;

typedef enum uc_state { UC_OPENING, UC_OPEN, UC_FAILED, UC_STOPPED } uc_state;

/* The desk's part of one open database. */
struct uc_engine {
    const uc_engine_ops *ops;
    struct uc_engine *next; /* registry */
    char *key;              /* NULL: nobody else can join it */
    char *target;
    bool listed;     /* in the registry */
    bool single;     /* one connection, on which everything is a write */
    uint32_t npeers; /* registry's lock */
    uc_options opt;
    struct uc_cache *cache; /* NULL: none */

    uc_mutex route_mu; /* serialises routing, hence the order of arrival */
    uc_mutex mu;       /* guards what follows */
    uc_cond open_cond, keeper_cond, closing_cond;
    uc_state state;
    uc_error open_error;
    uc_batch *inbox_head, *inbox_tail;
    _Atomic bool called; /* a thread is to look into the inbox */
    bool routing;        /* one does, and looks again before it leaves */
    uc_queues q;
    _Atomic uint32_t reads_n; /* q.reads.n, for who spins */
    uc_worker *workers;
    uc_peer *peers;
    uc_lease *leases;
    uint64_t expired_leases[16]; /* the last ones, for a better error */
    uint32_t expired_n;
    uint64_t next_id; /* of leases, and of what else the engine numbers */
    struct uc_route_set *sets;     /* the newest first; see desk/routed.h */
    uint32_t nsets;                /* numbers given */
    uc_routed *spare;              /* memory of requests; route_mu */
    _Atomic(uc_routed *) returned; /* the same, of what has ended since */
    _Atomic uint32_t nspares;      /* of both */
    /* Made, under mu, with the first set that has @rate; counting is under
     * route_mu. NULL: none has. */
    struct uc_rates *rates;

    /* Program order: writes have numbers in the order of routing, and a read
     * waits until all up to its session's last one are done. */
    uint64_t routed_wseq;   /* route_mu: the last one given */
    uint64_t wseq;          /* the last one that is in a queue */
    _Atomic uint64_t wdone; /* the last of the unbroken run of finished ones */
    uint64_t running_first; /* first of those that run, 0 = none: engine's */
    _Atomic uint64_t ended_tx; /* the transaction that ended last: engine's,
                                  where it has no tx_ending */

    int64_t next_deadline; /* earliest that the keeper knows of, 0 none */
    bool tick_wanted;      /* set with a signal of keeper_cond */
    bool stop;
    bool fast_stop;    /* the process is on its way out */
    _Atomic bool quit; /* what runs is to be given up */

    uc_board board;
    uc_post post;
    uc_stmts stmts;
    uc_thread keeper_thread;
    bool keeper_started;
};

/* Everything is open, or (err) it will not be. Any thread of the engine, once.
 */
void uc__opened(uc_engine *e, const uc_error *err);
/* Routes what has come in and a thread was called for. wait: whatever has come
 * in, also when another thread is at it. */
void uc__route(uc_engine *e, bool wait);
/* The same, with wait, but wakes no reader: the caller takes the reads, or
 * wakes one itself. */
void uc__route_quietly(uc_engine *e);
/* Whether nobody routes what a thread was called for. Under mu. */
static inline bool uc__route_wanted(const uc_engine *e)
{
    return e->inbox_head != NULL && atomic_load(&e->called) && !e->routing &&
           e->state != UC_OPENING;
}
/* Writes of the session are not done, or a transaction of its has not ended:
 * what reads waits for them. Once all that it has submitted is routed. */
static inline bool uc__writes_pending(const uc_peer *p)
{
    return p->last_wseq > atomic_load(&p->engine->wdone) ||
           p->ending_tx > atomic_load(&p->engine->ended_tx);
}
extern const uc_engine_ops uc_engine_sqlite, uc_engine_pg;

#endif

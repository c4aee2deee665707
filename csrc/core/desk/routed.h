#ifndef UC_CORE_DESK_ROUTED_H
#define UC_CORE_DESK_ROUTED_H

#include "desk/call.h"
#include "desk/peer.h"
#include "desk/stmt.h"
#include "routes/given.h"

/*
 * Requests of routes: the operations routes_load, request and routes_drop.
 *
 *   routes_load   files ──> a set, which is known by its number
 *   request       method, target, headers, body, facts
 *                   ──route──> c->routed, with its route and values
 *                   ──engine──> statement after statement ──> an answer
 *
 * A request that needs no statement (there is no such route, a parameter is
 * wrong) is answered by the thread that routes it.
 */

/* A set of routes, and what the engine has made of its statements. It is the
 * session's that loaded it, and any session of the database may use it: the
 * connections of a door share one. Referenced by the engine's list and by
 * requests under way. */
typedef struct uc_route_set {
    _Atomic uint32_t refs;
    uint32_t number;
    uc_routes *routes;
    uc_serving serving;
    uc_mutex mu;      /* of the engine's, when it looks at a route once more */
    uc_arena mem;     /* of its strings, and of what the engine finds out */
    bool check;       /* its statements' plans are to be looked at as well */
    size_t kept_most; /* bytes of answers */
    struct uc_kept *kept; /* answers of routes with @cache; NULL: none has it */
    const uc_peer *owner;
    struct uc_route_set *next; /* uc_engine.sets, under mu */
} uc_route_set;

enum { UC_ROUTED_HEADERS = 6 /* as many as every set asks for */ };

/* A request under way; it belongs to its call. */
typedef struct uc_routed {
    struct uc_routed *next; /* of those that are not in use */
    uc_route_set *set;
    uc_request q;
    uc_header few[UC_ROUTED_HEADERS];
    uc_header *more; /* where they are more than these */
    uint64_t random; /* the state of :_random's */
    uc_facts facts;
    int64_t changes; /* rows that it has changed */
} uc_routed;

/*
 * Op routes_load, on a thread of the engine: reads the files. check looks at
 * the set with the engine's eyes, and may fill *e; then the set is there and
 * the reply is appended. False with *e.
 */
typedef bool uc_routes_check(void *arg, uc_route_set *set, uc_error *e);
bool uc__routes_load(uc_call *c, uc_routes_check *check, void *arg, uc_buf *out,
                     uc_error *e);
/* Op routes_drop: requests that are under way end as they began. */
bool uc__routes_drop(uc_call *c, uc_buf *out, uc_error *e);
/* A set by its number, referenced; NULL: there is none. */
uc_route_set *uc__set_find(struct uc_engine *e, uint32_t number);
void uc__set_unref(uc_route_set *s);
/* Fills *e, and returns false. */
bool uc__set_unknown(uc_error *e, uint32_t number);
/* The session is going: all of its sets. */
void uc__routes_end(uc_peer *p);

/*
 * Op request, when it is routed. Sets c->routed and, where there is a statement
 * to run, c->stmt. False with *e where the frame is at fault; what is wrong
 * with the request itself stands in c->routed->q.refusal. Under route_mu. A
 * call without a batch may be begun again: for a route with @rate, which
 * counts, that fails.
 */
bool uc__routed_begin(uc_peer *p, uc_call *c, uc_error *e);
void uc__routed_free(uc_call *c);
/* The engine goes: frees what was kept for requests to come. */
void uc__routed_end(struct uc_engine *e);

/* The moment, in uc_now() terms, at which @timeout ends what arrived at t0; 0:
 * none. */
int64_t uc__routed_deadline(const uc_call *c, int64_t t0);

/* How long its statements take together, as far as that is known, in ns; 0:
 * of one of them it is not. */
uint64_t uc__routed_ns(const uc_call *c);

/* Whether it may change something: a POST. */
static inline bool uc__routed_writes(const uc_call *c)
{
    return c->routed->q.route->method == UC_METHOD_POST;
}

/*
 * Statement i of the request with the pieces that were asked for, not
 * referenced: it stays as long as the call. *v: which values of the request its
 * parameters are. NULL with *e.
 */
uc_stmt *uc__routed_statement(uc_call *c, uint32_t i, const uc_variant **v,
                              uc_error *e);

/* How often @repeat wants it, -1: it has none. */
int64_t uc__routed_times(const uc_call *c);
/* It begins once more: :_random is another one. */
void uc__routed_again(uc_call *c);

/* The answer of a request that is refused. */
void uc__routed_refused(uc_call *c, uc_buf *out);
/* Appends what a call that failed with *e answers: an error reply; of a request
 * that has been refused, or that a constraint has, the answer which says so. */
void uc__reply_failure(uc_buf *out, uc_call *c, const uc_error *e);
/* The request is refused with this text, by a row of its own: fills *e and
 * returns false, so that what it has done is undone. */
bool uc__routed_refuse(uc_call *c, uc_refusal why, uc_view text, uc_error *e);

/* Whether If-None-Match has the tag, and whether it is `*`. */
bool uc__routed_has_tag(const uc_call *c, uc_view tag);
bool uc__routed_any_tag(const uc_call *c);

/* The set has a route with @cache. False with *e: no memory. */
bool uc__routes_keep(uc_route_set *s, uc_error *e);
/* What is kept for the request, of a route with @cache; see kept.h. */
bool uc__routed_kept(const uc_call *c, uc_view key, const uint8_t tag[16],
                     int64_t now, uc_buf *out);
void uc__routed_keep(const uc_call *c, uc_view key, const uint8_t tag[16],
                     int64_t now, uc_view answer);

#endif

#ifndef UC_CORE_DATA_SQLITE_READS_H
#define UC_CORE_DATA_SQLITE_READS_H

#include "common/arena.h"
#include "data/engine.h"
#include "data/sqlite/types.h"

/*
 * Which tables a route reads: what its answer depends on, besides what is asked
 * for. Found when the route is loaded, as SQLite's authorizer tells it.
 */
enum { SQ_READS_TABLES = 32 };

typedef struct sq_read {
    const char *name;
    _Atomic int64_t id; /* on the board, -1: not seen there yet */
} sq_read;

/* Of a route; uc_route.reads. */
typedef struct sq_known {
    _Atomic uint32_t schema; /* that this is true of, see sq_moment */
    _Atomic uint32_t tried;  /* the last one that was looked at */
    bool each; /* :_random is another one each time of @repeat: what one of them
                  answers depends on that and on the tables, all of it does not
                */
    uint32_t n;
    sq_read tables[];
} sq_known;

/* What is noted while statements are prepared. */
typedef struct sq_reads {
    uc_buf names;    /* "Tperson", "Fcount", each NUL-terminated */
    const char *why; /* not known, because of this; NULL: it is */
    char what[64];   /* the name that `why` is about */
} sq_reads;

/* The authorizer's. */
void sq_reads_note(sq_reads *r, int action, const char *a, const char *b,
                   const char *schema);
void sq_reads_init(sq_reads *r);
void sq_reads_fini(sq_reads *r);
/* Looks at the route and at what was noted of its statements: sets route->reads
 * where the answer depends on tables alone, which memory of the set's takes
 * unless they are those of before; and otherwise r->why. False with *e: no
 * memory. One thread at a time a set. */
bool sq_reads_end(sq_reads *r, sq_conn *c, uint32_t schema, uc_route *route,
                  uc_arena *mem, uc_error *e);

/* Whether the answer is the same for everybody, as long as the route is there:
 * it takes nothing, and nothing is read but what stands in its statements. Of a
 * GET, after sq_reads_end. */
bool sq_reads_nothing(const sq_reads *r, const uc_route *route);

/* What is known of a route; NULL: nothing. */
static inline sq_known *sq_known_of(const uc_route *route)
{
    return (sq_known *)__atomic_load_n(&route->reads, __ATOMIC_ACQUIRE);
}

/* ---- load.c ---- */
/* The schema is another one: looks at what the route reads once more, on a
 * connection that reads. Does nothing where another thread is at it. */
void sq_reads_again(sq_conn *c, uc_route_set *set, const uc_route *route);

#endif

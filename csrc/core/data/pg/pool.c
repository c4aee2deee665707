#include "data/pg/pool.h"

#include <string.h>

enum {
    READERS = 4,      /* few connections, deeply: 2 to 4 are the knee */
    READERS_MOST = 8, /* with those that have a slow call each */
    WRITERS_MOST = 4, /* one, and those that wait for others' locks */
    BUSY = 32         /* calls on each, from where on another one is begun */
};

/* ---- how many ---- */

static unsigned most(const pg_db *db, pg_role role)
{
    unsigned all = (unsigned)db->e.opt.pool_max - 2; /* one for each other */

    return role == PG_WRITER              ? 1
           : role == PG_PINNED            ? all
           : all < (unsigned)READERS_MOST ? all
                                          : READERS_MOST;
}

static unsigned count(const pg_db *db, pg_role role)
{
    unsigned n = 0;

    for (const pg_conn *c = db->conns; c != NULL; c = c->next)
        n += c->role == role && c->phase != PG_DEAD;
    return n;
}

/* Room for one more, with one kept for each role that has none. */
static bool has_room(const pg_db *db, pg_role role)
{
    unsigned n = 1;

    for (int r = PG_READER; r <= PG_PINNED; r++) {
        unsigned k = count(db, (pg_role)r);

        n += k == 0 && (pg_role)r != role ? 1 : k;
    }
    return n <= (unsigned)db->e.opt.pool_max;
}

/* An idle one of a role that has others gives its place. */
static bool make_room(pg_db *db, pg_role role)
{
    for (pg_conn *c = db->conns; c != NULL; c = c->next) {
        if (c->role != role && pg_conn_is_idle(c) && count(db, c->role) > 1) {
            pg_conn_end(c);
            return true;
        }
    }
    return false;
}

/* ---- one for a call ---- */

static void grow(pg_db *db, pg_role role)
{
    if (uc_now() < db->dial_after || db->dead)
        return;
    if (role == PG_WRITER && count(db, role) >= WRITERS_MOST)
        return;
    if (has_room(db, role) || make_room(db, role))
        pg_dial(db, role); /* without memory: in a later turn */
}

/* The end of the last transaction may have been hit by a cancel: then it is
 * sent again, before anything of another. */
static bool may_stay_open(const pg_conn *c)
{
    return c->role == PG_PINNED && c->strays > 0;
}

pg_conn *pg_pick(pg_db *db, pg_role role)
{
    unsigned n = 0, limit = most(db, role);
    pg_conn *best = NULL;
    bool coming = false;

    for (pg_conn *c = db->conns; c != NULL; c = c->next) {
        if (c->role != role || c->phase == PG_DEAD)
            continue;
        if (c->stuck)
            continue;
        n += !c->alone;
        coming = coming || c->phase != PG_READY;
        if (c->phase == PG_READY && !c->cancelling && !c->alone &&
            !c->retires && c->tx == NULL && c->lease == NULL &&
            c->migration == NULL && !may_stay_open(c) &&
            (best == NULL || c->calls < best->calls))
            best = c;
    }
    if (role == PG_READER && limit > READERS)
        limit = READERS;
    if (!coming && n < limit &&
        (best == NULL || best->calls > (db->serial ? 0 : BUSY)))
        grow(db, role);
    return best;
}

pg_conn *pg_pick_alone(pg_db *db)
{
    bool coming = false;

    for (pg_conn *c = db->conns; c != NULL; c = c->next) {
        if (c->role != PG_READER || c->phase == PG_DEAD)
            continue;
        if (pg_conn_is_idle(c) && !c->retires)
            return c;
        coming = coming || c->phase != PG_READY;
    }
    if (!coming && count(db, PG_READER) < most(db, PG_READER))
        grow(db, PG_READER);
    return NULL;
}

/* ---- time ---- */

static int64_t sooner(int64_t a, int64_t b)
{
    return a == 0 || b < a ? b : a;
}

int64_t pg_pool_late(pg_db *db, int64_t now)
{
    int64_t next = 0;

    for (pg_conn *c = db->conns; c != NULL; c = c->next) {
        int64_t until = c->used + db->e.opt.pool_idle_ms * UC_MS;

        if (c->phase != PG_READY || c->role > PG_PINNED)
            continue;
        c->retires = c->retires || now >= c->retire_at;
        if (!pg_conn_is_idle(c)) {
            next = c->retires ? next : sooner(next, c->retire_at);
            continue;
        }
        if (c->retires || now >= until)
            pg_conn_end(c);
        else
            next = sooner(next, until < c->retire_at ? until : c->retire_at);
    }
    return next;
}

/* ---- what stats() says ---- */

static void count_one(pg_census *n, const pg_conn *c)
{
    if (c->phase != PG_READY)
        n->connecting++;
    else if (c->retires)
        n->retiring++;
    else if (pg_conn_is_idle(c))
        n->idle++;
    else
        n->busy++;
    n->readers += c->role == PG_READER;
    n->writers += c->role == PG_WRITER;
    n->pinned += c->role == PG_PINNED;
    n->transactions += c->tx != NULL;
    n->snapshots += c->lease != NULL;
    n->prepared += c->nthere;
    n->pooled = n->pooled || c->pooled;
}

void pg_count(pg_db *db)
{
    pg_census n = {
        .dialled = db->dialled, .lost = db->lost, .failing = db->fails > 0};

    memcpy(n.version, db->version, sizeof n.version);
    for (const pg_conn *c = db->conns; c != NULL; c = c->next) {
        if (c->phase != PG_DEAD && c->role <= PG_PINNED)
            count_one(&n, c);
    }
    db->census = n;
}

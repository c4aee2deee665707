#include <string.h>

#include "data/pg/work.h"

/* What is learned from a call, and calls that run once more. */

enum {
    TRIES = 3,
    WEIGHT = 8 /* of the mean before a new time */
};

static void learn(uc_stmt *s, int64_t took)
{
    uint32_t old = atomic_load_explicit(&s->ns, memory_order_relaxed);
    uint32_t ns = took < UINT32_MAX / 2 ? (uint32_t)took : UINT32_MAX / 2;

    if (old != 0)
        ns = (uint32_t)(old + ((int64_t)ns - old) / WEIGHT);
    atomic_store_explicit(&s->ns, ns > 0 ? ns : 1, memory_order_relaxed);
}

static int64_t time_of(const pg_conn *c, const pg_flight *f, int64_t now)
{
    return now - (c->done_at > f->sent ? c->done_at : f->sent);
}

/* A cursor counts once, with all its rows, when it ends. */
static void page_took(const pg_flight *f, int64_t took)
{
    pg_lease *l = f->cursor;

    l->seen += f->rows;
    l->took += took;
    if (!f->more)
        pg_lease_count(l);
}

void pg_took(pg_conn *c, const pg_flight *f)
{
    int64_t now = uc_now(), took = time_of(c, f, now);

    c->done_at = now;
    c->alone = false;
    if (f->mode == PG_MODE_CURSOR && f->cursor != NULL)
        page_took(f, took);
    if (f->call == NULL || f->call->stmt == NULL)
        return;
    learn(f->call->stmt, took);
    if (f->mode != PG_MODE_CURSOR)
        pg_stat_add(f->call->stmt, took, f->rows, !f->failed);
}

void pg_given_up(const pg_flight *f)
{
    if (f->conn != NULL && pg_step_flight(f->conn) == f &&
        f->call->stmt != NULL)
        learn(f->call->stmt, time_of(f->conn, f, uc_now()));
}

static void release(pg_db *db, pg_flight *f)
{
    f->call = NULL;
    pg_flight_end(db, f);
}

void pg_again(pg_db *db, pg_flight *f)
{
    uc_call *call = f->call;
    int state = UC_CALL_RAN;

    /* Whether its deadline has been answered 'unknown' meanwhile: then it is
     * over. */
    if (call == NULL || (!atomic_compare_exchange_strong(&call->state, &state,
                                                         UC_CALL_QUEUED) &&
                         state == UC_CALL_ANSWERED)) {
        pg_flight_end(db, f);
        return;
    }
    atomic_store(&call->state, UC_CALL_QUEUED);
    uc_calls_push(&db->again, call);
    release(db, f);
}

void pg_move(pg_db *db, pg_flight *f)
{
    uc_call *call = f->call;

    if (call == NULL || f->failed ||
        atomic_load(&call->state) != UC_CALL_RUNNING)
        return;
    f->call = NULL;
    f->moved = true;
    uc_lock(&db->e.mu);
    db->held[f->at] = NULL;
    uc_unlock(&db->e.mu);
    atomic_store(&call->state, UC_CALL_QUEUED);
    uc_calls_push(&db->again, call);
}

void pg_stuck(pg_db *db, pg_conn *c, bool is)
{
    if (c->stuck == is)
        return;
    uc_lock(&db->e.mu);
    c->stuck = is;
    db->nstuck += is ? 1 : -1;
    uc_unlock(&db->e.mu);
    db->moved = true; /* who waited for all writes may only wait for his own */
}

/* A read that writes after all is a write from now on. */
static bool writes_after_all(pg_conn *c, pg_flight *f)
{
    uc_call *call = f->call;

    if (call->session->peer->readonly)
        return false;
    atomic_store(&call->stmt->cls, UC_CLASS_WRITE);
    c->calls--;
    f->call = NULL;
    uc_lock(&c->db->e.mu);
    uc_calls_push_front(&c->db->e.q.writes, call);
    uc_unlock(&c->db->e.mu);
    c->db->moved = true;
    pg_flight_end(c->db, f);
    return true;
}

static bool is_state(const uc_error *e, const char *state)
{
    return strcmp(e->sqlstate, state) == 0;
}

static bool has_several(const pg_db *db)
{
    return db->info.nhosts > 1 || db->info.target != PG_TARGET_ANY;
}

/* So that the next one finds it in order, whether or not this one is run again.
 * False: there was nothing to mend. */
static bool mend(pg_conn *c, const pg_flight *f, const uc_error *e)
{
    uint32_t slot = f->call->stmt->slot;

    if (is_state(e, "26000") || is_state(e, "42P05")) {
        pg_prepared_lose(c, slot);
        pg_prepared_strange(c, is_state(e, "42P05"));
    } else if (is_state(e, "25006") && !c->facts.readonly &&
               (c->role == PG_WRITER ||
                (c->tx != NULL && has_several(c->db)))) {
        pg_conns_drop(c->db); /* it was the primary */
    } else if (is_state(e, "25P02") && c->role != PG_PINNED) {
        /* There is none: a pooler goes on after an error, before the Sync. */
        c->db->unnamed = c->db->serial = true;
        pg_conns_drop(c->db);
    } else if (is_state(e, "0A000") &&
               strstr(e->message, "cached plan") != NULL) {
        pg_stmt_forget(c->db->stmts[slot]);
    } else {
        return false;
    }
    return true;
}

bool pg_retries(pg_conn *c, pg_flight *f, const uc_error *e)
{
    bool again = c->stray && c->role != PG_PINNED, mended = false;

    if (f->call == NULL)
        return false;
    if (f->call->stmt != NULL)
        mended = mend(c, f, e);
    if (f->call->again >= TRIES || c->tx != NULL)
        return false;
    if (f->call->stmt != NULL && c->role == PG_READER && is_state(e, "25006"))
        return writes_after_all(c, f);
    if (!again && !mended)
        return false;
    f->call->again += !again; /* it was meant for another, or to make way */
    c->calls--;
    pg_again(c->db, f);
    return true;
}

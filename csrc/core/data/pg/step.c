#include <string.h>

#include "common/mem.h"
#include "data/pg/once.h"
#include "data/pg/work.h"
#include "desk/session.h"

/* What a connection waits for, and the calls behind it. */

/* ---- steps ---- */

bool pg_step_push(pg_conn *c, pg_step step)
{
    if (c->nsteps == c->capacity) {
        uint32_t n = c->capacity > 0 ? 2 * c->capacity : 64;
        pg_step *p = uc_malloc(n * sizeof *p);

        if (p == NULL)
            return false;
        for (uint32_t i = 0; i < c->nsteps; i++)
            p[i] = c->steps[(c->first + i) % c->capacity];
        uc_free(c->steps);
        c->steps = p;
        c->first = 0;
        c->capacity = n;
    }
    c->steps[(c->first + c->nsteps++) % c->capacity] = step;
    return true;
}

void pg_unprepared(pg_conn *c, const pg_step *s)
{
    if (s->kind == PG_STEP_PARSE && s->stmt == NULL)
        c->keyed = false;
    else if (s->kind == PG_STEP_PARSE || s->kind == PG_STEP_DESCRIBE)
        pg_prepared_lose(c, s->slot);
}

void pg_step_drop(pg_conn *c, uint32_t n)
{
    for (; n > 0; n--) {
        const pg_step *s = &c->steps[(c->first + --c->nsteps) % c->capacity];

        pg_unprepared(c, s);
    }
}

pg_step *pg_step_first(pg_conn *c)
{
    return c->nsteps > 0 ? &c->steps[c->first] : NULL;
}

const pg_flight *pg_step_flight(const pg_conn *c)
{
    for (uint32_t i = 0; i < c->nsteps; i++) {
        const pg_step *s = &c->steps[(c->first + i) % c->capacity];

        if (s->flight != NULL || s->kind == PG_STEP_SYNC)
            return s->flight;
    }
    return NULL;
}

void pg_step_pop(pg_conn *c)
{
    c->first = (c->first + 1) % c->capacity;
    c->nsteps--;
    if (c->strays > 0)
        c->strays--;
}

/* ---- flights ---- */

static bool reach(pg_db *db)
{
    uint32_t n = db->capacity > 0 ? 2 * db->capacity : 256;
    uc_call **held;
    pg_flight **flights;

    if (db->nflights < db->capacity)
        return true;
    held = uc_malloc(n * sizeof *held);
    flights = uc_malloc(n * sizeof *flights);
    if (held == NULL || flights == NULL) {
        uc_free(held);
        uc_free(flights);
        return false;
    }
    if (db->nflights > 0) {
        memcpy(held, db->held, db->nflights * sizeof *held);
        memcpy(flights, db->flights, db->nflights * sizeof *flights);
    }
    uc_free(db->held);
    uc_free(db->flights);
    db->held = held;
    db->flights = flights;
    db->capacity = n;
    db->worker.calls = held;
    return true;
}

pg_flight *pg_flight_new(pg_db *db, uc_call *call)
{
    pg_flight *f = db->spare;
    bool room;

    if (f != NULL)
        db->spare = f->next;
    else
        f = uc_malloc(sizeof *f);
    if (f == NULL)
        return NULL;
    memset(f, 0, sizeof *f);
    f->call = call;
    f->session = call->session;
    f->wseq = call->wseq;
    uc_lock(&db->e.mu);
    room = reach(db);
    if (room) {
        f->at = db->nflights;
        db->held[db->nflights] = call;
        db->flights[db->nflights++] = f;
        db->worker.n = db->nflights;
    }
    uc_unlock(&db->e.mu);
    if (room)
        return f;
    f->next = db->spare;
    db->spare = f;
    return NULL;
}

static pg_mode mode_of(const uc_call *call)
{
    switch (call->op->num) {
    case UC_OP_get:
        return PG_MODE_GET;
    case UC_OP_json:
        return PG_MODE_JSON;
    case UC_OP_run:
        return PG_MODE_RUN;
    case UC_OP_cursor_open:
    case UC_OP_cursor_next:
        return PG_MODE_CURSOR;
    case UC_OP_snap_begin:
        return PG_MODE_SNAPSHOT;
    case UC_OP_many:
        return PG_MODE_MANY;
    case UC_OP_batch:
        return PG_MODE_BATCH;
    case UC_OP_exec:
        return PG_MODE_EXEC;
    case UC_OP_health:
        return PG_MODE_HEALTH;
    case UC_OP_tx_begin:
        return PG_MODE_BEGIN;
    case UC_OP_tx_end:
        return PG_MODE_END;
    case UC_OP_migrate_apply:
        return PG_MODE_MIGRATE;
    case UC_OP_copy_open:
    case UC_OP_copy_put:
    case UC_OP_copy_get:
    case UC_OP_copy_end:
        return PG_MODE_COPY;
    default:
        return PG_MODE_ALL;
    }
}

pg_flight *pg_flight_of(pg_db *db, uc_call *call)
{
    pg_flight *f = NULL;
    uc_error e;

    uc_error_init(&e);
    if (!uc__call_over(call, &e)) {
        f = pg_flight_new(db, call);
        if (f == NULL)
            uc_fail(&e, UC_MEMORY, "no memory for a call");
    }
    if (f == NULL) {
        uc__refuse(call, &e);
        return NULL;
    }
    f->mode = mode_of(call);
    f->wseq = call->wseq;
    f->sent = uc_now();
    db->moved = db->moved || f->wseq != 0;
    atomic_store(&call->state, UC_CALL_RUNNING);
    return f;
}

/* Its call is in nobody's hands then. */
static void let_go(pg_db *db, const pg_flight *f)
{
    uint32_t last;

    uc_lock(&db->e.mu);
    last = --db->nflights;
    db->held[f->at] = db->held[last];
    db->flights[f->at] = db->flights[last];
    db->flights[f->at]->at = f->at;
    db->worker.n = db->nflights;
    uc_unlock(&db->e.mu);
}

void pg_calls_finish(pg_db *db)
{
    uc_call *call;

    while ((call = uc_calls_pop(&db->over)) != NULL)
        uc__finish(call);
}

static void free_once(pg_flight *f)
{
    if (f->once == NULL)
        return;
    uc_buf_fini(&f->once->answer);
    uc_free(f->once);
    f->once = NULL;
}

void pg_flight_end(pg_db *db, pg_flight *f)
{
    uc_call *call = f->call;
    uc_lease *lease = f->lease;

    /* A cursor without more ends with its page, as one that has failed does. */
    if (f->cursor != NULL && f->cursor->l.kind == UC_LEASE_CURSOR && !f->more)
        f->cursor->l.dead = true;
    if (f->cursor != NULL && f->opens && call == NULL)
        f->cursor->l.dead = true; /* nobody knows its number */
    if (f->cursor != NULL && f->opens)
        uc__lease_done(&db->e, &f->cursor->l);
    db->moved = db->moved || f->wseq != 0;
    let_go(db, f);
    free_once(f);
    f->next = db->spare;
    db->spare = f;
    if (call != NULL) {
        call->lease = NULL;
        uc_calls_push(&db->over, call);
    }
    if (lease != NULL)
        uc__lease_done(&db->e, lease);
}

void pg_call_fail(pg_db *db, uc_call *call, const uc_error *e)
{
    (void)db;
    uc__refuse(call, e);
}

void pg_flight_fail(pg_db *db, pg_flight *f, const uc_error *e)
{
    if (f->call != NULL)
        uc__call_tell(f->call, e);
    pg_flight_end(db, f);
}

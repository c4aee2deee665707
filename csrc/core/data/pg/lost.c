#include "data/pg/work.h"

/* What follows when a connection is lost. */

enum { AGAIN_MS = 100 /* between two tries to connect */ };

uint32_t pg_ways(const pg_db *db)
{
    bool both =
        db->info.sslmode == PG_SSL_PREFER || db->info.sslmode == PG_SSL_ALLOW;

    return db->info.nhosts * (both ? 2 : 1);
}

/* Whether what it does may last. Of a transaction only its commit does. */
static bool may_have_run(const pg_conn *c, const pg_flight *f, bool known)
{
    return !known && (c->role == PG_WRITER || f->commits);
}

/* What was under way on it. A read has changed nothing and goes elsewhere; so
 * does a write that is known not to have run. */
static void give_up(pg_conn *c, pg_flight *f, bool known, const uc_error *why)
{
    bool again = c->role == PG_READER ? c->told || f->tries++ < 1
                                      : c->role == PG_WRITER && known;
    uc_error e = *why;

    if (f->call == NULL || f->failed) {
        pg_flight_end(c->db, f);
        return;
    }
    if (again) {
        pg_again(c->db, f);
        return;
    }
    uc__outcome(f->call, may_have_run(c, f, known) ? "unknown" : "not-run", &e);
    pg_flight_fail(c->db, f, &e);
}

static void refuse_waiting(pg_db *db, const uc_error *e)
{
    uc_calls out = {0};
    uc_call *call;

    uc_lock(&db->e.mu);
    uc_calls_append(&out, &db->e.q.reads);
    uc_calls_append(&out, &db->e.q.writes);
    atomic_store(&db->e.reads_n, 0);
    uc_unlock(&db->e.mu);
    while ((call = uc_calls_pop(&out)) != NULL)
        uc__refuse(call, e);
    pg_begins_fail(db, e);
    pg_slow_fail(db, e);
    db->moved = true;
}

static bool has_ready(const pg_db *db)
{
    for (const pg_conn *c = db->conns; c != NULL; c = c->next) {
        if (c->phase == PG_READY)
            return true;
    }
    return false;
}

/* No way to a server has led there: who waits is told, unless another
 * connection is ready. */
static void no_server(pg_db *db, const uc_error *e)
{
    db->dial_after = uc_now() + AGAIN_MS * UC_MS;
    if (db->e.state != UC_OPENING && !has_ready(db))
        refuse_waiting(db, e);
}

static void answer_all(pg_conn *c)
{
    pg_step *s;

    pg_publish(c);
    while (c->waiting != NULL) {
        pg_flight *f = c->waiting;

        c->waiting = f->next;
        give_up(c, f, c->told && !f->committed, &c->error);
    }
    while ((s = pg_step_first(c)) != NULL) {
        pg_flight *f = s->flight;
        bool is_call = s->kind == PG_STEP_EXECUTE || s->kind == PG_STEP_QUERY;

        pg_step_pop(c);
        if (is_call && f != NULL && (f->left == 0 || --f->left == 0))
            give_up(c, f, c->told, &c->error);
    }
}

/* It never was one: who waits for the first of all hears why. */
static void next_way(pg_conn *c)
{
    pg_db *db = c->db;

    db->dial_error = c->error;
    db->fails++;
    atomic_store(&db->called, true); /* another turn: the next host */
    if (db->fails % 2 == 0 || pg_ways(db) == db->info.nhosts)
        db->dial_host = (c->host + 1) % db->info.nhosts;
    if (db->fails >= pg_ways(db))
        no_server(db, &c->error);
}

static void bury(pg_conn *c)
{
    answer_all(c);
    pg_tx_lost(c, &c->error);
    pg_leases_lost(c);
    pg_cancel_forget(c);
    pg_names_forget(c->db->names, c);
    if (!c->was_ready)
        next_way(c);
}

void pg_lost(pg_db *db)
{
    pg_conn **q = &db->conns;

    if (db->dial_failed) {
        db->dial_failed = false;
        no_server(db, &db->dial_error);
    }
    if (!db->dead)
        return;
    db->dead = false;
    while (*q != NULL) {
        pg_conn *c = *q;

        if (c->phase != PG_DEAD) {
            q = &c->next;
            continue;
        }
        *q = c->next;
        db->nconns--;
        bury(c);
        pg_conn_free(c);
    }
}

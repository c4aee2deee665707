#include <string.h>

#include "data/pg/copy.h"
#include "data/pg/feed.h"
#include "data/pg/once.h"

/* What follows when a connection is lost. */

enum {
    AGAIN_MS = 100, /* between two rounds of servers, at first */
    DOUBLINGS = 4,  /* to 1.6 s at most */
    TRIES = 2,
    TOLD_MOST = 100
};

/* Whether what it does may last. Of a transaction only its commit does. A
 * migration of several parts has more behind it than what was told to have not
 * run. */
static bool may_have_run(const pg_conn *c, const pg_flight *f, bool known)
{
    if (f->mode == PG_MODE_MIGRATE)
        return f->commits;
    return !known && (c->role == PG_WRITER || f->commits);
}

/* What was under way on it. A read has changed nothing and goes elsewhere; so
 * does a write that is known not to have run. */
static void give_up(pg_conn *c, pg_flight *f, bool known, const uc_error *why)
{
    bool harmless = c->role == PG_READER || f->once != NULL ||
                    (c->role == PG_WRITER && known);
    uc_error e = *why;

    if (f->call == NULL || f->failed) {
        pg_flight_end(c->db, f);
        return;
    }
    /* What the server said it had not come to cannot be why it went. */
    if (harmless && f->call->again < (c->told ? TOLD_MOST : TRIES)) {
        f->call->again++;
        pg_again(c->db, f);
        return;
    }
    uc__outcome(f->call, may_have_run(c, f, known) ? "unknown" : "not-run", &e);
    pg_flight_fail(c->db, f, &e);
}

/* ---- no server ---- */

static void refuse_all(uc_calls *from, const uc_error *e)
{
    uc_call *call;

    while ((call = uc_calls_pop(from)) != NULL)
        uc__refuse(call, e);
}

/* Who waits for a connection of the role. */
static void refuse(pg_db *db, pg_role role, const uc_error *e)
{
    uc_calls out = {0};

    if (role == PG_PINNED) {
        pg_begins_fail(db, e);
        return;
    }
    uc_lock(&db->e.mu);
    if (role == PG_READER) {
        uc_calls_append(&out, &db->e.q.reads);
        atomic_store(&db->e.reads_n, 0);
    } else {
        uc_calls_append(&out, &db->e.q.writes);
    }
    uc_unlock(&db->e.mu);
    refuse_all(&out, e);
    if (role == PG_READER)
        pg_slow_fail(db, e);
    db->moved = true;
}

static bool has_ready(const pg_db *db, pg_role role)
{
    for (const pg_conn *c = db->conns; c != NULL; c = c->next) {
        if (c->phase == PG_READY && c->role == role && !c->retires)
            return true;
    }
    return false;
}

/* The server is there, and full, starting or stopping: that passes. */
static bool passes(const uc_error *e)
{
    return strcmp(e->code, "PG_TOO_MANY_CONNECTIONS") == 0 ||
           strcmp(e->code, "PG_CANNOT_CONNECT_NOW") == 0;
}

/* No server is left to be tried. Who waits is told, unless waiting may help or
 * another connection is ready. Whatever went wrong, nothing of theirs was sent.
 */
static void no_server(pg_conn *c)
{
    pg_db *db = c->db;
    int64_t now = uc_now();
    uint32_t n = db->fails < DOUBLINGS ? db->fails : DOUBLINGS;

    c->error.outcome = "not-run";
    uc_lock(&db->e.mu);
    db->dial_error = c->error;
    uc_unlock(&db->e.mu);
    db->fails++;
    db->dial_after = now + pg_jittered(((int64_t)AGAIN_MS << n) * UC_MS);
    atomic_store(&db->called, true);
    if (passes(&c->error)) {
        if (db->hopes_until == 0)
            db->hopes_until = now + db->info.connect_ms * UC_MS;
        if (now < db->hopes_until)
            return;
    }
    db->hopes_until = 0;
    if (db->e.state != UC_OPENING && !has_ready(db, c->role))
        refuse(db, c->role, &c->error);
}

/* ---- the end of one ---- */

static void answer_all(pg_conn *c)
{
    pg_flight *f = c->claims;
    pg_step *s;

    pg_publish(c);
    pg_copy_lost(c, &c->error);
    if (f != NULL)
        pg_once_lost(c);
    for (pg_flight *next; f != NULL; f = next) {
        next = f->next;
        give_up(c, f, true, &c->error); /* none of them has a commit */
    }
    while (c->waiting != NULL) {
        f = c->waiting;
        c->waiting = f->next;
        give_up(c, f, (c->told || c->undone) && !f->committed, &c->error);
    }
    while ((s = pg_step_first(c)) != NULL) {
        bool is_call = s->kind == PG_STEP_EXECUTE || s->kind == PG_STEP_ONCE ||
                       s->kind == PG_STEP_QUERY;

        f = s->flight;
        pg_step_pop(c);
        if (is_call && f != NULL && (f->left == 0 || --f->left == 0))
            give_up(c, f, c->told || c->undone, &c->error);
    }
}

static void bury(pg_conn *c)
{
    if (c->role > PG_PINNED) {
        pg_names_forget(c->db->names, c);
        if (c->role == PG_EAR)
            pg_ear_lost(c->db);
        else
            pg_feed_lost(c);
        return;
    }
    pg_stuck(c->db, c, false);
    answer_all(c);
    pg_tx_lost(c, &c->error);
    pg_leases_lost(c);
    pg_cancel_forget(c);
    pg_names_forget(c->db->names, c);
    pg_copy_free(c);
    pg_migrate_end(c);
    c->db->lost += c->was_ready && !c->ends;
    if (!c->was_ready && !c->ends)
        no_server(c);
}

void pg_lost(pg_db *db)
{
    pg_conn **q = &db->conns;

    if (!db->dead)
        return;
    db->dead = false;
    atomic_store(&db->called, true); /* there is room for another */
    while (*q != NULL) {
        pg_conn *c = *q;

        if (c->phase != PG_DEAD || pg_dial_next(c)) {
            q = &c->next;
            continue;
        }
        *q = c->next;
        db->nconns--;
        bury(c);
        pg_conn_free(c);
    }
}

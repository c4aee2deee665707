#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "data/sqlite/db.h"
#include "data/sqlite/pin.h"
#include "wire/writer.h"

/*
 * What lives over several calls (desk/lease.h) holds a connection of its own,
 * from a bounded set, never one of the readers'.
 */

/* ---- connections ---- */

sq_conn *sq_pin_lease(sq_db *db, uc_error *e)
{
    sq_conn *c = NULL;
    int rc;

    uc_lock(&db->e.mu);
    if (db->pinned >= (uint32_t)db->e.opt.cursors) {
        uc_unlock(&db->e.mu);
        uc_fail(e, UC_CURSORS,
                "all %lld connections for cursors and snapshots are in use "
                "(option cursors): end one, or try again",
                (long long)db->e.opt.cursors);
        return NULL;
    }
    db->pinned++;
    c = db->spare;
    if (c != NULL)
        db->spare = c->spare_next;
    uc_unlock(&db->e.mu);
    if (c == NULL)
        c = sq_conn_open(db, SQ_PINNED, e);
    if (c != NULL) {
        sq_conn_wait(c, 0);
        c->sync = false;
        if (c->functions != atomic_load(&db->sql.functions_version))
            sq_functions_install(db, c);
        rc = sq_step_once(c->begin);
        if (rc == SQLITE_OK)
            return c;
        sq_fail(c, rc, e);
        sq_conn_close(c);
    }
    uc_lock(&db->e.mu);
    db->pinned--;
    uc_unlock(&db->e.mu);
    return NULL;
}

static void give_back(sq_db *db, sq_conn *c)
{
    if (c == NULL)
        return;
    sq_step_once(c->rollback);
    uc_lock(&db->e.mu);
    c->spare_next = db->spare;
    db->spare = c;
    db->pinned--;
    uc_unlock(&db->e.mu);
}

void sq_pins_close(sq_db *db)
{
    while (db->spare != NULL) {
        sq_conn *c = db->spare;

        db->spare = c->spare_next;
        sq_conn_close(c);
    }
}

/* ---- life ---- */

sq_pin *sq_pin_new(uc_session *s, uc_lease_kind kind, uc_error *e)
{
    sq_pin *p = uc_calloc(1, sizeof *p);

    if (p == NULL) {
        uc_fail(e, UC_MEMORY, "no memory for a cursor");
        return NULL;
    }
    uc__lease_init(&p->l, s, kind);
    return p;
}

void sq_pin_free(uc_engine *e, uc_lease *l)
{
    sq_pin *p = (sq_pin *)l;

    if (p->drop != NULL)
        p->drop(p);
    sqlite3_finalize(p->stmt);
    uc_free(p->params);
    if (p->run_ns > 0)
        sq_stat_cursor(p->sql, p->run_ns, p->nrows, !p->failed);
    uc__stmt_unref(p->sql);
    sq_shape_unref(p->shape);
    if (p->pages != NULL)
        uc_buf_fini(p->pages);
    uc_free(p->pages);
    if (l->host == NULL)
        give_back(sq_db_of(e), p->conn);
    uc_free(p);
}

/* A pin with a connection that has taken its snapshot. The caller's until
 * sq_pin_done. */
sq_pin *sq_pin_make(sq_db *db, uc_session *s, uc_lease_kind kind, uc_error *e)
{
    sq_pin *p = sq_pin_new(s, kind, e);
    int rc;

    if (p == NULL)
        return NULL;
    p->conn = sq_pin_lease(db, e);
    if (p->conn == NULL) {
        sq_pin_free(&db->e, &p->l);
        return NULL;
    }
    /* BEGIN alone takes no snapshot: the first read does. */
    rc = sq_exec_text(p->conn, "select 1 from sqlite_schema limit 1");
    if (rc != SQLITE_OK) {
        sq_fail(p->conn, rc, e);
        sq_pin_free(&db->e, &p->l);
        return NULL;
    }
    p->l.holds = true;
    uc__lease_link(&db->e, &p->l);
    return p;
}

bool sq_snap_begin(sq_db *db, uc_call *call, uc_buf *out, uc_error *e)
{
    sq_pin *p = sq_pin_make(db, call->session, UC_LEASE_SNAPSHOT, e);

    if (p == NULL)
        return false;
    uc_reply_begin(out, call->id, UC_REPLY_VALUE, 3);
    uc_pack_uint(out, p->l.id);
    /* Nobody learns its number, and so nobody would end it. */
    p->l.dead = out->failed;
    uc__lease_done(&db->e, &p->l);
    return true;
}

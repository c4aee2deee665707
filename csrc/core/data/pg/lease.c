#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "data/pg/work.h"
#include "wire/writer.h"

/*
 * Cursors and snapshots. Each has a connection with a transaction that only
 * reads; a cursor within one, or within a transaction of a client, has a portal
 * there. Rows are asked for page by page, which is all the back-pressure that
 * is needed.
 */

enum { FIRST_ROWS = 64, ROWS_MOST = 100000 };

/* ---- lives ---- */

static pg_lease *lease_new(pg_conn *c, uc_call *call, uc_lease_kind kind)
{
    pg_lease *l = uc_calloc(1, sizeof *l);

    if (l == NULL)
        return NULL;
    uc__lease_init(&l->l, call->session, kind);
    l->db = c->db;
    l->conn = c;
    l->rows = FIRST_ROWS;
    l->l.holds = true;
    return l;
}

/* Any thread. */
void pg_lease_free(uc_engine *e, uc_lease *lease)
{
    pg_lease *l = (pg_lease *)lease;
    pg_db *db = pg_db_of(e);

    l->next = atomic_load(&db->freed);
    while (!atomic_compare_exchange_weak(&db->freed, &l->next, l))
        ;
    pg_ring(db);
}

void pg_lease_count(pg_lease *l)
{
    if (l->text != NULL && !l->counted && l->took > 0)
        pg_stat_add(l->text, l->took, l->seen, true);
    l->counted = true;
}

static void let_go(pg_lease *l)
{
    pg_conn *c = l->conn;

    pg_lease_count(l);

    if (c != NULL && c->lease == l) {
        c->lease = NULL;
        pg_query(c, NULL, "rollback");
    } else if (c != NULL && l->portal[0] != '\0') {
        pg_msg_close(&c->out, 'P', l->portal);
        pg_sync(c, false);
    }
    uc__stmt_unref(l->text);
    uc_free(l);
}

void pg_leases_sweep(pg_db *db)
{
    pg_lease *l = atomic_exchange(&db->freed, NULL);

    while (l != NULL) {
        pg_lease *next = l->next;

        let_go(l);
        l = next;
    }
}

void pg_leases_lost(pg_conn *c)
{
    uc_engine *e = &c->db->e;

    c->lease = NULL;
    uc_lock(&e->mu);
    for (uc_lease *l = e->leases; l != NULL; l = l->next) {
        pg_lease *p = (pg_lease *)l;

        if (p->conn != c)
            continue;
        p->conn = NULL;
        l->dead = true;
    }
    uc_unlock(&e->mu);
    for (pg_lease *p = atomic_load(&c->db->freed); p != NULL; p = p->next) {
        if (p->conn == c)
            p->conn = NULL;
    }
}

/* ---- pages ---- */

/* About as many rows as fill a page, by those that have come. */
void pg_lease_paged(pg_flight *f, size_t bytes)
{
    pg_lease *l = f->cursor;
    uint64_t rows;

    if (f->rows == 0 || bytes == 0)
        return;
    rows = f->rows * l->page_bytes / bytes;
    l->rows = rows < 1 ? 1 : rows > ROWS_MOST ? ROWS_MOST : (uint32_t)rows;
}

static bool no_memory(uc_error *e)
{
    return uc_fail(e, UC_MEMORY, "no memory for a cursor");
}

/* Of the portal that is open already. */
static bool next_page(pg_conn *c, pg_flight *f, pg_lease *l, uc_error *e)
{
    uc_reader r = f->call->args;
    uint64_t id;

    if (!uc_read_u64(&r, &id) || !uc_read_u32(&r, &f->known))
        return uc_fail(e, UC_FRAME, "cursor_next takes a cursor and a shape");
    if (c == NULL)
        return uc_fail(e, UC_CLOSED, "the cursor or snapshot has ended");
    f->cursor = l;
    return pg_bind_page(c, f, l) || no_memory(e);
}

/* [sid, shape, params, page bytes], the statement read already. */
static bool open_cursor(pg_conn *c, pg_flight *f, uc_lease *host, uc_error *e)
{
    pg_lease *l = lease_new(c, f->call, UC_LEASE_CURSOR);
    uc_reader r = f->call->args;
    uint64_t bytes = 0;

    if (l == NULL)
        return no_memory(e);
    if (!uc_read_u32(&r, &f->known) || !uc_read_skip(&r) ||
        !uc_read_u64(&r, &bytes)) {
        uc_free(l);
        return uc_fail(e, UC_FRAME, "cursor_open takes a page size");
    }
    l->page_bytes = bytes == 0 || bytes > (uint64_t)c->db->e.opt.max_bytes
                        ? (uint64_t)c->db->e.opt.page_bytes
                        : bytes;
    l->text = f->call->stmt;
    uc__stmt_ref(l->text);
    l->l.host = host;
    uc__lease_link(&c->db->e, &l->l);
    snprintf(l->portal, sizeof l->portal, "c%llu", (unsigned long long)l->l.id);
    f->cursor = l;
    f->opens = true;
    if (pg_bind(c, f, e))
        return true;
    f->cursor = NULL;
    l->l.dead = true;
    uc__lease_done(&c->db->e, &l->l);
    return false;
}

/* ---- calls ---- */

static void reply_nil(pg_db *db, pg_flight *f)
{
    uc_call *call = f->call;
    uc_buf b;
    size_t at;

    uc_buf_init(&b, SIZE_MAX);
    at = uc__reply_open(&b);
    uc_reply_begin(&b, call->id, UC_REPLY_VALUE, 3);
    uc_pack_nil(&b);
    if (call->id != 0) {
        uc__reply_close(&b, at, call->id);
        uc__session_publish(call->session, &b);
    }
    uc_buf_fini(&b);
    pg_flight_end(db, f);
}

static bool close_cursor(pg_db *db, pg_flight *f, uc_error *e)
{
    uc_lease *l = uc__lease_named(&db->e, f->lease, f->call, e);

    if (l != NULL && !uc__lease_fits(l, f->call, e))
        return false;
    if (l != NULL) {
        l->dead = true;
        if (l != f->lease)
            uc__lease_done(&db->e, l);
    }
    reply_nil(db, f); /* one that has ended is closed */
    return true;
}

static bool end_snapshot(pg_db *db, pg_flight *f, uc_error *e)
{
    if (!uc__lease_fits(f->lease, f->call, e))
        return false;
    f->lease->dead = true;
    uc__lease_end_guests(&db->e, f->lease);
    reply_nil(db, f);
    return true;
}

static bool fetch(pg_db *db, pg_flight *f, uc_error *e)
{
    pg_lease *l = (pg_lease *)uc__lease_named(&db->e, f->lease, f->call, e);
    pg_conn *c;

    if (l == NULL || !uc__lease_fits(&l->l, f->call, e))
        return false;
    c = l->conn;
    if (!next_page(c, f, l, e))
        return false;
    pg_sync(c, false);
    return true;
}

static bool in_snapshot(pg_flight *f, uc_error *e)
{
    pg_lease *l = (pg_lease *)f->lease;
    pg_conn *c = l->conn;
    bool ok;

    if (!uc__lease_fits(&l->l, f->call, e))
        return false;
    if (c == NULL)
        return uc_fail(e, UC_CLOSED, "the cursor or snapshot has ended");
    if (pg_stmt_of(c->db, f->call->stmt, e) == NULL)
        return false;
    if (!uc__class_reads(atomic_load(&f->call->stmt->cls)))
        return uc_fail(e, UC_SQL_READONLY, "a snapshot only reads");
    /* An error ends what is behind the last savepoint, not the snapshot. */
    if (!pg_query(c, NULL, "release uc_read; savepoint uc_read"))
        return no_memory(e);
    ok = f->call->op->num == UC_OP_cursor_open ? open_cursor(c, f, f->lease, e)
                                               : pg_bind(c, f, e);
    if (ok)
        pg_sync(c, false);
    return ok;
}

static bool on_lease(pg_db *db, pg_flight *f, uc_error *e)
{
    const uc_call *call = f->call;

    if (f->lease->dead && call->op->num != UC_OP_cursor_close &&
        call->op->num != UC_OP_snap_end)
        return uc__lease_gone(&db->e, f->lease->id, e);
    switch (call->op->num) {
    case UC_OP_cursor_next:
        return fetch(db, f, e);
    case UC_OP_cursor_close:
        return close_cursor(db, f, e);
    case UC_OP_snap_end:
        return end_snapshot(db, f, e);
    case UC_OP_cursor_open:
    case UC_OP_get:
    case UC_OP_all:
    case UC_OP_json:
    case UC_OP_run:
        return in_snapshot(f, e);
    default:
        return uc_fail(e, UC_FRAME, "operation %s does not run on a cursor",
                       call->op->name);
    }
}

/* A connection where something is being stopped gets nothing new: that might be
 * hit. */
static bool waits(const pg_flight *f)
{
    const pg_lease *l = (const pg_lease *)f->lease;

    return !f->lease->dead && l->conn != NULL && l->conn->cancelling;
}

static void begin(pg_db *db, pg_flight *f)
{
    uc_error e;

    uc_error_init(&e);
    if (!on_lease(db, f, &e))
        pg_flight_fail(db, f, &e);
}

void pg_leases_go_on(pg_db *db)
{
    pg_flight *f = db->later, **q = &db->later;

    db->later = NULL;
    for (pg_flight *next; f != NULL; f = next) {
        next = f->next;
        f->next = NULL;
        if (f->call == NULL) {
            pg_flight_end(db, f); /* it was stopped meanwhile */
        } else if (waits(f)) {
            *q = f;
            q = &f->next;
        } else {
            begin(db, f);
        }
    }
}

void pg_lease_call(pg_db *db, uc_call *call)
{
    uc_lease *l = call->lease;
    pg_flight *f = pg_flight_of(db, call);

    if (f == NULL) {
        uc__lease_done(&db->e, l);
        return;
    }
    f->lease = l;
    if (!waits(f)) {
        begin(db, f);
        return;
    }
    f->next = db->later;
    db->later = f;
}

bool pg_cursor_in(pg_conn *c, pg_flight *f, uc_error *e)
{
    return open_cursor(c, f, NULL, e);
}

/* A connection for a cursor or a snapshot of its own. */
bool pg_lease_begin(pg_conn *c, pg_flight *f, uc_error *e)
{
    static const char cursor[] = "begin read only",
                      snapshot[] =
                          "begin isolation level repeatable read read only; "
                          "savepoint uc_read";
    pg_lease *l;

    if (f->mode == PG_MODE_SNAPSHOT) {
        l = lease_new(c, f->call, UC_LEASE_SNAPSHOT);
        if (l == NULL || !pg_query(c, NULL, snapshot)) {
            uc_free(l);
            return no_memory(e);
        }
        uc__lease_link(&c->db->e, &l->l);
        f->cursor = l;
        f->opens = true;
        c->lease = l;
        /* What it sees is chosen by its first statement. */
        return pg_query(c, f, "select 1") || no_memory(e);
    }
    if (!pg_query(c, NULL, cursor))
        return no_memory(e);
    if (!open_cursor(c, f, NULL, e)) {
        pg_query(c, NULL, "rollback");
        return false;
    }
    c->lease = f->cursor;
    pg_sync(c, false);
    return true;
}

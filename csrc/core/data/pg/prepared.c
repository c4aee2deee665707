#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "data/pg/work.h"

/*
 * Statements that are prepared on a connection: by slot, and in the order of
 * their last use. There are at most statementCache of them; the server keeps a
 * plan for each.
 */

enum { NAME = 32, GONE_MOST = 2 };

static bool reach(pg_conn *c, uint32_t slot)
{
    uint32_t n = slot + 64;
    pg_prepared *p;

    if (slot < c->nprepared)
        return true;
    p = uc_realloc(c->prepared, n * sizeof *p);
    if (p == NULL)
        return false;
    memset(p + c->nprepared, 0, (n - c->nprepared) * sizeof *p);
    c->prepared = p;
    c->nprepared = n;
    return true;
}

/* ---- the order ---- */

static void take_out(pg_conn *c, uint32_t slot)
{
    pg_prepared *p = &c->prepared[slot];

    if (p->older != PG_NO_SLOT)
        c->prepared[p->older].newer = p->newer;
    else
        c->oldest = p->newer;
    if (p->newer != PG_NO_SLOT)
        c->prepared[p->newer].older = p->older;
    else
        c->newest = p->older;
    c->nthere--;
}

static void put_last(pg_conn *c, uint32_t slot)
{
    pg_prepared *p = &c->prepared[slot];

    p->newer = PG_NO_SLOT;
    p->older = c->nthere > 0 ? c->newest : PG_NO_SLOT;
    if (p->older != PG_NO_SLOT)
        c->prepared[p->older].newer = slot;
    else
        c->oldest = slot;
    c->newest = slot;
    c->nthere++;
}

bool pg_prepared_is(pg_conn *c, uint32_t slot, const pg_stmt *st, bool *sure)
{
    const pg_prepared *p = slot < c->nprepared ? &c->prepared[slot] : NULL;

    if (p == NULL || p->gen != st->gen || (p->rev != 0 && p->rev != st->rev))
        return false;
    *sure = p->rev != 0;
    if (c->newest != slot) {
        take_out(c, slot);
        put_last(c, slot);
    }
    return true;
}

/* ---- coming and going ---- */

static void put_close(pg_conn *c, uint32_t slot)
{
    char name[NAME];

    snprintf(name, sizeof name, "u%u", slot);
    pg_msg_close(&c->out, 'S', name);
}

/* A Close would close its portals with it. */
static bool has_portal(const pg_conn *c, uint32_t slot)
{
    uc_engine *e = &c->db->e;
    bool has = false;

    if (c->role != PG_PINNED)
        return false;
    uc_lock(&e->mu);
    for (uc_lease *l = e->leases; l != NULL && !has; l = l->next) {
        const pg_lease *p = (const pg_lease *)l;

        has = p->conn == c && p->text != NULL && p->text->slot == slot;
    }
    uc_unlock(&e->mu);
    return has;
}

static void evict(pg_conn *c)
{
    uint32_t slot = c->oldest;

    while (slot != PG_NO_SLOT && has_portal(c, slot))
        slot = c->prepared[slot].newer;
    if (slot == PG_NO_SLOT)
        return;
    put_close(c, slot);
    take_out(c, slot);
    c->prepared[slot].gen = 0;
    c->prepared[slot].listed = false;
}

bool pg_prepared_put(pg_conn *c, uint32_t slot, const pg_stmt *st)
{
    pg_prepared *p;
    char name[NAME];

    if (!reach(c, slot))
        return false;
    p = &c->prepared[slot];
    if (p->there)
        put_close(c, slot);
    if (p->listed)
        take_out(c, slot);
    while (c->nthere > 0 && c->nthere >= (uint64_t)c->db->e.opt.stmt_cache) {
        uint32_t before = c->nthere;

        evict(c);
        if (c->nthere == before)
            break; /* all have cursors */
    }
    snprintf(name, sizeof name, "u%u", slot);
    pg_stmt_parse(st, &c->out, name);
    put_last(c, slot);
    p->there = p->listed = true;
    p->gen = st->gen;
    p->rev = 0;
    return true;
}

void pg_prepared_described(pg_conn *c, uint32_t slot, const pg_stmt *st)
{
    if (slot < c->nprepared && c->prepared[slot].gen == st->gen)
        c->prepared[slot].rev = st->rev;
}

void pg_prepared_lose(pg_conn *c, uint32_t slot)
{
    if (slot < c->nprepared)
        c->prepared[slot].gen = 0; /* it may be there: it is closed first */
}

/* ---- poolers ---- */

bool pg_is_unnamed(const pg_conn *c)
{
    switch (c->db->e.opt.prepare) {
    case UC_PREPARE_NAMED:
        return false;
    case UC_PREPARE_UNNAMED:
        return true;
    default:
        return c->pooled;
    }
}

/* Somebody gives us another session each time, and its process has told no
 * other number than ours: from now on it is known. */
void pg_prepared_strange(pg_conn *c, bool taken)
{
    pg_db *db = c->db;

    if (c->pooled || (!taken && ++db->strange < GONE_MOST) || db->unnamed)
        return;
    db->unnamed = true;
    pg_conns_drop(db);
}

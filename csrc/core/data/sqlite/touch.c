#include <string.h>

#include "cache/cache.h"
#include "common/mem.h"
#include "data/sqlite/db.h"

/*
 * What the transaction under way has touched, and what becomes of that at its
 * commit: the cache drops it, and who watches is told.
 */

void sq_touch(sq_db *db, const sq_notes *n)
{
    sq_touches *b = &db->touches;

    if (n->all)
        b->touched_all = true;
    for (uint32_t i = 0; i < n->n; i++) {
        sq_table *t = &b->tables[n->ids[i]];

        if (t->mark != b->round) {
            t->mark = b->round;
            b->touched[b->ntouched++] = n->ids[i];
        }
    }
}

void sq_touch_all(sq_db *db)
{
    db->touches.touched_all = true;
}

sq_touch_mark sq_touch_at(const sq_db *db)
{
    return (sq_touch_mark){db->touches.ntouched, db->touches.touched_all};
}

void sq_touch_undo(sq_db *db, sq_touch_mark at)
{
    sq_touches *b = &db->touches;

    while (b->ntouched > at.n)
        b->tables[b->touched[--b->ntouched]].mark = 0;
    b->touched_all = at.all;
}

void sq_touch_clear(sq_db *db)
{
    sq_touch_undo(db, (sq_touch_mark){0, false});
    sq_rowlog_begin(db);
}

/* What the cache is told of a commit, so many domains at once. */
typedef struct dropped {
    sq_db *db;
    const uc_session *by;
    uint64_t domains[64];
    uint32_t n;
    uint64_t ticket;
} dropped;

static void drop_now(dropped *d, bool all)
{
    uint64_t ticket =
        uc_cache_tables_changed(d->db->e.cache, d->by, d->domains, d->n, all);

    if (ticket != 0)
        d->ticket = ticket;
    d->n = 0;
}

static void drop(dropped *d, uint64_t domain)
{
    if (domain == 0)
        return;
    if (d->n == sizeof d->domains / sizeof *d->domains)
        drop_now(d, false);
    d->domains[d->n++] = domain;
}

/* A temporary table hides one of main without a word, and one of an attached
 * file is found where main has none of its name. */
static void see_names(sq_db *db)
{
    const sq_touches *b = &db->touches;

    for (uint32_t i = 0; i < b->ntouched; i++) {
        const uc_table *t = &db->e.board.tables[b->touched[i]];

        if (t->bare == NULL)
            continue;
        uc__board_bare(&db->e.board, b->touched[i],
                       sqlite3_strnicmp(t->name, "temp.", 5) == 0 ||
                           sqlite3_table_column_metadata(
                               db->writer->h, "main", t->bare, NULL, NULL, NULL,
                               NULL, NULL, NULL) != SQLITE_OK);
    }
}

/* Before anybody can be told of the commit. */
static void drop_cached(sq_db *db, const uc_session *by)
{
    const sq_touches *b = &db->touches;
    dropped d = {.db = db, .by = by};
    bool rows = !b->touched_all && uc_cache_has_rows(db->e.cache);

    for (uint32_t i = 0; !b->touched_all && i < b->ntouched; i++) {
        const sq_table *at = &b->tables[b->touched[i]];
        const uc_table *t = &db->e.board.tables[b->touched[i]];

        drop(&d, at->domain);
        if (t->is_bare)
            drop(&d, at->bare_domain);
        if (rows && !sq_rowlog_whole(db, b->touched[i])) {
            drop(&d, uc_cache_rows(t->name));
            if (t->is_bare)
                drop(&d, uc_cache_rows(t->bare));
        }
    }
    for (uint32_t i = 0; rows && i < b->nrows; i++) {
        const uc_table *t = &db->e.board.tables[b->rows[i].table];

        drop(&d, uc_cache_row(t->name, b->rows[i].rowid));
        if (t->is_bare)
            drop(&d, uc_cache_row(t->bare, b->rows[i].rowid));
    }
    drop_now(&d, b->touched_all);
    uc_cache_wait(db->e.cache, d.ticket, by, db->writer->sync);
    uc__hurry(&db->e);
}

void sq_touch_unsure(sq_db *db, const uc_session *own, sq_touch_mark since)
{
    const sq_touches *b = &db->touches;
    uint64_t domains[4];

    if (db->e.cache == NULL)
        return;
    if (b->touched_all && !since.all)
        uc_cache_unsure(db->e.cache, own, NULL, 0, true);
    for (uint32_t i = since.n; i < b->ntouched; i++) {
        const sq_table *at = &b->tables[b->touched[i]];
        const uc_table *t = &db->e.board.tables[b->touched[i]];

        domains[0] = at->domain;
        domains[1] = uc_cache_rows(t->name);
        if (t->bare != NULL) {
            domains[2] = at->bare_domain;
            domains[3] = uc_cache_rows(t->bare);
        }
        uc_cache_unsure(db->e.cache, own, domains, t->bare != NULL ? 4 : 2,
                        false);
    }
}

void sq_touch_commit(sq_db *db, const uc_session *by)
{
    sq_touches *b = &db->touches;

    if (b->ntouched == 0 && !b->touched_all)
        return;
    see_names(db);
    if (db->e.cache != NULL)
        drop_cached(db, by);
    uc__board_changed(&db->e.board, b->touched, b->ntouched, b->touched_all);
    b->ntouched = 0;
    b->touched_all = false;
    b->round++;
    sq_fresh_committed(db);
}

void sq_touches_fini(sq_touches *b)
{
    uc_free(b->tables);
    uc_free(b->touched);
    uc_free(b->rows);
}

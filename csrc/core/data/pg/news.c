#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/cache.h"
#include "common/mem.h"
#include "data/pg/feed.h"

/* What transactions have changed, until it is told: see feed.h, 2. */

enum { WAITING = 256 /* transactions; with more, all is told at once */ };

/* ---- the cache and the board ---- */

/* So many domains at once. */
typedef struct dropped {
    pg_db *db;
    const uc_session *own;
    uint64_t domains[64];
    uint32_t n;
    uint64_t ticket;
} dropped;

static void drop_now(dropped *d)
{
    uint64_t ticket;

    if (d->n == 0)
        return;
    ticket = uc_cache_tables_changed(d->db->e.cache, d->own, d->domains, d->n,
                                     false);
    if (ticket != 0)
        d->ticket = ticket;
    d->n = 0;
}

static void drop(dropped *d, uint64_t domain)
{
    if (domain == 0)
        return;
    if (d->n == sizeof d->domains / sizeof *d->domains)
        drop_now(d);
    d->domains[d->n++] = domain;
}

/* The names of a table: `a` and `public.a`, or `s.a` and `a`, which SQL may
 * call it as its search_path says. */
static unsigned names_of(const pg_db *db, uint32_t table, const char *names[2],
                         char room[400])
{
    const uc_table *t = &db->e.board.tables[table];

    names[0] = t->name;
    names[1] = t->bare;
    if (t->bare == NULL && strlen(t->name) < 380) {
        snprintf(room, 400, "public.%s", t->name);
        names[1] = room;
    }
    return names[1] != NULL ? 2 : 1;
}

static void drop_rows(dropped *d, const pg_news *w)
{
    const char *names[2];
    char room[400];

    for (uint32_t i = 0; i < w->ntables; i++) {
        unsigned n = names_of(d->db, w->tables[i].table, names, room);

        for (unsigned k = 0; w->tables[i].vague && k < n; k++)
            drop(d, uc_cache_rows(names[k]));
    }
    for (uint32_t i = 0; i < w->nrows; i++) {
        unsigned n = names_of(d->db, w->rows[i].table, names, room);

        for (unsigned k = 0; k < n; k++)
            drop(d, uc_cache_row(names[k], w->rows[i].key));
    }
}

static uint64_t drop_cached(pg_db *db, const pg_news *w, const uc_session *own)
{
    dropped d = {.db = db, .own = own};
    const char *names[2];
    char room[400];

    if (db->e.cache == NULL)
        return 0;
    if (w->all)
        return uc_cache_tables_changed(db->e.cache, own, NULL, 0, true);
    for (uint32_t i = 0; i < w->ntables; i++) {
        unsigned n = names_of(db, w->tables[i].table, names, room);

        for (unsigned k = 0; k < n; k++)
            drop(&d, uc_cache_table(names[k]));
    }
    if (uc_cache_has_rows(db->e.cache))
        drop_rows(&d, w);
    drop_now(&d);
    uc__hurry(&db->e);
    return d.ticket;
}

static void tell(pg_db *db, const pg_news *w, const uc_session *own)
{
    uint32_t tables[PG_NEWS_TABLES];
    uint64_t ticket = drop_cached(db, w, own);

    if (ticket > db->feed->ticket)
        db->feed->ticket = ticket;
    if (w->ntables == 0 && !w->all)
        return;
    for (uint32_t i = 0; i < w->ntables; i++)
        tables[i] = w->tables[i].table;
    uc__board_changed(&db->e.board, tables, w->all ? 0 : w->ntables, w->all);
}

void pg_news_all(pg_db *db)
{
    pg_news w = {.all = true};

    db->feed->drops++;
    tell(db, &w, NULL);
}

void pg_news_untie(pg_db *db)
{
    pg_news w = {.all = true};
    uint64_t ticket = drop_cached(db, &w, NULL);

    db->feed->drops++;
    if (ticket > db->feed->ticket)
        db->feed->ticket = ticket;
}

/* ---- what is coming ---- */

void pg_news_begin(pg_db *db, uint32_t xid)
{
    pg_news *w = &db->feed->now;

    w->mark = 0;
    w->xid = xid;
    w->all = w->asked = false;
    w->ntables = w->nrows = 0;
    db->feed->inside = true;
}

static void make_vague(pg_news *w, uint32_t i)
{
    uint32_t n = 0;

    w->tables[i].vague = true;
    for (uint32_t k = 0; k < w->nrows; k++) {
        if (w->rows[k].table != w->tables[i].table)
            w->rows[n++] = w->rows[k];
    }
    w->nrows = n;
}

void pg_news_row(pg_db *db, uint32_t table, bool known, int64_t key)
{
    pg_news *w = &db->feed->now;
    uint32_t i = 0;

    while (i < w->ntables && w->tables[i].table != table)
        i++;
    if (i == PG_NEWS_TABLES) {
        w->all = true;
        return;
    }
    if (i == w->ntables) {
        w->tables[w->ntables++].table = table;
        w->tables[i].vague = false;
    }
    if (w->tables[i].vague)
        return;
    if (!known || w->nrows == PG_NEWS_ROWS) {
        make_vague(w, i);
        return;
    }
    w->rows[w->nrows].table = table;
    w->rows[w->nrows++].key = key;
}

static void forget(pg_feed *f, pg_news **link)
{
    pg_news *w = *link;

    *link = w->next;
    if (*link == NULL)
        f->last = link;
    f->nnews--;
    uc_free(w);
}

void pg_news_drop(pg_db *db)
{
    while (db->feed->first != NULL)
        forget(db->feed, &db->feed->first);
}

void pg_news_end(pg_db *db)
{
    pg_feed *f = db->feed;
    const pg_news *now = &f->now;
    size_t used = offsetof(pg_news, rows) + now->nrows * sizeof now->rows[0];
    pg_news *w;

    f->inside = false;
    f->commits++;
    if (now->ntables == 0 && !now->all && now->mark == 0)
        return;
    if (now->mark == 0)
        drop_cached(db, now, NULL);
    w = f->nnews < WAITING ? uc_malloc(sizeof *w) : NULL;
    if (w == NULL) {
        /* Nobody can say when it may be seen. */
        pg_news_drop(db);
        pg_news_all(db);
        pg_gates_open(db);
        return;
    }
    memcpy(w, now, used);
    w->next = NULL;
    *f->last = w;
    f->last = &w->next;
    f->nnews++;
    if (now->mark != 0 && pg_gate_waits(db, now->mark))
        pg_gate_passed(db, now->mark);
    if (f->first != NULL)
        f->wants_snapshot = true;
}

/* ---- what may be seen ---- */

bool pg_news_told(pg_db *db, uint64_t mark, const uc_session *own)
{
    pg_feed *f = db->feed;

    for (pg_news **q = &f->first; *q != NULL; q = &(*q)->next) {
        if ((*q)->mark != mark)
            continue;
        tell(db, *q, own);
        forget(f, q);
        return true;
    }
    return false;
}

/* Numbers of transactions have 32 bits on the feed and 64 in a snapshot. */
static bool is_before(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

static bool is_running(uint32_t xid, const char *list)
{
    while (*list != '\0') {
        char *end;

        if ((uint32_t)strtoull(list, &end, 10) == xid)
            return true;
        if (end == list)
            return false;
        list = *end == ',' ? end + 1 : end;
    }
    return false;
}

void pg_news_snapshot(pg_db *db, uc_view text)
{
    pg_feed *f = db->feed;
    char *all = uc_strndup((const char *)text.p, text.len), *p;
    uint32_t next;

    if (all == NULL)
        return; /* the next one comes */
    p = strchr(all, ':');
    next = p != NULL ? (uint32_t)strtoull(p + 1, &p, 10) : 0;
    for (pg_news **q = &f->first; *q != NULL;) {
        pg_news *w = *q;

        if (p == NULL || !w->asked || !is_before(w->xid, next) ||
            (*p == ':' && is_running(w->xid, p + 1))) {
            q = &w->next;
            continue;
        }
        tell(db, w, NULL);
        forget(f, q);
    }
    f->wants_snapshot = f->first != NULL;
    uc_free(all);
}

#include "data/sqlite/watch.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "data/sqlite/db.h"
#include "wire/writer.h"

enum {
    TABLES = 4096,  /* names; beyond them a change counts as one of all */
    WATCHERS = 64,  /* standing calls of a session */
    WATCHED = 1000, /* tables that one of them may name */
    GEN_SHIFT = 10
};

/* The key of a once-write is not a change of the user's. */
static const char hidden[] = "_undercroft_once";

/* A standing call. The call itself is over, so that neither its batch nor a
 * closing session waits for it. */
struct sq_watcher {
    sq_watcher *next;
    uc_session *session; /* weak while it stands: ended with its peer */
    uint32_t id;
    uint32_t n;       /* 0: any table */
    uint64_t names[]; /* hashes; a collision is a change told too much */
};

/* SQLite's names are the same in upper and lower case. */
static uint64_t hash_name(uint64_t h, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        h = (h ^ (uint64_t)tolower((unsigned char)s[i])) * 0x100000001b3u;
    return h;
}

static const uint64_t HASH_START = 0xcbf29ce484222325u;

/* ---- life ---- */

/*
 * Generations begin at the time of day, so that those of a core that ran
 * before are smaller than all of this one: a client that comes back with one
 * is told that everything may have changed. They stay below 2^53.
 */
void sq_board_init(sq_board *b)
{
    uc_mutex_init(&b->mu);
    b->first = b->gen = (uint64_t)uc_wall_ms() << GEN_SHIFT;
    b->round = 1;
}

void sq_board_fini(sq_board *b)
{
    for (uint32_t i = 0; i < b->ntables; i++)
        uc_free(b->tables[i].name);
    uc_free(b->tables);
    uc_free(b->touched);
    uc_free(b->rows);
    while (b->watchers != NULL) {
        sq_watcher *w = b->watchers;

        b->watchers = w->next;
        uc_free(w);
    }
    uc_mutex_fini(&b->mu);
}

/* ---- notes ---- */

sq_notes *sq_notes_new(void)
{
    return uc_calloc(1, sizeof(sq_notes));
}

void sq_notes_free(sq_notes *n)
{
    if (n != NULL)
        uc_free(n->ids);
    uc_free(n);
}

/* An array of n with room for one more: it doubles at powers of two. NULL when
 * memory ran out, and p stays then. */
static void *grown(void *p, uint32_t n, size_t size)
{
    if (n > 0 && (n & (n - 1)) != 0)
        return p;
    return uc_realloc(p, (n == 0 ? 1 : (size_t)n * 2) * size);
}

static bool add_table(sq_board *b, char *full, const char *bare, uint64_t hash)
{
    sq_table *tables = grown(b->tables, b->ntables, sizeof *tables);
    uint32_t *touched;

    if (tables == NULL)
        return false;
    b->tables = tables;
    touched = grown(b->touched, b->ntables, sizeof *touched);
    if (touched == NULL)
        return false;
    b->touched = touched;
    tables[b->ntables] =
        (sq_table){.name = full, .hash = hash, .domain = uc_cache_table(full)};
    if (bare != NULL) {
        tables[b->ntables].bare = bare;
        tables[b->ntables].bare_hash =
            hash_name(HASH_START, bare, strlen(bare));
        tables[b->ntables].bare_domain = uc_cache_table(bare);
    }
    b->ntables++;
    return true;
}

static bool is_other(const char *schema)
{
    return schema != NULL && sqlite3_stricmp(schema, "main") != 0;
}

static uint64_t hash_table(const char *schema, const char *name)
{
    uint64_t h = HASH_START;

    if (is_other(schema)) {
        h = hash_name(h, schema, strlen(schema));
        h = hash_name(h, ".", 1);
    }
    return hash_name(h, name, strlen(name));
}

static int64_t find(const sq_board *b, uint64_t hash)
{
    for (uint32_t i = 0; i < b->ntables; i++) {
        if (b->tables[i].hash == hash)
            return i;
    }
    return -1;
}

int64_t sq_table_noted(const sq_board *b, const char *schema, const char *name)
{
    return find(b, hash_table(schema, name));
}

/* The number of a table, given when it is first seen; -1 when there is no room
 * for it. */
static int64_t table_of(sq_board *b, const char *schema, const char *name)
{
    uint64_t h = hash_table(schema, name);
    int64_t id = find(b, h);
    bool other = is_other(schema);
    size_t n = strlen(name), k = other ? strlen(schema) + 1 : 0;
    char *full;
    bool ok;

    if (id >= 0)
        return id;
    if (b->ntables == TABLES)
        return -1;
    full = uc_malloc(k + n + 1);
    if (full == NULL)
        return -1;
    if (other) {
        memcpy(full, schema, k - 1);
        full[k - 1] = '.';
    }
    memcpy(full + k, name, n + 1);
    uc_lock(&b->mu);
    ok = add_table(b, full, other ? full + k : NULL, h);
    uc_unlock(&b->mu);
    if (!ok)
        uc_free(full);
    return ok ? (int64_t)b->ntables - 1 : -1;
}

/* The tables in which the schema itself is kept. */
static bool is_schema(const char *name)
{
    return sqlite3_stricmp(name, "sqlite_master") == 0 ||
           sqlite3_stricmp(name, "sqlite_schema") == 0 ||
           sqlite3_strnicmp(name, "sqlite_temp_", 12) == 0;
}

void sq_note(sq_conn *c, int action, const char *table, const char *arg,
             const char *schema)
{
    sq_notes *n = c->notes;
    uint32_t *ids;
    int64_t id;

    if (n->all)
        return;
    switch (action) {
    case SQLITE_INSERT:
    case SQLITE_UPDATE:
    case SQLITE_DELETE:
        if (table == NULL || is_schema(table))
            break;
        if (sqlite3_stricmp(table, hidden) == 0)
            return;
        id = table_of(&c->db->board, schema, table);
        /* It may be another table than the one of that name before. */
        if (id >= 0)
            c->db->board.tables[id].kind = SQ_TABLE_ASK;
        for (uint32_t i = 0; i < n->n; i++) {
            if (n->ids[i] == id)
                return;
        }
        ids = id < 0 ? NULL : grown(n->ids, n->n, sizeof *ids);
        if (ids == NULL)
            break;
        n->ids = ids;
        ids[n->n++] = (uint32_t)id;
        return;
    case SQLITE_PRAGMA: /* without a value it asks; FTS5 does so by itself */
        if (arg == NULL)
            return;
        break;
    case SQLITE_ALTER_TABLE:
        break;
    default:
        return;
    }
    n->all = true;
}

/* ---- what the transaction under way has touched ---- */

void sq_touch(sq_db *db, const sq_notes *n)
{
    sq_board *b = &db->board;

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
    db->board.touched_all = true;
}

sq_board_mark sq_board_at(const sq_db *db)
{
    return (sq_board_mark){db->board.ntouched, db->board.touched_all};
}

void sq_board_undo(sq_db *db, sq_board_mark at)
{
    sq_board *b = &db->board;

    while (b->ntouched > at.n)
        b->tables[b->touched[--b->ntouched]].mark = 0;
    b->touched_all = at.all;
}

void sq_board_clear(sq_db *db)
{
    sq_board_undo(db, (sq_board_mark){0, false});
    sq_rowlog_begin(db);
}

/* ---- watching ---- */

static bool is_named(const sq_watcher *w, const sq_table *t)
{
    for (uint32_t i = 0; i < w->n; i++) {
        if (w->names[i] == t->hash ||
            (t->is_bare && w->names[i] == t->bare_hash))
            return true;
    }
    return w->n == 0;
}

/* Appends the reply to w when something that it names has changed since.
 * Under mu. */
static bool changed(const sq_board *b, const sq_watcher *w, uint64_t since,
                    uc_buf *out)
{
    size_t at, list;
    uint32_t n = 0;

    at = uc__reply_open(out);
    uc_reply_begin(out, w->id, UC_REPLY_VALUE, 3);
    uc_pack_map(out, 2);
    uc_pack_str(out, "gen");
    uc_pack_uint(out, b->gen);
    uc_pack_str(out, "tables");
    list = out->len;
    if (uc_buf_reserve(out, 5)) /* dd + u32: how many is known afterwards */
        out->len += 5;
    if (since < b->first || since > b->gen || b->all_gen > since) {
        uc_pack_str(out, "*");
        n = 1;
    } else {
        for (uint32_t i = 0; i < b->ntables; i++) {
            const sq_table *t = &b->tables[i];

            if (t->gen > since && is_named(w, t)) {
                uc_pack_str(out, t->name);
                n++;
            }
        }
    }
    if (n == 0) {
        uc_buf_rewind(out, at);
        return false;
    }
    if (!out->failed) {
        out->p[list] = 0xdd;
        uc_put_be32(out->p + list + 1, n);
    }
    uc__reply_close(out, at, w->id);
    return true;
}

static bool is_touched(const sq_board *b, const sq_watcher *w)
{
    if (b->touched_all || w->n == 0)
        return true;
    for (uint32_t i = 0; i < b->ntouched; i++) {
        if (is_named(w, &b->tables[b->touched[i]]))
            return true;
    }
    return false;
}

/* Takes a watcher off the list, whose link is *link. Under mu. */
static sq_watcher *unlink_watcher(sq_watcher **link)
{
    sq_watcher *w = *link;

    *link = w->next;
    w->session->peer->watches--;
    return w;
}

/* Publishes what is in out to the session and lets go of both. */
static void tell(uc_session *s, uc_buf *out)
{
    uc__session_publish(s, out);
    uc_buf_fini(out);
}

/* Replies are published under mu: a session that is about to end waits for mu
 * in sq_watch_end, so it is there as long as its watchers are. */
static void answer_touched(sq_board *b)
{
    uint64_t before = b->gen - 1;
    sq_watcher **link = &b->watchers;

    while (*link != NULL) {
        sq_watcher *w = *link;
        uc_buf out;

        if (!is_touched(b, w)) {
            link = &w->next;
            continue;
        }
        uc_buf_init(&out, SIZE_MAX);
        changed(b, w, before, &out);
        unlink_watcher(link);
        tell(w->session, &out);
        uc_free(w);
    }
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
    sq_board *b = &db->board;

    for (uint32_t i = 0; i < b->ntouched; i++) {
        sq_table *t = &b->tables[b->touched[i]];
        bool is_bare;

        if (t->bare == NULL)
            continue;
        is_bare = sqlite3_strnicmp(t->name, "temp.", 5) == 0 ||
                  sqlite3_table_column_metadata(db->writer->h, "main", t->bare,
                                                NULL, NULL, NULL, NULL, NULL,
                                                NULL) != SQLITE_OK;
        uc_lock(&b->mu);
        t->is_bare = is_bare;
        uc_unlock(&b->mu);
    }
}

/* Before anybody can be told of the commit. */
static void drop_cached(sq_db *db, const uc_session *by)
{
    const sq_board *b = &db->board;
    dropped d = {.db = db, .by = by};
    bool rows = !b->touched_all && uc_cache_has_rows(db->e.cache);

    for (uint32_t i = 0; !b->touched_all && i < b->ntouched; i++) {
        const sq_table *t = &b->tables[b->touched[i]];

        drop(&d, t->domain);
        if (t->is_bare)
            drop(&d, t->bare_domain);
        if (rows && !sq_rowlog_whole(db, b->touched[i])) {
            drop(&d, uc_cache_rows(t->name));
            if (t->is_bare)
                drop(&d, uc_cache_rows(t->bare));
        }
    }
    for (uint32_t i = 0; rows && i < b->nrows; i++) {
        const sq_table *t = &b->tables[b->rows[i].table];

        drop(&d, uc_cache_row(t->name, b->rows[i].rowid));
        if (t->is_bare)
            drop(&d, uc_cache_row(t->bare, b->rows[i].rowid));
    }
    drop_now(&d, b->touched_all);
    uc_cache_wait(db->e.cache, d.ticket, by, db->writer->sync);
    uc__hurry(&db->e);
}

void sq_board_unsure(sq_db *db, const uc_session *own, sq_board_mark since)
{
    const sq_board *b = &db->board;
    uint64_t domains[4];

    if (db->e.cache == NULL)
        return;
    if (b->touched_all && !since.all)
        uc_cache_unsure(db->e.cache, own, NULL, 0, true);
    for (uint32_t i = since.n; i < b->ntouched; i++) {
        const sq_table *t = &b->tables[b->touched[i]];

        domains[0] = t->domain;
        domains[1] = uc_cache_rows(t->name);
        if (t->bare != NULL) {
            domains[2] = t->bare_domain;
            domains[3] = uc_cache_rows(t->bare);
        }
        uc_cache_unsure(db->e.cache, own, domains, t->bare != NULL ? 4 : 2,
                        false);
    }
}

void sq_board_commit(sq_db *db, const uc_session *by)
{
    sq_board *b = &db->board;

    if (b->ntouched == 0 && !b->touched_all)
        return;
    see_names(db);
    if (db->e.cache != NULL)
        drop_cached(db, by);
    uc_lock(&b->mu);
    b->gen++;
    if (b->touched_all)
        b->all_gen = b->gen;
    for (uint32_t i = 0; i < b->ntouched; i++)
        b->tables[b->touched[i]].gen = b->gen;
    if (b->watchers != NULL)
        answer_touched(b);
    uc_unlock(&b->mu);
    b->ntouched = 0;
    b->touched_all = false;
    b->round++;
}

/* [since, tables]. NULL with *e. */
static sq_watcher *parse(uc_call *call, uint64_t *since, uc_error *e)
{
    uc_reader r = call->args;
    sq_watcher *w;
    uc_value v;

    if (!uc_read_u64(&r, since) || !uc_read(&r, &v) ||
        (v.type != UC_T_ARRAY && v.type != UC_T_NIL)) {
        uc_fail(e, UC_FRAME, "watch takes [since, [table, ...]]");
        return NULL;
    }
    if (v.type == UC_T_NIL)
        v.n = 0;
    if (v.n > WATCHED) {
        uc_fail(e, UC_OPTION, "watch: at most %d tables, or none for all",
                WATCHED);
        return NULL;
    }
    w = uc_malloc(sizeof *w + v.n * sizeof w->names[0]);
    if (w == NULL) {
        uc_fail(e, UC_MEMORY, "no memory to watch tables");
        return NULL;
    }
    w->session = call->session;
    w->id = call->id;
    w->n = v.n;
    for (uint32_t i = 0; i < w->n; i++) {
        uc_view s;

        if (!uc_read_str(&r, &s)) {
            uc_free(w);
            uc_fail(e, UC_FRAME, "watch: the name of a table is text");
            return NULL;
        }
        if (s.len > 5 && sqlite3_strnicmp((const char *)s.p, "main.", 5) == 0)
            s = (uc_view){s.p + 5, s.len - 5};
        w->names[i] = hash_name(HASH_START, (const char *)s.p, s.len);
    }
    return w;
}

void sq_watch(uc_peer *p, uc_call *call)
{
    sq_db *db = sq_db_of(p->engine);
    sq_board *b = &db->board;
    sq_watcher *w = NULL;
    uc_session *s = call->session;
    uc_error e = {0};
    uint64_t since = 0;
    uc_buf out;

    uc_buf_init(&out, SIZE_MAX);
    if (db->e.state == UC_FAILED)
        e = db->e.open_error;
    else if (p->failed.code != NULL)
        e = p->failed;
    else
        w = parse(call, &since, &e);
    if (w != NULL && call->id != 0) {
        uc_lock(&b->mu);
        if (p->watches >= WATCHERS) {
            uc_fail(&e, UC_BUSY, "%d watch calls of this handle stand already",
                    WATCHERS);
        } else if (since == 0 || !changed(b, w, since, &out)) {
            w->next = b->watchers;
            b->watchers = w;
            p->watches++;
            w = NULL;
        }
        uc_unlock(&b->mu);
    }
    uc_free(w);
    if (e.code != NULL) {
        e.outcome = "not-run";
        uc__refuse(call, &e);
        return;
    }
    tell(s, &out);
    uc__finish(call);
}

/* Ends watchers of the session: the one with this id, or all. */
static void end(uc_engine *engine, uc_session *s, uint32_t id,
                const uc_error *e)
{
    sq_board *b = &sq_db_of(engine)->board;
    sq_watcher **link;
    uc_buf out;

    uc_buf_init(&out, SIZE_MAX);
    uc_lock(&b->mu);
    link = &b->watchers;
    while (*link != NULL) {
        sq_watcher *w = *link;

        if (w->session != s || (id != 0 && w->id != id)) {
            link = &w->next;
            continue;
        }
        unlink_watcher(link);
        if (e != NULL) {
            size_t at = uc__reply_open(&out);

            uc_reply_error(&out, w->id, e);
            uc__reply_close(&out, at, w->id);
        }
        uc_free(w);
    }
    uc_unlock(&b->mu);
    tell(s, &out);
}

void sq_watch_cancel(uc_engine *engine, uc_session *s, uint32_t id)
{
    uc_error e = {0};

    uc_fail(&e, UC_ABORTED, "the call was aborted");
    end(engine, s, id, &e);
}

void sq_watch_end(uc_engine *engine, uc_session *s, bool say)
{
    uc_error e = {0};

    uc_fail(&e, UC_CLOSED, "the store is closed");
    end(engine, s, 0, say ? &e : NULL);
}

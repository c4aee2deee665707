#include "desk/board.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"
#include "common/mem.h"
#include "data/engine.h"
#include "desk/session.h"
#include "wire/writer.h"

enum {
    WATCHERS = 64,  /* standing calls of a session */
    WATCHED = 1000, /* tables that one of them may name */
    GEN_SHIFT = 10
};

/* A standing call. The call itself is over, so that neither its batch nor a
 * closing session waits for it. */
struct uc_watcher {
    uc_watcher *next;
    uc_session *session; /* weak while it stands: ended with its peer */
    uint32_t id;
    uint32_t n;       /* 0: any table */
    uint64_t names[]; /* hashes; a collision is a change told too much */
};

/* Names are the same in upper and lower case. */
static uint64_t hash_name(uint64_t h, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        h = (h ^ (uint64_t)tolower((unsigned char)s[i])) * 0x100000001b3u;
    return h;
}

static const uint64_t HASH_START = 0xcbf29ce484222325u;

/*
 * Generations begin at the time of day, so that those of a core that ran
 * before are smaller than all of this one: a client that comes back with one
 * is told that everything may have changed. They stay below 2^53.
 */
void uc__board_init(uc_board *b)
{
    uc_mutex_init(&b->mu);
    b->first = b->gen = (uint64_t)uc_wall_ms() << GEN_SHIFT;
}

void uc__board_fini(uc_board *b)
{
    for (uint32_t i = 0; i < b->ntables; i++)
        uc_free(b->tables[i].name);
    uc_free(b->tables);
    while (b->watchers != NULL) {
        uc_watcher *w = b->watchers;

        b->watchers = w->next;
        uc_free(w);
    }
    uc_mutex_fini(&b->mu);
}

/* An array of n with room for one more: it doubles at powers of two. NULL when
 * memory ran out, and p stays then. */
static void *grown(void *p, uint32_t n, size_t size)
{
    if (n > 0 && (n & (n - 1)) != 0)
        return p;
    return uc_realloc(p, (n == 0 ? 1 : (size_t)n * 2) * size);
}

static bool is_other(const char *schema)
{
    return schema != NULL && strcasecmp(schema, "main") != 0;
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

static int64_t find(const uc_board *b, uint64_t hash)
{
    for (uint32_t i = 0; i < b->ntables; i++) {
        if (b->tables[i].hash == hash)
            return i;
    }
    return -1;
}

int64_t uc__board_find(const uc_board *b, const char *schema, const char *name)
{
    return find(b, hash_table(schema, name));
}

/* Takes full. */
static bool add(uc_board *b, char *full, const char *bare, uint64_t hash)
{
    uc_table *tables = grown(b->tables, b->ntables, sizeof *tables);

    if (tables == NULL)
        return false;
    b->tables = tables;
    tables[b->ntables] = (uc_table){.name = full, .hash = hash};
    if (bare != NULL) {
        tables[b->ntables].bare = bare;
        tables[b->ntables].bare_hash =
            hash_name(HASH_START, bare, strlen(bare));
    }
    b->ntables++;
    return true;
}

int64_t uc__board_table(uc_board *b, const char *schema, const char *name)
{
    uint64_t h = hash_table(schema, name);
    int64_t id = find(b, h);
    bool other = is_other(schema);
    size_t n = strlen(name), k = other ? strlen(schema) + 1 : 0;
    char *full;
    bool ok;

    if (id >= 0)
        return id;
    if (b->ntables == UC_TABLES)
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
    ok = add(b, full, other ? full + k : NULL, h);
    uc_unlock(&b->mu);
    if (!ok)
        uc_free(full);
    return ok ? (int64_t)b->ntables - 1 : -1;
}

void uc__board_bare(uc_board *b, uint32_t table, bool is_bare)
{
    uc_lock(&b->mu);
    b->tables[table].is_bare = is_bare;
    uc_unlock(&b->mu);
}

/* ---- watching ---- */

static bool is_named(const uc_watcher *w, const uc_table *t)
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
static bool changed(const uc_board *b, const uc_watcher *w, uint64_t since,
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
            const uc_table *t = &b->tables[i];

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

static bool is_touched(const uc_board *b, const uc_watcher *w,
                       const uint32_t *tables, uint32_t n, bool all)
{
    if (all || w->n == 0)
        return true;
    for (uint32_t i = 0; i < n; i++) {
        if (is_named(w, &b->tables[tables[i]]))
            return true;
    }
    return false;
}

/* Takes a watcher off the list, whose link is *link. Under mu. */
static uc_watcher *unlink_watcher(uc_watcher **link)
{
    uc_watcher *w = *link;

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
 * in uc__watch_end, so it is there as long as its watchers are. */
static void answer_touched(uc_board *b, const uint32_t *tables, uint32_t n,
                           bool all)
{
    uint64_t before = b->gen - 1;
    uc_watcher **link = &b->watchers;

    while (*link != NULL) {
        uc_watcher *w = *link;
        uc_buf out;

        if (!is_touched(b, w, tables, n, all)) {
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

void uc__board_changed(uc_board *b, const uint32_t *tables, uint32_t n,
                       bool all)
{
    uc_lock(&b->mu);
    b->gen++;
    if (all)
        b->all_gen = b->gen;
    for (uint32_t i = 0; i < n; i++)
        b->tables[tables[i]].gen = b->gen;
    if (b->watchers != NULL)
        answer_touched(b, tables, n, all);
    uc_unlock(&b->mu);
}

static void without_schema(uc_view *s, const char *schema)
{
    size_t n = schema != NULL ? strlen(schema) : 0;

    if (n > 0 && s->len > n + 1 && s->p[n] == '.' &&
        strncasecmp((const char *)s->p, schema, n) == 0)
        *s = (uc_view){s->p + n + 1, s->len - n - 1};
}

/* [since, tables]. NULL with *e. */
static uc_watcher *parse(uc_call *call, const char *schema, uint64_t *since,
                         uc_error *e)
{
    uc_reader r = call->args;
    uc_watcher *w;
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
        without_schema(&s, "main");
        without_schema(&s, schema);
        w->names[i] = hash_name(HASH_START, (const char *)s.p, s.len);
    }
    return w;
}

void uc__watch(uc_peer *p, uc_call *call)
{
    uc_engine *engine = p->engine;
    uc_board *b = &engine->board;
    uc_watcher *w = NULL;
    uc_session *s = call->session;
    uc_error e = {0};
    uint64_t since = 0;
    uc_buf out;

    uc_buf_init(&out, SIZE_MAX);
    if (engine->state == UC_FAILED)
        e = engine->open_error;
    else if (p->failed.code != NULL)
        e = p->failed;
    else
        w = parse(call, engine->ops->schema, &since, &e);
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
    uc_board *b = &engine->board;
    uc_watcher **link;
    uc_buf out;

    uc_buf_init(&out, SIZE_MAX);
    uc_lock(&b->mu);
    link = &b->watchers;
    while (*link != NULL) {
        uc_watcher *w = *link;

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

void uc__watch_cancel(uc_engine *engine, uc_session *s, uint32_t id)
{
    uc_error e = {0};

    uc_fail(&e, UC_ABORTED, "the call was aborted");
    end(engine, s, id, &e);
}

void uc__watch_end(uc_engine *engine, uc_session *s, bool say)
{
    uc_error e = {0};

    uc_fail(&e, UC_CLOSED, "the store is closed");
    end(engine, s, 0, say ? &e : NULL);
}

#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "cache/cache.h"
#include "common/mem.h"
#include "data/pg/decode.h"
#include "data/pg/feed.h"
#include "wire/writer.h"

/*
 * The stream of changes: a temporary slot of logical decoding, which the server
 * drops with the connection, however that ends.
 */

enum {
    BEAT_MS = 250,
    SILENT_MS = 1000,
    AGAIN_MS = 500, /* between two tries of a connection */
    RELATIONS = 4096
};

/* What the feed has been asked. */
enum { AT_NOTHING, AT_SLOT, AT_START, AT_STREAM };

bool pg_feed_init(pg_db *db)
{
    pg_feed *f = uc_calloc(1, sizeof *f);
    uint64_t r = 0;

    if (f == NULL)
        return false;
    if (getrandom(&r, sizeof r, 0) != sizeof r)
        r = (uint64_t)uc_now() ^ (uint64_t)(uintptr_t)f;
    snprintf(f->id, sizeof f->id, "%016llx", (unsigned long long)r);
    f->last = &f->first;
    db->feed = f;
    return true;
}

void pg_feed_fini(pg_db *db)
{
    if (db->feed == NULL)
        return;
    pg_news_drop(db);
    uc_free(db->feed->relations);
    uc_free(db->feed);
}

/* ---- its state ---- */

static void set_state(pg_db *db, pg_feed_state s)
{
    bool tied = s != PG_FEED_BEGINS && s != PG_FEED_SILENT;

    if (atomic_exchange(&db->feed->state, (int)s) == (int)s)
        return;
    if (db->e.cache != NULL)
        uc_cache_ties(db->e.cache, tied);
    if (!tied || s == PG_FEED_LIVE)
        pg_news_all(db);
    if (!tied) {
        pg_news_drop(db);
        pg_gates_open(db);
    }
}

bool pg_feed_begins(const pg_db *db)
{
    int s = atomic_load(&db->feed->state);

    return s == PG_FEED_BEGINS ||
           (s == PG_FEED_NONE && atomic_load(&db->feed->wanted));
}

void pg_feed_weak(pg_db *db, const char *why)
{
    pg_feed *f = db->feed;

    uc_lock(&db->e.mu);
    snprintf(f->why, sizeof f->why, "%s", why);
    uc_unlock(&db->e.mu);
    set_state(db, PG_FEED_WEAK);
    if (f->conn != NULL && f->conn->phase != PG_DEAD)
        pg_conn_end(f->conn);
}

void pg_feed_expect(pg_db *db)
{
    set_state(db, PG_FEED_BEGINS);
}

void pg_feed_decide(pg_db *db)
{
    const pg_feed *f = db->feed;
    const char *why =
        f->facts.pooled     ? "a pooler stands between: logical "
                              "decoding needs a direct connection"
        : f->facts.standby  ? "the server is a standby"
        : !f->facts.logical ? "wal_level of the server is not logical"
        : !f->facts.able    ? "the server is older than version 14"
        : !f->facts.exists  ? "there is no publication undercroft: create "
                              "publication undercroft for all tables with "
                              "(publish_via_partition_root = true)"
        : !f->facts.published
            ? "the publication undercroft leaves something out: "
              "it has to be FOR ALL TABLES, and to publish "
              "insert, update, delete and truncate"
        : !f->facts.replicates
            ? "the user has no right to decode: alter role … "
              "replication"
        : !f->facts.durable ? "synchronous_commit is off"
                            : NULL;

    if (why != NULL)
        pg_feed_weak(db, why);
    else if (atomic_load(&f->state) <= PG_FEED_WEAK)
        set_state(db, PG_FEED_BEGINS);
}

/* ---- its connection ---- */

static void ask(pg_conn *c, const char *text)
{
    pg_msg_query(&c->out, text);
    pg_conn_touch(c);
}

void pg_feed_joined(pg_conn *c)
{
    char text[160];

    snprintf(text, sizeof text,
             "CREATE_REPLICATION_SLOT undercroft_%s_%u TEMPORARY LOGICAL "
             "pgoutput NOEXPORT_SNAPSHOT",
             c->db->feed->id, c->pid);
    c->db->feed->at = AT_SLOT;
    ask(c, text);
}

static void start(pg_conn *c)
{
    char text[240];

    snprintf(text, sizeof text,
             "START_REPLICATION SLOT undercroft_%s_%u LOGICAL 0/0 "
             "(proto_version '1', publication_names '\"undercroft\"', "
             "messages 'true')",
             c->db->feed->id, c->pid);
    c->db->feed->at = AT_START;
    ask(c, text);
}

void pg_feed_lost(pg_conn *c)
{
    pg_db *db = c->db;
    pg_feed *f = db->feed;
    uc_error why = c->error;

    f->conn = NULL;
    f->at = AT_NOTHING;
    f->inside = false;
    f->nrelations = 0;
    f->target = f->received = 0;
    f->target_at = 0;
    if (f->dial_at < uc_now())
        f->dial_at = uc_now() + 20 * UC_MS;
    if (pg_feed_is(db, PG_FEED_WEAK) || c->ends)
        return;
    set_state(db, PG_FEED_BEGINS);
    /* Slots or walsenders have run out, or there is no right: for now it is
     * the weaker form, and tried again later. */
    if (why.sqlstate[0] != '\0' && strncmp(why.sqlstate, "57", 2) != 0)
        pg_feed_weak(db, why.message);
}

static void put64(uc_buf *b, uint64_t n)
{
    pg_put32(b, (uint32_t)(n >> 32));
    pg_put32(b, (uint32_t)n);
}

/* Seconds from 1970 to 2000. */
static const int64_t EPOCH = 946684800;

void pg_feed_ask(pg_db *db)
{
    pg_feed *f = db->feed;
    pg_conn *c = f->conn;
    size_t at;

    if (c == NULL || f->at != AT_STREAM || c->phase != PG_READY)
        return;
    at = pg_msg_begin(&c->out, 'd');
    uc_buf_byte(&c->out, 'r');
    for (int i = 0; i < 3; i++) /* written, flushed, applied */
        put64(&c->out, f->received);
    put64(&c->out, (uint64_t)((uc_wall_ms() - EPOCH * 1000) * 1000));
    uc_buf_byte(&c->out, 1); /* and say where you are */
    pg_msg_end(&c->out, at);
    pg_conn_touch(c);
}

/* ---- what it says ---- */

static void came(pg_db *db, uint64_t at)
{
    pg_feed *f = db->feed;

    if (at > f->received)
        f->received = at;
    if (f->target_at == 0 || f->received < f->target)
        return;
    f->proved = f->target_at;
    f->target_at = 0;
    if (!pg_feed_is(db, PG_FEED_WEAK))
        set_state(db, PG_FEED_LIVE);
}

static pg_relation *relation_of(pg_feed *f, uint32_t oid)
{
    for (uint32_t i = 0; i < f->nrelations; i++) {
        if (f->relations[i].oid == oid)
            return &f->relations[i];
    }
    return NULL;
}

static bool name_of(uc_view v, char *to, size_t n)
{
    if (v.len >= n)
        return false;
    memcpy(to, v.p, v.len);
    to[v.len] = '\0';
    return true;
}

static void relation(pg_db *db, const pg_change *w)
{
    pg_feed *f = db->feed;
    pg_relation *r = relation_of(f, w->relation);
    bool is_public = uc_view_is(w->schema, "public");
    char schema[200], name[200];

    if (f->relations == NULL)
        f->relations = uc_malloc(RELATIONS * sizeof *f->relations);
    if (f->relations == NULL)
        return;
    if (r == NULL && f->nrelations == RELATIONS)
        f->nrelations = 0; /* what is not known counts as all */
    if (r == NULL)
        r = &f->relations[f->nrelations++];
    r->oid = w->relation;
    r->table = -1;
    r->key = w->identity == 'd' ? w->key : -1;
    if (uc_view_is(w->name, "_undercroft_once")) {
        r->table = -2;
    } else if (name_of(w->schema, schema, sizeof schema) &&
               name_of(w->name, name, sizeof name)) {
        r->table =
            uc__board_table(&db->e.board, is_public ? NULL : schema, name);
        if (r->table >= 0 && !is_public)
            uc__board_bare(&db->e.board, (uint32_t)r->table, true);
    }
}

static void one_row(pg_db *db, const pg_relation *r, uc_view row)
{
    uc_view text;
    int64_t key = 0;
    bool known = r->key >= 0 && pg_change_column(row, r->key, &text) &&
                 pg_change_integer(text, &key);

    pg_news_row(db, (uint32_t)r->table, known, key);
}

static void row(pg_db *db, const pg_change *w)
{
    const pg_relation *r = relation_of(db->feed, w->relation);

    if (r == NULL || r->table == -1)
        db->feed->now.all = true;
    if (r == NULL || r->table < 0)
        return;
    if (w->before.p != NULL)
        one_row(db, r, w->before);
    if (w->after.p != NULL)
        one_row(db, r, w->after);
}

static void truncated(pg_db *db, uc_view oids)
{
    pg_reader list = pg_reader_of(oids);

    while (list.p < list.end) {
        const pg_relation *r = relation_of(db->feed, pg_get32(&list));

        if (r == NULL || r->table == -1)
            db->feed->now.all = true;
        else if (r->table >= 0)
            pg_news_row(db, (uint32_t)r->table, false, 0);
    }
}

/* "id:number" is a mark of our own. */
static void message(pg_db *db, const pg_change *w)
{
    size_t n = strlen(db->feed->id);
    int64_t mark;

    if (uc_view_is(w->prefix, "uc") && w->content.len > n + 1 &&
        memcmp(w->content.p, db->feed->id, n) == 0 &&
        pg_change_integer(
            (uc_view){w->content.p + n + 1, w->content.len - n - 1}, &mark))
        db->feed->now.mark = (uint64_t)mark;
}

static bool change(pg_conn *c, uc_view body, uc_error *e)
{
    pg_db *db = c->db;
    pg_change w;

    pg_change_read(body, &w);
    if (w.kind == PG_CHANGE_BEGIN)
        pg_news_begin(db, w.xid);
    else if (w.kind == PG_CHANGE_RELATION)
        relation(db, &w);
    else if (w.kind == PG_CHANGE_BAD ||
             (!db->feed->inside && w.kind != PG_CHANGE_MESSAGE))
        return pg_nonsense(e, "a change that is none");
    else if (w.kind == PG_CHANGE_ROW)
        row(db, &w);
    else if (w.kind == PG_CHANGE_TRUNCATE)
        truncated(db, w.relations);
    else if (w.kind == PG_CHANGE_MESSAGE && db->feed->inside)
        message(db, &w);
    if (w.kind == PG_CHANGE_COMMIT) {
        pg_news_end(db);
        came(db, w.end);
    }
    return true;
}

static bool copied(pg_conn *c, uc_view body, uc_error *e)
{
    pg_wal w;

    pg_wal_read(body, &w);
    if (w.kind == PG_WAL_BAD)
        return pg_nonsense(e, "a piece of a stream that is none");
    if (w.kind == PG_WAL_DATA)
        return change(c, w.change, e);
    if (!c->db->feed->inside)
        came(c->db, w.at);
    if (w.asks)
        pg_feed_ask(c->db);
    return true;
}

bool pg_feed_answer(pg_conn *c, const pg_msg *m, uc_error *e)
{
    pg_feed *f = c->db->feed;

    switch (m->type) {
    case 'E':
        pg_error(e, m->body);
        return false;
    case 'd':
        return f->at == AT_STREAM ? copied(c, m->body, e)
                                  : pg_nonsense(e, "a stream out of its turn");
    case 'W':
        if (f->at != AT_START)
            return pg_nonsense(e, "a stream out of its turn");
        f->at = AT_STREAM;
        f->beat_at = 0;
        return true;
    case 'Z':
        if (f->at == AT_SLOT)
            start(c);
        return true;
    case 'c': /* the server is about to stop */
        uc_fail(e, UC_CONNECTION_LOST, "the server has ended the stream");
        return false;
    default: /* columns and the row of the slot, notices */
        return true;
    }
}

/* ---- time ---- */

static int64_t sooner(int64_t a, int64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

bool pg_feed_wants(pg_db *db, int64_t now, pg_role *role)
{
    pg_feed *f = db->feed;
    bool begins = atomic_load(&f->state) >= PG_FEED_BEGINS;

    if (db->dead || !atomic_load(&f->wanted))
        return false;
    if (f->ear == NULL && now >= f->ear_at) {
        f->ear_at = now + AGAIN_MS * UC_MS;
        *role = PG_EAR;
        return true;
    }
    if (f->conn == NULL && begins && f->probed && now >= f->dial_at) {
        f->dial_at = now + AGAIN_MS * UC_MS;
        *role = PG_FEED;
        return true;
    }
    return false;
}

void pg_feed_takes(pg_db *db, pg_role role, pg_conn *c)
{
    pg_feed *f = db->feed;

    if (role == PG_FEED) {
        f->conn = c;
        return;
    }
    f->ear = c;
    f->asking = 0;
    f->probed = f->listening = false;
}

int64_t pg_feed_turn(pg_db *db, int64_t now)
{
    pg_feed *f = db->feed;
    bool begins = atomic_load(&f->state) >= PG_FEED_BEGINS;
    int64_t next = pg_gates_turn(db, now);

    if (!atomic_load(&f->wanted))
        return next;
    if (f->ear == NULL || (begins && f->conn == NULL)) {
        if (f->ear == NULL)
            next = sooner(next, f->ear_at);
        if (begins && f->conn == NULL && f->probed)
            next = sooner(next, f->dial_at);
    }
    if (f->at == AT_STREAM) {
        if (pg_feed_is(db, PG_FEED_LIVE) && now - f->proved > SILENT_MS * UC_MS)
            set_state(db, PG_FEED_SILENT);
        if (now >= f->beat_at) {
            f->wants_snapshot = true;
            f->beat_at = now + BEAT_MS * UC_MS;
        }
        next = sooner(next, f->beat_at);
    }
    if (pg_feed_is(db, PG_FEED_WEAK) && f->probed) {
        if (now >= f->probe_at)
            f->probed = false;
        else
            next = sooner(next, f->probe_at);
    }
    pg_ear_ask(db);
    return next;
}

/* ---- what stats() says ---- */

void pg_feed_stats(pg_db *db, uc_buf *out)
{
    static const char *const names[] = {"none", "weak", "starting", "exact",
                                        "silent"};
    const pg_feed *f = db->feed;
    int s = atomic_load(&f->state);

    uc_pack_str(out, "changes");
    uc_pack_map(out, 5);
    uc_pack_str(out, "form");
    uc_pack_str(out, names[s]);
    uc_pack_str(out, "why");
    if (s == PG_FEED_WEAK)
        uc_pack_str(out, f->why);
    else
        uc_pack_nil(out);
    uc_pack_str(out, "commits");
    uc_pack_uint(out, f->commits);
    uc_pack_str(out, "droppedAll");
    uc_pack_uint(out, f->drops);
    uc_pack_str(out, "late");
    uc_pack_uint(out, f->late);
}

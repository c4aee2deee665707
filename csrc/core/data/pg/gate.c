#include <stdio.h>
#include <string.h>

#include "cache/cache.h"
#include "common/mem.h"
#include "data/pg/feed.h"

/* Replies of own writes, until the feed has passed their commits: feed.h, 1. */

enum { GATE_MS = 100, LOOK_MS = 1 };

/* ---- marks ---- */

/* On the writer all commits are flushed later: what is not known to be flushed
 * would be late. */
static bool is_marked(const pg_conn *c)
{
    return pg_feed_is(c->db, PG_FEED_LIVE) && c->role != PG_READER;
}

static void mark_text(pg_conn *c, uint64_t mark, char text[48])
{
    snprintf(text, 48, "%s:%llu", c->db->feed->id, (unsigned long long)mark);
}

/* Bind and Execute of a statement with the mark as its parameter. */
static void execute(pg_conn *c, const char *name, uint64_t mark)
{
    uc_buf *b = &c->out;
    size_t at = pg_msg_begin(b, 'B');
    char text[48] = "";

    if (mark != 0)
        mark_text(c, mark, text);
    pg_put_str(b, "");
    pg_put_str(b, name);
    pg_put16(b, 0);
    pg_put16(b, 1);
    pg_put32(b, (uint32_t)strlen(text));
    uc_buf_put(b, text, strlen(text));
    pg_put16(b, 0);
    pg_msg_end(b, at);
    pg_msg_execute(b, "", 0);
    pg_step_push(c, (pg_step){.kind = PG_STEP_EXECUTE, .mark = mark});
    pg_conn_touch(c);
}

void pg_mark(pg_conn *c)
{
    if (is_marked(c) && !c->flushes)
        execute(c, "uc_mark", ++c->db->feed->marks);
}

void pg_barrier(pg_conn *c)
{
    execute(c, "uc_barrier", is_marked(c) ? ++c->db->feed->marks : 0);
    pg_sync_all(c);
}

bool pg_mark_query(pg_conn *c)
{
    char text[48], sql[240];
    uint64_t mark;

    if (!is_marked(c) || c->pooled)
        return true;
    mark = ++c->db->feed->marks;
    mark_text(c, mark, text);
    snprintf(sql, sizeof sql,
             "select pg_catalog.pg_logical_emit_message(true, 'uc', '%s') "
             "where pg_catalog.txid_current_if_assigned() is not null",
             text);
    if (!pg_step_push(c, (pg_step){.kind = PG_STEP_QUERY, .mark = mark}))
        return false;
    pg_msg_query(&c->out, sql);
    pg_conn_touch(c);
    return true;
}

void pg_marked(pg_conn *c, uint64_t mark, bool written)
{
    c->mark_ran = true;
    if (written)
        c->marked = mark;
}

/* ---- gates ---- */

bool pg_gate_waits(const pg_db *db, uint64_t mark)
{
    for (const pg_gate *g = db->feed->gates; g != NULL; g = g->next) {
        if (g->mark == mark)
            return true;
    }
    return false;
}

static void tell(pg_db *db, pg_gate *g)
{
    if (g->whole && db->feed->first != NULL && db->feed->first->mark != g->mark)
        return; /* those before it, first */
    if (!pg_news_told(db, g->mark, g->own))
        return;
    /* Those of the same connection before it have no replies of their own. */
    g->ticket = db->feed->ticket;
    g->told = true;
}

void pg_gate_passed(pg_db *db, uint64_t mark)
{
    for (pg_gate *g = db->feed->gates; g != NULL; g = g->next) {
        if (g->mark != mark)
            continue;
        g->passed = true;
        tell(db, g);
    }
    atomic_store(&db->called, true); /* it may be opened in the next turn */
}

/* Whole replies, in a row as long as they are of one session. */
static void publish(uc_session *s, const uint8_t *p, size_t n)
{
    uc_buf b;

    uc_buf_init(&b, SIZE_MAX);
    uc_buf_put(&b, p, n);
    uc__session_publish(s, &b);
    uc_buf_fini(&b);
}

static void open(pg_db *db, pg_gate *g)
{
    pg_flight *f;

    while ((f = g->first) != NULL) {
        int ran = UC_CALL_RAN;

        g->first = f->next;
        if (f->call != NULL &&
            atomic_compare_exchange_strong(&f->call->state, &ran,
                                           UC_CALL_DONE) &&
            f->reply_len > 0) /* otherwise 'unknown' has been said */
            publish(f->call->session, g->held.p + f->reply_at, f->reply_len);
        pg_flight_end(db, f);
    }
    uc_buf_fini(&g->held);
    uc_free(g);
}

void pg_gates_open(pg_db *db)
{
    pg_gate *g;

    while ((g = db->feed->gates) != NULL) {
        db->feed->gates = g->next;
        open(db, g);
    }
}

/* From now on it waits for those who keep what was dropped. */
static void is_told(const pg_db *db, pg_gate *g, int64_t now)
{
    g->told = true;
    g->ticket = db->feed->ticket;
    g->until = now + GATE_MS * UC_MS;
}

static bool may_go(pg_db *db, pg_gate *g, int64_t now)
{
    if (g->passed && !g->told)
        tell(db, g);
    if (now >= g->until && g->told)
        return true;
    if (now >= g->until) {
        db->feed->late++;
        pg_news_untie(db);
        is_told(db, g, now);
    }
    return g->told && (g->ticket == 0 ||
                       uc_cache_is_confirmed(db->e.cache, g->ticket, g->own));
}

int64_t pg_gates_turn(pg_db *db, int64_t now)
{
    pg_gate **q = &db->feed->gates;
    int64_t next = 0;

    while (*q != NULL) {
        pg_gate *g = *q;
        int64_t at;

        if (may_go(db, g, now)) {
            *q = g->next;
            open(db, g);
            continue;
        }
        at = g->told ? now + LOOK_MS * UC_MS : g->until;
        next = next == 0 || at < next ? at : next;
        q = &g->next;
    }
    return next;
}

/* The session of all of them; NULL: there are several. */
static const uc_session *owner_of(const pg_flight *f)
{
    const uc_session *own = NULL;

    for (; f != NULL; f = f->next) {
        if (f->call == NULL)
            continue;
        if (own != NULL && own != f->call->session)
            return NULL;
        own = f->call->session;
    }
    return own;
}

/* In the order of their marks, which is that of their replies. */
static void add(pg_db *db, pg_gate *g)
{
    pg_gate **q = &db->feed->gates;

    while (*q != NULL)
        q = &(*q)->next;
    *q = g;
}

static void add_gate(pg_db *db, pg_gate *g)
{
    add(db, g);
    for (const pg_news *w = db->feed->first; w != NULL; w = w->next) {
        if (g->mark != 0 && w->mark == g->mark)
            g->passed = true;
    }
    if (g->passed)
        tell(db, g);
    atomic_store(&db->called, true);
}

static void wait_for(pg_conn *c, pg_gate *g)
{
    pg_db *db = c->db;

    g->mark = c->marked;
    g->whole = c->unmarked;
    g->own = owner_of(c->waiting);
    g->until = uc_now() + GATE_MS * UC_MS;
    g->first = c->waiting;
    g->held = c->held;
    uc_buf_init(&c->held, SIZE_MAX);
    for (pg_flight *f = g->first; f != NULL; f = f->next) {
        f->conn = NULL;
        c->calls--;
    }
    c->waiting = c->last_waiting = NULL;
    add_gate(db, g);
}

/* What the weaker form does about it. */
static void tell_all(pg_db *db)
{
    pg_news_all(db);
    if (pg_feed_is(db, PG_FEED_WEAK) && db->e.cache != NULL)
        db->feed->wants_notify = true;
}

/* Somebody keeps something that has been dropped, and has not said yet that he
 * does not any more. */
static bool keeps(const pg_db *db)
{
    return db->e.cache != NULL && db->feed->ticket != 0 &&
           !uc_cache_is_confirmed(db->e.cache, db->feed->ticket, NULL);
}

bool pg_committed(pg_conn *c)
{
    pg_db *db = c->db;
    bool live = pg_feed_is(db, PG_FEED_LIVE), told = false, waits;
    bool nothing = c->waiting == NULL && c->marked == 0;
    pg_gate *g = NULL;

    if ((nothing || (c->quiet && c->marked == 0 && !live)) && !c->alters) {
        c->quiet = false;
        return false;
    }
    if (c->alters || !live || !c->mark_ran) {
        tell_all(db);
        told = c->marked == 0;
    }
    waits = (live && c->marked != 0) || (told && keeps(db));
    if (waits)
        g = uc_calloc(1, sizeof *g);
    if (g != NULL)
        wait_for(c, g);
    else if (waits && !told)
        pg_news_all(db);
    if (g != NULL && told)
        is_told(db, g, uc_now());
    c->marked = 0;
    c->mark_ran = c->alters = c->unmarked = c->quiet = false;
    return g != NULL;
}

void pg_acked(pg_conn *c)
{
    pg_gate *g;

    if (c->marked == 0)
        return;
    g = uc_calloc(1, sizeof *g);
    if (g == NULL) {
        pg_news_all(c->db);
        c->marked = 0;
        return;
    }
    g->mark = c->marked;
    g->until = uc_now() + GATE_MS * UC_MS;
    c->marked = 0;
    add_gate(c->db, g);
}

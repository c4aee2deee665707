#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/pg/feed.h"

/*
 * The connection that asks, listens and notifies: one question at a time, the
 * most urgent first.
 */

enum {
    AT_NOTHING,
    AT_PROBE,
    AT_LISTEN,
    AT_SNAPSHOT,
    AT_NOTIFY,
    AT_CHANNEL,
    AT_CHANNEL_OFF
};
enum { PROBE_MS = 30000 }; /* an operator may have set it up meanwhile */

#define CHANNEL "undercroft_changes"

static const char probe[] =
    "select pg_catalog.current_setting('wal_level') = 'logical', "
    "coalesce((select rolreplication or rolsuper from pg_catalog.pg_roles "
    "where rolname = current_user), false), "
    "exists (select from pg_catalog.pg_publication where pubname = "
    "'undercroft'), "
    "exists (select from pg_catalog.pg_publication where pubname = "
    "'undercroft' and puballtables and pubinsert and pubupdate and pubdelete "
    "and pubtruncate), "
    "pg_catalog.current_setting('synchronous_commit') <> 'off'";

static const char where[] = "select pg_catalog.pg_current_wal_flush_lsn(), "
                            "pg_catalog.txid_current_snapshot()";

static void ask(pg_db *db, unsigned at, const char *text)
{
    pg_conn *c = db->feed->ear;

    db->feed->asking = at;
    db->feed->asked_at = uc_now();
    pg_msg_query(&c->out, text);
    pg_conn_touch(c);
}

void pg_ear_joined(pg_conn *c)
{
    pg_feed *f = c->db->feed;

    f->facts.pooled = c->pooled;
    f->facts.standby = c->facts.standby;
    f->facts.able = c->facts.version >= 140000;
    f->asking = AT_NOTHING;
    f->probed = f->listening = false;
    pg_ear_ask(c->db);
}

void pg_ear_lost(pg_db *db)
{
    uc__post_lost(&db->e.post);
    db->feed->ear = NULL;
    db->feed->asking = AT_NOTHING;
    db->feed->probed = db->feed->listening = false;
    db->feed->target_at = 0;
    if (pg_feed_is(db, PG_FEED_WEAK))
        pg_news_all(db); /* others may have said something */
}

static void ask_where(pg_db *db)
{
    pg_feed *f = db->feed;

    f->wants_snapshot = false;
    for (pg_news *w = f->first; w != NULL; w = w->next)
        w->asked = true;
    ask(db, AT_SNAPSHOT, where);
}

static bool cannot_listen(pg_db *db)
{
    const pg_feed *f = db->feed;
    uc_error e;

    if (!f->facts.pooled && !f->facts.standby)
        return false;
    uc_error_init(&e);
    uc_fail(&e, UC_NOT_HERE, "listen: %s",
            f->facts.pooled ? "a pooler stands between, and a server that "
                              "notifies needs a direct connection"
                            : "the server is a standby, where nobody notifies");
    e.outcome = "not-run";
    uc__post_refuse(&db->e.post, &e);
    return true;
}

/* The next channel of the clients, with its quotes doubled. */
static bool ask_channel(pg_db *db)
{
    pg_feed *f = db->feed;
    char text[2 * UC_CHANNEL + 20], *to;
    bool on;

    if (cannot_listen(db) || !uc__post_next(&db->e.post, f->channel, &on))
        return false;
    to =
        text + snprintf(text, sizeof text, "%s \"", on ? "listen" : "unlisten");
    for (const char *p = f->channel; *p != '\0'; p++) {
        if (*p == '"')
            *to++ = '"';
        *to++ = *p;
    }
    *to++ = '"';
    *to = '\0';
    ask(db, on ? AT_CHANNEL : AT_CHANNEL_OFF, text);
    return true;
}

void pg_ear_ask(pg_db *db)
{
    pg_feed *f = db->feed;
    char text[160];

    if (f->ear == NULL || f->ear->phase != PG_READY || f->asking != AT_NOTHING)
        return;
    if (!f->probed) {
        ask(db, AT_PROBE, probe);
    } else if (f->wants_snapshot && atomic_load(&f->state) >= PG_FEED_BEGINS) {
        ask_where(db);
    } else if (pg_feed_is(db, PG_FEED_WEAK) && !f->listening &&
               !f->facts.pooled) {
        ask(db, AT_LISTEN, "listen " CHANNEL);
    } else if (ask_channel(db)) {
        return;
    } else if (f->wants_notify && pg_feed_is(db, PG_FEED_WEAK)) {
        f->wants_notify = false;
        snprintf(text, sizeof text,
                 "select pg_catalog.pg_notify('" CHANNEL "', '%s')", f->id);
        ask(db, AT_NOTIFY, text);
    }
}

/* ---- answers ---- */

static bool is_true(uc_view v)
{
    return uc_view_is(v, "t");
}

/* Two numbers of 32 bits: "16/B374D848". */
static uint64_t lsn_of(uc_view v)
{
    char text[40], *slash, *end;
    uint64_t high, low;

    if (v.p == NULL || v.len >= sizeof text)
        return 0;
    memcpy(text, v.p, v.len);
    text[v.len] = '\0';
    high = strtoul(text, &slash, 16);
    if (slash == text || *slash != '/')
        return 0;
    low = strtoul(slash + 1, &end, 16);
    return end > slash + 1 && *end == '\0' ? high << 32 | low : 0;
}

static void row(pg_db *db, uc_view body)
{
    pg_feed *f = db->feed;
    pg_reader r = pg_reader_of(body);
    uint32_t n = pg_get16(&r);
    uc_view v[5] = {{0}};

    for (uint32_t i = 0; i < n && i < 5; i++) {
        uint32_t len = pg_get32(&r);

        if (len != UINT32_MAX)
            v[i] = pg_get_bytes(&r, len);
    }
    if (r.failed)
        return;
    if (f->asking == AT_PROBE && n == 5) {
        f->facts.logical = is_true(v[0]);
        f->facts.replicates = is_true(v[1]);
        f->facts.exists = is_true(v[2]);
        f->facts.published = is_true(v[3]);
        f->facts.durable = is_true(v[4]);
    } else if (f->asking == AT_SNAPSHOT && n == 2) {
        if (f->target_at == 0 || f->received >= f->target) {
            f->target = lsn_of(v[0]);
            f->target_at = f->asked_at;
        }
        pg_news_snapshot(db, v[1]);
        pg_feed_ask(db);
    }
}

static void notified(pg_db *db, uc_view body)
{
    pg_reader r = pg_reader_of(body);
    uc_view channel, payload;

    pg_get32(&r);
    channel = pg_get_str(&r);
    payload = pg_get_str(&r);
    if (r.failed)
        return;
    if (uc_view_is(channel, CHANNEL) && !uc_view_is(payload, db->feed->id))
        pg_news_all(db);
    uc__post_notice(&db->e.post, channel, payload);
}

bool pg_ear_answer(pg_conn *c, const pg_msg *m, uc_error *e)
{
    pg_db *db = c->db;
    pg_feed *f = db->feed;

    switch (m->type) {
    case 'E':
        pg_error(e, m->body);
        return false;
    case 'D':
        row(db, m->body);
        return true;
    case 'A':
        notified(db, m->body);
        return true;
    case 'Z':
        if (f->asking == AT_PROBE) {
            f->probed = true;
            f->probe_at = uc_now() + PROBE_MS * UC_MS;
            pg_feed_decide(db);
            atomic_store(&db->called, true);
        }
        f->listening = f->listening || f->asking == AT_LISTEN;
        if (f->asking == AT_CHANNEL || f->asking == AT_CHANNEL_OFF)
            uc__post_is(&db->e.post, f->channel, f->asking == AT_CHANNEL);
        f->asking = AT_NOTHING;
        pg_ear_ask(db);
        return true;
    default:
        return true;
    }
}

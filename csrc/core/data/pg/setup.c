#include <stdio.h>
#include <string.h>

#include "data/pg/feed.h"

/*
 * What is asked and set on a connection before it is used: what the server is,
 * whether it is fit (target_session_attrs), and whether somebody stands between
 * who gives each transaction a server process of its choice. Behind such a
 * pooler nothing is set on a session, since it would be a stranger's next.
 */

static const char facts_text[] =
    "select pg_catalog.pg_backend_pid(), pg_catalog.pg_is_in_recovery(), "
    "pg_catalog.current_setting('transaction_read_only'), "
    "pg_catalog.current_setting('synchronous_commit'), "
    "pg_catalog.current_setting('server_version_num'), "
    "pg_catalog.current_setting('wal_level') = 'logical' and exists (select "
    "from pg_catalog.pg_publication where pubname = 'undercroft')";

/* ---- what it says ---- */

static bool begins(uc_view v, const char *word)
{
    size_t n = strlen(word);

    return v.len >= n && memcmp(v.p, word, n) == 0;
}

void pg_setup_note(pg_conn *c, uc_view body)
{
    pg_reader r = pg_reader_of(body);
    uc_view name = pg_get_str(&r), value = pg_get_str(&r);

    if (r.failed)
        return;
    if (uc_view_is(name, "client_encoding"))
        c->facts.utf8 = uc_view_is(value, "UTF8");
    else if (uc_view_is(name, "DateStyle"))
        c->facts.iso = begins(value, "ISO");
    else if (uc_view_is(name, "server_version"))
        snprintf(c->db->version, sizeof c->db->version, "%.*s",
                 (int)(value.len < 30 ? value.len : 30), value.p);
}

static uint32_t number(uc_view v)
{
    uint64_t n = 0;

    for (size_t i = 0; i < v.len && n < UINT32_MAX; i++)
        n = n * 10 + (uint64_t)(v.p[i] - '0');
    return n < UINT32_MAX ? (uint32_t)n : 0;
}

void pg_setup_row(pg_conn *c, uc_view body)
{
    pg_reader r = pg_reader_of(body);
    uint32_t n = pg_get16(&r);
    uc_view v[6] = {{0}};

    for (uint32_t i = 0; i < n && i < 6; i++) {
        v[i] = pg_get_bytes(&r, pg_get32(&r));
        if (r.failed)
            return;
    }
    if (n == 1)
        snprintf(c->facts.missing, sizeof c->facts.missing, "%.*s",
                 (int)(v[0].len < 60 ? v[0].len : 60), v[0].p);
    if (n != 6)
        return;
    c->facts.pid = number(v[0]);
    c->facts.standby = uc_view_is(v[1], "t");
    c->facts.readonly = uc_view_is(v[2], "on");
    if (v[3].len < sizeof c->facts.level) {
        memcpy(c->facts.level, v[3].p, v[3].len);
        c->facts.level[v[3].len] = '\0';
    }
    c->facts.version = number(v[4]);
    c->facts.publishes = uc_view_is(v[5], "t");
    c->pooled = c->facts.pid != c->pid || c->db->unnamed;
}

/* ---- whether it is fit ---- */

static const char *unfit(const pg_conn *c)
{
    const pg_facts *f = &c->facts;

    switch (c->db->info.target) {
    case PG_TARGET_READ_WRITE:
        return f->readonly ? "it takes no writes" : NULL;
    case PG_TARGET_READ_ONLY:
        return f->readonly ? NULL : "it takes writes";
    case PG_TARGET_PRIMARY:
        return f->standby ? "it is a standby" : NULL;
    case PG_TARGET_STANDBY:
        return f->standby ? NULL : "it is the primary";
    case PG_TARGET_PREFER_STANDBY:
        return f->standby || c->way.any ? NULL : "it is the primary";
    default:
        return NULL;
    }
}

static bool is_fit(pg_conn *c, uc_error *e)
{
    const char *why = unfit(c);
    const pg_host *h = &c->db->info.hosts[pg_way_host(c)];
    uc_view name = h->name.len > 0 ? h->name : h->addr;
    uc_view wanted = c->db->info.values[PG_TARGET];

    if (why == NULL && c->facts.utf8 && c->facts.iso)
        return true;
    c->wrong = PG_WRONG_HOST;
    if (why != NULL)
        uc_fail(e, UC_CONNECT,
                "no server is fit for target_session_attrs=%.*s; the last one, "
                "%.*s:%u: %s",
                (int)wanted.len, wanted.p,
                (int)(name.len < 200 ? name.len : 200), name.p, h->port, why);
    else
        uc_fail(e, UC_CONNECT,
                "the server, or a pooler before it, does not do what it was "
                "asked for: client_encoding=UTF8 and DateStyle=ISO");
    e->outcome = "not-run";
    return false;
}

/* ---- what is asked ---- */

/* The names of "-c name=value" and "--name=value", as a list of SQL. Blanks are
 * escaped by a backslash there (34.1.2). */
static void names_of(uc_view options, uc_buf *b)
{
    const uint8_t *p = options.p, *end = p + options.len;
    bool first = true;

    while (p < end) {
        const uint8_t *from;

        while (p < end && (*p == ' ' || *p == '\t'))
            p++;
        if (p + 1 < end && p[0] == '-' && (p[1] == 'c' || p[1] == '-'))
            p += 2;
        while (p < end && *p == ' ')
            p++;
        from = p;
        while (p < end && *p != '=' && *p != ' ')
            p++;
        if (p < end && *p == '=' && p > from) {
            uc_buf_put(b, first ? "'" : ", '", first ? 1 : 3);
            for (; from < p; from++) {
                uint8_t k = *from == '-' ? '_' : *from;

                if (k != '\'' && k != '\\')
                    uc_buf_byte(b, k >= 'A' && k <= 'Z' ? k + 32 : k);
            }
            uc_buf_byte(b, '\'');
            first = false;
        }
        while (p < end && *p != ' ')
            p += *p == '\\' && p + 1 < end ? 2 : 1;
    }
}

/* A bouncer may leave `options` out without a word: those that the session
 * does not have from its client. */
static bool ask_options(pg_conn *c)
{
    uc_buf b;
    bool ok;

    uc_buf_init(&b, 1 << 20);
#define PUT(text) uc_buf_put(&b, text, sizeof(text) - 1)
    PUT("select n from pg_catalog.unnest(array[");
    names_of(c->db->info.values[PG_OPTIONS], &b);
    PUT("]::text[]) n where not exists (select from pg_catalog.pg_settings "
        "where pg_catalog.lower(name) = n and source in ('client', 'session')) "
        "and (n not like '%.%' or pg_catalog.current_setting(n, true) is null) "
        "limit 1");
#undef PUT
    uc_buf_byte(&b, '\0');
    ok = !b.failed && pg_query(c, NULL, (const char *)b.p);
    uc_buf_fini(&b);
    return ok;
}

static bool has_options(pg_conn *c, uc_error *e)
{
    if (c->facts.missing[0] == '\0')
        return true;
    c->wrong = PG_WRONG_SETUP;
    uc_fail(e, UC_CONNECT,
            "options: %s has not arrived at the server, a pooler leaves it "
            "out: set it for the role or the database (ALTER ROLE … SET)",
            c->facts.missing);
    e->outcome = "not-run";
    return false;
}

/* ---- what is set ---- */

/* synchronous_commit has few values; anything else is not put into a text. */
static bool is_level(const char *s)
{
    static const char *const levels[] = {"on", "off", "local", "remote_write",
                                         "remote_apply"};

    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        if (strcmp(s, levels[i]) == 0)
            return true;
    }
    return false;
}

/* The commit that follows is flushed as it was configured; more: also done. */
static void prepare(pg_conn *c, const char *name, const char *more)
{
    char text[160];

    snprintf(text, sizeof text,
             "select pg_catalog.set_config('synchronous_commit', '%s', true)%s",
             c->facts.level, more);
    pg_msg_parse(&c->out, name, text);
    pg_step_push(c, (pg_step){.kind = PG_STEP_PARSE, .slot = PG_NO_SLOT});
}

/*
 * Commits of the writer are not flushed one by one: one that sets this back for
 * itself flushes all of them. `uc_flush` is for a transaction that does so,
 * `uc_barrier` is one of nothing else.
 */
static void set_writer(pg_conn *c)
{
    prepare(c, "uc_flush", "");
    prepare(c, "uc_barrier",
            ", pg_catalog.pg_logical_emit_message(true, 'uc', $1::text)");
    pg_msg_parse(&c->out, "uc_mark",
                 "select pg_catalog.pg_logical_emit_message(true, 'uc', "
                 "$1::text) where pg_catalog.txid_current_if_assigned() is not "
                 "null");
    pg_step_push(c, (pg_step){.kind = PG_STEP_PARSE, .slot = PG_NO_SLOT});
    pg_sync(c, false);
}

enum { ASKED, OPTIONS, PREPARED, SET };

static void joined(pg_conn *c)
{
    pg_db *db = c->db;

    c->phase = PG_READY;
    c->used = uc_now();
    atomic_store(&db->called, true);
    if (c->role == PG_EAR)
        pg_ear_joined(c);
    if (c->role == PG_FEED)
        pg_feed_joined(c);
    if (c->role > PG_PINNED)
        return;
    if (c->facts.publishes && !atomic_exchange(&db->feed->wanted, true))
        pg_feed_expect(db);
    c->retire_at = c->used + pg_jittered(db->e.opt.pool_lifetime_ms * UC_MS);
    db->fails = 0;
    db->hopes_until = 0;
    db->dial_after = 0;
    atomic_store(&db->called, true);
}

static bool set(pg_conn *c, uc_error *e)
{
    bool writer = c->role == PG_WRITER;

    c->flushes = c->pooled || c->facts.standby || c->facts.readonly ||
                 !is_level(c->facts.level) ||
                 strcmp(c->facts.level, "off") == 0;
    c->setting = SET;
    if (writer && !c->flushes) {
        c->setting = PREPARED;
        set_writer(c);
        return true;
    }
    if (c->role == PG_READER && !c->pooled)
        return pg_query(c, NULL, "set default_transaction_read_only = on") ||
               uc_fail(e, UC_MEMORY, "no memory for a connection");
    joined(c);
    return true;
}

bool pg_set(pg_conn *c, uc_error *e)
{
    if (c->error.code != NULL) {
        *e = c->error;
        return false;
    }
    switch (c->setting) {
    case ASKED:
        if (!is_fit(c, e))
            return false;
        if (c->db->info.values[PG_OPTIONS].len == 0)
            return set(c, e);
        c->setting = OPTIONS;
        return ask_options(c) ||
               uc_fail(e, UC_MEMORY, "no memory for a connection");
    case OPTIONS:
        return has_options(c, e) && set(c, e);
    case PREPARED:
        c->setting = SET;
        return pg_query(c, NULL, "set synchronous_commit = off") ||
               uc_fail(e, UC_MEMORY, "no memory for a connection");
    default:
        joined(c);
        return true;
    }
}

void pg_setup(pg_conn *c)
{
    c->phase = PG_SETTING;
    c->setting = ASKED;
    c->wrong = PG_WRONG_SETUP;
    pg_query(c, NULL, facts_text);
}

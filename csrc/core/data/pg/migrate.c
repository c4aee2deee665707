#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "data/pg/copy.h"
#include "data/pg/work.h"

/*
 * One migration, on a connection of its own that ends with it: whatever a file
 * sets there is gone, as is a lock of the session. Each part is sent once the
 * one before it has come to its end.
 *
 *   in a transaction   begin, lock, record │ the file      │ its time, commit
 *   without one        lock, look          │ its statements │ record
 *
 * The lock is an advisory one; who comes second finds the record there once he
 * has it, and stops before he does anything. Locks of tables are waited for 3
 * s: behind one that waits for a table all other statements on it wait as well.
 * The caller tries again (55P03).
 */

/* "undercro" as a number: the key of the advisory lock. */
#define LOCK "8461811136749335151"
#define TABLE "undercroft_migration"

static const char create[] =
    "create table if not exists " TABLE
    "(version bigint primary key, name text not null, checksum text not null, "
    "applied_at timestamptz not null default now(), ms bigint not null);";

typedef struct pg_migration {
    uc_buf text;   /* of the file, with a NUL behind it */
    pg_lexer rest; /* statements to come */
    bool loose;    /* without a transaction */
    enum { AT_BEGIN, IN_FILE, AT_END, AT_ROLLBACK } at;
    int before; /* bytes of the file before what runs */
    int64_t version, start;
    uc_buf record; /* the values of its row */
    uc_buf query;
    uc_error error; /* code or NULL */
} pg_migration;

static void say(uc_buf *b, const char *text)
{
    uc_buf_put(b, text, strlen(text));
}

static void quote(uc_buf *b, uc_view v)
{
    uc_buf_byte(b, '\'');
    for (size_t i = 0; i < v.len; i++) {
        if (v.p[i] == '\'')
            uc_buf_byte(b, '\'');
        uc_buf_byte(b, v.p[i]);
    }
    uc_buf_byte(b, '\'');
}

/* It is tried, not waited for: who waits has a snapshot, for whose end CREATE
 * INDEX CONCURRENTLY of another process would wait in turn. The caller tries
 * again. */
static void put_lock(pg_migration *m, const char *function)
{
    say(&m->query, "do $do$begin if not ");
    say(&m->query, function);
    say(&m->query, "(" LOCK ") then raise lock_not_available using message = "
                   "'another process migrates this database'; end if; "
                   "end$do$;");
}

/* Its row without the time that it took: (version, name, checksum, */
static void put_record(pg_migration *m, uc_view name, uc_view sum)
{
    char number[24];

    snprintf(number, sizeof number, "(%lld,", (long long)m->version);
    say(&m->record, number);
    quote(&m->record, name);
    uc_buf_byte(&m->record, ',');
    quote(&m->record, sum);
    uc_buf_byte(&m->record, ',');
}

static void put_ms(pg_migration *m)
{
    char number[24];

    snprintf(number, sizeof number, "%lld",
             (long long)((uc_now() - m->start) / UC_MS));
    say(&m->query, number);
}

static void put_insert(pg_migration *m)
{
    say(&m->query,
        "insert into " TABLE "(version, name, checksum, ms) values ");
    uc_buf_put(&m->query, m->record.p, m->record.len);
}

/* ---- the parts ---- */

static bool send_part(pg_conn *c, pg_flight *f)
{
    pg_migration *m = c->migration;
    bool ok;

    uc_buf_byte(&m->query, 0);
    ok = !m->query.failed && pg_query(c, f, (const char *)m->query.p);
    uc_buf_rewind(&m->query, 0);
    return ok;
}

static bool begin(pg_conn *c, pg_flight *f)
{
    pg_migration *m = c->migration;
    char number[24];

    if (m->loose) {
        snprintf(number, sizeof number, "%lld", (long long)m->version);
        put_lock(m, "pg_try_advisory_lock");
        say(&m->query, create);
        say(&m->query,
            "do $do$begin if exists (select from " TABLE " where version = ");
        say(&m->query, number);
        say(&m->query, ") then raise unique_violation using message = "
                       "'another process has applied it'; end if; end$do$");
        return send_part(c, f);
    }
    say(&m->query, "begin;");
    put_lock(m, "pg_try_advisory_xact_lock");
    say(&m->query, create);
    put_insert(m);
    say(&m->query, "0); set local lock_timeout = '3s'");
    return send_part(c, f);
}

/* All of the file, or its next statement. False with ok: there is none. */
static bool in_file(pg_conn *c, pg_flight *f, bool *ok)
{
    pg_migration *m = c->migration;
    pg_part part;

    if (!m->loose) {
        *ok = m->at != IN_FILE && pg_query(c, f, (const char *)m->text.p);
        return m->at != IN_FILE;
    }
    *ok = true;
    if (!pg_part_next(&m->rest, &part))
        return false;
    f->commits = true; /* what has run stays */
    m->before = (int)(part.text.p - m->text.p);
    pg_put_view(&m->query, part.text);
    *ok = send_part(c, f);
    return true;
}

static bool end(pg_conn *c, pg_flight *f)
{
    pg_migration *m = c->migration;
    char where[64];

    f->commits = true;
    /* A dump empties it, and our table was found by it. */
    say(&m->query, "reset search_path; ");
    if (m->loose) {
        put_insert(m);
        put_ms(m);
        say(&m->query, ")");
        return send_part(c, f);
    }
    snprintf(where, sizeof where, " where version = %lld; commit",
             (long long)m->version);
    say(&m->query, "update " TABLE " set ms = ");
    put_ms(m);
    say(&m->query, where);
    return send_part(c, f);
}

/* ---- the call ---- */

/* Nothing in a file may end the transaction that it runs in, nor begin one. */
static bool is_allowed(pg_migration *m, uc_error *e)
{
    pg_lexer l = m->rest;
    pg_part part;

    while (pg_part_next(&l, &part)) {
        if (!part.controls)
            continue;
        uc_fail(e, UC_SQL_TRANSACTION,
                "BEGIN, COMMIT, ROLLBACK and SAVEPOINT have no place in a "
                "migration, which is one transaction, or with the line "
                "-- no transaction has none");
        e->offset = (int)(part.text.p - m->text.p);
        return false;
    }
    return true;
}

static bool read(pg_migration *m, uc_call *call, uc_error *e)
{
    uc_reader r = call->args;
    uc_view name, sum, sql;
    uint64_t version;

    if (!uc_read_u64(&r, &version) || !uc_read_str(&r, &name) ||
        !uc_read_str(&r, &sum) || !uc_read_str(&r, &sql) ||
        !uc_read_bool(&r, &m->loose) || version > INT64_MAX)
        return uc_fail(e, UC_FRAME,
                       "migrate_apply takes [version, name, "
                       "checksum, sql, no_transaction]");
    if (memchr(sql.p, 0, sql.len) != NULL || memchr(name.p, 0, name.len) ||
        memchr(sum.p, 0, sum.len))
        return uc_fail(e, UC_PARAM_TYPE, "the text has a NUL in it");
    m->version = (int64_t)version;
    put_record(m, name, sum);
    pg_put_view(&m->text, sql);
    uc_buf_byte(&m->text, 0);
    if (m->text.failed || m->record.failed)
        return uc_fail(e, UC_MEMORY, "no memory for the migration");
    m->rest = (pg_lexer){m->text.p, m->text.p + sql.len};
    return is_allowed(m, e);
}

bool pg_migrate_begin(pg_conn *c, pg_flight *f, uc_error *e)
{
    pg_migration *m = uc_calloc(1, sizeof *m);

    if (m == NULL)
        return uc_fail(e, UC_MEMORY, "no memory for the migration");
    c->migration = m;
    uc_buf_init(&m->text, SIZE_MAX);
    uc_buf_init(&m->record, SIZE_MAX);
    uc_buf_init(&m->query, SIZE_MAX);
    uc_error_init(&m->error);
    m->start = uc_now();
    if (read(m, f->call, e)) {
        if (begin(c, f))
            return true;
        uc_fail(e, UC_MEMORY, "no memory for the migration");
    }
    e->outcome = "not-run";
    m->start = 0; /* nothing has been sent */
    pg_migrate_end(c);
    return false;
}

void pg_migrate_failed(pg_conn *c, const uc_error *e, int position)
{
    pg_migration *m = c->migration;

    if (m->error.code != NULL || m->at == AT_ROLLBACK)
        return;
    m->error = *e;
    m->error.offset = -1;
    if (m->at == IN_FILE && position > 0)
        m->error.offset =
            m->before +
            pg_char_offset((uc_view){m->text.p + m->before,
                                     m->text.len - 1 - (size_t)m->before},
                           position);
}

bool pg_migrate_over(pg_conn *c, pg_flight *f, uc_error *e)
{
    pg_migration *m = c->migration;
    bool ok = true, more = false;

    c->calls--; /* each part has counted it */
    if (m->at == AT_END || m->at == AT_ROLLBACK) {
        *e = m->error;
    } else if (m->error.code != NULL || f->call == NULL) {
        m->at = AT_ROLLBACK;
        more = true;
        ok = pg_query(c, f, "rollback");
    } else {
        more = in_file(c, f, &ok);
        m->at = more ? IN_FILE : AT_END;
        if (!more) {
            more = true;
            ok = end(c, f);
        }
    }
    if (!ok)
        uc_fail(e, UC_MEMORY, "no memory for the migration");
    if (more && ok)
        return false;
    c->calls++; /* for who ends the call */
    return true;
}

void pg_migrate_end(pg_conn *c)
{
    pg_migration *m = c->migration;
    bool began;

    if (m == NULL)
        return;
    began = m->start != 0;
    c->migration = NULL;
    uc_buf_fini(&m->text);
    uc_buf_fini(&m->record);
    uc_buf_fini(&m->query);
    uc_free(m);
    if (c->phase == PG_DEAD || !began)
        return;
    pg_conn_end(c);
}

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/pg/copy.h"
#include "data/pg/feed.h"
#include "data/pg/once.h"
#include "data/pg/reply.h"
#include "wire/json.h"
#include "wire/writer.h"

/*
 * A message of the server, for what the connection waits for. The server
 * answers in the order of what it was sent; behind an error it skips everything
 * up to the next Sync, which is sent again (its callers did nothing wrong).
 */

/* ---- the messages ---- */

/* "INSERT 0 5", "UPDATE 3", "SELECT 7": rows that were changed. */
static int64_t changes_of(uc_view tag)
{
    const char *text = (const char *)tag.p, *last = strrchr(text, ' ');

    if (last == NULL || strncmp(text, "SELECT", 6) == 0 ||
        strncmp(text, "FETCH", 5) == 0)
        return 0;
    return strtoll(last + 1, NULL, 10);
}

static bool unexpected(uc_error *e, char type)
{
    char what[40];

    snprintf(what, sizeof what, "a message '%c' out of its turn",
             type > ' ' && type < 127 ? type : '?');
    return pg_nonsense(e, what);
}

static bool too_large(const pg_conn *c, const pg_flight *f, uc_error *e)
{
    const uc_options *o = &c->db->e.opt;

    if (f->rows > (uint64_t)o->max_rows)
        return uc_fail(e, UC_REPLY_TOO_LARGE,
                       "more than %lld rows (option maxRows): use "
                       "db.iterate() or a LIMIT",
                       (long long)o->max_rows);
    if (c->row.failed && !c->row.full)
        return uc_fail(e, UC_MEMORY, "no memory for the rows");
    return uc_fail(e, UC_REPLY_TOO_LARGE,
                   "the reply is larger than %lld bytes (option "
                   "maxReplyBytes): use db.iterate() or a LIMIT",
                   (long long)o->max_bytes);
}

static bool data_row(pg_conn *c, const pg_step *s, uc_view body, uc_error *e)
{
    pg_flight *f = s->flight;
    bool bad = false;
    uc_error large;

    if (f != NULL && !f->begun)
        pg_reply_begin(c, s);
    if (f != NULL && s->rev != 0 && s->rev != s->stmt->rev)
        f->stale = true;
    if (f == NULL || f->failed || f->call == NULL || f->stale)
        return true; /* the rest of what nobody waits for */
    if (f->mode == PG_MODE_GET && f->rows > 0)
        return true;
    if (pg_row(c, s, body, &bad) && f->rows <= (uint64_t)c->db->e.opt.max_rows)
        return true;
    if (bad)
        return pg_nonsense(e, "a row that is none");
    too_large(c, f, &large);
    pg_reply_tell(c, f, &large);
    f->failed = true;
    return true;
}

bool pg_row_too_large(pg_conn *c)
{
    const pg_step *s = pg_step_first(c);
    uc_error e;

    if (s == NULL || (s->kind != PG_STEP_EXECUTE && s->kind != PG_STEP_QUERY))
        return false;
    if (s->kind == PG_STEP_QUERY || s->flight == NULL ||
        s->flight->call == NULL || s->flight->failed)
        return true; /* nobody looks at it */
    uc_error_init(&e);
    too_large(c, s->flight, &e);
    pg_reply_tell(c, s->flight, &e);
    s->flight->failed = true;
    return true;
}

/* One of a batch. */
static void end_part(pg_conn *c, const pg_step *s, int64_t changes)
{
    if (s->flight->call == NULL || s->flight->failed)
        return;
    if (s->stmt->ncols > 0)
        uc_rows_end(&c->rows, 0);
    else
        pg_reply_run(&c->row, 0, changes);
}

/* The columns were changed between its execution and its rows: a read is run
 * again. */
static void was_stale(pg_conn *c, pg_flight *f)
{
    uc_error e;

    if (f->call != NULL && c->role == PG_READER) {
        c->calls--;
        pg_again(c->db, f);
        return;
    }
    uc_fail(&e, UC_CONNECTION_LOST,
            "the table was altered while the statement ran: its rows could not "
            "be read");
    if (f->call != NULL)
        uc__outcome(f->call, "unknown", &e);
    pg_reply_fail(c, f, &e);
}

/* Rows of a stream have been taken. Behind the last ones its transaction is
 * committed, and it is answered after that: true. */
static bool chunk_taken(pg_conn *c, pg_flight *f)
{
    pg_tx *t = c->tx;

    if (f->mode != PG_MODE_MANY || f->chunk == PG_WHOLE || t == NULL)
        return false;
    if (f->chunk == PG_CHUNK_FIRST)
        t->changes = 0;
    t->changes += f->changes;
    if (f->chunk != PG_CHUNK_LAST)
        return false;
    f->changes = t->changes;
    t->coming = false;
    if (!t->stream) {
        pg_query(c, NULL, "release uc_rows");
        return false;
    }
    t->ending = f->commits = true;
    c->calls--;
    pg_mark_query(c);
    return pg_query(c, f, "commit");
}

static void executed(pg_conn *c, int64_t changes)
{
    pg_step s = *pg_step_first(c);
    pg_flight *f = s.flight;

    if (f != NULL && !f->begun)
        pg_reply_begin(c, &s);
    pg_step_pop(c);
    if (f == NULL)
        return;
    f->changes += changes;
    f->left--;
    if (f->mode == PG_MODE_BATCH)
        end_part(c, &s, changes);
    if (f->left > 0)
        return;
    pg_took(c, f);
    if (f->once != NULL) {
        pg_reply_ran(c, f);
    } else if (f->failed) { /* it has been told */
        c->calls--;
        pg_flight_end(c->db, f);
    } else if (f->stale) {
        was_stale(c, f);
    } else if (c->role == PG_WRITER) {
        pg_reply_hold(c, f);
    } else if (!chunk_taken(c, f)) {
        pg_reply_finish(c, f);
    }
}

static void completed(pg_conn *c, uc_view body)
{
    const pg_step *s = pg_step_first(c);
    pg_reader r = pg_reader_of(body);
    uc_view tag = pg_get_str(&r);
    int64_t n = tag.p != NULL ? changes_of(tag) : 0;
    pg_flight *f = s->flight;

    if (s->kind == PG_STEP_EXECUTE) {
        executed(c, n);
    } else if (f != NULL) {
        f->changes += n;
        f->parts += f->mode == PG_MODE_EXEC;
        /* A COMMIT of a transaction that an error has ended is a ROLLBACK. */
        if (f->commits && tag.p != NULL && uc_view_is(tag, "ROLLBACK"))
            f->changes = -1;
    }
}

/* Up to the Sync everything is skipped: the call that failed is answered, those
 * of others go back to be sent again. */
static void skip(pg_conn *c, const pg_flight *failed)
{
    pg_step *s;

    while ((s = pg_step_first(c)) != NULL && s->kind != PG_STEP_SYNC) {
        pg_flight *f = s->flight;
        bool ends = s->kind == PG_STEP_ONCE ||
                    (s->kind == PG_STEP_EXECUTE && f != NULL && --f->left == 0);

        pg_unprepared(c, s);
        pg_step_pop(c);
        if (!ends || f == failed)
            continue;
        pg_reply_singly(c->db, f);
        c->calls--;
        pg_again(c->db, f);
    }
}

/* A cancel that was meant for another, or for what was over by then. */
static void all_again(pg_conn *c)
{
    pg_flight *only;

    if (pg_reply_undo(c, &only) != 1 || only == NULL)
        return;
    c->calls--;
    pg_again(c->db, only);
}

static void commit_failed(pg_conn *c, const uc_error *e)
{
    pg_flight *only;

    if (c->stray)
        all_again(c);
    else if (pg_reply_undo(c, &only) == 1 && only != NULL)
        pg_reply_fail(c, only, e);
}

/* One of our own statements failed, which happens when it is hit so. */
static bool own_failed(pg_conn *c)
{
    if (!c->stray)
        return false;
    if (c->claims != NULL) {
        pg_once_undone(c);
        return true;
    }
    skip(c, NULL);
    all_again(c);
    return true;
}

static void query_failed(pg_conn *c, pg_flight *f, const uc_error *e)
{
    if (f == NULL) {
        c->error = *e;
    } else if (!f->failed) {
        f->failed = true;
        pg_reply_tell(c, f, e);
    }
}

/* "row 17: " in front of the message. */
static void at_index(uc_error *e, const pg_flight *f)
{
    char text[sizeof e->message];
    uint32_t i = f->base + f->at_part;

    if (f->mode != PG_MODE_MANY && f->mode != PG_MODE_BATCH)
        return;
    snprintf(text, sizeof text, "%s %u: %.480s",
             f->mode == PG_MODE_MANY ? "row" : "statement", i, e->message);
    memcpy(e->message, text, sizeof text);
    e->index = i;
}

/* The server, or a pooler in front of it, ends the connection, and says so. A
 * server that was told to stop (57P) rolls back what it is at, and has not come
 * to what is behind that. One that crashed, or that the pooler has lost, may
 * have committed it: that is nobody's failure, and not known. */
static bool goes(pg_conn *c, uc_view body, uc_error *e)
{
    bool stops = strncmp(e->sqlstate, "57P", 3) == 0;
    char text[sizeof e->message];

    if (!pg_is_end(c, e, body))
        return false;
    c->told = stops && strcmp(e->sqlstate, "57P02") != 0;
    e->offset = -1; /* it is for all that is under way */
    memcpy(text, e->message, sizeof text);
    if (strcmp(e->kind, "connection") != 0)
        pg_lost_error(c->db, e, text);
    return true;
}

static void only_reads(uc_error *e)
{
    char text[sizeof e->message];

    snprintf(text, sizeof text, "%s", e->message);
    uc_fail(e, UC_SQL_READONLY, "a cursor or snapshot only reads: %.400s",
            text);
    e->outcome = "not-run";
}

static bool error(pg_conn *c, uc_view body, uc_error *e)
{
    pg_step *s = pg_step_first(c);
    pg_flight *f = s->flight;
    bool first;
    int position;

    pg_error(e, body);
    c->stray = strcmp(e->sqlstate, "57014") == 0;
    c->stray = c->stray && (c->cancelling || c->strays > 0);
    if (f != NULL)
        f->at_part = f->parts - f->left;
    position = e->offset;
    pg_place(e, f);
    if (goes(c, body, e))
        return false;
    c->aborted = s->kind != PG_STEP_QUERY;
    if (s->kind == PG_STEP_SYNC) {
        commit_failed(c, e);
        return true;
    }
    pg_tx_failed(c, e);
    if (c->yields && strcmp(e->sqlstate, "57014") == 0 && f != NULL &&
        f->call != NULL)
        f->call->alone = true;
    c->yields = false;
    if (f != NULL && f->mode == PG_MODE_MIGRATE) {
        pg_migrate_failed(c, e, position);
        return true;
    }
    if (s->kind == PG_STEP_QUERY) {
        query_failed(c, f, e);
        return true;
    }
    if (f == NULL)
        return own_failed(c);
    if (c->claims != NULL) {
        bool ours = s->kind == PG_STEP_ONCE ||
                    (s->kind == PG_STEP_PARSE && s->stmt == NULL);

        if (pg_once_failed(c, f, ours, e) || pg_retries(c, f, e))
            return true;
        at_index(e, f);
        pg_reply_fail(c, f, e);
        return true;
    }
    skip(c, f);
    if (c->role == PG_WRITER) {
        /* Of a group: it may be that what it waited for was in the group. */
        all_again(c);
        pg_reply_singly(c->db, f);
    }
    /* Before it is run again, too. */
    if (c->lease != NULL && c->lease->l.kind == UC_LEASE_SNAPSHOT)
        pg_query(c, NULL, "rollback to uc_read");
    if (pg_retries(c, f, e))
        return true;
    if (f->call != NULL && f->call->stmt != NULL)
        pg_stat_add(f->call->stmt, uc_now() - f->sent, 0, false);
    at_index(e, f);
    if (c->lease != NULL && strcmp(e->sqlstate, "25006") == 0)
        only_reads(e);
    first = f->mode == PG_MODE_MANY && f->chunk == PG_CHUNK_FIRST;
    pg_reply_fail(c, f, e);
    if (first && c->tx != NULL && c->tx->stream) {
        /* Nobody knows its number. */
        pg_tx_over(c);
        pg_query(c, NULL, "rollback");
    }
    return true;
}

/* Nobody knows the number of a transaction that was begun: nobody ends it. */
static bool is_orphan(const pg_conn *c, const pg_flight *f)
{
    return f->mode == PG_MODE_BEGIN && c->tx != NULL &&
           (f->call == NULL || f->failed || f->call->id == 0);
}

/* Its connection ends with it: whatever the file has set there is gone. */
static void end_of_migration(pg_conn *c, pg_flight *f)
{
    uc_error e;

    uc_error_init(&e);
    if (!pg_migrate_over(c, f, &e))
        return;
    if (e.code != NULL) {
        pg_reply_fail(c, f, &e);
    } else {
        pg_news_all(c->db);
        uc_buf_rewind(&c->row, 0);
        uc__reply_open(&c->row);
        pg_reply_finish(c, f);
    }
    pg_migrate_end(c);
}

static void end_of_query(pg_conn *c, pg_flight *f)
{
    uc_error e;

    if (f == NULL)
        return; /* one of our own */
    if (f->mode == PG_MODE_MIGRATE) {
        end_of_migration(c, f);
        return;
    }
    if (is_orphan(c, f)) {
        pg_tx_over(c);
        pg_query(c, NULL, "rollback");
    }
    if ((f->mode == PG_MODE_END || f->mode == PG_MODE_MANY) && c->tx != NULL &&
        c->tx->ending) {
        if (f->changes < 0)
            pg_tx_rolled_back(c->tx, &e);
        c->tx->committed = f->commits && f->changes >= 0 && !f->failed;
        pg_tx_over(c);
    }
    if (f->failed) {
        c->calls--;
        pg_flight_end(c->db, f);
        return;
    }
    if (f->changes < 0) {
        pg_reply_fail(c, f, &e);
        return;
    }
    uc_buf_rewind(&c->row, 0);
    uc__reply_open(&c->row);
    if (c->role == PG_WRITER && f->mode != PG_MODE_MANY &&
        f->mode != PG_MODE_BATCH) { /* without rows they have written nothing */
        pg_reply_hold(c, f);
        f->committed = c->unmarked = true;
        c->loose = !c->flushes;
        if (c->flushes)
            pg_reply_settle(c);
    } else if (f->commits) {
        pg_reply_hold(c, f);
        pg_reply_settle(c);
    } else {
        pg_reply_finish(c, f);
    }
}

/* A transaction is open that nobody has asked for: what was in it is not
 * committed, and is rolled back when the connection goes. */
static bool is_mixed_up(pg_conn *c, uc_error *e)
{
    if (c->phase != PG_READY || c->role == PG_PINNED || c->status == 'I')
        return false;
    c->db->unnamed = c->db->serial = true;
    c->undone = true;
    pg_conns_drop(c->db);
    uc_fail(e, UC_CONNECTION_LOST,
            "the connection was given up: it is in a transaction that was not "
            "asked for, a pooler has begun it or the script has not ended its "
            "own");
    return true;
}

/* A transaction of the writer has ended. What waits is committed, and answered
 * once that is flushed. A transaction that was aborted has flushed nothing, nor
 * has one that wrote nothing: behind loose commits only a barrier counts, and
 * one that was hit by a stray cancel is sent again. */
static void end_of_write(pg_conn *c, const pg_step *sync)
{
    bool again = sync->barrier && c->aborted;

    c->aborted = false;
    if (sync->barrier && !again)
        c->loose = false;
    if (sync->durable && !c->loose) {
        pg_reply_settle(c);
        return;
    }
    pg_acked(c);
    for (pg_flight *f = c->waiting; f != NULL; f = f->next)
        f->committed = true;
    c->loose = c->loose || c->waiting != NULL;
    if (again)
        pg_barrier(c);
}

/* Nobody has the connection any more, and its transaction has not ended: a
 * cancel that was for what came before may hit a ROLLBACK or COMMIT, too. Who
 * gets it next must find none. */
static bool is_left_open(const pg_conn *c)
{
    return c->role == PG_PINNED && c->phase == PG_READY && c->status != 'I' &&
           c->nsteps == 0 && c->tx == NULL && c->lease == NULL &&
           c->migration == NULL;
}

/* Once more, unless it was that which failed, and not by a cancel. */
static bool roll_back(pg_conn *c, const pg_step *ended, uc_error *e)
{
    bool failed =
        ended->kind == PG_STEP_QUERY && ended->flight == NULL && !c->stray;

    c->stray = false;
    if (!failed && pg_query(c, NULL, "rollback"))
        return true;
    return uc_fail(e, UC_CONNECTION_LOST,
                   "the connection was given up: its transaction could not be "
                   "rolled back");
}

static bool ready(pg_conn *c, uc_view body, uc_error *e)
{
    pg_step s = *pg_step_first(c);

    if (body.len != 1 || (s.kind != PG_STEP_SYNC && s.kind != PG_STEP_QUERY))
        return unexpected(e, 'Z');
    c->status = (char)body.p[0];
    c->used = uc_now();
    if (is_mixed_up(c, e))
        return false;
    pg_step_pop(c);
    if (c->nsteps == 0) {
        c->alone = false;
        pg_stuck(c->db, c, false);
    }
    if (c->phase == PG_SETTING)
        return pg_set(c, e);
    if (s.kind == PG_STEP_QUERY) {
        end_of_query(c, s.flight);
    } else {
        end_of_write(c, &s);
    }
    return !is_left_open(c) || roll_back(c, &s, e);
}

static bool is(const pg_step *s, pg_step_kind kind)
{
    return s->kind == kind;
}

static bool described(pg_conn *c, uc_view body, uc_error *e)
{
    const pg_step *s = pg_step_first(c);

    if (is(s, PG_STEP_QUERY))
        return true;
    if (!is(s, PG_STEP_DESCRIBE))
        return unexpected(e, 'T');
    if (!pg_stmt_describe(c->db, s->stmt, body))
        return pg_nonsense(e, "a description that is none");
    pg_prepared_described(c, s->slot, s->stmt);
    pg_step_pop(c);
    return true;
}

/* From its first answer on its columns are those that are known then. */
static void settle_rev(pg_conn *c)
{
    pg_step *s = pg_step_first(c);

    if (s->rev == 0 && s->stmt != NULL)
        s->rev = s->stmt->rev;
}

static bool rows(pg_conn *c, const pg_msg *m, uc_error *e)
{
    const pg_step *s = pg_step_first(c);

    if (is(s, PG_STEP_QUERY)) {
        if (s->mark != 0 && (m->type == 'D' || m->type == 'C'))
            pg_marked(c, s->mark, m->type == 'D');
        else if (m->type == 'D' && s->flight == NULL)
            pg_setup_row(c, m->body);
        else if (m->type == 'C' || m->type == 'I')
            completed(c, m->body);
        return true;
    }
    if (is(s, PG_STEP_ONCE)) {
        pg_flight *f = s->flight;

        if (m->type == 'D')
            pg_once_row(f, m->body);
        if (m->type != 'C' && m->type != 'I')
            return true;
        pg_step_pop(c);
        pg_reply_keyed(c, f);
        return true;
    }
    if (!is(s, PG_STEP_EXECUTE))
        return unexpected(e, m->type);
    if (s->mark != 0 && (m->type == 'D' || m->type == 'C'))
        pg_marked(c, s->mark, m->type == 'D');
    if (m->type == 'D')
        return data_row(c, s, m->body, e);
    if (m->type == '2') {
        settle_rev(c);
        pg_reply_begin(c, s);
        return true;
    }
    if (s->flight != NULL)
        s->flight->more = m->type == 's';
    completed(c, m->type == 'C' ? m->body : (uc_view){0});
    return true;
}

static bool by_type(pg_conn *c, const pg_msg *m, uc_error *e)
{
    const pg_step *s;

    switch (m->type) {
    case '1':
        if (!is(pg_step_first(c), PG_STEP_PARSE))
            return unexpected(e, m->type);
        pg_step_pop(c);
        return true;
    case 't':
        s = pg_step_first(c);
        if (is(s, PG_STEP_DESCRIBE) && s->stmt != NULL)
            pg_stmt_params(s->stmt, m->body);
        return true;
    case '3': /* of a statement that gave its place to another */
        return true;
    case 'T':
        return described(c, m->body, e);
    case 'n':
        return described(c, (uc_view){0}, e);
    case '2':
    case 'D':
    case 'C':
    case 'I':
    case 's':
        return rows(c, m, e);
    case 'E':
        return error(c, m->body, e);
    case 'Z':
        return ready(c, m->body, e);
    default:
        return unexpected(e, m->type);
    }
}

static bool copying(pg_conn *c, const pg_msg *m, uc_error *e)
{
    bool ok = pg_copy_answer(c, m, e);

    if (m->type == 'E')
        pg_tx_failed(c, pg_copy_error(c));
    return ok;
}

bool pg_answer(pg_conn *c, const pg_msg *m, uc_error *e)
{
    if (c->phase == PG_READY && c->role == PG_EAR)
        return pg_ear_answer(c, m, e);
    if (c->phase == PG_READY && c->role == PG_FEED)
        return pg_feed_answer(c, m, e);
    if (m->type == 'N' || m->type == 'S' || m->type == 'A')
        return true; /* notices, parameters, notifications: at any time */
    if (pg_step_first(c) == NULL && m->type != 'E')
        return unexpected(e, m->type);
    if (pg_step_first(c) == NULL) { /* why it is about to close */
        pg_error(e, m->body);
        return false;
    }
    if (is(pg_step_first(c), PG_STEP_COPY))
        return copying(c, m, e);
    return by_type(c, m, e);
}

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/pg/db.h"
#include "desk/audit.h"
#include "wire/json.h"
#include "wire/writer.h"

/*
 * A message of the server, for what the connection waits for. The server answers
 * in the order of what it was sent; behind an error it skips everything up to
 * the next Sync, which is sent again (its callers did nothing wrong).
 */

enum { PUBLISH_BYTES = 1 << 16 };

/* ---- replies ---- */

void pg_publish(pg_conn *c)
{
    if (c->session == NULL)
        return;
    if (c->done.len > 0)
        uc__session_publish(c->session, &c->done);
    uc__session_unref(c->session);
    c->session = NULL;
}

/* A whole reply, [length][frame], of a call. */
static void hand_over(pg_conn *c, uc_session *s, const uint8_t *p, size_t n)
{
    if (c->session != s || c->done.len > PUBLISH_BYTES)
        pg_publish(c);
    if (c->session == NULL)
        c->session = uc__session_ref(s);
    uc_buf_put(&c->done, p, n);
}

static void tell(pg_conn *c, pg_flight *f, const uc_error *e)
{
    uc_buf b;
    size_t at;

    if (f->call == NULL || f->call->id == 0)
        return;
    uc_buf_init(&b, SIZE_MAX);
    at = uc__reply_open(&b);
    uc__reply_failure(&b, f->call, e);
    uc__call_close(f->call, &b, at);
    hand_over(c, f->call->session, b.p, b.len);
    uc_buf_fini(&b);
}

static void fail(pg_conn *c, pg_flight *f, const uc_error *e)
{
    c->calls--;
    tell(c, f, e);
    pg_flight_end(c->db, f);
}

/* ---- one call ---- */

static void begin(pg_conn *c, pg_flight *f)
{
    const pg_stmt *st = f->stmt;
    uc_columns cols = {st->shape, {st->names.p, st->names.len}};
    uint32_t id;

    if (f->call == NULL)
        return;
    id = f->call->id;
    f->rows = 0;
    uc_buf_rewind(&c->row, 0);
    uc__reply_open(&c->row);
    if (f->mode == PG_MODE_JSON)
        f->reply_at = uc_json_begin(&c->row, id);
    else if (f->mode == PG_MODE_GET || f->mode == PG_MODE_ALL)
        uc_rows_begin(&c->rows, &c->row, &c->text, id,
                      st->shape != 0 ? &cols : NULL, f->known,
                      (size_t)c->db->e.opt.page_bytes, false);
}

static void put_run(uc_buf *b, uint32_t id, int64_t changes)
{
    uint8_t *p;

    uc_reply_begin(b, id, UC_REPLY_RUN, 4);
    if (!uc_buf_reserve(b, 18))
        return;
    p = uc_emit_int(b->p + b->len, changes);
    p = uc_emit_int(p, 0);
    b->len = (size_t)(p - b->p);
}

static void put_health(uc_buf *b, uint32_t id)
{
    uc_reply_begin(b, id, UC_REPLY_VALUE, 3);
    uc_pack_map(b, 1);
    uc_pack_str(b, "ok");
    uc_pack_bool(b, true);
}

static void put_value(pg_conn *c, pg_flight *f)
{
    uint32_t id = f->call->id;

    switch (f->mode) {
    case PG_MODE_GET:
    case PG_MODE_ALL:
        uc_rows_end(&c->rows, 0);
        break;
    case PG_MODE_JSON:
        uc_json_end(&c->row, f->reply_at);
        break;
    case PG_MODE_HEALTH:
        put_health(&c->row, id);
        break;
    case PG_MODE_BEGIN:
        uc_reply_begin(&c->row, id, UC_REPLY_VALUE, 3);
        uc_pack_uint(&c->row, c->tx->id);
        break;
    case PG_MODE_SAVEPOINT:
    case PG_MODE_END:
        uc_reply_begin(&c->row, id, UC_REPLY_VALUE, 3);
        uc_pack_nil(&c->row);
        break;
    default:
        put_run(&c->row, id, f->changes);
        break;
    }
}

/* The reply is whole; of a write it waits for the commit. */
static void complete(pg_conn *c, pg_flight *f)
{
    if (f->call == NULL || f->call->id == 0) {
        f->reply_len = 0;
        return;
    }
    put_value(c, f);
    uc__call_close(f->call, &c->row, 0);
    f->call->rows = f->mode == PG_MODE_RUN || f->mode == PG_MODE_EXEC
                        ? f->changes
                        : (int64_t)f->rows;
    f->reply_at = c->held.len;
    f->reply_len = c->row.len;
}

static void finish(pg_conn *c, pg_flight *f)
{
    complete(c, f);
    if (f->reply_len > 0)
        hand_over(c, f->call->session, c->row.p, c->row.len);
    c->calls--;
    pg_flight_end(c->db, f);
}

static void hold(pg_conn *c, pg_flight *f)
{
    complete(c, f);
    if (f->reply_len > 0)
        uc_buf_put(&c->held, c->row.p, c->row.len);
    if (f->call != NULL)
        atomic_store(&f->call->state, UC_CALL_RAN);
    f->next = NULL;
    if (c->last_waiting != NULL)
        c->last_waiting->next = f;
    else
        c->waiting = f;
    c->last_waiting = f;
}

/* What was held is committed, or (e) is not. */
static void settle(pg_conn *c, const uc_error *e)
{
    pg_flight *f;

    while ((f = c->waiting) != NULL) {
        int ran = UC_CALL_RAN;

        c->waiting = f->next;
        c->calls--;
        if (f->call != NULL &&
            !atomic_compare_exchange_strong(&f->call->state, &ran,
                                            UC_CALL_DONE))
            f->reply_len = 0; /* 'unknown' has been said */
        else if (e != NULL)
            tell(c, f, e);
        else if (f->call != NULL && f->reply_len > 0)
            hand_over(c, f->call->session, c->held.p + f->reply_at,
                      f->reply_len);
        pg_flight_end(c->db, f);
    }
    c->last_waiting = NULL;
    uc_buf_rewind(&c->held, 0);
}

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

static bool data_row(pg_conn *c, pg_flight *f, uc_view body, uc_error *e)
{
    bool bad = false;
    uc_error large;

    if (f->over || f->call == NULL)
        return true; /* the rest of what nobody waits for */
    if (f->mode == PG_MODE_GET && f->rows > 0)
        return true;
    if (pg_row(c, f, body, &bad) &&
        f->rows <= (uint64_t)c->db->e.opt.max_rows)
        return true;
    if (bad)
        return pg_nonsense(e, "a row that is none");
    too_large(c, f, &large);
    tell(c, f, &large);
    f->over = f->failed = true;
    return true;
}

static bool completed(pg_conn *c, pg_step *s, uc_view body)
{
    pg_flight *f = s->flight;
    pg_reader r = pg_reader_of(body);
    uc_view tag = pg_get_str(&r);
    int64_t n = tag.p != NULL ? changes_of(tag) : 0;

    if (s->kind == PG_STEP_QUERY) {
        if (f != NULL && f->mode == PG_MODE_END)
            f->changes = f->known != 0 && uc_view_is(tag, "ROLLBACK")
                             ? -1
                             : 0;
        else if (f != NULL)
            f->changes += n;
        return true;
    }
    f->changes = n;
    pg_step_pop(c);
    if (f->failed) { /* it has been told */
        c->calls--;
        pg_flight_end(c->db, f);
    } else if (c->role == PG_WRITER) {
        hold(c, f);
    } else {
        finish(c, f);
    }
    return true;
}

/* Up to the Sync everything is skipped: the call that failed is answered, those
 * of others go back to be sent again. */
static void skip(pg_conn *c, const pg_flight *failed)
{
    pg_step *s;

    while ((s = pg_step_first(c)) != NULL && s->kind != PG_STEP_SYNC) {
        pg_flight *f = s->flight;
        bool is_call = s->kind == PG_STEP_EXECUTE;

        if (s->kind == PG_STEP_PARSE)
            c->prepared[s->slot].gen = 0;
        pg_step_pop(c);
        if (is_call && f != failed) {
            c->calls--;
            pg_again(c->db, f);
        }
    }
}

static void error(pg_conn *c, uc_view body)
{
    pg_step *s = pg_step_first(c);
    pg_flight *f = s->flight;
    uc_error e;

    pg_error(&e, body);
    if (s->kind == PG_STEP_SYNC) { /* the commit */
        settle(c, &e);
        return;
    }
    if (s->kind == PG_STEP_QUERY) {
        if (f == NULL) {
            c->error = e;
        } else if (!f->failed) {
            f->failed = true;
            tell(c, f, &e);
        }
        return;
    }
    if (s->kind == PG_STEP_PARSE)
        c->prepared[s->slot].gen = 0;
    pg_step_pop(c);
    skip(c, f);
    if (c->role == PG_WRITER)
        settle(c, &e); /* those before it in the same transaction */
    if (pg_retries(c, f, &e))
        return;
    fail(c, f, &e);
}

/* A COMMIT of a transaction that an error has ended is a ROLLBACK. */
static void end_of_query(pg_conn *c, pg_flight *f)
{
    uc_error e;

    if (f->mode == PG_MODE_END)
        pg_tx_over(c);
    if (f->mode == PG_MODE_END && f->changes < 0) {
        uc_fail(&e, UC_TX_CLOSED,
                "an earlier error has rolled the transaction back");
        fail(c, f, &e);
        return;
    }
    uc_buf_rewind(&c->row, 0);
    uc__reply_open(&c->row);
    finish(c, f);
}

static bool ready(pg_conn *c, uc_view body, uc_error *e)
{
    pg_step *s = pg_step_first(c);
    pg_flight *f = s->flight;
    bool query = s->kind == PG_STEP_QUERY;

    if (body.len != 1 || (s->kind != PG_STEP_SYNC && !query))
        return unexpected(e, 'Z');
    c->status = (char)body.p[0];
    pg_step_pop(c);
    if (!query) {
        settle(c, NULL);
    } else if (f == NULL) {
        return pg_set(c, e);
    } else if (f->failed) {
        c->calls--;
        pg_flight_end(c->db, f);
    } else {
        end_of_query(c, f);
    }
    return true;
}

static bool is(const pg_step *s, pg_step_kind kind)
{
    return s != NULL && s->kind == kind;
}

static bool described(pg_conn *c, pg_step *s, uc_view body, uc_error *e)
{
    if (s->kind == PG_STEP_QUERY)
        return true;
    if (s->kind != PG_STEP_DESCRIBE)
        return unexpected(e, 'T');
    if (!s->flight->stmt->described &&
        !pg_stmt_describe(c->db, s->flight->stmt, body))
        return pg_nonsense(e, "a description that is none");
    pg_step_pop(c);
    return true;
}

static bool by_type(pg_conn *c, const pg_msg *m, uc_error *e)
{
    pg_step *s = pg_step_first(c);

    switch (m->type) {
    case '1':
        if (!is(s, PG_STEP_PARSE))
            return unexpected(e, m->type);
        pg_step_pop(c);
        return true;
    case 't':
    case '3': /* of a statement that gave its place to another */
        return true;
    case 'T':
        return described(c, s, m->body, e);
    case 'n':
        return described(c, s, (uc_view){0}, e);
    case '2':
        if (!is(s, PG_STEP_EXECUTE))
            return unexpected(e, m->type);
        begin(c, s->flight);
        return true;
    case 'D':
        if (is(s, PG_STEP_QUERY))
            return true;
        if (!is(s, PG_STEP_EXECUTE))
            return unexpected(e, m->type);
        return data_row(c, s->flight, m->body, e);
    case 'C':
    case 'I':
    case 's':
        if (!is(s, PG_STEP_QUERY) && !is(s, PG_STEP_EXECUTE))
            return unexpected(e, m->type);
        return completed(c, s, m->body);
    case 'E':
        error(c, m->body);
        return true;
    case 'Z':
        return ready(c, m->body, e);
    default:
        return unexpected(e, m->type);
    }
}

bool pg_answer(pg_conn *c, const pg_msg *m, uc_error *e)
{
    if (m->type == 'N' || m->type == 'S' || m->type == 'A')
        return true; /* notices, parameters, notifications: at any time */
    if (pg_step_first(c) == NULL && m->type != 'E')
        return unexpected(e, m->type);
    if (pg_step_first(c) == NULL) { /* why it is about to close */
        pg_error(e, m->body);
        return false;
    }
    return by_type(c, m, e);
}

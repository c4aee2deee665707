#include <string.h>

#include "data/pg/feed.h"
#include "data/pg/once.h"
#include "data/pg/reply.h"
#include "wire/json.h"
#include "wire/writer.h"

/* What a call answers, from its first row until it may go out. */

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

void pg_reply_tell(pg_conn *c, pg_flight *f, const uc_error *e)
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

void pg_reply_fail(pg_conn *c, pg_flight *f, const uc_error *e)
{
    c->calls--;
    pg_reply_tell(c, f, e);
    pg_flight_end(c->db, f);
}

/* ---- one call ---- */

static void begin_rows(pg_conn *c, const pg_step *s, uint32_t id)
{
    const pg_stmt *st = s->stmt;
    uc_columns cols = {st->shape, {st->names.p, st->names.len}};

    uc_rows_begin(&c->rows, &c->row, &c->text, id,
                  st->shape != 0 ? &cols : NULL, s->flight->known,
                  (size_t)c->db->e.opt.page_bytes,
                  s->flight->mode == PG_MODE_CURSOR);
}

/* A statement is about to answer. */
void pg_reply_begin(pg_conn *c, const pg_step *s)
{
    pg_flight *f = s->flight;

    if (f == NULL || f->call == NULL || f->failed)
        return;
    f->begun = true;
    if (f->mode == PG_MODE_BATCH) {
        if (f->left == f->parts) {
            uc_buf_rewind(&c->row, 0);
            uc__reply_open(&c->row);
            uc_reply_begin(&c->row, f->call->id, UC_REPLY_MULTI, 3);
            uc_pack_array(&c->row, f->parts);
        }
        if (s->stmt->ncols > 0)
            begin_rows(c, s, 0);
        return;
    }
    uc_buf_rewind(&c->row, 0);
    uc__reply_open(&c->row);
    if (f->mode == PG_MODE_JSON)
        f->reply_at = uc_json_begin(&c->row, f->call->id);
    else if (f->mode == PG_MODE_GET || f->mode == PG_MODE_ALL ||
             f->mode == PG_MODE_CURSOR)
        begin_rows(c, s, f->call->id);
}

void pg_reply_run(uc_buf *b, uint32_t id, int64_t changes)
{
    uint8_t *p;

    uc_reply_begin(b, id, UC_REPLY_RUN, 4);
    if (!uc_buf_reserve(b, 18))
        return;
    p = uc_emit_int(b->p + b->len, changes);
    p = uc_emit_int(p, 0);
    b->len = (size_t)(p - b->p);
}

/* There may be more behind a page that the server was asked to end. */
static void end_page(pg_conn *c, pg_flight *f)
{
    size_t bytes = c->row.len + c->text.len;

    if (f->cursor == NULL) { /* of a statement that writes */
        uc_rows_end(&c->rows, 0);
        return;
    }
    uc_rows_end(&c->rows, f->more ? (uint32_t)f->cursor->l.id : 0);
    pg_lease_paged(f, bytes);
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
    case PG_MODE_CURSOR:
        end_page(c, f);
        break;
    case PG_MODE_SNAPSHOT:
        uc_reply_begin(&c->row, id, UC_REPLY_VALUE, 3);
        uc_pack_uint(&c->row, f->cursor->l.id);
        break;
    case PG_MODE_BATCH:
        if (f->parts == 0) {
            uc_reply_begin(&c->row, id, UC_REPLY_MULTI, 3);
            uc_pack_array(&c->row, 0);
        }
        break;
    case PG_MODE_HEALTH:
        pg_health(c, f, &c->row);
        break;
    case PG_MODE_MANY:
        if (f->chunk == PG_WHOLE || f->chunk == PG_CHUNK_LAST) {
            pg_reply_run(&c->row, id, f->changes);
            break;
        }
        /* fall through */
    case PG_MODE_BEGIN:
        uc_reply_begin(&c->row, id, UC_REPLY_VALUE, 3);
        uc_pack_uint(&c->row, c->tx->id);
        break;
    case PG_MODE_SAVEPOINT:
    case PG_MODE_END:
    case PG_MODE_MIGRATE:
        uc_reply_begin(&c->row, id, UC_REPLY_VALUE, 3);
        uc_pack_nil(&c->row);
        break;
    default:
        pg_reply_run(&c->row, id, f->changes);
        break;
    }
}

static bool changes_things(const pg_flight *f)
{
    return f->mode == PG_MODE_RUN || f->mode == PG_MODE_EXEC ||
           f->mode == PG_MODE_MANY;
}

static void close_reply(pg_conn *c, pg_flight *f)
{
    uc__call_close(f->call, &c->row, 0);
    f->reply_at = c->held.len;
    f->reply_len = c->row.len;
}

/* The reply is whole; of a write it waits for the commit. */
static void complete(pg_conn *c, pg_flight *f)
{
    f->reply_len = 0;
    if (f->call == NULL)
        return;
    f->call->rows = changes_things(f) ? f->changes : (int64_t)f->rows;
    if (f->call->id == 0)
        return;
    put_value(c, f);
    close_reply(c, f);
}

void pg_reply_finish(pg_conn *c, pg_flight *f)
{
    complete(c, f);
    if (f->reply_len > 0)
        hand_over(c, f->call->session, c->row.p, c->row.len);
    c->calls--;
    pg_flight_end(c->db, f);
}

/* ---- writes that wait for their commit ---- */

static void wait_for_commit(pg_conn *c, pg_flight *f)
{
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

void pg_reply_hold(pg_conn *c, pg_flight *f)
{
    complete(c, f);
    wait_for_commit(c, f);
}

/* ---- those with a key ---- */

/* The statement has run: its reply is kept with its key. */
void pg_reply_ran(pg_conn *c, pg_flight *f)
{
    uc_error e;

    if (f->call != NULL && !f->failed) {
        f->call->rows = changes_things(f) ? f->changes : (int64_t)f->rows;
        put_value(c, f);
        if (!pg_once_ran(c, f, &e)) {
            e.outcome = "not-run";
            pg_reply_tell(c, f, &e);
            f->failed = true;
        }
    }
    pg_once_next(c);
}

/* One of the statements about its key has come to its end. */
void pg_reply_keyed(pg_conn *c, pg_flight *f)
{
    uc_error e;

    switch (pg_once_done(c, f, &e)) {
    case PG_ONCE_GOES_ON:
        break;
    case PG_ONCE_RAN:
        uc_buf_rewind(&c->row, 0);
        uc__reply_open(&c->row);
        pg_reply_ran(c, f);
        break;
    case PG_ONCE_ANSWERED:
        f->reply_len = 0;
        if (f->call != NULL && f->call->id != 0)
            close_reply(c, f);
        wait_for_commit(c, f);
        break;
    case PG_ONCE_AGAIN:
        c->calls--;
        pg_again(c->db, f);
        break;
    case PG_ONCE_FAILED:
        pg_reply_fail(c, f, &e);
        break;
    }
}

/* All that waits is committed and flushed. */
void pg_reply_settle(pg_conn *c)
{
    pg_flight *f;

    if (pg_committed(c))
        return;
    while ((f = c->waiting) != NULL) {
        int ran = UC_CALL_RAN;

        c->waiting = f->next;
        c->calls--;
        if (f->call != NULL &&
            atomic_compare_exchange_strong(&f->call->state, &ran,
                                           UC_CALL_DONE) &&
            f->reply_len > 0) /* otherwise 'unknown' has been said */
            hand_over(c, f->call->session, c->held.p + f->reply_at,
                      f->reply_len);
        pg_flight_end(c->db, f);
    }
    c->last_waiting = NULL;
    uc_buf_rewind(&c->held, 0);
}

void pg_reply_singly(pg_db *db, const pg_flight *f)
{
    if (f->wseq > db->singly)
        db->singly = f->wseq;
}

/* What ran in the transaction that has failed, and is not known to be
 * committed, is run again: each by itself, since it cannot be told which of
 * them were to blame. */
unsigned pg_reply_undo(pg_conn *c, pg_flight **only)
{
    pg_flight **q = &c->waiting, *f;
    unsigned n = 0;

    c->last_waiting = NULL;
    while ((f = *q) != NULL && f->committed) {
        c->last_waiting = f;
        q = &f->next;
    }
    *only = f;
    *q = NULL;
    for (pg_flight *next; f != NULL; f = next, n++) {
        next = f->next;
        pg_reply_singly(c->db, f);
        if (n == 0 && next == NULL && *only == f)
            return 1; /* alone: it was to blame */
        c->calls--;
        pg_again(c->db, f);
    }
    return n;
}

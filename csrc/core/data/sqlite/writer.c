#include <stdio.h>
#include <string.h>
#include <time.h>

#include "data/sqlite/db.h"
#include "data/sqlite/group.h"
#include "wire/writer.h"

/*
 * The writer thread: takes what is queued, in order, and runs it as one
 * transaction (group.c); transactions of clients, streams of rows and what
 * cannot be in a transaction have it for themselves.
 */

/* Writes known to take longer than this do not share a group. */
enum { SLOW_WRITE_NS = 5000000, LARGE_MANY_BYTES = 1 << 18 };

bool sq_call_class(sq_db *db, uc_call *call, sq_class *cls, uc_error *e)
{
    sq_sql *s = call->stmt;

    *cls = SQ_WRITE;
    if (s == NULL)
        return true;
    *cls = (sq_class)atomic_load(&s->cls);
    if (*cls == SQ_UNKNOWN) {
        if (!sq_classify(db->writer, s, e))
            return false;
        *cls = (sq_class)atomic_load(&s->cls);
    }
    return true;
}

/* ---- alone ---- */

static bool run_outside(sq_conn *c, uc_call *call, uc_buf *out, uc_error *e)
{
    uc_reader r = call->args;
    sq_run done;
    uc_view sql;
    char *text;
    bool ok;
    uint32_t shape;

    switch (call->op->num) {
    case UC_OP_restore:
        return sq_restore(c, call, out, e);
    case UC_OP_migrate_apply:
        return sq_migrate(c, call, out, e);
    case UC_OP_checkpoint:
        return sq_checkpoint(c, call, out, e);
    case UC_OP_backup_begin:
        return sq_backup_begin(c->db, call, out, e);
    case UC_OP_exec:
        if (!uc_read_str(&r, &sql))
            return uc_fail(e, UC_FRAME, "exec takes a text");
        text = sqlite3_mprintf("%.*s", (int)sql.len, sql.p);
        if (text == NULL)
            return uc_fail(e, UC_MEMORY, "no memory for the script");
        ok = sq_script(c, text, strlen(text), &done, e);
        sqlite3_free(text);
        if (ok)
            sq_reply_run(out, call->id, &done);
        return ok;
    default:
        if (!uc_read_u32(&r, &shape))
            return uc_fail(e, UC_FRAME, "%s takes a shape", call->op->name);
        return sq_execute(c, call->stmt, call->id, shape, &r, sq_mode_of(call),
                          out, &done, e);
    }
}

bool sq_alone(sq_conn *c, uc_call *call, uc_buf *out, uc_error *e)
{
    bool ok;

    sq_board_clear(c->db);
    ok = run_outside(c, call, out, e);
    /* VACUUM, a restored file, a migration, of which some statements may have
     * been committed before one failed. */
    if (call->op->num != UC_OP_checkpoint &&
        call->op->num != UC_OP_backup_begin)
        sq_touch_all(c->db);
    sq_board_commit(c->db);
    return ok;
}

static bool is_alone(sq_db *db, uc_call *call, sq_class cls)
{
    uc_error ignored = {0};
    uc_reader r = call->args;
    uc_view sql;
    char *text;
    bool alone;

    switch (call->op->num) {
    case UC_OP_restore:
    case UC_OP_migrate_apply:
    case UC_OP_checkpoint:
    case UC_OP_backup_begin:
        return true;
    case UC_OP_exec:
        if (!uc_read_str(&r, &sql))
            return false;
        text = sqlite3_mprintf("%.*s", (int)sql.len, sql.p);
        alone = text != NULL &&
                sq_script_alone(db->writer, text, strlen(text), &ignored);
        sqlite3_free(text);
        return alone;
    default:
        return cls == SQ_ALONE;
    }
}

/* ---- transactions ---- */

bool sq_tx_start(sq_db *db, uc_error *e)
{
    sq_conn *c = db->writer;
    int rc;

    if (!sq_wal_room(db, e))
        return false;
    c->busy_until = uc_now() + db->opt.busy_ms * UC_MS;
    rc = sq_step_once(c->begin_now);
    if (rc != SQLITE_OK) {
        sq_fail(c, rc, e);
        e->outcome = "not-run";
        return false;
    }
    db->tx_dead = false;
    db->tx_many_open = false;
    sq_board_clear(db);
    return true;
}

bool sq_tx_finish(sq_db *db, bool want, uc_error *e)
{
    sq_conn *c = db->writer;
    int rc;

    if (sqlite3_get_autocommit(c->h) != 0) {
        if (want)
            return uc_fail(e, UC_TX_CLOSED,
                           "an earlier error has rolled the transaction back");
        return true;
    }
    if (!want) {
        sq_step_once(c->rollback);
        return true;
    }
    if (db->tx_many_open) {
        sq_step_once(c->rollback);
        return uc_fail(e, UC_TX_OPEN,
                       "rows of many() were still coming at the commit: the "
                       "transaction was rolled back");
    }
    c->busy_until = 0;
    rc = sq_step_once(c->commit);
    if (rc == SQLITE_OK) {
        sq_board_commit(db);
        return true;
    }
    sq_fail(c, rc, e);
    e->outcome = (rc & 0xff) == SQLITE_IOERR ? "unknown" : "not-run";
    if (sqlite3_get_autocommit(c->h) == 0)
        sq_step_once(c->rollback);
    return false;
}

static bool savepoint(sq_db *db, uc_call *call, uc_buf *out, uc_error *e)
{
    uc_reader r = call->args;
    uint64_t x, kind, depth;
    char sql[96];
    int rc;

    if (!uc_read_u64(&r, &x) || !uc_read_u64(&r, &kind) ||
        !uc_read_u64(&r, &depth) || kind > 2 || depth > 1000000)
        return uc_fail(e, UC_FRAME, "savepoint takes [x, kind, depth]");
    if (kind == 0)
        snprintf(sql, sizeof sql, "savepoint t%u", (unsigned)depth);
    else if (kind == 1)
        snprintf(sql, sizeof sql, "release t%u", (unsigned)depth);
    else
        snprintf(sql, sizeof sql, "rollback to t%u; release t%u",
                 (unsigned)depth, (unsigned)depth);
    rc = sq_exec_text(db->writer, sql);
    if (rc != SQLITE_OK)
        return sq_fail(db->writer, rc, e);
    uc_reply_begin(out, call->id, UC_REPLY_VALUE, 3);
    uc_pack_nil(out);
    return true;
}

/*
 * Rows of `many` that come in several chunks: [sid, token, more, rows]. The
 * first has token nil. Inside a client's transaction they are a savepoint.
 * rows nil with more false gives the stream up.
 */
static bool many_chunk(sq_db *db, uc_call *call, uc_buf *out, uc_error *e)
{
    sq_conn *c = db->writer;
    uc_reader r = call->args;
    uc_value token, rows;
    sq_once *o = &db->tx_once;
    size_t reply = out->len;
    uc_reader at;
    bool more, ok = true;

    if (!uc_read(&r, &token) || !uc_read_bool(&r, &more))
        return uc_fail(e, UC_FRAME, "many takes [sid, token, more, rows]");
    at = r;
    if (!uc_read(&at, &rows))
        return uc_fail(e, UC_FRAME, "many takes [sid, token, more, rows]");
    if (!db->tx_many_open) {
        if (token.type != UC_T_NIL)
            return uc_fail(e, UC_TX_CLOSED, "the stream of rows has ended");
        /* A stream's transaction is its own savepoint. */
        if (!db->tx_stream && sq_step_once(c->savepoint) != SQLITE_OK)
            return sq_fail(c, sqlite3_extended_errcode(c->h), e);
        db->tx_many_open = true;
        db->tx_many = (sq_run){0};
        o->open = false;
        if (call->once.p != NULL)
            ok = sq_once_begin(c, o, call, e);
    }
    if (rows.type == UC_T_NIL)
        ok = uc_fail(e, UC_ABORTED, "the stream of rows was given up");
    else if (ok && o->open)
        ok = sq_once_rows(o, r, e);
    if (ok && !(o->open && o->known))
        ok = sq_many_rows(c, call->stmt, &r, db->tx_many.rows, &db->tx_many, e);
    if (!ok) {
        db->tx_many_open = false;
        if (sqlite3_get_autocommit(c->h) == 0 && !db->tx_stream) {
            sq_step_once(c->rollback_to);
            sq_step_once(c->release);
        }
        return false;
    }
    if (more) {
        uc_reply_begin(out, call->id, UC_REPLY_VALUE, 3);
        uc_pack_uint(out, db->tx_id);
        return true;
    }
    db->tx_many_open = false;
    if (!db->tx_stream && sq_step_once(c->release) != SQLITE_OK)
        return sq_fail(c, sqlite3_extended_errcode(c->h), e);
    if (!o->open || !o->known)
        sq_reply_run(out, call->id, &db->tx_many);
    return !o->open || sq_once_end(c, o, call, out, reply, e);
}

bool sq_tx_call(sq_db *db, uc_call *call, uc_buf *out, uc_error *e)
{
    sq_conn *c = db->writer;
    int64_t limit = call->deadline;
    sq_class cls;
    bool ok;

    if (db->tx_dead)
        return uc_fail(e, UC_TX_CLOSED,
                       "an earlier error has rolled the transaction back");
    if (db->tx_many_open && call->op->num != UC_OP_many)
        return uc_fail(e, UC_TX_OPEN,
                       "rows of many() are still coming: await it before "
                       "anything else of the transaction");
    if (sq_call_over(call, e))
        return false;
    if (!sq_call_class(db, call, &cls, e))
        return false;
    if (is_alone(db, call, cls))
        return uc_fail(e, UC_SQL_TRANSACTION,
                       "VACUUM, pragmas that act on the file, restore and "
                       "migrations cannot run inside a transaction");
    if (call->once.p != NULL && !db->tx_stream)
        return uc_fail(e, UC_OPTION, "option once: not inside a transaction");
    if (((sq_peer *)call->session->peer)->readonly && cls == SQ_WRITE)
        return uc_fail(e, UC_SQL_READONLY,
                       "this handle was opened with readonly: true");
    /* The transaction's own limit holds for what runs in it. */
    if (db->owner == SQ_BY_THREAD && (limit == 0 || db->tx_until < limit))
        limit = db->tx_until;
    sq_conn_enter(c, call, limit);
    switch (call->op->num) {
    case UC_OP_savepoint:
        ok = savepoint(db, call, out, e);
        break;
    case UC_OP_many:
        ok = many_chunk(db, call, out, e);
        break;
    default:
        ok = sq_unit(c, call, out, e);
        break;
    }
    sq_conn_leave(c);
    if (sqlite3_get_autocommit(c->h) != 0)
        db->tx_dead = true;
    return ok;
}

static void reply_tx(uc_call *call, uint64_t id, uc_buf *out)
{
    uc_reply_begin(out, call->id, UC_REPLY_VALUE, 3);
    if (id != 0)
        uc_pack_uint(out, id);
    else
        uc_pack_nil(out);
}

static void publish_one(sq_db *db, uc_call *call, uc_buf *out, size_t at,
                        bool ok, const uc_error *e)
{
    if (!ok) {
        uc__reply_again(out, at);
        uc_reply_error(out, call->id, e);
    }
    if (call->id == 0)
        uc_buf_rewind(out, at);
    else
        uc__reply_close(out, at, call->id);
    uc__session_publish(call->session, out);
    sq_finish(db, call);
}

/* What stopped waiting for the next call of a transaction. */
typedef enum tx_end { TX_GOING, TX_ENDED, TX_EXPIRED, TX_DROPPED } tx_end;

static uc_call *next_tx_call(sq_db *db, tx_end *end)
{
    uc_call *call;

    for (;;) {
        sq_route(db, false);
        uc_lock(&db->mu);
        call = uc_calls_pop(&db->tx_calls);
        if (call == NULL && db->tx_session == NULL)
            *end = TX_DROPPED;
        else if (call == NULL && uc_now() >= db->tx_until)
            *end = TX_EXPIRED;
        if (call == NULL && *end == TX_GOING && db->inbox_head == NULL) {
            db->writer_idle = true;
            uc_cond_wait_until(&db->writer_cond, &db->mu, db->tx_until);
            db->writer_idle = false;
        }
        uc_unlock(&db->mu);
        if (call != NULL || *end != TX_GOING)
            return call;
    }
}

/* Serves the open transaction until it ends. wconn_mu is held on entry and on
 * return, and free while the client thinks. */
static void serve_tx(sq_db *db, sq_worker *self, uc_buf *out)
{
    tx_end end = TX_GOING;
    bool stream = db->tx_stream;
    uc_calls left;
    uc_error e = {0};
    uc_call *call;

    while (end == TX_GOING) {
        size_t at;
        bool ok, want = false, ends = false;
        uc_reader r;
        uint64_t x;

        uc_unlock(&db->wconn_mu);
        call = next_tx_call(db, &end);
        uc_lock(&db->wconn_mu);
        if (call == NULL)
            break;
        sq_worker_hold(db, self, &call, 1);
        at = uc__reply_open(out);
        e.code = NULL;
        if (call->op->num == UC_OP_tx_end || call->op->num == UC_OP_snap_end) {
            r = call->args;
            ok = true;
            if (call->op->num == UC_OP_tx_end &&
                (!uc_read_u64(&r, &x) || !uc_read_bool(&r, &want)))
                ok = uc_fail(&e, UC_FRAME, "tx_end takes [x, commit]");
            if (ok && !sq_tx_finish(db, want, &e))
                ok = false;
            ends = true;
            if (ok)
                reply_tx(call, 0, out);
        } else {
            ok = sq_tx_call(db, call, out, &e);
            if (stream && (!ok || !db->tx_many_open)) {
                ends = true;
                if (!sq_tx_finish(db, ok, &e))
                    ok = false;
            }
        }
        sq_worker_hold(db, self, NULL, 0);
        if (ends) {
            end = TX_ENDED;
            uc_lock(&db->mu);
            db->ended_tx = db->tx_id;
            db->tx_id = 0;
            uc_unlock(&db->mu);
        }
        publish_one(db, call, out, at, ok, &e);
    }
    if (end != TX_ENDED)
        sq_tx_finish(db, false, &e);
    uc_lock(&db->mu);
    if (end != TX_ENDED) {
        db->ended_tx = db->tx_id;
        if (end == TX_EXPIRED)
            db->expired_tx = db->tx_id;
        db->tx_id = 0;
    }
    db->tx_session = NULL;
    db->tx_stream = false;
    left = db->tx_calls;
    db->tx_calls = (uc_calls){0};
    uc_unlock(&db->mu);
    while ((call = uc_calls_pop(&left)) != NULL) {
        uc_error closed = {0};

        if (end == TX_EXPIRED)
            uc_fail(&closed, UC_TX_EXPIRED,
                    "the transaction was open for longer than "
                    "transactionTimeoutMs and was rolled back");
        else
            uc_fail(&closed, UC_TX_CLOSED, "the transaction has ended");
        sq_refuse(db, call, &closed);
    }
}

/* ---- taking work ---- */

static bool is_stream(uc_call *call)
{
    uc_reader r = call->args;
    uc_value token;
    bool more = false;

    return call->op->num == UC_OP_many && uc_read(&r, &token) &&
           token.type == UC_T_NIL && uc_read_bool(&r, &more) && more;
}

static bool is_tx(const uc_call *call)
{
    return call->op->num == UC_OP_tx_begin || call->op->num == UC_OP_snap_begin;
}

static bool wants_writer_alone(sq_db *db, uc_call *call, sq_class cls)
{
    const sq_sql *s = call->stmt;

    if (is_tx(call) || is_stream(call) || is_alone(db, call, cls))
        return true;
    if (call->op->num == UC_OP_many)
        return call->args.end - call->args.p > LARGE_MANY_BYTES;
    return s != NULL && atomic_load(&s->ns) > SLOW_WRITE_NS;
}

static void push_back(sq_db *db, uc_call *call)
{
    uc_lock(&db->mu);
    uc_calls_push_front(&db->writes, call);
    uc_unlock(&db->mu);
}

static void publish_group(sq_db *db, sq_group *g)
{
    uc_buf *out = &g->good;
    uc_buf part;
    bool plain = g->bad.len == 0;

    for (uint32_t i = 0; i < g->cut; i++) {
        sq_item *it = &g->items[i];
        int ran = UC_CALL_RAN;

        if (it->call->session != g->items[0].call->session)
            plain = false;
        if (!it->failed && !atomic_compare_exchange_strong(
                               &it->call->state, &ran, UC_CALL_DONE)) {
            it->len = 0; /* its deadline passed: 'unknown' has been said */
            plain = false;
        }
    }
    if (plain) {
        uc__session_publish(g->items[0].call->session, out);
        return;
    }
    uc_buf_init(&part, SIZE_MAX);
    for (uint32_t i = 0; i < g->cut; i++) {
        sq_item *it = &g->items[i];

        if (it->call->id != 0 && it->len > 0)
            uc_buf_put(&part, (it->failed ? g->bad.p : out->p) + it->at,
                       it->len);
        if (i + 1 == g->cut ||
            g->items[i + 1].call->session != it->call->session)
            uc__session_publish(it->call->session, &part);
    }
    uc_buf_fini(&part);
    (void)db;
}

static void run_group(sq_db *db, sq_worker *self, sq_group *g)
{
    uc_call **calls = g->calls;
    uc_error e = {0};

    uc_buf_rewind(&g->good, 0);
    uc_buf_rewind(&g->bad, 0);
    if (!sq_wal_room(db, &e)) {
        for (uint32_t i = 0; i < g->n; i++)
            sq_refuse(db, calls[i], &e);
        g->n = 0;
        return;
    }
    sq_worker_hold(db, self, calls, g->n);
    g->may_cut = true;
    sq_group_run(db, g);
    publish_group(db, g);
    sq_worker_hold(db, self, NULL, 0);
    for (uint32_t i = g->n; i > g->cut; i--) {
        atomic_store(&calls[i - 1]->state, UC_CALL_QUEUED);
        push_back(db, calls[i - 1]);
    }
    for (uint32_t i = 0; i < g->cut; i++)
        sq_finish(db, calls[i]);
    g->n = 0;
}

/* A transaction of a client, or the first chunk of a stream. */
static void run_tx(sq_db *db, sq_worker *self, uc_call *call, uc_buf *out)
{
    uc_session *s = call->session;
    bool stream = is_stream(call), ok, going;
    size_t at;
    uint64_t id;
    uc_error e = {0};

    /* A group that did not go out in one piece has left its replies here. */
    uc_buf_rewind(out, 0);
    at = uc__reply_open(out);
    sq_worker_hold(db, self, &call, 1);
    sq_conn_enter(db->writer, call, call->deadline);
    ok = !sq_call_over(call, &e) && sq_tx_start(db, &e);
    sq_conn_leave(db->writer);
    uc_lock(&db->mu);
    id = ++db->next_id;
    if (ok) {
        db->tx_id = id;
        db->tx_session = s;
        db->tx_stream = stream;
        db->tx_until = uc_now() + db->opt.tx_ms * UC_MS;
    }
    if (!stream)
        db->running_first = 0; /* reads need not wait for it to end */
    sq_settle(db);
    uc_unlock(&db->mu);
    going = ok;
    if (ok && stream) {
        ok = sq_tx_call(db, call, out, &e);
        if (!ok || !db->tx_many_open) {
            if (!sq_tx_finish(db, ok, &e))
                ok = false;
            going = false;
        }
    } else if (ok) {
        reply_tx(call, id, out);
    }
    sq_worker_hold(db, self, NULL, 0);
    if (!going) {
        uc_lock(&db->mu);
        if (db->tx_id == id) {
            db->ended_tx = id;
            db->tx_id = 0;
            db->tx_session = NULL;
        }
        uc_unlock(&db->mu);
    }
    publish_one(db, call, out, at, ok, &e);
    if (going)
        serve_tx(db, self, out);
}

static void run_alone(sq_db *db, sq_worker *self, uc_call *call, sq_class cls,
                      sq_group *g)
{
    size_t at;
    uc_error e = {0};
    bool ok;

    if (!is_alone(db, call, cls)) { /* slow or large: a group of one */
        g->items[0] = (sq_item){.call = call};
        g->n = 1;
        run_group(db, self, g);
        return;
    }
    uc_buf_rewind(&g->good, 0);
    at = uc__reply_open(&g->good);
    sq_worker_hold(db, self, &call, 1);
    sq_conn_enter(db->writer, call, call->deadline);
    ok = !sq_call_over(call, &e) && sq_alone(db->writer, call, &g->good, &e);
    sq_conn_leave(db->writer);
    sq_worker_hold(db, self, NULL, 0);
    publish_one(db, call, &g->good, at, ok, &e);
}

/* What was taken and is not wanted yet, from the i-th on, goes back in front;
 * the worker keeps what is in g->calls in hand. */
static void keep(sq_db *db, sq_worker *self, sq_group *g, uint32_t kept,
                 uc_call **taken, uint32_t i, uint32_t n)
{
    uc_lock(&db->mu);
    while (n > i)
        uc_calls_push_front(&db->writes, taken[--n]);
    self->calls = g->calls;
    self->n = kept;
    uc_unlock(&db->mu);
}

/* Out of the hands of the worker, so that nobody finds it there. */
static void let_go(sq_db *db, uc_call **taken, uint32_t i)
{
    uc_lock(&db->mu);
    taken[i] = NULL;
    uc_unlock(&db->mu);
}

/* Whether a call goes on to a group; otherwise it has been answered or sent
 * elsewhere. *wait: what it names may be what the group is about to create. */
static bool admit(sq_db *db, uc_call **taken, uint32_t i, bool first,
                  sq_class *cls, bool *wait)
{
    uc_call *call = taken[i];
    uc_error e = {0};

    *wait = false;
    if (!sq_call_over(call, &e)) {
        if (sq_call_class(db, call, cls, &e)) {
            if (*cls == SQ_READ && call->op->lane == UC_LANE_STMT &&
                call->once.p == NULL) {
                let_go(db, taken, i);
                sq_forward(db, call);
                return false;
            }
            if (sq_may_repeat(call, *cls, &e) &&
                (call->once.p == NULL || sq_once_allowed(call, *cls, &e))) {
                if (*cls == SQ_WRITER_READ || call->op->lane != UC_LANE_STMT ||
                    !((sq_peer *)call->session->peer)->readonly)
                    return true;
                uc_fail(&e, UC_SQL_READONLY,
                        "this handle was opened with readonly: true");
            }
        } else if (!first) {
            *wait = true;
            return false;
        } else {
            /* Nor can it be told whether it is a read. */
            sq_may_repeat(call, SQ_WRITE, &e);
        }
    }
    let_go(db, taken, i);
    sq_refuse(db, call, &e);
    return false;
}

/* Takes the next group, or the one call that wants the writer for itself. */
static void run_next(sq_db *db, sq_worker *self, sq_group *g)
{
    uc_call *taken[SQ_GROUP], *call;
    uint32_t n = 0, i;
    sq_class cls;
    bool wait;

    g->n = 0;
    uc_lock(&db->mu);
    while (n < SQ_GROUP && (call = uc_calls_pop(&db->writes)) != NULL)
        taken[n++] = call;
    if (n > 0 && db->running_first == 0)
        db->running_first = taken[0]->wseq;
    self->calls = taken;
    self->n = n;
    uc_unlock(&db->mu);
    for (i = 0; i < n; i++) {
        call = taken[i];
        if (!admit(db, taken, i, g->n == 0, &cls, &wait)) {
            if (wait)
                break;
            continue;
        }
        if (wants_writer_alone(db, call, cls)) {
            if (g->n > 0)
                break;
            g->calls[0] = call;
            keep(db, self, g, 1, taken, i + 1, n);
            if (is_tx(call) || is_stream(call))
                run_tx(db, self, call, &g->good);
            else
                run_alone(db, self, call, cls, g);
            return;
        }
        g->calls[g->n] = call;
        g->items[g->n++] = (sq_item){.call = call};
    }
    keep(db, self, g, g->n, taken, i, n);
    if (g->n > 0)
        run_group(db, self, g);
}

void sq_write_one(sq_db *db, uc_call *call, uc_buf *out)
{
    static const size_t prefix = 4;
    size_t at = out->len;
    sq_conn *c = db->writer;
    uc_error e = {0};
    sq_class cls;
    sq_group g;

    if (!sq_call_class(db, call, &cls, &e) || !sq_wal_room(db, &e)) {
        uc_reply_error(out, call->id, &e);
        return;
    }
    if (is_alone(db, call, cls)) {
        sq_conn_enter(c, call, call->deadline);
        if (!sq_alone(c, call, out, &e)) {
            uc_buf_rewind(out, at);
            uc_reply_error(out, call->id, &e);
        }
        sq_conn_leave(c);
        return;
    }
    sq_group_init(&g);
    g.items[0] = (sq_item){.call = call};
    g.n = 1;
    sq_group_run(db, &g);
    if (g.items[0].failed)
        uc_buf_put(out, g.bad.p + g.items[0].at + prefix,
                   g.items[0].len - prefix);
    else if (g.items[0].len > prefix)
        uc_buf_put(out, g.good.p + g.items[0].at + prefix,
                   g.items[0].len - prefix);
    sq_group_fini(&g);
}

void sq_writer_loop(sq_db *db)
{
    static const struct timespec others = {0, 500000};
    sq_worker self = {.next = NULL};
    sq_group g;

    sq_group_init(&g);
    uc_lock(&db->mu);
    self.next = db->workers;
    db->workers = &self;
    uc_unlock(&db->mu);
    for (;;) {
        bool contended;

        sq_route(db, false);
        uc_lock(&db->mu);
        if (db->writes.head == NULL || db->owner != SQ_FREE ||
            db->sync_waiting > 0) {
            if (db->stop && db->writes.head == NULL) {
                uc_unlock(&db->mu);
                break;
            }
            if (db->inbox_head == NULL || db->writes.head != NULL) {
                db->writer_idle = true;
                uc_cond_wait(&db->writer_cond, &db->mu);
                db->writer_idle = false;
            }
            uc_unlock(&db->mu);
            continue;
        }
        db->owner = SQ_BY_THREAD;
        uc_unlock(&db->mu);
        uc_lock(&db->wconn_mu);
        run_next(db, &self, &g);
        contended = db->writer->contended;
        db->writer->contended = false;
        uc_unlock(&db->wconn_mu);
        uc_lock(&db->mu);
        db->owner = SQ_FREE;
        db->running_first = 0;
        sq_settle(db);
        uc_unlock(&db->mu);
        if (contended) /* another process is waiting, too: its turn */
            nanosleep(&others, NULL);
    }
    uc_lock(&db->mu);
    for (sq_worker **w = &db->workers; *w != NULL; w = &(*w)->next) {
        if (*w == &self) {
            *w = self.next;
            break;
        }
    }
    uc_unlock(&db->mu);
    sq_group_fini(&g);
}

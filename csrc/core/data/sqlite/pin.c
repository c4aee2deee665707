#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "data/sqlite/db.h"
#include "data/sqlite/rows.h"
#include "wire/writer.h"

/*
 * Cursors, snapshots and backups: what lives over several calls holds a
 * connection of its own, from a bounded set, never one of the readers'.
 * Calls on one pin run one after the other: `busy` is the right to touch its
 * connection. A pin that is not used for transactionTimeoutMs ends.
 */

/* ---- connections ---- */

/* Takes a spare connection or opens one. NULL with *e. */
static sq_conn *lease(sq_db *db, uc_error *e)
{
    sq_conn *c = NULL;
    int rc;

    uc_lock(&db->mu);
    if (db->pinned >= (uint32_t)db->opt.cursors) {
        uc_unlock(&db->mu);
        uc_fail(e, UC_CURSORS,
                "all %lld connections for cursors and snapshots are in use "
                "(option cursors): end one, or try again",
                (long long)db->opt.cursors);
        return NULL;
    }
    db->pinned++;
    c = db->spare;
    if (c != NULL)
        db->spare = c->spare_next;
    uc_unlock(&db->mu);
    if (c == NULL)
        c = sq_conn_open(db, SQ_PINNED, e);
    if (c != NULL) {
        sq_conn_wait(c, 0);
        c->sync = false;
        if (c->functions != atomic_load(&db->functions_version))
            sq_functions_install(db, c);
        rc = sq_step_once(c->begin);
        if (rc == SQLITE_OK)
            return c;
        sq_fail(c, rc, e);
        sq_conn_close(c);
    }
    uc_lock(&db->mu);
    db->pinned--;
    uc_unlock(&db->mu);
    return NULL;
}

static void give_back(sq_db *db, sq_conn *c)
{
    if (c == NULL)
        return;
    sq_step_once(c->rollback);
    uc_lock(&db->mu);
    c->spare_next = db->spare;
    db->spare = c;
    db->pinned--;
    uc_unlock(&db->mu);
}

/* ---- life ---- */

static sq_pin *pin_new(uc_session *s, sq_pin_kind kind, uc_error *e)
{
    sq_pin *p = uc_calloc(1, sizeof *p);

    if (p == NULL) {
        uc_fail(e, UC_MEMORY, "no memory for a cursor");
        return NULL;
    }
    p->kind = kind;
    p->session = s;
    p->born = p->used = uc_now();
    p->busy = true; /* the call that makes it */
    return p;
}

static void pin_link(sq_db *db, sq_pin *p)
{
    uc_lock(&db->mu);
    p->id = ++db->next_id;
    p->next = db->pins;
    db->pins = p;
    if (p->host != NULL)
        p->host->guests++;
    sq_deadline(db, p->used + db->opt.tx_ms * UC_MS);
    uc_unlock(&db->mu);
}

/* Frees what a pin holds; it is not linked any more. */
static void pin_free(sq_db *db, sq_pin *p)
{
    sq_backup_abandon(p);
    sqlite3_finalize(p->stmt);
    uc_free(p->params);
    if (p->run_ns > 0)
        sq_stat_cursor(p->sql, p->run_ns, p->nrows, !p->failed);
    sq_sql_unref(db, p->sql);
    sq_shape_unref(p->shape);
    if (p->pages != NULL)
        uc_buf_fini(p->pages);
    uc_free(p->pages);
    if (p->host == NULL)
        give_back(db, p->conn);
    uc_free(p);
}

/* Under mu: takes it off the list; true if the caller now frees it. */
static bool unlink_pin(sq_db *db, sq_pin *p)
{
    for (sq_pin **q = &db->pins; *q != NULL; q = &(*q)->next) {
        if (*q == p) {
            *q = p->next;
            if (p->host != NULL)
                p->host->guests--;
            return true;
        }
    }
    return false;
}

static sq_pin *find(sq_db *db, uc_session *s, uint64_t id)
{
    for (sq_pin *p = db->pins; p != NULL; p = p->next) {
        if (p->id == id && p->session == s)
            return p;
    }
    return NULL;
}

static void remember_expired(sq_db *db, const sq_pin *p)
{
    db->expired_pins[db->expired_n++ % 16] = p->id;
}

static bool gone(sq_db *db, uint64_t id, uc_error *e)
{
    for (unsigned i = 0; i < 16; i++) {
        if (db->expired_pins[i] == id && id != 0)
            return uc_fail(e, UC_CURSOR_EXPIRED,
                           "the cursor or snapshot was ended: it was idle "
                           "for longer than transactionTimeoutMs, or the WAL "
                           "reached walCapBytes while it was the oldest");
    }
    return uc_fail(e, UC_CLOSED, "the cursor or snapshot has ended");
}

/* The pin a call has to run on: named by meta s or by its first argument. */
sq_pin *sq_pin_of(sq_db *db, uc_call *call, uc_error *e)
{
    uc_reader r = call->args;
    uint64_t id = call->snap;
    sq_pin *p;

    if (call->op->lane == UC_LANE_PIN && !uc_read_u64(&r, &id)) {
        uc_fail(e, UC_FRAME, "%s: the first argument is a number",
                call->op->name);
        return NULL;
    }
    if (call->op->lane != UC_LANE_PIN && call->op->lane != UC_LANE_STMT) {
        uc_fail(e, UC_SQL_READONLY, "%s is not possible in a snapshot",
                call->op->name);
        return NULL;
    }
    p = find(db, call->session, id);
    if (p == NULL || p->dead) {
        gone(db, id, e);
        return NULL;
    }
    return p->host != NULL ? p->host : p;
}

bool sq_pin_claim(sq_pin *pin, uc_call *call)
{
    call->pin = pin;
    if (pin->busy) {
        uc_calls_push(&pin->queue, call);
        return false;
    }
    pin->busy = true;
    atomic_store(&call->state, UC_CALL_RUNNING);
    return true;
}

/* Ends the guests of a snapshot with it. Under mu. */
static void end_guests(sq_db *db, sq_pin *host, sq_pin **freed)
{
    sq_pin **q = &db->pins;

    while (*q != NULL) {
        sq_pin *p = *q;

        if (p->host == host) {
            *q = p->next;
            host->guests--;
            p->next = *freed;
            *freed = p;
        } else {
            q = &p->next;
        }
    }
}

void sq_pin_done(sq_db *db, sq_pin *pin)
{
    uc_calls left = {0};
    bool release = false;
    sq_pin *guests = NULL;
    uc_call *c;

    uc_lock(&db->mu);
    pin->busy = false;
    pin->used = uc_now();
    if (pin->dead) {
        release = unlink_pin(db, pin);
        left = pin->queue;
        pin->queue = (uc_calls){0};
        if (release && pin->why != NULL)
            remember_expired(db, pin);
        end_guests(db, pin, &guests);
    } else if (pin->queue.head != NULL) {
        c = uc_calls_pop(&pin->queue);
        pin->busy = true;
        atomic_store(&c->state, UC_CALL_RUNNING);
        uc_calls_push(&db->reads, c);
        atomic_store(&db->reads_n, db->reads.n);
        if (db->idle_readers > 0)
            uc_cond_signal(&db->readers_cond);
    }
    uc_unlock(&db->mu);
    while ((c = uc_calls_pop(&left)) != NULL) {
        uc_error e = {0};

        c->pin = NULL;
        gone(db, pin->id, &e);
        sq_refuse(db, c, &e);
    }
    while (guests != NULL) {
        sq_pin *g = guests;

        guests = g->next;
        pin_free(db, g);
    }
    if (release)
        pin_free(db, pin);
}

uint32_t sq_pins_end(sq_db *db, uc_session *s, bool all, bool wal,
                     const char *why)
{
    int64_t now = uc_now(), idle = db->opt.tx_ms * UC_MS;
    sq_pin *freed = NULL, *oldest;
    uint32_t n = 0;
    sq_pin **q;

    uc_lock(&db->mu);
    oldest = wal ? sq_pins_oldest(db) : NULL;
    for (q = &db->pins; *q != NULL;) {
        sq_pin *p = *q;
        /* The call that was to run on it, and then to free it, has been taken
         * off its queue. */
        bool left = p->dead && !p->busy;
        bool end = s != NULL ? p->session == s
                   : wal     ? p == oldest
                             : all || (!p->busy && p->host == NULL &&
                                   now - p->used > idle);

        /* Guests go with their host. */
        if (p->host != NULL || (!left && (p->dead || !end))) {
            q = &p->next;
            continue;
        }
        n++;
        p->dead = true;
        if (!left)
            p->why = why;
        if (p->busy || (p->host != NULL && p->host->busy)) {
            q = &p->next; /* who runs on it frees it */
            continue;
        }
        *q = p->next;
        if (p->why != NULL)
            remember_expired(db, p);
        if (p->host != NULL)
            p->host->guests--;
        p->next = freed;
        freed = p;
        if (p->guests > 0) {
            sq_pin *rest = NULL;

            end_guests(db, p, &rest);
            while (rest != NULL) {
                sq_pin *g = rest;

                rest = g->next;
                /* before the host: it has statements on its connection */
                g->next = freed;
                freed = g;
            }
            q = &db->pins;
        }
    }
    uc_unlock(&db->mu);
    while (freed != NULL) {
        sq_pin *p = freed;

        freed = p->next;
        pin_free(db, p);
    }
    return n;
}

void sq_pins_free(sq_db *db)
{
    sq_pins_end(db, NULL, true, false, NULL);
    while (db->spare != NULL) {
        sq_conn *c = db->spare;

        db->spare = c->spare_next;
        sq_conn_close(c);
    }
}

sq_pin *sq_pins_oldest(sq_db *db)
{
    sq_pin *oldest = NULL;

    for (sq_pin *p = db->pins; p != NULL; p = p->next) {
        if (p->conn != NULL && p->host == NULL && !p->dead &&
            (oldest == NULL || p->born < oldest->born))
            oldest = p;
    }
    return oldest;
}

/* ---- cursors ---- */

/* Rows from where the statement stands, up to about a page. */
static bool page_of(sq_pin *p, sq_conn *c, uint32_t id, uint32_t known,
                    uc_buf *out, bool *more, uc_error *e)
{
    int ncols, rc = SQLITE_ROW;
    size_t at = out->len, max = out->max;
    bool any = false;
    uc_rows r;

    *more = false;
    if (!p->row_ready)
        rc = sqlite3_step(p->stmt);
    /* After the step, which may have prepared it anew. */
    ncols = sqlite3_column_count(p->stmt);
    if (p->shape == NULL || p->shape->ncols != (uint32_t)ncols) {
        sq_shape_unref(p->shape);
        p->shape = ncols > 0 ? sq_shape_of(c->db, p->stmt) : NULL;
    }
    out->max = at + (size_t)c->db->opt.max_bytes;
    sq_rows_begin(&r, out, &c->text, id, p->shape, known,
                  (size_t)c->db->opt.page_bytes, true);
    while (rc == SQLITE_ROW && !out->failed) {
        if (any && out->len + c->text.len - at >= p->page_bytes) {
            *more = true;
            break;
        }
        any = true; /* however small a page may be, it gets on */
        sq_rows_add(&r, p->stmt, ncols, c->utf8);
        p->nrows++;
        rc = sqlite3_step(p->stmt);
    }
    p->row_ready = *more;
    uc_rows_end(&r, *more ? (uint32_t)p->id : 0);
    out->max = max;
    if (out->failed && !out->full)
        return uc_fail(e, UC_MEMORY, "no memory for a page of rows");
    if (out->failed)
        return uc_fail(e, UC_REPLY_TOO_LARGE,
                       "a row is larger than %lld bytes (option "
                       "maxReplyBytes)",
                       (long long)c->db->opt.max_bytes);
    if (!*more && rc != SQLITE_DONE)
        return sq_fail(c, rc, e);
    return true;
}

static bool page(sq_pin *p, sq_conn *c, uint32_t id, uint32_t known,
                 uc_buf *out, bool *more, uc_error *e)
{
    int64_t start = uc_now();
    bool ok = page_of(p, c, id, known, out, more, e);

    p->run_ns += uc_now() - start;
    p->failed = !ok;
    return ok;
}

static bool cursor_start(sq_pin *p, sq_conn *c, uc_reader *args,
                         uint32_t *known, uc_error *e)
{
    uc_reader params;

    if (!uc_read_u32(args, known))
        return uc_fail(e, UC_FRAME, "cursor_open takes a shape");
    params = *args;
    if (!uc_read_skip(args) || !uc_read_u64(args, &p->page_bytes))
        return uc_fail(e, UC_FRAME, "cursor_open takes a page size");
    if (p->page_bytes == 0 || p->page_bytes > (uint64_t)c->db->opt.max_bytes)
        p->page_bytes = (uint64_t)c->db->opt.page_bytes;
    /* Its own statement: others may use the same text meanwhile. */
    if (!sq_prepare_one(c, p->sql->text, p->sql->len, 0, &p->stmt, e))
        return false;
    if (sqlite3_column_count(p->stmt) == 0)
        return sq_no_rows(e);
    if (atomic_load(&p->sql->traits) & SQ_ASKS && !c->own)
        return sq_asks(e);
    /* The bytes of the parameters die with this call. */
    p->params = uc_malloc((size_t)(params.end - params.p) + 1);
    if (p->params == NULL)
        return uc_fail(e, UC_MEMORY, "no memory for a cursor");
    memcpy(p->params, params.p, (size_t)(params.end - params.p));
    params.end = p->params + (params.end - params.p);
    params.p = p->params;
    return sq_bind(p->stmt, sqlite3_bind_parameter_count(p->stmt), &params, e);
}

/*
 * Inside a transaction, in :memory: and for statements that write, the rows
 * are gathered now and handed out page by page: the connection cannot wait
 * for the reader of the cursor.
 */
static bool materialise(sq_db *db, sq_pin *p, sq_conn *c, uc_buf *out,
                        uint32_t id, uint32_t known, uc_error *e)
{
    bool more, ok;

    ok = page(p, c, id, known, out, &more, e);
    if (!ok || !more)
        return ok;
    p->pages = uc_calloc(1, sizeof *p->pages);
    if (p->pages == NULL)
        return uc_fail(e, UC_MEMORY, "no memory for a cursor");
    uc_buf_init(p->pages, (size_t)db->opt.max_bytes);
    known = p->shape != NULL ? p->shape->id : 0;
    while (ok && more) {
        size_t at = uc__reply_open(p->pages);

        ok = page(p, c, 0, known, p->pages, &more, e);
        if (ok)
            uc__reply_close(p->pages, at, 0);
        /* A page is bounded by itself, so the sum is looked at after it. */
        if (ok &&
            (p->pages->failed || p->pages->len > (size_t)db->opt.max_bytes))
            ok = uc_fail(e, UC_REPLY_TOO_LARGE,
                         "the rows of a cursor in a transaction are held in "
                         "memory and are larger than %lld bytes (option "
                         "maxReplyBytes)",
                         (long long)db->opt.max_bytes);
    }
    sqlite3_finalize(p->stmt);
    p->stmt = NULL;
    return ok;
}

bool sq_cursor_open(sq_db *db, uc_call *call, sq_conn *writer, uc_buf *out,
                    uc_error *e)
{
    sq_pin *host = call->pin;
    sq_pin *p = pin_new(call->session, SQ_PIN_CURSOR, e);
    uc_reader args = call->args;
    uint32_t known = 0;
    bool more = false, ok;
    sq_conn *c = writer;

    if (p == NULL)
        return false;
    p->sql = call->stmt;
    sq_sql_ref(p->sql);
    if (writer == NULL) {
        p->host = host;
        p->conn = host != NULL ? host->conn : lease(db, e);
        if (p->conn == NULL) {
            pin_free(db, p);
            return false;
        }
        c = p->conn;
    }
    if (host == NULL && writer == NULL)
        sq_conn_enter(c, call, call->deadline);
    pin_link(db, p); /* the id is part of the reply */
    ok = cursor_start(p, c, &args, &known, e);
    if (ok && writer != NULL)
        ok = materialise(db, p, c, out, call->id, known, e);
    else if (ok)
        ok = page(p, c, call->id, known, out, &more, e);
    if (host == NULL && writer == NULL)
        sq_conn_leave(c);
    if (writer != NULL)
        more = ok && p->pages != NULL;
    if (!ok || !more) {
        p->dead = true;
        p->why = NULL;
    }
    sq_pin_done(db, p);
    return ok;
}

static bool next_page(sq_db *db, sq_pin *p, uc_call *call, uc_buf *out,
                      uc_error *e)
{
    uc_reader r = call->args;
    uint64_t id;
    uint32_t known;
    bool more, ok;

    if (!uc_read_u64(&r, &id) || !uc_read_u32(&r, &known))
        return uc_fail(e, UC_FRAME, "cursor_next takes a cursor and a shape");
    if (p->pages != NULL) {
        const uint8_t *f = p->pages->p + p->pages_off;
        size_t n = (size_t)f[0] | (size_t)f[1] << 8 | (size_t)f[2] << 16 |
                   (size_t)f[3] << 24;
        size_t at = out->len;

        uc_buf_put(out, f + 4, n);
        if (!out->failed)
            uc_emit_u32(out->p + at + 1, call->id);
        p->pages_off += 4 + n;
        if (p->pages_off >= p->pages->len)
            p->dead = true;
        return true;
    }
    ok = page(p, p->conn, call->id, known, out, &more, e);
    if (!ok || !more)
        p->dead = true;
    (void)db;
    return ok;
}

/* ---- snapshots and backups ---- */

/* A pin with a connection that has taken its snapshot. The caller's until
 * sq_pin_done. */
sq_pin *sq_pin_make(sq_db *db, uc_session *s, sq_pin_kind kind, uc_error *e)
{
    sq_pin *p = pin_new(s, kind, e);
    int rc;

    if (p == NULL)
        return NULL;
    p->conn = lease(db, e);
    if (p->conn == NULL) {
        pin_free(db, p);
        return NULL;
    }
    /* BEGIN alone takes no snapshot: the first read does. */
    rc = sq_exec_text(p->conn, "select 1 from sqlite_schema limit 1");
    if (rc != SQLITE_OK) {
        sq_fail(p->conn, rc, e);
        pin_free(db, p);
        return NULL;
    }
    pin_link(db, p);
    return p;
}

bool sq_snap_begin(sq_db *db, uc_call *call, uc_buf *out, uc_error *e)
{
    sq_pin *p = sq_pin_make(db, call->session, SQ_PIN_SNAPSHOT, e);

    if (p == NULL)
        return false;
    uc_reply_begin(out, call->id, UC_REPLY_VALUE, 3);
    uc_pack_uint(out, p->id);
    /* Nobody learns its number, and so nobody would end it. */
    p->dead = out->failed;
    sq_pin_done(db, p);
    return true;
}

/* ---- calls ---- */

/* A cursor in a snapshot is served on the snapshot's turn. */
static sq_pin *named(sq_db *db, sq_pin *pin, uc_call *call, uc_error *e)
{
    uc_reader r = call->args;
    uint64_t id;
    sq_pin *p = NULL;

    if (uc_read_u64(&r, &id)) {
        uc_lock(&db->mu);
        p = find(db, call->session, id);
        uc_unlock(&db->mu);
    }
    if (p == NULL || p->dead || (p != pin && p->host != pin)) {
        gone(db, id, e);
        return NULL;
    }
    return p;
}

/* Whether the operation is one for what the number names: a cursor's are not
 * for a snapshot, and the other way round. It stays as it is. */
static bool fits(const sq_pin *p, const uc_call *call, uc_error *e)
{
    static const char *const names[] = {"cursor", "snapshot", "backup"};
    sq_pin_kind wanted;

    switch (call->op->num) {
    case UC_OP_cursor_next:
    case UC_OP_cursor_close:
        wanted = SQ_PIN_CURSOR;
        break;
    case UC_OP_backup_step:
    case UC_OP_backup_end:
        wanted = SQ_PIN_BACKUP;
        break;
    default: /* snap_end, and the reads that name one in meta s */
        wanted = SQ_PIN_SNAPSHOT;
    }
    return p->kind == wanted ||
           uc_fail(e, UC_FRAME, "%s: number %llu is a %s, not a %s",
                   call->op->name, (unsigned long long)p->id, names[p->kind],
                   names[wanted]);
}

static bool on_pin(sq_db *db, sq_pin *pin, uc_call *call, uc_buf *out,
                   uc_error *e)
{
    sq_pin *p;
    bool ok;

    if (pin->dead && call->op->num != UC_OP_cursor_close &&
        call->op->num != UC_OP_snap_end)
        return gone(db, pin->id, e);
    if (sq_call_over(call, e))
        return false;
    if (call->op->lane != UC_LANE_PIN && !fits(pin, call, e))
        return false;
    switch (call->op->num) {
    case UC_OP_cursor_open: /* in a snapshot */
    case UC_OP_get:
    case UC_OP_all:
    case UC_OP_json:
    case UC_OP_run:
        return sq_class_in_snapshot(pin->conn, call->stmt, e) &&
               sq_read_call(pin->conn, call, out, e);
    case UC_OP_backup_step:
        return fits(pin, call, e) && sq_backup_step(pin, call, out, e);
    case UC_OP_cursor_next:
    case UC_OP_cursor_close:
        p = named(db, pin, call, e);
        if (p != NULL && !fits(p, call, e))
            return false;
        if (call->op->num == UC_OP_cursor_next) {
            ok = p != NULL && next_page(db, p, call, out, e);
        } else {
            ok = true; /* one that has ended is closed */
            uc_reply_begin(out, call->id, UC_REPLY_VALUE, 3);
            uc_pack_nil(out);
        }
        if (p == NULL)
            return ok;
        if (call->op->num == UC_OP_cursor_close)
            p->dead = true;
        if (p->dead && p != pin) {
            uc_lock(&db->mu);
            if (!unlink_pin(db, p))
                p = NULL;
            uc_unlock(&db->mu);
            if (p != NULL)
                pin_free(db, p);
        }
        return ok;
    case UC_OP_snap_end:
    case UC_OP_backup_end: {
        sq_pin *rest = NULL;

        if (!fits(pin, call, e))
            return false;
        pin->dead = true;
        uc_lock(&db->mu);
        end_guests(db, pin, &rest);
        uc_unlock(&db->mu);
        while (rest != NULL) {
            p = rest;
            rest = p->next;
            pin_free(db, p);
        }
        uc_reply_begin(out, call->id, UC_REPLY_VALUE, 3);
        uc_pack_nil(out);
        return true;
    }
    default:
        return uc_fail(e, UC_FRAME, "operation %s does not run on a cursor",
                       call->op->name);
    }
}

bool sq_pin_call(sq_db *db, sq_pin *pin, uc_call *call, uc_buf *out,
                 uc_error *e)
{
    sq_conn *c = pin->conn;
    bool ok;

    if (c != NULL)
        sq_conn_enter(c, call, call->deadline);
    ok = on_pin(db, pin, call, out, e);
    if (c != NULL)
        sq_conn_leave(c);
    sq_pin_done(db, pin);
    return ok;
}

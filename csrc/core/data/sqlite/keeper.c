#include <stdio.h>
#include <string.h>

#include "data/sqlite/db.h"
#include "wire/writer.h"

/*
 * The keeper: one thread a file for what nobody else has time for. Deadlines
 * of calls that wait, pins that nobody uses, the WAL. It sleeps until the next
 * known moment, for ever when nothing is under way.
 */

enum { WAL_RESTART_MS = 100, WAL_ROOM_MS = 200, LATE_MS = 5, LOOK_MS = 50 };

void sq_deadline(sq_db *db, int64_t at)
{
    if (db->next_deadline == 0 || at < db->next_deadline) {
        db->next_deadline = at;
        uc_cond_signal(&db->keeper_cond);
    }
}

/* ---- deadlines ---- */

static void expire_from(uc_calls *q, int64_t now, uc_calls *out, int64_t *next)
{
    uc_calls keep = {0};
    uc_call *c;

    while ((c = uc_calls_pop(q)) != NULL) {
        if (c->deadline != 0 && c->deadline <= now && c->pin == NULL) {
            uc_calls_push(out, c);
            continue;
        }
        if (c->deadline != 0 && (*next == 0 || c->deadline < *next))
            *next = c->deadline > now ? c->deadline : now + LATE_MS * UC_MS;
        uc_calls_push(&keep, c);
    }
    *q = keep;
}

/* Calls of a pin's queue have no claim yet. */
static void expire_waiting(uc_calls *q, int64_t now, uc_calls *out,
                           int64_t *next)
{
    for (uc_call *c = q->head; c != NULL; c = c->next)
        c->pin = NULL;
    expire_from(q, now, out, next);
}

static void say_unknown(uc_call *c)
{
    uc_error e = {0};
    uc_buf b;
    size_t at;

    if (c->id == 0)
        return;
    uc_fail(&e, UC_TIMEOUT,
            "the deadline passed after the statement had run and before its "
            "commit was known");
    sq_outcome(c, "unknown", &e);
    uc_buf_init(&b, SIZE_MAX);
    at = uc__reply_open(&b);
    uc_reply_error(&b, c->id, &e);
    uc__reply_close(&b, at, c->id);
    uc__session_publish(c->session, &b);
    uc_buf_fini(&b);
}

/* Under mu. Returns the next moment, 0 for none. */
static int64_t deadlines(sq_db *db, int64_t now, uc_calls *out)
{
    int64_t next = 0;

    expire_from(&db->reads, now, out, &next);
    atomic_store(&db->reads_n, db->reads.n);
    expire_from(&db->writes, now, out, &next);
    expire_from(&db->parked, now, out, &next);
    expire_from(&db->tx_calls, now, out, &next);
    for (sq_pin *p = db->pins; p != NULL; p = p->next) {
        int64_t end = p->used + db->opt.tx_ms * UC_MS;

        for (uc_call *c = p->queue.head; c != NULL; c = c->next)
            c->after = 0;
        expire_waiting(&p->queue, now, out, &next);
        for (uc_call *c = p->queue.head; c != NULL; c = c->next)
            c->pin = p;
        if (end <= now)
            end = now + LATE_MS * UC_MS;
        if (next == 0 || end < next)
            next = end;
    }
    for (sq_worker *w = db->workers; w != NULL; w = w->next) {
        for (uint32_t i = 0; i < w->n; i++) {
            uc_call *c = w->calls[i];
            int ran = UC_CALL_RAN;

            if (c == NULL || c->deadline == 0)
                continue;
            if (c->deadline > now) {
                if (next == 0 || c->deadline < next)
                    next = c->deadline;
            } else if (atomic_compare_exchange_strong(&c->state, &ran,
                                                      UC_CALL_ANSWERED)) {
                say_unknown(c);
            } else if (next == 0 || now + LATE_MS * UC_MS < next) {
                next = now + LATE_MS * UC_MS;
            }
        }
    }
    if (out->n > 0)
        sq_settle(db);
    return next;
}

/* ---- the WAL ---- */

int sq_wal_hook(void *arg, sqlite3 *h, const char *name, int pages)
{
    sq_db *db = arg;
    int64_t bytes = pages * db->page_size, before;

    (void)h;
    if (strcmp(name, "main") != 0)
        return SQLITE_OK;
    before = atomic_exchange(&db->wal_bytes, bytes);
    if (bytes > atomic_load(&db->wal_peak))
        atomic_store(&db->wal_peak, bytes);
    if (bytes - before > db->opt.wal_cap)
        atomic_fetch_add(&db->big_transactions, 1);
    uc_lock(&db->mu);
    if (bytes < before)
        db->wal_next = 0; /* it was begun anew */
    if (bytes >= db->opt.wal_checkpoint && bytes >= db->wal_next &&
        !db->checkpoint_wanted) {
        db->checkpoint_wanted = true;
        uc_cond_signal(&db->keeper_cond);
    }
    uc_unlock(&db->mu);
    return SQLITE_OK;
}

static void checkpoint(sq_db *db, bool last)
{
    int64_t bytes = atomic_load(&db->wal_bytes);
    int mode = SQLITE_CHECKPOINT_PASSIVE;
    uc_error e = {0};

    if (db->keeper == NULL)
        db->keeper = sq_conn_open(db, SQ_KEEPER, &e);
    if (db->keeper == NULL)
        return;
    /* Passive never stops anybody and cannot make a busy WAL small; once it
     * is large, wait a moment for the readers to let go. */
    if (last || bytes >= 4 * db->opt.wal_checkpoint)
        mode = SQLITE_CHECKPOINT_RESTART;
    sq_conn_wait(db->keeper, uc_now() + WAL_RESTART_MS * UC_MS);
    uc_lock(&db->checkpoint_mu);
    /* Its two counts are read from the WAL index after its locks were given
     * back, while the writer may begin the WAL anew: not asked for. */
    sqlite3_wal_checkpoint_v2(db->keeper->h, NULL, mode, NULL, NULL);
    uc_unlock(&db->checkpoint_mu);
    atomic_fetch_add(&db->checkpoints, 1);
    uc_lock(&db->mu);
    db->wal_next = bytes + db->opt.wal_checkpoint;
    uc_unlock(&db->mu);
}

bool sq_wal_room(sq_db *db, uc_error *e)
{
    sq_pin *pin;
    const char *who = "another process, or a reader that is at work";

    if (sq_moved(db, true, e))
        return false;
    while (atomic_load(&db->wal_bytes) >= db->opt.wal_cap) {
        int rc;

        /* SQLite says busy at once while another checkpoint runs. Wait for
         * readers once; from then on look without waiting, so that what has
         * queued is not refused one group at a time. */
        uc_lock(&db->checkpoint_mu);
        sq_conn_wait(db->writer,
                     uc_now() + (db->wal_stuck ? 0 : WAL_ROOM_MS * UC_MS));
        rc = sqlite3_wal_checkpoint_v2(db->writer->h, NULL,
                                       SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
        uc_unlock(&db->checkpoint_mu);
        if (rc == SQLITE_OK) {
            atomic_store(&db->wal_bytes, 0);
            break;
        }
        if (sq_pins_end(db, NULL, false, true, "WAL") == 0) {
            db->wal_stuck = true;
            uc_lock(&db->mu);
            pin = sq_pins_oldest(db);
            if (pin != NULL)
                who = "a cursor or snapshot of this process that is at work";
            uc_unlock(&db->mu);
            uc_fail(e, UC_WAL_FULL,
                    "the WAL has reached walCapBytes (%lld) and cannot be "
                    "checkpointed: %s holds an old snapshot",
                    (long long)db->opt.wal_cap, who);
            e->outcome = "not-run";
            return false;
        }
    }
    db->wal_stuck = false;
    return true;
}

bool sq_checkpoint(sq_conn *c, uc_call *call, uc_buf *out, uc_error *e)
{
    static const struct {
        const char *name;
        int mode;
    } modes[] = {{"passive", SQLITE_CHECKPOINT_PASSIVE},
                 {"restart", SQLITE_CHECKPOINT_RESTART},
                 {"truncate", SQLITE_CHECKPOINT_TRUNCATE}};
    uc_reader r = call->args;
    uc_view name;
    int log = 0, done = 0, rc;

    if (!uc_read_str(&r, &name))
        return uc_fail(e, UC_FRAME, "checkpoint takes a mode");
    for (unsigned i = 0; i < 3; i++) {
        if (!uc_view_is(name, modes[i].name))
            continue;
        sq_conn_wait(c, 0);
        uc_lock(&c->db->checkpoint_mu);
        rc = sqlite3_wal_checkpoint_v2(c->h, NULL, modes[i].mode, &log, &done);
        uc_unlock(&c->db->checkpoint_mu);
        if (rc != SQLITE_OK)
            return sq_fail(c, rc, e);
        if (modes[i].mode == SQLITE_CHECKPOINT_TRUNCATE)
            atomic_store(&c->db->wal_bytes, 0);
        uc_reply_begin(out, call->id, UC_REPLY_VALUE, 3);
        uc_pack_map(out, 2);
        uc_pack_str(out, "pages");
        uc_pack_int(out, log);
        uc_pack_str(out, "checkpointed");
        uc_pack_int(out, done);
        return true;
    }
    return uc_fail(e, UC_FRAME,
                   "checkpoint: expected passive, restart or truncate");
}

/* ---- the cache ---- */

/*
 * What another process commits is not on the board: it is seen here, soon
 * afterwards, and drops everything that belongs to a table. While the writer is
 * at work nobody looks; other processes have to wait for it as well.
 */
static void look_for_others(sq_db *db)
{
    bool wrote;

    if (!uc_trylock(&db->wconn_mu))
        return;
    wrote = sq_others_wrote(db);
    uc_unlock(&db->wconn_mu);
    if (wrote)
        uc_cache_tables_changed(db->cache, NULL, NULL, 0, true);
}

/* Under mu. When the cache wants to be looked at, with the promise that this
 * thread is there then; 0: not so far. */
static int64_t cache_at(sq_db *db, int64_t look_at)
{
    int64_t at;

    if (db->cache == NULL)
        return 0;
    at = uc_cache_due(db->cache);
    if (!db->memory && uc_cache_is_tied(db->cache) && (at == 0 || look_at < at))
        at = look_at;
    uc_cache_promise(db->cache, at);
    /* What came in between has seen no promise, or this one. */
    return uc_cache_is_impatient(db->cache) ? uc_cache_due(db->cache) : at;
}

static void cache_turn(sq_db *db, int64_t *look_at)
{
    int64_t now = uc_now(), due;

    if (db->cache == NULL)
        return;
    uc_cache_promise(db->cache, 0);
    due = uc_cache_due(db->cache);
    if (due != 0 && due <= now)
        uc_cache_tick(db->cache, now);
    if (!db->memory && now >= *look_at && uc_cache_is_tied(db->cache)) {
        look_for_others(db);
        *look_at = now + LOOK_MS * UC_MS;
    }
}

/* ---- the thread ---- */

static void wait_until(sq_db *db, int64_t at)
{
    if (at == 0)
        uc_cond_wait(&db->keeper_cond, &db->mu);
    else
        uc_cond_wait_until(&db->keeper_cond, &db->mu, at);
}

void *sq_keeper_main(void *arg)
{
    sq_db *db = arg;
    int64_t look_at = 1; /* long ago */

    uc_lock(&db->mu);
    while (!db->stop) {
        uc_calls out = {0};
        bool wal;
        uc_call *c;

        if (!db->checkpoint_wanted) {
            int64_t at = cache_at(db, look_at);

            if (at == 0 || (db->next_deadline != 0 && db->next_deadline < at))
                at = db->next_deadline;
            wait_until(db, at);
        }
        if (db->stop)
            break;
        wal = db->checkpoint_wanted;
        if (db->next_deadline != 0 && uc_now() >= db->next_deadline)
            db->next_deadline = deadlines(db, uc_now(), &out);
        uc_unlock(&db->mu);
        while ((c = uc_calls_pop(&out)) != NULL) {
            uc_error e = {0};

            atomic_store(&c->stop, UC_STOP_TIMEOUT);
            sq_stopped(c, "not-run", &e);
            c->pin = NULL;
            sq_refuse(db, c, &e);
        }
        cache_turn(db, &look_at);
        sq_pins_end(db, NULL, false, false, "idle");
        sq_route(db, false); /* everybody else may be busy */
        if (wal)
            checkpoint(db, false);
        uc_lock(&db->mu);
        if (wal)
            db->checkpoint_wanted = false;
    }
    uc_unlock(&db->mu);
    return NULL;
}

#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "data/pg/once.h"

/*
 * Writes with a key. The key, a hash of the request and the reply are a row of
 * _undercroft_once, stored by the transaction of the write itself. Its reply is
 * not known before the write has run, so that takes two turns:
 *
 *   claim, statement, Flush ──> what it answered ──> keep, Sync ──>
 * acknowledged
 *
 * The claim inserts the row of the key, and so waits for whoever has inserted
 * it and not ended yet, in this process or another. Where the row is there and
 * has not expired it fails, on purpose: what stands behind it is skipped then,
 * and the answer of the first time is looked up. INSERTs share a transaction
 * here, too; between the turns the connection has nothing else to do.
 */

enum { SWEEP_EVERY = 64, SWEEP_ROWS = 128, TRIES = 4 };

static const char *const names[] = {[PG_ONCE_CLAIM] = "uc_claim",
                                    [PG_ONCE_KEEP] = "uc_keep",
                                    [PG_ONCE_FIND] = "uc_find"};
static const char *const texts[] = {
    [PG_ONCE_CLAIM] =
        "insert into _undercroft_once as o(key, request, answer, expires) "
        "values ($1::bytea, $2::bytea, '', $3::bigint) "
        "on conflict (key) do update set "
        "key = case when o.expires <= $4::bigint then excluded.key end, "
        "request = excluded.request, answer = '', "
        "expires = excluded.expires",
    [PG_ONCE_KEEP] = "update _undercroft_once set answer = $2::bytea "
                     "where key = $1::bytea",
    [PG_ONCE_FIND] = "select request, answer from _undercroft_once "
                     "where key = $1::bytea and expires > $2::bigint",
};
static const char making[] =
    "create table if not exists _undercroft_once("
    "id bigint generated always as identity primary key, "
    "key bytea not null unique, request bytea not null, "
    "answer bytea not null, expires bigint not null); "
    "create index if not exists _undercroft_once_expires "
    "on _undercroft_once(expires)";

/* ---- messages ---- */

/* A parameter; text: written out, otherwise its bytes. */
typedef struct own {
    uc_view v;
    bool text;
} own;

static bool no_memory(uc_error *e)
{
    return uc_fail(e, UC_MEMORY, "no memory for a write with a key");
}

static bool parse(pg_conn *c, pg_flight *f, const char *name, pg_once_phase p)
{
    pg_msg_parse(&c->out, name, texts[p]);
    return pg_step_push(c, (pg_step){.kind = PG_STEP_PARSE, .flight = f});
}

static bool put(pg_conn *c, pg_flight *f, pg_once_phase p, const own *v,
                uint16_t n)
{
    bool unnamed = pg_is_unnamed(c);
    uc_buf *b = &c->out;
    size_t at;

    if (unnamed && !parse(c, f, "", p))
        return false;
    if (unnamed)
        c->unnamed_gen = 0;
    at = pg_msg_begin(b, 'B');
    pg_put_str(b, "");
    pg_put_str(b, unnamed ? "" : names[p]);
    pg_put16(b, n);
    for (uint16_t i = 0; i < n; i++)
        pg_put16(b, v[i].text ? 0 : 1);
    pg_put16(b, n);
    for (uint16_t i = 0; i < n; i++) {
        pg_put32(b, (uint32_t)v[i].v.len);
        pg_put_view(b, v[i].v);
    }
    pg_put16(b, 1); /* rows in binary */
    pg_put16(b, 1);
    pg_msg_end(b, at);
    pg_msg_execute(b, "", 0);
    pg_conn_touch(c);
    f->once->phase = p;
    return !b->failed &&
           pg_step_push(c, (pg_step){.kind = PG_STEP_ONCE, .flight = f});
}

static own moment(char text[24], int64_t ms)
{
    int n = snprintf(text, 24, "%lld", (long long)ms);

    return (own){{(const uint8_t *)text, (size_t)n}, true};
}

static bool claim(pg_conn *c, pg_flight *f)
{
    char until[24], now[24];
    int64_t ms = uc_wall_ms();
    const own v[] = {
        {f->call->once, false},
        {{(const uint8_t *)&f->once->hash.sum, sizeof f->once->hash.sum},
         false},
        moment(until, ms + c->db->e.opt.once_ttl_ms),
        moment(now, ms)};

    return put(c, f, PG_ONCE_CLAIM, v, 4);
}

static bool keep(pg_conn *c, pg_flight *f)
{
    const own v[] = {{f->call->once, false},
                     {{f->once->answer.p, f->once->answer.len}, false}};

    return put(c, f, PG_ONCE_KEEP, v, 2);
}

static bool find(pg_conn *c, pg_flight *f)
{
    char now[24];
    const own v[] = {{f->call->once, false}, moment(now, uc_wall_ms())};

    return put(c, f, PG_ONCE_FIND, v, 2);
}

/* One that was not made as a whole leaves others under these names. */
static bool prepare(pg_conn *c, pg_flight *f)
{
    if (c->keyed || pg_is_unnamed(c))
        return true;
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        pg_msg_close(&c->out, 'S', names[i]);
        if (!parse(c, f, names[i], i))
            return false;
    }
    c->keyed = true;
    return true;
}

/* ---- the first turn ---- */

static void add(pg_conn *c, pg_flight *f)
{
    pg_flight **q = &c->claims;

    while (*q != NULL)
        q = &(*q)->next;
    f->next = NULL;
    *q = f;
    c->claiming++;
}

static bool begin(pg_conn *c, pg_flight *f, uc_error *e)
{
    size_t at = c->out.len;
    uint32_t steps = c->nsteps;
    bool ok;

    f->once = uc_calloc(1, sizeof *f->once);
    if (f->once == NULL)
        return no_memory(e);
    uc_buf_init(&f->once->answer, SIZE_MAX);
    if (c->claims == NULL)
        pg_open_group(c, true,
                      f->mode != PG_MODE_BATCH && f->mode != PG_MODE_MANY);
    ok = uc__once_hash_request(&f->once->hash, f->call, e) &&
         ((prepare(c, f) && claim(c, f)) || no_memory(e)) && pg_bind(c, f, e);
    c->batch = 0; /* its Sync comes with the second turn */
    if (ok)
        return true;
    uc_buf_rewind(&c->out, at);
    pg_step_drop(c, c->nsteps - steps);
    return false;
}

void pg_once_run(pg_conn *c, uc_call *call)
{
    pg_flight *f = pg_flight_of(c->db, call);
    uc_error e;

    if (f == NULL)
        return;
    uc_error_init(&e);
    if (begin(c, f, &e)) {
        add(c, f);
        return;
    }
    e.outcome = "not-run";
    pg_flight_fail(c->db, f, &e);
}

void pg_once_sent(pg_conn *c)
{
    if (c->claims != NULL)
        pg_msg_end(&c->out, pg_msg_begin(&c->out, 'H'));
    pg_conn_touch(c);
}

/* ---- the second turn ---- */

static pg_flight *take_claims(pg_conn *c)
{
    pg_flight *f = c->claims;

    c->claims = NULL;
    c->claiming = 0;
    return f;
}

/* Nobody waits for one of them, or its answer is too large: nothing is kept,
 * and the others begin again. */
static void roll_back(pg_conn *c)
{
    pg_query(c, NULL, "rollback");
    for (pg_flight *f = take_claims(c), *next; f != NULL; f = next) {
        next = f->next;
        c->calls--;
        if (f->call == NULL || f->failed)
            pg_flight_end(c->db, f);
        else
            pg_again(c->db, f);
    }
}

/* Old keys go now and then, those that nobody is at. */
static void sweep(pg_conn *c)
{
    char sql[320];

    snprintf(sql, sizeof sql,
             "delete from _undercroft_once where id in ("
             "select id from _undercroft_once where expires <= %lld "
             "order by expires limit %d for update skip locked)",
             (long long)uc_wall_ms(), SWEEP_ROWS);
    pg_query(c, NULL, sql);
}

static void keep_all(pg_conn *c)
{
    bool spoiled = false, ok = true;
    uint32_t before = c->db->keys;

    for (const pg_flight *f = c->claims; f != NULL; f = f->next)
        spoiled = spoiled || f->call == NULL || f->failed;
    if (spoiled) {
        roll_back(c);
        return;
    }
    for (pg_flight *f = take_claims(c), *next; f != NULL; f = next) {
        next = f->next;
        f->next = NULL;
        ok = keep(c, f) && ok;
        c->db->keys++;
    }
    pg_mark(c);
    pg_sync(c, true);
    if (!ok) {
        uc_error e;

        no_memory(&e);
        pg_conn_fail(c, &e);
    } else if (before / SWEEP_EVERY != c->db->keys / SWEEP_EVERY) {
        sweep(c);
    }
}

bool pg_once_ran(pg_conn *c, pg_flight *f, uc_error *e)
{
    uc_buf *answer = &f->once->answer;
    bool ok = true;

    if (f->call != NULL && !f->failed) {
        ok = uc__once_fits(c->row.len - 4, e);
        if (ok)
            uc_buf_put(answer, c->row.p + 4, c->row.len - 4);
        if (answer->failed || c->row.failed)
            ok = no_memory(e);
    }
    return ok;
}

void pg_once_next(pg_conn *c)
{
    if (--c->claiming == 0)
        keep_all(c);
}

/* ---- its own answers ---- */

void pg_once_row(const pg_flight *f, uc_view body)
{
    pg_reader r = pg_reader_of(body);
    pg_once *o = f->once;
    uc_view request, answer;

    if (o->phase != PG_ONCE_FIND || pg_get16(&r) != 2)
        return;
    request = pg_get_bytes(&r, pg_get32(&r));
    answer = pg_get_bytes(&r, pg_get32(&r));
    if (r.failed)
        return;
    o->found = true;
    o->first.sum = 0;
    if (request.len == sizeof o->first.sum)
        memcpy(&o->first.sum, request.p, sizeof o->first.sum);
    uc_buf_rewind(&o->answer, 0);
    uc_buf_put(&o->answer, answer.p, answer.len);
}

pg_once_end pg_once_done(pg_conn *c, pg_flight *f, uc_error *e)
{
    pg_once *o = f->once;
    uc_buf *row = &c->row;

    if (o->phase == PG_ONCE_CLAIM)
        return f->left > 0 ? PG_ONCE_GOES_ON : PG_ONCE_RAN;
    if (f->call == NULL)
        return PG_ONCE_ANSWERED;
    if (o->phase == PG_ONCE_FIND && !o->found)
        return PG_ONCE_AGAIN; /* it has expired since */
    if (o->phase == PG_ONCE_FIND && o->hash.sum != o->first.sum) {
        uc__once_conflict(f->call->once.p, f->call->once.len, e);
        return PG_ONCE_FAILED;
    }
    uc_buf_rewind(row, 0);
    uc__reply_open(row);
    return uc__once_repeat((uc_view){o->answer.p, o->answer.len}, f->call, row,
                           e)
               ? PG_ONCE_ANSWERED
               : PG_ONCE_FAILED;
}

/* ---- errors ---- */

static bool is_state(const uc_error *e, const char *state)
{
    return strcmp(e->sqlstate, state) == 0;
}

static void drop_steps(pg_conn *c)
{
    pg_step *s;

    while ((s = pg_step_first(c)) != NULL) {
        pg_unprepared(c, s);
        pg_step_pop(c);
    }
}

/* All of them but one go back: what they did is undone. */
static void others_again(pg_conn *c, const pg_flight *but)
{
    for (pg_flight *f = take_claims(c), *next; f != NULL; f = next) {
        next = f->next;
        if (f == but)
            continue;
        if (f->wseq > c->db->singly)
            c->db->singly = f->wseq;
        c->calls--;
        pg_again(c->db, f);
    }
}

/* The answer that is repeated is flushed before: its write may be of another
 * process, and not be so. */
static bool look_up(pg_conn *c, pg_flight *f)
{
    if (!find(c, f))
        return false;
    pg_sync(c, c->flushes);
    if (!c->flushes)
        pg_barrier(c);
    return true;
}

/* The table is not there, or not as it was. */
static bool mend(pg_conn *c, pg_flight *f, bool ours, uc_error *e)
{
    if (!ours || f->call == NULL)
        return false;
    if (f->call->again >= TRIES) {
        if (is_state(e, "42P01") && c->error.code != NULL)
            *e = c->error; /* why it could not be made */
        return false;
    }
    if (is_state(e, "42P01")) {
        uc_error_init(&c->error);
        pg_query(c, NULL, making);
    } else if (!is_state(e, "26000") && !is_state(e, "0A000") &&
               !is_state(e, "40001")) {
        return false;
    }
    c->keyed = false;
    f->call->again++;
    c->calls--;
    pg_again(c->db, f);
    return true;
}

bool pg_once_failed(pg_conn *c, pg_flight *f, bool ours, uc_error *e)
{
    bool known = ours && is_state(e, "23502") &&
                 strcmp(e->table, "_undercroft_once") == 0 && f->call != NULL;

    drop_steps(c);
    others_again(c, f);
    pg_sync(c, false);
    if (known && look_up(c, f))
        return true;
    return mend(c, f, ours, e);
}

void pg_once_undone(pg_conn *c)
{
    drop_steps(c);
    others_again(c, NULL);
    pg_sync(c, false);
}

void pg_once_lost(pg_conn *c)
{
    drop_steps(c);
    take_claims(c);
}

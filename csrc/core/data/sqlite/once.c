#include <string.h>

#include "data/sqlite/db.h"
#include "wire/writer.h"

/*
 * Writes with a key: a client that lost its connection sends the write again
 * with the same key, and it is applied once. The key, a hash of the request
 * and the reply are a row of _undercroft_once, stored by the transaction of
 * the write itself: either both are there after a crash, or neither. The hash
 * tells the repetition from another write under a key that was used by
 * mistake; it is taken over values, not over their encoding, so that two
 * clients that pack differently agree.
 *
 * Rows end after once_ttl_ms. Since their ids grow with time, a sweep looks at
 * the SWEEP_ROWS oldest only: each insertion of SWEEP_EVERY pays for that.
 */
enum { SWEEP_EVERY = 64, SWEEP_ROWS = 128, ANSWER_MAX = 1 << 20 };

enum { TABLE, FIND, KEEP, SWEEP };

static const char *const texts[SQ_ONCE_STMTS] = {
    [TABLE] = "create table if not exists main._undercroft_once("
              "id integer primary key, key blob not null unique, "
              "request blob not null, answer blob not null, "
              "expires integer not null)",
    [FIND] = "select request, answer from main._undercroft_once "
             "where key = ?1 and expires > ?2",
    [KEEP] = "insert or replace into main._undercroft_once"
             "(key, request, answer, expires) values (?1, ?2, ?3, ?4)",
    [SWEEP] = "delete from main._undercroft_once where id in "
              "(select id from main._undercroft_once order by id limit ?1) "
              "and expires <= ?2",
};

/* ---- the hash ---- */

/* FNV-1a with 128 bits (www.isthe.com/chongo/tech/comp/fnv): the prime is
 * 2^88 + 0x13b. It is no defence against somebody who looks for collisions in
 * his own keys, and need not be one. */
#define FNV_BASIS \
    ((unsigned __int128)0x6c62272e07bb0142u << 64 | 0x62b821756295c58du)
#define FNV_PRIME ((unsigned __int128)1 << 88 | 0x13b)

static void hash_bytes(sq_once *o, const void *p, size_t n)
{
    const uint8_t *b = p;
    unsigned __int128 h = o->hash;

    for (size_t i = 0; i < n; i++)
        h = (h ^ b[i]) * FNV_PRIME;
    o->hash = h;
}

static void hash_u64(sq_once *o, uint8_t tag, uint64_t v)
{
    hash_bytes(o, &tag, 1);
    hash_bytes(o, &v, sizeof v);
}

static void hash_text(sq_once *o, const void *p, size_t n)
{
    hash_u64(o, UC_T_STR, n);
    hash_bytes(o, p, n);
}

/* One value with all that is in it. */
static bool hash_value(sq_once *o, uc_reader *r)
{
    uint64_t left = 1, bits;
    uc_value v;

    for (; left > 0; left--) {
        if (!uc_read(r, &v))
            return false;
        switch (v.type) {
        case UC_T_NIL:
            hash_u64(o, v.type, 0);
            break;
        case UC_T_BOOL:
            hash_u64(o, v.type, v.b);
            break;
        case UC_T_INT:
            hash_u64(o, v.type, (uint64_t)v.i);
            break;
        case UC_T_UINT:
            hash_u64(o, v.type, v.u);
            break;
        case UC_T_DOUBLE:
            memcpy(&bits, &v.d, sizeof bits);
            hash_u64(o, v.type, bits);
            break;
        case UC_T_STR:
        case UC_T_BIN:
            hash_u64(o, v.type, v.s.len);
            hash_bytes(o, v.s.p, v.s.len);
            break;
        case UC_T_ARRAY:
            hash_u64(o, v.type, v.n);
            left += v.n;
            break;
        case UC_T_MAP:
            hash_u64(o, v.type, v.n);
            left += (uint64_t)v.n * 2;
            break;
        }
    }
    return true;
}

/* No parameters at all are the same as an empty list of them. */
static bool hash_params(sq_once *o, uc_reader *r)
{
    uc_reader at = *r;
    uc_value v;

    if (!uc_read(&at, &v))
        return false;
    if (v.type != UC_T_NIL)
        return hash_value(o, r);
    hash_u64(o, UC_T_ARRAY, 0);
    *r = at;
    return true;
}

static bool hash_batch(sq_once *o, const uc_call *call, uc_reader *r)
{
    const uc_parts *parts = call->parts;
    uint32_t n, two;

    uc_read_array(r, &n);
    for (uint32_t i = 0; i < parts->n; i++) {
        hash_text(o, parts->sql[i]->text, parts->sql[i]->len);
        if (!uc_read_array(r, &two) || !uc_read_skip(r) || !hash_params(o, r))
            return false;
    }
    return true;
}

bool sq_once_rows(sq_once *o, uc_reader rows, uc_error *e)
{
    uint32_t n;

    if (!uc_read_array(&rows, &n))
        return uc_fail(e, UC_FRAME, "many takes an array of rows");
    /* Row by row: where a stream was cut into chunks is no part of it. */
    for (uint32_t i = 0; i < n; i++) {
        if (!hash_params(o, &rows))
            return uc_fail(e, UC_FRAME, "many: a row could not be read");
    }
    return true;
}

static void hash_begin(sq_once *o, const uc_call *call)
{
    const uc_stmt *s = call->stmt;

    o->hash = FNV_BASIS;
    hash_bytes(o, &call->op->num, 1);
    if (s != NULL)
        hash_text(o, s->text, s->len);
}

/* The whole of a request that is one frame. */
static bool hash_request(sq_once *o, uc_call *call, uc_error *e)
{
    uc_reader r = call->args;
    bool ok;

    hash_begin(o, call);
    switch (call->op->num) {
    case UC_OP_request:
        uc_request_hash(&call->routed->q, (uint8_t *)&o->hash);
        return true;
    case UC_OP_batch:
        return hash_batch(o, call, &r) ||
               uc_fail(e, UC_FRAME, "parameters could not be read");
    case UC_OP_many:
        ok = uc_read_skip(&r);       /* token */
        ok = ok && uc_read_skip(&r); /* more */
        if (ok)
            return sq_once_rows(o, r, e);
        return uc_fail(e, UC_FRAME, "many takes [sid, token, more, rows]");
    default: /* shape */
        return (uc_read_skip(&r) && hash_params(o, &r)) ||
               uc_fail(e, UC_FRAME, "parameters could not be read");
    }
}

/* ---- the table ---- */

/* NULL with *e. */
static sqlite3_stmt *statement(sq_conn *c, unsigned i, uc_error *e)
{
    int rc;

    if (c->once[i] != NULL)
        return c->once[i];
    rc = sqlite3_prepare_v3(c->h, texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                            &c->once[i], NULL);
    if (rc != SQLITE_OK)
        sq_fail(c, rc, e);
    return c->once[i];
}

static bool run(sq_conn *c, sqlite3_stmt *stmt, uc_error *e)
{
    int rc = sq_step_once(stmt);

    sqlite3_clear_bindings(stmt);
    return rc == SQLITE_OK || sq_fail(c, rc, e);
}

/* What is known of the key. The table may have been dropped, or its making
 * rolled back, since the last time: where it is there this does nothing. */
static bool look_up(sq_conn *c, sq_once *o, uc_error *e)
{
    sqlite3_stmt *stmt;
    int rc;

    o->known = false;
    stmt = statement(c, TABLE, e);
    if (stmt == NULL || !run(c, stmt, e))
        return false;
    stmt = statement(c, FIND, e);
    if (stmt == NULL)
        return false;
    sqlite3_bind_blob(stmt, 1, o->key, (int)o->len, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 2, uc_wall_ms());
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        const void *hash = sqlite3_column_blob(stmt, 0);
        const void *answer = sqlite3_column_blob(stmt, 1);
        size_t n = (size_t)sqlite3_column_bytes(stmt, 1);

        o->known = true;
        o->first = 0;
        if (hash != NULL && sqlite3_column_bytes(stmt, 0) == sizeof o->first)
            memcpy(&o->first, hash, sizeof o->first);
        uc_buf_rewind(&o->answer, 0);
        if (answer != NULL)
            uc_buf_put(&o->answer, answer, n);
        rc = SQLITE_DONE;
    }
    sqlite3_reset(stmt);
    sqlite3_clear_bindings(stmt);
    if (rc != SQLITE_DONE)
        return sq_fail(c, rc, e);
    return !o->answer.failed ||
           uc_fail(e, UC_MEMORY, "no memory for the answer of a once-key");
}

static bool sweep(sq_conn *c, uc_error *e)
{
    sqlite3_stmt *stmt;

    if (c->once_kept++ % SWEEP_EVERY != 0)
        return true;
    stmt = statement(c, SWEEP, e);
    if (stmt == NULL)
        return false;
    sqlite3_bind_int(stmt, 1, SWEEP_ROWS);
    sqlite3_bind_int64(stmt, 2, uc_wall_ms());
    return run(c, stmt, e);
}

/* The reply is stored as the frame it is; its id is written anew with each
 * repetition. */
static bool keep(sq_conn *c, const sq_once *o, const uc_buf *out, size_t at,
                 uc_error *e)
{
    int64_t rowid = sqlite3_last_insert_rowid(c->h);
    sqlite3_stmt *stmt;

    if (out->failed)
        return uc_fail(e, UC_MEMORY, "no memory for the reply");
    if (out->len - at > ANSWER_MAX)
        return uc_fail(e, UC_REPLY_TOO_LARGE,
                       "the answer of a write with a key is kept with it and "
                       "may have %d bytes: read the rows in another call",
                       ANSWER_MAX);
    if (!sweep(c, e))
        return false;
    stmt = statement(c, KEEP, e);
    if (stmt == NULL)
        return false;
    sqlite3_bind_blob(stmt, 1, o->key, (int)o->len, SQLITE_STATIC);
    sqlite3_bind_blob(stmt, 2, &o->hash, sizeof o->hash, SQLITE_STATIC);
    sqlite3_bind_blob64(stmt, 3, out->p + at, out->len - at, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 4, uc_wall_ms() + c->db->e.opt.once_ttl_ms);
    if (!run(c, stmt, e))
        return false;
    /* What last_insert_rowid() says next is the user's row. */
    sqlite3_set_last_insert_rowid(c->h, rowid);
    return true;
}

/* The answer of the first time, under the id of this one. */
static bool repeat(const sq_once *o, const uc_call *call, uc_buf *out,
                   uc_error *e)
{
    size_t at = out->len;

    if (o->hash != o->first) {
        uc_fail(e, UC_ONCE_CONFLICT,
                "the once-key %.*s belongs to another write: a key is for one "
                "write and its repetitions",
                (int)(o->len < 64 ? o->len : 64), o->key);
        e->outcome = "not-run";
        return false;
    }
    if (o->answer.len < 7)
        return uc_fail(e, UC_INTERNAL, "the row of a once-key is damaged");
    uc_buf_put(out, o->answer.p, o->answer.len);
    if (!out->failed)
        uc_emit_u32(out->p + at + 1, call->id);
    return true;
}

/* ---- calls ---- */

bool sq_once_begin(sq_conn *c, sq_once *o, uc_call *call, uc_error *e)
{
    o->len = (uint32_t)call->once.len;
    memcpy(o->key, call->once.p, o->len);
    o->open = true;
    hash_begin(o, call);
    if (o->answer.max == 0)
        uc_buf_init(&o->answer, SIZE_MAX);
    return look_up(c, o, e);
}

bool sq_once_end(sq_conn *c, sq_once *o, uc_call *call, uc_buf *out, size_t at,
                 uc_error *e)
{
    o->open = false;
    return o->known ? repeat(o, call, out, e) : keep(c, o, out, at, e);
}

bool sq_once_unit(sq_conn *c, uc_call *call, uc_buf *out, uc_error *e)
{
    size_t at = out->len;
    sq_once o = {.open = false};
    bool ok;

    e->code = NULL;
    if (!sq_once_begin(c, &o, call, e) || !hash_request(&o, call, e)) {
        ok = false;
    } else if (o.known) {
        ok = sq_once_end(c, &o, call, out, at, e);
    } else {
        /* A failure leaves nothing, not even the rows of OR FAIL: otherwise
         * the repetition would add to them. */
        ok = sq_bracket(c, e);
        if (ok)
            ok = sq_bracket_end(c,
                                sq_unit(c, call, out, e) &&
                                    sq_once_end(c, &o, call, out, at, e),
                                e);
    }
    sq_once_fini(&o);
    return ok;
}

void sq_once_fini(sq_once *o)
{
    uc_buf_fini(&o->answer);
}

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "data/pg/work.h"
#include "wire/json.h"
#include "wire/utf8.h"

/* A call as messages: Parse and Describe where they are needed, Bind, Execute.
 */

enum { TEXT = 0, BINARY = 1, NAME = 32 };

/* ---- parameters ---- */

static const char *label(const pg_sql *s, uint32_t i, char *out, size_t n)
{
    uc_view v = pg_sql_name(s, i);

    if (v.p != NULL)
        snprintf(out, n, "%.*s", (int)(v.len < n ? v.len : n - 1), v.p);
    else
        snprintf(out, n, "%u", i);
    return out;
}

static bool bad_param(uc_error *e, const pg_sql *s, uint32_t i,
                      const char *what)
{
    char name[sizeof e->param];

    label(s, i, name, sizeof name);
    uc_fail(e, UC_PARAM_TYPE, "parameter %s: %s", name, what);
    snprintf(e->param, sizeof e->param, "%s", name);
    return false;
}

static bool positional(const pg_sql *s, uint32_t n, uc_reader *r, uc_value *to,
                       uc_error *e)
{
    if (n != s->nparams)
        return uc_fail(
            e, UC_PARAM_COUNT, "the statement has %u parameter%s, %u %s given",
            s->nparams, s->nparams == 1 ? "" : "s", n, n == 1 ? "was" : "were");
    for (uint32_t i = 0; i < n; i++) {
        if (!uc_read(r, &to[i]))
            return uc_fail(e, UC_FRAME, "parameter %u could not be read",
                           i + 1);
        if (to[i].type == UC_T_ARRAY || to[i].type == UC_T_MAP)
            return bad_param(e, s, i + 1, "arrays and objects are not values");
    }
    return true;
}

static uint32_t number_named(const pg_sql *s, uc_view key)
{
    for (uint32_t i = 1; i <= s->nparams; i++) {
        uc_view v = pg_sql_name(s, i);

        if (v.p != NULL && uc_view_same(v, key))
            return i;
    }
    return 0;
}

/* "before NAME after" */
static bool wrong_name(uc_error *e, const char *before, uc_view key,
                       const char *after)
{
    int n = (int)(key.len < 60 ? key.len : 60);

    uc_fail(e, UC_PARAM_NAME, "%s %.*s%s", before, n, key.p, after);
    snprintf(e->param, sizeof e->param, "%.*s", n, key.p);
    return false;
}

/* UC_T_MAP marks what has not been given: no value is one. */
static bool named(const pg_sql *s, uint32_t n, uc_reader *r, uc_value *to,
                  uc_error *e)
{
    for (uint32_t i = 0; i < s->nparams; i++)
        to[i].type = UC_T_MAP;
    for (uint32_t k = 0; k < n; k++) {
        uint32_t i;
        uc_view key;
        uc_value v;

        if (!uc_read_str(r, &key) || !uc_read(r, &v))
            return uc_fail(e, UC_FRAME, "parameters could not be read");
        i = number_named(s, key);
        if (i == 0)
            return wrong_name(e, "the statement has no parameter named", key,
                              "");
        if (to[i - 1].type != UC_T_MAP)
            return wrong_name(e, "the parameter", key, " was given twice");
        if (v.type == UC_T_ARRAY || v.type == UC_T_MAP)
            return bad_param(e, s, i, "arrays and objects are not values");
        to[i - 1] = v;
    }
    for (uint32_t i = 1; i <= s->nparams; i++) {
        char name[sizeof e->param];

        if (to[i - 1].type == UC_T_MAP)
            return wrong_name(
                e, "parameter",
                (uc_view){(const uint8_t *)label(s, i, name, sizeof name),
                          strlen(name)},
                " was not given");
    }
    return true;
}

static bool read_params(const pg_sql *s, uc_reader *r, uc_value *to,
                        uc_error *e)
{
    uc_value v;

    if (!uc_read(r, &v))
        return uc_fail(e, UC_FRAME, "parameters could not be read");
    if (v.type == UC_T_MAP)
        return named(s, v.n, r, to, e);
    if (v.type == UC_T_NIL)
        return positional(s, 0, r, to, e);
    if (v.type != UC_T_ARRAY)
        return uc_fail(e, UC_FRAME, "parameters are an array or a map");
    return positional(s, v.n, r, to, e);
}

/* ---- values ---- */

static void put_double(uc_buf *b, double d)
{
    const char *word = isnan(d) ? "NaN"
                       : d == 0 ? "-0"
                       : d > 0  ? "Infinity"
                                : "-Infinity";

    if (isfinite(d) && (d != 0 || !signbit(d)))
        uc_json_double(b, d);
    else
        uc_buf_put(b, word, strlen(word));
}

static void put_uint(uc_buf *b, uint64_t u)
{
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%llu", (unsigned long long)u);

    uc_buf_put(b, digits, (size_t)n);
}

/* Types below are PostgreSQL's own: pg_type.dat. */
enum { FIRST_OF_USERS = 16384, OID_TEXT = 25, OID_VARCHAR = 1043 };

/* \\x and digits. */
static void put_hex(uc_buf *b, uc_view v)
{
    static const char digits[] = "0123456789abcdef";

    uc_buf_put(b, "\\x", 2);
    if (!uc_buf_reserve(b, 2 * v.len))
        return;
    for (size_t i = 0; i < v.len; i++) {
        b->p[b->len++] = (uint8_t)digits[v.p[i] >> 4];
        b->p[b->len++] = (uint8_t)digits[v.p[i] & 15];
    }
}

/* As they are where the server wants bytes. A text is their digits, as the
 * server casts them; a number that it would read in them nobody meant. A type
 * of a user, or one that is not known so far, takes their text form or does
 * not. */
static bool put_bytes(uc_buf *b, const pg_stmt *st, uint32_t i, uc_view v,
                      uc_error *e)
{
    uint32_t type = pg_stmt_param(st, i);

    if (type == PG_BYTEA)
        pg_put_view(b, v);
    else if (type == 0 || type >= FIRST_OF_USERS || type == OID_TEXT ||
             type == OID_VARCHAR)
        put_hex(b, v);
    else
        return bad_param(e, &st->sql, i,
                         "bytes are for a place of the type bytea, and this is "
                         "none");
    return true;
}

static bool put_value(uc_buf *b, const pg_stmt *st, uint32_t i,
                      const uc_value *v, uc_error *e)
{
    const pg_sql *s = &st->sql;
    size_t at = b->len;
    uint32_t n;

    pg_put32(b, v->type == UC_T_NIL ? UINT32_MAX : 0);
    switch (v->type) {
    case UC_T_NIL:
        return true;
    case UC_T_BOOL:
        uc_buf_put(b, v->b ? "true" : "false", v->b ? 4 : 5);
        break;
    case UC_T_INT:
        uc_json_int(b, v->i);
        break;
    case UC_T_UINT:
        put_uint(b, v->u);
        break;
    case UC_T_DOUBLE:
        put_double(b, v->d);
        break;
    case UC_T_STR:
        if (!uc_is_utf8(v->s.p, v->s.len))
            return bad_param(e, s, i,
                             "the text is not valid UTF-8; bytes go in a bin");
        if (memchr(v->s.p, 0, v->s.len) != NULL)
            return bad_param(e, s, i,
                             "text on PostgreSQL has no NUL: use a Buffer, in "
                             "a column of the type bytea");
        pg_put_view(b, v->s);
        break;
    case UC_T_BIN:
        if (!put_bytes(b, st, i, v->s, e))
            return false;
        break;
    default:
        return bad_param(e, s, i, "arrays and objects are not values");
    }
    if (b->failed)
        return true;
    n = __builtin_bswap32((uint32_t)(b->len - at - sizeof n));
    memcpy(b->p + at, &n, sizeof n);
    return true;
}

static void put_formats(uc_buf *b, const pg_stmt *st, const uc_value *v)
{
    uint32_t n = st->sql.nparams;

    pg_put16(b, (uint16_t)n);
    for (uint32_t i = 0; i < n; i++)
        pg_put16(b,
                 v[i].type == UC_T_BIN && pg_stmt_param(st, i + 1) == PG_BYTEA
                     ? BINARY
                     : TEXT);
}

/* What has been described comes in binary where that is cheaper to read. */
static void put_results(uc_buf *b, const pg_stmt *st, bool binary)
{
    if (!binary) {
        pg_put16(b, 0);
        return;
    }
    pg_put16(b, (uint16_t)st->ncols);
    for (uint32_t i = 0; i < st->ncols; i++)
        pg_put16(b, pg_is_binary(st->oids[i]) ? BINARY : TEXT);
}

/* ---- messages ---- */

static const char *name_of(uint32_t slot, char out[NAME])
{
    snprintf(out, NAME, "u%u", slot);
    return out;
}

/* One execution of a statement: what it takes from r. */
typedef struct run {
    pg_flight *f;
    const uc_stmt *text;
    pg_stmt *stmt;
    uint32_t most;      /* rows, 0: all */
    const char *portal; /* "": the unnamed one */
} run;

static bool put_bind(pg_conn *c, const run *x, const uc_value *v, bool binary,
                     uc_error *e)
{
    const pg_sql *s = &x->stmt->sql;
    uc_buf *b = &c->out;
    size_t at = pg_msg_begin(b, 'B');
    char name[NAME];

    pg_put_str(b, x->portal);
    pg_put_str(b, pg_is_unnamed(c) ? "" : name_of(x->text->slot, name));
    put_formats(b, x->stmt, v);
    pg_put16(b, (uint16_t)s->nparams);
    for (uint32_t i = 0; i < s->nparams; i++) {
        if (!put_value(b, x->stmt, i + 1, &v[i], e))
            return false;
    }
    put_results(b, x->stmt, binary);
    pg_msg_end(b, at);
    pg_msg_execute(b, x->portal, x->most);
    return true;
}

static bool push(pg_conn *c, pg_step_kind kind, const run *x, bool binary)
{
    return pg_step_push(c, (pg_step){.kind = kind,
                                     .binary = binary,
                                     .rev = binary ? x->stmt->rev : 0,
                                     .slot = x->text->slot,
                                     .stmt = x->stmt,
                                     .flight = x->f});
}

/* What it returns is asked for whenever it is parsed: the columns may be others
 * by now. */
static bool put_parse(pg_conn *c, const run *x, bool *sure)
{
    const pg_stmt *st = x->stmt;
    char name[NAME] = "";

    *sure = false;
    if (pg_is_unnamed(c)) {
        if (c->unnamed_gen == st->gen && c->unnamed_slot == x->text->slot)
            return true;
        c->unnamed_slot = x->text->slot;
        c->unnamed_gen = st->gen;
        pg_stmt_parse(st, &c->out, "");
    } else if (pg_prepared_is(c, x->text->slot, st, sure)) {
        return true;
    } else {
        name_of(x->text->slot, name);
        if (!pg_prepared_put(c, x->text->slot, st))
            return false;
    }
    if (!push(c, PG_STEP_PARSE, x, false))
        return false;
    pg_msg_describe(&c->out, 'S', name);
    return push(c, PG_STEP_DESCRIBE, x, false);
}

static bool no_memory(uc_error *e)
{
    return uc_fail(e, UC_MEMORY, "no memory for a call");
}

static bool put_run(pg_conn *c, const run *x, uc_reader *r, uc_error *e)
{
    const pg_sql *s = &x->stmt->sql;
    bool binary = x->stmt->described && x->stmt->ncols > 0, sure = false;
    uc_value *v = uc_malloc((s->nparams + 1) * sizeof *v);
    bool ok;

    if (v == NULL)
        return no_memory(e);
    ok = read_params(s, r, v, e);
    if (ok)
        pg_stmt_send(x->stmt, v);
    ok = ok && (put_parse(c, x, &sure) || no_memory(e));
    binary = binary && sure;
    ok = ok && put_bind(c, x, v, binary, e);
    ok = ok && (push(c, PG_STEP_EXECUTE, x, binary) || no_memory(e));
    c->alters = c->alters || s->alters;
    uc_free(v);
    x->f->left += ok;
    if (ok && x->f->cursor != NULL)
        x->f->cursor->binary = binary;
    return ok;
}

/* ---- calls ---- */

/* What may have no rows is not run to find out. */
static bool has_rows(const pg_flight *f, const pg_stmt *st, uc_error *e)
{
    if (f->mode == PG_MODE_RUN ||
        (st->described ? st->ncols > 0 : st->sql.returns))
        return true;
    return uc_fail(e, UC_SQL_NO_ROWS,
                   "the statement returns no rows, and this call is for "
                   "rows: use db.run(sql), or add RETURNING");
}

bool pg_may_have_rows(pg_conn *c, pg_flight *f, uc_error *e)
{
    const pg_stmt *st = pg_stmt_of(c->db, f->call->stmt, e);

    return st != NULL && has_rows(f, st, e);
}

static bool statement(pg_conn *c, pg_flight *f, uc_error *e)
{
    uc_reader r = f->call->args;
    run x = {f, f->call->stmt, pg_stmt_of(c->db, f->call->stmt, e),
             f->mode == PG_MODE_GET, ""};

    if (f->cursor != NULL) {
        x.most = f->cursor->rows;
        x.portal = f->cursor->portal;
    }
    if (x.stmt == NULL)
        return false;
    if (!uc_read_u32(&r, &f->known))
        return uc_fail(e, UC_FRAME, "%s: the second argument is a shape",
                       f->call->op->name);
    if (x.stmt->sql.local && c->tx == NULL)
        return uc_fail(e, UC_SQL_TRANSACTION,
                       "it is for a transaction, with which it ends: there "
                       "is none here");
    return has_rows(f, x.stmt, e) && put_run(c, &x, &r, e);
}

/* "row 17: " in front of the message. */
static bool at_index(uc_error *e, const char *what, uint32_t i)
{
    char text[sizeof e->message];

    snprintf(text, sizeof text, "%s %u: %.480s", what, i, e->message);
    memcpy(e->message, text, sizeof text);
    e->index = i;
    return false;
}

/* No rows: what is left is the end of their stream, if it is that. */
static bool no_rows(pg_conn *c, pg_flight *f, uc_error *e)
{
    const char *text = "";

    if (f->chunk == PG_CHUNK_LAST) {
        f->changes = c->tx->changes;
        c->tx->coming = false;
        f->commits = c->tx->ending = c->tx->stream;
        text = c->tx->stream ? "commit" : "release uc_rows";
    } else if (f->chunk == PG_CHUNK_FIRST) {
        c->tx->changes = 0;
    }
    if (c->batch > 0)
        pg_sync(c, c->flushes);
    return pg_query(c, f, text) || no_memory(e);
}

static bool many(pg_conn *c, pg_flight *f, uc_error *e)
{
    uc_reader r = f->call->args;
    run x = {f, f->call->stmt, pg_stmt_of(c->db, f->call->stmt, e), 0, ""};
    uc_value token;
    bool more;
    uint32_t n;

    if (x.stmt == NULL)
        return false;
    if (!uc_read(&r, &token) || !uc_read_bool(&r, &more) ||
        !uc_read_array(&r, &n))
        return uc_fail(e, UC_FRAME, "many takes [sid, token, more, rows]");
    f->chunk = token.type == UC_T_NIL ? more ? PG_CHUNK_FIRST : PG_WHOLE
               : more                 ? PG_CHUNK
                                      : PG_CHUNK_LAST;
    if (f->chunk != PG_WHOLE && c->tx == NULL)
        return uc_fail(e, UC_NOT_HERE,
                       "rows in several parts are for statements that write");
    if (n == 0 && f->once != NULL)
        return true; /* with its key there is something to do */
    if (n == 0)
        return no_rows(c, f, e);
    f->base = f->chunk > PG_CHUNK_FIRST ? c->tx->rows : 0;
    for (uint32_t i = 0; i < n; i++) {
        if (!put_run(c, &x, &r, e))
            return at_index(e, "row", f->base + i);
    }
    f->parts = n;
    if (f->chunk != PG_WHOLE)
        c->tx->rows = f->base + n;
    return true;
}

static bool batch(pg_conn *c, pg_flight *f, uc_error *e)
{
    const uc_parts *parts = f->call->parts;
    uc_reader r = f->call->args;
    uint32_t n, two;

    uc_read_array(&r, &n);
    if (parts->n == 0 && f->once != NULL)
        return true; /* as it is of many */
    if (parts->n == 0)
        return no_rows(c, f, e);
    for (uint32_t i = 0; i < parts->n; i++) {
        run x = {f, parts->sql[i], pg_stmt_of(c->db, parts->sql[i], e), 0, ""};

        uc_read_array(&r, &two);
        uc_read_skip(&r);
        if (x.stmt == NULL || !put_run(c, &x, &r, e))
            return at_index(e, "statement", i);
    }
    f->parts = parts->n;
    return true;
}

/* Reads that share a transaction change nothing, or an error would undo what
 * one of them has been told already. Behind a pooler each says so itself: a
 * setting of the session would be a stranger's next. */
static bool put_guard(pg_conn *c)
{
    if (c->role != PG_READER || !c->pooled || c->batch > 0)
        return true;
    pg_msg_parse(&c->out, "",
                 "select pg_catalog.set_config("
                 "'transaction_read_only', 'on', true)");
    if (!pg_step_push(c, (pg_step){.kind = PG_STEP_PARSE, .slot = PG_NO_SLOT}))
        return false;
    c->unnamed_gen = 0;
    pg_execute(c, "");
    return true;
}

bool pg_bind(pg_conn *c, pg_flight *f, uc_error *e)
{
    size_t at = c->out.len;
    uint32_t steps = c->nsteps;
    bool ok;

    f->left = 0;
    f->conn = c;
    f->stale = false;
    if (!put_guard(c))
        ok = no_memory(e);
    else
        ok = f->mode == PG_MODE_MANY    ? many(c, f, e)
             : f->mode == PG_MODE_BATCH ? batch(c, f, e)
                                        : statement(c, f, e);
    if (ok && c->out.failed)
        ok = no_memory(e);
    if (!ok) {
        uc_buf_rewind(&c->out, at);
        pg_step_drop(c, c->nsteps - steps);
        c->unnamed_gen = 0;
        f->conn = NULL;
        return false;
    }
    if (f->left > 0 || f->once != NULL) { /* no rows have a key, too */
        c->calls++;
        c->batch++;
        pg_conn_touch(c);
    }
    return true;
}

bool pg_bind_page(pg_conn *c, pg_flight *f, pg_lease *l)
{
    pg_stmt *st = c->db->stmts[l->text->slot];

    if (!pg_step_push(c, (pg_step){.kind = PG_STEP_EXECUTE,
                                   .binary = l->binary,
                                   .slot = l->text->slot,
                                   .stmt = st,
                                   .flight = f}))
        return false;
    pg_msg_execute(&c->out, l->portal, l->rows);
    f->left = 1;
    f->conn = c;
    c->calls++;
    c->batch++;
    pg_conn_touch(c);
    return true;
}

void pg_execute(pg_conn *c, const char *name)
{
    uc_buf *b = &c->out;
    size_t at = pg_msg_begin(b, 'B');

    pg_put_str(b, "");
    pg_put_str(b, name);
    pg_put16(b, 0);
    pg_put16(b, 0);
    pg_put16(b, 0);
    pg_msg_end(b, at);
    pg_msg_execute(b, "", 0);
    pg_step_push(c, (pg_step){.kind = PG_STEP_EXECUTE});
    pg_conn_touch(c);
}

void pg_open_group(pg_conn *c, bool flushes, bool shared)
{
    if (flushes && !c->flushes)
        pg_execute(c, "uc_flush");
    if (!shared)
        return;
    /* What is deferred to the commit is each statement's own, as it is where
     * each has a commit. */
    pg_msg_parse(&c->out, "", "set constraints all immediate");
    c->unnamed_gen = 0;
    pg_step_push(c, (pg_step){.kind = PG_STEP_PARSE, .slot = PG_NO_SLOT});
    pg_execute(c, "");
}

static void put_sync(pg_conn *c, pg_step step)
{
    step.kind = PG_STEP_SYNC;
    pg_msg_sync(&c->out);
    c->unnamed_gen = 0;
    c->batch = 0;
    pg_step_push(c, step);
    pg_conn_touch(c);
}

void pg_sync(pg_conn *c, bool durable)
{
    put_sync(c, (pg_step){.durable = durable});
}

void pg_sync_all(pg_conn *c)
{
    put_sync(c, (pg_step){.durable = true, .barrier = true});
}

bool pg_query(pg_conn *c, pg_flight *f, const char *text)
{
    if (!pg_step_push(c, (pg_step){.kind = PG_STEP_QUERY, .flight = f}))
        return false;
    pg_msg_query(&c->out, text); /* its own Sync, and no prepared statement */
    c->unnamed_gen = 0;
    if (f != NULL) {
        f->conn = c;
        c->calls++;
    }
    pg_conn_touch(c);
    return true;
}

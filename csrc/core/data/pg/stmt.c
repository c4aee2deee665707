#include <string.h>

#include "common/mem.h"
#include "data/pg/work.h"
#include "wire/json.h"
#include "wire/writer.h"

/* What is known of statements. */

enum { COLUMNS_MOST = 1664 }; /* MaxTupleAttributeNumber */

static bool no_memory(uc_error *e)
{
    return uc_fail(e, UC_MEMORY, "no memory for a statement");
}

static void clear(pg_stmt *st)
{
    pg_sql_fini(&st->sql);
    uc_free(st->oids);
    uc_free(st->params);
    uc_free(st->given);
    uc_buf_fini(&st->names);
    uc_buf_fini(&st->keys);
    uc_buf_fini(&st->described_as);
}

static bool reach(pg_db *db, uint32_t slot)
{
    uint32_t n = slot + 64;
    pg_stmt **p;

    if (slot < db->nstmts)
        return true;
    p = uc_realloc(db->stmts, n * sizeof *p);
    if (p == NULL)
        return false;
    memset(p + db->nstmts, 0, (n - db->nstmts) * sizeof *p);
    db->stmts = p;
    db->nstmts = n;
    return true;
}

static pg_stmt *at(pg_db *db, uint32_t slot)
{
    if (!reach(db, slot))
        return NULL;
    if (db->stmts[slot] == NULL)
        db->stmts[slot] = uc_calloc(1, sizeof(pg_stmt));
    return db->stmts[slot];
}

pg_stmt *pg_stmt_of(pg_db *db, uc_stmt *s, uc_error *e)
{
    uc_view text = {(const uint8_t *)s->text, s->len};
    pg_stmt *st = at(db, s->slot);

    if (st == NULL) {
        no_memory(e);
        return NULL;
    }
    if (st->gen == s->gen)
        return st;
    clear(st);
    memset(st, 0, sizeof *st);
    uc_buf_init(&st->names, SIZE_MAX);
    uc_buf_init(&st->keys, SIZE_MAX);
    uc_buf_init(&st->described_as, SIZE_MAX);
    st->rev = 1;
    if (!pg_sql_read(&st->sql, text, e))
        return NULL; /* gen is 0: it is read again */
    st->gen = s->gen;
    if (atomic_load(&s->cls) == UC_CLASS_UNKNOWN)
        atomic_store(&s->cls, st->sql.cls);
    return st;
}

static bool column(pg_stmt *st, pg_reader *r, uint32_t i)
{
    uc_view name = pg_get_str(r);
    size_t before = st->keys.len;
    uint32_t n;

    pg_get_bytes(r, 4 + 2); /* its table, its number there */
    st->oids[i] = pg_get32(r);
    pg_get_bytes(r, 2 + 4 + 2); /* size, modifier, format */
    uc_pack_strn(&st->names, name.p, name.len);
    pg_put32(&st->keys, 0);
    uc_json_key(&st->keys, i == 0, name);
    if (st->keys.failed)
        return false;
    n = (uint32_t)(st->keys.len - before - sizeof n);
    memcpy(st->keys.p + before, &n, sizeof n);
    return !r->failed;
}

void pg_stmt_forget(pg_stmt *st)
{
    uc_free(st->oids);
    st->oids = NULL;
    st->described = false;
    st->ncols = 0;
    st->shape = 0;
    st->rev++;
    uc_buf_rewind(&st->names, 0);
    uc_buf_rewind(&st->keys, 0);
}

bool pg_stmt_describe(pg_db *db, pg_stmt *st, uc_view body)
{
    pg_reader r = pg_reader_of(body);
    uint32_t n = body.len > 0 ? pg_get16(&r) : 0;

    if (st->described && st->described_as.len == body.len &&
        (body.len == 0 || memcmp(st->described_as.p, body.p, body.len) == 0))
        return true;
    if (st->described || st->rev == 0)
        pg_stmt_forget(st);
    uc_buf_rewind(&st->described_as, 0);
    uc_buf_put(&st->described_as, body.p, body.len);
    if (n > COLUMNS_MOST)
        return false;
    if (n > 0) {
        st->oids = uc_calloc(n, sizeof *st->oids);
        if (st->oids == NULL)
            return false;
        uc_pack_array(&st->names, n);
        for (uint32_t i = 0; i < n; i++) {
            if (!column(st, &r, i))
                return false;
        }
        st->shape = ++db->next_shape;
    }
    st->ncols = n;
    st->described =
        !st->names.failed && !st->keys.failed && !st->described_as.failed;
    return st->described;
}

void pg_stmt_params(pg_stmt *st, uc_view body)
{
    pg_reader r = pg_reader_of(body);
    uint32_t n = st->sql.nparams;

    if (n == 0 || pg_get16(&r) != n)
        return;
    if (st->params == NULL)
        st->params = uc_calloc(n, sizeof *st->params);
    for (uint32_t i = 0; st->params != NULL && i < n; i++)
        st->params[i] = pg_get32(&r);
}

void pg_stmt_send(pg_stmt *st, const uc_value *v)
{
    uint32_t n = st->sql.nparams;

    if (st->sent)
        return;
    st->sent = true;
    for (uint32_t i = 0; i < n; i++) {
        if (v[i].type != UC_T_BIN)
            continue;
        if (st->given == NULL)
            st->given = uc_calloc(n, sizeof *st->given);
        if (st->given != NULL)
            st->given[i] = PG_BYTEA;
    }
}

void pg_stmt_parse(const pg_stmt *st, uc_buf *b, const char *name)
{
    size_t at = pg_msg_begin(b, 'P');
    uint32_t n = st->given != NULL ? st->sql.nparams : 0;

    pg_put_str(b, name);
    pg_put_str(b, (const char *)st->sql.text.p);
    pg_put16(b, (uint16_t)n);
    for (uint32_t i = 0; i < n; i++)
        pg_put32(b, st->given[i]);
    pg_msg_end(b, at);
}

uint32_t pg_stmt_param(const pg_stmt *st, uint32_t i)
{
    const uint32_t *types = st->params != NULL ? st->params : st->given;

    return types != NULL ? types[i - 1] : 0;
}

void pg_stmts_free(pg_db *db)
{
    for (uint32_t i = 0; i < db->nstmts; i++) {
        if (db->stmts[i] == NULL)
            continue;
        clear(db->stmts[i]);
        uc_free(db->stmts[i]);
    }
    uc_free(db->stmts);
}

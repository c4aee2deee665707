#include "desk/lookup.h"

#include <string.h>

#include "common/mem.h"
#include "data/engine.h"
#include "wire/utf8.h"

/*
 * Which statements a call means: those that the session has given numbers to,
 * or a text.
 */

uc_stmt *uc__sid(const uc_peer *p, uint32_t sid, uc_error *e)
{
    if (sid >= p->nsids || p->sids[sid] == NULL) {
        uc_fail(e, UC_FRAME, "statement %u has not been defined", sid);
        return NULL;
    }
    return p->sids[sid];
}

/* A text from the wire as a statement. NULL with *e. */
static uc_stmt *intern(uc_engine *engine, uc_view sql, uc_error *e)
{
    uc_stmt *s = NULL;

    if (!uc_is_utf8(sql.p, sql.len)) {
        uc_fail(e, UC_FRAME, "the SQL is not valid UTF-8");
        return NULL;
    }
    s = uc__stmt_get(&engine->stmts, (const char *)sql.p, sql.len);
    if (s == NULL)
        uc_fail(e, UC_MEMORY, "no memory for a statement");
    return s;
}

uc_stmt *uc__statement(uc_peer *p, uc_reader *r, uc_error *e)
{
    uc_stmt *s = NULL;
    uc_value v;

    if (!uc_read(r, &v) || (v.type != UC_T_STR && v.type != UC_T_INT)) {
        uc_fail(e, UC_FRAME, "a statement is its number or its text");
    } else if (v.type == UC_T_STR) {
        s = intern(p->engine, v.s, e);
    } else {
        uc_lock(&p->engine->stmts.mu);
        s = uc__sid(
            p, v.i >= 0 && v.i <= UINT16_MAX ? (uint32_t)v.i : UINT32_MAX, e);
        if (s != NULL)
            uc__stmt_ref(s);
        uc_unlock(&p->engine->stmts.mu);
    }
    return s;
}

static bool bad_batch(uc_error *e)
{
    return uc_fail(e, UC_FRAME, "batch takes [[statement, params], ...]");
}

bool uc__parts_of(uc_peer *p, uc_call *c, uc_error *e)
{
    uc_reader r = c->args;
    uc_parts *parts;
    uint32_t n, two;

    if (!uc_read_array(&r, &n))
        return bad_batch(e);
    parts = uc_malloc(sizeof *parts + n * sizeof parts->sql[0]);
    if (parts == NULL)
        return uc_fail(e, UC_MEMORY, "no memory for a batch");
    parts->n = 0;
    c->parts = parts;
    for (uint32_t i = 0; i < n; i++) {
        if (!uc_read_array(&r, &two) || two != 2)
            return bad_batch(e);
        parts->sql[i] = uc__statement(p, &r, e);
        if (parts->sql[i] == NULL)
            return false;
        parts->n++;
        if (!uc_read_skip(&r))
            return bad_batch(e);
    }
    return true;
}

void uc__parts_free(uc_call *c)
{
    uc_parts *parts = c->parts;

    if (parts == NULL)
        return;
    for (uint32_t i = 0; i < parts->n; i++)
        uc__stmt_unref(parts->sql[i]);
    uc_free(parts);
    c->parts = NULL;
}

/* Under sql_mu. */
static bool room_for(uc_peer *p, uint32_t sid)
{
    uint32_t n = p->nsids > 0 ? p->nsids : 64;
    uc_stmt **sids;

    if (sid < p->nsids)
        return true;
    while (n <= sid)
        n *= 2;
    sids = uc_realloc(p->sids, n * sizeof *sids);
    if (sids == NULL)
        return false;
    memset(sids + p->nsids, 0, (n - p->nsids) * sizeof *sids);
    p->sids = sids;
    p->nsids = n;
    return true;
}

bool uc__define(uc_peer *p, uc_call *c, uc_error *e)
{
    uint32_t sid;
    uc_view sql = {0};
    uc_stmt *s = NULL;
    bool ok;

    if (!uc_read_u32(&c->args, &sid) || sid > UINT16_MAX ||
        (c->op->num == UC_OP_define && !uc_read_str(&c->args, &sql)))
        return uc_fail(e, UC_FRAME, "define takes a number and a text");
    if (c->op->num == UC_OP_define) {
        s = intern(p->engine, sql, e);
        if (s == NULL)
            return false;
    }
    /* The writer looks statements of a batch up meanwhile. */
    uc_lock(&p->engine->stmts.mu);
    ok = room_for(p, sid);
    if (ok) {
        uc__stmt_unref(p->sids[sid]);
        p->sids[sid] = s;
    }
    uc_unlock(&p->engine->stmts.mu);
    if (ok)
        return true;
    uc__stmt_unref(s);
    return uc_fail(e, UC_MEMORY, "no memory for a statement");
}

#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "data/sqlite/db.h"
#include "wire/utf8.h"
#include "wire/writer.h"

/*
 * Operations answered by the thread that routes them: definitions of
 * statements, and what the core says about itself.
 */

sq_sql *sq_sid(sq_peer *p, uint32_t sid, uc_error *e)
{
    if (sid >= p->nsids || p->sids[sid] == NULL) {
        uc_fail(e, UC_FRAME, "statement %u has not been defined", sid);
        return NULL;
    }
    return p->sids[sid];
}

/* A text from the wire as a statement. NULL with *e. */
static sq_sql *intern(sq_db *db, uc_view sql, uc_error *e)
{
    sq_sql *s = NULL;

    if (!uc_is_utf8(sql.p, sql.len)) {
        uc_fail(e, UC_FRAME, "the SQL is not valid UTF-8");
        return NULL;
    }
    s = sq_sql_get(db, (const char *)sql.p, sql.len);
    if (s == NULL)
        uc_fail(e, UC_MEMORY, "no memory for a statement");
    return s;
}

sq_sql *sq_statement(sq_db *db, sq_peer *p, uc_reader *r, uc_error *e)
{
    sq_sql *s = NULL;
    uc_value v;

    if (!uc_read(r, &v) || (v.type != UC_T_STR && v.type != UC_T_INT)) {
        uc_fail(e, UC_FRAME, "a statement is its number or its text");
    } else if (v.type == UC_T_STR) {
        s = intern(db, v.s, e);
    } else {
        uc_lock(&db->sql_mu);
        s = sq_sid(
            p, v.i >= 0 && v.i <= UINT16_MAX ? (uint32_t)v.i : UINT32_MAX, e);
        if (s != NULL)
            sq_sql_ref(s);
        uc_unlock(&db->sql_mu);
    }
    return s;
}

static bool bad_batch(uc_error *e)
{
    return uc_fail(e, UC_FRAME, "batch takes [[statement, params], ...]");
}

bool sq_parts_of(sq_db *db, sq_peer *p, uc_call *c, uc_error *e)
{
    uc_reader r = c->args;
    sq_parts *parts;
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
        parts->sql[i] = sq_statement(db, p, &r, e);
        if (parts->sql[i] == NULL)
            return false;
        parts->n++;
        if (!uc_read_skip(&r))
            return bad_batch(e);
    }
    return true;
}

void sq_parts_free(sq_db *db, uc_call *c)
{
    sq_parts *parts = c->parts;

    if (parts == NULL)
        return;
    for (uint32_t i = 0; i < parts->n; i++)
        sq_sql_unref(db, parts->sql[i]);
    uc_free(parts);
    c->parts = NULL;
}

/* Under sql_mu. */
static bool room_for(sq_peer *p, uint32_t sid)
{
    uint32_t n = p->nsids > 0 ? p->nsids : 64;
    sq_sql **sids;

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

static bool define(sq_db *db, sq_peer *p, uc_call *c, uc_error *e)
{
    uint32_t sid;
    uc_view sql = {0};
    sq_sql *s = NULL;
    bool ok;

    if (!uc_read_u32(&c->args, &sid) || sid > UINT16_MAX ||
        (c->op->num == UC_OP_define && !uc_read_str(&c->args, &sql)))
        return uc_fail(e, UC_FRAME, "define takes a number and a text");
    if (c->op->num == UC_OP_define) {
        s = intern(db, sql, e);
        if (s == NULL)
            return false;
    }
    /* The writer looks statements of a batch up meanwhile. */
    uc_lock(&db->sql_mu);
    ok = room_for(p, sid);
    if (ok) {
        sq_sql_unref(db, p->sids[sid]);
        p->sids[sid] = s;
    }
    uc_unlock(&db->sql_mu);
    if (ok)
        return true;
    sq_sql_unref(db, s);
    return uc_fail(e, UC_MEMORY, "no memory for a statement");
}

static void flags(uc_buf *out, unsigned set)
{
    const char *name;

    uc_pack_array(out, (uint32_t)__builtin_popcount(set));
    for (uint32_t i = 0; (name = uc_op_flag_name(i)) != NULL; i++) {
        if ((set & 1U << i) != 0)
            uc_pack_str(out, name);
    }
}

static void describe(uc_buf *out, uint32_t id)
{
    uint32_t n = 0;

    while (uc_op_at(n) != NULL)
        n++;
    uc_reply_begin(out, id, UC_REPLY_VALUE, 3);
    uc_pack_map(out, 4);
    uc_pack_str(out, "version");
    uc_pack_str(out, uc_version());
    uc_pack_str(out, "sqlite");
    uc_pack_str(out, sqlite3_libversion());
    uc_pack_str(out, "ops");
    uc_pack_array(out, n);
    for (uint32_t i = 0; i < n; i++) {
        const uc_op *op = uc_op_at(i);

        uc_pack_array(out, 4);
        uc_pack_uint(out, op->num);
        uc_pack_str(out, op->name);
        uc_pack_str(out, uc_lane_name(op->lane));
        flags(out, op->flags);
    }
    uc_pack_str(out, "codes");
    uc_pack_array(out, UC_CODE_COUNT);
    for (int i = 0; i < UC_CODE_COUNT; i++) {
        uc_pack_array(out, 3);
        uc_pack_str(out, uc_code_name((uc_code)i));
        uc_pack_str(out, uc_code_kind((uc_code)i));
        uc_pack_bool(out, uc_code_retryable((uc_code)i));
    }
}

/* {v: [lowest, highest]}: the versions that the other side speaks. */
static bool hello(uc_call *c, uc_buf *out, uc_error *e)
{
    uc_reader r = c->args;
    uint64_t lo = UC_PROTOCOL, hi = UC_PROTOCOL;
    char name[32];
    uint32_t two;
    uc_view key;
    uc_value v;

    if (!uc_read(&r, &v) || v.type != UC_T_MAP)
        return uc_fail(e, UC_FRAME, "hello takes a map");
    for (uint32_t i = v.n; i > 0; i--) {
        if (!uc_read_str(&r, &key))
            return uc_fail(e, UC_FRAME, "hello: the keys are strings");
        if (!uc_view_is(key, "v")) {
            if (!uc_read_skip(&r))
                return uc_fail(e, UC_FRAME, "hello could not be read");
        } else if (!uc_read_array(&r, &two) || two != 2 ||
                   !uc_read_u64(&r, &lo) || !uc_read_u64(&r, &hi)) {
            return uc_fail(e, UC_FRAME, "hello: v is [lowest, highest]");
        }
    }
    if (lo > UC_PROTOCOL || hi < UC_PROTOCOL)
        return uc_fail(e, UC_VERSION,
                       "this core speaks version %d of the protocol, the "
                       "client %llu to %llu: update the %s",
                       UC_PROTOCOL, (unsigned long long)lo,
                       (unsigned long long)hi,
                       lo > UC_PROTOCOL ? "core" : "client");
    uc_reply_begin(out, c->id, UC_REPLY_VALUE, 3);
    uc_pack_map(out, 3);
    uc_pack_str(out, "v");
    uc_pack_uint(out, UC_PROTOCOL);
    uc_pack_str(out, "server");
    snprintf(name, sizeof name, "undercroft/%s", uc_version());
    uc_pack_str(out, name);
    uc_pack_str(out, "sqlite");
    uc_pack_str(out, sqlite3_libversion());
    return true;
}

static void door(uc_buf *out, uint32_t id)
{
    uc_reply_begin(out, id, UC_REPLY_VALUE, 3);
    uc_pack_map(out, 1);
    uc_pack_str(out, "door");
    uc_pack_str(out, "addon");
}

void sq_inline(sq_db *db, sq_peer *p, uc_call *c, uc_buf *out, uc_error *e)
{
    e->code = NULL;
    switch (c->op->num) {
    case UC_OP_ping:
        uc_reply_begin(out, c->id, UC_REPLY_VALUE, 3);
        if (c->nargs == 0)
            uc_pack_nil(out);
        else
            uc_buf_put(out, c->args.p, (size_t)(c->args.end - c->args.p));
        break;
    case UC_OP_describe:
        describe(out, c->id);
        break;
    case UC_OP_hello:
        hello(c, out, e);
        break;
    case UC_OP_door:
        door(out, c->id);
        break;
    case UC_OP_stats:
        sq_stats(db, c->id, out);
        break;
    case UC_OP_cancel:
        sq_cancel(db, c, NULL, 0);
        break;
    case UC_OP_define:
    case UC_OP_undefine:
        define(db, p, c, e);
        break;
    default:
        uc_fail(e, UC_INTERNAL, "operation %s is not inline", c->op->name);
        break;
    }
}

#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "data/sqlite/db.h"
#include "data/sqlite/rows.h"
#include "wire/json.h"
#include "wire/utf8.h"
#include "wire/writer.h"

enum { SAMPLE = 16 };

static bool bad_param(uc_error *e, const char *name, const char *what)
{
    uc_fail(e, UC_PARAM_TYPE, "parameter %s: %s", name, what);
    snprintf(e->param, sizeof e->param, "%s", name);
    return false;
}

static const char *param_name(sqlite3_stmt *stmt, int i, char *out, size_t n)
{
    const char *name = sqlite3_bind_parameter_name(stmt, i);

    if (name != NULL)
        snprintf(out, n, "%s", name);
    else
        snprintf(out, n, "%d", i);
    return out;
}

static bool not_bound(int rc, sqlite3_stmt *stmt, int i, uc_error *e)
{
    char name[64];

    if (rc == SQLITE_TOOBIG)
        return bad_param(e, param_name(stmt, i, name, sizeof name),
                         "larger than SQLite's limit for a value");
    return uc_fail(e, UC_MEMORY, "no memory for parameter %d", i);
}

static inline bool bound(int rc, sqlite3_stmt *stmt, int i, uc_error *e)
{
    return rc == SQLITE_OK || not_bound(rc, stmt, i, e);
}

/* SQLite would store it as it is. The bytes stay where they are until the call
 * is over: SQLITE_STATIC. */
static bool bind_text(sqlite3_stmt *stmt, int i, uc_view s, uc_error *e)
{
    char name[64];

    if (!uc_is_utf8(s.p, s.len))
        return bad_param(e, param_name(stmt, i, name, sizeof name),
                         "the text is not valid UTF-8; bytes go in a bin");
    return bound(sqlite3_bind_text64(stmt, i,
                                     s.len > 0 ? (const char *)s.p : "", s.len,
                                     SQLITE_STATIC, SQLITE_UTF8),
                 stmt, i, e);
}

static int bind_blob(sqlite3_stmt *stmt, int i, uc_view s)
{
    return s.len > 0 ? sqlite3_bind_blob64(stmt, i, s.p, s.len, SQLITE_STATIC)
                     : sqlite3_bind_zeroblob(stmt, i, 0);
}

static bool bind_value(sqlite3_stmt *stmt, int i, const uc_value *v,
                       uc_error *e)
{
    char name[64];
    int rc = SQLITE_OK;

    switch (v->type) {
    case UC_T_NIL:
        rc = sqlite3_bind_null(stmt, i);
        break;
    case UC_T_BOOL:
        rc = sqlite3_bind_int(stmt, i, v->b);
        break;
    case UC_T_INT:
        rc = sqlite3_bind_int64(stmt, i, v->i);
        break;
    case UC_T_DOUBLE:
        if (v->d != v->d)
            return bad_param(e, param_name(stmt, i, name, sizeof name),
                             "NaN is not a value: SQLite would store NULL");
        rc = sqlite3_bind_double(stmt, i, v->d);
        break;
    case UC_T_STR:
        return bind_text(stmt, i, v->s, e);
    case UC_T_BIN:
        rc = bind_blob(stmt, i, v->s);
        break;
    case UC_T_UINT:
        return bad_param(e, param_name(stmt, i, name, sizeof name),
                         "an integer beyond 2^63-1 does not fit SQLite");
    case UC_T_ARRAY:
    case UC_T_MAP:
        return bad_param(e, param_name(stmt, i, name, sizeof name),
                         "arrays and objects are not values");
    }
    return bound(rc, stmt, i, e);
}

static bool wrong_count(uc_error *e, int want, uint32_t got)
{
    return uc_fail(e, UC_PARAM_COUNT,
                   "the statement has %d parameter%s, %u %s given", want,
                   want == 1 ? "" : "s", got, got == 1 ? "was" : "were");
}

static bool is_prefixed(uc_view key)
{
    return key.len > 1 &&
           (key.p[0] == ':' || key.p[0] == '@' || key.p[0] == '$');
}

/* Names come without their prefix; :a, @a and $a are the same to us. */
static bool bind_named(sqlite3_stmt *stmt, int nparams, uint32_t n,
                       uc_reader *r, uc_error *e)
{
    uint8_t seen[128] = {0};
    int done = 0;
    bool ok = true;

    for (uint32_t k = 0; k < n; k++) {
        uc_view key;
        uc_value v;
        bool used = false, twice = false;

        if (!uc_read_str(r, &key) || !uc_read(r, &v))
            return uc_fail(e, UC_FRAME, "parameters could not be read");
        for (int i = 1; ok && i <= nparams; i++) {
            const char *name = sqlite3_bind_parameter_name(stmt, i);

            if (name == NULL || name[0] == '?' || strlen(name + 1) != key.len ||
                memcmp(name + 1, key.p, key.len) != 0)
                continue;
            /* All that have this name were bound together, if at all. */
            twice =
                !used && i <= 1024 && (seen[(i - 1) / 8] & 1 << (i - 1) % 8);
            if (twice)
                break;
            used = true;
            ok = bind_value(stmt, i, &v, e);
            if (i <= 1024 && !(seen[(i - 1) / 8] & 1 << (i - 1) % 8)) {
                seen[(i - 1) / 8] |= (uint8_t)(1 << (i - 1) % 8);
                done++;
            } else if (i > 1024) {
                done++;
            }
        }
        if (ok && !used) {
            ok = uc_fail(e, UC_PARAM_NAME,
                         twice ? "the parameter %.*s was given twice"
                         : is_prefixed(key)
                             ? "the statement has no parameter named %.*s: "
                               "names are given without the :, @ or $"
                             : "the statement has no parameter named %.*s",
                         (int)(key.len < 60 ? key.len : 60), key.p);
            snprintf(e->param, sizeof e->param, "%.*s",
                     (int)(key.len < 60 ? key.len : 60), key.p);
        }
        if (v.type == UC_T_ARRAY || v.type == UC_T_MAP)
            return ok ? uc_fail(e, UC_FRAME, "parameters could not be read")
                      : false;
    }
    if (!ok)
        return false;
    for (int i = 1; done < nparams && i <= nparams; i++) {
        if (i <= 1024 && !(seen[(i - 1) / 8] & 1 << (i - 1) % 8)) {
            char name[64];

            param_name(stmt, i, name, sizeof name);
            uc_fail(e, UC_PARAM_NAME, "parameter %s was not given", name);
            snprintf(e->param, sizeof e->param, "%s", name);
            return false;
        }
    }
    return true;
}

bool sq_bind(sqlite3_stmt *stmt, int nparams, uc_reader *r, uc_error *e)
{
    uc_value v;

    if (!uc_read(r, &v))
        return uc_fail(e, UC_FRAME, "parameters could not be read");
    if (v.type == UC_T_MAP)
        return bind_named(stmt, nparams, v.n, r, e);
    if (v.type == UC_T_NIL) {
        v.type = UC_T_ARRAY;
        v.n = 0;
    }
    if (v.type != UC_T_ARRAY)
        return uc_fail(e, UC_FRAME, "parameters are an array or a map");
    if (v.n != (uint32_t)nparams)
        return wrong_count(e, nparams, v.n);
    for (int i = 1; i <= nparams; i++) {
        if (!uc_read(r, &v))
            return uc_fail(e, UC_FRAME, "parameter %d could not be read", i);
        if (!bind_value(stmt, i, &v, e))
            return false;
    }
    return true;
}

/* Of a request to a route; what is absent is null. */
static bool bind_arg(sqlite3_stmt *stmt, int i, const uc_arg *arg, uc_error *e)
{
    switch (arg->type) {
    case UC_ARG_INT:
        return bound(sqlite3_bind_int64(stmt, i, arg->i), stmt, i, e);
    case UC_ARG_REAL:
        return bound(sqlite3_bind_double(stmt, i, arg->d), stmt, i, e);
    case UC_ARG_TEXT:
        return bind_text(stmt, i, arg->s, e);
    case UC_ARG_BLOB:
        return bound(bind_blob(stmt, i, arg->s), stmt, i, e);
    default:
        return bound(sqlite3_bind_null(stmt, i), stmt, i, e);
    }
}

static bool bind_args(const sq_slot *slot, const uc_request *q,
                      const uc_variant *v, uc_error *e)
{
    if (v->nparams != (uint32_t)slot->nparams)
        return wrong_count(e, slot->nparams, v->nparams);
    for (uint32_t i = 0; i < v->nparams; i++) {
        if (!bind_arg(slot->stmt, (int)i + 1, &q->args[v->params[i]], e))
            return false;
    }
    return true;
}

/* `select *` may have other columns since the schema changed: the first step
 * prepares the statement anew by itself. */
static bool refresh(sq_conn *c, sq_slot *slot, uc_error *e)
{
    int n = sqlite3_stmt_status(slot->stmt, SQLITE_STMTSTATUS_REPREPARE, 0);
    sq_shape *shape;

    if (n == slot->reprepared)
        return true;
    slot->reprepared = n;
    slot->ncols = sqlite3_column_count(slot->stmt);
    uc_free(slot->json_keys);
    slot->json_keys = NULL;
    shape = slot->ncols > 0 ? sq_shape_of(c->db, slot->stmt) : NULL;
    if (slot->ncols > 0 && shape == NULL)
        return uc_fail(e, UC_MEMORY, "no memory for the columns' names");
    sq_shape_unref(slot->shape);
    slot->shape = shape;
    return true;
}

void sq_reply_run(uc_buf *out, uint32_t id, const sq_run *run)
{
    uint8_t *p;

    uc_reply_begin(out, id, UC_REPLY_RUN, 4);
    if (!uc_buf_reserve(out, 18))
        return;
    p = uc_emit_int(out->p + out->len, run->changes);
    p = uc_emit_int(p, run->rowid);
    out->len = (size_t)(p - out->p);
}

int64_t sq_rowid_begin(sq_conn *c, unsigned traits)
{
    int64_t before = sqlite3_last_insert_rowid(c->h);

    if ((traits & (SQ_ASKS | SQ_ASKS_BELOW)) == 0)
        sqlite3_set_last_insert_rowid(c->h, 0);
    return before;
}

int64_t sq_rowid_end(sq_conn *c, unsigned traits, int64_t before, bool changed)
{
    int64_t now = sqlite3_last_insert_rowid(c->h);

    /* An UPDATE of a virtual table (FTS5, R*Tree) sets it as well. */
    if ((traits & SQ_INSERTS) == 0)
        now = 0;
    /* It had to be left as it was, and may be what was inserted all the same.
     */
    else if (traits & (SQ_ASKS | SQ_ASKS_BELOW))
        return now != before || changed ? now : 0;
    if (now == 0)
        sqlite3_set_last_insert_rowid(c->h, before);
    return now;
}

bool sq_own_begin(sq_conn *c)
{
    bool before = c->own;

    if (!before)
        sqlite3_set_last_insert_rowid(c->h, 0);
    c->own = true;
    return before;
}

bool sq_no_rows(uc_error *e)
{
    return uc_fail(e, UC_SQL_NO_ROWS,
                   "the statement returns no rows, and this call is for "
                   "rows: use db.run(sql), or add RETURNING");
}

static uint64_t most_rows(const sq_conn *c)
{
    if (c->part != NULL && c->part->most > 0)
        return c->part->most;
    return (uint64_t)c->db->e.opt.max_rows;
}

static bool too_large(const sq_conn *c, uint64_t rows, uc_error *e)
{
    const sq_db *db = c->db;

    if (c->part != NULL && c->part->most > 0 && rows > c->part->most)
        return uc_fail(e, UC_REPLY_TOO_LARGE,
                       "more than %llu rows of a statement whose text has no "
                       "limit",
                       (unsigned long long)c->part->most);
    if (rows > (uint64_t)db->e.opt.max_rows)
        return uc_fail(e, UC_REPLY_TOO_LARGE,
                       "more than %lld rows (option maxRows): use "
                       "db.iterate() or a LIMIT",
                       (long long)db->e.opt.max_rows);
    return uc_fail(e, UC_REPLY_TOO_LARGE,
                   "the reply is larger than %lld bytes (option "
                   "maxReplyBytes): use db.iterate() or a LIMIT",
                   (long long)db->e.opt.max_bytes);
}

/* What a reply of rows is being written with. */
typedef struct reply {
    sq_mode mode;
    uc_rows rows;
    size_t array_at;
} reply;

/* False: no memory for the names of the columns. */
static bool keys(sq_slot *slot)
{
    if (slot->json_keys == NULL && slot->ncols > 0)
        slot->json_keys = sq_json_keys(slot->stmt, slot->ncols);
    return slot->json_keys != NULL || slot->ncols == 0;
}

static void reply_begin(reply *r, sq_conn *c, sq_slot *slot, uint32_t id,
                        uint32_t known, uc_buf *out)
{
    if (r->mode >= SQ_MODE_JSON && r->mode <= SQ_MODE_CELL && !keys(slot)) {
        out->failed = true;
        return;
    }
    if (c->part != NULL)
        sq_part_begin(c->part, slot->stmt, slot->ncols);
    if (r->mode == SQ_MODE_JSON)
        r->array_at = uc_json_begin(out, id);
    else if (r->mode == SQ_MODE_ARRAY)
        uc_buf_byte(out, '[');
    else if (r->mode < SQ_MODE_JSON)
        sq_rows_begin(&r->rows, out, &c->text, id, slot->shape, known,
                      (size_t)c->db->e.opt.page_bytes, false);
}

static void json_row(const sq_conn *c, const sq_slot *slot, uc_buf *out)
{
    if (c->part != NULL && c->part->headers.n > 0)
        sq_json_part(out, slot->stmt, slot->ncols, slot->json_keys, c->part);
    else
        sq_json_row(out, slot->stmt, slot->ncols, slot->json_keys);
}

static void reply_row(reply *r, sq_conn *c, const sq_slot *slot, uint64_t nth,
                      uc_buf *out)
{
    sq_part *part = c->part;

    if (part != NULL)
        sq_part_row(part, slot->stmt, nth);
    switch (r->mode) {
    case SQ_MODE_JSON:
    case SQ_MODE_ARRAY:
        if (nth > 1)
            uc_buf_byte(out, ',');
        json_row(c, slot, out);
        break;
    case SQ_MODE_OBJECT:
        json_row(c, slot, out);
        break;
    case SQ_MODE_CELL:
        sq_cell_text(out, slot->stmt, 0);
        break;
    case SQ_MODE_KEEP:
    case SQ_MODE_KEEP_ONE:
        if (part != NULL) /* as it always is there */
            sq_html_row(out, slot->stmt, part->html);
        break;
    default:
        sq_rows_add(&r->rows, slot->stmt, slot->ncols, c->utf8);
        break;
    }
}

static void reply_end(reply *r, uc_buf *out)
{
    if (r->mode == SQ_MODE_JSON)
        uc_json_end(out, r->array_at);
    else if (r->mode == SQ_MODE_ARRAY)
        uc_buf_byte(out, ']');
    else if (r->mode < SQ_MODE_JSON)
        uc_rows_end(&r->rows, 0);
}

static bool is_of_one(sq_mode mode)
{
    return mode == SQ_MODE_GET || mode == SQ_MODE_OBJECT ||
           mode == SQ_MODE_CELL || mode == SQ_MODE_KEEP_ONE;
}

/* Steps through the rows. Returns SQLite's code; *big: a limit was hit. */
static int step_rows(sq_conn *c, sq_slot *slot, uint32_t id, uint32_t known,
                     sq_mode mode, uc_buf *out, uint64_t *rows, bool *big,
                     uc_error *e)
{
    sqlite3_stmt *stmt = slot->stmt;
    uint64_t max = most_rows(c);
    reply r; /* `rows` and `array_at` are begun where they are used */
    int rc = sqlite3_step(stmt);

    r.mode = mode;

    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return rc;
    if (!refresh(c, slot, e))
        return SQLITE_NOMEM;
    reply_begin(&r, c, slot, id, known, out);
    while (rc == SQLITE_ROW && !out->failed) {
        if (++*rows > max) {
            *big = true;
            return SQLITE_OK;
        }
        reply_row(&r, c, slot, *rows, out);
        if (is_of_one(mode)) {
            /* A write has to run to its end, a read need not. */
            if (slot->readonly) {
                rc = SQLITE_DONE;
                break;
            }
            while (rc == SQLITE_ROW)
                rc = sqlite3_step(stmt);
            break;
        }
        rc = sqlite3_step(stmt);
    }
    if (out->failed) {
        *big = true;
        return SQLITE_OK;
    }
    if (rc != SQLITE_DONE)
        return rc;
    reply_end(&r, out);
    if (out->failed)
        *big = true;
    return rc;
}

void sq_notes_on(sq_conn *c, const uc_stmt *s, const sq_slot *slot)
{
    /* A step may prepare the statement anew, when it fires another trigger.
     * VACUUM writes tables of a file of its own meanwhile. */
    if (atomic_load_explicit(&s->cls, memory_order_relaxed) != UC_CLASS_ALONE)
        c->notes = slot->notes;
}

void sq_notes_off(sq_conn *c, const sq_slot *slot, bool ok, int64_t before)
{
    c->notes = NULL;
    if (slot->notes != NULL &&
        (sqlite3_total_changes64(c->h) != before || (ok && slot->notes->all)))
        sq_touch(c->db, slot->notes);
}

static bool may_run(const sq_conn *c, const uc_stmt *s, const sq_slot *slot,
                    sq_mode mode, uc_error *e)
{
    if (slot->ncols == 0 && mode != SQ_MODE_RUN)
        return sq_no_rows(e);
    if (atomic_load_explicit(&s->traits, memory_order_relaxed) & SQ_ASKS &&
        !c->own)
        return sq_asks(e);
    return true;
}

/* Its parameters are bound. */
static bool run_slot(sq_conn *c, uc_stmt *s, sq_slot *slot, uint32_t id,
                     uint32_t shape, sq_mode mode, uc_buf *out, sq_run *done,
                     uc_error *e)
{
    size_t at = out->len, max = out->max;
    int64_t start = 0, before = 0, rowid = 0;
    unsigned traits = atomic_load_explicit(&s->traits, memory_order_relaxed);
    uint64_t rows = 0;
    bool big = false, ok = false, timed;
    int rc;

    /* A look at the clock is a tenth of a point read: where there are many,
     * time one in SAMPLE. */
    timed = (!c->sync && !c->sampled) || slot->tick++ % SAMPLE == 0;
    if (timed)
        start = uc_now();
    if (!slot->readonly) {
        before = sqlite3_total_changes64(c->h);
        rowid = sq_rowid_begin(c, traits);
        sq_notes_on(c, s, slot);
    }
    e->code = NULL;
    if (mode == SQ_MODE_RUN) {
        do
            rc = sqlite3_step(slot->stmt);
        while (rc == SQLITE_ROW);
        if (rc == SQLITE_DONE && !refresh(c, slot, e))
            rc = SQLITE_NOMEM;
    } else {
        /* The maximum is for one reply; out may hold several. */
        out->max = at + (size_t)c->db->e.opt.max_bytes;
        rc = step_rows(c, slot, id, shape, mode, out, &rows, &big, e);
        out->max = max;
        if (big && out->failed && !out->full) {
            /* not the limit but the allocator */
            big = false;
            rc = SQLITE_NOMEM;
        }
    }
    if (big)
        too_large(c, rows, e);
    else if (rc != SQLITE_DONE && e->code == NULL)
        sq_fail(c, rc, e);
    else if (rc == SQLITE_DONE)
        ok = true;
    rc = sqlite3_reset(slot->stmt);
    if (ok && rc != SQLITE_OK && !slot->readonly) {
        sq_fail(c, rc, e);
        ok = false;
    }
    if (!slot->readonly) {
        rowid = sq_rowid_end(c, traits, rowid,
                             ok && sqlite3_total_changes64(c->h) != before);
        sq_notes_off(c, slot, ok, before);
    }
    if (ok) {
        done->changes = 0;
        done->rows = rows;
        done->rowid = rowid;
        if (!slot->readonly && sqlite3_total_changes64(c->h) != before)
            done->changes = sqlite3_changes64(c->h);
        if (mode == SQ_MODE_RUN)
            sq_reply_run(out, id, done);
    } else {
        uc_buf_rewind(out, at);
    }
    if (ok && traits & SQ_MAKES_TEMP)
        sq_classes_reset(c->db);
    if (timed || !ok)
        sq_stat_add(slot, s, timed ? uc_now() - start : 0, rows, ok,
                    (c->sync || c->sampled) && timed && ok ? SAMPLE : 1);
    else
        sq_stat_count(slot, rows);
    return ok;
}

bool sq_execute(sq_conn *c, uc_stmt *s, uint32_t id, uint32_t shape,
                uc_reader *params, sq_mode mode, uc_buf *out, sq_run *done,
                uc_error *e)
{
    sq_slot *slot = sq_slot_get(c, s, e);

    return slot != NULL && may_run(c, s, slot, mode, e) &&
           sq_bind(slot->stmt, slot->nparams, params, e) &&
           run_slot(c, s, slot, id, shape, mode, out, done, e);
}

bool sq_execute_args(sq_conn *c, uc_stmt *s, sq_slot *slot, const uc_request *q,
                     const uc_variant *v, sq_mode mode, uc_buf *out,
                     sq_run *done, uc_error *e)
{
    return may_run(c, s, slot, mode, e) && bind_args(slot, q, v, e) &&
           run_slot(c, s, slot, 0, 0, mode, out, done, e);
}

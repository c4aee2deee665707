#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "data/sqlite/db.h"
#include "data/sqlite/pragma.h"
#include "wire/writer.h"

enum { MAX_SHAPES = 4096 };

/* ---- shapes ---- */

void sq_shapes_free(sq_db *db)
{
    for (uint32_t i = 0; i < db->sql.nshapes; i++)
        sq_shape_unref(db->sql.shapes[i]);
    uc_free(db->sql.shapes);
}

void sq_shape_unref(sq_shape *s)
{
    if (s != NULL && atomic_fetch_sub(&s->refs, 1) == 1)
        uc_free(s);
}

/*
 * The shape of a statement's columns. Equal lists of one db share an id while
 * they are among the last MAX_SHAPES; ids are never given twice, so a client
 * that remembers an old one is told the names again and nothing worse.
 */
sq_shape *sq_shape_of(sq_db *db, sqlite3_stmt *stmt)
{
    int n = sqlite3_column_count(stmt);
    uc_buf b;
    sq_shape *s = NULL;
    uint64_t hash;

    uc_buf_init(&b, SIZE_MAX);
    uc_pack_array(&b, (uint32_t)n);
    for (int i = 0; i < n; i++) {
        const char *name = sqlite3_column_name(stmt, i);

        if (name == NULL)
            b.failed = true;
        else
            uc_pack_str(&b, name);
    }
    if (b.failed) {
        uc_buf_fini(&b);
        return NULL;
    }
    hash = uc__stmt_hash(b.p, b.len);
    uc_lock(&db->e.stmts.mu);
    for (uint32_t i = 0; i < db->sql.nshapes; i++) {
        if (db->sql.shapes[i]->hash == hash &&
            db->sql.shapes[i]->len == b.len &&
            memcmp(db->sql.shapes[i]->names, b.p, b.len) == 0) {
            s = db->sql.shapes[i];
            break;
        }
    }
    if (s == NULL && db->sql.shapes == NULL)
        db->sql.shapes = uc_calloc(MAX_SHAPES, sizeof(sq_shape *));
    if (s == NULL && db->sql.shapes != NULL) {
        s = uc_malloc(sizeof *s + b.len);
        if (s != NULL) {
            atomic_init(&s->refs, 1);
            s->id = ++db->sql.next_shape;
            s->ncols = (uint32_t)n;
            s->hash = hash;
            s->len = b.len;
            memcpy(s->names, b.p, b.len);
            if (db->sql.nshapes < MAX_SHAPES) {
                db->sql.shapes[db->sql.nshapes++] = s;
            } else {
                uint32_t at = s->id % MAX_SHAPES;

                sq_shape_unref(db->sql.shapes[at]);
                db->sql.shapes[at] = s;
            }
        }
    }
    if (s != NULL)
        atomic_fetch_add(&s->refs, 1);
    uc_unlock(&db->e.stmts.mu);
    uc_buf_fini(&b);
    return s;
}

/* ---- text ---- */

const char *sq_skip_blank(const char *p, const char *end)
{
    while (p < end) {
        if (isspace((unsigned char)*p) || *p == ';') {
            p++;
        } else if (end - p >= 2 && p[0] == '-' && p[1] == '-') {
            while (p < end && *p != '\n')
                p++;
        } else if (end - p >= 2 && p[0] == '/' && p[1] == '*') {
            for (p += 2; p < end; p++) {
                if (end - p >= 2 && p[0] == '*' && p[1] == '/') {
                    p += 2;
                    break;
                }
            }
        } else if (end - p >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0) {
            p += 3;
        } else {
            break;
        }
    }
    return p;
}

const char *sq_keyword(const char *sql, const char *end, char *word, size_t n)
{
    const char *p = sq_skip_blank(sql, end);
    size_t i = 0;

    while (p < end && isalpha((unsigned char)*p)) {
        if (i + 1 < n)
            word[i++] = (char)toupper((unsigned char)*p);
        p++;
    }
    word[i] = '\0';
    return p;
}

bool sq_text_whole(const char *sql, size_t len, uc_error *e)
{
    const char *nul = memchr(sql, '\0', len);

    if (nul == NULL)
        return true;
    uc_fail(e, UC_PARAM_TYPE,
            "sql: there is a NUL character in the text, where SQLite would "
            "stop reading: give what holds it as a parameter");
    e->offset = (int)(nul - sql);
    return false;
}

/* ---- classes ---- */

bool sq_refuse_control(const char *word, uc_error *e)
{
    return uc_fail(e, UC_SQL_TRANSACTION,
                   "%s on its own is refused, because connections are "
                   "shared: use db.transaction(fn), db.batch([...]) or "
                   "one db.exec('begin; ...; commit')",
                   word);
}

bool sq_asks(uc_error *e)
{
    return uc_fail(e, UC_SQL_CONNECTION,
                   "last_insert_rowid(), changes() and total_changes() tell "
                   "of a connection, and connections are shared: take "
                   "lastInsertRowid and changes of what db.run() answers, use "
                   "RETURNING, or call them in one db.transaction(), "
                   "db.batch() or db.exec() with the write");
}

bool sq_class_of(sq_conn *w, const char *sql, size_t len, const char **tail,
                 sqlite3_stmt **stmt, uc_class *cls, unsigned *traits,
                 uc_error *e)
{
    sq_auth auth = {0};
    const char *end = sql + len;
    char word[16];
    int rc;

    *stmt = NULL;
    *tail = end;
    *traits = 0;
    sq_keyword(sql, end, word, sizeof word);
    if (strcmp(word, "ATTACH") == 0 || strcmp(word, "DETACH") == 0)
        return uc_fail(e, UC_SQL_CONNECTION,
                       "%s is connection state: give it to open() as "
                       "{ attach: { name: 'file.db' } }",
                       word);
    w->auth = &auth;
    rc = sqlite3_prepare_v3(w->h, sql, (int)len + 1, 0, stmt, tail);
    w->auth = NULL;
    if (rc != SQLITE_OK && auth.pragma) {
        if (!sq_pragma_class(w->db, &auth, cls, e))
            return false;
        w->asking = true;
        rc = sqlite3_prepare_v3(w->h, sql, (int)len + 1, 0, stmt, tail);
        w->asking = false;
    }
    if (rc != SQLITE_OK && auth.attach)
        return uc_fail(e, UC_SQL_CONNECTION,
                       "ATTACH and DETACH are connection state: give files "
                       "to open() as { attach: { name: 'file.db' } }");
    if (rc != SQLITE_OK)
        return sq_fail(w, rc, e);
    if (*stmt == NULL)
        return true; /* only blanks and comments */
    if (auth.pragma)
        return true;
    if (auth.optimizes)
        return uc_fail(e, UC_SQL_CONNECTION,
                       "pragma_optimize writes while it is read: run pragma "
                       "optimize");
    if (auth.control && sqlite3_stmt_isexplain(*stmt) == 0)
        *cls = UC_CLASS_CONTROL;
    else if (strcmp(word, "VACUUM") == 0)
        *cls = UC_CLASS_ALONE;
    else if (!sqlite3_stmt_readonly(*stmt))
        *cls = UC_CLASS_WRITE;
    else
        *cls = auth.temp || sq_auth_temp(w, &auth) ? UC_CLASS_READ_HERE
                                                   : UC_CLASS_READ;
    *traits = auth.traits;
    if (*cls == UC_CLASS_WRITE && auth.temp)
        *traits |= SQ_MAKES_TEMP;
    /* A trigger asks of what has just been done, a view of who knows whom. */
    if (*cls != UC_CLASS_WRITE && auth.traits & SQ_ASKS_BELOW)
        *traits |= SQ_ASKS;
    if (sqlite3_stmt_isexplain(*stmt) != 0 || sq_temp_allowed(w, &auth, e))
        return true;
    sqlite3_finalize(*stmt);
    *stmt = NULL;
    return false;
}

/* The class of the one statement of s, on any connection. */
static bool class_of_one(sq_conn *c, const uc_stmt *s, uc_class *cls,
                         unsigned *traits, uc_error *e)
{
    const char *tail;
    sqlite3_stmt *stmt;
    bool ok;

    *cls = UC_CLASS_UNKNOWN;
    if (!sq_text_whole(s->text, s->len, e))
        return false;
    ok = sq_class_of(c, s->text, s->len, &tail, &stmt, cls, traits, e);
    if (ok && *cls == UC_CLASS_CONTROL) {
        char word[16];

        sq_keyword(s->text, s->text + s->len, word, sizeof word);
        ok = sq_refuse_control(word, e);
    }
    if (ok && stmt == NULL)
        ok = uc_fail(e, UC_SQL_EMPTY, "there is no statement in the SQL text");
    if (ok && sq_skip_blank(tail, s->text + s->len) < s->text + s->len)
        ok = uc_fail(e, UC_SQL_MULTI,
                     "this call takes one statement and the text has several: "
                     "use db.exec(sql) for a script, db.batch([...]) for "
                     "statements with parameters");
    sqlite3_finalize(stmt);
    return ok;
}

bool sq_class_in_snapshot(sq_conn *c, const uc_stmt *s, uc_error *e)
{
    uc_class cls = (uc_class)atomic_load(&s->cls);
    unsigned traits = atomic_load(&s->traits);

    if (cls == UC_CLASS_UNKNOWN && !class_of_one(c, s, &cls, &traits, e))
        return false;
    if (traits & SQ_ASKS)
        return sq_asks(e);
    return cls == UC_CLASS_READ || cls == UC_CLASS_READ_HERE ||
           uc_fail(e, UC_SQL_READONLY,
                   "a snapshot only reads: write outside of it");
}

bool sq_classify(sq_conn *w, uc_stmt *s, uc_error *e)
{
    uc_class cls;
    unsigned traits;
    bool ok = class_of_one(w, s, &cls, &traits, e);

    if (ok && cls == UC_CLASS_READ && w->db->memory)
        cls = UC_CLASS_READ_HERE;
    if (ok) {
        atomic_store(&s->traits, traits);
        atomic_store(&s->cls, cls);
    }
    return ok;
}

void sq_classes_reset(sq_db *db)
{
    atomic_store(&db->sql.has_temp, true);
    uc__stmts_forget(&db->e.stmts);
}

/* ---- prepared statements ---- */

static void slot_clear(sq_slot *slot)
{
    sqlite3_finalize(slot->stmt);
    sq_shape_unref(slot->shape);
    uc_free(slot->json_keys);
    uc_free(slot->stat);
    sq_notes_free(slot->notes);
    memset(slot, 0, sizeof *slot);
}

void sq_slots_free(sq_conn *c)
{
    for (uint32_t i = 0; i < c->nslots; i++)
        slot_clear(&c->slots[i]);
    uc_free(c->slots);
    c->slots = NULL;
    c->nslots = 0;
}

bool sq_prepare_one(sq_conn *c, const char *sql, size_t len, unsigned flags,
                    sqlite3_stmt **out, uc_error *e)
{
    /* + 1: the text is NUL-terminated, and saying so saves SQLite a copy. */
    int rc = sqlite3_prepare_v3(c->h, sql, (int)len + 1, flags, out, NULL);

    if (rc != SQLITE_OK)
        return sq_fail(c, rc, e);
    return true;
}

static bool grow_slots(sq_conn *c, uint32_t need)
{
    uint32_t n = c->nslots > 0 ? c->nslots : 16;
    sq_slot *p;

    while (n < need)
        n *= 2;
    p = uc_calloc(n, sizeof *p);
    if (p == NULL)
        return false;
    uc_lock(&c->db->e.mu); /* stats walks the slots */
    if (c->nslots > 0)
        memcpy(p, c->slots, c->nslots * sizeof *p);
    uc_free(c->slots);
    c->slots = p;
    c->nslots = n;
    uc_unlock(&c->db->e.mu);
    return true;
}

sq_slot *sq_slot_get(sq_conn *c, uc_stmt *s, uc_error *e)
{
    sq_slot *slot;
    sq_slot fresh = {0};
    bool ok;

    if (s->slot < c->nslots) {
        slot = &c->slots[s->slot];
        if (slot->stmt != NULL && slot->gen == s->gen)
            return slot;
    } else if (!grow_slots(c, s->slot + 1)) {
        uc_fail(e, UC_MEMORY, "no memory for a prepared statement");
        return NULL;
    }
    if (c->role == SQ_WRITER) {
        c->notes = fresh.notes = sq_notes_new();
        if (fresh.notes == NULL) {
            uc_fail(e, UC_MEMORY, "no memory for a prepared statement");
            return NULL;
        }
    }
    ok = sq_prepare_one(c, s->text, s->len, SQLITE_PREPARE_PERSISTENT,
                        &fresh.stmt, e);
    c->notes = NULL;
    if (!ok) {
        sq_notes_free(fresh.notes);
        return NULL;
    }
    fresh.sql = s;
    fresh.gen = s->gen;
    fresh.nparams = sqlite3_bind_parameter_count(fresh.stmt);
    fresh.ncols = sqlite3_column_count(fresh.stmt);
    fresh.readonly = sqlite3_stmt_readonly(fresh.stmt) != 0;
    fresh.stat = uc_calloc(1, sizeof *fresh.stat);
    if (fresh.stat != NULL && fresh.ncols > 0)
        fresh.shape = sq_shape_of(c->db, fresh.stmt);
    if (fresh.stat == NULL || (fresh.ncols > 0 && fresh.shape == NULL)) {
        slot_clear(&fresh);
        uc_fail(e, UC_MEMORY, "no memory for a prepared statement");
        return NULL;
    }
    fresh.reprepared =
        sqlite3_stmt_status(fresh.stmt, SQLITE_STMTSTATUS_REPREPARE, 0);
    slot = &c->slots[s->slot];
    uc_lock(&c->db->e.mu);
    slot_clear(slot);
    *slot = fresh;
    uc_unlock(&c->db->e.mu);
    return slot;
}

static unsigned bucket(int64_t ns)
{
    uint64_t u = ns > 0 ? (uint64_t)ns >> 8 : 0;
    unsigned b;

    if (u == 0)
        return 0;
    /* Two buckets an octave: the bit below the highest tells which. */
    b = 63 - (unsigned)__builtin_clzll(u);
    b = 1 + 2 * b + (b > 0 ? (unsigned)(u >> (b - 1)) & 1 : 0);
    return b < UC_BUCKETS ? b : UC_BUCKETS - 1;
}

static inline void add(_Atomic uint64_t *p, uint64_t n)
{
    atomic_store_explicit(p, atomic_load_explicit(p, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

/* The middle of a bucket, in ns. */
double sq_bucket_ns(unsigned i)
{
    double low;

    if (i == 0)
        return 128;
    low = (double)(1ull << ((i - 1) / 2)) * 256;
    return (i - 1) % 2 == 0 ? low * 1.25 : low * 1.75;
}

void sq_stat_count(sq_slot *slot, uint64_t rows)
{
    add(&slot->stat->count, 1);
    add(&slot->stat->rows, rows);
}

void sq_stat_cursor(uc_stmt *s, int64_t ns, uint64_t rows, bool ok)
{
    atomic_fetch_add(&s->cursors.count, 1);
    atomic_fetch_add(&s->cursors.rows, rows);
    atomic_fetch_add(&s->cursors.ns, (uint64_t)ns);
    atomic_fetch_add(&s->cursors.errors, !ok);
    atomic_fetch_add(&s->cursors.hist[bucket(ns)], 1);
}

void sq_stat_add(sq_slot *slot, uc_stmt *sql, int64_t ns, uint64_t rows,
                 bool ok, uint32_t weight)
{
    uc_stat *st = slot->stat;
    _Atomic uint32_t *h = &st->hist[bucket(ns)];
    uint32_t mean = atomic_load_explicit(&sql->ns, memory_order_relaxed);
    uint32_t now = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)(ns | 1);

    add(&st->count, 1);
    add(&st->rows, rows);
    add(&st->ns, (uint64_t)ns * weight);
    if (!ok)
        add(&st->errors, 1);
    atomic_store_explicit(
        h, atomic_load_explicit(h, memory_order_relaxed) + weight,
        memory_order_relaxed);
    /* A running mean over about eight executions. */
    atomic_store_explicit(&sql->ns, mean == 0 ? now : mean - mean / 8 + now / 8,
                          memory_order_relaxed);
}

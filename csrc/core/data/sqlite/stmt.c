#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "data/sqlite/db.h"
#include "wire/writer.h"

enum {
    FIRST_BUCKETS = 256,
    MAX_SHAPES = 4096,
    TEXT_BYTES = 16 << 20 /* of texts, beyond which none is kept unused */
};

/* FNV-1a over eight bytes at a time; texts are trusted, speed counts. */
uint64_t sq_hash(const void *p, size_t n)
{
    const uint8_t *b = p;
    uint64_t h = 0xcbf29ce484222325u ^ n, w;

    for (; n >= 8; n -= 8, b += 8) {
        memcpy(&w, b, 8);
        h = (h ^ w) * 0x9e3779b97f4a7c15u;
        h ^= h >> 29;
    }
    for (; n > 0; n--, b++)
        h = (h ^ *b) * 0x100000001b3u;
    return h ^ h >> 32;
}

/* ---- interning ---- */

static bool rehash(sq_db *db, uint32_t n)
{
    sq_sql **fresh = uc_calloc(n, sizeof *fresh);

    if (fresh == NULL)
        return false;
    for (uint32_t i = 0; i < db->nbuckets; i++) {
        while (db->buckets[i] != NULL) {
            sq_sql *s = db->buckets[i];

            db->buckets[i] = s->hnext;
            s->hnext = fresh[s->hash & (n - 1)];
            fresh[s->hash & (n - 1)] = s;
        }
    }
    uc_free(db->buckets);
    db->buckets = fresh;
    db->nbuckets = n;
    return true;
}

static void unlink_age(sq_db *db, sq_sql *s)
{
    if (s->older != NULL)
        s->older->newer = s->newer;
    else
        db->oldest = s->newer;
    if (s->newer != NULL)
        s->newer->older = s->older;
    else
        db->newest = s->older;
}

static void link_age(sq_db *db, sq_sql *s)
{
    s->older = db->newest;
    s->newer = NULL;
    if (db->newest != NULL)
        db->newest->newer = s;
    else
        db->oldest = s;
    db->newest = s;
}

static void drop(sq_db *db, sq_sql *s)
{
    sq_sql **p = &db->buckets[s->hash & (db->nbuckets - 1)];

    while (*p != s)
        p = &(*p)->hnext;
    *p = s->hnext;
    unlink_age(db, s);
    db->nsql--;
    db->sql_bytes -= s->len;
    db->free_slots[db->nfree++] = s->slot;
    uc_free(s);
}

/* Unreferenced texts stay, for their prepared statements and statistics, until
 * there are more than stmt_cache of them, or they are large. */
static void evict(sq_db *db)
{
    sq_sql *s = db->oldest;

    while (s != NULL &&
           (db->nsql >= db->opt.stmt_cache || db->sql_bytes > TEXT_BYTES)) {
        sq_sql *newer = s->newer;

        if (atomic_load(&s->refs) == 0)
            drop(db, s);
        s = newer;
    }
}

static bool new_slot(sq_db *db, uint32_t *slot)
{
    if (db->nfree > 0) {
        *slot = db->free_slots[--db->nfree];
        return true;
    }
    if ((db->nslots & (db->nslots - 1)) == 0) {
        uint32_t *p = uc_realloc(
            db->free_slots, (db->nslots == 0 ? 1 : db->nslots * 2) * sizeof *p);

        if (p == NULL)
            return false;
        db->free_slots = p;
    }
    *slot = db->nslots++;
    return true;
}

sq_sql *sq_sql_get(sq_db *db, const char *text, size_t len)
{
    uint64_t hash = sq_hash(text, len);
    sq_sql *s;

    uc_lock(&db->sql_mu);
    if (db->nbuckets == 0 && !rehash(db, FIRST_BUCKETS)) {
        uc_unlock(&db->sql_mu);
        return NULL;
    }
    for (s = db->buckets[hash & (db->nbuckets - 1)]; s != NULL; s = s->hnext) {
        if (s->hash == hash && s->len == len && memcmp(s->text, text, len) == 0)
            break;
    }
    if (s == NULL) {
        evict(db);
        if (db->nsql >= db->nbuckets * 2)
            rehash(db, db->nbuckets * 2);
        s = uc_calloc(1, sizeof *s + len + 1);
        if (s == NULL || !new_slot(db, &s->slot)) {
            uc_free(s);
            uc_unlock(&db->sql_mu);
            return NULL;
        }
        s->hash = hash;
        s->gen = ++db->next_gen;
        atomic_init(&s->refs, 0);
        atomic_init(&s->cls, SQ_UNKNOWN);
        atomic_init(&s->ns, 0);
        atomic_init(&s->traits, 0);
        s->len = len;
        memcpy(s->text, text, len);
        s->text[len] = '\0';
        s->hnext = db->buckets[hash & (db->nbuckets - 1)];
        db->buckets[hash & (db->nbuckets - 1)] = s;
        link_age(db, s);
        db->nsql++;
        db->sql_bytes += len;
    } else {
        unlink_age(db, s);
        link_age(db, s);
    }
    atomic_fetch_add(&s->refs, 1);
    uc_unlock(&db->sql_mu);
    return s;
}

void sq_sql_ref(sq_sql *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
}

void sq_sql_unref(sq_db *db, sq_sql *s)
{
    (void)db;
    if (s != NULL)
        atomic_fetch_sub_explicit(&s->refs, 1, memory_order_release);
}

void sq_statements_free(sq_db *db)
{
    while (db->oldest != NULL) {
        sq_sql *s = db->oldest;

        db->oldest = s->newer;
        uc_free(s);
    }
    uc_free(db->buckets);
    uc_free(db->free_slots);
    for (uint32_t i = 0; i < db->nshapes; i++)
        sq_shape_unref(db->shapes[i]);
    uc_free(db->shapes);
}

/* ---- shapes ---- */

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
    hash = sq_hash(b.p, b.len);
    uc_lock(&db->sql_mu);
    for (uint32_t i = 0; i < db->nshapes; i++) {
        if (db->shapes[i]->hash == hash && db->shapes[i]->len == b.len &&
            memcmp(db->shapes[i]->names, b.p, b.len) == 0) {
            s = db->shapes[i];
            break;
        }
    }
    if (s == NULL && db->shapes == NULL)
        db->shapes = uc_calloc(MAX_SHAPES, sizeof(sq_shape *));
    if (s == NULL && db->shapes != NULL) {
        s = uc_malloc(sizeof *s + b.len);
        if (s != NULL) {
            atomic_init(&s->refs, 1);
            s->id = ++db->next_shape;
            s->ncols = (uint32_t)n;
            s->hash = hash;
            s->len = b.len;
            memcpy(s->names, b.p, b.len);
            if (db->nshapes < MAX_SHAPES) {
                db->shapes[db->nshapes++] = s;
            } else {
                uint32_t at = s->id % MAX_SHAPES;

                sq_shape_unref(db->shapes[at]);
                db->shapes[at] = s;
            }
        }
    }
    if (s != NULL)
        atomic_fetch_add(&s->refs, 1);
    uc_unlock(&db->sql_mu);
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

bool sq_class_of(sq_conn *w, const char *sql, size_t len, const char **tail,
                 sqlite3_stmt **stmt, sq_class *cls, unsigned *traits,
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
        *cls = SQ_CONTROL;
    else if (strcmp(word, "VACUUM") == 0)
        *cls = SQ_ALONE;
    else if (!sqlite3_stmt_readonly(*stmt))
        *cls = SQ_WRITE;
    else
        *cls = auth.temp || sq_auth_temp(w, &auth) ? SQ_WRITER_READ : SQ_READ;
    *traits = auth.traits;
    if (*cls == SQ_WRITE && auth.temp)
        *traits |= SQ_MAKES_TEMP;
    /* A trigger asks of what has just been done, a view of who knows whom. */
    if (*cls != SQ_WRITE && auth.traits & SQ_ASKS_BELOW)
        *traits |= SQ_ASKS;
    if (sqlite3_stmt_isexplain(*stmt) != 0 || sq_temp_allowed(w, &auth, e))
        return true;
    sqlite3_finalize(*stmt);
    *stmt = NULL;
    return false;
}

/* The class of the one statement of s, on any connection. */
static bool class_of_one(sq_conn *c, const sq_sql *s, sq_class *cls,
                         unsigned *traits, uc_error *e)
{
    const char *tail;
    sqlite3_stmt *stmt;
    bool ok;

    *cls = SQ_UNKNOWN;
    if (!sq_text_whole(s->text, s->len, e))
        return false;
    ok = sq_class_of(c, s->text, s->len, &tail, &stmt, cls, traits, e);
    if (ok && *cls == SQ_CONTROL) {
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

bool sq_class_in_snapshot(sq_conn *c, const sq_sql *s, uc_error *e)
{
    sq_class cls = (sq_class)atomic_load(&s->cls);
    unsigned traits = atomic_load(&s->traits);

    if (cls == SQ_UNKNOWN && !class_of_one(c, s, &cls, &traits, e))
        return false;
    if (traits & SQ_ASKS)
        return sq_asks(e);
    return cls == SQ_READ || cls == SQ_WRITER_READ ||
           uc_fail(e, UC_SQL_READONLY,
                   "a snapshot only reads: write outside of it");
}

bool sq_classify(sq_conn *w, sq_sql *s, uc_error *e)
{
    sq_class cls;
    unsigned traits;
    bool ok = class_of_one(w, s, &cls, &traits, e);

    if (ok && cls == SQ_READ && w->db->memory)
        cls = SQ_WRITER_READ;
    if (ok) {
        atomic_store(&s->traits, traits);
        atomic_store(&s->cls, cls);
    }
    return ok;
}

void sq_classes_reset(sq_db *db)
{
    uc_lock(&db->sql_mu);
    atomic_store(&db->has_temp, true);
    for (sq_sql *s = db->oldest; s != NULL; s = s->newer)
        atomic_store(&s->cls, SQ_UNKNOWN);
    uc_unlock(&db->sql_mu);
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
    uc_lock(&c->db->mu); /* stats walks the slots */
    if (c->nslots > 0)
        memcpy(p, c->slots, c->nslots * sizeof *p);
    uc_free(c->slots);
    c->slots = p;
    c->nslots = n;
    uc_unlock(&c->db->mu);
    return true;
}

sq_slot *sq_slot_get(sq_conn *c, sq_sql *s, uc_error *e)
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
    uc_lock(&c->db->mu);
    slot_clear(slot);
    *slot = fresh;
    uc_unlock(&c->db->mu);
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
    return b < SQ_BUCKETS ? b : SQ_BUCKETS - 1;
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

void sq_stat_cursor(sq_sql *s, int64_t ns, uint64_t rows, bool ok)
{
    atomic_fetch_add(&s->cursors.count, 1);
    atomic_fetch_add(&s->cursors.rows, rows);
    atomic_fetch_add(&s->cursors.ns, (uint64_t)ns);
    atomic_fetch_add(&s->cursors.errors, !ok);
    atomic_fetch_add(&s->cursors.hist[bucket(ns)], 1);
}

void sq_stat_add(sq_slot *slot, sq_sql *sql, int64_t ns, uint64_t rows, bool ok,
                 uint32_t weight)
{
    sq_stat *st = slot->stat;
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

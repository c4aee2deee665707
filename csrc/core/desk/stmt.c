#include "desk/stmt.h"

#include <string.h>

#include "common/mem.h"

enum {
    FIRST_BUCKETS = 256,
    TEXT_BYTES = 16 << 20 /* of texts, beyond which none is kept unused */
};

/* FNV-1a over eight bytes at a time; texts are trusted, speed counts. */
uint64_t uc__stmt_hash(const void *p, size_t n)
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

void uc__stmts_init(uc_stmts *t, int64_t most)
{
    uc_mutex_init(&t->mu);
    t->most = most;
}

static bool rehash(uc_stmts *t, uint32_t n)
{
    uc_stmt **fresh = uc_calloc(n, sizeof *fresh);

    if (fresh == NULL)
        return false;
    for (uint32_t i = 0; i < t->nbuckets; i++) {
        while (t->buckets[i] != NULL) {
            uc_stmt *s = t->buckets[i];

            t->buckets[i] = s->hnext;
            s->hnext = fresh[s->hash & (n - 1)];
            fresh[s->hash & (n - 1)] = s;
        }
    }
    uc_free(t->buckets);
    t->buckets = fresh;
    t->nbuckets = n;
    return true;
}

static void unlink_age(uc_stmts *t, uc_stmt *s)
{
    if (s->older != NULL)
        s->older->newer = s->newer;
    else
        t->oldest = s->newer;
    if (s->newer != NULL)
        s->newer->older = s->older;
    else
        t->newest = s->older;
}

static void link_age(uc_stmts *t, uc_stmt *s)
{
    s->older = t->newest;
    s->newer = NULL;
    if (t->newest != NULL)
        t->newest->newer = s;
    else
        t->oldest = s;
    t->newest = s;
}

static void drop(uc_stmts *t, uc_stmt *s)
{
    uc_stmt **p = &t->buckets[s->hash & (t->nbuckets - 1)];

    while (*p != s)
        p = &(*p)->hnext;
    *p = s->hnext;
    unlink_age(t, s);
    t->n--;
    t->bytes -= s->len;
    t->free_slots[t->nfree++] = s->slot;
    uc_free(s);
}

/* Unreferenced texts stay, for their prepared statements and statistics, until
 * there are more than stmt_cache of them, or they are large. */
static void evict(uc_stmts *t)
{
    uc_stmt *s = t->oldest;

    while (s != NULL && (t->n >= t->most || t->bytes > TEXT_BYTES)) {
        uc_stmt *newer = s->newer;

        if (atomic_load(&s->refs) == 0)
            drop(t, s);
        s = newer;
    }
}

static bool new_slot(uc_stmts *t, uint32_t *slot)
{
    if (t->nfree > 0) {
        *slot = t->free_slots[--t->nfree];
        return true;
    }
    if ((t->nslots & (t->nslots - 1)) == 0) {
        uint32_t *p = uc_realloc(
            t->free_slots, (t->nslots == 0 ? 1 : t->nslots * 2) * sizeof *p);

        if (p == NULL)
            return false;
        t->free_slots = p;
    }
    *slot = t->nslots++;
    return true;
}

uc_stmt *uc__stmt_get(uc_stmts *t, const char *text, size_t len)
{
    uint64_t hash = uc__stmt_hash(text, len);
    uc_stmt *s;

    uc_lock(&t->mu);
    if (t->nbuckets == 0 && !rehash(t, FIRST_BUCKETS)) {
        uc_unlock(&t->mu);
        return NULL;
    }
    for (s = t->buckets[hash & (t->nbuckets - 1)]; s != NULL; s = s->hnext) {
        if (s->hash == hash && s->len == len && memcmp(s->text, text, len) == 0)
            break;
    }
    if (s == NULL) {
        evict(t);
        if (t->n >= t->nbuckets * 2)
            rehash(t, t->nbuckets * 2);
        s = uc_calloc(1, sizeof *s + len + 1);
        if (s == NULL || !new_slot(t, &s->slot)) {
            uc_free(s);
            uc_unlock(&t->mu);
            return NULL;
        }
        s->hash = hash;
        s->gen = ++t->next_gen;
        atomic_init(&s->refs, 0);
        atomic_init(&s->cls, UC_CLASS_UNKNOWN);
        atomic_init(&s->ns, 0);
        atomic_init(&s->traits, 0);
        s->len = len;
        memcpy(s->text, text, len);
        s->text[len] = '\0';
        s->hnext = t->buckets[hash & (t->nbuckets - 1)];
        t->buckets[hash & (t->nbuckets - 1)] = s;
        link_age(t, s);
        t->n++;
        t->bytes += len;
    } else {
        unlink_age(t, s);
        link_age(t, s);
    }
    atomic_fetch_add(&s->refs, 1);
    uc_unlock(&t->mu);
    return s;
}

void uc__stmts_fini(uc_stmts *t)
{
    while (t->oldest != NULL) {
        uc_stmt *s = t->oldest;

        t->oldest = s->newer;
        uc_free(s);
    }
    uc_free(t->buckets);
    uc_free(t->free_slots);
    uc_mutex_fini(&t->mu);
}

void uc__stmts_forget(uc_stmts *t)
{
    uc_lock(&t->mu);
    for (uc_stmt *s = t->oldest; s != NULL; s = s->newer)
        atomic_store(&s->cls, UC_CLASS_UNKNOWN);
    uc_unlock(&t->mu);
}

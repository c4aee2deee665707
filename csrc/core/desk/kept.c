#include "desk/kept.h"

#include "common/fnv.h"
#include "common/mem.h"

struct uc_kept_entry {
    uc_kept_entry *next;          /* of its chain */
    uc_kept_entry *newer, *older; /* of all; see make_room */
    uint64_t hash;
    int64_t until;
    uint8_t tag[16];
    bool asked; /* for it, since it came or was spared */
    uint32_t key_len, len;
    uint8_t bytes[]; /* the key, then the answer */
};

enum {
    PART = 4,          /* one answer takes no more than this part of all */
    FIRST_CHAINS = 64, /* a power of two */
    CHAINS_EACH = 2    /* at most, for each answer: what they take counts */
};

uc_kept *uc_kept_new(size_t most)
{
    uc_kept *k = uc_calloc(1, sizeof *k);

    if (k == NULL)
        return NULL;
    k->nchains = FIRST_CHAINS;
    k->chains = uc_calloc(k->nchains, sizeof *k->chains);
    if (k->chains == NULL) {
        uc_free(k);
        return NULL;
    }
    uc_mutex_init(&k->mu);
    k->most = most;
    return k;
}

static uint64_t hash_of(uc_view key)
{
    uc_fnv h = uc_fnv_words(UC_FNV_START, key.p, key.len);

    /* By words its low bits know little of a word's high ones. */
    return uc_fold((uint64_t)(h >> 64) ^ UC_MIX_1, (uint64_t)h ^ UC_MIX_2);
}

static size_t size_for(size_t key_len, size_t len)
{
    return sizeof(uc_kept_entry) + CHAINS_EACH * sizeof(uc_kept_entry *) +
           key_len + len;
}

static size_t size_of(const uc_kept_entry *e)
{
    return size_for(e->key_len, e->len);
}

/* ---- under mu ---- */

static uc_kept_entry **chain_of(uc_kept *k, uint64_t hash)
{
    return &k->chains[hash & (k->nchains - 1)];
}

/* The link to it, or the end of its chain. */
static uc_kept_entry **find(uc_kept *k, uint64_t hash, uc_view key)
{
    uc_kept_entry **at = chain_of(k, hash);

    while (*at != NULL &&
           ((*at)->hash != hash ||
            !uc_view_same((uc_view){(*at)->bytes, (*at)->key_len}, key)))
        at = &(*at)->next;
    return at;
}

static void leave_order(uc_kept *k, uc_kept_entry *e)
{
    *(e->newer != NULL ? &e->newer->older : &k->newest) = e->older;
    *(e->older != NULL ? &e->older->newer : &k->oldest) = e->newer;
}

static void be_newest(uc_kept *k, uc_kept_entry *e)
{
    e->newer = NULL;
    e->older = k->newest;
    *(k->newest != NULL ? &k->newest->newer : &k->oldest) = e;
    k->newest = e;
}

/* at: the link to it. */
static void drop(uc_kept *k, uc_kept_entry **at)
{
    uc_kept_entry *e = *at;

    *at = e->next;
    leave_order(k, e);
    k->bytes -= size_of(e);
    k->n--;
    uc_free(e);
}

/* The oldest goes, unless it was asked for: then it counts as new once more. To
 * put it in front each time would take as much as all the rest of a look-up
 * (Corbato, "A Paging Experiment with the Multics System", 1968). */
static void make_room(uc_kept *k, size_t size)
{
    while (k->oldest != NULL && k->bytes + size > k->most) {
        uc_kept_entry *e = k->oldest;
        uc_kept_entry **at = find(k, e->hash, (uc_view){e->bytes, e->key_len});

        if (*at == NULL)
            return;
        if (e->asked) {
            e->asked = false;
            leave_order(k, e);
            be_newest(k, e);
        } else {
            drop(k, at);
        }
    }
}

/* Twice as many chains. Without memory they stay as they are, and longer. */
static void spread(uc_kept *k)
{
    uc_kept_entry **wider = uc_calloc(2 * (size_t)k->nchains, sizeof *wider);

    if (wider == NULL)
        return;
    uc_free(k->chains);
    k->chains = wider;
    k->nchains *= 2;
    for (uc_kept_entry *e = k->newest; e != NULL; e = e->older) {
        uc_kept_entry **at = chain_of(k, e->hash);

        e->next = *at;
        *at = e;
    }
}

static void add(uc_kept *k, uc_kept_entry *e)
{
    uc_kept_entry **at;

    if (k->n >= k->nchains)
        spread(k);
    at = chain_of(k, e->hash);
    e->next = *at;
    *at = e;
    be_newest(k, e);
    k->bytes += size_of(e);
    k->n++;
}

/* ---- anybody ---- */

bool uc_kept_get(uc_kept *k, uc_view key, const uint8_t tag[16], int64_t now,
                 uc_buf *out)
{
    uint64_t hash = hash_of(key);
    uc_kept_entry **at, *e;
    bool good = false;

    uc_lock(&k->mu);
    at = find(k, hash, key);
    e = *at;
    if (e != NULL) {
        good = e->until > now && memcmp(e->tag, tag, sizeof e->tag) == 0;
        if (good) {
            uc_buf_put(out, e->bytes + e->key_len, e->len);
            e->asked = true;
        } else {
            drop(k, at);
        }
    }
    uc_unlock(&k->mu);
    return good;
}

void uc_kept_put(uc_kept *k, uc_view key, const uint8_t tag[16], int64_t until,
                 uc_view answer)
{
    size_t size = size_for(key.len, answer.len);
    uc_kept_entry *e, **at;

    if (size > k->most / PART ||
        (e = uc_malloc(sizeof *e + key.len + answer.len)) == NULL)
        return;
    e->hash = hash_of(key);
    e->until = until;
    e->asked = false;
    memcpy(e->tag, tag, sizeof e->tag);
    e->key_len = (uint32_t)key.len;
    e->len = (uint32_t)answer.len;
    memcpy(e->bytes, key.p, key.len);
    if (answer.len > 0)
        memcpy(e->bytes + key.len, answer.p, answer.len);
    uc_lock(&k->mu);
    at = find(k, e->hash, key);
    if (*at != NULL)
        drop(k, at);
    make_room(k, size);
    add(k, e);
    uc_unlock(&k->mu);
}

void uc_kept_free(uc_kept *k)
{
    if (k == NULL)
        return;
    k->most = 0;
    make_room(k, 1);
    uc_mutex_fini(&k->mu);
    uc_free(k->chains);
    uc_free(k);
}

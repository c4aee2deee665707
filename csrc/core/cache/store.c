#define _GNU_SOURCE
#include "cache/store.h"

#include <sys/random.h>

#include "cache/inner.h"
#include "common/clock.h"
#include "common/mem.h"

enum {
    DRAIN_STEP = 8,      /* runs that a put takes out of a drained chunk */
    DOMAINS_KEPT = 1024, /* domains without entries, at most */
    SHADOW_PART = 64,    /* of the bytes, for the shadows */
};

static uint64_t random_seed(const uc_store *s)
{
    uint64_t seed;

    /* At worst a time and an address: they still differ. */
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed)
        seed = (uint64_t)uc_now() ^ (uint64_t)(uintptr_t)s;
    return seed;
}

static uint64_t clamp(uint64_t v, uint64_t least, uint64_t most)
{
    return v < least ? least : v > most ? most : v;
}

uc_store *uc_store_new(const uc_store_options *o)
{
    uint64_t bytes = clamp(o->bytes, UC_STORE_LEAST, UC_STORE_MOST);
    uc_store *s = uc_calloc(1, sizeof *s);

    if (s == NULL)
        return NULL;
    s->seed = o->seed != 0 ? o->seed : random_seed(s);
    s->max_value = clamp(o->max_value, 0, bytes / 4);
    if (s->max_value == 0)
        s->max_value = bytes / 4;
    s->max_value = clamp(s->max_value, 1, INT32_MAX);
    s->max_entries = o->max_entries;
    s->seq = 1;
    s->drain = -1;
    s->domains.keep = (uint32_t)clamp(bytes >> 14, 64, DOMAINS_KEPT);
    s->stats.limit = bytes;
    /* The segments' numbers and the shadows are not in the blocks' range. */
    if (!uc__blocks_init(&s->blocks, bytes - bytes / 1024 -
                                         bytes / SHADOW_PART - sizeof *s) ||
        !uc__index_init(&s->index, &s->blocks) ||
        !uc__policy_init(s, bytes / SHADOW_PART)) {
        uc_store_free(s);
        return NULL;
    }
    s->fixed = sizeof *s + s->blocks.nchunks * sizeof(uint32_t) +
               uc__shadow_bytes(&s->policy.shadow);
    return s;
}

void uc_store_free(uc_store *s)
{
    if (s == NULL)
        return;
    uc__policy_fini(s);
    uc__index_fini(&s->index);
    uc__blocks_fini(&s->blocks);
    uc_free(s);
}

/* --- losing entries ------------------------------------------------------- */

static uint64_t domain_at(const uc_store *s, uint32_t block, uint32_t i)
{
    uint32_t at = uc__at_domains(uc__head(&s->blocks, block)->flags);

    return (uint64_t)uc__entry_get(&s->blocks, block, at + i * 8);
}

void uc__store_lose(uc_store *s, uint32_t block, uc_reason reason)
{
    const uc_head *e = uc__head(&s->blocks, block);
    uint64_t *const by_reason[] = {
        [UC_GONE_SIZE] = &s->stats.evicted.size,
        [UC_GONE_TTL] = &s->stats.evicted.ttl,
        [UC_GONE_IDLE] = &s->stats.evicted.idle,
        [UC_GONE_DROPPED] = &s->stats.evicted.dropped,
        [UC_GONE_REPLACED] = &s->stats.evicted.replaced,
        [UC_GONE_REMOVED] = &s->stats.removed,
    };

    ++*by_reason[reason];
    s->entries--;
    s->stats.key_bytes -= e->klen;
    s->stats.value_bytes -= e->vlen;
    uc__index_drop(&s->index, &s->blocks, block);
    if (reason != UC_GONE_REPLACED) /* else the new one stands there now */
        uc__policy_leave(s, block);
    if (e->flags & UC_ENTRY_TIMED)
        uc__wheel_drop(&s->wheel, &s->blocks, block);
    for (uint32_t i = 0; i < e->ndomains; i++)
        uc__domain_unref(s, domain_at(s, block, i));
    uc__entry_free(&s->blocks, block);
}

bool uc__store_dead(const uc_store *s, const uc_head *e, uint32_t block)
{
    if (e->version > s->dropped)
        return false;
    if (e->version <= s->cleared ||
        (e->version <= s->tied && (e->flags & UC_ENTRY_TIED) != 0))
        return true;
    for (uint32_t i = 0; i < e->ndomains; i++) {
        if (e->version <= uc__domain_dropped(s, domain_at(s, block, i)))
            return true;
    }
    return false;
}

static bool evict(uc_store *s, uint32_t weight, bool by_bytes)
{
    int budget = 16;
    uint32_t block;

    /* What is dead goes first, if it can be found at once. */
    if (s->sweeping && uc__sweep(s, &budget))
        return true;
    block = uc__policy_victim(s, weight, by_bytes);
    if (block == 0)
        return false;
    uc__store_lose(s, block, UC_GONE_SIZE);
    return true;
}

bool uc__store_evict(uc_store *s, uint32_t weight)
{
    return evict(s, weight, true);
}

/* --- finding -------------------------------------------------------------- */

static uint32_t lookup(const uc_store *s, uc_view key, uint32_t hash)
{
    uint32_t block =
        *uc__bucket(uc__line_of(&s->index, &s->blocks, hash), hash);

    for (; block != 0; block = uc__head(&s->blocks, block)->hnext) {
        if (uc__head(&s->blocks, block)->hash == hash &&
            uc__key_is(&s->blocks, block, key))
            return block;
    }
    return 0;
}

/* What time has made of an entry; it is lost if that is nothing. */
static uc_found judge(uc_store *s, uint32_t block, int64_t now, uc_hit *hit)
{
    uc_head *e = uc__head(&s->blocks, block);
    int64_t until;

    if (uc__store_dead(s, e, block)) {
        uc__store_lose(s, block, UC_GONE_DROPPED);
        return UC_ABSENT;
    }
    *hit = (uc_hit){.len = e->vlen,
                    .ndomains = e->ndomains,
                    .version = e->version,
                    .ref = block};
    if ((e->flags & UC_ENTRY_TIMED) == 0)
        return UC_FRESH;
    hit->expires = uc__times(e)->expires;
    if (e->flags & UC_ENTRY_WINDOWS && hit->expires != 0) {
        uint32_t at = uc__at_windows(e->flags);
        int64_t stale = uc__entry_get(&s->blocks, block, at);
        int64_t error = uc__entry_get(&s->blocks, block, at + 8);

        hit->stale_until = stale > 0 ? uc__later(hit->expires, stale) : 0;
        hit->error_until = error > 0 ? uc__later(hit->expires, error) : 0;
    }
    if (e->flags & UC_ENTRY_IDLE) {
        uint32_t at = uc__at_idle(e->flags);
        int64_t idle = uc__entry_get(&s->blocks, block, at);

        hit->idle_ns = idle;
        if (now >= uc__later(uc__entry_get(&s->blocks, block, at + 8), idle)) {
            uc__store_lose(s, block, UC_GONE_IDLE);
            return UC_ABSENT;
        }
    }
    if (hit->expires == 0 || now < hit->expires)
        return UC_FRESH;
    until = hit->stale_until > hit->error_until ? hit->stale_until
                                                : hit->error_until;
    if (now < until)
        return UC_STALE;
    uc__store_lose(s, block, UC_GONE_TTL);
    return UC_ABSENT;
}

uc_found uc_store_find(uc_store *s, uc_view key, int64_t now, bool count,
                       uc_hit *hit)
{
    uint32_t hash = uc__hash(s->seed, key.p, key.len);
    uint32_t block = lookup(s, key, hash);
    uc_found found = block != 0 ? judge(s, block, now, hit) : UC_ABSENT;
    const uc_head *e;

    if (!count)
        return found;
    uc__policy_asked(s, hash);
    if (found == UC_ABSENT) {
        s->stats.misses++;
        return UC_ABSENT;
    }
    s->stats.hits++;
    s->stats.stale += found == UC_STALE;
    uc__policy_used(s, block);
    e = uc__head(&s->blocks, block);
    if (e->flags & UC_ENTRY_IDLE)
        uc__entry_set(&s->blocks, block, uc__at_idle(e->flags) + 8, now);
    return found;
}

static uc_cursor value_of(const uc_store *s, const uc_hit *hit)
{
    return uc__cursor(&s->blocks, hit->ref,
                      uc__at_value(uc__head(&s->blocks, hit->ref)));
}

void uc_store_copy(const uc_store *s, const uc_hit *hit, uint8_t *dst)
{
    uc_cursor c = value_of(s, hit);

    uc__cursor_read(&c, dst, hit->len);
}

void uc_store_value(const uc_store *s, const uc_hit *hit, uc_buf *out)
{
    if (hit->len > 0 && uc_buf_reserve(out, hit->len)) {
        uc_store_copy(s, hit, out->p + out->len);
        out->len += hit->len;
    }
}

bool uc_store_value_is(const uc_store *s, const uc_hit *hit, uc_view bytes)
{
    uc_cursor c = value_of(s, hit);

    return bytes.len == hit->len && uc__cursor_is(&c, bytes.p, bytes.len);
}

uint32_t uc_store_domains(const uc_store *s, const uc_hit *hit, uint64_t *out,
                          uint32_t max)
{
    for (uint32_t i = 0; i < hit->ndomains && i < max; i++)
        out[i] = domain_at(s, hit->ref, i);
    return hit->ndomains;
}

/* --- storing -------------------------------------------------------------- */

/* Blocks for a stream of so many bytes, as linked runs; 0: no memory. */
static uint32_t take_runs(uc_store *s, uint64_t bytes, uint64_t weight)
{
    uint32_t first = 0, *link = NULL;
    uint32_t most = UINT16_MAX;

    while (bytes > 0) {
        uint32_t own = first != 0 ? sizeof(uc_rest) : 0, got, block;
        uint64_t want = (bytes + own + UC_BLOCK - 1) / UC_BLOCK;

        block = uc__blocks_take(&s->blocks, want < most ? (uint32_t)want : most,
                                &got);
        if (block == 0) {
            if (uc__store_evict(s, weight < most ? (uint32_t)weight : most))
                continue;
            if (first != 0)
                uc__entry_free(&s->blocks, first);
            return 0;
        }
        if (first == 0) {
            *uc__head(&s->blocks, block) = (uc_head){.run = (uint16_t)got};
            link = &uc__head(&s->blocks, block)->more;
            first = block;
        } else {
            uc_rest *r = uc__block(&s->blocks, block);

            *r = (uc_rest){
                .run = (uint16_t)got, .klen = UC_IS_REST, .head = first};
            *link = block;
            link = &r->more;
        }
        got = got * UC_BLOCK - own;
        bytes -= got < bytes ? got : bytes;
    }
    return first;
}

/* A new entry with everything but its links, or 0. `like` has the lengths and
 * the flags. */
static uint32_t make_entry(uc_store *s, const uc_head *like)
{
    uint64_t bytes = (uint64_t)uc__at_value(like) + like->vlen;
    uint32_t block = take_runs(s, bytes, (bytes + UC_BLOCK - 1) / UC_BLOCK);
    uc_head *e;

    if (block == 0)
        return 0;
    e = uc__head(&s->blocks, block);
    e->klen = like->klen;
    e->hash = like->hash;
    e->vlen = like->vlen;
    e->ndomains = like->ndomains;
    e->flags = like->flags;
    e->version = like->version;
    return block;
}

/* Puts a finished entry where all others can find it, in the place of `old`. */
static void link_entry(uc_store *s, uint32_t block, uint32_t old, int64_t now)
{
    const uc_head *e = uc__head(&s->blocks, block);

    s->entries++;
    s->stats.key_bytes += e->klen;
    s->stats.value_bytes += e->vlen;
    uc__index_add(&s->index, &s->blocks, block);
    if (old != 0) {
        uc__policy_replace(s, old, block);
        uc__store_lose(s, old, UC_GONE_REPLACED);
    } else {
        uc__policy_enter(s, block);
    }
    if (e->flags & UC_ENTRY_TIMED)
        uc__wheel_add(&s->wheel, &s->blocks, block,
                      uc__entry_due(&s->blocks, block), now);
}

static bool outdated(const uc_store *s, const uc_put *p)
{
    if (p->born == 0)
        return false;
    if (p->born < s->cleared || (p->tied && p->born < s->tied))
        return true;
    for (uint32_t i = 0; i < p->ndomains; i++) {
        if (p->born < uc__domain_dropped(s, p->domains[i]))
            return true;
    }
    return false;
}

static uint8_t flags_of(const uc_put *p)
{
    unsigned flags = p->tied ? UC_ENTRY_TIED : 0;

    if (p->ttl_ns > 0 || p->idle_ns > 0)
        flags |= UC_ENTRY_TIMED;
    if (p->ttl_ns > 0 && (p->stale_ns > 0 || p->error_ns > 0))
        flags |= UC_ENTRY_WINDOWS;
    if (p->idle_ns > 0)
        flags |= UC_ENTRY_IDLE;
    return (uint8_t)flags;
}

static void write_parts(uc_store *s, uint32_t block, uc_view key, uc_view value,
                        const uc_put *p, int64_t now)
{
    uc_head *e = uc__head(&s->blocks, block);
    uc_cursor c;

    if (e->flags & UC_ENTRY_TIMED)
        uc__times(e)->expires = p->ttl_ns > 0 ? uc__later(now, p->ttl_ns) : 0;
    c = uc__cursor(&s->blocks, block, uc__at_windows(e->flags));
    if (e->flags & UC_ENTRY_WINDOWS) {
        uc__cursor_write(&c, &p->stale_ns, sizeof p->stale_ns);
        uc__cursor_write(&c, &p->error_ns, sizeof p->error_ns);
    }
    if (e->flags & UC_ENTRY_IDLE) {
        uc__cursor_write(&c, &p->idle_ns, sizeof p->idle_ns);
        uc__cursor_write(&c, &now, sizeof now);
    }
    uc__cursor_write(&c, p->domains, p->ndomains * sizeof *p->domains);
    uc__cursor_write(&c, key.p, key.len);
    uc__cursor_write(&c, value.p, value.len);
}

static bool ref_domains(uc_store *s, const uc_put *p)
{
    for (uint32_t i = 0; i < p->ndomains; i++) {
        if (uc__domain_ref(s, p->domains[i]))
            continue;
        while (i-- > 0)
            uc__domain_unref(s, p->domains[i]);
        return false;
    }
    return true;
}

/* A key that was stored without having been looked for has been seen once. */
static void count_new(uc_store *s, uint32_t hash)
{
    uc_line *line = uc__line_of(&s->index, &s->blocks, hash);

    if (uc__sketch_count(&line->counters, hash) == 0)
        uc__policy_asked(s, hash);
}

uc_stored uc_store_put(uc_store *s, uc_view key, uc_view value, const uc_put *p,
                       int64_t now, uint64_t *version)
{
    uc_head like = {0};
    uint32_t block, old;
    int budget = DRAIN_STEP;

    if (key.len == 0 || key.len > UC_KEY_MAX || value.len > s->max_value ||
        p->ndomains > UC_DOMAINS_MAX)
        return UC_NO_ROOM;
    if (outdated(s, p)) {
        s->stats.outdated++;
        return UC_OUTDATED;
    }
    uc__drain(s, &budget);
    like.klen = (uint16_t)key.len;
    like.hash = uc__hash(s->seed, key.p, key.len);
    like.vlen = (uint32_t)value.len;
    like.ndomains = (uint8_t)p->ndomains;
    like.flags = flags_of(p);
    if (!ref_domains(s, p))
        return UC_NO_ROOM;
    block = make_entry(s, &like);
    if (block == 0) {
        for (uint32_t i = 0; i < p->ndomains; i++)
            uc__domain_unref(s, p->domains[i]);
        return UC_NO_ROOM;
    }
    uc__head(&s->blocks, block)->version = ++s->seq;
    write_parts(s, block, key, value, p, now);
    old = lookup(s, key, like.hash); /* making room may have cost it */
    if (old == 0) {
        count_new(s, like.hash);
        while (s->max_entries > 0 && s->entries >= s->max_entries)
            evict(s, 1, false);
    }
    link_entry(s, block, old, now);
    uc__grow(s);
    s->stats.sets++;
    if (version != NULL)
        *version = s->seq;
    return UC_STORED;
}

bool uc_store_remove(uc_store *s, uc_view key, int64_t now)
{
    uc_hit hit;

    if (uc_store_find(s, key, now, false, &hit) == UC_ABSENT)
        return false;
    uc__store_lose(s, hit.ref, UC_GONE_REMOVED);
    return true;
}

/* An entry that had no times gets them: it is stored anew. */
static bool touch_anew(uc_store *s, uc_view key, const uc_hit *hit,
                       int64_t ttl_ns, int64_t now)
{
    const uc_head *e = uc__head(&s->blocks, hit->ref);
    uint64_t domains[UC_DOMAINS_MAX];
    uc_put p = {.ttl_ns = ttl_ns,
                .tied = (e->flags & UC_ENTRY_TIED) != 0,
                .domains = domains,
                .ndomains = hit->ndomains};
    uint8_t *value = uc_malloc(hit->len + 1u);
    uc_stored stored;

    if (value == NULL)
        return false;
    uc_store_domains(s, hit, domains, UC_DOMAINS_MAX);
    uc_store_copy(s, hit, value);
    stored = uc_store_put(s, key, (uc_view){value, hit->len}, &p, now, NULL);
    uc_free(value);
    return stored == UC_STORED;
}

bool uc_store_touch(uc_store *s, uc_view key, int64_t ttl_ns, int64_t now)
{
    uc_hit hit;
    uc_head *e;

    if (uc_store_find(s, key, now, false, &hit) != UC_FRESH)
        return false;
    e = uc__head(&s->blocks, hit.ref);
    if ((e->flags & UC_ENTRY_TIMED) == 0)
        return ttl_ns == 0 || touch_anew(s, key, &hit, ttl_ns, now);
    uc__wheel_drop(&s->wheel, &s->blocks, hit.ref);
    uc__times(e)->expires = ttl_ns > 0 ? uc__later(now, ttl_ns) : 0;
    if (e->flags & UC_ENTRY_IDLE)
        uc__entry_set(&s->blocks, hit.ref, uc__at_idle(e->flags) + 8, now);
    uc__wheel_add(&s->wheel, &s->blocks, hit.ref,
                  uc__entry_due(&s->blocks, hit.ref), now);
    return true;
}

#include "cache/domain.h"

#include "cache/inner.h"

_Static_assert(sizeof(uc_domain_node) <= UC_BLOCK, "a block each");
_Static_assert(offsetof(uc_domain_node, hnext) == offsetof(uc_head, hnext) &&
                   offsetof(uc_domain_node, klen) == offsetof(uc_head, klen) &&
                   offsetof(uc_domain_node, hash) == offsetof(uc_head, hash),
               "the index treats both alike");

/* FNV-1a (Fowler, Noll, Vo), and a multiplication for its weak high bits. */
uint64_t uc_domain(char kind, uc_view name)
{
    uint64_t h = (0xcbf29ce484222325u ^ (uint8_t)kind) * 0x100000001b3u;
    bool folds = kind == 't' || kind == 'r' || kind == 'R';

    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.p[i];

        if (folds && c >= 'A' && c <= 'Z')
            c |= 0x20;
        h = (h ^ c) * 0x100000001b3u;
    }
    h = uc_fold(h, UC_MIX_1) & (((uint64_t)1 << 52) - 1);
    return h != 0 ? h : 1;
}

static uc_domain_node *node(const uc_store *s, uint32_t block)
{
    return uc__block(&s->blocks, block);
}

static uint32_t hash_of(const uc_store *s, uint64_t id)
{
    return (uint32_t)uc_fold(id ^ s->seed, UC_MIX_2);
}

static uint32_t find(const uc_store *s, uint64_t id)
{
    uint32_t hash = hash_of(s, id);
    uint32_t block =
        *uc__bucket(uc__line_of(&s->index, &s->blocks, hash), hash);

    for (; block != 0; block = node(s, block)->hnext) {
        const uc_domain_node *d = node(s, block);

        if (d->klen == UC_IS_DOMAIN && d->id == id)
            return block;
    }
    return 0;
}

/* --- those without entries ------------------------------------------------ */

static void unused_add(uc_store *s, uint32_t block)
{
    uc_domains *ds = &s->domains;
    uc_domain_node *d = node(s, block);

    d->prev = ds->last;
    d->next = 0;
    if (ds->last != 0)
        node(s, ds->last)->next = block;
    else
        ds->first = block;
    ds->last = block;
    ds->unused++;
}

static void unused_drop(uc_store *s, uint32_t block)
{
    uc_domains *ds = &s->domains;
    const uc_domain_node *d = node(s, block);

    if (d->prev != 0)
        node(s, d->prev)->next = d->next;
    else
        ds->first = d->next;
    if (d->next != 0)
        node(s, d->next)->prev = d->prev;
    else
        ds->last = d->prev;
    ds->unused--;
}

static void forget(uc_store *s, uint32_t block)
{
    uint64_t dropped = node(s, block)->dropped;

    if (dropped > s->domains.floor)
        s->domains.floor = dropped;
    uc__index_drop(&s->index, &s->blocks, block);
    uc__blocks_give(&s->blocks, block, 1);
    s->domains.count--;
}

/* Its last entry has gone. It is of use only if it knows more than the floor.
 */
static void retire(uc_store *s, uint32_t block)
{
    if (node(s, block)->dropped <= s->domains.floor) {
        forget(s, block);
        return;
    }
    unused_add(s, block);
    while (s->domains.unused > s->domains.keep) {
        block = s->domains.first;
        unused_drop(s, block);
        forget(s, block);
    }
}

/* --- what the store calls ------------------------------------------------- */

/* A new one, which nothing refers to yet, in a block that was found for it. */
static void add(uc_store *s, uint32_t block, uint64_t id, uint64_t dropped)
{
    *node(s, block) = (uc_domain_node){.run = 1,
                                       .klen = UC_IS_DOMAIN,
                                       .hash = hash_of(s, id),
                                       .id = id,
                                       .dropped = dropped};
    uc__index_add(&s->index, &s->blocks, block);
    s->domains.count++;
}

uint64_t uc__domain_dropped(const uc_store *s, uint64_t id)
{
    uint32_t block = find(s, id);

    return block != 0 ? node(s, block)->dropped : s->domains.floor;
}

bool uc__domain_ref(uc_store *s, uint64_t id)
{
    uint32_t block = find(s, id);

    if (block == 0) {
        block = uc__store_block(s);
        if (block == 0)
            return false;
        add(s, block, id, s->domains.floor);
    } else if (node(s, block)->refs == 0) {
        unused_drop(s, block);
    }
    node(s, block)->refs++;
    return true;
}

void uc__domain_unref(uc_store *s, uint64_t id)
{
    uint32_t block = find(s, id);

    if (--node(s, block)->refs == 0)
        retire(s, block);
}

bool uc__domain_drop(uc_store *s, uint64_t id, uint64_t generation)
{
    uint32_t block = find(s, id), got;

    if (block == 0) {
        /* Nothing is evicted for what nobody may ever ask for. */
        block = uc__blocks_take(&s->blocks, 1, &got);
        if (block == 0) {
            s->domains.floor = generation;
            return false;
        }
        add(s, block, id, generation);
        retire(s, block);
        return false;
    }
    node(s, block)->dropped = generation;
    if (node(s, block)->refs > 0)
        return true;
    unused_drop(s, block);
    unused_add(s, block);
    return false;
}

bool uc__domain_move(uc_store *s, uint32_t block)
{
    uc_domain_node *d = node(s, block);
    uint64_t id = d->id;
    bool unused = d->refs == 0;
    uint32_t to;

    if (unused) {
        unused_drop(s, block);
        forget(s, block);
        return true;
    }
    d->refs++; /* finding a block may cost the entries that refer to it */
    to = uc__store_block(s);
    if (to != 0) {
        *node(s, to) = *d;
        uc__index_move(&s->index, &s->blocks, block, to);
        uc__blocks_give(&s->blocks, block, 1);
    }
    uc__domain_unref(s, id);
    return to != 0;
}

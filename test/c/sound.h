#ifndef UC_TEST_SOUND_H
#define UC_TEST_SOUND_H

#include "cache/inner.h"

/* Walks all that a store links, and counts anew all that it counts. */

static uc_store_stats stats(const uc_store *s)
{
    uc_store_stats st;

    uc_store_stats_get(s, &st);
    return st;
}

static uint64_t runs_of(const uc_store *s, uint32_t block, bool *good)
{
    const uc_head *e = uc__head(&s->blocks, block);
    uint64_t blocks = e->run, bytes = e->run * UC_BLOCK;

    for (uint32_t at = e->more; at != 0;) {
        const uc_rest *r = uc__block(&s->blocks, at);

        *good &= r->klen == UC_IS_REST && r->head == block;
        blocks += r->run;
        bytes += r->run * UC_BLOCK - sizeof *r;
        at = r->more;
    }
    *good &= bytes >= uc__at_value(e) + (uint64_t)e->vlen;
    return blocks;
}

static bool sound(const uc_store *s)
{
    uint64_t entries = 0, domains = 0, unused = 0, timed = 0, blocks = 0;
    uint64_t keys = 0, values = 0, weight[3] = {0}, mapped = 0, used = 0;
    bool good = true;

    for (uint32_t l = 0; l < s->index.lines; l++) {
        const uc_line *line = uc__line_at(&s->index, &s->blocks, l);

        for (uint32_t h = 0; h < UC_LINE_HEADS; h++) {
            for (uint32_t at = line->head[h]; at != 0;) {
                const uc_head *e = uc__head(&s->blocks, at);

                good &= uc__line_of(&s->index, &s->blocks, e->hash) == line &&
                        e->hash >> 29 == h;
                if (e->klen == UC_IS_DOMAIN) {
                    domains++;
                    blocks++;
                    unused +=
                        ((const uc_domain_node *)(const void *)e)->refs == 0;
                } else {
                    entries++;
                    timed += (e->flags & UC_ENTRY_TIMED) != 0;
                    keys += e->klen;
                    values += e->vlen;
                    weight[e->queue] += uc__policy_weight(s, at);
                    blocks += runs_of(s, at, &good);
                }
                at = e->hnext;
            }
        }
    }
    for (int q = 0; q < 3; q++) {
        uint32_t last = 0;

        for (uint32_t at = s->policy.queue[q].first; at != 0;
             at = uc__head(&s->blocks, at)->next) {
            good &= uc__head(&s->blocks, at)->prev == last &&
                    uc__head(&s->blocks, at)->queue == q;
            last = at;
        }
        good &= s->policy.queue[q].last == last &&
                s->policy.queue[q].weight == weight[q];
    }
    for (uint32_t c = 0; c < s->blocks.nchunks; c++) {
        const uc_chunk_info *info = &s->blocks.chunks[c];

        mapped += info->kind != UC_CHUNK_NONE;
        if (info->kind == UC_CHUNK_BLOCKS || info->kind == UC_CHUNK_DRAIN)
            used += s->blocks.usable - info->free;
    }
    good &=
        mapped == s->blocks.mapped && used == s->blocks.used && used == blocks;
    good &= entries == s->entries && domains == s->domains.count &&
            entries + domains == s->index.count &&
            unused == s->domains.unused && timed == s->wheel.count;
    good &= keys == s->stats.key_bytes && values == s->stats.value_bytes;
    good &= stats(s).bytes <= stats(s).limit;
    return good;
}

#endif

/* What is done step by step: collecting what drops and time have left behind,
 * and giving the index its memory and taking it back. */
#include "cache/inner.h"

enum {
    TICK_BUDGET = 256,           /* entries or lines: about 100 us */
    GROW_STEP = 2,               /* lines a put; it adds a quarter of one */
    SOON = 2 * 1000 * 1000,      /* ns, when there is more to do */
    SWEEPING = 10 * 1000 * 1000, /* ns, while looking for what was dropped */
};

/* --- drops ---------------------------------------------------------------- */

uint64_t uc_store_gen(const uc_store *s)
{
    return s->seq;
}

static void start_sweep(uc_store *s)
{
    s->dropped = s->seq;
    if (s->sweeping || s->entries == 0)
        return;
    s->sweeping = true;
    s->sweep_at = 0;
    s->sweep_to = s->seq;
}

uint64_t uc_store_drop(uc_store *s, uint64_t domain)
{
    if (uc__domain_drop(s, domain, ++s->seq))
        start_sweep(s);
    return s->seq;
}

uint64_t uc_store_drop_tied(uc_store *s)
{
    s->tied = ++s->seq;
    start_sweep(s);
    return s->seq;
}

uint64_t uc_store_clear(uc_store *s)
{
    s->cleared = ++s->seq;
    start_sweep(s);
    return s->seq;
}

/* Loses the first dead entry of a bucket. From the beginning each time: losing
 * one may take a domain of the same bucket with it. */
static bool collect_one(uc_store *s, uint32_t block, int *budget)
{
    while (block != 0) {
        const uc_head *e = uc__head(&s->blocks, block);

        --*budget;
        if (e->klen != UC_IS_DOMAIN && uc__store_dead(s, e, block)) {
            uc__store_lose(s, block, UC_GONE_DROPPED);
            return true;
        }
        block = e->hnext;
    }
    return false;
}

bool uc__sweep(uc_store *s, int *budget)
{
    bool found = false;

    for (; s->sweeping && *budget > 0; s->sweep_at++) {
        if (s->sweep_at >= s->index.lines) {
            s->sweeping = s->dropped > s->sweep_to;
            s->sweep_to = s->dropped;
            s->sweep_at = 0;
            if (!s->sweeping)
                break;
        }
        --*budget;
        for (int i = 0; i < UC_LINE_HEADS; i++) {
            const uc_line *line =
                uc__line_at(&s->index, &s->blocks, s->sweep_at);

            while (collect_one(s, line->head[i], budget))
                found = true;
        }
    }
    return found;
}

/* --- the index's memory --------------------------------------------------- */

void uc__grow(uc_store *s)
{
    for (int i = 0; i < GROW_STEP; i++) {
        if (uc__index_grow(&s->index, &s->blocks))
            continue;
        if (s->drain < 0) {
            s->drain = uc__blocks_drain(&s->blocks, (uint32_t)s->seq);
            s->drain_at = 0;
        }
        return;
    }
}

void uc__drain(uc_store *s, int *budget)
{
    while (s->drain >= 0 && *budget > 0) {
        uint32_t block =
            uc__blocks_drain_next(&s->blocks, (uint32_t)s->drain, &s->drain_at);
        const uc_head *e = uc__head(&s->blocks, block);

        --*budget;
        if (block == 0) {
            /* At once, or the next run that is wanted opens it again. */
            s->drain = -1;
            uc__grow(s);
        } else if (e->klen == UC_IS_DOMAIN) {
            if (!uc__domain_move(s, block))
                return;
        } else if (e->klen == UC_IS_REST) {
            const uc_rest *r = uc__block(&s->blocks, block);

            uc__store_lose(s, r->head, UC_GONE_SIZE);
        } else {
            uc__store_lose(s, block, UC_GONE_SIZE);
        }
    }
}

uint32_t uc__store_block(uc_store *s)
{
    uint32_t got, block;

    while ((block = uc__blocks_take(&s->blocks, 1, &got)) == 0) {
        if (!uc__store_evict(s, 1))
            return 0;
    }
    return block;
}

/* --- time ----------------------------------------------------------------- */

static void expire(uc_store *s, int64_t now, int *budget)
{
    uint32_t block;

    while ((block = uc__wheel_next(&s->wheel, &s->blocks, now, budget)) != 0) {
        uc_head *e = uc__head(&s->blocks, block);
        int64_t due = uc__entry_due(&s->blocks, block), expires;

        /* It has to be in the wheel to be lost; an idle time has moved on if
         * the entry was asked for. */
        uc__wheel_add(&s->wheel, &s->blocks, block, due, now);
        if (due > now)
            continue;
        expires = uc__times(e)->expires;
        uc__store_lose(s, block,
                       uc__store_dead(s, e, block)      ? UC_GONE_DROPPED
                       : expires != 0 && now >= expires ? UC_GONE_TTL
                                                        : UC_GONE_IDLE);
    }
}

int64_t uc_store_tick(uc_store *s, int64_t now)
{
    int budget = TICK_BUDGET;
    int64_t wake;

    expire(s, now, &budget);
    uc__drain(s, &budget);
    uc__sweep(s, &budget);
    /* Not during a sweep, which would miss what moves to an earlier line. */
    while (!s->sweeping && budget > 0 &&
           uc__index_shrink(&s->index, &s->blocks))
        budget--;
    /* After a clear there is much to collect, after other drops to look at. */
    if (s->sweeping && s->sweep_to > s->cleared)
        return now + SWEEPING;
    if (budget <= 0 || s->sweeping || s->drain >= 0)
        return now + SOON;
    wake = uc__wheel_wake(&s->wheel);
    return wake != 0 && wake <= now ? now + SOON : wake;
}

void uc_store_stats_get(const uc_store *s, uc_store_stats *out)
{
    *out = s->stats;
    out->entries = s->entries;
    out->domains = s->domains.count;
    out->bytes = s->fixed + uc__blocks_bytes(&s->blocks);
    out->window = uc__policy_share(s);
}

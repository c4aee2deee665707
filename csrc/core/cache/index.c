#include "cache/index.h"

#include "common/mem.h"

bool uc__index_init(uc_index *x, uc_blocks *b)
{
    int64_t chunk;

    *x = (uc_index){.lines = UC_LINES_LEAST, .mask = UC_LINES_LEAST - 1};
    x->segments = uc_calloc(b->nchunks, sizeof *x->segments);
    if (x->segments == NULL)
        return false;
    chunk = uc__blocks_take_chunk(b);
    if (chunk < 0) {
        uc__index_fini(x);
        return false;
    }
    x->segments[0] = (uint32_t)chunk;
    return true;
}

void uc__index_fini(uc_index *x)
{
    uc_free(x->segments);
    x->segments = NULL;
}

void uc__index_add(uc_index *x, uc_blocks *b, uint32_t block)
{
    uc_head *e = uc__head(b, block);
    uint32_t *head = uc__bucket(uc__line_of(x, b, e->hash), e->hash);

    e->hnext = *head;
    *head = block;
    x->count++;
}

/* The link that points to a block. */
static uint32_t *link_to(uc_index *x, uc_blocks *b, uint32_t block)
{
    uint32_t hash = uc__head(b, block)->hash;
    uint32_t *at = uc__bucket(uc__line_of(x, b, hash), hash);

    while (*at != block)
        at = &uc__head(b, *at)->hnext;
    return at;
}

void uc__index_drop(uc_index *x, uc_blocks *b, uint32_t block)
{
    *link_to(x, b, block) = uc__head(b, block)->hnext;
    x->count--;
}

void uc__index_move(uc_index *x, uc_blocks *b, uint32_t from, uint32_t to)
{
    uint32_t *at = link_to(x, b, from);

    uc__head(b, to)->hnext = uc__head(b, from)->hnext;
    *at = to;
}

/* Splits what a bucket holds by one bit of the hashes, order kept. */
static void split(uc_blocks *b, uint32_t *low, uint32_t *high, uint32_t bit)
{
    uint32_t block = *low;

    while (block != 0) {
        uc_head *e = uc__head(b, block);
        uint32_t **to = (e->hash & bit) != 0 ? &high : &low;

        **to = block;
        *to = &e->hnext;
        block = e->hnext;
    }
    *low = 0;
    *high = 0;
}

bool uc__index_grow(uc_index *x, uc_blocks *b)
{
    uint32_t made = x->lines, segment = made >> b->shift;
    uc_line *from, *to;

    if (x->count <= (uint64_t)x->lines * UC_LINE_LOAD || made == 1u << 28)
        return true;
    if ((made & ((1u << b->shift) - 1)) == 0) {
        int64_t chunk = uc__blocks_take_chunk(b);

        if (chunk < 0)
            return false;
        x->segments[segment] = (uint32_t)chunk;
    }
    from = uc__line_at(x, b, made & x->mask);
    to = uc__line_at(x, b, made);
    for (int i = 0; i < UC_LINE_HEADS; i++)
        split(b, &from->head[i], &to->head[i], x->mask + 1);
    /* What was counted may have been either line's. */
    to->counters = from->counters;
    x->lines++;
    if ((x->lines & x->mask) == 0)
        x->mask = x->lines - 1;
    return true;
}

bool uc__index_shrink(uc_index *x, uc_blocks *b)
{
    uint32_t gone = x->lines - 1, segment = gone >> b->shift;
    uc_line *from, *to;

    /* Far below the load that makes it grow, or it would go up and down. */
    if (x->lines <= UC_LINES_LEAST ||
        x->count >= (uint64_t)x->lines * UC_LINE_LOAD / 4)
        return false;
    if ((gone & x->mask) == gone)
        x->mask >>= 1;
    from = uc__line_at(x, b, gone);
    to = uc__line_at(x, b, gone & x->mask);
    for (int i = 0; i < UC_LINE_HEADS; i++) {
        uint32_t *at = &to->head[i];

        while (*at != 0)
            at = &uc__head(b, *at)->hnext;
        *at = from->head[i];
        from->head[i] = 0;
    }
    x->lines--;
    if ((gone & ((1u << b->shift) - 1)) == 0)
        uc__blocks_give_chunk(b, x->segments[segment]);
    return true;
}

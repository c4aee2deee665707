#define _GNU_SOURCE
#include "cache/blocks.h"

#include <sys/mman.h>

#include "common/mem.h"

enum {
    SHIFT_LEAST = 8, /* 16 KiB */
    SHIFT_MOST = 12, /* 256 KiB */
    CHUNKS = 64,     /* so many at least, where the chunks' least size allows */
    TRIES = 6,       /* runs that are looked at for one that is long enough */
};

#define NONE UINT32_MAX

static uint64_t chunk_bytes(const uc_blocks *b)
{
    return (uint64_t)UC_BLOCK << b->shift;
}

static uint8_t *chunk_at(const uc_blocks *b, uint32_t chunk)
{
    return b->base + chunk * chunk_bytes(b);
}

static uint64_t *bitmap(const uc_blocks *b, uint32_t chunk)
{
    return (uint64_t *)(void *)chunk_at(b, chunk);
}

bool uc__blocks_init(uc_blocks *b, uint64_t bytes)
{
    uint32_t blocks;

    *b = (uc_blocks){.shift = SHIFT_LEAST, .open = NONE};
    while (b->shift < SHIFT_MOST && bytes / CHUNKS >= 2 * chunk_bytes(b))
        b->shift++;
    blocks = 1u << b->shift;
    b->usable = blocks - (blocks / 8 + UC_BLOCK - 1) / UC_BLOCK;
    b->nchunks = (uint32_t)(bytes / (chunk_bytes(b) + sizeof(uc_chunk_info)));
    b->chunks = uc_calloc(b->nchunks, sizeof *b->chunks);
    if (b->chunks == NULL)
        return false;
    b->base = mmap(NULL, b->nchunks * chunk_bytes(b), PROT_NONE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (b->base == MAP_FAILED) {
        uc_free(b->chunks);
        b->chunks = NULL;
        return false;
    }
    return true;
}

void uc__blocks_fini(uc_blocks *b)
{
    if (b->chunks == NULL)
        return;
    munmap(b->base, b->nchunks * chunk_bytes(b));
    uc_free(b->chunks);
}

/* --- chunks --------------------------------------------------------------- */

static void link_chunk(uc_blocks *b, uint32_t chunk)
{
    uc_chunk_info *c = &b->chunks[chunk];

    c->prev = NONE;
    c->next = b->open;
    if (b->open != NONE)
        b->chunks[b->open].prev = chunk;
    b->open = chunk;
}

static void unlink_chunk(uc_blocks *b, uint32_t chunk)
{
    uc_chunk_info *c = &b->chunks[chunk];

    if (c->prev != NONE)
        b->chunks[c->prev].next = c->next;
    else
        b->open = c->next;
    if (c->next != NONE)
        b->chunks[c->next].prev = c->prev;
}

/* Gives memory to the first chunk that has none. -1 when there is none, or
 * when the machine has no more. */
static int64_t map_chunk(uc_blocks *b, uc_chunk_kind kind)
{
    uint32_t chunk = b->low;

    while (chunk < b->nchunks && b->chunks[chunk].kind != UC_CHUNK_NONE)
        chunk++;
    b->low = chunk;
    if (chunk == b->nchunks || mprotect(chunk_at(b, chunk), chunk_bytes(b),
                                        PROT_READ | PROT_WRITE) != 0)
        return -1;
    b->chunks[chunk].kind = kind;
    b->mapped++;
    return chunk;
}

static void unmap_chunk(uc_blocks *b, uint32_t chunk)
{
    madvise(chunk_at(b, chunk), chunk_bytes(b), MADV_DONTNEED);
    mprotect(chunk_at(b, chunk), chunk_bytes(b), PROT_NONE);
    b->chunks[chunk].kind = UC_CHUNK_NONE;
    b->mapped--;
    if (chunk < b->low)
        b->low = chunk;
}

static bool open_chunk(uc_blocks *b)
{
    int64_t chunk = map_chunk(b, UC_CHUNK_BLOCKS);
    uint32_t words = (1u << b->shift) / 64;
    uint32_t own = (1u << b->shift) - b->usable;
    uint64_t *map;

    if (chunk < 0)
        return false;
    map = bitmap(b, (uint32_t)chunk);
    map[0] = UINT64_MAX << own;
    for (uint32_t i = 1; i < words; i++)
        map[i] = UINT64_MAX;
    b->chunks[chunk].free = (uint16_t)b->usable;
    b->chunks[chunk].at = 0;
    b->empty++;
    link_chunk(b, (uint32_t)chunk);
    return true;
}

int64_t uc__blocks_take_chunk(uc_blocks *b)
{
    int64_t chunk = map_chunk(b, UC_CHUNK_LINES);

    if (chunk < 0 && b->empty > 0) {
        uint32_t i = b->open;

        while (b->chunks[i].free < b->usable)
            i = b->chunks[i].next;
        unlink_chunk(b, i);
        b->empty--;
        unmap_chunk(b, i);
        chunk = map_chunk(b, UC_CHUNK_LINES);
    }
    if (chunk >= 0)
        b->lines++;
    return chunk;
}

void uc__blocks_give_chunk(uc_blocks *b, uint32_t chunk)
{
    b->lines--;
    unmap_chunk(b, chunk);
}

/* --- runs ----------------------------------------------------------------- */

/* Length of the run of free blocks at `place`, counted up to `most`. */
static uint32_t run_at(const uint64_t *map, uint32_t place, uint32_t blocks,
                       uint32_t most)
{
    uint32_t n = 0;

    while (place < blocks && n < most) {
        uint64_t gaps = ~(map[place / 64] >> place % 64);
        uint32_t left = 64 - place % 64;
        uint32_t here = gaps == 0 ? 64 : (uint32_t)__builtin_ctzll(gaps);

        if (here > left)
            here = left;
        n += here;
        place += here;
        if (here < left)
            break;
    }
    return n < most ? n : most;
}

/* The first free block at or after `place`, or `blocks`. */
static uint32_t free_at(const uint64_t *map, uint32_t place, uint32_t blocks)
{
    while (place < blocks) {
        uint64_t word = map[place / 64] >> place % 64;

        if (word != 0)
            return place + (uint32_t)__builtin_ctzll(word);
        place = (place / 64 + 1) * 64;
    }
    return blocks;
}

static void set_run(uint64_t *map, uint32_t place, uint32_t n, bool is_free)
{
    while (n > 0) {
        uint32_t bit = place % 64;
        uint32_t here = n < 64 - bit ? n : 64 - bit;
        uint64_t mask = (here == 64 ? UINT64_MAX : (1ull << here) - 1) << bit;

        if (is_free)
            map[place / 64] |= mask;
        else
            map[place / 64] &= ~mask;
        place += here;
        n -= here;
    }
}

uint32_t uc__blocks_take(uc_blocks *b, uint32_t want, uint32_t *got)
{
    uint32_t blocks = 1u << b->shift, place, best = 0, best_run = 0;
    uc_chunk_info *c;
    uint64_t *map;
    bool wrapped = false;

    if (b->open == NONE && !open_chunk(b))
        return 0;
    c = &b->chunks[b->open];
    map = bitmap(b, b->open);
    place = c->at * 64u;
    for (int i = 0; i < TRIES && best_run < want;) {
        uint32_t run;

        place = free_at(map, place, blocks);
        if (place == blocks) {
            if (wrapped)
                break;
            wrapped = true;
            place = 0;
            continue;
        }
        run = run_at(map, place, blocks, want);
        if (run > best_run) {
            best = place;
            best_run = run;
        }
        place += run;
        i++;
    }
    set_run(map, best, best_run, false);
    c->at = (uint8_t)(best / 64);
    b->empty -= c->free == b->usable;
    c->free = (uint16_t)(c->free - best_run);
    b->used += best_run;
    *got = best_run;
    best |= b->open << b->shift;
    if (c->free == 0)
        unlink_chunk(b, b->open);
    return best;
}

void uc__blocks_give(uc_blocks *b, uint32_t block, uint32_t n)
{
    uint32_t chunk = block >> b->shift;
    uint32_t place = block & ((1u << b->shift) - 1);
    uc_chunk_info *c = &b->chunks[chunk];
    bool was_full = c->free == 0;

    set_run(bitmap(b, chunk), place, n, true);
    c->free = (uint16_t)(c->free + n);
    b->used -= n;
    if (c->kind == UC_CHUNK_DRAIN) {
        if (c->free == b->usable)
            unmap_chunk(b, chunk);
        return;
    }
    /* The place just left is warm, and what comes next is often as large. */
    c->at = (uint8_t)(place / 64);
    if (b->open != chunk) {
        if (!was_full)
            unlink_chunk(b, chunk);
        link_chunk(b, chunk);
    }
    if (c->free < b->usable)
        return;
    if (b->empty++ > 0) { /* one is kept: the next put may want it */
        unlink_chunk(b, chunk);
        b->empty--;
        unmap_chunk(b, chunk);
    }
}

/* --- draining ------------------------------------------------------------- */

int64_t uc__blocks_drain(uc_blocks *b, uint32_t salt)
{
    uint32_t best = NONE;

    /* The emptiest of a few: looking at all of them takes too long. */
    for (uint32_t i = 0; i < 16; i++) {
        uint32_t chunk =
            (uint32_t)(((uint64_t)(salt + i * 0x9e3779b9u) * b->nchunks) >> 32);

        if (b->chunks[chunk].kind == UC_CHUNK_BLOCKS &&
            (best == NONE || b->chunks[chunk].free > b->chunks[best].free))
            best = chunk;
    }
    if (best == NONE)
        return -1;
    if (b->chunks[best].free > 0)
        unlink_chunk(b, best);
    b->empty -= b->chunks[best].free == b->usable;
    b->chunks[best].kind = UC_CHUNK_DRAIN;
    if (b->chunks[best].free == b->usable)
        unmap_chunk(b, best);
    return best;
}

uint32_t uc__blocks_drain_next(const uc_blocks *b, uint32_t chunk,
                               uint32_t *place)
{
    uint32_t blocks = 1u << b->shift;
    const uint64_t *map = bitmap(b, chunk);

    if (b->chunks[chunk].kind != UC_CHUNK_DRAIN)
        return 0;
    if (*place < blocks - b->usable)
        *place = blocks - b->usable;
    while (*place < blocks) {
        if ((map[*place / 64] >> *place % 64 & 1) == 0)
            return chunk << b->shift | *place;
        *place += 1;
    }
    return 0;
}

#ifndef UC_CORE_CACHE_BLOCKS_H
#define UC_CORE_CACHE_BLOCKS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The memory of one cache. All of it lies in one range of addresses that is
 * reserved at birth and never longer than the budget, so that the budget cannot
 * be exceeded, whatever happens inside. The range is cut into chunks, which are
 * given memory when they are needed and lose it when they are empty; a chunk
 * holds either lines of the index or blocks.
 *
 * Blocks have 64 bytes and are handed out in runs: as many neighbours as are
 * wanted if that many are free somewhere near, else fewer. What is larger takes
 * several runs. So every free block can be used by whoever needs one, memory
 * is never lost to fragments, and a lookup rarely touches more than one run.
 *
 * A block is known by its number, chunk << shift | place. Each chunk of blocks
 * begins with its bitmap (1: free), so 0 is never the number of a block.
 */
enum { UC_BLOCK = 64 };

typedef enum uc_chunk_kind {
    UC_CHUNK_NONE,  /* no memory */
    UC_CHUNK_LINES, /* one segment of the index */
    UC_CHUNK_BLOCKS,
    UC_CHUNK_DRAIN /* blocks, but none is handed out any more */
} uc_chunk_kind;

typedef struct uc_chunk_info {
    uint32_t prev, next; /* among those with free blocks */
    uint16_t free;       /* blocks */
    uint8_t kind;        /* uc_chunk_kind */
    uint8_t at;          /* word of the bitmap where to look first */
} uc_chunk_info;

typedef struct uc_blocks {
    uint8_t *base;
    uc_chunk_info *chunks;
    uint32_t nchunks;
    uint32_t shift;  /* log2 of the blocks of a chunk */
    uint32_t usable; /* blocks of a chunk without its bitmap */
    uint32_t mapped; /* chunks that have memory */
    uint32_t low;    /* no chunk below it is without memory */
    uint32_t open;   /* a chunk with free blocks, the first of the list */
    uint32_t empty;  /* chunks of the list with nothing in them */
    uint32_t lines;  /* chunks that belong to the index */
    uint64_t used;   /* blocks handed out */
} uc_blocks;

/* bytes: the bound, with the descriptors; at least a few chunks. */
bool uc__blocks_init(uc_blocks *b, uint64_t bytes);
void uc__blocks_fini(uc_blocks *b);

/* Up to `want` neighbouring blocks: the first, and in *got how many. 0 when all
 * that may have memory is in use. */
uint32_t uc__blocks_take(uc_blocks *b, uint32_t want, uint32_t *got);
void uc__blocks_give(uc_blocks *b, uint32_t block, uint32_t n);

/* A whole chunk for the index, all zeros. Returns its number, or -1 when none
 * is to be had without a drain. */
int64_t uc__blocks_take_chunk(uc_blocks *b);
void uc__blocks_give_chunk(uc_blocks *b, uint32_t chunk);

/*
 * Sets a chunk of blocks aside that is to be emptied; its number, or -1 when
 * there is none. The next block in use at or after `place` in it, 0 when it
 * has been emptied; emptied, it loses its memory by itself.
 */
int64_t uc__blocks_drain(uc_blocks *b, uint32_t salt);
uint32_t uc__blocks_drain_next(const uc_blocks *b, uint32_t chunk,
                               uint32_t *place);

/* What the blocks may become in all, in use and free. */
static inline uint64_t uc__blocks_room(const uc_blocks *b)
{
    return (uint64_t)(b->nchunks - b->lines) * b->usable;
}

static inline uint64_t uc__blocks_bytes(const uc_blocks *b)
{
    return ((uint64_t)b->mapped << b->shift) * UC_BLOCK +
           b->nchunks * sizeof(uc_chunk_info);
}

static inline void *uc__block(const uc_blocks *b, uint32_t block)
{
    return b->base + (uint64_t)block * UC_BLOCK;
}

#endif

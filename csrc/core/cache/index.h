#ifndef UC_CORE_CACHE_INDEX_H
#define UC_CORE_CACHE_INDEX_H

#include "cache/entry.h"
#include "cache/sketch.h"

/*
 * From hashes to blocks. Linear hashing (Litwin, VLDB 1980): the table grows
 * and shrinks by one line at a time, next to the put or tick that asks for it,
 * so that nothing ever waits for a table to be rebuilt, and two tables never
 * exist at once. Lines lie in chunks of their own (segments).
 */
enum {
    UC_LINE_HEADS = 8,
    UC_LINE_LOAD = 4,   /* entries a line; also decides what they cost */
    UC_LINES_LEAST = 64 /* enough counters for a small cache */
};

typedef struct uc_line {
    uint32_t head[UC_LINE_HEADS];
    uc_counters counters;
} uc_line;

_Static_assert(sizeof(uc_line) == UC_BLOCK, "a line is a line of the cache");

typedef struct uc_index {
    uint32_t *segments; /* chunks, by number of segment */
    uint32_t lines;
    uint32_t mask;  /* the greatest power of two that is not above lines, - 1 */
    uint32_t count; /* entries and domains */
    uint32_t aged;  /* the line whose counters are halved next */
} uc_index;

bool uc__index_init(uc_index *x, uc_blocks *b);
void uc__index_fini(uc_index *x);

static inline uc_line *uc__line_at(const uc_index *x, const uc_blocks *b,
                                   uint32_t line)
{
    uint32_t place = line & ((1u << b->shift) - 1);

    return uc__block(b, x->segments[line >> b->shift] << b->shift | place);
}

static inline uc_line *uc__line_of(const uc_index *x, const uc_blocks *b,
                                   uint32_t hash)
{
    uint32_t line = hash & (x->mask << 1 | 1);

    if (line >= x->lines)
        line &= x->mask;
    return uc__line_at(x, b, line);
}

static inline uint32_t *uc__bucket(uc_line *line, uint32_t hash)
{
    return &line->head[hash >> 29];
}

void uc__index_add(uc_index *x, uc_blocks *b, uint32_t block);
void uc__index_drop(uc_index *x, uc_blocks *b, uint32_t block);
/* Lets `to` stand where `from` stood; their hashes are the same. */
void uc__index_move(uc_index *x, uc_blocks *b, uint32_t from, uint32_t to);

/* One line more when the load asks for it. False when it does, but a chunk is
 * missing: somebody has to drain one. */
bool uc__index_grow(uc_index *x, uc_blocks *b);
/* One line less when the load allows it; whether it did. */
bool uc__index_shrink(uc_index *x, uc_blocks *b);

/* The next line in turn grows older. */
static inline void uc__index_age(uc_index *x, uc_blocks *b)
{
    if (x->aged >= x->lines)
        x->aged = 0;
    uc__sketch_halve(&uc__line_at(x, b, x->aged)->counters);
    x->aged++;
}

#endif

#ifndef UC_CORE_COMMON_ARENA_H
#define UC_CORE_COMMON_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/view.h"

/*
 * Memory that is freed as a whole. What it has handed out stays where it is.
 * Failure is sticky, as a uc_buf's: NULL is returned, and `failed` says so at
 * the end as well. One owner, no locking.
 */
typedef struct uc_arena_block uc_arena_block;

typedef struct uc_arena {
    uc_arena_block *blocks; /* the newest first */
    uint8_t *p;             /* free from here on */
    size_t left;
    size_t used; /* bytes handed out */
    size_t max;  /* bytes that it may hand out */
    bool failed;
} uc_arena;

/* Allocates nothing. */
void uc_arena_init(uc_arena *a, size_t max);
void uc_arena_fini(uc_arena *a);
/* Empties it. It keeps its newest block for what comes, unless that is a large
 * one: a single request of a megabyte does not stay with its connection. */
void uc_arena_reset(uc_arena *a);
/* n bytes, aligned for any type of C; NULL when it has failed. n may be 0. */
void *uc_arena_alloc(uc_arena *a, size_t n);
/* The same, zeroed; NULL also when the product overflows. */
void *uc_arena_calloc(uc_arena *a, size_t count, size_t size);
/* A copy with a NUL behind its end; p NULL when it has failed. */
uc_view uc_arena_copy(uc_arena *a, uc_view v);

#endif

#include "common/arena.h"

#include "common/mem.h"

enum { FIRST = 1024, LARGEST = 64 * 1024, ALIGN = 16 };

struct uc_arena_block {
    uc_arena_block *next;
    size_t size; /* of what follows */
    _Alignas(ALIGN) uint8_t bytes[];
};

void uc_arena_init(uc_arena *a, size_t max)
{
    *a = (uc_arena){.max = max};
}

void uc_arena_fini(uc_arena *a)
{
    while (a->blocks != NULL) {
        uc_arena_block *next = a->blocks->next;

        uc_free(a->blocks);
        a->blocks = next;
    }
    *a = (uc_arena){.max = a->max};
}

void uc_arena_reset(uc_arena *a)
{
    uc_arena_block *newest = a->blocks;

    if (newest == NULL || newest->size > LARGEST) {
        uc_arena_fini(a);
        return;
    }
    a->blocks = newest->next;
    uc_arena_fini(a);
    newest->next = NULL;
    a->blocks = newest;
    a->p = newest->bytes;
    a->left = newest->size;
}

/* Each block is twice as large as the one before, so that there are few. */
static bool grow(uc_arena *a, size_t n)
{
    size_t size = a->blocks != NULL ? a->blocks->size * 2 : FIRST;
    uc_arena_block *b;

    if (size > LARGEST)
        size = LARGEST;
    if (size < n)
        size = n;
    if (size > SIZE_MAX - sizeof *b)
        return false;
    b = uc_malloc(sizeof *b + size);
    if (b == NULL)
        return false;
    b->next = a->blocks;
    b->size = size;
    a->blocks = b;
    a->p = b->bytes;
    a->left = size;
    return true;
}

void *uc_arena_alloc(uc_arena *a, size_t n)
{
    size_t whole = n > 0 ? (n + ALIGN - 1) & ~(size_t)(ALIGN - 1) : ALIGN;
    void *p;

    if (a->failed)
        return NULL;
    if (whole < n || whole > a->max - a->used ||
        (whole > a->left && !grow(a, whole))) {
        a->failed = true;
        return NULL;
    }
    p = a->p;
    a->p += whole;
    a->left -= whole;
    a->used += whole;
    return p;
}

void *uc_arena_calloc(uc_arena *a, size_t count, size_t size)
{
    size_t n;
    void *p;

    if (__builtin_mul_overflow(count, size, &n)) {
        a->failed = true;
        return NULL;
    }
    p = uc_arena_alloc(a, n);
    if (p != NULL && n > 0)
        memset(p, 0, n);
    return p;
}

uc_view uc_arena_copy(uc_arena *a, uc_view v)
{
    uint8_t *p = uc_arena_alloc(a, v.len + 1);

    if (p == NULL)
        return (uc_view){0};
    if (v.len > 0)
        memcpy(p, v.p, v.len);
    p[v.len] = '\0';
    return (uc_view){p, v.len};
}

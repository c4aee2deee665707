#include "common/mem.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#ifdef UC_TEST_ALLOC
static _Atomic uint64_t made;
static _Atomic uint64_t fail_at;

static bool refuse(void)
{
    uint64_t n = atomic_fetch_add(&made, 1) + 1;

    return n == atomic_load(&fail_at);
}

uint64_t uc_mem_fail_nth(uint64_t n)
{
    uint64_t before = atomic_exchange(&made, 0);

    atomic_store(&fail_at, n);
    return before;
}
#else
static inline bool refuse(void)
{
    return false;
}

uint64_t uc_mem_fail_nth(uint64_t n)
{
    (void)n;
    return 0;
}
#endif

void *uc_malloc(size_t n)
{
    return refuse() ? NULL : malloc(n);
}

void *uc_calloc(size_t count, size_t size)
{
    return refuse() ? NULL : calloc(count, size);
}

void *uc_realloc(void *p, size_t n)
{
    return refuse() ? NULL : realloc(p, n);
}

char *uc_strndup(const char *s, size_t n)
{
    char *p = uc_malloc(n + 1);

    if (p == NULL)
        return NULL;
    memcpy(p, s, n);
    p[n] = '\0';
    return p;
}

void uc_free(void *p)
{
    free(p);
}

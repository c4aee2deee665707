#ifndef UC_CORE_COMMON_MEM_H
#define UC_CORE_COMMON_MEM_H

#include <stddef.h>
#include <stdint.h>

/*
 * The allocator seam. Any thread. Every allocation of the core outside SQLite
 * goes through here, so that a test can make the n-th one fail and see that
 * the caller answers with UC_MEMORY and leaks nothing.
 */

/* n bytes, or NULL. Never called with 0. */
void *uc_malloc(size_t n);
/* count * size zeroed bytes, or NULL (also when the product overflows). */
void *uc_calloc(size_t count, size_t size);
/* Like realloc; on failure the old block stays valid and owned by the caller.
 */
void *uc_realloc(void *p, size_t n);
/* A NUL-terminated copy of n bytes, or NULL. */
char *uc_strndup(const char *s, size_t n);
void uc_free(void *p);

/*
 * Test hook: the n-th allocation from now (1 = the next) fails once, over all
 * threads; 0 switches it off. Returns how many allocations were made since
 * the last call.
 */
uint64_t uc_mem_fail_nth(uint64_t n);

#endif

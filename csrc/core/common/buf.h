#ifndef UC_CORE_COMMON_BUF_H
#define UC_CORE_COMMON_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * Growable bytes with a maximum given at birth. Failure is sticky: append
 * freely, look at `failed` once at the end. One owner, no locking.
 */
typedef struct uc_buf {
    uint8_t *p;
    size_t len;
    size_t cap;
    size_t max;
    bool failed; /* an append did not fit into max, or memory ran out */
    bool full;   /* failed because of max */
} uc_buf;

/* The caller's struct; allocates nothing. max in bytes. */
void uc_buf_init(uc_buf *b, size_t max);
void uc__buf_free(uc_buf *b);
/* Many never get to have bytes. */
static inline void uc_buf_fini(uc_buf *b)
{
    if (b->p != NULL)
        uc__buf_free(b);
    b->failed = b->full = false;
}

/* Out of line: makes room for n more bytes. False (and failed) if it cannot. */
bool uc_buf_grow(uc_buf *b, size_t n);

/* Makes room for n more bytes without changing len. */
static inline bool uc_buf_reserve(uc_buf *b, size_t n)
{
    if (__builtin_expect(b->cap - b->len >= n, 1))
        return true;
    return uc_buf_grow(b, n);
}

static inline void uc_buf_put(uc_buf *b, const void *p, size_t n)
{
    if (n > 0 && uc_buf_reserve(b, n)) {
        memcpy(b->p + b->len, p, n);
        b->len += n;
    }
}

static inline void uc_buf_byte(uc_buf *b, uint8_t c)
{
    if (uc_buf_reserve(b, 1))
        b->p[b->len++] = c;
}

/* Back to an earlier length; forgives an earlier failure. */
static inline void uc_buf_rewind(uc_buf *b, size_t len)
{
    b->len = len;
    b->failed = false;
    b->full = false;
}

#endif

#include "common/buf.h"

#include "common/mem.h"

/* Small enough for a lone reply, large enough for a batch of point reads. */
enum { FIRST_CAP = 1024 };

void uc_buf_init(uc_buf *b, size_t max)
{
    *b = (uc_buf){.max = max};
}

void uc__buf_free(uc_buf *b)
{
    uc_free(b->p);
    *b = (uc_buf){.max = b->max};
}

bool uc_buf_grow(uc_buf *b, size_t n)
{
    size_t want, cap;
    uint8_t *p;

    if (n > b->max || b->len > b->max - n) {
        b->failed = true;
        b->full = true;
        return false;
    }
    want = b->len + n;
    cap = b->cap > 0 ? b->cap : FIRST_CAP;
    while (cap < want)
        cap *= 2;
    if (cap > b->max)
        cap = b->max;
    p = uc_realloc(b->p, cap);
    if (p == NULL) {
        b->failed = true;
        return false;
    }
    b->p = p;
    b->cap = cap;
    return true;
}

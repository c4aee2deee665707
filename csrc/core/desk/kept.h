#ifndef UC_CORE_DESK_KEPT_H
#define UC_CORE_DESK_KEPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/thread.h"
#include "common/view.h"

/*
 * Answers that are kept for a while: those of routes with @cache. Each has the
 * tag of what it was made of. One with another tag is of no use any more, and
 * its place is taken by the next answer to the same request. The oldest of
 * those that nobody has asked for lately makes room. Any thread.
 */
typedef struct uc_kept_entry uc_kept_entry;

typedef struct uc_kept {
    uc_mutex mu;
    size_t bytes, most;
    uc_kept_entry **chains;         /* as many as there are entries, or more */
    uint32_t nchains, n;            /* a power of two; entries */
    uc_kept_entry *newest, *oldest; /* by when they came, or were spared */
} uc_kept;

/* NULL: no memory. most: bytes of all answers, their keys and what it takes to
 * keep them. */
uc_kept *uc_kept_new(size_t most);
void uc_kept_free(uc_kept *k);

/* Appends the answer that is kept under the key with this tag; now in uc_now()
 * terms. False: there is none. */
bool uc_kept_get(uc_kept *k, uc_view key, const uint8_t tag[16], int64_t now,
                 uc_buf *out);
/* Keeps it until then, where there is room for it. */
void uc_kept_put(uc_kept *k, uc_view key, const uint8_t tag[16], int64_t until,
                 uc_view answer);

#endif

#ifndef UC_CORE_DESK_ONCE_H
#define UC_CORE_DESK_ONCE_H

#include "common/buf.h"
#include "common/err.h"
#include "common/view.h"
#include "desk/call.h"

/*
 * Writes with a key. An engine keeps the key, a hash of the request and the
 * reply in the transaction of the write itself; here is what is the same for
 * all of them. The hash tells the repetition from another write under a key
 * that was used by mistake. It is taken over values, not over their encoding,
 * so that two clients that pack differently agree.
 */
enum { UC_ONCE_ANSWER = 1 << 20 }; /* bytes of a reply, at most */

typedef struct uc_once_hash {
    unsigned __int128 sum;
} uc_once_hash;

/* The operation and the statement; of a stream of rows the rows follow, chunk
 * by chunk: where it was cut is no part of it. */
void uc__once_hash_begin(uc_once_hash *h, const uc_call *call);
bool uc__once_rows(uc_once_hash *h, uc_reader rows, uc_error *e);
/* The whole of a request that is one frame. */
bool uc__once_hash_request(uc_once_hash *h, uc_call *call, uc_error *e);

/* *e for a key that another request has. Returns false. */
bool uc__once_conflict(const uint8_t *key, size_t n, uc_error *e);
/* Whether a reply of n bytes may be kept; *e otherwise. */
bool uc__once_fits(size_t n, uc_error *e);
/* Appends the reply frame that was kept, under the id of this call. */
bool uc__once_repeat(uc_view answer, const uc_call *call, uc_buf *out,
                     uc_error *e);

#endif

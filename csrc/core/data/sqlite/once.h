#ifndef UC_CORE_DATA_SQLITE_ONCE_H
#define UC_CORE_DATA_SQLITE_ONCE_H

#include "data/sqlite/types.h"
#include "desk/once.h"

/* A write with a key (once.c): what is known of the key, and the hash of the
 * request as far as it has been read. */
enum { SQ_ONCE_STMTS = 4 };
typedef struct sq_once {
    uint8_t key[UC_ONCE_KEY_MOST];
    uint32_t len;
    uc_once_hash hash;
    unsigned __int128 first; /* of the request that used the key first */
    bool open;               /* a stream of rows with a key is under way */
    bool known;              /* the key is there: its answer is repeated */
    uc_buf answer;           /* the reply frame that was kept */
} sq_once;

/* sq_unit for a call with a key. */
bool sq_once_unit(sq_conn *c, uc_call *call, uc_buf *out, uc_error *e);
/* The key of a stream of rows: from the first chunk, each chunk's rows
 * (uc__once_rows), and at its end the reply, which stands in out from `at` on
 * when the rows have been written and is put there when the key was known. */
bool sq_once_begin(sq_conn *c, sq_once *o, uc_call *call, uc_error *e);
bool sq_once_end(sq_conn *c, sq_once *o, uc_call *call, uc_buf *out, size_t at,
                 uc_error *e);
void sq_once_fini(sq_once *o);

#endif

#ifndef UC_CORE_OPTIONS_H
#define UC_CORE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/view.h"

/*
 * The limits and settings of one file, with their defaults in one table:
 * X(key on the wire, field, default, least, most). lib/base/options.js mirrors
 * the defaults under the names users see.
 */
#define UC_OPTION_MAP(X)                                                      \
    X(readonly, 0, 0, 1)                                                      \
    X(create, 1, 0, 1)                                                        \
    X(readers, 0, 0, 64)         /* 0: one per processor but one, 1 to 4 */   \
    X(cursors, 8, 1, 256)        /* connections for cursors, snapshots */     \
    X(busy_ms, 5000, 0, 3600000) /* wait for other processes' locks */        \
    X(tx_ms, 10000, 1, 3600000)  /* life of a transaction, idle cursor */     \
    X(snapshot_turn_ms, 10, 0,                                                \
      1000) /* life of a turn's sync snapshot, 0 off */                       \
    X(max_queue, 10000, 1, 1000000) /* calls waiting in a file's lanes */     \
    X(stmt_cache, 512, 1, 65536)    /* prepared statements per connection */  \
    X(max_rows, 1000000, 1, 4294967295)                                       \
    X(max_bytes, 268435456, 4096, 2147483647) /* one reply */                 \
    X(wal_cap, 1073741824, 65536, 1099511627776)                              \
    X(wal_checkpoint, 4194304, 4096, 1099511627776)                           \
    X(group_rows, 5000, 1, 1000000)    /* rows of one group commit */         \
    X(group_ms, 20, 1, 1000)           /* running time of one group commit */ \
    X(page_bytes, 32768, 256, 1048576) /* see wire/rows.h */                  \
    X(once_ttl_ms, 86400000, 1, 31536000000) /* life of a once-key */         \
    X(spin_us, -1, -1, 1000) /* longest spin of a reader, -1: it chooses */   \
    X(timeout_ms, 30000, 0, 2147483647) /* of a call that names none, 0 none  \
                                         */                                   \
    X(cache_bytes, 67108864, 0, 137438953472)    /* 0: no cache */            \
    X(cache_value_bytes, 8388608, 1, 2147483647) /* and no more than a        \
                                                    quarter of it */          \
    X(max_unsent, 0, 0, 1099511627776) /* see uc_pending; the door's, 0 none  \
                                        */

typedef enum uc_sync_level {
    UC_SYNC_OFF,
    UC_SYNC_NORMAL,
    UC_SYNC_FULL,
    UC_SYNC_EXTRA
} uc_sync_level;

/* A name and a value of `pragmas` or `attach`. NUL-terminated, owned. */
typedef struct uc_pair {
    char *name;
    char *value;
} uc_pair;

typedef struct uc_options {
#define X(name, def, lo, hi) int64_t name;
    UC_OPTION_MAP(X)
#undef X
    uc_sync_level synchronous;
    uc_pair *pragmas;
    uint32_t npragmas;
    uc_pair *attach;
    uint32_t nattach;
} uc_options;

/* Reads a msgpack map over the defaults. On failure *e says which key, and *o
 * still has to be given to uc_options_fini. */
bool uc_options_read(uc_options *o, uc_view map, uc_error *e);
void uc_options_fini(uc_options *o);
/* True when two handles may share a core. On false *e names the first key
 * that differs. */
bool uc_options_same(const uc_options *a, const uc_options *b, uc_error *e);

#endif

#ifndef UC_CORE_OPTIONS_H
#define UC_CORE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/view.h"

/*
 * The limits and settings of one file, in one table:
 * X(key on the wire and field, name for users, kind, default, least, most,
 *   where it counts)
 * lib/base/tables.js is made from it (node .ci/tables.js), and --set of the
 * daemon reads it. A name is NULL where nobody but a door or a test sets it.
 *
 * FILE: belongs to the database and to who opens the file, which is the daemon
 * where there is one. HANDLE: to each end, with a daemon between them or not.
 * CORE: users do not see it.
 */
#define UC_OPTION_MAP(X)                                                       \
    X(readonly, "readonly", FLAG, 0, 0, 1, HANDLE)                             \
    X(create, "create", FLAG, 1, 0, 1, FILE)                                   \
    /* Connections that read; 0: one per processor but one, 1 to 4. */         \
    X(readers, "readers", COUNT, 0, 0, 64, FILE)                               \
    /* Connections for cursors and snapshots. */                               \
    X(cursors, "cursors", COUNT, 8, 1, 256, FILE)                              \
    /* How long other processes' locks are waited for. */                      \
    X(busy_ms, "busyTimeoutMs", MS, 5000, 0, 3600000, FILE)                    \
    /* The life of a transaction and of an idle cursor. */                     \
    X(tx_ms, "transactionTimeoutMs", MS, 10000, 1, 3600000, FILE)              \
    /* The life of a turn's sync snapshot, 0: off. */                          \
    X(snapshot_turn_ms, "turnSnapshotMs", MS, 10, 0, 1000, FILE)               \
    /* Calls that wait in a file's lanes. */                                   \
    X(max_queue, "maxQueue", COUNT, 10000, 1, 1000000, HANDLE)                 \
    /* Prepared statements of a connection. A client has numbers for as many   \
     * and for those that it has just given up; there are 65535. */            \
    X(stmt_cache, "statementCache", COUNT, 512, 1, 32768, HANDLE)              \
    /* Of one reply. */                                                        \
    X(max_rows, "maxRows", COUNT, 1000000, 1, 4294967295, FILE)                \
    X(max_bytes, "maxReplyBytes", BYTES, 268435456, 4096, 2147483647, FILE)    \
    /* Less than a few large commits would only be in the way. */              \
    X(wal_cap, "walCapBytes", BYTES, 1073741824, 1048576, 1099511627776, FILE) \
    X(wal_checkpoint, "walCheckpointBytes", BYTES, 4194304, 4096,              \
      1099511627776, FILE)                                                     \
    /* See wire/rows.h; below it the heads of pages outweigh the rows. */      \
    X(page_bytes, "pageBytes", BYTES, 32768, 512, 1048576, FILE)               \
    /* All of the cache's memory, 0: no cache. */                              \
    X(cache_bytes, "cacheBytes", BYTES, 67108864, 0, 137438953472, FILE)       \
    /* And no more than a quarter of it. A reply of several has 2 GiB. */      \
    X(cache_value_bytes, "cacheValueBytes", BYTES, 8388608, 1, 1073741824,     \
      FILE)                                                                    \
    /* The life of a key of `once`. */                                         \
    X(once_ttl_ms, "onceTtlMs", MS, 86400000, 1, 31536000000, FILE)            \
    /* Of a call that names none, 0: none. More than a day is as good as none, \
     * and more likely a mistake of units. */                                  \
    X(timeout_ms, "timeoutMs", MS, 30000, 0, 86400000, HANDLE)                 \
    X(synchronous, "synchronous", LEVEL, UC_SYNC_FULL, UC_SYNC_OFF,            \
      UC_SYNC_EXTRA, FILE)                                                     \
    /* Of PostgreSQL: connections in all, one each for reads, writes and       \
     * transactions at least; when one ends that has nothing to do, and when   \
     * one ends in any case. */                                                \
    X(pool_max, "poolMax", COUNT, 10, 3, 1000, FILE)                           \
    X(pool_idle_ms, "poolIdleTimeoutMs", MS, 30000, 1, 86400000, FILE)         \
    X(pool_lifetime_ms, "poolLifetimeMs", MS, 1800000, 100, 604800000, FILE)   \
    /* Whether statements have names there. */                                 \
    X(prepare, "prepare", PREPARE, UC_PREPARE_AUTO, UC_PREPARE_AUTO,           \
      UC_PREPARE_UNNAMED, FILE)                                                \
    /* Of one group commit: rows, and the time that it runs. */                \
    X(group_rows, NULL, COUNT, 5000, 1, 1000000, CORE)                         \
    X(group_ms, NULL, MS, 20, 1, 1000, CORE)                                   \
    /* The longest spin of a reader, -1: it chooses. */                        \
    X(spin_us, NULL, US, -1, -1, 1000, CORE)                                   \
    /* See uc_pending, 0: none. */                                             \
    X(max_unsent, NULL, BYTES, 0, 0, 1099511627776, CORE)

/* What is no number: X(key and field, name for users, where it counts). */
#define UC_PAIRS_MAP(X)         \
    X(pragmas, "pragmas", FILE) \
    X(attach, "attach", FILE)

typedef enum uc_sync_level {
    UC_SYNC_OFF,
    UC_SYNC_NORMAL,
    UC_SYNC_FULL,
    UC_SYNC_EXTRA
} uc_sync_level;

/* AUTO: unless there is a pooler between, which is found out. */
typedef enum uc_prepare {
    UC_PREPARE_AUTO,
    UC_PREPARE_NAMED,
    UC_PREPARE_UNNAMED
} uc_prepare;

/* LEVEL is a uc_sync_level and PREPARE a uc_prepare, as words on the wire. */
typedef enum uc_option_kind {
    UC_OPTION_FLAG,
    UC_OPTION_COUNT,
    UC_OPTION_MS,
    UC_OPTION_US,
    UC_OPTION_BYTES,
    UC_OPTION_LEVEL,
    UC_OPTION_PREPARE
} uc_option_kind;

typedef enum uc_option_where {
    UC_OPTION_FILE,
    UC_OPTION_HANDLE,
    UC_OPTION_CORE
} uc_option_where;

/* Places in uc_option_table. */
typedef enum uc_option_id {
#define X(key, name, kind, def, least, most, where) UC_OPTION_##key,
    UC_OPTION_MAP(X)
#undef X
        UC_OPTIONS
} uc_option_id;

/* A row of the table. */
typedef struct uc_option {
    const char *key, *name; /* name: NULL, users do not see it */
    uc_option_kind kind;
    int64_t def, least, most;
    uc_option_where where;
} uc_option;

extern const uc_option uc_option_table[UC_OPTIONS];

/* A name and a value of `pragmas` or `attach`. NUL-terminated, owned. */
typedef struct uc_pair {
    char *name;
    char *value;
} uc_pair;

typedef struct uc_options {
#define X(key, name, kind, def, least, most, where) int64_t key;
    UC_OPTION_MAP(X)
#undef X
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

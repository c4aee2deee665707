#ifndef UC_CORE_OP_H
#define UC_CORE_OP_H

#include <stdint.h>

/*
 * THE op table: X(number, name, min args, max args, lane). Numbers are for
 * ever. The enum, the lookup, `describe` and each driver's function table
 * expand from it; lib/ops.js mirrors it and a test compares the two.
 *
 * Lanes: where a call may run.
 *   INLINE  at once, on the thread that routes it
 *   CACHE   there, too, by the cache: it never waits for the database
 *   LOG     the same, by the log of a daemon
 *   STMT    read or write lane, as the class of its statement says
 *   READ    a reader's thread
 *   WRITE   the writer, in the order of arrival
 *   PIN     on the connection that the named cursor, snapshot, transaction or
 *           backup holds
 * `hello` and `door` are about the way in: a door of its own process answers
 * them itself, the core for one in its own.
 */
#define UC_OP_MAP(X)                   \
    X(1, ping, 0, 1, INLINE)           \
    X(2, describe, 0, 0, INLINE)       \
    X(3, stats, 0, 0, INLINE)          \
    X(4, health, 0, 0, READ)           \
    X(5, cancel, 2, 2, INLINE)         \
    X(6, close, 0, 0, INLINE)          \
    X(7, hello, 1, 1, INLINE)          \
    X(8, define, 2, 2, INLINE)         \
    X(9, undefine, 1, 1, INLINE)       \
    X(10, get, 3, 3, STMT)             \
    X(11, all, 3, 3, STMT)             \
    X(12, run, 3, 3, STMT)             \
    X(13, json, 3, 3, STMT)            \
    X(14, many, 4, 4, WRITE)           \
    X(15, batch, 1, 1, WRITE)          \
    X(16, exec, 1, 1, WRITE)           \
    X(20, cursor_open, 4, 4, STMT)     \
    X(21, cursor_next, 2, 2, PIN)      \
    X(22, cursor_close, 1, 1, PIN)     \
    X(30, tx_begin, 0, 0, WRITE)       \
    X(31, tx_end, 2, 2, PIN)           \
    X(32, savepoint, 3, 3, PIN)        \
    X(35, snap_begin, 0, 0, READ)      \
    X(36, snap_end, 1, 1, PIN)         \
    X(40, backup_begin, 1, 1, READ)    \
    X(41, backup_step, 2, 2, PIN)      \
    X(42, backup_end, 1, 1, PIN)       \
    X(43, restore, 1, 1, WRITE)        \
    X(44, migrate_apply, 5, 5, WRITE)  \
    X(45, checkpoint, 1, 1, WRITE)     \
    X(50, watch, 2, 2, INLINE)         \
    X(52, door, 0, 0, INLINE)          \
    X(60, cache_get, 1, 1, CACHE)      \
    X(61, cache_read, 1, 1, CACHE)     \
    X(62, cache_set, 3, 3, CACHE)      \
    X(63, cache_delete, 1, 1, CACHE)   \
    X(64, cache_get_many, 1, 1, CACHE) \
    X(65, cache_set_many, 2, 2, CACHE) \
    X(66, cache_touch, 2, 2, CACHE)    \
    X(67, cache_ttl, 1, 1, CACHE)      \
    X(68, cache_incr, 3, 3, CACHE)     \
    X(69, cache_load, 2, 2, CACHE)     \
    X(70, cache_loaded, 4, 4, CACHE)   \
    X(71, cache_drop, 1, 1, CACHE)     \
    X(72, cache_clear, 0, 0, CACHE)    \
    X(73, cache_stats, 0, 0, CACHE)    \
    X(74, cache_hold, 1, 1, CACHE)     \
    X(75, cache_cas, 4, 4, CACHE)      \
    X(80, log_open, 1, 1, LOG)         \
    X(81, log_put, 3, 3, LOG)          \
    X(82, log_level, 1, 1, LOG)        \
    X(83, log_watch, 1, 1, LOG)        \
    X(84, log_flush, 1, 1, LOG)        \
    X(85, log_stats, 0, 0, LOG)

typedef enum uc_lane {
    UC_LANE_INLINE,
    UC_LANE_CACHE,
    UC_LANE_LOG,
    UC_LANE_STMT,
    UC_LANE_READ,
    UC_LANE_WRITE,
    UC_LANE_PIN
} uc_lane;

enum {
#define X(num, name, lo, hi, lane) UC_OP_##name = num,
    UC_OP_MAP(X)
#undef X
};

typedef struct uc_op {
    uint8_t num;
    uint8_t lo, hi; /* arguments */
    uint8_t lane;   /* uc_lane */
    const char *name;
} uc_op;

/* NULL for a number that is not in the table. */
const uc_op *uc_op_find(uint32_t num);
/* The i-th op in the order of the table, NULL past the end. */
const uc_op *uc_op_at(uint32_t i);

#endif

#ifndef UC_CORE_OP_H
#define UC_CORE_OP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * THE op table: X(number, name, min args, max args, lane, flags). Numbers are
 * for ever. The enum, the lookup and `describe` expand from it, and the table
 * of the client is made from it (.ci/tables.js). What an operation is says
 * this table: nothing else lists operations by what they have in common.
 *
 * Lanes: where a call may run.
 *   INLINE  at once, on the thread that routes it
 *   CACHE   there, too, by the cache: it never waits for the database
 *   LOG     the same, by the log of a daemon
 *   STMT    read or write lane, as the class of its statement says
 *   ROUTE   the same, as the method of its route says
 *   READ    a reader's thread
 *   WRITE   the writer, in the order of arrival
 *   PIN     on the connection that the named cursor, snapshot, transaction or
 *           backup holds
 * Flags:
 *   READ       it changes nothing in the database and never waits for its
 *              writer
 *   REPEATS    asked twice, it answers twice: the core takes a repetition
 *              (of a statement the class decides, see uc__may_repeat)
 *   RETRIED    the client asks again by itself after a lost connection
 *   STATEMENT  its arguments begin with a statement, a shape and parameters
 *   BOUND      it names something that ends with the connection
 *   STANDS     it waits for others, as long as they take; who ends does not
 *              wait for it
 *   ENDLESS    and has no end of its own
 *   URGENT     it must not wait for a thread that is busy
 * `hello` and `door` are about the way in: a door of its own process answers
 * them itself, the core for one in its own.
 */
#define UC_OP_MAP(X)                                                           \
    X(1, ping, 0, 1, INLINE, UC_READ | UC_RETRIED | UC_REPEATS)                \
    X(2, describe, 0, 0, INLINE, UC_READ | UC_RETRIED | UC_REPEATS)            \
    X(3, stats, 0, 0, INLINE, UC_READ | UC_RETRIED | UC_REPEATS)               \
    X(4, health, 0, 0, READ, UC_READ | UC_RETRIED | UC_REPEATS)                \
    X(5, cancel, 2, 2, INLINE, UC_READ | UC_URGENT)                            \
    X(6, close, 0, 0, INLINE, 0)                                               \
    X(7, hello, 1, 1, INLINE, UC_READ)                                         \
    X(8, define, 2, 2, INLINE, UC_READ)                                        \
    X(9, undefine, 1, 1, INLINE, UC_READ)                                      \
    X(10, get, 3, 3, STMT, UC_READ | UC_RETRIED | UC_STATEMENT)                \
    X(11, all, 3, 3, STMT, UC_READ | UC_RETRIED | UC_STATEMENT)                \
    X(12, run, 3, 3, STMT, UC_STATEMENT)                                       \
    X(13, json, 3, 3, STMT, UC_READ | UC_RETRIED | UC_STATEMENT)               \
    X(14, many, 4, 4, WRITE, 0)                                                \
    X(15, batch, 1, 1, WRITE, 0)                                               \
    X(16, exec, 1, 1, WRITE, 0)                                                \
    X(20, cursor_open, 4, 4, STMT, UC_READ | UC_STATEMENT)                     \
    X(21, cursor_next, 2, 2, PIN, UC_READ | UC_BOUND)                          \
    X(22, cursor_close, 1, 1, PIN, UC_READ | UC_BOUND)                         \
    X(30, tx_begin, 0, 1, WRITE, 0)                                            \
    X(31, tx_end, 2, 2, PIN, UC_BOUND)                                         \
    X(32, savepoint, 3, 3, PIN, UC_BOUND)                                      \
    X(35, snap_begin, 0, 0, READ, UC_READ)                                     \
    X(36, snap_end, 1, 1, PIN, UC_READ | UC_BOUND)                             \
    X(40, backup_begin, 1, 1, READ, 0)                                         \
    X(41, backup_step, 2, 2, PIN, UC_BOUND)                                    \
    X(42, backup_end, 1, 1, PIN, UC_BOUND)                                     \
    X(43, restore, 1, 1, WRITE, 0)                                             \
    X(44, migrate_apply, 5, 5, WRITE, 0)                                       \
    X(45, checkpoint, 1, 1, WRITE, 0)                                          \
    X(46, copy_open, 1, 1, WRITE, UC_BOUND)                                    \
    X(47, copy_put, 1, 1, WRITE, UC_BOUND)                                     \
    X(48, copy_get, 0, 0, WRITE, UC_BOUND)                                     \
    X(49, copy_end, 1, 1, WRITE, UC_BOUND)                                     \
    X(50, watch, 2, 2, INLINE, UC_STANDS | UC_ENDLESS)                         \
    X(51, listen, 2, 2, INLINE, UC_STANDS | UC_ENDLESS)                        \
    X(52, door, 0, 0, INLINE, UC_READ)                                         \
    X(60, cache_get, 1, 1, CACHE, UC_READ | UC_RETRIED | UC_REPEATS)           \
    X(61, cache_read, 1, 1, CACHE, UC_READ | UC_RETRIED | UC_REPEATS)          \
    X(62, cache_set, 3, 3, CACHE, UC_READ)                                     \
    X(63, cache_delete, 1, 1, CACHE, UC_READ)                                  \
    X(64, cache_get_many, 1, 1, CACHE, UC_READ | UC_RETRIED | UC_REPEATS)      \
    X(65, cache_set_many, 2, 2, CACHE, UC_READ)                                \
    X(66, cache_touch, 2, 2, CACHE, UC_READ)                                   \
    X(67, cache_ttl, 1, 1, CACHE, UC_READ | UC_RETRIED | UC_REPEATS)           \
    X(68, cache_incr, 3, 3, CACHE, UC_READ)                                    \
    X(69, cache_load, 2, 2, CACHE, UC_READ | UC_REPEATS | UC_STANDS)           \
    X(70, cache_loaded, 4, 4, CACHE, UC_READ | UC_BOUND)                       \
    X(71, cache_drop, 1, 1, CACHE, UC_READ)                                    \
    X(72, cache_clear, 0, 0, CACHE, UC_READ)                                   \
    X(73, cache_stats, 0, 0, CACHE, UC_READ | UC_RETRIED | UC_REPEATS)         \
    X(74, cache_hold, 1, 1, CACHE,                                             \
      UC_READ | UC_REPEATS | UC_BOUND | UC_STANDS | UC_ENDLESS)                \
    X(75, cache_cas, 4, 4, CACHE, UC_READ)                                     \
    X(80, log_open, 1, 1, LOG, UC_READ)                                        \
    X(81, log_put, 3, 3, LOG, UC_READ | UC_BOUND)                              \
    X(82, log_level, 1, 1, LOG, UC_READ)                                       \
    X(83, log_watch, 1, 1, LOG, UC_READ | UC_REPEATS | UC_STANDS | UC_ENDLESS) \
    X(84, log_flush, 1, 1, LOG, UC_READ | UC_REPEATS)                          \
    X(85, log_stats, 0, 0, LOG, UC_READ | UC_RETRIED | UC_REPEATS)             \
    X(90, routes_load, 2, 2, READ, UC_READ)                                    \
    X(91, request, 6, 6, ROUTE, 0)                                             \
    X(92, routes_drop, 1, 1, INLINE, UC_READ | UC_BOUND)

typedef enum uc_lane {
    UC_LANE_INLINE,
    UC_LANE_CACHE,
    UC_LANE_LOG,
    UC_LANE_STMT,
    UC_LANE_ROUTE,
    UC_LANE_READ,
    UC_LANE_WRITE,
    UC_LANE_PIN
} uc_lane;

/* The flags of the table, in the order of uc_op_flag_name. */
enum {
    UC_READ = 1 << 0,
    UC_REPEATS = 1 << 1,
    UC_RETRIED = 1 << 2,
    UC_STATEMENT = 1 << 3,
    UC_BOUND = 1 << 4,
    UC_STANDS = 1 << 5,
    UC_ENDLESS = 1 << 6,
    UC_URGENT = 1 << 7
};

enum {
#define X(num, name, lo, hi, lane, flags) UC_OP_##name = num,
    UC_OP_MAP(X)
#undef X
};

typedef struct uc_op {
    uint8_t num;
    uint8_t lo, hi; /* arguments */
    uint8_t lane;   /* uc_lane */
    uint8_t flags;  /* UC_READ and the others */
    const char *name;
} uc_op;

/* NULL for a number that is not in the table. */
const uc_op *uc_op_find(uint32_t num);
/* The i-th op in the order of the table, NULL past the end. */
const uc_op *uc_op_at(uint32_t i);
/* The name of the lane, a static string. */
const char *uc_lane_name(uint32_t lane);
/* The name of flag 1 << i, a static string; NULL past the end. */
const char *uc_op_flag_name(uint32_t i);

/* Whether operation num has any of the flags. */
static inline bool uc_op_is(uint32_t num, unsigned flags)
{
    const uc_op *op = uc_op_find(num);

    return op != NULL && (op->flags & flags) != 0;
}

#endif

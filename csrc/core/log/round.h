#ifndef UC_CORE_LOG_ROUND_H
#define UC_CORE_LOG_ROUND_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "log/file.h"
#include "log/log.h"

/*
 * Since when the clock has gone as time does: two readings of one moment. It is
 * the owners' of a directory, one after the other, and holds for one start of
 * the machine. Anything may stand in it.
 */
typedef struct uc_logpace {
    uint64_t boot[2];
    int64_t wall_ms, steady_ms;
} uc_logpace;

/* What the archive's thread shares with those who call it. */
typedef struct uc_logduty {
    const uc_log_options *o;
    uc_logpace *pace; /* the round's alone */
    uint64_t boot[2];
    atomic_bool stop;
    atomic_ullong pokes;
    atomic_ullong archived, deleted; /* files */
} uc_logduty;

#define UC_LOGROUND_ERROR 200

/*
 * One look at the directory and what is done about it: what a crash has left,
 * what is too old, what is to be packed, and what is too much. Ends early when
 * `stop` is set, and behind a file that was packed when `pokes` is not what it
 * was. error: what went wrong first, or "".
 */
void uc__log_round(uc_logduty *duty, const uc_logmark *current, uint64_t pokes,
                   char error[UC_LOGROUND_ERROR]);

#endif

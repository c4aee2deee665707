#ifndef UC_CORE_LOG_DRAIN_H
#define UC_CORE_LOG_DRAIN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "log/log.h"
#include "log/place.h"

/*
 * The owner's work: from all rings of a directory into its files. One thread.
 *
 * Exactly once, by this order: lines are appended to the file; how far it is
 * valid and up to where the rings are in it is published, in one piece; the
 * rings' tails are raised. What was appended and not published a new owner cuts
 * off and writes again; what was published and not raised it raises. (uc_place
 * has what is published, uc_logfile_open cuts off.)
 */
typedef struct uc_drain uc_drain;

/* The claimed place's; both are borrowed. NULL: out of memory. */
uc_drain *uc_drain_new(const uc_log_options *o, uc_place *p);
/* Before the beginning: it only appends. No file is archived or deleted. */
void uc_drain_keep_files(uc_drain *d);
/* Writes nothing more. d may be NULL. */
void uc_drain_free(uc_drain *d);

/*
 * Opens the file and takes up the rings where the last owner has got to. False:
 * uc_log_open's errors. It need not be repeated when the disk was full, which
 * uc_drain_run does; until then the drain is stalled.
 */
bool uc_drain_begin(uc_drain *d, uc_error *e);
/* Some ring holds something. Before or after the beginning. */
bool uc_drain_has_lines(uc_drain *d);

/* A ring of this process, which is mapped already; also one that is in memory
 * alone. False: out of memory. */
bool uc_drain_adopt(uc_drain *d, uc_ring *r);
void uc_drain_disown(uc_drain *d, const uc_ring *r);

/*
 * Writes a part of what there is, looks after files and rings, and does what
 * was asked for in the page of control. True: there is more, and nothing speaks
 * against going on at once. *next: when it wants to be called again if nothing
 * happens, in uc_now()'s terms.
 */
bool uc_drain_run(uc_drain *d, int64_t now, int64_t *next);
/* The last run has written something. */
bool uc_drain_was_busy(const uc_drain *d);
/* What was there was more than it could take at once. */
bool uc_drain_is_behind(const uc_drain *d);

/* False: it is said and counted, here too. */
bool uc_drain_sync(uc_drain *d, uc_error *e);

/* Counted for uc_log_stats. Any thread. */
typedef struct uc_drain_stats {
    _Atomic bool stalled;
    _Atomic uint64_t files, archived, deleted, unreadable;
    uc_log_text error;
} uc_drain_stats;

uc_drain_stats *uc_drain_get_stats(uc_drain *d);

/* A line of the log's own, of the form that its users' lines have: level, msg,
 * and a number under a name. Returns its length. */
size_t uc__log_line(char *out, size_t size, const uc_log_options *o, int level,
                    const char *key, uint64_t value, const char *fmt, ...)
    __attribute__((format(printf, 7, 8)));

#endif

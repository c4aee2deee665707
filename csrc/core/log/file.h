#ifndef UC_CORE_LOG_FILE_H
#define UC_CORE_LOG_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "common/err.h"
#include "log/log.h"

/*
 * The file that grows, dir/<name>-<UTC day>.<number>.log, and what it is
 * followed by. Used by the one thread that drains the rings. Errors of the
 * system are UC_LOG_IO or UC_ACCESS, with the errno as `native`.
 */
typedef struct uc_logfile uc_logfile;

/* Which file, and how much of it is valid. */
typedef struct uc_logmark {
    uint32_t day; /* since 1970, UTC */
    uint32_t number;
    uint64_t offset; /* bytes */
} uc_logmark;

/*
 * Takes up the published file and cuts off what is behind its mark. NULL:
 * nothing is known of this boot, so it is the newest one, whose torn last line
 * is cut off. The caller publishes the mark before the first append, or the
 * next owner would not know what to cut off. o is borrowed for as long as the
 * file is open.
 */
uc_logfile *uc_logfile_open(const uc_log_options *o,
                            const uc_logmark *published, uc_error *e);
/* f may be NULL. Syncs nothing. */
void uc_logfile_close(uc_logfile *f);

/* All or nothing: after a failure (ENOSPC, EIO) the file is what it was. */
bool uc_logfile_append(uc_logfile *f, const struct iovec *iov, int n,
                       uc_error *e);
/* Before an append of so many bytes: begins another file if the day, the size,
 * a request or a file that was moved asks for it. The mark may be another one
 * then, or a lower one when somebody has truncated the file; the caller
 * publishes it before it appends. */
bool uc_logfile_turn(uc_logfile *f, uint64_t coming, uc_error *e);
void uc_logfile_mark(const uc_logfile *f, uc_logmark *mark);

/* What is due: a sync, which another thread does, and a look whether the file
 * was moved. The mark stays. *next: when to call again, in uc_now()'s terms.
 * False: a sync has failed since the last call; said once. */
bool uc_logfile_tick(uc_logfile *f, int64_t now, int64_t *next, uc_error *e);
/* Waits until all that was appended is on the disk. */
bool uc_logfile_sync(uc_logfile *f, uc_error *e);

/* Done by the next turn. */
void uc_logfile_reopen(uc_logfile *f);
void uc_logfile_rotate(uc_logfile *f);

/* Files begun since the open. */
uint64_t uc_logfile_count(const uc_logfile *f);

#endif

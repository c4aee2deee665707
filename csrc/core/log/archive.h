#ifndef UC_CORE_LOG_ARCHIVE_H
#define UC_CORE_LOG_ARCHIVE_H

#include <stdint.h>

#include "common/err.h"
#include "log/file.h"
#include "log/log.h"

/*
 * A thread of little importance that compresses the files which are not written
 * any more and deletes the oldest ones.
 */
typedef struct uc_archive uc_archive;

/* o is borrowed until the stop. */
uc_archive *uc_archive_start(const uc_log_options *o, uc_error *e);
/* There may be something to do; current is not to be touched. Any thread. */
void uc_archive_poke(uc_archive *a, const uc_logmark *current);
/* Within 100 ms, also amid a file. a may be NULL. */
void uc_archive_stop(uc_archive *a);
/* Files since the start. Any thread. */
void uc_archive_counts(uc_archive *a, uint64_t *archived, uint64_t *deleted);

#endif

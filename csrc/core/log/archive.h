#ifndef UC_CORE_LOG_ARCHIVE_H
#define UC_CORE_LOG_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "log/file.h"
#include "log/log.h"
#include "log/round.h"

/*
 * A thread of little importance that compresses the files which are not written
 * any more, and deletes the oldest ones. A file goes when its archive has been
 * read again, unpacked and found to be the same; what a crash leaves at any
 * step is brought to its end by the next owner.
 *
 * By age a file goes when the day in its name and the time of its last change
 * are both older than keep_ms. Of the two, what lies in the future says
 * nothing: that clock was wrong. And none goes by age
 * before the clock has gone as time does for five minutes, which begin anew
 * when it is set by more than an hour: one that was set ahead by mistake would
 * have all of them deleted.
 */
typedef struct uc_archive uc_archive;

/* o is borrowed until the stop. Nothing is done before the first poke. NULL:
 * UC_MEMORY. */
uc_archive *uc_archive_start(const uc_log_options *o, uc_error *e);
/* Before the first poke: what the last owner knew of the clock, at this start
 * of the machine (0 and 0: nobody can say which), and what this one comes to
 * know. Borrowed until the stop. */
void uc_archive_remember(uc_archive *a, uc_logpace *pace,
                         const uint64_t boot[2]);
/* There may be something to do; current and what is behind it is not touched.
 * Call it when a new mark has been published. Any thread. */
void uc_archive_poke(uc_archive *a, const uc_logmark *current);
/* Within 100 ms, also amid a file, unless the disk does not answer. a may be
 * NULL. */
void uc_archive_stop(uc_archive *a);

/* Until all is done that the pokes so far ask for; false when the time
 * (uc_now()'s terms) is up. Any thread. */
bool uc_archive_wait(uc_archive *a, int64_t until);
/* Files since the start. Any thread. */
void uc_archive_counts(uc_archive *a, uint64_t *archived, uint64_t *deleted);
/* What the last round could not do, or "". Any thread. */
void uc_archive_error(uc_archive *a, char *text, size_t size);

#endif

#ifndef UC_CORE_LOG_SPOOL_H
#define UC_CORE_LOG_SPOOL_H

#include "log/log.h"

/*
 * Lines that a client could not send, or may not lose: it writes them into a
 * file <dir>/.rings/spool/<client id, 32 hex digits> itself, and the daemon
 * takes them in by their numbers when the client is not connected. A file with
 * ".done" at its end will not be written any more and goes when it has been
 * taken in; another one goes when it has been left alone for a minute, as the
 * client may still be there, without a connection.
 *
 * The file is a sequence of records, all integers little endian:
 *   u32 0x50534355, u32 bytes, u32 lines, u32 0, u64 number of the last line,
 *   the lines, each with its \n, padded with zeros to 8 bytes
 * A record that is cut off, or is none, ends it.
 */
enum { UC_SPOOL_HEAD = 24 };
#define UC_SPOOL_MAGIC 0x50534355u

/* The files that have been looked at, and how far each has been taken in, so
 * that a large one is read once, in small steps. Begins as {0}. Of one log. */
typedef struct uc_spools {
    struct uc_spool *first;
} uc_spools;

/* The client of these is connected, and may make its file anew; or with NULL
 * all of them, at the end. */
void uc_log_spools_forget(uc_spools *s, const uint8_t *client);

/* Makes the directory. False when that is not possible: there are no spools. */
bool uc_log_spool_init(const char *dir);

/* Puts lines that a client has numbered into the ring: as many records as it
 * takes, without those that are there already. False when the ring is full;
 * then some of them may be in it. Lines that are too long for the ring are left
 * out and added to *lost. */
bool uc_log_take(uc_log *log, const uint8_t client[16], uint64_t last,
                 uint32_t count, const uint8_t *lines, size_t len,
                 uint64_t *lost);

/*
 * Takes in the spools of one client, or of all with client NULL, but for those
 * for which busy(arg, client) is true: about `budget` bytes, or until the ring
 * is full. *more: it has not come to the end of them. Returns how many files
 * are still there, for whatever reason; one that cannot be taken in is told
 * once, in a line of the log.
 */
unsigned uc_log_spool_take(uc_spools *s, uc_log *log, const char *dir,
                           const uint8_t *client,
                           bool (*busy)(void *arg, const uint8_t client[16]),
                           void *arg, uint64_t budget, bool *more,
                           uint64_t *lost);

#endif

#ifndef UC_TEST_SHIM_VFS_H
#define UC_TEST_SHIM_VFS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A VFS over the default one, registered as the default. It counts what
 * changes files, fails the n-th of it, and can record the writes and syncs of
 * every file so that the test can rebuild what a power cut leaves. Any thread.
 */
typedef enum shim_op { SHIM_WRITE, SHIM_SYNC, SHIM_TRUNCATE } shim_op;

/* Before any session is opened. */
void shim_install(void);

/*
 * From now on the n-th operation of that kind (1 = the next one) and, with
 * `stay`, all that follow fail with rc (SQLITE_IOERR_WRITE, SQLITE_FULL, ...).
 * n 0: nothing fails any more. Returns how many there were since the last call.
 */
uint64_t shim_fail(shim_op op, uint64_t n, int rc, bool stay);

/* Forgets what was recorded and records from now on, or stops. */
void shim_record(bool on);

/*
 * How far the recording is: a moment at which the power may be cut. Taken
 * before an acknowledgement is read, it is before that acknowledgement.
 */
uint64_t shim_now(void);

/*
 * Writes into the folder `to` what the files would hold if the power had gone
 * at that moment: what was synced, and of the writes and truncations since,
 * in their order, those that the dice of `seed` keep (0: none; one in eight
 * of those kept is torn at a sector of 512 bytes). The shared memory file is
 * not among them: it does not outlive the processes.
 */
bool shim_power_cut(uint64_t at, uint64_t seed, const char *to);

#endif

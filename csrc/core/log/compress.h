#ifndef UC_CORE_LOG_COMPRESS_H
#define UC_CORE_LOG_COMPRESS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "log/log.h"

/* What a file had in it. */
typedef struct uc_logsum {
    uint64_t len;
    uint32_t crc; /* CRC-32, as gzip has it */
} uc_logsum;

/*
 * Reads `from` to its end and writes it compressed to `to`; *sum is what was
 * read. False: UC_ABORTED when *stop became true, which is looked at every few
 * milliseconds; UC_MEMORY; or UC_LOG_IO, with e->native.
 */
bool uc__log_pack(uc_log_compress kind, int from, int to, uc_logsum *sum,
                  const atomic_bool *stop, uc_error *e);

/* What `from` has in it once it is unpacked, or as it is (UC_LOG_PLAIN). False
 * as above; UC_LOG_IO without e->native: it is no whole archive. */
bool uc__log_sum(uc_log_compress kind, int from, uc_logsum *sum,
                 const atomic_bool *stop, uc_error *e);

#endif

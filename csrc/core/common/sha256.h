#ifndef UC_CORE_COMMON_SHA256_H
#define UC_CORE_COMMON_SHA256_H

#include "common/view.h"

/*
 * SHA-256 of a short text: what a session's token is known by. Written after
 * FIPS 180-4 (doi.org/10.6028/NIST.FIPS.180-4), whose sections are named; it
 * is no fast one for files. Its time depends on the length alone. Any thread,
 * no memory.
 */
enum { UC_SHA256_BYTES = 32 };

void uc_sha256(uc_view text, uint8_t out[UC_SHA256_BYTES]);

#endif

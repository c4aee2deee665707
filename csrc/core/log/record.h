#ifndef UC_CORE_LOG_RECORD_H
#define UC_CORE_LOG_RECORD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/mix.h"
#include "log/ring.h"

/*
 * What a ring consists of: a header, bytes, padding to 8. The header has the
 * record's own position, so that what is left from an earlier lap, or was never
 * a header, is seen at once, and a check over it and the bytes.
 */
typedef struct uc__record {
    uint32_t len; /* of the bytes; UC__SKIP: the rest of the lap is empty */
    uint32_t check;
    uint64_t pos;
} uc__record;

#define UC__SKIP UINT32_MAX

static inline uint64_t uc__record_size(uint32_t len)
{
    return sizeof(uc__record) + (((uint64_t)len + 7) & ~(uint64_t)7);
}

/* Two lanes, since one folded multiplication has to wait for the one before. */
static inline uint64_t uc__record_hash(uint64_t salt, uint64_t pos,
                                       const uint8_t *p, size_t n)
{
    uint64_t a = uc_fold(pos ^ UC_MIX_1, salt ^ UC_MIX_2) ^ n;
    uint64_t b = salt ^ UC_MIX_3, tail = 0;

    for (; n >= 32; n -= 32, p += 32) {
        a = uc_fold(uc_load8(p) ^ a, uc_load8(p + 8) ^ UC_MIX_2);
        b = uc_fold(uc_load8(p + 16) ^ b, uc_load8(p + 24) ^ UC_MIX_1);
    }
    for (; n >= 8; n -= 8, p += 8)
        a = uc_fold(uc_load8(p) ^ a, UC_MIX_3);
    if (n > 0)
        memcpy(&tail, p, n);
    return uc_fold(a ^ tail, b ^ UC_MIX_2);
}

static inline uint32_t uc__record_check(uint64_t salt, uint64_t pos,
                                        const uint8_t *p, size_t n)
{
    uint64_t h = uc__record_hash(salt, pos, p, n);

    return (uint32_t)(h ^ h >> 32);
}

/* clients.c, for ring.c and record.c */

/* What `from` knows, as if it had been put before everything else. */
void uc__clients_copy(uc_ring *to, const uc_ring *from);
/* Forgets what was being written when the last producer ended: the head has not
 * got there, and will. */
void uc__clients_take_up(uc_ring *r);

/* record.c */

/* Between two positions, records that were made with another ring's salt. */
void uc__records_resalt(uc_ring *r, uint64_t salt, uint64_t from, uint64_t to);
/* Where a record of this size will end; 0 when there is no room. Then, after
 * what depends on that is written, puts it. */
uint64_t uc__record_room(uc_ring *r, uint32_t len);
void uc__record_put(uc_ring *r, const uint8_t *p, uint32_t len);

#endif

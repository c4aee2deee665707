#ifndef UC_CORE_WIRE_WRITER_H
#define UC_CORE_WIRE_WRITER_H

#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"

/*
 * msgpack out. Replies that are not rows are packed by msgpack-c (uc_pack_*);
 * the fixed-width and row encodings below are our own because they are on the
 * path of every row, and a test reads them back with msgpack-c.
 */
void uc_pack_nil(uc_buf *b);
void uc_pack_bool(uc_buf *b, bool v);
void uc_pack_uint(uc_buf *b, uint64_t v);
void uc_pack_int(uc_buf *b, int64_t v);
void uc_pack_double(uc_buf *b, double v);
void uc__pack_any_strn(uc_buf *b, const void *s, size_t n);

/* Most are short. */
static inline void uc_pack_strn(uc_buf *b, const void *s, size_t n)
{
    if (n >= 32 || !uc_buf_reserve(b, n + 1)) {
        uc__pack_any_strn(b, s, n);
        return;
    }
    b->p[b->len] = (uint8_t)(0xa0 | n);
    if (n > 0)
        memcpy(b->p + b->len + 1, s, n);
    b->len += n + 1;
}

static inline void uc_pack_str(uc_buf *b, const char *s)
{
    uc_pack_strn(b, s, strlen(s));
}

void uc_pack_array(uc_buf *b, uint32_t n);
void uc_pack_map(uc_buf *b, uint32_t n);

static inline void uc_put_be32(uint8_t *p, uint32_t v)
{
    v = __builtin_bswap32(v);
    memcpy(p, &v, 4);
}

/* ce + u32: always five bytes, so that readers find what follows blindly. */
static inline uint8_t *uc_emit_u32(uint8_t *p, uint32_t v)
{
    *p = 0xce;
    uc_put_be32(p + 1, v);
    return p + 5;
}

/* The shortest form; at most 9 bytes. Returns the end. */
uint8_t *uc_emit_int(uint8_t *p, int64_t v);
/* cb + 8 bytes. */
uint8_t *uc_emit_double(uint8_t *p, double v);
/* A str or bin header for n; at most 5 bytes. */
uint8_t *uc_emit_str_header(uint8_t *p, uint32_t n);
uint8_t *uc_emit_bin_header(uint8_t *p, uint32_t n);
/* An ext header of a length that is written out; at most 6 bytes. */
uint8_t *uc_emit_ext_header(uint8_t *p, uint32_t n, uint8_t type);

/* [id, kind, then what the caller appends]; n: elements of the array. */
void uc_reply_begin(uc_buf *b, uint32_t id, uint8_t kind, uint8_t n);
/* A whole error reply (kind 1). */
void uc_reply_error(uc_buf *b, uint32_t id, const uc_error *e);

/* Reply kinds. */
enum {
    UC_REPLY_VALUE = 0,
    UC_REPLY_ERROR = 1,
    UC_REPLY_ROWS = 2,
    UC_REPLY_RUN = 3,
    UC_REPLY_BYTES = 4,
    UC_REPLY_MULTI = 5,
    UC_REPLY_ANSWER = 6 /* see answer.h */
};

#endif

#ifndef UC_CORE_WIRE_READER_H
#define UC_CORE_WIRE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/view.h"

/*
 * A pull reader of msgpack (github.com/msgpack/msgpack/blob/master/spec.md)
 * over borrowed bytes. It allocates nothing, checks each length and each count
 * against the bytes that are left before it believes them, and never reads
 * past the end. Parameters are bound straight from it: building msgpack-c's
 * object tree first costs 3 to 4 times as much a request (bench/c).
 *
 * One thread. Views point into the caller's bytes.
 */
typedef enum uc_type {
    UC_T_NIL,
    UC_T_BOOL,
    UC_T_INT,
    UC_T_UINT, /* only values above INT64_MAX */
    UC_T_DOUBLE,
    UC_T_STR,
    UC_T_BIN,
    UC_T_ARRAY,
    UC_T_MAP
} uc_type;

typedef struct uc_value {
    uc_type type;
    union {
        bool b;
        int64_t i;
        uint64_t u;
        double d;
        uc_view s;  /* STR, BIN */
        uint32_t n; /* ARRAY: elements, MAP: pairs; they follow */
    };
} uc_value;

typedef struct uc_reader {
    const uint8_t *p;
    const uint8_t *end;
} uc_reader;

/* The next token. False: cut off, an ext type, or the reserved byte c1. */
bool uc_read(uc_reader *r, uc_value *v);

/* Skips one whole value. False also when it nests deeper than UC_MAX_DEPTH. */
bool uc_read_skip(uc_reader *r);

/* Typed forms; false when the next token is another type or out of range. */
bool uc_read_u64(uc_reader *r, uint64_t *n);
bool uc_read_bool(uc_reader *r, bool *b);

/* Of any form; see those without `any`. */
bool uc__read_any_u32(uc_reader *r, uint32_t *n);
bool uc__read_any_str(uc_reader *r, uc_view *s);
bool uc__read_any_array(uc_reader *r, uint32_t *n);

/* What most are in a request: of one byte, or a frame's own of four. */
static inline bool uc_read_u32(uc_reader *r, uint32_t *n)
{
    if (r->p < r->end && *r->p <= 0x7f) {
        *n = *r->p++;
        return true;
    }
    if (r->end - r->p >= 5 && *r->p == 0xce) {
        memcpy(n, r->p + 1, sizeof *n);
        *n = __builtin_bswap32(*n);
        r->p += 5;
        return true;
    }
    return uc__read_any_u32(r, n);
}

/* Up to 31 bytes. */
static inline bool uc_read_str(uc_reader *r, uc_view *s)
{
    if (r->p < r->end && (*r->p & 0xe0) == 0xa0 &&
        (size_t)(r->end - r->p) > (*r->p & 0x1fu)) {
        *s = (uc_view){r->p + 1, *r->p & 0x1fu};
        r->p += 1 + s->len;
        return true;
    }
    return uc__read_any_str(r, s);
}

/* Up to 15 elements. */
static inline bool uc_read_array(uc_reader *r, uint32_t *n)
{
    if (r->p < r->end && (*r->p & 0xf0) == 0x90 &&
        (size_t)(r->end - r->p) > (*r->p & 0x0fu)) {
        *n = *r->p++ & 0x0fu;
        return true;
    }
    return uc__read_any_array(r, n);
}

enum { UC_MAX_DEPTH = 32 };

#endif

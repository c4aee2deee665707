#ifndef UC_CORE_WIRE_JSON_H
#define UC_CORE_WIRE_JSON_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/digits.h"
#include "common/view.h"

/*
 * JSON as JSON.stringify would print it, with these definitions: a blob is a
 * base64 string (RFC 4648), an infinite double and a NaN are null, integers
 * are printed with all their digits whatever their size.
 *
 * All append to b and leave it as it is when it has failed; look at b->failed
 * at the end. One thread at a time. What is handed in is copied.
 */

/*
 * A reply of kind 4 that holds one array: what comes between the two are its
 * elements, with a comma in front of each but the first. Returns what
 * uc_json_end wants to know.
 */
size_t uc_json_begin(uc_buf *b, uint32_t id);
void uc_json_end(uc_buf *b, size_t at);

/*
 * What stands before a value in an object, which only the closing brace is
 * missing from after the last one: {"name": for the first key, ,"name": for
 * the others.
 */
void uc_json_key(uc_buf *b, bool first, uc_view name);

static inline void uc_json_null(uc_buf *b)
{
    uc_buf_put(b, "null", 4);
}

static inline void uc_json_int(uc_buf *b, int64_t v)
{
    if (uc_buf_reserve(b, 21))
        b->len = (size_t)(uc_emit_digits(b->p + b->len, v) - b->p);
}

void uc_json_double(uc_buf *b, double v);
/* What is not UTF-8 is repaired. s.p may be NULL when it is empty. */
void uc_json_text(uc_buf *b, uc_view s);
void uc_json_blob(uc_buf *b, uc_view s);

#endif

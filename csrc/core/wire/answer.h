#ifndef UC_CORE_WIRE_ANSWER_H
#define UC_CORE_WIRE_ANSWER_H

#include "common/buf.h"
#include "common/view.h"

/*
 * The reply of a request to a route, kind 6:
 *   [id, 6, status, type, body, headers]
 * type is the media type as a str, empty where the body is; the body a bin32,
 * whose length is filled in at its end; the headers an array of str, name and
 * value in turn, after the body, because a row may name some of them.
 *
 * Appends to b; look at b->failed at the end. What is handed in is copied.
 */

/* What comes next is the body. Returns what uc_answer_end wants to know. */
size_t uc_answer_begin(uc_buf *b, uint32_t id, unsigned status, uc_view type);
/* The body is over; nheaders pairs of str follow. */
void uc_answer_end(uc_buf *b, size_t at, uint32_t nheaders);
/* Of the body so far. */
size_t uc_answer_length(const uc_buf *b, size_t at);

#endif

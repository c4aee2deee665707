#ifndef UC_CORE_ROUTES_LINE_H
#define UC_CORE_ROUTES_LINE_H

#include "common/arena.h"

/* The words of a tag's line, one after the other. */
typedef struct uc__line {
    const uint8_t *p, *end;
} uc__line;

/* The next run of what is no blank; len 0 at the end. */
uc_view uc__line_word(uc__line *l);
/* The same, and it stays. */
uc_view uc__line_peek(uc__line *l);
/* What is left, without blanks around it. */
uc_view uc__line_rest(uc__line *l);

/*
 * A text in quotes, as SQL has it: 'it''s'. p is at the quote. False: it has no
 * end. When there is no memory out->p is NULL.
 */
bool uc__line_quoted(uc__line *l, uc_arena *mem, uc_view *out);

/* All of v as an integer of 64 bits: digits, and a sign before them. */
bool uc__int_of(uc_view v, int64_t *n);
/* 500ms, 1s, 5m, 2h, 1d: more than nothing, and at most 366d. */
bool uc__time_of(uc_view v, int64_t *ms);
/* Without blanks, and ends of lines, around it. */
uc_view uc__trimmed(uc_view v);

#endif

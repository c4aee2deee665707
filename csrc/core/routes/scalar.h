#ifndef UC_CORE_ROUTES_SCALAR_H
#define UC_CORE_ROUTES_SCALAR_H

#include "common/arena.h"
#include "common/view.h"

/*
 * Single values from text that is all of the value: no blanks around it and
 * nothing behind it. None depends on the locale.
 */

typedef enum uc_number {
    UC_NUMBER_NONE, /* it is none */
    UC_NUMBER_FITS,
    UC_NUMBER_BEYOND /* *v is the nearest there is: a limit, or infinity */
} uc_number;

/* -?(0|[1-9][0-9]*), 64 bits. -0 is 0. */
uc_number uc__integer_of_text(uc_view s, int64_t *v);
/* A number of JSON. -0 is 0. NONE also without memory (mem->failed), which only
 * a number of many digits takes. */
uc_number uc__real_of_text(uc_view s, uc_arena *mem, double *v);

enum { UC_TIME_LENGTH = 24, UC_UUID_LENGTH = 36 };

/*
 * ISO 8601: 2026-11-30, which is midnight in UTC; or 2026-11-30T13:00 with
 * seconds and up to nine digits behind them or not, then Z or ±hh:mm. What has
 * no zone means another moment on each machine, and is refused. Written to p as
 * 2026-11-30T13:00:00.000Z; what is finer than a millisecond is cut off. Years
 * 0001 to 9999, in UTC as well; no 24:00 and no leap second.
 */
bool uc__time_of_text(uc_view s, uint8_t p[UC_TIME_LENGTH]);

/* 8-4-4-4-12 hexadecimal digits, written to p in lower case. */
bool uc__uuid_of_text(uc_view s, uint8_t p[UC_UUID_LENGTH]);

/* RFC 4648 section 4, with its padding and no bits left over: each value has
 * one text. p has room for s.len / 4 * 3 bytes. */
bool uc__base64_of_text(uc_view s, uint8_t *p, size_t *n);

#endif

#ifndef UC_CORE_COMMON_NEAR_H
#define UC_CORE_COMMON_NEAR_H

#include "common/view.h"

/*
 * What somebody meant who mistyped a word: of all names that are tried the
 * nearest, whatever the case of its letters. Up to three edits, fewer in a
 * short word; or one is the beginning of the other. One thread; names have to
 * stay.
 */
typedef struct uc_near {
    uc_view word;
    uc_view best; /* p NULL: none is near */
    unsigned edits;
} uc_near;

/* word: what was written. */
void uc_near_init(uc_near *n, uc_view word);
/* Of two that are equally near the first wins. */
void uc_near_try(uc_near *n, uc_view name);
void uc_near_try_text(uc_near *n, const char *name);

#endif

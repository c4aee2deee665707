#ifndef UC_CORE_ROUTES_RANGE_H
#define UC_CORE_ROUTES_RANGE_H

#include "common/arena.h"
#include "routes/routes.h"

/* The bounds of a parameter, and the sentences for what is outside of them.
 * All return false with *why, a static text or one in mem. */

bool uc__says(uc_view *why, const char *sentence);

/* What a range counts. */
typedef struct uc_unit {
    const char *one, *many; /* "character", "characters" */
    uint64_t most;          /* where the parameter names no bound */
} uc_unit;

bool uc__count_within(const uc_param *p, uint64_t n, const uc_unit *unit,
                      uc_arena *mem, uc_view *why);

/* These take the nearest bound instead where the parameter says so. */
bool uc__integer_within(const uc_param *p, int64_t *v, bool beyond,
                        uc_arena *mem, uc_view *why);
bool uc__real_within(const uc_param *p, double *v, uc_arena *mem, uc_view *why);

#endif

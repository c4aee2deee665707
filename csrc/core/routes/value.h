#ifndef UC_CORE_ROUTES_VALUE_H
#define UC_CORE_ROUTES_VALUE_H

#include "common/arena.h"
#include "routes/routes.h"

struct json_t; /* jansson's */

/*
 * From what a caller wrote to what is bound. All return false with a sentence
 * in *why ("must be between 0 and 150"), a static text or one in mem; what they
 * make of a value points into the text or into mem. Without memory mem has
 * failed, and *why says nothing.
 */

/* Of a query, a header or a preset: text alone, decoded. A list has a comma
 * between two entries, and none of an empty text; one of json is an array. */
bool uc_value_of_text(const uc_param *p, uc_view text, uc_arena *mem,
                      uc_arg *arg, uc_view *why);
/* Of a JSON body: strict, "4" is no 4. But 4.0 is 4, as JSON knows numbers and
 * no integers; not beyond 2^53, where a double stands for several. null is null
 * where the parameter is optional. */
bool uc_value_of_json(const uc_param *p, const struct json_t *v, uc_arena *mem,
                      uc_arg *arg, uc_view *why);

#endif

#ifndef UC_CORE_ROUTES_PARAM_H
#define UC_CORE_ROUTES_PARAM_H

#include "routes/line.h"
#include "routes/reading.h"

/* What is behind @param and @header: a parameter more of the draft. False with
 * the error. */
bool uc__param_read(uc__reading *r, uc__line *l);
bool uc__header_read(uc__reading *r, uc__line *l);

/* lo..hi, both there: of @random. */
bool uc__range_of(uc_view v, int64_t *least, int64_t *most);

#endif

#ifndef UC_CORE_ROUTES_DRAFT_H
#define UC_CORE_ROUTES_DRAFT_H

#include "routes/line.h"
#include "routes/reading.h"

/* Behind @get or @post: ends the route before, and begins one with its path and
 * form. False with the error. */
bool uc__draft_begin(uc__reading *r, uc_method method, uc__line *l);

/* The file has ended, or another route begins: the route, if there is one, is
 * checked as a whole and put to those that are finished. */
bool uc__draft_end(uc__reading *r);

/* The next word as a form, `:many`. */
bool uc__form_read(uc__reading *r, uc__line *l, uc_form *form);

#endif

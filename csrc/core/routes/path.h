#ifndef UC_CORE_ROUTES_PATH_H
#define UC_CORE_ROUTES_PATH_H

#include "common/view.h"

/* What is wrong with a path, as the end of a sentence; NULL: nothing. */
const char *uc__path_fault(uc_view path);

#endif

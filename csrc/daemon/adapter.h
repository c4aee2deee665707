#ifndef UD_ADAPTER_H
#define UD_ADAPTER_H

#include "uc.h"

/* What the core does not have yet. */
enum { UC_OP_watch = 50, UC_HINT_ASSIST = 0 };
static inline void uc_assist(uc_session *s)
{
    (void)s;
}

#endif

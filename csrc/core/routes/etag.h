#ifndef UC_CORE_ROUTES_ETAG_H
#define UC_CORE_ROUTES_ETAG_H

#include "common/view.h"

/*
 * If-None-Match (RFC 9110, 13.1.2): a list of tags, or `*`. Tags are compared
 * weakly, so that W/"a" is "a": a proxy that compresses makes ours weak.
 */

/* Whether the tag, with its quotes, is in the list. */
bool uc_etag_listed(uc_view list, uc_view tag);
/* Whether the list is `*`: whatever there is. */
bool uc_etag_any(uc_view list);

#endif

#ifndef UC_CORE_ROUTES_AUDIT_H
#define UC_CORE_ROUTES_AUDIT_H

#include "routes/request.h"

/*
 * What a caller has sent, for those who ask later: a JSON object of names and
 * values, as far as they could be read. What is `secret` is not in it.
 *
 * For a line of a log it is bounded: long values are cut, and marked with …;
 * whole: all of them. Appends; look at out->failed at the end.
 */
void uc_request_params(const uc_request *q, bool whole, uc_buf *out);

/*
 * A target as a line of a log may show it: in the query, values of parameters
 * that are `secret` on any route of its path are [Redacted]. Appends.
 */
void uc_routes_target(const uc_routes *routes, uc_view target, uc_buf *out);

#endif

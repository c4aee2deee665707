#ifndef UC_CORE_ROUTES_DESCRIBE_H
#define UC_CORE_ROUTES_DESCRIBE_H

#include "common/buf.h"
#include "routes/routes.h"

/*
 * What a client is told of routes, as msgpack: csrc/WIRE.md has the maps. Look
 * at out->failed at the end.
 */

/* An array, in the order of files and lines. */
void uc_routes_describe(uc_buf *out, const uc_routes *routes);
/* An array of the headers that a request is read by: those of parameters, and
 * those of HTTP. */
void uc_routes_headers(uc_buf *out, const uc_routes *routes);

#endif

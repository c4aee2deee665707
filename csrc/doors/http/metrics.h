#ifndef UD_HTTP_METRICS_H
#define UD_HTTP_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "routes/routes.h"
#include "wire/reader.h"

/*
 * What has been asked for, counted, as text for Prometheus: its exposition
 * format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats). Any
 * thread.
 */
typedef struct http_metrics http_metrics;

/* Of one route, over all reloads. */
typedef struct http_count http_count;

/* NULL: no memory. */
http_metrics *http_metrics_new(void);
void http_metrics_free(http_metrics *m); /* may be NULL */

/* The one of a route; stays as long as m. route NULL, or one too many of them:
 * that of all others, whose label is empty: a caller must not choose labels. */
http_count *http_metrics_of(http_metrics *m, const uc_route *route);

/* limited: @rate has refused it. */
void http_metrics_add(http_count *c, unsigned status, int64_t ns, bool limited);
void http_metrics_connection(http_metrics *m);
void http_metrics_bytes(http_metrics *m, size_t received, size_t sent);

/* open: connections at the moment; stats, cache: the maps of the core's
 * operations stats and cache_stats, either may be empty. */
void http_metrics_write(http_metrics *m, uint64_t open, uc_reader stats,
                        uc_reader cache, uc_buf *out);

#endif

#ifndef UC_CORE_ROUTES_FITS_H
#define UC_CORE_ROUTES_FITS_H

#include "routes/html.h"

/*
 * Whether a template fits the statements of its route: each name is that of a
 * statement, or of a column where it stands. An engine tells the columns, of
 * each variant that it looks at: what one of them has may be named.
 */
typedef struct uc_fits {
    const uc_routes *set;
    const uc_route *route;
    uc_buf names; /* of columns: the statement, as a byte; the length, as 4; the
                     name */
    uint32_t columns[UC_ROUTE_STATEMENTS];
} uc_fits;

void uc_fits_init(uc_fits *f, const uc_routes *set, const uc_route *route);
void uc_fits_fini(uc_fits *f);
/* Statement i has n columns, which follow. */
void uc_fits_columns(uc_fits *f, uint32_t i, uint32_t n);
void uc_fits_column(uc_fits *f, uint32_t i, uc_view name);
/* False: "page.mustache:3: there is no 'mesage': did you mean 'message'?" */
bool uc_fits_check(const uc_fits *f, uc_error *e);

#endif

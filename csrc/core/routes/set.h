#ifndef UC_CORE_ROUTES_SET_H
#define UC_CORE_ROUTES_SET_H

#include <stdatomic.h>

#include "common/arena.h"
#include "common/thread.h"
#include "routes/routes.h"

/*
 * A set of routes. What is read from files does not change once it is handed
 * out; only variants of statements come to it.
 */
typedef struct uc__made uc__made; /* variant.c's */

struct uc_routes {
    _Atomic uint32_t refs;
    uc_arena mem;
    uint32_t nfiles;
    uc_source *files;
    uint32_t nroutes;
    uc_route *routes;
    uint32_t mask;   /* of the index: a power of two, less one */
    uint32_t *index; /* 1 + a route's number; 0: free */
    uc_mutex mu;     /* of `made`, and of making one */
    uc__made *made;  /* variants, to be freed with the set */
};

/* With copies of the files. NULL: no memory. */
uc_routes *uc__set_new(const uc_source *files, uint32_t n);

/*
 * Takes over n routes, a copy of which it makes. False: no memory, or with
 * *again a route that is there twice, as *before was.
 */
bool uc__set_fill(uc_routes *set, const uc_route *routes, uint32_t n,
                  const uc_route **again, const uc_route **before);

/* Of variant.c: frees what was made. */
void uc__variants_free(uc_routes *set);

#endif

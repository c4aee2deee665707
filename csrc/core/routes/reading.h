#ifndef UC_CORE_ROUTES_READING_H
#define UC_CORE_ROUTES_READING_H

#include "routes/bounds.h"
#include "routes/set.h"
#include "routes/sql.h"

/* What the files that read routes share: where they are, and the route that is
 * in the making. One thread. */

enum { UC__OWN_PARAMS = UC_ROUTE_PARAMS - UC_GIVENS }; /* of a file */

/* A route until its end is known; arrays are copied then. */
typedef struct uc__draft {
    bool open;
    uc_route route;
    bool has_form; /* one was named */
    bool has_auth;
    uint32_t nown;    /* parameters of the file, in front of the service's */
    uint64_t used;    /* by statements, or by @repeat */
    uint32_t seen;    /* 1 << place of a tag in the table of tags.c */
    uint32_t as_line; /* of the last @as; 0: there was none */
    bool as_waits;    /* it has no statement yet */
    uc_view as;
    uc_form as_form;
    uint32_t repeat_line, random_line, rate_line, audit_line;
    uc_view repeat;
    uc_param params[UC_ROUTE_PARAMS];
    uc_view roles[UC_ROUTE_WORDS];
    uc_say says[UC_ROUTE_WORDS];
    uc_view replies[UC_ROUTE_WORDS];
    uc_view page[UC_ROUTE_KEYS];
    uc_statement statements[UC_ROUTE_STATEMENTS];
    uc__bounds bounds[UC_ROUTE_STATEMENTS];
} uc__draft;

typedef struct uc__reading {
    uc_routes *set;
    uc_arena *mem; /* the set's */
    uc_error *e;
    uint32_t file;
    uint32_t line;   /* of the tag or statement that is read */
    uc_buf about;    /* words that stand before what comes next */
    uc_buf finished; /* uc_route by uc_route */
    uc__draft d;
} uc__reading;

/* "file:line: sentence". Returns false. */
__attribute__((format(printf, 3, 4))) bool
uc__wrong(uc__reading *r, uint32_t line, const char *fmt, ...);

/* No memory. Returns false. */
bool uc__no_memory(uc__reading *r);

/* What is shown of something that a file has: "%.*s", UC__SHOW(v). */
int uc__shown(uc_view v);
#define UC__SHOW(v) uc__shown(v), (const char *)(v).p

/* The place of a parameter, or -1. */
int uc__param_place(const uc__draft *d, uc_view name);

#endif

#ifndef UC_CORE_ROUTES_INPUT_H
#define UC_CORE_ROUTES_INPUT_H

#include "routes/request.h"

struct json_t; /* jansson's */

/*
 * Between the bytes of a request and its values: which parameters were sent,
 * and as what. A query and a body are looked through once, in their own order;
 * then the parameters are read in the order of the file, so that problems are
 * told in that order.
 */

enum { UC_INPUT_UNKNOWN = 8 }; /* names of unknown parameters that are told */

typedef struct uc_input {
    const uc_route *route;
    bool json;            /* from a body, but for those of headers */
    uint64_t sent, twice; /* 1 << place of a parameter */
    union {
        uc_view text; /* of a query: as it was written */
        const struct json_t *json;
    } of[UC_ROUTE_PARAMS];             /* of those that were sent */
    size_t nunknown;                   /* all of them */
    uc_view unknown[UC_INPUT_UNKNOWN]; /* the first */
} uc_input;

static inline uc_view uc__static(const char *s)
{
    return (uc_view){(const uint8_t *)s, strlen(s)};
}

/* False: the route has none of this name that a query or body may give. */
bool uc__input_find(const uc_input *in, uc_view name, uint32_t *place);
/* Notes that it was sent. True the first time. */
bool uc__input_sent(uc_input *in, uint32_t place);
void uc__input_unknown(uc_input *in, uc_view name);

/* ---- query.c: application/x-www-form-urlencoded -------------------------- */

/* Names are decoded into mem where that is needed; values are not yet. */
void uc__query_read(uc_input *in, uc_view query, uc_arena *mem);
/* Decodes %xx and +. *text points into raw where nothing is encoded. False
 * with *why, or without memory (mem->failed). */
bool uc__query_decode(uc_view raw, uc_arena *mem, uc_view *text, uc_view *why);

/* ---- body.c: JSON -------------------------------------------------------- */

/* Values point into q->mem. False with q's refusal. */
bool uc__body_read(uc_input *in, uc_request *q);

/* ---- admit.c: by its headers --------------------------------------------- */

/* How many headers have this name, and the value of the first. */
uint32_t uc__header(const uc_request *q, uc_view name, uc_view *value);
/* May this POST be read? False with q's refusal. */
bool uc__admit(uc_request *q, const uc_serving *serving);

/* ---- refuse.c ------------------------------------------------------------ */

/* A line of the request's text: `name: sentence`. */
void uc__problem(uc_request *q, uc_view name, uc_view sentence);
/* The lines of what no parameter is. Names are shown cut, and without what a
 * terminal or a log would obey. */
void uc__unknown(uc_request *q, const uc_input *in);

/* ---- request.c ----------------------------------------------------------- */

/* All of uc_request_read but finding the route, which is match.c's and comes
 * between the two. */
void uc__request_start(uc_request *q);
bool uc__request_take(uc_request *q, uc_view query, const uc_serving *serving);

#endif

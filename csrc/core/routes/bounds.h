#ifndef UC_CORE_ROUTES_BOUNDS_H
#define UC_CORE_ROUTES_BOUNDS_H

#include "routes/sql.h"

/* What a statement's text says about itself, before any engine has seen it. */

typedef enum uc__verb {
    UC__VERB_OTHER,
    UC__VERB_SELECT,
    UC__VERB_VALUES,
    UC__VERB_INSERT,
    UC__VERB_UPDATE,
    UC__VERB_DELETE
} uc__verb;

typedef struct uc__bounds {
    uc__verb verb;
    bool refuses; /* `as refuse` */
    bool ordered; /* `order by` */
    bool from;
    bool few;    /* one row, or those that stand in the text */
    bool within; /* all rows come from one query in parentheses, with a limit */
    enum {
        UC__LIMIT_NONE,
        UC__LIMIT_NUMBER,
        UC__LIMIT_PARAM,  /* its name: limit */
        UC__LIMIT_PIECE,  /* in a piece, so that it may be absent */
        UC__LIMIT_UNKNOWN /* something else */
    } limited;
    uc_view limit;
} uc__bounds;

/* sql has no fault in it. Only what stands outside of parentheses counts. */
void uc__bounds_of(uc_view sql, uc__bounds *b);

/* The verb that a keyword begins, or UC__VERB_OTHER. */
uc__verb uc__verb_of(const uc__token *t);

#endif

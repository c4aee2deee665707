#ifndef UC_CORE_ROUTES_FLAT_H
#define UC_CORE_ROUTES_FLAT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/view.h"

/*
 * Most bodies are an object of a few texts and numbers, for which jansson's
 * tables and buffers are most of the work. What is here reads those, and
 * nothing else: whatever is nested, escaped, at fault or merely unusual is left
 * to jansson, which also says what is wrong with it. So both take the same
 * texts for the same values.
 */

enum { UC_FLAT_MEMBERS = 16 };

typedef struct uc_flat_member {
    uc_view key; /* where it stands in the text, as its string is */
    enum {
        UC_FLAT_NULL,
        UC_FLAT_FALSE,
        UC_FLAT_TRUE,
        UC_FLAT_INTEGER,
        UC_FLAT_STRING
    } type;
    union {
        int64_t i;
        uc_view s;
    };
} uc_flat_member;

typedef struct uc_flat {
    uint32_t n;
    uc_flat_member members[UC_FLAT_MEMBERS]; /* each key once */
} uc_flat;

/* False: ask jansson. */
bool uc__flat_read(uc_view text, uc_flat *f);

#endif

#ifndef UC_CORE_DATA_SQLITE_TIMES_H
#define UC_CORE_DATA_SQLITE_TIMES_H

#include "data/sqlite/tag.h"

/*
 * The times of a request with @repeat, :_random and @cache: what one of them
 * answers is kept under its values, and given again without its statements.
 *
 * All times of a request are of one snapshot. One that is given again is of the
 * data that the tag says, one that runs is of the snapshot, which may be a
 * later one. So where there are both, sq_times_agree tells at the end whether
 * somebody has committed in between; then all of them run.
 */
typedef struct sq_times {
    bool on;          /* they are looked up, and kept */
    bool given;       /* some were given again, */
    bool ran;         /* and some ran */
    int64_t now;      /* uc_now() */
    uint64_t without; /* parameters that are in no key, see
                         uc_request_key_values */
    size_t front;     /* of the key, the same each time */
    uc_buf key;
} sq_times;

/* Of a request whose tag is t. */
void sq_times_begin(sq_times *s, sq_conn *c, const uc_call *call,
                    const sq_tag *t);
void sq_times_fini(sq_times *s);
/* Appends what a time with the values that the request has now answers; false:
 * it has to run. */
bool sq_times_find(sq_times *s, const uc_call *call, const sq_tag *t,
                   uc_buf *out);
/* It has run; this is what it answers. */
void sq_times_keep(sq_times *s, const uc_call *call, const sq_tag *t,
                   uc_view answer);
/* Whether all of them are of the same data. */
bool sq_times_agree(const sq_times *s, sq_conn *c, const uc_call *call,
                    const sq_tag *t);

#endif

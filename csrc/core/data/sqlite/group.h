#ifndef UC_CORE_DATA_SQLITE_GROUP_H
#define UC_CORE_DATA_SQLITE_GROUP_H

#include "data/sqlite/db.h"

/* A call of a group and its reply, in `good` or, when failed, in `bad`. */
typedef struct sq_item {
    uc_call *call;
    size_t at, len;
    bool failed;
} sq_item;

typedef struct sq_group {
    sq_item items[SQ_GROUP];
    uc_call *calls[SQ_GROUP]; /* the same, for who looks for them */
    uint32_t n;
    uint32_t cut; /* items that ran; the rest goes back to the queue */
    bool may_cut;
    uc_buf good; /* rewritten when the group is run again */
    uc_buf bad;
} sq_group;

void sq_group_init(sq_group *g);
void sq_group_fini(sq_group *g);

/*
 * Runs the items as one transaction on the writer's connection, which the
 * caller owns (and whose lock it holds), and leaves a reply for each of the
 * first `cut`. Publishes nothing.
 */
void sq_group_run(sq_db *db, sq_group *g);

#endif

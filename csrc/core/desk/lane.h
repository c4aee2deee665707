#ifndef UC_CORE_DESK_LANE_H
#define UC_CORE_DESK_LANE_H

#include "data/engine.h"

/* What has been routed of one batch and is not in the queues yet. */
typedef struct uc_turn {
    uc_queues q;
    int64_t deadline; /* the earliest, 0 none */
    int64_t room;     /* calls that the queues still take */
    bool quiet;       /* wake nobody: who routes sees to that */
    bool wrote;       /* and there was a write */
    struct uc_session *session;
    uc_buf replies; /* of what was answered on the way, published together */
} uc_turn;

/* Into the queue where a call for the database waits, or false with *err. Under
 * route_mu; c may be gone after it. */
bool uc__lane(uc_peer *p, uc_call *c, uc_turn *t, uc_error *err);

#endif

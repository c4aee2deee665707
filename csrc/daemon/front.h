#ifndef UD_FRONT_H
#define UD_FRONT_H

#include <stdbool.h>
#include <stdint.h>

#include "claim.h"
#include "dbs.h"

struct uc_log;

/*
 * Something that serves beside the sockets of clients, with threads of its own:
 * HTTP (doors/http). The daemon begins it when the databases are open, and ends
 * it in the order of its own end.
 */
typedef struct ud_front {
    void *arg;
    /* Takes its place, where clients wait then until it serves. over: from a
     * daemon that still serves there, and ends afterwards. Without it start
     * does so. False: why not has been said. */
    bool (*bind)(void *arg, const ud_claim *claim, bool over);
    /* Serves from here on. log: the daemon's, NULL: none. on_end(end_arg) when
     * it has drained; any thread. False: why not has been said. */
    bool (*start)(void *arg, const ud_db *db, struct uc_log *log,
                  void (*on_end)(void *end_arg), void *end_arg);
    /* Nobody comes in any more. */
    void (*drain)(void *arg);
    /* SIGHUP. May block; not on the loop, one at a time. */
    void (*reload)(void *arg);
    /* Ends all that is left. Also where it was not started. */
    void (*stop)(void *arg);
    /* Another number whenever somebody is here or has been: for --idle-exit. */
    uint64_t (*traffic)(void *arg);
    int64_t files; /* descriptors that it may need */
} ud_front;

#endif

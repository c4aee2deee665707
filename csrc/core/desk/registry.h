#ifndef UC_CORE_DESK_REGISTRY_H
#define UC_CORE_DESK_REGISTRY_H

#include "data/engine.h"

/*
 * The databases that are open, by their keys: all handles of one in this
 * process (worker threads included) share one engine. Two pools of connections
 * on one file would take each other's snapshots and caches for nothing.
 */
void uc__registry_lock(void);
void uc__registry_unlock(void);

/* Under the lock; NULL: none is there. A handle that writes does not join an
 * engine that only reads. */
uc_engine *uc__registry_find(const char *key, bool readonly);
void uc__registry_add(uc_engine *e);
/* Nobody finds it any more. May be repeated. */
void uc__registry_remove(uc_engine *e);
/* Under the lock: what is open under another key is the same, with *err. */
bool uc__registry_clashes(const uc_engine_ops *ops, const char *target,
                          const char *key, uc_error *err);

#endif

#ifndef UC_CORE_DESK_KEEPER_H
#define UC_CORE_DESK_KEEPER_H

struct uc_engine;

/* The keeper's thread; arg: the uc_engine. Ends when it stops. */
void *uc__keeper_main(void *arg);

#endif

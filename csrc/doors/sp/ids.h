#ifndef UD_IDS_H
#define UD_IDS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The requests of one connection that have no reply yet: from the id in the
 * frame to the id of the message that brought it. Our own client uses the same
 * for both, a stock nng socket makes up its own. One owner, no locking.
 */
typedef struct ud_id {
    uint32_t id; /* 0: an empty slot */
    uint32_t sp;
    uint32_t op;
} ud_id;

typedef struct ud_ids {
    ud_id *slots; /* linear probing; a power of two of them */
    uint32_t mask;
    uint32_t n;
} ud_ids;

typedef enum ud_ids_added {
    UD_IDS_OK,
    UD_IDS_TWICE, /* the id is in flight */
    UD_IDS_MEMORY
} ud_ids_added;

/* All zero is empty. */
void ud_ids_fini(ud_ids *t);
/* id: not 0. */
ud_ids_added ud_ids_add(ud_ids *t, uint32_t id, uint32_t sp, uint32_t op);
/* Finds and removes. False, with *out untouched, when it is not there. */
bool ud_ids_take(ud_ids *t, uint32_t id, ud_id *out);

#endif

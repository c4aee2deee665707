#ifndef UD_SP_INNER_H
#define UD_SP_INNER_H

#include "daemon/conn.h"
#include "doors/sp/ids.h"
#include "doors/sp/sp.h"

/* The door's part of a connection; under its mutex. */
typedef struct ud_sp {
    bool greeted; /* the client's hello of SP has come */
    bool spoken;  /* a request has come: it is too late for the op `hello` */
    ud_ids ids;
    uint32_t standing; /* of them: those that end with the connection */
} ud_sp;

static inline ud_sp *ud_sp_of(ud_conn *c)
{
    return ud_part(c);
}

/* ---- reply.c: what the client reads ---- */

/* Opens an answer to the message `sp` in c->own; write the frame, then close
 * it with what this returned. */
size_t ud_sp_open(ud_conn *c);
void ud_sp_close(ud_conn *c, size_t at, uint32_t sp);
void ud_sp_error(ud_conn *c, uint32_t sp, uint32_t id, const uc_error *e);

/* Of ud_sp_door. */
bool ud_sp_dress(ud_conn *c, size_t at);
void ud_sp_fault(ud_conn *c, const uc_error *e);
bool ud_sp_goodbye(ud_conn *c);

/* ---- request.c: what the client writes ---- */

/* Of ud_sp_door. */
size_t ud_sp_cut(ud_conn *c, size_t *need);

/* ---- ops.c: the requests that the door answers itself ---- */

/* The answer is in c->own afterwards. */
void ud_sp_hello(ud_conn *c, uint32_t sp, const sp_request *q, uc_view frame);
void ud_sp_stats(ud_conn *c, uint32_t sp, const sp_request *q);

#endif

#ifndef UC_CORE_DESK_LOOKUP_H
#define UC_CORE_DESK_LOOKUP_H

#include "desk/call.h"
#include "desk/peer.h"
#include "desk/stmt.h"

/* The statement of a number, not referenced. By who keeps the numbers from
 * changing: under route_mu or stmts.mu, or in a sync call, whose session has
 * nothing unrouted. */
uc_stmt *uc__sid(const uc_peer *p, uint32_t sid, uc_error *e);
/* The statement that the next value of r names, by its number or as text,
 * referenced. NULL with *e. Any thread. */
uc_stmt *uc__statement(uc_peer *p, uc_reader *r, uc_error *e);
/* Ops `define` and `undefine`; route_mu. */
bool uc__define(uc_peer *p, uc_call *c, uc_error *e);

/* The statements of a batch, looked up when it is routed: until it runs their
 * numbers may have been given to others. False with *e. */
bool uc__parts_of(uc_peer *p, uc_call *c, uc_error *e);
void uc__parts_free(uc_call *c);

#endif

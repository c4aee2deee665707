#ifndef UD_DOOR_H
#define UD_DOOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/*
 * A protocol that clients speak, as a connection sees it. A connection has the
 * bytes, the session, the limits and the end; a door says what the bytes mean:
 *
 *   hello    who has come is greeted
 *   cut      what has come in becomes requests: ud_submit(), or answers in own
 *   dress    what the core replied becomes what the client reads
 *   late     what the client was waited for has not come: why it is closed
 *   fault    why it is closed, in words that the client understands
 *   goodbye  the daemon ends: what is still owed is told, when nothing is under
 *            way any more
 *   end      the connection is being freed
 *
 * All are called with the connection's mutex held, `end` and `hello` while
 * nobody else has it; none of them waits. What they write goes to c->own and is
 * sent by the connection, in front of what comes from the core.
 */
typedef struct ud_conn ud_conn;

typedef struct ud_door {
    const char *name; /* in messages and in `door` */
    size_t size;      /* of its part of a connection: ud_part(c), zeroed */
    /* Bytes in front of each reply that `dress` may fill, at least 4: see
     * uc_take. */
    size_t head;

    void (*hello)(ud_conn *c);
    /*
     * Looks at the c->in_len bytes at c->in and returns how many it is done
     * with. *need, 0 at first: the bytes of the message that the rest begins,
     * as far as is known; the buffer grows with what arrives, up to that.
     * ud_submit() lets the mutex go: the state may be another one afterwards.
     * With c->stalled set it is called again, and nothing is read before, when
     * something has been sent: what is in flight is enough.
     */
    size_t (*cut)(ud_conn *c, size_t *need);
    /*
     * The replies from c->out + at on are as uc_take has left them: `head`
     * bytes each, the last four of them the length, and the frame. May move
     * them, keep some of them elsewhere or add to them, with ud_out_room().
     * False when memory ran out: the connection ends.
     */
    bool (*dress)(ud_conn *c, size_t at);
    /* The time of ud_await() is over. Fills *e; false where that is nobody's
     * fault, and the connection ends as with ud_finish(). */
    bool (*late)(ud_conn *c, uc_error *e);
    void (*fault)(ud_conn *c, const uc_error *e);
    /* False while something is under way whose answer is waited for. */
    bool (*goodbye)(ud_conn *c);
    void (*end)(ud_conn *c);
} ud_door;

#endif

#ifndef UD_ACCEPT_H
#define UD_ACCEPT_H

#include <nng/nng.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "claim.h"
#include "door.h"

struct ud_server;

enum {
    UD_REFUSALS = 256
}; /* connections at once that are being told why not */

/* Where to listen, and what is spoken there. */
typedef struct ud_port {
    const char *url; /* as nng has it: ipc:///path, tcp://address:port */
    const ud_door *door;
    const ud_claim *claim; /* of the unix socket; NULL: whoever can reach it */
} ud_port;

/* A port that is listened on. The server's; connections begin on nng's threads.
 */
typedef struct ud_listener {
    struct ud_server *sv;
    ud_port port;
    nng_stream_listener *stream;
    nng_aio *accepting;
    _Atomic bool failed; /* the loop tries again later */
} ud_listener;

/* Binds and accepts. False with what is wrong said; free it either way. */
bool ud_listener_open(ud_listener *l, struct ud_server *sv,
                      const ud_port *port);
/* Accepts again if that has failed. Loop. */
void ud_listener_again(ud_listener *l);
/* Nobody comes in any more; the socket is gone. Loop. */
void ud_listener_close(ud_listener *l);
/* Waits for who is just coming in. */
void ud_listener_free(ud_listener *l);

#endif

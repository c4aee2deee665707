#ifndef UD_ACCEPT_H
#define UD_ACCEPT_H

#include <nng/nng.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "door.h"

struct ud_server;

enum {
    UD_REFUSALS = 256
}; /* connections at once that are being told why not */

/* A socket that is listened on, and the door of who comes through it. The
 * server's; connections begin on nng's threads. */
typedef struct ud_listener {
    struct ud_server *sv;
    const ud_door *door;
    nng_stream_listener *stream;
    nng_aio *accepting;
    _Atomic bool failed; /* the loop tries again later */
} ud_listener;

/* Binds the unix socket of the claim at `path` and accepts. False with what is
 * wrong said; free it either way. */
bool ud_listener_open(ud_listener *l, struct ud_server *sv, const ud_door *door,
                      const char *path);
/* Accepts again, after `failed`. Loop. */
void ud_listener_again(ud_listener *l);
/* Nobody comes in any more; the socket is gone. Loop. */
void ud_listener_close(ud_listener *l);
/* Waits for who is just coming in. */
void ud_listener_free(ud_listener *l);

#endif

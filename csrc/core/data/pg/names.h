#ifndef UC_CORE_DATA_PG_NAMES_H
#define UC_CORE_DATA_PG_NAMES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/err.h"
#include "data/pg/info.h"

/*
 * Addresses of hosts: numbers, sockets of the machine, and names by c-ares,
 * which waits for nothing and needs no libc that could be loaded. The only file
 * that knows of it. One thread.
 */

enum { PG_ADDRESSES = 16 };

/* One address, and how long it is. */
typedef struct pg_address {
    struct sockaddr_storage at;
    socklen_t len;
} pg_address;

/* Those of a host, in the order in which they are to be tried. */
typedef struct pg_addresses {
    uint32_t n;
    pg_address all[PG_ADDRESSES];
} pg_addresses;

/* What asks for names. epoll: its sockets are put there, with `tag`. NULL: no
 * memory. */
typedef struct pg_names pg_names;
pg_names *pg_names_new(int epoll, void *tag);
void pg_names_free(pg_names *n);

/* Called once, with NULL and *e where there are none; later, or at once. */
typedef void pg_names_fn(void *arg, const pg_addresses *found,
                         const uc_error *e);
/* Of a host that is no socket of the machine. */
void pg_names_find(pg_names *n, const pg_host *host, pg_names_fn *fn,
                   void *arg);
/* The call for arg, if it is still to come, will not come. */
void pg_names_forget(pg_names *n, void *arg);
/* Something has come for one of the sockets. */
void pg_names_event(pg_names *n);
/* Looks for what is too late. Returns when to look again, 0: not by itself. */
int64_t pg_names_late(pg_names *n, int64_t now);

/* The address of a socket of the machine; false: its path is too long. */
bool pg_local_address(const pg_host *host, pg_address *a);

#endif

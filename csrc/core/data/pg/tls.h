#ifndef UC_CORE_DATA_PG_TLS_H
#define UC_CORE_DATA_PG_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"
#include "data/pg/info.h"

/*
 * TLS of connections, by mbedtls: the only file that knows of it. What sslmode
 * and its files mean is what they mean to libpq (34.19). One thread.
 */

/* What all connections of a database share: certificates, keys, chance. */
typedef struct pg_tls_setup pg_tls_setup;
/* One connection's. */
typedef struct pg_tls pg_tls;

/* Reads the files. NULL with *e: UC_OPTION, UC_MEMORY. */
pg_tls_setup *pg_tls_setup_new(pg_info *info, uc_error *e);
/* NULL is nothing. */
void pg_tls_setup_free(pg_tls_setup *s);

/* For a socket that does not block; it stays the caller's. NULL: no memory. */
pg_tls *pg_tls_new(pg_tls_setup *s, const pg_host *host, int fd);
void pg_tls_free(pg_tls *t);

typedef enum pg_tls_state {
    PG_TLS_DONE,
    PG_TLS_WAITS,
    PG_TLS_FAILED
} pg_tls_state;

/* Goes on with the handshake. *out: it waits for room, not for bytes. *e: why
 * it failed. */
pg_tls_state pg_tls_shake(pg_tls *t, bool *out, uc_error *e);
/* As send() and recv(): -1 with errno, EAGAIN among them. */
ssize_t pg_tls_send(pg_tls *t, const void *p, size_t n);
ssize_t pg_tls_recv(pg_tls *t, void *p, size_t n);
/* Bytes that have been taken from the socket and not from here. */
bool pg_tls_pending(const pg_tls *t);
/* The hash of the server's certificate for channel binding (RFC 5929, 4.1), at
 * most PG_BINDING_MOST bytes; 0: it has none. */
size_t pg_tls_binding(const pg_tls *t, uint8_t *hash);

#endif

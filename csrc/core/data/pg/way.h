#ifndef UC_CORE_DATA_PG_WAY_H
#define UC_CORE_DATA_PG_WAY_H

#include <stdbool.h>
#include <stdint.h>

#include "data/pg/info.h"

/*
 * Which server a connection tries next, as libpq chooses (34.1.1.3, and
 * PQconnectPoll in its fe-connect.c): the hosts in their order, or in any; all
 * addresses of a host; with `prefer` and `allow` each of these a second time
 * the other way, with TLS or without. With prefer-standby all of it twice: what
 * is no standby is taken the second time only.
 */
typedef struct pg_way {
    uint8_t order[PG_HOSTS];
    uint32_t at;      /* in that */
    uint32_t address; /* of the host's, that is tried or connected */
    bool turned;      /* the other way than the first */
    bool any;         /* the second round of prefer-standby */
} pg_way;

/* How far off what went wrong leads. */
typedef enum pg_wrong {
    PG_WRONG_ADDRESS, /* nobody answers there: the next address */
    PG_WRONG_TLS,     /* the same address the other way, where that may be; then
                         the next address */
    PG_WRONG_LOGIN,   /* the same, and then the end: one is not let in
                       */
    PG_WRONG_HOST,    /* the next host: it is not fit, or not yet */
    PG_WRONG_SETUP    /* the end */
} pg_wrong;

struct pg_conn;

void pg_way_begin(struct pg_conn *c);
/* Whether the connection speaks TLS this time. */
bool pg_way_has_tls(const struct pg_conn *c);
/* Moves on from what went wrong; false: that was the last. */
bool pg_way_next(struct pg_conn *c, pg_wrong wrong);
/* The number of the host that is tried. */
uint32_t pg_way_host(const struct pg_conn *c);

#endif

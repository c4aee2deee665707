#define _GNU_SOURCE
#include "data/pg/way.h"

#include <sys/random.h>

#include "data/pg/db.h"

/* Fisher and Yates, as Durstenfeld has it. Without random numbers the order is
 * that of the address. */
static void shuffle(uint8_t *p, uint32_t n)
{
    for (uint32_t i = n; i > 1; i--) {
        uint32_t r;
        uint8_t swap;

        if (getrandom(&r, sizeof r, GRND_NONBLOCK) != sizeof r)
            return;
        r %= i;
        swap = p[r];
        p[r] = p[i - 1];
        p[i - 1] = swap;
    }
}

void pg_way_begin(pg_conn *c)
{
    const pg_info *info = &c->db->info;

    c->way = (pg_way){0};
    for (uint32_t i = 0; i < info->nhosts; i++)
        c->way.order[i] = (uint8_t)i;
    if (info->balances)
        shuffle(c->way.order, info->nhosts);
}

uint32_t pg_way_host(const pg_conn *c)
{
    return c->way.order[c->way.at];
}

/* Over a socket of the machine there is none, whatever is asked for. */
bool pg_way_has_tls(const pg_conn *c)
{
    const pg_info *info = &c->db->info;

    if (info->hosts[pg_way_host(c)].local || info->sslmode == PG_SSL_DISABLE)
        return false;
    return info->sslmode == PG_SSL_ALLOW    ? c->way.turned
           : info->sslmode == PG_SSL_PREFER ? !c->way.turned
                                            : true;
}

/* The server answered: with `allow` it is asked again with TLS, with `prefer`
 * without, if it was TLS that was spoken. */
static bool turns(pg_conn *c)
{
    pg_sslmode mode = c->db->info.sslmode;

    if (c->way.turned || c->db->info.hosts[pg_way_host(c)].local ||
        (mode != PG_SSL_ALLOW && (mode != PG_SSL_PREFER || c->tls == NULL)))
        return false;
    c->way.turned = true;
    return true;
}

static bool next_host(pg_conn *c)
{
    const pg_info *info = &c->db->info;

    c->way.turned = false;
    c->way.address = 0;
    c->found.n = 0;
    if (++c->way.at < info->nhosts)
        return true;
    c->way.at = 0;
    if (info->target != PG_TARGET_PREFER_STANDBY || c->way.any)
        return false;
    c->way.any = true;
    return true;
}

static bool next_address(pg_conn *c)
{
    c->way.turned = false;
    return ++c->way.address < c->found.n || next_host(c);
}

bool pg_way_next(pg_conn *c, pg_wrong wrong)
{
    switch (wrong) {
    case PG_WRONG_TLS:
        return turns(c) || next_address(c);
    case PG_WRONG_LOGIN:
        return turns(c);
    case PG_WRONG_HOST:
        return next_host(c);
    case PG_WRONG_SETUP:
        return false;
    default:
        return next_address(c);
    }
}

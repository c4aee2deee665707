#include "routes/rate.h"

#include <arpa/inet.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/mix.h"

/* hash 0: free. until: see rate.h; what is over counts nothing any more. */
typedef struct place {
    uint64_t hash;
    int64_t until;
} place;

struct uc_rates {
    uint64_t seed;
    uint32_t mask;
    place places[]; /* buckets one after the other */
};

uc_rates *uc_rates_new(uint32_t buckets, uint64_t seed)
{
    size_t n = (size_t)buckets * UC_RATES_WAYS;
    uc_rates *r = uc_calloc(1, sizeof *r + n * sizeof r->places[0]);

    if (r == NULL)
        return NULL;
    r->seed = seed;
    r->mask = buckets - 1;
    return r;
}

void uc_rates_free(uc_rates *r)
{
    uc_free(r);
}

/* ---- who it is ---- */

static uint64_t mix(uint64_t h, const uint8_t *p, size_t n)
{
    uint64_t last = 0;

    h = uc_fold(h ^ n, UC_MIX_1);
    for (; n >= 8; n -= 8, p += 8)
        h = uc_fold(h ^ uc_load8(p), UC_MIX_2);
    if (n > 0)
        memcpy(&last, p, n);
    return uc_fold(h ^ last, UC_MIX_3);
}

/* A number and a text with the same bytes are two. */
static uint64_t hash_of(const uc_rates *r, const uc_rate_caller *c)
{
    uint64_t h = uc_fold(r->seed ^ UC_MIX_1,
                         ((uint64_t)c->method << 8 | c->who.type) ^ UC_MIX_2);

    h = mix(h, c->path.p, c->path.len);
    if (c->who.type == UC_ARG_INT)
        h = uc_fold(h ^ (uint64_t)c->who.i, UC_MIX_2);
    else if (c->who.type == UC_ARG_TEXT)
        h = mix(h, c->who.s.p, c->who.s.len);
    h = uc_fold(h ^ r->seed, UC_MIX_1);
    return h != 0 ? h : 1;
}

/* The caller's place, or the one that is to become it: the least until. */
static place *place_of(uc_rates *r, uint64_t hash)
{
    place *at = &r->places[(size_t)((hash >> 32) & r->mask) * UC_RATES_WAYS];
    place *least = at;

    for (uint32_t i = 0; i < UC_RATES_WAYS; i++) {
        if (at[i].hash == hash)
            return &at[i];
        if (at[i].until < least->until)
            least = &at[i];
    }
    return least;
}

/* ---- counting ---- */

int64_t uc_rates_take(uc_rates *r, const uc_rate *rate,
                      const uc_rate_caller *caller, int64_t now)
{
    uint64_t hash = hash_of(r, caller);
    int64_t step = rate->every_ms * UC_MS / rate->n, most = step * rate->n;
    place *p = place_of(r, hash);
    int64_t until = p->until > now ? p->until : now;

    /* What another route has left there may reach further than this one's
     * counts do, as may one's own where the files have another rate now. */
    if (until > now + most)
        until = now + most;
    if (until + step > now + most)
        return until + step - (now + most);
    *p = (place){hash, until + step};
    return 0;
}

uc_view uc_rate_address(uc_view ip, char buf[UC_RATE_ADDRESS])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    uint8_t bits[16];

    if (ip.len >= UC_RATE_ADDRESS)
        return ip;
    memcpy(buf, ip.p, ip.len);
    buf[ip.len] = '\0';
    if (inet_pton(AF_INET6, buf, bits) != 1)
        return ip;
    if (memcmp(bits, mapped, sizeof mapped) == 0) {
        inet_ntop(AF_INET, bits + sizeof mapped, buf, UC_RATE_ADDRESS);
    } else {
        memset(bits + 8, 0, 8);
        inet_ntop(AF_INET6, bits, buf, UC_RATE_ADDRESS);
    }
    return (uc_view){(const uint8_t *)buf, strlen(buf)};
}

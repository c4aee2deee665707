#ifndef UC_CORE_ROUTES_RATE_H
#define UC_CORE_ROUTES_RATE_H

#include "routes/routes.h"

/*
 * How often each caller of each route has come: @rate. Counted by GCRA, the
 * generic cell rate algorithm of ITU-T I.371 (its "virtual scheduling"): a
 * caller has one number, the moment when all that came before would have been
 * served at an even pace. n may come at once, and one more each every / n.
 *
 * Callers are known by a hash. The table has a fixed size. Where a newcomer
 * finds no room, it takes the place, and the number, of the one whose count is
 * over first (Space-Saving: Metwally, Agrawal and El Abbadi, 2005). So nobody
 * is taken for fewer requests than there were: to come from many addresses
 * resets no count, one's own or another's. What it costs is that newcomers are
 * counted more while the table is full of callers who still count.
 *
 * It belongs to no set of routes: a reload keeps what is counted. One thread at
 * a time.
 */
typedef struct uc_rates uc_rates;

/* Callers that are counted at the same time, of all routes. */
enum { UC_RATES_WAYS = 16, UC_RATES_BUCKETS = 4096 };

/* seed: random outside of tests, since callers must not choose who is in their
 * bucket. NULL: no memory. buckets: a power of two. */
uc_rates *uc_rates_new(uint32_t buckets, uint64_t seed);
void uc_rates_free(uc_rates *r); /* may be NULL */

/* Who is counted. */
typedef struct uc_rate_caller {
    uc_method method;
    uc_view path;
    uc_arg who; /* a user, or an address as text; else all of these are one */
} uc_rate_caller;

/* One request at `now`, in ns of a clock that is never set. 0: it may go on,
 * and is counted; otherwise the ns until the next one may, and nothing is
 * counted. */
int64_t uc_rates_take(uc_rates *r, const uc_rate *rate,
                      const uc_rate_caller *caller, int64_t now);

/* What is counted for an address: of IPv6 its network of 64 bits, all of which
 * one subscriber has (RFC 6177); an IPv4 address that is written as IPv6 is the
 * IPv4 address. Others are taken as they are. buf has room for the result. */
enum { UC_RATE_ADDRESS = 48 };
uc_view uc_rate_address(uc_view ip, char buf[UC_RATE_ADDRESS]);

#endif

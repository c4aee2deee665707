#include <stdatomic.h>
#include <stdio.h>

#include "common/clock.h"
#include "data/sqlite/db.h"

/*
 * uuidv7() is a new identifier that sorts by the time at which it was made, as
 * text: version 7 of RFC 9562 with its 12 bits behind the milliseconds as a
 * counter (section 6.2, method 1). Each is greater than all that the function
 * has made in this process before.
 */

/* Milliseconds since 1970 and the counter. One that is full carries over into
 * the milliseconds, which then are ahead of the clock. */
static _Atomic uint64_t last;

enum { COUNTER_BITS = 12, COUNTER_SEED = 0x7ff };

static uint64_t next(unsigned seed)
{
    uint64_t old = atomic_load(&last),
             now =
                 (uint64_t)uc_wall_ms() << COUNTER_BITS | (seed & COUNTER_SEED),
             mine;

    do
        mine = old >> COUNTER_BITS < now >> COUNTER_BITS ? now : old + 1;
    while (!atomic_compare_exchange_weak(&last, &old, mine));
    return mine;
}

static void uuidv7(sqlite3_context *ctx, int n, sqlite3_value **args)
{
    uint8_t r[10];
    uint64_t t;
    char text[40];

    (void)n;
    (void)args;
    sqlite3_randomness(sizeof r, r);
    t = next((unsigned)r[0] << 8 | r[1]);
    snprintf(text, sizeof text,
             "%08llx-%04llx-7%03llx-%02x%02x-%02x%02x%02x%02x%02x%02x",
             (unsigned long long)(t >> (COUNTER_BITS + 16)) & 0xffffffff,
             (unsigned long long)(t >> COUNTER_BITS) & 0xffff,
             (unsigned long long)t & 0xfff, (r[2] & 0x3f) | 0x80, r[3], r[4],
             r[5], r[6], r[7], r[8], r[9]);
    sqlite3_result_text(ctx, text, 36, SQLITE_TRANSIENT);
}

int sq_uuid_install(sq_conn *c)
{
    return sqlite3_create_function_v2(c->h, "uuidv7", 0,
                                      SQLITE_UTF8 | SQLITE_INNOCUOUS, NULL,
                                      uuidv7, NULL, NULL, NULL);
}

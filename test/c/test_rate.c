/* @rate: who is counted, for how long, and that a full table forgets nobody. */
#include "common/clock.h"
#include "routes/rate.h"
#include "tap.h"

static uc_view view(const char *s)
{
    return (uc_view){(const uint8_t *)s, strlen(s)};
}

static uc_rate_caller by_text(const char *path, const char *who)
{
    return (uc_rate_caller){
        UC_METHOD_POST, view(path), {.type = UC_ARG_TEXT, .s = view(who)}};
}

static uc_rate_caller by_number(int64_t who)
{
    return (uc_rate_caller){
        UC_METHOD_POST, view("/login"), {.type = UC_ARG_INT, .i = who}};
}

static const uc_rate five_a_minute = {5, 60000, UC_RATE_IP};
static const uc_rate one_a_second = {1, 1000, UC_RATE_IP};

enum { SECOND = 1000000000 };

/* How many of `tries` go through at one moment. */
static unsigned passed(uc_rates *r, const uc_rate *rate,
                       const uc_rate_caller *who, int64_t now, unsigned tries)
{
    unsigned n = 0;

    for (; tries > 0; tries--)
        n += uc_rates_take(r, rate, who, now) == 0;
    return n;
}

static void pace(uc_rates *r)
{
    uc_rate_caller ada = by_text("/login", "ada");
    int64_t t = 77 * (int64_t)SECOND;

    eq_int(passed(r, &five_a_minute, &ada, t, 9), 5, "five at once");
    eq_int(uc_rates_take(r, &five_a_minute, &ada, t), 12 * (int64_t)SECOND,
           "the next one in a fifth of the minute");
    eq_int(uc_rates_take(r, &five_a_minute, &ada, t + 11 * (int64_t)SECOND),
           SECOND, "which comes nearer");
    eq_int(passed(r, &five_a_minute, &ada, t + 12 * (int64_t)SECOND, 9), 1,
           "and is one");
    eq_int(passed(r, &five_a_minute, &ada, t + 36 * (int64_t)SECOND, 9), 2,
           "two after two fifths more");
    eq_int(passed(r, &five_a_minute, &ada, t + 3600 * (int64_t)SECOND, 9), 5,
           "an hour saves up no more than five");
}

static void strangers(uc_rates *r)
{
    uc_rate_caller who = by_text("/login", "bob"), other = by_number(7);
    uc_rate_caller text = by_text("/login", "\a\0\0\0\0\0\0\0");

    text.who.s.len = 8;
    eq_int(passed(r, &one_a_second, &who, 0, 2), 1, "one of bob");
    who = by_text("/login", "bo");
    eq_int(passed(r, &one_a_second, &who, 0, 2), 1, "one of another");
    who = by_text("/other", "bob");
    eq_int(passed(r, &one_a_second, &who, 0, 2), 1, "one of another path");
    who = by_text("/login", "bob");
    who.method = UC_METHOD_GET;
    eq_int(passed(r, &one_a_second, &who, 0, 2), 1, "of another method");
    eq_int(passed(r, &one_a_second, &other, 0, 2), 1, "of a number");
    eq_int(passed(r, &one_a_second, &text, 0, 2), 1, "no text of its bytes");
    who =
        (uc_rate_caller){UC_METHOD_POST, view("/login"), {.type = UC_ARG_NULL}};
    eq_int(passed(r, &one_a_second, &who, 0, 2), 1,
           "all of whom nothing is known are one");
}

/* The smallest rates and the largest: n at once, whatever the rest of the
 * division. */
static void bounds(void)
{
    static const uc_rate rates[] = {{7, 1000, UC_RATE_IP},
                                    {999, 1, UC_RATE_IP},
                                    {3, (int64_t)366 * 86400000, UC_RATE_IP},
                                    {1, 1, UC_RATE_IP}};
    int64_t late = INT64_MAX / 2;

    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        uc_rates *r = uc_rates_new(2, 1);
        uc_rate_caller who = by_number(1);
        char name[40];

        snprintf(name, sizeof name, "%" PRIu32 " of %" PRId64 " ms", rates[i].n,
                 rates[i].every_ms);
        eq_int(passed(r, &rates[i], &who, late, rates[i].n + 5), rates[i].n,
               name);
        uc_rates_free(r);
    }
}

/* Many more callers than there are places, each as often as it may: of the one
 * who is watched never more than its count goes through. */
static void crowd(void)
{
    uc_rates *r = uc_rates_new(4, tap_seed(5));
    uc_rate_caller victim = by_text("/login", "victim");
    unsigned got = passed(r, &five_a_minute, &victim, 0, 5), others = 0;
    int64_t now = 0;

    for (int round = 0; round < 60; round++, now += SECOND / 10) {
        for (int i = 0; i < 2000; i++) {
            uc_rate_caller who = by_number((int64_t)tap_random());

            others += passed(r, &five_a_minute, &who, now, 5);
        }
        got += uc_rates_take(r, &five_a_minute, &victim, now) == 0;
    }
    eq_int(got, 5, "a crowd does not reset a count");
    ok(others > 4 * UC_RATES_WAYS, "and some of it went through");
    now += 3600 * (int64_t)SECOND;
    eq_int(passed(r, &five_a_minute, &victim, now, 9), 5,
           "afterwards all is as it was");
    uc_rates_free(r);
}

/* What a slow route has left in a place is no debt of a fast one. */
static void inheritance(void)
{
    static const uc_rate a_day = {1, 86400000, UC_RATE_IP};
    uc_rates *r = uc_rates_new(1, 3);
    uc_rate_caller who = by_text("/fast", "ada");

    for (int i = 0; i < UC_RATES_WAYS; i++) {
        uc_rate_caller other = by_number(i);

        uc_rates_take(r, &a_day, &other, 0);
    }
    eq_int(uc_rates_take(r, &one_a_second, &who, 0), SECOND,
           "no longer than its own");
    uc_rates_free(r);
}

static void addresses(void)
{
    static const char *const cases[][2] = {
        {"192.0.2.7", "192.0.2.7"},
        {"::ffff:192.0.2.7", "192.0.2.7"},
        {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"},
        {"2001:DB8:1:2::9", "2001:db8:1:2::"},
        {"::1", "::"},
        {"fe80::1%lo", "fe80::1%lo"},
        {"not an address", "not an address"},
        {"", ""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char buf[UC_RATE_ADDRESS], got[UC_RATE_ADDRESS];
        uc_view v = uc_rate_address(view(cases[i][0]), buf);

        snprintf(got, sizeof got, "%.*s", (int)v.len, (const char *)v.p);
        eq_str(got, cases[i][1], cases[i][0]);
    }
}

int main(void)
{
    uc_rates *r = uc_rates_new(64, 9);

    pace(r);
    strangers(r);
    bounds();
    crowd();
    inheritance();
    addresses();
    uc_rates_free(r);
    uc_rates_free(NULL);
    return tap_end();
}

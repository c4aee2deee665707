/* The store of the cache: what it promises, by example. */
#include "sound.h"
#include "tap.h"

#define SEC ((int64_t)1000000000)
#define MIB ((uint64_t)1 << 20)

static uc_view text(const char *s)
{
    return (uc_view){(const uint8_t *)s, strlen(s)};
}

static uc_store *make(uint64_t bytes, uint32_t max_entries)
{
    return uc_store_new(&(uc_store_options){
        .bytes = bytes, .max_entries = max_entries, .seed = 7});
}

static uc_stored put(uc_store *s, const char *key, const char *value, uc_put p,
                     int64_t now)
{
    return uc_store_put(s, text(key), text(value), &p, now, NULL);
}

static uc_found find(uc_store *s, const char *key, int64_t now)
{
    uc_hit hit;

    return uc_store_find(s, text(key), now, true, &hit);
}

static bool holds(uc_store *s, const char *key, const char *value)
{
    uc_hit hit;

    return uc_store_find(s, text(key), 1, false, &hit) == UC_FRESH &&
           uc_store_value_is(s, &hit, text(value));
}

/* --- by example ----------------------------------------------------------- */

static void basics(void)
{
    uc_store *s = make(MIB, 0);
    uint8_t *large = calloc(1, MIB);
    uint64_t first, second;
    uc_hit hit;
    uc_buf b;

    ok(find(s, "a", 1) == UC_ABSENT, "nothing is there");
    ok(uc_store_put(s, text("a"), text("one"), &(uc_put){0}, 1, &first) ==
           UC_STORED,
       "put");
    ok(uc_store_put(s, text("b"), text(""), &(uc_put){0}, 1, NULL) == UC_STORED,
       "an empty value");
    ok(holds(s, "a", "one") && holds(s, "b", ""), "both are there");
    ok(!holds(s, "a", "on") && !holds(s, "a", "onf"), "with that value only");
    uc_store_put(s, text("a"), text("two!"), &(uc_put){0}, 1, &second);
    ok(holds(s, "a", "two!") && second > first, "replaced by a later version");
    uc_store_find(s, text("a"), 1, true, &hit);
    ok(hit.version == second && hit.len == 4 && hit.expires == 0 &&
           hit.ndomains == 0,
       "what is known of it");
    uc_buf_init(&b, 64);
    uc_buf_byte(&b, '>');
    uc_store_value(s, &hit, &b);
    eq_bytes(b.p, b.len, ">two!", 5, "the value is appended");
    uc_buf_fini(&b);
    ok(uc_store_remove(s, text("a"), 1) && !uc_store_remove(s, text("a"), 1),
       "removed once");
    eq_int(stats(s).entries, 1, "one is left");

    ok(uc_store_put(s, (uc_view){large, 0}, text("x"), &(uc_put){0}, 1, NULL) ==
           UC_NO_ROOM,
       "no empty key");
    ok(uc_store_put(s, (uc_view){large, 513}, text("x"), &(uc_put){0}, 1,
                    NULL) == UC_NO_ROOM,
       "no longer one than 512");
    ok(uc_store_put(s, (uc_view){large, 512}, text("x"), &(uc_put){0}, 1,
                    NULL) == UC_STORED,
       "512 will do");
    put(s, "c", "small", (uc_put){0}, 1);
    ok(uc_store_put(s, text("c"), (uc_view){large, MIB / 4 + 1}, &(uc_put){0},
                    1, NULL) == UC_NO_ROOM &&
           holds(s, "c", "small"),
       "too large a value leaves the old one");
    memset(large, 3, MIB / 4);
    ok(uc_store_put(s, text("c"), (uc_view){large, MIB / 4}, &(uc_put){0}, 1,
                    NULL) == UC_STORED,
       "a quarter of the room will do");
    ok(uc_store_find(s, text("c"), 1, true, &hit) == UC_FRESH &&
           uc_store_value_is(s, &hit, (uc_view){large, MIB / 4}),
       "and comes back");
    ok(sound(s), "all counts are right");
    free(large);
    uc_store_free(s);
}

static void times(void)
{
    uc_store *s = make(MIB, 0);
    uc_put timed = {.ttl_ns = 10 * SEC};
    uc_put windows = {
        .ttl_ns = 10 * SEC, .stale_ns = 5 * SEC, .error_ns = 20 * SEC};
    uc_hit hit;
    int64_t t;

    put(s, "t", "v", timed, SEC);
    put(s, "w", "v", windows, SEC);
    put(s, "i", "v", (uc_put){.idle_ns = 4 * SEC}, SEC);
    put(s, "n", "v", (uc_put){0}, SEC);
    ok(find(s, "t", 11 * SEC - 1) == UC_FRESH, "fresh to the last");
    ok(find(s, "i", 5 * SEC - 1) == UC_FRESH, "within its idle time");
    ok(find(s, "i", 9 * SEC - 2) == UC_FRESH, "which starts anew");
    uc_store_find(s, text("w"), 11 * SEC, true, &hit);
    ok(hit.expires == 11 * SEC && hit.stale_until == 16 * SEC &&
           hit.error_until == 31 * SEC,
       "its times");
    ok(find(s, "t", 11 * SEC) == UC_ABSENT, "expired");
    ok(find(s, "w", 11 * SEC) == UC_STALE, "expired, but in its windows");
    ok(find(s, "w", 31 * SEC - 1) == UC_STALE, "to the last");
    ok(find(s, "w", 31 * SEC) == UC_ABSENT, "and past them");
    ok(find(s, "i", 31 * SEC) == UC_ABSENT, "idle for too long");
    eq_int(stats(s).evicted.ttl, 2, "two have expired");
    eq_int(stats(s).evicted.idle, 1, "one was idle");
    eq_int(stats(s).stale, 3, "three stale hits");

    put(s, "t", "v", timed, 40 * SEC);
    ok(uc_store_touch(s, text("t"), 20 * SEC, 41 * SEC) &&
           find(s, "t", 60 * SEC) == UC_FRESH,
       "touched, it lives longer");
    ok(uc_store_touch(s, text("t"), 0, 60 * SEC) &&
           find(s, "t", 1000 * SEC) == UC_FRESH,
       "or for ever");
    ok(uc_store_touch(s, text("n"), SEC, 1000 * SEC) &&
           find(s, "n", 1001 * SEC) == UC_ABSENT,
       "what was to live for ever can be given a time");
    ok(!uc_store_touch(s, text("n"), SEC, 1001 * SEC), "what is gone cannot");
    uc_store_remove(s, text("t"), 1001 * SEC);

    for (int i = 0; i < 1000; i++) {
        char key[16];

        snprintf(key, sizeof key, "k%d", i);
        put(s, key, "v", (uc_put){.ttl_ns = (i + 1) * SEC}, 2000 * SEC);
    }
    t = uc_store_tick(s, 2000 * SEC);
    for (int calls = 0; t != 0 && t <= 2500 * SEC + SEC / 2 && calls < 10000;
         calls++)
        t = uc_store_tick(s, t);
    ok(stats(s).entries == 500 || stats(s).entries == 499,
       "half of the time takes half of the entries");
    ok(sound(s), "all counts are right");
    t = 0;
    for (int i = 0; i < 100; i++)
        t = uc_store_tick(s, 4000 * SEC);
    eq_int(stats(s).entries, 0, "in the end nothing is left");
    eq_int(t, 0, "and nothing to wait for");
    uc_store_free(s);
}

static uint64_t domain(const char *name)
{
    return uc_domain(name[0], text(name + 1));
}

static void domains(void)
{
    uc_store *s = make(MIB, 0);
    uint64_t a = domain("#a"), b = domain("#b"), t = domain("tUser"), gen;
    uint64_t ab[] = {a, b}, got[4];
    uc_put of_a = {.domains = &a, .ndomains = 1};
    uc_put of_ab = {.domains = ab, .ndomains = 2};
    uc_put of_t = {.domains = &t, .ndomains = 1, .tied = true};
    uc_hit hit;

    ok(domain("#a") != domain("na") && domain("#a") != domain("#A"),
       "kinds and names differ");
    ok(domain("tUser") == domain("tuser") && a < (uint64_t)1 << 52 && a != 0,
       "a table's letters do not");
    put(s, "a", "v", of_a, 1);
    put(s, "ab", "v", of_ab, 1);
    put(s, "t", "v", of_t, 1);
    put(s, "n", "v", (uc_put){0}, 1);
    uc_store_find(s, text("ab"), 1, false, &hit);
    ok(hit.ndomains == 2 && uc_store_domains(s, &hit, got, 1) == 2 &&
           uc_store_domains(s, &hit, got, 4) == 2 && got[0] == a && got[1] == b,
       "an entry's domains");
    eq_int(stats(s).domains, 3, "three are known");
    gen = uc_store_gen(s);
    ok(uc_store_drop(s, b) > gen, "a drop is a generation");
    ok(find(s, "ab", 1) == UC_ABSENT && find(s, "a", 1) == UC_FRESH,
       "what belongs to it is gone");
    of_ab.born = gen;
    ok(put(s, "ab", "old", of_ab, 1) == UC_OUTDATED,
       "what was begun before is not stored");
    of_a.born = gen;
    ok(put(s, "a", "new", of_a, 1) == UC_STORED, "elsewhere it is");
    of_ab.born = uc_store_gen(s);
    ok(put(s, "ab", "new", of_ab, 1) == UC_STORED, "what is begun now, too");
    uc_store_drop_tied(s);
    ok(find(s, "t", 1) == UC_ABSENT && find(s, "ab", 1) == UC_FRESH,
       "all that is tied");
    of_t.born = gen;
    ok(put(s, "t", "old", of_t, 1) == UC_OUTDATED, "and was begun");
    uc_store_clear(s);
    ok(find(s, "a", 1) == UC_ABSENT && find(s, "n", 1) == UC_ABSENT, "cleared");
    ok(put(s, "n", "v", (uc_put){.born = gen}, 1) == UC_OUTDATED,
       "what was begun before a clear");
    ok(put(s, "n", "v", (uc_put){0}, 1) == UC_STORED && holds(s, "n", "v"),
       "and what comes after it");
    eq_int(stats(s).evicted.dropped, 4, "four were dropped");
    ok(sound(s), "all counts are right");

    gen = uc_store_gen(s);
    for (int i = 0; i < 5000; i++) {
        char name[16];

        snprintf(name, sizeof name, "#x%d", i);
        uc_store_drop(s, domain(name));
    }
    ok(stats(s).domains < 1000, "drops of what is not there are forgotten");
    of_a.born = gen;
    a = domain("#x1");
    ok(put(s, "x", "old", of_a, 1) == UC_OUTDATED,
       "but not that there were some");
    a = domain("#never");
    ok(put(s, "x", "old", of_a, 1) == UC_OUTDATED, "in doubt it is not stored");
    of_a.born = uc_store_gen(s);
    ok(put(s, "x", "new", of_a, 1) == UC_STORED, "and now it is");
    ok(sound(s), "all counts are right");
    uc_store_free(s);
}

/* A namespace of many entries is dropped at once and collected in steps. */
static void collecting(void)
{
    uc_store *s = make(16 * MIB, 0);
    uint64_t n = domain("nusers"), before;
    uc_put of_n = {.domains = &n, .ndomains = 1};
    int64_t now = SEC;
    uint32_t most = 0;
    int ticks = 0;
    char key[32];

    for (int i = 0; i < 40000; i++) {
        uint32_t lines = s->index.lines;

        snprintf(key, sizeof key, "key-%d", i);
        put(s, key, "value", i % 2 ? of_n : (uc_put){0}, now);
        if (s->index.lines - lines > most)
            most = s->index.lines - lines;
    }
    eq_int(stats(s).entries, 40000, "all fit");
    ok(s->index.lines >= 10000 && most <= 2, "the index grows line by line");
    uc_store_drop(s, n);
    eq_int(stats(s).entries, 40000, "a drop touches none of them");
    for (int64_t next = now; next != 0 && ticks < 10000; ticks++) {
        now = next;
        before = stats(s).entries;
        next = uc_store_tick(s, now);
        if (before - stats(s).entries > 256)
            break;
    }
    eq_int(stats(s).entries, 20000, "they are collected");
    ok(ticks > 20000 / 256 && ticks < 10000, "a few at a time");
    ok(holds(s, "key-20000", "value") && !holds(s, "key-20001", "value"),
       "and no others");
    before = stats(s).bytes;
    uc_store_clear(s);
    for (int64_t next = now; next != 0 && ticks < 20000; ticks++) {
        now = next;
        next = uc_store_tick(s, now);
    }
    eq_int(stats(s).entries, 0, "a clear takes all");
    ok(stats(s).bytes < before / 3, "and the memory goes back");
    tap_diag("%" PRIu64 " bytes mapped of %" PRIu64, stats(s).bytes, before);
    ok(s->index.lines <= 2 * UC_LINES_LEAST, "the index's, too");
    ok(sound(s), "all counts are right");
    uc_store_free(s);
}

/* All memory is in large values when many small ones come: the index has to
 * find room to grow. */
static void shifting(void)
{
    uc_store *s = make(4 * MIB, 0);
    static uint8_t large[60000];
    uint64_t tag, entries;
    char key[32];

    for (int i = 0; i < 500; i++) {
        snprintf(key, sizeof key, "large-%d", i);
        tag = uc_domain('#', text(key));
        uc_store_put(s, text(key), (uc_view){large, sizeof large},
                     &(uc_put){.domains = &tag, .ndomains = 1}, 1, NULL);
    }
    ok(stats(s).evicted.size > 400, "the room is full of large values");
    ok(sound(s), "all counts are right");
    for (int i = 0; i < 60000; i++) {
        snprintf(key, sizeof key, "small-%d", i);
        tag = uc_domain('#', text(key));
        for (int j = 0; j < 3; j++) /* wanted more than the large ones */
            find(s, key, 1);
        uc_store_put(s, text(key), text("v"),
                     &(uc_put){.domains = &tag, .ndomains = i % 4 == 0}, 1,
                     NULL);
    }
    entries = stats(s).entries;
    ok(entries > 20000, "then of small ones");
    ok(s->index.count <= (uint64_t)s->index.lines * (UC_LINE_LOAD + 1),
       "the index has grown with them");
    ok(sound(s), "all counts are right");
    for (int i = 0; i < 500; i++) {
        snprintf(key, sizeof key, "large-%d", i);
        for (int j = 0; j < 6; j++)
            find(s, key, 1);
        uc_store_put(s, text(key), (uc_view){large, sizeof large}, &(uc_put){0},
                     1, NULL);
    }
    ok(stats(s).value_bytes > 2 * MIB, "and of large ones again");
    ok(sound(s), "all counts are right");
    uc_store_free(s);
}

static void limits(void)
{
    uc_store *s = make(MIB, 10);
    char key[32];
    bool within = true;

    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof key, "%d", i);
        put(s, key, "v", (uc_put){0}, 1);
        within &= stats(s).entries <= 10;
        find(s, "0", 1);
    }
    ok(within, "never more entries than allowed");
    ok(holds(s, "0", "v"), "what is asked for all the time stays");
    eq_int(stats(s).evicted.size, 990, "the others went");
    ok(sound(s), "all counts are right");
    uc_store_free(s);
    s = make(0, 0);
    eq_int(stats(s).limit, UC_STORE_LEAST, "the least there is");
    ok(stats(s).bytes < UC_STORE_LEAST / 4, "of which little is mapped");
    uc_store_free(s);
}

int main(void)
{
    basics();
    times();
    domains();
    collecting();
    shifting();
    limits();
    return tap_end();
}

/*
 * The store of the cache against a model: random operations on a clock of its
 * own. Where there is room for everything, both must agree on every answer;
 * where there is not, an entry may be absent, but never wrong. Now and then all
 * that the store links and counts is walked and counted anew.
 */
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sound.h"
#include "tap.h"

#define SEC ((int64_t)1000000000)
#define MIB ((uint64_t)1 << 20)

enum { KEYS = 400, DOMAINS = 20, LARGEST = 64 * 1024, PER_ENTRY = 4 };

/* What the model knows of a key. */
struct known {
    bool there;
    uint32_t seed, len;
    uint64_t version;
    int64_t expires, stale, error, idle, used; /* stale, error, idle: lengths */
    uint64_t domains[PER_ENTRY];
    uint32_t ndomains;
    bool tied;
};

static struct known known[KEYS];
static uint64_t dropped[DOMAINS], cleared, all_tied;
static uint8_t bytes[LARGEST];

static uint32_t below(uint32_t n)
{
    return (uint32_t)(tap_random() % n);
}

static uint64_t domain_name(uint32_t i)
{
    uint8_t c = (uint8_t)i;

    return uc_domain(
        "n#t" [i % 3], (uc_view) { &c, 1 });
}

/* Keys of all lengths; the number is at the end, where it is read last. */
static uc_view key_of(uint32_t i)
{
    static uint8_t key[UC_KEY_MAX];
    size_t len = 2 + i * 37 % (UC_KEY_MAX - 1);

    memset(key, 'k', len);
    key[len - 2] = (uint8_t)(i >> 8);
    key[len - 1] = (uint8_t)i;
    return (uc_view){key, len};
}

static uc_view value_of(uint32_t seed, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(seed + i * 7 + (i >> 8) * 13);
    return (uc_view){bytes, len};
}

/* Mostly small, some large. */
static uint32_t random_len(void)
{
    uint32_t most[] = {100, 100, 300, 2000, 10000, LARGEST};

    return below(most[below(6)]);
}

static bool is_dropped(const struct known *k)
{
    if (k->version <= cleared || (k->tied && k->version <= all_tied))
        return true;
    for (uint32_t i = 0; i < k->ndomains; i++) {
        for (uint32_t d = 0; d < DOMAINS; d++) {
            if (k->domains[i] == domain_name(d) && k->version <= dropped[d])
                return true;
        }
    }
    return false;
}

static uc_found expect(const struct known *k, int64_t now)
{
    int64_t longer = k->stale > k->error ? k->stale : k->error;

    if (!k->there || is_dropped(k) || (k->idle > 0 && now >= k->used + k->idle))
        return UC_ABSENT;
    if (k->expires == 0 || now < k->expires)
        return UC_FRESH;
    return now < k->expires + longer ? UC_STALE : UC_ABSENT;
}

/* What the store says of a key, against the model. */
static bool agrees(uc_store *s, uint32_t i, int64_t now, bool roomy)
{
    struct known *k = &known[i];
    bool count = below(4) > 0;
    uint64_t domains[UC_DOMAINS_MAX];
    uc_found want = expect(k, now);
    uc_hit hit;
    uc_found found = uc_store_find(s, key_of(i), now, count, &hit);

    if (found == UC_ABSENT) {
        k->there = false;
        return want == UC_ABSENT || !roomy;
    }
    if (found != want || hit.len != k->len || hit.version != k->version ||
        hit.expires != k->expires || hit.ndomains != k->ndomains ||
        !uc_store_value_is(s, &hit, value_of(k->seed, k->len)))
        return false;
    if (k->expires != 0 &&
        (hit.stale_until != (k->stale > 0 ? k->expires + k->stale : 0) ||
         hit.error_until != (k->error > 0 ? k->expires + k->error : 0)))
        return false;
    uc_store_domains(s, &hit, domains, UC_DOMAINS_MAX);
    if (memcmp(domains, k->domains, k->ndomains * sizeof *domains) != 0)
        return false;
    if (count)
        k->used = now;
    return true;
}

static int64_t random_time(void)
{
    return below(2) ? 0 : 1 + (int64_t)(tap_random() % (uint64_t)(100 * SEC));
}

static bool put(uc_store *s, uint32_t i, int64_t now, bool roomy)
{
    struct known n = {.there = true,
                      .seed = (uint32_t)tap_random(),
                      .len = random_len(),
                      .idle = below(8) ? 0 : random_time(),
                      .used = now,
                      .tied = below(4) == 0,
                      .ndomains = below(3) ? below(PER_ENTRY + 1) : 0};
    int64_t ttl = random_time();
    uc_put p = {.ttl_ns = ttl, .idle_ns = n.idle, .tied = n.tied};
    uc_stored stored, want;

    if (ttl > 0) {
        n.expires = now + ttl;
        n.stale = random_time();
        n.error = random_time();
    }
    p.stale_ns = n.stale;
    p.error_ns = n.error;
    for (uint32_t d = 0; d < n.ndomains; d++)
        n.domains[d] = domain_name(below(DOMAINS));
    p.domains = n.domains;
    p.ndomains = n.ndomains;
    if (below(3) == 0) { /* begun a little earlier */
        uint64_t gen = uc_store_gen(s), back = below(20);

        p.born = gen > back ? gen - back : 1;
    }
    n.version = p.born + 1; /* as good as if it had been stored then */
    want = p.born != 0 && is_dropped(&n) ? UC_OUTDATED : UC_STORED;
    stored = uc_store_put(s, key_of(i), value_of(n.seed, n.len), &p, now,
                          &n.version);
    if (stored == UC_STORED)
        known[i] = n;
    /* Under pressure the store forgets drops, and is careful then. */
    return stored == want || (!roomy && p.born != 0 && stored == UC_OUTDATED);
}

static bool touch(uc_store *s, uint32_t i, int64_t now, bool roomy)
{
    struct known *k = &known[i];
    bool want = expect(k, now) == UC_FRESH;
    int64_t ttl = random_time();
    uc_hit hit;

    if (!uc_store_touch(s, key_of(i), ttl, now))
        return !want || !roomy;
    if (!want || uc_store_find(s, key_of(i), now, false, &hit) != UC_FRESH)
        return false;
    k->expires = ttl > 0 ? now + ttl : 0;
    k->used = now;
    k->version = hit.version;
    return true;
}

static void drop(uc_store *s)
{
    uint32_t d = below(DOMAINS);

    if (below(100) == 0)
        cleared = uc_store_clear(s);
    else if (below(10) == 0)
        all_tied = uc_store_drop_tied(s);
    else
        dropped[d] = uc_store_drop(s, domain_name(d));
}

static bool one(uc_store *s, int64_t now, bool roomy)
{
    uint32_t i = below(KEYS), what = below(100);
    uc_found there = expect(&known[i], now);

    if (what < 55)
        return agrees(s, i, now, roomy);
    if (what < 85)
        return put(s, i, now, roomy);
    if (what < 90)
        return touch(s, i, now, roomy);
    if (what < 94) {
        known[i].there = false;
        return uc_store_remove(s, key_of(i), now) == (there != UC_ABSENT) ||
               !roomy;
    }
    if (what < 95)
        drop(s);
    else
        uc_store_tick(s, now);
    return true;
}

static uint64_t alive(int64_t now)
{
    uint64_t n = 0;

    for (uint32_t i = 0; i < KEYS; i++)
        n += expect(&known[i], now) != UC_ABSENT;
    return n;
}

/* Nobody asks any more: what is over goes by itself, soon and not too soon. */
static void left_alone(uc_store *s, int64_t now)
{
    const int64_t after[] = {20 * SEC, 50 * SEC, 100 * SEC, 400 * SEC};
    bool soon = true, too_soon = false;

    for (int i = 0; i < 4; i++) {
        int64_t then = now + after[i], next = now;

        for (int n = 0; next != 0 && next <= then && n < 100000; n++) {
            int64_t at = next;

            next = uc_store_tick(s, at);
        }
        uc_store_tick(s, then);
        soon &= stats(s).entries <= alive(then - SEC / 2);
        too_soon |= stats(s).entries < alive(then);
    }
    ok(soon && !too_soon, "left alone, what is over is collected in time");
    ok(sound(s), "and all counts are right");
}

static void against_model(uint64_t room, uint32_t max_entries, bool roomy,
                          const char *name)
{
    uc_store *s = uc_store_new(&(uc_store_options){
        .bytes = room, .max_entries = max_entries, .seed = tap_random() | 1});
    bool agree = true, good = true;
    int64_t now = SEC;
    uc_store_stats st;
    int n;

    memset(known, 0, sizeof known);
    memset(dropped, 0, sizeof dropped);
    cleared = all_tied = 0;
    for (n = 0; n < 60000 && agree && good; n++) {
        now += below(4) ? below(1000000) : tap_random() % SEC;
        if (below(2000) == 0)
            now += 1000 * SEC;
        agree = one(s, now, roomy);
        if (n % 500 == 0)
            good = sound(s);
        good &= stats(s).bytes <= stats(s).limit &&
                (max_entries == 0 || stats(s).entries <= max_entries);
    }
    st = stats(s);
    tap_diag("%s: %d operations, %" PRIu64 " hits, %" PRIu64 " misses, %" PRIu64
             " for room, %" PRIu64 " expired, %" PRIu64 " idle, %" PRIu64
             " dropped, %" PRIu64 " outdated, %" PRIu64 " bytes",
             name, n, st.hits, st.misses, st.evicted.size, st.evicted.ttl,
             st.evicted.idle, st.evicted.dropped, st.outdated, st.bytes);
    ok(agree, name);
    ok(good && sound(s), "all counts are right, all the time");
    ok(roomy ? st.evicted.size == 0 : st.evicted.size > 1000,
       roomy ? "nothing had to go for room" : "much had to go for room");
    if (roomy)
        left_alone(s, now);
    uc_store_free(s);
}

/* --- memory as the system sees it ----------------------------------------- */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

#ifdef SANITIZED
static void memory(void)
{
    tap_skip("resident memory", "a sanitizer has memory of its own");
}

static void no_more(void)
{
    tap_skip("no more memory", "a sanitizer has memory of its own");
}
#else
static uint64_t resident(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    unsigned long long all, pages = 0;

    if (f != NULL) {
        if (fscanf(f, "%llu %llu", &all, &pages) != 2)
            pages = 0;
        fclose(f);
    }
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void memory(void)
{
    uint64_t before = resident(), most = 0;
    uc_store *s = uc_store_new(&(uc_store_options){.bytes = 16 * MIB});
    bool within = true;

    for (uint32_t i = 0; i < 60000; i++) {
        char key[32];
        /* The sizes change all the time: small ones, large ones, mixed ones. */
        uint32_t len = below(i / 5000 % 3 == 0   ? 100
                             : i / 5000 % 3 == 1 ? LARGEST
                                                 : 5000);

        snprintf(key, sizeof key, "%u", i);
        uc_store_put(s, (uc_view){(const uint8_t *)key, strlen(key)},
                     value_of(i, len), &(uc_put){0}, 1, NULL);
        if (i % 100 != 0)
            continue;
        if (resident() - before > most)
            most = resident() - before;
        within &= stats(s).bytes <= 16 * MIB;
    }
    tap_diag("resident %" PRIu64 ", mapped %" PRIu64, most, stats(s).bytes);
    ok(within, "never more mapped than allowed");
    ok(most > 8 * MIB && most <= 16 * MIB, "nor resident");
    uc_store_free(s);
}

/* In a process of its own, which may have 4 MiB more of memory than it has. */
static int starved(void)
{
    uint64_t had = 0;
    unsigned long long pages = 0;
    uc_store *s = uc_store_new(&(uc_store_options){.bytes = 64 * MIB});
    FILE *f = fopen("/proc/self/statm", "r");
    bool good = s != NULL;

    if (f == NULL || fscanf(f, "%*u %*u %*u %*u %*u %llu", &pages) != 1)
        return 1;
    fclose(f);
    had = pages * (uint64_t)sysconf(_SC_PAGESIZE);
    setrlimit(RLIMIT_DATA, &(struct rlimit){.rlim_cur = had + 4 * MIB,
                                            .rlim_max = RLIM_INFINITY});
    for (uint32_t i = 0; i < 20000 && good; i++) {
        uint32_t len = below(4000);
        uc_hit hit;

        good = uc_store_put(s, key_of(i % 65536), value_of(i, len),
                            &(uc_put){0}, 1, NULL) == UC_STORED &&
               uc_store_find(s, key_of(i % 65536), 1, true, &hit) == UC_FRESH &&
               uc_store_value_is(s, &hit, value_of(i, len));
    }
    good &=
        sound(s) && stats(s).evicted.size > 1000 && stats(s).bytes < 8 * MIB;
    uc_store_free(s);
    return good ? 0 : 1;
}

static void no_more(void)
{
    pid_t child = fork();
    int status = -1;

    if (child == 0)
        _exit(starved());
    ok(child > 0 && waitpid(child, &status, 0) == child && status == 0,
       "where the system gives no more it makes do with what it has");
}
#endif

int main(void)
{
    tap_seed(4);
    against_model(64 * MIB, 0, true, "with room for everything");
    against_model(MIB, 0, false, "in a megabyte");
    against_model(64 * MIB, 100, false, "a hundred entries");
    memory();
    no_more();
    return tap_end();
}

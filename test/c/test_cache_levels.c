/*
 * First levels: what the sessions that hold one are told, how long they are
 * waited for, and what is left of those that go.
 */
#include <stdatomic.h>

#include "cache_words.h"
#include "common/clock.h"
#include "tap.h"

/* ---- one session ---- */

/* Asks and expects an answer at once; its seq. */
static int64_t hold(client *c, int64_t seq)
{
    const char *text = ask(c, cache_hold, "n I", seq);

    return strtoll(text + strlen("value ["), NULL, 10);
}

/* What is behind the seq, without the lease. */
static const char *news(const char *text)
{
    static char out[300];
    const char *p = strchr(text + strlen("value ["), ' ');
    char *lease;

    snprintf(out, sizeof out, "%s", p != NULL ? p + 1 : text);
    lease = strrchr(out, ' ');
    if (lease != NULL)
        *lease = '\0';
    return out;
}

static int64_t seq_of(const char *text)
{
    return strtoll(text + strlen("value ["), NULL, 10);
}

static int64_t held_at; /* when a question was put last */

/* A question that stands. */
static uint32_t stand(client *c, int64_t seq)
{
    uint32_t id;

    held_at = uc_now();
    id = put(c, cache_hold, "n I", seq);
    client_send(c);
    return id;
}

/* The answer to a question that stands: to the next one, and so on, when there
 * was nothing to tell within the 30 ms that one stands. */
static const char *told(client *c, uint32_t standing)
{
    const char *text = client_wait(c, standing);

    while (strcmp(news(text), "false [] []") == 0)
        text = client_wait(c, stand(c, seq_of(text)));
    return text;
}

static bool answered(client *c, uint32_t id)
{
    client_poll(c);
    for (reply *r = c->replies; r != NULL; r = r->next) {
        if (r->id == id)
            return true;
    }
    return false;
}

/* The hash in a reply of cache_read. */
static int64_t hash_in(const char *text)
{
    const char *p = strchr(text, '\'');

    p = p != NULL ? strchr(p + 1, '\'') : NULL; /* behind the bin */
    p = p != NULL ? strchr(p + 2, ' ') : NULL;  /* behind the ms */
    return p != NULL ? strtoll(p, NULL, 10) : 0;
}

static void first_levels(void)
{
    const char *path = scratch_file("levels.db");
    client *c = client_open(path, NULL), *w = client_open(path, NULL);
    char want[300], text[300];
    bool first = false, in_time = false;
    int64_t seq, hash;
    uint32_t standing, change;

    ask(w, exec, "n s", "create table user (x)");
    client_define(w, 1, "insert into user values (1)");
    client_define(c, 1, "insert into user values (1)");
    set(w, "k", "v");
    snprintf(text, sizeof text, "%s", ask(c, cache_read, "n s", "k"));
    eq_str(head(text, 2), "value [x'76' 0", "nothing to keep without a hold");
    snprintf(text, sizeof text, "%s", ask(c, cache_hold, "n i", 0));
    seq = seq_of(text);
    eq_str(news(text), "true [] []", "the first answer: forget everything");
    seq = hold(c, seq); /* after 30 ms */
    snprintf(text, sizeof text, "%s", ask(c, cache_read, "n s", "k"));
    eq_str(head(text, 2), "value [x'76' null", "to be kept without end");
    hash = hash_in(text);
    ok(hash > 0 && hash < (int64_t)1 << 52, "a hash that a double holds");
    /* It stands and is told at once; the change is answered when it has
     * confirmed. */
    standing = stand(c, seq);
    ask(c, ping, "n i", 1);
    change = put(w, cache_set, "n s x n", "k", TEXT("w"));
    client_send(w);
    snprintf(text, sizeof text, "%s", told(c, standing));
    snprintf(want, sizeof want, "false [%" PRId64 "] []", hash);
    eq_str(news(text), want, "a change is told");
    ok(seq_of(text) > seq, "with a higher seq");
    seq = seq_of(text);
    standing = put(c, cache_hold, "n I", seq);
    client_send(c);
    eq_str(head(client_wait(w, change), 1), "value [true",
           "and answered when that is confirmed");
    /* A holder that never confirms. */
    client_wait(c, standing);
    ask(c, cache_read, "n s", "k");
    standing = put(c, cache_hold, "n I", seq);
    client_send(c);
    ask(c, ping, "n i", 1);
    eq_str(set(w, "k", "x"), "stored", "who is silent is not waited for long");
    snprintf(text, sizeof text, "%s", told(c, standing));
    eq_str(news(text), want, "though told");
    seq = seq_of(text);
    /* Who asks again without having applied it. */
    snprintf(text, sizeof text, "%s", ask(c, cache_hold, "n I", seq - 1));
    ok(strstr(text, " true [] [] 0]") != NULL,
       "who did not listen forgets everything, and has no lease");
    seq = seq_of(text);
    seq = hold(c, seq);
    /* Its own change needs no confirmation. */
    ask(c, cache_read, "n s", "k");
    standing = put(c, cache_hold, "n I", seq);
    client_send(c);
    eq_str(set(c, "k", "y"), "stored", "its own change is not waited for");
    ok(answered(c, standing), "but told before it is answered");
    seq = seq_of(client_wait(c, standing));
    seq = hold(c, seq);
    /* Domains. */
    set_in(w, "d", "#t");
    ask(c, cache_read, "n s", "d");
    standing = put(c, cache_hold, "n I", seq);
    client_send(c);
    ask(c, ping, "n i", 1);
    change = put(w, cache_drop, "n [s]", "#t");
    client_send(w);
    snprintf(text, sizeof text, "%s", told(c, standing));
    eq_str(head(news(text), 1), "false []", "a domain is told as one");
    seq = hold(c, seq_of(text));
    eq_str(client_wait(w, change), "value null", "and confirmed");
    /* A commit. It waits for as long as the lease, 100 ms from the last
     * question on: what is seen later says nothing, and is tried again. */
    for (int i = 0; i < 100 && !in_time; i++) {
        char key[20];

        snprintf(key, sizeof key, "d0 %d", i);
        set_in(w, key, "t:user");
        ask(c, cache_read, "n s", key);
        standing = stand(c, seq);
        ask(c, ping, "n i", 1);
        change = put(w, run, "n i i n", 1, 0);
        client_send(w);
        snprintf(text, sizeof text, "%s", told(c, standing));
        first = !answered(w, change);
        in_time = uc_now() - held_at < 80 * UC_MS;
        seq = hold(c, seq_of(text));
        snprintf(want, sizeof want, "%s", head(client_wait(w, change), 1));
    }
    eq_str(head(news(text), 1), "false []", "a commit is told");
    ok(in_time && first, "before it is acknowledged");
    eq_str(want, "run 1", "and acknowledged then");
    /* Its own commit. */
    set_in(w, "d1", "t:user");
    ask(c, cache_read, "n s", "d1");
    standing = put(c, cache_hold, "n I", seq);
    client_send(c);
    ask(c, ping, "n i", 1);
    eq_str(head(ask(c, run, "n i i n", 1, 0), 1), "run 1", "its own commit");
    ok(answered(c, standing), "is told before it is acknowledged");
    seq = seq_of(client_wait(c, standing));
    seq = hold(c, seq);
    /* A sync write of its own, and one that others keep. */
    set_in(w, "d2", "t:user");
    ask(c, cache_read, "n s", "d2");
    eq_str(head(sync(c, run, "n i i n", 1, 0), 1), "run 1", "a sync write");
    snprintf(text, sizeof text, "%s", sync(c, cache_hold, "n I", seq));
    eq_str(head(news(text), 1), "false []", "whose news a sync hold brings");
    seq = seq_of(text);
    set_in(w, "d3", "t:user");
    ask(c, cache_read, "n s", "d3");
    eq_str(head(sync(w, run, "n i i n", 1, 0), 1), "run 1",
           "one of another session");
    client_destroy(w);
    client_destroy(c);
}

/* Time that nobody waits for. */
static void later(void)
{
    client *c = client_open(":memory:", NULL);
    uc_cache *cache = c->session->cache;
    int64_t seq = hold(c, 0), token, next;
    uint32_t id;

    set(c, "k", "v");
    ask(c, cache_read, "n s", "k");
    id = put(c, cache_hold, "n I", seq);
    client_send(c);
    uc_cache_tick(cache, uc_now() + 31 * UC_MS);
    ok(answered(c, id), "a question is answered after 30 ms");
    seq = hold(c, seq_of(client_wait(c, id)));
    uc_cache_tick(cache, uc_now() + 9000 * UC_MS);
    seq = hold(c, seq);
    ok(strstr(ask(c, cache_hold, "n I", seq), " false [] [] ") != NULL,
       "who comes back soon keeps what it has");
    uc_cache_tick(cache, uc_now() + 11000 * UC_MS);
    ok(strstr(ask(c, cache_hold, "n I", seq), " true [] [] ") != NULL,
       "who does not forgets everything");
    token = begin(c, "l");
    id = put(c, cache_load, "{s i} s n", "t", 60000, "l");
    client_send(c);
    uc_cache_tick(cache, uc_now() + 29000 * UC_MS);
    ok(!answered(c, id), "a lease of 30 s");
    uc_cache_tick(cache, uc_now() + 31000 * UC_MS);
    next = token_of(client_wait(c, id));
    ok(next > token, "goes to the next in line");
    eq_str(loaded(c, token, "x"), "value [false 0]", "not to come back");
    client_destroy(c);
}

/* More than is remembered of a session. */
static void overflow(void)
{
    enum { MANY = 33000, A_CALL = 1000 };
    const char *path = scratch_file("overflow.db");
    client *c = client_open(path, NULL), *w = client_open(path, NULL);
    char key[40], text[300];
    int64_t seq;
    uint32_t id = 0;

    seq = hold(c, 0);
    for (int i = 0; i < MANY; i++) {
        snprintf(key, sizeof key, "key %d", i);
        id = put(c, cache_set, "n s x n", key, TEXT("v"));
        client_put_id(c, 0, UC_OP_cache_read, "n s", key);
        if (i % A_CALL == A_CALL - 1) {
            client_send(c);
            client_wait(c, id);
            while (c->replies != NULL) {
                reply *r = c->replies;

                c->replies = r->next;
                free(r);
            }
        }
    }
    client_send(c);
    snprintf(text, sizeof text, "%s", ask(c, cache_hold, "n I", seq));
    eq_str(news(text), "true [] []", "too much to remember: forget everything");
    ok(strstr(ask(w, cache_stats, "n"), "'holders' 1") != NULL, "one holder");
    client_destroy(c);
    ok(strstr(ask(w, cache_stats, "n"), "'holders' 0") != NULL, "then none");
    client_destroy(w);
}

/* ---- several threads ---- */

typedef struct worker {
    const char *path;
    uint64_t seed;
    _Atomic bool *stop;
    _Atomic uint64_t n; /* calls */
} worker;

static uint64_t rnd(uint64_t *s)
{
    *s = *s * 6364136223846793005u + 1442695040888963407u;
    return *s >> 33;
}

/* A client with a first level, as hasty as they come. */
static void *churn(void *arg)
{
    worker *w = arg;
    char key[20];

    while (!atomic_load(w->stop)) {
        client *c = client_open(w->path, NULL);
        uint32_t standing;

        client_define(c, 1, "insert into user values (1)");
        standing = put(c, cache_hold, "n i", 0);
        client_send(c);
        for (int i = 0; i < 60; i++) {
            int64_t token;

            snprintf(key, sizeof key, "k%d", (int)(rnd(&w->seed) % 8));
            switch (rnd(&w->seed) % 8) {
            case 0:
                set(c, key, "v");
                break;
            case 1:
                ask(c, cache_drop, "n [s]", "#t");
                break;
            case 2:
                ask(c, run, "n i i n", 1, 0);
                break;
            case 3:
                token = token_of(ask(c, cache_load, "{s i} s {s i s b}", "t",
                                     100, key, "lease", 20, "l1", 1));
                if (token > 0)
                    ask(c, cache_loaded, "n I x {s [s s] s i} n", token,
                        TEXT("l"), "d", "t:user", "#t", "t", 5);
                break;
            case 4:
                put(c, cache_load, "{s i} s n", "t", 1, key);
                client_send(c);
                break;
            case 5:
                ask(c, cache_delete, "n s", key);
                break;
            default:
                ask(c, cache_read, "n s", key);
                break;
            }
            if (answered(c, standing)) {
                int64_t seq = seq_of(client_wait(c, standing));

                standing = put(c, cache_hold, "n I", seq);
                client_send(c);
            }
            atomic_fetch_add(&w->n, 1);
        }
        if (rnd(&w->seed) % 2 == 0)
            client_close(c);
        else
            client_destroy(c);
    }
    return NULL;
}

static bool have_begun(const worker *w, int n)
{
    for (int i = 0; i < n; i++) {
        if (atomic_load(&w[i].n) == 0)
            return false;
    }
    return true;
}

static void threads(void)
{
    enum { N = 3, CALLS = 2000 };
    const char *path = scratch_file("threads.db");
    client *c = client_open(path, "s s", "synchronous", "full");
    _Atomic bool stop = false;
    worker w[N];
    uc_thread t[N];
    uint64_t seed = tap_seed(7);
    int64_t until = uc_now() + 20000 * UC_MS;
    uint64_t calls = 0;

    ask(c, exec, "n s", "create table user (x)");
    for (int i = 0; i < N; i++) {
        w[i] =
            (worker){.path = path, .seed = seed + (uint64_t)i, .stop = &stop};
        uc_thread_start(&t[i], "churn", churn, &w[i]);
    }
    /* As long as it takes each of them to get through one. */
    while ((calls < CALLS || !have_begun(w, N)) && uc_now() < until) {
        uint8_t out[16];

        uc_cache_peek(c->session, (const uint8_t *)"k1", 2, out, sizeof out);
        ask(c, cache_get, "n s", "k2");
        calls++;
    }
    atomic_store(&stop, true);
    calls = 0;
    for (int i = 0; i < N; i++) {
        uc_thread_join(t[i]);
        calls += atomic_load(&w[i].n);
    }
    ok(calls > 0, "sessions that come and go while others read");
    ok(strstr(ask(c, cache_stats, "n"), "'holders' 0") != NULL,
       "have left nothing");
    client_close(c);
}

int main(void)
{
    first_levels();
    later();
    overflow();
    threads();
    return tap_end();
}

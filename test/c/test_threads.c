/*
 * Several threads, each with sessions of its own on one file, doing whatever
 * comes up: to be run under TSan. What is checked is that every call is
 * answered, that no acknowledged row is lost and that nothing deadlocks.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "client.h"
#include "tap.h"

#define ask(c, op, ...) client_ask(c, UC_OP_##op, __VA_ARGS__)
#define put(c, op, ...) client_put(c, UC_OP_##op, __VA_ARGS__)
#define sync(c, op, ...) client_sync(c, UC_OP_##op, __VA_ARGS__)

enum { THREADS = 4, ROUNDS = 6, STEPS = 40 };

/* No transaction and no snapshot ends because the machine is slow. */
#define OPTIONS "s i s i s i", "cursors", 3, "readers", 2, "tx_ms", 60000

static char file[400];
static _Atomic uint64_t inserted; /* acknowledged */
static _Atomic uint64_t wrong;

typedef struct worker {
    uc_thread thread;
    uint64_t state;
    char first_wrong[200];
} worker;

static uint32_t dice(worker *w, uint32_t sides)
{
    w->state = w->state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(w->state >> 33) % sides;
}

static void expect(worker *w, const char *text, const char *with)
{
    if (strncmp(text, with, strlen(with)) == 0)
        return;
    if (w->first_wrong[0] == '\0')
        snprintf(w->first_wrong, sizeof w->first_wrong, "%s: %.150s", with,
                 text);
    atomic_fetch_add(&wrong, 1);
}

static void define_all(client *c)
{
    client_define(c, 1, "insert into t (v) values (?)");
    client_define(c, 2, "select count(*) n from t");
    client_define(c, 3, "select i, v from t where i = ?");
    client_define(c, 4, "select v from t order by i limit 200");
    client_define(c, 5,
                  "with recursive g(i) as (select 1 union all select "
                  "i + 1 from g where i < 30000) select sum(i) from g");
}

static void count_if(const char *text, uint64_t n)
{
    if (strncmp(text, "run", 3) == 0 || strncmp(text, "multi", 5) == 0)
        atomic_fetch_add(&inserted, n);
}

static void transaction(worker *w, client *c)
{
    int64_t x;
    bool commit = dice(w, 2);

    if (strncmp(ask(c, tx_begin, "n"), "value", 5) != 0)
        return;
    x = c->value;
    expect(w, ask(c, run, "{s I} i i [s]", "x", x, 1, 0, "tx"), "run 1");
    expect(w, ask(c, get, "{s I} i i n", "x", x, 2, 0), "rows n:");
    if (strncmp(ask(c, tx_end, "n I b", x, commit), "value", 5) == 0 && commit)
        atomic_fetch_add(&inserted, 1);
}

static void cursor(worker *w, client *c)
{
    const char *text = ask(c, cursor_open, "n i i n i", 4, 0, 256);
    uint32_t cur = c->cursor, left = 1 + dice(w, 5);

    if (strncmp(text, "rows", 4) != 0)
        return; /* all connections in use */
    while (cur != 0 && c->cursor != 0 && left-- > 0)
        ask(c, cursor_next, "n i i", (int)cur, (int)c->shape);
    if (cur != 0 && c->cursor != 0 && dice(w, 3) > 0)
        ask(c, cursor_close, "n i", (int)cur);
}

static void snapshot(worker *w, client *c)
{
    int64_t s, n;

    if (strncmp(ask(c, snap_begin, "n"), "value", 5) != 0)
        return;
    s = c->value;
    expect(w, ask(c, get, "{s I} i i n", "s", s, 2, 0), "rows n:");
    n = c->value;
    count_if(ask(c, run, "n i i [s]", 1, 0, "meanwhile"), 1);
    expect(w, ask(c, get, "{s I} i i n", "s", s, 2, 0), "rows n:");
    if (c->value != n)
        expect(w, "another count", "a snapshot that stays");
    if (dice(w, 3) > 0)
        ask(c, snap_end, "n I", s);
}

/* Many calls at once, some cancelled. */
static void burst(worker *w, client *c)
{
    uint32_t ids[24], n = 4 + dice(w, 20);

    for (uint32_t i = 0; i < n; i++) {
        int d = (int)dice(w, 4);

        ids[i] = d == 0   ? put(c, run, "n i i [i]", 1, 0, (int)i)
                 : d == 1 ? put(c, get, "n i i [i]", 3, 0, (int)i)
                 : d == 2 ? put(c, json, "n i i n", 4, 0)
                          : put(c, get, "n i i n", 5, 0);
    }
    if (dice(w, 2))
        client_send(c);
    client_put_id(c, 0, UC_OP_cancel, "n i i", (int)ids[dice(w, n)], 0);
    client_send(c);
    for (uint32_t i = 0; i < n; i++)
        count_if(client_wait(c, ids[i]), 1);
}

/* False when it has left its transaction open: async writes would wait for
 * it then, on the thread that has to end it. */
static bool sync_calls(worker *w, client *c)
{
    int64_t x;

    expect(w, sync(c, get, "n i i n", 2, 0), "rows n:");
    count_if(sync(c, run, "n i i [s]", 1, 0, "sync"), 1);
    expect(w, sync(c, all, "n i i n", 4, 0), "rows v:");
    uc_turn_end(c->session);
    if (strncmp(sync(c, tx_begin, "n"), "value", 5) != 0)
        return true;
    x = c->value;
    expect(w, sync(c, run, "{s I} i i [s]", "x", x, 1, 0, "s"), "run 1");
    if (dice(w, 4) == 0)
        return false;
    if (strncmp(sync(c, tx_end, "n I b", x, 1), "value", 5) == 0)
        atomic_fetch_add(&inserted, 1);
    return true;
}

/* False when the client can only be ended after it. */
static bool step(worker *w, client *c)
{
    switch (dice(w, 10)) {
    case 0:
        transaction(w, c);
        break;
    case 1:
        cursor(w, c);
        break;
    case 2:
        snapshot(w, c);
        break;
    case 3:
    case 4:
        burst(w, c);
        break;
    case 5:
        return sync_calls(w, c);
    case 6:
        /* Numbers are defined while the writer looks one up. */
        for (int i = 0; i < 4; i++)
            put(c, batch, "n [[i [s]] [s n]]", 1, "b", "select 1");
        client_send(c);
        client_define(c, 100 + dice(w, 4000), "select 2");
        for (uint32_t i = 4; i > 0; i--)
            count_if(client_wait(c, c->next_id - i + 1), 1);
        break;
    case 7:
        count_if(ask(c, many, "n i n b [[i][i][i]]", 1, 0, 1, 2, 3), 3);
        break;
    case 8:
        expect(w, ask(c, stats, "n"), "value {");
        break;
    default:
        ask(c, get, "{s i s b} i i n", "t", 1, "r", 1, 5, 0); /* may expire */
        break;
    }
    return true;
}

static void *work(void *arg)
{
    worker *w = arg;

    for (int round = 0; round < ROUNDS; round++) {
        client *c = client_open(file, OPTIONS);
        int steps = (int)dice(w, STEPS);
        bool free_to_call = true;
        int end = (int)dice(w, 3);

        c->assist = dice(w, 2);
        define_all(c);
        for (int i = 0; i < steps && free_to_call; i++)
            free_to_call = step(w, c);
        if (!free_to_call || end == 0) {
            if (end == 0)
                client_close(c);
            else
                client_destroy(c);
            continue;
        }
        /* Destroyed or closed in the middle of it. */
        for (int i = 0; i < 8; i++) {
            put(c, get, "n i i n", 5, 0);
            put(c, cursor_open, "n i i n i", 4, 0, 256);
        }
        client_send(c);
        if (dice(w, 2))
            usleep(dice(w, 3000));
        if (end == 1)
            client_close(c);
        else
            client_destroy(c);
    }
    return NULL;
}

static void mixed(void)
{
    worker workers[THREADS];
    client *c;
    char want[64];

    strcpy(file, scratch_file("threads.db"));
    c = client_open(file, OPTIONS);
    ask(c, exec, "n s", "create table t (i integer primary key, v)");
    client_close(c);
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (worker){.state = tap_random()};
        uc_thread_start(&workers[i].thread, "test", work, &workers[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        uc_thread_join(workers[i].thread);
        eq_str(workers[i].first_wrong, "", "a thread saw only what it should");
    }
    eq_int(wrong, 0, "every reply was of its kind");
    c = client_open(file, OPTIONS);
    define_all(c);
    snprintf(want, sizeof want, "rows n: %" PRIu64, (uint64_t)inserted);
    eq_str(ask(c, get, "n i i n", 2, 0), want,
           "every acknowledged row is there, and none besides");
    client_define(c, 9, "pragma integrity_check");
    eq_str(ask(c, get, "n i i n", 9, 0), "rows integrity_check: 'ok'",
           "the file is sound");
    client_close(c);
}

/* ---- open and destroy, over and over ---- */

static void *coming_and_going(void *arg)
{
    worker *w = arg;

    for (int i = 0; i < 60; i++) {
        client *c = client_open(file, NULL);
        const char *text;

        c->assist = dice(w, 2);
        client_define(c, 1, "select count(*) n from t");
        if (dice(w, 3) == 0) {
            put(c, get, "n i i n", 1, 0);
            client_send(c);
            client_destroy(c);
            continue;
        }
        text = ask(c, get, "n i i n", 1, 0);
        expect(w, text, "rows n:");
        text = sync(c, get, "n i i n", 1, 0);
        expect(w, text, "rows n:");
        if (dice(w, 2))
            client_destroy(c);
        else
            client_close(c);
    }
    return NULL;
}

static void churn(void)
{
    worker workers[THREADS];

    for (int i = 0; i < THREADS; i++) {
        workers[i] = (worker){.state = tap_random()};
        uc_thread_start(&workers[i].thread, "test", coming_and_going,
                        &workers[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        uc_thread_join(workers[i].thread);
        eq_str(workers[i].first_wrong, "",
               "a handle is not stopped by another one that ends");
    }
}

/* ---- calls that come while the store closes ---- */

static void *coming_late(void *arg)
{
    worker *w = arg;
    client *c = client_open(":memory:", NULL);
    uint32_t closed, late;

    ask(c, ping, "n"); /* it is open */
    closed = put(c, close, "n");
    c->hint |= UC_HINT_URGENT; /* routed here: it closes from now on */
    client_send(c);
    late = put(c, ping, "n");
    /* The bytes of a second one, which cannot be read. */
    uc_buf_put(&c->out, "\xc1\xc1\xc1\xc1", 4);
    c->count++;
    client_send(c);
    expect(w, client_wait(c, late), "error UC_CLOSED not-run");
    expect(w, client_wait(c, closed), "value null");
    client_destroy(c);
    return NULL;
}

static void too_late(void)
{
    enum { CLOSES = 100, AT_ONCE = 2 };
    worker workers[AT_ONCE] = {{.state = 0}};

    for (int n = 0; n < CLOSES; n++) {
        for (int i = 0; i < AT_ONCE; i++)
            uc_thread_start(&workers[i].thread, "test", coming_late,
                            &workers[i]);
        for (int i = 0; i < AT_ONCE; i++)
            uc_thread_join(workers[i].thread);
    }
    for (int i = 0; i < AT_ONCE; i++)
        eq_str(workers[i].first_wrong, "",
               "what comes while the store closes is answered");
}

int main(void)
{
    tap_seed(1);
    mixed();
    churn();
    too_late();
    return tap_end();
}

/*
 * Frames of `watch` and of writes with a key that no client of ours sends, and
 * sessions that end while others write.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include "client.h"
#include "tap.h"

#define ask(c, op, ...) client_ask(c, UC_OP_##op, __VA_ARGS__)
#define put(c, op, ...) client_put(c, UC_OP_##op, __VA_ARGS__)
#define sync(c, op, ...) client_sync(c, UC_OP_##op, __VA_ARGS__)

/* The tables of a reply, whose generation differs from run to run. */
static const char *tables(const char *text)
{
    const char *p = text != NULL ? strstr(text, "'tables' ") : NULL;

    return p != NULL ? p + strlen("'tables' ") : text;
}

static int64_t gen_of(const char *text)
{
    const char *p = text != NULL ? strstr(text, "'gen' ") : NULL;

    return p != NULL ? strtoll(p + strlen("'gen' "), NULL, 10) : 0;
}

static void generations(const char *path)
{
    client *c = client_open(path, NULL);
    uint32_t id, other;
    int64_t gen;

    ask(c, exec, "n s", "create table a (x); create table b (x)");
    client_define(c, 1, "insert into a values (1)");
    client_define(c, 2, "insert into b values (1)");
    id = put(c, watch, "n i [s]", 0, "a");
    client_send(c);
    eq_str(ask(c, ping, "n i", 1), "value 1", "a watch stands, others pass");
    ask(c, run, "n i i n", 2, 0);
    ask(c, run, "n i i n", 1, 0);
    gen = gen_of(client_wait(c, id));
    ok(gen > 0 && gen < (int64_t)1 << 53, "a generation that a double holds");
    eq_str(tables(ask(c, watch, "n I [s]", gen - 1, "a")), "['a']}",
           "what has changed since is told at once");
    eq_str(tables(ask(c, watch, "n I [s]", gen - 2, "b")), "['b']}",
           "of an earlier commit as well");
    eq_str(tables(ask(c, watch, "n I n", gen - 2)), "['b' 'a']}",
           "without names all of them");
    eq_str(tables(ask(c, watch, "n i [s]", 1, "a")), "['*']}",
           "a generation from before this core: everything");
    eq_str(tables(ask(c, watch, "n I [s]", gen + 1000, "a")), "['*']}",
           "and one that has not been given");
    id = put(c, watch, "n I [s]", gen, "a");
    other = put(c, watch, "n I [s]", gen, "a");
    put(c, cancel, "n i i", (int)id, 0);
    client_send(c);
    eq_str(client_wait(c, id), "error UC_ABORTED", "cancel ends one");
    client_put_id(c, 0, UC_OP_watch, "n i n", 0);
    client_send(c);
    ask(c, run, "n i i n", 1, 0);
    eq_str(tables(client_wait(c, other)), "['a']}", "and leaves the other");
    eq_str(ask(c, watch, "n i i", 0, 1), "error UC_FRAME not-run",
           "tables that are no array");
    eq_str(ask(c, watch, "n s n", "x"), "error UC_FRAME not-run",
           "a generation that is no number");
    eq_str(ask(c, watch, "n i [i]", 0, 1), "error UC_FRAME not-run",
           "a table that is no text");
    eq_str(sync(c, watch, "n i n", 0), "error UC_FRAME", "it cannot block");
    for (int i = 0; i < 64; i++)
        other = put(c, watch, "n i [s]", 0, "a");
    id = put(c, watch, "n i [s]", 0, "a");
    client_send(c);
    eq_str(client_wait(c, id), "error UC_BUSY not-run", "one more than 64");
    id = put(c, close, "n");
    client_send(c);
    eq_str(client_wait(c, other), "error UC_CLOSED", "close answers them");
    eq_str(client_wait(c, id), "value null", "and does not wait for them");
    client_destroy(c);
}

/* More tables than are kept apart. */
static void many_tables(void)
{
    enum { N = 4200, A_CALL = 300 };
    client *c = client_open(":memory:", NULL);
    char *sql = malloc(N * 40), *p = sql;
    uint32_t id;

    /* Some at a time: each looks at all that there are, and a call is not to
     * take longer than a deadline where a sanitizer makes it slow. */
    for (int i = 0; i < N; i++) {
        p += sprintf(p, "create table t%d (x);", i);
        if ((i + 1) % A_CALL == 0) {
            ask(c, exec, "n s", sql);
            p = sql;
        }
    }
    for (int i = 0; i < N; i++) {
        sprintf(sql, "insert into t%d values (1)", i);
        client_define(c, 1, sql);
        id = put(c, run, "n i i n", 1, 0);
    }
    client_send(c);
    /* Whoever watches before the last of them has run hears of that one. */
    client_wait(c, id);
    client_define(c, 1, "insert into t7 values (1)");
    client_define(c, 2, "insert into t4150 values (1)");
    id = put(c, watch, "n i [s]", 0, "t7");
    client_send(c);
    ask(c, run, "n i i n", 1, 0);
    eq_str(tables(client_wait(c, id)), "['t7']}", "the first are known");
    id = put(c, watch, "n i [s]", 0, "t7");
    client_send(c);
    ask(c, run, "n i i n", 2, 0);
    eq_str(tables(client_wait(c, id)), "['*']}", "the last stand for all");
    free(sql);
    client_destroy(c);
}

static void keys(const char *path)
{
    client *c = client_open(path, NULL);
    char key[300];

    memset(key, 'k', sizeof key);
    ask(c, exec, "n s", "create table k (x)");
    client_define(c, 1, "insert into k values (?)");
    client_define(c, 2, "select count(*) n from k");
    eq_str(ask(c, run, "{s s} i i [i]", "o", "key", 1, 0, 1), "run 1 1", "run");
    eq_str(ask(c, run, "{s s} i i [i]", "o", "key", 1, 9, 1), "run 1 1",
           "again, with another shape");
    eq_str(sync(c, run, "{s s} i i [i]", "o", "key", 1, 0, 1), "run 1 1",
           "and as a sync call");
    eq_str(sync(c, run, "{s s} i i [i]", "o", "key", 1, 0, 2),
           "error UC_ONCE_CONFLICT not-run", "whose other request is told");
    eq_str(sync(c, run, "{s s} i i [i]", "o", "sync", 1, 0, 2), "run 1 2",
           "a key of its own");
    eq_str(ask(c, get, "n i i n", 2, 0), "rows n: 2",
           "each write is there once");
    eq_str(ask(c, get, "{s s} i i n", "o", "key", 2, 0),
           "error UC_OPTION not-run", "not on get");
    eq_str(sync(c, get, "{s s} i i n", "o", "key", 2, 0), "error UC_OPTION",
           "nor on a blocking one");
    eq_str(ask(c, run, "{s s} i i n", "o", "key", 2, 0), "error UC_OPTION",
           "nor where run reads");
    eq_str(ask(c, run, "{s t} i i [i]", "o", key, (size_t)201, 1, 0, 1),
           "error UC_OPTION not-run", "a key too long");
    eq_str(ask(c, run, "{s t} i i [i]", "o", key, (size_t)0, 1, 0, 1),
           "error UC_OPTION not-run", "and none at all");
    eq_str(ask(c, run, "{s i} i i [i]", "o", 1, 1, 0, 1),
           "error UC_FRAME not-run", "a key that is no text");
    client_destroy(c);
}

typedef struct writing {
    const char *path;
    _Atomic bool stop;
    uint64_t n;
} writing;

static void *write_on(void *arg)
{
    writing *w = arg;
    client *c = client_open(w->path, NULL);

    client_define(c, 1, "insert into a values (1)");
    while (!atomic_load(&w->stop)) {
        for (int i = 0; i < 8; i++)
            client_put_id(c, 0, UC_OP_run, "n i i n", 1, 0);
        ask(c, run, "n i i n", 1, 0);
        w->n++;
    }
    client_close(c);
    return NULL;
}

static void sessions_that_end(const char *path)
{
    enum { ROUNDS = 100 };
    client *c = client_open(path, "s s", "synchronous", "full");
    writing w = {.path = path};
    uint64_t told = 0;
    uc_thread t;

    ask(c, exec, "n s", "create table a (x)");
    uc_thread_start(&t, "writing", write_on, &w);
    for (int i = 0; i < ROUNDS; i++) {
        client *d = client_open(path, NULL);
        uint32_t id = 0;

        for (int k = 0; k < 20; k++)
            id = put(d, watch, "n i [s]", 0, k % 2 == 0 ? "a" : "other");
        client_put_id(d, 0, UC_OP_cancel, "n i i", (int)id, 0);
        id = put(d, watch, "n i n", 0);
        client_send(d);
        if (i % 3 != 0)
            told += strcmp(tables(client_wait(d, id)), "['a']}") == 0;
        if (i % 2 == 0)
            client_destroy(d);
        else
            client_close(d);
    }
    atomic_store(&w.stop, true);
    uc_thread_join(t);
    eq_int(told, 66, "sessions that come and go are told while they are there");
    ok(w.n > 0, "beside one that writes");
    client_close(c);
}

int main(void)
{
    static char file[400];

    strcpy(file, scratch_file("watch.db"));
    generations(file);
    generations(":memory:");
    many_tables();
    keys(scratch_file("keys.db"));
    sessions_that_end(scratch_file("ends.db"));
    return tap_end();
}

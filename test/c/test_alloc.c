/*
 * Allocation number n fails, for n = 1, 2, ... until a whole scenario runs
 * without reaching n: first those of the core (built with -DUC_TEST_ALLOC),
 * then SQLite's own. Each call is answered; the first failure is one of
 * memory; afterwards the file is sound and the store works. LeakSanitizer
 * looks for what was lost. UC_ALLOC=n starts at n.
 */
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "client.h"
#include "common/mem.h"
#include "tap.h"

#define ask(c, op, ...) step(c, client_ask(c, UC_OP_##op, __VA_ARGS__))
#define sync(c, op, ...) step(c, client_sync(c, UC_OP_##op, __VA_ARGS__))
/* What holds the writer is ended a second time where the first found no memory,
 * as lib/ does it; the next call would wait for its deadline otherwise. */
#define end(c, how, op, ...)         \
    do {                             \
        how(c, op, __VA_ARGS__);     \
        if ((c)->code[0] != '\0')    \
            how(c, op, __VA_ARGS__); \
    } while (0)
/* The last rows of a stream, or that there are none. */
#define last_rows(c, token, sid)                          \
    do {                                                  \
        ask(c, many, "n i I b [[i]]", sid, token, 0, 11); \
        if ((c)->code[0] != '\0')                         \
            ask(c, many, "n i I b n", sid, token, 0);     \
    } while (0)

static char first[200]; /* the first error of a run */

static const char *step(client *c, const char *text)
{
    if (first[0] == '\0' && c->code[0] != '\0')
        snprintf(first, sizeof first, "%s %.120s", c->code, c->message);
    return text;
}

static client *opened(const char *path)
{
    /* Thousands of runs: what a power cut would leave is not looked at. */
    client *c =
        client_open(path, "s i s {s i} s i s s", "tx_ms", 5000, "pragmas",
                    "cache_size", -500, "readers", 1, "synchronous", "off");

    if (c == NULL && first[0] == '\0')
        strcpy(first, "UC_MEMORY");
    return c;
}

/* A session of its own, so that nobody has to wait for its first level. The
 * first question is answered at once, the second when something changes. */
static void cached(const char *path)
{
    client *c = opened(path);
    int64_t token = 1024 + 225; /* of the first load, of the key m */

    if (c == NULL)
        return;
    ask(c, cache_hold, "n i", 0);
    client_put(c, UC_OP_cache_hold, "n i", 1000);
    ask(c, cache_set, "n s x {s [s s]}", "k", "v", (size_t)1, "d", "t:t", "#a");
    ask(c, cache_read, "n s", "k");
    ask(c, cache_get_many, "n [s s]", "k", "l");
    ask(c, cache_incr, "n s i n", "n", 1);
    ask(c, cache_load, "n s n", "m");
    client_put(c, UC_OP_cache_load, "n s n", "m");
    ask(c, cache_loaded, "n I x n n", token, "v", (size_t)1);
    ask(c, run, "n s i [s]", "insert into t (v) values (?)", 0, "a commit");
    ask(c, cache_stats, "n");
    client_destroy(c);
}

static void scenario(const char *path)
{
    client *c = opened(path);
    int64_t x;

    if (c == NULL)
        return;
    client_define(c, 1, "insert into t (v) values (?)");
    client_define(c, 2, "select i, v from t order by i");
    client_define(c, 300, "select count(*) n from t where v = :v");
    ask(c, exec, "n s",
        "create table if not exists t (i integer primary key, v)");
    ask(c, run, "n i i [s]", 1, 0, "text");
    ask(c, get, "n i i {s s}", 300, 0, "v", "text");
    ask(c, all, "n i i n", 2, 0);
    ask(c, json, "n i i n", 2, 0);
    ask(c, many, "n i n b [[i][i][i]]", 1, 0, 1, 2, 3);
    ask(c, batch, "n [[i [i]] [i n]]", 1, 1, 2);
    ask(c, many, "n i n b [[i]]", 1, 1, 10);
    x = c->value;
    if (c->code[0] == '\0')
        last_rows(c, x, 1);
    for (int i = 0; i < 2; i++)
        ask(c, run, "{s s} i i [s]", "o", "key", 1, 0, "once");
    ask(c, many, "{s s} i n b [[i]]", "o", "stream", 1, 1, 10);
    x = c->value;
    if (c->code[0] == '\0')
        last_rows(c, x, 1);
    ask(c, watch, "n i [s]", 1, "t");
    client_put(c, UC_OP_watch, "n i [s s]", 0, "t", "m");
    client_send(c);
    ask(c, tx_begin, "n");
    x = c->value;
    if (c->code[0] == '\0') {
        ask(c, run, "{s I} i i [s]", "x", x, 1, 0, "in a transaction");
        ask(c, savepoint, "n I i i", x, 0, 1);
        ask(c, savepoint, "n I i i", x, 2, 1);
        end(c, ask, tx_end, "n I b", x, 1);
    }
    ask(c, cursor_open, "n i i n i", 2, 0, 256);
    if (c->cursor != 0)
        ask(c, cursor_next, "n i i", (int)c->cursor, (int)c->shape);
    ask(c, snap_begin, "n");
    x = c->value;
    if (c->code[0] == '\0') {
        ask(c, get, "{s I} i i {s s}", "s", x, 300, 0, "v", "text");
        end(c, ask, snap_end, "n I", x);
    }
    sync(c, run, "n i i [s]", 1, 0, "sync");
    sync(c, all, "n i i n", 2, 0);
    sync(c, tx_begin, "n");
    x = c->value;
    if (c->code[0] == '\0') {
        sync(c, run, "{s I} i i [s]", "x", x, 1, 0, "s");
        end(c, sync, tx_end, "n I b", x, 1);
    }
    ask(c, stats, "n");
    ask(c, describe, "n");
    ask(c, backup_begin, "n s", scratch_file("alloc-copy.db"));
    x = c->value;
    if (c->code[0] == '\0') {
        ask(c, backup_step, "n I i", x, 1000);
        if (c->code[0] != '\0')
            ask(c, backup_end, "n I", x);
        ask(c, restore, "n s", scratch_file("alloc-copy.db"));
    }
    ask(c, migrate_apply, "n i s s s b", 1, "one", "sum",
        "create table if not exists m (a)", 0);
    ask(c, checkpoint, "n s", "truncate");
    cached(path);
    client_ask(c, UC_OP_close, "n");
    client_destroy(c);
}

/* ---- SQLite's allocator ---- */

static sqlite3_mem_methods real;
static _Atomic uint64_t made, fail_at;

static bool refuse(void)
{
    return atomic_fetch_add(&made, 1) + 1 == atomic_load(&fail_at);
}

static void *thin_malloc(int n)
{
    return refuse() ? NULL : real.xMalloc(n);
}

static void *thin_realloc(void *p, int n)
{
    return refuse() ? NULL : real.xRealloc(p, n);
}

static uint64_t sqlite_fail_nth(uint64_t n)
{
    uint64_t before = atomic_exchange(&made, 0);

    atomic_store(&fail_at, n);
    return before;
}

/* ---- the sweep ---- */

/* A define that finds no memory has no reply: its statement is unknown. A
 * backup's own code says in its text that it was memory; SQLite itself says of
 * a temporary file only that it could not be opened. */
static bool of_memory(void)
{
    return strncmp(first, "UC_MEMORY", 9) == 0 ||
           strncmp(first, "SQLITE_NOMEM", 12) == 0 ||
           strncmp(first, "SQLITE_IOERR_NOMEM", 18) == 0 ||
           strstr(first, "has not been defined") != NULL ||
           strstr(first, "open a temporary database file") != NULL ||
           strstr(first, "out of memory") != NULL;
}

static void remove_files(const char *path)
{
    char name[500];

    unlink(path);
    snprintf(name, sizeof name, "%s-wal", path);
    unlink(name);
    snprintf(name, sizeof name, "%s-shm", path);
    unlink(name);
}

static bool sound(const char *path)
{
    client *c = client_open(path, NULL);
    bool good;

    client_define(c, 1, "pragma integrity_check");
    good = strcmp(client_ask(c, UC_OP_get, "n i i n", 1, 0),
                  "rows integrity_check: 'ok'") == 0;
    good = good && strncmp(client_ask(c, UC_OP_exec, "n s",
                                      "create table if not exists after (a); "
                                      "insert into after values (1)"),
                           "run", 3) == 0;
    if (!good)
        tap_diag("afterwards: %s %s", c->code, c->message);
    client_close(c);
    return good;
}

static void sweep(const char *who, uint64_t (*fail_nth)(uint64_t),
                  uint64_t every)
{
    char path[400], name[200];
    const char *from = getenv("UC_ALLOC");
    uint64_t n = from != NULL ? strtoull(from, NULL, 0) : 1;
    uint64_t runs = 0, other = 0, broken = 0, failed = 0;

    strcpy(path, scratch_file("alloc.db"));
    for (bool over = false; !over && runs < 3000; runs++) {
        remove_files(path);
        snprintf(client_note, sizeof client_note, "%s, allocation %" PRIu64,
                 who, n);
        first[0] = '\0';
        fail_nth(n);
        scenario(path);
        over = fail_nth(0) < n;
        failed += first[0] != '\0';
        if (first[0] != '\0' && !of_memory()) {
            other++;
            tap_diag("%s, allocation %" PRIu64 ": %s", who, n, first);
        }
        if (!sound(path)) {
            broken++;
            tap_diag("%s, allocation %" PRIu64 ": not sound", who, n);
        }
        n += 1 + n / every;
    }
    tap_diag("%s: %" PRIu64 " runs, %" PRIu64 " with an error, up to "
             "allocation %" PRIu64,
             who, runs, failed, n);
    snprintf(name, sizeof name, "%s: swept to the end", who);
    ok(runs > 20 && runs < 3000 && first[0] == '\0', name);
    snprintf(name, sizeof name, "%s: the first error is one of memory", who);
    eq_int(other, 0, name);
    snprintf(name, sizeof name, "%s: the file is sound and works", who);
    eq_int(broken, 0, name);
}

/* ---- what is begun without an answer ---- */

/* Nobody could end it: who writes next, or wants the one connection that there
 * is for cursors, would wait until it expires, which is an hour here. */
typedef struct beginning {
    const char *name;
    void (*begin)(client *c);
} beginning;

static void begin_tx(client *c)
{
    client_ask(c, UC_OP_tx_begin, "n");
}

static void begin_sync(client *c)
{
    client_sync(c, UC_OP_tx_begin, "n");
}

static void begin_stream(client *c)
{
    client_ask(c, UC_OP_many, "n i n b [[i]]", 1, 1, 10);
}

static void begin_snapshot(client *c)
{
    client_ask(c, UC_OP_snap_begin, "n");
}

static void begin_cursor(client *c)
{
    client_ask(c, UC_OP_cursor_open, "n i i n i", 2, 0, 256);
}

static void begin_backup(client *c)
{
    client_ask(c, UC_OP_backup_begin, "n s", scratch_file("alloc-copy.db"));
}

/* Begins it with each of its allocations failing in turn: counts how often that
 * was refused, and after how many of these something was left. True when an
 * allocation was asked for that it does not make: all have failed. */
static bool begin_each(const beginning *b, uint64_t *refused, uint64_t *left)
{
    const char *path = scratch_file("alloc.db");
    bool over = false;

    for (uint64_t n = 1; !over && n < 200; n++) {
        client *c;

        remove_files(path);
        c = client_open(path, "s i s i s i s s", "tx_ms", 3600000, "cursors", 1,
                        "timeout_ms", 20000, "synchronous", "off");
        client_define(c, 1, "insert into t (v) values (?)");
        client_define(c, 2, "select i, v from t order by i");
        client_ask(c, UC_OP_exec, "n s",
                   "create table t (i integer primary key, v); with c (x) as "
                   "(select 1 union all select x + 1 from c where x < 60) "
                   "insert into t (v) select x from c");
        uc_mem_fail_nth(n);
        b->begin(c);
        over = uc_mem_fail_nth(0) < n;
        if (!over && c->code[0] != '\0') {
            ++*refused;
            client_ask(c, UC_OP_run, "n i i [s]", 1, 0, "next");
            if (c->code[0] == '\0')
                client_ask(c, UC_OP_snap_begin, "n");
            if (c->code[0] != '\0') {
                ++*left;
                tap_diag("%s, allocation %" PRIu64 ": %s %s", b->name, n,
                         c->code, c->message);
            }
        }
        client_destroy(c);
    }
    return over;
}

static void none_is_left(const beginning *b)
{
    char name[200];
    uint64_t refused = 0, left = 0;
    bool over = true;

    /* A thread of the core may make the allocation that was to fail: then once
     * more. */
    for (int tries = 0; over && refused == 0 && tries < 50; tries++)
        over = begin_each(b, &refused, &left);
    snprintf(name, sizeof name, "%s: without memory it begins nothing",
             b->name);
    ok(over && refused > 0, name);
    snprintf(name, sizeof name, "%s: nothing is left that nobody ends",
             b->name);
    eq_int(left, 0, name);
}

int main(void)
{
    static const beginning all[] = {{"a transaction", begin_tx},
                                    {"a blocking transaction", begin_sync},
                                    {"a stream of rows", begin_stream},
                                    {"a snapshot", begin_snapshot},
                                    {"a cursor", begin_cursor},
                                    {"a backup", begin_backup}};
    sqlite3_mem_methods thin;

    sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real);
    thin = real;
    thin.xMalloc = thin_malloc;
    thin.xRealloc = thin_realloc;
    sqlite3_config(SQLITE_CONFIG_MALLOC, &thin);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        none_is_left(&all[i]);
    sweep("the core", uc_mem_fail_nth, 1000000);
    sweep("SQLite", sqlite_fail_nth, 25);
    return tap_end();
}

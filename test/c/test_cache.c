/*
 * The cache's operations through sessions of one core: what is kept, who loads,
 * what a commit drops, and who is waited for.
 */
#include <sqlite3.h>
#include <unistd.h>

#include "cache_words.h"
#include "common/clock.h"
#include "tap.h"

/* ---- one session ---- */

static void values(void)
{
    client *c = client_open(":memory:", "s i", "cache_value_bytes", 1000);
    char key[600], big[1001];

    memset(key, 'k', sizeof key);
    memset(big, 'v', sizeof big);
    eq_str(get(c, "a"), "value null", "absent");
    eq_str(set(c, "a", "one"), "stored", "set");
    eq_str(get(c, "a"), "bytes one", "get");
    eq_str(ask(c, cache_ttl, "n s", "a"), "value -1", "it has no end");
    eq_str(ask(c, cache_set, "n s x {s i}", "a", TEXT("two"), "t", -1),
           "error UC_OPTION not-run", "a negative ttl");
    eq_str(ask(c, cache_set, "n s x {s s}", "a", TEXT("two"), "t", "1"),
           "error UC_OPTION not-run", "a ttl that is no number");
    eq_str(
        ask(c, cache_set, "n s x {s I}", "a", TEXT("two"), "t", INT64_MAX / 2),
        "error UC_OPTION not-run", "a ttl beyond reason");
    eq_str(ask(c, cache_set, "n s x n", "a", big, sizeof big),
           "error UC_CACHE_VALUE not-run", "too large a value");
    eq_str(ask(c, cache_set, "n s i n", "a", 1), "error UC_FRAME not-run",
           "a value that is no bin");
    eq_str(ask(c, cache_set, "n s x {s [s]}", "a", TEXT("two"), "d", "x:y"),
           "error UC_OPTION not-run", "a domain of no kind");
    eq_str(ask(c, cache_set, "n s x {s [s]}", "a", TEXT("two"), "d", "#"),
           "error UC_OPTION not-run", "a tag without a name");
    eq_str(get(c, "a"), "bytes one", "the old entry stays");
    eq_str(ask(c, cache_set, "n t x n", key, (size_t)513, TEXT("x")),
           "error UC_CACHE_KEY not-run", "a key too long");
    eq_str(ask(c, cache_set, "n s x n", "", TEXT("x")),
           "error UC_CACHE_KEY not-run", "an empty key");
    eq_str(ask(c, cache_get, "n i", 1), "error UC_FRAME not-run",
           "a key that is no text");
    eq_str(
        head(ask(c, cache_set, "n t x n", key, (size_t)512, big, (size_t)1000),
             1),
        "value [true", "the longest key and the largest value");
    eq_str(set(c, "e", ""), "stored", "an empty value");
    eq_str(get(c, "e"), "bytes ", "is one");
    eq_str(ask(c, cache_get_many, "n [s s s]", "a", "no", "e"),
           "value [x'6f6e65' null x'']", "several");
    eq_str(ask(c, cache_get_many, "n []"), "value []", "none");
    eq_str(ask(c, cache_set_many, "n [[s x] [s x]] n", "m1", TEXT("1"), "m2",
               TEXT("2")),
           "value 2", "set several");
    eq_str(ask(c, cache_set_many, "n [[s x] [s x]] n", "m1", TEXT("3"), "",
               TEXT("2")),
           "error UC_CACHE_KEY not-run", "all or none");
    eq_str(get(c, "m1"), "bytes 1", "none it was");
    eq_str(ask(c, cache_delete, "n s", "m1"), "value true", "delete");
    eq_str(ask(c, cache_delete, "n s", "m1"), "value false", "twice");
    eq_str(ask(c, cache_touch, "n s i", "a", 100000), "value true", "touch");
    ask(c, cache_ttl, "n s", "a");
    ok(c->value > 90000 && c->value <= 100000, "then it has a ttl");
    eq_str(ask(c, cache_touch, "n s i", "no", 1), "value false", "absent");
    eq_str(ask(c, cache_touch, "n s i", "a", -1), "error UC_OPTION not-run",
           "a negative one");
    eq_str(ask(c, cache_clear, "n"), "value null", "clear");
    eq_str(get(c, "a"), "value null", "all gone");
    ok(strstr(ask(c, cache_stats, "n"), "'hits' ") != NULL, "figures");
    client_destroy(c);
    c = client_open(":memory:", "s i", "cache_bytes", 0);
    eq_str(get(c, "a"), "error UC_NO_CACHE not-run", "without a cache");
    eq_str(sync(c, cache_get, "n s", "a"), "error UC_NO_CACHE", "sync as well");
    client_destroy(c);
    c = client_open(":memory:", "s i", "cache_bytes", 1000);
    eq_str(get(c, "a"), "error UC_OPTION not-run", "too small a cache");
    client_destroy(c);
}

static void counters(void)
{
    client *c = client_open(":memory:", NULL);
    uint8_t most[] = {0xcf, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

    eq_str(ask(c, cache_incr, "n s i n", "n", 5), "value 5", "a new one");
    eq_str(ask(c, cache_incr, "n s i n", "n", -12), "value -7", "down");
    eq_str(get(c, "n"), "bytes \xf9", "is msgpack");
    eq_str(ask(c, cache_incr, "n s i {s i}", "t", 1, "t", 50000), "value 1",
           "with a ttl");
    eq_str(ask(c, cache_incr, "n s i n", "t", 1), "value 2", "once more");
    ask(c, cache_ttl, "n s", "t");
    ok(c->value > 40000 && c->value <= 50000, "which it keeps");
    set(c, "s", "text");
    eq_str(ask(c, cache_incr, "n s i n", "s", 1), "error UC_CACHE_TYPE not-run",
           "no integer");
    eq_str(get(c, "s"), "bytes text", "is left alone");
    ask(c, cache_set, "n s x n", "n", most, sizeof most);
    eq_str(ask(c, cache_incr, "n s i n", "n", 1), "error UC_CACHE_TYPE not-run",
           "too large a sum");
    eq_str(ask(c, cache_incr, "n s i n", "n", 0), "value 9223372036854775807",
           "the largest");
    eq_str(ask(c, cache_incr, "n s s n", "n", "1"), "error UC_FRAME not-run",
           "by something else");
    eq_str(ask(c, cache_cas, "n s n x n", "c", TEXT("1")), "value true",
           "when absent");
    eq_str(ask(c, cache_cas, "n s n x n", "c", TEXT("2")), "value false",
           "it is not any more");
    eq_str(ask(c, cache_cas, "n s x x n", "c", TEXT("0"), TEXT("2")),
           "value false", "another value");
    eq_str(ask(c, cache_cas, "n s x x n", "c", TEXT("1"), TEXT("2")),
           "value true", "the right one");
    eq_str(get(c, "c"), "bytes 2", "is exchanged");
    client_destroy(c);
}

/* The ways in for a door of the same process. */
static void inside(void)
{
    client *c = client_open(scratch_file("inside.db"), NULL);
    uint8_t out[500], small[2];
    uc_buf b;
    size_t n;

    uc_buf_init(&b, SIZE_MAX);
    pack(&b, "[i i n s x n]", UC_OP_cache_set, 7, "k", TEXT("value"));
    n = uc_cache_sync(c->session, b.p, b.len, out, sizeof out);
    eq_str(head(client_text(c, out, n), 1), "value [true", "a sync set");
    eq_int(uc_cache_peek(c->session, (const uint8_t *)"k", 1, out, sizeof out),
           5, "peek");
    eq_bytes(out, 5, "value", 5, "the value");
    eq_int(uc_cache_peek(c->session, (const uint8_t *)"k", 1, small, 2), -5,
           "no room for it");
    eq_int(uc_cache_peek(c->session, (const uint8_t *)"l", 1, out, 9), -1,
           "absent");
    eq_int(uc_cache_peek(c->session, (const uint8_t *)"", 0, out, 9), -1,
           "no key");
    uc_buf_rewind(&b, 0);
    pack(&b, "[i i n s]", UC_OP_cache_get, 8, "k");
    n = uc_cache_sync(c->session, b.p, b.len, small, sizeof small);
    ok(n > sizeof small, "a reply that does not fit");
    eq_int(uc_cache_sync_take(c->session, out, sizeof out), n, "is kept");
    eq_str(client_text(c, out, n), "bytes value", "and taken");
    uc_buf_rewind(&b, 0);
    pack(&b, "[i i n s n]", UC_OP_cache_load, 9, "m");
    n = uc_cache_sync(c->session, b.p, b.len, out, sizeof out);
    ok(token_of(client_text(c, out, n)) > 0, "a sync load");
    eq_int(uc_cache_sync(c->session, b.p, b.len, out, sizeof out), 0,
           "which cannot wait for itself");
    eq_str(sync(c, cache_load, "n s n", "m"), "error UC_BUSY",
           "nor on the way of SQL");
    uc_buf_rewind(&b, 0);
    pack(&b, "[i i n]", UC_OP_ping, 9);
    n = uc_cache_sync(c->session, b.p, b.len, out, sizeof out);
    eq_str(client_text(c, out, n), "error UC_OP", "nothing else passes");
    n = uc_cache_sync(c->session, b.p, 3, out, sizeof out);
    eq_str(client_text(c, out, n), "error UC_FRAME", "nor half a frame");
    eq_str(sync(c, cache_get, "n s", "k"), "bytes value",
           "the async way sees it");
    uc_buf_fini(&b);
    client_close(c);
}

/* ---- what a change drops ---- */

static void drops(const char *path)
{
    client *c = client_open(path, NULL);
    uint32_t id;
    int64_t tx;

    ask(c, exec, "n s",
        "create table user (x); create table other (x); create table log (x);"
        "create trigger t after insert on other begin "
        "insert into log values (1); end");
    client_define(c, 1, "insert into user values (1)");
    client_define(c, 2, "insert into other values (1)");
    set_in(c, "tag", "#a");
    set_in(c, "space", "n:a");
    set_in(c, "table", "t:User");
    set_in(c, "log", "t:main.log");
    eq_str(ask(c, cache_drop, "n [s]", "#a"), "value null", "drop a tag");
    eq_str(get(c, "tag"), "value null", "gone");
    eq_str(get(c, "space"), "bytes in", "a namespace of the same name is not");
    ask(c, cache_drop, "n [s s]", "n:a", "#b");
    eq_str(get(c, "space"), "value null", "until it is dropped");
    eq_str(ask(c, cache_drop, "n [s]", "a"), "error UC_OPTION not-run",
           "a domain of no kind");
    eq_str(get(c, "table"), "bytes in", "of a table");
    ask(c, run, "n i i n", 1, 0);
    eq_str(get(c, "table"), "value null", "until it changes");
    eq_str(get(c, "log"), "bytes in", "another table's stays");
    ask(c, run, "n i i n", 2, 0);
    eq_str(get(c, "log"), "value null", "a trigger changes it");
    set_in(c, "table", "t:user");
    sync(c, run, "n i i n", 1, 0);
    eq_str(get(c, "table"), "value null", "a sync write");
    set_in(c, "table", "t:user");
    ask(c, tx_begin, "n");
    tx = c->value;
    ask(c, run, "{s I} i i n", "x", tx, 1, 0);
    eq_str(get(c, "table"), "bytes in", "not before the commit");
    ask(c, tx_end, "n I b", tx, 1);
    eq_str(get(c, "table"), "value null", "then");
    set_in(c, "table", "t:user");
    ask(c, tx_begin, "n");
    tx = c->value;
    ask(c, run, "{s I} i i n", "x", tx, 1, 0);
    ask(c, tx_end, "n I b", tx, 0);
    eq_str(get(c, "table"), "bytes in", "and not when it is rolled back");
    sync(c, tx_begin, "n");
    tx = c->value;
    sync(c, run, "{s I} i i n", "x", tx, 1, 0);
    sync(c, tx_end, "n I b", tx, 1);
    eq_str(get(c, "table"), "value null", "a sync transaction");
    set_in(c, "table", "t:user");
    ask(c, batch, "n [[i n]]", 1);
    eq_str(get(c, "table"), "value null", "a batch");
    set_in(c, "table", "t:user");
    client_define(c, 3, "insert into user values (?)");
    ask(c, many, "n i n b [[i] [i]]", 3, 1, 1, 2);
    tx = c->value;
    eq_str(get(c, "table"), "bytes in", "a stream of rows has begun");
    ask(c, many, "n i I b [[i]]", 3, tx, 0, 3);
    eq_str(get(c, "table"), "value null", "and ended");
    set_in(c, "table", "t:user");
    ask(c, run, "{s s} i i n", "o", "key", 1, 0);
    eq_str(get(c, "table"), "value null", "a write with a key");
    set_in(c, "table", "t:user");
    ask(c, migrate_apply, "n i s s s b", 1, "one", "sum",
        "create table more (x)", 0);
    eq_str(get(c, "table"), "value null", "a migration drops all tables'");
    set_in(c, "table", "t:user");
    set_in(c, "tag", "#a");
    ask(c, exec, "n s", "alter table more rename to most");
    eq_str(get(c, "table"), "value null", "so does another schema");
    eq_str(get(c, "tag"), "bytes in", "what has no table stays");
    set_in(c, "table", "t:user");
    id = put(c, run, "n i i n", 1, 0);
    put(c, cache_get, "n s", "table");
    client_send(c);
    client_wait(c, id);
    eq_str(get(c, "table"), "value null", "acknowledged is dropped");
    client_destroy(c);
}

/* Another connection on the file stands for another process. */
static void others(const char *path)
{
    client *c = client_open(path, NULL);
    sqlite3 *h = NULL;
    int64_t until = uc_now() + 20000 * UC_MS;
    int rc;

    ask(c, exec, "n s", "create table user (x)");
    set_in(c, "k", "t:user");
    set_in(c, "tag", "#a");
    rc = sqlite3_open_v2(path, &h, SQLITE_OPEN_READWRITE, NULL);
    eq_int(rc, SQLITE_OK, "another process opens the file");
    while (rc == SQLITE_OK && strcmp(get(c, "k"), "bytes in") == 0 &&
           uc_now() < until) {
        rc = sqlite3_exec(h, "insert into user values (1)", NULL, NULL, NULL);
        usleep(1000);
    }
    eq_int(rc, SQLITE_OK, "and writes");
    eq_str(get(c, "k"), "value null", "which drops what has a table");
    eq_str(get(c, "tag"), "bytes in", "and nothing else");
    sqlite3_close(h);
    client_destroy(c);
}

/* A value that was read before a commit and comes after it. */
static void outdated(void)
{
    client *c = client_open(scratch_file("outdated.db"), NULL);
    client *d = client_open(scratch_file("outdated.db"), NULL);
    client *late = client_open(scratch_file("outdated.db"), NULL);
    int64_t token;
    uint32_t before, after;
    const char *text;

    ask(c, exec, "n s", "create table user (x); create table free (x)");
    client_define(c, 1, "insert into user values (1)");
    client_define(c, 2, "insert into free values (1)");
    token = begin(c, "k");
    ok(token > 0, "a load");
    before = put(d, cache_load, "n s n", "k");
    client_send(d);
    eq_str(ask(d, ping, "n i", 1), "value 1", "which one waits for");
    ask(c, run, "n i i n", 2, 0);
    ask(c, run, "n i i n", 1, 0);
    after = put(late, cache_load, "n s n", "k");
    client_send(late);
    eq_str(ask(late, ping, "n i", 1), "value 1", "and one after the commit");
    text = ask(c, cache_loaded, "n I x {s [s]} n", token, TEXT("old"), "d",
               "t:user");
    eq_str(text, "value [false 0]", "is not stored");
    eq_str(head(client_wait(d, before), 2), "value [0 x'6f6c64'",
           "but given to who asked before the commit");
    token = token_of(client_wait(late, after));
    ok(token > 0, "who asked after it loads itself");
    text = ask(late, cache_loaded, "n I x {s [s]} n", token, TEXT("new"), "d",
               "t:user");
    eq_str(head(text, 1), "value [true", "which is stored");
    eq_str(get(c, "k"), "bytes new", "for all");
    ask(c, run, "n i i n", 2, 0);
    eq_str(get(c, "k"), "bytes new", "another table has nothing to do with it");
    token = begin(c, "s");
    set(d, "s", "set");
    eq_str(loaded(c, token, "loaded"), "value [false 0]",
           "nor is a load stored over what was set meanwhile");
    eq_str(get(c, "s"), "bytes set", "that stays");
    token = begin(c, "t");
    ask(d, cache_delete, "n s", "t");
    eq_str(loaded(c, token, "loaded"), "value [false 0]", "nor after a delete");
    token = begin(c, "u");
    ask(d, cache_clear, "n");
    eq_str(loaded(c, token, "loaded"), "value [false 0]", "nor after a clear");
    token = begin(c, "v");
    ask(d, cache_drop, "n [s]", "#x");
    text =
        ask(c, cache_loaded, "n I x {s [s]} n", token, TEXT("old"), "d", "#x");
    eq_str(text, "value [false 0]", "nor after its tag was dropped");
    client_destroy(late);
    client_destroy(d);
    client_destroy(c);
}

/* ---- loads ---- */

static void loads(const char *path)
{
    client *c = client_open(path, NULL), *d = client_open(path, NULL);
    uint32_t first, second, third;
    int64_t token, next;

    if (strcmp(path, ":memory:") == 0) { /* each has a database of its own */
        client_destroy(d);
        d = c;
    }
    token = begin(c, "k");
    first = put(d, cache_load, "n s {s b}", "k", "stale", 1);
    second = put(d, cache_load, "n s n", "k");
    client_send(d);
    eq_str(loaded(c, token, "one"), "stored", "loaded");
    eq_str(head(client_wait(d, first), 2), "value [0 x'6f6e65'", "for one");
    eq_str(head(client_wait(d, second), 2), "value [0 x'6f6e65'", "and all");
    eq_str(head(ask(d, cache_load, "n s n", "k"), 2), "value [0 x'6f6e65'",
           "then it is there");
    eq_str(loaded(c, token, "two"), "value [false 0]", "a token is good once");
    token = begin(c, "err");
    first = put(d, cache_load, "n s n", "err");
    client_send(d);
    ask(c, ping, "n i", 1);
    ask(c, cache_loaded, "n I n n s", token, "it broke");
    eq_str(client_wait(d, first), "error UC_CACHE_LOAD", "a failure is told");
    eq_str(d->message, "it broke", "with its message");
    ok(begin(d, "err") > 0, "once: the next one loads");
    token = begin(c, "skip");
    first = put(d, cache_load, "n s n", "skip");
    second = put(d, cache_load, "n s n", "skip");
    third = put(d, cache_load, "n s n", "skip");
    client_send(d);
    ask(d, ping, "n i", 1);
    ask(c, cache_loaded, "n I n n n", token);
    token = token_of(client_wait(d, first));
    ok(token > 0, "nothing: the next in line loads");
    put(d, cancel, "n i i", (int)second, 0);
    client_send(d);
    eq_str(client_wait(d, second), "error UC_ABORTED not-run", "cancel");
    ask(d, cache_loaded, "n I x {s b} n", token, TEXT("not kept"), "n", 1);
    eq_str(head(client_wait(d, third), 3), "value [0 x'6e6f74206b657074' 0",
           "handed on and not kept");
    eq_str(get(d, "skip"), "value null", "indeed");
    /* A lease that runs out. */
    token = token_of(ask(c, cache_load, "n s {s i}", "late", "lease", 5));
    next = token_of(ask(d, cache_load, "n s n", "late"));
    ok(next > 0 && next != token, "a lease that has run out goes on");
    eq_str(loaded(c, token, "late"), "value [false 0]", "who is late is told");
    eq_str(loaded(d, next, "in time"), "stored", "the next one is not");
    first = put(c, cache_load, "{s i} s n", "t", 20, "late2");
    second = put(c, cache_load, "{s i} s n", "t", 5, "late2");
    client_send(c);
    ok(token_of(client_wait(c, first)) > 0, "a deadline is not the lease's");
    eq_str(client_wait(c, second), "error UC_TIMEOUT not-run",
           "but who waits has one");
    eq_str(ask(c, cache_load, "n s {s i}", "x", "lease", -1),
           "error UC_OPTION not-run", "a negative lease");
    if (d != c)
        client_destroy(d);
    client_destroy(c);
}

static void old_ones(void)
{
    client *c = client_open(":memory:", NULL);
    uint32_t first, second;
    int64_t token;

    ask(c, cache_set, "n s x {s i s i}", "k", TEXT("old"), "t", 1, "s", 90000);
    usleep(3000);
    eq_str(get(c, "k"), "value null", "past its ttl");
    token = begin(c, "k");
    ok(token > 0, "who asks first loads it anew");
    eq_str(ask(c, cache_load, "n s {s b}", "k", "stale", 1),
           "value [2 x'6f6c64']", "others may have the old one meanwhile");
    first = put(c, cache_load, "n s n", "k");
    client_send(c);
    eq_str(loaded(c, token, "new"), "stored", "until");
    eq_str(head(client_wait(c, first), 2), "value [0 x'6e6577'",
           "who insists has waited");
    ask(c, cache_set, "n s x {s i s i}", "e", TEXT("old"), "t", 1, "e", 90000);
    usleep(3000);
    first = put(c, cache_load, "n s n", "e");
    second = put(c, cache_load, "n s {s b}", "e", "stale", 1);
    client_send(c);
    {
        const char *text = client_wait(c, first);

        token = token_of(text);
        ok(strstr(text, "x'6f6c64' false]") != NULL,
           "for an error only: not to be served");
    }
    ask(c, cache_loaded, "n I n n s", token, "it broke");
    eq_str(client_wait(c, second), "value [2 x'6f6c64']",
           "when it fails it is");
    client_destroy(c);
}

static void ends(void)
{
    const char *path = scratch_file("loads.db");
    client *c = client_open(path, NULL), *d = client_open(path, NULL);
    client *e = client_open(path, NULL);
    uint32_t first, id;

    ok(begin(c, "k") > 0 && begin(c, "l") > 0, "two loads of one session");
    first = put(d, cache_load, "n s n", "k");
    put(e, cache_load, "n s n", "k");
    put(e, cache_load, "n s n", "l");
    client_send(d);
    client_send(e);
    ask(d, ping, "n i", 1);
    ask(e, ping, "n i", 1);
    client_destroy(e);
    client_destroy(c);
    ok(token_of(client_wait(d, first)) > 0, "which ends: the next one loads");
    ok(begin(d, "l") > 0, "or whoever comes");
    first = put(d, cache_load, "n s n", "k");
    id = put(d, close, "n");
    client_send(d);
    eq_str(client_wait(d, first), "error UC_CLOSED not-run",
           "close answers who waits");
    eq_str(client_wait(d, id), "value null", "and does not wait for it");
    client_destroy(d);
}

int main(void)
{
    static char file[400];

    strcpy(file, scratch_file("cache.db"));
    values();
    counters();
    inside();
    drops(file);
    drops(":memory:");
    others(scratch_file("others.db"));
    outdated();
    loads(scratch_file("l.db"));
    loads(":memory:");
    old_ones();
    ends();
    return tap_end();
}

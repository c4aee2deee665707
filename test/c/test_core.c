/*
 * Whole requests with neither Node nor a socket: bytes go in through
 * uc_submit and uc_sync, and what comes out is compared as text (client.h).
 */
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "client.h"
#include "common/clock.h"
#include "tap.h"

#define ask(c, op, ...) client_ask(c, UC_OP_##op, __VA_ARGS__)
#define put(c, op, ...) client_put(c, UC_OP_##op, __VA_ARGS__)
#define sync(c, op, ...) client_sync(c, UC_OP_##op, __VA_ARGS__)

static bool starts(const char *s, const char *with)
{
    return strncmp(s, with, strlen(with)) == 0;
}

static void values(const char *path)
{
    client *c = client_open(path, NULL);
    uint32_t n;

    eq_str(ask(c, ping, "n [i s]", 1, "x"), "value [1 'x']", "ping echoes");
    eq_str(ask(c, ping, "n"), "value null", "ping without a value");
    ok(starts(ask(c, health, "n"), "value {'ok' true"), "health");
    ok(starts(ask(c, describe, "n"), "value {'version' '"), "describe");
    eq_str(ask(c, exec, "n s",
               "create table t (a integer primary key, b, c); "
               "insert into t (b) values (1)"),
           "run 1 1", "a script makes a table and a row");
    client_define(c, 1, "insert into t (b, c) values (?, ?)");
    client_define(c, 2, "select b, c from t where a = ?");
    client_define(c, 3, "select * from t order by a");
    client_define(c, 4, "insert into t (b, c) values (:b, :c)");
    eq_str(ask(c, run, "n i i [s d]", 1, 0, "grün", 2.5), "run 1 2", "run");
    eq_str(ask(c, run, "n i i {s x s n}", 4, 0, "b", "\0\xff", (size_t)2, "c"),
           "run 1 3", "run with names");
    eq_str(ask(c, get, "n i i [i]", 2, 0, 2), "rows b,c: 'grün' 2.5", "get");
    eq_str(ask(c, get, "n i i [i]", 2, 0, 9), "rows b,c:", "get of nothing");
    eq_str(ask(c, all, "n i i [n]", 2, 0), "rows b,c:", "all of nothing");
    eq_str(ask(c, all, "n i i [ ]", 3, 0),
           "rows a,b,c: 1 1 null | 2 'grün' 2.5 | 3 x'00ff' null", "all");
    eq_str(ask(c, json, "n i i [ ]", 3, 0),
           "bytes [{\"a\":1,\"b\":1,\"c\":null},{\"a\":2,\"b\":\"grün\","
           "\"c\":2.5},{\"a\":3,\"b\":\"AP8=\",\"c\":null}]",
           "json");
    client_define(c, 5, "select max(a) m from t");
    ask(c, get, "n i i n", 5, 0);
    n = c->shape;
    eq_str(ask(c, get, "n i i n", 5, (int)n), "rows 3",
           "a known shape comes without its columns");
    eq_int(c->shape, n, "and keeps its number");
    ok(starts(ask(c, stats, "n"), "value {"), "stats");
    client_put_id(c, 0, UC_OP_undefine, "n i", 5);
    eq_str(ask(c, get, "n i i n", 5, 0), "error UC_FRAME not-run",
           "an undefined statement");
    client_close(c);
}

static void writing(const char *path)
{
    client *c = client_open(path, NULL);

    ask(c, exec, "n s", "create table w (k integer primary key, v unique)");
    client_define(c, 1, "insert into w (v) values (?)");
    client_define(c, 2, "select count(*) n from w");
    client_define(c, 3, "select v from w order by k");
    eq_str(ask(c, many, "n i n b [[i][i][i]]", 1, 0, 1, 2, 3), "run 3 3",
           "many in one go");
    eq_str(ask(c, many, "n i n b [[i][i]]", 1, 0, 4, 1),
           "error SQLITE_CONSTRAINT_UNIQUE", "many with a duplicate");
    eq_str(ask(c, get, "n i i n", 2, 0), "rows n: 3", "and nothing of it");
    ok(starts(ask(c, many, "n i n b [[i]]", 1, 1, 10), "value "),
       "a stream begins");
    eq_str(ask(c, many, "n i I b [[i][i]]", 1, c->value, 0, 11, 12), "run 3 6",
           "and ends with the sum");
    eq_str(ask(c, batch, "n [[i [i]] [i n]]", 1, 20, 2),
           "multi (run 1 7) (rows n: 7)", "batch");
    eq_str(ask(c, batch, "n [[i [i]] [i [i]]]", 1, 30, 1, 20),
           "error SQLITE_CONSTRAINT_UNIQUE", "a batch that fails");
    eq_str(ask(c, get, "n i i n", 2, 0), "rows n: 7", "leaves nothing");
    eq_str(ask(c, exec, "n s", "insert into w (v) values ('x'); garbage"),
           "error SQLITE_ERROR", "a script that fails");
    eq_str(ask(c, get, "n i i n", 2, 0), "rows n: 7", "leaves nothing either");
    eq_str(ask(c, exec, "n s", "begin"), "error UC_SQL_TRANSACTION",
           "a loose BEGIN is refused");
    ok(starts(ask(c, checkpoint, "n s", "truncate"), "value {"), "checkpoint");
    ok(starts(ask(c, checkpoint, "n s", "sideways"), "error UC_FRAME"),
       "a checkpoint of an unknown mode");
    client_close(c);
}

static void transactions(const char *path)
{
    client *c = client_open(path, "s i", "tx_ms", 60000);
    int64_t x;

    ask(c, exec, "n s", "create table x (v)");
    client_define(c, 1, "insert into x values (?)");
    client_define(c, 2, "select count(*) n from x");
    ask(c, tx_begin, "n");
    x = c->value;
    eq_str(ask(c, run, "{s I} i i [i]", "x", x, 1, 0, 1), "run 1 1",
           "a write in a transaction");
    eq_str(ask(c, get, "{s I} i i n", "x", x, 2, 0), "rows n: 1",
           "which sees it");
    eq_str(ask(c, get, "n i i n", 2, 0), "rows n: 0", "and nobody else");
    eq_str(ask(c, savepoint, "n I i i", x, 0, 1), "value null", "savepoint");
    ask(c, run, "{s I} i i [i]", "x", x, 1, 0, 2);
    eq_str(ask(c, savepoint, "n I i i", x, 2, 1), "value null",
           "is rolled back");
    eq_str(ask(c, get, "{s I} i i n", "x", x, 2, 0), "rows n: 1", "alone");
    eq_str(ask(c, tx_end, "n I b", x, 1), "value null", "commit");
    eq_str(ask(c, get, "n i i n", 2, 0), "rows n: 1", "everybody sees it");
    eq_str(ask(c, tx_end, "n I b", x, 1), "error UC_TX_CLOSED not-run",
           "an ended transaction");
    ask(c, tx_begin, "n");
    x = c->value;
    ask(c, run, "{s I} i i [i]", "x", x, 1, 0, 3);
    eq_str(ask(c, tx_end, "n I b", x, 0), "value null", "rollback");
    eq_str(ask(c, get, "n i i n", 2, 0), "rows n: 1", "undoes it");
    client_close(c);
    c = client_open(path, "s i", "tx_ms", 300);
    client_define(c, 1, "insert into x values (?)");
    ask(c, tx_begin, "n");
    x = c->value;
    eq_str(ask(c, run, "n i i [i]", 1, 0, 5), "run 1 2",
           "others wait for a transaction until it expires");
    eq_str(ask(c, run, "{s I} i i [i]", "x", x, 1, 0, 4),
           "error UC_TX_EXPIRED not-run", "and it has expired");
    client_close(c);
}

/* The door has said that nothing more comes: transactions do not wait for it.
 */
static void last(const char *path)
{
    client *c = client_open(path, "s i s i", "tx_ms", 600000, "timeout_ms", 0);
    client *other =
        client_open(path, "s i s i", "tx_ms", 600000, "timeout_ms", 0);
    uint32_t plain, begin, within;

    ask(c, exec, "n s", "create table last (v)");
    client_define(c, 1, "insert into last values (?)");
    ask(c, tx_begin, "n");
    plain = put(c, run, "n i i [i]", 1, 0, 1);
    within = put(c, run, "{s I} i i [i]", "x", c->value, 1, 0, 2);
    begin = put(c, tx_begin, "n");
    client_send(c);
    uc_session_last(c->session);
    eq_str(client_wait(c, within), "run 1 1",
           "the last statement of a transaction is answered");
    eq_str(client_wait(c, plain), "run 1 1",
           "a write goes on where nobody would end the transaction");
    ok(starts(client_wait(c, begin), "value "), "and what begins another");
    client_define(other, 1, "insert into last values (?)");
    eq_str(ask(other, run, "n i i [i]", 1, 0, 3), "run 1 2",
           "which others do not wait for either");
    eq_str(ask(c, tx_end, "n I b", c->value, 1), "error UC_TX_CLOSED not-run",
           "what comes all the same finds it ended");
    client_close(other);
    client_close(c);
    c = client_open(path, NULL);
    uc_session_last(c->session);
    eq_str(ask(c, close, "n"), "value null", "a session closes after its last");
    uc_session_last(c->session);
    client_destroy(c);
}

/* A read whose statement is new, while the writer is at a statement of
 * somebody's transaction: it does not wait for the transaction's end. */
static void reads_beside(const char *path)
{
    client *c = client_open(path, "s i", "tx_ms", 60000);
    client *d = client_open(path, "s i", "tx_ms", 60000);
    uint32_t slow, one, two, write;
    int64_t x;

    ask(c, exec, "n s", "create table y (v)");
    client_define(c, 1, "insert into y values (?)");
    client_define(c, 2,
                  "with recursive g(i) as (select 1 union all select "
                  "i + 1 from g where i < 1000000) select count(*) n "
                  "from g");
    client_define(d, 1, "select count(*) n from y");
    client_define(d, 2, "select count(*) + 1 n from y");
    client_define(d, 3, "insert into y values (7)");
    ask(c, tx_begin, "n");
    x = c->value;
    ask(c, run, "{s I} i i [i]", "x", x, 1, 0, 1);
    slow = put(c, get, "{s I} i i n", "x", x, 2, 0);
    client_send(c);
    usleep(50000);
    one = put(d, get, "n i i n", 1, 0);
    two = put(d, get, "n i i n", 2, 0);
    write = put(d, run, "n i i n", 3, 0);
    client_send(d);
    eq_str(client_wait(d, one), "rows n: 0", "a new read is answered");
    eq_str(client_wait(d, two), "rows n: 1", "and the next");
    eq_str(client_wait(c, slow), "rows n: 1000000", "the slow statement");
    eq_str(ask(c, tx_end, "n I b", x, 1), "value null",
           "before the transaction has ended");
    eq_str(client_wait(d, write), "run 1 2", "for which a write does wait");
    eq_str(ask(d, get, "n i i n", 1, 0), "rows n: 2", "both are there");
    client_close(d);
    client_close(c);
}

static client *two_cursors(const char *path, int tx_ms)
{
    client *c = client_open(path, "s i s i", "cursors", 2, "tx_ms", tx_ms);

    client_define(c, 1, "select i from n order by i");
    client_define(c, 2, "insert into n values (?, ?)");
    client_define(c, 3, "select count(*) c from n");
    return c;
}

/* All places taken, until those who have them have been idle for too long. */
static void idle_cursors(const char *path)
{
    bool refused = false, in_time = false;
    client *c = NULL;
    uint32_t cur = 0;

    /* The first of them must not expire before the third is refused. */
    for (int i = 0; i < 100 && !in_time; i++) {
        int64_t began;

        if (c != NULL)
            client_close(c);
        c = two_cursors(path, 400);
        ask(c, get, "n i i n", 3, 0);
        began = uc_now();
        ask(c, cursor_open, "n i i n i", 1, 0, 256);
        cur = c->cursor;
        ask(c, cursor_open, "n i i n i", 1, 0, 256);
        refused = starts(ask(c, cursor_open, "n i i n i", 1, 0, 256),
                         "error UC_CURSORS");
        in_time = uc_now() - began < 300 * UC_MS;
    }
    ok(in_time && refused, "the third of two cursors is refused");
    for (int i = 0; i < 3000 && refused; i++) {
        usleep(10000);
        refused = starts(ask(c, cursor_open, "n i i n i", 1, 0, 256),
                         "error UC_CURSORS");
    }
    ok(!refused, "until there is room again");
    ok(starts(ask(c, cursor_next, "n i i", (int)cur, 0),
              "error UC_CURSOR_EXPIRED"),
       "an idle cursor expires");
    client_close(c);
}

static void cursors(const char *path)
{
    client *c = two_cursors(path, 60000);
    client *other;
    int64_t s, b;
    uint32_t cur, id, rows = 0;
    char to[400];

    ask(c, exec, "n s",
        "create table n (i integer primary key, s); with recursive "
        "g(i) as (select 1 union all select i + 1 from g where i < 1000) "
        "insert into n select i, printf('%05d', i) from g");
    ask(c, cursor_open, "n i i n i", 1, 0, 256);
    cur = c->cursor;
    ok(cur != 0, "a cursor stays open behind its first page");
    while (c->cursor != 0 && rows++ < 1000)
        ask(c, cursor_next, "n i i", (int)cur, (int)c->shape);
    ok(rows > 2 && rows < 1000, "and ends");
    eq_int(c->value, 1000, "with the last row");
    ok(starts(ask(c, cursor_next, "n i i", (int)cur, 0), "error UC_CLOSED"),
       "an exhausted cursor is gone");
    ask(c, cursor_open, "n i i n i", 1, 0, 256);
    cur = c->cursor;
    eq_str(ask(c, cursor_close, "n i", (int)cur), "value null",
           "a cursor is closed");
    client_close(c);
    idle_cursors(path);
    c = two_cursors(path, 60000);
    ask(c, cursor_open, "n i i n i", 1, 0, 256);
    cur = c->cursor;
    id = put(c, cursor_next, "n i i", (int)cur, 0);
    client_put_id(c, 0, UC_OP_cancel, "n i i", (int)id, 0);
    client_send(c);
    eq_str(client_wait(c, id), "error UC_ABORTED not-run",
           "the next page is cancelled by what came with it");
    ok(starts(ask(c, cursor_next, "n i i", (int)cur, 0), "rows "),
       "and can be asked for again");
    ask(c, cursor_close, "n i", (int)cur);
    ok(starts(ask(c, snap_begin, "n"), "value "), "a snapshot begins");
    s = c->value;
    eq_str(ask(c, run, "n i i [i s]", 2, 0, 2000, "new"), "run 1 2000",
           "while somebody writes");
    eq_str(ask(c, get, "{s I} i i n", "s", s, 3, 0), "rows c: 1000",
           "it stays as it was");
    eq_str(ask(c, get, "n i i n", 3, 0), "rows c: 1001", "others see more");
    ok(starts(ask(c, run, "{s I} i i [i s]", "s", s, 2, 0, 3, "no"),
              "error UC_SQL_READONLY"),
       "a snapshot does not write");
    ok(starts(ask(c, cursor_next, "n I i", s, 0), "error UC_FRAME"),
       "a snapshot has no pages");
    ok(starts(ask(c, backup_step, "n I i", s, 1), "error UC_FRAME"),
       "and is no backup");
    ok(starts(ask(c, cursor_close, "n I", s), "error UC_FRAME"),
       "nor closed like a cursor");
    eq_str(ask(c, get, "{s I} i i n", "s", s, 3, 0), "rows c: 1000",
           "it outlives being mistaken");
    eq_str(ask(c, snap_end, "n I", s), "value null", "it ends");
    ask(c, exec, "n s", "insert into n select -i, s from n");
    ask(c, cursor_open, "n i i n i", 1, 0, 256);
    cur = c->cursor;
    ok(starts(ask(c, get, "{s i} i i n", "s", (int)cur, 3, 0),
              "error UC_FRAME"),
       "a cursor is no snapshot to read in");
    ok(starts(ask(c, snap_end, "n i", (int)cur), "error UC_FRAME"),
       "nor ended like one");
    eq_str(ask(c, cursor_close, "n i", (int)cur), "value null",
           "it outlives that");
    ask(c, exec, "n s", "delete from n where i < 0");
    strcpy(to, scratch_file("copy.db"));
    ok(starts(ask(c, backup_begin, "n s", to), "value "), "a backup begins");
    b = c->value;
    ok(starts(ask(c, backup_step, "n I i", b, 1), "value ["), "one page");
    ok(starts(ask(c, backup_step, "n I i", b, 100000), "value [0 "),
       "the rest");
    other = client_open(to, NULL);
    client_define(other, 1, "select count(*) c from n");
    eq_str(ask(other, get, "n i i n", 1, 0), "rows c: 1001", "is complete");
    client_close(other);
    ask(c, backup_begin, "n s", scratch_file("half.db"));
    b = c->value;
    eq_str(ask(c, backup_end, "n I", b), "value null",
           "an unfinished backup is given up");
    ok(access(scratch_file("half.db"), F_OK) != 0, "and leaves no file");
    ask(c, exec, "n s", "delete from n");
    eq_str(ask(c, restore, "n s", to), "value null", "restore");
    eq_str(ask(c, get, "n i i n", 3, 0), "rows c: 1001", "brings it back");
    client_close(c);
}

static void bad_frames(const char *path)
{
    client *c = client_open(path, NULL);
    uint32_t id;

    eq_str(client_ask(c, 17, "n"), "error UC_OP not-run", "an unknown op");
    eq_str(client_ask(c, 1000, "n"), "error UC_OP not-run",
           "one beyond the table");
    eq_str(ask(c, get, "n"), "error UC_FRAME not-run", "too few arguments");
    eq_str(ask(c, ping, "n i i", 1, 2), "error UC_FRAME not-run",
           "too many arguments");
    eq_str(ask(c, run, "n n i n", 0), "error UC_FRAME not-run",
           "a statement that is neither number nor text");
    eq_str(ask(c, exec, "n i", 5), "error UC_FRAME", "exec of a number");
    eq_str(ask(c, ping, "s", "meta"), "error UC_FRAME not-run",
           "meta that is no map");
    client_define(c, 1, "select ? v");
    eq_str(ask(c, get, "n i i s", 1, 0, "loose"), "error UC_FRAME",
           "parameters that are no list");
    eq_str(ask(c, get, "n i i [[ ]]", 1, 0), "error UC_PARAM_TYPE",
           "a list as a parameter");
    eq_str(ask(c, get, "n i i [u]", 1, 0, UINT64_MAX), "error UC_PARAM_TYPE",
           "an integer that SQLite does not have");
    eq_str(ask(c, get, "n i i [ ]", 1, 0), "error UC_PARAM_COUNT",
           "too few parameters");
    eq_str(ask(c, get, "n i i {s i}", 1, 0, "z", 1), "error UC_PARAM_NAME",
           "a name that is not there");
    client_define(c, 4, "select :a v");
    eq_str(ask(c, get, "n i i {s i}", 4, 0, ":a", 1), "error UC_PARAM_NAME",
           "a name with its prefix");
    eq_str(ask(c, get, "n i i {s i s i}", 4, 0, "a", 1, "a", 2),
           "error UC_PARAM_NAME", "a name given twice");
    eq_str(ask(c, get, "n i i [d]", 1, 0, (double)NAN), "error UC_PARAM_TYPE",
           "NaN");
    eq_str(ask(c, get, "n i i [s]", 1, 0, "caf\xe9"), "error UC_PARAM_TYPE",
           "a text that is no UTF-8");
    eq_str(ask(c, get, "n i i [s]", 1, 0, "\xed\xa0\x80"),
           "error UC_PARAM_TYPE", "half a surrogate");
    eq_str(ask(c, get, "n s i n", "select 'caf\xe9'", 0),
           "error UC_FRAME not-run", "SQL that is no UTF-8");
    eq_str(ask(c, exec, "n s", "select 'caf\xe9'"), "error UC_FRAME",
           "nor in a script");
    client_define(c, 2, "  -- nothing");
    eq_str(ask(c, get, "n i i n", 2, 0), "error UC_SQL_EMPTY", "no statement");
    client_define(c, 3, "select 1; select 2");
    eq_str(ask(c, get, "n i i n", 3, 0), "error UC_SQL_MULTI", "two of them");
    client_define(c, 4, "selec");
    eq_str(ask(c, get, "n i i n", 4, 0), "error SQLITE_ERROR", "bad SQL");
    client_define(c, 5, "pragma foreign_keys = off");
    eq_str(ask(c, get, "n i i n", 5, 0), "error UC_SQL_CONNECTION",
           "connection state");
    eq_str(ask(c, cursor_next, "n i i", 77, 0), "error UC_CLOSED not-run",
           "a cursor that never was");
    /* Half a frame behind a whole one: the first is answered. */
    id = put(c, ping, "n i", 5);
    memcpy(c->out.p + c->out.len, "\x95\x01\x01\x01\x01", 5);
    c->out.len += 5;
    c->count++;
    client_send(c);
    eq_str(client_wait(c, id), "value 5", "the frame before a cut one");
    eq_str(ask(c, ping, "n i", 8), "value 8", "the cut one ends the batch");
    id = put(c, ping, "n s", "longer than three frames have to be");
    c->count = 3; /* promises more than there is */
    client_send(c);
    ok(starts(client_wait(c, id), "value 'longer"), "a frame that is there");
    eq_str(ask(c, ping, "n i", 7), "value 7", "a batch that promised too much");
    client_close(c);
}

/* Endless unless it is stopped. */
static const char slow[] = "with recursive g(i) as (select 1 union all select "
                           "i + 1 from g) select count(*) from g";

static void stopping(const char *path)
{
    client *c = client_open(path, "s i", "readers", 1);
    uint32_t id, behind;

    client_define(c, 1, slow);
    client_define(c, 2, "create table if not exists sl (a)");
    client_define(c, 3, "select 1 one");
    client_define(c, 4,
                  "insert into sl with recursive g(i) as (select 1 "
                  "union all select i + 1 from g) select i from g");
    ask(c, run, "n i i n", 2, 0);
    id = put(c, get, "n i i n", 1, 0);
    client_send(c);
    usleep(30000);
    behind = put(c, get, "n i i n", 3, 0);
    client_send(c);
    client_put_id(c, 0, UC_OP_cancel, "n i i", (int)behind, 0);
    client_send(c);
    eq_str(client_wait(c, behind), "error UC_ABORTED not-run",
           "a waiting call is cancelled");
    client_put_id(c, 0, UC_OP_cancel, "n i i", (int)id, 0);
    client_send(c);
    ok(starts(client_wait(c, id), "error UC_ABORTED"), "a running one is too");
    ok(starts(ask(c, get, "{s i} i i n", "t", 50, 1, 0), "error UC_TIMEOUT"),
       "a read stops at its deadline");
    ok(starts(ask(c, run, "{s i} i i n", "t", 50, 4, 0), "error UC_TIMEOUT"),
       "a write does too");
    client_define(c, 5, "select count(*) n from sl");
    eq_str(ask(c, get, "n i i n", 5, 0), "rows n: 0", "and is undone");
    ok(starts(sync(c, get, "{s i} i i n", "t", 50, 1, 0), "error UC_TIMEOUT"),
       "a sync read stops at its deadline");
    id = put(c, get, "n i i n", 1, 0);
    put(c, get, "n i i n", 1, 0);
    put(c, run, "n i i n", 4, 0);
    put(c, run, "n i i n", 4, 0);
    client_send(c);
    usleep(20000);
    client_destroy(c);
    ok(true, "destroyed in the middle");
}

static void syncing(const char *path)
{
    client *c = client_open(path, NULL);
    client *other = client_open(path, NULL);
    uc_buf b = {.max = SIZE_MAX};
    uint8_t dst[64];
    int64_t x;

    sync(c, exec, "n s", "create table s (v)");
    client_define(c, 1, "insert into s values (?)");
    client_define(c, 2, "select count(*) n from s");
    client_define(c, 3, "select zeroblob(1000) z");
    client_define(other, 2, "select count(*) n from s");
    eq_str(sync(c, run, "n i i [i]", 1, 0, 1), "run 1 1", "a sync write");
    eq_str(sync(c, get, "n i i n", 2, 0), "rows n: 1", "a sync read");
    put(c, run, "n i i [i]", 1, 0, 2);
    client_send(c);
    eq_str(sync(c, get, "n i i n", 2, 0), "rows n: 2",
           "it sees the writes before it");
    uc_turn_end(c->session);
    ok(strlen(sync(c, get, "n i i n", 3, 0)) > 2000, "a reply in two parts");
    eq_str(sync(c, tx_begin, "n"), "value 1", "a transaction");
    x = c->value;
    sync(c, run, "{s I} i i [i]", "x", x, 1, 0, 3);
    eq_str(client_ask(other, UC_OP_get, "n i i n", 2, 0), "rows n: 2",
           "nobody else sees it");
    eq_str(sync(c, tx_end, "n I b", x, 0), "value null", "rolled back");
    eq_str(sync(c, get, "n i i n", 2, 0), "rows n: 2", "undone");
    eq_str(client_ask(other, UC_OP_tx_begin, "n"), "value 2",
           "an async transaction of another handle");
    x = other->value;
    ok(starts(sync(c, run, "{s i} i i [i]", "t", 100, 1, 0, 4), "error UC_"),
       "a sync write does not wait for ever for it");
    client_ask(other, UC_OP_tx_end, "n I b", x, 1);
    eq_str(sync(c, batch, "n [[i [i]]]", 1, 5), "multi (run 1 3)", "batch");
    eq_str(sync(c, close, "n"), "error UC_FRAME", "close is not for here");
    pack(&b, "[i i", 1, 1);
    eq_int(uc_sync(c->session, b.p, b.len, dst, sizeof dst) > 64, 1,
           "a bad sync frame is an error, longer than the buffer");
    free(b.p);
    client_close(other);
    client_close(c);
}

static void opening(void)
{
    client *c = client_open("/nonexistent/dir/file.db", NULL);
    client *d;
    const char *path = scratch_file("options.db");

    eq_str(ask(c, health, "n"), "error SQLITE_CANTOPEN not-run",
           "no such folder");
    eq_str(sync(c, exec, "n s", "select 1"), "error SQLITE_CANTOPEN",
           "for a sync call too");
    client_close(c);
    c = client_open(path, "s i", "reader", 1);
    eq_str(ask(c, health, "n"), "error UC_OPTION not-run", "an unknown option");
    client_close(c);
    c = client_open(path, NULL);
    ask(c, health, "n");
    d = client_open(path, "s i", "tx_ms", 77);
    eq_str(ask(d, health, "n"), "error UC_OPTIONS_CONFLICT not-run",
           "options that differ from those of another handle");
    client_close(d);
    d = client_open(path, "s b", "readonly", 1);
    ok(starts(ask(d, exec, "n s", "create table q (a)"),
              "error UC_SQL_READONLY"),
       "a read-only handle");
    client_destroy(d);
    eq_str(ask(c, close, "n"), "value null", "close");
    eq_str(ask(c, ping, "n"), "error UC_CLOSED not-run", "closed");
    eq_str(ask(c, health, "n"), "error UC_CLOSED not-run", "closed still");
    client_destroy(c);
    for (int i = 0; i < 20; i++) {
        c = client_open(i % 2 ? path : ":memory:", NULL);
        put(c, exec, "n s", "select 1");
        if (i % 3)
            client_send(c);
        client_destroy(c);
    }
    ok(true, "destroyed while it opens");
}

int main(void)
{
    static char file[400];

    strcpy(file, scratch_file("core.db"));
    for (int i = 0; i < 2; i++) {
        const char *path = i == 0 ? file : ":memory:";

        tap_diag("%s", i == 0 ? "a file" : "in memory");
        values(path);
        writing(path);
        bad_frames(path);
    }
    transactions(scratch_file("tx.db"));
    last(scratch_file("last.db"));
    reads_beside(scratch_file("beside.db"));
    cursors(scratch_file("cursor.db"));
    stopping(scratch_file("stop.db"));
    syncing(scratch_file("sync.db"));
    opening();
    return tap_end();
}

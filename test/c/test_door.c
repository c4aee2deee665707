/*
 * What a door to another process asks of the core besides frames: heads of its
 * own size in front of replies, a bound on what waits to be taken, and answers
 * about the protocol.
 */
#include <stdlib.h>
#include <unistd.h>

#include "client.h"
#include "data/engine.h"
#include "desk/session.h"
#include "tap.h"

#define ask(c, op, ...) client_ask(c, UC_OP_##op, __VA_ARGS__)
#define put(c, op, ...) client_put(c, UC_OP_##op, __VA_ARGS__)
#define sync(c, op, ...) client_sync(c, UC_OP_##op, __VA_ARGS__)

static bool starts(const char *s, const char *with)
{
    return strncmp(s, with, strlen(with)) == 0;
}

static uint32_t le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
           (uint32_t)p[3] << 24;
}

static void heads(void)
{
    enum { HEAD = 13, PINGS = 5 };
    client *c = client_open(scratch_file("door.db"), NULL);
    uint8_t dst[4096], mark[HEAD - 4];
    size_t need, n, at = 0, one;
    unsigned frames = 0;
    bool right = true;

    ask(c, ping, "n");
    eq_int(uc_pending(c->session), 0, "nothing waits");
    for (int i = 0; i < PINGS; i++)
        put(c, ping, "n s", "pong");
    client_send(c);
    uc_sync(c->session, (const uint8_t *)"\x93\x01\x01\xc0", 4, dst, 64);
    /* [id, 0, "pong"]: 1 + 5 + 1 + 5 */
    eq_int(uc_pending(c->session), PINGS * (4 + 12), "five replies wait");
    eq_int(uc_take(c->session, dst, HEAD + 11, HEAD, &need), 0,
           "a byte too little for one of them");
    eq_int(need, HEAD + 12, "says how much it needs");
    memset(dst, 0xee, sizeof dst);
    memset(mark, 0xee, sizeof mark);
    one = HEAD + 12;
    n = uc_take(c->session, dst, 2 * one + 20, HEAD, &need);
    eq_int(n, 2 * one, "whole replies only");
    eq_int(uc_pending(c->session), 3 * (4 + 12), "three are left");
    n += uc_take(c->session, dst + n, sizeof dst - n, HEAD, &need);
    for (; at < n; at += one, frames++) {
        right = right && memcmp(dst + at, mark, sizeof mark) == 0 &&
                le32(dst + at + HEAD - 4) == 12 && dst[at + HEAD] == 0x93;
    }
    eq_int(frames, PINGS, "all five");
    ok(right, "each behind a head whose front is left alone");
    eq_int(uc_pending(c->session), 0, "nothing waits any more");
    eq_int(uc_take(c->session, dst, sizeof dst, HEAD, &need) + need, 0,
           "nothing to take");
    client_close(c);
}

/* Bytes that wait to be taken, as soon as they are more than that. */
static size_t grown(client *c, size_t from)
{
    for (int i = 0; i < 30000 && uc_pending(c->session) <= from; i++)
        usleep(1000);
    return uc_pending(c->session);
}

static void unsent(void)
{
    client *c = client_open(scratch_file("door.db"), "s i", "max_unsent", 4096);
    client *d = client_open(scratch_file("door.db"), NULL);
    uint32_t big, get, run, part, end;
    size_t pending;
    int64_t x;
    bool ran;

    ask(c, exec, "n s", "create table u (v)");
    client_define(c, 1, "select hex(zeroblob(4000)) v");
    client_define(c, 2, "insert into u values (?)");
    client_define(d, 1, "select count(*) n from u");
    /* A new statement may have to wait for a transaction. */
    ask(c, get, "n i i n", 1, 0);
    ask(d, get, "n i i n", 1, 0);
    ask(c, tx_begin, "n");
    x = c->value;
    big = put(c, get, "n i i n", 1, 0);
    client_send(c);
    while (uc_pending(c->session) < 4096)
        usleep(1000);
    /* Each is refused before anything is taken. */
    pending = uc_pending(c->session);
    get = put(c, get, "n i i n", 1, 0);
    client_send(c);
    pending = grown(c, pending);
    part = put(c, run, "{s I} i i [i]", "x", x, 2, 0, 1);
    client_send(c);
    grown(c, pending);
    end = put(c, tx_end, "n I b", x, 1);
    run = put(c, run, "n i i [i]", 2, 0, 1);
    client_send(c);
    eq_str(ask(d, get, "n i i n", 1, 0), "rows n: 0", "another session reads");
    ok(starts(client_wait(c, big), "rows v: '0000"), "a large reply");
    eq_str(client_wait(c, get), "error UC_BUSY not-run",
           "a read while it waits to be taken is not run");
    eq_str(client_wait(c, part), "error UC_BUSY not-run",
           "nor a write in a transaction");
    eq_str(client_wait(c, end), "value null", "which ends all the same");
    /* Before or after the replies were taken. */
    ran = starts(client_wait(c, run), "run 1 ");
    ok(starts(ask(c, get, "n i i n", 1, 0), "rows v: '0000"),
       "and once they are taken all is well");
    eq_str(ask(c, run, "n i i [i]", 2, 0, 3), ran ? "run 1 2" : "run 1 1",
           "for writes, too");
    client_close(d);
    client_close(c);
}

/* The id has no reply yet. */
static bool waits(client *c, uint32_t id)
{
    client_poll(c);
    for (const reply *r = c->replies; r != NULL; r = r->next) {
        if (r->id == id)
            return false;
    }
    return true;
}

static const char count_a[] = "select count(*) n from a";

/*
 * Offers this thread until the call, a read of count_a, is answered; the writer
 * lets some of them go a moment later. The core serves here what it takes for
 * quick from the time that it took so far, and a thread that loses its
 * processor in the middle of it has taken long. The reader, which would find
 * out better, never is free in these tests, so they say it.
 */
static const char *assisted(client *c, uint32_t id)
{
    uc_engine *e = c->session->peer->engine;
    uc_stmt *sql = uc__stmt_get(&e->stmts, count_a, sizeof count_a - 1);

    client_send(c);
    for (int i = 0; i < 10000 && waits(c, id); i++) {
        atomic_store(&sql->ns, 1000);
        uc_assist(c->session);
        usleep(1000);
    }
    uc__stmt_unref(sql);
    return client_wait(c, id);
}

/*
 * The one reader is at a statement without an end, so that what is answered
 * meanwhile is answered by who assists, or by the writer.
 */
static void assisting(void)
{
    client *c = client_open(scratch_file("assist.db"), "s i", "readers", 1);
    uint32_t slow, fresh, late, write, after;

    ask(c, exec, "n s", "create table a (i integer primary key, v)");
    client_define(c, 1, "insert into a (v) values (?)");
    client_define(c, 2, count_a);
    client_define(c, 3,
                  "with recursive g(i) as (select 1 union all select "
                  "i + 1 from g where i < ?) select count(*) n from g");
    client_define(c, 4, "select 4 n");
    client_define(c, 5,
                  "with recursive g(i) as (select 1 union all select "
                  "i + 1 from g) select count(*) n from g");
    for (int i = 0; i < 20; i++) { /* known to be quick from here on */
        ask(c, get, "n i i n", 2, 0);
        ask(c, get, "n i i [i]", 3, 0, 10);
    }
    slow = put(c, get, "n i i n", 5, 0);
    client_send(c);
    c->assist = true;
    eq_str(assisted(c, put(c, get, "n i i n", 2, 0)), "rows n: 0",
           "a quick read is served by the thread that brings it");
    eq_str(ask(c, ping, "n"), "value null", "so is a ping");
    write = put(c, run, "n i i [i]", 1, 0, 1);
    after = put(c, get, "n i i n", 2, 0);
    client_send(c);
    eq_str(client_wait(c, write), "run 1 1", "the writer writes");
    eq_str(assisted(c, after), "rows n: 1",
           "and is seen by the read that had to wait for it");
    fresh = put(c, get, "n i i n", 4, 0);
    client_send(c);
    late = put(c, get, "n i i [I]", 3, 0, (int64_t)1 << 40);
    client_send(c);
    eq_str(assisted(c, put(c, get, "n i i n", 2, 0)), "rows n: 1",
           "a read behind them");
    ok(waits(c, fresh), "what is new waits for a reader");
    ok(waits(c, late), "and so does what is slower than it was");
    ok(waits(c, slow), "who is at work all the time");
    client_put_id(c, 0, UC_OP_cancel, "n i i", (int)slow, 0);
    client_send(c);
    eq_str(client_wait(c, slow), "error UC_ABORTED not-run", "until cancelled");
    client_put_id(c, 0, UC_OP_cancel, "n i i", (int)late, 0);
    client_send(c);
    eq_str(client_wait(c, late), "error UC_ABORTED not-run",
           "what was passed on is found as well");
    eq_str(client_wait(c, fresh), "rows n: 4", "and the new one is answered");
    client_close(c);
}

/* Another session's call is with the guest when that session ends. */
static void guests_of_others(void)
{
    client *a = client_open(scratch_file("assist.db"), "s i", "readers", 1);
    client *b = client_open(scratch_file("assist.db"), "s i", "readers", 1);
    uint32_t slow;
    int served = 0;
    bool is_left;

    client_define(a, 1, count_a);
    client_define(a, 2,
                  "with recursive g(i) as (select 1 union all select "
                  "i + 1 from g) select count(*) n from g");
    client_define(b, 1, count_a);
    for (int i = 0; i < 20; i++)
        ask(a, get, "n i i n", 1, 0);
    slow = put(a, get, "n i i n", 2, 0);
    client_send(a);
    ask(a, ping, "n");
    put(b, get, "n i i n", 1, 0);
    client_send(b);
    a->assist = true;
    assisted(a, put(a, get, "n i i n", 1, 0));
    ok(!waits(b, b->next_id), "one session's thread serves another's call");
    put(b, get, "n i i n", 2, 0);
    put(b, get, "n i i n", 1, 0);
    client_send(b);
    client_destroy(b);
    b = client_open(":memory:", NULL);
    b->assist = true;
    eq_str(ask(b, health, "n") != NULL ? ask(b, ping, "n") : "", "value null",
           "nobody assists a database in memory, whose calls are answered");
    client_close(b);
    for (int i = 0; i < 20; i++) {
        b = client_open(scratch_file("assist.db"), "s i", "readers", 1);
        b->assist = true;
        client_define(b, 1, count_a);
        if (i % 2)
            served += starts(assisted(b, put(b, get, "n i i n", 1, 0)), "rows");
        put(b, get, "n i i n", 1, 0);
        put(b, close, "n");
        client_send(b);
        uc_assist(b->session);
        client_destroy(b);
    }
    eq_int(served, 10, "sessions that end at once are served before");
    is_left = waits(a, slow);
    ok(is_left, "ends of sessions leave other sessions' calls alone");
    if (!is_left)
        tap_diag("it was answered: %s", client_wait(a, slow));
    client_destroy(a);
}

static void about(void)
{
    client *c = client_open(scratch_file("door.db"), NULL);

    eq_str(ask(c, door, "n"), "value {'door' 'addon'}", "the door");
    ok(starts(ask(c, hello, "n {s [i i] s s s [{ }]}", "v", 1, 3, "client", "t",
                  "later"),
              "value {'v' 1 'server' 'undercroft/"),
       "hello answers with the version that both speak");
    ok(starts(ask(c, hello, "n { }"), "value {'v' 1 "),
       "one without a version");
    eq_str(ask(c, hello, "n {s [i i]}", "v", 2, 3), "error UC_VERSION",
           "a client that is too new");
    ok(strstr(c->message, "update the core") != NULL, "says what to update");
    eq_str(ask(c, hello, "n {s [i i]}", "v", 0, 0), "error UC_VERSION",
           "one that is too old");
    ok(strstr(c->message, "update the client") != NULL, "says so");
    eq_str(ask(c, hello, "n {s i}", "v", 1), "error UC_FRAME",
           "a version that is no range");
    eq_str(ask(c, hello, "n i", 1), "error UC_FRAME", "no map");
    ok(starts(sync(c, hello, "n {s [i i]}", "v", 1, 1), "value {'v' 1"),
       "as a sync call");
    client_close(c);
}

/* Statements as text: a client need not define any. */
static void texts(const char *path)
{
    static const char add[] = "insert into x (v) values (?)";
    static const char all[] = "select v from x order by v";
    client *c = client_open(path, NULL);
    int64_t x;
    char *large;

    ask(c, exec, "n s", "drop table if exists x; create table x (v)");
    eq_str(ask(c, run, "n s i [i]", add, 0, 1), "run 1 1", "run");
    eq_str(ask(c, all, "n s i n", all, 0), "rows v: 1", "all");
    eq_str(ask(c, get, "n s i n", all, 0), "rows v: 1", "get");
    eq_str(ask(c, json, "n s i n", all, 0), "bytes [{\"v\":1}]", "json");
    eq_str(ask(c, many, "n s n b [[i][i]]", add, 0, 2, 3), "run 2 3", "many");
    client_define(c, 7, all);
    eq_str(ask(c, batch, "n [[s [i]] [i n] [s n]]", add, 4, 7, all),
           "multi (run 1 4) (rows v: 1 | 2 | 3 | 4) (rows v: 1 | 2 | 3 | 4)",
           "parts of a batch, beside numbers");
    eq_str(ask(c, batch, "n [[s [i]] [n n]]", add, 5), "error UC_FRAME not-run",
           "neither number nor text");
    ask(c, cursor_open, "n s i n i", all, 0, 1);
    ok(c->cursor != 0, "cursor_open");
    ask(c, cursor_next, "n i i", (int)c->cursor, 0);
    eq_int(c->value, 2, "whose text may be gone by now");
    ask(c, tx_begin, "n");
    x = c->value;
    eq_str(ask(c, run, "{s I} s i [i]", "x", x, add, 0, 9), "run 1 5",
           "in a transaction");
    ask(c, tx_end, "n I b", x, 0);
    eq_str(sync(c, run, "n s i [i]", add, 0, 5), "run 1 5", "a sync call");
    eq_str(sync(c, get, "n s i n", "select count(*) n from x", 0), "rows n: 5",
           "a sync read");
    eq_str(ask(c, get, "n s i n", "select nope", 0), "error SQLITE_ERROR",
           "a text that is wrong");
    eq_str(ask(c, get, "n s i n", "", 0), "error UC_SQL_EMPTY", "an empty one");
    /* More than is kept of texts that nobody uses. */
    large = malloc(1 << 20);
    for (int i = 0; i < 40; i++) {
        snprintf(large, 1 << 20, "select %d n --%0*d", i, (1 << 20) - 40, 0);
        client_put(c, UC_OP_get, "n s i n", large, 0);
        client_send(c);
    }
    free(large);
    ok(starts(client_wait(c, c->next_id), "rows n: 39"), "many large texts");
    client_close(c);
}

/* Meta r: what may have run before. */
static void repeated(const char *path)
{
    client *c = client_open(path, NULL);
    int64_t x;

    ask(c, exec, "n s", "drop table if exists r; create table r (v)");
    client_define(c, 1, "insert into r values (1)");
    client_define(c, 2, "select count(*) n from r");
    client_define(c, 3, "insert into r values (2)");
    client_define(c, 4, "select count(*) + 0 n from r");
    client_define(c, 5, "insert into r values (3) returning v");
    eq_str(ask(c, get, "{s b} i i n", "r", 1, 2, 0), "rows n: 0",
           "a new read is run again");
    eq_str(ask(c, get, "{s b} i i n", "r", 1, 2, 0), "rows n: 0",
           "and a known one");
    eq_str(ask(c, run, "{s b} i i n", "r", 1, 1, 0),
           "error UC_NOT_REPEATED unknown", "a new write is not");
    eq_str(ask(c, all, "{s b} i i n", "r", 1, 5, 0),
           "error UC_NOT_REPEATED unknown", "nor one that answers with rows");
    eq_str(ask(c, run, "n i i n", 3, 0), "run 1 1", "a write");
    eq_str(ask(c, run, "{s b} i i n", "r", 1, 3, 0),
           "error UC_NOT_REPEATED unknown", "a known one is not repeated");
    eq_str(ask(c, run, "{s b} i i n", "r", 0, 3, 0), "run 1 2",
           "unless it is none");
    ask(c, tx_begin, "n");
    x = c->value;
    /* The writer is taken: what is new is for the writer to look at. */
    put(c, json, "{s b} i i n", "r", 1, 4, 0);
    put(c, run, "{s b} s i n", "r", 1, "delete from r", 0);
    put(c, get, "{s b} s i n", "r", 1, "select * from gone", 0);
    client_send(c);
    eq_str(ask(c, get, "{s b s I} i i n", "r", 1, "x", x, 2, 0),
           "error UC_NOT_REPEATED unknown", "nor what is in a transaction");
    eq_str(ask(c, tx_end, "{s b} I b", "r", 1, x, 1),
           "error UC_NOT_REPEATED unknown", "least of all its end");
    eq_str(ask(c, tx_end, "n I b", x, 1), "value null", "once");
    eq_str(client_wait(c, c->next_id - 5), "bytes [{\"n\":2}]", "a new read");
    eq_str(client_wait(c, c->next_id - 4), "error UC_NOT_REPEATED unknown",
           "a new write");
    eq_str(client_wait(c, c->next_id - 3), "error UC_NOT_REPEATED unknown",
           "what cannot be told");
    eq_str(ask(c, batch, "{s b} [[i n]]", "r", 1, 2),
           "error UC_NOT_REPEATED unknown", "a batch");
    eq_str(ask(c, exec, "{s b} s", "r", 1, "select 1"),
           "error UC_NOT_REPEATED unknown", "a script");
    eq_str(ask(c, tx_begin, "{s b}", "r", 1), "error UC_NOT_REPEATED unknown",
           "a transaction");
    eq_str(ask(c, snap_begin, "{s b}", "r", 1), "error UC_NOT_REPEATED unknown",
           "a snapshot");
    eq_str(ask(c, get, "{s b} i i n", "r", 1, 99, 0), "error UC_FRAME unknown",
           "of what is refused nobody knows whether it ran");
    ok(starts(ask(c, health, "{s b}", "r", 1), "value {'ok' true"), "health");
    eq_str(ask(c, ping, "{s b} i", "r", 1, 7), "value 7", "ping");
    ok(starts(ask(c, stats, "{s b}", "r", 1), "value {"), "stats");
    ok(starts(ask(c, describe, "{s b}", "r", 1), "value {"), "describe");
    eq_str(ask(c, get, "{s i} i i n", "r", 1, 2, 0), "error UC_FRAME not-run",
           "r is true or false");
    eq_str(sync(c, get, "{s b} i i n", "r", 1, 2, 0), "rows n: 2", "sync read");
    eq_str(sync(c, run, "{s b} i i n", "r", 1, 3, 0),
           "error UC_NOT_REPEATED unknown", "sync write");
    eq_str(ask(c, run, "{s b s s} i i n", "r", 1, "o", "key", 3, 0), "run 1 3",
           "a write with a key says itself whether it ran");
    eq_str(ask(c, run, "{s b s s} i i n", "r", 1, "o", "key", 3, 0), "run 1 3",
           "and does so once");
    eq_str(ask(c, get, "n i i n", 2, 0), "rows n: 3", "nothing ran twice");
    client_close(c);
}

int main(void)
{
    static char file[400];

    strcpy(file, scratch_file("text.db"));
    heads();
    unsent();
    assisting();
    guests_of_others();
    about();
    texts(file);
    texts(":memory:");
    repeated(file);
    repeated(":memory:");
    return tap_end();
}

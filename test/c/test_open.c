/*
 * Files that somebody else has locked while they are opened. SQLite asks no
 * busy handler where two connections could wait for each other, as when both
 * want to make a WAL of a file. What an error says of a wait has to have
 * happened.
 */
#include <sqlite3.h>
#include <unistd.h>

#include "client.h"
#include "common/clock.h"
#include "tap.h"

/* Who has the lock: a connection that is none of the core's. */
typedef struct holder {
    sqlite3 *h;
    uc_thread thread;
    int ms; /* until it lets go */
} holder;

static sqlite3 *plain_open(const char *path)
{
    sqlite3 *h = NULL;

    if (sqlite3_open(path, &h) != SQLITE_OK)
        abort();
    return h;
}

/* Locks path, which is made in rollback mode when it is not there. */
static void hold(holder *o, const char *path, const char *sql)
{
    o->h = plain_open(path);
    ok(sqlite3_exec(o->h, sql, NULL, NULL, NULL) == SQLITE_OK, sql);
}

static void *let_go(void *arg)
{
    holder *o = arg;

    usleep((unsigned)o->ms * 1000);
    sqlite3_exec(o->h, "commit", NULL, NULL, NULL);
    sqlite3_close(o->h);
    return NULL;
}

/* The wait that the message states, in ms; -1: none. */
static int stated(const char *message)
{
    const char *at = strstr(message, "given it up in ");

    return at != NULL ? atoi(at + 15) : -1;
}

/* Opened while another is writing to the new file: begun anew, until it is
 * there. */
static void test_late(const char *name, const char *sql)
{
    const char *path = scratch_file(name);
    holder o = {.ms = 300};
    client *c;

    hold(&o, path, sql);
    c = client_open(path, "s i", "busy_ms", 25000);
    uc_thread_start(&o.thread, "holder", let_go, &o);
    client_ask(c, UC_OP_exec, "n s", "create table if not exists t(a)");
    eq_str(c->code, "", "it opens when the other is through");
    eq_str(
        client_ask(c, UC_OP_run, "n s i [i]", "insert into t values (?)", 0, 1),
        "run 1 1", "and writes");
    eq_str(client_ask(c, UC_OP_get, "n s i n", "pragma journal_mode", 0),
           "rows journal_mode: 'wal'", "to a WAL");
    uc_thread_join(o.thread);
    client_close(c);
}

static void test_never(void)
{
    const char *path = scratch_file("never.db");
    holder o = {0};
    int64_t begun, ms;
    client *c;

    hold(&o, path, "create table t(a); begin immediate");
    begun = uc_now();
    c = client_open(path, "s i", "busy_ms", 300);
    client_ask(c, UC_OP_health, "n");
    ms = (uc_now() - begun) / UC_MS;
    eq_str(c->code, "SQLITE_BUSY", "a lock that stays");
    ok(ms >= 300, "is waited for as long as busy_ms says");
    ok(stated(c->message) >= 300 && stated(c->message) <= ms + 1,
       "and the error says how long that was");
    client_destroy(c);
    c = client_open(path, "s i", "busy_ms", 0);
    client_ask(c, UC_OP_health, "n");
    eq_str(c->code, "SQLITE_BUSY", "with busy_ms 0");
    eq_int(stated(c->message), -1, "no wait is stated");
    ok(strstr(c->message, "busyTimeoutMs is 0") != NULL, "but why");
    client_destroy(c);
    sqlite3_close(o.h);
}

/* On a file that is open. */
static void test_statements(void)
{
    const char *path = scratch_file("open.db");
    client *c = client_open(path, "s i s i", "busy_ms", 250, "readers", 1);
    holder o = {0};

    client_ask(c, UC_OP_exec, "n s", "create table t(a)");
    hold(&o, path, "begin immediate");
    client_ask(c, UC_OP_run, "n s i [i]", "insert into t values (?)", 0, 1);
    eq_str(c->code, "SQLITE_BUSY", "a write, with another's transaction open");
    ok(stated(c->message) >= 250, "says how long it waited");
    sqlite3_exec(o.h, "rollback", NULL, NULL, NULL);
    eq_str(
        client_ask(c, UC_OP_run, "n s i [i]", "insert into t values (?)", 0, 1),
        "run 1 1", "and later there is no lock");
    sqlite3_exec(o.h, "begin immediate", NULL, NULL, NULL);
    client_ask(c, UC_OP_run, "n s i n", "vacuum", 0);
    eq_str(c->code, "SQLITE_BUSY", "a statement that runs alone");
    ok(stated(c->message) >= 250, "says so as well");
    sqlite3_close(o.h);
    client_close(c);
}

/* A call that is over while it waits is not "busy". */
static void test_deadline(void)
{
    const char *path = scratch_file("deadline.db");
    client *c = client_open(path, "s i", "busy_ms", 25000);
    holder o = {0};

    client_ask(c, UC_OP_exec, "n s", "create table t(a)");
    hold(&o, path, "begin immediate");
    client_ask(c, UC_OP_run, "{s i} s i [i]", "t", 200,
               "insert into t values (?)", 0, 1);
    eq_str(c->code, "UC_TIMEOUT", "a write whose deadline passes");
    eq_str(c->outcome, "not-run", "has not run");
    client_ask(c, UC_OP_exec, "{s i} s", "t", 200,
               "pragma journal_mode=delete");
    eq_str(c->code, "UC_TIMEOUT", "nor one that runs alone");
    client_sync(c, UC_OP_run, "{s i} s i [i]", "t", 200,
                "insert into t values (?)", 0, 1);
    eq_str(c->code, "UC_TIMEOUT", "nor a blocking one");
    sqlite3_close(o.h);
    client_close(c);
}

/* An attached file is opened by each connection. */
static void test_attached(void)
{
    const char *path = scratch_file("main.db"), *other = scratch_file("att.db");
    holder o = {.ms = 300};
    client *c;

    hold(&o, other, "create table t(a); begin exclusive");
    c = client_open(path, "s i s {s s}", "busy_ms", 25000, "attach", "other",
                    other);
    uc_thread_start(&o.thread, "holder", let_go, &o);
    eq_str(client_ask(c, UC_OP_run, "n s i [i]",
                      "insert into other.t values (?)", 0, 1),
           "run 1 1", "an attached file that is locked for a while");
    uc_thread_join(o.thread);
    client_close(c);
}

int main(void)
{
    test_late("late.db", "create table u(a); begin immediate");
    test_late("exclusive.db", "create table u(a); begin exclusive");
    test_never();
    test_statements();
    test_deadline();
    test_attached();
    return tap_end();
}

/*
 * What one client writes about `synchronous` leaves the syncs of the disk as
 * they are: each commit still brings its own, whatever was asked, by any verb
 * and any client, refused or not.
 */
#include "client.h"
#include "shim_vfs.h"
#include "tap.h"

enum { WRITES = 20 };

static uint64_t syncs(client *c)
{
    shim_fail(SHIM_SYNC, 0, 0, false);
    for (int i = 0; i < WRITES; i++)
        client_ask(c, UC_OP_run, "n i i [i]", 1, 0, i);
    return shim_fail(SHIM_SYNC, 0, 0, false);
}

static void weaken(client *c, const char *sql)
{
    static const int ops[] = {UC_OP_get, UC_OP_all, UC_OP_run, UC_OP_json};
    static uint32_t sid = 10;
    char script[200];

    client_define(c, ++sid, sql);
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        client_ask(c, ops[i], "n i i n", sid, 0);
        client_sync(c, ops[i], "n i i n", sid, 0);
    }
    client_ask(c, UC_OP_many, "n i n b [[]]", sid, 0);
    client_ask(c, UC_OP_batch, "n [[i [ ]]]", sid);
    client_ask(c, UC_OP_cursor_open, "n i i n", sid, 0);
    client_ask(c, UC_OP_exec, "n s", sql);
    snprintf(script, sizeof script, "select 1; %s", sql);
    client_ask(c, UC_OP_exec, "n s", script);
    client_ask(c, UC_OP_migrate_apply, "n i s s s b", sid, "m", "sum", sql, 0);
    client_ask(c, UC_OP_migrate_apply, "n i s s s b", sid, "m", "sum", sql, 1);
}

int main(void)
{
    static const char *const texts[] = {
        "pragma synchronous = off",
        "pragma main.synchronous(0)",
        "explain pragma synchronous = 0",
        "/* x */ pragma \"synchronous\" = 'off'",
        "pragma synchronous = normal",
        "pragma synchronous = full",
        "pragma synchronous = extra"};
    const char *path = scratch_file("settings.db");
    client *c, *reader;
    uint64_t before;

    shim_install();
    c = client_open(path, NULL);
    client_ask(c, UC_OP_exec, "n s", "create table t (a)");
    client_define(c, 1, "insert into t values (?)");
    reader = client_open(path, "s b", "readonly", 1);
    before = syncs(c);
    ok(before >= WRITES, "each commit is synced");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        weaken(c, texts[i]);
        eq_int((int64_t)syncs(c), (int64_t)before, texts[i]);
        weaken(reader, texts[i]);
        eq_int((int64_t)syncs(c), (int64_t)before, "by one that only reads");
    }
    client_close(reader);
    client_close(c);
    return tap_end();
}

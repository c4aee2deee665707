/*
 * Bytes as requests to a session. An input is a byte of flags (bit 0: a file
 * instead of memory; bit 1: destroy at once at the end; bit 2: there is a log)
 * and then records of a
 * byte that says how (bit 0: as a sync call, bit 6: as one of the cache) and
 * one msgpack value, the frame. What cannot be cut into values any more is
 * submitted as it is.
 *
 * SQL can write files (VACUUM INTO, backup): the VFS lets it touch only those
 * of the fuzzer's own folder.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "common/clock.h"
#include "log/desk.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SQL_HEAP = 64 << 20, PATIENCE_MS = 300 };

static sqlite3_vfs guarded;
static sqlite3_vfs *below;
static char file[400];
static uc_log_desk *desk;

static bool is_ours(const char *name)
{
    return name == NULL || strncmp(name, file, strlen(file)) == 0;
}

static int guarded_open(sqlite3_vfs *v, sqlite3_filename name, sqlite3_file *f,
                        int flags, int *out)
{
    (void)v;
    f->pMethods = NULL;
    return is_ours(name) ? below->xOpen(below, name, f, flags, out)
                         : SQLITE_CANTOPEN;
}

static int guarded_delete(sqlite3_vfs *v, const char *name, int dir)
{
    (void)v;
    return is_ours(name) ? below->xDelete(below, name, dir) : SQLITE_OK;
}

/* One for all inputs: its files are few and small. */
static void open_log(void)
{
    uc_log_options o;
    uc_error e;
    uc_log *log;

    uc_log_options_init(&o);
    o.dir = scratch_file("logs");
    o.ring = "fuzz";
    o.ring_bytes = 64 << 10;
    o.rotate_bytes = 1 << 20;
    o.keep_bytes = 4 << 20;
    o.compress = UC_LOG_PLAIN;
    o.sync_ms = 0;
    log = uc_log_open(&o, &e);
    desk = log != NULL ? uc_log_desk_new(log, o.dir) : NULL;
    if (desk == NULL)
        abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    strcpy(file, scratch_file("fuzz.db"));
    open_log();
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 1);
    sqlite3_hard_heap_limit64(SQL_HEAP);
    below = sqlite3_vfs_find(NULL);
    guarded = *below;
    guarded.zName = "guarded";
    guarded.xOpen = guarded_open;
    guarded.xDelete = guarded_delete;
    sqlite3_vfs_register(&guarded, 1);
    return 0;
}

static void remove_file(void)
{
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    char name[500];

    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        snprintf(name, sizeof name, "%s%s", file, ends[i]);
        unlink(name);
    }
}

static client *prepared(bool on_file, bool logs)
{
    static const char *const sql[] = {
        "insert into t (v) values (?)",
        "select * from t",
        "select v, i from t where i = :i",
        "select count(*) from t",
        "insert into t (v) values (?) returning i",
        "pragma user_version"};
    client *c;

    if (on_file)
        remove_file();
    c = client_open(on_file ? file : ":memory:", "s i s i s i s s s i s i s i",
                    "timeout_ms", 20, "tx_ms", 20, "busy_ms", 5, "synchronous",
                    "off", "max_bytes", 1 << 20, "readers", 1, "max_rows",
                    10000);
    if (c == NULL)
        abort();
    if (logs)
        uc_session_log(c->session, desk);
    client_put_id(c, 0, UC_OP_exec, "n s",
                  "create table t (i integer primary key, v); "
                  "insert into t values (1, 'a'), (2, 2.5), (3, x'00ff')");
    for (size_t i = 0; i < sizeof sql / sizeof *sql; i++)
        client_put_id(c, 0, UC_OP_define, "n i s", (int)i + 1, sql[i]);
    client_send(c);
    return c;
}

/* The frame as it is; a sync call that names its own deadline could be for
 * ever, and nobody could stop it. */
static bool may_be_sync(uc_reader r)
{
    uint32_t n;
    uc_value v;

    return uc_read_array(&r, &n) && n >= 3 && uc_read_skip(&r) &&
           uc_read_skip(&r) && uc_read(&r, &v) && v.type == UC_T_NIL;
}

static void one(client *c, uint8_t how, const uint8_t *p, size_t n,
                uint32_t count)
{
    static uint8_t reply[512];
    uint8_t *big;
    size_t len;

    if (how & 64 && count == 1) {
        len = uc_cache_sync(c->session, p, n, reply, sizeof reply);
        if (len > 0 && len <= sizeof reply)
            client_text(c, reply, len);
        uc_cache_peek(c->session, p, n < 8 ? n : 8, reply, sizeof reply);
        return;
    }
    if (!(how & 1) || count > 1 || !may_be_sync((uc_reader){p, p + n})) {
        uc_submit(c->session, p, n, count, how >> 1 & 7);
        if (how >> 1 & UC_HINT_ASSIST)
            uc_assist(c->session);
        return;
    }
    len = uc_sync(c->session, p, n, reply, sizeof reply);
    if (len <= sizeof reply) {
        client_text(c, reply, len);
        return;
    }
    big = malloc(len);
    if (big == NULL || uc_sync_take(c->session, big, len) != len)
        abort();
    client_text(c, big, len);
    free(big);
}

static bool closed(client *c)
{
    int64_t until = uc_now() + PATIENCE_MS * UC_MS;
    uint32_t id = client_put(c, UC_OP_close, "n");

    client_send(c);
    while (uc_now() < until) {
        client_poll(c);
        for (reply *r = c->replies; r != NULL; r = r->next) {
            if (r->id == id)
                return true;
        }
        usleep(50);
    }
    return false; /* a call without a deadline: destroying interrupts it */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uc_reader r = {data, data + size};
    uint8_t flags;
    client *c;

    if (size < 2)
        return 0;
    flags = *r.p++;
    c = prepared(flags & 1, flags & 4);
    c->next_id = 1u << 31;
    while (r.p < r.end) {
        uint8_t how = *r.p++;
        const uint8_t *from = r.p;

        if (!uc_read_skip(&r)) {
            one(c, how & 0xfe, from, (size_t)(r.end - from), 1 + how % 5);
            break;
        }
        one(c, how, from, (size_t)(r.p - from), 1);
    }
    if (!(flags & 2))
        closed(c);
    client_poll(c);
    for (reply *p = c->replies; p != NULL; p = p->next)
        client_text(c, p->bytes, p->len);
    client_destroy(c);
    return 0;
}

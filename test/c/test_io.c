/*
 * The n-th write, sync or truncation fails, once or from then on, while
 * groups of inserts are committed. What was acknowledged stays; what was
 * reported as not run is not there; once the fault is lifted, writing goes on.
 */
#include <sqlite3.h>
#include <unistd.h>

#include "client.h"
#include "shim_vfs.h"
#include "tap.h"

enum { GROUP = 8, ROUNDS = 4, KEYS = 200 };

typedef struct fault {
    const char *name;
    shim_op op;
    int rc;
    bool stay;
    const char *code; /* what errors begin with */
} fault;

static const fault faults[] = {
    {"EIO of a write", SHIM_WRITE, SQLITE_IOERR_WRITE, false, "SQLITE_IOERR"},
    {"ENOSPC of a write", SHIM_WRITE, SQLITE_FULL, false, "SQLITE_FULL"},
    {"a full disk", SHIM_WRITE, SQLITE_FULL, true, "SQLITE_FULL"},
    {"a dead disk", SHIM_WRITE, SQLITE_IOERR_WRITE, true, "SQLITE_IOERR"},
    {"EIO of a sync", SHIM_SYNC, SQLITE_IOERR_FSYNC, false, "SQLITE_IOERR"},
    {"every sync fails", SHIM_SYNC, SQLITE_IOERR_FSYNC, true, "SQLITE_IOERR"},
    {"EIO of a truncation", SHIM_TRUNCATE, SQLITE_IOERR_TRUNCATE, false,
     "SQLITE_IOERR"},
};

enum { UNSENT, ACKED, NOT_RUN, UNKNOWN };

typedef struct tally {
    uint64_t runs, errors, lost, ghosts, odd, stuck, unsound;
    char first_odd[100];
} tally;

static int state[KEYS];

static int outcome(client *c, const char *text, const fault *f, tally *t)
{
    if (strncmp(text, "run", 3) == 0)
        return ACKED;
    t->errors++;
    if (strncmp(c->code, f->code, strlen(f->code)) != 0 ||
        c->outcome[0] == '\0') {
        t->odd++;
        snprintf(t->first_odd, sizeof t->first_odd, "%.90s", text);
    }
    return strcmp(c->outcome, "not-run") == 0 ? NOT_RUN : UNKNOWN;
}

static bool is_there(client *c, int key)
{
    client_ask(c, UC_OP_get, "n i i [i]", 2, 0, key);
    return c->value == 1;
}

static void check(client *c, int keys, tally *t)
{
    for (int k = 0; k < keys; k++) {
        bool there = is_there(c, k);

        t->lost += state[k] == ACKED && !there;
        t->ghosts += state[k] == NOT_RUN && there;
    }
}

static client *reopen(const char *path)
{
    client *c =
        client_open(path, "s i s i", "wal_checkpoint", 16384, "readers", 1);

    client_define(c, 1, "insert into t (k, v) values (?, zeroblob(300))");
    client_define(c, 2, "select count(*) n from t where k = ?");
    client_define(c, 3, "pragma integrity_check");
    return c;
}

/* True when the fault was not reached: the sweep is over. */
static bool run(const char *path, const fault *f, uint64_t n, tally *t)
{
    client *c;
    char side[500];
    uint32_t ids[GROUP];
    int key = 0;
    uint64_t count;

    unlink(path);
    snprintf(side, sizeof side, "%s-wal", path);
    unlink(side);
    snprintf(side, sizeof side, "%s-shm", path);
    unlink(side);
    t->runs++;
    c = reopen(path);
    client_ask(c, UC_OP_exec, "n s",
               "create table t (k integer primary key, "
               "v)");
    for (int i = 0; i < 3; i++, key++)
        state[key] = strncmp(client_ask(c, UC_OP_run, "n i i [i]", 1, 0, key),
                             "run", 3) == 0
                         ? ACKED
                         : UNKNOWN;
    shim_fail(f->op, n, f->rc, f->stay);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < GROUP; i++)
            ids[i] = client_put(c, UC_OP_run, "n i i [i]", 1, 0, key + i);
        client_send(c);
        for (int i = 0; i < GROUP; i++, key++)
            state[key] = outcome(c, client_wait(c, ids[i]), f, t);
        state[key] =
            outcome(c, client_sync(c, UC_OP_run, "n i i [i]", 1, 0, key), f, t);
        key++;
    }
    client_ask(c, UC_OP_checkpoint, "n s", "truncate"); /* may fail */
    count = shim_fail(f->op, 0, 0, false);
    if (strncmp(client_ask(c, UC_OP_run, "n i i [i]", 1, 0, key), "run", 3) ==
        0)
        state[key++] = ACKED;
    else
        t->stuck++;
    check(c, key, t);
    client_close(c);
    c = reopen(path);
    check(c, key, t);
    t->unsound += strcmp(client_ask(c, UC_OP_get, "n i i n", 3, 0),
                         "rows integrity_check: 'ok'") != 0;
    client_close(c);
    return count < n;
}

static void sweep(const fault *f)
{
    char path[400], name[100];
    tally t = {0};
    uint64_t n = 1;

    strcpy(path, scratch_file("io.db"));
    for (;; n += 1 + n / 20) {
        snprintf(client_note, sizeof client_note, "%s, number %" PRIu64,
                 f->name, n);
        if (run(path, f, n, &t) || t.runs > 300)
            break;
    }
    tap_diag("%s: %" PRIu64 " runs, %" PRIu64 " errors", f->name, t.runs,
             t.errors);
    snprintf(name, sizeof name, "%s: every acknowledged row stays", f->name);
    eq_int(t.lost, 0, name);
    snprintf(name, sizeof name, "%s: no row that was 'not-run' is there",
             f->name);
    eq_int(t.ghosts, 0, name);
    snprintf(name, sizeof name, "%s: errors say what it was and the outcome",
             f->name);
    eq_str(t.first_odd, "", name);
    snprintf(name, sizeof name, "%s: the next write works", f->name);
    eq_int(t.stuck, 0, name);
    snprintf(name, sizeof name, "%s: the file is sound", f->name);
    eq_int(t.unsound, 0, name);
    snprintf(name, sizeof name, "%s: it did fail", f->name);
    ok(t.runs > 1 && (t.errors > 0 || f->op == SHIM_TRUNCATE), name);
}

int main(void)
{
    shim_install();
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        sweep(&faults[i]);
    return tap_end();
}

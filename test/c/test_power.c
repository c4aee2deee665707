/*
 * A power cut: of each file only what was synced is left, and of the rest what
 * the dice keep. At any moment every row that was acknowledged before it is
 * there (synchronous=full), what was written together is there together, and
 * the file is sound. UC_SEED repeats a run, UC_CUTS says how many.
 */
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client.h"
#include "shim_vfs.h"
#include "tap.h"

enum { WORKLOADS = 4, STEPS = 60, ROWS = 4000 };

static struct {
    uint64_t acked_at; /* shim_now() after its reply, UINT64_MAX: none */
    int group, size;   /* of what was written together */
} rows[ROWS];
static int nrows, ngroups;

static int add(int n)
{
    int first = nrows;

    for (int i = 0; i < n; i++)
        rows[nrows++] = (__typeof__(rows[0])){UINT64_MAX, ngroups, n};
    ngroups++;
    return first;
}

static void acked(int first, int n, const char *text)
{
    uint64_t now = shim_now();

    if (strncmp(text, "error", 5) == 0)
        return;
    for (int i = 0; i < n; i++)
        rows[first + i].acked_at = now;
}

static void transaction(client *c)
{
    int k = add(3);
    int64_t x;

    client_ask(c, UC_OP_tx_begin, "n");
    x = c->value;
    for (int i = 0; i < 3; i++)
        client_ask(c, UC_OP_run, "{s I} i i [i]", "x", x, 1, 0, k + i);
    acked(k, 3, client_ask(c, UC_OP_tx_end, "n I b", x, 1));
}

static void burst(client *c)
{
    uint32_t ids[16];
    int first = nrows;

    for (int i = 0; i < 16; i++)
        ids[i] = client_put(c, UC_OP_run, "n i i [i]", 1, 0, add(1));
    client_send(c);
    for (int i = 0; i < 16; i++)
        acked(first + i, 1, client_wait(c, ids[i]));
}

static void work(const char *path)
{
    client *c;
    int k;

    nrows = ngroups = 0;
    shim_record(true);
    c = client_open(path, "s i s i", "wal_checkpoint", 16384, "readers", 1);
    client_ask(c, UC_OP_exec, "n s",
               "create table t (k integer primary key, v)");
    client_define(c, 1, "insert into t values (?, randomblob(100))");
    for (int i = 0; i < STEPS; i++) {
        switch (tap_random() % 6) {
        case 0:
            k = add(2);
            acked(k, 2,
                  client_ask(c, UC_OP_batch, "n [[i [i]] [i [i]]]", 1, k, 1,
                             k + 1));
            break;
        case 1:
            k = add(4);
            acked(k, 4,
                  client_ask(c, UC_OP_many, "n i n b [[i][i][i][i]]", 1, 0, k,
                             k + 1, k + 2, k + 3));
            break;
        case 2:
            transaction(c);
            break;
        case 3:
            burst(c);
            break;
        case 4:
            k = add(1);
            acked(k, 1, client_sync(c, UC_OP_run, "n i i [i]", 1, 0, k));
            break;
        default:
            if (tap_random() % 4 == 0)
                client_ask(c, UC_OP_checkpoint, "n s",
                           tap_random() % 2 ? "truncate" : "restart");
            k = add(1);
            acked(k, 1, client_ask(c, UC_OP_run, "n i i [i]", 1, 0, k));
            break;
        }
    }
    client_close(c);
    shim_record(false);
}

typedef struct tally {
    uint64_t cuts, lost, halves, unsound, kept;
} tally;

static void verify(const char *path, uint64_t at, tally *t)
{
    static bool there[ROWS];
    static int seen[ROWS];
    sqlite3 *h;
    sqlite3_stmt *stmt = NULL;
    bool sound = false;

    memset(there, 0, sizeof there);
    memset(seen, 0, sizeof seen);
    if (sqlite3_open(path, &h) == SQLITE_OK &&
        sqlite3_prepare_v2(h, "pragma integrity_check", -1, &stmt, NULL) ==
            SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        sound = strcmp((const char *)sqlite3_column_text(stmt, 0), "ok") == 0;
    sqlite3_finalize(stmt);
    stmt = NULL;
    /* No table at all: the cut was before its creation was acknowledged. */
    sqlite3_prepare_v2(h, "select k from t", -1, &stmt, NULL);
    while (stmt != NULL && sqlite3_step(stmt) == SQLITE_ROW) {
        int k = sqlite3_column_int(stmt, 0);

        if (k < 0 || k >= nrows) {
            sound = false;
            break;
        }
        there[k] = true;
        seen[rows[k].group]++;
        t->kept++;
    }
    sqlite3_finalize(stmt);
    sqlite3_close(h);
    t->unsound += !sound;
    for (int k = 0; k < nrows; k++) {
        t->lost += rows[k].acked_at <= at && !there[k];
        t->halves += there[k] && seen[rows[k].group] != rows[k].size;
    }
}

static void cut(const char *dir, uint64_t at, uint64_t seed, tally *t)
{
    char path[600];
    tally before = *t;

    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/power.db%s", dir,
                 i == 0 ? "-shm" : "-journal");
        unlink(path);
    }
    t->cuts++;
    if (!shim_power_cut(at, seed, dir)) {
        tap_diag("the files could not be rebuilt");
        t->unsound++;
        return;
    }
    snprintf(path, sizeof path, "%s/power.db", dir);
    verify(path, at, t);
    if (t->lost != before.lost || t->halves != before.halves ||
        t->unsound != before.unsound)
        tap_diag("cut at %" PRIu64 " with seed %" PRIu64, at, seed);
}

/* The store itself opens what is left, and writes on. */
static void goes_on(const char *dir)
{
    char path[600];
    client *c;

    snprintf(path, sizeof path, "%s/power.db", dir);
    c = client_open(path, "s s", "synchronous", "off");
    eq_str(client_ask(c, UC_OP_exec, "n s",
                      "create table if not exists after (a)"),
           "run 0 0", "the store opens what is left and writes on");
    client_close(c);
}

int main(void)
{
    const char *wanted = getenv("UC_CUTS");
    uint64_t cuts = wanted != NULL ? strtoull(wanted, NULL, 0) : 400;
    char path[400], dir[400], name[500];
    tally t = {0};

    tap_seed(2026);
    shim_install();
    strcpy(path, scratch_file("power.db"));
    strcpy(dir, scratch_file("cut"));
    mkdir(dir, 0700);
    for (int w = 0; w < WORKLOADS; w++) {
        uint64_t end;

        unlink(path);
        work(path);
        end = shim_now();
        tap_diag("%d rows, %" PRIu64 " writes and syncs", nrows, end);
        cut(dir, end, 0, &t);
        for (uint64_t i = 0; i < cuts / WORKLOADS; i++)
            cut(dir, tap_random() % (end + 1),
                tap_random() % 4 == 0 ? 0 : tap_random() | 1, &t);
        cut(dir, end / 2, 1, &t);
        goes_on(dir);
    }
    tap_diag("%" PRIu64 " cuts, %" PRIu64 " rows found", t.cuts, t.kept);
    eq_int(t.lost, 0, "every acknowledged row is there");
    eq_int(t.halves, 0, "what was written together is there together");
    eq_int(t.unsound, 0, "every file is sound");
    ok(t.kept > 1000, "there was something to lose");
    for (int i = 0; i < 4; i++) {
        static const char *const ends[] = {"", "-wal", "-shm", "-journal"};

        snprintf(name, sizeof name, "%s/power.db%s", dir, ends[i]);
        unlink(name);
    }
    rmdir(dir);
    shim_record(true); /* frees the recording */
    shim_record(false);
    return tap_end();
}

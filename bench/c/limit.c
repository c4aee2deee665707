/*
 * The pure-C limit: what the engine itself does with the work of a case, with
 * no JavaScript, no thread and no copy in the way. Linked with the SQLite that
 * Undercroft builds, compiled with the same options.
 *
 *   limit PROGRAM FILE SYNCHRONOUS CACHE_KIB SCALE
 *
 * A contestant like the others: one JSON command a line on stdin ("setup",
 * "check", "round" with "ms", "quit"), one line on stdout for each.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sqlite3.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

enum {
    N_IDS = 65536,
    WORLDS = 10000,
    USERS = 100000,
    ID_STEP = 7,
    GETS_IN_TRANSACTION = 10000,
    UPDATES = 20,
    JSON_MAX = 64 * 1024,
};

struct entry {
    char *name, *city, *created_at;
    int age;
};

static sqlite3 *db;
static sqlite3_stmt *begin_stmt, *commit_stmt, *stmt, *write_stmt;
static uint32_t ids[N_IDS];
static uint32_t next_id;
static struct entry *entries;
static int n_entries;
static int group;
static double scale = 1;
static uint64_t sum; /* printed at the end: the work cannot be left out */

static void die(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, db ? sqlite3_errmsg(db) : "no database");
    exit(1);
}

static void exec(const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        die(sql);
}

static sqlite3_stmt *prepare(const char *sql)
{
    sqlite3_stmt *made;

    if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &made,
                           NULL) != SQLITE_OK)
        die(sql);
    return made;
}

/* Runs a statement that answers no row. */
static void run(sqlite3_stmt *s)
{
    if (sqlite3_step(s) != SQLITE_DONE)
        die("step");
    sqlite3_reset(s);
}

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* The same mixing as lib/data.js, so that the ids are the same. */
static uint32_t mix(uint32_t n)
{
    n = (n ^ (n >> 16)) * 0x45d9f3bu;
    n = (n ^ (n >> 15)) * 0x2c1b3c6du;
    return n ^ (n >> 16);
}

static void fill_ids(uint32_t min, uint32_t max)
{
    for (uint32_t i = 0; i < N_IDS; i++)
        ids[i] = min + mix(i + 15485863u) % (max - min + 1);
}

static uint32_t an_id(void)
{
    return ids[next_id++ % N_IDS];
}

/* --- point reads --------------------------------------------------------- */

static void setup_get(void)
{
    fill_ids(1, WORLDS);
    stmt = prepare("select id, randomnumber from world where id = ?");
}

static void get(uint32_t id)
{
    sqlite3_bind_int64(stmt, 1, id);
    if (sqlite3_step(stmt) != SQLITE_ROW)
        die("get");
    sum += (uint64_t)sqlite3_column_int64(stmt, 0);
    sum += (uint64_t)sqlite3_column_int64(stmt, 1);
    sqlite3_reset(stmt);
}

static int get_autocommit(void)
{
    for (int i = 0; i < 500; i++)
        get(an_id());
    return 500;
}

static int get_transaction(void)
{
    run(begin_stmt);
    for (int i = 0; i < GETS_IN_TRANSACTION; i++)
        get(an_id());
    run(commit_stmt);
    return GETS_IN_TRANSACTION;
}

/* --- rows ---------------------------------------------------------------- */

#define COLUMNS "select id, name, age, city, created_at from user "

static void setup_all_100(void)
{
    fill_ids(0, (USERS - 100) * ID_STEP);
    stmt = prepare(COLUMNS "where id > ? order by id limit 100");
}

static void setup_all_1000(void)
{
    fill_ids(0, (USERS - 1000) * ID_STEP);
    stmt = prepare(COLUMNS "where id > ? order by id limit 1000");
}

/* Reads every value of every row, as any library has to. */
static int all(void)
{
    sqlite3_bind_int64(stmt, 1, an_id());
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        sum += (uint64_t)sqlite3_column_int64(stmt, 0);
        sum += sqlite3_column_text(stmt, 1)[0];
        sum += (uint64_t)sqlite3_column_bytes(stmt, 1);
        sum += (uint64_t)sqlite3_column_int64(stmt, 2);
        sum += sqlite3_column_text(stmt, 3)[0];
        sum += (uint64_t)sqlite3_column_bytes(stmt, 3);
        sum += sqlite3_column_text(stmt, 4)[0];
        sum += (uint64_t)sqlite3_column_bytes(stmt, 4);
    }
    if (sqlite3_reset(stmt) != SQLITE_OK)
        die("all");
    return 1;
}

/* --- JSON ---------------------------------------------------------------- */

static char json_out[JSON_MAX];

static char *put(char *at, const char *bytes, size_t n)
{
    memcpy(at, bytes, n);
    return at + n;
}

static char *put_int(char *at, int64_t value)
{
    char digits[20];
    size_t n = 0;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    if (value < 0)
        *at++ = '-';
    do {
        digits[n++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    while (n)
        *at++ = digits[--n];
    return at;
}

static char *put_text(char *at, int column)
{
    const unsigned char *text = sqlite3_column_text(stmt, column);
    int n = sqlite3_column_bytes(stmt, column);

    *at++ = '"';
    for (int i = 0; i < n; i++) {
        if (text[i] < 0x20) {
            at += sprintf(at, "\\u%04x", text[i]);
            continue;
        }
        if (text[i] == '"' || text[i] == '\\')
            *at++ = '\\';
        *at++ = (char)text[i];
    }
    *at++ = '"';
    return at;
}

static int json(void)
{
    char *at = json_out;

    sqlite3_bind_int64(stmt, 1, an_id());
    *at++ = '[';
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        if (at - json_out > JSON_MAX - 1024)
            die("json: too long");
        at = put(at, "{\"id\":", 6);
        at = put_int(at, sqlite3_column_int64(stmt, 0));
        at = put(at, ",\"name\":", 8);
        at = put_text(at, 1);
        at = put(at, ",\"age\":", 7);
        at = put_int(at, sqlite3_column_int64(stmt, 2));
        at = put(at, ",\"city\":", 8);
        at = put_text(at, 3);
        at = put(at, ",\"created_at\":", 14);
        at = put_text(at, 4);
        at = put(at, "},", 2);
    }
    if (at[-1] == ',')
        at--;
    *at++ = ']';
    sqlite3_reset(stmt);
    sum += (uint64_t)(at - json_out);
    return 1;
}

/* --- inserts ------------------------------------------------------------- */

/* The rows that the other contestants make with lib/data.js: users, no id. */
static void load_entries(int n)
{
    sqlite3_stmt *read = prepare(
        "select name, age, city, created_at from user order by id limit ?");

    entries = calloc((size_t)n, sizeof(*entries));
    if (!entries)
        die("memory");
    sqlite3_bind_int(read, 1, n);
    while (sqlite3_step(read) == SQLITE_ROW) {
        struct entry *e = &entries[n_entries++];

        e->name = strdup((const char *)sqlite3_column_text(read, 0));
        e->age = sqlite3_column_int(read, 1);
        e->city = strdup((const char *)sqlite3_column_text(read, 2));
        e->created_at = strdup((const char *)sqlite3_column_text(read, 3));
    }
    sqlite3_finalize(read);
    stmt = prepare("insert into entry (name, age, city, created_at) "
                   "values (?, ?, ?, ?)");
}

static void setup_group_64(void)
{
    group = 64;
    load_entries(8192);
}

static void setup_group_1000(void)
{
    group = 1000;
    load_entries(8192);
}

static void setup_many(void)
{
    group = (int)(USERS * scale);
    load_entries(group);
}

static void reset_entries(void)
{
    exec("delete from entry");
    exec("pragma wal_checkpoint(truncate)");
}

static int insert_group(void)
{
    static int at;

    run(begin_stmt);
    for (int i = 0; i < group; i++) {
        const struct entry *e = &entries[at++ % n_entries];

        sqlite3_bind_text(stmt, 1, e->name, -1, SQLITE_STATIC);
        sqlite3_bind_int(stmt, 2, e->age);
        sqlite3_bind_text(stmt, 3, e->city, -1, SQLITE_STATIC);
        sqlite3_bind_text(stmt, 4, e->created_at, -1, SQLITE_STATIC);
        run(stmt);
    }
    run(commit_stmt);
    return group;
}

/* --- updates ------------------------------------------------------------- */

static void setup_update(void)
{
    setup_get();
    write_stmt = prepare("update world set randomnumber = ? where id = ?");
}

static int update_group(void)
{
    run(begin_stmt);
    for (int i = 0; i < UPDATES; i++) {
        uint32_t id = an_id();

        get(id);
        sqlite3_bind_int64(write_stmt, 1, 1 + mix((uint32_t)sum) % 10000);
        sqlite3_bind_int64(write_stmt, 2, id);
        run(write_stmt);
    }
    run(commit_stmt);
    return UPDATES;
}

/* --- a scan -------------------------------------------------------------- */

static void setup_scan(void)
{
    fill_ids(5, 15);
    stmt = prepare("select count(*) as n, sum(length(city)) as length "
                   "from user where age < ?");
}

static int scan(void)
{
    get(an_id());
    return 1;
}

/* ------------------------------------------------------------------------- */

static const struct program {
    const char *name;
    void (*setup)(void);
    int (*step)(void);
    void (*reset)(void);
    bool once; /* one step a round */
} programs[] = {
    {"get-autocommit", setup_get, get_autocommit, NULL, false},
    {"get-transaction", setup_get, get_transaction, NULL, false},
    {"all-100", setup_all_100, all, NULL, false},
    {"all-1000", setup_all_1000, all, NULL, false},
    {"json-100", setup_all_100, json, NULL, false},
    {"insert-group-64", setup_group_64, insert_group, reset_entries, false},
    {"insert-group-1000", setup_group_1000, insert_group, reset_entries, false},
    {"insert-many", setup_many, insert_group, reset_entries, true},
    {"update-group-20", setup_update, update_group, NULL, false},
    {"scan", setup_scan, scan, NULL, false},
};

static void open_database(const char *file, const char *synchronous,
                          const char *cache_kib)
{
    char sql[64];

    if (sqlite3_open_v2(file, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK)
        die(file);
    exec("pragma journal_mode = wal");
    snprintf(sql, sizeof(sql), "pragma synchronous = %s", synchronous);
    exec(sql);
    snprintf(sql, sizeof(sql), "pragma cache_size = -%s", cache_kib);
    exec(sql);
    exec("pragma mmap_size = 0");
    begin_stmt = prepare("begin");
    commit_stmt = prepare("commit");
}

/* Repeats the program's step for about `ms`; answers operations a second. */
static double round_of(const struct program *p, double ms)
{
    double start, elapsed;
    uint64_t count = 0;

    if (p->reset)
        p->reset();
    start = now_ms();
    do {
        count += (uint64_t)p->step();
        elapsed = now_ms() - start;
    } while (!p->once && elapsed < ms);
    return (double)count * 1e3 / elapsed;
}

int main(int argc, char **argv)
{
    const struct program *p = NULL;
    char line[256];

    if (argc != 6) {
        fprintf(stderr,
                "usage: limit PROGRAM FILE SYNCHRONOUS CACHE_KIB SCALE\n");
        return 2;
    }
    for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
        if (strcmp(argv[1], programs[i].name) == 0)
            p = &programs[i];
    }
    if (!p) {
        fprintf(stderr, "no program '%s'\n", argv[1]);
        return 2;
    }
    scale = atof(argv[5]);
    open_database(argv[2], argv[3], argv[4]);
    p->setup();

    while (fgets(line, sizeof(line), stdin)) {
        const char *ms = strstr(line, "\"ms\":");

        if (strstr(line, "\"round\""))
            printf("{\"ok\":{\"rate\":%.3f}}\n",
                   round_of(p, ms ? atof(ms + 5) : 0));
        else
            printf("{\"ok\":{}}\n");
        fflush(stdout);
        if (strstr(line, "\"quit\""))
            break;
    }
    fprintf(stderr, "%llu\n", (unsigned long long)sum);
    return 0;
}

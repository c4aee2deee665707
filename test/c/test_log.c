/* The log as its doors use it: what was put is in the files, once. */
#define _GNU_SOURCE
#include "log/log.h"

#include "common/clock.h"
#include "common/thread.h"
#include "log/note.h"
#include "log_lines.h"
#include "tap.h"

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mount.h>

static char base[64];

static uc_log_options options(const char *dir)
{
    uc_log_options o;

    uc_log_options_init(&o);
    o.dir = dir;
    o.compress = UC_LOG_PLAIN;
    o.ring_bytes = 64 << 10;
    o.sync_ms = 0;
    o.block_ms = 60000; /* a slow disk is not to drop anything */
    return o;
}

static uc_log *must_open(const uc_log_options *o)
{
    uc_error e;
    uc_log *l = uc_log_open(o, &e);

    if (l == NULL)
        tap_diag("open: %s", e.message);
    return l;
}

static bool flush(uc_log *l)
{
    uc_error e;

    if (uc_log_flush(l, 20000, false, &e))
        return true;
    tap_diag("flush: %s", e.message);
    return false;
}

/* --- a gate in the way of the log's thread -------------------------------- */

typedef struct gate {
    uc_mutex mu;
    uc_cond changed;
    bool shut, somebody;
} gate;

static void gate_init(gate *g)
{
    uc_mutex_init(&g->mu);
    uc_cond_init(&g->changed);
    g->shut = g->somebody = false;
}

static void gate_set(gate *g, bool shut)
{
    uc_lock(&g->mu);
    g->shut = shut;
    uc_cond_broadcast(&g->changed);
    uc_unlock(&g->mu);
}

/* The thread stands before it. */
static void gate_await(gate *g)
{
    uc_lock(&g->mu);
    while (!g->somebody)
        uc_cond_wait(&g->changed, &g->mu);
    uc_unlock(&g->mu);
}

static void gate_step(void *arg, const char *where)
{
    gate *g = arg;

    if (strcmp(where, "append") != 0)
        return;
    uc_lock(&g->mu);
    while (g->shut) {
        g->somebody = true;
        uc_cond_broadcast(&g->changed);
        uc_cond_wait(&g->changed, &g->mu);
    }
    g->somebody = false;
    uc_unlock(&g->mu);
}

/* A log whose thread has a line in hand and does not come any further. */
static uc_log *open_shut(uc_log_options *o, gate *g)
{
    uc_log *l;

    gate_init(g);
    o->step = gate_step;
    o->step_arg = g;
    l = must_open(o);
    gate_set(g, true);
    put(l, "first", 0);
    gate_await(g);
    return l;
}

/* --- by example ----------------------------------------------------------- */

static void basics(void)
{
    char *dir = lines_dir(base, "basics/deep/er");
    uc_log_options o = options(dir), other = o;
    uc_log *l = must_open(&o), *again;
    uint8_t *large = malloc(o.ring_bytes);
    uc_log_stats s;
    uc_error e;

    for (uint64_t i = 0; i < 5000; i++)
        put(l, "a", i);
    ok(flush(l) && all_there(dir, "a", 5000), "lines are in the file");
    ok(uc_log_flush(l, 20000, true, &e), "and on the disk");
    uc_log_stats_get(l, &s);
    ok(s.owner && !s.volatile_ring && !s.stalled && s.lines == 5000 &&
           s.dropped == 0 && s.ring_bytes == o.ring_bytes && s.files == 1 &&
           s.error[0] == '\0',
       "what is known of it");
    eq_int(s.ring_used, 0, "nothing is left in the ring");
    memset(large, 'x', o.ring_bytes);
    eq_int(uc_log_put(l, large, o.ring_bytes / 4 + 1, 1, true),
           UC_LOG_TOO_LARGE, "more than a quarter of the ring");
    eq_int(uc_log_put(l, large, 0, 0, true), UC_LOG_DONE, "nothing at all");

    again = must_open(&o);
    ok(again == l, "opened again it is the same");
    uc_log_unref(again);
    other.block_ms++;
    ok(uc_log_open(&other, &e) == NULL &&
           strcmp(e.code, "UC_OPTIONS_CONFLICT") == 0 &&
           strstr(e.message, "log.blockMs") != NULL,
       "with other options it is not");
    uc_log_rotate(l);
    put(l, "a", 5000);
    flush(l);
    uc_log_stats_get(l, &s);
    ok(s.files == 2 && all_there(dir, "a", 5001), "another file was begun");
    uc_log_unref(l);
    eq_int(lines_rings(dir), 0, "its ring is gone at the end");
    l = must_open(&o);
    put(l, "b", 0);
    uc_log_unref(l);
    ok(all_there(dir, "b", 1) && all_there(dir, "a", 5001),
       "the end waits for what is in the ring");
    free(large);
    lines_free(dir);
}

/* Lines that are written from where they are, among others that are not. */
/* Which line says that so many were dropped. */
static bool is_told(const char *dir, const char *what)
{
    char *text = lines_text(dir);
    bool is = strstr(text, what) != NULL;

    free(text);
    return is;
}

/* What has no room is counted, whoever wanted to put it, and a line says so. */
static void told(void)
{
    char *dir = lines_dir(base, "told");
    uc_log_options o = options(dir);
    uint8_t *large = malloc(o.ring_bytes);
    uc_log_stats s;
    uint64_t n = 0;
    uc_log *l;
    gate g;

    memset(large, 'x', o.ring_bytes);
    l = open_shut(&o, &g);
    uc_log_put(l, large, o.ring_bytes / 4 + 1, 1, true);
    uc_log_put(l, large, o.ring_bytes / 4 + 1, 2, true);
    while (uc_log_put(l, (const uint8_t *)"x\n", 2, 1, false) == UC_LOG_DONE)
        n++;
    ok(n > 100, "a full ring");
    uc_log_note(l, 40, "me", "%s", "what nobody will read");
    uc_log_note(l, 40, "me", "%s", "nor that");
    uc_log_stats_get(l, &s);
    eq_int(s.dropped, 5, "all that had no room is counted");
    gate_set(&g, false);
    flush(l);
    uc_log_unref(l);
    ok(is_told(dir, "3 lines were dropped: they are too long for the ring"),
       "what was too long is told");
    ok(is_told(dir, "2 lines were dropped: the log's ring was full"),
       "so are messages of our own");
    free(large);
    lines_free(dir);
}

static void large_lines(void)
{
    char *dir = lines_dir(base, "large"), *line = malloc(1 << 18), *text, *at;
    uc_log_options o = options(dir);
    const size_t sizes[] = {10, 16383, 16384, 100, 200000, 262144, 5, 70000};
    bool right = true;
    uc_log *l;

    o.ring_bytes = 1 << 20;
    o.rotate_bytes = 0;
    o.daily = false;
    l = must_open(&o);
    for (int i = 0; i < 400; i++) {
        size_t n = sizes[i % 8];

        memset(line, 'a' + i % 26, n);
        line[n - 1] = '\n';
        right = right &&
                uc_log_put(l, (const uint8_t *)line, n, 1, true) == UC_LOG_DONE;
    }
    uc_log_unref(l);
    at = text = lines_text(dir);
    for (int i = 0; right && i < 400; i++) {
        size_t n = sizes[i % 8];

        memset(line, 'a' + i % 26, n);
        line[n - 1] = '\n';
        right = strlen(at) >= n && memcmp(at, line, n) == 0;
        at += right ? n : 0;
    }
    ok(right && *at == '\0', "lines of any size");
    free(text);
    free(line);
    lines_free(dir);
}

static const char *refused(uc_log_options o)
{
    static char text[600];
    uc_error e;
    uc_log *l = uc_log_open(&o, &e);

    if (l != NULL) {
        uc_log_unref(l);
        return "opened";
    }
    snprintf(text, sizeof text, "%s %s", e.code, e.message);
    return text;
}

static void mistakes(void)
{
    char *dir = lines_dir(base, "mistakes"), *file = lines_dir(base, "f");
    char under[128];
    uc_log_options o = options(dir);
    FILE *f = fopen(file, "w");

    fclose(f);
    o.name = "a/b";
    ok(strstr(refused(o), "UC_OPTION log.name") != NULL, "a name");
    o = options(dir);
    o.ring = "";
    ok(strstr(refused(o), "UC_OPTION log.ring ") != NULL, "a ring's name");
    o = options(dir);
    o.ring_bytes = 1000;
    ok(strstr(refused(o), "UC_OPTION log.ringBytes") != NULL, "a size");
    o = options("");
    ok(strstr(refused(o), "UC_OPTION log.dir") != NULL, "no directory");
    ok(access(dir, F_OK) != 0, "nothing was made");
    o = options(file);
    ok(strstr(refused(o), "UC_LOG_IO") != NULL &&
           strstr(refused(o), "Not a directory") != NULL,
       "a file in its place");
    snprintf(under, sizeof under, "%s/sub", file);
    o = options(under);
    ok(strstr(refused(o), "UC_LOG_IO") != NULL, "or above it");
    o = options("/proc/uc-log");
    ok(strstr(refused(o), "log: cannot make the directory /proc/uc-log") !=
           NULL,
       "where nothing can be made");
    unlink(file);
    lines_free(file);
    lines_free(dir);
}

/* --- when the ring is full ------------------------------------------------ */

/* Puts until a line is not taken; how many were. */
static uint64_t fill(uc_log *l, const char *who, uc_log_result *result)
{
    uint64_t n = 0;

    while ((*result = put(l, who, n)) == UC_LOG_DONE)
        n++;
    return n;
}

static void dropping(void)
{
    char *dir = lines_dir(base, "drop"), *text;
    uc_log_options o = options(dir);
    uc_log_result result;
    uc_log_stats s;
    uint64_t n;
    uc_log *l;
    gate g;

    o.overflow = UC_LOG_DROP;
    l = open_shut(&o, &g);
    n = fill(l, "d", &result);
    ok(result == UC_LOG_DROPPED && n > 300, "a full ring drops");
    for (int i = 0; i < 9; i++)
        put(l, "d", n);
    uc_log_stats_get(l, &s);
    ok(s.dropped == 10 && s.lines == n + 1 && s.ring_used > 60000, "counted");
    gate_set(&g, false);
    ok(flush(l), "room again");
    eq_int(put(l, "after", 0), UC_LOG_DONE, "the next line is taken");
    flush(l);
    text = lines_text(dir);
    ok(strstr(text, "\"msg\":\"10 lines were dropped: the log's ring was "
                    "full\",\"dropped\":10}\n") != NULL &&
           strstr(text, "{\"level\":40,\"time\":") != NULL,
       "a line says how many");
    ok(all_there(dir, "d", n) && all_there(dir, "after", 1),
       "all others are there");
    free(text);
    uc_log_unref(l);
    lines_free(dir);
}

static void *open_gate_when_blocked(void *arg)
{
    void **both = arg;
    uc_log_stats s;

    do {
        sched_yield();
        uc_log_stats_get(both[0], &s);
    } while (s.blocked == 0);
    gate_set(both[1], false);
    return NULL;
}

static void blocking(void)
{
    char *dir = lines_dir(base, "block"), line[512];
    uc_log_options o = options(dir);
    uint64_t n = 0;
    uc_log_stats s;
    uc_thread t;
    uc_log *l;
    gate g;
    void *both[2];
    size_t len;

    o.block_ms = 60000;
    l = open_shut(&o, &g);
    for (;; n++) {
        len = line_of(line, "w", n);
        if (uc_log_put(l, (uint8_t *)line, len, 1, false) != UC_LOG_DONE)
            break;
    }
    eq_int(uc_log_put(l, (uint8_t *)line, len, 1, false), UC_LOG_WOULD_WAIT,
           "who may not wait is told");
    both[0] = l;
    both[1] = &g;
    uc_thread_start(&t, "gate", open_gate_when_blocked, both);
    eq_int(put(l, "w", n), UC_LOG_DONE, "a put waits for room");
    uc_thread_join(t);
    uc_log_stats_get(l, &s);
    ok(s.blocked == 1 && s.dropped == 0, "once, and nothing is dropped");
    flush(l);
    ok(all_there(dir, "w", n + 1), "all is there");
    uc_log_unref(l);
    lines_free(dir);

    dir = lines_dir(base, "block2");
    o = options(dir);
    o.block_ms = 30;
    l = open_shut(&o, &g);
    for (n = 0; put(l, "v", n) == UC_LOG_DONE;)
        n++;
    put(l, "v", n);
    uc_log_stats_get(l, &s);
    ok(s.blocked == 1 && s.dropped == 2, "waits in vain once, then drops");
    gate_set(&g, false);
    flush(l);
    eq_int(put(l, "later", 0), UC_LOG_DONE, "until there is room");
    flush(l);
    ok(all_there(dir, "v", n) && all_there(dir, "later", 1),
       "all else is there");
    uc_log_unref(l);
    lines_free(dir);
}

static void growing(void)
{
    char *dir = lines_dir(base, "grow");
    uc_log_options o = options(dir);
    uc_log_result result;
    uc_log_stats s;
    uint64_t n;
    uc_log *l;
    gate g;

    o.overflow = UC_LOG_GROW;
    o.grow_bytes = 1 << 20;
    l = open_shut(&o, &g);
    n = fill(l, "g", &result);
    uc_log_stats_get(l, &s);
    ok(result == UC_LOG_DROPPED && n > 6000, "it grows, up to the limit");
    ok(s.ring_bytes <= o.grow_bytes && s.ring_bytes > o.grow_bytes * 3 / 4,
       "of all its rings");
    ok(lines_rings(dir) > 3, "which are files");
    gate_set(&g, false);
    ok(flush(l) && all_there(dir, "g", n), "all is there, in order");
    put(l, "h", 0);
    flush(l);
    uc_log_unref(l);
    eq_int(lines_rings(dir), 0, "its rings are gone");
    ok(all_there(dir, "h", 1), "the last line is there");
    lines_free(dir);
}

/* --- a disk that does not answer ------------------------------------------ */

static void tell_end(void *arg)
{
    atomic_fetch_add((_Atomic int *)arg, 1);
}

static void on_flushed(void *arg, bool done);

static void unanswered(void)
{
    char *dir = lines_dir(base, "unanswered");
    uc_log_options o = options(dir);
    _Atomic int ends = 0, flushed = 0;
    uc_log_stats s;
    int64_t began;
    uc_log *l;
    /* Of a thread that nobody waits for. */
    static gate g;

    l = open_shut(&o, &g);
    put(l, "u", 0);
    uc_log_on_flushed(l, false, on_flushed, &flushed, uc_now());
    began = uc_now();
    uc_log_ref(l);
    uc_log_unref(l);
    uc_log_unref_later(must_open(&o), 10000, tell_end, &ends);
    ok(uc_now() - began < 500 * UC_MS && ends == 1,
       "a reference that is not the last one waits for nothing");
    uc_log_unref(l);
    ok(uc_now() - began < 5000 * UC_MS, "the last one waits, but not for long");
    eq_int(atomic_load(&flushed), 2, "who waited for a flush is told");

    o.step = NULL;
    l = must_open(&o);
    uc_log_stats_get(l, &s);
    ok(!s.owner, "its thread still has the directory");
    put(l, "v", 0);
    began = uc_now();
    uc_log_unref_later(l, 0, tell_end, &ends);
    ok(uc_now() - began < 400 * UC_MS, "an end that is not waited for");
    while (atomic_load(&ends) < 2)
        usleep(1000);
    gate_set(&g, false);
    l = must_open(&o);
    for (int i = 0; i < 2000 && lines_rings(dir) > 1; i++)
        usleep(10000);
    ok(all_there(dir, "u", 1) && all_there(dir, "v", 1),
       "it ends when the disk answers, and nothing is lost");
    uc_log_unref(l);
    eq_int(lines_rings(dir), 0, "no ring is left");
    lines_free(dir);
}

/* --- threads, flushes ----------------------------------------------------- */

typedef struct putter {
    uc_log *log;
    char name[16];
    uint64_t n;
} putter;

static void *put_many(void *arg)
{
    const putter *p = arg;
    uc_error e;

    for (uint64_t i = 0; i < p->n; i++) {
        put(p->log, p->name, i);
        if (i % 1000 == 999)
            uc_log_flush(p->log, 20000, i % 2000 == 1999, &e);
    }
    return NULL;
}

static void on_flushed(void *arg, bool done)
{
    atomic_store((_Atomic int *)arg, done ? 1 : 2);
}

static void threads(void)
{
    char *dir = lines_dir(base, "threads");
    uc_log_options o = options(dir);
    uc_log *l = must_open(&o);
    _Atomic int called[3] = {0, 0, 0};
    uc_log_stats s;
    putter p[4];
    uc_thread t[4];
    bool right = true;
    gate g;

    for (int i = 0; i < 4; i++) {
        p[i] = (putter){.log = l, .n = 5000};
        snprintf(p[i].name, sizeof p[i].name, "t%d", i);
        uc_log_ref(l);
        uc_thread_start(&t[i], "put", put_many, &p[i]);
    }
    do
        uc_log_stats_get(l, &s);
    while (s.lines < 10000);
    for (int i = 0; i < 4; i++) {
        uc_thread_join(t[i]);
        uc_log_unref(l);
    }
    flush(l);
    for (int i = 0; i < 4; i++)
        right = right && all_there(dir, p[i].name, 5000);
    ok(right, "four threads put and flush");
    put(l, "c", 0);
    uc_log_on_flushed(l, false, on_flushed, &called[0],
                      uc_now() + 20000 * UC_MS);
    uc_log_on_flushed(l, true, on_flushed, &called[1],
                      uc_now() + 20000 * UC_MS);
    while (called[0] == 0 || called[1] == 0)
        sched_yield();
    ok(called[0] == 1 && called[1] == 1 && all_there(dir, "c", 1),
       "called back when it is in the file, and on the disk");
    uc_log_unref(l);
    lines_free(dir);

    dir = lines_dir(base, "late");
    o = options(dir);
    l = open_shut(&o, &g);
    uc_log_on_flushed(l, false, on_flushed, &called[2], uc_now());
    gate_set(&g, false);
    while (called[2] == 0)
        sched_yield();
    ok(called[2] != 0, "or when the time is up");
    uc_log_unref(l);
    lines_free(dir);
}

/* --- clients of other processes ------------------------------------------- */

static void numbered(void)
{
    const uint8_t id[16] = "a client of ours";
    char *dir = lines_dir(base, "clients");
    uc_log_options o = options(dir);
    uc_log_result result = UC_LOG_DONE;
    uint64_t n = 0;
    char line[512];
    uc_log *l;
    gate g;

    o.ring = "daemon";
    l = open_shut(&o, &g);
    eq_int(uc_log_seen(l, id), 0, "nobody yet");
    while (result == UC_LOG_DONE) {
        size_t len = line_of(line, "n", n);

        result = uc_log_put_from(l, id, n + 1, (uint8_t *)line, len, 1);
        if (result == UC_LOG_DONE)
            n++;
    }
    ok(result == UC_LOG_WOULD_WAIT && n > 300, "a full ring says so");
    eq_int(uc_log_seen(l, id), n, "and knows how far it has got");
    eq_int(uc_log_put_from(l, id, n, (const uint8_t *)"twice\n", 6, 1),
           UC_LOG_DONE, "what is there is not put again");
    gate_set(&g, false);
    flush(l);
    ok(all_there(dir, "n", n), "each line once");
    uc_log_unref(l);
    eq_int(lines_rings(dir), 1, "a named ring stays");
    o.step = NULL;
    l = must_open(&o);
    eq_int(uc_log_seen(l, id), n, "with what it knows");
    uc_log_unref(l);
    o.ring_bytes *= 2;
    l = must_open(&o);
    eq_int(uc_log_seen(l, id), n, "also when it becomes larger");
    put(l, "z", 0);
    uc_log_unref(l);
    ok(all_there(dir, "z", 1) && lines_rings(dir) == 1, "and is used");
    lines_free(dir);
}

/* --- a disk that is full -------------------------------------------------- */

static void fill_disk(const char *dir, uint64_t but)
{
    char path[160], chunk[4096] = {0};
    struct statvfs st;
    FILE *f;

    snprintf(path, sizeof path, "%s/filler", dir);
    f = fopen(path, "w");
    while (f != NULL && statvfs(dir, &st) == 0 &&
           st.f_bavail * st.f_bsize > but &&
           fwrite(chunk, sizeof chunk, 1, f) == 1 && fflush(f) == 0)
        ;
    if (f != NULL)
        fclose(f);
}

static void empty_disk(const char *dir)
{
    char path[160];

    snprintf(path, sizeof path, "%s/filler", dir);
    unlink(path);
}

/* What keeps a flush from its end. On a busy machine nobody may have tried to
 * write within the time of one. False: it has come to its end. */
static bool flush_error(uc_log *l, uc_error *e)
{
    bool done;
    int i = 0;

    do
        done = uc_log_flush(l, 10, false, e);
    while (!done && strcmp(e->code, "UC_TIMEOUT") == 0 && ++i < 1000);
    return !done;
}

static void full_disk(void)
{
    char *disk = lines_dir(base, "disk"), dir[128], *text;
    uc_log_options o;
    uint64_t n;
    uc_log_stats s;
    uc_error e;
    uc_log *l;

    mkdir(disk, 0700);
    if (unshare(CLONE_NEWNS) != 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", disk, "tmpfs", 0, "size=2m") != 0) {
        tap_skip("a full disk", "no tmpfs can be mounted");
        lines_free(disk);
        return;
    }
    snprintf(dir, sizeof dir, "%s/log", disk);
    o = options(dir);
    fill_disk(disk, 0);
    l = must_open(&o);
    uc_log_stats_get(l, &s);
    ok(s.volatile_ring && !s.owner, "no room for a ring: in memory");
    for (n = 0; n < 100; n++)
        put(l, "m", n);
    ok(flush_error(l, &e) && strcmp(e.code, "UC_LOG_IO") == 0 &&
           strstr(e.message, "No space left") != NULL,
       "nothing can be written, and it says why");
    empty_disk(disk);
    do {
        sched_yield();
        uc_log_stats_get(l, &s);
    } while (s.volatile_ring || !s.owner);
    ok(flush(l) && all_there(dir, "m", n), "all is there when there is room");
    eq_int(lines_rings(dir), 1, "the ring is a file now");

    fill_disk(disk, 16 << 10);
    o.overflow = UC_LOG_DROP;
    for (n = 0; n < 200; n++)
        put(l, "s", n);
    do {
        sched_yield();
        uc_log_stats_get(l, &s);
    } while (!s.stalled);
    ok(strstr(s.error, "No space left") != NULL && s.dropped == 0,
       "full later: the ring keeps it");
    ok(flush_error(l, &e) && strcmp(e.code, "UC_LOG_IO") == 0,
       "a flush says why");
    empty_disk(disk);
    ok(flush(l) && all_there(dir, "s", n), "and goes on by itself");
    text = lines_text(dir);
    ok(strstr(text, "\"msg\":\"the log stood still for ") != NULL,
       "which a line says");
    free(text);
    uc_log_unref(l);
    umount(disk);
    lines_free(disk);
}

/* Somebody has removed it, with all that was in it. */
static void directory_gone(void)
{
    char *dir = lines_dir(base, "gone");
    uc_log_options o = options(dir), other;
    uc_log *l = must_open(&o);
    uc_log_stats s;

    put(l, "before", 0);
    flush(l);
    lines_free(strdup(dir));
    while (lines_rings(dir) != 1)
        sched_yield();
    do
        uc_log_stats_get(l, &s);
    while (!s.owner || s.volatile_ring);
    put(l, "after", 0);
    ok(flush(l) && all_there(dir, "after", 1), "a directory that was removed");
    uc_log_unref(l);
    other = o;
    l = must_open(&other);
    ok(all_there(dir, "after", 1), "is one as any other");
    uc_log_unref(l);
    lines_free(dir);
}

int main(void)
{
    snprintf(base, sizeof base, "/tmp/uc-log-XXXXXX");
    if (mkdtemp(base) == NULL)
        return 1;
    basics();
    large_lines();
    told();
    mistakes();
    dropping();
    blocking();
    growing();
    unanswered();
    threads();
    numbered();
    directory_gone();
    full_disk();
    lines_free(strdup(base));
    return tap_end();
}

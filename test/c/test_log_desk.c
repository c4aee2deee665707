#define _GNU_SOURCE /* nftw */
/*
 * The log as sessions see it: numbers of clients, gaps, spools, what stands,
 * and sessions that end amid all of it.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "client.h"
#include "log/desk.h"
#include "log/spool.h"
#include "log_lines.h"
#include "tap.h"

#define ask(c, op, ...) client_ask(c, UC_OP_##op, __VA_ARGS__)
#define put(c, op, ...) client_put(c, UC_OP_##op, __VA_ARGS__)
#define sync(c, op, ...) client_sync(c, UC_OP_##op, __VA_ARGS__)
#define LINES(s) (s), sizeof(s) - 1

enum { THREADS = 4, ROUNDS = 40, BATCHES = 20 };

static uc_log *log_;
static uc_log_desk *desk;
static _Atomic uint64_t taken;

static client *opened(void)
{
    client *c = client_open(":memory:", "s i", "readers", 1);

    if (c != NULL)
        uc_session_log(c->session, desk);
    return c;
}

static const void *id_of(uint32_t n)
{
    static _Thread_local uint8_t id[16];

    memset(id, 0, sizeof id);
    memcpy(id, &n, sizeof n);
    return id;
}

static void numbers(void)
{
    client *c = opened();

    eq_str(ask(c, log_put, "n i i x", 1, 1, LINES("a\n")),
           "error UC_FRAME not-run", "log_open comes first");
    ok(strncmp(ask(c, log_open, "n x", id_of(1), (size_t)16), "value [0 0 ",
               11) == 0,
       "a client that is not known");
    eq_str(ask(c, log_put, "n i i x", 3, 3, LINES("a\nb\nc\n")), "value 3",
           "lines");
    eq_str(ask(c, log_put, "n i i x", 4, 3, LINES("b\nc\nd\n")), "value 4",
           "some of them again");
    eq_str(ask(c, log_put, "n i i x", 4, 1, LINES("d\n")), "value 4",
           "all of them again");
    eq_int(uc_log_seen(log_, id_of(1)), 4, "the ring knows how far it has got");
    eq_str(ask(c, log_put, "n i i x", 5, 2, LINES("e\n")),
           "error UC_FRAME not-run", "fewer lines than it says");
    eq_str(ask(c, log_put, "n i i x", 5, 1, LINES("e")),
           "error UC_FRAME not-run", "half a line");
    eq_str(ask(c, log_put, "{s b} i i x", "r", 1, 5, 1, LINES("e\n")),
           "error UC_NOT_REPEATED unknown", "a repetition of the wire's kind");
    eq_str(ask(c, log_flush, "n b", 1), "value null", "a flush");
    eq_str(sync(c, log_flush, "n b", 1), "error UC_BUSY not-run",
           "which cannot block");
    client_close(c);
}

static void without(void)
{
    client *c = client_open(":memory:", NULL);

    eq_str(ask(c, log_stats, "n"), "error UC_NO_LOG not-run", "no log");
    eq_str(sync(c, log_stats, "n"), "error UC_NO_LOG not-run", "nor by sync");
    client_close(c);
}

static void standing(void)
{
    client *c = opened();
    uint32_t id, other, flush;
    int64_t gen;
    const char *text;

    text = strrchr(ask(c, log_level, "n n"), ' ');
    gen = text != NULL ? strtoll(text + 1, NULL, 10) : 0;
    ok(gen > 0, "a generation");
    id = put(c, log_watch, "n I", gen);
    other = put(c, log_watch, "n I", gen);
    put(c, cancel, "n i i", (int)id, 1);
    client_send(c);
    eq_str(client_wait(c, id), "error UC_TIMEOUT not-run", "cancel ends one");
    ok(strncmp(ask(c, log_level, "n i", 20), "value [20 ", 10) == 0, "a level");
    ok(strncmp(client_wait(c, other), "value [20 ", 10) == 0,
       "the other is told");
    id = put(c, log_watch, "n I", gen + 1);
    client_send(c);
    eq_str(ask(c, log_level, "n i", -1), "error UC_FRAME not-run",
           "no such level");
    flush = put(c, close, "n");
    client_send(c);
    eq_str(client_wait(c, id), "error UC_CLOSED not-run", "close answers");
    eq_str(client_wait(c, flush), "value null", "and does not wait");
    client_destroy(c);
}

/* A spool as clients write it, with a record that is cut off. */
static void spools(const char *dir)
{
    uint8_t record[64] = {0};
    char path[300];
    uint32_t head[4] = {UC_SPOOL_MAGIC, 4, 2, 0};
    uint64_t last = 6, seen;
    client *c = opened();
    FILE *f;

    snprintf(path, sizeof path, "%s/.rings/spool/%s.done", dir,
             "01000000000000000000000000000000");
    memcpy(record, head, sizeof head);
    memcpy(record + 16, &last, 8);
    memcpy(record + UC_SPOOL_HEAD, "e\nf\n", 4);
    f = fopen(path, "w");
    ok(f != NULL && fwrite(record, 1, 50, f) == 50, "a spool");
    if (f != NULL)
        fclose(f);
    ask(c, log_open, "n x", id_of(1), (size_t)16);
    client_close(c);
    /* The session may end after its last reply. */
    for (int i = 0; i < 1000 && uc_log_seen(log_, id_of(1)) < 6; i++) {
        uc_log_desk_tick(desk);
        struct timespec ts = {.tv_nsec = 1000000};

        nanosleep(&ts, NULL);
    }
    seen = uc_log_seen(log_, id_of(1));
    eq_int(seen, 6, "is taken in when its client goes");
    ok(access(path, F_OK) != 0, "and removed");
}

/* Clients that come, put, ask for a flush and a level, and go without a word.
 */
static void *visitor(void *arg)
{
    uint32_t own = *(const uint32_t *)arg;

    for (uint32_t i = 0; i < ROUNDS; i++) {
        client *c = opened();
        uint32_t last = 0;

        if (c == NULL)
            break;
        ask(c, log_open, "n x", id_of(own * 1000 + i), (size_t)16);
        for (uint32_t j = 0; j < BATCHES; j++) {
            last = put(c, log_put, "n i i x", (int)(2 * j + 2), 2,
                       LINES("x\ny\n"));
            put(c, log_watch, "n i", 0);
            if (j % 7 == 0)
                put(c, log_flush, "n b", 0);
        }
        put(c, log_level, "n i", (int)(i % 3) * 10);
        client_send(c);
        if (strcmp(client_wait(c, last), "value 40") == 0)
            atomic_fetch_add(&taken, 2 * BATCHES);
        client_destroy(c);
    }
    return NULL;
}

static void crowd(void)
{
    uc_thread threads[THREADS];
    uint32_t own[THREADS];
    uc_log_stats before, after;

    uc_log_stats_get(log_, &before);
    for (uint32_t i = 0; i < THREADS; i++) {
        own[i] = i + 1;
        uc_thread_start(&threads[i], "visitor", visitor, &own[i]);
    }
    for (int i = 0; i < THREADS; i++)
        uc_thread_join(threads[i]);
    uc_log_stats_get(log_, &after);
    eq_int(atomic_load(&taken), THREADS * ROUNDS * 2 * BATCHES,
           "each put is answered");
    eq_int(after.lines - before.lines, atomic_load(&taken), "and taken once");
}

static void ended(void)
{
    client *c = opened();

    ask(c, log_open, "n x", id_of(7), (size_t)16);
    uc_log_desk_end(desk);
    uc_log_unref(log_);
    eq_str(ask(c, log_put, "n i i x", 1, 1, LINES("a\n")),
           "error UC_CLOSED not-run", "the log is over before its clients are");
    client_close(c);
    uc_log_desk_unref(desk);
}

int main(void)
{
    char *dir = lines_dir(scratch(), "logs");
    uc_log_options o;
    uc_error e;

    uc_log_options_init(&o);
    o.dir = dir;
    o.ring = "desk";
    uc_error_init(&e);
    log_ = uc_log_open(&o, &e);
    if (!ok(log_ != NULL, "a log"))
        return tap_end();
    desk = uc_log_desk_new(log_, dir);
    without();
    numbers();
    standing();
    spools(dir);
    crowd();
    ended();
    lines_free(dir);
    return tap_end();
}

/*
 * The limit of the protocol of PostgreSQL: what a client in C gets out of the
 * same server that builds no objects and only counts what comes. Two
 * connections, prepared statements, as many queries in flight, one Sync for
 * all that leave together.
 *
 *   pg PROGRAM SOCKET USER DATABASE PEOPLE
 *
 * A contestant like the others: one JSON command a line on stdin ("setup",
 * "check", "round" with "ms", "quit"), one line on stdout for each.
 * Messages: PostgreSQL's manual, chapter 55.7.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

enum {
    CONNECTIONS = 2,
    MOST_IN_FLIGHT = 1000,
    BATCH = 64,                 /* queries before one Sync */
    OUT_BYTES = 64 * 1024 * 16, /* holds all of them */
    IN_BYTES = 1 << 20,
    MAX_SAMPLES = 1 << 20,
    WORLDS = 10000
};

static const struct program {
    const char *name;
    unsigned in_flight, connections;
    bool many; /* a hundred rows */
} programs[] = {
    {"get-64", 64, CONNECTIONS, false},
    {"get-1000", MOST_IN_FLIGHT, CONNECTIONS, false},
    {"get-1", 1, 1, false},
    {"all-100", 64, CONNECTIONS, true},
};

typedef struct conn {
    int fd;
    unsigned open; /* queries without their end */
    size_t out_at, out_len, in_len;
    uint8_t out[OUT_BYTES], in[IN_BYTES];
} conn;

static const struct program *program;
static conn conns[CONNECTIONS];
static double samples[MAX_SAMPLES];
static uint32_t seed = 1;
static int32_t people;

static void die(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

static double now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* ---- messages ---- */

static void put32(uint8_t *p, uint32_t n)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(n >> (24 - 8 * i));
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
           p[3];
}

/* A message of n bytes behind its length; type 0: the first of all has none. */
static void put(conn *c, char type, const void *body, size_t n)
{
    uint8_t *p = c->out + c->out_len;

    if (c->out_len + n + 5 > OUT_BYTES) {
        errno = ENOBUFS;
        die("put");
    }
    if (type != 0)
        *p++ = (uint8_t)type;
    put32(p, (uint32_t)n + 4);
    memcpy(p + 4, body, n);
    c->out_len = (size_t)(p + 4 + n - c->out);
}

static void put_query(conn *c)
{
    /* Portal "", statement "q", one parameter, binary; all columns binary. */
    uint8_t bind[] = {0, 'q', 0, 0, 1, 0, 1, 0, 1, 0, 0,
                      0, 4,   0, 0, 0, 0, 0, 1, 0, 1};
    static const uint8_t execute[] = {0, 0, 0, 0, 0};
    uint32_t most = program->many ? (uint32_t)people - 100 : WORLDS;

    seed = seed * 1664525u + 1013904223u; /* Numerical Recipes, 7.1 */
    put32(bind + 13, 1 + (uint32_t)((uint64_t)seed * most >> 32));
    put(c, 'B', bind, sizeof(bind));
    put(c, 'E', execute, sizeof(execute));
    c->open++;
}

/* n more queries leave, with a Sync for each batch. */
static void put_queries(conn *c, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        put_query(c);
        if (i % BATCH == BATCH - 1 || i == n - 1)
            put(c, 'S', "", 0);
    }
}

static void send_some(conn *c)
{
    while (c->out_at < c->out_len) {
        ssize_t n = send(c->fd, c->out + c->out_at, c->out_len - c->out_at,
                         MSG_DONTWAIT);

        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0 && errno != EINTR)
            die("send");
        if (n > 0)
            c->out_at += (size_t)n;
    }
    c->out_at = c->out_len = 0;
}

/* Reads what there is. Returns how many messages of that type came. */
static unsigned receive(conn *c, char type)
{
    ssize_t n = read(c->fd, c->in + c->in_len, IN_BYTES - c->in_len);
    unsigned found = 0;
    size_t at = 0;

    if (n <= 0 && errno == EINTR)
        return 0;
    if (n <= 0)
        die("read");
    c->in_len += (size_t)n;
    while (c->in_len - at >= 5) {
        size_t len = (size_t)get32(c->in + at + 1) + 1;

        if (len > IN_BYTES || c->in[at] == 'E') {
            fprintf(stderr, "the server says %.*s\n", (int)(c->in_len - at - 5),
                    (const char *)c->in + at + 5);
            exit(1);
        }
        if (c->in_len - at < len)
            break;
        found += c->in[at] == (uint8_t)type;
        at += len;
    }
    memmove(c->in, c->in + at, c->in_len - at);
    c->in_len -= at;
    return found;
}

/* ---- the beginning ---- */

static void open_one(conn *c, char **argv)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    uint8_t start[512] = {0, 3, 0, 0};
    char parse[256] = "q";
    const char *sql = program->many
                          ? "select id, name, age, city, created_at from "
                            "person where id > $1 order by id limit 100"
                          : "select id, randomnumber from world where id = $1";
    size_t n;

    snprintf(to.sun_path, sizeof(to.sun_path), "%s", argv[2]);
    c->fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof(to)) != 0)
        die("connect");
    n = 4 + (size_t)snprintf((char *)start + 4, sizeof(start) - 4,
                             "user%c%s%cdatabase%c%s%c", 0, argv[3], 0, 0,
                             argv[4], 0);
    put(c, 0, start, n + 1);
    send_some(c);
    while (receive(c, 'Z') == 0)
        continue;
    n = 2 + (size_t)snprintf(parse + 2, sizeof(parse) - 2, "%s", sql) + 1;
    put(c, 'P', parse, n + 2); /* no types are given */
    put(c, 'S', "", 0);
    send_some(c);
    while (receive(c, 'Z') == 0)
        continue;
}

static void setup(char **argv)
{
    for (unsigned i = 0; i < program->connections; i++)
        open_one(&conns[i], argv);
    puts("{\"ok\":{}}");
}

/* ---- rounds ---- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void lone_round(double us)
{
    double start = now_us(), before = start;
    conn *c = &conns[0];
    size_t count = 0;

    while (before - start < us) {
        double after;

        put_queries(c, 1);
        send_some(c);
        while (receive(c, 'Z') == 0)
            continue;
        c->open = 0;
        after = now_us();
        if (count < MAX_SAMPLES)
            samples[count++] = after - before;
        before = after;
    }
    qsort(samples, count, sizeof(*samples), by_value);
    printf("{\"ok\":{\"p50\":%.3f,\"p99\":%.3f}}\n", samples[count / 2],
           samples[count * 99 / 100]);
}

/* As many as a read completed leave again, until the time is over. */
static void round_of(double us)
{
    double start = now_us(), elapsed;
    unsigned n = program->connections;
    struct pollfd ready[CONNECTIONS];
    size_t completed = 0;
    bool over = false;
    unsigned open = 0;

    for (unsigned i = 0; i < n; i++) {
        put_queries(&conns[i], program->in_flight / n);
        send_some(&conns[i]);
        open += conns[i].open;
    }
    while (open > 0) {
        for (unsigned i = 0; i < n; i++)
            ready[i] = (struct pollfd){
                .fd = conns[i].open > 0 ? conns[i].fd : -1,
                .events =
                    (short)(POLLIN | (conns[i].out_len > 0 ? POLLOUT : 0))};
        if (poll(ready, n, -1) < 0 && errno != EINTR)
            die("poll");
        for (unsigned i = 0; i < n; i++) {
            conn *c = &conns[i];
            unsigned got = ready[i].revents & POLLIN ? receive(c, 'C') : 0;

            c->open -= got;
            open -= got;
            completed += got;
            if (!over && got > 0) {
                put_queries(c, got);
                open += got;
            }
            send_some(c);
        }
        over = now_us() - start >= us;
    }
    elapsed = now_us() - start;
    printf("{\"ok\":{\"rate\":%.1f}}\n", (double)completed / elapsed * 1e6);
}

static void answer(const char *line, char **argv)
{
    const char *ms = strstr(line, "\"ms\":");

    if (strstr(line, "\"setup\"")) {
        setup(argv);
    } else if (strstr(line, "\"check\"")) {
        puts("{\"ok\":{\"digest\":null}}");
    } else if (strstr(line, "\"round\"") && ms) {
        double us = strtod(ms + 5, NULL) * 1000;

        if (program->in_flight == 1)
            lone_round(us);
        else
            round_of(us);
    } else {
        puts("{\"ok\":{}}");
    }
    fflush(stdout);
}

int main(int argc, char **argv)
{
    char line[256];

    for (size_t i = 0; argc == 6 && i < ARRAY_LEN(programs); i++) {
        if (strcmp(argv[1], programs[i].name) == 0)
            program = &programs[i];
    }
    if (!program) {
        fputs("usage: pg get-64|get-1000|get-1|all-100 SOCKET USER DATABASE "
              "PEOPLE\n",
              stderr);
        return 2;
    }
    people = (int32_t)strtol(argv[5], NULL, 10);
    while (fgets(line, sizeof(line), stdin)) {
        answer(line, argv);
        if (strstr(line, "\"quit\""))
            break;
    }
    return 0;
}

/*
 * The limit of a hop over a unix socket: both sides in C, blocking reads and
 * writes, no request is parsed and none is looked up. The other side is a
 * process of its own.
 *
 *   echo PROGRAM [...]
 *
 * A contestant like the others: one JSON command a line on stdin ("setup",
 * "check", "round" with "ms", "quit"), one line on stdout for each.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

enum {
    CHUNK = 256 * 1024,
    MAX_SAMPLES = 1 << 20,
};

static const struct program {
    const char *name;
    size_t in_flight, size;
} programs[] = {
    {"echo-64", 64, 64},
    {"echo-1", 1, 64},
    {"echo-64k", 64, 64 * 1024},
};

static const struct program *program;
static char *messages; /* in_flight of them */
static char chunk[CHUNK];
static double samples[MAX_SAMPLES];
static int sock;
static pid_t server;

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

static size_t receive(int fd)
{
    ssize_t n;

    do
        n = read(fd, chunk, sizeof(chunk));
    while (n < 0 && errno == EINTR);
    if (n < 0)
        die("read");
    return (size_t)n;
}

static void send_all(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t sent = write(fd, bytes, n);

        if (sent < 0 && errno != EINTR)
            die("write");
        if (sent > 0) {
            bytes += sent;
            n -= (size_t)sent;
        }
    }
}

/* The other side: what comes in goes out, a read at a time. */
static void serve(int fd)
{
    size_t n;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while ((n = receive(fd)) > 0)
        send_all(fd, chunk, n);
    _exit(0);
}

static void setup(void)
{
    int pair[2];

    messages = calloc(program->in_flight, program->size);
    if (!messages || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        die("setup");
    server = fork();
    if (server < 0)
        die("fork");
    close(pair[server == 0 ? 0 : 1]);
    sock = pair[server == 0 ? 1 : 0];
    if (server == 0)
        serve(sock);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* One message there and back at a time. */
static void lone_round(double us)
{
    double start = now_us(), before = start, after = start;
    size_t count = 0;

    while (before - start < us) {
        size_t got = 0;

        send_all(sock, messages, program->size);
        while (got < program->size)
            got += receive(sock);
        after = now_us();
        if (count < MAX_SAMPLES)
            samples[count++] = after - before;
        before = after;
    }
    qsort(samples, count, sizeof(*samples), by_value);
    printf("{\"ok\":{\"p50\":%.3f,\"p99\":%.3f}}\n", samples[count / 2],
           samples[count * 99 / 100]);
}

/*
 * Always in_flight messages on their way: as many as a read completed leave
 * again in one write. Larger messages than the socket holds leave as room
 * comes, so that neither side waits in write for the other.
 */
static void round_of(double us)
{
    double start = now_us(), elapsed;
    size_t size = program->size, all = size * program->in_flight;
    size_t sent = 0, received = 0, completed = 0;
    bool over = false;

    while (!over || received < sent) {
        size_t open = completed * size + all - sent;
        ssize_t n = 0;

        if (!over && open > 0) {
            n = send(sock, messages, open < all ? open : all, MSG_DONTWAIT);
            if (n > 0)
                sent += (size_t)n;
            else if (errno != EAGAIN && errno != EINTR)
                die("send");
        }
        received += receive(sock);
        completed = received / size;
        over = now_us() - start >= us;
    }
    elapsed = now_us() - start;
    printf("{\"ok\":{\"rate\":%.1f}}\n", (double)completed / elapsed * 1e6);
}

static void answer(const char *line)
{
    const char *ms = strstr(line, "\"ms\":");

    if (strstr(line, "\"setup\"")) {
        setup();
        puts("{\"ok\":{}}");
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

    for (size_t i = 0; argc > 1 && i < ARRAY_LEN(programs); i++) {
        if (strcmp(argv[1], programs[i].name) == 0)
            program = &programs[i];
    }
    if (!program) {
        fputs("usage: echo echo-64|echo-1|echo-64k\n", stderr);
        return 2;
    }
    while (fgets(line, sizeof(line), stdin)) {
        answer(line);
        if (strstr(line, "\"quit\""))
            break;
    }
    if (server > 0) {
        close(sock);
        waitpid(server, NULL, 0);
    }
    return 0;
}

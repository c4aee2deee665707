/* The loops of HTTP with a core of the tests' own behind them (http_core.h):
 * order, ends, what is late, the drain. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "http_core.h"
#include "http_place.h"
#include "tap.h"

enum { HASTY_MS = 300 };

static place patient, hasty;

static void orders(void)
{
    static const char *const paths[] = {"now", "later"};
    peer *c = dial(&patient);
    unsigned good = 0;
    char text[100];

    for (int i = 0; i < 500; i++) {
        snprintf(text, sizeof text, "/%s/%d", paths[i * 7 / 5 % 2], i);
        get(c, text);
    }
    for (int i = 0; i < 500; i++) {
        snprintf(text, sizeof text, "200 %d", i);
        good += strcmp(hear(c), text) == 0;
    }
    eq_int(good, 500, "many more than may be under way are answered in order");
    ask(c, "GET /now/par");
    usleep(20000);
    ask(c, "ts HTTP/1.1\r\nHo");
    usleep(20000);
    ask(c, "st: a\r\n\r\n");
    eq_str(hear(c), "200 parts", "what comes in parts is one");
    ask(c, "HEAD /now/x HTTP/1.1\r\nHost: a\r\n\r\n");
    eq_str(hear_one(c, true), "200", "a HEAD is answered without a body");
    get(c, "/bad");
    ok(begins(hear(c), "500"), "an answer that may not be sent is another");
    get(c, "/now/b");
    eq_str(hear(c), "200 b", "and the connection goes on");
    ask(c, "GET /later/a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
           "GET /now/b HTTP/1.1\r\nHost: a\r\n\r\n");
    eq_str(hear(c), "200 close a", "until the client wants its end");
    eq_str(hear(c), "end", "behind which nothing is answered");
    hang_up(c);
    c = dial(&patient);
    ask(c, "GET /later/a HTTP/1.0\r\nHost: a\r\n\r\n");
    eq_str(hear(c), "200 close a", "HTTP/1.0 ends by itself");
    eq_str(hear(c), "end", "at once");
    hang_up(c);
    c = dial(&patient);
    get(c, "/later/a");
    shutdown(c->fd, SHUT_WR);
    eq_str(hear(c), "200 a", "who sends no more is answered");
    eq_str(hear(c), "end", "and that is all");
    hang_up(c);
}

static void bodies(void)
{
    peer *c = dial(&patient);
    char *large = calloc(1, 1 << 20);

    ask(c,
        "POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 1048576\r\n\r\n");
    send_bytes(c, large, 1 << 20);
    eq_str(hear(c), "200 1048576", "a large body");
    ask(c, "POST /length HTTP/1.1\r\nHost: a\r\n"
           "Transfer-Encoding: chunked\r\n\r\n80000\r\n");
    send_bytes(c, large, 0x80000);
    ask(c, "\r\n5\r\nabcde\r\n0\r\n\r\n");
    eq_str(hear(c), "200 524293", "one of chunks");
    ask(c,
        "POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n");
    eq_str(hear(c), "413 close body: must have at most 1048576 bytes\n",
           "one that is larger");
    send_bytes(c, large, 1 << 20);
    eq_str(hear(c), "end", "and the connection ends");
    free(large);
    hang_up(c);
}

static void expects(void)
{
    static const char asks[] = "POST /length HTTP/1.1\r\nHost: a\r\n"
                               "Expect: 100-continue\r\nContent-Length: 3\r\n"
                               "\r\n";
    peer *c = dial(&patient);

    ask(c, asks);
    eq_str(hear(c), "100", "a body that is wanted");
    ask(c, "abc");
    eq_str(hear(c), "200 3", "comes");
    get(c, "/later/x");
    get(c, "/now/y");
    ask(c, asks);
    eq_str(hear(c), "200 x", "what is asked for");
    eq_str(hear(c), "200 y", "behind others");
    eq_str(hear(c), "100", "waits for its turn");
    ask(c, "abc");
    eq_str(hear(c), "200 3", "as does its answer");
    ask(c, "POST /length HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
           "Connection: close\r\nContent-Length: 3\r\n\r\n");
    eq_str(hear(c), "100", "the last request of a connection");
    ask(c, "abc");
    eq_str(hear(c), "200 close 3", "has its body, too");
    eq_str(hear(c), "end", "before the end");
    hang_up(c);
}

static void faults(void)
{
    peer *c = dial(&patient);

    get(c, "/later/a");
    get(c, "/now/b");
    ask(c, "GET / HTTP/1.1\r\n\r\nGET /now/c HTTP/1.1\r\nHost: a\r\n\r\n");
    eq_str(hear(c), "200 a", "what was asked before a fault");
    eq_str(hear(c), "200 b", "is answered");
    eq_str(hear(c), "400 close there is no field Host\n", "then the fault");
    eq_str(hear(c), "end", "and nothing behind it");
    hang_up(c);
    c = dial(&patient);
    ask(c, "DELETE / HTTP/1.1\r\nHost: a\r\n\r\n");
    ok(fill(c, 100) && strstr(c->in, "\r\nAllow: GET, ") != NULL,
       "a method that is not answered");
    ok(begins(hear(c), "405 close"), "is told which are");
    hang_up(c);
    c = dial(&patient);
    ask(c, "\x16\x03\x01");
    ok(begins(hear(c), "400 close"), "another protocol");
    eq_str(hear(c), "end", "is told so, and ended");
    hang_up(c);
}

static void lateness(void)
{
    peer *c = dial(&hasty);

    eq_str(hear(c), "end", "who says nothing is not told why it ends");
    hang_up(c);
    c = dial(&hasty);
    get(c, "/now/a");
    eq_str(hear(c), "200 a", "who has said something");
    eq_str(hear(c), "end", "neither");
    hang_up(c);
    c = dial(&hasty);
    get(c, "/now/a");
    ask(c, "GET /");
    eq_str(hear(c), "200 a", "half a request");
    ok(begins(hear(c), "408 close"), "is told");
    eq_str(hear(c), "end", "at its end");
    hang_up(c);
    c = dial(&hasty);
    ask(c, "POST /length HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
           "Content-Length: 3\r\n\r\n");
    eq_str(hear(c), "100", "half a body");
    ask(c, "ab");
    ok(begins(hear(c), "408 close"), "as well");
    eq_str(hear(c), "end", "and ended");
    hang_up(c);
    c = dial(&hasty);
    ask(c, "POST /length HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
           "Connection: close\r\nContent-Length: 3\r\n\r\n");
    eq_str(hear(c), "100", "half of the last body");
    ok(begins(hear(c), "408 close"), "too");
    eq_str(hear(c), "end", "and ended");
    hang_up(c);
}

/* More answers than fit anywhere, and a client that reads late. */
static void floods(void)
{
    enum { ALL = 20000 };
    peer *c = dial(&patient);
    unsigned good = 0;
    pid_t writer = fork();

    if (writer == 0) {
        for (int i = 0; i < ALL; i++)
            get(c, "/now/abcdefghijklmnopqrstuvwxyz");
        _exit(0);
    }
    usleep(100000);
    for (int i = 0; i < ALL; i++)
        good += strcmp(hear(c), "200 abcdefghijklmnopqrstuvwxyz") == 0;
    eq_int(good, ALL, "who reads late has all answers");
    waitpid(writer, NULL, 0);
    hang_up(c);
}

static void too_many(void)
{
    peer *c[3];

    for (int i = 0; i < 3; i++)
        c[i] = dial(&hasty);
    ok(begins(hear(c[2]), "503 close"), "one connection too many is told");
    eq_str(hear(c[2]), "end", "and ended");
    get(c[0], "/now/a");
    eq_str(hear(c[0]), "200 a", "the others are served");
    for (int i = 0; i < 3; i++)
        hang_up(c[i]);
}

/* Who hangs up while answers are on their way. */
static void vanishes(void)
{
    for (int i = 0; i < 50; i++) {
        peer *c = dial(&patient);

        get(c, "/later/a");
        get(c, "/now/b");
        if (i % 2 == 0)
            hear(c);
        hang_up(c);
    }
    ok(true, "who has gone is nobody");
}

static void drains(void)
{
    peer *idle = dial(&patient), *half = dial(&patient), *body = dial(&patient);
    peer *many = dial(&patient);

    get(idle, "/now/a");
    eq_str(hear(idle), "200 a", "one idles");
    get(half, "/now/a");
    eq_str(hear(half), "200 a", "one sends a request");
    ask(half, "GET /now/b HTTP/1.1\r\n");
    ask(body, "POST /length HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
              "Content-Length: 3\r\n\r\n");
    eq_str(hear(body), "100", "one sends its body");
    get(many, "/slow/a");
    get(many, "/slow/b");
    wait_slow(2);
    usleep(50000);
    http_loop_drain(&patient.loop);
    eq_str(hear(idle), "end", "who idles sees the end");
    ok(begins(hear(half), "503 close"), "half a request is refused");
    eq_str(hear(half), "end", "before it");
    ok(begins(hear(body), "503 close"), "as is one without its body");
    ok(!atomic_load(&patient.drained), "some are under way");
    release_slow();
    eq_str(hear(many), "200 a", "they are answered");
    eq_str(hear(many), "200 close b", "the last says that it is");
    eq_str(hear(many), "end", "and then there is none");
    hang_up(idle);
    hang_up(half);
    hang_up(body);
    hang_up(many);
    for (int i = 0; i < 3000 && !atomic_load(&patient.drained); i++)
        usleep(10000);
    ok(atomic_load(&patient.drained), "the loop says that it has drained");
}

int main(void)
{
    char dir[] = "/tmp/uc-http-XXXXXX";

    if (mkdtemp(dir) == NULL)
        return 1;
    patient.settings.max_connections = 1000;
    patient.settings.head_ms = patient.settings.body_ms = 60000;
    patient.settings.idle_ms = patient.settings.write_ms = 60000;
    hasty.settings.max_connections = 2;
    hasty.settings.head_ms = hasty.settings.body_ms = HASTY_MS;
    hasty.settings.idle_ms = HASTY_MS;
    hasty.settings.write_ms = 60000;
    open_place(&patient, dir, "patient");
    open_place(&hasty, dir, "hasty");
    if (!core_begin())
        return 1;
    orders();
    bodies();
    expects();
    faults();
    lateness();
    floods();
    vanishes();
    too_many();
    drains();
    close_place(&patient);
    close_place(&hasty);
    eq_int(core_end(), 0, "each session was ended");
    eq_int(atomic_load(&patient.open) + atomic_load(&hasty.open), 0,
           "each connection was closed");
    rmdir(dir);
    return tap_end();
}

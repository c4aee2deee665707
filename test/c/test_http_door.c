/*
 * The daemon's connections with its door for HTTP and a service of this test's
 * own: order, the ends, what is late, the drain.
 *
 *   GET /now/WORD     WORD, by the service      POST /length   how many bytes
 *   GET /ping/WORD    WORD, by the core         POST /exec     done, by the
 * core GET /later/WORD   WORD, by a thread that    GET /bad       what may not
 * be answers the newest first                 sent POST /unwanted    404,
 * before its body      GET /never     no answer
 */
#include <endian.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "client.h"
#include "common/thread.h"
#include "daemon/conn.h"
#include "doors/http/door.h"
#include "tap.h"
#include "wire/writer.h"

enum { SHORT_MS = 400, WORD = 64 };

/* ---- the service ---- */

/* Who waits for the thread; the newest is last. */
typedef struct waiting {
    ud_conn *c;
    uint32_t number;
    char word[WORD];
} waiting;

static uc_mutex clerk_mu = UC_MUTEX_INIT;
static uc_cond clerk_cond;
static waiting kept[1000];
static unsigned nkept;
static bool clerk_ends;

static uc_view view(const char *s)
{
    return (uc_view){(const uint8_t *)s, strlen(s)};
}

/* The word behind a path of this front; NULL: another path. */
static const char *word_of(const http_request *q, const char *front)
{
    static char word[WORD];
    size_t n = strlen(front);

    if (q->target.len < n || memcmp(q->target.p, front, n) != 0)
        return NULL;
    snprintf(word, sizeof word, "%.*s", (int)(q->target.len - n),
             (const char *)q->target.p + n);
    return word;
}

static http_taken say(http_answer *now, unsigned status, const char *word)
{
    static char text[WORD];

    snprintf(text, sizeof text, "%s", word);
    *now = (http_answer){.status = status, .body = view(text)};
    return HTTP_TAKEN_NOW;
}

static http_taken ask_core(ud_conn *c, uint32_t op, uint32_t number,
                           uc_view text, uc_buf *frames)
{
    uc_error e;

    if (c->session == NULL &&
        !ud_conn_bind(c, ud_dbs_first(c->sv->dbs), false, &e))
        abort();
    uc_pack_array(frames, 4);
    uc_pack_uint(frames, op);
    uc_pack_uint(frames, number);
    uc_pack_nil(frames);
    uc_pack_strn(frames, (const char *)text.p, text.len);
    return HTTP_TAKEN_CORE;
}

static http_taken keep(ud_conn *c, uint32_t number, const char *word)
{
    uc_lock(&clerk_mu);
    kept[nkept] = (waiting){.c = c, .number = number};
    strcpy(kept[nkept++].word, word);
    ud_conn_ref(c);
    uc_cond_signal(&clerk_cond);
    uc_unlock(&clerk_mu);
    return HTTP_TAKEN_LATER;
}

static http_taken request(void *arg, ud_conn *c, uint32_t number,
                          const http_request *q, uc_buf *frames,
                          http_answer *now)
{
    static const http_header split = {{(const uint8_t *)"X-A", 3},
                                      {(const uint8_t *)"a\r\nB: c", 7}};
    const char *word;
    char text[32];

    (void)arg;
    if ((word = word_of(q, "/now/")) != NULL)
        return say(now, 200, word);
    if ((word = word_of(q, "/ping/")) != NULL)
        return ask_core(c, UC_OP_ping, number, view(word), frames);
    if (word_of(q, "/exec") != NULL)
        return ask_core(c, UC_OP_exec, number, q->body, frames);
    if ((word = word_of(q, "/later/")) != NULL)
        return keep(c, number, word);
    if (word_of(q, "/never") != NULL)
        return HTTP_TAKEN_LATER;
    if (word_of(q, "/length") != NULL) {
        snprintf(text, sizeof text, "%zu", q->body.len);
        return say(now, 200, text);
    }
    if (word_of(q, "/bad") != NULL) {
        *now = (http_answer){.status = 200, .nheaders = 1, .headers = &split};
        return HTTP_TAKEN_NOW;
    }
    return say(now, 404, "nothing");
}

static bool wants(void *arg, ud_conn *c, const http_request *q,
                  http_answer *now)
{
    (void)arg;
    (void)c;
    if (word_of(q, "/unwanted") == NULL)
        return true;
    say(now, 404, "unwanted");
    return false;
}

static bool replied(void *arg, ud_conn *c, uc_view frame, http_answer *a)
{
    uc_reader r = {frame.p + 7, frame.p + frame.len}; /* [9x, ce, id, kind] */

    (void)arg;
    (void)c;
    *a = (http_answer){.status = 200, .body = view("done")};
    if (frame.p[6] == UC_REPLY_VALUE)
        uc_read_str(&r, &a->body);
    return true;
}

static const http_service service = {
    .request = request, .wants = wants, .reply = replied};

/* Answers what was kept last. */
static void *clerk_main(void *arg)
{
    (void)arg;
    uc_lock(&clerk_mu);
    for (;;) {
        waiting w;

        while (nkept == 0 && !clerk_ends)
            uc_cond_wait(&clerk_cond, &clerk_mu);
        if (nkept == 0)
            break;
        w = kept[--nkept];
        uc_unlock(&clerk_mu);
        uc_lock(&w.c->mu);
        ud_http_answer(w.c, w.number,
                       &(http_answer){.status = 200, .body = view(w.word)});
        ud_flush(w.c);
        ud_unlock(w.c);
        ud_conn_unref(w.c);
        uc_lock(&clerk_mu);
    }
    uc_unlock(&clerk_mu);
    return NULL;
}

/* ---- a client ---- */

typedef struct peer {
    int fd;
    char in[200000];
    size_t n;
} peer;

static char http_at[108], hasty_at[108];

static peer *dial(const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    struct timeval most = {.tv_sec = 60};
    peer *c = calloc(1, sizeof *c);

    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    strcpy(to.sun_path, path);
    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
    for (int i = 0; i < 2000; i++) {
        if (connect(c->fd, (struct sockaddr *)&to, sizeof to) == 0)
            return c;
        usleep(10000);
    }
    tap_diag("nobody listens on %s", path);
    exit(1);
}

static void hang_up(peer *c)
{
    close(c->fd);
    free(c);
}

static void send_bytes(peer *c, const void *p, size_t n)
{
    const uint8_t *at = p;
    ssize_t k;

    for (; n > 0 && (k = send(c->fd, at, n, MSG_NOSIGNAL)) > 0; n -= (size_t)k)
        at += k;
}

static void ask(peer *c, const char *text)
{
    send_bytes(c, text, strlen(text));
}

static void get(peer *c, const char *path)
{
    char text[300];

    snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path);
    ask(c, text);
}

static void post(peer *c, const char *path, const char *body)
{
    char text[1000];

    snprintf(text, sizeof text,
             "POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n%s",
             path, strlen(body), body);
    ask(c, text);
}

/* Reads until there are `want` bytes. */
static bool fill(peer *c, size_t want)
{
    ssize_t k = 1;

    while (c->n < want &&
           (k = read(c->fd, c->in + c->n, sizeof c->in - 1 - c->n)) > 0)
        c->n += (size_t)k;
    c->in[c->n] = '\0';
    return c->n >= want;
}

/* The next answer: "200 word", "200 close word"; "end" of the connection. */
static const char *hear_one(peer *c, bool is_head)
{
    static char text[70000];
    const char *length, *end;
    size_t head, body = 0;

    while ((end = strstr(c->in, "\r\n\r\n")) == NULL) {
        if (!fill(c, c->n + 1))
            return c->n == 0 ? "end" : "cut off";
    }
    head = (size_t)(end - c->in) + 4;
    length = strstr(c->in, "Content-Length: ");
    if (!is_head && length != NULL && length < end)
        body = strtoul(length + 16, NULL, 10);
    if (!fill(c, head + body))
        return "cut off";
    length = strstr(c->in, "Connection: close");
    snprintf(text, sizeof text, "%.3s%s%s%.*s", c->in + 9,
             length != NULL && length < c->in + head ? " close" : "",
             body > 0 ? " " : "", (int)body, c->in + head);
    c->n -= head + body;
    memmove(c->in, c->in + head + body, c->n + 1);
    return text;
}

static const char *hear(peer *c)
{
    return hear_one(c, false);
}

/* ---- what it does ---- */

static void orders(void)
{
    static const char *const paths[] = {"now", "ping", "later"};
    peer *c = dial(http_at);
    unsigned good = 0;
    char text[100];

    for (int i = 0; i < 500; i++) {
        snprintf(text, sizeof text, "/%s/%d", paths[i * 7 / 5 % 3], i);
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
    eq_str(hear(c), "500 internal error\n",
           "an answer that may not be sent is another");
    get(c, "/other");
    eq_str(hear(c), "404 nothing", "and the connection goes on");
    ask(c, "GET /ping/a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
           "GET /now/b HTTP/1.1\r\nHost: a\r\n\r\n");
    eq_str(hear(c), "200 close a", "until the client wants its end");
    eq_str(hear(c), "end", "behind which nothing is answered");
    hang_up(c);
    c = dial(http_at);
    ask(c, "GET /later/a HTTP/1.0\r\nHost: a\r\n\r\n");
    eq_str(hear(c), "200 close a", "HTTP/1.0 ends by itself");
    eq_str(hear(c), "end", "at once");
    hang_up(c);
}

static void bodies(void)
{
    peer *c = dial(http_at);
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
    post(c, "/exec", "create table t(a)");
    eq_str(hear(c), "200 done", "one for the core");
    ask(c,
        "POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n");
    eq_str(hear(c), "413 close the body is too large\n", "one that is larger");
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
    peer *c = dial(http_at);

    ask(c, asks);
    eq_str(hear(c), "100", "a body that is wanted");
    ask(c, "abc");
    eq_str(hear(c), "200 3", "comes");
    get(c, "/later/x");
    get(c, "/ping/y");
    ask(c, asks);
    eq_str(hear(c), "200 x", "what is asked for");
    eq_str(hear(c), "200 y", "behind others");
    eq_str(hear(c), "100", "waits for its turn");
    ask(c, "abc");
    eq_str(hear(c), "200 3", "as does its answer");
    ask(c, "POST /unwanted HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
           "Content-Length: 3\r\n\r\n");
    eq_str(hear(c), "404 close unwanted", "one that is not wanted");
    eq_str(hear(c), "end", "ends the connection");
    hang_up(c);
    c = dial(http_at);
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
    peer *c = dial(http_at);

    get(c, "/later/a");
    get(c, "/ping/b");
    ask(c, "GET / HTTP/1.1\r\n\r\nGET /now/c HTTP/1.1\r\nHost: a\r\n\r\n");
    eq_str(hear(c), "200 a", "what was asked before a fault");
    eq_str(hear(c), "200 b", "is answered");
    eq_str(hear(c), "400 close there is no field Host\n", "then the fault");
    eq_str(hear(c), "end", "and nothing behind it");
    hang_up(c);
    c = dial(http_at);
    ask(c, "DELETE / HTTP/1.1\r\nHost: a\r\n\r\n");
    ok(fill(c, 20) && strstr(hear(c), "405 close only GET") != NULL,
       "a method that is not answered");
    hang_up(c);
    c = dial(http_at);
    ask(c, "\x16\x03\x01");
    ok(strncmp(hear(c), "400 close", 9) == 0, "another protocol");
    eq_str(hear(c), "end", "is told so, and ended");
    hang_up(c);
}

static void lateness(void)
{
    peer *c = dial(hasty_at);

    eq_str(hear(c), "end", "who says nothing is not told why it ends");
    hang_up(c);
    c = dial(hasty_at);
    get(c, "/now/a");
    eq_str(hear(c), "200 a", "who has said something");
    eq_str(hear(c), "end", "neither");
    hang_up(c);
    c = dial(hasty_at);
    get(c, "/ping/a");
    ask(c, "GET /");
    eq_str(hear(c), "200 a", "half a request");
    eq_str(hear(c), "408 close the rest of the headers has not come in time\n",
           "is told");
    eq_str(hear(c), "end", "at its end");
    hang_up(c);
    c = dial(hasty_at);
    ask(c, "POST /length HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
           "Content-Length: 3\r\n\r\n");
    eq_str(hear(c), "100", "half a body");
    ask(c, "ab");
    eq_str(hear(c), "408 close the rest of the body has not come in time\n",
           "as well");
    eq_str(hear(c), "end", "and ended");
    hang_up(c);
}

/* More answers than fit anywhere, and a client that reads late. */
static void floods(void)
{
    peer *c = dial(http_at);
    unsigned good = 0;
    pid_t writer = fork();

    if (writer == 0) {
        for (int i = 0; i < 20000; i++)
            get(c, "/ping/abcdefghijklmnopqrstuvwxyz");
        _exit(0);
    }
    usleep(100000);
    for (int i = 0; i < 20000; i++)
        good += strcmp(hear(c), "200 abcdefghijklmnopqrstuvwxyz") == 0;
    eq_int(good, 20000, "who reads late has all answers");
    hang_up(c);
}

static void drains(void)
{
    static const char slow[] =
        "with recursive c(x) as (select 1 union all select x + 1 from c where "
        "x < 1500000) insert into t select x from c";
    peer *idle = dial(http_at), *half = dial(http_at), *body = dial(http_at);
    peer *busy = dial(http_at), *many = dial(http_at);
    const char *rest;

    get(idle, "/now/a");
    eq_str(hear(idle), "200 a", "one idles");
    ask(half, "GET /now/b HTTP/1.1\r\n");
    ask(body, "POST /length HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
              "Content-Length: 3\r\n\r\n");
    eq_str(hear(body), "100", "one sends its body");
    post(busy, "/exec", slow);
    get(many, "/ping/a");
    eq_str(hear(many), "200 a", "one has a session");
    post(many, "/exec", slow);
    get(many, "/ping/b");
    usleep(50000);
    kill(getpid(), SIGTERM);
    eq_str(hear(idle), "end", "who idles sees the end");
    eq_str(hear(half), "503 close the server is shutting down\n",
           "half a request is refused");
    eq_str(hear(half), "end", "before it");
    eq_str(hear(body), "503 close the server is shutting down\n",
           "as is one without its body");
    eq_str(hear(busy), "200 close done",
           "what is under way is answered, and says that it is the last");
    eq_str(hear(busy), "end", "which it is");
    eq_str(hear(many), "200 done", "of several");
    rest = hear(many);
    eq_str(rest, "200 close b", "the last says so");
    hang_up(idle);
    hang_up(half);
    hang_up(body);
    hang_up(busy);
    hang_up(many);
}

static void *client_main(void *arg)
{
    (void)arg;
    orders();
    bodies();
    expects();
    faults();
    lateness();
    floods();
    drains();
    return NULL;
}

int main(void)
{
    char db[300], listen[200], other_at[200];
    char name[] = "undercroftd", f1[] = "--listen", f2[] = "--db";
    char f3[] = "--drain-ms", ms[] = "60000";
    char *argv[] = {name, f1, listen, f2, db, f3, ms, NULL};
    ud_http_door http, hasty;
    ud_config config;
    ud_dbs *dbs;
    uc_thread t, clerk;
    int code = UD_OK;

    strcpy(http_at, scratch_file("http"));
    strcpy(hasty_at, scratch_file("hasty"));
    snprintf(listen, sizeof listen, "ipc://%s", http_at);
    snprintf(other_at, sizeof other_at, "ipc://%s", hasty_at);
    strcpy(db, scratch_file("http.db"));
    ud_http_door_init(&http, &service);
    ud_http_door_init(&hasty, &service);
    hasty.settings.head_ms = hasty.settings.body_ms = SHORT_MS;
    hasty.settings.idle_ms = SHORT_MS;
    uc_cond_init(&clerk_cond);
    if (!ud_config_read(&config, 7, argv, &code) ||
        (dbs = ud_dbs_open(&config, &code)) == NULL)
        return 1;
    if (uc_thread_start(&t, "client", client_main, NULL) != 0 ||
        uc_thread_start(&clerk, "clerk", clerk_main, NULL) != 0)
        return 1;
    code = ud_serve(&config, dbs, NULL,
                    (const ud_port[]){{listen, &http.door, NULL},
                                      {other_at, &hasty.door, NULL}},
                    2, NULL);
    uc_thread_join(t);
    uc_lock(&clerk_mu);
    clerk_ends = true;
    uc_cond_signal(&clerk_cond);
    uc_unlock(&clerk_mu);
    uc_thread_join(clerk);
    eq_int(code, UD_OK, "it ends in order");
    ud_dbs_close(dbs, 5000);
    ud_config_free(&config);
    return tap_end();
}

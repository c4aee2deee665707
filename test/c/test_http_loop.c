/*
 * The loops of HTTP with a core of this test's own behind them: order, ends,
 * what is late, the drain. Requests are answered by their target:
 *
 *   /now/WORD      WORD, when the loop offers its thread
 *   /later/WORD    WORD, by a thread that answers the newest first
 *   /slow/WORD     WORD, when the test lets it
 *   /length        how many bytes the body has
 *   /bad           what may not be sent
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/thread.h"
#include "daemon/log.h"
#include "doors/http/conn.h"
#include "doors/http/loop.h"
#include "log/note.h"
#include "tap.h"
#include "wire/answer.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { HASTY_MS = 300, WORD = 64, MOST = 4096 };

/* ---- the log, of which there is none ---- */

void uc_log_note_with(uc_log *log, int level, const char *name,
                      const char *fields, const char *msg)
{
    (void)log;
    (void)level;
    (void)name;
    (void)fields;
    (void)msg;
}

void uc_log_lost(uc_log *log, uint64_t nlines, bool too_long)
{
    (void)log;
    (void)nlines;
    (void)too_long;
}

/* ---- the core ---- */

struct uc_session {
    uc_wake_fn *wake;
    void *arg;
    uc_buf replies; /* each with its length */
    bool told;
};

/* A request that waits for its answer. */
typedef struct waiting {
    uc_session *s;
    uint32_t id;
    uint32_t body; /* bytes */
    char target[WORD];
} waiting;

typedef struct waitings {
    waiting at[MOST];
    unsigned n;
} waitings;

/* All of the core, under one mutex. */
static uc_mutex core_mu = UC_MUTEX_INIT;
static uc_cond core_cond;
static waitings submitted, later, slow;
static unsigned sessions;
static bool core_ends;

size_t uc_cache_sync(uc_session *s, const uint8_t *frame, size_t len,
                     uint8_t *dst, size_t cap)
{
    (void)s;
    (void)frame;
    (void)len;
    (void)dst;
    (void)cap;
    return 0;
}

uc_session *uc_session_beside(const uc_session *of, uc_wake_fn *wake, void *arg)
{
    uc_session *s = calloc(1, sizeof *s);

    (void)of;
    s->wake = wake;
    s->arg = arg;
    uc_buf_init(&s->replies, SIZE_MAX);
    uc_lock(&core_mu);
    sessions++;
    uc_unlock(&core_mu);
    return s;
}

/* What belonged to it is for nobody. */
static void forget(waitings *w, const uc_session *s)
{
    unsigned n = 0;

    for (unsigned i = 0; i < w->n; i++) {
        if (w->at[i].s != s)
            w->at[n++] = w->at[i];
    }
    w->n = n;
}

void uc_session_destroy(uc_session *s)
{
    uc_lock(&core_mu);
    forget(&submitted, s);
    forget(&later, s);
    forget(&slow, s);
    sessions--;
    uc_unlock(&core_mu);
    uc_buf_fini(&s->replies);
    free(s);
}

static bool begins(const char *text, const char *front)
{
    return strncmp(text, front, strlen(front)) == 0;
}

/* core_mu is held. */
static void answer(const waiting *w)
{
    uc_buf *b = &w->s->replies;
    size_t at = b->len, body;
    const char *word = strchr(w->target + 1, '/');
    bool bad = strcmp(w->target, "/bad") == 0;
    char length[16];
    uint32_t n;

    snprintf(length, sizeof length, "%u", w->body);
    if (word == NULL || strcmp(w->target, "/length") == 0)
        word = strcmp(w->target, "/length") == 0 ? length : "";
    else
        word++;
    uc_buf_put(b, "0000", 4);
    body = uc_answer_begin(b, w->id, 200, (uc_view){(const uint8_t *)"", 0});
    uc_buf_put(b, word, strlen(word));
    uc_answer_end(b, body, bad);
    if (bad) {
        uc_pack_str(b, "x-a");
        uc_pack_str(b, "a\r\nb: c");
    }
    n = (uint32_t)(b->len - at - 4);
    memcpy(b->p + at, &n, 4);
    if (!w->s->told) {
        w->s->told = true;
        w->s->wake(w->s->arg);
    }
}

static void put(waitings *to, const waiting *w)
{
    if (to->n == MOST)
        abort();
    to->at[to->n++] = *w;
    uc_cond_broadcast(&core_cond);
}

/* [91, id, meta, set, method, target, headers, body, facts] */
static void submit_one(uc_session *s, uc_reader *r)
{
    waiting w = {.s = s};
    uint32_t n, op, set;
    uc_view method, target;
    uc_value body;

    if (!uc_read_array(r, &n) || n != 9 || !uc_read_u32(r, &op) || op != 91 ||
        !uc_read_u32(r, &w.id) || !uc_read_skip(r) || !uc_read_u32(r, &set) ||
        !uc_read_str(r, &method) || !uc_read_str(r, &target) ||
        !uc_read_skip(r) || !uc_read(r, &body) || !uc_read_skip(r))
        abort();
    w.body = body.type == UC_T_BIN ? (uint32_t)body.s.len : 0;
    snprintf(w.target, sizeof w.target, "%.*s", (int)target.len,
             (const char *)target.p);
    put(&submitted, &w);
}

bool uc_submit(uc_session *s, const uint8_t *frames, size_t len, uint32_t count,
               unsigned hint)
{
    uc_reader r = {frames, frames + len};

    (void)hint;
    uc_lock(&core_mu);
    for (uint32_t i = 0; i < count; i++)
        submit_one(s, &r);
    uc_unlock(&core_mu);
    return r.p == r.end || (abort(), false);
}

/* Other sessions' as well. */
void uc_assist(uc_session *s)
{
    (void)s;
    uc_lock(&core_mu);
    for (unsigned i = 0; i < submitted.n; i++) {
        const waiting *w = &submitted.at[i];

        if (begins(w->target, "/later/"))
            put(&later, w);
        else if (begins(w->target, "/slow/"))
            put(&slow, w);
        else
            answer(w);
    }
    submitted.n = 0;
    uc_unlock(&core_mu);
}

size_t uc_take(uc_session *s, uint8_t *dst, size_t cap, size_t head,
               size_t *need)
{
    size_t n = 0;
    uint32_t len = 0;

    *need = 0;
    if (head != 4)
        abort();
    uc_lock(&core_mu);
    while (n < s->replies.len) {
        memcpy(&len, s->replies.p + n, 4);
        if (n + 4 + len > cap)
            break;
        n += 4 + len;
    }
    if (n == 0 && s->replies.len > 0)
        *need = 4 + len;
    if (n > 0)
        memcpy(dst, s->replies.p, n);
    memmove(s->replies.p, s->replies.p + n, s->replies.len - n);
    s->replies.len -= n;
    s->told = s->told && (n > 0 || *need > 0);
    uc_unlock(&core_mu);
    return n;
}

/* Answers what has come last. */
static void *clerk_main(void *arg)
{
    (void)arg;
    uc_lock(&core_mu);
    while (!core_ends || later.n > 0) {
        if (later.n > 0)
            answer(&later.at[--later.n]);
        else
            uc_cond_wait(&core_cond, &core_mu);
    }
    uc_unlock(&core_mu);
    return NULL;
}

/* Waits until so many are slow. */
static void wait_slow(unsigned n)
{
    uc_lock(&core_mu);
    while (slow.n < n)
        uc_cond_wait(&core_cond, &core_mu);
    uc_unlock(&core_mu);
}

static void release_slow(void)
{
    uc_lock(&core_mu);
    for (unsigned i = 0; i < slow.n; i++)
        answer(&slow.at[i]);
    slow.n = 0;
    uc_unlock(&core_mu);
}

/* ---- the daemon ---- */

__attribute__((format(printf, 1, 2))) void ud_say(const char *fmt, ...)
{
    (void)fmt;
}

/* Loops of one kind, and what they need of a server. */
typedef struct place {
    http_settings settings;
    http_loop loop;
    http_current current;
    http_reaper reaper;
    _Atomic uint64_t open, let_in;
    _Atomic int64_t held;
    _Atomic bool drained;
    char path[100];
} place;

static void on_drained(void *arg)
{
    atomic_store((_Atomic bool *)arg, true);
}

/* As the server's: what is buried is freed. */
static void *reaper_main(void *arg)
{
    http_reaper *r = arg;

    uc_lock(&r->mu);
    while (!r->stop || r->first != NULL) {
        http_conn *c = r->first;

        if (c == NULL) {
            uc_cond_wait(&r->cond, &r->mu);
            continue;
        }
        r->first = c->dnext;
        uc_unlock(&r->mu);
        http_conn_free(c);
        uc_lock(&r->mu);
    }
    uc_unlock(&r->mu);
    return NULL;
}

static void open_place(place *p, const char *dir, const char *name)
{
    static const uint8_t none[] = {0x90};
    const http_taking how = {.mode = 0600};
    const char *why = "";
    char text[120];
    uc_buf names;

    snprintf(p->path, sizeof p->path, "%s/%s", dir, name);
    snprintf(text, sizeof text, "unix:%s", p->path);
    p->settings.limits = http_default_limits;
    p->settings.loops = 1;
    p->settings.unsent = 1 << 20;
    p->loop.settings = &p->settings;
    p->settings.held = 1 << 30;
    p->settings.hosts.any = true;
    uc_buf_init(&names, SIZE_MAX);
    uc_buf_put(&names, none, sizeof none);
    uc_mutex_init(&p->current.mu);
    p->current.now =
        http_serving_new(1, (uc_reader){none, none + sizeof none}, &names);
    p->loop.current = &p->current;
    p->loop.held = &p->held;
    p->loop.reaper = &p->reaper;
    p->loop.open = &p->open;
    p->loop.let_in = &p->let_in;
    p->loop.on_drained = on_drained;
    p->loop.arg = &p->drained;
    uc_mutex_init(&p->reaper.mu);
    uc_cond_init(&p->reaper.cond);
    if (!http_address_read(&p->settings.address, text, &why) ||
        !http_address_listen(&p->settings.address, &how, 1, &p->loop.fd) ||
        uc_thread_start(&p->reaper.thread, "reaper", reaper_main, &p->reaper) !=
            0 ||
        !http_loop_start(&p->loop)) {
        tap_diag("%s: %s", text, why);
        exit(1);
    }
}

static void close_place(place *p)
{
    http_loop_stop(&p->loop);
    uc_lock(&p->reaper.mu);
    p->reaper.stop = true;
    uc_cond_signal(&p->reaper.cond);
    uc_unlock(&p->reaper.mu);
    uc_thread_join(p->reaper.thread);
    uc_mutex_fini(&p->reaper.mu);
    uc_cond_fini(&p->reaper.cond);
    http_loop_free(&p->loop);
    http_serving_unref(p->current.now);
    uc_mutex_fini(&p->current.mu);
    http_address_remove(&p->settings.address);
}

/* ---- a client ---- */

typedef struct peer {
    int fd;
    size_t n;
    char in[200000];
} peer;

static place patient, hasty;

static peer *dial(const place *to)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    struct timeval most = {.tv_sec = 30};
    peer *c = calloc(1, sizeof *c);

    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    strcpy(at.sun_path, to->path);
    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
    if (connect(c->fd, (struct sockaddr *)&at, sizeof at) != 0) {
        perror(to->path);
        exit(1);
    }
    return c;
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
    uc_thread clerk;

    if (mkdtemp(dir) == NULL)
        return 1;
    uc_cond_init(&core_cond);
    patient.settings.max_connections = 1000;
    patient.settings.head_ms = patient.settings.body_ms = 60000;
    patient.settings.idle_ms = patient.settings.write_ms = 60000;
    hasty.settings.max_connections = 2;
    hasty.settings.head_ms = hasty.settings.body_ms = HASTY_MS;
    hasty.settings.idle_ms = HASTY_MS;
    hasty.settings.write_ms = 60000;
    open_place(&patient, dir, "patient");
    open_place(&hasty, dir, "hasty");
    if (uc_thread_start(&clerk, "clerk", clerk_main, NULL) != 0)
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
    uc_lock(&core_mu);
    core_ends = true;
    uc_cond_broadcast(&core_cond);
    uc_unlock(&core_mu);
    uc_thread_join(clerk);
    eq_int(sessions, 0, "each session was ended");
    eq_int(atomic_load(&patient.open) + atomic_load(&hasty.open), 0,
           "each connection was closed");
    rmdir(dir);
    return tap_end();
}

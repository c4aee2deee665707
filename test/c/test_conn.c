/*
 * The connections of the daemon with a door of this test's own, beside the one
 * that ships: lines instead of nng's messages, answered in the order in which
 * they came, four of them at most in flight. What a connection does for it
 * (limits, waiting, the end) it does for any protocol.
 *
 *   ping WORD    WORD, by the core        say WORD    WORD, by the door
 *   exec SQL     done, by the core        bye         the end, when all is said
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
#include "common/clock.h"
#include "common/thread.h"
#include "daemon/conn.h"
#include "doors/sp/door.h"
#include "tap.h"
#include "wire/writer.h"

enum { MOST = 4, HEAD = 4, IDLE_MS = 600, TEXT = 200 };

/* ---- the door ---- */

typedef struct answer {
    uint32_t id; /* of the core's call; 0: the door's own */
    bool done;
    char text[TEXT + 2];
} answer;

typedef struct lines {
    answer at[MOST]; /* in order; the first is in turn */
    unsigned n;
    uint32_t next;
} lines;

static lines *lines_of(ud_conn *c)
{
    return ud_part(c);
}

static void hello(ud_conn *c)
{
    static const char text[] = "lines\n";

    uc_buf_put(&c->own, text, sizeof text - 1);
    ud_await(c, IDLE_MS);
}

static void answer_done(answer *a, const char *text, size_t len)
{
    a->done = true;
    snprintf(a->text, sizeof a->text, "%.*s\n", (int)len, text);
}

/* Moves what is in turn to b. */
static void in_turn(ud_conn *c, uc_buf *b)
{
    lines *l = lines_of(c);
    unsigned n = 0;

    for (; n < l->n && l->at[n].done; n++)
        uc_buf_put(b, l->at[n].text, strlen(l->at[n].text));
    l->n -= n;
    memmove(l->at, l->at + n, l->n * sizeof *l->at);
    ud_await(c, l->n > 0 ? 0 : IDLE_MS);
}

static void request(uc_buf *b, uint32_t op, uint32_t id, const char *text,
                    size_t len)
{
    uc_pack_array(b, 4);
    uc_pack_uint(b, op);
    uc_pack_uint(b, id);
    uc_pack_nil(b);
    uc_pack_strn(b, text, len);
}

static bool one_line(ud_conn *c, const char *p, size_t len, uc_buf *frames)
{
    static const struct {
        const char *verb;
        uint32_t op; /* 0: none */
    } verbs[] = {{"ping ", UC_OP_ping}, {"exec ", UC_OP_exec}, {"say ", 0}};
    lines *l = lines_of(c);

    for (unsigned i = 0; i < 3; i++) {
        size_t n = strlen(verbs[i].verb);
        answer *a = &l->at[l->n];

        if (len < n || len - n > TEXT || memcmp(p, verbs[i].verb, n) != 0)
            continue;
        l->n++;
        *a = (answer){.id = verbs[i].op != 0 ? ++l->next : 0};
        if (a->id != 0)
            request(frames, verbs[i].op, a->id, p + n, len - n);
        else
            answer_done(a, p + n, len - n);
        return true;
    }
    return false;
}

static size_t cut(ud_conn *c, size_t *need)
{
    lines *l = lines_of(c);
    uint32_t before = l->next;
    uc_buf frames;
    size_t at = 0;
    uc_error e;

    uc_buf_init(&frames, SIZE_MAX);
    if (c->session == NULL &&
        !ud_conn_bind(c, ud_dbs_first(c->sv->dbs), false, &e))
        ud_conn_fault(c, &e);
    while (c->state == UD_OPEN) {
        const char *p = (const char *)c->in + at;
        const char *end = memchr(p, '\n', c->in_len - at);

        c->stalled = end != NULL && l->n == MOST;
        if (end == NULL || c->stalled)
            break;
        at += (size_t)(end + 1 - p);
        if (end - p == 3 && memcmp(p, "bye", 3) == 0) {
            ud_finish(c);
        } else if (!one_line(c, p, (size_t)(end - p), &frames)) {
            uc_fail(&e, UC_FRAME, "what?");
            ud_conn_fault(c, &e);
        }
    }
    if (l->next != before)
        ud_submit(c, frames.p, frames.len, l->next - before, UC_HINT_WRITE);
    uc_buf_fini(&frames);
    in_turn(c, &c->own);
    *need = c->in_len - at + 1;
    return at;
}

static void replied(lines *l, const uint8_t *frame, size_t len)
{
    uc_reader r = {frame + 7, frame + len}; /* [9x, ce, id, kind, ...] */
    uc_view text = {(const uint8_t *)"done", 4}, s;
    uint32_t id;

    memcpy(&id, frame + 2, 4);
    id = be32toh(id);
    if (frame[6] == UC_REPLY_VALUE && uc_read_str(&r, &s))
        text = s;
    for (unsigned i = 0; i < l->n; i++) {
        if (l->at[i].id == id)
            answer_done(&l->at[i], (const char *)text.p, text.len);
    }
}

static bool dress(ud_conn *c, size_t at)
{
    uc_buf b;
    bool good;

    for (size_t i = at; i < c->out_len;) {
        uint32_t n;

        memcpy(&n, c->out + i, 4);
        n = le32toh(n);
        replied(lines_of(c), c->out + i + HEAD, n);
        i += HEAD + n;
    }
    uc_buf_init(&b, SIZE_MAX);
    in_turn(c, &b);
    good = ud_out_room(c, at + b.len);
    c->out_len = at;
    if (good && b.len > 0) {
        memcpy(c->out + at, b.p, b.len);
        c->out_len += b.len;
    }
    uc_buf_fini(&b);
    return good;
}

static bool late(ud_conn *c, uc_error *e)
{
    (void)c;
    (void)e;
    return false;
}

static void fault(ud_conn *c, const uc_error *e)
{
    uc_buf_put(&c->own, e->message, strlen(e->message));
}

static bool goodbye(ud_conn *c)
{
    static const char text[] = "bye\n";

    if (lines_of(c)->n > 0)
        return false;
    uc_buf_put(&c->own, text, sizeof text - 1);
    return true;
}

static _Atomic int ended;

static void end(ud_conn *c)
{
    (void)c;
    atomic_fetch_add(&ended, 1);
}

static const ud_door door = {
    .name = "lines",
    .size = sizeof(lines),
    .head = HEAD,
    .hello = hello,
    .cut = cut,
    .dress = dress,
    .late = late,
    .fault = fault,
    .goodbye = goodbye,
    .end = end,
};

/* ---- a client ---- */

static char lines_at[108], sp_at[108];

static int dial(const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    struct timeval most = {.tv_sec = 60};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    strcpy(to.sun_path, path);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
    for (int i = 0; i < 2000; i++) {
        if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
            return fd;
        usleep(10000);
    }
    tap_diag("nobody listens on %s", path);
    exit(1);
}

static void say(int fd, const char *text)
{
    size_t n = strlen(text);

    if (write(fd, text, n) != (ssize_t)n)
        tap_diag("it was not written");
}

/* What comes until the text ends like this, or the connection ends (""). In a
 * static buffer. */
static const char *hear(int fd, const char *last)
{
    static char text[65536];
    size_t n = 0, k = strlen(last);
    ssize_t got;

    text[0] = '\0';
    while (n < sizeof text - 1 &&
           (k == 0 || n < k || strcmp(text + n - k, last) != 0)) {
        got = read(fd, text + n, sizeof text - 1 - n);
        if (got <= 0)
            break;
        n += (size_t)got;
        text[n] = '\0';
    }
    return text;
}

static void orders(void)
{
    char asked[8000] = "", wanted[8000] = "lines\n";
    int fd = dial(lines_at);

    for (int i = 0; i < 200; i++) {
        sprintf(asked + strlen(asked), i % 3 == 0 ? "say %d\n" : "ping %d\n",
                i);
        sprintf(wanted + strlen(wanted), "%d\n", i);
    }
    say(fd, asked);
    eq_str(hear(fd, "\n199\n"), wanted,
           "many more than may be in flight are answered in order");
    say(fd, "pi");
    usleep(50000);
    say(fd, "ng x\nsay");
    eq_str(hear(fd, "x\n"), "x\n", "what comes in parts is one");
    say(fd, " y\nping z\nbye\nsay more\n");
    eq_str(hear(fd, ""), "y\nz\nbye\n",
           "the door ends it when all is answered");
    close(fd);
}

static void ends(void)
{
    int64_t begun;
    int fd = dial(lines_at);

    say(fd, "ping a\n");
    hear(fd, "a\n");
    say(fd, "nonsense\n");
    eq_str(hear(fd, ""), "what?", "a fault is told");
    close(fd);
    fd = dial(lines_at);
    begun = uc_now();
    eq_str(hear(fd, ""), "lines\nbye\n", "what idles goes, and is no fault");
    ok(uc_now() - begun >= IDLE_MS * UC_MS, "after its time");
    close(fd);
}

static void other(void)
{
    static const uint8_t greeting[8] = {0, 'S', 'P', 0, 0, 0x30, 0, 0},
                         want[8] = {0, 'S', 'P', 0, 0, 0x31, 0, 0};
    uint8_t got[8] = {0};
    int fd = dial(sp_at);

    ok(write(fd, greeting, sizeof greeting) == 8 &&
           recv(fd, got, sizeof got, MSG_WAITALL) == 8,
       "the other door answers");
    eq_bytes(got, 8, want, 8, "and speaks its own protocol");
    close(fd);
}

static void *client_main(void *arg)
{
    int fd, idle;

    (void)arg;
    orders();
    ends();
    other();
    fd = dial(lines_at);
    idle = dial(lines_at);
    hear(idle, "lines\n");
    say(fd, "exec create table t(a)\n");
    eq_str(hear(fd, "done\n"), "lines\ndone\n", "a statement of the core");
    say(fd, "exec with recursive c(x) as (select 1 union all select x + 1 from "
            "c where x < 500000) insert into t select x from c\n");
    usleep(50000);
    kill(getpid(), SIGTERM);
    eq_str(hear(idle, ""), "bye\n", "who idles is told that it ends");
    eq_str(hear(fd, ""), "done\nbye\n", "what is in flight is answered first");
    close(fd);
    close(idle);
    return NULL;
}

int main(void)
{
    char db[300], listen[200], other_at[200];
    char name[] = "undercroftd", f1[] = "--listen", f2[] = "--db";
    char f3[] = "--drain-ms", ms[] = "60000";
    char *argv[] = {name, f1, listen, f2, db, f3, ms, NULL};
    ud_config config;
    ud_dbs *dbs;
    uc_thread t;
    int code = UD_OK;

    strcpy(lines_at, scratch_file("lines"));
    strcpy(sp_at, scratch_file("sp"));
    snprintf(listen, sizeof listen, "ipc://%s", lines_at);
    snprintf(other_at, sizeof other_at, "ipc://%s", sp_at);
    strcpy(db, scratch_file("conn.db"));
    if (!ud_config_read(&config, 7, argv, &code) ||
        (dbs = ud_dbs_open(&config, &code)) == NULL)
        return 1;
    if (uc_thread_start(&t, "client", client_main, NULL) != 0)
        return 1;
    code = ud_serve(
        &config, dbs, NULL,
        (const ud_port[]){{listen, &door, NULL}, {other_at, &ud_sp_door, NULL}},
        2, NULL);
    uc_thread_join(t);
    eq_int(code, UD_OK, "it ends in order");
    eq_int(atomic_load(&ended), 5, "and each connection was freed");
    ud_dbs_close(dbs, 5000);
    ud_config_free(&config);
    return tap_end();
}

#include "http_place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/log.h"

/* ---- the daemon ---- */

__attribute__((format(printf, 1, 2))) void ud_say(const char *fmt, ...)
{
    (void)fmt;
}

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

void open_place(place *p, const char *dir, const char *name)
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
        fprintf(stderr, "%s: %s\n", text, why);
        exit(1);
    }
}

void close_place(place *p)
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

peer *dial(const place *to)
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

void hang_up(peer *c)
{
    close(c->fd);
    free(c);
}

void send_bytes(peer *c, const void *p, size_t n)
{
    const uint8_t *at = p;
    ssize_t k;

    for (; n > 0 && (k = send(c->fd, at, n, MSG_NOSIGNAL)) > 0; n -= (size_t)k)
        at += k;
}

void ask(peer *c, const char *text)
{
    send_bytes(c, text, strlen(text));
}

void get(peer *c, const char *path)
{
    char text[300];

    snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path);
    ask(c, text);
}

bool fill(peer *c, size_t want)
{
    ssize_t k = 1;

    while (c->n < want &&
           (k = read(c->fd, c->in + c->n, sizeof c->in - 1 - c->n)) > 0)
        c->n += (size_t)k;
    c->in[c->n] = '\0';
    return c->n >= want;
}

const char *hear_one(peer *c, bool is_head)
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

const char *hear(peer *c)
{
    return hear_one(c, false);
}

#include "doors/http/conn.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/mem.h"
#include "daemon/log.h"
#include "desk/op.h"

enum {
    READ_BYTES = 64 * 1024,
    REFUSALS = 256,        /* connections at once that are being told why not */
    KEEP_BYTES = 16 * 1024 /* of a buffer that is empty */
};

/* ---- memory ---- */

static size_t unsent(const http_conn *c)
{
    return c->out.len + c->sending.len + c->order.held;
}

/* What it holds now is counted, roughly, with all that others do. */
void http_conn_count(http_conn *c)
{
    size_t now = c->closing ? 0
                            : http_parser_held(c->parser) + c->frames.cap +
                                  c->left.cap + c->out.cap + c->sending.cap +
                                  c->order.held + c->order.asked +
                                  http_who_held(c->who);

    if (now != c->counted)
        atomic_fetch_add(c->loop->held, (int64_t)now - (int64_t)c->counted);
    c->counted = now;
}

bool http_conn_is_tight(const http_conn *c)
{
    return atomic_load_explicit(c->loop->held, memory_order_relaxed) >
           c->loop->settings->held;
}

/* Whether there is room for a request, or the rest of one. A client that does
 * not read, or has sent large bodies, waits. */
static bool has_room(const http_conn *c)
{
    size_t most = c->loop->settings->unsent;

    return http_order_has_room(&c->order) &&
           (c->order.coming || (unsent(c) <= most && c->order.asked <= most));
}

/* Whether one is taken: while it is asked who has sent the one before, nothing
 * may run ahead of that. */
static bool takes_more(const http_conn *c)
{
    return c->unknown == 0 && has_room(c);
}

/* Nothing more is taken from the client. */
bool http_conn_is_closed(const http_conn *c)
{
    return c->order.closed && !c->order.coming;
}

/* ---- the end ---- */

static void on_closed(uv_handle_t *handle)
{
    http_conn *c = handle->data;
    http_loop *l = c->loop;

    http_conn_count(c);
    http_loop_remove(l, c);
    http_loop_bury(l, c);
}

/* What was asked for, and is not answered any more. */
static void abort_notes(http_conn *c)
{
    for (uint32_t i = c->order.n; i > 0; i--) {
        uint32_t number = c->order.last - i + 1;
        const http_asked *asked = http_order_asked(&c->order, number);
        char room[HTTP_ID_ROOM];

        if (asked != NULL && asked->note != NULL)
            http_note_abort(&c->loop->noting, asked->note,
                            http_conn_id(c, asked, room));
    }
}

void http_conn_close(http_conn *c)
{
    if (c->closing)
        return;
    c->closing = true;
    abort_notes(c);
    http_loop_forget(c->loop, c);
    if (c->loop->submitted == c->session && c->session != NULL) {
        /* Others have relied on it. */
        c->loop->submitted = NULL;
        uc_assist(c->session);
    }
    uv_close(&c->io.handle, on_closed);
}

void http_conn_free(http_conn *c)
{
    if (c->session != NULL)
        uc_session_destroy(c->session);
    http_parser_free(c->parser);
    http_who_free(c->who);
    http_order_fini(&c->order);
    uc_buf_fini(&c->frames);
    uc_buf_fini(&c->left);
    uc_buf_fini(&c->out);
    uc_buf_fini(&c->sending);
    uc_free(c);
}

static void on_shutdown(uv_shutdown_t *request, int status)
{
    http_conn *c = request->data;

    if (status != 0 || c->ended)
        http_conn_close(c);
}

static void stop_reading(http_conn *c)
{
    if (c->reading)
        uv_read_stop(&c->io.stream);
    c->reading = false;
}

static void start_reading(http_conn *c);

/* All has been said. What the client still sends is thrown away for a moment:
 * to close while something is unread would take the answer from it. */
static void linger(http_conn *c)
{
    if (c->lingering || c->closing)
        return;
    c->lingering = true;
    c->since = uc_now_coarse();
    c->shutdown.data = c;
    if (c->ended || uv_shutdown(&c->shutdown, &c->io.stream, on_shutdown) != 0)
        http_conn_close(c);
    else
        start_reading(c);
}

/* Keeps a buffer that is over for the next time, unless it is a large one. */
static void empty(uc_buf *b)
{
    if (b->cap > KEEP_BYTES)
        uc_buf_fini(b);
    else
        uc_buf_rewind(b, 0);
}

/* ---- writing ---- */

static void write_out(http_conn *c);

static void count_bytes(const http_conn *c, size_t received, size_t sent)
{
    if (c->loop->noting.metrics != NULL)
        http_metrics_bytes(c->loop->noting.metrics, received, sent);
}

static void on_written(uv_write_t *request, int status)
{
    http_conn *c = request->data;

    c->is_sending = false;
    if (status == 0)
        count_bytes(c, 0, c->sending.len - c->sending_from);
    empty(&c->sending);
    if (c->closing)
        return;
    if (status != 0)
        http_conn_close(c);
    else
        http_conn_flush(c);
}

/* The rest waits until the client reads. */
static void send_rest(http_conn *c, size_t from)
{
    uc_buf b = c->sending;
    uv_buf_t rest;

    c->sending = c->out;
    c->out = b;
    uc_buf_rewind(&c->out, 0);
    rest = uv_buf_init((char *)c->sending.p + from,
                       (unsigned)(c->sending.len - from));
    c->write.data = c;
    c->is_sending =
        uv_write(&c->write, &c->io.stream, &rest, 1, on_written) == 0;
    c->sending_since = uc_now_coarse();
    c->sending_left = rest.len;
    c->sending_from = from;
    if (!c->is_sending)
        http_conn_close(c);
}

static void write_out(http_conn *c)
{
    uv_buf_t b;
    int n;

    if (c->is_sending || c->closing || c->out.len == 0)
        return;
    b = uv_buf_init((char *)c->out.p, (unsigned)c->out.len);
    n = uv_try_write(&c->io.stream, &b, 1);
    if (n == UV_EAGAIN)
        n = 0;
    if (n > 0)
        count_bytes(c, 0, (size_t)n);
    if (n < 0) {
        http_conn_close(c);
    } else if ((size_t)n < c->out.len) {
        send_rest(c, (size_t)n);
    } else {
        empty(&c->out);
    }
}

/* ---- requests ---- */

static bool open_session(http_conn *c)
{
    if (c->session == NULL)
        c->session = uc_session_beside(c->loop->home, http_loop_wake, c);
    return c->session != NULL;
}

/* True: it is answered already. */
static bool turned_down(http_conn *c, uint32_t number, const http_request *q)
{
    if (!http_conn_host_is_ours(c, q->host))
        http_conn_answer_text(c, number, 421,
                              "host: is none of this server's names");
    else if (http_conn_is_tight(c))
        http_conn_answer_text(c, number, 503, "busy");
    else
        return false;
    return true;
}

/* True: its answer is always the same, and known. */
static bool answer_constant(http_conn *c, uint32_t number,
                            const http_request *q)
{
    const http_asked *asked = http_order_asked(&c->order, number);
    const http_answer *a = http_constant_find(
        &c->loop->constants, c->loop->serving, asked->constant, q);

    if (a != NULL)
        http_conn_answer(c, number, a);
    return a != NULL;
}

static void submit(http_conn *c, uint32_t number, const http_request *q)
{
    size_t before;

    if (turned_down(c, number, q) || answer_constant(c, number, q))
        return;
    if (!open_session(c)) {
        http_conn_answer_text(c, number, 503, "no memory");
        return;
    }
    before = c->frames.len;
    http_conn_put_frame(c, number, q);
    if (c->frames.failed) {
        uc_buf_rewind(&c->frames, before);
        http_conn_answer_text(c, number, 503, "no memory");
        return;
    }
    c->nframes++;
}

/* The number of the request that was found, 0: no memory. */
static uint32_t number_of(http_conn *c, const http_request *q)
{
    uint32_t number = c->announced;
    http_asked asked;

    c->announced = 0;
    if (number != 0) {
        http_order_wait(&c->order, false, &c->out);
        return number;
    }
    asked = http_conn_asked_by(c, q);
    number = http_order_add(&c->order, &asked);
    if (number == 0)
        http_conn_close(c);
    return number;
}

static void begin_request(http_conn *c)
{
    const http_request *q = http_parser_request(c->parser);
    uint32_t number = number_of(c, q);

    if (number == 0)
        return;
    if (atomic_load_explicit(&c->loop->draining, memory_order_relaxed))
        http_order_close(&c->order);
    submit(c, number, q);
}

/* Its client sends the body when it has been asked for it. */
static void begin_body(http_conn *c)
{
    http_asked asked = http_conn_asked_by(c, http_parser_request(c->parser));

    c->announced = http_order_add(&c->order, &asked);
    if (c->announced == 0)
        http_conn_close(c);
    else
        http_order_wait(&c->order, true, &c->out);
}

void http_conn_refuse(http_conn *c, unsigned status, const char *text)
{
    http_asked asked = {.is_head = http_parser_is_head(c->parser), .minor = 1};
    uint32_t number = c->announced;

    c->announced = 0;
    if (number == 0)
        number = http_order_add(&c->order, &asked);
    http_order_close(&c->order);
    if (number == 0)
        http_conn_close(c);
    else
        http_conn_answer_text(c, number, status, text);
}

/* Of a body the core says how long it may be, and so does this. */
static void refuse_fault(http_conn *c, const http_fault *f)
{
    char text[64];

    snprintf(text, sizeof text, "body: must have at most %zu bytes",
             c->loop->settings->limits.body);
    http_conn_refuse(c, f->status, f->status == 413 ? text : f->text);
}

/* Returns how many of the bytes are done with. */
static size_t feed(http_conn *c, const uint8_t *p, size_t n)
{
    size_t done = 0, used;

    while (done < n && !c->closing && takes_more(c)) {
        http_found found =
            http_parser_feed(c->parser, p + done, n - done, &used);

        done += used;
        if (found == HTTP_FOUND_REQUEST) {
            begin_request(c);
        } else if (found == HTTP_FOUND_CONTINUE) {
            begin_body(c);
        } else if (found == HTTP_FOUND_FAULT) {
            refuse_fault(c, http_parser_fault(c->parser));
        }
    }
    /* What comes behind the last request is thrown away. */
    return c->order.closed ? n : done;
}

static void keep_left(http_conn *c, const uint8_t *p, size_t n)
{
    uc_buf_put(&c->left, p, n);
    if (c->left.failed)
        http_conn_close(c);
}

static void feed_left(http_conn *c)
{
    size_t done;

    if (c->left.len == 0 || c->closing)
        return;
    done = feed(c, c->left.p, c->left.len);
    memmove(c->left.p, c->left.p + done, c->left.len - done);
    c->left.len -= done;
    if (c->left.len == 0)
        empty(&c->left);
}

static void hand_over(http_conn *c)
{
    if (c->nframes == 0 || c->closing)
        return;
    if (uc_submit(c->session, c->frames.p, c->frames.len, c->nframes,
                  UC_HINT_ASSIST))
        c->loop->submitted = c->session;
    else
        http_conn_close(c);
    c->nframes = 0;
    empty(&c->frames);
}

static bool may_read(const http_conn *c)
{
    return c->left.len == 0 && has_room(c);
}

/* What was written may have made room for what was left. */
static void hand_out(http_conn *c)
{
    hand_over(c);
    write_out(c);
    while (c->left.len > 0 && !c->closing && takes_more(c)) {
        feed_left(c);
        hand_over(c);
        write_out(c);
    }
}

static void note_phase(http_conn *c)
{
    http_phase phase = http_parser_phase(c->parser);

    if (phase != c->phase || phase == HTTP_PHASE_IDLE)
        c->since = uc_now_coarse();
    c->phase = phase;
}

/* After whatever has happened: goes on, or ends. */
void http_conn_go_on(http_conn *c)
{
    if (c->closing)
        return;
    hand_out(c);
    http_conn_count(c);
    if (c->closing || c->lingering)
        return;
    if (c->order.n == 0 && (c->order.closed || c->ended) && c->out.len == 0 &&
        !c->is_sending)
        linger(c);
    else if (may_read(c) && !c->ended)
        start_reading(c);
    else
        stop_reading(c);
}

static void on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *b)
{
    const http_conn *c = handle->data;

    (void)hint;
    *b = uv_buf_init((char *)c->loop->in, READ_BYTES);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *b)
{
    http_conn *c = stream->data;
    size_t done;

    if (n == 0)
        return;
    if (n < 0 && n != UV_EOF) {
        http_conn_close(c);
        return;
    }
    if (n < 0) {
        c->ended = true;
        if (c->lingering)
            http_conn_close(c);
        else if (c->announced != 0)
            http_conn_refuse(c, 400, "the body did not come");
        http_conn_go_on(c);
        return;
    }
    count_bytes(c, (size_t)n, 0);
    if (c->lingering)
        return;
    done = feed(c, (const uint8_t *)b->base, (size_t)n);
    if (done < (size_t)n)
        keep_left(c, (const uint8_t *)b->base + done, (size_t)n - done);
    note_phase(c);
    if (c->phase == HTTP_PHASE_BODY && !c->closing && !http_conn_is_closed(c) &&
        http_conn_is_tight(c))
        http_conn_refuse(c, 503, "busy");
    http_conn_go_on(c);
}

static void start_reading(http_conn *c)
{
    if (!c->reading && uv_read_start(&c->io.stream, on_alloc, on_read) != 0)
        http_conn_close(c);
    c->reading = true;
}

void http_conn_flush(http_conn *c)
{
    if (c->session != NULL)
        http_conn_take(c);
    feed_left(c);
    note_phase(c);
    http_conn_go_on(c);
}

/* ---- the beginning ---- */

static void note_peer(http_conn *c)
{
    struct sockaddr_storage peer;
    int len = sizeof peer;
    const void *at;
    uc_view ip;

    if (c->io.handle.type != UV_TCP ||
        uv_tcp_getpeername(&c->io.tcp, (struct sockaddr *)&peer, &len) != 0)
        return;
    if (peer.ss_family == AF_INET6)
        at = &((const struct sockaddr_in6 *)(const void *)&peer)->sin6_addr;
    else
        at = &((const struct sockaddr_in *)(const void *)&peer)->sin_addr;
    if (inet_ntop(peer.ss_family, at, c->ip, sizeof c->ip) == NULL)
        return;
    ip = http_plain_ip((uc_view){(const uint8_t *)c->ip, strlen(c->ip)});
    memmove(c->ip, ip.p, ip.len);
    c->ip_len = (uint8_t)ip.len;
}

static http_conn *conn_new(http_loop *l)
{
    http_conn *c = uc_calloc(1, sizeof *c);

    if (c == NULL)
        return NULL;
    c->parser = http_parser_new(&l->settings->limits);
    if (c->parser == NULL) {
        uc_free(c);
        return NULL;
    }
    c->loop = l;
    c->since = uc_now_coarse();
    uc_buf_init(&c->frames, SIZE_MAX);
    uc_buf_init(&c->left, SIZE_MAX);
    uc_buf_init(&c->out, SIZE_MAX);
    uc_buf_init(&c->sending, SIZE_MAX);
    return c;
}

static void turn_away(http_conn *c)
{
    http_conn_refuse(c, 503, "too many connections");
    http_conn_go_on(c);
}

static int adopt(http_conn *c, int fd)
{
    http_loop *l = c->loop;
    int rc;

    c->io.handle.data = c;
    if (l->settings->address.is_unix) {
        uv_pipe_init(&l->uv, &c->io.pipe, 0);
        rc = uv_pipe_open(&c->io.pipe, fd);
    } else {
        uv_tcp_init(&l->uv, &c->io.tcp);
        rc = uv_tcp_open(&c->io.tcp, fd);
        uv_tcp_nodelay(&c->io.tcp, 1);
    }
    if (rc != 0)
        close(fd);
    return rc;
}

void http_conn_open(http_loop *l, int fd)
{
    uint64_t most = l->settings->max_connections;
    http_conn *c = atomic_load(l->open) < most + REFUSALS ? conn_new(l) : NULL;

    if (c == NULL) {
        close(fd);
        return;
    }
    http_loop_add(l, c);
    if (adopt(c, fd) != 0) {
        http_conn_close(c);
        return;
    }
    if (l->noting.metrics != NULL)
        http_metrics_connection(l->noting.metrics);
    note_peer(c);
    c->trusted = http_trust_has(&l->settings->trust,
                                (uc_view){(const uint8_t *)c->ip, c->ip_len});
    if (atomic_load(l->open) > most)
        turn_away(c);
    else
        start_reading(c);
}

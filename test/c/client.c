#define _GNU_SOURCE
#include "client.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "wire/writer.h"

/* Sanitizers are slow and machines are busy; a hang is longer than both. */
enum { HANG_MS = 30000 };

char client_note[100];

static _Noreturn void die(const char *why)
{
    printf("Bail out! %s (%s)\n", why, client_note);
    fflush(stdout);
    abort();
}

/* Not through the core's allocator: a test may have made that one fail. */
static void need(uc_buf *b, size_t n)
{
    if (b->cap - b->len >= n)
        return;
    b->cap = (b->len + n) * 2 + 1024;
    b->p = realloc(b->p, b->cap);
    if (b->p == NULL)
        die("the test itself has no memory");
}

/* ---- requests ---- */

static void bin(uc_buf *b, const void *p, size_t n)
{
    uint8_t head[5];

    uc_buf_put(b, head, (size_t)(uc_emit_bin_header(head, (uint32_t)n) - head));
    uc_buf_put(b, p, n);
}

/* Values between fmt, which stands behind an opening bracket, and its end. */
static uint32_t members(const char *fmt)
{
    uint32_t n = 0;

    for (int depth = 0; *fmt != '\0'; fmt++) {
        if (*fmt == ']' || *fmt == '}') {
            if (depth-- == 0)
                break;
        } else if (*fmt != ' ') {
            n += depth == 0;
            depth += *fmt == '[' || *fmt == '{';
        }
    }
    return n;
}

void vpack(uc_buf *b, const char *fmt, va_list ap)
{
    need(b, 64);
    for (; *fmt != '\0'; fmt++) {
        const char *p;
        size_t n;

        need(b, 64);
        switch (*fmt) {
        case 'n':
            uc_pack_nil(b);
            break;
        case 'b':
            uc_pack_bool(b, va_arg(ap, int) != 0);
            break;
        case 'i':
            uc_pack_int(b, va_arg(ap, int));
            break;
        case 'I':
            uc_pack_int(b, va_arg(ap, int64_t));
            break;
        case 'u':
            uc_pack_uint(b, va_arg(ap, uint64_t));
            break;
        case 'd':
            uc_pack_double(b, va_arg(ap, double));
            break;
        case 's':
            p = va_arg(ap, const char *);
            need(b, strlen(p) + 64);
            uc_pack_str(b, p);
            break;
        case 't':
        case 'x':
        case 'r':
            p = va_arg(ap, const char *);
            n = va_arg(ap, size_t);
            need(b, n + 64);
            if (*fmt == 't')
                uc_pack_strn(b, p, n);
            else if (*fmt == 'x')
                bin(b, p, n);
            else
                uc_buf_put(b, p, n);
            break;
        case '[':
            uc_pack_array(b, members(fmt + 1));
            break;
        case '{':
            uc_pack_map(b, members(fmt + 1) / 2);
            break;
        default: /* a space or a closing bracket */
            break;
        }
    }
}

void pack(uc_buf *b, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vpack(b, fmt, ap);
    va_end(ap);
}

static void vput(client *c, uc_buf *b, uint32_t id, int op, const char *fmt,
                 va_list ap)
{
    (void)c;
    need(b, 64);
    uc_pack_array(b, 2 + members(fmt));
    uc_pack_uint(b, (uint64_t)op);
    uc_pack_uint(b, id);
    vpack(b, fmt, ap);
}

static bool writes(int op)
{
    return op != UC_OP_get && op != UC_OP_all && op != UC_OP_json &&
           op != UC_OP_cursor_open && op != UC_OP_cursor_next &&
           op != UC_OP_snap_begin && op != UC_OP_snap_end;
}

static void queue(client *c, uint32_t id, int op, const char *fmt, va_list ap)
{
    vput(c, &c->out, id, op, fmt, ap);
    c->count++;
    if (writes(op))
        c->hint |= UC_HINT_WRITE;
    if (op == UC_OP_cancel)
        c->hint |= UC_HINT_URGENT;
}

uint32_t client_put(client *c, int op, const char *fmt, ...)
{
    va_list ap;
    uint32_t id = ++c->next_id;

    va_start(ap, fmt);
    queue(c, id, op, fmt, ap);
    va_end(ap);
    return id;
}

void client_put_id(client *c, uint32_t id, int op, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    queue(c, id, op, fmt, ap);
    va_end(ap);
}

bool client_send(client *c)
{
    bool sent;

    if (c->assist)
        c->hint |= UC_HINT_ASSIST;
    sent = c->count == 0 ||
           uc_submit(c->session, c->out.p, c->out.len, c->count, c->hint);
    if (c->assist && c->count > 0)
        uc_assist(c->session);

    c->out.len = 0;
    c->count = 0;
    c->hint = 0;
    return sent;
}

void client_define(client *c, uint32_t sid, const char *sql)
{
    client_put_id(c, 0, UC_OP_define, "n i s", (int)sid, sql);
    client_send(c);
}

/* ---- replies as text ---- */

__attribute__((format(printf, 2, 3))) static void say(client *c,
                                                      const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    need(&c->text, (size_t)n + 1);
    va_start(ap, fmt);
    vsnprintf((char *)c->text.p + c->text.len, (size_t)n + 1, fmt, ap);
    va_end(ap);
    c->text.len += (size_t)n;
}

static void text_value(client *c, uc_reader *r)
{
    uc_value v;

    if (!uc_read(r, &v)) {
        say(c, "CUT OFF");
        r->p = r->end;
        return;
    }
    switch (v.type) {
    case UC_T_NIL:
        say(c, "null");
        break;
    case UC_T_BOOL:
        say(c, v.b ? "true" : "false");
        break;
    case UC_T_INT:
        c->value = v.i;
        say(c, "%" PRId64, v.i);
        break;
    case UC_T_UINT:
        say(c, "%" PRIu64, v.u);
        break;
    case UC_T_DOUBLE:
        say(c, "%g", v.d);
        break;
    case UC_T_STR:
        say(c, "'%.*s'", (int)v.s.len, (const char *)v.s.p);
        break;
    case UC_T_BIN:
        say(c, "x'");
        for (size_t i = 0; i < v.s.len; i++)
            say(c, "%02x", v.s.p[i]);
        say(c, "'");
        break;
    case UC_T_ARRAY:
    case UC_T_MAP:
        say(c, v.type == UC_T_MAP ? "{" : "[");
        for (uint64_t i = 0, n = v.type == UC_T_MAP ? v.n * 2ull : v.n;
             i < n && r->p < r->end; i++) {
            if (i > 0)
                say(c, " ");
            text_value(c, r);
        }
        say(c, v.type == UC_T_MAP ? "}" : "]");
        break;
    }
}

static void copy(char *dst, size_t cap, uc_view s)
{
    size_t n = s.len < cap ? s.len : cap - 1;

    memcpy(dst, s.p, n);
    dst[n] = '\0';
}

static void text_error(client *c, uc_reader *r)
{
    uc_value v, w;

    if (!uc_read(r, &v) || v.type != UC_T_MAP) {
        say(c, "BAD ERROR");
        return;
    }
    for (uint32_t i = v.n; i > 0; i--) {
        if (!uc_read(r, &w) || w.type != UC_T_STR || !uc_read(r, &v)) {
            say(c, "BAD ERROR");
            return;
        }
        if (uc_view_is(w.s, "code"))
            copy(c->code, sizeof c->code, v.s);
        else if (uc_view_is(w.s, "outcome"))
            copy(c->outcome, sizeof c->outcome, v.s);
        else if (uc_view_is(w.s, "message"))
            copy(c->message, sizeof c->message, v.s);
    }
    say(c, "%s%s%s", c->code, c->outcome[0] != '\0' ? " " : "", c->outcome);
}

/* Cuts n UTF-16 units off valid UTF-8. */
static uc_view cut(uc_reader *t, size_t units)
{
    const uint8_t *from = t->p;

    while (units > 0 && t->p < t->end) {
        uint8_t h = *t->p;
        size_t n = h < 0x80 ? 1 : h < 0xe0 ? 2 : h < 0xf0 ? 3 : 4;
        size_t u = n == 4 ? 2 : 1;

        if (u > units || n > (size_t)(t->end - t->p))
            break;
        t->p += n;
        units -= u;
    }
    return (uc_view){from, units == 0 ? (size_t)(t->p - from) : SIZE_MAX};
}

/* A text cell is a header that counts UTF-16 units, without the bytes. */
static bool text_header(uc_reader *r, uint32_t *units)
{
    uint8_t h = *r->p;
    unsigned width = h == 0xd9 ? 1 : h == 0xda ? 2 : h == 0xdb ? 4 : 0;

    if ((h < 0xa0 || h > 0xbf) && width == 0)
        return false;
    *units = width == 0 ? h & 0x1f : 0;
    if ((size_t)(r->end - r->p) < 1 + width)
        return false;
    for (unsigned i = 1; i <= width; i++)
        *units = *units << 8 | r->p[i];
    r->p += 1 + width;
    return true;
}

static bool text_page(client *c, uc_reader *r, uint32_t ncols, bool *first)
{
    uint32_t four, n;
    uc_value enc, cells, text;
    uc_reader k, t;

    if (!uc_read_array(r, &four) || four != 4 || !uc_read_u32(r, &n) ||
        !uc_read(r, &enc) || !uc_read(r, &cells) || cells.type != UC_T_BIN ||
        !uc_read(r, &text) || text.type != UC_T_STR)
        return false;
    k = (uc_reader){cells.s.p, cells.s.p + cells.s.len};
    t = (uc_reader){text.s.p, text.s.p + text.s.len};
    for (uint32_t row = 0; row < n; row++) {
        say(c, *first ? " " : " | ");
        *first = false;
        for (uint32_t col = 0; col < ncols; col++) {
            uint32_t units;

            say(c, col > 0 ? " " : "");
            if (k.p == k.end)
                return false;
            if (text_header(&k, &units)) {
                uc_view s = cut(&t, units);

                if (s.len == SIZE_MAX)
                    return false;
                say(c, "'%.*s'", (int)s.len, (const char *)s.p);
            } else {
                text_value(c, &k);
            }
        }
    }
    return k.p == k.end && t.p == t.end;
}

/* Columns are known from the reply (a client that says shape 0 gets them). */
static bool text_rows(client *c, uc_reader *r)
{
    uc_value v;
    uint32_t pages, ncols = 0;
    bool first = true;

    if (!uc_read_u32(r, &c->shape) || !uc_read(r, &v))
        return false;
    if (v.type == UC_T_ARRAY) {
        ncols = v.n;
        for (uint32_t i = 0; i < ncols; i++) {
            if (!uc_read(r, &v) || v.type != UC_T_STR)
                return false;
            say(c, "%s%.*s", i > 0 ? "," : " ", (int)v.s.len,
                (const char *)v.s.p);
        }
        say(c, ":");
    } else if (v.type == UC_T_NIL) {
        ncols = 1; /* a known shape: the tests use one column then */
    }
    if (!uc_read(r, &v))
        return false;
    c->cursor = v.type == UC_T_INT ? (uint32_t)v.i : 0;
    if (!uc_read_array(r, &pages))
        return false;
    for (uint32_t i = 0; i < pages; i++) {
        if (!text_page(c, r, ncols, &first))
            return false;
    }
    return true;
}

static void text_frame(client *c, uc_reader *r)
{
    uint32_t n, id, kind;
    uc_value v;

    if (!uc_read_array(r, &n) || !uc_read_u32(r, &id) ||
        !uc_read_u32(r, &kind)) {
        say(c, "BAD FRAME");
        return;
    }
    switch (kind) {
    case 0:
        say(c, "value ");
        text_value(c, r);
        break;
    case 1:
        say(c, "error ");
        text_error(c, r);
        break;
    case 2:
        say(c, "rows");
        if (!text_rows(c, r))
            say(c, " BAD ROWS");
        break;
    case 3:
        say(c, "run ");
        text_value(c, r);
        say(c, " ");
        text_value(c, r);
        break;
    case 4:
        if (uc_read(r, &v) && v.type == UC_T_BIN)
            say(c, "bytes %.*s", (int)v.s.len, (const char *)v.s.p);
        else
            say(c, "BAD BYTES");
        break;
    case 5:
        say(c, "multi");
        if (!uc_read_array(r, &n))
            say(c, " BAD MULTI");
        else
            for (; n > 0; n--) {
                say(c, " (");
                text_frame(c, r);
                say(c, ")");
            }
        break;
    default:
        say(c, "BAD KIND");
        break;
    }
}

const char *client_text(client *c, const uint8_t *frame, size_t len)
{
    uc_reader r = {frame, frame + len};

    c->text.len = 0;
    c->code[0] = c->outcome[0] = c->message[0] = '\0';
    c->cursor = 0;
    text_frame(c, &r);
    if (r.p != r.end && c->code[0] == '\0')
        say(c, " TRAILING BYTES");
    return (char *)c->text.p;
}

/* ---- waiting ---- */

static void wake(void *arg)
{
    client *c = arg;

    uc_lock(&c->mu);
    c->woken = true;
    c->wakes++;
    uc_cond_signal(&c->cond);
    uc_unlock(&c->mu);
}

static void keep(client *c, const uint8_t *p, size_t len)
{
    reply *r = malloc(sizeof *r + len);
    reply **q = &c->replies;
    uc_reader in = {p, p + len};
    uint32_t n;

    if (r == NULL)
        die("the test itself has no memory");
    if (!uc_read_array(&in, &n) || !uc_read_u32(&in, &r->id))
        die("a reply is no frame");
    r->len = len;
    memcpy(r->bytes, p, len);
    while (*q != NULL)
        q = &(*q)->next;
    r->next = NULL;
    *q = r;
}

bool client_poll(client *c)
{
    size_t wants, n;

    need(&c->inbox, 64);
    for (;;) {
        n = uc_take(c->session, c->inbox.p, c->inbox.cap, 4, &wants);
        if (n == 0 && wants == 0)
            return c->replies != NULL;
        if (n == 0)
            need(&c->inbox, wants);
        for (size_t at = 0; at < n;) {
            const uint8_t *p = c->inbox.p + at;
            size_t len = p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 |
                         (size_t)p[3] << 24;

            if (len > n - at - 4)
                die("a reply is cut off");
            keep(c, p + 4, len);
            at += 4 + len;
        }
    }
}

static bool sleep_on(client *c)
{
    int64_t until = uc_now() + HANG_MS * UC_MS;
    bool woken;

    uc_lock(&c->mu);
    while (!c->woken && uc_cond_wait_until(&c->cond, &c->mu, until))
        ;
    woken = c->woken;
    c->woken = false;
    uc_unlock(&c->mu);
    return woken;
}

const char *client_wait(client *c, uint32_t id)
{
    for (;;) {
        client_poll(c);
        for (reply **q = &c->replies; *q != NULL; q = &(*q)->next) {
            reply *r = *q;

            if (r->id == id) {
                const char *text = client_text(c, r->bytes, r->len);

                *q = r->next;
                free(r);
                return text;
            }
        }
        if (!sleep_on(c)) {
            printf("# waiting for call %u\n", id);
            die("a call was not answered");
        }
    }
}

const char *client_ask(client *c, int op, const char *fmt, ...)
{
    va_list ap;
    uint32_t id = ++c->next_id;

    va_start(ap, fmt);
    queue(c, id, op, fmt, ap);
    va_end(ap);
    if (client_send(c))
        return client_wait(c, id);
    snprintf(c->code, sizeof c->code, "UC_MEMORY");
    return "not taken";
}

const char *client_sync(client *c, int op, const char *fmt, ...)
{
    va_list ap;
    uc_buf b;
    size_t n;
    uint8_t small[256];

    uc_buf_init(&b, SIZE_MAX);
    va_start(ap, fmt);
    vput(c, &b, ++c->next_id, op, fmt, ap);
    va_end(ap);
    n = uc_sync(c->session, b.p, b.len, small, sizeof small);
    free(b.p);
    if (n <= sizeof small)
        return client_text(c, small, n);
    need(&c->inbox, n);
    if (uc_sync_take(c->session, c->inbox.p, c->inbox.cap) != n)
        die("a sync reply changed its length");
    return client_text(c, c->inbox.p, n);
}

client *client_open(const char *path, const char *options, ...)
{
    client *c = calloc(1, sizeof *c);
    char fmt[128];
    va_list ap;
    uc_buf o;

    if (c == NULL)
        die("the test itself has no memory");
    uc_mutex_init(&c->mu);
    uc_cond_init(&c->cond);
    uc_buf_init(&c->out, SIZE_MAX);
    uc_buf_init(&c->inbox, SIZE_MAX);
    uc_buf_init(&c->text, SIZE_MAX);
    uc_buf_init(&o, SIZE_MAX);
    snprintf(fmt, sizeof fmt, "{%s}", options != NULL ? options : "");
    va_start(ap, options);
    vpack(&o, fmt, ap);
    va_end(ap);
    c->session = uc_session_open(path, o.p, o.len, wake, c);
    free(o.p);
    if (c->session == NULL) {
        client_destroy(c);
        return NULL;
    }
    return c;
}

void client_destroy(client *c)
{
    if (c->session != NULL)
        uc_session_destroy(c->session);
    while (c->replies != NULL) {
        reply *r = c->replies;

        c->replies = r->next;
        free(r);
    }
    free(c->out.p);
    free(c->inbox.p);
    free(c->text.p);
    uc_mutex_fini(&c->mu);
    uc_cond_fini(&c->cond);
    free(c);
}

void client_close(client *c)
{
    client_ask(c, UC_OP_close, "n");
    client_destroy(c);
}

/* ---- files ---- */

static char folder[256];
static pid_t maker;

static void remove_all(void)
{
    DIR *d = getpid() == maker ? opendir(folder) : NULL;
    struct dirent *e;
    char path[600];

    if (d == NULL)
        return;
    while ((e = readdir(d)) != NULL) {
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        unlink(path);
    }
    closedir(d);
    rmdir(folder);
}

const char *scratch(void)
{
    const char *base = getenv("TMPDIR");

    if (folder[0] == '\0') {
        snprintf(folder, sizeof folder, "%s/uc-test-XXXXXX",
                 base != NULL ? base : "/tmp");
        if (mkdtemp(folder) == NULL)
            die("no folder for the test's files");
        maker = getpid();
        atexit(remove_all);
    }
    return folder;
}

const char *scratch_file(const char *name)
{
    static char paths[4][400];
    static unsigned next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof paths[0], "%s/%s", scratch(), name);
    return path;
}

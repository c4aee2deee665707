#include "doors/http/metrics.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "common/thread.h"

enum { CLASSES = 6, COUNTS_MOST = 2 * UC_ROUTES_MOST, PATH_MOST = 512 };

/* Upper bounds of the histogram, in microseconds, and as its labels say it. */
static const struct {
    int64_t us;
    const char *le;
} bounds[] = {
    {100, "0.0001"},  {250, "0.00025"}, {500, "0.0005"},  {1000, "0.001"},
    {2500, "0.0025"}, {5000, "0.005"},  {10000, "0.01"},  {25000, "0.025"},
    {50000, "0.05"},  {100000, "0.1"},  {250000, "0.25"}, {500000, "0.5"},
    {1000000, "1"},   {2500000, "2.5"}, {10000000, "10"},
};

enum { BOUNDS = sizeof bounds / sizeof *bounds };

typedef _Atomic uint64_t counter;

struct http_count {
    http_count *next;
    const char *method; /* "": of all others */
    char path[PATH_MOST + 1];
    counter by_class[CLASSES];   /* 2: 2xx */
    counter buckets[BOUNDS + 1]; /* each without those below it */
    counter us, limited;
};

struct http_metrics {
    uc_mutex mu; /* of the list, which only grows */
    http_count *first, **last;
    uint32_t n;
    http_count others;
    counter connections, received, sent;
};

static void add(counter *c, uint64_t n)
{
    atomic_fetch_add_explicit(c, n, memory_order_relaxed);
}

static uint64_t value(counter *c)
{
    return atomic_load_explicit(c, memory_order_relaxed);
}

http_metrics *http_metrics_new(void)
{
    http_metrics *m = uc_calloc(1, sizeof *m);

    if (m == NULL)
        return NULL;
    uc_mutex_init(&m->mu);
    m->others.method = "";
    m->first = &m->others;
    m->last = &m->others.next;
    return m;
}

void http_metrics_free(http_metrics *m)
{
    if (m == NULL)
        return;
    for (http_count *c = m->others.next; c != NULL;) {
        http_count *next = c->next;

        uc_free(c);
        c = next;
    }
    uc_mutex_fini(&m->mu);
    uc_free(m);
}

/* ---- counting ---- */

static const char *name_of(uc_method method)
{
    return method == UC_METHOD_GET ? "GET" : "POST";
}

static bool is_of(const http_count *c, const uc_route *route)
{
    return strcmp(c->method, name_of(route->method)) == 0 &&
           uc_view_is(route->path, c->path);
}

static http_count *count_new(const uc_route *route)
{
    http_count *c = uc_calloc(1, sizeof *c);

    if (c == NULL)
        return NULL;
    c->method = name_of(route->method);
    memcpy(c->path, route->path.p, route->path.len);
    return c;
}

http_count *http_metrics_of(http_metrics *m, const uc_route *route)
{
    http_count *c;

    if (route == NULL || route->path.len > PATH_MOST)
        return &m->others;
    uc_lock(&m->mu);
    for (c = m->others.next; c != NULL && !is_of(c, route);)
        c = c->next;
    if (c == NULL && m->n < COUNTS_MOST && (c = count_new(route)) != NULL) {
        *m->last = c;
        m->last = &c->next;
        m->n++;
    }
    uc_unlock(&m->mu);
    return c != NULL ? c : &m->others;
}

void http_metrics_add(http_count *c, unsigned status, int64_t ns, bool limited)
{
    unsigned i = 0;

    while (i < BOUNDS && ns > bounds[i].us * 1000)
        i++;
    add(&c->buckets[i], 1);
    add(&c->us, (uint64_t)(ns / 1000));
    add(&c->by_class[status / 100 < CLASSES ? status / 100 : 0], 1);
    add(&c->limited, limited);
}

void http_metrics_connection(http_metrics *m)
{
    add(&m->connections, 1);
}

void http_metrics_bytes(http_metrics *m, size_t received, size_t sent)
{
    if (received > 0)
        add(&m->received, received);
    if (sent > 0)
        add(&m->sent, sent);
}

/* ---- the text ---- */

__attribute__((format(printf, 2, 3))) static void put(uc_buf *b,
                                                      const char *fmt, ...)
{
    char line[PATH_MOST + 256];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    if (n > 0)
        uc_buf_put(b, line, (size_t)n < sizeof line ? (size_t)n : 0);
}

static void head(uc_buf *b, const char *name, const char *type,
                 const char *help)
{
    put(b, "# HELP undercroft_%s %s\n# TYPE undercroft_%s %s\n", name, help,
        name, type);
}

static void one(uc_buf *b, const char *name, const char *type, const char *help,
                uint64_t v)
{
    head(b, name, type, help);
    put(b, "undercroft_%s %" PRIu64 "\n", name, v);
}

/* Paths of routes have neither quotes nor backslashes nor line feeds. */
#define LABELS "method=\"%s\",route=\"%s\""

static void put_requests(uc_buf *b, http_count *first)
{
    head(b, "http_requests_total", "counter",
         "Requests by route and class of status.");
    for (http_count *c = first; c != NULL; c = c->next) {
        for (unsigned i = 0; i < CLASSES; i++) {
            uint64_t n = value(&c->by_class[i]);

            if (n > 0)
                put(b,
                    "undercroft_http_requests_total{" LABELS
                    ",status=\"%uxx\"} %" PRIu64 "\n",
                    c->method, c->path, i, n);
        }
    }
}

static void put_histogram(uc_buf *b, http_count *c)
{
    uint64_t n = 0, us = value(&c->us);

    for (unsigned i = 0; i <= BOUNDS; i++) {
        n += value(&c->buckets[i]);
        put(b,
            "undercroft_http_request_duration_seconds_bucket{" LABELS
            ",le=\"%s\"} %" PRIu64 "\n",
            c->method, c->path, i < BOUNDS ? bounds[i].le : "+Inf", n);
    }
    put(b,
        "undercroft_http_request_duration_seconds_sum{" LABELS "} %" PRIu64
        ".%06" PRIu64 "\n",
        c->method, c->path, us / 1000000, us % 1000000);
    put(b,
        "undercroft_http_request_duration_seconds_count{" LABELS "} %" PRIu64
        "\n",
        c->method, c->path, n);
}

static bool has_been_asked(http_count *c)
{
    for (unsigned i = 0; i <= BOUNDS; i++) {
        if (value(&c->buckets[i]) > 0)
            return true;
    }
    return false;
}

static void put_durations(uc_buf *b, http_count *first)
{
    head(b, "http_request_duration_seconds", "histogram",
         "From the end of the headers to the answer.");
    for (http_count *c = first; c != NULL; c = c->next) {
        if (has_been_asked(c))
            put_histogram(b, c);
    }
}

static void put_limited(uc_buf *b, http_count *first)
{
    head(b, "http_rate_refusals_total", "counter",
         "Requests that @rate has refused.");
    for (http_count *c = first; c != NULL; c = c->next) {
        uint64_t n = value(&c->limited);

        if (n > 0)
            put(b,
                "undercroft_http_rate_refusals_total{" LABELS "} %" PRIu64 "\n",
                c->method, c->path, n);
    }
}

/* ---- what the core tells ---- */

enum { NAME_MOST = 64 };

/* waitingReads → waiting_reads */
static bool snake(uc_view name, char out[NAME_MOST])
{
    size_t n = 0;

    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.p[i];

        if (n + 3 > NAME_MOST)
            return false;
        if (c >= 'A' && c <= 'Z') {
            out[n++] = '_';
            c |= 0x20;
        }
        if ((c < 'a' || c > 'z') && (c < '0' || c > '9'))
            return false;
        out[n++] = (char)c;
    }
    out[n] = '\0';
    return n > 0;
}

/* A map of the core, as it becomes names: undercroft_ROOM_GROUP_name. */
typedef struct place {
    const char *room, *group; /* group "": not in a map of it */
} place;

static void put_number(uc_buf *b, place in, const char *name, const uc_value *v)
{
    const char *between = *in.group != '\0' ? "_" : "";
    int64_t n = v->type == UC_T_BOOL ? v->b : v->i;
    char full[3 * NAME_MOST];

    snprintf(full, sizeof full, "undercroft_%s_%s%s%s", in.room, in.group,
             between, name);
    put(b, "# TYPE %s gauge\n%s %" PRId64 "\n", full, full, n);
}

/* Numbers of a map, and of the maps in it; what else there is, is not for
 * this. */
static bool put_map(uc_buf *b, place in, uc_reader *r)
{
    uc_value map, v;
    uc_view key;

    if (!uc_read(r, &map) || map.type != UC_T_MAP)
        return false;
    for (uint32_t i = 0; i < map.n; i++) {
        char name[NAME_MOST];
        uc_reader at, from;

        if (!uc_read_str(r, &key))
            return false;
        at = from = *r;
        if (!uc_read(&at, &v) || !uc_read_skip(r))
            return false;
        if (!snake(key, name))
            continue;
        if (v.type == UC_T_INT || v.type == UC_T_BOOL) {
            put_number(b, in, name, &v);
        } else if (v.type == UC_T_MAP && *in.group == '\0') {
            put_map(b, (place){in.room, name}, &from);
        }
    }
    return true;
}

void http_metrics_write(http_metrics *m, uint64_t open, uc_reader stats,
                        uc_reader cache, uc_buf *out)
{
    http_count *first;

    uc_lock(&m->mu);
    first = m->first; /* counts stay, and each has its successor by now */
    put_requests(out, first);
    put_durations(out, first);
    put_limited(out, first);
    uc_unlock(&m->mu);
    one(out, "http_connections", "gauge", "Connections that are open.", open);
    one(out, "http_connections_total", "counter",
        "Connections that have come in.", value(&m->connections));
    one(out, "http_received_bytes_total", "counter", "Bytes from clients.",
        value(&m->received));
    one(out, "http_sent_bytes_total", "counter", "Bytes to clients.",
        value(&m->sent));
    put_map(out, (place){"db", ""}, &stats);
    put_map(out, (place){"cache", ""}, &cache);
}

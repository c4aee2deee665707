#include "doors/http/server.h"

#include <string.h>
#include <unistd.h>

#include "common/mem.h"
#include "daemon/log.h"
#include "doors/http/conn.h"
#include "doors/http/load.h"

const http_settings http_default_settings = {
    .loops = 1,
    .limits = {HTTP_BLOCK, HTTP_TARGET, HTTP_BODY, HTTP_HEADERS},
    .max_connections = 1024,
    .head_ms = 10000,
    .body_ms = 30000,
    .idle_ms = 75000,
    .write_ms = 30000,
    .unsent = 4 << 20,
    .held = 1 << 30,
    .hosts = {.any = true},
};

struct http_server {
    const http_settings *settings;
    http_keeper keeper;
    http_current current;
    http_serving *old; /* a loop may have them */
    http_reaper reaper;
    http_metrics *metrics; /* NULL: nobody asks for them */
    _Atomic uint64_t open, let_in;
    _Atomic int64_t held;
    int fd;                     /* of the first loop, which has it */
    bool left;                  /* nobody new is to come */
    _Atomic unsigned undrained; /* loops */
    void (*on_end)(void *arg);
    void *arg;
    unsigned nloops; /* that have been started */
    http_loop *loops;
};

/* ---- the reaper ---- */

static void *reaper_main(void *arg)
{
    http_reaper *r = arg;

    uc_lock(&r->mu);
    for (;;) {
        http_conn *c = r->first;

        if (c == NULL) {
            if (r->stop)
                break;
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

static bool reaper_start(http_reaper *r)
{
    uc_mutex_init(&r->mu);
    uc_cond_init(&r->cond);
    return uc_thread_start(&r->thread, "ud-http-end", reaper_main, r) == 0;
}

static void reaper_stop(http_reaper *r)
{
    uc_lock(&r->mu);
    r->stop = true;
    uc_cond_signal(&r->cond);
    uc_unlock(&r->mu);
    uc_thread_join(r->thread);
    uc_mutex_fini(&r->mu);
    uc_cond_fini(&r->cond);
}

/* ---- routes ---- */

/* What is counted of each route. */
static bool find_counts(const http_server *s, http_serving *v)
{
    uint32_t n = uc_routes_count(v->known);

    v->counts = uc_calloc(n + 1, sizeof(http_count *));
    for (uint32_t i = 0; v->counts != NULL && i < n; i++)
        v->counts[i] = http_metrics_of(s->metrics, uc_routes_at(v->known, i));
    return v->counts != NULL;
}

static http_serving *load(http_server *s)
{
    const http_settings *t = s->settings;
    http_serving *v;
    http_loading what = {.dir = t->routes,
                         .body_most = t->limits.body,
                         .fine = t->fine,
                         .norigins = t->origins.n,
                         .origins = t->origins.list};

    v = http_keeper_load(&s->keeper, &what);
    if (v == NULL || s->metrics == NULL || find_counts(s, v))
        return v;
    ud_say("no memory for what is counted");
    http_serving_unref(v);
    return NULL;
}

static bool load_first(http_server *s, const ud_db *db)
{
    s->keeper.session = ud_db_session(db, false, http_keeper_wake, &s->keeper);
    if (s->keeper.session != NULL)
        s->current.now = load(s);
    return s->current.now != NULL;
}

/* Those that no loop has any more. */
static void drop_old(http_server *s)
{
    for (http_serving **at = &s->old; *at != NULL;) {
        http_serving *v = *at;

        if (atomic_load(&v->refs) > 1) {
            at = &v->next;
            continue;
        }
        *at = v->next;
        http_keeper_drop(&s->keeper, v->set);
        http_serving_unref(v);
    }
}

/* The routes before stay with the core until each loop has taken the new ones,
 * which is seen at the next reload. */
bool http_server_reload(http_server *s)
{
    http_serving *v, *before;

    drop_old(s);
    v = load(s);
    if (v == NULL)
        return false;
    before = http_current_set(&s->current, v);
    before->next = s->old;
    s->old = before;
    for (unsigned i = 0; i < s->nloops; i++)
        http_loop_renew(&s->loops[i]);
    return true;
}

/* ---- loops ---- */

static void on_drained(void *arg)
{
    http_server *s = arg;

    if (atomic_fetch_sub(&s->undrained, 1) == 1 && s->on_end != NULL)
        s->on_end(s->arg);
}

static void close_fds(const int *fds, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        close(fds[i]);
}

static bool start_loops(http_server *s, const int *fds)
{
    for (unsigned i = 0; i < s->settings->loops; i++) {
        http_loop *l = &s->loops[i];

        l->settings = s->settings;
        l->home = s->keeper.session;
        l->current = &s->current;
        l->reaper = &s->reaper;
        l->open = &s->open;
        l->let_in = &s->let_in;
        l->held = &s->held;
        l->noting = (http_noting){s->settings->log, s->metrics};
        l->fd = fds[i];
        l->on_drained = on_drained;
        l->arg = s;
        if (!http_loop_start(l)) {
            close_fds(fds + i + 1, s->settings->loops - i - 1);
            return false;
        }
        s->nloops++;
    }
    return true;
}

static void server_free(http_server *s)
{
    for (unsigned i = 0; i < s->nloops; i++)
        http_loop_free(&s->loops[i]);
    while (s->old != NULL) {
        http_serving *v = s->old;

        s->old = v->next;
        http_serving_unref(v);
    }
    http_serving_unref(s->current.now);
    uc_mutex_fini(&s->current.mu);
    http_keeper_fini(&s->keeper);
    http_metrics_free(s->metrics);
    uc_free(s->loops);
    uc_free(s);
}

http_server *http_server_start(const http_settings *settings, const int *fds,
                               const ud_db *db, void (*on_end)(void *arg),
                               void *arg)
{
    http_server *s = uc_calloc(1, sizeof *s);

    if (s == NULL) {
        close_fds(fds, settings->loops);
        return NULL;
    }
    s->settings = settings;
    s->fd = fds[0];
    s->on_end = on_end;
    s->arg = arg;
    uc_mutex_init(&s->current.mu);
    http_keeper_init(&s->keeper);
    atomic_init(&s->undrained, settings->loops);
    s->loops = uc_calloc(settings->loops, sizeof *s->loops);
    if (settings->metrics != NULL)
        s->metrics = http_metrics_new();
    if (s->loops == NULL || (settings->metrics != NULL && s->metrics == NULL) ||
        !load_first(s, db) || !reaper_start(&s->reaper)) {
        close_fds(fds, settings->loops);
        server_free(s);
        return NULL;
    }
    if (start_loops(s, fds)) {
        ud_say("serving %u routes on http://%s", s->current.now->routes,
               settings->address.text);
        return s;
    }
    http_server_stop(s);
    return NULL;
}

/* Before anything is closed: then its place is somebody else's, or nobody's. */
static void leave(http_server *s)
{
    if (s->left)
        return;
    s->left = true;
    if (s->nloops > 0)
        http_address_yield(&s->settings->address, s->fd, s->nloops);
    http_address_remove(&s->settings->address);
}

void http_server_drain(http_server *s)
{
    leave(s);
    for (unsigned i = 0; i < s->nloops; i++)
        http_loop_drain(&s->loops[i]);
}

void http_server_stop(http_server *s)
{
    if (s == NULL)
        return;
    leave(s);
    for (unsigned i = 0; i < s->nloops; i++)
        http_loop_stop(&s->loops[i]);
    reaper_stop(&s->reaper);
    server_free(s);
}

uint64_t http_server_traffic(http_server *s)
{
    if (atomic_load(&s->open) > 0)
        atomic_fetch_add(&s->let_in, 1);
    return atomic_load(&s->let_in);
}

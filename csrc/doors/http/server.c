#include "doors/http/server.h"

#include <string.h>

#include "common/mem.h"
#include "daemon/log.h"
#include "doors/http/conn.h"
#include "doors/http/load.h"
#include "wire/reader.h"

const http_settings http_default_settings = {
    .loops = 1,
    .limits = {HTTP_BLOCK, HTTP_TARGET, HTTP_BODY, HTTP_HEADERS},
    .max_connections = 1024,
    .head_ms = 10000,
    .body_ms = 30000,
    .idle_ms = 75000,
    .write_ms = 30000,
    .unsent = 4 << 20,
};

struct http_server {
    const http_settings *settings;
    http_keeper keeper;
    http_serving serving;
    uc_buf names; /* of headers: what serving.wanted points into */
    uc_view *wanted;
    http_reaper reaper;
    _Atomic uint64_t open;
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

/* What the routes ask for at the beginning. */
static bool note_wanted(http_server *s)
{
    uc_reader r = {s->names.p, s->names.p + s->names.len};
    uint32_t n;

    if (!uc_read_array(&r, &n))
        return false;
    s->wanted = uc_calloc(n + 1, sizeof *s->wanted);
    if (s->wanted == NULL)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        if (!uc_read_str(&r, &s->wanted[i]))
            return false;
    }
    s->serving.wanted = (http_wanted){n, s->wanted};
    return true;
}

static bool load(http_server *s, const ud_db *db)
{
    uint32_t set;

    s->keeper.session = ud_db_session(db, false, http_keeper_wake, &s->keeper);
    if (s->keeper.session == NULL ||
        !http_keeper_load(&s->keeper, s->settings->routes, &set, &s->names))
        return false;
    atomic_store(&s->serving.set, set);
    return note_wanted(s);
}

bool http_server_reload(http_server *s)
{
    uint32_t before = atomic_load(&s->serving.set), set;
    uc_buf names;
    bool ok;

    uc_buf_init(&names, SIZE_MAX);
    ok = http_keeper_load(&s->keeper, s->settings->routes, &set, &names);
    uc_buf_fini(&names);
    if (!ok)
        return false;
    atomic_store(&s->serving.set, set);
    http_keeper_drop(&s->keeper, before);
    return true;
}

/* ---- loops ---- */

static void on_drained(void *arg)
{
    http_server *s = arg;

    if (atomic_fetch_sub(&s->undrained, 1) == 1 && s->on_end != NULL)
        s->on_end(s->arg);
}

static bool start_loops(http_server *s, const ud_db *db)
{
    for (unsigned i = 0; i < s->settings->loops; i++) {
        http_loop *l = &s->loops[i];

        l->settings = s->settings;
        l->db = db;
        l->serving = &s->serving;
        l->reaper = &s->reaper;
        l->open = &s->open;
        l->on_drained = on_drained;
        l->arg = s;
        if (!http_loop_start(l))
            return false;
        s->nloops++;
    }
    return true;
}

static void server_free(http_server *s)
{
    http_keeper_fini(&s->keeper);
    uc_buf_fini(&s->names);
    uc_free(s->wanted);
    uc_free(s->loops);
    uc_free(s);
}

http_server *http_server_start(const http_settings *settings, const ud_db *db,
                               void (*on_end)(void *arg), void *arg)
{
    http_server *s = uc_calloc(1, sizeof *s);

    if (s == NULL)
        return NULL;
    s->settings = settings;
    s->on_end = on_end;
    s->arg = arg;
    uc_buf_init(&s->names, SIZE_MAX);
    http_keeper_init(&s->keeper);
    atomic_init(&s->undrained, settings->loops);
    s->loops = uc_calloc(settings->loops, sizeof *s->loops);
    if (s->loops == NULL || !load(s, db) || !reaper_start(&s->reaper)) {
        server_free(s);
        return NULL;
    }
    if (start_loops(s, db)) {
        ud_say("serving %u routes on http://%s", 0U, settings->address.text);
        return s;
    }
    http_server_stop(s);
    return NULL;
}

void http_server_drain(http_server *s)
{
    for (unsigned i = 0; i < s->nloops; i++)
        http_loop_drain(&s->loops[i]);
}

void http_server_stop(http_server *s)
{
    if (s == NULL)
        return;
    for (unsigned i = 0; i < s->nloops; i++)
        http_loop_stop(&s->loops[i]);
    reaper_stop(&s->reaper);
    server_free(s);
}

uint64_t http_server_open(const http_server *s)
{
    return atomic_load(&s->open);
}

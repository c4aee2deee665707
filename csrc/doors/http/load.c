#include "doors/http/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "daemon/log.h"
#include "desk/op.h"
#include "doors/http/folder.h"
#include "routes/routes.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { REPLY_MS = 60000, FIRST_REPLY = 65536 };

/* ---- calls ---- */

void http_keeper_init(http_keeper *k)
{
    *k = (http_keeper){0};
    uc_mutex_init(&k->mu);
    uc_cond_init(&k->cond);
}

void http_keeper_fini(http_keeper *k)
{
    if (k->session != NULL)
        uc_session_destroy(k->session);
    uc_mutex_fini(&k->mu);
    uc_cond_fini(&k->cond);
}

void http_keeper_wake(void *arg)
{
    http_keeper *k = arg;

    uc_lock(&k->mu);
    k->woken = true;
    uc_cond_signal(&k->cond);
    uc_unlock(&k->mu);
}

static bool wait_reply(http_keeper *k)
{
    int64_t until = uc_now() + (int64_t)REPLY_MS * UC_MS;
    bool ok = true;

    uc_lock(&k->mu);
    while (!k->woken && ok)
        ok = uc_cond_wait_until(&k->cond, &k->mu, until);
    ok = k->woken;
    k->woken = false;
    uc_unlock(&k->mu);
    return ok;
}

/* One call at a time; its reply is in *reply. */
static bool call(http_keeper *k, const uc_buf *frame, uc_buf *reply)
{
    size_t n, need = FIRST_REPLY;

    if (frame->failed || !uc_submit(k->session, frame->p, frame->len, 1, 0) ||
        !wait_reply(k))
        return false;
    do {
        uc_buf_rewind(reply, 0);
        if (!uc_buf_reserve(reply, need))
            return false;
        n = uc_take(k->session, reply->p, reply->cap, 4, &need);
    } while (n == 0 && need > 0);
    reply->len = n;
    while (uc_take(k->session, (uint8_t[64]){0}, 64, 4, &need) > 0)
        ; /* tells the session that all has been taken */
    return n > 4;
}

static void begin(http_keeper *k, uc_buf *b, uint8_t op, uint8_t args)
{
    uint8_t front[8] = {(uint8_t)(0x90 + 3 + args), op};

    uc_emit_u32(front + 2, ++k->calls);
    front[7] = 0xc0;
    uc_buf_put(b, front, sizeof front);
}

static void say_error(const char *dir, uc_reader r)
{
    uc_value map;
    uc_view key, message = {0};

    if (uc_read(&r, &map) && map.type == UC_T_MAP) {
        for (uint32_t i = 0; i < map.n && uc_read_str(&r, &key); i++) {
            if (!(uc_view_is(key, "message") ? uc_read_str(&r, &message)
                                             : uc_read_skip(&r)))
                break;
        }
    }
    ud_say("--routes %s: %.*s", dir, (int)message.len, (const char *)message.p);
}

/* [set, routes, names] */
static http_serving *read_value(uc_reader *r)
{
    http_serving *v = NULL;
    uint32_t set;
    const uint8_t *at;
    uc_reader list;
    uc_buf names;

    if (!uc_read_u32(r, &set))
        return NULL;
    list = *r;
    if (!uc_read_skip(r))
        return NULL;
    at = r->p;
    if (!uc_read_skip(r))
        return NULL;
    uc_buf_init(&names, SIZE_MAX);
    uc_buf_put(&names, at, (size_t)(r->p - at));
    if (!names.failed)
        v = http_serving_new(set, list, &names);
    uc_buf_fini(&names);
    return v;
}

/* [id, kind, value or error] */
static http_serving *read_set(const char *dir, const uc_buf *reply)
{
    uc_reader r = {reply->p + 4, reply->p + reply->len};
    uint32_t n, id, kind, three;
    http_serving *v = NULL;

    if (uc_read_array(&r, &n) && uc_read_u32(&r, &id) &&
        uc_read_u32(&r, &kind)) {
        if (kind == UC_REPLY_ERROR) {
            say_error(dir, r);
            return NULL;
        }
        if (uc_read_array(&r, &three) && three == 3)
            v = read_value(&r);
    }
    if (v == NULL)
        ud_say("--routes %s: no memory for what the core answered", dir);
    return v;
}

static void pack_options(const http_loading *what, uc_buf *frame)
{
    uc_pack_map(frame, 3);
    uc_pack_str(frame, "fine");
    uc_pack_bool(frame, what->fine);
    uc_pack_str(frame, "bodyMost");
    uc_pack_uint(frame, what->body_most);
    uc_pack_str(frame, "origins");
    uc_pack_array(frame, what->norigins);
    for (uint32_t i = 0; i < what->norigins; i++)
        uc_pack_str(frame, what->origins[i]);
}

/* packed: [[name, text]…], as the core has got them. NULL: no memory, since the
 * core has found them good. */
static uc_routes *read_again(uc_reader packed)
{
    uc_routes *routes = NULL;
    uc_source *sources;
    uc_error e = {0};
    uint32_t n, two;
    bool ok;

    if (!uc_read_array(&packed, &n))
        return NULL;
    sources = uc_calloc(n + 1, sizeof *sources);
    ok = sources != NULL;
    for (uint32_t i = 0; ok && i < n; i++)
        ok = uc_read_array(&packed, &two) &&
             uc_read_str(&packed, &sources[i].name) &&
             uc_read_str(&packed, &sources[i].text);
    if (ok)
        routes = uc_routes_read(sources, n, &e);
    uc_free(sources);
    return routes;
}

static http_serving *with_routes(http_serving *v, const uc_buf *frame,
                                 size_t from)
{
    if (v == NULL)
        return NULL;
    v->known = read_again((uc_reader){frame->p + from, frame->p + frame->len});
    if (v->known != NULL)
        return v;
    ud_say("no memory for the routes");
    http_serving_unref(v);
    return NULL;
}

http_serving *http_keeper_load(http_keeper *k, const http_loading *what)
{
    http_serving *v = NULL;
    uc_buf frame, reply;
    size_t from;
    bool ok;

    uc_buf_init(&frame, SIZE_MAX);
    uc_buf_init(&reply, SIZE_MAX);
    begin(k, &frame, UC_OP_routes_load, 2);
    from = frame.len;
    ok = http_folder_pack(what->dir, &frame);
    pack_options(what, &frame);
    if (ok && call(k, &frame, &reply))
        v = with_routes(read_set(what->dir, &reply), &frame, from);
    else if (ok)
        ud_say("--routes %s: the core did not answer", what->dir);
    uc_buf_fini(&frame);
    uc_buf_fini(&reply);
    return v;
}

void http_keeper_drop(http_keeper *k, uint32_t set)
{
    uc_buf frame, reply;

    uc_buf_init(&frame, SIZE_MAX);
    uc_buf_init(&reply, SIZE_MAX);
    begin(k, &frame, UC_OP_routes_drop, 1);
    uc_pack_uint(&frame, set);
    call(k, &frame, &reply);
    uc_buf_fini(&frame);
    uc_buf_fini(&reply);
}

#include "common/mem.h"
#include "data/engine.h"
#include "desk/abandon.h"
#include "desk/open.h"
#include "desk/route.h"
#include "desk/session.h"
#include "log/desk.h"
#include "uc.h"
#include "wire/writer.h"

/* What doors call (uc.h): from here everything else is reached. */

static uc_session *session_new(uc_wake_fn *wake, void *wake_arg)
{
    uc_session *s = uc_calloc(1, sizeof *s);

    if (s == NULL)
        return NULL;
    atomic_init(&s->refs, 1);
    uc_mutex_init(&s->mu);
    s->wake = wake;
    s->wake_arg = wake_arg;
    uc_buf_init(&s->sync_left, SIZE_MAX);
    uc_buf_init(&s->cache_left, SIZE_MAX);
    return s;
}

static uc_session *with_peer(uc_session *s)
{
    if (s->peer != NULL)
        return s;
    uc__session_unref(s);
    return NULL;
}

uc_session *uc_session_open(const char *path, const uint8_t *options,
                            size_t options_len, uc_wake_fn *wake,
                            void *wake_arg)
{
    uc_session *s = session_new(wake, wake_arg);
    uc_options o;
    uc_error e = {0};
    bool ok;

    if (s == NULL)
        return NULL;
    ok = uc_options_read(&o, (uc_view){options, options_len}, &e);
    s->max_unsent = (size_t)o.max_unsent;
    /* A bad option is an answer to every call, like a bad file. */
    s->peer = uc__peer_open(s, path, &o, ok ? NULL : &e);
    return with_peer(s);
}

uc_session *uc_session_beside(const uc_session *of, uc_wake_fn *wake,
                              void *wake_arg)
{
    uc_session *s = session_new(wake, wake_arg);

    if (s == NULL)
        return NULL;
    s->max_unsent = of->max_unsent;
    s->peer = uc__peer_beside(s, of->peer);
    return with_peer(s);
}

const char *uc_session_engine(const uc_session *s)
{
    return s->peer->engine->ops->name;
}

void uc_session_log(uc_session *s, struct uc_log_desk *desk)
{
    uc_log_desk_ref(desk);
    s->desk = desk;
}

static bool at_once(uint8_t num)
{
    const uc_op *op = uc_op_find(num);

    return op != NULL &&
           (op->lane == UC_LANE_CACHE || op->lane == UC_LANE_LOG ||
            (op->flags & UC_URGENT) != 0);
}

bool uc_submit(uc_session *s, const uint8_t *frames, size_t len, uint32_t count,
               unsigned hint)
{
    uc_batch *b;

    if (count == 0 || len / 4 < count)
        return count == 0;
    b = uc__batch_new(s, frames, len, count);
    if (b == NULL)
        return false;
    /* What the cache and the log answer needs no other thread, and a cancel
     * must not wait for one. */
    if (len > 1 && at_once(frames[1]))
        hint |= UC_HINT_URGENT;
    uc__peer_submit(s->peer, b, hint);
    return true;
}

void uc_session_last(uc_session *s)
{
    uc_peer *p = s->peer;

    if (!uc__visit(p))
        return;
    atomic_store(&p->last, true);
    uc__wake_last(p->engine);
    uc__visit_end(p);
}

void uc_assist(uc_session *s)
{
    uc_peer *p = s->peer;
    uc_engine *e = p->engine;

    if (!uc__visit(p))
        return;
    if (e->ops->assist != NULL)
        e->ops->assist(e);
    uc_lock(&e->mu);
    if (e->inbox_head != NULL || e->q.reads.head != NULL)
        uc__call_router(e, 0);
    uc_unlock(&e->mu);
    uc__visit_end(p);
}

/* The door's thread has called the cache itself. */
void uc__session_hurry(uc_session *s)
{
    if (!uc__visit(s->peer))
        return;
    uc__hurry(s->peer->engine);
    uc__visit_end(s->peer);
}

void uc_turn_end(uc_session *s)
{
    uc_peer *p = s->peer;

    if (p->engine->ops->turn_end == NULL || !uc__visit(p))
        return; /* what is left of the turn ends with the database */
    p->engine->ops->turn_end(p);
    uc__visit_end(p);
}

bool uc_session_function(uc_session *s, const uc_fn_spec *spec,
                         const char **error)
{
    uc_engine *e = s->peer->engine;

    if (e->ops->function == NULL) {
        *error = "the database has no functions in JavaScript";
        return false;
    }
    uc_lock(&e->mu);
    while (e->state == UC_OPENING)
        uc_cond_wait(&e->open_cond, &e->mu);
    uc_unlock(&e->mu);
    if (e->state != UC_OPEN) {
        *error = "the store could not be opened";
        return false;
    }
    return e->ops->function(s->peer, spec, error);
}

void uc_session_destroy(uc_session *s)
{
    uc__session_die(s);
    uc__abandon(s->peer);
    uc__session_unref(s);
}

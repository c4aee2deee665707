#include "desk/post.h"

#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "data/engine.h"
#include "desk/session.h"
#include "wire/writer.h"

enum {
    STANDING = 64,     /* calls of a session, those of `watch` among them */
    UNUSED_MS = 60000, /* so long a channel stays that nobody asks for */
    SEQ_SHIFT = 10
};

typedef struct notice {
    struct notice *next;
    uint64_t seq;
    uint32_t len;
    uint8_t bytes[];
} notice;

struct uc_channel {
    uc_channel *next;
    char name[UC_CHANNEL + 1];
    bool on;        /* the server knows */
    uint32_t users; /* listeners */
    int64_t used;   /* when somebody asked last */
    uint64_t seq;   /* of the last notice, or gap */
    uint64_t sure;  /* nothing is missing behind it */
    notice *first, **last;
    uint32_t n;
    size_t bytes;
};

/* A standing call; the call itself is over. */
struct uc_listener {
    uc_listener *next;
    uc_session *session; /* weak: ended with its peer */
    uc_channel *channel;
    uint32_t id;
    uint64_t since; /* 0: it wants to know when it is on */
};

void uc__post_init(uc_post *p)
{
    uc_mutex_init(&p->mu);
}

static void pop(uc_channel *c)
{
    notice *n = c->first;

    c->first = n->next;
    if (c->first == NULL)
        c->last = &c->first;
    c->n--;
    c->bytes -= n->len;
    if (n->seq > c->sure)
        c->sure = n->seq;
    uc_free(n);
}

static void channel_free(uc_channel *c)
{
    while (c->first != NULL)
        pop(c);
    uc_free(c);
}

void uc__post_fini(uc_post *p)
{
    while (p->listeners != NULL) {
        uc_listener *l = p->listeners;

        p->listeners = l->next;
        uc_free(l);
    }
    while (p->channels != NULL) {
        uc_channel *c = p->channels;

        p->channels = c->next;
        channel_free(c);
    }
    uc_mutex_fini(&p->mu);
}

/* ---- channels; under mu ---- */

static uc_channel *find(const uc_post *p, uc_view name)
{
    for (uc_channel *c = p->channels; c != NULL; c = c->next) {
        if (uc_view_is(name, c->name))
            return c;
    }
    return NULL;
}

/* Numbers begin at the time of day, so that those of a core that ran before are
 * smaller. They stay below 2^53. */
static uc_channel *channel_of(uc_post *p, uc_view name, uc_error *e)
{
    uc_channel *c = find(p, name);

    if (c != NULL)
        return c;
    if (p->nchannels == UC_CHANNELS) {
        uc_fail(e, UC_BUSY, "%d channels are listened to already", UC_CHANNELS);
        return NULL;
    }
    c = uc_calloc(1, sizeof *c);
    if (c == NULL) {
        uc_fail(e, UC_MEMORY, "no memory to listen");
        return NULL;
    }
    memcpy(c->name, name.p, name.len);
    c->seq = c->sure = (uint64_t)uc_wall_ms() << SEQ_SHIFT;
    c->last = &c->first;
    c->next = p->channels;
    p->channels = c;
    p->nchannels++;
    return c;
}

/* ---- answers; under mu ---- */

/* [number, whether something is missing, [payload, …]] */
static void pack(const uc_channel *c, uint64_t since, uint32_t id, uc_buf *out)
{
    size_t at = uc__reply_open(out);
    uint32_t n = 0;

    uc_reply_begin(out, id, UC_REPLY_VALUE, 3);
    uc_pack_array(out, 3);
    uc_pack_uint(out, c->seq);
    uc_pack_bool(out, since != 0 && (since < c->sure || since > c->seq));
    for (const notice *m = c->first; m != NULL; m = m->next)
        n += since != 0 && (m->seq > since || since > c->seq);
    uc_pack_array(out, n);
    for (const notice *m = c->first; m != NULL && n > 0; m = m->next) {
        if (m->seq > since || since > c->seq)
            uc_pack_strn(out, (const char *)m->bytes, m->len);
    }
    uc__reply_close(out, at, id);
}

static bool has_news(const uc_channel *c, uint64_t since)
{
    return c->on && (since == 0 || since != c->seq);
}

/* Replies are published under mu: a session that is about to end waits for it.
 */
static void tell(uc_session *s, uc_buf *out)
{
    uc__session_publish(s, out);
    uc_buf_fini(out);
}

static uc_listener *take(uc_listener **link)
{
    uc_listener *l = *link;

    *link = l->next;
    l->session->peer->watches--;
    l->channel->users--;
    l->channel->used = uc_now();
    return l;
}

static void answer(uc_post *p, const uc_channel *c)
{
    uc_listener **link = &p->listeners;

    while (*link != NULL) {
        uc_listener *l = *link;
        uc_buf out;

        if (l->channel != c || !has_news(c, l->since)) {
            link = &l->next;
            continue;
        }
        take(link);
        uc_buf_init(&out, SIZE_MAX);
        pack(c, l->since, l->id, &out);
        tell(l->session, &out);
        uc_free(l);
    }
}

/* ---- the op ---- */

static bool read_args(uc_call *call, uint64_t *since, uc_view *name,
                      uc_error *e)
{
    uc_reader r = call->args;

    if (!uc_read_u64(&r, since) || !uc_read_str(&r, name))
        return uc_fail(e, UC_FRAME, "listen takes [since, channel]");
    if (name->len == 0 || name->len > UC_CHANNEL ||
        memchr(name->p, 0, name->len) != NULL)
        return uc_fail(e, UC_OPTION,
                       "listen: a channel has a name of 1 to %d bytes",
                       UC_CHANNEL);
    return true;
}

static bool begin(uc_engine *e, uc_peer *p, uc_call *call, uc_buf *out,
                  uc_error *err)
{
    uc_post *post = &e->post;
    uc_channel *c;
    uc_listener *l;
    uint64_t since;
    uc_view name = {0};

    if (!read_args(call, &since, &name, err) || name.p == NULL || call->id == 0)
        return false;
    if (p->watches >= STANDING)
        return uc_fail(err, UC_BUSY,
                       "%d watch and listen calls of this handle stand already",
                       STANDING);
    c = channel_of(post, name, err);
    if (c == NULL)
        return false;
    c->used = uc_now();
    if (has_news(c, since)) {
        pack(c, since, call->id, out);
        return true;
    }
    l = uc_malloc(sizeof *l);
    if (l == NULL)
        return uc_fail(err, UC_MEMORY, "no memory to listen");
    *l = (uc_listener){post->listeners, call->session, c, call->id, since};
    post->listeners = l;
    c->users++;
    p->watches++;
    return true;
}

void uc__listen(uc_peer *p, uc_call *call)
{
    uc_engine *e = p->engine;
    uc_error err = {0};
    uc_buf out;

    uc_buf_init(&out, SIZE_MAX);
    if (e->state == UC_FAILED)
        err = e->open_error;
    else if (p->failed.code != NULL)
        err = p->failed;
    else if (e->ops->listens == NULL)
        uc_fail(&err, UC_NOT_HERE,
                "listen is not there on %s: it is PostgreSQL that notifies",
                e->ops->name);
    if (err.code == NULL) {
        uc_lock(&e->post.mu);
        begin(e, p, call, &out, &err);
        uc_unlock(&e->post.mu);
    }
    if (err.code != NULL) {
        err.outcome = "not-run";
        uc_buf_fini(&out);
        uc__refuse(call, &err);
        return;
    }
    tell(call->session, &out);
    uc__finish(call);
    e->ops->listens(e);
}

/* Under mu. session NULL: of all; id 0: all of its. */
static void end(uc_post *p, uc_session *s, uint32_t id, const uc_error *e)
{
    uc_listener **link = &p->listeners;

    while (*link != NULL) {
        uc_listener *l = *link;
        uc_buf out;

        if ((s != NULL && l->session != s) || (id != 0 && l->id != id)) {
            link = &l->next;
            continue;
        }
        take(link);
        if (e != NULL) {
            size_t at;

            uc_buf_init(&out, SIZE_MAX);
            at = uc__reply_open(&out);
            uc_reply_error(&out, l->id, e);
            uc__reply_close(&out, at, l->id);
            tell(l->session, &out);
        }
        uc_free(l);
    }
}

void uc__listen_cancel(uc_engine *e, uc_session *s, uint32_t id)
{
    uc_error err = {0};

    uc_fail(&err, UC_ABORTED, "the call was aborted");
    uc_lock(&e->post.mu);
    end(&e->post, s, id, &err);
    uc_unlock(&e->post.mu);
}

void uc__listen_end(uc_engine *e, uc_session *s, bool say)
{
    uc_error err = {0};

    uc_fail(&err, UC_CLOSED, "the store is closed");
    uc_lock(&e->post.mu);
    end(&e->post, s, 0, say ? &err : NULL);
    uc_unlock(&e->post.mu);
}

/* ---- what the engine says ---- */

static bool is_unused(const uc_channel *c)
{
    return c->users == 0 && uc_now() - c->used > UNUSED_MS * UC_MS;
}

bool uc__post_next(uc_post *p, char name[UC_CHANNEL + 1], bool *on)
{
    bool found = false;

    uc_lock(&p->mu);
    for (const uc_channel *c = p->channels; c != NULL && !found; c = c->next) {
        found = is_unused(c) || !c->on;
        *on = !is_unused(c);
        memcpy(name, c->name, sizeof c->name);
    }
    uc_unlock(&p->mu);
    return found;
}

static void forget(uc_post *p, uc_channel *gone)
{
    for (uc_channel **q = &p->channels; *q != NULL; q = &(*q)->next) {
        if (*q != gone)
            continue;
        *q = gone->next;
        p->nchannels--;
        channel_free(gone);
        return;
    }
}

void uc__post_is(uc_post *p, const char *name, bool on)
{
    uc_channel *c;

    uc_lock(&p->mu);
    c = find(p, (uc_view){(const uint8_t *)name, strlen(name)});
    if (c != NULL && !on && is_unused(c)) {
        forget(p, c);
    } else if (c != NULL) {
        /* Who has listened before may have missed something until now. */
        if (on && !c->on)
            c->sure = ++c->seq;
        c->on = on;
        answer(p, c);
    }
    uc_unlock(&p->mu);
}

static bool keep(uc_channel *c, uc_view payload)
{
    notice *n = uc_malloc(sizeof *n + payload.len);

    while (c->n > 0 &&
           (c->n == UC_NOTICES || c->bytes + payload.len > UC_NOTICE_BYTES))
        pop(c);
    c->seq++;
    if (n == NULL) {
        c->sure = c->seq;
        return false;
    }
    n->next = NULL;
    n->seq = c->seq;
    n->len = (uint32_t)payload.len;
    if (payload.len > 0)
        memcpy(n->bytes, payload.p, payload.len);
    *c->last = n;
    c->last = &n->next;
    c->n++;
    c->bytes += payload.len;
    return true;
}

void uc__post_notice(uc_post *p, uc_view channel, uc_view payload)
{
    uc_channel *c;

    uc_lock(&p->mu);
    c = find(p, channel);
    if (c != NULL) {
        keep(c, payload);
        answer(p, c);
    }
    uc_unlock(&p->mu);
}

void uc__post_lost(uc_post *p)
{
    uc_lock(&p->mu);
    for (uc_channel *c = p->channels; c != NULL; c = c->next)
        c->on = false;
    uc_unlock(&p->mu);
}

void uc__post_refuse(uc_post *p, const uc_error *e)
{
    uc_lock(&p->mu);
    end(p, NULL, 0, e);
    while (p->channels != NULL)
        forget(p, p->channels);
    uc_unlock(&p->mu);
}

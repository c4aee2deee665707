#include <string.h>

#include "cache/work.h"
#include "common/mem.h"
#include "wire/writer.h"

/*
 * Who loads what is absent: the first session that asks for a key gets a lease
 * on loading it, the others wait for what it brings (Nishtala et al., Scaling
 * Memcache at Facebook, NSDI '13, where they poll). A lease that runs out, or
 * whose session ends, goes to the first of those who wait.
 *
 * A value is handed to somebody who waits only if nothing that it was made from
 * can have changed before he asked: it was stored, which the store refuses when
 * one of its domains was dropped since the load began, or nothing at all has
 * changed between the beginning of the load and his question. Never is one that
 * may have been made from what is not committed.
 */
enum {
    FILLS = 16384,    /* loads under way */
    WAITERS = 131072, /* who waits for them */
    MESSAGE = 400     /* bytes of an error's text that are passed on */
};

static uc_view key_of(const uc_fill *f)
{
    return (uc_view){f->key, f->key_len};
}

static uc_fill **find(uc_cache *c, uint64_t hash, uc_view key)
{
    uc_fill **p = &c->fills[hash % UC_FILL_BUCKETS];

    while (*p != NULL && ((*p)->hash != hash || (*p)->key_len != key.len ||
                          memcmp((*p)->key, key.p, key.len) != 0))
        p = &(*p)->next;
    return p;
}

/* Tokens end with the number of their bucket. */
static uc_fill **find_token(uc_cache *c, uint64_t token)
{
    uc_fill **p = &c->fills[token % UC_FILL_BUCKETS];

    while (*p != NULL && (*p)->token != token)
        p = &(*p)->next;
    return p;
}

static void at_latest(uc_cache *c, int64_t at)
{
    if (at == 0)
        return;
    if (c->fills_at == 0 || at < c->fills_at)
        c->fills_at = at;
    uc__want(c, at);
}

/* The load begins anew, by s. */
static void begin(uc_cache *c, uc_fill *f, uc_session *s, int64_t lease,
                  int64_t now)
{
    f->token = ++c->next_token * UC_FILL_BUCKETS + f->hash % UC_FILL_BUCKETS;
    f->session = s;
    f->until = now + lease;
    f->born = uc_store_gen(c->store);
    f->clock = c->clock;
    f->outdated = f->unsure = false;
    at_latest(c, f->until);
}

static uc_fill *fill_new(uc_cache *c, uint64_t hash, uc_view key)
{
    uc_fill *f = uc_malloc(sizeof *f + key.len);
    uc_fill **bucket = &c->fills[hash % UC_FILL_BUCKETS];

    if (f == NULL)
        return NULL;
    f->hash = hash;
    f->first = NULL;
    f->last = &f->first;
    f->key_len = (uint32_t)key.len;
    memcpy(f->key, key.p, key.len);
    f->next = *bucket;
    *bucket = f;
    c->nfills++;
    c->loads.begun++;
    uc__update_busy(c);
    return f;
}

static uc_waiter *pop(uc_cache *c, uc_fill *f)
{
    uc_waiter *w = f->first;

    f->first = w->next;
    if (f->first == NULL)
        f->last = &f->first;
    c->nwaiters--;
    return w;
}

/* Nobody waits for it any more. */
static void fill_free(uc_cache *c, uc_fill **link)
{
    uc_fill *f = *link;

    *link = f->next;
    c->nfills--;
    uc_free(f);
    uc__update_busy(c);
}

/* ---- answers ---- */

/* [1, token, generation, old bin or nil, whether it may be served] */
static void pack_begin(uc_cache *c, const uc_fill *f, uint32_t id, int64_t now,
                       uc_buf *out)
{
    uc_hit hit;
    uc_found old = uc_store_find(c->store, key_of(f), now, false, &hit);

    uc_reply_begin(out, id, UC_REPLY_VALUE, 3);
    uc_pack_array(out, 5);
    uc_pack_uint(out, 1);
    uc_pack_uint(out, f->token);
    uc_pack_uint(out, f->born);
    if (old == UC_ABSENT)
        uc_pack_nil(out);
    else
        uc__pack_value(c, &hit, out);
    uc_pack_bool(out,
                 old == UC_FRESH || (old == UC_STALE && hit.stale_until > now));
}

/* [0, bin, ms, hash, domains, seq] */
static void pack_hit(uc_cache *c, const uc_session *s, uint32_t id, uc_view key,
                     const uc_hit *hit, bool l1, int64_t now, uc_buf *out)
{
    uc_reply_begin(out, id, UC_REPLY_VALUE, 3);
    uc_pack_array(out, 6);
    uc_pack_uint(out, 0);
    uc__pack_kept(c, s, key, hit, l1, now, out);
}

/* The same for a value that was not stored: it is not to be kept. */
static void pack_passing(uint32_t id, uint64_t hash, uc_view value, uc_buf *out)
{
    uint8_t head[5];

    uc_reply_begin(out, id, UC_REPLY_VALUE, 3);
    uc_pack_array(out, 6);
    uc_pack_uint(out, 0);
    uc_buf_put(out, head,
               (size_t)(uc_emit_bin_header(head, (uint32_t)value.len) - head));
    uc_buf_put(out, value.p, value.len);
    uc_pack_uint(out, 0);
    uc_pack_uint(out, hash);
    uc_pack_array(out, 0);
    uc_pack_uint(out, 0);
}

/* [2, bin] */
static void pack_old(uc_cache *c, uint32_t id, const uc_hit *hit, uc_buf *out)
{
    uc_reply_begin(out, id, UC_REPLY_VALUE, 3);
    uc_pack_array(out, 2);
    uc_pack_uint(out, 2);
    uc__pack_value(c, hit, out);
}

/* The waiter is first in line: it loads. */
static void pass_on(uc_cache *c, uc_fill *f, int64_t now)
{
    uc_waiter *w = pop(c, f);
    uc_buf out;
    size_t at;

    begin(c, f, w->session, w->lease, now);
    c->loads.passed++;
    uc_buf_init(&out, SIZE_MAX);
    at = uc__reply_open(&out);
    pack_begin(c, f, w->id, now, &out);
    uc__reply_close(&out, at, w->id);
    uc__session_publish(w->session, &out);
    uc_buf_fini(&out);
    uc_free(w);
}

/* What those who wait are told. */
typedef struct outcome {
    const uc_hit *hit; /* it is there (old: an old one) */
    bool old;
    uc_view value;         /* or this, which was not stored */
    const uc_error *error; /* or that it failed */
    uint64_t clock; /* only to those who came before this; UINT64_MAX: all */
} outcome;

static void tell_one(uc_cache *c, const uc_fill *f, const uc_waiter *w,
                     const outcome *o, int64_t now, uc_buf *out)
{
    size_t at = uc__reply_open(out);
    uc_error e;

    if (uc__session_full(w->session)) {
        uc_fail(&e, UC_BUSY, "too many replies wait to be read");
        e.outcome = "not-run";
        uc_reply_error(out, w->id, &e);
    } else if (o->error != NULL) {
        uc_reply_error(out, w->id, o->error);
    } else if (o->hit != NULL && o->old) {
        pack_old(c, w->id, o->hit, out);
    } else if (o->hit != NULL) {
        pack_hit(c, w->session, w->id, key_of(f), o->hit, w->l1, now, out);
    } else {
        pack_passing(w->id, f->hash, o->value, out);
    }
    uc__reply_close(out, at, w->id);
}

/* Answers those who wait, as many as may know; those of one session in a row
 * together. */
static void tell(uc_cache *c, uc_fill *f, const outcome *o, int64_t now)
{
    uc_waiter **link = &f->first;
    uc_session *s = NULL;
    uc_buf out;

    uc_buf_init(&out, SIZE_MAX);
    while (*link != NULL) {
        uc_waiter *w = *link;

        if (w->clock > o->clock) {
            link = &w->next;
            continue;
        }
        if (s != NULL && s != w->session)
            uc__session_publish(s, &out);
        s = w->session;
        tell_one(c, f, w, o, now, &out);
        *link = w->next;
        c->nwaiters--;
        c->loads.shared++;
        uc_free(w);
    }
    f->last = link;
    if (s != NULL)
        uc__session_publish(s, &out);
    uc_buf_fini(&out);
}

/* The load is over: somebody else's turn, if somebody is left. */
static void settle(uc_cache *c, uc_fill **link, int64_t now)
{
    if ((*link)->first != NULL)
        pass_on(c, *link, now);
    else
        fill_free(c, link);
}

/* ---- the ops ---- */

static bool wait_for(uc_cache *c, uc_fill *f, const uc_call *call,
                     const uc_load_options *o, uc_error *e)
{
    uc_waiter *w;

    if (c->nwaiters >= WAITERS)
        return uc_fail(e, UC_BUSY, "%d calls wait for loads already", WAITERS);
    w = uc_malloc(sizeof *w);
    if (w == NULL)
        return uc_fail(e, UC_MEMORY, "no memory to wait for a load");
    w->next = NULL;
    w->session = call->session;
    w->id = call->id;
    w->l1 = o->l1;
    w->deadline = call->deadline;
    w->lease = o->lease;
    w->clock = c->clock;
    *f->last = w;
    f->last = &w->next;
    c->nwaiters++;
    at_latest(c, w->deadline);
    return true;
}

bool uc__load(uc_cache *c, uc_call *call, uc_view key, const uc_load_options *o,
              bool stand, int64_t now, uc_buf *out, uc_error *e)
{
    uint64_t hash = uc__key_hash(key);
    uc_fill *f = *find(c, hash, key);
    uc_hit hit;
    uc_found found = uc_store_find(c->store, key, now, true, &hit);

    if (found == UC_FRESH) {
        pack_hit(c, call->session, call->id, key, &hit, o->l1, now, out);
        return true;
    }
    if (f != NULL && found == UC_STALE && o->stale && hit.stale_until > now) {
        pack_old(c, call->id, &hit, out);
        return true;
    }
    if (f != NULL) {
        if (!stand || call->id == 0)
            return false;
        return !wait_for(c, f, call, o, e);
    }
    if (c->nfills >= FILLS)
        return !uc_fail(e, UC_BUSY, "%d loads are under way already", FILLS);
    f = fill_new(c, hash, key);
    if (f == NULL)
        return !uc_fail(e, UC_MEMORY, "no memory for a load");
    begin(c, f, call->session, o->lease, now);
    pack_begin(c, f, call->id, now, out);
    return true;
}

static void failed(uc_cache *c, uc_fill *f, uc_view message, int64_t now)
{
    outcome o = {.clock = UINT64_MAX};
    size_t n = message.len < MESSAGE ? message.len : MESSAGE;
    uc_error e = {0};
    uc_found found;
    uc_hit hit;

    c->loads.failed++;
    found = uc_store_find(c->store, key_of(f), now, false, &hit);
    if (found == UC_FRESH || (found == UC_STALE && hit.error_until > now)) {
        o.hit = &hit;
        o.old = found == UC_STALE;
    } else {
        while (n < message.len && n > 0 && (message.p[n] & 0xc0) == 0x80)
            n--; /* not within a character */
        uc_fail(&e, UC_CACHE_LOAD, "%.*s", (int)n, message.p);
        o.error = &e;
    }
    tell(c, f, &o, now);
}

static void loaded(uc_cache *c, uc_fill *f, uc_view value, const uc_put *put,
                   bool keep, int64_t now, bool *stored, uint64_t *version)
{
    outcome o = {.value = value, .clock = f->clock};
    uc_put p = *put;
    uc_stored how = UC_OUTDATED;
    uc_hit hit;

    *stored = false;
    if (f->unsure || uc__is_unsure(c, f->session, &p)) {
        c->loads.outdated += keep;
        return;
    }
    p.born = f->born;
    if (keep && !f->outdated)
        how = uc_store_put(c->store, key_of(f), value, &p, now, version);
    if (keep && how == UC_OUTDATED)
        c->loads.outdated++;
    if (keep && how == UC_NO_ROOM)
        o.clock = UINT64_MAX;
    *stored = how == UC_STORED;
    if (*stored) {
        uc__holders_tell(c, &f->hash, 1, false, NULL, now);
        if (p.tied)
            c->has_tied = true;
        uc__store_changed(c, now);
        if (uc_store_find(c->store, key_of(f), now, false, &hit) == UC_FRESH)
            o.hit = &hit;
        o.clock = UINT64_MAX;
    }
    tell(c, f, &o, now);
}

void uc__loaded(uc_cache *c, const uc_session *s, uint64_t token, uc_view value,
                const uc_put *put, bool keep, uc_view message, int64_t now,
                bool *stored, uint64_t *version)
{
    uc_fill **link = find_token(c, token);

    *stored = false;
    *version = 0;
    /* Late: the lease has ended, and may be somebody else's. */
    if (*link == NULL || (*link)->session != s)
        return;
    if (message.p != NULL)
        failed(c, *link, message, now);
    else if (value.p != NULL)
        loaded(c, *link, value, put, keep, now, stored, version);
    settle(c, link, now);
}

void uc__fill_overtaken(uc_cache *c, uc_view key, bool now_there, int64_t now)
{
    uc_fill *f;
    uc_hit hit;

    if (c->nfills == 0)
        return;
    f = *find(c, uc__key_hash(key), key);
    if (f == NULL)
        return;
    f->outdated = true;
    if (now_there && f->first != NULL &&
        uc_store_find(c->store, key, now, false, &hit) == UC_FRESH)
        tell(c, f, &(outcome){.hit = &hit, .clock = UINT64_MAX}, now);
}

void uc__fills_overtaken(uc_cache *c)
{
    for (unsigned i = 0; c->nfills > 0 && i < UC_FILL_BUCKETS; i++) {
        for (uc_fill *f = c->fills[i]; f != NULL; f = f->next)
            f->outdated = true;
    }
}

/* ---- time, ends ---- */

/* Takes waiters of a fill away: those of the session (id 0: all of them), or
 * with s NULL those who have run out of time; *e, unless NULL, is their
 * answer. */
static bool dismiss(uc_cache *c, uc_fill *f, const uc_session *s, uint32_t id,
                    int64_t now, const uc_error *e)
{
    uc_waiter **link = &f->first;
    bool any = false;

    while (*link != NULL) {
        uc_waiter *w = *link;

        if (s != NULL ? w->session != s || (id != 0 && w->id != id)
                      : w->deadline == 0 || w->deadline > now) {
            link = &w->next;
            continue;
        }
        *link = w->next;
        c->nwaiters--;
        any = true;
        if (e != NULL)
            uc__stand_fail(w->session, w->id, e);
        uc_free(w);
    }
    f->last = link;
    return any;
}

void uc__fills_end(uc_cache *c, uc_session *s, const uc_error *e)
{
    int64_t now = uc_now();

    for (unsigned i = 0; c->nfills > 0 && i < UC_FILL_BUCKETS; i++) {
        uc_fill **link = &c->fills[i];

        while (*link != NULL) {
            uc_fill *f = *link;

            dismiss(c, f, s, 0, now, e);
            if (f->session == s)
                settle(c, link, now);
            if (*link == f)
                link = &f->next;
        }
    }
}

bool uc__fill_cancel(uc_cache *c, uc_session *s, uint32_t id, const uc_error *e)
{
    for (unsigned i = 0; c->nwaiters > 0 && i < UC_FILL_BUCKETS; i++) {
        for (uc_fill *f = c->fills[i]; f != NULL; f = f->next) {
            if (dismiss(c, f, s, id, 0, e))
                return true;
        }
    }
    return false;
}

static void fill_tick(uc_cache *c, uc_fill **link, int64_t now,
                      const uc_error *late)
{
    uc_fill *f = *link;

    dismiss(c, f, NULL, 0, now, late);
    if (f->until <= now)
        settle(c, link, now);
    else
        at_latest(c, f->until);
    if (*link != f)
        return;
    for (uc_waiter *w = f->first; w != NULL; w = w->next)
        at_latest(c, w->deadline);
}

void uc__fills_tick(uc_cache *c, int64_t now)
{
    uc_error late = {0};

    if (c->fills_at == 0 || now < c->fills_at) {
        uc__want(c, c->fills_at);
        return;
    }
    uc_fail(&late, UC_TIMEOUT,
            "the call's deadline passed while somebody else loaded the value");
    late.outcome = "not-run";
    c->fills_at = 0;
    for (unsigned i = 0; c->nfills > 0 && i < UC_FILL_BUCKETS; i++) {
        uc_fill **link = &c->fills[i];

        while (*link != NULL) {
            uc_fill *f = *link;

            fill_tick(c, link, now, &late);
            if (*link == f)
                link = &f->next;
        }
    }
}

void uc__fills_free(uc_cache *c)
{
    for (unsigned i = 0; i < UC_FILL_BUCKETS; i++) {
        while (c->fills[i] != NULL) {
            while (c->fills[i]->first != NULL)
                uc_free(pop(c, c->fills[i]));
            fill_free(c, &c->fills[i]);
        }
    }
}

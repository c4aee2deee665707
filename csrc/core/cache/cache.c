#include <stdio.h>
#include <string.h>

#include "cache/work.h"
#include "common/mem.h"
#include "wire/writer.h"

/* What the rest of the core calls: life, commits, time; and the ways in for a
 * door in the same process. */

enum {
    STORE_MS = 20, /* how long a put or a drop may wait for the store's tick */
    STORE_PAUSE_MS = 1,
    ROWS_MS = 60000 /* so long after a row was named changes of rows matter */
};

/* ---- life ---- */

uc_cache *uc_cache_new(uint64_t bytes, uint64_t max_value, uint64_t max_reply)
{
    uc_store_options o = {.bytes = bytes, .max_value = max_value};
    uc_cache *c = uc_calloc(1, sizeof *c);

    if (c == NULL)
        return NULL;
    if (max_value == 0 || max_value > bytes / 4)
        max_value = bytes / 4;
    c->store = uc_store_new(&o);
    if (c->store == NULL) {
        uc_free(c);
        return NULL;
    }
    atomic_init(&c->refs, 1);
    uc_mutex_init(&c->mu);
    uc_cond_init(&c->confirmed);
    c->max_value = max_value;
    c->max_reply = max_reply;
    c->seq = 1; /* 0 is what a client says that has applied nothing */
    c->last_ack = &c->acks;
    return c;
}

uc_cache *uc_cache_ref(uc_cache *c)
{
    atomic_fetch_add(&c->refs, 1);
    return c;
}

void uc_cache_unref(uc_cache *c)
{
    if (c == NULL || atomic_fetch_sub(&c->refs, 1) != 1)
        return;
    uc__fills_free(c);
    uc__holders_free(c);
    uc_store_free(c->store);
    uc_cond_fini(&c->confirmed);
    uc_mutex_fini(&c->mu);
    uc_free(c);
}

void uc__update_busy(uc_cache *c)
{
    bool tied = c->has_tied || c->nfills > 0;

    atomic_store(&c->tied, tied);
    atomic_store(&c->rows, c->has_rows || c->nfills > 0);
    atomic_store(&c->busy, tied || c->holders != NULL);
}

void uc__store_changed(uc_cache *c, int64_t now)
{
    if (c->store_at == 0) {
        c->store_at = now + STORE_MS * UC_MS;
        uc__want(c, c->store_at);
    }
}

/* ---- commits ---- */

uint64_t uc_cache_table(const char *name)
{
    return uc_domain('t', (uc_view){(const uint8_t *)name, strlen(name)});
}

/*
 * Whoever sets `busy` does so before he reads the database, and the commit is
 * before this looks at it: where it is not set yet, what is read is newer.
 */
uint64_t uc_cache_tables_changed(uc_cache *c, const uc_session *own,
                                 const uint64_t *domains, uint32_t n, bool all)
{
    enum { AT_ONCE = 64 };
    uint64_t changes[AT_ONCE], ticket = 0;
    int64_t now;

    if (!atomic_load(&c->busy))
        return 0;
    uc_lock(&c->mu);
    now = uc_now();
    c->clock++;
    if (all) {
        uc_store_drop_tied(c->store);
        c->has_tied = c->has_rows = false;
        uc__update_busy(c);
        ticket = uc__holders_tell(c, NULL, 0, true, own, now);
    }
    for (uint32_t i = 0, k; !all && i < n; i += k) {
        for (k = 0; k < AT_ONCE && i + k < n; k++) {
            uc_store_drop(c->store, domains[i + k]);
            changes[k] = domains[i + k] | UC_DOMAIN_BIT;
        }
        ticket = uc__holders_tell(c, changes, k, false, own, now);
    }
    uc__store_changed(c, now);
    uc_unlock(&c->mu);
    return ticket;
}

void uc_cache_ties(uc_cache *c, bool may)
{
    uc_lock(&c->mu);
    c->no_ties = !may;
    uc_unlock(&c->mu);
    if (!may)
        uc_cache_tables_changed(c, NULL, NULL, 0, true);
}

void uc_cache_wait(uc_cache *c, uint64_t ticket, const uc_session *own,
                   bool blocked)
{
    int64_t until;

    if (ticket == 0)
        return;
    uc_lock(&c->mu);
    while (!uc__confirmed(c, ticket, own, blocked, uc_now(), &until))
        uc_cond_wait_until(&c->confirmed, &c->mu, until);
    uc_unlock(&c->mu);
}

bool uc_cache_is_confirmed(uc_cache *c, uint64_t ticket, const uc_session *own)
{
    int64_t until;
    bool is;

    uc_lock(&c->mu);
    is = uc__confirmed(c, ticket, own, false, uc_now(), &until);
    uc_unlock(&c->mu);
    return is;
}

bool uc_cache_is_tied(const uc_cache *c)
{
    return atomic_load_explicit(&c->tied, memory_order_relaxed);
}

/* ---- rows ---- */

uint64_t uc_cache_row(const char *table, int64_t rowid)
{
    char name[UC_KEY_MAX + 24];
    int n = snprintf(name, sizeof name, "%s:%lld", table, (long long)rowid);

    if (n < 0 || (size_t)n >= sizeof name)
        return 0;
    return uc_domain('r', (uc_view){(const uint8_t *)name, (size_t)n});
}

uint64_t uc_cache_rows(const char *table)
{
    return uc_domain('R', (uc_view){(const uint8_t *)table, strlen(table)});
}

void uc__rows_used(uc_cache *c, int64_t now)
{
    atomic_store_explicit(&c->rows_at, now, memory_order_relaxed);
    if (!c->has_rows) {
        c->has_rows = true;
        uc__update_busy(c);
    }
}

bool uc_cache_wants_rows(const uc_cache *c)
{
    int64_t at = atomic_load_explicit(&c->rows_at, memory_order_relaxed);

    return at != 0 && uc_now_coarse() - at < ROWS_MS * UC_MS;
}

bool uc_cache_has_rows(const uc_cache *c)
{
    return atomic_load(&c->rows);
}

/* ---- ends ---- */

void uc_cache_cancel(uc_cache *c, uc_session *s, uint32_t id, bool timed_out)
{
    uc_error e = {0};

    if (timed_out)
        uc_fail(&e, UC_TIMEOUT, "the call's deadline passed");
    else
        uc_fail(&e, UC_ABORTED, "the call was aborted");
    e.outcome = "not-run";
    uc_lock(&c->mu);
    if (!uc__holder_cancel(c, s, id, &e))
        uc__fill_cancel(c, s, id, &e);
    uc_unlock(&c->mu);
}

void uc_cache_session_end(uc_cache *c, uc_session *s, bool say)
{
    uc_error e = {0};

    uc_fail(&e, UC_CLOSED, "the store is closed");
    e.outcome = "not-run";
    uc_lock(&c->mu);
    if (!s->cache_over) {
        s->cache_over = true;
        uc__fills_end(c, s, say ? &e : NULL);
        uc__holder_end(c, s, say ? &e : NULL);
    }
    uc_unlock(&c->mu);
}

/* ---- time ---- */

int64_t uc_cache_due(const uc_cache *c)
{
    return atomic_load(&c->due);
}

void uc_cache_promise(uc_cache *c, int64_t at)
{
    atomic_store(&c->promised, at);
}

bool uc_cache_is_impatient(const uc_cache *c)
{
    int64_t due = atomic_load(&c->due), at = atomic_load(&c->promised);

    return due != 0 && (at == 0 || due < at);
}

static void store_tick(uc_cache *c, int64_t now)
{
    int64_t least = now + STORE_PAUSE_MS * UC_MS;

    c->store_at = uc_store_tick(c->store, now);
    if (c->store_at != 0 && c->store_at < least)
        c->store_at = least;
}

void uc_cache_tick(uc_cache *c, int64_t now)
{
    uc_lock(&c->mu);
    atomic_store(&c->due, 0);
    uc__holders_tick(c, now);
    uc__fills_tick(c, now);
    if (c->store_at != 0 && c->store_at <= now)
        store_tick(c, now);
    uc__want(c, c->store_at);
    uc_unlock(&c->mu);
}

/* ---- ways in for a door in this process ---- */

size_t uc_cache_sync(uc_session *s, const uint8_t *frame, size_t len,
                     uint8_t *dst, size_t cap)
{
    uc_reader r = {frame, frame + len};
    uc_buf *out = &s->cache_left;
    uc_cache *c = s->cache;
    uc_error e;
    uc_call call;

    if (c == NULL)
        return 0;
    uc_error_init(&e);
    uc_buf_rewind(out, 0);
    if (!uc__call_parse(&call, &r, 0, true, &e)) {
        uc_reply_error(out, call.id, &e);
    } else if (call.op->lane != UC_LANE_CACHE) {
        uc_fail(&e, UC_OP, "%s is not an operation of the cache",
                call.op->name);
        uc_reply_error(out, call.id, &e);
    } else {
        call.session = s;
        if (!uc_cache_call(c, &call, UC_CACHE_BLOCK, out))
            return 0;
        if (uc_cache_is_impatient(c))
            uc__session_hurry(s);
    }
    return uc__sync_reply(out, call.id, dst, cap);
}

size_t uc_cache_sync_take(uc_session *s, uint8_t *dst, size_t cap)
{
    return uc__sync_left(&s->cache_left, dst, cap);
}

int64_t uc_cache_peek(uc_session *s, const uint8_t *key, size_t klen,
                      uint8_t *dst, size_t cap)
{
    uc_cache *c = s->cache;
    int64_t n = -1;
    uc_hit hit;

    if (c == NULL || klen == 0 || klen > UC_KEY_MAX)
        return -1;
    uc_lock(&c->mu);
    if (uc_store_find(c->store, (uc_view){key, klen}, uc_now(), true, &hit) ==
        UC_FRESH) {
        n = hit.len;
        if (hit.len <= cap)
            uc_store_copy(c->store, &hit, dst);
        else
            n = -n;
    }
    uc_unlock(&c->mu);
    return n;
}

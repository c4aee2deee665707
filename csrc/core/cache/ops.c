#include <string.h>

#include "cache/frame.h"
#include "wire/writer.h"

/* The operations: those that only look, loads, first levels; and the way into
 * all of them. */

enum { LEASE_DEFAULT_MS = 30000 };

/* ---- operations ---- */

static bool get(uc_op_call *w)
{
    uc_view key;
    uc_hit hit;

    if (!uc__arg_key(w, &w->r, &key))
        return false;
    if (uc_store_find(w->c->store, key, w->now, true, &hit) != UC_FRESH)
        return uc__answer_nil(w);
    uc_reply_begin(w->out, w->call->id, UC_REPLY_BYTES, 3);
    uc__pack_value(w->c, &hit, w->out);
    return true;
}

static bool read(uc_op_call *w)
{
    uc_view key;
    uc_hit hit;

    if (!uc__arg_key(w, &w->r, &key))
        return false;
    if (uc_store_find(w->c->store, key, w->now, true, &hit) != UC_FRESH)
        return uc__answer_nil(w);
    uc__answer_begin(w);
    uc_pack_array(w->out, 5);
    uc__pack_kept(w->c, w->call->session, key, &hit, true, w->now, w->out);
    return true;
}

static bool get_many(uc_op_call *w)
{
    uc_reader look;
    uint64_t bytes = 0;
    uint32_t n;
    uc_view key;
    uc_hit hit;

    if (!uc_read_array(&w->r, &n))
        return uc__arg_error(w, "an array of keys");
    look = w->r;
    for (uint32_t i = 0; i < n; i++) {
        if (!uc__arg_key(w, &look, &key))
            return false;
        if (uc_store_find(w->c->store, key, w->now, false, &hit) == UC_FRESH)
            bytes += hit.len;
    }
    if (bytes > w->c->max_reply)
        return uc_fail(w->e, UC_REPLY_TOO_LARGE,
                       "the values have %llu bytes together: ask for fewer at "
                       "a time (option maxReplyBytes)",
                       (unsigned long long)bytes);
    uc__answer_begin(w);
    uc_pack_array(w->out, n);
    for (uint32_t i = 0; i < n; i++) {
        uc__arg_key(w, &w->r, &key);
        if (uc_store_find(w->c->store, key, w->now, true, &hit) == UC_FRESH)
            uc__pack_value(w->c, &hit, w->out);
        else
            uc_pack_nil(w->out);
    }
    return true;
}

static bool ttl(uc_op_call *w)
{
    uc_view key;
    uc_hit hit;

    if (!uc__arg_key(w, &w->r, &key))
        return false;
    if (uc_store_find(w->c->store, key, w->now, false, &hit) != UC_FRESH)
        return uc__answer_nil(w);
    if (hit.expires == 0)
        return uc__answer_int(w, -1);
    return uc__answer_int(w, (hit.expires - w->now) / UC_MS);
}

static bool load(uc_op_call *w)
{
    uc_load_options o = {.lease = LEASE_DEFAULT_MS * UC_MS};
    uc_view key, name;
    uc_value v;
    bool ok;

    if (!uc__arg_key(w, &w->r, &key))
        return false;
    if (!uc_read(&w->r, &v) || (v.type != UC_T_NIL && v.type != UC_T_MAP))
        return uc__arg_error(w, "a key and options as a map or nil");
    for (uint32_t i = v.type == UC_T_MAP ? v.n : 0; i > 0; i--) {
        if (!uc_read_str(&w->r, &name))
            return uc__arg_error(w, "options with text as keys");
        if (uc_view_is(name, "lease"))
            ok = uc__arg_ms(w, "leaseMs", &w->r, &o.lease);
        else if (uc_view_is(name, "stale"))
            ok = uc_read_bool(&w->r, &o.stale) ||
                 uc__arg_error(w, "a flag stale");
        else if (uc_view_is(name, "l1"))
            ok = uc_read_bool(&w->r, &o.l1) || uc__arg_error(w, "a flag l1");
        else
            ok = uc_read_skip(&w->r) || uc__arg_error(w, "options it can read");
        if (!ok)
            return false;
    }
    w->stands = !uc__load(w->c, w->call, key, &o, w->mode == UC_CACHE_STAND,
                          w->now, w->out, w->e);
    return true;
}

static bool loaded(uc_op_call *w)
{
    uint64_t token, version;
    uc_view value, message = {NULL, 0};
    bool stored;
    uc_value v;
    uc_op_options o;

    if (!uc_read_u64(&w->r, &token))
        return uc__arg_error(w, "a token first");
    if (!uc__arg_bin(w, &w->r, true, &value) || !uc__arg_options(w, &w->r, &o))
        return false;
    if (!uc_read(&w->r, &v) || (v.type != UC_T_NIL && v.type != UC_T_STR))
        return uc__arg_error(w, "a message or nil at the end");
    if (v.type == UC_T_STR)
        message = v.s;
    uc__loaded(w->c, w->call->session, token, value, &o.put, o.keep, message,
               w->now, &stored, &version);
    return uc__answer_stored(w, stored, version);
}

static void number(uc_buf *b, const char *name, uint64_t n)
{
    uc_pack_str(b, name);
    uc_pack_uint(b, n);
}

static bool stats(uc_op_call *w)
{
    uc_store_stats s;
    uc_buf *b = w->out;
    uint32_t holders;
    uint64_t bytes = uc__holders_bytes(w->c, &holders);

    uc_store_stats_get(w->c->store, &s);
    uc__answer_begin(w);
    uc_pack_map(b, 16);
    number(b, "entries", s.entries);
    number(b, "bytes", s.bytes);
    number(b, "limitBytes", s.limit);
    number(b, "keyBytes", s.key_bytes);
    number(b, "valueBytes", s.value_bytes);
    number(b, "hits", s.hits);
    number(b, "misses", s.misses);
    number(b, "stale", s.stale);
    number(b, "sets", s.sets);
    number(b, "outdated", s.outdated);
    number(b, "removed", s.removed);
    uc_pack_str(b, "evicted");
    uc_pack_map(b, 5);
    number(b, "size", s.evicted.size);
    number(b, "ttl", s.evicted.ttl);
    number(b, "idle", s.evicted.idle);
    number(b, "dropped", s.evicted.dropped);
    number(b, "replaced", s.evicted.replaced);
    number(b, "domains", s.domains);
    number(b, "window", s.window);
    uc_pack_str(b, "loads");
    uc_pack_map(b, 7);
    number(b, "running", w->c->nfills);
    number(b, "waiting", w->c->nwaiters);
    number(b, "begun", w->c->loads.begun);
    number(b, "shared", w->c->loads.shared);
    number(b, "passed", w->c->loads.passed);
    number(b, "failed", w->c->loads.failed);
    number(b, "outdated", w->c->loads.outdated);
    uc_pack_str(b, "firstLevels");
    uc_pack_map(b, 2);
    number(b, "holders", holders);
    number(b, "bytes", bytes);
    return true;
}

static bool hold(uc_op_call *w)
{
    uint64_t seq;

    if (!uc_read_u64(&w->r, &seq))
        return uc__arg_error(w, "the seq that was applied last");
    w->stands = !uc__hold(w->c, w->call, seq, w->mode == UC_CACHE_STAND, w->now,
                          w->out, w->e);
    return true;
}

static bool run(uc_op_call *w)
{
    if (w->call->session->cache_over)
        return uc_fail(w->e, UC_CLOSED, "the store is closed");
    switch (w->call->op->num) {
    case UC_OP_cache_get:
        return get(w);
    case UC_OP_cache_read:
        return read(w);
    case UC_OP_cache_set:
        return uc__op_set(w);
    case UC_OP_cache_delete:
        return uc__op_delete(w);
    case UC_OP_cache_get_many:
        return get_many(w);
    case UC_OP_cache_set_many:
        return uc__op_set_many(w);
    case UC_OP_cache_touch:
        return uc__op_touch(w);
    case UC_OP_cache_ttl:
        return ttl(w);
    case UC_OP_cache_incr:
        return uc__op_incr(w);
    case UC_OP_cache_load:
        return load(w);
    case UC_OP_cache_loaded:
        return loaded(w);
    case UC_OP_cache_drop:
        return uc__op_drop(w);
    case UC_OP_cache_clear:
        return uc__op_clear(w);
    case UC_OP_cache_stats:
        return stats(w);
    case UC_OP_cache_hold:
        return hold(w);
    case UC_OP_cache_cas:
        return uc__op_cas(w);
    default:
        return uc_fail(w->e, UC_INTERNAL, "operation %s is not the cache's",
                       w->call->op->name);
    }
}

bool uc_cache_call(uc_cache *c, uc_call *call, uc_cache_mode mode, uc_buf *out)
{
    uc_error e;
    uc_op_call w = {.c = c,
                    .call = call,
                    .r = call->args,
                    .out = out,
                    .at = out->len,
                    .mode = mode,
                    .e = &e};

    uc_error_init(&e);
    uc_lock(&c->mu);
    w.now = uc_now();
    c->unsure.at_work = call->unsure ? call->session : NULL;
    run(&w);
    c->unsure.at_work = NULL;
    uc_unlock(&c->mu);
    if (w.ticket != 0)
        uc_cache_wait(c, w.ticket, call->session, mode == UC_CACHE_BLOCK);
    if (e.code != NULL) {
        uc_buf_rewind(out, w.at);
        e.outcome = "not-run";
        uc_reply_error(out, call->id, &e);
        return true;
    }
    return !w.stands;
}

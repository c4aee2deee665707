#include <string.h>
#include <strings.h>

#include "cache/work.h"
#include "wire/writer.h"

/*
 * The operations: frames to functions of the store, and replies. An op that
 * fails has changed nothing.
 */

enum {
    DROPS = 64, /* domains of one cache_drop */
    LEASE_DEFAULT_MS = 30000
};

/* 100 years: what is longer has a mistake in it. */
static const int64_t longest_ms = (int64_t)100 * 366 * 86400 * 1000;

/* One call under way. */
typedef struct work {
    uc_cache *c;
    uc_call *call;
    uc_reader r;
    uc_buf *out;
    size_t at; /* where its reply begins */
    int64_t now;
    uc_cache_mode mode;
    bool stands;
    uint64_t ticket; /* to be waited for before the reply goes out */
    uc_error *e;
} work;

/* ---- arguments ---- */

static bool frame_error(work *w, const char *expected)
{
    return uc_fail(w->e, UC_FRAME, "%s takes %s", w->call->op->name, expected);
}

static bool read_key(work *w, uc_reader *r, uc_view *key)
{
    if (!uc_read_str(r, key))
        return frame_error(w, "a key, which is text");
    if (key->len == 0 || key->len > UC_KEY_MAX)
        return uc_fail(w->e, UC_CACHE_KEY,
                       "a key has 1 to %d bytes, this one has %zu", UC_KEY_MAX,
                       key->len);
    return true;
}

/* nil where that is possible: p NULL. */
static bool read_bin(work *w, uc_reader *r, bool or_nil, uc_view *bin)
{
    static const uint8_t nothing[1];
    uc_value v;

    if (!uc_read(r, &v) ||
        (v.type != UC_T_BIN && !(or_nil && v.type == UC_T_NIL)))
        return frame_error(w, or_nil ? "a bin or nil here" : "a bin here");
    *bin = v.type == UC_T_BIN ? v.s : (uc_view){NULL, 0};
    if (v.type == UC_T_BIN && bin->p == NULL)
        bin->p = nothing;
    if (bin->len > w->c->max_value)
        return uc_fail(w->e, UC_CACHE_VALUE,
                       "a value of %zu bytes is too large: the most is %llu "
                       "(option cache.maxValueBytes)",
                       bin->len, (unsigned long long)w->c->max_value);
    return true;
}

static bool read_ms(work *w, const char *what, uc_reader *r, int64_t *ns)
{
    uc_value v;

    if (!uc_read(r, &v) || v.type != UC_T_INT || v.i < 0 || v.i > longest_ms)
        return uc_fail(w->e, UC_OPTION,
                       "%s: expected a number of milliseconds from 0 on", what);
    *ns = v.i * UC_MS;
    return true;
}

/* "#tag", "n:namespace", "t:table". */
static bool read_domain(work *w, uc_reader *r, uint64_t *hash, bool *table)
{
    uc_view s, name;
    char kind = 0;

    if (!uc_read_str(r, &s))
        return frame_error(w, "domains, which are text");
    if (s.len > 1 && s.p[0] == '#') {
        kind = '#';
        name = (uc_view){s.p + 1, s.len - 1};
    } else if (s.len > 2 && s.p[1] == ':' && (s.p[0] == 'n' || s.p[0] == 't')) {
        kind = (char)s.p[0];
        name = (uc_view){s.p + 2, s.len - 2};
    }
    if (kind == 0 || name.len > UC_KEY_MAX)
        return uc_fail(w->e, UC_OPTION,
                       "a domain is #tag, n:namespace or t:table, with a name "
                       "of 1 to %d bytes",
                       UC_KEY_MAX);
    if (kind == 't' && name.len > 5 &&
        strncasecmp((const char *)name.p, "main.", 5) == 0)
        name = (uc_view){name.p + 5, name.len - 5};
    *table = kind == 't';
    *hash = uc_domain(kind, name);
    return true;
}

typedef struct options {
    uc_put put;
    bool keep;
    uint64_t domains[UC_DOMAINS_MAX];
} options;

static bool read_domains(work *w, uc_reader *r, options *o)
{
    uint32_t n;
    bool table;

    if (!uc_read_array(r, &n))
        return frame_error(w, "domains as an array");
    if (n > UC_DOMAINS_MAX)
        return uc_fail(w->e, UC_OPTION,
                       "an entry belongs to %d tags, tables and namespaces at "
                       "most",
                       UC_DOMAINS_MAX);
    for (uint32_t i = 0; i < n; i++) {
        if (!read_domain(w, r, &o->domains[i], &table))
            return false;
        o->put.tied = o->put.tied || table;
    }
    o->put.domains = o->domains;
    o->put.ndomains = n;
    return true;
}

static bool read_options(work *w, uc_reader *r, options *o)
{
    uc_value v;
    uc_view key;
    bool flag, ok;

    memset(&o->put, 0, sizeof o->put);
    o->keep = true;
    if (!uc_read(r, &v) || (v.type != UC_T_NIL && v.type != UC_T_MAP))
        return frame_error(w, "options as a map or nil");
    for (uint32_t i = v.type == UC_T_MAP ? v.n : 0; i > 0; i--) {
        if (!uc_read_str(r, &key))
            return frame_error(w, "options with text as keys");
        if (uc_view_is(key, "t")) {
            ok = read_ms(w, "ttlMs", r, &o->put.ttl_ns);
        } else if (uc_view_is(key, "i")) {
            ok = read_ms(w, "idleMs", r, &o->put.idle_ns);
        } else if (uc_view_is(key, "s")) {
            ok = read_ms(w, "staleMs", r, &o->put.stale_ns);
        } else if (uc_view_is(key, "e")) {
            ok = read_ms(w, "staleIfErrorMs", r, &o->put.error_ns);
        } else if (uc_view_is(key, "d")) {
            ok = read_domains(w, r, o);
        } else if (uc_view_is(key, "n")) {
            ok = uc_read_bool(r, &flag) || frame_error(w, "a flag n");
            o->keep = ok && !flag;
        } else {
            ok = uc_read_skip(r) || frame_error(w, "options it can read");
        }
        if (!ok)
            return false;
    }
    return true;
}

/* ---- replies ---- */

void uc__pack_value(uc_cache *c, const uc_hit *hit, uc_buf *out)
{
    if (!uc_buf_reserve(out, 5 + (size_t)hit->len))
        return;
    out->len =
        (size_t)(uc_emit_bin_header(out->p + out->len, hit->len) - out->p);
    uc_store_copy(c->store, hit, out->p + out->len);
    out->len += hit->len;
}

void uc__pack_kept(uc_cache *c, const uc_session *s, uc_view key,
                   const uc_hit *hit, bool l1, int64_t now, uc_buf *out)
{
    uint64_t domains[UC_DOMAINS_MAX], hash = uc__key_hash(key);
    uint32_t n = uc_store_domains(c->store, hit, domains, UC_DOMAINS_MAX);
    uc_holder *h = l1 ? s->holder : NULL;
    bool kept = h != NULL && uc__holder_give(c, h, hash, domains, n);

    uc__pack_value(c, hit, out);
    if (!kept)
        uc_pack_uint(out, 0);
    else if (hit->expires == 0)
        uc_pack_nil(out);
    else
        uc_pack_int(out, hit->expires > now ? (hit->expires - now) / UC_MS : 0);
    uc_pack_uint(out, hash);
    uc_pack_array(out, n);
    for (uint32_t i = 0; i < n; i++)
        uc_pack_uint(out, domains[i]);
    uc_pack_uint(out, h != NULL ? h->last : 0);
}

void uc__stand_fail(uc_session *s, uint32_t id, const uc_error *e)
{
    uc_buf out;
    size_t at;

    uc_buf_init(&out, SIZE_MAX);
    at = uc__reply_open(&out);
    uc_reply_error(&out, id, e);
    uc__reply_close(&out, at, id);
    uc__session_publish(s, &out);
    uc_buf_fini(&out);
}

static void begin_value(work *w)
{
    uc_reply_begin(w->out, w->call->id, UC_REPLY_VALUE, 3);
}

static bool reply_nil(work *w)
{
    begin_value(w);
    uc_pack_nil(w->out);
    return true;
}

static bool reply_bool(work *w, bool b)
{
    begin_value(w);
    uc_pack_bool(w->out, b);
    return true;
}

static bool reply_int(work *w, int64_t n)
{
    begin_value(w);
    uc_pack_int(w->out, n);
    return true;
}

static bool reply_stored(work *w, bool stored, uint64_t version)
{
    begin_value(w);
    uc_pack_array(w->out, 2);
    uc_pack_bool(w->out, stored);
    uc_pack_uint(w->out, stored ? version : 0);
    return true;
}

/* ---- changes ---- */

/* A key has another value, or none. */
static void key_changed(work *w, uc_view key, bool there)
{
    uint64_t hash = uc__key_hash(key);

    w->c->clock++;
    uc__fill_overtaken(w->c, key, there, w->now);
    w->ticket =
        uc__holders_tell(w->c, &hash, 1, false, w->call->session, w->now);
    uc__store_changed(w->c, w->now);
}

static uc_stored put(work *w, uc_view key, uc_view value, const uc_put *p,
                     uint64_t *version)
{
    uc_stored how = uc_store_put(w->c->store, key, value, p, w->now, version);

    if (how != UC_STORED)
        return how;
    if (p->tied && !w->c->has_tied) {
        w->c->has_tied = true;
        uc__update_busy(w->c);
    }
    key_changed(w, key, true);
    return how;
}

/* The reply has been made: it goes out when those who have to confirm have done
 * so. */
static void hold_back(work *w)
{
    uc_buf *out = w->out;

    if (w->ticket == 0 || w->mode != UC_CACHE_STAND || w->call->id == 0 ||
        out->failed)
        return;
    if (uc__ack_later(w->c, w->call->session, w->call->id, w->ticket,
                      out->p + w->at, out->len - w->at, w->now)) {
        uc_buf_rewind(out, w->at);
        w->stands = true;
        w->ticket = 0;
    }
}

/* ---- operations ---- */

static bool get(work *w)
{
    uc_view key;
    uc_hit hit;

    if (!read_key(w, &w->r, &key))
        return false;
    if (uc_store_find(w->c->store, key, w->now, true, &hit) != UC_FRESH)
        return reply_nil(w);
    uc_reply_begin(w->out, w->call->id, UC_REPLY_BYTES, 3);
    uc__pack_value(w->c, &hit, w->out);
    return true;
}

static bool read(work *w)
{
    uc_view key;
    uc_hit hit;

    if (!read_key(w, &w->r, &key))
        return false;
    if (uc_store_find(w->c->store, key, w->now, true, &hit) != UC_FRESH)
        return reply_nil(w);
    begin_value(w);
    uc_pack_array(w->out, 5);
    uc__pack_kept(w->c, w->call->session, key, &hit, true, w->now, w->out);
    return true;
}

static bool get_many(work *w)
{
    uc_reader look;
    uint64_t bytes = 0;
    uint32_t n;
    uc_view key;
    uc_hit hit;

    if (!uc_read_array(&w->r, &n))
        return frame_error(w, "an array of keys");
    look = w->r;
    for (uint32_t i = 0; i < n; i++) {
        if (!read_key(w, &look, &key))
            return false;
        if (uc_store_find(w->c->store, key, w->now, false, &hit) == UC_FRESH)
            bytes += hit.len;
    }
    if (bytes > w->c->max_reply)
        return uc_fail(w->e, UC_REPLY_TOO_LARGE,
                       "the values have %llu bytes together: ask for fewer at "
                       "a time (option maxReplyBytes)",
                       (unsigned long long)bytes);
    begin_value(w);
    uc_pack_array(w->out, n);
    for (uint32_t i = 0; i < n; i++) {
        read_key(w, &w->r, &key);
        if (uc_store_find(w->c->store, key, w->now, true, &hit) == UC_FRESH)
            uc__pack_value(w->c, &hit, w->out);
        else
            uc_pack_nil(w->out);
    }
    return true;
}

static bool set(work *w)
{
    uint64_t version = 0;
    uc_view key, value;
    bool stored;
    options o;

    if (!read_key(w, &w->r, &key) || !read_bin(w, &w->r, false, &value) ||
        !read_options(w, &w->r, &o))
        return false;
    stored = put(w, key, value, &o.put, &version) == UC_STORED;
    reply_stored(w, stored, version);
    hold_back(w);
    return true;
}

static bool read_pair(work *w, uc_reader *r, uc_view *key, uc_view *value)
{
    uint32_t two;

    if (!uc_read_array(r, &two) || two != 2)
        return frame_error(w, "an array of [key, bin]");
    return read_key(w, r, key) && read_bin(w, r, false, value);
}

/* All are looked at before the first is stored. */
static bool set_many(work *w)
{
    uint32_t n, stored = 0;
    uc_view key, value;
    uc_reader pairs;
    options o;

    if (!uc_read_array(&w->r, &n))
        return frame_error(w, "an array of [key, bin]");
    pairs = w->r;
    for (uint32_t i = 0; i < n; i++) {
        if (!read_pair(w, &w->r, &key, &value))
            return false;
    }
    if (!read_options(w, &w->r, &o))
        return false;
    for (uint32_t i = 0; i < n; i++) {
        read_pair(w, &pairs, &key, &value);
        stored += put(w, key, value, &o.put, NULL) == UC_STORED;
    }
    reply_int(w, stored);
    hold_back(w);
    return true;
}

static bool delete (work *w)
{
    uc_view key;
    bool was;

    if (!read_key(w, &w->r, &key))
        return false;
    was = uc_store_remove(w->c->store, key, w->now);
    /* Also when it was not there: a first level may have it still, and who
     * loads it has read what is to be forgotten. */
    key_changed(w, key, false);
    reply_bool(w, was);
    hold_back(w);
    return true;
}

static bool touch(work *w)
{
    int64_t ttl = 0;
    uc_view key;
    bool was;

    if (!read_key(w, &w->r, &key) || !read_ms(w, "ttlMs", &w->r, &ttl))
        return false;
    was = uc_store_touch(w->c->store, key, ttl, w->now);
    if (was) {
        uint64_t hash = uc__key_hash(key);

        w->ticket =
            uc__holders_tell(w->c, &hash, 1, false, w->call->session, w->now);
        uc__store_changed(w->c, w->now);
    }
    reply_bool(w, was);
    hold_back(w);
    return true;
}

static bool ttl(work *w)
{
    uc_view key;
    uc_hit hit;

    if (!read_key(w, &w->r, &key))
        return false;
    if (uc_store_find(w->c->store, key, w->now, false, &hit) != UC_FRESH)
        return reply_nil(w);
    if (hit.expires == 0)
        return reply_int(w, -1);
    return reply_int(w, (hit.expires - w->now) / UC_MS);
}

/* What is there keeps its time and what it belongs to. */
static void as_it_was(work *w, const uc_hit *hit, options *o)
{
    memset(&o->put, 0, sizeof o->put);
    if (hit->expires != 0)
        o->put.ttl_ns = hit->expires - w->now;
    if (hit->stale_until != 0)
        o->put.stale_ns = hit->stale_until - hit->expires;
    if (hit->error_until != 0)
        o->put.error_ns = hit->error_until - hit->expires;
    o->put.ndomains =
        uc_store_domains(w->c->store, hit, o->domains, UC_DOMAINS_MAX);
    o->put.domains = o->domains;
    o->put.tied = o->put.ndomains > 0 && w->c->has_tied;
}

/* The integer that a value is, as msgpack. */
static bool integer_of(work *w, const uc_hit *hit, int64_t *n)
{
    uint8_t bytes[9];
    uc_reader r = {bytes, bytes + hit->len};
    uc_value v;

    if (hit->len <= sizeof bytes) {
        uc_store_copy(w->c->store, hit, bytes);
        if (uc_read(&r, &v) && r.p == r.end && v.type == UC_T_INT) {
            *n = v.i;
            return true;
        }
    }
    return uc_fail(w->e, UC_CACHE_TYPE, "incr: the value is no integer");
}

static bool incr(work *w)
{
    uint8_t bytes[9];
    int64_t n = 0;
    uc_view key;
    uc_value by;
    uc_hit hit;
    options o;

    if (!read_key(w, &w->r, &key))
        return false;
    if (!uc_read(&w->r, &by) || by.type != UC_T_INT)
        return frame_error(w, "a key and an integer");
    if (!read_options(w, &w->r, &o))
        return false;
    if (uc_store_find(w->c->store, key, w->now, true, &hit) == UC_FRESH) {
        if (!integer_of(w, &hit, &n))
            return false;
        as_it_was(w, &hit, &o);
    }
    if (__builtin_add_overflow(n, by.i, &n))
        return uc_fail(w->e, UC_CACHE_TYPE,
                       "incr: the sum is no 64-bit integer");
    if (put(w, key, (uc_view){bytes, (size_t)(uc_emit_int(bytes, n) - bytes)},
            &o.put, NULL) != UC_STORED)
        return uc_fail(w->e, UC_MEMORY, "no room to store the sum");
    reply_int(w, n);
    hold_back(w);
    return true;
}

static bool cas(work *w)
{
    uc_view key, expected, value;
    uc_found found;
    uc_hit hit;
    options o;
    bool same;

    if (!read_key(w, &w->r, &key) || !read_bin(w, &w->r, true, &expected) ||
        !read_bin(w, &w->r, false, &value) || !read_options(w, &w->r, &o))
        return false;
    found = uc_store_find(w->c->store, key, w->now, true, &hit);
    same = expected.p == NULL
               ? found != UC_FRESH
               : found == UC_FRESH &&
                     uc_store_value_is(w->c->store, &hit, expected);
    reply_bool(w, same && put(w, key, value, &o.put, NULL) == UC_STORED);
    hold_back(w);
    return true;
}

static bool load(work *w)
{
    uc_load_options o = {.lease = LEASE_DEFAULT_MS * UC_MS};
    uc_view key, name;
    uc_value v;
    bool ok;

    if (!read_key(w, &w->r, &key))
        return false;
    if (!uc_read(&w->r, &v) || (v.type != UC_T_NIL && v.type != UC_T_MAP))
        return frame_error(w, "a key and options as a map or nil");
    for (uint32_t i = v.type == UC_T_MAP ? v.n : 0; i > 0; i--) {
        if (!uc_read_str(&w->r, &name))
            return frame_error(w, "options with text as keys");
        if (uc_view_is(name, "lease"))
            ok = read_ms(w, "leaseMs", &w->r, &o.lease);
        else if (uc_view_is(name, "stale"))
            ok =
                uc_read_bool(&w->r, &o.stale) || frame_error(w, "a flag stale");
        else if (uc_view_is(name, "l1"))
            ok = uc_read_bool(&w->r, &o.l1) || frame_error(w, "a flag l1");
        else
            ok = uc_read_skip(&w->r) || frame_error(w, "options it can read");
        if (!ok)
            return false;
    }
    w->stands = !uc__load(w->c, w->call, key, &o, w->mode == UC_CACHE_STAND,
                          w->now, w->out, w->e);
    return true;
}

static bool loaded(work *w)
{
    uint64_t token, version;
    uc_view value, message = {NULL, 0};
    bool stored;
    uc_value v;
    options o;

    if (!uc_read_u64(&w->r, &token))
        return frame_error(w, "a token first");
    if (!read_bin(w, &w->r, true, &value) || !read_options(w, &w->r, &o))
        return false;
    if (!uc_read(&w->r, &v) || (v.type != UC_T_NIL && v.type != UC_T_STR))
        return frame_error(w, "a message or nil at the end");
    if (v.type == UC_T_STR)
        message = v.s;
    uc__loaded(w->c, w->call->session, token, value, &o.put, o.keep, message,
               w->now, &stored, &version);
    return reply_stored(w, stored, version);
}

static bool drop(work *w)
{
    uint64_t domains[DROPS];
    uint32_t n;
    bool table;

    if (!uc_read_array(&w->r, &n))
        return frame_error(w, "an array of domains");
    if (n > DROPS)
        return uc_fail(w->e, UC_OPTION,
                       "at most %d domains are dropped at once", DROPS);
    for (uint32_t i = 0; i < n; i++) {
        if (!read_domain(w, &w->r, &domains[i], &table))
            return false;
    }
    w->c->clock++;
    for (uint32_t i = 0; i < n; i++) {
        uc_store_drop(w->c->store, domains[i]);
        domains[i] |= UC_DOMAIN_BIT;
    }
    w->ticket =
        uc__holders_tell(w->c, domains, n, false, w->call->session, w->now);
    uc__store_changed(w->c, w->now);
    reply_nil(w);
    hold_back(w);
    return true;
}

static bool clear(work *w)
{
    w->c->clock++;
    uc_store_clear(w->c->store);
    w->c->has_tied = false;
    uc__update_busy(w->c);
    uc__fills_overtaken(w->c);
    w->ticket = uc__holders_tell(w->c, NULL, 0, true, w->call->session, w->now);
    uc__store_changed(w->c, w->now);
    reply_nil(w);
    hold_back(w);
    return true;
}

static void number(uc_buf *b, const char *name, uint64_t n)
{
    uc_pack_str(b, name);
    uc_pack_uint(b, n);
}

static bool stats(work *w)
{
    uc_store_stats s;
    uc_buf *b = w->out;
    uint32_t holders;
    uint64_t bytes = uc__holders_bytes(w->c, &holders);

    uc_store_stats_get(w->c->store, &s);
    begin_value(w);
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

static bool hold(work *w)
{
    uint64_t seq;

    if (!uc_read_u64(&w->r, &seq))
        return frame_error(w, "the seq that was applied last");
    w->stands = !uc__hold(w->c, w->call, seq, w->mode == UC_CACHE_STAND, w->now,
                          w->out, w->e);
    return true;
}

static bool run(work *w)
{
    if (w->call->session->cache_over)
        return uc_fail(w->e, UC_CLOSED, "the store is closed");
    switch (w->call->op->num) {
    case UC_OP_cache_get:
        return get(w);
    case UC_OP_cache_read:
        return read(w);
    case UC_OP_cache_set:
        return set(w);
    case UC_OP_cache_delete:
        return delete (w);
    case UC_OP_cache_get_many:
        return get_many(w);
    case UC_OP_cache_set_many:
        return set_many(w);
    case UC_OP_cache_touch:
        return touch(w);
    case UC_OP_cache_ttl:
        return ttl(w);
    case UC_OP_cache_incr:
        return incr(w);
    case UC_OP_cache_load:
        return load(w);
    case UC_OP_cache_loaded:
        return loaded(w);
    case UC_OP_cache_drop:
        return drop(w);
    case UC_OP_cache_clear:
        return clear(w);
    case UC_OP_cache_stats:
        return stats(w);
    case UC_OP_cache_hold:
        return hold(w);
    case UC_OP_cache_cas:
        return cas(w);
    default:
        return uc_fail(w->e, UC_INTERNAL, "operation %s is not the cache's",
                       w->call->op->name);
    }
}

bool uc_cache_call(uc_cache *c, uc_call *call, uc_cache_mode mode, uc_buf *out)
{
    uc_error e;
    work w = {.c = c,
              .call = call,
              .r = call->args,
              .out = out,
              .at = out->len,
              .mode = mode,
              .e = &e};

    uc_error_init(&e);
    uc_lock(&c->mu);
    w.now = uc_now();
    run(&w);
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

bool uc_cache_may_repeat(const uc_op *op)
{
    switch (op->num) {
    case UC_OP_cache_get:
    case UC_OP_cache_read:
    case UC_OP_cache_get_many:
    case UC_OP_cache_ttl:
    case UC_OP_cache_load:
    case UC_OP_cache_stats:
    case UC_OP_cache_hold:
        return true;
    default:
        return false;
    }
}

#include <string.h>

#include "cache/frame.h"
#include "wire/writer.h"

/*
 * The operations that change something: the store, then the loads that have
 * been overtaken, then the first levels of others, which the reply waits for.
 */

enum { DROPS = 64 /* domains of one cache_drop */ };

/* ---- what they have in common ---- */

/* A key has another value, or none. */
static void key_changed(uc_op_call *w, uc_view key, bool there)
{
    uint64_t hash = uc__key_hash(key);

    w->c->clock++;
    uc__fill_overtaken(w->c, key, there, w->now);
    w->ticket =
        uc__holders_tell(w->c, &hash, 1, false, w->call->session, w->now);
    uc__store_changed(w->c, w->now);
}

static uc_stored put(uc_op_call *w, uc_view key, uc_view value, const uc_put *p,
                     uint64_t *version)
{
    uc_stored how = UC_OUTDATED;

    if (uc__is_unsure(w->c, w->call->session, p))
        return how;
    how = uc_store_put(w->c->store, key, value, p, w->now, version);
    if (how != UC_STORED)
        return how;
    if (p->tied && !w->c->has_tied) {
        w->c->has_tied = true;
        uc__update_busy(w->c);
    }
    key_changed(w, key, true);
    return how;
}

/* For those whose answer says that something was stored: false with the call's
 * error when it may not be. */
static bool is_sure(uc_op_call *w, const uc_put *p)
{
    if (p->tied && w->c->no_ties)
        return uc_fail(w->e, UC_BUSY,
                       "what others write is not heard of just now: nothing "
                       "that belongs to a table is stored until it is");
    return !uc__is_unsure(w->c, w->call->session, p) ||
           uc_fail(w->e, UC_TX_OPEN,
                   "the entry belongs to a table that an open transaction of "
                   "this handle has written: change it after the commit");
}

/* The reply has been made: it goes out when those who have to confirm have done
 * so. */
static void hold_back(uc_op_call *w)
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

bool uc__op_set(uc_op_call *w)
{
    uint64_t version = 0;
    uc_view key, value;
    bool stored;
    uc_op_options o;

    if (!uc__arg_key(w, &w->r, &key) || !uc__arg_bin(w, &w->r, false, &value) ||
        !uc__arg_options(w, &w->r, &o))
        return false;
    stored = put(w, key, value, &o.put, &version) == UC_STORED;
    uc__answer_stored(w, stored, version);
    hold_back(w);
    return true;
}

static bool read_pair(uc_op_call *w, uc_reader *r, uc_view *key, uc_view *value)
{
    uint32_t two;

    if (uc_read_array(r, &two) && two == 2)
        return uc__arg_key(w, r, key) && uc__arg_bin(w, r, false, value);
    uc__arg_error(w, "an array of [key, bin]");
    return false;
}

/* All are looked at before the first is stored. */
bool uc__op_set_many(uc_op_call *w)
{
    uint32_t n, stored = 0;
    uc_view key, value;
    uc_reader pairs;
    uc_op_options o;

    if (!uc_read_array(&w->r, &n))
        return uc__arg_error(w, "an array of [key, bin]");
    pairs = w->r;
    for (uint32_t i = 0; i < n; i++) {
        if (!read_pair(w, &w->r, &key, &value))
            return false;
    }
    if (!uc__arg_options(w, &w->r, &o))
        return false;
    for (uint32_t i = 0; i < n && read_pair(w, &pairs, &key, &value); i++)
        stored += put(w, key, value, &o.put, NULL) == UC_STORED;
    uc__answer_int(w, stored);
    hold_back(w);
    return true;
}

bool uc__op_delete(uc_op_call *w)
{
    uc_view key;
    bool was;

    if (!uc__arg_key(w, &w->r, &key))
        return false;
    was = uc_store_remove(w->c->store, key, w->now);
    /* Also when it was not there: a first level may have it still, and who
     * loads it has read what is to be forgotten. */
    key_changed(w, key, false);
    uc__answer_bool(w, was);
    hold_back(w);
    return true;
}

bool uc__op_touch(uc_op_call *w)
{
    int64_t ttl = 0;
    uc_view key;
    bool was;

    if (!uc__arg_key(w, &w->r, &key) || !uc__arg_ms(w, "ttlMs", &w->r, &ttl))
        return false;
    was = uc_store_touch(w->c->store, key, ttl, w->now);
    if (was) {
        uint64_t hash = uc__key_hash(key);

        w->ticket =
            uc__holders_tell(w->c, &hash, 1, false, w->call->session, w->now);
        uc__store_changed(w->c, w->now);
    }
    uc__answer_bool(w, was);
    hold_back(w);
    return true;
}

/* What is there keeps its time and what it belongs to. */
static void as_it_was(uc_op_call *w, const uc_hit *hit, uc_op_options *o)
{
    memset(&o->put, 0, sizeof o->put);
    if (hit->expires != 0)
        o->put.ttl_ns = hit->expires - w->now;
    if (hit->stale_until != 0)
        o->put.stale_ns = hit->stale_until - hit->expires;
    if (hit->error_until != 0)
        o->put.error_ns = hit->error_until - hit->expires;
    o->put.idle_ns = hit->idle_ns;
    o->put.ndomains =
        uc_store_domains(w->c->store, hit, o->domains, UC_DOMAINS_MAX);
    o->put.domains = o->domains;
    o->put.tied = o->put.ndomains > 0 && w->c->has_tied;
}

/* The integer that a value is, as msgpack. */
static bool integer_of(uc_op_call *w, const uc_hit *hit, int64_t *n)
{
    uint8_t bytes[9];
    uc_value v;

    if (hit->len <= sizeof bytes) {
        uc_reader r = {bytes, bytes + hit->len};

        uc_store_copy(w->c->store, hit, bytes);
        if (uc_read(&r, &v) && r.p == r.end && v.type == UC_T_INT) {
            *n = v.i;
            return true;
        }
    }
    return uc_fail(w->e, UC_CACHE_TYPE, "incr: the value is no integer");
}

bool uc__op_incr(uc_op_call *w)
{
    uint8_t bytes[9];
    int64_t n = 0;
    uc_view key;
    uc_value by;
    uc_hit hit;
    uc_op_options o;

    if (!uc__arg_key(w, &w->r, &key))
        return false;
    if (!uc_read(&w->r, &by) || by.type != UC_T_INT)
        return uc__arg_error(w, "a key and an integer");
    if (!uc__arg_options(w, &w->r, &o))
        return false;
    if (uc_store_find(w->c->store, key, w->now, true, &hit) == UC_FRESH) {
        if (!integer_of(w, &hit, &n))
            return false;
        as_it_was(w, &hit, &o);
    }
    if (!is_sure(w, &o.put))
        return false;
    if (__builtin_add_overflow(n, by.i, &n))
        return uc_fail(w->e, UC_CACHE_TYPE,
                       "incr: the sum is no 64-bit integer");
    if (put(w, key, (uc_view){bytes, (size_t)(uc_emit_int(bytes, n) - bytes)},
            &o.put, NULL) != UC_STORED)
        return uc_fail(w->e, UC_MEMORY, "no room to store the sum");
    uc__answer_int(w, n);
    hold_back(w);
    return true;
}

bool uc__op_cas(uc_op_call *w)
{
    uc_view key, expected, value;
    uc_found found;
    uc_hit hit;
    uc_op_options o;
    bool same;

    if (!uc__arg_key(w, &w->r, &key) ||
        !uc__arg_bin(w, &w->r, true, &expected) ||
        !uc__arg_bin(w, &w->r, false, &value) || !uc__arg_options(w, &w->r, &o))
        return false;
    if (!is_sure(w, &o.put))
        return false;
    found = uc_store_find(w->c->store, key, w->now, true, &hit);
    same = expected.p == NULL
               ? found != UC_FRESH
               : found == UC_FRESH &&
                     uc_store_value_is(w->c->store, &hit, expected);
    uc__answer_bool(w, same && put(w, key, value, &o.put, NULL) == UC_STORED);
    hold_back(w);
    return true;
}

bool uc__op_drop(uc_op_call *w)
{
    uint64_t domains[2 * DROPS];
    uint32_t n, all = 0;
    uc_arg_domain d = {0};

    if (!uc_read_array(&w->r, &n))
        return uc__arg_error(w, "an array of domains");
    if (n > DROPS)
        return uc_fail(w->e, UC_OPTION,
                       "at most %d domains are dropped at once", DROPS);
    for (uint32_t i = 0; i < n; i++) {
        if (!uc__arg_domain(w, &w->r, &d))
            return false;
        domains[all++] = d.hash;
        if (d.tied && !d.row)
            domains[all++] = d.rows;
    }
    w->c->clock++;
    for (uint32_t i = 0; i < all; i++) {
        uc_store_drop(w->c->store, domains[i]);
        domains[i] |= UC_DOMAIN_BIT;
    }
    w->ticket =
        uc__holders_tell(w->c, domains, all, false, w->call->session, w->now);
    uc__store_changed(w->c, w->now);
    uc__answer_nil(w);
    hold_back(w);
    return true;
}

bool uc__op_clear(uc_op_call *w)
{
    w->c->clock++;
    uc_store_clear(w->c->store);
    w->c->has_tied = w->c->has_rows = false;
    uc__update_busy(w->c);
    uc__fills_overtaken(w->c);
    w->ticket = uc__holders_tell(w->c, NULL, 0, true, w->call->session, w->now);
    uc__store_changed(w->c, w->now);
    uc__answer_nil(w);
    hold_back(w);
    return true;
}

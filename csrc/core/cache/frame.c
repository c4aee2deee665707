#include "cache/frame.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "wire/writer.h"

/* Frames of the cache: what its calls bring, and what they are answered. */

/* 100 years: what is longer has a mistake in it. */
static const int64_t longest_ms = (int64_t)100 * 366 * 86400 * 1000;

/* ---- arguments ---- */

bool uc__arg_error(uc_op_call *w, const char *expected)
{
    return uc_fail(w->e, UC_FRAME, "%s takes %s", w->call->op->name, expected);
}

bool uc__arg_key(uc_op_call *w, uc_reader *r, uc_view *key)
{
    if (!uc_read_str(r, key))
        return uc__arg_error(w, "a key, which is text");
    if (key->len == 0 || key->len > UC_KEY_MAX)
        return uc_fail(w->e, UC_CACHE_KEY,
                       "a key has 1 to %d bytes, this one has %zu", UC_KEY_MAX,
                       key->len);
    return true;
}

/* nil where that is possible: p NULL. */
bool uc__arg_bin(uc_op_call *w, uc_reader *r, bool or_nil, uc_view *bin)
{
    static const uint8_t nothing[1];
    uc_value v;

    if (!uc_read(r, &v) ||
        (v.type != UC_T_BIN && !(or_nil && v.type == UC_T_NIL)))
        return uc__arg_error(w, or_nil ? "a bin or nil here" : "a bin here");
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

bool uc__arg_ms(uc_op_call *w, const char *what, uc_reader *r, int64_t *ns)
{
    uc_value v;

    if (!uc_read(r, &v) || v.type != UC_T_INT || v.i < 0 || v.i > longest_ms)
        return uc_fail(w->e, UC_OPTION,
                       "%s: expected a number of milliseconds from 0 on", what);
    *ns = v.i * UC_MS;
    return true;
}

/* Takes the rowid off the end of "table:rowid": a 64-bit integer, written in
 * the one way that there is. */
static bool split_row(uc_view *name)
{
    char text[24], again[24];
    size_t n = 0;
    char *end;

    while (n < name->len && name->p[name->len - 1 - n] != ':')
        n++;
    if (n == 0 || n >= sizeof text || n + 2 > name->len)
        return false;
    memcpy(text, name->p + name->len - n, n);
    text[n] = '\0';
    snprintf(again, sizeof again, "%lld", strtoll(text, &end, 10));
    name->len -= n + 1;
    return end == text + n && strcmp(text, again) == 0;
}

bool uc__arg_domain(uc_op_call *w, uc_reader *r, uc_arg_domain *d)
{
    uc_view s, name, table;
    char kind = 0;

    if (!uc_read_str(r, &s))
        return uc__arg_error(w, "domains, which are text");
    if (s.len > 1 && s.p[0] == '#') {
        kind = '#';
        name = (uc_view){s.p + 1, s.len - 1};
    } else if (s.len > 2 && s.p[1] == ':' &&
               (s.p[0] == 'n' || s.p[0] == 't' || s.p[0] == 'r')) {
        kind = (char)s.p[0];
        name = (uc_view){s.p + 2, s.len - 2};
    }
    if (kind == 0 || name.len > UC_KEY_MAX)
        return uc_fail(w->e, UC_OPTION,
                       "a domain is #tag, n:namespace, t:table or "
                       "r:table:rowid, with a name of 1 to %d bytes",
                       UC_KEY_MAX);
    d->row = kind == 'r';
    d->tied = d->row || kind == 't';
    d->rows = 0;
    if (d->tied && name.len > 5 &&
        strncasecmp((const char *)name.p, "main.", 5) == 0)
        name = (uc_view){name.p + 5, name.len - 5};
    d->hash = uc_domain(kind, name);
    table = name;
    if (d->row && !split_row(&table))
        return uc_fail(w->e, UC_OPTION,
                       "r:%.*s: expected a table, a colon and a rowid, a "
                       "64-bit integer",
                       (int)name.len, (const char *)name.p);
    if (d->tied)
        d->rows = uc_domain('R', table);
    return true;
}

/* One of those that an entry belongs to. */
static bool belongs(uc_op_call *w, uc_op_options *o, uint64_t hash)
{
    for (uint32_t i = 0; i < o->put.ndomains; i++) {
        if (o->domains[i] == hash)
            return true;
    }
    if (o->put.ndomains == UC_DOMAINS_MAX)
        return uc_fail(w->e, UC_OPTION,
                       "an entry belongs to %d tags, tables, rows and "
                       "namespaces at most",
                       UC_DOMAINS_MAX);
    o->domains[o->put.ndomains++] = hash;
    return true;
}

static bool read_domains(uc_op_call *w, uc_reader *r, uc_op_options *o)
{
    uint32_t n;
    uc_arg_domain d = {0};

    if (!uc_read_array(r, &n))
        return uc__arg_error(w, "domains as an array");
    o->put.domains = o->domains;
    o->put.ndomains = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (!uc__arg_domain(w, r, &d) || !belongs(w, o, d.hash) ||
            (d.row && !belongs(w, o, d.rows)))
            return false;
        o->put.tied = o->put.tied || d.tied;
        if (d.row)
            uc__rows_used(w->c, w->now);
    }
    return true;
}

bool uc__arg_options(uc_op_call *w, uc_reader *r, uc_op_options *o)
{
    uc_value v;
    uc_view key;
    bool flag, ok;

    memset(&o->put, 0, sizeof o->put);
    o->keep = true;
    if (!uc_read(r, &v) || (v.type != UC_T_NIL && v.type != UC_T_MAP))
        return uc__arg_error(w, "options as a map or nil");
    for (uint32_t i = v.type == UC_T_MAP ? v.n : 0; i > 0; i--) {
        if (!uc_read_str(r, &key))
            return uc__arg_error(w, "options with text as keys");
        if (uc_view_is(key, "t")) {
            ok = uc__arg_ms(w, "ttlMs", r, &o->put.ttl_ns);
        } else if (uc_view_is(key, "i")) {
            ok = uc__arg_ms(w, "idleMs", r, &o->put.idle_ns);
        } else if (uc_view_is(key, "s")) {
            ok = uc__arg_ms(w, "staleMs", r, &o->put.stale_ns);
        } else if (uc_view_is(key, "e")) {
            ok = uc__arg_ms(w, "staleIfErrorMs", r, &o->put.error_ns);
        } else if (uc_view_is(key, "d")) {
            ok = read_domains(w, r, o);
        } else if (uc_view_is(key, "n")) {
            ok = uc_read_bool(r, &flag) || uc__arg_error(w, "a flag n");
            o->keep = ok && !flag;
        } else {
            ok = uc_read_skip(r) || uc__arg_error(w, "options it can read");
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
    int64_t until = hit->expires;

    /* Nobody sees it being read in a first level: it is asked for here often
     * enough for its idle time to start anew. */
    if (hit->idle_ns != 0 && (until == 0 || now + hit->idle_ns / 4 < until))
        until = now + hit->idle_ns / 4;
    uc__pack_value(c, hit, out);
    if (!kept)
        uc_pack_uint(out, 0);
    else if (until == 0)
        uc_pack_nil(out);
    else
        uc_pack_int(out, until > now ? (until - now) / UC_MS : 0);
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

void uc__answer_begin(uc_op_call *w)
{
    uc_reply_begin(w->out, w->call->id, UC_REPLY_VALUE, 3);
}

bool uc__answer_nil(uc_op_call *w)
{
    uc__answer_begin(w);
    uc_pack_nil(w->out);
    return true;
}

bool uc__answer_bool(uc_op_call *w, bool b)
{
    uc__answer_begin(w);
    uc_pack_bool(w->out, b);
    return true;
}

bool uc__answer_int(uc_op_call *w, int64_t n)
{
    uc__answer_begin(w);
    uc_pack_int(w->out, n);
    return true;
}

bool uc__answer_stored(uc_op_call *w, bool stored, uint64_t version)
{
    uc__answer_begin(w);
    uc_pack_array(w->out, 2);
    uc_pack_bool(w->out, stored);
    uc_pack_uint(w->out, stored ? version : 0);
    return true;
}

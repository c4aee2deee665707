#include "doors/http/who.h"

#include <string.h>

#include "common/mem.h"
#include "common/sha256.h"
#include "desk/op.h"
#include "doors/http/caller.h"
#include "routes/person.h"
#include "wire/json.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum {
    HEX = 2 * UC_SHA256_BYTES,
    KEEP_BYTES = 16 * 1024, /* of a frame that is over */
    /* As of lib/kit/session: what is cached is asked for by then, or read
     * again; and who ends while it reads a row does not hold up the others for
     * longer. */
    CACHED_MS = 10 * 60 * 1000,
    READ_MS = 5000
};

static const char sql[] =
    "select case when typeof(\"user\") in ('integer', 'text') then \"user\" "
    "end as \"user\", roles, expires from session where key = ? and id = ?";

/* Beside that of JavaScript, whose values are others. */
static const char key_front[] = "undercroft.session.http ";

struct http_who {
    uint32_t number;       /* of the request */
    http_serving *serving; /* its own, referenced: its routes stay */
    bool asks_row;         /* not the cache */
    bool leased;           /* the cache waits for the row */
    uint64_t lease;
    uint8_t id[UC_SHA256_BYTES];
    uc_buf frame; /* of the request, without its facts */
    uc_buf row;   /* what was read */
    bool audit;
    uint8_t ip_len;
    char ip[HTTP_IP];
};

http_who *http_who_new(void)
{
    http_who *w = uc_calloc(1, sizeof *w);

    if (w == NULL)
        return NULL;
    uc_buf_init(&w->frame, SIZE_MAX);
    uc_buf_init(&w->row, SIZE_MAX);
    return w;
}

void http_who_free(http_who *w)
{
    if (w == NULL)
        return;
    http_serving_unref(w->serving);
    uc_buf_fini(&w->frame);
    uc_buf_fini(&w->row);
    uc_free(w);
}

size_t http_who_held(const http_who *w)
{
    return w != NULL ? sizeof *w + w->frame.cap + w->row.cap : 0;
}

static void empty(uc_buf *b)
{
    if (b->cap > KEEP_BYTES)
        uc_buf_fini(b);
    uc_buf_rewind(b, 0);
}

void http_who_end(http_who *w)
{
    http_serving_unref(w->serving);
    w->serving = NULL;
    empty(&w->frame);
    empty(&w->row);
}

/* ---- whether ---- */

/* Whether the answer depends on who it is. Of a POST the line of audit says it,
 * and a key belongs to one user. @rate by user has @auth. */
static bool wants_user(const uc_route *route)
{
    if (!route->is_public || route->method == UC_METHOD_POST)
        return true;
    for (uint32_t i = 0; i < route->nparams; i++) {
        const uc_param *p = &route->params[i];

        if (p->type == UC_PARAM_GIVEN &&
            (p->given == UC_GIVEN_user || p->given == UC_GIVEN_roles))
            return true;
    }
    return false;
}

static const uc_route *route_of(const http_serving *serving,
                                const http_request *q)
{
    const uint8_t *end = memchr(q->target.p, '?', q->target.len);
    uc_view path = q->target;
    bool is_post = q->verb == HTTP_VERB_POST;

    if (q->verb == HTTP_VERB_OPTIONS)
        return NULL;
    if (end != NULL)
        path.len = (size_t)(end - q->target.p);
    return uc_routes_find(serving->known,
                          is_post ? UC_METHOD_POST : UC_METHOD_GET, path);
}

bool http_who_asks(const http_cookie_names *names, bool https,
                   const http_serving *serving, const http_request *q,
                   uc_view *token)
{
    const uc_route *route;

    if (names->plain[0] == '\0' ||
        !http_cookie(q, https || names->secure ? names->host : names->plain,
                     token))
        return false;
    route = route_of(serving, q);
    return route != NULL && wants_user(route);
}

/* ---- what is asked ---- */

/* The row's key: the first 64 bits, the highest byte first. */
static int64_t key_of(const uint8_t id[UC_SHA256_BYTES])
{
    uint64_t key = 0;

    for (unsigned i = 0; i < 8; i++)
        key = key << 8 | id[i];
    return (int64_t)key;
}

static void pack_name(const http_who *w, uc_buf *out)
{
    static const char digits[] = "0123456789abcdef";
    char name[sizeof key_front - 1 + HEX], *p = name + sizeof key_front - 1;

    memcpy(name, key_front, sizeof key_front - 1);
    for (unsigned i = 0; i < UC_SHA256_BYTES; i++) {
        *p++ = digits[w->id[i] >> 4];
        *p++ = digits[w->id[i] & 15];
    }
    uc_pack_strn(out, name, sizeof name);
}

static void ask_cache(const http_who *w, uc_buf *out)
{
    http_frame_front(out, w->number, UC_OP_cache_load, 2);
    pack_name(w, out);
    uc_pack_map(out, 1);
    uc_pack_str(out, "lease");
    uc_pack_uint(out, READ_MS);
}

static http_who_news ask_row(http_who *w, uc_buf *out, http_whom *whom)
{
    w->asks_row = true;
    http_frame_front(out, w->number, UC_OP_json, 3);
    uc_pack_str(out, sql);
    uc_pack_uint(out, 0);
    uc_pack_array(out, 2);
    uc_pack_int(out, key_of(w->id));
    http_frame_bin(out, (uc_view){w->id, sizeof w->id});
    whom->frames++;
    return HTTP_WHO_WAITS;
}

/* The entry belongs to the row, whether it is there or not. */
static void pack_tie(const http_who *w, uc_buf *out)
{
    static const char front[] = "r:session:";
    uint8_t domain[sizeof front + 24], *end = domain + sizeof front - 1;

    memcpy(domain, front, sizeof front - 1);
    end = uc_emit_digits(end, key_of(w->id));
    uc_pack_array(out, 1);
    uc_pack_strn(out, domain, (size_t)(end - domain));
}

/* nil is handed to those who wait for the same, and takes no room: a token that
 * somebody has made up. */
static void pack_how(const http_who *w, bool is_nil, uc_buf *out)
{
    uc_pack_map(out, 2U + is_nil);
    uc_pack_str(out, "t");
    uc_pack_uint(out, CACHED_MS);
    uc_pack_str(out, "d");
    pack_tie(w, out);
    if (is_nil) {
        uc_pack_str(out, "n");
        uc_pack_bool(out, true);
    }
}

static bool is_nil(uc_view packed)
{
    return packed.len == 1 && packed.p[0] == 0xc0;
}

/* What the cache has waited for; nobody is told whether it is stored. packed
 * empty: whoever waits for the same has to ask. */
static void give(http_who *w, uc_view packed, uc_buf *out, http_whom *whom)
{
    if (!w->leased)
        return;
    w->leased = false;
    http_frame_front(out, 0, UC_OP_cache_loaded, 4);
    uc_pack_uint(out, w->lease);
    if (packed.len == 0) {
        uc_pack_nil(out);
        uc_pack_nil(out);
    } else {
        http_frame_bin(out, packed);
        pack_how(w, is_nil(packed), out);
    }
    uc_pack_nil(out);
    whom->frames++;
}

/* ---- replies ---- */

static http_who_news fault(http_whom *whom, const char *why)
{
    whom->why = why;
    return HTTP_WHO_FAULT;
}

static http_who_news take_person(uc_view packed, int64_t now_ms,
                                 http_whom *whom)
{
    uc_person person;

    if (is_nil(packed))
        return HTTP_WHO_KNOWN;
    if (!uc_person_read(packed, &person))
        return fault(whom, "what the cache has is none");
    if (person.expires > now_ms) {
        whom->user = person.user;
        whom->roles = person.roles;
    }
    return HTTP_WHO_KNOWN;
}

/* [0, bin, …], [1, token, …] or [2, bin] */
static http_who_news take_cached(http_who *w, uc_reader r, int64_t now_ms,
                                 uc_buf *out, http_whom *whom)
{
    uint32_t n, kind;
    uc_value v;

    if (!uc_read_array(&r, &n) || !uc_read_u32(&r, &kind) || !uc_read(&r, &v))
        return fault(whom, "the cache could not be understood");
    if (kind != 1 && v.type == UC_T_BIN)
        return take_person(v.s, now_ms, whom);
    w->leased = kind == 1 && v.type == UC_T_INT;
    if (w->leased)
        w->lease = (uint64_t)v.i;
    return ask_row(w, out, whom);
}

static http_who_news take_row(http_who *w, uc_reader r, int64_t now_ms,
                              uc_buf *out, http_whom *whom)
{
    uc_person_found found = UC_PERSON_FAULTY;
    uc_value json;

    uc_buf_rewind(&w->row, 0);
    if (uc_read(&r, &json) && json.type == UC_T_BIN)
        found = uc_person_pack(json.s, &w->row);
    if (found == UC_PERSON_NONE)
        uc_pack_nil(&w->row);
    give(w, (uc_view){w->row.p, w->row.len}, out, whom);
    if (found == UC_PERSON_FAULTY || w->row.len == 0)
        return fault(whom, "its row has not what docs/session.md says");
    return take_person((uc_view){w->row.p, w->row.len}, now_ms, whom);
}

/* A database without the table has no sessions. */
static bool has_no_table(const http_failure *f)
{
    return uc_view_is(f->message, "no such table: session");
}

static http_who_news take_error(http_who *w, uc_view frame, uc_buf *out,
                                http_whom *whom)
{
    http_failure f;
    http_answer a;
    uint32_t id;

    if (!http_frame_answer(frame, &id, &a, NULL, 0, &f))
        return HTTP_WHO_FAILURE;
    if (!w->asks_row && uc_view_is(f.code, "UC_NO_CACHE"))
        return ask_row(w, out, whom);
    give(w, (uc_view){0}, out, whom);
    whom->no_table = w->asks_row && has_no_table(&f);
    return whom->no_table ? HTTP_WHO_KNOWN : HTTP_WHO_FAILURE;
}

http_who_news http_who_take(http_who *w, uc_view frame, int64_t now_ms,
                            uc_buf *out, http_whom *whom)
{
    uc_reader r = {frame.p, frame.p + frame.len};
    uint32_t n, id, kind;

    *whom = (http_whom){0};
    if (!uc_read_array(&r, &n) || !uc_read_u32(&r, &id) ||
        !uc_read_u32(&r, &kind))
        return HTTP_WHO_FAILURE;
    if (kind == UC_REPLY_ERROR)
        return take_error(w, frame, out, whom);
    if (kind == UC_REPLY_VALUE && !w->asks_row)
        return take_cached(w, r, now_ms, out, whom);
    if (kind == UC_REPLY_BYTES && w->asks_row)
        return take_row(w, r, now_ms, out, whom);
    return fault(whom, "the core could not be understood");
}

/* ---- the request ---- */

void http_who_begin(http_who *w, uint32_t number, http_serving *serving,
                    const http_request *q, const http_facts *facts,
                    uc_view token, uc_buf *out)
{
    w->number = number;
    w->serving = http_serving_ref(serving);
    w->asks_row = w->leased = false;
    w->audit = facts->audit;
    w->ip_len = (uint8_t)facts->ip.len;
    if (facts->ip.len > 0)
        memcpy(w->ip, facts->ip.p, facts->ip.len);
    uc_sha256(token, w->id);
    http_frame_begin(&w->frame, number, serving, q, facts->host);
    ask_cache(w, out);
    if (w->frame.failed)
        out->failed = true;
}

void http_who_send(const http_who *w, const http_whom *whom, uc_view id,
                   uc_buf *out)
{
    http_facts facts = {.ip = {(const uint8_t *)w->ip, w->ip_len},
                        .id = id,
                        .audit = w->audit,
                        .user = whom->user,
                        .roles = whom->roles};

    uc_buf_put(out, w->frame.p, w->frame.len);
    http_frame_facts(out, &facts);
}

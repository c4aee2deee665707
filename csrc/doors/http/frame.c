#include "doors/http/frame.h"

#include <string.h>

#include "desk/op.h"
#include "wire/reader.h"
#include "wire/writer.h"

/* ---- requests ---- */

static bool is_wanted(uc_view name, const http_wanted *wanted)
{
    for (uint32_t i = 0; i < wanted->n; i++) {
        if (name.len == wanted->names[i].len &&
            memcmp(name.p, wanted->names[i].p, name.len) == 0)
            return true;
    }
    return false;
}

static void put_view(uc_buf *out, uc_view v)
{
    uc_pack_strn(out, v.p, v.len);
}

static void put_headers(uc_buf *out, const http_request *q,
                        const http_wanted *wanted, uc_view host)
{
    uint8_t chosen[HTTP_HEADERS];
    uint32_t n = 0;

    for (uint32_t i = 0; i < q->nheaders; i++) {
        if (is_wanted(q->headers[i].name, wanted))
            chosen[n++] = (uint8_t)i;
    }
    uc_pack_array(out, 2 * n);
    for (uint32_t i = 0; i < n; i++) {
        const http_header *h = &q->headers[chosen[i]];
        bool replaced = host.len > 0 && uc_view_is(h->name, "host");

        put_view(out, h->name);
        put_view(out, replaced ? host : h->value);
    }
}

void http_frame_bin(uc_buf *out, uc_view v)
{
    if (uc_buf_reserve(out, 5)) {
        uint8_t *p = uc_emit_bin_header(out->p + out->len, (uint32_t)v.len);

        out->len = (size_t)(p - out->p);
        uc_buf_put(out, v.p, v.len);
    }
}

void http_frame_front(uc_buf *out, uint32_t id, uint8_t op, uint8_t args)
{
    uint8_t front[8] = {(uint8_t)(0x93 + args), op}; /* op, id, meta */

    uc_emit_u32(front + 2, id);
    front[7] = 0xc0;
    uc_buf_put(out, front, sizeof front);
}

void http_frame_begin(uc_buf *out, uint32_t id, const http_serving *serving,
                      const http_request *q, uc_view host)
{
    http_frame_front(out, id, UC_OP_request, 6);
    uc_pack_uint(out, serving->set);
    put_view(out, q->method);
    put_view(out, q->target);
    put_headers(out, q, &serving->wanted, host);
    if (q->body.len == 0)
        uc_pack_nil(out);
    else
        http_frame_bin(out, q->body);
}

void http_frame_facts(uc_buf *out, const http_facts *facts)
{
    bool is_known = facts->user.len > 0;

    uc_pack_map(out,
                1U + (facts->ip.len > 0) + facts->audit + (is_known ? 2U : 0U));
    uc_pack_str(out, "id");
    put_view(out, facts->id);
    if (facts->ip.len > 0) {
        uc_pack_str(out, "ip");
        put_view(out, facts->ip);
    }
    if (facts->audit) {
        uc_pack_str(out, "audit");
        uc_pack_bool(out, true);
    }
    if (is_known) {
        uc_pack_str(out, "user");
        uc_buf_put(out, facts->user.p, facts->user.len);
        uc_pack_str(out, "roles");
        uc_buf_put(out, facts->roles.p, facts->roles.len);
    }
}

void http_frame_request(uc_buf *out, uint32_t id, const http_serving *serving,
                        const http_request *q, const http_facts *facts)
{
    http_frame_begin(out, id, serving, q, facts->host);
    http_frame_facts(out, facts);
}

void http_frame_ask(uc_buf *out, uint32_t id, uint8_t op)
{
    http_frame_front(out, id, op, 0);
}

/* ---- answers ---- */

static bool read_headers(uc_reader *r, http_answer *a, http_header *headers,
                         uint32_t most)
{
    uint32_t n;

    if (!uc_read_array(r, &n) || n % 2 != 0 || n / 2 > most)
        return false;
    a->headers = headers;
    a->nheaders = n / 2;
    for (uint32_t i = 0; i < a->nheaders; i++) {
        if (!uc_read_str(r, &headers[i].name) ||
            !uc_read_str(r, &headers[i].value))
            return false;
    }
    return true;
}

static bool read_answer(uc_reader *r, http_answer *a, http_header *headers,
                        uint32_t most)
{
    uc_value body;
    uint32_t status;

    if (!uc_read_u32(r, &status) || !uc_read_str(r, &a->type) ||
        !uc_read(r, &body) || body.type != UC_T_BIN)
        return false;
    a->status = status != 0 ? status : 404;
    a->body = body.s;
    if (!read_headers(r, a, headers, most))
        return false;
    return r->p == r->end || uc_read_str(r, &a->audit);
}

static bool read_error(uc_reader *r, http_failure *f)
{
    uc_value map;

    if (!uc_read(r, &map) || map.type != UC_T_MAP)
        return false;
    for (uint32_t i = 0; i < map.n; i++) {
        uc_view key, *to = NULL;

        if (!uc_read_str(r, &key))
            return false;
        if (uc_view_is(key, "code"))
            to = &f->code;
        else if (uc_view_is(key, "kind"))
            to = &f->kind;
        else if (uc_view_is(key, "message"))
            to = &f->message;
        else if (uc_view_is(key, "audit"))
            to = &f->audit;
        if (!(to != NULL ? uc_read_str(r, to) : uc_read_skip(r)))
            return false;
    }
    f->failed = true;
    return true;
}

static uc_view text(const char *s)
{
    return (uc_view){(const uint8_t *)s, strlen(s)};
}

/* Nothing of the failure itself reaches a client. */
static void answer_failure(http_answer *a, const http_failure *f)
{
    bool late = uc_view_is(f->kind, "timeout");
    bool busy = uc_view_is(f->kind, "busy") || uc_view_is(f->kind, "closed");

    a->status = busy ? 503 : 500;
    a->nheaders = busy;
    a->headers = &http_retry_after;
    a->type = text("text/plain; charset=utf-8");
    a->body = text(late ? "timed out" : busy ? "busy" : "internal error");
}

bool http_frame_answer(uc_view frame, uint32_t *id, http_answer *a,
                       http_header *headers, uint32_t most, http_failure *f)
{
    uc_reader r = {frame.p, frame.p + frame.len};
    uint32_t n, kind;

    *a = (http_answer){0};
    *f = (http_failure){0};
    if (!uc_read_array(&r, &n) || !uc_read_u32(&r, id) ||
        !uc_read_u32(&r, &kind))
        return false;
    if (kind == UC_REPLY_ANSWER)
        return read_answer(&r, a, headers, most);
    if (kind != UC_REPLY_ERROR || !read_error(&r, f))
        return false;
    answer_failure(a, f);
    a->audit = f->audit;
    return true;
}

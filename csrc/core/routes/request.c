#include "routes/request.h"

#include "routes/input.h"
#include "routes/value.h"

enum {
    TEXT_MOST = 32 * 1024, /* bytes of all problems of a request */
    KEY_MOST = 255,
    /* What values may take: so much, and for each byte of a target or body. An
     * empty object of JSON, three bytes with its comma, takes some 200. */
    MEMORY = 2 * 1024 * 1024,
    MEMORY_PER_BYTE = 96
};

void uc_request_init(uc_request *q)
{
    uc_arena_init(&q->mem, SIZE_MAX);
    uc_buf_init(&q->text, TEXT_MOST);
    q->refusal = UC_REFUSAL_NONE;
    q->route = NULL;
}

void uc_request_fini(uc_request *q)
{
    uc_arena_fini(&q->mem);
    uc_buf_fini(&q->text);
}

/* ---- parameters ---------------------------------------------------------- */

static bool value_of(uc_request *q, const uc_input *in, uint32_t i,
                     uc_view *why)
{
    const uc_param *p = &in->route->params[i];
    uc_view text = in->of[i].text;

    if (in->json && !p->header)
        return uc_value_of_json(p, in->of[i].json, &q->mem, &q->args[i], why);
    if (!p->header && !uc__query_decode(text, &q->mem, &text, why))
        return false;
    return uc_value_of_text(p, text, &q->mem, &q->args[i], why);
}

/* What was not sent. */
static void absent(uc_request *q, const uc_param *p, uint32_t i)
{
    q->args[i] = p->preset;
    if (p->preset.type != UC_ARG_ABSENT)
        q->given |= (uint64_t)1 << i;
    else if (!p->optional)
        uc__problem(q, p->header ? p->in_header : p->name,
                    uc__static("is missing"));
}

static void param(uc_request *q, const uc_input *in, uint32_t i)
{
    const uc_param *p = &in->route->params[i];
    uc_view name = p->header ? p->in_header : p->name, why = {0};
    uint64_t bit = (uint64_t)1 << i;

    q->args[i].type = UC_ARG_ABSENT;
    if (p->type == UC_PARAM_GIVEN)
        return;
    if (in->twice & bit) {
        uc__problem(q, name, uc__static("was given twice"));
    } else if (!(in->sent & bit)) {
        absent(q, p, i);
    } else if (!value_of(q, in, i, &why)) {
        uc__problem(q, name, why);
    } else {
        q->sent |= bit;
        q->given |= bit;
    }
}

/* @header */
static void find_headers(uc_input *in, const uc_request *q)
{
    for (uint32_t i = 0; i < in->route->nparams; i++) {
        const uc_param *p = &in->route->params[i];
        uint32_t n =
            p->header ? uc__header(q, p->in_header, &in->of[i].text) : 0;

        for (; n > 0; n--)
            uc__input_sent(in, i);
    }
}

/* ---- headers of HTTP ----------------------------------------------------- */

static bool visible(uc_view v)
{
    for (size_t i = 0; i < v.len; i++) {
        if (v.p[i] < 0x21 || v.p[i] > 0x7e)
            return false;
    }
    return true;
}

/* The hash that is kept with a key leaves secrets out. So whoever has a key is
 * given its answer without knowing them, and is nobody else only where the key
 * belongs to a user. */
static bool takes_key(const uc_route *route)
{
    for (uint32_t i = 0; i < route->nparams && route->is_public; i++) {
        if (route->params[i].secret)
            return false;
    }
    return true;
}

static void read_key(uc_request *q)
{
    const uc_view name = uc__static("idempotency-key");
    uc_view key;
    uint32_t n = uc__header(q, name, &key);

    if (n > 0 && !takes_key(q->route))
        uc__problem(q, name,
                    uc__static("is not for a public route with secrets"));
    else if (n > 1)
        uc__problem(q, name, uc__static("was given twice"));
    else if (n == 1 && (key.len == 0 || key.len > KEY_MOST || !visible(key)))
        uc__problem(
            q, name,
            uc__static("must have 1 to 255 characters of visible ASCII"));
    else if (n == 1)
        q->idempotency_key = key;
}

static void read_etag(uc_request *q)
{
    uc_view etag;

    if (uc__header(q, uc__static("if-none-match"), &etag) > 0 && etag.len > 0)
        q->if_none_match = etag;
}

/* ---- all of it ----------------------------------------------------------- */

void uc__request_start(uc_request *q)
{
    q->route = NULL;
    q->head = false;
    q->given = q->sent = 0;
    q->idempotency_key = q->if_none_match = q->allow = (uc_view){0};
    q->refusal = UC_REFUSAL_NONE;
    q->retry_s = 0;
    uc_arena_reset(&q->mem);
    q->mem.max = MEMORY + MEMORY_PER_BYTE * (q->target.len + q->body.len);
    uc_buf_rewind(&q->text, 0);
}

/* A GET has a query, a POST a body, and neither has what the other has. */
static bool find_input(uc_request *q, uc_view query, uc_input *in)
{
    if (q->route->method == UC_METHOD_GET) {
        if (q->body.len > 0)
            return uc_request_refuse(q, UC_REFUSAL_PARAMS,
                                     "body: a GET takes none");
        uc__query_read(in, query, &q->mem);
        return true;
    }
    if (query.len > 0)
        return uc_request_refuse(q, UC_REFUSAL_PARAMS,
                                 "query: a POST takes its parameters from the "
                                 "body");
    return uc__body_read(in, q);
}

static bool end(uc_request *q)
{
    if (q->mem.failed || (q->text.failed && !q->text.full))
        return uc_request_refuse(q, UC_REFUSAL_INTERNAL, "internal error");
    if (q->text.len > 0)
        q->refusal = UC_REFUSAL_PARAMS;
    return q->text.len == 0;
}

bool uc__request_take(uc_request *q, uc_view query, const uc_serving *serving)
{
    bool post = q->route->method == UC_METHOD_POST;
    uc_input in;

    if (post && !uc__admit(q, serving))
        return false;
    in.route = q->route;
    in.json = false;
    in.sent = in.twice = 0;
    in.nunknown = 0;
    if (!find_input(q, query, &in))
        return false;
    find_headers(&in, q);
    for (uint32_t i = 0; i < q->route->nparams; i++)
        param(q, &in, i);
    uc__unknown(q, &in);
    if (post)
        read_key(q);
    else
        read_etag(q);
    return end(q);
}

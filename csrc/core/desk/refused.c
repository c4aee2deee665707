#include "desk/routed.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "data/engine.h"
#include "desk/kept.h"
#include "desk/session.h"
#include "routes/etag.h"
#include "wire/answer.h"
#include "wire/writer.h"

/* What a request is answered that runs no statement, or whose statements have
 * failed; and what is known of an answer beforehand. */

void uc__routed_refused(uc_call *c, uc_buf *out)
{
    static const char text[] = "text/plain; charset=utf-8";
    const uc_routed *d = c->routed;
    const uc_request *q = &d->q;
    unsigned status = uc_refusal_status(q->refusal, d->set->serving.fine);
    bool allows = q->allow.len > 0;
    char retry[24];
    size_t at;

    if (q->refusal == UC_REFUSAL_NO_ROUTE)
        status = 0; /* another may have it */
    at = uc_answer_begin(out, c->id, status,
                         (uc_view){(const uint8_t *)text, sizeof text - 1});
    uc_buf_put(out, q->text.p, q->text.len);
    uc_answer_end(out, at, allows + (q->retry_s > 0));
    if (allows) {
        uc_pack_str(out, "allow");
        uc_pack_strn(out, q->allow.p, q->allow.len);
    }
    if (q->retry_s > 0) {
        snprintf(retry, sizeof retry, "%" PRId64, q->retry_s);
        uc_pack_str(out, "retry-after");
        uc_pack_str(out, retry);
    }
}

bool uc__routed_refuse(uc_call *c, uc_refusal why, uc_view text, uc_error *e)
{
    uc_request *q = &c->routed->q;

    uc_request_refuse(q, why, "%.*s", (int)text.len, (const char *)text.p);
    return uc_fail(e, UC_ABORTED, "the request was refused");
}

/* ---- constraints ---- */

static bool is_said(const uc_say *say, const uc_error *e)
{
    return (uc_view_is(say->kind, e->kind) ||
            uc_view_is(say->kind, "constraint")) &&
           (say->column.len == 0 || uc_view_is(say->column, e->column));
}

/* What @say has for it; the first that fits. */
static const uc_say *said(const uc_route *route, const uc_error *e)
{
    for (uint32_t i = 0; i < route->nsays; i++) {
        if (is_said(&route->says[i], e))
            return &route->says[i];
    }
    return NULL;
}

static const struct {
    const char *kind, *text;
    uc_refusal why;
} constraints[] = {
    {"unique", "is taken", UC_REFUSAL_CONFLICT},
    {"foreign-key", "refers to nothing", UC_REFUSAL_REFUSED},
    {"check", "is not allowed", UC_REFUSAL_REFUSED},
    {"not-null", "is missing", UC_REFUSAL_REFUSED},
    {"constraint", "is not allowed", UC_REFUSAL_REFUSED},
};

/* Nothing of the error's own message: it names tables. */
static bool refused_by_constraint(uc_request *q, const uc_error *e)
{
    const uc_say *say;

    for (size_t i = 0; i < sizeof constraints / sizeof *constraints; i++) {
        if (strcmp(constraints[i].kind, e->kind) != 0)
            continue;
        say = said(q->route, e);
        if (say != NULL)
            uc_request_refuse(q, constraints[i].why, "%.*s", (int)say->text.len,
                              (const char *)say->text.p);
        else
            uc_request_refuse(q, constraints[i].why, "%s: %s",
                              e->column[0] != '\0' ? e->column : "value",
                              constraints[i].text);
        return true;
    }
    return false;
}

static bool refused_by_key(uc_request *q, const uc_error *e)
{
    if (strcmp(e->code, uc_code_name(UC_ONCE_CONFLICT)) != 0)
        return false;
    uc_request_refuse(q, UC_REFUSAL_CONFLICT,
                      "idempotency-key: belongs to another request");
    return true;
}

void uc__reply_failure(uc_buf *out, uc_call *c, const uc_error *e)
{
    uc_request *q = c->routed != NULL ? &c->routed->q : NULL;

    if (q != NULL && q->route != NULL &&
        (q->refusal != UC_REFUSAL_NONE || refused_by_key(q, e) ||
         refused_by_constraint(q, e)))
        uc__routed_refused(c, out);
    else
        uc_reply_error(out, c->id, e);
}

/* ---- tags, and answers that are kept ---- */

bool uc__routed_has_tag(const uc_call *c, uc_view tag)
{
    return uc_etag_listed(c->routed->q.if_none_match, tag);
}

bool uc__routed_any_tag(const uc_call *c)
{
    return uc_etag_any(c->routed->q.if_none_match);
}

bool uc__routed_kept(const uc_call *c, uc_view key, const uint8_t tag[16],
                     int64_t now, uc_buf *out)
{
    return uc_kept_get(c->routed->set->kept, key, tag, now, out);
}

void uc__routed_keep(const uc_call *c, uc_view key, const uint8_t tag[16],
                     int64_t now, uc_view answer)
{
    int64_t until = now + c->routed->q.route->cache_ms * UC_MS;

    uc_kept_put(c->routed->set->kept, key, tag, until, answer);
}

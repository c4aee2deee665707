#include "desk/audit.h"

#include "desk/routed.h"
#include "desk/session.h"
#include "routes/audit.h"
#include "wire/json.h"
#include "wire/writer.h"

/* Of the line, at most; the parameters have less. */
enum { LINE_MOST = 15 * 1024, USER_MOST = 200 };

static uc_view view_of(const char *s)
{
    return (uc_view){(const uint8_t *)s, strlen(s)};
}

static void put_user(uc_buf *out, const uc_value *user)
{
    uc_view name = user->s;

    if (user->type == UC_T_INT) {
        uc_json_int(out, user->i);
    } else if (user->type == UC_T_STR) {
        if (name.len > USER_MOST)
            name.len = USER_MOST;
        uc_json_text(out, name);
    } else {
        uc_json_null(out);
    }
}

static void put_line(const uc_routed *d, uc_buf *out)
{
    uc_json_key(out, true, view_of("route"));
    uc_json_text(out, d->q.route->path);
    uc_json_key(out, false, view_of("user"));
    put_user(out, &d->facts.user);
    uc_json_key(out, false, view_of("params"));
    uc_request_params(&d->q, false, out);
    uc_json_key(out, false, view_of("changes"));
    uc_json_int(out, d->changes);
    uc_buf_byte(out, '}');
}

/* Adds one more element to the answer, or one more field to the error: both
 * have less than the 15 of a short header. */
static void add(uc_buf *out, size_t at, const uc_buf *line)
{
    static const size_t prefix = 4;
    uc_reader r = {out->p + at + prefix, out->p + out->len};
    uint32_t n, id, kind;

    if (!uc_read_array(&r, &n) || !uc_read_u32(&r, &id) ||
        !uc_read_u32(&r, &kind))
        return;
    if (kind == UC_REPLY_ANSWER)
        out->p[at + prefix]++;
    else if (kind == UC_REPLY_ERROR)
        out->p[(size_t)(r.p - out->p)]++;
    else
        return;
    if (kind == UC_REPLY_ERROR)
        uc_pack_str(out, "audit");
    uc_pack_strn(out, line->p, line->len);
}

static bool is_wanted(const uc_call *c)
{
    return c->routed != NULL && c->routed->facts.audit &&
           c->routed->q.route != NULL &&
           c->routed->q.route->method == UC_METHOD_POST;
}

void uc__call_close(const uc_call *c, uc_buf *out, size_t at)
{
    uc_buf line;

    if (is_wanted(c) && !out->failed) {
        uc_buf_init(&line, LINE_MOST);
        put_line(c->routed, &line);
        if (!line.failed)
            add(out, at, &line);
        uc_buf_fini(&line);
    }
    uc__reply_close(out, at, c->id);
}

#include "data/sqlite/times.h"

#include "data/sqlite/db.h"

/* In front of a key: no method, which that of a whole answer begins with. */
enum { MARK = 0xff };

/* How often it is asked for is a value that most statements do not have. */
static bool is_used(const uc_route *route, uint64_t param)
{
    for (uint32_t i = 0; i < route->nstatements; i++) {
        const uc_statement *st = &route->statements[i];

        for (uint32_t k = 0; k < st->npieces; k++) {
            if (st->pieces[k].uses & param)
                return true;
        }
    }
    return false;
}

/* Whether what is kept under the tag is what the file has now. */
static bool is_now(sq_conn *c, const uc_call *call, const sq_tag *t)
{
    uint8_t now[SQ_TAG_BYTES];

    return sq_tag_now(c, call, t, now) &&
           memcmp(now, t->bytes, sizeof now) == 0;
}

void sq_times_begin(sq_times *s, sq_conn *c, const uc_call *call,
                    const sq_tag *t)
{
    const uc_route *route = call->routed->q.route;

    *s = (sq_times){0};
    uc_buf_init(&s->key, SIZE_MAX);
    if (!t->each || !is_now(c, call, t))
        return;
    s->on = true;
    s->now = uc_now();
    s->without = is_used(route, route->repeat) ? 0 : route->repeat;
    uc_buf_byte(&s->key, MARK);
    uc_buf_put(&s->key, &route, sizeof(route));
    uc_buf_put(&s->key, t->key.p, t->key.len); /* the user's */
    s->front = s->key.len;
}

void sq_times_fini(sq_times *s)
{
    uc_buf_fini(&s->key);
}

bool sq_times_find(sq_times *s, const uc_call *call, const sq_tag *t,
                   uc_buf *out)
{
    bool found;

    if (!s->on)
        return false;
    uc_buf_rewind(&s->key, s->front);
    uc_request_key_values(&call->routed->q, s->without, &s->key);
    if (s->key.failed)
        return s->on = false;
    found = uc__routed_kept(call, (uc_view){s->key.p, s->key.len}, t->bytes,
                            s->now, out);
    s->given = s->given || found;
    s->ran = s->ran || !found;
    return found;
}

void sq_times_keep(sq_times *s, const uc_call *call, const sq_tag *t,
                   uc_view answer)
{
    if (s->on)
        uc__routed_keep(call, (uc_view){s->key.p, s->key.len}, t->bytes, s->now,
                        answer);
}

bool sq_times_agree(const sq_times *s, sq_conn *c, const uc_call *call,
                    const sq_tag *t)
{
    return !s->given || !s->ran || is_now(c, call, t);
}

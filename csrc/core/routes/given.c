#include "routes/given.h"

#include "routes/audit.h"
#include "wire/json.h"

static bool is_scalar(const uc_value *v)
{
    return v->type == UC_T_NIL || v->type == UC_T_INT || v->type == UC_T_STR;
}

static bool read_roles(uc_reader *r, uc_facts *f)
{
    uc_view role;

    if (!uc_read_array(r, &f->nroles))
        return false;
    f->roles = *r;
    for (uint32_t i = 0; i < f->nroles; i++) {
        if (!uc_read_str(r, &role))
            return false;
    }
    return true;
}

static bool read_fact(uc_reader *r, uc_view key, uc_facts *f)
{
    uc_value *v = NULL;

    if (uc_view_is(key, "user"))
        v = &f->user;
    else if (uc_view_is(key, "ip"))
        v = &f->ip;
    else if (uc_view_is(key, "id"))
        v = &f->id;
    if (v != NULL)
        return uc_read(r, v) && is_scalar(v);
    if (uc_view_is(key, "roles"))
        return read_roles(r, f);
    if (uc_view_is(key, "audit"))
        return uc_read_bool(r, &f->audit);
    return uc_read_skip(r);
}

bool uc_facts_read(uc_reader r, uc_facts *f)
{
    uc_value map;

    *f = (uc_facts){0};
    if (!uc_read(&r, &map) || map.type != UC_T_MAP)
        return false;
    for (uint32_t i = 0; i < map.n; i++) {
        uc_view key;

        if (!uc_read_str(&r, &key) || !read_fact(&r, key, f))
            return false;
    }
    return true;
}

static bool has_role(const uc_route *route, const uc_facts *f)
{
    uc_reader r = f->roles;

    for (uint32_t i = 0; i < f->nroles; i++) {
        uc_view role;

        if (!uc_read_str(&r, &role))
            return false;
        for (uint32_t k = 0; k < route->nroles; k++) {
            if (role.len == route->roles[k].len &&
                memcmp(role.p, route->roles[k].p, role.len) == 0)
                return true;
        }
    }
    return false;
}

static bool admit(uc_request *q, const uc_facts *f)
{
    const uc_route *route = q->route;

    if (route->is_public)
        return true;
    if (f->user.type == UC_T_NIL)
        return uc_request_refuse(q, UC_REFUSAL_LOGIN, "not logged in");
    if (route->nroles > 0 && !has_role(route, f))
        return uc_request_refuse(q, UC_REFUSAL_ROLE, "not allowed");
    return true;
}

uc_arg uc_fact_arg(const uc_value *v)
{
    switch (v->type) {
    case UC_T_INT:
        return (uc_arg){.type = UC_ARG_INT, .i = v->i};
    case UC_T_STR:
        return (uc_arg){.type = UC_ARG_TEXT, .s = v->s};
    default:
        return (uc_arg){.type = UC_ARG_NULL};
    }
}

static uc_arg text_or_refusal(uc_request *q, uc_view text)
{
    if (text.p == NULL)
        uc_request_refuse(q, UC_REFUSAL_INTERNAL, "out of memory");
    return (uc_arg){.type = UC_ARG_TEXT, .s = text};
}

/* ["a","b"] in the request's memory. */
static uc_arg json_of(uc_request *q, const uc_facts *f)
{
    uc_reader r = f->roles;
    uc_view text = {0};
    uc_buf b;

    uc_buf_init(&b, SIZE_MAX);
    uc_buf_byte(&b, '[');
    for (uint32_t i = 0; i < f->nroles; i++) {
        uc_view role;

        if (!uc_read_str(&r, &role))
            break;
        if (i > 0)
            uc_buf_byte(&b, ',');
        uc_json_text(&b, role);
    }
    uc_buf_byte(&b, ']');
    if (!b.failed)
        text = uc_arena_copy(&q->mem, (uc_view){b.p, b.len});
    uc_buf_fini(&b);
    return text_or_refusal(q, text);
}

static uc_arg params_of(uc_request *q)
{
    uc_view text = {0};
    uc_buf b;

    uc_buf_init(&b, SIZE_MAX);
    uc_request_params(q, true, &b);
    if (!b.failed)
        text = uc_arena_copy(&q->mem, (uc_view){b.p, b.len});
    uc_buf_fini(&b);
    return text_or_refusal(q, text);
}

static uc_arg arg_of(uc_request *q, const uc_facts *f, uc_given which,
                     int64_t now_ms)
{
    switch (which) {
    case UC_GIVEN_user:
        return uc_fact_arg(&f->user);
    case UC_GIVEN_ip:
        return uc_fact_arg(&f->ip);
    case UC_GIVEN_id:
        return uc_fact_arg(&f->id);
    case UC_GIVEN_now:
        return (uc_arg){.type = UC_ARG_INT, .i = now_ms};
    case UC_GIVEN_roles:
        return json_of(q, f);
    case UC_GIVEN_params:
        return params_of(q);
    default: /* random: of each time that a statement runs */
        return (uc_arg){.type = UC_ARG_NULL};
    }
}

bool uc_request_given(uc_request *q, uc_reader map, int64_t now_ms,
                      uc_facts *facts)
{
    const uc_route *route = q->route;

    if (!uc_facts_read(map, facts))
        return uc_request_refuse(q, UC_REFUSAL_INTERNAL,
                                 "the facts of a request are a map of user, "
                                 "roles, ip and id");
    if (!admit(q, facts))
        return false;
    for (uint32_t i = 0; i < route->nparams; i++) {
        const uc_param *p = &route->params[i];

        if (p->type != UC_PARAM_GIVEN)
            continue;
        q->args[i] = arg_of(q, facts, p->given, now_ms);
        q->given |= 1ULL << i;
    }
    return q->refusal == UC_REFUSAL_NONE;
}

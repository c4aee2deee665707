#include "desk/inline.h"

#include <stdio.h>

#include "data/engine.h"
#include "desk/lookup.h"
#include "desk/routed.h"
#include "uc.h"
#include "wire/writer.h"

/*
 * Operations answered by the thread that routes them: what the core says about
 * itself.
 */

const char *uc_version(void)
{
    return "0.1.0";
}

static void flags(uc_buf *out, unsigned set)
{
    const char *name;

    uc_pack_array(out, (uint32_t)__builtin_popcount(set));
    for (uint32_t i = 0; (name = uc_op_flag_name(i)) != NULL; i++) {
        if ((set & 1U << i) != 0)
            uc_pack_str(out, name);
    }
}

static void describe(uc_buf *out, uint32_t id)
{
    uint32_t n = 0;

    while (uc_op_at(n) != NULL)
        n++;
    uc_reply_begin(out, id, UC_REPLY_VALUE, 3);
    uc_pack_map(out, 4);
    uc_pack_str(out, "version");
    uc_pack_str(out, uc_version());
    uc_pack_str(out, "sqlite");
    uc_pack_str(out, uc_sqlite_version());
    uc_pack_str(out, "ops");
    uc_pack_array(out, n);
    for (uint32_t i = 0; i < n; i++) {
        const uc_op *op = uc_op_at(i);

        uc_pack_array(out, 4);
        uc_pack_uint(out, op->num);
        uc_pack_str(out, op->name);
        uc_pack_str(out, uc_lane_name(op->lane));
        flags(out, op->flags);
    }
    uc_pack_str(out, "codes");
    uc_pack_array(out, UC_CODE_COUNT);
    for (int i = 0; i < UC_CODE_COUNT; i++) {
        uc_pack_array(out, 3);
        uc_pack_str(out, uc_code_name((uc_code)i));
        uc_pack_str(out, uc_code_kind((uc_code)i));
        uc_pack_bool(out, uc_code_retryable((uc_code)i));
    }
}

/* {v: [lowest, highest]}: the versions that the other side speaks. */
static bool hello(uc_call *c, uc_buf *out, uc_error *e)
{
    uc_reader r = c->args;
    uint64_t lo = UC_PROTOCOL, hi = UC_PROTOCOL;
    char name[32];
    uint32_t two;
    uc_view key;
    uc_value v;

    if (!uc_read(&r, &v) || v.type != UC_T_MAP)
        return uc_fail(e, UC_FRAME, "hello takes a map");
    for (uint32_t i = v.n; i > 0; i--) {
        if (!uc_read_str(&r, &key))
            return uc_fail(e, UC_FRAME, "hello: the keys are strings");
        if (!uc_view_is(key, "v")) {
            if (!uc_read_skip(&r))
                return uc_fail(e, UC_FRAME, "hello could not be read");
        } else if (!uc_read_array(&r, &two) || two != 2 ||
                   !uc_read_u64(&r, &lo) || !uc_read_u64(&r, &hi)) {
            return uc_fail(e, UC_FRAME, "hello: v is [lowest, highest]");
        }
    }
    if (lo > UC_PROTOCOL || hi < UC_PROTOCOL)
        return uc_fail(e, UC_VERSION,
                       "this core speaks version %d of the protocol, the "
                       "client %llu to %llu: update the %s",
                       UC_PROTOCOL, (unsigned long long)lo,
                       (unsigned long long)hi,
                       lo > UC_PROTOCOL ? "core" : "client");
    uc_reply_begin(out, c->id, UC_REPLY_VALUE, 3);
    uc_pack_map(out, 3);
    uc_pack_str(out, "v");
    uc_pack_uint(out, UC_PROTOCOL);
    uc_pack_str(out, "server");
    snprintf(name, sizeof name, "undercroft/%s", uc_version());
    uc_pack_str(out, name);
    uc_pack_str(out, "sqlite");
    uc_pack_str(out, uc_sqlite_version());
    return true;
}

static void door(uc_buf *out, uint32_t id)
{
    uc_reply_begin(out, id, UC_REPLY_VALUE, 3);
    uc_pack_map(out, 1);
    uc_pack_str(out, "door");
    uc_pack_str(out, "addon");
}

void uc__inline(uc_peer *p, uc_call *c, uc_buf *out, uc_error *e)
{
    e->code = NULL;
    switch (c->op->num) {
    case UC_OP_ping:
        uc_reply_begin(out, c->id, UC_REPLY_VALUE, 3);
        if (c->nargs == 0)
            uc_pack_nil(out);
        else
            uc_buf_put(out, c->args.p, (size_t)(c->args.end - c->args.p));
        break;
    case UC_OP_describe:
        describe(out, c->id);
        break;
    case UC_OP_hello:
        hello(c, out, e);
        break;
    case UC_OP_door:
        door(out, c->id);
        break;
    case UC_OP_stats:
        p->engine->ops->stats(p->engine, c->id, out);
        break;
    case UC_OP_define:
    case UC_OP_undefine:
        uc__define(p, c, e);
        break;
    case UC_OP_routes_drop:
        uc__routes_drop(c, out, e);
        break;
    default:
        uc_fail(e, UC_INTERNAL, "operation %s is not inline", c->op->name);
        break;
    }
}

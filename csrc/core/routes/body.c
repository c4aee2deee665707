/* JSON bodies. */
#include "routes/input.h"
#include "routes/json.h"

static bool refuse_at(uc_request *q, const uc_json_error *e, const char *what)
{
    return uc_request_refuse(q, UC_REFUSAL_PARAMS,
                             "body: %s (line %u, column %u)", what, e->line,
                             e->column);
}

/* A parameter that is there twice is named, as in a query. */
static bool refuse_twice(uc_input *in, uc_request *q, const uc_json_error *e)
{
    uint32_t place;

    if (e->depth == 1 && uc__input_find(in, e->key, &place))
        return uc_request_refuse(q, UC_REFUSAL_PARAMS, "%.*s: was given twice",
                                 (int)e->key.len, (const char *)e->key.p);
    return refuse_at(q, e, "has a key twice");
}

static bool out_of_memory(uc_request *q)
{
    return uc_request_refuse(q, UC_REFUSAL_INTERNAL, "internal error");
}

static bool refuse(uc_input *in, uc_request *q, const uc_json_error *e)
{
    switch (e->fault) {
    case UC_JSON_UTF8:
        return refuse_at(q, e, "is not valid UTF-8");
    case UC_JSON_NUMBER:
        return refuse_at(q, e, "has a number that is too large");
    case UC_JSON_TWICE:
        return refuse_twice(in, q, e);
    case UC_JSON_NUL_KEY:
        return refuse_at(q, e, "has a key with a NUL character");
    case UC_JSON_DEEP:
        return uc_request_refuse(q, UC_REFUSAL_PARAMS,
                                 "body: nests more than %d levels deep",
                                 UC_JSON_DEPTH);
    case UC_JSON_MANY:
        return uc_request_refuse(q, UC_REFUSAL_PARAMS,
                                 "body: has more than %d values",
                                 UC_JSON_VALUES);
    case UC_JSON_MEMORY:
        return out_of_memory(q);
    case UC_JSON_SYNTAX:
        break;
    }
    return refuse_at(q, e, "is not valid JSON");
}

static void member(uc_input *in, uc_view name, const json_t *value)
{
    uint32_t place;

    if (!uc__input_find(in, name, &place))
        uc__input_unknown(in, name);
    else if (uc__input_sent(in, place))
        in->of[place].json = value;
}

static bool members(uc_input *in, uc_request *q, const uc_flat *flat)
{
    for (uint32_t i = 0; i < flat->n; i++) {
        const json_t *v = uc__json_of_flat(&flat->members[i], &q->mem);

        if (v == NULL)
            return out_of_memory(q);
        member(in, flat->members[i].key, v);
    }
    return true;
}

bool uc__body_read(uc_input *in, uc_request *q)
{
    uc_json_error e;
    uc_flat flat;
    json_t *root;

    in->json = true;
    if (q->body.len == 0)
        return true;
    if (uc__flat_read(q->body, &flat))
        return members(in, q, &flat);
    root = uc__json_read(q->body, 0, &q->mem, &e);
    if (root == NULL)
        return refuse(in, q, &e);
    if (!json_is_object(root))
        return uc_request_refuse(q, UC_REFUSAL_PARAMS,
                                 "body: must be a JSON object");
    for (void *at = json_object_iter(root); at != NULL;
         at = json_object_iter_next(root, at)) {
        uc_view name = {(const uint8_t *)json_object_iter_key(at),
                        json_object_iter_key_len(at)};

        member(in, name, json_object_iter_value(at));
    }
    return true;
}

#include "routes/person.h"

#include "routes/json.h"
#include "wire/writer.h"

enum { MEMORY = 1 << 20 };

/* ---- from the row ---- */

static uc_view text_of(const json_t *v)
{
    return (uc_view){(const uint8_t *)json_string_value(v),
                     json_string_length(v)};
}

static bool pack_user(const json_t *user, uc_buf *out)
{
    uc_view text;

    if (json_is_integer(user)) {
        uc_pack_int(out, json_integer_value(user));
        return true;
    }
    text = text_of(user);
    if (json_is_string(user))
        uc_pack_strn(out, text.p, text.len);
    return json_is_string(user);
}

static bool pack_list(const json_t *roles, uc_buf *out)
{
    size_t n = json_array_size(roles);

    if (!json_is_array(roles) || n > UC_PERSON_ROLES)
        return false;
    uc_pack_array(out, (uint32_t)n);
    for (size_t i = 0; i < n; i++) {
        const json_t *role = json_array_get(roles, i);
        uc_view text = text_of(role);

        if (!json_is_string(role))
            return false;
        uc_pack_strn(out, text.p, text.len);
    }
    return true;
}

static bool pack_roles(const json_t *text, uc_arena *mem, uc_buf *out)
{
    uc_json_error e;
    const json_t *roles;

    if (!json_is_string(text))
        return false;
    roles = uc__json_read(text_of(text), 0, mem, &e);
    return roles != NULL && pack_list(roles, out);
}

static bool pack_row(const json_t *row, uc_arena *mem, uc_buf *out)
{
    const json_t *expires = json_object_get(row, "expires");

    uc_pack_array(out, 3);
    if (!pack_user(json_object_get(row, "user"), out) ||
        !pack_roles(json_object_get(row, "roles"), mem, out) ||
        !json_is_integer(expires))
        return false;
    uc_pack_int(out, json_integer_value(expires));
    return !out->failed;
}

uc_person_found uc_person_pack(uc_view json, uc_buf *out)
{
    uc_person_found found = UC_PERSON_FAULTY;
    size_t before = out->len;
    uc_json_error e;
    const json_t *rows;
    uc_arena mem;

    uc_arena_init(&mem, MEMORY);
    rows = uc__json_read(json, 0, &mem, &e);
    if (json_is_array(rows) && json_array_size(rows) == 0)
        found = UC_PERSON_NONE;
    else if (json_is_array(rows) &&
             pack_row(json_array_get(rows, 0), &mem, out))
        found = UC_PERSON_ONE;
    uc_arena_fini(&mem);
    if (found != UC_PERSON_ONE)
        uc_buf_rewind(out, before);
    return found;
}

/* ---- as it is kept ---- */

/* One whole value as its bytes. */
static bool read_whole(uc_reader *r, uc_view *v)
{
    const uint8_t *from = r->p;

    if (!uc_read_skip(r))
        return false;
    *v = (uc_view){from, (size_t)(r->p - from)};
    return true;
}

static bool is_user(uc_view packed)
{
    uc_reader r = {packed.p, packed.p + packed.len};
    uc_value v;

    return uc_read(&r, &v) && (v.type == UC_T_INT || v.type == UC_T_STR);
}

static bool is_roles(uc_view packed)
{
    uc_reader r = {packed.p, packed.p + packed.len};
    uint32_t n;

    return uc_read_array(&r, &n);
}

bool uc_person_read(uc_view packed, uc_person *p)
{
    uc_reader r = {packed.p, packed.p + packed.len};
    uc_value expires;
    uint32_t n;

    if (!uc_read_array(&r, &n) || n != 3 || !read_whole(&r, &p->user) ||
        !read_whole(&r, &p->roles) || !uc_read(&r, &expires) ||
        expires.type != UC_T_INT || r.p != r.end)
        return false;
    p->expires = expires.i;
    return is_user(p->user) && is_roles(p->roles);
}

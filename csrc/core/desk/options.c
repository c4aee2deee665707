#include "desk/options.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "wire/reader.h"

const uc_option uc_option_table[UC_OPTIONS] = {
#define X(key, name, kind, def, least, most, where) \
    {#key, name, UC_OPTION_##kind, def, least, most, UC_OPTION_##where},
    UC_OPTION_MAP(X)
#undef X
};

static const size_t offsets[UC_OPTIONS] = {
#define X(key, name, kind, def, least, most, where) offsetof(uc_options, key),
    UC_OPTION_MAP(X)
#undef X
};

/* Words of an option in the order of its enum, and all of them for a person. */
static const char *const levels[] = {"off", "normal", "full", "extra", NULL};
static const char *const prepares[] = {"auto", "named", "unnamed", NULL};
static const char said_levels[] = "off, normal, full or extra";
static const char said_prepares[] = "auto, named or unnamed";

enum { LEAST_CACHE = 1 << 20 };

static int64_t *field(uc_options *o, unsigned i)
{
    return (int64_t *)(void *)((char *)o + offsets[i]);
}

/* As a user has written it, or the door. */
static const char *name_of(const uc_option *o)
{
    return o->name != NULL ? o->name : o->key;
}

static bool word(const uc_option *o, int64_t *out, uc_reader *r, uc_error *e)
{
    bool level = o->kind == UC_OPTION_LEVEL;
    const char *const *words = level ? levels : prepares;
    uc_view s;

    if (uc_read_str(r, &s)) {
        for (int i = 0; words[i] != NULL; i++) {
            if (uc_view_is(s, words[i])) {
                *out = i;
                return true;
            }
        }
    }
    return uc_fail(e, UC_OPTION, "option %s: expected %s", name_of(o),
                   level ? said_levels : said_prepares);
}

static bool number(const uc_option *o, int64_t *out, uc_reader *r, uc_error *e)
{
    uc_value v;

    if (!uc_read(r, &v) || (v.type != UC_T_INT && v.type != UC_T_BOOL))
        return uc_fail(e, UC_OPTION, "option %s: expected an integer",
                       name_of(o));
    if (v.type == UC_T_BOOL)
        v.i = v.b;
    if (v.i < o->least || v.i > o->most)
        return uc_fail(e, UC_OPTION,
                       "option %s: expected %" PRId64 " to %" PRId64
                       ", got %" PRId64,
                       name_of(o), o->least, o->most, v.i);
    *out = v.i;
    return true;
}

/* *found: the key is one of the table. */
static bool value(uc_options *o, uc_view key, uc_reader *r, bool *found,
                  uc_error *e)
{
    for (unsigned i = 0; i < UC_OPTIONS; i++) {
        const uc_option *it = &uc_option_table[i];

        if (!uc_view_is(key, it->key))
            continue;
        *found = true;
        return it->kind >= UC_OPTION_LEVEL ? word(it, field(o, i), r, e)
                                           : number(it, field(o, i), r, e);
    }
    return true;
}

static bool pairs(uc_pair **out, uint32_t *n, const char *key, uc_reader *r,
                  uc_error *e)
{
    uc_value v;
    char digits[24];

    if (*out != NULL)
        return uc_fail(e, UC_OPTION, "option %s is there twice", key);
    if (!uc_read(r, &v) || v.type != UC_T_MAP || v.n > 1000)
        return uc_fail(e, UC_OPTION, "option %s: expected a map", key);
    if (v.n == 0)
        return true;
    *out = uc_calloc(v.n, sizeof **out);
    if (*out == NULL)
        return uc_fail(e, UC_MEMORY, "no memory for option %s", key);
    for (uint32_t i = v.n; i > 0; i--) {
        uc_pair *p = &(*out)[(*n)++];
        uc_view name;
        uc_value w;

        if (!uc_read_str(r, &name) || !uc_read(r, &w))
            return uc_fail(e, UC_OPTION, "option %s: expected names", key);
        p->name = uc_strndup((const char *)name.p, name.len);
        if (w.type == UC_T_INT) {
            snprintf(digits, sizeof digits, "%" PRId64, w.i);
            w.s = (uc_view){(const uint8_t *)digits, strlen(digits)};
        } else if (w.type != UC_T_STR) {
            return uc_fail(e, UC_OPTION,
                           "option %s.%s: expected a string or an integer", key,
                           p->name != NULL ? p->name : "?");
        }
        p->value = uc_strndup((const char *)w.s.p, w.s.len);
        if (p->name == NULL || p->value == NULL)
            return uc_fail(e, UC_MEMORY, "no memory for option %s", key);
    }
    return true;
}

bool uc_options_read(uc_options *o, uc_view map, uc_error *e)
{
    uc_reader r = {map.p, map.p + map.len};
    uc_value v;
    uc_view key;

    memset(o, 0, sizeof *o);
    for (unsigned i = 0; i < UC_OPTIONS; i++)
        *field(o, i) = uc_option_table[i].def;
    if (map.len == 0)
        return true;
    if (!uc_read(&r, &v) || v.type != UC_T_MAP)
        return uc_fail(e, UC_OPTION, "the options have to be a map");
    for (uint32_t i = v.n; i > 0; i--) {
        bool found = false;

        if (!uc_read_str(&r, &key))
            return uc_fail(e, UC_OPTION, "the options' keys are strings");
        if (!value(o, key, &r, &found, e))
            return false;
        if (found)
            continue;
        if (uc_view_is(key, "pragmas")) {
            if (!pairs(&o->pragmas, &o->npragmas, "pragmas", &r, e))
                return false;
        } else if (uc_view_is(key, "attach")) {
            if (!pairs(&o->attach, &o->nattach, "attach", &r, e))
                return false;
        } else {
            return uc_fail(e, UC_OPTION, "unknown option %.*s",
                           (int)(key.len < 64 ? key.len : 64), key.p);
        }
    }
    if (o->cache_bytes != 0 && o->cache_bytes < LEAST_CACHE)
        return uc_fail(e, UC_OPTION,
                       "option cache_bytes: expected 0 or at least %d",
                       LEAST_CACHE);
    return true;
}

static void pairs_free(uc_pair *p, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        uc_free(p[i].name);
        uc_free(p[i].value);
    }
    uc_free(p);
}

void uc_options_fini(uc_options *o)
{
    pairs_free(o->pragmas, o->npragmas);
    pairs_free(o->attach, o->nattach);
    o->pragmas = NULL;
    o->attach = NULL;
    o->npragmas = 0;
    o->nattach = 0;
}

static bool pairs_same(const uc_pair *a, uint32_t na, const uc_pair *b,
                       uint32_t nb)
{
    if (na != nb)
        return false;
    for (uint32_t i = 0; i < na; i++) {
        if (strcmp(a[i].name, b[i].name) != 0 ||
            strcmp(a[i].value, b[i].value) != 0)
            return false;
    }
    return true;
}

bool uc_options_same(const uc_options *a, const uc_options *b, uc_error *e)
{
    static const char said[] =
        "this process has the file open with another value of option %s; "
        "handles of one file share one core";

    for (unsigned i = 0; i < UC_OPTIONS; i++) {
        /* A read-only handle and one that must find the file may share;
         * replies wait for each handle alone. */
        if (i == UC_OPTION_readonly || i == UC_OPTION_create ||
            i == UC_OPTION_max_unsent)
            continue;
        if (*(const int64_t *)(const void *)((const char *)a + offsets[i]) !=
            *(const int64_t *)(const void *)((const char *)b + offsets[i]))
            return uc_fail(e, UC_OPTIONS_CONFLICT, said,
                           name_of(&uc_option_table[i]));
    }
    if (!pairs_same(a->pragmas, a->npragmas, b->pragmas, b->npragmas))
        return uc_fail(e, UC_OPTIONS_CONFLICT, said, "pragmas");
    if (!pairs_same(a->attach, a->nattach, b->attach, b->nattach))
        return uc_fail(e, UC_OPTIONS_CONFLICT, said, "attach");
    return true;
}

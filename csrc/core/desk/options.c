#include "desk/options.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "wire/reader.h"

static const char *const levels[] = {"off", "normal", "full", "extra"};

static const struct {
    const char *name;
    size_t offset;
    int64_t def, lo, hi;
} table[] = {
#define X(name, def, lo, hi) {#name, offsetof(uc_options, name), def, lo, hi},
    UC_OPTION_MAP(X)
#undef X
};

enum { ENTRIES = sizeof table / sizeof *table, LEAST_CACHE = 1 << 20 };

static int64_t *field(uc_options *o, unsigned i)
{
    return (int64_t *)(void *)((char *)o + table[i].offset);
}

static bool number(uc_options *o, uc_view key, uc_reader *r, bool *found,
                   uc_error *e)
{
    uc_value v;

    for (unsigned i = 0; i < ENTRIES; i++) {
        if (!uc_view_is(key, table[i].name))
            continue;
        *found = true;
        if (!uc_read(r, &v) || (v.type != UC_T_INT && v.type != UC_T_BOOL))
            return uc_fail(e, UC_OPTION, "option %s: expected an integer",
                           table[i].name);
        if (v.type == UC_T_BOOL)
            v.i = v.b;
        if (v.i < table[i].lo || v.i > table[i].hi)
            return uc_fail(e, UC_OPTION,
                           "option %s: expected %" PRId64 " to %" PRId64
                           ", got %" PRId64,
                           table[i].name, table[i].lo, table[i].hi, v.i);
        *field(o, i) = v.i;
        return true;
    }
    return true;
}

static bool level(uc_options *o, uc_reader *r, uc_error *e)
{
    uc_view s;

    if (uc_read_str(r, &s)) {
        for (int i = UC_SYNC_OFF; i <= UC_SYNC_EXTRA; i++) {
            if (uc_view_is(s, levels[i])) {
                o->synchronous = (uc_sync_level)i;
                return true;
            }
        }
    }
    return uc_fail(e, UC_OPTION,
                   "option synchronous: expected off, normal, full or extra");
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
    for (unsigned i = 0; i < ENTRIES; i++)
        *field(o, i) = table[i].def;
    o->synchronous = UC_SYNC_FULL;
    if (map.len == 0)
        return true;
    if (!uc_read(&r, &v) || v.type != UC_T_MAP)
        return uc_fail(e, UC_OPTION, "the options have to be a map");
    for (uint32_t i = v.n; i > 0; i--) {
        bool found = false;

        if (!uc_read_str(&r, &key))
            return uc_fail(e, UC_OPTION, "the options' keys are strings");
        if (!number(o, key, &r, &found, e))
            return false;
        if (found)
            continue;
        if (uc_view_is(key, "synchronous")) {
            if (!level(o, &r, e))
                return false;
        } else if (uc_view_is(key, "pragmas")) {
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

    for (unsigned i = 0; i < ENTRIES; i++) {
        /* A read-only handle and one that must find the file may share;
         * replies wait for each handle alone. */
        if (strcmp(table[i].name, "readonly") == 0 ||
            strcmp(table[i].name, "create") == 0 ||
            strcmp(table[i].name, "max_unsent") == 0)
            continue;
        if (*(const int64_t *)(const void *)((const char *)a +
                                             table[i].offset) !=
            *(const int64_t *)(const void *)((const char *)b + table[i].offset))
            return uc_fail(e, UC_OPTIONS_CONFLICT, said, table[i].name);
    }
    if (a->synchronous != b->synchronous)
        return uc_fail(e, UC_OPTIONS_CONFLICT, said, "synchronous");
    if (!pairs_same(a->pragmas, a->npragmas, b->pragmas, b->npragmas))
        return uc_fail(e, UC_OPTIONS_CONFLICT, said, "pragmas");
    if (!pairs_same(a->attach, a->nattach, b->attach, b->nattach))
        return uc_fail(e, UC_OPTIONS_CONFLICT, said, "attach");
    return true;
}

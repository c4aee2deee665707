#include "log/settings.h"

#include <string.h>

/* 100 years: what is longer has a mistake in it. */
static const int64_t longest_ms = (int64_t)100 * 366 * 86400 * 1000;

void uc_log_settings_init(uc_log_settings *s)
{
    memset(s, 0, sizeof *s);
    uc_log_options_init(&s->o);
}

static bool expected(uc_view name, const char *what, uc_error *e)
{
    return uc_fail(e, UC_OPTION, "log.%.*s: expected %s", (int)name.len, name.p,
                   what);
}

static bool text(uc_view name, const uc_value *v, char *room, size_t size,
                 const char **out, uc_error *e)
{
    if (v->type != UC_T_STR || v->s.len == 0 || v->s.len >= size ||
        memchr(v->s.p, 0, v->s.len) != NULL)
        return expected(name, "a short text", e);
    memcpy(room, v->s.p, v->s.len);
    room[v->s.len] = '\0';
    *out = room;
    return true;
}

static bool bytes(uc_view name, const uc_value *v, uint64_t *out, uc_error *e)
{
    if (v->type != UC_T_INT || v->i < 0)
        return expected(name, "a number of bytes", e);
    *out = (uint64_t)v->i;
    return true;
}

static bool ms(uc_view name, const uc_value *v, int64_t *out, uc_error *e)
{
    if (v->type != UC_T_INT || v->i < 0 || v->i > longest_ms)
        return expected(name, "a number of milliseconds from 0 on", e);
    *out = v->i;
    return true;
}

static bool overflow(uc_view name, const uc_value *v, uc_log_overflow *out,
                     uc_error *e)
{
    static const char *const words[] = {"block", "drop", "grow"};

    for (int i = 0; v->type == UC_T_STR && i < 3; i++) {
        if (uc_view_is(v->s, words[i])) {
            *out = (uc_log_overflow)i;
            return true;
        }
    }
    return expected(name, "'block', 'drop' or 'grow'", e);
}

static bool compress(uc_view name, const uc_value *v, uc_log_compress *out,
                     uc_error *e)
{
    static const char *const words[] = {"none", "gzip", "zstd"};

    for (int i = 0; v->type == UC_T_STR && i < 3; i++) {
        if (uc_view_is(v->s, words[i])) {
            *out = (uc_log_compress)i;
            return true;
        }
    }
    return expected(name, "'none', 'gzip' or 'zstd'", e);
}

static bool flag(uc_view name, const uc_value *v, bool *out, uc_error *e)
{
    if (v->type == UC_T_BOOL)
        *out = v->b;
    else if (v->type == UC_T_INT && (v->i == 0 || v->i == 1))
        *out = v->i == 1;
    else
        return expected(name, "true or false", e);
    return true;
}

bool uc_log_settings_set(uc_log_settings *s, uc_view name, const uc_value *v,
                         uc_error *e)
{
    uc_log_options *o = &s->o;

    if (uc_view_is(name, "dir"))
        return text(name, v, s->dir, sizeof s->dir, &o->dir, e);
    if (uc_view_is(name, "name"))
        return text(name, v, s->name, sizeof s->name, &o->name, e);
    if (uc_view_is(name, "ring"))
        return text(name, v, s->ring, sizeof s->ring, &o->ring, e);
    if (uc_view_is(name, "ring_bytes"))
        return bytes(name, v, &o->ring_bytes, e);
    if (uc_view_is(name, "overflow"))
        return overflow(name, v, &o->overflow, e);
    if (uc_view_is(name, "grow_bytes"))
        return bytes(name, v, &o->grow_bytes, e);
    if (uc_view_is(name, "block_ms"))
        return ms(name, v, &o->block_ms, e);
    if (uc_view_is(name, "rotate_bytes"))
        return bytes(name, v, &o->rotate_bytes, e);
    if (uc_view_is(name, "daily"))
        return flag(name, v, &o->daily, e);
    if (uc_view_is(name, "compress"))
        return compress(name, v, &o->compress, e);
    if (uc_view_is(name, "keep_ms"))
        return ms(name, v, &o->keep_ms, e);
    if (uc_view_is(name, "keep_bytes"))
        return bytes(name, v, &o->keep_bytes, e);
    if (uc_view_is(name, "sync_ms"))
        return ms(name, v, &o->sync_ms, e);
    return uc_fail(e, UC_OPTION, "the log has no option %.*s",
                   (int)(name.len < 64 ? name.len : 64), name.p);
}

bool uc_log_settings_read(uc_log_settings *s, uc_view map, uc_error *e)
{
    uc_reader r = {map.p, map.p + map.len};
    uc_view name;
    uc_value v;

    if (!uc_read(&r, &v) || v.type != UC_T_MAP)
        return uc_fail(e, UC_OPTION, "log: expected a map of options");
    for (uint32_t i = v.n; i > 0; i--) {
        if (!uc_read_str(&r, &name) || !uc_read(&r, &v))
            return uc_fail(e, UC_OPTION, "log: the options cannot be read");
        if (!uc_log_settings_set(s, name, &v, e))
            return false;
    }
    return true;
}

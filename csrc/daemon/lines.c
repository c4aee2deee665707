#include "lines.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "log.h"
#include "log/settings.h"

struct ud_lines {
    uc_log *log;
    uc_log_desk *desk;
};

/* The names of lib/log/options.js, without its groups, and the core's. */
static const struct {
    const char *name, *field;
} names[] = {{"name", "name"},
             {"ringBytes", "ring_bytes"},
             {"overflow", "overflow"},
             {"growBytes", "grow_bytes"},
             {"rotateBytes", "rotate_bytes"},
             {"rotateDaily", "daily"},
             {"compress", "compress"},
             {"keepDays", "keep_ms"},
             {"keepBytes", "keep_bytes"},
             {"syncMs", "sync_ms"}};

/* Of --log as well, but the desk's. */
static const char slow_name[] = "slowMs=";

enum {
    NAMES = sizeof names / sizeof *names,
    MOST_DAYS = 36600,
    MOST_SLOW_MS = 86400000
};

static uc_view view_of(const char *s)
{
    return (uc_view){(const uint8_t *)s, strlen(s)};
}

static uc_value value_of(const char *text)
{
    uc_value v = {.type = UC_T_INT};
    char *end;

    errno = 0;
    v.i = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0) {
        v.type = UC_T_STR;
        v.s = view_of(text);
    }
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0) {
        v.type = UC_T_BOOL;
        v.b = text[0] == 't';
    }
    return v;
}

static bool set_slow(int64_t *slow, const char *text, uc_error *e)
{
    uc_value v = value_of(text);

    if (v.type != UC_T_INT || v.i < 0 || v.i > MOST_SLOW_MS)
        return uc_fail(e, UC_OPTION,
                       "expected milliseconds up to %d, 0 for none",
                       MOST_SLOW_MS);
    *slow = v.i * UC_MS;
    return true;
}

/* "name=value" of --log. */
static bool set(uc_log_settings *s, int64_t *slow, const char *entry,
                uc_error *e)
{
    if (strncmp(entry, slow_name, sizeof slow_name - 1) == 0)
        return set_slow(slow, entry + sizeof slow_name - 1, e);
    for (unsigned i = 0; i < NAMES; i++) {
        size_t n = strlen(names[i].name);
        uc_value v;

        if (strncmp(entry, names[i].name, n) != 0 || entry[n] != '=')
            continue;
        v = value_of(entry + n + 1);
        if (strcmp(names[i].name, "keepDays") == 0 && v.type == UC_T_INT &&
            v.i >= 0 && v.i <= MOST_DAYS)
            v.i *= (int64_t)86400 * 1000;
        else if (strcmp(names[i].name, "keepDays") == 0)
            return uc_fail(e, UC_OPTION, "expected a number of days up to %d",
                           MOST_DAYS);
        return uc_log_settings_set(s, view_of(names[i].field), &v, e);
    }
    return uc_fail(e, UC_OPTION,
                   "expected option=value, with an option of the log such as "
                   "rotateBytes, compress, keepDays");
}

static bool settings(const ud_config *config, uc_log_settings *s, int64_t *slow)
{
    uint64_t hash = 0xcbf29ce484222325u;
    uc_error e;

    uc_log_settings_init(s);
    for (unsigned i = 0; i < config->log.n; i++) {
        if (!set(s, slow, config->log.at[i], &e)) {
            ud_say("--log %s: %s", config->log.at[i], e.message);
            return false;
        }
    }
    /* FNV-1a (Fowler, Noll, Vo; RFC 9923) of the path. */
    for (const char *p = config->listen != NULL ? config->listen : config->http;
         *p != '\0'; p++)
        hash = (hash ^ (unsigned char)*p) * 0x100000001b3u;
    snprintf(s->ring, sizeof s->ring, "daemon-%016" PRIx64, hash);
    s->o.ring = s->ring;
    s->o.dir = config->log_dir;
    return true;
}

int ud_lines_open(const ud_config *config, ud_lines **out)
{
    uc_log_settings *s = uc_malloc(sizeof *s);
    char path[PATH_MAX];
    int code = UD_USAGE;
    ud_lines *l = NULL;
    int64_t slow = 0;
    uc_error e;

    *out = NULL;
    if (config->log_dir == NULL) {
        uc_free(s);
        if (config->log.n == 0)
            return UD_OK;
        ud_say("--log is about the log of --log-dir, which is missing");
        return UD_USAGE;
    }
    if (s != NULL && settings(config, s, &slow)) {
        code = UD_LOG;
        uc_error_init(&e);
        l = uc_calloc(1, sizeof *l);
        if (l != NULL)
            l->log = uc_log_open(&s->o, &e);
        if (l == NULL || l->log == NULL)
            ud_say("cannot open the log in %s: %s", config->log_dir,
                   l == NULL ? "no memory" : e.message);
    }
    uc_free(s);
    if (l == NULL || l->log == NULL) {
        uc_free(l);
        return code;
    }
    l->desk = uc_log_desk_new(l->log, realpath(config->log_dir, path) != NULL
                                          ? path
                                          : config->log_dir);
    if (l->desk == NULL) {
        ud_say("no memory for the log");
        ud_lines_close(l);
        return UD_LOG;
    }
    uc_log_desk_slow(l->desk, slow);
    uc_log_desk_tick(l->desk);
    ud_log_into(l->log);
    *out = l;
    return UD_OK;
}

void ud_lines_close(ud_lines *l)
{
    if (l == NULL)
        return;
    ud_log_into(NULL);
    if (l->desk != NULL)
        uc_log_desk_end(l->desk);
    uc_log_unref(l->log);
    uc_log_desk_unref(l->desk);
    uc_free(l);
}

uc_log_desk *ud_lines_desk(const ud_lines *l)
{
    return l != NULL ? l->desk : NULL;
}

uc_log *ud_lines_log(const ud_lines *l)
{
    return l != NULL ? l->log : NULL;
}

void ud_lines_reopen(ud_lines *l)
{
    if (l != NULL)
        uc_log_reopen(l->log);
}

bool ud_lines_tick(ud_lines *l)
{
    return l != NULL && uc_log_desk_tick(l->desk);
}

#include "routes/range.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "wire/json.h"

bool uc__says(uc_view *why, const char *sentence)
{
    *why = (uc_view){(const uint8_t *)sentence, strlen(sentence)};
    return false;
}

__attribute__((format(printf, 3, 4))) static bool
sayf(uc_arena *mem, uc_view *why, const char *fmt, ...)
{
    char text[200];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    *why = uc_arena_copy(mem, (uc_view){(const uint8_t *)text, strlen(text)});
    return false;
}

/* ---- how many ------------------------------------------------------------ */

static const char *counted(const uc_unit *unit, uint64_t n)
{
    return n == 1 ? unit->one : unit->many;
}

bool uc__count_within(const uc_param *p, uint64_t n, const uc_unit *unit,
                      uc_arena *mem, uc_view *why)
{
    uint64_t least = p->has_least && p->least > 0 ? (uint64_t)p->least : 0;
    uint64_t most =
        p->has_most && p->most >= 0 ? (uint64_t)p->most : unit->most;

    if (n >= least && n <= most)
        return true;
    if (!p->has_most && n < least)
        return sayf(mem, why, "must have at least %" PRIu64 " %s", least,
                    counted(unit, least));
    if (!p->has_most || least == 0)
        return sayf(mem, why, "must have at most %" PRIu64 " %s", most,
                    counted(unit, most));
    if (least == most)
        return sayf(mem, why, "must have exactly %" PRIu64 " %s", most,
                    counted(unit, most));
    return sayf(mem, why, "must have %" PRIu64 " to %" PRIu64 " %s", least,
                most, unit->many);
}

/* ---- how large ----------------------------------------------------------- */

/* The limits of 64 bits are told where a parameter has no bound of its own. */
static bool integer_outside(const uc_param *p, bool low, uc_arena *mem,
                            uc_view *why)
{
    if (p->has_least && p->has_most)
        return sayf(mem, why, "must be between %" PRId64 " and %" PRId64,
                    p->least, p->most);
    if (low)
        return sayf(mem, why, "must be at least %" PRId64,
                    p->has_least ? p->least : INT64_MIN);
    return sayf(mem, why, "must be at most %" PRId64,
                p->has_most ? p->most : INT64_MAX);
}

bool uc__integer_within(const uc_param *p, int64_t *v, bool beyond,
                        uc_arena *mem, uc_view *why)
{
    bool low = p->has_least && *v < p->least;
    bool high = p->has_most && *v > p->most;

    if (!low && !high && !beyond)
        return true;
    if (!p->clamp)
        return integer_outside(p, low || (beyond && *v < 0), mem, why);
    if (low)
        *v = p->least;
    if (high)
        *v = p->most;
    return true;
}

/* As a file would write it. */
static void digits_of(double v, uc_arena *mem, char *text, size_t size)
{
    uc_buf b;

    uc_buf_init(&b, size - 1);
    uc_json_double(&b, v);
    if (b.failed)
        mem->failed = true;
    else
        memcpy(text, b.p, b.len);
    text[b.failed ? 0 : b.len] = '\0';
    uc_buf_fini(&b);
}

static bool real_outside(const uc_param *p, bool low, uc_arena *mem,
                         uc_view *why)
{
    char least[40], most[40];

    digits_of(p->least_real, mem, least, sizeof least);
    digits_of(p->most_real, mem, most, sizeof most);
    if (p->has_least && p->has_most)
        return sayf(mem, why, "must be between %s and %s", least, most);
    if (low && p->has_least)
        return sayf(mem, why, "must be at least %s", least);
    if (!low && p->has_most)
        return sayf(mem, why, "must be at most %s", most);
    return uc__says(why, "must be a finite number");
}

bool uc__real_within(const uc_param *p, double *v, uc_arena *mem, uc_view *why)
{
    bool low = p->has_least && *v < p->least_real;
    bool high = p->has_most && *v > p->most_real;

    if (p->clamp && low)
        *v = p->least_real;
    else if (p->clamp && high)
        *v = p->most_real;
    else if (low || high || !isfinite(*v))
        return real_outside(p, low || (!high && *v < 0), mem, why);
    return true;
}

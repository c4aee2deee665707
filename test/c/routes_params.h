#ifndef UC_TEST_ROUTES_PARAMS_H
#define UC_TEST_ROUTES_PARAMS_H

/* Parameters as constants, and values as texts. */
#include "routes/input.h"
#include "tap.h"

#define V(s)                                \
    {                                       \
        (const uint8_t *)(s), sizeof(s) - 1 \
    }
/* At file scope its storage is static. */
#define P(...)                      \
    &(const uc_param)               \
    {                               \
        .name = V("p"), __VA_ARGS__ \
    }
#define TYPE(t) .type = UC_PARAM_##t
#define RANGE(lo, hi) \
    .has_least = true, .has_most = true, .least = (lo), .most = (hi)
#define FROM(lo) .has_least = true, .least = (lo)
#define TO(hi) .has_most = true, .most = (hi)
#define REALS(lo, hi) \
    .has_least = true, .has_most = true, .least_real = (lo), .most_real = (hi)
#define PRESET(n) .preset = {.type = UC_ARG_INT, .i = (n)}

__attribute__((unused)) static uc_view view(const char *s)
{
    return (uc_view){(const uint8_t *)s, strlen(s)};
}

/* ---- what a value looks like --------------------------------------------- */

__attribute__((unused)) static char shown[300 * 1024];

__attribute__((unused)) static void show_bytes(uc_view s, char *p)
{
    for (size_t i = 0; i < s.len; i++)
        p += sprintf(p, "%02x", s.p[i]);
}

__attribute__((unused)) static const char *show(const uc_arg *arg)
{
    switch (arg->type) {
    case UC_ARG_ABSENT:
        return "absent";
    case UC_ARG_NULL:
        return "null";
    case UC_ARG_INT:
        sprintf(shown, "%" PRId64, arg->i);
        return shown;
    case UC_ARG_REAL:
        sprintf(shown, "real %.17g", arg->d);
        return shown;
    case UC_ARG_TEXT:
        sprintf(shown, "'%.*s'", (int)arg->s.len, (const char *)arg->s.p);
        return shown;
    case UC_ARG_BLOB:
        strcpy(shown, "x");
        show_bytes(arg->s, shown + 1);
        return shown;
    }
    return "?";
}

#endif

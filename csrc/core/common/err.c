#include "common/err.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
    const char *name, *kind;
    bool retryable;
} codes[] = {
#define X(code, kind, retryable) {#code, kind, retryable},
    UC_CODE_MAP(X)
#undef X
};

const char *uc_code_name(uc_code code)
{
    return codes[code].name;
}

const char *uc_code_kind(uc_code code)
{
    return codes[code].kind;
}

bool uc_code_retryable(uc_code code)
{
    return codes[code].retryable;
}

bool uc_fail(uc_error *e, uc_code code, const char *fmt, ...)
{
    va_list ap;

    e->code = codes[code].name;
    e->kind = codes[code].kind;
    e->retryable = codes[code].retryable;
    e->outcome = NULL;
    e->native = 0;
    e->offset = -1;
    e->index = -1;
    e->param[0] = '\0';
    e->column[0] = '\0';
    va_start(ap, fmt);
    vsnprintf(e->message, sizeof e->message, fmt, ap);
    va_end(ap);
    return false;
}

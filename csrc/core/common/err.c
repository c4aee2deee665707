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

void uc_error_own(uc_error *e, const char *code, const char *kind,
                  bool retryable)
{
    e->code = code;
    e->kind = kind;
    e->outcome = NULL;
    e->native = 0;
    e->offset = -1;
    e->index = -1;
    e->retryable = retryable;
    e->param[0] = e->column[0] = e->sqlstate[0] = '\0';
    e->table[0] = e->constraint[0] = e->detail[0] = e->hint[0] = '\0';
    e->message[0] = '\0';
}

bool uc_fail(uc_error *e, uc_code code, const char *fmt, ...)
{
    va_list ap;

    uc_error_own(e, codes[code].name, codes[code].kind, codes[code].retryable);
    va_start(ap, fmt);
    vsnprintf(e->message, sizeof e->message, fmt, ap);
    va_end(ap);
    return false;
}

#include "routes/reading.h"

#include <stdarg.h>
#include <stdio.h>

/* Bytes; a character is not cut in two. */
enum { SHOWN = 64 };

int uc__shown(uc_view v)
{
    size_t n = v.len;

    if (n > SHOWN)
        for (n = SHOWN; n > 0 && (v.p[n] & 0xc0) == 0x80;)
            n--;
    return (int)n;
}

bool uc__wrong(uc__reading *r, uint32_t line, const char *fmt, ...)
{
    uc_view file = r->set->files[r->file].name;
    char sentence[sizeof r->e->message - SHOWN * 2];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(sentence, sizeof sentence, fmt, ap);
    va_end(ap);
    return uc_fail(r->e, UC_ROUTE, "%.*s:%u: %s", UC__SHOW(file),
                   (unsigned)line, sentence);
}

bool uc__no_memory(uc__reading *r)
{
    return uc_fail(r->e, UC_MEMORY, "routes: out of memory");
}

int uc__param_place(const uc__draft *d, uc_view name)
{
    for (uint32_t i = 0; i < d->route.nparams; i++)
        if (uc_view_same(d->params[i].name, name))
            return (int)i;
    return -1;
}

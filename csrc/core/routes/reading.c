#include "routes/reading.h"

#include <stdarg.h>
#include <stdio.h>

/* Bytes: of a word, and of a file's name. */
enum { SHOWN = 64, FILE_SHOWN = 192 };

/* A character is not cut in two. */
static int cut(uc_view v, size_t most)
{
    size_t n = v.len;

    if (n > most)
        for (n = most; n > 0 && (v.p[n] & 0xc0) == 0x80;)
            n--;
    return (int)n;
}

int uc__shown(uc_view v)
{
    return cut(v, SHOWN);
}

bool uc__wrong(uc__reading *r, uint32_t line, const char *fmt, ...)
{
    uc_view file = r->set->files[r->file].name;
    char sentence[sizeof r->e->message - FILE_SHOWN - 16];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(sentence, sizeof sentence, fmt, ap);
    va_end(ap);
    return uc_fail(r->e, UC_ROUTE, "%.*s:%u: %s", cut(file, FILE_SHOWN),
                   (const char *)file.p, (unsigned)line, sentence);
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

#define _GNU_SOURCE
#include "log/drain.h"

#include "log/names.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* As the text of a JSON string; what does not fit is left out. */
static void quote(char *out, size_t size, const char *s)
{
    size_t n = 0;

    for (; *s != '\0' && n + 7 < size; s++) {
        unsigned char c = (unsigned char)*s;

        if (c == '"' || c == '\\')
            n += (size_t)sprintf(out + n, "\\%c", c);
        else if (c < 0x20)
            n += (size_t)sprintf(out + n, "\\u%04x", c);
        else
            out[n++] = (char)c;
    }
    out[n] = '\0';
}

size_t uc__log_line(char *out, size_t size, const uc_log_options *o, int level,
                    const char *key, uint64_t value, const char *fmt, ...)
{
    char text[200], msg[240], host[65] = "", hostname[80];
    int64_t time = uc__log_wall(o);
    va_list ap;
    int n;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    gethostname(host, sizeof host - 1);
    quote(msg, sizeof msg, text);
    quote(hostname, sizeof hostname, host);
    n = snprintf(out, size,
                 "{\"level\":%d,\"time\":%lld,\"pid\":%d,\"hostname\":\"%s\","
                 "\"msg\":\"%s\",\"%s\":%llu}\n",
                 level, (long long)time, (int)getpid(), hostname, msg, key,
                 (unsigned long long)value);
    return n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1;
}

#include "log/note.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "wire/utf8.h"

enum { TEXT = 1024 };

/* As the inside of a JSON string; to has room for six times as much. */
static size_t escape(char *to, const char *s)
{
    size_t n = 0;

    for (; *s != '\0'; s++) {
        unsigned char c = (unsigned char)*s;

        if (c == '"' || c == '\\') {
            to[n++] = '\\';
            to[n++] = (char)c;
        } else if (c < 0x20) {
            n += (size_t)snprintf(to + n, 7, "\\u%04x", c);
        } else {
            to[n++] = (char)c;
        }
    }
    to[n] = '\0';
    return n;
}

void uc_log_note(uc_log *log, int level, const char *name, const char *fmt, ...)
{
    char text[TEXT], msg[TEXT * 6], host[256], line[TEXT * 7 + 512];
    va_list ap;
    int n;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    /* A path of another encoding, or a character that was cut. */
    if (uc_utf16_length((const uint8_t *)text, strlen(text)) < 0) {
        for (char *p = text; *p != '\0'; p++)
            *p = (*p & 0x80) != 0 ? '?' : *p;
    }
    escape(msg, text);
    if (gethostname(text, sizeof host / 6) != 0)
        text[0] = '\0';
    text[sizeof host / 6] = '\0';
    escape(host, text);
    n = snprintf(line, sizeof line,
                 "{\"level\":%d,\"time\":%" PRId64
                 ",\"pid\":%d,\"hostname\":\"%s\",\"name\":\"%s\","
                 "\"msg\":\"%s\"}\n",
                 level, uc_wall_ms(), (int)getpid(), host, name, msg);
    if (n > 0 && (size_t)n < sizeof line)
        uc_log_put(log, (const uint8_t *)line, (size_t)n, 1, false);
}

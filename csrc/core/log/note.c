#include "log/note.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "wire/utf8.h"

enum { TEXT = 1024, HOST = 64, FIELDS = 16 << 10 };

/* Where to cut: in front of the character that would not be whole. */
static size_t whole(const char *s, size_t len, size_t most)
{
    if (len <= most)
        return len;
    while (most > 0 && ((unsigned char)s[most] & 0xc0) == 0x80)
        most--;
    return most;
}

void uc_log_escape(char *to, const char *s, size_t len, size_t most)
{
    size_t n = 0;
    bool utf8;

    len = whole(s, len, most);
    /* A path of another encoding, or a character that was cut before. */
    utf8 = uc_utf16_length((const uint8_t *)s, len) >= 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];

        if (c == '"' || c == '\\') {
            to[n++] = '\\';
            to[n++] = (char)c;
        } else if (c < 0x20) {
            n += (size_t)snprintf(to + n, 7, "\\u%04x", c);
        } else {
            to[n++] = (c & 0x80) != 0 && !utf8 ? '?' : (char)c;
        }
    }
    to[n] = '\0';
}

void uc_log_note_with(uc_log *log, int level, const char *name,
                      const char *fields, const char *msg)
{
    char host[HOST], escaped[HOST * 6 + 1];
    char line[FIELDS + TEXT * 6 + HOST * 6 + 256];
    int n;

    if (gethostname(host, sizeof host) != 0)
        host[0] = '\0';
    host[sizeof host - 1] = '\0';
    uc_log_escape(escaped, host, strlen(host), HOST);
    n = snprintf(line, sizeof line,
                 "{\"level\":%d,\"time\":%" PRId64
                 ",\"pid\":%d,\"hostname\":\"%s\",\"name\":\"%s\",%s"
                 "\"msg\":\"%s\"}\n",
                 level, uc_wall_ms(), (int)getpid(), escaped, name, fields,
                 msg);
    if (n > 0 && (size_t)n < sizeof line &&
        uc_log_put(log, (const uint8_t *)line, (size_t)n, 1, false) ==
            UC_LOG_WOULD_WAIT)
        uc_log_lost(log, 1, false);
}

void uc_log_note(uc_log *log, int level, const char *name, const char *fmt, ...)
{
    char text[TEXT], msg[TEXT * 6];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    uc_log_escape(msg, text, strlen(text), TEXT - 1);
    uc_log_note_with(log, level, name, "", msg);
}

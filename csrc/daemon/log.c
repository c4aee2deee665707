#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/thread.h"
#include "log/note.h"

enum { LINES = 20, PERIOD_MS = 5000, LINE_BYTES = 1024 };
enum { INFO = 30, WARN = 40 };

static uc_mutex mu = UC_MUTEX_INIT;
static uc_mutex into_mu = UC_MUTEX_INIT;
static uc_log *into;
static int64_t period;
static unsigned said, left_out;

/* One write a line, so that lines of several processes do not mix. */
static void line(int level, const char *text, int n)
{
    char out[LINE_BYTES + 32];
    ssize_t rc;

    n = snprintf(out, sizeof out, "undercroftd: %.*s\n", n, text);
    rc = write(STDERR_FILENO, out, (size_t)n);
    (void)rc; /* nobody to tell */
    uc_lock(&into_mu);
    if (into != NULL)
        uc_log_note(into, level, "undercroftd", "%.*s", n, text);
    uc_unlock(&into_mu);
}

void ud_log_into(uc_log *log)
{
    uc_lock(&into_mu);
    into = log;
    uc_unlock(&into_mu);
}

__attribute__((format(printf, 2, 0))) static void
format(int level, const char *fmt, va_list ap)
{
    char text[LINE_BYTES];

    vsnprintf(text, sizeof text, fmt, ap);
    line(level, text, LINE_BYTES);
}

void ud_log(const char *fmt, ...)
{
    char text[64];
    int64_t now = uc_now_coarse();
    va_list ap;

    uc_lock(&mu);
    if (period == 0 || now - period > PERIOD_MS * UC_MS) {
        if (left_out > 0) {
            snprintf(text, sizeof text, "%u more messages were left out",
                     left_out);
            line(WARN, text, sizeof text);
        }
        period = now;
        said = left_out = 0;
    }
    if (said < LINES) {
        said++;
        va_start(ap, fmt);
        format(WARN, fmt, ap);
        va_end(ap);
    } else {
        left_out++;
    }
    uc_unlock(&mu);
}

void ud_say(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    format(INFO, fmt, ap);
    va_end(ap);
}

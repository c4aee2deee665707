/* What ends a request early, and the text that tells why. */
#include <stdarg.h>
#include <stdio.h>

#include "routes/input.h"
#include "wire/utf8.h"

enum { NAME_MOST = 40 }; /* characters of an unknown name that are shown */

unsigned uc_refusal_status(uc_refusal r, bool fine)
{
    static const unsigned short of[][2] = {
#define X(name, plain, fine) {plain, fine},
        UC_REFUSAL_MAP(X)
#undef X
    };

    return of[r][fine];
}

/* Formats into the buffer itself: a sentence of a file may be a long one. */
__attribute__((format(printf, 2, 0))) static void
format(uc_buf *b, const char *fmt, va_list ap)
{
    va_list again;
    int n;

    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (n < 0 || !uc_buf_reserve(b, (size_t)n + 1)) {
        b->failed = true;
        return;
    }
    vsnprintf((char *)b->p, (size_t)n + 1, fmt, ap);
    b->len = (size_t)n;
}

bool uc_request_refuse(uc_request *q, uc_refusal why, const char *fmt, ...)
{
    va_list ap;

    q->refusal = why;
    uc_buf_rewind(&q->text, 0);
    va_start(ap, fmt);
    format(&q->text, fmt, ap);
    va_end(ap);
    if (q->text.failed)
        q->refusal = UC_REFUSAL_INTERNAL;
    return false;
}

/* ---- problems ------------------------------------------------------------ */

static void say(uc_buf *b, uc_view v)
{
    uc_buf_put(b, v.p, v.len);
}

void uc__problem(uc_request *q, uc_view name, uc_view sentence)
{
    if (q->text.len > 0)
        uc_buf_byte(&q->text, '\n');
    say(&q->text, name);
    say(&q->text, uc__static(": "));
    say(&q->text, sentence);
}

/* Bytes of a character that is no letter to a terminal or a log: controls
 * (C0, DEL, C1), the separators of lines, and what turns the direction. */
static size_t control(const uint8_t *p, size_t n)
{
    if (*p < 0x20 || *p == 0x7f)
        return 1;
    if (n >= 2 && p[0] == 0xc2 && p[1] < 0xa0)
        return 2;
    if (n >= 3 && p[0] == 0xe2 && p[1] == 0x80 && p[2] >= 0xa8 && p[2] <= 0xae)
        return 3;
    if (n >= 3 && p[0] == 0xe2 && p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9)
        return 3;
    return 0;
}

static size_t sequence(uint8_t c)
{
    return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

/* A caller's name as far as it may be shown. All that comes is UTF-8. */
static void show_name(uc_buf *b, const uint8_t *p, size_t n)
{
    size_t at = 0;

    for (int shown = 0; at < n; shown++) {
        size_t bad = control(p + at, n - at);
        size_t len = bad > 0 ? bad : sequence(p[at]);

        if (shown == NAME_MOST) {
            say(b, uc__static("..."));
            return;
        }
        if (bad > 0)
            uc_buf_byte(b, '?');
        else
            uc_buf_put(b, p + at, len);
        at += len;
    }
}

static void unknown(uc_request *q, uc_view name)
{
    uc_buf fixed;

    /* No more than can be shown: a name may be as long as the body. */
    if (name.len > NAME_MOST * 4 + 4)
        name.len = NAME_MOST * 4 + 4;
    uc_buf_init(&fixed, SIZE_MAX);
    uc_utf8_repair(&fixed, name.p, name.len);
    if (q->text.len > 0)
        uc_buf_byte(&q->text, '\n');
    if (fixed.len == 0)
        say(&q->text, uc__static("\"\""));
    show_name(&q->text, fixed.p, fixed.len);
    say(&q->text, uc__static(": is unknown"));
    q->text.failed |= fixed.failed;
    uc_buf_fini(&fixed);
}

void uc__unknown(uc_request *q, const uc_input *in)
{
    size_t shown =
        in->nunknown < UC_INPUT_UNKNOWN ? in->nunknown : UC_INPUT_UNKNOWN;
    char more[80];

    for (size_t i = 0; i < shown; i++)
        unknown(q, in->unknown[i]);
    if (in->nunknown == shown)
        return;
    snprintf(more, sizeof more, "has %zu more unknown parameters",
             in->nunknown - shown);
    uc__problem(q, uc__static(in->json ? "body" : "query"), uc__static(more));
}

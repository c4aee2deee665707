#include <inttypes.h>
#include <stdio.h>

#include "common/clock.h"
#include "desk/call.h"
#include "log/note.h"

enum { WARN = 40, SQL_BYTES = 1000 }; /* as lib/log/slow.js */

static const char *hex(char *to, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        snprintf(to + 2 * i, 3, "%02x", p[i]);
    return to;
}

void uc_log_note_slow(uc_log *log, const uc_call *call, uc_view sql, int64_t ns)
{
    char text[SQL_BYTES * 6 + 1], trace[33], span[17];
    char fields[sizeof text + 256];
    int n = 0;

    if (sql.p != NULL) {
        uc_log_escape(text, (const char *)sql.p, sql.len, SQL_BYTES);
        n = snprintf(fields, sizeof fields, "\"sql\":\"%s%s\",", text,
                     sql.len > SQL_BYTES ? "…" : "");
    }
    n += snprintf(fields + n, sizeof fields - (size_t)n,
                  "\"ms\":%" PRId64 ".%03" PRId64 ",\"op\":\"%s\",", ns / UC_MS,
                  ns % UC_MS / 1000, call->op->name);
    if (call->rows >= 0)
        n += snprintf(fields + n, sizeof fields - (size_t)n,
                      "\"rows\":%" PRId64 ",", call->rows);
    if (call->trace.p != NULL)
        snprintf(fields + n, sizeof fields - (size_t)n,
                 "\"traceId\":\"%s\",\"spanId\":\"%s\",",
                 hex(trace, call->trace.p, 16),
                 hex(span, call->trace.p + 16, 8));
    uc_log_note_with(log, WARN, "undercroftd", fields, "slow statement");
}

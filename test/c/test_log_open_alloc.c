/*
 * Allocation number n fails, for n = 1, 2, ... until the life of a log needs
 * fewer: it cannot be opened for want of memory, or it does what it always
 * does; no line is lost of those that were taken, and nothing leaks
 * (LeakSanitizer).
 */
#define _GNU_SOURCE
#include <errno.h>

#include "common/mem.h"
#include "log_lines.h"
#include "tap.h"

static char base[64];
static uint64_t taken;

/* False: it could not be opened, for the reason in *e. */
static bool life(const char *dir, uc_error *e)
{
    const uint8_t id[16] = "somebody";
    uc_log_options o;
    uc_error ignored;
    char line[512];
    uc_log *l;

    uc_log_options_init(&o);
    o.dir = dir;
    o.ring = "alloc";
    o.ring_bytes = 64 << 10;
    o.compress = UC_LOG_PLAIN;
    l = uc_log_open(&o, e);
    if (l == NULL)
        return false;
    for (int i = 0; i < 20; i++) {
        size_t len = line_of(line, "a", taken);

        if (uc_log_put_from(l, id, taken + 1, (uint8_t *)line, len, 1) ==
            UC_LOG_DONE)
            taken++;
    }
    uc_log_flush(l, 3000, false, &ignored);
    uc_log_unref(l);
    return true;
}

int main(void)
{
    unsigned other = 0, lost = 0, failed = 0;
    uint64_t n = 0;
    bool over = false;
    uc_error e;

    snprintf(base, sizeof base, "/tmp/uc-log-alloc-XXXXXX");
    if (mkdtemp(base) == NULL)
        return 1;
    while (!over && n++ < 1000) {
        char *dir = lines_dir(base, "log");

        taken = 0;
        uc_mem_fail_nth(n);
        if (!life(dir, &e)) {
            failed++;
            other += strcmp(e.code, "UC_MEMORY") != 0 && e.native != ENOMEM;
        }
        over = uc_mem_fail_nth(0) < n;
        lost += !life(dir, &e) || !all_there(dir, "a", taken);
        lines_free(dir);
    }
    tap_diag("%u failures of %u allocations", failed, (unsigned)n - 1);
    ok(over && n > 10, "swept to the end");
    ok(failed > 5, "and most of them matter");
    eq_int(other, 0, "what fails, fails for want of memory");
    eq_int(lost, 0, "no line is lost, and the next one writes what is left");
    lines_free(strdup(base));
    return tap_end();
}

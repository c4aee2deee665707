/*
 * Allocation number n fails, for n = 1, 2, ... until the whole of a log's life
 * needs fewer: what cannot be done is said to be for want of memory, no line is
 * lost of those that were taken, and nothing leaks (LeakSanitizer).
 */
#include <errno.h>

#include "common/clock.h"
#include "common/mem.h"
#include "log/archive.h"
#include "log/file.h"
#include "log_dir.h"
#include "tap.h"

#define LIMIT (30 * 1000 * UC_MS)

static unsigned lines; /* that the file has taken */

static bool of_memory(const uc_error *e)
{
    return strcmp(e->code, "UC_MEMORY") == 0 || e->native == ENOMEM;
}

static void append(uc_logfile *f)
{
    log_append(f, lines + 1, 5);
    lines += 5;
}

/* What files and archives do. False: *e is the first failure. */
static bool life(log_dir *d, uc_error *e)
{
    uc_logfile *f = uc_logfile_open(&d->o, NULL, e);
    uc_archive *a = NULL;
    bool good = f != NULL;
    char text[200] = "";
    uc_logmark mark;

    if (good)
        append(f);
    for (int i = 0; good && i < 2; i++) {
        uc_logfile_rotate(f);
        good = uc_logfile_turn(f, 1, e);
        append(f);
    }
    if (good)
        good = (a = uc_archive_start(&d->o, e)) != NULL;
    if (good) {
        uc_logfile_mark(f, &mark);
        uc_archive_poke(a, &mark);
        good = uc_archive_wait(a, uc_now() + LIMIT) && uc_logfile_sync(f, e);
        uc_archive_error(a, text, sizeof text);
    }
    if (good && text[0] != '\0') {
        uc_fail(e, strstr(text, "memory") != NULL ? UC_MEMORY : UC_INTERNAL,
                "%s", text);
    }
    uc_archive_stop(a);
    uc_logfile_close(f);
    return good && text[0] == '\0';
}

static void sweep(uc_log_compress kind)
{
    unsigned other = 0, lost = 0, failed = 0;
    uint64_t n = 0;
    bool over = false;
    uc_error e;

    while (!over && n++ < 1000) {
        log_dir d;

        log_dir_init(&d);
        d.o.compress = kind;
        lines = 0;
        uc_mem_fail_nth(n);
        if (!life(&d, &e)) {
            failed++;
            other += !of_memory(&e);
        }
        over = uc_mem_fail_nth(0) < n;
        lost += !log_holds(&d, 1, lines);
        if (!life(&d, &e) || !log_holds(&d, 1, lines) ||
            log_count(&d, ".log") != 1)
            lost++;
        log_dir_fini(&d);
    }
    tap_diag("%u failures of %u allocations", failed, (unsigned)n - 1);
    ok(over && n > 10, "swept to the end");
    ok(failed > 10, "and most of them matter");
    eq_int(other, 0, "what fails, fails for want of memory");
    eq_int(lost, 0, "no line is lost, and the next life makes up for it");
}

int main(void)
{
    sweep(UC_LOG_GZIP);
    sweep(UC_LOG_ZSTD);
    return tap_end();
}

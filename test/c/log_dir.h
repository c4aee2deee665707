#ifndef UC_TEST_LOG_DIR_H
#define UC_TEST_LOG_DIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "log/file.h"
#include "log/log.h"

/*
 * A directory of its own for a test of the log, with a clock that the test
 * sets, and lines that are numbered: "line 00000012\n", 14 bytes each.
 */
typedef struct log_dir {
    char path[128];
    int64_t now;    /* what the clock says; at first 2026-01-01, UTC */
    int64_t steady; /* ms; what it would say if nobody set it, but from 0 on */
    uc_log_clock clock;
    uc_log_options o; /* files alone: no ring needs more of it */
} log_dir;

void log_dir_init(log_dir *d);
/* Removes it and all that is in it. */
void log_dir_fini(log_dir *d);

/* The path of a file in it, in one of a few static buffers. */
const char *log_path(const log_dir *d, const char *name);
/* What `current` leads to, or "". */
const char *log_link(const log_dir *d);
/* Bytes of a file, or -1. */
int64_t log_size(const log_dir *d, const char *name);
/* How many files there are whose name ends so. */
unsigned log_count(const log_dir *d, const char *ending);

/* n lines from number `first` on, in one append. Ends the program with a
 * message when that fails. */
void log_append(uc_logfile *f, unsigned first, unsigned n);
/* The same, but false when it fails. */
bool log_try_append(uc_logfile *f, unsigned first, unsigned n, uc_error *e);
/* Appends to a file, which is made when it is not there. */
void log_write(const log_dir *d, const char *name, const char *text);
void log_write_bytes(const log_dir *d, const char *name, const char *p,
                     size_t n);

/* Whether all lines of all files and archives, in the order of their names,
 * have the numbers first to last; says on stdout what is wrong. A file that is
 * there and archived as well counts once. */
bool log_holds(const log_dir *d, unsigned first, unsigned last);
/* The number of the first line, 0 when there is none. */
unsigned log_first(const log_dir *d);

#endif

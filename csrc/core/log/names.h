#ifndef UC_CORE_LOG_NAMES_H
#define UC_CORE_LOG_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "log/file.h"
#include "log/log.h"

/*
 * What the files are called: <name>-<UTC day>.<number>.log, with .gz or .zst
 * behind it once they are archived, and .part while they are being archived.
 * Whatever is called otherwise, be it a leading zero, is not ours.
 */
#define UC_LOGNAME_MAX 128
#define UC_LOGNUMBER_MAX 999999999u
#define UC_LOGDAY_MAX 2932896u /* 9999-12-31 */
#define UC_LOGDAY_MS ((int64_t)86400000)

typedef struct uc_logname {
    uint32_t day; /* since 1970, UTC */
    uint32_t number;
    uc_log_compress kind;
    bool part;
} uc_logname;

/* 1 to 64 letters, digits, _ and -. */
bool uc__log_is_name(const char *s);

/* False when it is none of ours. name: the option. */
bool uc__logname_read(uc_logname *n, const char *name, const char *file);
void uc__logname_write(const uc_logname *n, const char *name,
                       char file[UC_LOGNAME_MAX]);
/* By day and number, then as the enum has it: the file before its archive. */
int uc__logname_compare(const uc_logname *a, const uc_logname *b);

/* What root has just made in dir, which is somebody else's, is given to that
 * one: who reads a log as root, or rotates it, must not shut its service out.
 * Anybody else's files stay as they are; so do those of which it fails. Not for
 * what was there: it may be a link to something else. */
void uc__log_give(int dirfd, int fd);

/* Milliseconds since 1970 by the log's clock, and the day that it is. */
int64_t uc__log_wall(const uc_log_options *o);
/* Milliseconds since the machine was started, those in which it slept too. */
int64_t uc__log_steady(const uc_log_options *o);
uint32_t uc__log_day(int64_t wall_ms);

/* The directory itself, which is made (0750) when it has gone. -1 and *e. */
int uc__log_dir(const uc_log_options *o, uc_error *e);
/*
 * All files of ours, sorted; the caller frees *list (uc_free). Others are
 * passed over, as are links and directories with such a name.
 */
bool uc__log_list(int dir, const char *name, uc_logname **list, size_t *n,
                  uc_error *e);

/* UC_LOG_IO, or UC_ACCESS: "the log could not <do> <file>: <errno's words>";
 * e->native is errno. False. */
bool uc__log_failed(uc_error *e, int err, const char *verb, const char *file);
/* What a test has hooked in. */
void uc__log_step(const uc_log_options *o, const char *where);

#endif

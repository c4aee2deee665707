#define _GNU_SOURCE
#include "log/names.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/mem.h"

static const char *const endings[] = {
    [UC_LOG_PLAIN] = ".log",
    [UC_LOG_GZIP] = ".log.gz",
    [UC_LOG_ZSTD] = ".log.zst",
};

bool uc__log_is_name(const char *s)
{
    size_t n = strlen(s);

    for (size_t i = 0; i < n; i++)
        if (!((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') ||
              (s[i] >= '0' && s[i] <= '9') || s[i] == '_' || s[i] == '-'))
            return false;
    return n > 0 && n <= 64;
}

/* The digits at *s as a number; false when there are none or too many. */
static bool digits(const char **s, size_t least, size_t most, uint32_t *value)
{
    size_t n = 0;

    for (*value = 0; (*s)[n] >= '0' && (*s)[n] <= '9'; n++) {
        if (n == most)
            return false;
        *value = *value * 10 + (uint32_t)((*s)[n] - '0');
    }
    *s += n;
    return n >= least;
}

static bool read_day(const char **s, uint32_t *day)
{
    uint32_t year, month, date;
    struct tm tm = {0}, again;
    time_t at;

    if (!digits(s, 4, 4, &year) || *(*s)++ != '-' || !digits(s, 2, 2, &month) ||
        *(*s)++ != '-' || !digits(s, 2, 2, &date) || year < 1970)
        return false;
    tm.tm_year = (int)year - 1900;
    tm.tm_mon = (int)month - 1;
    tm.tm_mday = (int)date;
    at = timegm(&tm);
    /* The 31st of February would be a day in March. */
    if (gmtime_r(&at, &again) == NULL || again.tm_mon != (int)month - 1 ||
        again.tm_mday != (int)date)
        return false;
    *day = (uint32_t)(at / 86400);
    return true;
}

bool uc__logname_read(uc_logname *n, const char *name, const char *file)
{
    size_t len = strlen(name);

    if (strncmp(file, name, len) != 0 || file[len] != '-')
        return false;
    file += len + 1;
    if (!read_day(&file, &n->day) || *file++ != '.' || *file == '0' ||
        !digits(&file, 1, 9, &n->number))
        return false;
    for (int kind = UC_LOG_PLAIN; kind <= UC_LOG_ZSTD; kind++) {
        len = strlen(endings[kind]);
        if (strncmp(file, endings[kind], len) != 0)
            continue;
        n->kind = (uc_log_compress)kind;
        n->part = strcmp(file + len, ".part") == 0;
        if (file[len] == '\0' || (n->part && kind != UC_LOG_PLAIN))
            return true;
    }
    return false;
}

void uc__logname_write(const uc_logname *n, const char *name,
                       char file[UC_LOGNAME_MAX])
{
    time_t at = (time_t)n->day * 86400;
    struct tm tm;

    gmtime_r(&at, &tm);
    snprintf(file, UC_LOGNAME_MAX, "%.64s-%04d-%02d-%02d.%u%s%s", name,
             tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, n->number,
             endings[n->kind], n->part ? ".part" : "");
}

int uc__logname_compare(const uc_logname *a, const uc_logname *b)
{
    if (a->day != b->day)
        return a->day < b->day ? -1 : 1;
    if (a->number != b->number)
        return a->number < b->number ? -1 : 1;
    return (int)(2 * a->kind + a->part) - (int)(2 * b->kind + b->part);
}

int64_t uc__log_wall(const uc_log_options *o)
{
    return o->clock != NULL ? o->clock->wall_ms(o->clock->arg) : uc_wall_ms();
}

int64_t uc__log_steady(const uc_log_options *o)
{
    struct timespec ts;

    if (o->clock != NULL && o->clock->steady_ms != NULL)
        return o->clock->steady_ms(o->clock->arg);
    clock_gettime(CLOCK_BOOTTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

uint32_t uc__log_day(int64_t wall_ms)
{
    int64_t day = wall_ms / UC_LOGDAY_MS;

    if (day < 0)
        return 0;
    return day < UC_LOGDAY_MAX ? (uint32_t)day : UC_LOGDAY_MAX;
}

int uc__log_dir(const uc_log_options *o, uc_error *e)
{
    int fd = open(o->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 && errno == ENOENT && mkdir(o->dir, 0750) == 0)
        fd = open(o->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        uc__log_failed(e, errno, "open", o->dir);
    return fd;
}

void uc__log_give(int dirfd, int fd)
{
    struct stat dir, st;

    if (geteuid() != 0 || fstat(dirfd, &dir) != 0 || fstat(fd, &st) != 0 ||
        (st.st_uid == dir.st_uid && st.st_gid == dir.st_gid))
        return;
    /* Where root may not do that either, it has no need to. */
    if (fchown(fd, dir.st_uid, dir.st_gid) != 0)
        return;
}

static int by_name(const void *a, const void *b)
{
    return uc__logname_compare(a, b);
}

/* Whether it is a file: what readdir says, or stat where it does not say. */
static bool is_file(int dir, const struct dirent *entry)
{
    struct stat st;

    if (entry->d_type != DT_UNKNOWN)
        return entry->d_type == DT_REG;
    return fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISREG(st.st_mode);
}

bool uc__log_list(int dir, const char *name, uc_logname **list, size_t *n,
                  uc_error *e)
{
    /* A description of its own: readdir moves the offset. */
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;
    size_t cap = 0;

    *list = NULL;
    *n = 0;
    if (d == NULL) {
        uc__log_failed(e, errno, "list", "its directory");
        if (fd >= 0)
            close(fd);
        return false;
    }
    while (errno = 0, (entry = readdir(d)) != NULL) {
        uc_logname found;

        if (!uc__logname_read(&found, name, entry->d_name) ||
            !is_file(dir, entry))
            continue;
        if (*n == cap) {
            size_t more = cap > 0 ? 2 * cap : 64;
            uc_logname *p = uc_realloc(*list, more * sizeof *p);

            if (p == NULL) {
                errno = ENOMEM;
                break;
            }
            *list = p;
            cap = more;
        }
        (*list)[(*n)++] = found;
    }
    if (errno != 0) {
        uc__log_failed(e, errno, "list", "its directory");
        closedir(d);
        uc_free(*list);
        *list = NULL;
        *n = 0;
        return false;
    }
    closedir(d);
    if (*n > 1)
        qsort(*list, *n, sizeof **list, by_name);
    return true;
}

bool uc__log_failed(uc_error *e, int err, const char *verb, const char *file)
{
    char text[128];

    uc_fail(e, err == EACCES || err == EPERM ? UC_ACCESS : UC_LOG_IO,
            "the log could not %s %s: %s", verb, file,
            strerror_r(err, text, sizeof text));
    e->native = err;
    return false;
}

void uc__log_step(const uc_log_options *o, const char *where)
{
    if (o->step != NULL)
        o->step(o->step_arg, where);
}

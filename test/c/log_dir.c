#define _GNU_SOURCE
#include "log_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "common/buf.h"
#include "common/mem.h"
#include "log/names.h"

#define LINE 14 /* with its \n: "line 00000012" */

static int64_t clock_of(void *arg)
{
    return __atomic_load_n(&((log_dir *)arg)->now, __ATOMIC_RELAXED);
}

static int64_t steady_of(void *arg)
{
    return __atomic_load_n(&((log_dir *)arg)->steady, __ATOMIC_RELAXED);
}

__attribute__((noreturn)) static void give_up(const char *what, const char *why)
{
    printf("Bail out! %s: %s\n", what, why);
    exit(1);
}

void log_dir_init(log_dir *d)
{
    /* In memory where that can be had: thousands of syncs would take minutes,
     * and what a disk does at a power cut is not what is looked at. */
    const char *tmp = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";

    memset(d, 0, sizeof *d);
    snprintf(d->path, sizeof d->path, "%s/uc-log-XXXXXX", tmp);
    if (mkdtemp(d->path) == NULL)
        give_up(d->path, strerror(errno));
    d->now = 20454 * UC_LOGDAY_MS + UC_LOGDAY_MS / 2;
    d->clock = (uc_log_clock){clock_of, d, steady_of};
    d->o = (uc_log_options){.dir = d->path,
                            .name = "app",
                            .daily = true,
                            .compress = UC_LOG_GZIP,
                            .sync_ms = 1000,
                            .clock = &d->clock};
}

void log_dir_fini(log_dir *d)
{
    DIR *dir = opendir(d->path);
    struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL)
        unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir != NULL)
        closedir(dir);
    rmdir(d->path);
}

const char *log_path(const log_dir *d, const char *name)
{
    static char paths[4][300];
    static unsigned turn;
    char *path = paths[turn++ % 4];

    snprintf(path, sizeof *paths, "%s/%s", d->path, name);
    return path;
}

const char *log_link(const log_dir *d)
{
    static char target[300];
    ssize_t n = readlink(log_path(d, "current"), target, sizeof target - 1);

    target[n < 0 ? 0 : n] = '\0';
    return target;
}

int64_t log_size(const log_dir *d, const char *name)
{
    struct stat st;

    return lstat(log_path(d, name), &st) == 0 ? (int64_t)st.st_size : -1;
}

unsigned log_count(const log_dir *d, const char *ending)
{
    DIR *dir = opendir(d->path);
    struct dirent *entry;
    unsigned n = 0;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        size_t len = strlen(entry->d_name), tail = strlen(ending);

        n += len >= tail && strcmp(entry->d_name + len - tail, ending) == 0;
    }
    if (dir != NULL)
        closedir(dir);
    return n;
}

bool log_try_append(uc_logfile *f, unsigned first, unsigned n, uc_error *e)
{
    struct iovec *iov = malloc(n * sizeof *iov);
    char *text = malloc(n * (LINE + 1));
    bool good;

    for (unsigned i = 0; i < n; i++) {
        snprintf(text + i * LINE, LINE + 1, "line %08u\n", first + i);
        iov[i] = (struct iovec){text + i * LINE, LINE};
    }
    good = uc_logfile_append(f, iov, (int)n, e);
    free(text);
    free(iov);
    return good;
}

void log_append(uc_logfile *f, unsigned first, unsigned n)
{
    uc_error e;

    if (!log_try_append(f, first, n, &e))
        give_up("append", e.message);
}

void log_write_bytes(const log_dir *d, const char *name, const char *p,
                     size_t n)
{
    int fd = open(log_path(d, name), O_WRONLY | O_CREAT | O_APPEND, 0640);

    if (fd < 0 || write(fd, p, n) != (ssize_t)n)
        give_up(name, strerror(errno));
    close(fd);
}

void log_write(const log_dir *d, const char *name, const char *text)
{
    log_write_bytes(d, name, text, strlen(text));
}

static void read_plain(const char *path, uc_buf *b)
{
    char chunk[4096];
    int fd = open(path, O_RDONLY);
    ssize_t n;

    while (fd >= 0 && (n = read(fd, chunk, sizeof chunk)) > 0)
        uc_buf_put(b, chunk, (size_t)n);
    if (fd >= 0)
        close(fd);
}

static bool read_gzip(const char *path, uc_buf *b)
{
    char chunk[4096];
    gzFile in = gzopen(path, "rb");
    int n;

    while ((n = gzread(in, chunk, sizeof chunk)) > 0)
        uc_buf_put(b, chunk, (size_t)n);
    return gzclose(in) == Z_OK && n == 0;
}

static bool read_zstd(const char *path, uc_buf *b)
{
    ZSTD_DCtx *z = ZSTD_createDCtx();
    size_t left = 1;
    char chunk[4096];
    uc_buf packed;
    ZSTD_inBuffer in;

    uc_buf_init(&packed, SIZE_MAX);
    read_plain(path, &packed);
    in = (ZSTD_inBuffer){packed.p, packed.len, 0};
    while (in.pos < in.size && !ZSTD_isError(left)) {
        ZSTD_outBuffer out = {chunk, sizeof chunk, 0};

        left = ZSTD_decompressStream(z, &out, &in);
        uc_buf_put(b, chunk, out.pos);
    }
    uc_buf_fini(&packed);
    ZSTD_freeDCtx(z);
    return left == 0;
}

/* All lines, one file after the other. */
static bool read_all(const log_dir *d, uc_buf *b)
{
    int dir = open(d->path, O_RDONLY | O_DIRECTORY);
    char name[UC_LOGNAME_MAX];
    uc_logname *list, last = {0};
    bool good = true;
    uc_error e;
    size_t n;

    if (!uc__log_list(dir, d->o.name, &list, &n, &e))
        give_up("list", e.message);
    close(dir);
    for (size_t i = 0; i < n; i++) {
        const uc_logname *l = &list[i];
        bool same = l->day == last.day && l->number == last.number;

        if (l->part || same)
            continue;
        last = *l;
        uc__logname_write(l, d->o.name, name);
        if (l->kind == UC_LOG_PLAIN)
            read_plain(log_path(d, name), b);
        else if (!(l->kind == UC_LOG_GZIP ? read_gzip
                                          : read_zstd)(log_path(d, name), b)) {
            printf("# %s is no archive\n", name);
            good = false;
        }
    }
    uc_free(list);
    return good;
}

/* The number of a line, or 0. */
static unsigned number_of(const uint8_t *line, size_t left)
{
    char text[LINE];

    if (left < LINE || line[LINE - 1] != '\n' || memcmp(line, "line ", 5) != 0)
        return 0;
    memcpy(text, line + 5, LINE - 6);
    text[LINE - 6] = '\0';
    return (unsigned)strtoul(text, NULL, 10);
}

bool log_holds(const log_dir *d, unsigned first, unsigned last)
{
    unsigned want = first;
    bool good;
    uc_buf b;

    uc_buf_init(&b, SIZE_MAX);
    good = read_all(d, &b);
    for (size_t at = 0; good && at < b.len; at += LINE, want++) {
        unsigned got = number_of(b.p + at, b.len - at);

        good = got == want;
        if (!good)
            printf("# line %u instead of %u, at %zu of %zu bytes\n", got, want,
                   at, b.len);
    }
    if (good && want != last + 1)
        printf("# the last line is %u\n", want - 1);
    uc_buf_fini(&b);
    return good && want == last + 1;
}

unsigned log_first(const log_dir *d)
{
    unsigned first;
    uc_buf b;

    uc_buf_init(&b, SIZE_MAX);
    read_all(d, &b);
    first = number_of(b.p, b.len);
    uc_buf_fini(&b);
    return first;
}

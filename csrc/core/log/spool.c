#include "log/spool.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/mem.h"

enum {
    PART = 64 << 10,  /* of a record in the ring */
    MOST = 128 << 20, /* of a spool; a client's own limit is below */
    ALONE_S = 60,
    PATH = 4096 + 64
};

bool uc_log_spool_init(const char *dir)
{
    char path[PATH];

    snprintf(path, sizeof path, "%s/.rings/spool", dir);
    return mkdir(path, 0750) == 0 || errno == EEXIST;
}

/* ---- lines into the ring ---- */

/* Behind the first n lines. */
static const uint8_t *after(const uint8_t *p, const uint8_t *end, uint64_t n)
{
    while (n-- > 0) {
        p = memchr(p, '\n', (size_t)(end - p));
        if (p == NULL || ++p == end)
            return end;
    }
    return p;
}

static uint32_t lines_in(const uint8_t *p, size_t len)
{
    const uint8_t *end = p + len;
    uint32_t n = 0;

    while (p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
        n++;
        p++;
    }
    return n;
}

/* Bytes of whole lines at p, about `most` of them, but one line at least. */
static size_t part_of(const uint8_t *p, const uint8_t *end, size_t most)
{
    const uint8_t *cut = p + most;

    if ((size_t)(end - p) <= most)
        return (size_t)(end - p);
    while (cut > p && cut[-1] != '\n')
        cut--;
    if (cut == p)
        cut = (const uint8_t *)memchr(p, '\n', (size_t)(end - p)) + 1;
    return (size_t)(cut - p);
}

bool uc_log_take(uc_log *log, const uint8_t client[16], uint64_t last,
                 uint32_t count, const uint8_t *lines, size_t len,
                 uint64_t *lost)
{
    const uint8_t *p = lines, *end = lines + len;
    uint64_t next = last - count + 1, seen = uc_log_seen(log, client);
    size_t most = PART;

    if (seen >= last)
        return true;
    if (seen >= next) {
        p = after(p, end, seen - next + 1);
        next = seen + 1;
    }
    while (p < end) {
        size_t n = part_of(p, end, most);
        uint32_t m = lines_in(p, n);

        switch (uc_log_put_from(log, client, next + m - 1, p, n, m)) {
        case UC_LOG_DONE:
            break;
        case UC_LOG_TOO_LARGE:
            if (m > 1) {
                most = n / 2;
                continue;
            }
            ++*lost;
            break;
        default:
            return false;
        }
        p += n;
        next += m;
    }
    return true;
}

/* ---- files ---- */

static uint32_t u32_at(const uint8_t *p)
{
    uint32_t n;

    memcpy(&n, p, 4);
    return le32toh(n);
}

static uint64_t u64_at(const uint8_t *p)
{
    uint64_t n;

    memcpy(&n, p, 8);
    return le64toh(n);
}

/* False when the ring is full: the rest comes later. */
static bool take_records(uc_log *log, const uint8_t client[16],
                         const uint8_t *p, size_t len, uint64_t *lost)
{
    while (len >= UC_SPOOL_HEAD && u32_at(p) == UC_SPOOL_MAGIC) {
        size_t n = u32_at(p + 4), whole = UC_SPOOL_HEAD + (n + 7) / 8 * 8;
        uint32_t count = u32_at(p + 8);
        uint64_t last = u64_at(p + 16);
        const uint8_t *lines = p + UC_SPOOL_HEAD;

        if (n == 0 || n > len - UC_SPOOL_HEAD || lines[n - 1] != '\n' ||
            last < count || count != lines_in(lines, n))
            break;
        if (!uc_log_take(log, client, last, count, lines, n, lost))
            return false;
        if (whole >= len)
            break;
        p += whole;
        len -= whole;
    }
    return true;
}

/* All of a file, as long as it is now; NULL with *len 0 when it is empty. */
static uint8_t *contents(int fd, size_t size, size_t *len)
{
    uint8_t *p = size > 0 && size <= MOST ? uc_malloc(size) : NULL;
    ssize_t n = 1;

    *len = 0;
    while (p != NULL && *len < size && n > 0) {
        n = read(fd, p + *len, size - *len);
        if (n > 0)
            *len += (size_t)n;
    }
    return p;
}

/* True when the file is gone. */
static bool take_file(uc_log *log, const char *path, const uint8_t client[16],
                      bool done, uint64_t *lost)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;
    bool all = false;
    uint8_t *p;
    size_t len;

    if (fd < 0)
        return errno == ENOENT;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        p = contents(fd, (size_t)st.st_size, &len);
        all = len == (size_t)st.st_size &&
              take_records(log, client, p, len, lost);
        uc_free(p);
    }
    close(fd);
    if (!all || (!done && time(NULL) - st.st_mtime < ALONE_S))
        return false;
    return unlink(path) == 0 || errno == ENOENT;
}

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

/* "<32 hex digits>" or "<…>.done". */
static bool client_of(const char *name, uint8_t client[16], bool *done)
{
    for (size_t i = 0; i < 16; i++) {
        int hi = hex(name[2 * i]), lo = hi < 0 ? -1 : hex(name[2 * i + 1]);

        if (lo < 0)
            return false;
        client[i] = (uint8_t)(hi << 4 | lo);
    }
    *done = strcmp(name + 32, ".done") == 0;
    return *done || name[32] == '\0';
}

unsigned uc_log_spool_take(uc_log *log, const char *dir, const uint8_t *client,
                           bool (*busy)(void *arg, const uint8_t client[16]),
                           void *arg, uint64_t *lost)
{
    char path[PATH];
    struct dirent *entry;
    unsigned left = 0;
    DIR *d;

    snprintf(path, sizeof path, "%s/.rings/spool", dir);
    d = opendir(path);
    if (d == NULL)
        return 0;
    while ((entry = readdir(d)) != NULL) {
        uint8_t id[16];
        bool done;

        if (!client_of(entry->d_name, id, &done) ||
            (client != NULL && memcmp(client, id, 16) != 0))
            continue;
        snprintf(path, sizeof path, "%s/.rings/spool/%s", dir, entry->d_name);
        if ((!done && busy(arg, id)) || !take_file(log, path, id, done, lost))
            left++;
    }
    closedir(d);
    return left;
}

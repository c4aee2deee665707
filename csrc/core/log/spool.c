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
#include "log/note.h"

enum {
    PART = 64 << 10,    /* of a record in the ring */
    WINDOW = 256 << 10, /* of a file that is read at once */
    MOST = 128 << 20,   /* of a record; no message of a client's is so long */
    ALONE_S = 60,
    PATH = 4096 + 64
};

/* A file, and how far it has been taken in. */
struct uc_spool {
    struct uc_spool *next;
    uint8_t client[16];
    bool done;
    bool there; /* found by the look that is going on */
    bool told;  /* why it cannot be taken in */
    dev_t dev;
    ino_t ino;
    uint64_t at;
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

/* What of a record is where it ought to be. */
typedef struct record {
    size_t len, whole; /* of the lines; with its head and the padding */
    uint32_t count;
    uint64_t last;
} record;

/* False: it is none, whatever comes behind. */
static bool read_head(const uint8_t *p, record *r)
{
    r->len = u32_at(p + 4);
    r->whole = UC_SPOOL_HEAD + (r->len + 7) / 8 * 8;
    r->count = u32_at(p + 8);
    r->last = u64_at(p + 16);
    return u32_at(p) == UC_SPOOL_MAGIC && r->len > 0 && r->len <= MOST &&
           r->last >= r->count;
}

typedef enum taking {
    TAKEN,  /* all that can be read */
    AGAIN,  /* there is more */
    FULL,   /* the ring is */
    FAILED, /* with an errno */
} taking;

/* Puts the records in front of *used bytes of n into the ring, to whose last
 * one some padding may be lacking; what is behind them is cut off or is none.
 * False: the ring is full. */
static bool take_some(uc_log *log, const uint8_t client[16], const uint8_t *p,
                      size_t n, size_t *used, uint64_t *lost)
{
    record r;

    for (*used = 0; *used < n && n - *used >= UC_SPOOL_HEAD;) {
        const uint8_t *lines = p + *used + UC_SPOOL_HEAD;

        if (!read_head(p + *used, &r) || r.len > n - *used - UC_SPOOL_HEAD ||
            lines[r.len - 1] != '\n' || r.count != lines_in(lines, r.len))
            break;
        if (!uc_log_take(log, client, r.last, r.count, lines, r.len, lost))
            return false;
        *used += r.whole;
    }
    return true;
}

/* How many bytes it takes to have the record at p, of which n are there. */
static size_t needed(const uint8_t *p, size_t n)
{
    record r;

    return n >= UC_SPOOL_HEAD && read_head(p, &r) ? UC_SPOOL_HEAD + r.len : 0;
}

/* From where the last look has ended, *budget bytes or a few more. */
static taking take_records(uc_log *log, struct uc_spool *f, int fd,
                           uint64_t size, uint64_t *budget, uint64_t *lost)
{
    size_t room = WINDOW, used = 0, need;
    uint8_t *p = uc_malloc(room), *larger;
    taking end = TAKEN;

    while (p != NULL && f->at < size) {
        ssize_t n = pread(fd, p, room, (off_t)f->at);
        bool fits =
            n > 0 && take_some(log, f->client, p, (size_t)n, &used, lost);

        if (n <= 0) {
            end = n < 0 ? FAILED : TAKEN;
            break;
        }
        f->at = used < size - f->at ? f->at + used : size;
        *budget -= used < *budget ? used : *budget;
        if (!fits || *budget == 0) {
            end = !fits ? FULL : f->at < size ? AGAIN : TAKEN;
            break;
        }
        if (used > 0)
            continue;
        need = needed(p, (size_t)n);
        if (need <= (size_t)n || need > size - f->at)
            break;
        larger = uc_realloc(p, need);
        if (larger == NULL) {
            end = AGAIN;
            break;
        }
        p = larger;
        room = need;
    }
    if (p == NULL)
        end = AGAIN;
    uc_free(p);
    return end;
}

static taking take_open(uc_log *log, struct uc_spool *f, int fd, bool *alone,
                        uint64_t *rest, uint64_t *budget, uint64_t *lost)
{
    struct stat st;
    taking end;

    if (fstat(fd, &st) != 0)
        return FAILED;
    if (!S_ISREG(st.st_mode)) {
        errno = EINVAL;
        return FAILED;
    }
    if (st.st_dev != f->dev || st.st_ino != f->ino ||
        (uint64_t)st.st_size < f->at) {
        f->dev = st.st_dev;
        f->ino = st.st_ino;
        f->at = 0;
    }
    end = take_records(log, f, fd, (uint64_t)st.st_size, budget, lost);
    *alone = f->done || time(NULL) - st.st_mtime >= ALONE_S;
    *rest = (uint64_t)st.st_size - f->at;
    return end;
}

/* Of the same name as the messages of the daemon, which this is a part of. */
static void tell(uc_log *log, struct uc_spool *f, const char *path, int err)
{
    if (!f->told)
        uc_log_note(log, 40, "undercroftd",
                    "what a client has left in %s cannot be taken in: %s", path,
                    strerror(err));
    f->told = true;
}

/* False: the file is gone. */
static bool take_file(uc_log *log, struct uc_spool *f, const char *path,
                      uint64_t *budget, bool *more, uint64_t *lost)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    bool alone = false;
    uint64_t rest = 0;
    taking end;

    if (fd < 0 && errno == ENOENT)
        return false;
    end = fd < 0 ? FAILED : take_open(log, f, fd, &alone, &rest, budget, lost);
    if (end == FAILED)
        tell(log, f, path, errno);
    if (fd >= 0)
        close(fd);
    *more |= end == AGAIN || end == FULL;
    if (end == FULL)
        *budget = 0;
    if (end != TAKEN || !alone)
        return true;
    if (unlink(path) != 0 && errno != ENOENT) {
        tell(log, f, path, errno);
        return true;
    }
    if (rest > 0)
        uc_log_note(log, 40, "undercroftd",
                    "%llu bytes that a client has left in %s could not be read",
                    (unsigned long long)rest, path);
    return false;
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

/* What is known of a file; NULL: out of memory. */
static struct uc_spool *known(uc_spools *s, const uint8_t client[16], bool done)
{
    struct uc_spool *f = s->first;

    while (f != NULL && (f->done != done || memcmp(f->client, client, 16) != 0))
        f = f->next;
    if (f != NULL)
        return f;
    f = uc_calloc(1, sizeof *f);
    if (f == NULL)
        return NULL;
    memcpy(f->client, client, 16);
    f->done = done;
    f->next = s->first;
    s->first = f;
    return f;
}

/* Those that are there, or with NULL all: nothing is known of them any more. */
static void forget(uc_spools *s, const uint8_t *client, bool gone)
{
    struct uc_spool **link = &s->first;

    while (*link != NULL) {
        struct uc_spool *f = *link;

        if ((client != NULL && memcmp(f->client, client, 16) != 0) ||
            (gone && f->there)) {
            link = &f->next;
            continue;
        }
        *link = f->next;
        uc_free(f);
    }
}

void uc_log_spools_forget(uc_spools *s, const uint8_t *client)
{
    forget(s, client, false);
}

unsigned uc_log_spool_take(uc_spools *s, uc_log *log, const char *dir,
                           const uint8_t *client,
                           bool (*busy)(void *arg, const uint8_t client[16]),
                           void *arg, uint64_t budget, bool *more,
                           uint64_t *lost)
{
    char path[PATH];
    struct dirent *entry;
    unsigned left = 0;
    DIR *d;

    *more = false;
    snprintf(path, sizeof path, "%s/.rings/spool", dir);
    d = opendir(path);
    if (d == NULL)
        return 0;
    for (struct uc_spool *f = s->first; f != NULL; f = f->next)
        f->there = false;
    while ((entry = readdir(d)) != NULL) {
        struct uc_spool *f;
        uint8_t id[16];
        bool done;

        if (!client_of(entry->d_name, id, &done) ||
            (client != NULL && memcmp(client, id, 16) != 0))
            continue;
        left++;
        if (!done && busy(arg, id))
            continue;
        f = known(s, id, done);
        *more |= budget == 0 && f != NULL;
        if (f == NULL)
            continue;
        f->there = true;
        if (budget == 0)
            continue;
        snprintf(path, sizeof path, "%s/.rings/spool/%s", dir, entry->d_name);
        f->there = take_file(log, f, path, &budget, more, lost);
        left -= !f->there;
    }
    closedir(d);
    forget(s, client, true);
    return left;
}

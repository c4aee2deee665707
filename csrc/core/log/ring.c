#define _GNU_SOURCE
#include "log/ring.h"

#include "common/mem.h"
#include "log/names.h"
#include "log/record.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* "ucring" and the version of the layout. */
#define MAGIC 0x0001676e69726375u
#define PAGE ((size_t)4096)
#define TABLE (UC_RING_CLIENTS * sizeof(uc_ring_client))
#define SUFFIX ".ring"

_Static_assert(sizeof(uc_ring_page) <= PAGE, "a page");
_Static_assert(TABLE % PAGE == 0, "the data begins at a page");

void uc_ring_file(char *file, const char *name, uint64_t gen)
{
    snprintf(file, UC_RING_FILE, "%.*s.%llu" SUFFIX, UC_RING_NAME, name,
             (unsigned long long)gen);
}

bool uc_ring_parse(const char *file, char *name, uint64_t *gen)
{
    const char *dot = strchr(file, '.');
    size_t len = dot == NULL ? 0 : (size_t)(dot - file);
    char *end;

    if (len == 0 || len > UC_RING_NAME || dot[1] < '0' || dot[1] > '9')
        return false;
    errno = 0;
    *gen = strtoull(dot + 1, &end, 10);
    if (errno != 0 || strcmp(end, SUFFIX) != 0)
        return false;
    memcpy(name, file, len);
    name[len] = '\0';
    return true;
}

static uint64_t page_check(const uc_ring_page *p)
{
    return uc__record_hash(MAGIC, 0, (const uint8_t *)p,
                           offsetof(uc_ring_page, check));
}

static uint64_t whole(uint64_t capacity)
{
    return (capacity + PAGE - 1) & ~(uint64_t)(PAGE - 1);
}

static uint64_t salt(const void *p)
{
    uint64_t v = 0;

    /* Only a kernel that has just started makes one wait for random bytes. */
    if (getrandom(&v, sizeof v, GRND_NONBLOCK) != sizeof v)
        v = (uint64_t)(uintptr_t)p ^ ((uint64_t)getpid() << 40);
    return v;
}

/* The parts of what is mapped, whose first page is there. */
static uc_ring *ring_of(void *map, size_t mapped, int fd)
{
    uc_ring *r = uc_calloc(1, sizeof *r);

    if (r == NULL)
        return NULL;
    r->page = map;
    r->clients = (uc_ring_client *)((uint8_t *)map + PAGE);
    r->data = (uint8_t *)map + PAGE + TABLE;
    r->mapped = mapped;
    r->cap = mapped - PAGE - TABLE;
    r->salt = r->page->salt;
    r->gen = r->page->gen;
    r->kept = r->page->kept == 1;
    memcpy(r->name, r->page->name, sizeof r->name);
    r->fd = fd;
    atomic_init(&r->refs, 1);
    return r;
}

static void fill_page(uc_ring_page *p, const char *name, uint64_t gen,
                      bool kept, uint64_t capacity)
{
    p->magic = MAGIC;
    p->capacity = capacity;
    p->salt = salt(p);
    p->gen = gen;
    p->kept = kept;
    snprintf(p->name, sizeof p->name, "%.*s", UC_RING_NAME, name);
    p->pid = (uint32_t)getpid();
    p->clients = UC_RING_CLIENTS;
    p->check = page_check(p);
}

static uc_ring *map_new(int fd, const char *name, uint64_t gen, bool kept,
                        uint64_t capacity, int *err)
{
    size_t mapped = PAGE + TABLE + capacity;
    int flags = fd < 0 ? MAP_SHARED | MAP_ANONYMOUS : MAP_SHARED;
    void *map = mmap(NULL, mapped, PROT_READ | PROT_WRITE, flags, fd, 0);
    uc_ring *r;

    if (map == MAP_FAILED) {
        *err = errno;
        return NULL;
    }
    fill_page(map, name, gen, kept, capacity);
    r = ring_of(map, mapped, fd);
    if (r == NULL) {
        munmap(map, mapped);
        *err = ENOMEM;
    }
    return r;
}

/* Interrupted on tmpfs by any signal. */
static int allocate(int fd, uint64_t bytes)
{
    int rc;

    do
        rc = posix_fallocate(fd, 0, (off_t)bytes);
    while (rc == EINTR);
    return rc;
}

/* The owner of the directory removes what it finds without a lock, and may have
 * been quicker. 0, EWOULDBLOCK or another errno. */
static int lock_new(int fd)
{
    struct stat st;

    if (flock(fd, LOCK_EX | LOCK_NB) != 0 || fstat(fd, &st) != 0)
        return errno;
    return st.st_nlink > 0 ? 0 : EWOULDBLOCK;
}

/* A locked file with all its room, under a name that is nobody's. */
static int new_file(int dirfd, char *temporary, uint64_t bytes, int *err)
{
    int fd;

    snprintf(temporary, UC_RING_FILE, "%016llx.new",
             (unsigned long long)salt(temporary));
    fd = openat(dirfd, temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        *err = errno;
        return -1;
    }
    uc__log_give(dirfd, fd);
    *err = lock_new(fd);
    if (*err == 0)
        *err = allocate(fd, bytes);
    if (*err == 0)
        return fd;
    unlinkat(dirfd, temporary, 0);
    close(fd);
    return -1;
}

/* Whatever has the name already stays. 0 or an errno. */
static int publish(int dirfd, const char *from, const char *to)
{
    if (syscall(SYS_renameat2, dirfd, from, dirfd, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return errno;
    /* Not on this file system. */
    if (faccessat(dirfd, to, F_OK, 0) == 0)
        return EEXIST;
    return renameat(dirfd, from, dirfd, to) == 0 ? 0 : errno;
}

/* All that is in it, at the same positions. */
static void copy(uc_ring *to, const uc_ring *from)
{
    uint64_t tail = uc_ring_tail(from);

    memcpy(to->data, from->data, from->cap);
    uc__clients_copy(to, from);
    /* A record's check knows its ring. */
    uc__records_resalt(to, from->salt, tail, from->head);
    to->head = from->head;
    to->at = from->at;
    to->tail = tail;
    atomic_store(&to->page->tail, tail);
    atomic_store(&to->page->head, from->head);
}

uc_ring *uc_ring_create(int dirfd, const char *name, uint64_t gen, bool kept,
                        uint64_t capacity, const uc_ring *from, bool all,
                        int *err)
{
    char file[UC_RING_FILE], temporary[UC_RING_FILE];
    uint64_t cap = whole(capacity);
    uc_ring *r;
    int fd = -1;

    for (int tries = 0; tries < 8; tries++) {
        fd = new_file(dirfd, temporary, PAGE + TABLE + cap, err);
        if (fd >= 0 || *err != EWOULDBLOCK)
            break;
    }
    if (fd < 0)
        return NULL;
    r = map_new(fd, name, gen, kept, cap, err);
    if (r == NULL) {
        close(fd);
    } else {
        if (from != NULL && all)
            copy(r, from);
        else if (from != NULL)
            uc__clients_copy(r, from);
        uc_ring_file(file, name, gen);
        *err = publish(dirfd, temporary, file);
        if (*err == 0)
            return r;
        uc_ring_unref(r);
    }
    unlinkat(dirfd, temporary, 0);
    return NULL;
}

uc_ring *uc_ring_anonymous(const char *name, uint64_t capacity, int *err)
{
    return map_new(-1, name, 0, false, whole(capacity), err);
}

static bool is_page_right(const uc_ring_page *p, uint64_t size)
{
    return p->magic == MAGIC && p->check == page_check(p) &&
           p->clients == UC_RING_CLIENTS &&
           p->capacity == size - PAGE - TABLE && p->name[UC_RING_NAME] == '\0';
}

/* What the page says is believed if it is to be used; a reader only needs the
 * salt, and sees from the records whether it is right. 0 or an errno. */
static int map_old(int fd, const char *file, bool use, uc_ring **ring)
{
    uint64_t gen, size;
    char name[UC_RING_NAME + 1];
    struct stat st;
    void *map;

    if (fstat(fd, &st) != 0)
        return errno;
    size = (uint64_t)st.st_size;
    if (!S_ISREG(st.st_mode) || size < PAGE + TABLE + PAGE ||
        size % PAGE != 0 || size > 2 * UC_RING_MOST ||
        !uc_ring_parse(file, name, &gen))
        return EBADMSG;
    map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return errno;
    if (use && !is_page_right(map, size)) {
        munmap(map, size);
        return EBADMSG;
    }
    *ring = ring_of(map, size, fd);
    if (*ring == NULL) {
        munmap(map, size);
        return ENOMEM;
    }
    (*ring)->kept = (*ring)->page->kept == 1 && is_page_right(map, size);
    (*ring)->gen = gen;
    memcpy((*ring)->name, name, sizeof name);
    return 0;
}

/* What the last producer has put is this one's, which goes on behind it. */
static void take_up(uc_ring *r)
{
    uint64_t tail = atomic_load(&r->page->tail);
    uc_ring_walk w;
    uc_view record;

    r->tail = uc_ring_tail(r);
    uc_ring_walk_begin(&w, r, r->tail);
    while (w.lost && uc_ring_walk_next(&w, &record))
        ;
    r->head = w.end;
    r->at = r->head % r->cap;
    /* The owner may be storing a better one just now. */
    if (tail != r->tail)
        atomic_compare_exchange_strong(&r->page->tail, &tail, r->tail);
    atomic_store(&r->page->head, r->head);
    uc__clients_take_up(r);
    futimens(r->fd, NULL);
}

uc_ring *uc_ring_open(int dirfd, const char *file, bool lock, int *err)
{
    uc_ring *r = NULL;
    int fd = openat(dirfd, file, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd < 0) {
        *err = errno;
        return NULL;
    }
    *err = lock && flock(fd, LOCK_EX | LOCK_NB) != 0
               ? errno
               : map_old(fd, file, lock, &r);
    if (r == NULL) {
        close(fd);
        return NULL;
    }
    if (lock)
        take_up(r);
    return r;
}

uc_ring *uc_ring_ref(uc_ring *r)
{
    atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
    return r;
}

void uc_ring_unref(uc_ring *r)
{
    if (r == NULL || atomic_fetch_sub(&r->refs, 1) != 1)
        return;
    munmap(r->page, r->mapped);
    if (r->fd >= 0)
        close(r->fd);
    uc_free(r->index);
    uc_free(r);
}

bool uc_ring_is_orphan(const uc_ring *r)
{
    return r->fd >= 0 && flock(r->fd, LOCK_EX | LOCK_NB) == 0;
}

uint64_t uc_ring_cut(const uc_ring *r)
{
    struct stat st;

    if (r->fd < 0 || fstat(r->fd, &st) != 0 ||
        (uint64_t)st.st_size >= r->mapped)
        return 0;
    return r->mapped - (uint64_t)st.st_size;
}

int64_t uc_ring_touched(const uc_ring *r)
{
    struct stat st;

    if (r->fd < 0 || fstat(r->fd, &st) != 0)
        return INT64_MAX;
    return (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
}

void uc_futex_wait(_Atomic uint32_t *word, uint32_t seen, int64_t ms)
{
    struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    if (ms > 0)
        syscall(SYS_futex, word, FUTEX_WAIT, seen, &ts, NULL, 0);
}

void uc_futex_wake(_Atomic uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

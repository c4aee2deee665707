#include "shim_vfs.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILES = 64, SECTOR = 512 };

typedef struct shim_file {
    sqlite3_file base;
    int slot; /* in `names`, -1 when nobody wants to know */
    sqlite3_file *real;
} shim_file;

/* One thing that happened to a file. */
typedef struct event {
    enum { WRITE, TRUNCATE, SYNC, DELETE } what;
    int slot;
    int64_t offset; /* the new size, for a truncation */
    int n;
    uint8_t *bytes;
} event;

static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static sqlite3_vfs shim;
static sqlite3_vfs *below;
static char *names[FILES];
static int nnames;
static event *events;
static uint64_t nevents, room;
static bool recording;
static struct {
    uint64_t count, fail_at;
    int rc;
    bool stay;
} faults[3];

/* ---- faults ---- */

uint64_t shim_fail(shim_op op, uint64_t n, int rc, bool stay)
{
    uint64_t before;

    pthread_mutex_lock(&mu);
    before = faults[op].count;
    faults[op].count = 0;
    faults[op].fail_at = n;
    faults[op].rc = rc;
    faults[op].stay = stay;
    pthread_mutex_unlock(&mu);
    return before;
}

/* The code that this operation has to fail with, or SQLITE_OK. Under mu. */
static int fault(shim_op op)
{
    uint64_t n = ++faults[op].count, at = faults[op].fail_at;

    return at != 0 && (n == at || (n > at && faults[op].stay)) ? faults[op].rc
                                                               : SQLITE_OK;
}

/* ---- the recording ---- */

static void record(event e, const void *bytes)
{
    if (!recording || e.slot < 0)
        return;
    if (nevents == room) {
        room = room > 0 ? room * 2 : 1024;
        events = realloc(events, room * sizeof *events);
        if (events == NULL)
            abort();
    }
    if (e.n > 0) {
        e.bytes = malloc((size_t)e.n);
        if (e.bytes == NULL)
            abort();
        memcpy(e.bytes, bytes, (size_t)e.n);
    }
    events[nevents++] = e;
}

void shim_record(bool on)
{
    pthread_mutex_lock(&mu);
    if (on) {
        for (uint64_t i = 0; i < nevents; i++)
            free(events[i].bytes);
        free(events);
        events = NULL;
        nevents = room = 0;
        for (int i = 0; i < nnames; i++)
            free(names[i]);
        nnames = 0;
    }
    recording = on;
    pthread_mutex_unlock(&mu);
}

uint64_t shim_now(void)
{
    uint64_t n;

    pthread_mutex_lock(&mu);
    n = nevents;
    pthread_mutex_unlock(&mu);
    return n;
}

static int slot_of(const char *name)
{
    for (int i = 0; i < nnames; i++) {
        if (strcmp(names[i], name) == 0)
            return i;
    }
    if (nnames == FILES)
        abort();
    names[nnames] = strdup(name);
    return nnames++;
}

/* ---- the power cut ---- */

typedef struct image {
    uint8_t *bytes;
    int64_t len;
    bool there;
} image;

static void resize(image *f, int64_t len)
{
    if (len < 0 || f->len < 0)
        abort();
    f->bytes = realloc(f->bytes, (size_t)len + 1);
    if (f->bytes == NULL)
        abort();
    if (len > f->len)
        memset(f->bytes + f->len, 0, (size_t)(len - f->len));
    f->len = len;
}

static void apply(image *f, const event *e, int n)
{
    f->there = true;
    if (e->what == TRUNCATE) {
        resize(f, e->offset);
    } else if (e->what == WRITE && n > 0) {
        if (e->offset + n > f->len)
            resize(f, e->offset + n);
        memcpy(f->bytes + e->offset, e->bytes, (size_t)n);
    } else if (e->what == DELETE) {
        resize(f, 0);
        f->there = false;
    }
}

static uint64_t dice(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

/* Everything up to the last sync of a file is on the disk. A removal is taken
 * as done: the VFS syncs the folder, or does not care. */
static void replay(image *f, int slot, uint64_t at, uint64_t *state)
{
    uint64_t synced = 0;

    for (uint64_t i = 0; i < at; i++) {
        if (events[i].slot == slot &&
            (events[i].what == SYNC || events[i].what == DELETE))
            synced = i + 1;
    }
    for (uint64_t i = 0; i < at; i++) {
        const event *e = &events[i];
        int n = e->n;

        if (e->slot != slot)
            continue;
        if (i >= synced) {
            if (*state == 0 || dice(state) % 2)
                continue;
            if (n > SECTOR && dice(state) % 8 == 0)
                n = (int)(dice(state) % (unsigned)(n / SECTOR)) * SECTOR;
        }
        apply(f, e, n);
    }
    if (at > 0 && !f->there) {
        /* The name of an empty file may be there: it does no harm. */
        f->len = 0;
    }
}

static bool save(const image *f, const char *path)
{
    FILE *out;
    bool good;

    if (!f->there) {
        remove(path);
        return true;
    }
    out = fopen(path, "wb");
    if (out == NULL)
        return false;
    good = f->len == 0 ||
           fwrite(f->bytes, 1, (size_t)f->len, out) == (size_t)f->len;
    return fclose(out) == 0 && good;
}

bool shim_power_cut(uint64_t at, uint64_t seed, const char *to)
{
    bool good = true;
    char path[600];

    pthread_mutex_lock(&mu);
    for (int slot = 0; slot < nnames; slot++) {
        const char *base = strrchr(names[slot], '/');
        image f = {0};

        replay(&f, slot, at < nevents ? at : nevents, &seed);
        snprintf(path, sizeof path, "%s/%s", to,
                 base != NULL ? base + 1 : names[slot]);
        good &= save(&f, path);
        free(f.bytes);
    }
    pthread_mutex_unlock(&mu);
    return good;
}

/* ---- files ---- */

static sqlite3_file *real(sqlite3_file *f)
{
    return ((shim_file *)f)->real;
}

static int x_close(sqlite3_file *f)
{
    int rc = real(f)->pMethods->xClose(real(f));

    sqlite3_free(((shim_file *)f)->real);
    return rc;
}

static int x_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
    return real(f)->pMethods->xRead(real(f), p, n, at);
}

static int x_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    shim_file *s = (shim_file *)f;
    int rc;

    pthread_mutex_lock(&mu);
    rc = fault(SHIM_WRITE);
    if (rc == SQLITE_OK)
        record((event){.what = WRITE, .slot = s->slot, .offset = at, .n = n},
               p);
    pthread_mutex_unlock(&mu);
    return rc != SQLITE_OK ? rc : s->real->pMethods->xWrite(s->real, p, n, at);
}

static int x_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    shim_file *s = (shim_file *)f;
    int rc;

    pthread_mutex_lock(&mu);
    rc = fault(SHIM_TRUNCATE);
    if (rc == SQLITE_OK)
        record((event){.what = TRUNCATE, .slot = s->slot, .offset = size},
               NULL);
    pthread_mutex_unlock(&mu);
    return rc != SQLITE_OK ? rc : s->real->pMethods->xTruncate(s->real, size);
}

static int x_sync(sqlite3_file *f, int flags)
{
    shim_file *s = (shim_file *)f;
    int rc;

    pthread_mutex_lock(&mu);
    rc = fault(SHIM_SYNC);
    if (rc == SQLITE_OK)
        record((event){.what = SYNC, .slot = s->slot}, NULL);
    pthread_mutex_unlock(&mu);
    /* The machine's own disk need not wait: the recording is what counts. */
    return rc != SQLITE_OK || recording
               ? rc
               : s->real->pMethods->xSync(s->real, flags);
}

static int x_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return real(f)->pMethods->xFileSize(real(f), size);
}

static int x_lock(sqlite3_file *f, int level)
{
    return real(f)->pMethods->xLock(real(f), level);
}

static int x_unlock(sqlite3_file *f, int level)
{
    return real(f)->pMethods->xUnlock(real(f), level);
}

static int x_reserved(sqlite3_file *f, int *out)
{
    return real(f)->pMethods->xCheckReservedLock(real(f), out);
}

static int x_control(sqlite3_file *f, int op, void *arg)
{
    return real(f)->pMethods->xFileControl(real(f), op, arg);
}

static int x_sector(sqlite3_file *f)
{
    return real(f)->pMethods->xSectorSize(real(f));
}

/* Nothing that a power cut could not break (no power-safe overwrite). */
static int x_features(sqlite3_file *f)
{
    (void)f;
    return 0;
}

static int x_shm_map(sqlite3_file *f, int page, int size, int extend,
                     void volatile **out)
{
    return real(f)->pMethods->xShmMap(real(f), page, size, extend, out);
}

static int x_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
    return real(f)->pMethods->xShmLock(real(f), offset, n, flags);
}

static void x_shm_barrier(sqlite3_file *f)
{
    real(f)->pMethods->xShmBarrier(real(f));
}

static int x_shm_unmap(sqlite3_file *f, int del)
{
    return real(f)->pMethods->xShmUnmap(real(f), del);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2, /* no memory mapping: every write comes through here */
    .xClose = x_close,
    .xRead = x_read,
    .xWrite = x_write,
    .xTruncate = x_truncate,
    .xSync = x_sync,
    .xFileSize = x_size,
    .xLock = x_lock,
    .xUnlock = x_unlock,
    .xCheckReservedLock = x_reserved,
    .xFileControl = x_control,
    .xSectorSize = x_sector,
    .xDeviceCharacteristics = x_features,
    .xShmMap = x_shm_map,
    .xShmLock = x_shm_lock,
    .xShmBarrier = x_shm_barrier,
    .xShmUnmap = x_shm_unmap,
};

static int x_open(sqlite3_vfs *v, sqlite3_filename name, sqlite3_file *f,
                  int flags, int *out)
{
    shim_file *s = (shim_file *)f;
    int rc;

    (void)v;
    s->base.pMethods = NULL;
    s->real = sqlite3_malloc(below->szOsFile);
    if (s->real == NULL)
        return SQLITE_NOMEM;
    rc = below->xOpen(below, name, s->real, flags, out);
    if (rc != SQLITE_OK) {
        sqlite3_free(s->real);
        return rc;
    }
    pthread_mutex_lock(&mu);
    s->slot = recording && name != NULL ? slot_of(name) : -1;
    pthread_mutex_unlock(&mu);
    s->base.pMethods = &methods;
    return SQLITE_OK;
}

static int x_delete(sqlite3_vfs *v, const char *name, int dir)
{
    (void)v;
    pthread_mutex_lock(&mu);
    if (recording)
        record((event){.what = DELETE, .slot = slot_of(name)}, NULL);
    pthread_mutex_unlock(&mu);
    return below->xDelete(below, name, dir);
}

void shim_install(void)
{
    below = sqlite3_vfs_find(NULL);
    shim = *below;
    shim.zName = "shim";
    shim.szOsFile = sizeof(shim_file);
    shim.xOpen = x_open;
    shim.xDelete = x_delete;
    sqlite3_vfs_register(&shim, 1);
}

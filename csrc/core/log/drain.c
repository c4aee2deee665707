#define _GNU_SOURCE
#include "log/drain.h"

#include "common/clock.h"
#include "common/mem.h"
#include "log/archive.h"
#include "log/file.h"
#include "log/names.h"
#include "log/source.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What one append gathers. Copied: a line of usual size costs the kernel more
 * as a piece of its own. Half of a usual L2. */
#define STAGE ((size_t)256 << 10)
#define STAGE_LINE ((size_t)16 << 10) /* from here on in place */
#define STAGE_NOTE ((size_t)512)      /* for a line of the log's own */
#define PIECES 256
#define BATCH ((size_t)1 << 20)
#define BACKOFF (10 * UC_MS)
#define BACKOFF_MOST (1000 * UC_MS)
#define SAY                                                                  \
    (60000 * UC_MS)         /* of a disk that fails each time: no more often \
                             */
#define SCAN (1000 * UC_MS) /* for rings that were made without a word */

struct uc_drain {
    const uc_log_options *o;
    uc_place *place;
    uc_logfile *file;    /* NULL: not yet, for want of disk */
    uc_archive *archive; /* NULL with keeps_files */
    bool keeps_files;
    uc_sources sources;
    uint32_t turn; /* whose ring is first this time */
    uint32_t rings_seen, reopen_seen, rotate_seen;
    int64_t next_scan, next_tick;
    bool busy;

    /* Since when nothing can be written, 0; when it will be tried again. */
    int64_t stalled, retry, backoff;
    char why[128];
    int64_t said;         /* that a sync has failed; 0: never */
    int unsynced;         /* its errno, and no line says so yet */
    char unarchived[200]; /* what was said of the archive last */

    struct iovec pieces[PIECES];
    int npieces;
    size_t staged, gathered;
    uc_tail tails[UC_PLACE_RINGS];
    uc_source *taken[UC_PLACE_RINGS];
    uint32_t ntaken;

    uc_drain_stats stats;
    uint8_t stage[STAGE + STAGE_NOTE];
};

/* For any one record and a line of the log's own. */
static bool is_room(const uc_drain *d)
{
    return d->npieces < PIECES - 1 && d->staged + STAGE_LINE <= STAGE &&
           d->gathered < BATCH;
}

uc_drain *uc_drain_new(const uc_log_options *o, uc_place *p)
{
    uc_drain *d = uc_calloc(1, sizeof *d);

    if (d == NULL)
        return NULL;
    d->o = o;
    d->place = p;
    d->rings_seen = atomic_load(&p->control->rings);
    d->reopen_seen = atomic_load(&p->control->reopen);
    d->rotate_seen = atomic_load(&p->control->rotate);
    uc__sources_init(&d->sources, p->rings);
    return d;
}

void uc_drain_keep_files(uc_drain *d)
{
    d->keeps_files = true;
}

void uc_drain_free(uc_drain *d)
{
    if (d == NULL)
        return;
    uc_archive_stop(d->archive);
    uc_logfile_close(d->file);
    uc__sources_fini(&d->sources);
    uc_free(d);
}

uc_drain_stats *uc_drain_get_stats(uc_drain *d)
{
    return &d->stats;
}

bool uc_drain_was_busy(const uc_drain *d)
{
    return d->busy;
}

bool uc_drain_is_behind(const uc_drain *d)
{
    return !is_room(d);
}

bool uc_drain_adopt(uc_drain *d, uc_ring *r)
{
    return uc__sources_add(&d->sources, r, true);
}

void uc_drain_disown(uc_drain *d, const uc_ring *r)
{
    uc__sources_forget(&d->sources, r);
}

/* --- what keeps it from writing ------------------------------------------- */

static void remember(uc_drain *d, const uc_error *e)
{
    uc__log_set_text(&d->stats.error, e->message);
    uc__log_set_text(&d->place->control->error, e->message);
}

static void stall(uc_drain *d, const uc_error *e, int64_t now)
{
    remember(d, e);
    if (d->stalled == 0) {
        d->stalled = now;
        d->backoff = BACKOFF;
        /* The one place that is still sure to be seen. */
        fprintf(stderr,
                "undercroft: %s; lines are kept in the ring until it can be "
                "written\n",
                e->message);
    }
    snprintf(d->why, sizeof d->why, "%.127s",
             e->native != 0 ? strerror(e->native) : e->message);
    d->retry = now + d->backoff;
    d->backoff = d->backoff * 2 < BACKOFF_MOST ? d->backoff * 2 : BACKOFF_MOST;
    atomic_store(&d->stats.stalled, true);
    atomic_store(&d->place->control->stalled, 1);
}

static void resume(uc_drain *d)
{
    if (d->stalled == 0)
        return;
    d->stalled = 0;
    atomic_store(&d->stats.stalled, false);
    atomic_store(&d->place->control->stalled, 0);
}

/* Whoever has asked for a sync since the last one, or asks next, is told. */
static void sync_failed(uc_drain *d, const uc_error *e)
{
    int64_t now = uc_now();

    remember(d, e);
    atomic_fetch_add(&d->place->control->sync_failures, 1);
    if (d->said != 0 && now - d->said < SAY)
        return;
    d->said = now;
    d->unsynced = e->native;
    fprintf(stderr,
            "undercroft: %s; what was not on the disk yet may not survive a "
            "power cut\n",
            e->message);
}

bool uc_drain_sync(uc_drain *d, uc_error *e)
{
    if (d->file == NULL || uc_logfile_sync(d->file, e))
        return true;
    sync_failed(d, e);
    return false;
}

/* --- beginning ------------------------------------------------------------ */

static void publish(uc_drain *d, const uc_tail *tails, uint32_t n)
{
    uc_logmark mark;

    uc_logfile_mark(d->file, &mark);
    uc_place_publish(d->place, d->o, &mark, tails, n);
}

/* The current file may be another one. */
static void turned(uc_drain *d)
{
    uc_logmark mark;

    uc_logfile_mark(d->file, &mark);
    publish(d, NULL, 0);
    if (d->archive != NULL)
        uc_archive_poke(d->archive, &mark);
    atomic_store(&d->stats.files, uc_logfile_count(d->file));
}

static bool open_file(uc_drain *d, uc_error *e)
{
    uc_published last;
    bool known = uc_place_published(d->place, &last);
    bool ours = known && uc_place_is_ours(d->place, &last, d->o->name);

    d->file = uc_logfile_open(d->o, ours ? &last.mark : NULL, e);
    if (d->file == NULL)
        return false;
    if (d->archive == NULL && !d->keeps_files) {
        d->archive = uc_archive_start(d->o, e);
        if (d->archive != NULL)
            uc_archive_remember(d->archive, &d->place->control->pace,
                                d->place->boot);
    }
    if (d->archive == NULL && !d->keeps_files) {
        uc_logfile_close(d->file);
        d->file = NULL;
        return false;
    }
    /* Before the publication that says nothing of them replaces this one. */
    if (known)
        uc__sources_raise(&d->sources, last.tails, last.n);
    uc__log_step(d->o, "raised");
    turned(d);
    return true;
}

static void scan(uc_drain *d, int64_t now)
{
    d->rings_seen = atomic_load(&d->place->control->rings);
    uc__sources_scan(&d->sources);
    d->next_scan = now + SCAN;
}

bool uc_drain_begin(uc_drain *d, uc_error *e)
{
    int64_t now = uc_now();

    scan(d, now);
    atomic_store(&d->place->control->stalled, 0);
    if (open_file(d, e))
        return true;
    if (uc__log_is_full(e->native))
        stall(d, e, now);
    return false;
}

bool uc_drain_has_lines(uc_drain *d)
{
    if (d->sources.n == 0)
        scan(d, uc_now());
    for (uint32_t i = 0; i < d->sources.n; i++)
        if (uc__source_has_more(&d->sources.all[i]))
            return true;
    return false;
}

/* --- gathering ------------------------------------------------------------ */

static void add_staged(uc_drain *d, size_t len)
{
    struct iovec *last = d->npieces > 0 ? &d->pieces[d->npieces - 1] : NULL;
    uint8_t *p = d->stage + d->staged;

    if (last != NULL && (uint8_t *)last->iov_base + last->iov_len == p)
        last->iov_len += len;
    else
        d->pieces[d->npieces++] = (struct iovec){p, len};
    d->staged += len;
    d->gathered += len;
}

static void add(uc_drain *d, uc_view record)
{
    if (record.len >= STAGE_LINE) {
        d->pieces[d->npieces++] =
            (struct iovec){(void *)(uintptr_t)record.p, record.len};
        d->gathered += record.len;
        return;
    }
    memcpy(d->stage + d->staged, record.p, record.len);
    add_staged(d, record.len);
}

/* A line about bytes that were none. There is room for one of them a ring: the
 * next ring is not begun when the stage is full. */
static void add_skipped(uc_drain *d, const char *name, uint64_t bytes)
{
    size_t n = uc__log_line((char *)d->stage + d->staged, STAGE_NOTE, d->o, 50,
                            "bytes", bytes,
                            "%llu bytes of the ring %s could not be read",
                            (unsigned long long)bytes, name);

    add_staged(d, n);
    atomic_fetch_add(&d->stats.unreadable, bytes);
}

static void gather_from(uc_drain *d, uc_source *s)
{
    uc_view record;

    uc__source_begin(s);
    while (is_room(d) && uc_ring_walk_next(&s->walk, &record))
        add(d, record);
    if (s->walk.skipped > 0)
        add_skipped(d, s->ring->name, s->walk.skipped);
    else if (s->walk.pos == s->tail)
        return;
    d->taken[d->ntaken] = s;
    d->tails[d->ntaken++] = (uc_tail){s->ring->salt, s->walk.pos};
}

static void gather(uc_drain *d, int64_t now)
{
    uint32_t n = d->sources.n;

    d->npieces = 0;
    d->staged = d->gathered = 0;
    d->ntaken = 0;
    if (d->stalled != 0) {
        uint64_t ms = (uint64_t)((now - d->stalled) / UC_MS);
        size_t len =
            uc__log_line((char *)d->stage, STAGE_NOTE, d->o, 40, "stalledMs",
                         ms, "the log stood still for %llu ms: %s",
                         (unsigned long long)ms, d->why);

        add_staged(d, len);
    }
    if (d->unsynced != 0)
        add_staged(d, uc__log_line((char *)d->stage + d->staged, STAGE_NOTE,
                                   d->o, 50, "errno", (uint64_t)d->unsynced,
                                   "the log could not be synced: %s; what was "
                                   "not on the disk yet may not survive a "
                                   "power cut",
                                   strerror(d->unsynced)));
    if (d->sources.spoiled > 0)
        add_skipped(d, "that had no form", d->sources.spoiled);
    d->turn++;
    for (uint32_t i = 0; i < n && d->ntaken < UC_PLACE_RINGS && is_room(d);
         i++) {
        uint32_t at = (i + d->turn) % n;

        if (!uc__sources_has_to_wait(&d->sources, at))
            gather_from(d, &d->sources.all[at]);
    }
}

/* --- writing -------------------------------------------------------------- */

static bool write_gathered(uc_drain *d, uc_error *e)
{
    uc_logmark before, mark;

    if (d->gathered == 0)
        return true;
    uc_logfile_mark(d->file, &before);
    if (!uc_logfile_turn(d->file, d->gathered, e))
        return false;
    uc_logfile_mark(d->file, &mark);
    if (memcmp(&before, &mark, sizeof mark) != 0)
        turned(d);
    uc__log_step(d->o, "append");
    if (!uc_logfile_append(d->file, d->pieces, d->npieces, e))
        return false;
    uc__log_step(d->o, "appended");
    publish(d, d->tails, d->ntaken);
    uc__log_step(d->o, "published");
    return true;
}

/* Before what was put after it is written. */
static void serve_requests(uc_drain *d)
{
    uc_control *c = d->place->control;
    uint32_t reopen = atomic_load(&c->reopen);
    uint32_t rotate = atomic_load(&c->rotate);

    if (reopen != d->reopen_seen)
        uc_logfile_reopen(d->file);
    if (rotate != d->rotate_seen)
        uc_logfile_rotate(d->file);
    d->reopen_seen = reopen;
    d->rotate_seen = rotate;
}

/* One batch; false: nothing was there or nothing could be written. */
static bool write_batch(uc_drain *d, int64_t now)
{
    uc_error e;

    uc_error_init(&e);
    if (d->file == NULL && !open_file(d, &e)) {
        stall(d, &e, now);
        return false;
    }
    serve_requests(d);
    gather(d, now);
    if (!write_gathered(d, &e)) {
        stall(d, &e, now);
        return false;
    }
    resume(d);
    d->sources.spoiled = 0;
    d->unsynced = 0;
    for (uint32_t i = 0; i < d->ntaken; i++) {
        uc__log_step(d->o, "tail");
        uc__source_taken(d->taken[i], d->tails[i].tail);
    }
    d->busy = d->gathered > 0;
    return d->ntaken > 0;
}

/* Who asks has seen that its lines are written. */
static void serve_syncs(uc_drain *d)
{
    uc_control *c = d->place->control;
    uint32_t asked = atomic_load(&c->sync_asked);
    uc_error e;

    if (asked == atomic_load(&c->sync_done))
        return;
    /* Also when it fails, which is counted before. */
    uc_drain_sync(d, &e);
    atomic_store(&c->sync_done, asked);
    uc_futex_wake(&c->sync_done);
}

/* Files that could not be archived or removed stay what they are: said once. */
static void look_at_archive(uc_drain *d)
{
    uint64_t archived, deleted;
    char text[sizeof d->unarchived];

    if (d->archive == NULL)
        return;
    uc_archive_counts(d->archive, &archived, &deleted);
    atomic_store(&d->stats.archived, archived);
    atomic_store(&d->stats.deleted, deleted);
    uc_archive_error(d->archive, text, sizeof text);
    if (strcmp(text, d->unarchived) == 0)
        return;
    memcpy(d->unarchived, text, sizeof text);
    if (text[0] == '\0')
        return;
    uc__log_set_text(&d->stats.error, text);
    fprintf(stderr, "undercroft: %s; the log tries again\n", text);
}

/* Syncs that are due, files that were moved, what the archive has done. */
static void tick(uc_drain *d, int64_t now)
{
    uc_error e;

    if (now < d->next_tick)
        return;
    d->next_tick = now + SCAN;
    if (!uc_logfile_tick(d->file, now, &d->next_tick, &e))
        sync_failed(d, &e);
    look_at_archive(d);
}

bool uc_drain_run(uc_drain *d, int64_t now, int64_t *next)
{
    bool more = false;

    d->busy = false;
    if (now >= d->next_scan ||
        atomic_load(&d->place->control->rings) != d->rings_seen)
        scan(d, now);
    uc__sources_check(&d->sources);
    if (d->stalled == 0 || now >= d->retry)
        more = write_batch(d, now);
    if (d->file != NULL && d->stalled == 0) {
        serve_syncs(d);
        tick(d, now);
    }
    uc__sources_sweep(&d->sources, d->o, now);
    *next = d->next_scan;
    if (d->file != NULL && d->next_tick < *next)
        *next = d->next_tick;
    if (d->stalled != 0 && d->retry < *next)
        *next = d->retry;
    return more;
}

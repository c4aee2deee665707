#ifndef UC_CORE_LOG_LOG_H
#define UC_CORE_LOG_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/*
 * The log of a directory: lines go into a ring of the process, which is a
 * mapped file, and from there into files that rotate. One process of those that
 * have the directory open owns it (a lock that the kernel releases) and writes
 * what all their rings hold; when it dies another goes on where it was.
 *
 * A line that was put survives the process, however that ends. A power cut can
 * cost what was not synced: the last sync_ms of the files, and the rings.
 */
typedef struct uc_log uc_log;

/* What becomes of a line when the ring is full: its thread waits up to
 * block_ms; it is dropped and counted; or further rings are made. */
typedef enum uc_log_overflow {
    UC_LOG_BLOCK,
    UC_LOG_DROP,
    UC_LOG_GROW
} uc_log_overflow;

typedef enum uc_log_compress {
    UC_LOG_PLAIN,
    UC_LOG_GZIP,
    UC_LOG_ZSTD
} uc_log_compress;

/* For tests, which cannot wait for days. NULL: the system's. */
typedef struct uc_log_clock {
    int64_t (*wall_ms)(void *arg); /* since 1970; any thread */
    void *arg;
    int64_t (*steady_ms)(void *arg); /* it is never set. NULL: the system's */
} uc_log_clock;

typedef struct uc_log_options {
    const char *dir;  /* made with 0750 when it is not there */
    const char *name; /* of the files: "app"; letters, digits, _ and -, to 64 */
    /* NULL: a ring for this process alone, removed when it is drained. Else its
     * name, as long and of the same letters: the next process that asks for it
     * takes it up again, with its clients. One process at a time. Removed when
     * nobody has for keep_ms. */
    const char *ring;
    uint64_t ring_bytes; /* 8 MiB; 64 KiB to 1 GiB */
    uc_log_overflow overflow;
    uint64_t grow_bytes;      /* 64 MiB: all rings of a process together */
    int64_t block_ms;         /* 1000 */
    uint64_t rotate_bytes;    /* 64 MiB; 0: by day alone */
    bool daily;               /* a new file at midnight, UTC */
    uc_log_compress compress; /* of files that are not written any more: GZIP */
    int64_t keep_ms;          /* 60 days; 0: for ever */
    uint64_t keep_bytes;      /* 10 GiB over all files; 0: no limit */
    int64_t sync_ms; /* fdatasync at most so long after a write: 1000; 0: never
                      */
    const uc_log_clock *clock;
    /* For tests: called where a crash is interesting, with the name of the
     * place, on the thread that is there. NULL. */
    void (*step)(void *arg, const char *where);
    void *step_arg;
} uc_log_options;

/* The defaults, without a directory. */
void uc_log_options_init(uc_log_options *o);

/*
 * Opens the log of a directory: a reference of the caller's, which is another
 * one when this process has it open. o is copied, but for the clock and step's
 * argument, which have to outlive the log's thread. NULL: UC_OPTION names the
 * field that is wrong, UC_OPTIONS_CONFLICT the one that differs from what is
 * open (in this process, but for the name, which all processes have to agree
 * on; of the other options for the files the owner's hold), UC_ACCESS and
 * UC_LOG_IO say what of the directory could not be had. A full disk is no
 * reason: the ring is in memory until there is room (stats:
 * volatile_ring). Any thread. A forked child opens for itself.
 */
uc_log *uc_log_open(const uc_log_options *o, uc_error *e);
void uc_log_ref(uc_log *l);
/*
 * l may be NULL. The last: an owner writes what the rings hold, 2 s at most,
 * and gives the directory up; else the ring stays for the owner. Not from a
 * callback of the log.
 *
 * Half a second later it returns whatever the disk does. Where that does not
 * answer the thread of the log stays in it and keeps what it needs, the
 * directory as well, and ends by itself when it comes back.
 */
void uc_log_unref(uc_log *l);
/* The same without waiting, for who has a loop to run: on a thread of its own,
 * with ms instead of the 2 s. fn, which may be NULL, is called at the end, on
 * any thread; where there is no other one before this returns. */
void uc_log_unref_later(uc_log *l, int64_t ms, void (*fn)(void *arg),
                        void *arg);

typedef enum uc_log_result {
    UC_LOG_DONE,       /* these lines survive the process */
    UC_LOG_DROPPED,    /* they are counted, and the count will be a line */
    UC_LOG_WOULD_WAIT, /* only with may_wait false: nothing has happened */
    UC_LOG_TOO_LARGE   /* for the ring, of which a quarter is the most; counted
                        * like those that are dropped */
} uc_log_result;

/* One or more whole lines, each with its \n. They stay together. Any thread;
 * waits (block_ms) with overflow UC_LOG_BLOCK and may_wait alone. */
uc_log_result uc_log_put(uc_log *l, const uint8_t *lines, size_t len,
                         uint32_t nlines, bool may_wait);
/*
 * The same for lines that a client of another process has numbered: last_seq is
 * the number of the last of them. DONE also when they are there already; never
 * waits, and drops nothing: WOULD_WAIT when the ring is full.
 */
uc_log_result uc_log_put_from(uc_log *l, const uint8_t client[16],
                              uint64_t last_seq, const uint8_t *lines,
                              size_t len, uint32_t nlines);
/* Counts lines that could not be put elsewhere: they are told like those that
 * this has dropped. TOO_LARGE of uc_log_put_from is not counted. Any thread. */
void uc_log_lost(uc_log *l, uint64_t nlines, bool too_long);
/* The last number of the client's that the ring has had, or 0. 1024 clients are
 * known: who has been silent for longest is forgotten. Any thread. */
uint64_t uc_log_seen(uc_log *l, const uint8_t client[16]);

/*
 * Waits until all that this process has put before is in the file, and with
 * sync on the disk, which the owner does, whichever process that is. False:
 * UC_TIMEOUT, or what keeps the owner from writing; with sync also UC_LOG_IO
 * when a sync has failed, be it before this one: what it was for may be lost
 * with the power, and a process is told so once. Any thread but those that
 * call back.
 */
bool uc_log_flush(uc_log *l, int64_t timeout_ms, bool sync, uc_error *e);
/* The same without waiting: fn runs once, on the log's thread, at the latest at
 * the deadline (uc_now()'s terms) or when the log ends; out of memory at once.
 * It must not wait. While the disk does not answer that thread does not look at
 * deadlines; when the log is unref'd for the last time meanwhile, fn runs
 * there. */
void uc_log_on_flushed(uc_log *l, bool sync, void (*fn)(void *arg, bool ok),
                       void *arg, int64_t deadline);

/* Asks the owner to open its file anew, as after it was moved (which it also
 * notices by itself, within a second), or to begin the next one. Any thread. */
void uc_log_reopen(uc_log *l);
void uc_log_rotate(uc_log *l);

typedef struct uc_log_stats {
    bool owner;         /* this process writes the files */
    bool volatile_ring; /* the ring is in memory, for want of disk */
    bool stalled;       /* this owner cannot write: see error */
    /* Put by this process since it opened the log. */
    uint64_t lines, bytes, dropped;
    uint64_t blocked; /* puts that had to wait */
    uint64_t ring_bytes, ring_used;
    /* Of this process as the owner: files begun, archived and deleted; bytes of
     * rings that were no lines. */
    uint64_t files, archived, deleted, unreadable;
    char error[200]; /* the last that went wrong, or "" */
} uc_log_stats;

/* Any thread. */
void uc_log_stats_get(uc_log *l, uc_log_stats *s);

/*
 * For whoever only reads the files: when nobody owns the directory, writes what
 * the rings of dead processes hold, and leaves. It goes on with the file that
 * is there, whatever its day and size, and archives and deletes none: of o only
 * dir and sync_ms count, and name where the last owner has left none. True also
 * when there was nothing to do or no such directory.
 */
bool uc_log_recover(const uc_log_options *o, uc_error *e);

#endif

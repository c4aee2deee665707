#ifndef UC_CORE_LOG_RING_H
#define UC_CORE_LOG_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/view.h"

/*
 * A ring of lines in a mapped file: a page of its own, a table of clients, and
 * the bytes. One process puts (its threads under a mutex of its own), one, the
 * owner of the directory, takes.
 *
 * Positions count bytes and never wrap: what lies between tail and head is
 * there. A record is a header, bytes, and padding to 8; it does not wrap: the
 * end of the ring is skipped. Storing the head makes it part of the ring, and
 * since a process's stores survive it in their order, that is all that a crash
 * can tear. (Not so a power cut, hence the checks.)
 */
#define UC_RING_LEAST ((uint64_t)64 << 10)
#define UC_RING_MOST ((uint64_t)1 << 30)
#define UC_RING_NAME 64
#define UC_RING_CLIENTS 1024

/* The first page of the file. What is above `check` never changes. */
typedef struct uc_ring_page {
    uint64_t magic;
    uint64_t capacity; /* of the data */
    uint64_t salt;     /* random: no other ring has it */
    uint64_t gen;      /* of the rings with this name, by age */
    char name[UC_RING_NAME + 8];
    uint32_t pid;
    uint32_t clients;
    uint64_t kept; /* 1: has a name by which it will be taken up again */
    uint64_t check;

    /* The producer's. */
    _Alignas(256) _Atomic uint64_t head;
    _Atomic uint32_t sealed; /* a younger one is used instead */
    _Atomic uint64_t uses;   /* of the table, counted */

    /* The owner's. */
    _Alignas(256) _Atomic uint64_t tail;

    /* Who waits for room sets `waiting` and sleeps on `moved`. */
    _Alignas(256) _Atomic uint32_t moved;
    _Atomic uint32_t waiting;
} uc_ring_page;

/*
 * A client and the last number of its that the ring has. It is in the slot with
 * the greater seq of those whose pos the head has reached; the other one is
 * written before the head is moved. pos is UINT64_MAX while it is.
 */
typedef struct uc_ring_client {
    uint8_t id[16];
    _Atomic uint64_t used; /* 0: nobody's */
    uint64_t unused;
    struct {
        _Atomic uint64_t seq;
        _Atomic uint64_t pos;
    } slots[2];
} uc_ring_client;

typedef struct uc_ring {
    uc_ring_page *page;
    uc_ring_client *clients;
    uint8_t *data;
    size_t mapped;
    uint64_t cap, salt, gen;
    /* The producer's own: the file is written and never believed. at: where
     * the head is in the data. */
    uint64_t head, tail, at;
    uint32_t nclients;
    uint16_t *index; /* of clients, by id; made when the first is asked for */
    int fd;          /* -1: memory alone */
    bool kept;
    _Atomic uint32_t refs;
    char name[UC_RING_NAME + 8];
} uc_ring;

/* What a file of a ring is called in its directory: 108 bytes are enough. */
#define UC_RING_FILE 108
void uc_ring_file(char *file, const char *name, uint64_t gen);
/* The inverse. False: it is no ring's. name: UC_RING_NAME + 1 bytes. */
bool uc_ring_parse(const char *file, char *name, uint64_t *gen);

/*
 * A new one, locked (flock) before it can be seen and with all its room
 * allocated; capacity is rounded up to whole pages. With `from` its clients are
 * known to the new one as well, and with `all`, which needs the same capacity,
 * it begins as a copy. NULL: *err is an errno, EEXIST among them.
 */
uc_ring *uc_ring_create(int dirfd, const char *name, uint64_t gen, bool kept,
                        uint64_t capacity, const uc_ring *from, bool all,
                        int *err);
/* The same in memory. */
uc_ring *uc_ring_anonymous(const char *name, uint64_t capacity, int *err);
/*
 * Maps a file of another process's. lock: takes it up as its producer, which
 * fails with EWOULDBLOCK while somebody else is. EBADMSG: it is no ring.
 */
uc_ring *uc_ring_open(int dirfd, const char *file, bool lock, int *err);
uc_ring *uc_ring_ref(uc_ring *r);
/* r may be NULL. The last unmaps it and gives the lock back. */
void uc_ring_unref(uc_ring *r);

/* --- the producer; under its mutex ---------------------------------------- */

static inline uint64_t uc_ring_largest(const uc_ring *r)
{
    return r->cap / 4;
}

/* False: there is no room. len: 1 to uc_ring_largest. */
bool uc_ring_put(uc_ring *r, const uint8_t *p, uint32_t len);
/* The same, and client has got to seq with it. */
bool uc_ring_put_from(uc_ring *r, const uint8_t *p, uint32_t len,
                      const uint8_t client[16], uint64_t seq);
/* 0: unknown. */
uint64_t uc_ring_seen(uc_ring *r, const uint8_t client[16]);
/* Nothing will be put any more. */
void uc_ring_seal(uc_ring *r);
uint64_t uc_ring_used(const uc_ring *r);

/* --- anybody -------------------------------------------------------------- */

/* The owner has taken what was put before pos. */
bool uc_ring_drained_to(const uc_ring *r, uint64_t pos);
/* Sleeps until the tail moves, ms at most; not if it has got to pos. */
void uc_ring_wait(uc_ring *r, uint64_t pos, int64_t ms);

/* --- the owner ------------------------------------------------------------ */

/* A walk through what is there. The ring is not changed by it. */
typedef struct uc_ring_walk {
    const uint8_t *data;
    uint64_t cap, salt;
    uint64_t pos, at; /* how far it has got, and where in the data that is */
    uint64_t end;     /* up to where it goes */
    uint64_t skipped; /* bytes that were no record */
    uint64_t cost;    /* bytes looked at in vain */
    bool lost;        /* the end is a guess: it stops at what is no record */
} uc_ring_walk;

/* From a position, up to the head. A head that cannot be is not believed. */
void uc_ring_walk_begin(uc_ring_walk *w, const uc_ring *r, uint64_t from);
/* The next record's bytes, in place; false when there is none. What is no
 * record is skipped; costs at most a few passes over the ring. */
bool uc_ring_walk_next(uc_ring_walk *w, uc_view *record);

/* Where the owner has to go on that knows nothing but the file. */
uint64_t uc_ring_tail(const uc_ring *r);
/* What is before is free. Wakes who waits. */
void uc_ring_free(uc_ring *r, uint64_t tail);
/* Its producer has ended, however: takes its lock for as long as r lives. */
bool uc_ring_is_orphan(const uc_ring *r);
bool uc_ring_is_sealed(const uc_ring *r);
/* Bytes that the file is lacking: somebody has truncated it, and to touch what
 * is mapped would end this process. A system call. */
uint64_t uc_ring_cut(const uc_ring *r);
/* When its file was last written or taken up, in ms since 1970; INT64_MAX when
 * that cannot be known. A file system in memory does not tell what is written
 * through a mapping. A system call. */
int64_t uc_ring_touched(const uc_ring *r);

/* --- futexes in mapped files ---------------------------------------------- */

/* ms < 0 is not for ever: every wait has an end. */
void uc_futex_wait(_Atomic uint32_t *word, uint32_t seen, int64_t ms);
void uc_futex_wake(_Atomic uint32_t *word);

#endif

#ifndef UC_CORE_LOG_PLACE_H
#define UC_CORE_LOG_PLACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"
#include "log/file.h"
#include "log/ring.h"
#include "log/round.h"

/*
 * The directory of a log as its processes share it: dir/.rings with the lock
 * that its owner holds, the page of control, and the rings.
 */
#define UC_PLACE_RINGS 64 /* in one publication */

/* A text that one thread sets while others may read it: what they get may be a
 * mixture of two, but it ends. */
typedef struct uc_log_text {
    _Atomic char at[200];
} uc_log_text;

void uc__log_set_text(uc_log_text *t, const char *s);
void uc__log_get_text(const uc_log_text *t, char out[200]);

/* Up to where a ring is in the files. */
typedef struct uc_tail {
    uint64_t salt, tail;
} uc_tail;

/*
 * What the owner has written, in one piece: how far the file is valid, and the
 * rings whose lines that made it so. A new owner cuts the file off there and
 * raises the tails, which the last one may not have come to.
 */
typedef struct uc_published {
    uint64_t seq;     /* the slot is valid for this number alone */
    uint64_t boot[2]; /* pages that were mapped do not survive another one */
    uint64_t name;    /* of the files, hashed */
    uc_logmark mark;
    uint64_t n;
    uc_tail tails[UC_PLACE_RINGS];
    uint64_t check;
} uc_published;

/* The page of control. Anything may stand in it, but for the owner's own. */
typedef struct uc_control {
    uint64_t magic;
    _Atomic uint64_t published; /* its number; the slot is number % 2 */

    /* The owner's futex. While it is asleep whoever puts has to wake it. */
    _Alignas(64) _Atomic uint32_t wake;
    _Atomic uint32_t asleep;

    /* Counters of requests, and of syncs done. */
    _Alignas(64) _Atomic uint32_t rings; /* one was made */
    _Atomic uint32_t reopen, rotate;
    _Atomic uint32_t sync_asked, sync_done; /* done, or failed: a futex */
    _Atomic uint32_t stalled;               /* the owner cannot write */
    uc_log_text error;                      /* what keeps it from that */
    /* Syncs that failed, counted, those that nobody asked for too: the kernel
     * says it once, and the next sync says nothing of the lines before. */
    _Atomic uint32_t sync_failures;

    _Alignas(64) uc_published slots[2];

    /* Of the files. It changes only under the page's exclusive lock, and who
     * has the directory open holds the shared one. */
    char name[72];
    uc_logpace pace; /* the owner's */
} uc_control;

typedef struct uc_place {
    struct uc_place *next; /* the user's */
    int dir;               /* of the files */
    int rings;             /* dir/.rings */
    int lock;
    int page; /* of control: its lock keeps the name */
    bool owner;
    uint32_t failures; /* of syncs, that its user knows of. The user's */
    uc_control *control;
    uint64_t boot[2];
} uc_place;

/*
 * Opens a directory's place, and makes what is not there. False: UC_ACCESS or
 * UC_LOG_IO, with the errno as `native`; without make UC_LOG_IO with ENOENT
 * when it is not there.
 */
bool uc_place_open(uc_place *p, const char *dir, bool make, uc_error *e);
/*
 * To be one of those that have it open, until it is closed: they all have one
 * name for the files, which the first of them brings. False:
 * UC_OPTIONS_CONFLICT, and the place is closed.
 */
bool uc_place_join(uc_place *p, const char *dir, const char *name, uc_error *e);
/* The name that the last ones had. False: it cannot be known. */
bool uc_place_name(const uc_place *p, char name[65]);
/* Says so. False. */
bool uc__place_other_name(uc_error *e, const char *dir, const char *name,
                          const char *there);
/* Gives the locks back as well. */
void uc_place_close(uc_place *p);
/* The directory has been removed or replaced since. */
bool uc_place_is_gone(const uc_place *p, const char *dir);

/* Becomes the owner, if there is none. */
bool uc_place_claim(uc_place *p);
void uc_place_yield(uc_place *p);

/* --- the owner's ---------------------------------------------------------- */

/* What the last owner published. False: nothing that can be believed. `mark` is
 * to be used only if this is its boot and the files' name. */
bool uc_place_published(const uc_place *p, uc_published *last);
bool uc_place_is_ours(const uc_place *p, const uc_published *last,
                      const char *name);
/* step: see uc_log_options; may be NULL. */
void uc_place_publish(uc_place *p, const uc_log_options *o,
                      const uc_logmark *mark, const uc_tail *tails, uint64_t n);

/* --- anybody's ------------------------------------------------------------ */

/* Whether the owner sleeps so deeply that lines do not wake it: a look at one
 * word. Then wake it. */
static inline bool uc_place_is_asleep(const uc_place *p)
{
    return atomic_load_explicit(&p->control->asleep, memory_order_relaxed) != 0;
}

void uc_place_wake(uc_place *p);

/* UC_LOG_IO or UC_ACCESS with errno's text behind what could not be done. */
__attribute__((format(printf, 3, 4))) bool uc__log_fail(uc_error *e, int err,
                                                        const char *fmt, ...);
/* The disk is full, or what one may have of it: which passes. */
bool uc__log_is_full(int err);

#endif

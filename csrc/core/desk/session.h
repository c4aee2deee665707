#ifndef UC_CORE_SESSION_H
#define UC_CORE_SESSION_H

#include <string.h>

#include "common/thread.h"
#include "desk/call.h"
#include "desk/peer.h"
#include "uc.h"

/*
 * A session is one handle of one door: what it asked for and what waits to be
 * taken. Replies gather in chunks (a sequence of [u32 LE length][frame]) and
 * the door is woken once for all of them.
 */
typedef struct uc_cache uc_cache;
typedef struct uc_holder uc_holder;
typedef struct uc_log_desk uc_log_desk;

typedef struct uc_chunk {
    struct uc_chunk *next;
    size_t off; /* taken so far */
    uc_buf buf;
} uc_chunk;

struct uc_session {
    _Atomic uint32_t refs;
    uc_mutex mu; /* a leaf: guards what follows up to `wake_arg` */
    uc_chunk *head, *tail;
    uc_chunk *spare;        /* an empty one for what comes, or NULL */
    _Atomic size_t pending; /* bytes in them; written under mu */
    _Atomic size_t held;    /* bytes of batches that are not over */
    _Atomic bool woken;     /* the door knows that something waits */
    bool dead;              /* destroyed: replies are dropped */
    uc_wake_fn *wake;
    void *wake_arg;

    size_t max_unsent; /* option: more pending than this stops it, 0 none */
    uc_peer *peer;     /* its side of the database */
    uc_buf sync_left;  /* a sync reply that did not fit */

    uc_cache *cache;   /* referenced; NULL: none, or not for this session */
    uc_holder *holder; /* the cache's: its first level, or NULL */
    bool cache_over;   /* the cache's: it is not to be answered any more */
    uc_buf cache_left; /* see uc_cache_sync */

    uc_log_desk *desk; /* referenced; NULL: no log */

    _Atomic(uc_batch *) spare_batch; /* memory of one that is over, or NULL */
};

uc_session *uc__session_ref(uc_session *s);
void uc__session_unref(uc_session *s);
/* Nobody takes its replies any more: they are dropped. */
void uc__session_die(uc_session *s);
/* The session's cache is impatient; see uc_cache_due. */
void uc__session_hurry(uc_session *s);

/*
 * Moves the bytes of *replies to the session's queue and wakes the door. On
 * return *replies is empty, and may have kept its memory. Replies of a dead
 * session are dropped.
 */
void uc__session_publish(uc_session *s, uc_buf *replies);

/* So much waits to be taken that no more replies should be made. */
static inline bool uc__session_full(const uc_session *s)
{
    return s->max_unsent != 0 &&
           atomic_load_explicit(&s->pending, memory_order_relaxed) >
               s->max_unsent;
}

/* Opens a length-prefixed reply in *b; returns where it begins. */
static inline size_t uc__reply_open(uc_buf *b)
{
    size_t at = b->len;

    if (uc_buf_reserve(b, 4))
        b->len += 4;
    return at;
}

/* Back to what uc__reply_open left, or should have left: it may have failed. */
static inline void uc__reply_again(uc_buf *b, size_t at)
{
    uc_buf_rewind(b, at);
    uc__reply_open(b);
}

/* Closes it: writes the length. If the buffer has failed the reply turns into
 * an error reply. */
void uc__reply_close(uc_buf *b, size_t at, uint32_t id);

/* Makes an error reply of one that could not be made. */
void uc__sync_failed(uc_buf *out, uint32_t id);
/*
 * The end of a synchronous call, whose reply is in `out`: copies it to dst if
 * it fits, an error reply if it could not be made. Returns its length; one
 * above cap stays in `out` until uc__sync_left() has taken it.
 */
static inline size_t uc__sync_reply(uc_buf *out, uint32_t id, uint8_t *dst,
                                    size_t cap)
{
    if (out->failed)
        uc__sync_failed(out, id);
    if (out->len > 0 && out->len <= cap)
        memcpy(dst, out->p, out->len);
    return out->len;
}
/* Its length, 0 if there is none; taken if that is within cap. */
size_t uc__sync_left(uc_buf *out, uint8_t *dst, size_t cap);

#endif

#ifndef UC_CORE_UC_H
#define UC_CORE_UC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The core as a door sees it: bytes in, bytes out. A door moves request frames
 * to a session and reply frames back and never looks inside them; what they
 * mean is the op table's business (op.h). See csrc/README.md for the drawing.
 */
typedef struct uc_session uc_session;

/*
 * Called when replies are waiting and the door has not been told yet: at most
 * once until uc_take() has returned 0. From any thread, with the session
 * locked: it must return quickly and must not call the core.
 */
typedef void uc_wake_fn(void *arg);

/*
 * Opens a session on a file. Returns at once: the file is opened on the core's
 * own threads, and if that fails every call is answered with the reason.
 *
 * path     UTF-8; ":memory:" for a database that dies with its session.
 * options  a msgpack map (see options.h); unknown keys are an error reply.
 *
 * Sessions of one process on one file share one core. NULL only when memory
 * or threads ran out. The caller owns the session: uc_session_destroy().
 */
uc_session *uc_session_open(const char *path, const uint8_t *options,
                            size_t options_len, uc_wake_fn *wake,
                            void *wake_arg);

/*
 * Another session on the database of this one, whatever is at its path by now:
 * a file that was deleted or replaced since is an error of each of its calls,
 * as it is of the other's. No file is looked for. Any thread, while `of` is
 * open. NULL when memory ran out; the caller owns it.
 */
uc_session *uc_session_beside(const uc_session *of, uc_wake_fn *wake,
                              void *wake_arg);

/*
 * The engine of the session's database, "sqlite" or "postgres": a static
 * string. From any thread, for as long as the session is open.
 */
const char *uc_session_engine(const uc_session *s);

/*
 * Gives the session the log that it answers for (log/desk.h); a reference is
 * taken. Before the first uc_submit; without it there is no log here.
 */
struct uc_log_desk;
void uc_session_log(uc_session *s, struct uc_log_desk *desk);

/*
 * Hints of uc_submit: the core picks the thread to wake by them. They are
 * never trusted for anything but speed.
 */
enum {
    UC_HINT_WRITE = 1,  /* there is a write among the frames */
    UC_HINT_URGENT = 2, /* route now on this thread (cancel, cache, log) */
    UC_HINT_ASSIST = 4  /* wake nobody: uc_assist follows at once */
};

/*
 * Hands over `count` concatenated request frames; the bytes are copied. Any
 * thread, but the frames of one session from one thread at a time. False when
 * memory ran out: nothing was taken then.
 */
bool uc_submit(uc_session *s, const uint8_t *frames, size_t len, uint32_t count,
               unsigned hint);

/*
 * Nothing more will be submitted: what has been ends as usual, but where a
 * transaction or a stream of rows would wait for its next call it is rolled
 * back, so that what waits behind it goes on. For a door that reads no more
 * from its client and still answers it. Any thread, beside no uc_submit.
 */
void uc_session_last(uc_session *s);

/*
 * Routes what has been submitted and serves reads that are known to be quick,
 * up to 64 of them, on the calling thread, without waking another: that wake-up
 * is most of the time that a lone call takes. What is slow, new or a write goes
 * to the core's threads, as does everything when another thread is assisting
 * on the same file. To be called after each uc_submit with UC_HINT_ASSIST, by
 * the same thread. Serves other sessions' reads as well; wake is called for
 * this one, too, and may be ignored while this runs if uc_take follows.
 */
void uc_assist(uc_session *s);

/*
 * Copies complete replies to dst, each as `head` bytes (at least 4) and the
 * frame. The last four bytes of the head are the frame's length, u32 little
 * endian; those before them are left for the door to fill. Returns the bytes
 * written; 0 with *need == 0 when nothing waits, and 0 with *need > 0 when the
 * next reply needs that many bytes.
 */
size_t uc_take(uc_session *s, uint8_t *dst, size_t cap, size_t head,
               size_t *need);

/* Bytes of replies that wait to be taken, roughly: a length of 4 bytes counts
 * with each. Any thread. With the option max_unsent, statements are answered
 * UC_BUSY instead of being run while there are more of them than that. */
size_t uc_pending(uc_session *s);

/* Bytes of requests that have been submitted and are still in memory: those of
 * one uc_submit go together, when the last of them is over. Any thread. */
size_t uc_held(uc_session *s);

/*
 * Runs one request frame on the calling thread, after everything that the
 * session has submitted before it. The reply frame (no length in front) goes
 * to dst if it fits; otherwise it is kept for uc_sync_take. Returns its length.
 */
size_t uc_sync(uc_session *s, const uint8_t *frame, size_t len, uint8_t *dst,
               size_t cap);
size_t uc_sync_take(uc_session *s, uint8_t *dst, size_t cap);

/*
 * Answers one request of a route (op request) on the calling thread, if that
 * takes next to no time: it only reads, its statements are known to be quick,
 * and nothing has to be waited for, what the session has submitted before it
 * included. What takes longer than it did so far is given up after a few ms.
 * Returns the length of the reply as uc_sync does, which is kept for
 * uc_sync_take as well; 0: nothing has happened, submit it.
 */
size_t uc_request_now(uc_session *s, const uint8_t *frame, size_t len,
                      uint8_t *dst, size_t cap);

/* Ends the snapshot that sync reads of one turn share. Cheap without one. */
void uc_turn_end(uc_session *s);

/*
 * Runs one request frame of the cache on the calling thread, also before the
 * file is open. Returns the length of the reply frame, which goes to dst if it
 * fits and is kept for uc_cache_sync_take otherwise; 0: it would have to wait
 * for somebody else, or there is no cache: submit it. A change waits up to 100
 * ms until the first levels of other sessions have forgotten what it changed;
 * this session's is told by cache_hold, which answers at once here.
 */
size_t uc_cache_sync(uc_session *s, const uint8_t *frame, size_t len,
                     uint8_t *dst, size_t cap);
size_t uc_cache_sync_take(uc_session *s, uint8_t *dst, size_t cap);

/*
 * Copies the value under a key to dst, which has room for a byte at least.
 * Returns its length; -1: absent; less: so many bytes, negated, are needed.
 * Any thread, without a frame on the way.
 */
int64_t uc_cache_peek(uc_session *s, const uint8_t *key, size_t klen,
                      uint8_t *dst, size_t cap);

/*
 * A function callable from SQL of sync calls. `call` runs on the thread that
 * called uc_sync. args: a msgpack array of the arguments; the function answers
 * by setting *reply and *reply_len to one msgpack value (borrowed until its
 * next call), or an UTF-8 error text and returning false.
 * step: UC_FN_CALL, or UC_FN_STEP and UC_FN_FINAL of an aggregate, whose `agg`
 * is a number that stays the same for one group (0 at a final without rows).
 */
enum { UC_FN_CALL = 0, UC_FN_STEP = 1, UC_FN_FINAL = 2 };
typedef bool uc_fn(void *arg, int step, uint64_t agg, const uint8_t *args,
                   size_t len, const uint8_t **reply, size_t *reply_len);
typedef struct uc_fn_spec {
    const char *name;
    int argc; /* -1: any number */
    bool deterministic;
    bool direct_only;
    bool aggregate;
    uc_fn *call;
    void (*release)(void *arg);
    void *arg;
} uc_fn_spec;
/* False when the name is taken or not possible; error: a static sentence. */
bool uc_session_function(uc_session *s, const uc_fn_spec *spec,
                         const char **error);

/*
 * Ends a session at once: queued calls are dropped, running ones interrupted,
 * wake is not called again. For an orderly end send the op `close` first and
 * wait for its reply. Idempotent is the caller's business: s is gone.
 */
void uc_session_destroy(uc_session *s);

/* The version of the frames that this core reads and writes (see op `hello`).
 */
enum { UC_PROTOCOL = 1 };

/* Version of the core and of SQLite in it. Static strings. */
const char *uc_version(void);
const char *uc_sqlite_version(void);

#ifdef __cplusplus
}
#endif

#endif

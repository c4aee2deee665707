#ifndef UC_CORE_DATA_DRIVER_H
#define UC_CORE_DATA_DRIVER_H

#include "desk/call.h"
#include "desk/options.h"

struct uc_session;
struct uc_fn_spec;

/*
 * What a database engine fills in. A driver takes batches and completes each
 * call on its own by uc__session_publish() and uc__call_finish(), from
 * whichever thread and in whichever order its engine allows: nothing above it
 * assumes that a call holds a thread. Program order within a session is the
 * driver's duty (design: a read sees the writes issued before it).
 */
typedef struct uc_driver {
    const char *name;
    /* The driver's side of a session, or NULL when memory ran out. Returns at
     * once; a failure to open (or `failed`, when the options were bad) is the
     * answer to every call. Takes what *o owns. */
    void *(*open)(struct uc_session *s, const char *path, uc_options *o,
                  const uc_error *failed);
    void (*submit)(void *peer, uc_batch *b, unsigned hint);
    /* See uc_session_last. */
    void (*last)(void *peer);
    /* See uc_assist. */
    void (*assist)(void *peer);
    /* Runs c on this thread and appends its reply frame to out. */
    void (*sync)(void *peer, uc_call *c, uc_buf *out);
    void (*turn_end)(void *peer);
    /* The session's cache is impatient; see uc_cache_due. */
    void (*hurry)(void *peer);
    bool (*function)(void *peer, const struct uc_fn_spec *spec,
                     const char **error);
    /* Drops what is queued, interrupts what runs and waits for it, but not for
     * ever: what does not stop ends the session by itself later. */
    void (*abandon)(void *peer);
    /* The last reference to the session is gone. */
    void (*release)(void *peer);
} uc_driver;

extern const uc_driver uc_driver_sqlite;

#endif

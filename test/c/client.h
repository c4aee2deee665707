#ifndef UC_TEST_CLIENT_H
#define UC_TEST_CLIENT_H

#include <stdarg.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/thread.h"
#include "desk/op.h"
#include "uc.h"
#include "wire/reader.h"

/*
 * A door of its own for the C tests: writes request frames, waits for replies
 * and prints them as text that a test can compare:
 *
 *   value 7        error UC_FRAME        run 1 5 (changes, rowid)
 *   rows a,b: 1 'x' | null 2.5           bytes [{"a":1}]
 *   multi (run 1 1) (rows a: 1)
 *
 * Values: null, true, 1, 2.5, 'text', x'00ff', [1 2], {'k' 1}. An error with
 * an outcome is printed `error SQLITE_FULL not-run`.
 *
 * One thread uses a client. A reply that does not come within 30 seconds ends
 * the program with a message: it is a hang.
 */
typedef struct reply {
    struct reply *next;
    uint32_t id;
    size_t len;
    uint8_t bytes[];
} reply;

typedef struct client {
    uc_session *session;
    uc_mutex mu;
    uc_cond cond;
    bool woken;     /* mu */
    unsigned wakes; /* mu */
    reply *replies; /* taken, not asked for yet */
    uint32_t next_id;
    uc_buf out; /* frames put and not sent */
    uint32_t count;
    unsigned hint;
    bool assist; /* offer this thread after each batch */
    uc_buf inbox;
    uc_buf text;
    int64_t value;   /* the number that the last reply had */
    uint32_t shape;  /* of the last rows reply */
    uint32_t cursor; /* its cursor, 0 none */
    char code[64];   /* the last reply's error code, or "" */
    char outcome[16];
    char message[512];
} client;

/* What the program is at; shown when it has to give up. */
extern char client_note[100];

/*
 * Packs values by a format of one letter each:
 *   n nil   b bool (int)   i int   I int64_t   u uint64_t   d double   s char *
 *   t text (char *, size_t)   x bin (const void *, size_t)
 *   r bytes as they are (const void *, size_t)   [ ] array   { } map
 * Spaces are ignored.
 */
void pack(uc_buf *b, const char *fmt, ...);
void vpack(uc_buf *b, const char *fmt, va_list ap);

/* options: a format of pairs inside a map's braces, e.g. "s i". NULL only
 * when the session could not be made. */
client *client_open(const char *path, const char *options, ...);
/* Ends the session at once, and frees the client. */
void client_destroy(client *c);
/* The op `close`, its reply, then client_destroy. */
void client_close(client *c);

/* Adds a frame [op, id, ...fmt] (fmt begins with meta); sent by client_send.
 * Returns its id. */
uint32_t client_put(client *c, int op, const char *fmt, ...);
/* The same with an id chosen by the caller, 0 for none. */
void client_put_id(client *c, uint32_t id, int op, const char *fmt, ...);
/* Hands over what was put. False when the core had no memory. */
bool client_send(client *c);
/* Waits for one reply; its text stays valid until the next call on c. */
const char *client_wait(client *c, uint32_t id);
/* put, send and wait. */
const char *client_ask(client *c, int op, const char *fmt, ...);
/* The same as a sync call on this thread. */
const char *client_sync(client *c, int op, const char *fmt, ...);
/* `define` (no reply), sent at once. */
void client_define(client *c, uint32_t sid, const char *sql);
/* Takes what is there. True when replies are kept that were not asked for. */
bool client_poll(client *c);
/* The text of one reply frame. */
const char *client_text(client *c, const uint8_t *frame, size_t len);

/* Makes a folder for the test's files below $TMPDIR, removed at exit. */
const char *scratch(void);
/* scratch()/name, in a static buffer of four. */
const char *scratch_file(const char *name);

#endif

#ifndef UD_SP_H
#define UD_SP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/view.h"

/*
 * nng's SP framing on a stream, as the side that answers (REP): what comes in
 * is cut into messages, what goes out gets its head. Pure functions over
 * borrowed bytes: no state, no allocation, any thread.
 *
 *   hello    00 'S' 'P' 00 <u16 own protocol> 00 00, once each way
 *   message  01, u64 big-endian length, body
 *   body     u32 big-endian id with its top bit set, then one msgpack frame
 */
enum {
    SP_HELLO = 8, /* bytes */
    SP_HEAD = 13, /* of a message: in front of its frame */
    SP_ID_BYTES = 4
};

/* The id of a message that answers no request. */
#define SP_NO_REQUEST UINT32_C(0x80000000)

typedef struct sp_message {
    uint32_t id;
    uc_view frame;
    size_t size; /* of the whole message; with SP_MORE what is needed of it at
                    least, as far as is known */
} sp_message;

typedef enum sp_found {
    SP_MESSAGE,
    SP_MORE,     /* cut off so far */
    SP_BAD_TYPE, /* a message begins with 01 */
    SP_SHORT,    /* no room for the id */
    SP_LONG,     /* more than max bytes of frame */
    SP_BAD_ID    /* its top bit is not set */
} sp_found;

/* What the client has to say first, and what it is answered. */
bool sp_hello_ok(const uint8_t *p);
extern const uint8_t sp_hello[SP_HELLO];

/* Looks at the n bytes at p. max: of a frame, in bytes. Only a length that has
 * been checked is in m->size. */
sp_found sp_next(const uint8_t *p, size_t n, size_t max, sp_message *m);

/* Writes the SP_HEAD bytes in front of a frame of n bytes. */
void sp_head(uint8_t *p, size_t n, uint32_t id);

/*
 * The front of a request frame, [op, id, meta, ...]. False unless the frame is
 * exactly one such array, whole and not nested too deep: frames are handed to
 * the core in one piece, where a cut one would swallow the next. The id is
 * told of a frame that is wrong behind it, too; 0 where there is none.
 */
typedef struct sp_request {
    uint32_t op;
    uint32_t id;
    uint32_t args;    /* elements after meta */
    const uint8_t *p; /* the first of them */
} sp_request;
bool sp_request_read(uc_view frame, sp_request *q);

#endif

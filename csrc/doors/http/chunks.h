#ifndef UD_HTTP_CHUNKS_H
#define UD_HTTP_CHUNKS_H

#include "doors/http/request.h"

/*
 * The strict look at a chunked body. Its framing is lines as well, and what one
 * server takes for the end of a line the other has to take for it, too:
 *
 *   size     1 to 8 hexadecimal digits; ";" and an extension of visible ASCII
 *            may follow; CR LF
 *   data     exactly as many bytes; CR LF
 *   trailer  behind the size 0: fields as in a header block; CR LF
 *
 * Nobody here asks for extensions and trailers: they are dropped, so that the
 * decoder behind this sees nothing but sizes and data. No allocation.
 */
enum {
    HTTP_CHUNK_DIGITS = 8,
    HTTP_CHUNK_DROPPED =
        16 * 1024 /* bytes of extensions and trailers, in all */
};

typedef enum http_chunk_state {
    HTTP_CHUNK_SIZE, /* its first digit comes */
    HTTP_CHUNK_DIGIT,
    HTTP_CHUNK_EXTENSION,
    HTTP_CHUNK_SIZE_CR,
    HTTP_CHUNK_SIZE_LF,
    HTTP_CHUNK_DATA,
    HTTP_CHUNK_DATA_CR,
    HTTP_CHUNK_DATA_LF,
    HTTP_CHUNK_LAST, /* a field of the trailer comes, or the end */
    HTTP_CHUNK_NAME,
    HTTP_CHUNK_VALUE,
    HTTP_CHUNK_FIELD_LF,
    HTTP_CHUNK_LAST_LF,
    HTTP_CHUNK_END
} http_chunk_state;

/* All zero: nothing has come. */
typedef struct http_chunks {
    http_chunk_state state;
    unsigned digits;  /* of the size at hand */
    uint64_t left;    /* the size, then what is missing of the data */
    uint64_t body;    /* bytes of data that were announced */
    size_t extension; /* bytes of the one at hand */
    size_t dropped;
} http_chunks;

/* A stretch of bytes that go the same way. */
typedef struct http_run {
    size_t len;
    bool dropped; /* they are for nobody */
} http_run;

/*
 * Looks at up to n bytes, n > 0; *run is how many of them, and where they go.
 * False with *f when they may not be there. The body is over when the state is
 * HTTP_CHUNK_END, and nothing may be looked at any more.
 */
bool http_chunks_look(http_chunks *k, const uint8_t *p, size_t n,
                      const http_limits *limits, http_run *run, http_fault *f);

#endif

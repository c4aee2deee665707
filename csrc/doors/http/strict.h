#ifndef UD_HTTP_STRICT_H
#define UD_HTTP_STRICT_H

#include "doors/http/request.h"

/*
 * The strict look: what a header block has to be before a parser is believed.
 * RFC 9112 lets a server be lenient where two servers then differ, and each of
 * these places has been a way to smuggle a request past one of them:
 *
 *   bytes    every CR before an LF and every LF behind a CR; no other control
 *            byte but the tab
 *   line     METHOD SP target SP HTTP/1.[01], in visible ASCII
 *   fields   name ":" value, the name a token; no line begins with a blank
 *   framing  one Host; one Content-Length of digits alone, or Transfer-Encoding
 *            with the word chunked alone and not in HTTP/1.0
 *
 * It is at least as strict as llhttp 8 and 9 both, so that the two are alike.
 * Functions over borrowed bytes: no allocation, any thread.
 */

/* Looks at the bytes of a block as they come. All zero but line_most: none has
 * come. */
typedef struct http_scan {
    uint8_t last;     /* byte */
    bool skipped;     /* one empty line stood in front of the block */
    uint32_t lines;   /* ended, and not empty */
    size_t line_len;  /* of the one that has not ended */
    size_t line_most; /* of the first: what its target may have, and a little */
} http_scan;

typedef enum http_scanned {
    HTTP_SCAN_MORE,
    HTTP_SCAN_END,  /* the empty line */
    HTTP_SCAN_LONG, /* the first line has more than line_most */
    HTTP_SCAN_BAD   /* a byte that may not be there */
} http_scanned;

/* *used: how many of the n bytes belong to the block; all with MORE. */
http_scanned http_scan_bytes(http_scan *s, const uint8_t *p, size_t n,
                             size_t *used);

/*
 * Reads a whole block, from its first line to its empty one, whose bytes have
 * been scanned. Names become lower case where they stand; the views of *q point
 * into the block. False with *f when it is refused; q->verb is set as soon as
 * it is known.
 */
bool http_strict_read(http_request *q, uint8_t *block, size_t len,
                      const http_limits *limits, http_fault *f);

#endif

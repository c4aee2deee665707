#ifndef UD_HTTP_ANSWER_H
#define UD_HTTP_ANSWER_H

#include "common/buf.h"
#include "doors/http/request.h"

/*
 * Answers → bytes. What frames an answer (Content-Length, Connection, Date) is
 * written here alone; whoever makes one gives its status, type, body and other
 * headers. No thread, no time of its own.
 */
typedef struct http_answer {
    unsigned status;
    uc_view type; /* Content-Type; empty: none */
    uc_view body;
    uc_view ready; /* lines of http_lines(), in front of what is below */
    uint32_t nheaders;
    uint32_t nown; /* the last so many are the door's, and may be sent */
    const http_header *headers;
    uc_view audit; /* of a POST, for the log: JSON; it is not sent */
} http_answer;

/* The time in the form of Date, made once a second. All zero: never. */
typedef struct http_date {
    int64_t second; /* since 1970 */
    char text[80];  /* "Mon, 30 Nov 2026 13:06:44 GMT" */
} http_date;

/* wall_ms: uc_wall_ms(). */
const char *http_date_text(http_date *d, int64_t wall_ms);

/* How the connection goes on. */
typedef enum http_going {
    HTTP_GOES_ON,
    HTTP_GOES_ON_10, /* of HTTP/1.0, which has to be told */
    HTTP_ENDS
} http_going;

/* The lines of an answer's type and headers alone, for http_answer.ready of one
 * that is sent again. False, with nothing written: one may not be sent, or
 * there is no memory. */
bool http_lines(uc_buf *b, const http_answer *a);

/* The lines up to the headers of the connection, which come with http_end.
 * False, with nothing written, when a header of the answer may not be sent: its
 * name is no token or one of ours, or its value has a control byte. */
bool http_head(uc_buf *b, const http_answer *a, const char *date);
void http_end(uc_buf *b, http_going going);

/* The body as it is sent: empty for a HEAD, and for statuses without one. */
uc_view http_body(const http_answer *a, bool is_head);

/* Of a 503: a moment later it may be another. */
extern const http_header http_retry_after;

/* An answer of plain text: a sentence and a line feed, in a buffer of the
 * caller. A 405 names the methods that the door knows, a 503 when to ask again.
 */
http_answer http_text(unsigned status, const char *sentence, uc_buf *text);

/* "Not Found"; "" for a status that is not known. */
const char *http_reason(unsigned status);

#endif

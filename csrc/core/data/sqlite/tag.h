#ifndef UC_CORE_DATA_SQLITE_TAG_H
#define UC_CORE_DATA_SQLITE_TAG_H

#include "common/buf.h"
#include "data/sqlite/types.h"

/*
 * What an answer to a GET is made of, in a few bytes: its ETag, and what kept
 * answers are told apart by. Two answers with one tag are the same.
 */
enum { SQ_TAG_BYTES = 16, SQ_TAG_TEXT = 51 };

typedef struct sq_tag {
    bool known; /* it has one */
    bool each;  /* it has none, but each time of @repeat does: `bytes` are of
                   the data alone, and the values are not in `key` */
    uint8_t bytes[SQ_TAG_BYTES];
    uc_buf key; /* the request's, see uc_request_key, and the user's */
} sq_tag;

/* Of the data that c reads for the call, by its moment; before it is read. */
void sq_tag_begin(sq_tag *t, sq_conn *c, const uc_call *call);
void sq_tag_fini(sq_tag *t);
/* The tag that an answer would have now. False: that cannot be told without
 * reading the data. */
bool sq_tag_now(sq_conn *c, const uc_call *call, const sq_tag *t,
                uint8_t bytes[SQ_TAG_BYTES]);
/* As it stands in ETag, with its quotes. */
void sq_tag_text(const sq_conn *c, const uint8_t bytes[SQ_TAG_BYTES],
                 char text[SQ_TAG_TEXT + 1]);

#endif

#ifndef UD_HTTP_TOKEN_H
#define UD_HTTP_TOKEN_H

#include <stdint.h>

#include "common/view.h"

/* The characters of HTTP, for those who read requests and who write answers. */

/* A character of a token (RFC 9110, 5.6.2) in lower case; 0: it is none. */
extern const uint8_t http_token_chars[256];

/* A byte that may stand in the value of a field. */
static inline bool http_is_text(uint8_t c)
{
    return (c >= 0x20 && c != 0x7f) || c == '\t';
}

/* How many of n bytes come before the first that may not stand in a value. */
size_t http_text_len(const uint8_t *p, size_t n);

/* A token, and not an empty one. */
bool http_is_token(uc_view v);
/* Whether v is `lower`, in any case. */
bool http_same(uc_view v, const char *lower);
bool http_same_view(uc_view a, uc_view b);
/* Without spaces and tabs around it. */
uc_view http_trim(uc_view v);
/* Whether one of a list with commas is this word, in any case. */
bool http_lists(uc_view list, const char *lower);

#endif

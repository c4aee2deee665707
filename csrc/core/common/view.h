#ifndef UC_CORE_COMMON_VIEW_H
#define UC_CORE_COMMON_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Borrowed bytes: never owned, never NUL-terminated. */
typedef struct uc_view {
    const uint8_t *p;
    size_t len;
} uc_view;

static inline bool uc_view_is(uc_view v, const char *s)
{
    return v.len == strlen(s) && memcmp(v.p, s, v.len) == 0;
}

static inline bool uc_view_listed(const uc_view *list, uint32_t n,
                                  const char *s)
{
    for (uint32_t i = 0; i < n; i++) {
        if (uc_view_is(list[i], s))
            return true;
    }
    return false;
}

/* p may be NULL where nothing is viewed. */
static inline bool uc_view_same(uc_view a, uc_view b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

#endif

#include "data/pg/saslprep.h"

#include <utf8proc.h>

#include "common/mem.h"
#include "data/pg/saslprep_tables.h"
#include "wire/utf8.h"

static bool is_in(const uint32_t (*ranges)[2], size_t n, uint32_t c)
{
    size_t low = 0;

    while (low < n) {
        size_t mid = low + (n - low) / 2;

        if (c < ranges[mid][0])
            n = mid;
        else if (c > ranges[mid][1])
            low = mid + 1;
        else
            return true;
    }
    return false;
}

#define IS_IN(ranges, c) is_in(ranges, sizeof ranges / sizeof *ranges, c)

/* B.1: commonly mapped to nothing. */
static bool is_nothing(uint32_t c)
{
    return c == 0xad || c == 0x34f || c == 0x1806 ||
           (c >= 0x180b && c <= 0x180d) || (c >= 0x200b && c <= 0x200d) ||
           c == 0x2060 || (c >= 0xfe00 && c <= 0xfe0f) || c == 0xfeff;
}

/* C.1.2: spaces beyond ASCII. */
static bool is_space(uint32_t c)
{
    return c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200b) ||
           c == 0x202f || c == 0x205f || c == 0x3000;
}

/* 2.1: what each becomes before it is normalized. False: it is no UTF-8. */
static bool map(uc_view text, uc_buf *to)
{
    const uint8_t *p = text.p, *end = text.p + text.len;

    while (p < end) {
        int32_t c;
        utf8proc_ssize_t used = utf8proc_iterate(p, end - p, &c);

        if (used < 1)
            return false;
        if (is_space((uint32_t)c))
            uc_buf_byte(to, ' ');
        else if (!is_nothing((uint32_t)c))
            uc_buf_put(to, p, (size_t)used);
        p += used;
    }
    return !to->failed;
}

static bool is_right(int32_t c)
{
    utf8proc_bidi_class_t bidi = utf8proc_get_property(c)->bidi_class;

    return bidi == UTF8PROC_BIDI_CLASS_R || bidi == UTF8PROC_BIDI_CLASS_AL;
}

/* 6 of RFC 3454: what is written to the left stands alone. */
static bool is_one_way(const int32_t *c, size_t n)
{
    bool right = false, left = false;

    for (size_t i = 0; i < n; i++) {
        right = right || is_right(c[i]);
        left = left ||
               utf8proc_get_property(c[i])->bidi_class == UTF8PROC_BIDI_CLASS_L;
    }
    return !right || (!left && is_right(c[0]) && is_right(c[n - 1]));
}

static bool may_be(const int32_t *c, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (IS_IN(prohibited, (uint32_t)c[i]) ||
            IS_IN(unassigned, (uint32_t)c[i]))
            return false;
    }
    return n > 0 && is_one_way(c, n);
}

/* 2.2: NFKC, as code points. Owned by the caller; NULL: it has no characters,
 * or there is no memory. */
static int32_t *decompose(uc_view text, utf8proc_ssize_t *n)
{
    const utf8proc_option_t nfkc = UTF8PROC_COMPAT | UTF8PROC_COMPOSE;
    const utf8proc_ssize_t len = (utf8proc_ssize_t)text.len;
    utf8proc_ssize_t want = utf8proc_decompose(text.p, len, NULL, 0, nfkc);
    int32_t *wide = NULL;

    if (want > 0) /* and one more, for utf8proc_reencode */
        wide = uc_malloc(((size_t)want + 1) * sizeof *wide);
    if (wide == NULL)
        return NULL;
    utf8proc_decompose(text.p, len, wide, want, nfkc);
    *n = utf8proc_normalize_utf32(wide, want, nfkc);
    return wide;
}

static bool prepare(uc_view password, uc_buf *out)
{
    utf8proc_ssize_t n = 0;
    int32_t *wide = NULL;
    bool done = false;
    uc_buf mapped;

    uc_buf_init(&mapped, SIZE_MAX);
    if (map(password, &mapped))
        wide = decompose((uc_view){mapped.p, mapped.len}, &n);
    if (wide != NULL && n > 0 && may_be(wide, (size_t)n)) {
        n = utf8proc_reencode(wide, n, UTF8PROC_COMPOSE);
        done = n > 0;
        if (done)
            uc_buf_put(out, wide, (size_t)n);
    }
    uc_free(wide);
    uc_buf_fini(&mapped);
    return done;
}

void pg_saslprep(uc_view password, uc_buf *out)
{
    if (uc_is_ascii(password.p, password.len) || !prepare(password, out))
        uc_buf_put(out, password.p, password.len);
}

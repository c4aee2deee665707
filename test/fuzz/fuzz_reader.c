/*
 * Bytes as msgpack, as options and as text. What our reader accepts msgpack-c
 * has to accept with the same length; what repair makes has to be valid.
 */
#include <msgpack.h>
#include <stdlib.h>

#include "common/buf.h"
#include "desk/options.h"
#include "wire/reader.h"
#include "wire/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same_as_msgpack(const uint8_t *data, size_t size)
{
    uc_reader r = {data, data + size};
    msgpack_unpacked u;
    size_t off = 0;
    uint32_t n;
    uint64_t w;
    uc_view s;
    bool b;

    uc_read_u32(&r, &n);
    uc_read_u64(&r, &w);
    uc_read_str(&r, &s);
    uc_read_bool(&r, &b);
    uc_read_array(&r, &n);
    if (r.p > r.end)
        abort();
    r.p = data;
    if (!uc_read_skip(&r))
        return;
    /* Only now: a header of six bytes may make it allocate gigabytes. */
    msgpack_unpacked_init(&u);
    if (msgpack_unpack_next(&u, (const char *)data, size, &off) !=
            MSGPACK_UNPACK_SUCCESS ||
        data + off != r.p)
        abort();
    msgpack_unpacked_destroy(&u);
}

static void text(const uint8_t *data, size_t size)
{
    int64_t plain = uc_utf16_length(data, size), units;
    uc_buf b;

    uc_buf_init(&b, SIZE_MAX);
    units = uc_utf8_repair(&b, data, size);
    if (uc_utf16_length(b.p, b.len) != units ||
        (plain >= 0 && (plain != units || b.len != size)) ||
        (uc_is_ascii(data, size) && plain != (int64_t)size))
        abort();
    uc_buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uc_options o;
    uc_error e = {0};

    if (size == 0)
        return 0;
    same_as_msgpack(data, size);
    text(data, size);
    if (!uc_options_read(&o, (uc_view){data, size}, &e) && e.code == NULL)
        abort();
    uc_options_fini(&o);
    return 0;
}

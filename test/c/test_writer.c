/*
 * Our own encodings, read back by msgpack-c and by our reader; integers have
 * to be in their shortest form, which msgpack-c's packer writes.
 */
#include <math.h>
#include <msgpack.h>

#include "tap.h"
#include "wire/reader.h"
#include "wire/writer.h"

static void integers(void)
{
    bool same = true, back = true;

    tap_seed(3);
    for (int i = 0; i < 20000; i++) {
        int64_t v = (int64_t)(tap_random() >> (tap_random() % 64));
        uint8_t bytes[16];
        uc_buf b;
        uc_value got;
        uc_reader r;
        size_t n;

        if (i < 130)
            v = i < 65 ? (int64_t)((uint64_t)1 << i % 64)
                       : -(int64_t)((uint64_t)1 << (i - 65) % 63);
        else if (tap_random() % 2)
            v = -v;
        n = (size_t)(uc_emit_int(bytes, v) - bytes);
        uc_buf_init(&b, 64);
        uc_pack_int(&b, v);
        same &= b.len == n && memcmp(b.p, bytes, n) == 0;
        r = (uc_reader){bytes, bytes + n};
        back &= uc_read(&r, &got) && got.type == UC_T_INT && got.i == v &&
                r.p == r.end;
        uc_buf_fini(&b);
    }
    ok(same, "integers are written as msgpack-c writes them");
    ok(back, "and read back");
}

static void doubles(void)
{
    static const double values[] = {0.0,    -0.0,     1.5, -1e308,
                                    5e-324, INFINITY, NAN};

    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        uint8_t bytes[9];
        uint8_t *end = uc_emit_double(bytes, values[i]);
        msgpack_unpacked u;
        size_t off = 0;

        msgpack_unpacked_init(&u);
        ok(end - bytes == 9 &&
               msgpack_unpack_next(&u, (char *)bytes, 9, &off) ==
                   MSGPACK_UNPACK_SUCCESS &&
               memcmp(&u.data.via.f64, &values[i], 8) == 0,
           "a double, bit by bit");
        msgpack_unpacked_destroy(&u);
    }
}

static void headers(void)
{
    static const uint32_t sizes[] = {0,   1,     31,    32,    255,
                                     256, 65535, 65536, 100000};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (int bin = 0; bin < 2; bin++) {
            uc_buf b;
            uint8_t *p;
            msgpack_unpacked u;
            size_t off = 0;
            bool read;

            uc_buf_init(&b, SIZE_MAX);
            uc_buf_reserve(&b, sizes[i] + 5);
            memset(b.p, 'x', sizes[i] + 5);
            p = bin ? uc_emit_bin_header(b.p, sizes[i])
                    : uc_emit_str_header(b.p, sizes[i]);
            b.len = (size_t)(p - b.p) + sizes[i];
            msgpack_unpacked_init(&u);
            read =
                msgpack_unpack_next(&u, (char *)b.p, b.len, &off) ==
                    MSGPACK_UNPACK_SUCCESS &&
                off == b.len &&
                u.data.type == (bin ? MSGPACK_OBJECT_BIN : MSGPACK_OBJECT_STR);
            eq_int(read ? u.data.via.str.size : UINT32_MAX, sizes[i],
                   bin ? "a bin header" : "a str header");
            msgpack_unpacked_destroy(&u);
            uc_buf_fini(&b);
        }
    }
}

static void replies(void)
{
    uc_error e = {0};
    uc_buf b;
    msgpack_unpacked u;
    size_t off = 0;

    uc_buf_init(&b, SIZE_MAX);
    uc_reply_begin(&b, 0xfffffffe, UC_REPLY_RUN, 4);
    eq_bytes(b.p, b.len, "\x94\xce\xff\xff\xff\xfe\x03", 7,
             "the head of a reply is seven bytes");
    uc_buf_rewind(&b, 0);
    uc_fail(&e, UC_TIMEOUT, "late by %d", 5);
    e.outcome = "unknown";
    e.native = 9;
    e.offset = 0;
    e.index = 4;
    strcpy(e.param, ":p");
    strcpy(e.column, "c");
    uc_reply_error(&b, 5, &e);
    msgpack_unpacked_init(&u);
    ok(msgpack_unpack_next(&u, (char *)b.p, b.len, &off) ==
               MSGPACK_UNPACK_SUCCESS &&
           off == b.len,
       "an error with every field is one frame");
    eq_int(u.data.via.array.ptr[2].via.map.size, 10, "of ten pairs");
    msgpack_unpacked_destroy(&u);
    uc_buf_rewind(&b, 0);
    uc_fail(&e, UC_MEMORY, "%600s", "long");
    uc_reply_error(&b, 5, &e);
    off = 0;
    msgpack_unpacked_init(&u);
    ok(msgpack_unpack_next(&u, (char *)b.p, b.len, &off) ==
               MSGPACK_UNPACK_SUCCESS &&
           u.data.via.array.ptr[2].via.map.size == 4,
       "a message that is too long is cut, and the fields are forgotten");
    msgpack_unpacked_destroy(&u);
    uc_buf_fini(&b);
}

int main(void)
{
    integers();
    doubles();
    headers();
    replies();
    return tap_end();
}

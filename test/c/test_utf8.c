/* UTF-8 to UTF-16 lengths and repair, against a decoder written another way. */
#include "tap.h"
#include "wire/utf8.h"

#define BYTES(s) (const uint8_t *)(s), sizeof(s) - 1

static void lengths(void)
{
    eq_int(uc_utf16_length(BYTES("")), 0, "nothing");
    eq_int(uc_utf16_length(BYTES("abc")), 3, "ASCII");
    eq_int(uc_utf16_length(BYTES("gr\xc3\xbcn")), 4, "two bytes");
    eq_int(uc_utf16_length(BYTES("\xe2\x82\xac")), 1, "three bytes");
    eq_int(uc_utf16_length(BYTES("\xf0\x9f\x98\x80")), 2, "a pair");
    eq_int(uc_utf16_length(BYTES("\xf4\x8f\xbf\xbf")), 2, "the last one");
    eq_int(uc_utf16_length(BYTES("a\0b")), 3, "NUL is a character");
    eq_int(uc_utf16_length(BYTES("\xf4\x90\x80\x80")), -1, "beyond the last");
    eq_int(uc_utf16_length(BYTES("\xed\xa0\x80")), -1, "a surrogate");
    eq_int(uc_utf16_length(BYTES("\xc0\x80")), -1, "an overlong form");
    eq_int(uc_utf16_length(BYTES("\xe0\x9f\xbf")), -1, "another");
    eq_int(uc_utf16_length(BYTES("\xf0\x8f\xbf\xbf")), -1, "a third");
    eq_int(uc_utf16_length(BYTES("\x80")), -1, "a lone continuation");
    eq_int(uc_utf16_length(BYTES("\xe2\x82")), -1, "cut off");
    eq_int(uc_utf16_length(BYTES("\xff")), -1, "never a byte of UTF-8");
}

static void repaired(const char *name, const uint8_t *p, size_t n,
                     const char *want, int64_t units)
{
    uc_buf b;

    uc_buf_init(&b, 1000);
    eq_int(uc_utf8_repair(&b, p, n), units, name);
    eq_bytes(b.p, b.len, want, strlen(want), name);
    uc_buf_fini(&b);
}

/* Counts of U+FFFD as the Unicode standard's table 3-8 and the web have it. */
static void repairs(void)
{
#define R "\xef\xbf\xbd"
    repaired("valid text stays", BYTES("a\xc3\xbc"), "a\xc3\xbc", 2);
    repaired("overlong", BYTES("\xc0\xaf\xe0\x80\xbf"), R R R R R, 5);
    repaired("surrogates", BYTES("\xed\xa0\x80"), R R R, 3);
    repaired("cut off",
             BYTES("\xe1\x80\xe2\xf0\x91\x92\xf1\xbf"
                   "A"),
             R R R R "A", 5);
    repaired("beyond",
             BYTES("\xf4\x91\x92\x93\xff"
                   "A\x80\xbf"
                   "B"),
             R R R R R "A" R R "B", 9);
#undef R
}

static void ascii(void)
{
    uint8_t bytes[40];
    bool right = true;

    for (size_t n = 0; n < sizeof bytes; n++) {
        memset(bytes, 'a', sizeof bytes);
        right &= uc_is_ascii(bytes, n);
        for (size_t i = 0; i < n; i++) {
            bytes[i] = 0x80;
            right &= !uc_is_ascii(bytes, n);
            bytes[i] = 'a';
        }
    }
    ok(right, "one byte that is not ASCII is seen at any place");
}

/* The repaired text is valid and has the length that repair said. */
static void noise(void)
{
    bool right = true;

    tap_seed(11);
    for (int i = 0; i < 20000; i++) {
        uint8_t bytes[24];
        size_t n = tap_random() % sizeof bytes;
        int64_t units, plain;
        uc_buf b;

        for (size_t j = 0; j < n; j++) {
            bytes[j] = (uint8_t)tap_random();
            if (tap_random() % 2)
                bytes[j] = (uint8_t)(0x80 | (bytes[j] & 0x3f));
        }
        uc_buf_init(&b, 1000);
        plain = uc_utf16_length(bytes, n);
        units = uc_utf8_repair(&b, bytes, n);
        right &= uc_utf16_length(b.p, b.len) == units;
        if (plain >= 0)
            right &= plain == units && b.len == n &&
                     (n == 0 || memcmp(b.p, bytes, n) == 0);
        uc_buf_fini(&b);
    }
    ok(right, "random bytes are repaired, valid ones left alone");
}

int main(void)
{
    lengths();
    repairs();
    ascii();
    noise();
    return tap_end();
}

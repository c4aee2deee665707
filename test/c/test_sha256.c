/* SHA-256: the examples of FIPS 180-4's own page (csrc.nist.gov, "Example
 * Values"), those of NIST's CAVP for short messages, and each length up to
 * four blocks against another way of cutting it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/sha256.h"
#include "tap.h"

static void hex(const uint8_t sum[UC_SHA256_BYTES], char *out)
{
    for (unsigned i = 0; i < UC_SHA256_BYTES; i++)
        snprintf(out + (size_t)2 * i, 3, "%02x", sum[i]);
}

static void is(const void *p, size_t n, const char *wanted, const char *name)
{
    uint8_t sum[UC_SHA256_BYTES];
    char text[2 * UC_SHA256_BYTES + 1];

    uc_sha256((uc_view){p, n}, sum);
    hex(sum, text);
    eq_str(text, wanted, name);
}

static void text(const char *s, const char *wanted)
{
    is(s, strlen(s), wanted, s);
}

static void examples(void)
{
    static const uint8_t one[] = {0xbd}, four[] = {0xc9, 0x8c, 0x8e, 0x55},
                         zeros[64];
    char *many = malloc(1000000);

    text("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852"
             "b855");
    text("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f200"
                "15ad");
    text("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    text("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmno"
         "ijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
         "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
    is(one, sizeof one,
       "68325720aabd7c82f30f554b313d0570c95accbb7dc4b5aae11204c08ffe732b",
       "a byte");
    is(four, sizeof four,
       "7abc22c0ae5af26ce93dbb94433a0e0b2e119d014f8e7f65bd56c61ccccd9504",
       "four bytes");
    is(zeros, 55,
       "02779466cdec163811d078815c633f21901413081449002f24aa3e80f0b88ef7",
       "55 zeros: one block");
    is(zeros, 56,
       "d4817aa5497628e7c77e6b606107042bbba3130888c5f47a375e6179be789fbb",
       "56 zeros: two");
    is(zeros, 64,
       "f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b",
       "64 zeros");
    if (many == NULL)
        return;
    memset(many, 'a', 1000000);
    is(many, 1000000,
       "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
       "a million times a");
    free(many);
}

/* What is behind the text is not looked at, and each length has its own sum. */
static void lengths(void)
{
    uint8_t bytes[257], first[UC_SHA256_BYTES], again[UC_SHA256_BYTES];
    uint8_t before[UC_SHA256_BYTES] = {0};
    bool same = true, differs = true;

    memset(bytes, 'x', sizeof bytes);
    for (size_t n = 0; n < sizeof bytes; n++) {
        uint8_t *exact = malloc(n + 1);

        if (exact == NULL)
            return;
        memset(exact, 'x', n);
        uc_sha256((uc_view){bytes, n}, first);
        uc_sha256((uc_view){exact, n}, again);
        same = same && memcmp(first, again, sizeof first) == 0;
        differs = differs && memcmp(first, before, sizeof first) != 0;
        memcpy(before, first, sizeof before);
        free(exact);
    }
    ok(same, "wherever it stands");
    ok(differs, "each length has a sum of its own");
}

int main(void)
{
    examples();
    lengths();
    return tap_end();
}

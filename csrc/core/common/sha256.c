#include "common/sha256.h"

#include <string.h>

enum { BLOCK = 64, ROUNDS = 64, LENGTH_BYTES = 8 };

/* 4.2.2: of the cube roots of the first 64 primes, bits behind the point. */
static const uint32_t K[ROUNDS] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1,
    0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
    0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
    0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
    0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
    0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
    0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotr(uint32_t x, unsigned n)
{
    return x >> n | x << (32 - n);
}

static uint32_t load(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
           p[3];
}

static void store(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

/* 6.2.2, step 1 */
static void schedule(uint32_t w[ROUNDS], const uint8_t *block)
{
    for (unsigned t = 0; t < 16; t++)
        w[t] = load(block + (size_t)4 * t);
    for (unsigned t = 16; t < ROUNDS; t++) {
        uint32_t a = w[t - 15], b = w[t - 2];

        w[t] = (rotr(b, 17) ^ rotr(b, 19) ^ b >> 10) + w[t - 7] +
               (rotr(a, 7) ^ rotr(a, 18) ^ a >> 3) + w[t - 16];
    }
}

/* 6.2.2, step 3; v: a to h */
static void round_of(uint32_t v[8], uint32_t k, uint32_t w)
{
    uint32_t a = v[0], e = v[4];
    uint32_t t1 = v[7] + (rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25)) +
                  ((e & v[5]) ^ (~e & v[6])) + k + w;
    uint32_t t2 = (rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22)) +
                  ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));

    memmove(v + 1, v, 7 * sizeof *v);
    v[4] += t1;
    v[0] = t1 + t2;
}

static void add_block(uint32_t h[8], const uint8_t *block)
{
    uint32_t w[ROUNDS], v[8];

    schedule(w, block);
    memcpy(v, h, sizeof v);
    for (unsigned t = 0; t < ROUNDS; t++)
        round_of(v, K[t], w[t]);
    for (unsigned i = 0; i < 8; i++)
        h[i] += v[i];
}

/* 5.1.1: what is left of the text, a bit that is set, and how many bits it had.
 * -> 1 or 2 blocks */
static unsigned pad(uint8_t last[2 * BLOCK], uc_view rest, uint64_t bits)
{
    unsigned n = rest.len + 1 + LENGTH_BYTES <= BLOCK ? 1 : 2;

    memset(last, 0, (size_t)2 * BLOCK);
    if (rest.len > 0)
        memcpy(last, rest.p, rest.len);
    last[rest.len] = 0x80;
    store(last + (size_t)n * BLOCK - 8, (uint32_t)(bits >> 32));
    store(last + (size_t)n * BLOCK - 4, (uint32_t)bits);
    return n;
}

void uc_sha256(uc_view text, uint8_t out[UC_SHA256_BYTES])
{
    /* 5.3.3: of the square roots of the first 8 primes. */
    uint32_t h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                     0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    uint8_t last[2 * BLOCK];
    uc_view rest = text;
    unsigned n;

    for (; rest.len >= BLOCK; rest.p += BLOCK, rest.len -= BLOCK)
        add_block(h, rest.p);
    n = pad(last, rest, (uint64_t)text.len * 8);
    for (unsigned i = 0; i < n; i++)
        add_block(h, last + (size_t)i * BLOCK);
    for (unsigned i = 0; i < 8; i++)
        store(out + (size_t)4 * i, h[i]);
}

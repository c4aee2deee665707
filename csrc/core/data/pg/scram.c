#include "data/pg/scram.h"

#include <mbedtls/base64.h>
#include <mbedtls/constant_time.h>
#include <mbedtls/md.h>
#include <mbedtls/md5.h>
#include <mbedtls/pkcs5.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/sha256.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/pg/saslprep.h"

/* ---- SCRAM-SHA-256 ---- */

enum {
    ROUNDS_MOST = 1000000, /* half a second; a server's default is 4,096 */
    SALT_MOST = 256
};

void pg_scram_init(pg_scram *s, pg_binding binding, const uint8_t *nonce,
                   uc_view hash)
{
    size_t n;

    memset(s, 0, sizeof *s);
    s->binding = binding;
    s->nhash = hash.len < sizeof s->hash ? hash.len : sizeof s->hash;
    if (s->nhash > 0)
        memcpy(s->hash, hash.p, s->nhash);
    mbedtls_base64_encode((uint8_t *)s->nonce, sizeof s->nonce, &n, nonce,
                          PG_NONCE);
}

static void put(uc_buf *b, const char *s)
{
    uc_buf_put(b, s, strlen(s));
}

static const char *gs2(const pg_scram *s)
{
    return s->binding == PG_BINDING_USED      ? "p=tls-server-end-point,,"
           : s->binding == PG_BINDING_UNASKED ? "y,,"
                                              : "n,,";
}

/* The user's name is the one of the start-up message: 55.3.1. */
static void put_bare(const pg_scram *s, uc_buf *out)
{
    put(out, "n=,r=");
    put(out, s->nonce);
}

void pg_scram_first(const pg_scram *s, uc_buf *out)
{
    put(out, gs2(s));
    put_bare(s, out);
}

static void put_base64(uc_buf *out, const uint8_t *p, size_t n)
{
    size_t most = n / 3 * 4 + 5, len;

    if (!uc_buf_reserve(out, most))
        return;
    mbedtls_base64_encode(out->p + out->len, most, &len, p, n);
    out->len += len;
}

/* What the server sends: r=…,s=…,i=… */
typedef struct challenge {
    uc_view nonce, salt;
    unsigned rounds;
} challenge;

/* The value of the attribute at *p, which moves behind the comma. */
static bool attribute(uc_view *rest, char name, uc_view *value)
{
    const uint8_t *comma;

    if (rest->len < 2 || rest->p[0] != (uint8_t)name || rest->p[1] != '=')
        return false;
    comma = memchr(rest->p, ',', rest->len);
    value->p = rest->p + 2;
    value->len =
        (size_t)((comma != NULL ? comma : rest->p + rest->len) - value->p);
    rest->len -= value->len + 2 + (comma != NULL);
    rest->p = value->p + value->len + (comma != NULL);
    return true;
}

static bool number(uc_view v, unsigned *n)
{
    *n = 0;
    for (size_t i = 0; i < v.len; i++) {
        if (v.p[i] < '0' || v.p[i] > '9' || *n > ROUNDS_MOST)
            return false;
        *n = *n * 10 + (unsigned)(v.p[i] - '0');
    }
    return v.len > 0 && *n > 0 && *n <= ROUNDS_MOST;
}

static bool read_challenge(const pg_scram *s, uc_view text, challenge *c)
{
    size_t mine = strlen(s->nonce);
    uc_view rounds;

    return attribute(&text, 'r', &c->nonce) && c->nonce.len > mine &&
           memcmp(c->nonce.p, s->nonce, mine) == 0 &&
           attribute(&text, 's', &c->salt) && attribute(&text, 'i', &rounds) &&
           number(rounds, &c->rounds);
}

static const mbedtls_md_info_t *sha256(void)
{
    return mbedtls_md_info_from_type(MBEDTLS_MD_SHA256);
}

static bool hmac(const uint8_t key[PG_SHA256], uc_view text,
                 uint8_t out[PG_SHA256])
{
    return mbedtls_md_hmac(sha256(), key, PG_SHA256, text.p, text.len, out) ==
           0;
}

/* Hi() of RFC 5802. */
static bool salted(uc_view password, const challenge *c, uint8_t out[PG_SHA256])
{
    uint8_t salt[SALT_MOST];
    mbedtls_md_context_t md;
    size_t n;
    bool done;

    if (mbedtls_base64_decode(salt, sizeof salt, &n, c->salt.p, c->salt.len) !=
        0)
        return false;
    mbedtls_md_init(&md);
    done = mbedtls_md_setup(&md, sha256(), 1) == 0 &&
           mbedtls_pkcs5_pbkdf2_hmac(&md, password.p, password.len, salt, n,
                                     c->rounds, PG_SHA256, out) == 0;
    mbedtls_md_free(&md);
    return done;
}

/* c=…,r=…: the last message without its proof. */
static void put_unproved(const pg_scram *s, uc_view nonce, uc_buf *out)
{
    uc_buf bound;

    uc_buf_init(&bound, SIZE_MAX);
    put(&bound, gs2(s));
    if (s->binding == PG_BINDING_USED)
        uc_buf_put(&bound, s->hash, s->nhash);
    put(out, "c=");
    put_base64(out, bound.p, bound.len);
    out->failed = out->failed || bound.failed;
    uc_buf_fini(&bound);
    put(out, ",r=");
    uc_buf_put(out, nonce.p, nonce.len);
}

/* The client's proof and the signature that the server has to show. */
static bool sign(pg_scram *s, const uint8_t key[PG_SHA256], uc_view all,
                 uint8_t proof[PG_SHA256])
{
    static const uc_view client = {(const uint8_t *)"Client Key", 10},
                         server = {(const uint8_t *)"Server Key", 10};
    uint8_t mine[PG_SHA256], stored[PG_SHA256], other[PG_SHA256];
    bool done = hmac(key, client, mine) &&
                mbedtls_sha256_ret(mine, sizeof mine, stored, 0) == 0 &&
                hmac(stored, all, proof) && hmac(key, server, other) &&
                hmac(other, all, s->signature);

    for (unsigned i = 0; done && i < PG_SHA256; i++)
        proof[i] ^= mine[i];
    mbedtls_platform_zeroize(mine, sizeof mine);
    return done;
}

static bool prove(pg_scram *s, const challenge *c, uc_view text,
                  uc_view password, uc_buf *out)
{
    uint8_t key[PG_SHA256], proof[PG_SHA256];
    size_t at = out->len;
    uc_buf all;
    bool done;

    put_unproved(s, c->nonce, out);
    uc_buf_init(&all, SIZE_MAX);
    put_bare(s, &all);
    uc_buf_byte(&all, ',');
    uc_buf_put(&all, text.p, text.len);
    uc_buf_byte(&all, ',');
    if (!out->failed)
        uc_buf_put(&all, out->p + at, out->len - at);
    done = !all.failed && !out->failed && salted(password, c, key) &&
           sign(s, key, (uc_view){all.p, all.len}, proof);
    uc_buf_fini(&all);
    mbedtls_platform_zeroize(key, sizeof key);
    if (!done)
        return false;
    put(out, ",p=");
    put_base64(out, proof, sizeof proof);
    return !out->failed;
}

bool pg_scram_prove(pg_scram *s, uc_view text, uc_view password, uc_buf *out,
                    uc_error *e)
{
    challenge c;
    uc_buf clean;

    if (!read_challenge(s, text, &c))
        return uc_fail(e, UC_CONNECT,
                       "the server asks for the password in a way that is not "
                       "SCRAM-SHA-256");
    uc_buf_init(&clean, SIZE_MAX);
    pg_saslprep(password, &clean);
    s->proved =
        !clean.failed && prove(s, &c, text, (uc_view){clean.p, clean.len}, out);
    if (clean.p != NULL)
        mbedtls_platform_zeroize(clean.p, clean.len);
    uc_buf_fini(&clean);
    return s->proved || uc_fail(e, UC_MEMORY, "no memory for a password");
}

bool pg_scram_check(const pg_scram *s, uc_view last, uc_error *e)
{
    uint8_t theirs[PG_SHA256 + 2];
    uc_view v;
    size_t n;

    if (s->proved && attribute(&last, 'v', &v) &&
        mbedtls_base64_decode(theirs, sizeof theirs, &n, v.p, v.len) == 0 &&
        n == PG_SHA256 &&
        mbedtls_ct_memcmp(theirs, s->signature, PG_SHA256) == 0)
        return true;
    return uc_fail(e, UC_CONNECT,
                   "the server does not know the password itself: it is not "
                   "the one that it pretends to be");
}

/* ---- md5 ---- */

static void hex(const uint8_t *p, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < n; i++) {
        *out++ = digits[p[i] >> 4];
        *out++ = digits[p[i] & 15];
    }
    *out = '\0';
}

static void md5_of(uc_view a, uc_view b, char out[33])
{
    mbedtls_md5_context c;
    uint8_t sum[16];

    mbedtls_md5_init(&c);
    mbedtls_md5_starts_ret(&c);
    mbedtls_md5_update_ret(&c, a.p, a.len);
    mbedtls_md5_update_ret(&c, b.p, b.len);
    mbedtls_md5_finish_ret(&c, sum);
    mbedtls_md5_free(&c);
    hex(sum, sizeof sum, out);
}

void pg_md5(uc_view user, uc_view password, const uint8_t salt[4], char out[36])
{
    char first[33];

    md5_of(password, user, first);
    out[0] = 'm';
    out[1] = 'd';
    out[2] = '5';
    md5_of((uc_view){(const uint8_t *)first, 32}, (uc_view){salt, 4}, out + 3);
    mbedtls_platform_zeroize(first, sizeof first);
}

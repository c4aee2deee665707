#include "data/pg/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/md.h>
#include <mbedtls/oid.h>
#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "common/mem.h"
#include "data/pg/scram.h"

enum { IP_ADDRESS = 7 }; /* of GeneralName */

struct pg_tls_setup {
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context chance;
    mbedtls_ssl_config config;
    mbedtls_x509_crt roots, own;
    mbedtls_x509_crl revoked;
    mbedtls_pk_context key;
    bool verifies, names; /* the chain; also the name of the host */
    bool sni;
};

struct pg_tls {
    mbedtls_ssl_context ssl;
    pg_tls_setup *setup;
    bool unnamed;     /* the host is not named at all */
    bool numeric;     /* the host is an address, and no name */
    const char *name; /* of the host, as it was given */
    size_t naddress;
    uint8_t address[16];
    int fd;
};

/* ---- files ---- */

static bool tls_error(uc_error *e, const char *what, int rc)
{
    char why[120];

    mbedtls_strerror(rc, why, sizeof why);
    return uc_fail(e, UC_CONNECT, "%s: %s", what, why);
}

/* The path that was given, or the usual one in the home of the user. */
static uc_view path_of(pg_info *info, pg_key key, const char *usual)
{
    uc_view v = info->values[key];

    return v.len > 0 ? v : pg_home_path(info, usual);
}

static bool cannot_read(uc_error *e, const char *key, uc_view path)
{
    return uc_fail(e, UC_OPTION, "%s: %.*s cannot be read, or is no PEM file",
                   key, (int)(path.len < 300 ? path.len : 300), path.p);
}

static uc_view pem(pg_info *info, uc_view path)
{
    uc_view v = {NULL, 0};

    if (path.len > 0)
        v = pg_file_read(info, (const char *)path.p);
    return v; /* with a NUL behind it, as mbedtls wants it */
}

static bool roots(pg_tls_setup *s, pg_info *info, uc_error *e)
{
    uc_view path = path_of(info, PG_SSLROOTCERT, ".postgresql/root.crt");
    uc_view file = pem(info, path);
    bool wanted = info->sslmode >= PG_SSL_VERIFY_CA ||
                  info->values[PG_SSLROOTCERT].len > 0;

    s->names = info->sslmode == PG_SSL_VERIFY_FULL;
    if (file.p == NULL && !wanted)
        return true;
    if (file.p == NULL ||
        mbedtls_x509_crt_parse(&s->roots, file.p, file.len + 1) != 0)
        return cannot_read(e, "sslrootcert", path);
    /* With certificates to go by every mode looks at the chain, as with libpq:
     * with `prefer` what is not in order is tried without TLS then. */
    s->verifies = true;
    return true;
}

static bool revoked(pg_tls_setup *s, pg_info *info, uc_error *e)
{
    uc_view path = path_of(info, PG_SSLCRL, ".postgresql/root.crl");
    uc_view file = pem(info, path);

    if (file.p == NULL)
        return info->values[PG_SSLCRL].len == 0 ||
               cannot_read(e, "sslcrl", path);
    return mbedtls_x509_crl_parse(&s->revoked, file.p, file.len + 1) == 0 ||
           cannot_read(e, "sslcrl", path);
}

static bool own(pg_tls_setup *s, pg_info *info, uc_error *e)
{
    uc_view path = path_of(info, PG_SSLCERT, ".postgresql/postgresql.crt");
    uc_view file = pem(info, path), key_path,
            word = info->values[PG_SSLPASSWORD];
    bool wanted = info->values[PG_SSLCERT].len > 0;

    if (file.p == NULL)
        return !wanted || cannot_read(e, "sslcert", path);
    if (mbedtls_x509_crt_parse(&s->own, file.p, file.len + 1) != 0)
        return cannot_read(e, "sslcert", path);
    key_path = path_of(info, PG_SSLKEY, ".postgresql/postgresql.key");
    file = pem(info, key_path);
    if (file.p == NULL ||
        mbedtls_pk_parse_key(&s->key, file.p, file.len + 1,
                             word.len > 0 ? word.p : NULL, word.len) != 0)
        return cannot_read(e, "sslkey", key_path);
    return mbedtls_ssl_conf_own_cert(&s->config, &s->own, &s->key) == 0 ||
           cannot_read(e, "sslkey", key_path);
}

static bool configure(pg_tls_setup *s, pg_info *info, uc_error *e)
{
    int rc = mbedtls_ctr_drbg_seed(&s->chance, mbedtls_entropy_func,
                                   &s->entropy, NULL, 0);

    if (rc == 0)
        rc = mbedtls_ssl_config_defaults(&s->config, MBEDTLS_SSL_IS_CLIENT,
                                         MBEDTLS_SSL_TRANSPORT_STREAM,
                                         MBEDTLS_SSL_PRESET_DEFAULT);
    if (rc != 0)
        return tls_error(e, "TLS cannot be set up", rc);
    mbedtls_ssl_conf_rng(&s->config, mbedtls_ctr_drbg_random, &s->chance);
    mbedtls_ssl_conf_min_version(&s->config, MBEDTLS_SSL_MAJOR_VERSION_3,
                                 MBEDTLS_SSL_MINOR_VERSION_3); /* 1.2 */
    if (!roots(s, info, e) || !revoked(s, info, e) || !own(s, info, e))
        return false;
    mbedtls_ssl_conf_ca_chain(&s->config, &s->roots, &s->revoked);
    /* What is not in order is looked at afterwards, to say what it is. */
    mbedtls_ssl_conf_authmode(&s->config, MBEDTLS_SSL_VERIFY_OPTIONAL);
    return true;
}

pg_tls_setup *pg_tls_setup_new(pg_info *info, uc_error *e)
{
    pg_tls_setup *s = uc_calloc(1, sizeof *s);

    if (s == NULL) {
        uc_fail(e, UC_MEMORY, "no memory for TLS");
        return NULL;
    }
    mbedtls_entropy_init(&s->entropy);
    mbedtls_ctr_drbg_init(&s->chance);
    mbedtls_ssl_config_init(&s->config);
    mbedtls_x509_crt_init(&s->roots);
    mbedtls_x509_crt_init(&s->own);
    mbedtls_x509_crl_init(&s->revoked);
    mbedtls_pk_init(&s->key);
    s->sni = uc_view_is(info->values[PG_SSLSNI], "1");
    if (configure(s, info, e))
        return s;
    pg_tls_setup_free(s);
    return NULL;
}

void pg_tls_setup_free(pg_tls_setup *s)
{
    if (s == NULL)
        return;
    mbedtls_pk_free(&s->key);
    mbedtls_x509_crl_free(&s->revoked);
    mbedtls_x509_crt_free(&s->own);
    mbedtls_x509_crt_free(&s->roots);
    mbedtls_ssl_config_free(&s->config);
    mbedtls_ctr_drbg_free(&s->chance);
    mbedtls_entropy_free(&s->entropy);
    uc_free(s);
}

/* ---- one connection ---- */

static int sends(void *arg, const unsigned char *p, size_t n)
{
    const pg_tls *t = arg;
    ssize_t k = send(t->fd, p, n, MSG_NOSIGNAL);

    if (k >= 0)
        return (int)k;
    return errno == EAGAIN || errno == EINTR ? MBEDTLS_ERR_SSL_WANT_WRITE
                                             : MBEDTLS_ERR_SSL_INTERNAL_ERROR;
}

static int receives(void *arg, unsigned char *p, size_t n)
{
    const pg_tls *t = arg;
    ssize_t k = recv(t->fd, p, n, 0);

    if (k >= 0)
        return (int)k;
    return errno == EAGAIN || errno == EINTR ? MBEDTLS_ERR_SSL_WANT_READ
                                             : MBEDTLS_ERR_SSL_INTERNAL_ERROR;
}

/* How many bytes the address has, 0: it is a name. */
static size_t is_address(const char *name, uint8_t bytes[16])
{
    return inet_pton(AF_INET, name, bytes) == 1    ? 4
           : inet_pton(AF_INET6, name, bytes) == 1 ? 16
                                                   : 0;
}

pg_tls *pg_tls_new(pg_tls_setup *s, const pg_host *host, int fd)
{
    pg_tls *t = uc_calloc(1, sizeof *t);
    const char *name =
        (const char *)(host->name.len > 0 ? host->name.p : host->addr.p);
    bool named;

    if (t == NULL)
        return NULL;
    t->setup = s;
    t->fd = fd;
    t->name = name;
    t->unnamed = host->name.len == 0;
    t->naddress = is_address(name, t->address);
    t->numeric = t->naddress > 0;
    named = !t->numeric && (s->sni || s->names);
    mbedtls_ssl_init(&t->ssl);
    if (mbedtls_ssl_setup(&t->ssl, &s->config) != 0 ||
        (named && mbedtls_ssl_set_hostname(&t->ssl, name) != 0)) {
        pg_tls_free(t);
        return NULL;
    }
    mbedtls_ssl_set_bio(&t->ssl, t, sends, receives, NULL);
    return t;
}

void pg_tls_free(pg_tls *t)
{
    if (t == NULL)
        return;
    mbedtls_ssl_free(&t->ssl);
    uc_free(t);
}

static bool refused(uc_error *e, const char *why)
{
    return uc_fail(e, UC_CONNECT, "the server's certificate: %s", why);
}

/* The iPAddress among a certificate's names (RFC 5280, 4.2.1.6), which mbedtls
 * reads and does not compare. */
static bool is_for_address(const pg_tls *t)
{
    const mbedtls_x509_crt *crt = mbedtls_ssl_get_peer_cert(&t->ssl);

    if (crt == NULL)
        return false;
    for (const mbedtls_x509_sequence *s = &crt->subject_alt_names; s != NULL;
         s = s->next) {
        if (s->buf.tag == (MBEDTLS_ASN1_CONTEXT_SPECIFIC | IP_ADDRESS) &&
            s->buf.len == t->naddress &&
            memcmp(s->buf.p, t->address, t->naddress) == 0)
            return true;
    }
    if (crt->subject_alt_names.buf.p != NULL)
        return false;
    /* Without any the subject's own name counts, as text. */
    for (const mbedtls_x509_name *n = &crt->subject; n != NULL; n = n->next) {
        if (MBEDTLS_OID_CMP(MBEDTLS_OID_AT_CN, &n->oid) == 0 &&
            n->val.len == strlen(t->name) &&
            memcmp(n->val.p, t->name, n->val.len) == 0)
            return true;
    }
    return false;
}

static bool in_order(const pg_tls *t, uc_error *e)
{
    const pg_tls_setup *s = t->setup;
    uint32_t flags = mbedtls_ssl_get_verify_result(&t->ssl);
    char why[300];

    if (!s->verifies)
        return true;
    if (!s->names || t->numeric)
        flags &= ~(uint32_t)MBEDTLS_X509_BADCERT_CN_MISMATCH;
    if (s->names && t->unnamed)
        return refused(e, "sslmode=verify-full needs the name of the host "
                          "(host), and there is only its address (hostaddr)");
    if (flags == 0 && s->names && t->numeric && !is_for_address(t))
        return refused(e, "it is for another address (sslmode=verify-full)");
    if (flags == 0)
        return true;
    mbedtls_x509_crt_verify_info(why, sizeof why, "", flags);
    why[strcspn(why, "\n")] = '\0';
    return refused(e, why);
}

pg_tls_state pg_tls_shake(pg_tls *t, bool *out, uc_error *e)
{
    int rc = mbedtls_ssl_handshake(&t->ssl);

    *out = rc == MBEDTLS_ERR_SSL_WANT_WRITE;
    if (rc == MBEDTLS_ERR_SSL_WANT_READ || *out)
        return PG_TLS_WAITS;
    if (rc != 0) {
        tls_error(e,
                  "no TLS with the server (of version 1.2, the only one "
                  "that is spoken here)",
                  rc);
        return PG_TLS_FAILED;
    }
    return in_order(t, e) ? PG_TLS_DONE : PG_TLS_FAILED;
}

static ssize_t outcome(int rc)
{
    if (rc >= 0)
        return rc;
    if (rc == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY)
        return 0;
    errno = rc == MBEDTLS_ERR_SSL_WANT_READ || rc == MBEDTLS_ERR_SSL_WANT_WRITE
                ? EAGAIN
                : EPROTO;
    return -1;
}

ssize_t pg_tls_send(pg_tls *t, const void *p, size_t n)
{
    return outcome(mbedtls_ssl_write(&t->ssl, p, n));
}

ssize_t pg_tls_recv(pg_tls *t, void *p, size_t n)
{
    return outcome(mbedtls_ssl_read(&t->ssl, p, n));
}

bool pg_tls_pending(const pg_tls *t)
{
    return mbedtls_ssl_check_pending(&t->ssl) != 0;
}

size_t pg_tls_binding(const pg_tls *t, uint8_t *hash)
{
    const mbedtls_x509_crt *crt = mbedtls_ssl_get_peer_cert(&t->ssl);
    const mbedtls_md_info_t *md;
    mbedtls_md_type_t type;

    if (crt == NULL)
        return 0;
    type = crt->sig_md;
    if (type == MBEDTLS_MD_MD5 || type == MBEDTLS_MD_SHA1)
        type = MBEDTLS_MD_SHA256;
    md = mbedtls_md_info_from_type(type);
    if (md == NULL || mbedtls_md(md, crt->raw.p, crt->raw.len, hash) != 0)
        return 0;
    return mbedtls_md_get_size(md);
}

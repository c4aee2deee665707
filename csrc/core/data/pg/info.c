#include "data/pg/info.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/mem.h"
#include "common/sha256.h"

enum { INFO_MOST = 8 << 20, PORT_MOST = 65535, NUMBER_MOST = 1000000000 };

/* ---- keys ---- */

static const struct {
    const char *name, *env, *usual;
} keys[PG_KEYS] = {
#define X(key, name, env, usual) {name, env, usual},
    PG_KEY_MAP(X)
#undef X
};

pg_key pg_key_named(uc_view name)
{
    unsigned i = 0;

    while (i < PG_KEYS && !uc_view_is(name, keys[i].name))
        i++;
    return (pg_key)i;
}

const char *pg_key_name(pg_key key)
{
    return keys[key].name;
}

static uc_view text(const char *s)
{
    return (uc_view){(const uint8_t *)s, strlen(s)};
}

/* ---- what is not given ---- */

static void from_env(pg_info *info, pg_key key)
{
    const char *s = keys[key].env != NULL ? getenv(keys[key].env) : NULL;

    if (info->values[key].p == NULL && s != NULL && *s != '\0')
        info->values[key] = pg_info_copy(info, text(s));
}

static void from_all(pg_info *info)
{
    for (unsigned i = 0; i < PG_KEYS; i++) {
        from_env(info, (pg_key)i);
        if (info->values[i].p == NULL && keys[i].usual != NULL)
            info->values[i] = text(keys[i].usual);
    }
}

/* The daemon is static and has no list of users: what the environment says. */
static bool user(pg_info *info, uc_error *e)
{
    static const char *const names[] = {"USER", "LOGNAME"};
    uc_view *v = info->values;

    for (unsigned i = 0; i < 2 && v[PG_USER].len == 0; i++) {
        const char *s = getenv(names[i]);

        if (s != NULL && *s != '\0')
            v[PG_USER] = pg_info_copy(info, text(s));
    }
    if (v[PG_USER].len == 0)
        return uc_fail(e, UC_OPTION,
                       "nothing says which user of the database it is: name "
                       "one in the address, or set PGUSER");
    if (v[PG_DBNAME].len == 0)
        v[PG_DBNAME] = v[PG_USER];
    return true;
}

/* Where Debian's servers have their sockets, or else PostgreSQL's own. */
static uc_view socket_folder(void)
{
    struct stat st;

    return text(stat("/var/run/postgresql", &st) == 0 ? "/var/run/postgresql"
                                                      : "/tmp");
}

/* ---- words ---- */

static bool word(const pg_info *info, pg_key key, const char *const *words,
                 unsigned n, int *value, uc_error *e)
{
    uc_view v = info->values[key];
    char list[200];
    size_t len = 0;

    list[0] = '\0';
    for (unsigned i = 0; i < n; i++) {
        if (uc_view_is(v, words[i])) {
            *value = (int)i;
            return true;
        }
        len += (size_t)snprintf(list + len, sizeof list - len, "%s%s",
                                i == 0 ? "" : ", ", words[i]);
    }
    return uc_fail(e, UC_OPTION, "%s: expected one of %s, got '%.*s'",
                   keys[key].name, list, (int)(v.len < 40 ? v.len : 40), v.p);
}

#define WORD(key, words, field)                                               \
    do {                                                                      \
        int i_ = 0;                                                           \
        if (!word(info, key, words, sizeof(words) / sizeof *(words), &i_, e)) \
            return false;                                                     \
        (field) = i_;                                                         \
    } while (0)

static bool words(pg_info *info, uc_error *e)
{
    static const char *const modes[] = {"disable", "allow",     "prefer",
                                        "require", "verify-ca", "verify-full"};
    static const char *const targets[] = {"any",       "read-write",
                                          "read-only", "primary",
                                          "standby",   "prefer-standby"};
    static const char *const wishes[] = {"disable", "prefer", "require"};
    static const char *const balances[] = {"disable", "random"};
    int mode, target, wish, balance;

    WORD(PG_SSLMODE, modes, mode);
    WORD(PG_TARGET, targets, target);
    WORD(PG_BINDING, wishes, wish);
    WORD(PG_BALANCE, balances, balance);
    info->sslmode = (pg_sslmode)mode;
    info->target = (pg_target)target;
    info->binding = (pg_wish)wish;
    info->balances = balance != 0;
    return true;
}

static bool number(const pg_info *info, pg_key key, uc_view v, long most,
                   long *n, uc_error *e)
{
    *n = 0;
    for (size_t i = 0; i < v.len && *n <= most; i++)
        *n = v.p[i] >= '0' && v.p[i] <= '9' ? *n * 10 + (v.p[i] - '0')
                                            : most + 1;
    if (v.len > 0 && *n <= most)
        return true;
    (void)info;
    return uc_fail(e, UC_OPTION, "%s: expected a number up to %ld, got '%.*s'",
                   keys[key].name, most, (int)(v.len < 40 ? v.len : 40), v.p);
}

/* libpq takes less than two seconds for two. 0: an hour, for every wait has an
 * end. */
static bool patience(pg_info *info, uc_error *e)
{
    long s;

    if (!number(info, PG_CONNECT_TIMEOUT, info->values[PG_CONNECT_TIMEOUT],
                3600, &s, e))
        return false;
    info->connect_ms = (s == 0 ? 3600 : s == 1 ? 2 : s) * 1000;
    return true;
}

int pg_info_number(const pg_info *info, pg_key key)
{
    const uc_view v = info->values[key];

    return v.p != NULL ? (int)strtol((const char *)v.p, NULL, 10)
                       : 0; /* a NUL is behind it */
}

static bool numbers(const pg_info *info, uc_error *e)
{
    static const pg_key of[] = {PG_KEEPALIVES, PG_KEEPALIVES_IDLE,
                                PG_KEEPALIVES_INTERVAL, PG_KEEPALIVES_COUNT,
                                PG_TCP_USER_TIMEOUT};
    long n;

    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        if (!number(info, of[i], info->values[of[i]], NUMBER_MOST, &n, e))
            return false;
    }
    return true;
}

/* What libpq can do and this cannot is said here, and not after a wait. */
static bool is_spoken(const pg_info *info, uc_error *e)
{
    const uc_view least = info->values[PG_SSL_LEAST];
    const uc_view most = info->values[PG_SSL_MOST];

    if (info->sslmode != PG_SSL_DISABLE &&
        (uc_view_is(least, "TLSv1.3") || uc_view_is(most, "TLSv1") ||
         uc_view_is(most, "TLSv1.1")))
        return uc_fail(e, UC_OPTION,
                       "TLS 1.2 is the version that is spoken here, and %s "
                       "excludes it",
                       uc_view_is(least, "TLSv1.3")
                           ? "ssl_min_protocol_version"
                           : "ssl_max_protocol_version");
    return !uc_view_is(info->values[PG_GSSENCMODE], "require") ||
           uc_fail(e, UC_OPTION,
                   "gssencmode=require: Kerberos is not spoken here");
}

/* ---- hosts ---- */

static uint32_t count(uc_view list)
{
    uint32_t n = 1;

    for (size_t i = 0; i < list.len; i++)
        n += list.p[i] == ',';
    return list.p == NULL ? 0 : n;
}

/* The i-th of a list; the only one where there is only one. */
static uc_view nth(pg_info *info, uc_view list, uint32_t i)
{
    const uint8_t *p = list.p, *end, *comma;

    if (p == NULL)
        return text("");
    end = p + list.len;
    if (count(list) == 1)
        i = 0;
    for (; i > 0; i--)
        p = (const uint8_t *)memchr(p, ',', (size_t)(end - p)) + 1;
    comma = memchr(p, ',', (size_t)(end - p));
    return pg_info_copy(
        info, (uc_view){p, (size_t)((comma != NULL ? comma : end) - p)});
}

static bool is_path(uc_view v)
{
    return v.len > 0 && (*v.p == '/' || *v.p == '@');
}

static bool host(pg_info *info, uint32_t i, uc_error *e)
{
    pg_host *h = &info->hosts[i];
    uc_view port = nth(info, info->values[PG_PORT], i);
    long n;

    h->name = nth(info, info->values[PG_HOST], i);
    h->addr = nth(info, info->values[PG_HOSTADDR], i);
    if (h->name.len == 0 && h->addr.len == 0)
        h->name = socket_folder();
    h->local = h->addr.len == 0 && is_path(h->name);
    if (port.len == 0)
        port = text(keys[PG_PORT].usual);
    if (!number(info, PG_PORT, port, PORT_MOST, &n, e))
        return false;
    if (n == 0)
        return uc_fail(e, UC_OPTION, "port: expected 1 to 65535, got 0");
    h->port = (uint16_t)n;
    if (info->values[PG_PASSWORD].len > 0)
        h->password = info->values[PG_PASSWORD];
    return true;
}

static bool hosts(pg_info *info, uc_error *e)
{
    const uc_view *v = info->values;
    uint32_t names = count(v[PG_HOST]), addrs = count(v[PG_HOSTADDR]);
    uint32_t ports = count(v[PG_PORT]);

    info->nhosts = addrs > 0 ? addrs : names > 0 ? names : 1;
    if (addrs > 0 && names > 0 && addrs != names)
        return uc_fail(e, UC_OPTION, "%u hosts have %u addresses (hostaddr)",
                       names, addrs);
    if (ports > 1 && ports != info->nhosts)
        return uc_fail(e, UC_OPTION, "%u hosts have %u ports", info->nhosts,
                       ports);
    if (info->nhosts > PG_HOSTS)
        return uc_fail(e, UC_OPTION, "more than %d hosts", PG_HOSTS);
    for (uint32_t i = 0; i < info->nhosts; i++) {
        if (!host(info, i, e))
            return false;
    }
    return true;
}

/* ---- the whole ---- */

bool pg_info_takes(const char *target)
{
    return strncmp(target, "postgres://", 11) == 0 ||
           strncmp(target, "postgresql://", 13) == 0;
}

bool pg_info_read(pg_info *info, const char *target, uc_error *e)
{
    memset(info, 0, sizeof *info);
    uc_arena_init(&info->mem, INFO_MOST);
    if (!pg_uri_read(info, target, e))
        return false;
    from_env(info, PG_SERVICE);
    if (info->values[PG_SERVICE].len > 0 && !pg_service_read(info, e))
        return false;
    from_all(info);
    if (!user(info, e) || !words(info, e) || !patience(info, e) ||
        !numbers(info, e) || !is_spoken(info, e) || !hosts(info, e))
        return false;
    if (info->values[PG_PASSWORD].len == 0)
        pg_passwords_read(info);
    return !info->mem.failed ||
           uc_fail(e, UC_MEMORY, "no memory for an address");
}

void pg_info_fini(pg_info *info)
{
    uc_arena_fini(&info->mem);
}

/* Who has another password has not shown that he may come in. */
static void put_proof(uc_buf *b, uc_view secret)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t hash[UC_SHA256_BYTES];

    uc_sha256(secret, hash);
    for (size_t i = 0; i < sizeof hash; i++) {
        uc_buf_byte(b, (uint8_t)digits[hash[i] >> 4]);
        uc_buf_byte(b, (uint8_t)digits[hash[i] & 15]);
    }
}

char *pg_info_key(const pg_info *info)
{
    char *key;
    uc_buf b;

    uc_buf_init(&b, SIZE_MAX);
    uc_buf_put(&b, "postgres:", 9);
    for (unsigned i = 0; i < PG_KEYS; i++) {
        uc_view v = info->values[i];

        if (i == PG_PASSWORD || i == PG_PASSFILE || i == PG_SERVICE ||
            i == PG_SSLPASSWORD)
            continue;
        uc_buf_byte(&b, '\x1f');
        uc_buf_put(&b, v.p, v.len);
    }
    for (uint32_t i = 0; i < info->nhosts; i++)
        put_proof(&b, info->hosts[i].password);
    put_proof(&b, info->values[PG_SSLPASSWORD]);
    key = b.failed ? NULL : uc_strndup((const char *)b.p, b.len);
    uc_buf_fini(&b);
    return key;
}

static void put_host(uc_buf *b, const pg_host *h)
{
    uc_view name = h->name.len > 0 ? h->name : h->addr;
    bool bare = memchr(name.p, ':', name.len) != NULL; /* of IPv6 */
    char port[8];
    int n = snprintf(port, sizeof port, ":%u", h->port);

    if (bare)
        uc_buf_byte(b, '[');
    uc_buf_put(b, name.p, name.len);
    if (bare)
        uc_buf_byte(b, ']');
    uc_buf_put(b, port, (size_t)n);
}

char *pg_info_label(const pg_info *info)
{
    uc_view user = info->values[PG_USER], name = info->values[PG_DBNAME];
    char *label;
    uc_buf b;

    uc_buf_init(&b, SIZE_MAX);
    uc_buf_put(&b, "postgres://", 11);
    uc_buf_put(&b, user.p, user.len);
    uc_buf_byte(&b, '@');
    for (uint32_t i = 0; i < info->nhosts; i++) {
        if (i > 0)
            uc_buf_byte(&b, ',');
        put_host(&b, &info->hosts[i]);
    }
    uc_buf_byte(&b, '/');
    uc_buf_put(&b, name.p, name.len);
    label = b.failed ? NULL : uc_strndup((const char *)b.p, b.len);
    uc_buf_fini(&b);
    return label;
}

#include <stdio.h>
#include <string.h>

#include "data/pg/info.h"

/*
 * postgres://user:password@host:port,host:port/dbname?name=value&…, with each
 * part left out at will (34.1.1.2).
 */

static uc_view between(const char *from, const char *to)
{
    return (uc_view){(const uint8_t *)from, (size_t)(to - from)};
}

static int nibble(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Without its escapes. */
static bool decoded(pg_info *info, uc_view v, const char *what, uc_view *out,
                    uc_error *e)
{
    uc_view copy = pg_info_copy(info, v);
    uint8_t *to =
        info->mem.failed ? NULL : uc_arena_alloc(&info->mem, v.len + 1);
    size_t n = 0;

    if (to == NULL)
        return uc_fail(e, UC_MEMORY, "no memory for an address");
    for (size_t i = 0; i < copy.len; i++) {
        const char *p = (const char *)copy.p + i; /* a NUL is behind it */
        int high, low;

        to[n] = copy.p[i];
        if (*p == '%') {
            high = nibble(p[1]);
            low = high < 0 ? -1 : nibble(p[2]);
            if (low < 0 || high * 16 + low == 0)
                return uc_fail(e, UC_OPTION,
                               "the address of the database: %s has a %% that "
                               "is not followed by two digits, such as %%25 "
                               "for %% itself",
                               what);
            to[n] = (uint8_t)(high * 16 + low);
            i += 2;
        }
        n++;
    }
    to[n] = '\0';
    *out = (uc_view){to, n};
    return true;
}

static bool set(pg_info *info, pg_key key, uc_view v, uc_error *e)
{
    return decoded(info, v, pg_key_name(key), &info->values[key], e);
}

static bool user_of(pg_info *info, const char *p, const char *at, uc_error *e)
{
    const char *colon = memchr(p, ':', (size_t)(at - p));

    if (colon != NULL && colon + 1 < at &&
        !set(info, PG_PASSWORD, between(colon + 1, at), e))
        return false;
    if (colon != NULL)
        at = colon;
    return at == p || set(info, PG_USER, between(p, at), e);
}

/* host or [address], and maybe a port. Appends both to lists. */
static bool host_of(const char *p, const char *end, uc_buf *hosts,
                    uc_buf *ports, uc_error *e)
{
    const char *open = p, *close = NULL, *colon;

    if (p < end && *p == '[') {
        close = memchr(p, ']', (size_t)(end - p));
        if (close == NULL || close == p + 1)
            return uc_fail(e, UC_OPTION,
                           "the address of the database: a [ without an "
                           "address and its ]");
        uc_buf_put(hosts, p + 1, (size_t)(close - p) - 1);
        p = close + 1;
        if (p < end && *p != ':')
            return uc_fail(e, UC_OPTION,
                           "the address of the database: behind %.*s stands "
                           "a port or nothing",
                           (int)(p - open), open);
    }
    colon = p;
    while (colon < end && *colon != ':')
        colon++;
    if (close == NULL)
        uc_buf_put(hosts, p, (size_t)(colon - p));
    if (colon < end)
        uc_buf_put(ports, colon + 1, (size_t)(end - colon) - 1);
    return true;
}

static bool hosts_of(pg_info *info, const char *p, const char *end, uc_error *e)
{
    uc_buf hosts, ports;
    bool ok = true, any = false;

    uc_buf_init(&hosts, SIZE_MAX);
    uc_buf_init(&ports, SIZE_MAX);
    for (bool more = true; ok && more;) {
        const char *comma = memchr(p, ',', (size_t)(end - p));

        more = comma != NULL;
        ok = host_of(p, more ? comma : end, &hosts, &ports, e);
        p = more ? comma + 1 : end;
        if (more) {
            uc_buf_byte(&hosts, ',');
            uc_buf_byte(&ports, ',');
        }
        any = any || more;
    }
    if (ok && (hosts.len > 0 || any))
        ok = set(info, PG_HOST, (uc_view){hosts.p, hosts.len}, e);
    if (ok && ports.len > 0)
        ok = set(info, PG_PORT, (uc_view){ports.p, ports.len}, e);
    uc_buf_fini(&hosts);
    uc_buf_fini(&ports);
    return ok;
}

static bool option(pg_info *info, uc_view name, uc_view value, uc_error *e)
{
    static const char require[] = "require";
    uc_view plain = {0};
    pg_key key;

    if (!decoded(info, name, "a name", &plain, e))
        return false;
    if (uc_view_is(plain, "ssl") && uc_view_is(value, "true")) {
        info->values[PG_SSLMODE] = (uc_view){(const uint8_t *)require, 7};
        return true;
    }
    key = pg_key_named(plain);
    if (key == PG_KEYS)
        return uc_fail(e, UC_OPTION,
                       "the address of the database: there is no parameter "
                       "'%.*s'",
                       (int)(plain.len < 40 ? plain.len : 40), plain.p);
    return set(info, key, value, e);
}

static bool options_of(pg_info *info, const char *p, uc_error *e)
{
    while (*p != '\0') {
        size_t n = strcspn(p, "&");
        const char *equals = memchr(p, '=', n);

        if (equals == NULL)
            return uc_fail(e, UC_OPTION,
                           "the address of the database: behind the ? stand "
                           "name=value, with & between them");
        if (!option(info, between(p, equals), between(equals + 1, p + n), e))
            return false;
        p += n + (p[n] == '&');
    }
    return true;
}

bool pg_uri_read(pg_info *info, const char *text, uc_error *e)
{
    const char *p = strstr(text, "://") + 3;
    const char *end = p + strcspn(p, "/?");
    const char *at = memchr(p, '@', (size_t)(end - p)), *question;

    /* A / in a password is found where an @ follows. */
    if (at != NULL) {
        if (!user_of(info, p, at, e))
            return false;
        p = at + 1;
    }
    end = p + strcspn(p, "/?");
    if (!hosts_of(info, p, end, e))
        return false;
    question = end + strcspn(end, "?");
    if (*end == '/' && question > end + 1 &&
        !set(info, PG_DBNAME, between(end + 1, question), e))
        return false;
    return *question == '\0' || options_of(info, question + 1, e);
}

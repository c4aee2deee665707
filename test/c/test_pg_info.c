/* Addresses of databases, as libpq reads them. */
#define _GNU_SOURCE
#include <sys/stat.h>
#include <unistd.h>

#include "common/mem.h"
#include "data/pg/info.h"
#include "tap.h"

static char folder[] = "/tmp/uc-pg-info-XXXXXX";

/* host:port of each, user, database, and some others where they are not usual.
 */
static void describe(const pg_info *info, char *out, size_t size)
{
    const uc_view *v = info->values;
    size_t n = 0;

    for (uint32_t i = 0; i < info->nhosts; i++) {
        const pg_host *h = &info->hosts[i];

        n += (size_t)snprintf(out + n, size - n, "%s%s%.*s%s%.*s:%u",
                              i > 0 ? "," : "", h->local ? "unix " : "",
                              (int)h->name.len, (const char *)h->name.p,
                              h->addr.len > 0 ? "=" : "", (int)h->addr.len,
                              (const char *)h->addr.p, h->port);
        if (h->password.p != NULL)
            n += (size_t)snprintf(out + n, size - n, " pw %s",
                                  (const char *)h->password.p);
    }
    snprintf(out + n, size - n, " %s/%s", (const char *)v[PG_USER].p,
             (const char *)v[PG_DBNAME].p);
}

static const struct {
    const char *text, *want;
} good[] = {
    {"postgres://", "unix DIR:5432 ada/ada"},
    {"postgresql://", "unix DIR:5432 ada/ada"},
    {"postgres://db1", "db1:5432 ada/ada"},
    {"postgres://db1/", "db1:5432 ada/ada"},
    {"postgres://db1/shop", "db1:5432 ada/shop"},
    {"postgres:///shop", "unix DIR:5432 ada/shop"},
    {"postgres://bob@db1/shop", "db1:5432 bob/shop"},
    {"postgres://bob:secret@db1/shop", "db1:5432 pw secret bob/shop"},
    {"postgres://bob:@db1/shop", "db1:5432 bob/shop"},
    {"postgres://:x@db1/shop", "db1:5432 pw x ada/shop"},
    {"postgres://b%40b:s%3a%2fc@db1:99/sh%20p", "db1:99 pw s:/c b@b/sh p"},
    {"postgres://[::1]:5/shop", "::1:5 ada/shop"},
    {"postgres://[fe80::1%25eth0]/shop", "fe80::1%eth0:5432 ada/shop"},
    {"postgres://a,b:2,c/shop", "a:5432,b:2,c:5432 ada/shop"},
    {"postgres://a:1,[::2]:2/shop", "a:1,::2:2 ada/shop"},
    {"postgres://%2fvar%2frun/shop", "unix /var/run:5432 ada/shop"},
    {"postgres:///shop?host=/run/pg&port=7", "unix /run/pg:7 ada/shop"},
    {"postgres:///shop?host=a,b&port=7", "a:7,b:7 ada/shop"},
    {"postgres://a/shop?hostaddr=10.0.0.1", "a=10.0.0.1:5432 ada/shop"},
    {"postgres:///shop?hostaddr=10.0.0.1", "=10.0.0.1:5432 ada/shop"},
    {"postgres://a/?dbname=x&user=y&password=z", "a:5432 pw z y/x"},
    {"postgres://bob@/shop", "unix DIR:5432 bob/shop"},
    {"postgres://?user=x", "unix DIR:5432 x/x"},
};

static const struct {
    const char *text, *word;
} bad[] = {
    {"postgres://a/b?nonsense=1", "nonsense"},
    {"postgres://a/b?sslmode", "name=value"},
    {"postgres://a/b?sslmode=maybe", "verify-full"},
    {"postgres://a/b?target_session_attrs=x", "read-write"},
    {"postgres://a/b?channel_binding=x", "require"},
    {"postgres://a:0/b", "port"},
    {"postgres://a:65536/b", "65536"},
    {"postgres://a:x/b", "'x'"},
    {"postgres://a,b,c/d?port=1,2", "3 hosts have 2 ports"},
    {"postgres://a,b/d?hostaddr=10.0.0.1", "2 hosts have 1 addresses"},
    {"postgres://[::1/b", "["},
    {"postgres://[::1]x/b", "[::1]"},
    {"postgres://a%zz/b", "%25"},
    {"postgres://a%00/b", "%25"},
    {"postgres://bob:hush%@a/b", "password"},
    {"postgres://a/b?connect_timeout=x", "connect_timeout"},
    {"postgres://a/b?connect_timeout=-1", "connect_timeout"},
    {"postgres://a/b?service=nowhere", "nowhere"},
};

static void addresses(void)
{
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        const char *dir = access("/var/run/postgresql", F_OK) == 0
                              ? "/var/run/postgresql"
                              : "/tmp";
        char got[512], want[512], *at;
        uc_error e = {0};
        pg_info info;

        snprintf(want, sizeof want, "%s", good[i].want);
        at = strstr(want, "DIR");
        if (at != NULL)
            snprintf(want, sizeof want, "%.*s%s%s", (int)(at - want),
                     good[i].want, dir, good[i].want + (at - want) + 3);
        ok(pg_info_takes(good[i].text), good[i].text);
        if (!ok(pg_info_read(&info, good[i].text, &e), "is read"))
            tap_diag("%s", e.message);
        describe(&info, got, sizeof got);
        eq_str(got, want, "as this");
        pg_info_fini(&info);
    }
}

static void mistakes(void)
{
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uc_error e = {0};
        pg_info info;

        ok(!pg_info_read(&info, bad[i].text, &e), bad[i].text);
        eq_str(e.code != NULL ? e.code : "", "UC_OPTION", "its code");
        if (!ok(strstr(e.message, bad[i].word) != NULL, "says what is wrong"))
            tap_diag("%s", e.message);
        ok(strstr(e.message, "hush") == NULL, "and no password");
        pg_info_fini(&info);
    }
}

static void write_file(const char *name, const char *text, mode_t mode)
{
    char path[200];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    f = fopen(path, "w");
    fputs(text, f);
    fclose(f);
    chmod(path, mode);
}

static void one(const char *target, const char *want, const char *name)
{
    char got[512];
    uc_error e = {0};
    pg_info info;

    if (!ok(pg_info_read(&info, target, &e), name))
        tap_diag("%s", e.message);
    describe(&info, got, sizeof got);
    eq_str(got, want, "as this");
    pg_info_fini(&info);
}

static void files(void)
{
    uc_error e = {0};
    pg_info info;

    write_file(".pg_service.conf",
               "# of tests\n[other]\nhost=nowhere\n\n[shop]\nhost=db7\nport=7\n"
               "user=carl\ndbname=till\n[shop]\nhost=second\n[wrong]\nx=1\n",
               0644);
    write_file(".pgpass",
               "# of tests\n"
               "db7:7:till:carl:seven\\:ty\\\\\n"
               "db8:*:*:ada:eight\n"
               "localhost:5432:shop:ada:local\n"
               "*:*:*:dora:anywhere\n",
               0600);
    one("postgres:///?service=shop", "db7:7 pw seven:ty\\ carl/till",
        "a service, and its password");
    one("postgres://db8:2,db9/x", "db8:2 pw eight,db9:5432 ada/x",
        "each host has its password");
    one("postgres://dora@db9/x", "db9:5432 pw anywhere dora/x", "stars");
    one("postgres://dora:own@db9/x", "db9:5432 pw own dora/x",
        "the address comes first");
    ok(!pg_info_read(&info, "postgres:///?service=wrong", &e),
       "a service with a mistake");
    ok(strstr(e.message, "'x'") != NULL, "which is named");
    pg_info_fini(&info);
    write_file(".pgpass", "*:*:*:dora:anywhere\n", 0644);
    one("postgres://dora@db9/x", "db9:5432 dora/x",
        "a password file that others may read is not used");
}

static void environment(void)
{
    setenv("PGHOST", "envhost", 1);
    setenv("PGPORT", "6", 1);
    setenv("PGDATABASE", "envdb", 1);
    setenv("PGUSER", "envuser", 1);
    setenv("PGPASSWORD", "envpw", 1);
    one("postgres://", "envhost:6 pw envpw envuser/envdb",
        "everything from the environment");
    one("postgres://h/d", "h:6 pw envpw envuser/d",
        "where the address does not say it");
    setenv("PGSERVICE", "shop", 1);
    one("postgres://", "db7:7 pw envpw carl/till",
        "a service comes before the environment");
    unsetenv("PGSERVICE");
    unsetenv("PGHOST");
    unsetenv("PGPORT");
    unsetenv("PGDATABASE");
    unsetenv("PGUSER");
    unsetenv("PGPASSWORD");
}

static void keys(void)
{
    static const char *const targets[] = {"postgres://a/b", "postgres://x@a/b",
                                          "postgres://a/c",
                                          "postgres://a/b?sslmode=require"};
    char *first = NULL;

    for (int i = 0; i < 4; i++) {
        uc_error e = {0};
        pg_info info;
        char *key;

        pg_info_read(&info, targets[i], &e);
        key = pg_info_key(&info);
        ok(key != NULL && (first == NULL || strcmp(first, key) != 0),
           targets[i]);
        if (first == NULL)
            first = key;
        else
            uc_free(key);
        pg_info_fini(&info);
    }
    uc_free(first);
    ok(!pg_info_takes("app.db") && !pg_info_takes("postgres") &&
           !pg_info_takes("postgres:/x") && !pg_info_takes("mysql://x"),
       "what is no address");
}

int main(void)
{
    static const char *const none[] = {
        "PGHOST",     "PGPORT",    "PGDATABASE",   "PGUSER",
        "PGPASSWORD", "PGSERVICE", "PGPASSFILE",   "PGSSLMODE",
        "PGHOSTADDR", "PGOPTIONS", "PGSYSCONFDIR", "PGSERVICEFILE"};
    char path[200];

    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        unsetenv(none[i]);
    setenv("USER", "ada", 1);
    if (mkdtemp(folder) == NULL)
        return 1;
    setenv("HOME", folder, 1);
    addresses();
    mistakes();
    files();
    environment();
    keys();
    snprintf(path, sizeof path, "%s/.pgpass", folder);
    unlink(path);
    snprintf(path, sizeof path, "%s/.pg_service.conf", folder);
    unlink(path);
    rmdir(folder);
    return tap_end();
}

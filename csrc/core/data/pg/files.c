#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/pg/info.h"

/* The service file (34.17) and the password file (34.16). */

enum { FILE_MOST = 1 << 20 };

/* ---- reading ---- */

uc_view pg_home_path(pg_info *info, const char *name)
{
    const char *home = getenv("HOME");
    char path[1024];
    int n;

    if (home == NULL || *home == '\0')
        return (uc_view){(const uint8_t *)"", 0};
    n = snprintf(path, sizeof path, "%s/%s", home, name);
    if (n < 0 || (size_t)n >= sizeof path)
        return (uc_view){(const uint8_t *)"", 0};
    return pg_info_copy(info, (uc_view){(const uint8_t *)path, (size_t)n});
}

static uc_view read_all(pg_info *info, int fd, size_t size)
{
    uint8_t *p = uc_arena_alloc(&info->mem, size + 1);
    size_t n = 0;
    ssize_t got;

    if (p == NULL)
        return (uc_view){NULL, 0};
    while (n < size && (got = read(fd, p + n, size - n)) > 0)
        n += (size_t)got;
    p[n] = '\0';
    return (uc_view){p, n};
}

/* secret: only where nobody else may read it. */
static uc_view read_file(pg_info *info, const char *path, bool secret)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    uc_view v = {NULL, 0};
    struct stat st;

    if (fd < 0)
        return v;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= FILE_MOST &&
        (!secret || (st.st_mode & (S_IRWXG | S_IRWXO)) == 0))
        v = read_all(info, fd, (size_t)st.st_size);
    close(fd);
    return v;
}

uc_view pg_file_read(pg_info *info, const char *path)
{
    return read_file(info, path, false);
}

/* The next line, without its end and blanks around it. */
static bool next_line(uc_view *rest, uc_view *line)
{
    const uint8_t *nl;

    if (rest->len == 0)
        return false;
    nl = memchr(rest->p, '\n', rest->len);
    line->p = rest->p;
    line->len = nl != NULL ? (size_t)(nl - rest->p) : rest->len;
    rest->p += line->len + (nl != NULL);
    rest->len -= line->len + (nl != NULL);
    while (line->len > 0 && line->p[line->len - 1] <= ' ')
        line->len--;
    return true;
}

static uc_view without_blanks(uc_view v)
{
    while (v.len > 0 && *v.p <= ' ') {
        v.p++;
        v.len--;
    }
    return v;
}

/* ---- services ---- */

static bool is_section(uc_view line, uc_view name)
{
    return line.len == name.len + 2 && line.p[0] == '[' &&
           line.p[line.len - 1] == ']' &&
           memcmp(line.p + 1, name.p, name.len) == 0;
}

static bool service_line(pg_info *info, const char *path, uc_view line,
                         uc_error *e)
{
    const uint8_t *equals = memchr(line.p, '=', line.len);
    uc_view name = line;
    pg_key key = PG_KEYS;

    if (equals != NULL) {
        name.len = (size_t)(equals - line.p);
        key = pg_key_named(name);
    }
    if (key == PG_KEYS || key == PG_SERVICE)
        return uc_fail(e, UC_OPTION,
                       "%s: '%.*s' is no parameter of a connection", path,
                       (int)(name.len < 40 ? name.len : 40), name.p);
    if (info->values[key].p == NULL)
        info->values[key] =
            pg_info_copy(info, (uc_view){equals + 1, line.len - name.len - 1});
    return true;
}

/* *found: the file has the section. */
static bool section(pg_info *info, const char *path, bool *found, uc_error *e)
{
    uc_view rest = pg_file_read(info, path), line;
    bool inside = false;

    *found = false;
    while (next_line(&rest, &line)) {
        line = without_blanks(line);
        if (line.len == 0 || *line.p == '#')
            continue;
        if (*line.p == '[') {
            if (*found)
                return true;
            inside = *found = is_section(line, info->values[PG_SERVICE]);
        } else if (inside && !service_line(info, path, line, e)) {
            return false;
        }
    }
    return true;
}

bool pg_service_read(pg_info *info, uc_error *e)
{
    const char *own = getenv("PGSERVICEFILE"), *dir = getenv("PGSYSCONFDIR");
    uc_view home = pg_home_path(info, ".pg_service.conf");
    uc_view name = info->values[PG_SERVICE];
    char path[1024];
    bool found;

    if (own == NULL || *own == '\0')
        own = (const char *)home.p;
    if (!section(info, own, &found, e))
        return false;
    if (!found) {
        snprintf(path, sizeof path, "%s/pg_service.conf",
                 dir != NULL ? dir : "/etc/postgresql-common");
        if (!section(info, path, &found, e))
            return false;
    }
    return found || uc_fail(e, UC_OPTION,
                            "there is no service '%.*s' in %s or in the file "
                            "of the machine",
                            (int)(name.len < 60 ? name.len : 60), name.p, own);
}

/* ---- passwords ---- */

/* Takes the field in front of the next colon, with its escapes undone; true if
 * it is `want` or a star. */
static bool field_is(uc_view *line, uc_view want)
{
    size_t i = 0, k = 0;
    bool same = true, star = line->len > 0 && line->p[0] == '*' &&
                             (line->len == 1 || line->p[1] == ':');

    while (i < line->len && line->p[i] != ':') {
        if (line->p[i] == '\\' && i + 1 < line->len)
            i++;
        same = same && k < want.len && line->p[i] == want.p[k];
        k++;
        i++;
    }
    same = same && k == want.len;
    i += i < line->len; /* the colon */
    line->p += i;
    line->len -= i;
    return star || same;
}

static uc_view unescaped(pg_info *info, uc_view v)
{
    uint8_t *to = uc_arena_alloc(&info->mem, v.len + 1);
    size_t n = 0;

    if (to == NULL)
        return (uc_view){NULL, 0};
    for (size_t i = 0; i < v.len && v.p[i] != ':'; i++) {
        if (v.p[i] == '\\' && i + 1 < v.len)
            i++;
        to[n++] = v.p[i];
    }
    to[n] = '\0';
    return (uc_view){to, n};
}

static uc_view host_in_file(const pg_host *h)
{
    static const uc_view localhost = {(const uint8_t *)"localhost", 9};

    if (h->local && (uc_view_is(h->name, "/var/run/postgresql") ||
                     uc_view_is(h->name, "/tmp")))
        return localhost;
    return h->name.len > 0 ? h->name : h->addr;
}

static void password_of(pg_info *info, pg_host *h, uc_view file)
{
    char digits[8];
    uc_view line, port = {(const uint8_t *)digits, 0};

    port.len = (size_t)snprintf(digits, sizeof digits, "%u", h->port);
    while (next_line(&file, &line)) {
        if (line.len == 0 || *line.p == '#')
            continue;
        if (field_is(&line, host_in_file(h)) && field_is(&line, port) &&
            field_is(&line, info->values[PG_DBNAME]) &&
            field_is(&line, info->values[PG_USER])) {
            h->password = unescaped(info, line);
            return;
        }
    }
}

void pg_passwords_read(pg_info *info)
{
    uc_view path = info->values[PG_PASSFILE], file;

    if (path.p == NULL)
        path = pg_home_path(info, ".pgpass");
    if (path.len == 0)
        return;
    file = read_file(info, (const char *)path.p, true);
    for (uint32_t i = 0; file.p != NULL && i < info->nhosts; i++)
        password_of(info, &info->hosts[i], file);
}

#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "common/mem.h"
#include "log.h"
#include "starters.h"
#include "uc.h"
#include "version.h"

/* ---- the options ---- */

typedef enum kind {
    TEXT,
    LIST,
    FLAG,
    NUMBER,
    ENDS /* only as a flag: --help, --version */
} kind;

typedef struct option {
    const char *name, *arg, *help;
    kind kind;
    size_t offset;
    int64_t def, least, most;
} option;

#define AT(field) offsetof(ud_config, field)

static const option options[] = {
    {"listen", "URL", "the socket: ipc:///run/app/undercroft.sock", TEXT,
     AT(listen), 0, 0, 0},
    {"db", "[NAME=]FILE",
     "a database to serve: a file, or postgres://user@host/name with the "
     "password in PGPASSFILE, a service or the environment; again for more of "
     "them",
     LIST, AT(db), 0, 0, 0},
    {"set", "[NAME.]OPTION=VALUE",
     "an option of the databases, or of the one that is named, as `open` has "
     "it: maxQueue=1000, pragmas.cache_size=-4000",
     LIST, AT(set), 0, 0, 0},
    {"http", "ADDRESS:PORT",
     "serves routes over HTTP: 127.0.0.1:4000, [::1]:4000, "
     "unix:/run/app/http.sock, or systemd for the socket of its unit",
     TEXT, AT(http), 0, 0, 0},
    {"routes", "DIR", "where their SQL files are", TEXT, AT(routes), 0, 0, 0},
    {"http-mode", "OCTAL",
     "of that unix socket, when a gateway may reach it and no other may reach "
     "--listen (--mode)",
     TEXT, AT(http_mode), 0, 0, 0},
    {"http-host", "NAME",
     "a name that it is asked for, beside addresses and localhost; * for any, "
     "behind a gateway that checks; again for more of them",
     LIST, AT(http_host), 0, 0, 0},
    {"http-trust", "WHO",
     "whose X-Forwarded-* are believed: loopback, unix, none, an address or a "
     "network (unix); again for more of them",
     LIST, AT(http_trust), 0, 0, 0},
    {"http-origin", "ORIGIN",
     "pages that may ask from elsewhere, with cookies: https://shop.example; "
     "again for more of them",
     LIST, AT(http_origin), 0, 0, 0},
    {"http-dev-origin", "ORIGIN",
     "the same while developing; refused where NODE_ENV is production", LIST,
     AT(http_dev_origin), 0, 0, 0},
    {"http-health", "PATH",
     "answers 200 while the database does (/health); nothing: no such path",
     TEXT, AT(http_health), 0, 0, 0},
    {"http-metrics", "PATH",
     "what has been counted, as text for Prometheus, at /metrics for example",
     TEXT, AT(http_metrics), 0, 0, 0},
    {"http-session", "NAME",
     "the cookie of sessions that undercroft/kit/session makes (sid); nothing: "
     "none are read",
     TEXT, AT(http_session), 0, 0, 0},
    {"http-secure", "",
     "all requests count as such of https: only __Host- cookies are read", FLAG,
     AT(http_secure), 0, 0, 0},
    {"http-statuses", "plain|fine",
     "200, 400 and 500 alone, or also 401, 403, 404, 409, 429 and 504 (plain)",
     TEXT, AT(http_statuses), 0, 0, 0},
    {"http-any-address", "",
     "allows an address that others can reach: there is no TLS, and only a "
     "gateway knows who they are",
     FLAG, AT(http_any_address), 0, 0, 0},
    {"log-dir", "DIR",
     "keeps the log of its clients, and its own, in files there", TEXT,
     AT(log_dir), 0, 0, 0},
    {"log", "OPTION=VALUE",
     "an option of that log: name=app, ringBytes, overflow, growBytes, "
     "rotateBytes, rotateDaily, compress, keepDays, keepBytes, syncMs, slowMs",
     LIST, AT(log), 0, 0, 0},
    {"config", "FILE", "more options, a line each, without dashes", TEXT,
     AT(config), 0, 0, 0},
    {"replace", "", "end the daemon that serves the socket, then serve it",
     FLAG, AT(replace), 0, 0, 0},
    {"ready-fd", "N", "descriptor that gets a line `ready`", NUMBER,
     AT(ready_fd), -1, -1, 65535},
    {"end-with", "PID",
     "end when this process has ended; again for more of them", LIST,
     AT(end_with), 0, 0, 0},
    {"mode", "OCTAL", "of the socket (0600)", TEXT, AT(mode), 0, 0, 0},
    {"group", "NAME", "of the socket", TEXT, AT(group), 0, 0, 0},
    {"allow-uid", "N", "a user who may connect; again for more of them", LIST,
     AT(allow_uid), 0, 0, 0},
#define X(field, name, def, least, most, arg, help) \
    {name, arg, help, NUMBER, AT(limits.field), def, least, most},
    UD_LIMIT_MAP(X)
#undef X
        {"help", "", "this", ENDS, 0, 0, 0, 0},
    {"version", "", "of the daemon and of SQLite in it", ENDS, 0, 0, 0, 0},
};

enum { OPTIONS = sizeof options / sizeof *options };

enum { WIDTH = 79, HELP_AT = 32 };

/* Who gave an option: the higher one is right. */
typedef enum source { NOBODY, FROM_FILE, FROM_ENV, FROM_FLAG } source;

typedef struct reading {
    ud_config *c;
    source by[OPTIONS];
    const char *where; /* for messages: "" or "FILE:LINE: " */
} reading;

/* Words of text from column `at` on, in lines of WIDTH. */
static void print_words(const char *text, int at)
{
    int column = at;

    while (*text != '\0') {
        int n = (int)strcspn(text, " ");

        if (column > at && column + 1 + n > WIDTH) {
            printf("\n%*s", at, "");
            column = at;
        }
        column += printf("%s%.*s", column > at ? " " : "", n, text);
        text += n + (text[n] == ' ');
    }
    printf("\n");
}

static void help(void)
{
    printf("usage: undercroftd --listen ipc:///PATH --db [NAME=]FILE ...\n\n"
           "Serves SQLite files and PostgreSQL databases to other processes "
           "through a unix\nsocket. Clients: open('ipc:///PATH') of the npm "
           "package undercroft, or anything\nthat speaks nng's REQ and "
           "msgpack.\n\n");
    for (unsigned i = 0; i < OPTIONS; i++) {
        const option *o = &options[i];
        int n = printf("  --%s%s%s", o->name, *o->arg ? " " : "", o->arg);
        char text[200];

        if (o->kind == NUMBER && o->def >= 0)
            snprintf(text, sizeof text, "%s (%" PRId64 ")", o->help, o->def);
        else
            snprintf(text, sizeof text, "%s", o->help);
        printf("%*s", HELP_AT - n, "");
        print_words(text, HELP_AT);
    }
    printf(
        "\nEach option may be in the environment as well, as UNDERCROFT_ and "
        "its name in\ncapitals (UNDERCROFT_LISTEN, UNDERCROFT_DRAIN_MS; "
        "several values with ; between\nthem), or in the configuration "
        "file (`listen ipc:///PATH`, # begins a comment).\nA flag wins "
        "over the environment, the environment over the file.\n\n"
        "exit codes:\n"
        "  0  an orderly end: a signal, the idle time, that of --end-with\n"
        "  1  failed, or cut short by a second signal\n"
        "  2  an option is wrong\n"
        "  3  the socket is served already, by a pid that is named\n"
        "  4  the socket, its folder or its permissions\n"
        "  5  a database could not be opened\n"
        "  6  the log could not be opened\n");
}

static bool wrong(const reading *r, const option *o, const char *value,
                  const char *expected)
{
    ud_say("%s--%s %s: expected %s", r->where, o->name, value, expected);
    return false;
}

/* ---- values ---- */

static bool no_memory(void)
{
    ud_say("no memory for the options");
    return false;
}

static void list_clear(ud_list *list)
{
    for (unsigned i = 0; i < list->n; i++)
        uc_free(list->at[i]);
    uc_free(list->at);
    *list = (ud_list){0};
}

static bool list_add(ud_list *list, const char *value)
{
    char **at = uc_realloc(list->at, (list->n + 1) * sizeof *at);

    if (at == NULL)
        return no_memory();
    list->at = at;
    at[list->n] = uc_strndup(value, strlen(value));
    if (at[list->n] == NULL)
        return no_memory();
    list->n++;
    return true;
}

static bool number(const reading *r, const option *o, const char *value,
                   int64_t *out)
{
    char *end, expected[80];
    long long n;

    errno = 0;
    n = strtoll(value, &end, 10);
    if (end == value || *end != '\0' || errno != 0 || n < o->least ||
        n > o->most) {
        snprintf(expected, sizeof expected,
                 "a number from %" PRId64 " to %" PRId64, o->least, o->most);
        return wrong(r, o, value, expected);
    }
    *out = n;
    return true;
}

/* Later values of one source replace earlier ones, except in lists. `set` and
 * `log` add to what lower sources say: there, too, later ones win. */
static bool put(reading *r, const option *o, source by, const char *value)
{
    source *before = &r->by[o - options];
    char *at = (char *)r->c + o->offset;

    if (*before > by)
        return true;
    switch (o->kind) {
    case TEXT:
        uc_free(*(char **)(void *)at);
        *(char **)(void *)at = uc_strndup(value, strlen(value));
        if (*(char **)(void *)at == NULL)
            return no_memory();
        break;
    case LIST:
        if (*before < by && o->offset != AT(set) && o->offset != AT(log))
            list_clear((ud_list *)(void *)at);
        if (!list_add((ud_list *)(void *)at, value))
            return false;
        break;
    case FLAG:
        if (*value != '\0' && strcmp(value, "true") != 0 &&
            strcmp(value, "false") != 0)
            return wrong(r, o, value, "nothing after it, true or false");
        *(bool *)(void *)at = strcmp(value, "false") != 0;
        break;
    case NUMBER:
        if (!number(r, o, value, (int64_t *)(void *)at))
            return false;
        break;
    case ENDS:
        return wrong(r, o, value, "it on the command line");
    }
    *before = by;
    return true;
}

static const option *find(const char *name, size_t n)
{
    for (unsigned i = 0; i < OPTIONS; i++) {
        if (strlen(options[i].name) == n &&
            memcmp(options[i].name, name, n) == 0)
            return &options[i];
    }
    return NULL;
}

/* ---- the three sources ---- */

/* True to go on. */
static bool from_flags(reading *r, int argc, char **argv, int *code)
{
    r->where = "";
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i], *value = "";
        const option *o = NULL;
        size_t n;

        if (name[0] == '-' && name[1] == '-') {
            name += 2;
            n = strcspn(name, "=");
            o = find(name, n);
            value = name[n] == '=' ? name + n + 1 : NULL;
        }
        if (o == NULL) {
            ud_say("unknown argument %s; see undercroftd --help", argv[i]);
            return false;
        }
        if (o->kind == ENDS) {
            if (strcmp(o->name, "help") == 0)
                help();
            else
                printf("%s sqlite/%s\n", UD_SERVER, uc_sqlite_version());
            *code = fflush(stdout) == 0 ? UD_OK : UD_FAILED;
            return false;
        }
        if (value == NULL && o->kind == FLAG) {
            value = "";
        } else if (value == NULL) {
            if (i + 1 == argc)
                return wrong(r, o, "", "a value after it");
            value = argv[++i];
        }
        if (!put(r, o, FROM_FLAG, value))
            return false;
    }
    return true;
}

static bool from_environment(reading *r)
{
    r->where = "environment: ";
    for (unsigned i = 0; i < OPTIONS; i++) {
        const option *o = &options[i];
        char name[64], *value, *rest, *part;
        size_t n =
            (size_t)snprintf(name, sizeof name, "UNDERCROFT_%s", o->name);
        bool ok = true;

        for (size_t j = 0; j < n; j++)
            name[j] = name[j] == '-' ? '_' : (char)toupper(name[j]);
        value = o->kind == ENDS ? NULL : getenv(name);
        if (value == NULL || *value == '\0')
            continue;
        if (o->kind != LIST) {
            if (!put(r, o, FROM_ENV, value))
                return false;
            continue;
        }
        rest = value = uc_strndup(value, strlen(value));
        if (value == NULL)
            return no_memory();
        while (ok && (part = strsep(&rest, ";")) != NULL)
            ok = *part == '\0' || put(r, o, FROM_ENV, part);
        uc_free(value);
        if (!ok)
            return false;
    }
    return true;
}

static char *trimmed(char *s)
{
    size_t n;

    while (isspace((unsigned char)*s))
        s++;
    n = strlen(s);
    while (n > 0 && isspace((unsigned char)s[n - 1]))
        n--;
    s[n] = '\0';
    return s;
}

static bool from_line(reading *r, char *line)
{
    char *name = trimmed(line), *value;
    const option *o;
    size_t n;

    if (*name == '\0' || *name == '#')
        return true;
    n = strcspn(name, " \t");
    value = trimmed(name + n);
    o = find(name, n);
    if (o == NULL || o->kind == ENDS || o->offset == AT(config)) {
        ud_say("%sunknown option %.*s; see undercroftd --help", r->where,
               (int)n, name);
        return false;
    }
    if (*value == '\0' && o->kind != FLAG)
        return wrong(r, o, "", "a value after it");
    return put(r, o, FROM_FILE, value);
}

static bool from_file(reading *r, const char *name)
{
    char line[8192], where[PATH_MAX + 32];
    unsigned number = 0;
    bool ok = true;
    FILE *f = fopen(name, "re");

    if (f == NULL) {
        ud_say("the configuration file %s cannot be read: %m", name);
        return false;
    }
    r->where = where;
    while (ok && fgets(line, sizeof line, f) != NULL) {
        snprintf(where, sizeof where, "%s:%u: ", name, ++number);
        if (strchr(line, '\n') == NULL && !feof(f)) {
            ud_say("%sthe line is too long", where);
            ok = false;
        } else {
            ok = from_line(r, line);
        }
    }
    fclose(f);
    return ok;
}

/* ---- all together ---- */

static bool check_rest(ud_config *c)
{
    if (c->db.n == 0) {
        ud_say("--db is missing: name a file to serve, --db app.db, or a "
               "server's database, --db postgres://app@db/shop");
        return false;
    }
    if (c->replace && c->listen == NULL) {
        ud_say("--replace ends the daemon that serves a socket: it needs "
               "--listen");
        return false;
    }
    return ud_starters_check(c);
}

/* The path of the socket out of its URL. */
static bool check(ud_config *c)
{
    static const char scheme[] = "ipc://";
    char *path;

    if (c->listen == NULL && c->http == NULL) {
        ud_say("--listen is missing: --listen ipc:///run/app/undercroft.sock");
        return false;
    }
    if ((c->http == NULL) != (c->routes == NULL)) {
        ud_say("--http and --routes go together: --http 127.0.0.1:4000 "
               "--routes routes");
        return false;
    }
    if (c->listen == NULL)
        return check_rest(c);
    if (strncmp(c->listen, scheme, sizeof scheme - 1) == 0)
        memmove(c->listen, c->listen + sizeof scheme - 1,
                strlen(c->listen) - sizeof scheme + 2);
    path = c->listen;
    if (path[0] != '/' || strchr(path, '?') != NULL ||
        path[strlen(path) - 1] == '/') {
        ud_say("--listen %s: expected ipc:// and the absolute path of a socket",
               path);
        return false;
    }
    return check_rest(c);
}

/* Whoever is on the machine reads the command lines of all. */
static void warn(const reading *r)
{
    const ud_list *db = &r->c->db;

    if (r->by[find("db", 2) - options] != FROM_FLAG)
        return;
    for (unsigned i = 0; i < db->n; i++) {
        const char *address = ud_address_in(db->at[i]);
        bool secret = false;
        char *shown;

        if (!ud_address_is(address))
            continue;
        shown = ud_address_shown(address, &secret);
        if (shown != NULL && secret)
            ud_say("--db %s: everybody on this machine can read the password "
                   "in the list of processes: put it into PGPASSFILE "
                   "(~/.pgpass), a service file, PGPASSWORD, or the whole "
                   "option into --config or UNDERCROFT_DB",
                   shown);
        uc_free(shown);
    }
}

bool ud_config_read(ud_config *c, int argc, char **argv, int *code)
{
    reading r = {.c = c};
    bool ok;

    *c = (ud_config){0};
    for (unsigned i = 0; i < OPTIONS; i++) {
        if (options[i].kind == NUMBER)
            *(int64_t *)(void *)((char *)c + options[i].offset) =
                options[i].def;
    }
    *code = UD_USAGE;
    ok = from_flags(&r, argc, argv, code) && from_environment(&r);
    if (ok && c->config != NULL)
        ok = from_file(&r, c->config);
    ok = ok && check(c);
    if (ok)
        warn(&r);
    return ok;
}

void ud_config_free(ud_config *c)
{
    for (unsigned i = 0; i < OPTIONS; i++) {
        char *at = (char *)c + options[i].offset;

        if (options[i].kind == TEXT)
            uc_free(*(char **)(void *)at);
        else if (options[i].kind == LIST)
            list_clear((ud_list *)(void *)at);
    }
}

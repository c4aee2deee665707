#include "dbs.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "address.h"
#include "common/clock.h"
#include "common/mem.h"
#include "common/thread.h"
#include "desk/op.h"
#include "desk/options.h"
#include "log.h"
#include "wire/reader.h"
#include "wire/writer.h"

struct ud_db {
    char *name, *path;
    char *shown;       /* path, without a password */
    uc_buf options[2]; /* a msgpack map; [1]: of a read-only session */
    uc_session *session;
    uc_mutex mu;
    uc_cond cond;
    bool woken;
};

struct ud_dbs {
    unsigned n;
    ud_db at[];
};

/* ---- options ---- */

/* Those that are names and values. */
static const char *const maps[] = {
#define X(key, name, where) name,
    UC_PAIRS_MAP(X)
#undef X
};

enum { MAPS = sizeof maps / sizeof *maps };

static bool begins(const char *s, const char *prefix, const char **rest)
{
    size_t n = strlen(prefix);

    if (strncmp(s, prefix, n) != 0 || s[n] != '.')
        return false;
    *rest = s + n + 1;
    return true;
}

/* The option in "[name.]option=value", or NULL when it is another database's.
 */
static const char *option_of(const ud_dbs *dbs, const ud_db *db,
                             const char *entry)
{
    const char *rest;

    for (unsigned i = 0; i < dbs->n; i++) {
        if (begins(entry, dbs->at[i].name, &rest))
            return &dbs->at[i] == db ? rest : NULL;
    }
    return entry;
}

static void pack_value(uc_buf *b, const char *text)
{
    char *end;
    long long n;

    errno = 0;
    n = strtoll(text, &end, 10);
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
        uc_pack_int(b, text[0] == 't');
    else if (end != text && *end == '\0' && errno == 0)
        uc_pack_int(b, n);
    else
        uc_pack_str(b, text);
}

/* {name: value} of all entries "key.name=value" that concern db. Later ones
 * win: the core takes a name only once. */
static uint32_t pack_pairs(const ud_dbs *dbs, const ud_db *db,
                           const ud_list *set, const char *key, uc_buf *b)
{
    uint32_t n = 0;

    for (unsigned i = 0; i < set->n; i++) {
        const char *option = option_of(dbs, db, set->at[i]), *name, *later;
        bool last = true;
        size_t len;

        if (option == NULL || !begins(option, key, &name))
            continue;
        len = strcspn(name, "=");
        for (unsigned j = i + 1; j < set->n; j++) {
            option = option_of(dbs, db, set->at[j]);
            if (option != NULL && begins(option, key, &later) &&
                strcspn(later, "=") == len && strncmp(name, later, len) == 0)
                last = false;
        }
        if (!last)
            continue;
        n++;
        if (b != NULL) {
            uc_pack_strn(b, name, len);
            if (strcmp(key, "attach") == 0)
                uc_pack_str(b, name + len + 1);
            else
                pack_value(b, name + len + 1);
        }
    }
    return n;
}

/* The value in "name=value" of the i-th option of the core's table, NULL when
 * it is another one's. */
static const char *value_of(const char *option, unsigned i)
{
    const char *name = uc_option_table[i].name;
    size_t n = name != NULL ? strlen(name) : 0;

    if (n == 0 || strncmp(option, name, n) != 0 || option[n] != '=')
        return NULL;
    return option + n + 1;
}

static void pack_options(const ud_dbs *dbs, ud_db *db, const ud_config *config,
                         bool readonly)
{
    uc_buf *b = &db->options[readonly];
    const char *values[UC_OPTIONS] = {NULL};
    uint32_t n = 1;

    for (unsigned i = 0; i < UC_OPTIONS; i++) {
        for (unsigned j = 0; j < config->set.n; j++) {
            const char *option = option_of(dbs, db, config->set.at[j]);
            const char *value = option != NULL ? value_of(option, i) : NULL;

            if (value != NULL)
                values[i] = value;
        }
    }
    if (readonly) {
        values[UC_OPTION_readonly] = "true";
        values[UC_OPTION_create] = "false";
    }
    for (unsigned i = 0; i < UC_OPTIONS; i++)
        n += values[i] != NULL;
    for (unsigned i = 0; i < MAPS; i++)
        n += pack_pairs(dbs, db, &config->set, maps[i], NULL) > 0;
    uc_buf_init(b, SIZE_MAX);
    uc_pack_map(b, n);
    uc_pack_str(b, uc_option_table[UC_OPTION_max_unsent].key);
    uc_pack_int(b, config->limits.max_unsent_bytes);
    for (unsigned i = 0; i < UC_OPTIONS; i++) {
        if (values[i] != NULL) {
            uc_pack_str(b, uc_option_table[i].key);
            pack_value(b, values[i]);
        }
    }
    for (unsigned i = 0; i < MAPS; i++) {
        n = pack_pairs(dbs, db, &config->set, maps[i], NULL);
        if (n == 0)
            continue;
        uc_pack_str(b, maps[i]);
        uc_pack_map(b, n);
        pack_pairs(dbs, db, &config->set, maps[i], b);
    }
}

/* Would be the name of a file. */
static bool is_url(const char *file)
{
    return strncasecmp(file, "file:", 5) == 0;
}

/* Every entry has to name an option that there is. */
static bool check_set(const ud_dbs *dbs, const ud_list *set)
{
    for (unsigned i = 0; i < set->n; i++) {
        const char *entry = set->at[i], *option = entry, *rest;
        bool known = false;

        for (unsigned j = 0; j < dbs->n; j++) {
            if (begins(entry, dbs->at[j].name, &rest))
                option = rest;
        }
        for (unsigned j = 0; j < UC_OPTIONS; j++)
            known = known || value_of(option, j) != NULL;
        known = known || ((begins(option, "pragmas", &rest) ||
                           begins(option, "attach", &rest)) &&
                          strchr(rest, '=') > rest);
        if (known && begins(option, "attach", &rest) &&
            is_url(strchr(rest, '=') + 1)) {
            ud_say("--set %s: expected the path of a file, not a URL", entry);
            return false;
        }
        if (!known) {
            ud_say("--set %s: expected [database.]option=value, with an option "
                   "of a database such as maxQueue, synchronous, pragmas.NAME",
                   entry);
            return false;
        }
    }
    return true;
}

/* ---- the daemon's own session ---- */

static void on_reply(void *arg)
{
    ud_db *db = arg;

    uc_lock(&db->mu);
    db->woken = true;
    uc_cond_signal(&db->cond);
    uc_unlock(&db->mu);
}

/* Sends an op without arguments and waits for its reply, for ever if until is
 * 0. True when it is no error; otherwise `error` says why. */
static bool ask(ud_db *db, uint32_t op, int64_t until, char *error, size_t size)
{
    uint8_t frame[16], *p = frame, reply[4096], rest[16];
    size_t n = 0, need;
    uc_reader r;
    uc_value v;
    uc_view key;

    *p++ = 0x93;
    *p++ = (uint8_t)op;
    p = uc_emit_u32(p, 1);
    *p++ = 0xc0;
    snprintf(error, size, "it took too long");
    if (!uc_submit(db->session, frame, (size_t)(p - frame), 1, UC_HINT_WRITE))
        return false;
    while (n == 0) {
        bool late = false;

        uc_lock(&db->mu);
        while (!db->woken && !late) {
            if (until == 0)
                uc_cond_wait(&db->cond, &db->mu);
            else
                late = !uc_cond_wait_until(&db->cond, &db->mu, until);
        }
        db->woken = false;
        uc_unlock(&db->mu);
        n = uc_take(db->session, reply, sizeof reply, 4, &need);
        if (n == 0 && (late || need > 0))
            return need > 0; /* a long reply is not an error's */
    }
    uc_take(db->session, rest, sizeof rest, 4, &need); /* asks to be woken */
    if (reply[4 + 6] != UC_REPLY_ERROR)
        return true;
    r = (uc_reader){reply + 4 + 7, reply + n};
    if (uc_read(&r, &v) && v.type == UC_T_MAP) {
        for (uint32_t i = v.n; i > 0; i--) {
            uc_view text;
            uc_reader value;

            if (!uc_read_str(&r, &key))
                break;
            value = r;
            if (uc_view_is(key, "message") && uc_read_str(&value, &text))
                snprintf(error, size, "%.*s", (int)text.len, text.p);
            if (!uc_read_skip(&r))
                break;
        }
    }
    return false;
}

/* ---- opening, closing ---- */

static void db_free(ud_db *db)
{
    if (db->session != NULL)
        uc_session_destroy(db->session);
    uc_buf_fini(&db->options[0]);
    uc_buf_fini(&db->options[1]);
    uc_free(db->name);
    uc_free(db->path);
    uc_free(db->shown);
    uc_mutex_fini(&db->mu);
    uc_cond_fini(&db->cond);
}

static bool name_ok(const char *name, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                   "0123456789_-",
                   name[i]) == NULL)
            return false;
    }
    for (unsigned i = 0; i < MAPS; i++) {
        if (strlen(maps[i]) == n && memcmp(name, maps[i], n) == 0)
            return false;
    }
    return n > 0 && n <= 64;
}

static bool no_memory(void)
{
    ud_say("no memory to open a database");
    return false;
}

/* The name in "name=", or of a file without its extension, or of the database
 * in an address; "main" where that could be none. */
static const char *name_in(const char *text, const char *file, size_t *n)
{
    const char *name, *dot;

    if (file != text) {
        *n = (size_t)(file - text) - 1;
        return text;
    }
    if (ud_address_is(text)) {
        name = ud_address_name(text, n);
    } else {
        name = strrchr(text, '/') != NULL ? strrchr(text, '/') + 1 : text;
        dot = strrchr(name, '.');
        *n = dot != NULL && dot > name ? (size_t)(dot - name) : strlen(name);
    }
    if (strcmp(text, ":memory:") == 0 || !name_ok(name, *n)) {
        *n = 4;
        return "main";
    }
    return name;
}

/* A file, absolute: the current directory may be another one later. */
static bool set_file(ud_db *db, const char *file, const char *shown)
{
    char dir[PATH_MAX];
    size_t n;

    if (*file == '\0' || is_url(file)) {
        ud_say("--db %s: expected [name=]FILE%s", shown,
               *file == '\0' ? "; the file is missing"
                             : ", and FILE is a path, not a URL");
        return false;
    }
    if (strcmp(file, ":memory:") == 0 || *file == '/') {
        db->path = uc_strndup(file, strlen(file));
    } else {
        if (realpath(".", dir) == NULL) {
            ud_say("--db %s: the current directory is gone", shown);
            return false;
        }
        n = strlen(dir) + strlen(file) + 2;
        db->path = uc_malloc(n);
        if (db->path != NULL)
            snprintf(db->path, n, "%s/%s", dir, file);
    }
    if (db->path != NULL)
        db->shown = uc_strndup(db->path, strlen(db->path));
    return db->shown != NULL || no_memory();
}

static bool set_address(ud_db *db, const char *address)
{
    bool secret;

    db->path = uc_strndup(address, strlen(address));
    db->shown = ud_address_shown(address, &secret);
    return (db->path != NULL && db->shown != NULL) || no_memory();
}

/* "[name=]file" or "[name=]address". */
static bool db_name(ud_db *db, const char *text)
{
    const char *file = ud_address_in(text), *name;
    size_t n;

    name = name_in(text, file, &n);
    if (!name_ok(name, n)) {
        ud_say("--db %.*s: a name has letters, digits, _ and -, 64 at most, "
               "and is not pragmas or attach",
               (int)n, name);
        return false;
    }
    db->name = uc_strndup(name, n);
    if (db->name == NULL)
        return no_memory();
    return ud_address_is(file) ? set_address(db, file)
                               : set_file(db, file, text);
}

static int open_all(ud_dbs *dbs, const ud_config *config)
{
    char error[600];

    for (unsigned i = 0; i < dbs->n; i++) {
        if (!db_name(&dbs->at[i], config->db.at[i]))
            return UD_USAGE;
        for (unsigned j = 0; j < i; j++) {
            if (strcmp(dbs->at[i].name, dbs->at[j].name) == 0) {
                ud_say("--db: two databases are called %s; give them names: "
                       "--db name=FILE",
                       dbs->at[i].name);
                return UD_USAGE;
            }
        }
    }
    if (!check_set(dbs, &config->set))
        return UD_USAGE;
    for (unsigned i = 0; i < dbs->n; i++) {
        ud_db *db = &dbs->at[i];

        pack_options(dbs, db, config, false);
        pack_options(dbs, db, config, true);
        db->session = ud_db_session(db, false, on_reply, db);
        if (db->session == NULL) {
            ud_say("no memory to open %s", db->shown);
            return UD_DATABASE;
        }
    }
    for (unsigned i = 0; i < dbs->n; i++) {
        if (!ask(&dbs->at[i], UC_OP_health, 0, error, sizeof error)) {
            ud_say("cannot open the database %s: %s", dbs->at[i].shown, error);
            return UD_DATABASE;
        }
    }
    return UD_OK;
}

ud_dbs *ud_dbs_open(const ud_config *config, int *code)
{
    ud_dbs *dbs = uc_calloc(1, sizeof *dbs + config->db.n * sizeof *dbs->at);

    if (dbs == NULL) {
        ud_say("no memory to open a database");
        *code = UD_FAILED;
        return NULL;
    }
    dbs->n = config->db.n;
    for (unsigned i = 0; i < dbs->n; i++) {
        uc_mutex_init(&dbs->at[i].mu);
        uc_cond_init(&dbs->at[i].cond);
    }
    *code = open_all(dbs, config);
    if (*code == UD_OK)
        return dbs;
    ud_dbs_close(dbs, 0);
    return NULL;
}

void ud_dbs_close(ud_dbs *dbs, int64_t ms)
{
    int64_t until = uc_now() + ms * UC_MS;
    char error[600];

    for (unsigned i = 0; i < dbs->n; i++) {
        ud_db *db = &dbs->at[i];

        if (ms > 0 && !ask(db, UC_OP_close, until, error, sizeof error))
            ud_say("%s was not closed in order: %s", db->shown, error);
        db_free(db);
    }
    uc_free(dbs);
}

/* ---- for connections ---- */

const ud_db *ud_dbs_at(const ud_dbs *dbs, unsigned i)
{
    return i < dbs->n ? &dbs->at[i] : NULL;
}

const ud_db *ud_dbs_first(const ud_dbs *dbs)
{
    return &dbs->at[0];
}

const ud_db *ud_dbs_find(const ud_dbs *dbs, const char *name, size_t len)
{
    for (unsigned i = 0; i < dbs->n; i++) {
        if (strlen(dbs->at[i].name) == len &&
            memcmp(dbs->at[i].name, name, len) == 0)
            return &dbs->at[i];
    }
    return NULL;
}

const char *ud_db_name(const ud_db *db)
{
    return db->name;
}

const char *ud_db_path(const ud_db *db)
{
    return db->shown;
}

uc_session *ud_db_session(const ud_db *db, bool readonly, uc_wake_fn *wake,
                          void *arg)
{
    const uc_buf *options = &db->options[readonly];

    if (options->failed)
        return NULL;
    return uc_session_open(db->path, options->p, options->len, wake, arg);
}

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "data/sqlite/db.h"
#include "data/sqlite/pragma.h"

/*
 * Which pragmas a client may run. Connections are shared: what changes one
 * lastingly would change it for everybody, so it is refused by name. SQLite
 * applies many pragmas while they are prepared; all this is therefore decided
 * from what the authorizer was told, before a text is prepared for good.
 */

static bool listed(const char *name, const char *const *list)
{
    for (; *list != NULL; list++) {
        if (sqlite3_stricmp(name, *list) == 0)
            return true;
    }
    return false;
}

/* What to write instead of a pragma that `pragmas` of open() refuses, too. */
static const char *instead(const char *name)
{
    static const char *const hints[][2] = {
        {"query_only", "the core sets it itself (option readonly)"},
        {"busy_timeout", "give open() the option busyTimeoutMs"},
        {"wal_autocheckpoint", "give open() the option walCheckpointBytes"},
        {"locking_mode", "the core sets it itself"},
        {"writable_schema", "the core leaves it off"},
        {"read_uncommitted", "the core leaves it off"},
        {"schema_version", "SQLite counts it by itself"}};

    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++) {
        if (sqlite3_stricmp(name, hints[i][0]) == 0)
            return hints[i][1];
    }
    return NULL;
}

/* As SQLite reads the value of `synchronous`; -1: it would guess. */
static int level_of(const char *value)
{
    static const struct {
        const char *word;
        int level;
    } words[] = {{"off", 0},    {"no", 0},   {"false", 0},
                 {"on", 1},     {"yes", 1},  {"true", 1},
                 {"normal", 1}, {"full", 2}, {"extra", 3}};

    if (isdigit((unsigned char)value[0])) {
        char *end;
        long n = strtol(value, &end, 10);

        return *end == '\0' && n <= 3 ? (int)n : -1;
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (sqlite3_stricmp(value, words[i].word) == 0)
            return words[i].level;
    }
    return -1;
}

/* The first line of many programs: what is no weaker than the option changes
 * nothing (the authorizer sees to that) and passes. */
static bool synchronous(const sq_db *db, const char *value, uc_error *e)
{
    static const char *const names[] = {"off", "normal", "full", "extra"};
    int level = level_of(value);

    if (level < 0)
        return uc_fail(e, UC_SQL_CONNECTION,
                       "pragma synchronous takes off, normal, full or extra, "
                       "not %s",
                       value);
    if (level < (int)db->e.opt.synchronous)
        return uc_fail(e, UC_SQL_CONNECTION,
                       "pragma synchronous = %s would weaken the writes of "
                       "all clients of the file, which is open with "
                       "synchronous: '%s': give open() or the daemon the "
                       "option synchronous: '%s'",
                       names[level], names[db->e.opt.synchronous],
                       names[level]);
    return true;
}

static bool is_on(const char *value)
{
    return sqlite3_stricmp(value, "on") == 0 ||
           sqlite3_stricmp(value, "yes") == 0 ||
           sqlite3_stricmp(value, "true") == 0 || strcmp(value, "1") == 0;
}

bool sq_pragma_ignored(const char *name, const char *value)
{
    return value != NULL && (sqlite3_stricmp(name, "synchronous") == 0 ||
                             sqlite3_stricmp(name, "foreign_keys") == 0);
}

bool sq_pragma_class(const sq_db *db, const sq_auth *a, uc_class *cls,
                     uc_error *e)
{
    /* Take an argument and change nothing. */
    static const char *const reads[] = {"table_info",
                                        "table_xinfo",
                                        "table_list",
                                        "index_list",
                                        "index_info",
                                        "index_xinfo",
                                        "foreign_key_list",
                                        "foreign_key_check",
                                        "integrity_check",
                                        "quick_check",
                                        "function_list",
                                        "module_list",
                                        "pragma_list",
                                        "collation_list",
                                        "compile_options",
                                        "database_list",
                                        "data_version",
                                        "freelist_count",
                                        "page_count",
                                        "stats",
                                        NULL};
    /* Live in the file's header: part of a transaction. */
    static const char *const writes[] = {"user_version", "application_id",
                                         NULL};
    /* Do something to the file once, and set nothing that stays. */
    static const char *const alone[] = {"journal_mode",  "wal_checkpoint",
                                        "optimize",      "incremental_vacuum",
                                        "shrink_memory", NULL};
    /* Act without an argument, too. */
    static const char *const acts[] = {"wal_checkpoint", "optimize",
                                       "incremental_vacuum", "shrink_memory",
                                       NULL};
    const char *name = a->pragma_name;

    if (a->pragma_arg && sqlite3_stricmp(name, "journal_mode") == 0 &&
        sqlite3_stricmp(a->pragma_value, "wal") != 0)
        return uc_fail(e, UC_SQL_CONNECTION,
                       "the journal mode stays wal: readers beside a writer "
                       "need it");
    if (listed(name, reads) || (!a->pragma_arg && !listed(name, acts))) {
        *cls = UC_CLASS_READ;
    } else if (sqlite3_stricmp(name, "synchronous") == 0) {
        *cls = UC_CLASS_READ;
        return synchronous(db, a->pragma_value, e);
    } else if (sqlite3_stricmp(name, "foreign_keys") == 0 && db->sql.has_fks &&
               is_on(a->pragma_value)) {
        *cls = UC_CLASS_READ;
    } else if (listed(name, writes) ||
               sqlite3_stricmp(name, "defer_foreign_keys") == 0) {
        *cls = UC_CLASS_WRITE;
    } else if (listed(name, alone)) {
        *cls = UC_CLASS_ALONE;
    } else if (instead(name) != NULL) {
        return uc_fail(e, UC_SQL_CONNECTION,
                       "pragma %s is connection state, and connections are "
                       "shared: %s",
                       name, instead(name));
    } else {
        return uc_fail(e, UC_SQL_CONNECTION,
                       "pragma %s is connection state: give it to open() as "
                       "{ pragmas: { %s: ... } }, which applies it to every "
                       "connection",
                       name, name);
    }
    return true;
}

/* ---- foreign keys at the end ---- */

/* It holds until the next COMMIT or ROLLBACK. In a unit of several statements,
 * a client's transaction, a batch or a script, it is nobody else's business. */
int sq_defer(sq_conn *c)
{
    if (c->own) {
        c->defers = true;
        return SQLITE_OK;
    }
    return c->asking ? SQLITE_IGNORE : SQLITE_DENY;
}

void sq_defer_end(sq_conn *c)
{
    if (!c->defers)
        return;
    c->defers = false;
    sq_exec_text(c, c->db->sql.defer_fks ? "pragma defer_foreign_keys=on"
                                         : "pragma defer_foreign_keys=off");
}

/* ---- temporary objects ---- */

void sq_auth_table(sq_auth *a, const char *name)
{
    size_t n = strlen(name) + 1;

    a->unsure = true;
    if (n > sizeof a->tables - a->tables_len) {
        a->too_many = true;
        return;
    }
    memcpy(a->tables + a->tables_len, name, n);
    a->tables_len += n;
}

/* `count(*)` names a table and no column of it, and SQLite then does not say
 * of which database. TEMP comes first where the name is there. */
bool sq_auth_temp(sq_conn *w, const sq_auth *a)
{
    sqlite3_stmt *stmt = NULL;
    bool found = a->too_many;

    if (!a->unsure || !atomic_load(&w->db->sql.has_temp) || found)
        return a->unsure && found;
    if (sqlite3_prepare_v2(w->h,
                           "select 1 from temp.sqlite_schema where "
                           "name = ?1 collate nocase and "
                           "type in ('table', 'view')",
                           -1, &stmt, NULL) != SQLITE_OK)
        return true;
    for (size_t at = 0; at < a->tables_len && !found;
         at += strlen(a->tables + at) + 1) {
        sqlite3_bind_text(stmt, 1, a->tables + at, -1, SQLITE_STATIC);
        found = sqlite3_step(stmt) != SQLITE_DONE;
        sqlite3_reset(stmt);
    }
    sqlite3_finalize(stmt);
    return found;
}

/* Whether schema has a table or view of this name. */
static bool has_table(sq_conn *w, const char *schema, const char *name)
{
    char *sql = sqlite3_mprintf("select 1 from \"%w\".sqlite_schema where "
                                "type in ('table', 'view') and "
                                "name = ? collate nocase",
                                schema);
    sqlite3_stmt *stmt = NULL;
    bool found = false;

    if (sql != NULL &&
        sqlite3_prepare_v2(w->h, sql, -1, &stmt, NULL) == SQLITE_OK) {
        sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
        found = sqlite3_step(stmt) == SQLITE_ROW;
    }
    sqlite3_finalize(stmt);
    sqlite3_free(sql);
    return found;
}

/* A name in the TEMP schema hides the same name elsewhere, and a trigger fires
 * for everybody's writes. */
bool sq_temp_allowed(sq_conn *w, const sq_auth *a, uc_error *e)
{
    const char *schema;

    if (a->trigger_out)
        return uc_fail(e, UC_SQL_CONNECTION,
                       "a temporary trigger on a table that is not temporary "
                       "would fire for all clients, because they share the "
                       "connection: make it without TEMP");
    if (a->alters_temp)
        return uc_fail(e, UC_SQL_CONNECTION,
                       "a temporary table cannot be altered, because it could "
                       "come to hide another one from all clients: drop it and "
                       "make it as it is to be");
    if (a->made[0] == '\0')
        return true;
    if (!a->made_temp)
        return !atomic_load(&w->db->sql.has_temp) ||
               !has_table(w, "temp", a->made) ||
               uc_fail(e, UC_SQL_CONNECTION,
                       "there is a temporary table or view \"%.100s\", which "
                       "would hide it: drop temp.\"%.100s\" first",
                       a->made, a->made);
    for (int i = 0; (schema = sqlite3_db_name(w->h, i)) != NULL; i++) {
        if (i != 1 && has_table(w, schema, a->made))
            return uc_fail(e, UC_SQL_CONNECTION,
                           "temporary tables are shared by all clients, and "
                           "\"%.100s\" would hide %.60s.\"%.100s\" from all "
                           "of them: give it another name",
                           a->made, schema, a->made);
    }
    return true;
}

#include "data/sqlite/plan.h"

#include <stdio.h>
#include <string.h>

#include "data/sqlite/db.h"

/*
 * Plans, as EXPLAIN QUERY PLAN tells them (sqlite.org/eqp.html). A line "SCAN
 * name" is a walk through all of a table, "USING COVERING INDEX" through all of
 * an index, which is as long. Neither is a scan where what is walked through is
 * made by the statement itself: constants, a subquery, a common table
 * expression, a function with rows. The name is the one that the statement
 * calls the table by, so it is looked for in the text, and in those of views.
 */

/* ---- lines ---- */

static const char *after(const char *s, const char *front)
{
    size_t n = strlen(front);

    return strncmp(s, front, n) == 0 ? s + n : NULL;
}

/* "SCAN person USING COVERING INDEX by_age": person. False: it scans nothing,
 * or nothing of a table. */
static bool scanned(const char *line, char name[SQ_PLAN_NAME])
{
    static const char *const ends[] = {" USING ", " LEFT-JOIN", " RIGHT-JOIN",
                                       " EXISTS"};
    const char *s = after(line, "SCAN ");
    size_t n;

    if (s == NULL || s[0] == '(' || strstr(s, "CONSTANT ROW") != NULL ||
        strstr(s, "-ROW VALUES CLAUSE") != NULL ||
        strstr(s, " VIRTUAL TABLE INDEX ") != NULL)
        return false;
    n = strlen(s);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        const char *end = strstr(s, ends[i]);

        if (end != NULL && (size_t)(end - s) < n)
            n = (size_t)(end - s);
    }
    snprintf(name, SQ_PLAN_NAME, "%.*s", (int)n, s);
    return true;
}

/* ---- names ---- */

static bool is_table(sq_conn *c, const char *name)
{
    const char *dot = strchr(name, '.');
    char schema[SQ_PLAN_NAME];

    if (sqlite3_table_column_metadata(c->h, NULL, name, NULL, NULL, NULL, NULL,
                                      NULL, NULL) == SQLITE_OK)
        return true;
    if (dot == NULL)
        return false;
    snprintf(schema, sizeof schema, "%.*s", (int)(dot - name), name);
    return sqlite3_table_column_metadata(c->h, schema, dot + 1, NULL, NULL,
                                         NULL, NULL, NULL, NULL) == SQLITE_OK;
}

static bool find_alias(sq_conn *c, uc_view sql, const char *alias,
                       char table[SQ_PLAN_NAME])
{
    size_t at = 0;
    uc_view name;

    while (uc_sql_before(sql, &at, alias, &name)) {
        snprintf(table, SQ_PLAN_NAME, "%.*s", (int)name.len,
                 (const char *)name.p);
        if (is_table(c, table))
            return true;
    }
    table[0] = '\0';
    return false;
}

static bool find_in_views(sq_conn *c, const char *alias,
                          char table[SQ_PLAN_NAME])
{
    sqlite3_stmt *stmt = NULL;
    bool found = false;

    if (sqlite3_prepare_v2(c->h,
                           "select sql from main.sqlite_schema where type = "
                           "'view'",
                           -1, &stmt, NULL) != SQLITE_OK)
        return false;
    while (!found && sqlite3_step(stmt) == SQLITE_ROW) {
        const uint8_t *sql = sqlite3_column_text(stmt, 0);
        int n = sqlite3_column_bytes(stmt, 0);

        found = sql != NULL &&
                find_alias(c, (uc_view){sql, (size_t)n}, alias, table);
    }
    sqlite3_finalize(stmt);
    return found;
}

static bool table_of(sq_conn *c, uc_view sql, const char *name,
                     char table[SQ_PLAN_NAME])
{
    if (is_table(c, name)) {
        memcpy(table, name, SQ_PLAN_NAME);
        return true;
    }
    return find_alias(c, sql, name, table) || find_in_views(c, name, table);
}

/* ---- plans ---- */

bool sq_plan_scans(sq_conn *c, uc_view sql, char table[SQ_PLAN_NAME],
                   uc_error *e)
{
    char name[SQ_PLAN_NAME];
    sqlite3_stmt *stmt = NULL;
    char *text = sqlite3_mprintf("explain query plan %.*s", (int)sql.len,
                                 (const char *)sql.p);
    int rc = text == NULL ? SQLITE_NOMEM
                          : sqlite3_prepare_v2(c->h, text, -1, &stmt, NULL);

    table[0] = '\0';
    sqlite3_free(text);
    while (rc == SQLITE_OK && table[0] == '\0' &&
           sqlite3_step(stmt) == SQLITE_ROW) {
        const char *line = (const char *)sqlite3_column_text(stmt, 3);

        if (line != NULL && scanned(line, name))
            table_of(c, sql, name, table);
    }
    sqlite3_finalize(stmt);
    return rc == SQLITE_OK || sq_fail(c, rc, e);
}

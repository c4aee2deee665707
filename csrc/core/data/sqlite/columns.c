#include "data/sqlite/columns.h"

#include <string.h>

#include "data/sqlite/db.h"

/* What answers has columns; of several in a POST without names one does. */
static bool has_columns(const uc_route *route, const uc_statement *st,
                        sqlite3_stmt *stmt, uc_error *e)
{
    bool one_of = route->method == UC_METHOD_POST && st->name.len == 0 &&
                  !st->refuses && route->nstatements > 1;

    if (one_of || (st->form == UC_FORM_NONE && !st->refuses) ||
        sqlite3_column_count(stmt) > 0)
        return true;
    return uc_fail(e, UC_ROUTE,
                   "the answer is made of rows, and this statement has none: "
                   "add RETURNING, or say :none");
}

bool sq_columns_have(sqlite3_stmt *stmt, uc_view name)
{
    int n = sqlite3_column_count(stmt);

    for (int i = 0; i < n; i++) {
        const char *found = sqlite3_column_name(stmt, i);

        if (found != NULL && uc_view_is(name, found))
            return true;
    }
    return false;
}

/* Those by which the next page is asked for. */
static bool has_keys(const uc_route *route, sqlite3_stmt *stmt, uc_error *e)
{
    for (uint32_t i = 0; i < route->npage; i++) {
        uc_view name = route->page[i];

        if (!sq_columns_have(stmt, name))
            return uc_fail(e, UC_ROUTE, ":page: there is no column '%.*s'",
                           (int)name.len, (const char *)name.p);
    }
    return true;
}

/* An object of JSON has each of its names once. */
static bool has_no_twins(const uc_statement *st, sqlite3_stmt *stmt,
                         uc_error *e)
{
    int n = sqlite3_column_count(stmt);

    if (st->form == UC_FORM_NONE || st->form == UC_FORM_TEXT || st->refuses)
        return true;
    for (int i = 1; i < n; i++) {
        const char *name = sqlite3_column_name(stmt, i);

        for (int k = 0; k < i && name != NULL; k++) {
            const char *other = sqlite3_column_name(stmt, k);

            if (other != NULL && strcmp(name, other) == 0)
                return uc_fail(e, UC_ROUTE,
                               "two columns are called '%s': give one of them "
                               "another name with 'as'",
                               name);
        }
    }
    return true;
}

bool sq_columns_fit(const uc_route *route, const uc_statement *st,
                    sqlite3_stmt *stmt, uc_error *e)
{
    if (!has_columns(route, st, stmt, e))
        return false;
    if (st->form == UC_FORM_PAGE && !has_keys(route, stmt, e))
        return false;
    if (st->refuses && sqlite3_column_count(stmt) != 1)
        return uc_fail(e, UC_ROUTE,
                       "a statement that refuses has one column, its sentence");
    /* Its first text has all pieces, and so all columns. */
    return st->columns != NULL || has_no_twins(st, stmt, e);
}

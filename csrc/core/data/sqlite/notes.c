#include <string.h>

#include "cache/cache.h"
#include "common/mem.h"
#include "data/sqlite/db.h"

/*
 * What a statement changes, as SQLite's authorizer tells it at prepare, through
 * triggers and foreign key actions as well: nothing is asked of a row. What is
 * not known exactly (a new schema, a restored file) counts as a change of
 * everything.
 */

/* The key of a once-write is not a change of the user's. */
static const char hidden[] = "_undercroft_once";

sq_notes *sq_notes_new(void)
{
    return uc_calloc(1, sizeof(sq_notes));
}

void sq_notes_free(sq_notes *n)
{
    if (n != NULL)
        uc_free(n->ids);
    uc_free(n);
}

/* An array of n with room for one more: it doubles at powers of two. NULL when
 * memory ran out, and p stays then. */
static void *grown(void *p, uint32_t n, size_t size)
{
    if (n > 0 && (n & (n - 1)) != 0)
        return p;
    return uc_realloc(p, (n == 0 ? 1 : (size_t)n * 2) * size);
}

/* The number of a table, and the board's and the writer's place for it; -1 when
 * there is no room. */
static int64_t table_of(sq_db *db, const char *schema, const char *name)
{
    sq_touches *t = &db->touches;
    int64_t id = uc__board_find(&db->e.board, schema, name);
    sq_table *tables;
    uint32_t *touched;
    const uc_table *named;

    if (id >= 0)
        return id;
    tables = grown(t->tables, db->e.board.ntables, sizeof *tables);
    if (tables == NULL)
        return -1;
    t->tables = tables;
    touched = grown(t->touched, db->e.board.ntables, sizeof *touched);
    if (touched == NULL)
        return -1;
    t->touched = touched;
    id = uc__board_table(&db->e.board, schema, name);
    if (id < 0)
        return -1;
    named = &db->e.board.tables[id];
    t->tables[id] = (sq_table){.domain = uc_cache_table(named->name)};
    if (named->bare != NULL)
        t->tables[id].bare_domain = uc_cache_table(named->bare);
    return id;
}

/* The tables in which the schema itself is kept. */
static bool is_schema(const char *name)
{
    return sqlite3_stricmp(name, "sqlite_master") == 0 ||
           sqlite3_stricmp(name, "sqlite_schema") == 0 ||
           sqlite3_strnicmp(name, "sqlite_temp_", 12) == 0;
}

void sq_note(sq_conn *c, int action, const char *table, const char *arg,
             const char *schema)
{
    sq_notes *n = c->notes;
    uint32_t *ids;
    int64_t id;

    if (n->all)
        return;
    switch (action) {
    case SQLITE_INSERT:
    case SQLITE_UPDATE:
    case SQLITE_DELETE:
        if (table == NULL || is_schema(table))
            break;
        if (sqlite3_stricmp(table, hidden) == 0)
            return;
        id = table_of(c->db, schema, table);
        /* It may be another table than the one of that name before. */
        if (id >= 0)
            c->db->touches.tables[id].kind = SQ_TABLE_ASK;
        for (uint32_t i = 0; i < n->n; i++) {
            if (n->ids[i] == id)
                return;
        }
        ids = id < 0 ? NULL : grown(n->ids, n->n, sizeof *ids);
        if (ids == NULL)
            break;
        n->ids = ids;
        ids[n->n++] = (uint32_t)id;
        return;
    case SQLITE_PRAGMA: /* without a value it asks; FTS5 does so by itself */
        if (arg == NULL)
            return;
        break;
    case SQLITE_ALTER_TABLE:
        break;
    default:
        return;
    }
    n->all = true;
}

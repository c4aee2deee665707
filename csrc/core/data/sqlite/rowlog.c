/* Lets sqlite3.h declare the hook; the library has it (csrc/sqlite.defines). */
#define SQLITE_ENABLE_PREUPDATE_HOOK

#include "cache/cache.h"
#include "common/mem.h"
#include "data/sqlite/db.h"

/*
 * Which rows a transaction changes, for entries of the cache that belong to
 * rows. SQLite's preupdate hook (sqlite.org/c3ref/preupdate_blobwrite.html)
 * tells of each row as it is changed, by triggers and foreign keys as well, and
 * of those that REPLACE removes. It is there only while rows matter, and never
 * comes or goes within a transaction. What it cannot tell exactly makes a table
 * vague: any of its rows may have changed.
 */
enum { ROWS = 1024 /* written down of one transaction */ };

/* Makes room for the rows of other tables, too. */
static void make_vague(sq_touches *b, uint32_t table)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < b->nrows; i++) {
        if (b->rows[i].table != table)
            b->rows[n++] = b->rows[i];
    }
    b->nrows = n;
    b->tables[table].vague = true;
    b->nvague++;
}

static void add(sq_touches *b, uint32_t table, int64_t rowid)
{
    uint32_t n = b->nrows;

    if (b->tables[table].vague || (n > 0 && b->rows[n - 1].table == table &&
                                   b->rows[n - 1].rowid == rowid))
        return;
    if (n == ROWS) {
        make_vague(b, table);
        return;
    }
    b->rows[n] = (sq_row){table, rowid};
    b->nrows = n + 1;
}

/* Tables of no note are the core's own, or everything counts as changed. */
static void on_row(void *arg, sqlite3 *h, int op, const char *schema,
                   const char *name, sqlite3_int64 from, sqlite3_int64 to)
{
    sq_db *db = arg;
    sq_touches *b = &db->touches;
    int64_t table = uc__board_find(&db->e.board, schema, name);

    (void)h;
    (void)op;
    if (table < 0 || b->tables[table].vague)
        return;
    /* Without a rowid both are 0. */
    if (from == 0 && to == 0) {
        make_vague(b, (uint32_t)table);
        return;
    }
    add(b, (uint32_t)table, from);
    add(b, (uint32_t)table, to);
}

void sq_rowlog_begin(sq_db *db)
{
    sq_touches *b = &db->touches;
    sq_conn *c = db->writer;
    bool want = db->e.cache != NULL && uc_cache_wants_rows(db->e.cache);

    b->nrows = 0;
    for (uint32_t i = 0; b->nvague > 0; i++) {
        b->nvague -= b->tables[i].vague;
        b->tables[i].vague = false;
    }
    if (want == c->logs_rows || sqlite3_get_autocommit(c->h) == 0)
        return;
    if (want && b->rows == NULL) {
        b->rows = uc_malloc(ROWS * sizeof *b->rows);
        if (b->rows == NULL)
            return;
    }
    sqlite3_preupdate_hook(c->h, want ? on_row : NULL, db);
    /* How DELETE without WHERE is done was decided when it was prepared: at one
     * blow, which the hook is not told of. This lets all be prepared anew. */
    sq_conn_authorize(c);
    c->logs_rows = want;
}

/* A virtual table's rows are not told of, only what it keeps them in. */
static void ask_kind(sq_conn *c, sq_table *t, const char *name)
{
    sqlite3_stmt *stmt = NULL;

    if (sqlite3_prepare_v2(
            c->h,
            "select type = 'virtual' from pragma_table_list where ?1 = "
            "iif(schema = 'main', name, schema || '.' || name) collate nocase",
            -1, &stmt, NULL) == SQLITE_OK) {
        sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
        if (sqlite3_step(stmt) == SQLITE_ROW)
            t->kind = sqlite3_column_int(stmt, 0) == 0 ? SQ_TABLE_PLAIN
                                                       : SQ_TABLE_VIRTUAL;
    }
    sqlite3_finalize(stmt);
}

bool sq_rowlog_whole(sq_db *db, uint32_t table)
{
    sq_table *t = &db->touches.tables[table];

    if (!db->writer->logs_rows || t->vague)
        return false;
    if (t->kind == SQ_TABLE_ASK)
        ask_kind(db->writer, t, db->e.board.tables[table].name);
    return t->kind == SQ_TABLE_PLAIN;
}

#include <string.h>

#include "common/mem.h"
#include "data/sqlite/db.h"
#include "wire/utf8.h"

/*
 * Scripts: db.exec() and the files of migrations. Any number of statements
 * without parameters, one after the other. Each is prepared when its turn
 * comes, since it may need what the one before has made, and goes through the
 * same classification as any other text. Where one ends and what it is, SQLite
 * says: nothing is looked for in the text.
 */

typedef struct script {
    const char *sql, *end;
    sq_script_kind kind;
    bool any;   /* a statement has been run */
    bool whole; /* it has begun with BEGIN */
    bool over;  /* and that has been committed */
} script;

char *sq_text_copy(uc_view text, uc_error *e)
{
    char *copy;

    if (!sq_text_whole((const char *)text.p, text.len, e))
        return NULL;
    if (!uc_is_utf8(text.p, text.len)) {
        uc_fail(e, UC_FRAME, "the SQL is not valid UTF-8");
        return NULL;
    }
    copy = uc_malloc(text.len + 1);
    if (copy == NULL) {
        uc_fail(e, UC_MEMORY, "no memory for the SQL text");
        return NULL;
    }
    if (text.len > 0)
        memcpy(copy, text.p, text.len);
    copy[text.len] = '\0';
    return copy;
}

/*
 * BEGIN, COMMIT and their like, which are not run: a script that is one whole
 * BEGIN ... COMMIT means the same as without them. tail: what follows.
 */
static bool control(script *s, const char *p, const char *tail, uc_error *e)
{
    bool first = !s->any && !s->whole && s->kind == SQ_SCRIPT_UNIT;
    char word[16];

    sq_keyword(p, s->end, word, sizeof word);
    if (first && strcmp(word, "BEGIN") == 0) {
        s->whole = true;
        return true;
    }
    if (s->whole && (strcmp(word, "COMMIT") == 0 || strcmp(word, "END") == 0) &&
        sq_skip_blank(tail, s->end) == s->end) {
        s->over = true;
        return true;
    }
    if (s->kind == SQ_SCRIPT_UNIT && strcmp(word, "SAVEPOINT") != 0 &&
        strcmp(word, "RELEASE") != 0 &&
        (s->whole || strcmp(word, "BEGIN") == 0))
        return uc_fail(e, UC_SQL_TRANSACTION,
                       "a script is one transaction, with begin and commit "
                       "around all of it or without them: %s in the midst of "
                       "it is refused; give what follows to another db.exec()",
                       word);
    if (s->kind == SQ_SCRIPT_UNIT)
        return sq_refuse_control(word, e);
    return uc_fail(e, UC_SQL_TRANSACTION,
                   "a migration runs in a transaction of its own: %s in the "
                   "file is refused (`-- no transaction` on its first line "
                   "runs it without one)",
                   word);
}

static bool step(sq_conn *c, sqlite3_stmt *stmt, unsigned traits, sq_run *done,
                 uc_error *e)
{
    int64_t before = sqlite3_total_changes64(c->h), rowid;
    bool changed;
    int rc;

    if (sqlite3_bind_parameter_count(stmt) > 0)
        return uc_fail(e, UC_PARAM_COUNT,
                       "a script takes no parameters: use db.run() or "
                       "db.batch()");
    rowid = sq_rowid_begin(c, traits);
    do
        rc = sqlite3_step(stmt);
    while (rc == SQLITE_ROW);
    changed = rc == SQLITE_DONE && sqlite3_total_changes64(c->h) != before;
    rowid = sq_rowid_end(c, traits, rowid, changed);
    if (rc != SQLITE_DONE)
        return sq_fail(c, rc, e);
    if (changed)
        done->changes += sqlite3_changes64(c->h);
    if (rowid != 0)
        done->rowid = rowid;
    return true;
}

/* The statement at p; *tail: what follows it. */
static bool one(sq_conn *c, script *s, const char *p, const char **tail,
                sq_run *done, uc_error *e)
{
    bool inside = sqlite3_get_autocommit(c->h) == 0;
    uc_class cls = UC_CLASS_UNKNOWN;
    sqlite3_stmt *stmt;
    unsigned traits;
    bool ok;

    ok = sq_class_of(c, p, (size_t)(s->end - p), tail, &stmt, &cls, &traits, e);
    if (!ok || stmt == NULL) {
        sqlite3_finalize(stmt);
        return ok;
    }
    if (cls == UC_CLASS_CONTROL) {
        ok = control(s, p, *tail, e);
    } else {
        if (cls == UC_CLASS_ALONE && s->kind != SQ_SCRIPT_EACH &&
            (s->any || inside))
            ok = uc_fail(e, UC_SQL_TRANSACTION,
                         "VACUUM and pragmas that act on the file cannot be "
                         "part of a script or a transaction: run them on "
                         "their own");
        else
            ok = step(c, stmt, traits, done, e);
        s->any = true;
    }
    sqlite3_finalize(stmt);
    if (ok && traits & SQ_MAKES_TEMP)
        sq_classes_reset(c->db);
    return ok;
}

static bool run_all(sq_conn *c, script *s, sq_run *done, uc_error *e)
{
    const char *p = s->sql, *tail;

    *done = (sq_run){0};
    while (!s->over && (p = sq_skip_blank(p, s->end)) < s->end) {
        if (!one(c, s, p, &tail, done, e)) {
            /* What SQLite does not say is where the statement begins. */
            e->offset = (int)(p - s->sql) + (e->offset > 0 ? e->offset : 0);
            return false;
        }
        p = tail;
    }
    if (s->whole && !s->over)
        return uc_fail(e, UC_SQL_TRANSACTION,
                       "the script begins a transaction and does not end it "
                       "with COMMIT");
    return true;
}

/* Which of its statements changed something is not asked: the tables of all of
 * them count. */
bool sq_script(sq_conn *c, const char *sql, size_t len, sq_script_kind kind,
               sq_run *done, uc_error *e)
{
    script s = {.sql = sql, .end = sql + len, .kind = kind};
    int64_t before = sqlite3_total_changes64(c->h);
    sq_notes *notes = sq_notes_new();
    bool ok, own;

    if (notes == NULL)
        return uc_fail(e, UC_MEMORY, "no memory for the script");
    own = sq_own_begin(c);
    c->notes = notes;
    ok = run_all(c, &s, done, e);
    sq_own_end(c, own);
    c->notes = NULL;
    if (sqlite3_total_changes64(c->h) != before || (ok && notes->all))
        sq_touch(c->db, notes);
    sq_notes_free(notes);
    return ok;
}

bool sq_exec(sq_conn *c, uc_call *call, bool unit, uc_buf *out, uc_error *e)
{
    uc_reader r = call->args;
    sq_run done = {0};
    uc_view sql;
    char *text;
    bool ok;

    if (!uc_read_str(&r, &sql))
        return uc_fail(e, UC_FRAME, "exec takes a text");
    text = sq_text_copy(sql, e);
    if (text == NULL)
        return false;
    ok = !unit || sq_bracket(c, e);
    if (ok) {
        ok = sq_script(c, text, sql.len, SQ_SCRIPT_UNIT, &done, e);
        if (unit)
            ok = sq_bracket_end(c, ok, e);
    }
    uc_free(text);
    if (ok) {
        sq_reply_run(out, call->id, &done);
        sq_note_rows(call, &done);
    }
    return ok;
}

bool sq_script_alone(sq_conn *c, const uc_call *call)
{
    uc_reader r = call->args;
    const char *p, *end, *tail;
    sqlite3_stmt *stmt = NULL;
    uc_class cls = UC_CLASS_UNKNOWN;
    uc_error ignored = {0};
    unsigned traits;
    bool alone = false;
    char word[16], *text;
    uc_view sql;

    if (!uc_read_str(&r, &sql) || sql.len == 0)
        return false;
    p = (const char *)sql.p;
    sq_keyword(p, p + sql.len, word, sizeof word);
    if (strcmp(word, "VACUUM") != 0 && strcmp(word, "PRAGMA") != 0)
        return false;
    text = sq_text_copy(sql, &ignored);
    if (text == NULL)
        return false;
    end = text + sql.len;
    p = sq_skip_blank(text, end);
    if (sq_class_of(c, p, (size_t)(end - p), &tail, &stmt, &cls, &traits,
                    &ignored))
        alone = cls == UC_CLASS_ALONE && sq_skip_blank(tail, end) == end;
    sqlite3_finalize(stmt);
    uc_free(text);
    return alone;
}

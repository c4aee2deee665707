#include <stdio.h>
#include <string.h>

#include "data/pg/sql.h"

/*
 * Scripts: statements with semicolons between them, which the server runs as
 * one transaction. Its text is sent as it is, so that the server's positions
 * hold.
 */

typedef enum part {
    PLAIN,
    BEGIN,
    COMMIT,
    OTHER_CONTROL /* of a transaction */
} part;

/* The next statement, without its `;`; false: there is none. l: behind it. */
static bool next(pg_lexer *l, uc_view *statement)
{
    pg_part one;

    if (!pg_part_next(l, &one))
        return false;
    *statement = one.text;
    return true;
}

static part part_of(const pg_token *first)
{
    static const char *const others[] = {"rollback", "abort", "savepoint",
                                         "release"};

    if (pg_token_is(first, "begin") || pg_token_is(first, "start"))
        return BEGIN;
    if (pg_token_is(first, "commit") || pg_token_is(first, "end"))
        return COMMIT;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (pg_token_is(first, others[i]))
            return OTHER_CONTROL;
    }
    return PLAIN;
}

static bool at(uc_error *e, const pg_script *s, const uint8_t *p)
{
    e->offset = (int)(p - s->text.p);
    return false;
}

/* begin [work | transaction], and nothing behind it. */
static bool is_bare(const pg_script *s, uc_view statement, uc_error *e)
{
    pg_lexer l = {statement.p, statement.p + statement.len};
    pg_token t;

    pg_lex(&l);
    t = pg_lex(&l);
    if (pg_token_is(&t, "work") || pg_token_is(&t, "transaction"))
        t = pg_lex(&l);
    if (t.kind == PG_END)
        return true;
    uc_error_own(e, "PG_SYNTAX_ERROR", "syntax", false);
    snprintf(e->message, sizeof e->message,
             "a BEGIN or COMMIT of a script stands by itself: behind it comes "
             "a semicolon");
    memcpy(e->sqlstate, "42601", sizeof "42601");
    return at(e, s, t.text.p);
}

static bool plain(const pg_script *s, uc_view statement, uc_error *e)
{
    pg_sql sql = {0};

    return pg_sql_classify(&sql, statement, e) || at(e, s, statement.p);
}

static bool mismatch(const pg_script *s, uc_view statement, uc_error *e)
{
    uc_fail(e, UC_SQL_TRANSACTION,
            "a script is one transaction: it has a BEGIN at its beginning and "
            "a COMMIT at its end, or neither. Here is a BEGIN, a ROLLBACK, a "
            "SAVEPOINT or a COMMIT in the midst of it: give what follows to "
            "another db.exec()");
    return at(e, s, statement.p);
}

bool pg_script_read(pg_script *s, uc_view text, uc_error *e)
{
    pg_lexer l = {text.p, text.p + text.len};
    uc_view one, last = {0};
    bool begun = false, over = false;
    const uint8_t *nul = memchr(text.p, 0, text.len);

    *s = (pg_script){.text = text};
    if (nul != NULL) {
        uc_fail(e, UC_PARAM_TYPE, "the text has a NUL in it");
        return at(e, s, nul);
    }
    if (text.len >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0)
        l.p += s->mark = 3;
    while (next(&l, &one)) {
        pg_lexer words = {one.p, one.p + one.len};
        pg_token first = pg_lex(&words);
        part is = part_of(&first);

        s->n++;
        if (over)
            return mismatch(s, last, e);
        if (is == PLAIN) {
            if (!plain(s, one, e))
                return false;
            continue;
        }
        if (is == OTHER_CONTROL || (is == BEGIN) != (s->n == 1) ||
            (is == COMMIT && !begun))
            return mismatch(s, one, e);
        if (!is_bare(s, one, e))
            return false;
        begun = is == BEGIN;
        over = is == COMMIT;
        *(over ? &s->commit : &s->begin) = last = one;
    }
    return !begun || mismatch(s, s->begin, e);
}

void pg_script_put(const pg_script *s, char *to)
{
    memcpy(to, s->text.p + s->mark, s->text.len - s->mark);
    to[s->text.len - s->mark] = '\0';
    if (s->begin.p != NULL)
        memset(to + (s->begin.p - s->text.p) - s->mark, ' ', s->begin.len);
    if (s->commit.p != NULL)
        memset(to + (s->commit.p - s->text.p) - s->mark, ' ', s->commit.len);
}

int pg_script_offset(uc_view text, int64_t position, uint32_t done)
{
    pg_script s;
    uc_error ignored;
    pg_lexer l = {text.p, text.p + text.len};
    uc_view one;

    uc_error_init(&ignored);
    if (!pg_script_read(&s, text, &ignored))
        return -1;
    l.p += s.mark;
    if (position > 0)
        return pg_char_offset((uc_view){l.p, text.len - s.mark}, position) +
               (int)s.mark;
    for (uint32_t i = s.begin.p != NULL ? 0 : 1; next(&l, &one); i++) {
        if (i == done + 1)
            return (int)(one.p - text.p);
    }
    return -1;
}

#include "data/pg/sql.h"

/*
 * The statements of a script. A semicolon ends one, unless it stands in
 * parentheses (CREATE RULE) or in a function's body, BEGIN ATOMIC … END
 * (CREATE FUNCTION), where CASE has an END as well.
 */

static bool begins(const pg_token *t, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (pg_token_is(t, words[i]))
            return true;
    }
    return false;
}

/* BEGIN, COMMIT and what else ends or begins a transaction, or a part of one.
 */
static bool controls(const pg_token *first, const pg_token *second)
{
    static const char *const words[] = {"begin",     "commit",   "end",
                                        "abort",     "rollback", "start",
                                        "savepoint", "release"};

    return begins(first, words, sizeof words / sizeof *words) ||
           (pg_token_is(first, "prepare") &&
            pg_token_is(second, "transaction"));
}

static bool is_char(const pg_token *t, char c)
{
    return t->kind == PG_OTHER && t->text.len == 1 && *t->text.p == (uint8_t)c;
}

/* How deep one is in parentheses and bodies. */
typedef struct depth {
    unsigned parens, body;
} depth;

static void count(depth *d, const pg_token *t, const pg_token *before)
{
    if (is_char(t, '('))
        d->parens++;
    else if (is_char(t, ')') && d->parens > 0)
        d->parens--;
    else if (pg_token_is(t, "atomic") && pg_token_is(before, "begin"))
        d->body++;
    else if (d->body > 0 && pg_token_is(t, "case"))
        d->body++;
    else if (d->body > 0 && pg_token_is(t, "end"))
        d->body--;
}

bool pg_part_next(pg_lexer *l, pg_part *part)
{
    pg_token first, before = {0}, t;
    depth d = {0};

    do
        first = pg_lex(l);
    while (is_char(&first, ';'));
    if (first.kind == PG_END)
        return false;
    *part = (pg_part){.text = first.text};
    for (t = first;; t = pg_lex(l)) {
        if (t.kind == PG_END || t.kind == PG_BAD)
            break;
        if (is_char(&t, ';') && d.parens == 0 && d.body == 0)
            break;
        count(&d, &t, &before);
        part->text.len = (size_t)(t.text.p + t.text.len - part->text.p);
        if (before.text.p == first.text.p)
            part->controls = controls(&first, &t);
        before = t;
    }
    part->controls = part->controls || controls(&first, &before);
    if (t.kind == PG_BAD)
        part->text.len = (size_t)(l->end - part->text.p);
    return true;
}

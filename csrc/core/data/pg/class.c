#include <string.h>

#include "data/pg/sql.h"

/*
 * What a statement is by its words. A read that turns out to write is found by
 * the server, whose connections for reads are read-only: here it is only
 * guessed, so that nothing has to be asked first.
 */

typedef enum verdict {
    READS,
    WRITES,
    ALONE,   /* in no transaction */
    CONTROL, /* of a transaction */
    SESSION, /* changes the connection, which is shared */
    FOREIGN  /* SQLite's */
} verdict;

static const struct {
    const char *word;
    verdict is;
} firsts[] = {
    {"select", READS},      {"values", READS},     {"table", READS},
    {"show", READS},        {"with", READS},       {"explain", READS},
    {"begin", CONTROL},     {"start", CONTROL},    {"commit", CONTROL},
    {"end", CONTROL},       {"rollback", CONTROL}, {"abort", CONTROL},
    {"savepoint", CONTROL}, {"release", CONTROL},  {"set", SESSION},
    {"reset", SESSION},     {"discard", SESSION},  {"listen", SESSION},
    {"unlisten", SESSION},  {"load", SESSION},     {"declare", SESSION},
    {"fetch", SESSION},     {"move", SESSION},     {"close", SESSION},
    {"prepare", SESSION},   {"execute", SESSION},  {"deallocate", SESSION},
    {"lock", SESSION},      {"pragma", FOREIGN},   {"attach", FOREIGN},
    {"detach", FOREIGN},    {"copy", SESSION},     {"vacuum", ALONE},
    {"checkpoint", ALONE},  {"cluster", ALONE},
};

/* Words behind the first that put a statement out of transactions. */
static const struct {
    const char *word, *second;
} alones[] = {
    {"create", "database"},   {"drop", "database"},
    {"alter", "system"},      {"create", "tablespace"},
    {"drop", "tablespace"},   {"create", "subscription"},
    {"drop", "subscription"},
};

static bool is_any(const pg_token *t, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (pg_token_is(t, *words))
            return true;
    }
    return false;
}

/* Any word of the rest, up to the `;`. */
static bool has_word(pg_lexer l, const char *const *words)
{
    for (;;) {
        pg_token t = pg_lex(&l);

        if (t.kind == PG_END || t.kind == PG_BAD ||
            (t.kind == PG_OTHER && *t.text.p == ';'))
            return false;
        if (is_any(&t, words))
            return true;
    }
}

static const char *const changes[] = {"insert", "update", "delete", "merge",
                                      NULL};
static const char *const analyze[] = {"analyze", "analyse", NULL};
static const char *const concurrently[] = {"concurrently", NULL};
/* They do what read-only transactions do not refuse. */
static const char *const effects[] = {"pg_notify",
                                      "nextval",
                                      "setval",
                                      "lo_create",
                                      "lo_unlink",
                                      "pg_advisory_xact_lock",
                                      "pg_advisory_xact_lock_shared",
                                      NULL};
/* They leave something behind on the connection. */
static const char *const leftovers[] = {"set_config",
                                        "pg_advisory_lock",
                                        "pg_advisory_lock_shared",
                                        "pg_try_advisory_lock",
                                        "pg_try_advisory_lock_shared",
                                        "pg_advisory_unlock",
                                        "pg_advisory_unlock_all",
                                        NULL};

/* with x as (insert …), select … into, explain analyze … */
static verdict refined(const pg_token *first, pg_lexer rest)
{
    if (pg_token_is(first, "explain"))
        return has_word(rest, analyze) ? WRITES : READS;
    if (pg_token_is(first, "with") && has_word(rest, changes))
        return WRITES;
    if (has_word(rest, leftovers))
        return SESSION;
    return has_word(rest, effects) ? WRITES : READS;
}

/* Tables of a connection. */
static const char *const temporary[] = {"temp", "temporary", "local", "global",
                                        NULL};

static verdict by_second(const pg_token *first, pg_lexer rest)
{
    pg_token second = pg_lex(&rest);

    if (pg_token_is(first, "create") && is_any(&second, temporary))
        return SESSION;
    for (size_t i = 0; i < sizeof alones / sizeof *alones; i++) {
        if (pg_token_is(first, alones[i].word) &&
            pg_token_is(&second, alones[i].second))
            return ALONE;
    }
    /* create index concurrently, reindex, drop index, refresh … */
    if (!is_any(first, changes) && has_word(rest, concurrently) &&
        !pg_token_is(&second, "materialized"))
        return ALONE;
    return WRITES;
}

static verdict verdict_of(const pg_token *first, pg_lexer rest)
{
    for (size_t i = 0; i < sizeof firsts / sizeof *firsts; i++) {
        if (!pg_token_is(first, firsts[i].word))
            continue;
        return firsts[i].is == READS ? refined(first, rest) : firsts[i].is;
    }
    return by_second(first, rest);
}

static const char *const drop[] = {"drop", NULL}; /* on commit drop */

static bool session_refused(const pg_token *first, uc_error *e)
{
    int n = (int)(first->text.len < 20 ? first->text.len : 20);

    return uc_fail(e, UC_SQL_CONNECTION,
                   "%.*s would change a connection that others use next: %s", n,
                   first->text.p,
                   pg_token_is(first, "create")
                       ? "CREATE TEMP TABLE ... ON COMMIT DROP in a "
                         "transaction does not"
                   : pg_token_is(first, "set") || pg_token_is(first, "reset")
                       ? "set it for the role or the database (ALTER ROLE … "
                         "SET), or with SET LOCAL in a transaction"
                       : "there is a call of the package for it, or none");
}

static const char *const alters[] = {"create", "alter", "drop", "refresh",
                                     "import", "do",    NULL};
static const char *const returning[] = {"returning", NULL};
static const char *const rows[] = {"insert", "update", "delete", "merge",
                                   "with",   "select", "values", NULL};
/* on conflict do update, and what a SELECT of it may lock or change. */
static const char *const updates[] = {"update",  "delete", "share",
                                      "nextval", "with",   NULL};

static bool is_char(const pg_token *t, char c)
{
    return t->kind == PG_OTHER && *t->text.p == (uint8_t)c;
}

/* The next word of these that no parenthesis is around; false: there is none.
 */
static bool outermost(pg_lexer *l, const char *const *words, pg_token *found)
{
    unsigned depth = 0;

    for (;;) {
        *found = pg_lex(l);
        if (found->kind == PG_END || found->kind == PG_BAD ||
            (depth == 0 && is_char(found, ';')))
            return false;
        if (is_char(found, '('))
            depth++;
        else if (is_char(found, ')'))
            depth -= depth > 0;
        else if (depth == 0 && is_any(found, words))
            return true;
    }
}

/* The commands of PostgreSQL that answer with a word alone (its reference of
 * SQL commands); what is none of them is the server's to judge. */
static const char *const silent[] = {
    "create",  "drop",     "alter",   "truncate", "comment",    "grant",
    "revoke",  "do",       "notify",  "analyze",  "analyse",    "vacuum",
    "cluster", "refresh",  "reindex", "import",   "checkpoint", "security",
    "set",     "reassign", NULL};
static const char *const mains[] = {"select", "values", "table", "insert",
                                    "update", "delete", "merge", NULL};

/* Whether it may have rows, by its words: what changes has them with RETURNING.
 * Behind a WITH that is what follows. */
static bool has_rows(pg_token first, pg_lexer rest)
{
    pg_token t = first;

    if (pg_token_is(&first, "with") && !outermost(&rest, mains, &t))
        return true; /* with … (select …) */
    if (is_any(&t, changes))
        return outermost(&rest, returning, &t);
    return !is_any(&t, silent);
}

/* SET TRANSACTION SNAPSHOT: what the transaction sees, which no option says. */
static bool is_snapshot(const pg_token *second, pg_lexer rest)
{
    pg_token third = pg_lex(&rest);

    return pg_token_is(second, "transaction") &&
           pg_token_is(&third, "snapshot");
}

bool pg_sql_classify(pg_sql *s, uc_view text, uc_error *e)
{
    static const uc_class classes[] = {
        [READS] = UC_CLASS_READ,      [WRITES] = UC_CLASS_WRITE,
        [ALONE] = UC_CLASS_ALONE,     [CONTROL] = UC_CLASS_CONTROL,
        [SESSION] = UC_CLASS_CONTROL, [FOREIGN] = UC_CLASS_CONTROL,
    };
    pg_lexer l = {text.p, text.p + text.len};
    pg_token first = pg_lex(&l), second;
    pg_lexer rest = l;
    verdict v;

    while (is_char(&first, '(') || is_char(&first, ';'))
        first = pg_lex(&l); /* (select …) union … */
    if (first.kind == PG_END)
        return uc_fail(e, UC_SQL_EMPTY, "there is no statement in the text");
    v = verdict_of(&first, l);
    second = pg_lex(&rest);
    if (v == CONTROL && !pg_token_is(&second, "prepared"))
        return uc_fail(e, UC_SQL_TRANSACTION,
                       "transactions are db.transaction(): %.*s by itself "
                       "would be somebody else's next time",
                       (int)(first.text.len < 20 ? first.text.len : 20),
                       first.text.p);
    /* In a transaction it ends with that. */
    if (v == FOREIGN)
        return uc_fail(e, UC_NOT_HERE,
                       "%.*s is for SQLite: PostgreSQL has settings of roles "
                       "and databases (ALTER ROLE ... SET), and schemas",
                       (int)first.text.len, first.text.p);
    s->local =
        (pg_token_is(&first, "set") &&
         (pg_token_is(&second, "local") || is_snapshot(&second, rest))) ||
        pg_token_is(&first, "lock") ||
        (v == SESSION && pg_token_is(&first, "create") && has_word(l, drop));
    if (v == SESSION && !s->local)
        return session_refused(&first, e);
    s->cls = s->local ? UC_CLASS_WRITE : classes[v];
    s->returns = has_rows(first, l);
    s->changes = is_any(&first, rows);
    s->inserts = pg_token_is(&first, "insert") && !has_word(l, updates);
    s->alters = is_any(&first, alters);
    return true;
}

bool pg_sql_alters(uc_view text)
{
    pg_lexer l = {text.p, text.p + text.len};
    pg_part part;

    while (pg_part_next(&l, &part)) {
        pg_lexer inside = {part.text.p, part.text.p + part.text.len};
        pg_token first = pg_lex(&inside);

        if (is_any(&first, alters))
            return true;
    }
    return false;
}

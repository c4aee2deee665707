#ifndef UC_CORE_DATA_PG_SQL_H
#define UC_CORE_DATA_PG_SQL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/view.h"
#include "data/engine.h"

/*
 * The text of a statement, as far as it has to be known before a server has
 * seen it: where its parameters are, whether it is one statement, and what it
 * begins with. Knows no connection. The lexical rules are those of section 4.1
 * of PostgreSQL's manual.
 */

typedef enum pg_token_kind {
    PG_END,    /* of the text */
    PG_WORD,   /* a key word or an identifier without quotes */
    PG_QUOTED, /* an identifier in quotes */
    PG_STRING, /* of any form */
    PG_NUMBER,
    PG_OPERATOR, /* a run of operator characters */
    PG_PARAM,    /* $1 */
    PG_NAMED,    /* $name, which is none of PostgreSQL's */
    PG_OTHER,    /* one character: ( ) [ ] , . ; : */
    PG_BAD       /* a string, an identifier or a comment without an end */
} pg_token_kind;

typedef struct pg_token {
    pg_token_kind kind;
    uc_view text;
} pg_token;

typedef struct pg_lexer {
    const uint8_t *p, *end;
} pg_lexer;

/* The next token; blanks and comments are skipped. Views point into the text.
 */
pg_token pg_lex(pg_lexer *l);
/* A word, whatever its case. word: in lower case. */
bool pg_token_is(const pg_token *t, const char *word);

/* One statement of a script. */
typedef struct pg_part {
    uc_view text;  /* without its semicolon */
    bool controls; /* BEGIN, COMMIT and their like */
} pg_part;

/* The next statement: parts.c. False: there is no more. */
bool pg_part_next(pg_lexer *l, pg_part *part);

/* Of the protocol: the number of a Bind message has 16 bits. */
enum { PG_PARAMS = 65535 };

/* One statement, rewritten. */
typedef struct pg_sql {
    uc_buf text;      /* with $1, $2, … and a NUL behind it */
    uint32_t nparams; /* the highest number */
    uc_buf names;     /* uc_view by number, p NULL where it has none */
    uc_class cls;     /* as its words say: the server may know better */
    bool returns;     /* it may have rows */
    bool changes;     /* rows, at most: no DDL */
    bool inserts;     /* an INSERT alone: it waits for nobody's row */
    bool alters;      /* the schema, or with it all there is */
    bool local;       /* it sets something for its transaction: only in one */
} pg_sql;

/*
 * Reads `text`, whose bytes the names point into. Parameters are ?, ?1, :name,
 * @name, $name and $1. `??` is PostgreSQL's operator `?`; where a statement has
 * a $1, a `?` is that as well. False with *e (UC_SQL_EMPTY, UC_SQL_MULTI,
 * UC_SQL_TRANSACTION, UC_SQL_CONNECTION, UC_PARAM_COUNT, UC_MEMORY or the
 * server's own code of a syntax error); *s has to be given to pg_sql_fini in
 * any case.
 */
bool pg_sql_read(pg_sql *s, uc_view text, uc_error *e);
void pg_sql_fini(pg_sql *s);
/* What a statement is by the words that it begins with: s->cls. False with *e
 * for one that has none, and for one that nobody may run by itself because it
 * would change what the next caller finds. */
bool pg_sql_classify(pg_sql *s, uc_view text, uc_error *e);

/* Whether a script has a statement that alters the schema. */
bool pg_sql_alters(uc_view text);

/* Where the server's position, a character of the rewritten text from 1, is in
 * the text that was read: a byte, or -1. */
int pg_sql_offset(uc_view text, int64_t position);
/* The byte of a character, counted from 1. */
int pg_char_offset(uc_view text, int64_t position);

/* Several statements, as one transaction. */
typedef struct pg_script {
    uc_view text;
    size_t mark;           /* bytes of a byte order mark in front */
    uint32_t n;            /* statements */
    uc_view begin, commit; /* around all of it; p NULL: it has none */
} pg_script;

/* False with *e and its offset (UC_SQL_TRANSACTION, UC_SQL_CONNECTION,
 * UC_PARAM_TYPE): it has a statement that no script may have. */
bool pg_script_read(pg_script *s, uc_view text, uc_error *e);
/* What is sent, with a NUL: text.len + 1 bytes at most. */
void pg_script_put(const pg_script *s, char *to);
/* Where it failed, in bytes: by the server's position, or, where that is 0,
 * the statement behind the `done` first ones. -1: it cannot be told. */
int pg_script_offset(uc_view text, int64_t position, uint32_t done);

static inline uc_view pg_sql_name(const pg_sql *s, uint32_t i)
{
    uc_view v;

    memcpy(&v, s->names.p + (size_t)(i - 1) * sizeof v, sizeof v);
    return v;
}

#endif

#ifndef UC_CORE_ROUTES_SQL_H
#define UC_CORE_ROUTES_SQL_H

#include "common/view.h"

/*
 * SQL as far as routes have to know it: where a statement ends, what is quoted
 * and what a comment, and the names with a colon. Both engines have to see the
 * same text in it, so what they read differently is refused.
 */
typedef enum uc__sql_kind {
    UC__SQL_END,     /* of the text */
    UC__SQL_FAULT,   /* a text without an end and the like: see fault */
    UC__SQL_COMMENT, /* `--` to the end of the line; the text is behind it */
    UC__SQL_WORD,    /* a keyword or a name */
    UC__SQL_NUMBER,
    UC__SQL_PARAM,  /* :name; the text is the name */
    UC__SQL_QUOTED, /* '…' "…" `…` […] */
    UC__SQL_SIGN    /* one other character, or :: */
} uc__sql_kind;

typedef struct uc__token {
    uc__sql_kind kind;
    uc_view text;
    const uint8_t *from, *to; /* with the colon, or with the -- */
    uint32_t line;            /* where it begins */
    uint32_t gap;             /* ends of lines since what stands before it */
    bool first;               /* on its line */
} uc__token;

typedef struct uc__sql {
    const uint8_t *p, *end;
    uint32_t line;
    bool fresh;        /* nothing has come on this line */
    const char *fault; /* of UC__SQL_FAULT, static */
} uc__sql;

/* line: of the text's beginning. Nothing is copied. */
void uc__sql_begin(uc__sql *s, uc_view text, uint32_t line);
/* Blanks and block comments are skipped. Behind END and FAULT comes nothing. */
void uc__sql_next(uc__sql *s, uc__token *t);

/* A keyword, whatever the case of its letters; word in lower case. */
bool uc__sql_is(const uc__token *t, const char *word);
/* A sign of one character. */
bool uc__sql_sign(const uc__token *t, char c);
/* [A-Za-z_][A-Za-z0-9_]*, at most UC_ROUTE_NAME bytes. */
bool uc__is_name(uc_view v);

#endif

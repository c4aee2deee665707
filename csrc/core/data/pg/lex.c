#include <string.h>

#include "data/pg/sql.h"

/* Tokens of PostgreSQL's SQL. */

static bool is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c >= 0x80;
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_in_word(uint8_t c)
{
    return is_letter(c) || is_digit(c) || c == '$';
}

static bool is_operator(uint8_t c)
{
    return c != 0 && strchr("+-*/<>=~!@#%^&|`?", c) != NULL;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool starts(const pg_lexer *l, const uint8_t *p, const char *what)
{
    size_t n = strlen(what);

    return (size_t)(l->end - p) >= n && memcmp(p, what, n) == 0;
}

static bool is_comment(const pg_lexer *l, const uint8_t *p)
{
    return starts(l, p, "--") || starts(l, p, "/*");
}

/* Behind a comment that may hold others; NULL: it has no end. */
static const uint8_t *skip_block(const pg_lexer *l, const uint8_t *p)
{
    unsigned depth = 0;

    do {
        if (starts(l, p, "/*")) {
            depth++;
            p += 2;
        } else if (starts(l, p, "*/")) {
            depth--;
            p += 2;
        } else if (p < l->end) {
            p++;
        } else {
            return NULL;
        }
    } while (depth > 0);
    return p;
}

/* Behind blanks and comments; NULL: one of these has no end. */
static const uint8_t *skip_blanks(const pg_lexer *l, const uint8_t *p)
{
    for (;;) {
        while (p < l->end && is_blank(*p))
            p++;
        if (starts(l, p, "--")) {
            const uint8_t *q = memchr(p, '\n', (size_t)(l->end - p));

            p = q != NULL ? q : l->end;
        } else if (starts(l, p, "/*")) {
            p = skip_block(l, p);
            if (p == NULL)
                return NULL;
        } else {
            return p;
        }
    }
}

/* Behind the closing quote, of which two are one; p: behind the opening one.
 * escapes: a backslash takes the next one with it. NULL: there is none. */
static const uint8_t *skip_quoted(const pg_lexer *l, const uint8_t *p,
                                  uint8_t quote, bool escapes)
{
    while (p < l->end) {
        if (escapes && *p == '\\' && p + 1 < l->end)
            p += 2;
        else if (*p != quote)
            p++;
        else if (p + 1 < l->end && p[1] == quote)
            p += 2;
        else
            return p + 1;
    }
    return NULL;
}

/* Behind the tag of a dollar quote, $tag$, which p is at; NULL: it is none. */
static const uint8_t *skip_tag(const pg_lexer *l, const uint8_t *p)
{
    const uint8_t *q = p + 1;

    if (q < l->end && is_digit(*q))
        return NULL;
    while (q < l->end && *q != '$' && is_in_word(*q))
        q++;
    return q < l->end && *q == '$' ? q + 1 : NULL;
}

static const uint8_t *skip_dollars(const pg_lexer *l, const uint8_t *p,
                                   const uint8_t *body)
{
    size_t n = (size_t)(body - p);

    while ((size_t)(l->end - body) >= n) {
        body = memchr(body, '$', (size_t)(l->end - body) - n + 1);
        if (body == NULL)
            return NULL;
        if (memcmp(body, p, n) == 0)
            return body + n;
        body++;
    }
    return NULL;
}

static const uint8_t *skip_word(const pg_lexer *l, const uint8_t *p)
{
    while (p < l->end && is_in_word(*p))
        p++;
    return p;
}

/* 1, 1.5, .5, 1e3, 1.e-3, 0x1f, 1_000; what is wrong the server says. */
static const uint8_t *skip_number(const pg_lexer *l, const uint8_t *p)
{
    while (p < l->end && (is_digit(*p) || is_letter(*p) || *p == '.')) {
        bool exponent = *p == 'e' || *p == 'E';

        p++;
        if (exponent && p + 1 < l->end && (*p == '+' || *p == '-') &&
            is_digit(p[1]))
            p++;
    }
    return p;
}

static const uint8_t *skip_operator(const pg_lexer *l, const uint8_t *p)
{
    while (p < l->end && is_operator(*p) && !is_comment(l, p))
        p++;
    return p;
}

/* Whether a word before a quote makes a string of it: e'' b'' x'' n'' u&''. */
static bool is_prefix(const pg_lexer *l, const uint8_t *p, size_t *n,
                      bool *escapes, uint8_t *quote)
{
    uint8_t c = *p | 0x20;

    *escapes = c == 'e';
    *n = 1;
    if (c == 'u' && l->end - p > 2 && p[1] == '&') {
        *n = 2;
        *quote = p[2];
        return *quote == '\'' || *quote == '"';
    }
    *quote = '\'';
    return l->end - p > 1 && p[1] == '\'' &&
           (c == 'e' || c == 'b' || c == 'x' || c == 'n');
}

static pg_token token(pg_lexer *l, pg_token_kind kind, const uint8_t *from,
                      const uint8_t *to)
{
    if (to == NULL) {
        kind = PG_BAD;
        to = l->end;
    }
    l->p = to;
    return (pg_token){kind, {from, (size_t)(to - from)}};
}

static pg_token dollar(pg_lexer *l, const uint8_t *p)
{
    const uint8_t *body = skip_tag(l, p), *q = p + 1;

    if (body != NULL)
        return token(l, PG_STRING, p, skip_dollars(l, p, body));
    while (q < l->end && is_digit(*q))
        q++;
    if (q > p + 1)
        return token(l, PG_PARAM, p, q);
    if (q < l->end && is_letter(*q))
        return token(l, PG_NAMED, p, skip_word(l, q));
    return token(l, PG_OTHER, p, q);
}

pg_token pg_lex(pg_lexer *l)
{
    const uint8_t *from = l->p, *p = skip_blanks(l, from);
    bool escapes;
    uint8_t quote;
    size_t n;

    if (p == NULL)
        return token(l, PG_BAD, from, l->end);
    if (p == l->end)
        return token(l, PG_END, p, p);
    if (is_letter(*p) && is_prefix(l, p, &n, &escapes, &quote))
        return token(l, quote == '"' ? PG_QUOTED : PG_STRING, p,
                     skip_quoted(l, p + n + 1, quote, escapes));
    if (is_letter(*p))
        return token(l, PG_WORD, p, skip_word(l, p));
    if (*p == '\'')
        return token(l, PG_STRING, p, skip_quoted(l, p + 1, '\'', false));
    if (*p == '"')
        return token(l, PG_QUOTED, p, skip_quoted(l, p + 1, '"', false));
    if (*p == '$')
        return dollar(l, p);
    if (is_digit(*p) || (*p == '.' && p + 1 < l->end && is_digit(p[1])))
        return token(l, PG_NUMBER, p, skip_number(l, p));
    if (is_operator(*p))
        return token(l, PG_OPERATOR, p, skip_operator(l, p));
    return token(l, PG_OTHER, p, p + 1);
}

bool pg_token_is(const pg_token *t, const char *word)
{
    size_t n = strlen(word);

    if (t->kind != PG_WORD || t->text.len != n)
        return false;
    for (size_t i = 0; i < n; i++) {
        uint8_t c = t->text.p[i];

        if ((c >= 'A' && c <= 'Z' ? c | 0x20 : c) != (uint8_t)word[i])
            return false;
    }
    return true;
}

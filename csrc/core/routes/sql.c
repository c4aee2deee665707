#include "routes/sql.h"

#include "routes/routes.h"

static bool is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_name(uint8_t c)
{
    return is_letter(c) || is_digit(c);
}

/* What goes on in a keyword or in a name without quotes. */
static bool is_word(uint8_t c)
{
    return is_name(c) || c == '$' || c >= 0x80;
}

bool uc__is_name(uc_view v)
{
    if (v.len == 0 || v.len > UC_ROUTE_NAME || !is_letter(v.p[0]))
        return false;
    for (size_t i = 1; i < v.len; i++)
        if (!is_name(v.p[i]))
            return false;
    return true;
}

void uc__sql_begin(uc__sql *s, uc_view text, uint32_t line)
{
    *s = (uc__sql){text.p, text.len > 0 ? text.p + text.len : text.p, line,
                   true, NULL};
}

bool uc__sql_is(const uc__token *t, const char *word)
{
    if (t->kind != UC__SQL_WORD || t->text.len != strlen(word))
        return false;
    for (size_t i = 0; i < t->text.len; i++) {
        uint8_t c = t->text.p[i];

        if ((c >= 'A' && c <= 'Z' ? c | 0x20 : c) != word[i])
            return false;
    }
    return true;
}

bool uc__sql_sign(const uc__token *t, char c)
{
    return t->kind == UC__SQL_SIGN && t->text.len == 1 &&
           t->text.p[0] == (uint8_t)c;
}

static uc__sql_kind fault(uc__sql *s, const char *why)
{
    s->fault = why;
    s->p = s->end;
    return UC__SQL_FAULT;
}

/* The character n places on; 0 behind the end. */
static uint8_t at(const uc__sql *s, size_t n)
{
    return n < (size_t)(s->end - s->p) ? s->p[n] : 0;
}

static void over_line(uc__sql *s, uc__token *t)
{
    s->p++;
    s->line++;
    s->fresh = true;
    t->gap++;
}

/* PostgreSQL's comments nest, SQLite's do not. */
static bool skip_comment(uc__sql *s, uc__token *t)
{
    t->line = s->line;
    for (s->p += 2; s->p < s->end;) {
        if (at(s, 0) == '*' && at(s, 1) == '/') {
            s->p += 2;
            s->fresh = false;
            return true;
        }
        if (at(s, 0) == '/' && at(s, 1) == '*') {
            fault(s, "a comment within a comment");
            return false;
        }
        if (*s->p == '\n')
            over_line(s, t);
        else
            s->p++;
    }
    fault(s, "this comment has no */");
    return false;
}

static bool skip_blanks(uc__sql *s, uc__token *t)
{
    while (s->p < s->end) {
        uint8_t c = *s->p;

        if (c == '\n') {
            over_line(s, t);
        } else if (c == ' ' || c == '\t' || c == '\r' || c == '\f') {
            s->p++;
        } else if (c == '/' && at(s, 1) == '*') {
            if (!skip_comment(s, t))
                return false;
        } else {
            break;
        }
    }
    return true;
}

static uc__sql_kind quoted(uc__sql *s, uint8_t closing)
{
    while (++s->p < s->end) {
        if (*s->p == '\n')
            s->line++;
        if (*s->p != closing)
            continue;
        if (closing == ']' || at(s, 1) != closing) {
            s->p++;
            return UC__SQL_QUOTED;
        }
        s->p++; /* twice: it stands for itself */
    }
    switch (closing) {
    case '\'':
        return fault(s, "this text has no closing '");
    case '"':
        return fault(s, "this name has no closing \"");
    case '`':
        return fault(s, "this name has no closing `");
    default:
        return fault(s, "this [ has no ]");
    }
}

static uc__sql_kind word(uc__sql *s)
{
    const uint8_t *from = s->p;

    while (is_word(at(s, 0)))
        s->p++;
    if (at(s, 0) == '\'' && s->p - from == 1 && (*from | 0x20) == 'e')
        return fault(s, "a text with backslashes (E'...') is not for routes: "
                        "bind it as a parameter");
    return UC__SQL_WORD;
}

static uc__sql_kind number(uc__sql *s)
{
    while (is_name(at(s, 0)) || at(s, 0) == '.')
        s->p++;
    return UC__SQL_NUMBER;
}

static uc__sql_kind colon(uc__sql *s)
{
    s->p++;
    if (at(s, 0) == ':') { /* PostgreSQL's cast */
        s->p++;
        return UC__SQL_SIGN;
    }
    if (is_digit(at(s, 0)))
        return fault(s, "a parameter has a name, not a number");
    if (!is_word(at(s, 0)))
        return UC__SQL_SIGN;
    while (is_name(at(s, 0)))
        s->p++;
    if (is_word(at(s, 0)))
        return fault(s, "a parameter's name has letters, digits and _");
    return UC__SQL_PARAM;
}

/* Parameters and quotes that one of the engines knows and the other does not.
 */
static uc__sql_kind foreign(uc__sql *s)
{
    if (*s->p == '$')
        return fault(s, "a '$' outside of a text: parameters are written "
                        ":name");
    if (*s->p == '?')
        return fault(s, "a '?' outside of a text: parameters are written "
                        ":name");
    if (is_letter(at(s, 1)))
        return fault(s, "a '@' before a name: parameters are written :name");
    s->p++;
    return UC__SQL_SIGN;
}

static uc__sql_kind line_comment(uc__sql *s)
{
    const uint8_t *nl = memchr(s->p, '\n', (size_t)(s->end - s->p));

    s->p = nl != NULL ? nl : s->end;
    return UC__SQL_COMMENT;
}

static uc__sql_kind one(uc__sql *s)
{
    uint8_t c = *s->p;

    switch (c) {
    case '\'':
    case '"':
    case '`':
        return quoted(s, c);
    case '[':
        return quoted(s, ']');
    case ':':
        return colon(s);
    case '$':
    case '?':
    case '@':
        return foreign(s);
    case '-':
        if (at(s, 1) == '-')
            return line_comment(s);
        break;
    default:
        if (is_digit(c))
            return number(s);
        if (is_word(c))
            return word(s);
    }
    s->p++;
    return UC__SQL_SIGN;
}

void uc__sql_next(uc__sql *s, uc__token *t)
{
    size_t skipped;

    *t = (uc__token){.kind = UC__SQL_FAULT};
    if (!skip_blanks(s, t))
        return;
    t->line = s->line;
    t->first = s->fresh;
    t->from = t->to = s->p;
    t->kind = s->p < s->end ? one(s) : UC__SQL_END;
    t->to = s->p;
    s->fresh = false;
    skipped = t->kind == UC__SQL_COMMENT ? 2 : t->kind == UC__SQL_PARAM;
    t->text = (uc_view){t->from + skipped, (size_t)(t->to - t->from) - skipped};
}

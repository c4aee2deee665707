#include "data/pg/sql.h"

#include <string.h>

/*
 * Parameters by any of their forms become $n. As in SQLite a `?` and a name
 * that has not been seen yet take the number behind the highest one so far.
 */

typedef struct rewrite {
    pg_sql *s;
    pg_lexer l;
    const uint8_t *done; /* up to here the text has been copied */
    bool numbered;       /* it has a $1: a `?` is an operator */
    bool over;           /* behind its `;` */
    unsigned brackets;   /* that are open: a[1:2] */
    bool value;          /* the last token ends a value */
    size_t watch;        /* a place in what is written */
    const uint8_t *seen; /* where that comes from */
    uc_error *e;
} rewrite;

/* ---- numbers and names ---- */

static uc_view *name_at(pg_sql *s, uint32_t i)
{
    return (uc_view *)(void *)s->names.p + (i - 1);
}

static bool reach(rewrite *w, uint32_t n)
{
    static const uc_view none;
    pg_sql *s = w->s;

    if (n == 0 || n > PG_PARAMS)
        return uc_fail(w->e, UC_PARAM_COUNT,
                       "parameters have the numbers 1 to %d", PG_PARAMS);
    for (; s->nparams < n; s->nparams++)
        uc_buf_put(&s->names, &none, sizeof none);
    return !s->names.failed ||
           uc_fail(w->e, UC_MEMORY, "no memory for a statement");
}

static uint32_t number_of(const pg_sql *s, uc_view name)
{
    for (uint32_t i = 1; i <= s->nparams; i++) {
        if (uc_view_same(pg_sql_name(s, i), name))
            return i;
    }
    return 0;
}

static uint32_t digits(const uint8_t *p, const uint8_t *end)
{
    uint32_t n = 0;

    for (; p < end && n <= PG_PARAMS; p++)
        n = n * 10 + (uint32_t)(*p - '0');
    return n;
}

/* ---- writing ---- */

static void copy_up_to(rewrite *w, const uint8_t *p)
{
    size_t n = (size_t)(p - w->done), at = w->s->text.len;

    if (w->seen == NULL && w->watch < at + n)
        w->seen = w->done + (w->watch > at ? w->watch - at : 0);
    uc_buf_put(&w->s->text, w->done, n);
    w->done = p;
}

/* A $1 right behind a word would be a part of it: `select?`. */
static bool follows_word(const rewrite *w)
{
    const uc_buf *b = &w->s->text;
    uint8_t c = b->len > 0 ? b->p[b->len - 1] : ' ';

    return c == '$' || c == '_' || c >= 0x80 || (c >= '0' && c <= '9') ||
           (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool begins_name(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c >= 0x80;
}

/* What stands from `from` to `to` is parameter n. */
static bool put_param(rewrite *w, const uint8_t *from, const uint8_t *to,
                      uint32_t n)
{
    char digit[12];
    size_t i = sizeof digit;

    if (!reach(w, n))
        return false;
    copy_up_to(w, from);
    /* `select?` is a statement, and select$1 a word. */
    if (follows_word(w))
        uc_buf_byte(&w->s->text, ' ');
    if (w->seen == NULL && w->watch == w->s->text.len)
        w->seen = from;
    for (; n > 0; n /= 10)
        digit[--i] = (char)('0' + n % 10);
    digit[--i] = '$';
    uc_buf_put(&w->s->text, digit + i, sizeof digit - i);
    w->done = to;
    if (to < w->l.end && ((*to >= '0' && *to <= '9') || begins_name(*to)))
        uc_buf_byte(&w->s->text, ' ');
    return true;
}

static bool put_named(rewrite *w, const uint8_t *from, uc_view name)
{
    uint32_t n = number_of(w->s, name);

    if (n == 0) {
        n = w->s->nparams + 1;
        if (!reach(w, n))
            return false;
        *name_at(w->s, n) = name;
    }
    return put_param(w, from, name.p + name.len, n);
}

/* ---- forms ---- */

/* :name; a colon behind a value within brackets is that of a slice. */
static bool colon(rewrite *w, const pg_token *t)
{
    const uint8_t *p = t->text.p;
    pg_token name;

    if (w->l.p < w->l.end && (*w->l.p == ':' || *w->l.p == '=')) {
        w->l.p++; /* a cast, or := of a named argument */
        return true;
    }
    if (w->l.p == w->l.end || !begins_name(*w->l.p) ||
        (w->brackets > 0 && w->value))
        return true;
    name = pg_lex(&w->l);
    if (name.kind != PG_WORD)
        return true;
    w->value = true;
    return put_named(w, p, name.text);
}

/* Operators that a parameter may stand behind without a blank: `a=?`, `a<=@b`.
 * Of `<@` it is `<` alone that is not for an @. */
static bool may_precede(uc_view op, uint8_t sign)
{
    static const char *const before[] = {
        "",  "=", "<>", "!=", ">=", "<=", ">",  "<",
        "+", "-", "*",  "/",  "||", "%",  "->", "->>"};

    if (sign == '@' && uc_view_is(op, "<"))
        return false;
    for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
        if (uc_view_is(op, before[i]))
            return true;
    }
    return false;
}

/* A `?` at p, maybe with a number. */
static bool question(rewrite *w, const uint8_t *p)
{
    const uint8_t *q = p + 1;
    uint32_t n;

    while (q < w->l.end && *q >= '0' && *q <= '9')
        q++;
    n = q > p + 1 ? digits(p + 1, q) : w->s->nparams + 1;
    w->l.p = q;
    w->value = true;
    return put_param(w, p, q, n);
}

/* ?? is one operator's `?`. */
static bool doubled(rewrite *w, const uint8_t *p)
{
    copy_up_to(w, p + 1);
    w->done = p + 2;
    return true;
}

static bool op_with_question(rewrite *w, const pg_token *t, const uint8_t *mark)
{
    uc_view before = {t->text.p, (size_t)(mark - t->text.p)};
    const uint8_t *end = t->text.p + t->text.len;

    if (w->numbered)
        return true;
    if (mark + 1 < end && mark[1] == '?')
        return doubled(w, mark);
    if (!may_precede(before, '?'))
        return true;
    return question(w, mark);
}

static bool operator(rewrite *w, const pg_token *t)
{
    const uint8_t *end = t->text.p + t->text.len;
    const uint8_t *mark = memchr(t->text.p, '?', t->text.len);
    uc_view before = {t->text.p, t->text.len - 1};
    pg_token name;

    w->value = false;
    if (mark != NULL)
        return op_with_question(w, t, mark);
    if (end[-1] != '@' || end == w->l.end || !begins_name(*end) ||
        !may_precede(before, '@'))
        return true;
    name = pg_lex(&w->l);
    if (name.kind != PG_WORD)
        return true;
    w->value = true;
    return put_named(w, end - 1, name.text);
}

/* ---- the whole ---- */

static bool other(rewrite *w, const pg_token *t)
{
    switch (*t->text.p) {
    case ':':
        return colon(w, t);
    case '[':
        w->brackets++;
        break;
    case ']':
        w->brackets -= w->brackets > 0;
        w->value = true;
        return true;
    case ')':
        w->value = true;
        return true;
    case ';':
        w->over = true;
        copy_up_to(w, t->text.p);
        break;
    default:
        break;
    }
    w->value = false;
    return true;
}

static bool take(rewrite *w, const pg_token *t)
{
    switch (t->kind) {
    case PG_PARAM:
        w->value = true;
        return reach(w, digits(t->text.p + 1, t->text.p + t->text.len));
    case PG_NAMED:
        w->value = true;
        return put_named(w, t->text.p,
                         (uc_view){t->text.p + 1, t->text.len - 1});
    case PG_OPERATOR:
        return operator(w, t);
    case PG_OTHER:
        return other(w, t);
    default:
        w->value = true;
        return true;
    }
}

/* Whether it has a parameter in PostgreSQL's own form. */
static bool has_number(uc_view text)
{
    pg_lexer l = {text.p, text.p + text.len};
    pg_token t;

    do
        t = pg_lex(&l);
    while (t.kind != PG_END && t.kind != PG_BAD && t.kind != PG_PARAM);
    return t.kind == PG_PARAM;
}

static bool finish(rewrite *w)
{
    pg_sql *s = w->s;

    if (!w->over)
        copy_up_to(w, w->l.end);
    uc_buf_byte(&s->text, '\0');
    return !s->text.failed ||
           uc_fail(w->e, UC_MEMORY, "no memory for a statement");
}

static bool rewrite_all(rewrite *w)
{
    for (;;) {
        pg_token t = pg_lex(&w->l);

        /* What has no end the server says better, and by its place. */
        if (t.kind == PG_END || t.kind == PG_BAD)
            return finish(w);
        if (w->over && !(t.kind == PG_OTHER && *t.text.p == ';'))
            return uc_fail(w->e, UC_SQL_MULTI,
                           "more than one statement: db.exec() runs scripts");
        if (!take(w, &t))
            return false;
    }
}

static bool read(rewrite *w, uc_view text)
{
    pg_sql *s = w->s;

    w->l = (pg_lexer){text.p, text.p + text.len};
    w->done = text.p;
    memset(s, 0, sizeof *s);
    uc_buf_init(&s->text, SIZE_MAX);
    uc_buf_init(&s->names, SIZE_MAX);
    if (memchr(text.p, 0, text.len) != NULL)
        return uc_fail(w->e, UC_PARAM_TYPE, "the text has a NUL in it");
    w->numbered = has_number(text);
    return pg_sql_classify(s, text, w->e) && rewrite_all(w);
}

bool pg_sql_read(pg_sql *s, uc_view text, uc_error *e)
{
    rewrite w = {.s = s, .e = e, .watch = SIZE_MAX};

    return read(&w, text);
}

int pg_char_offset(uc_view text, int64_t position)
{
    size_t i = 0;

    while (i < text.len && position > 1) {
        i++;
        while (i < text.len && (text.p[i] & 0xc0) == 0x80)
            i++;
        position--;
    }
    return (int)i;
}

/* It is found by reading the text once more: of a statement that fails. */
int pg_sql_offset(uc_view text, int64_t position)
{
    pg_sql s;
    uc_error ignored;
    rewrite w = {.s = &s, .e = &ignored, .watch = SIZE_MAX};
    int at = -1;

    if (position <= 0)
        return -1;
    if (read(&w, text)) {
        w.watch = (size_t)pg_char_offset((uc_view){s.text.p, s.text.len - 1},
                                         position);
        pg_sql_fini(&s);
        w = (rewrite){.s = &s, .e = &ignored, .watch = w.watch};
        read(&w, text);
        at = w.seen != NULL ? (int)(w.seen - text.p) : (int)text.len;
    }
    pg_sql_fini(&s);
    return at;
}

void pg_sql_fini(pg_sql *s)
{
    uc_buf_fini(&s->text);
    uc_buf_fini(&s->names);
}

/* What a name of a statement's own stands for. */
#include "routes/routes.h"
#include "routes/sql.h"

static bool next_word(uc__sql *lex, uc__token *t)
{
    do
        uc__sql_next(lex, t);
    while (t->kind == UC__SQL_COMMENT);
    return t->kind != UC__SQL_END && t->kind != UC__SQL_FAULT;
}

/* Without its quotes. */
static uc_view name_of(const uc__token *t)
{
    uc_view v = {t->from, (size_t)(t->to - t->from)};

    if (t->kind == UC__SQL_QUOTED && v.len >= 2)
        v = (uc_view){v.p + 1, v.len - 2};
    return v;
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 'a' - 'A') : c;
}

static bool is_name(uc_view v, const char *name)
{
    if (v.len != strlen(name))
        return false;
    for (size_t i = 0; i < v.len; i++) {
        if (lower(v.p[i]) != lower((uint8_t)name[i]))
            return false;
    }
    return true;
}

bool uc_sql_before(uc_view sql, size_t *at, const char *alias, uc_view *name)
{
    uc_view before = {0};
    uc__token t;
    uc__sql lex;

    uc__sql_begin(&lex, (uc_view){sql.p + *at, sql.len - *at}, 1);
    while (next_word(&lex, &t)) {
        if (uc__sql_is(&t, "as"))
            continue;
        if (before.p != NULL && is_name(name_of(&t), alias)) {
            *name = before;
            *at = (size_t)(t.from - sql.p);
            return true;
        }
        before = name_of(&t);
    }
    return false;
}

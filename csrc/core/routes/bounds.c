#include "routes/bounds.h"

typedef struct look {
    uc__sql sql;
    uc__token before, now, next;
    int depth;  /* of parentheses */
    bool piece; /* within { } */
    bool aggregate;
    bool several; /* grouped, compound, a window: no longer one row */
    bool of_two;  /* within min( or max(, which are scalars with two values */
    bool values;  /* the keyword */
    bool selects; /* the same */
    enum {
        SOURCE_UNKNOWN,
        SOURCE_BEGUN,   /* `from (`, within it */
        SOURCE_LIMITED, /* its last is a limit */
        SOURCE_ENDED,   /* all rows come from it, as far as is known */
        SOURCE_OTHER
    } source;
} look;

uc__verb uc__verb_of(const uc__token *t)
{
    static const struct {
        const char *word;
        uc__verb verb;
    } verbs[] = {
        {"select", UC__VERB_SELECT}, {"values", UC__VERB_VALUES},
        {"insert", UC__VERB_INSERT}, {"update", UC__VERB_UPDATE},
        {"delete", UC__VERB_DELETE},
    };

    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (uc__sql_is(t, verbs[i].word))
            return verbs[i].verb;
    return UC__VERB_OTHER;
}

static bool is_any(const uc__token *t, const char *const *words)
{
    for (; *words != NULL; words++)
        if (uc__sql_is(t, *words))
            return true;
    return false;
}

static bool is_aggregate(const uc__token *t)
{
    static const char *const words[] = {"count",
                                        "sum",
                                        "total",
                                        "avg",
                                        "min",
                                        "max",
                                        "string_agg",
                                        "array_agg",
                                        "group_concat",
                                        "json_agg",
                                        "jsonb_agg",
                                        "json_object_agg",
                                        "bool_and",
                                        "bool_or",
                                        "jsonb_object_agg",
                                        "every",
                                        "json_group_array",
                                        "json_group_object",
                                        "jsonb_group_array",
                                        "jsonb_group_object",
                                        NULL};

    return is_any(t, words);
}

static void step(look *l)
{
    l->before = l->now;
    l->now = l->next;
    do
        uc__sql_next(&l->sql, &l->next);
    while (l->next.kind == UC__SQL_COMMENT);
}

static void count(const uc__token *t, uc__bounds *b)
{
    b->limited = UC__LIMIT_UNKNOWN;
    if (t->kind == UC__SQL_PARAM) {
        b->limited = UC__LIMIT_PARAM;
        b->limit = t->text;
    } else if (t->kind == UC__SQL_NUMBER) {
        b->limited = UC__LIMIT_NUMBER;
        for (size_t i = 0; i < t->text.len; i++)
            if (t->text.p[i] < '0' || t->text.p[i] > '9')
                b->limited = UC__LIMIT_UNKNOWN;
    }
}

/* limit count, limit count offset skip, limit skip, count */
static void limit(look *l, uc__bounds *b)
{
    static const char *const goes_on[] = {"offset", "for", NULL};

    count(&l->next, b);
    if (l->piece)
        b->limited = UC__LIMIT_PIECE;
    if (b->limited != UC__LIMIT_NUMBER && b->limited != UC__LIMIT_PARAM)
        return;
    step(l);
    if (uc__sql_sign(&l->next, ',')) {
        step(l);
        count(&l->next, b);
        if (b->limited == UC__LIMIT_UNKNOWN)
            return;
        step(l);
    }
    if (l->next.kind != UC__SQL_END && !is_any(&l->next, goes_on))
        b->limited = UC__LIMIT_UNKNOWN;
}

/* A query in parentheses is all that rows come from: there are no more than its
 * own limit says. */
static void from(look *l, uc__bounds *b)
{
    bool first = l->source == SOURCE_UNKNOWN && !b->from && !l->piece;

    b->from = true;
    l->source =
        first && uc__sql_sign(&l->next, '(') ? SOURCE_BEGUN : SOURCE_OTHER;
}

static void limit_within(look *l)
{
    uc__bounds b = {0};

    count(&l->next, &b);
    step(l);
    if (b.limited == UC__LIMIT_NUMBER && uc__sql_sign(&l->next, ')') &&
        !l->piece)
        l->source = SOURCE_LIMITED;
}

static bool is_refuse(const uc__token *t)
{
    return uc__sql_is(t, "refuse") ||
           (t->kind == UC__SQL_QUOTED && uc_view_is(t->text, "\"refuse\""));
}

static void keyword(look *l, uc__bounds *b)
{
    static const char *const more_rows[] = {
        "group", "union", "intersect", "except", "over", "window", NULL};
    static const char *const more_sources[] = {"join", "union", "intersect",
                                               "except", NULL};
    const uc__token *t = &l->now;

    if (is_any(t, more_sources))
        l->source = SOURCE_OTHER;
    if (b->verb == UC__VERB_OTHER)
        b->verb = uc__sql_is(t, "replace") ? UC__VERB_INSERT : uc__verb_of(t);
    if (uc__sql_is(t, "select"))
        l->selects = true;
    else if (uc__sql_is(t, "values"))
        l->values = true;
    else if (uc__sql_is(t, "from"))
        from(l, b);
    else if (uc__sql_is(t, "order") && uc__sql_is(&l->next, "by"))
        b->ordered = true;
    else if (uc__sql_is(t, "limit"))
        limit(l, b);
    else if (uc__sql_is(t, "fetch") && b->limited == UC__LIMIT_NONE)
        b->limited = UC__LIMIT_UNKNOWN;
    else if (uc__sql_is(t, "as") && is_refuse(&l->next))
        b->refuses = b->verb == UC__VERB_SELECT && !b->from;
    else if (is_any(t, more_rows))
        l->several = true;
    else if (uc__sql_is(&l->before, "select") && is_aggregate(t) &&
             uc__sql_sign(&l->next, '(')) {
        l->aggregate = true;
        l->of_two = uc__sql_is(t, "min") || uc__sql_is(t, "max");
    }
}

static void source_sign(look *l, const uc__bounds *b)
{
    if (uc__sql_sign(&l->now, ')') && l->depth == 0) {
        if (l->source == SOURCE_LIMITED)
            l->source = SOURCE_ENDED;
        else if (l->source == SOURCE_BEGUN)
            l->source = SOURCE_OTHER;
    } else if (uc__sql_sign(&l->now, ',') && l->depth == 0 &&
               l->source == SOURCE_ENDED && !b->ordered) {
        l->source = SOURCE_OTHER;
    }
}

static void sign(look *l, const uc__bounds *b)
{
    const uc__token *t = &l->now;

    if (uc__sql_sign(t, '{') || uc__sql_sign(t, '}'))
        l->piece = uc__sql_sign(t, '{');
    if (uc__sql_sign(t, '('))
        l->depth++;
    else if (uc__sql_sign(t, ')') && --l->depth == 0)
        l->of_two = false;
    else if (uc__sql_sign(t, ',') && l->depth == 1 && l->of_two)
        l->aggregate = false;
    source_sign(l, b);
}

void uc__bounds_of(uc_view sql, uc__bounds *b)
{
    look l = {0};

    *b = (uc__bounds){0};
    uc__sql_begin(&l.sql, sql, 1);
    step(&l);
    if (uc__sql_sign(&l.next, '(')) {
        b->verb = UC__VERB_SELECT;
        b->from = true;
    }
    for (step(&l); l.now.kind != UC__SQL_END && l.now.kind != UC__SQL_FAULT;
         step(&l)) {
        if (l.now.kind == UC__SQL_SIGN)
            sign(&l, b);
        else if (l.depth == 1 && l.source == SOURCE_BEGUN &&
                 uc__sql_is(&l.now, "limit"))
            limit_within(&l);
        else if (l.now.kind == UC__SQL_WORD && l.depth == 0 &&
                 !uc__sql_sign(&l.before, '.'))
            keyword(&l, b);
    }
    b->few = (l.values && !l.selects &&
              (b->verb == UC__VERB_VALUES || b->verb == UC__VERB_INSERT)) ||
             (b->verb == UC__VERB_SELECT && l.aggregate && !l.several);
    b->within = b->verb == UC__VERB_SELECT && l.source == SOURCE_ENDED;
}

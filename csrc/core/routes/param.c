#include "routes/param.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/near.h"
#include "routes/value.h"

/* The parts of a declaration that may stand in any order behind the type. */
typedef struct parts {
    bool ranged;
    bool has_preset;
    uc_view preset;
} parts;

static const struct {
    const char *name;
    uc_param_type type;
    bool ranged;
} types[] = {
    {"text", UC_PARAM_TEXT, true},    {"integer", UC_PARAM_INTEGER, true},
    {"real", UC_PARAM_REAL, true},    {"boolean", UC_PARAM_BOOLEAN, false},
    {"time", UC_PARAM_TIME, false},   {"uuid", UC_PARAM_UUID, false},
    {"json", UC_PARAM_JSON, false},   {"blob", UC_PARAM_BLOB, true},
    {"words", UC_PARAM_WORDS, false}, /* never by this name: 'a'|'b' */
};

enum { TYPES = sizeof types / sizeof types[0] };

__attribute__((format(printf, 3, 4))) static bool
wrong(uc__reading *r, const uc_param *p, const char *fmt, ...)
{
    char sentence[300];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(sentence, sizeof sentence, fmt, ap);
    va_end(ap);
    return uc__wrong(r, r->line, "@%s %.*s: %s", p->header ? "header" : "param",
                     UC__SHOW(p->header ? p->in_header : p->name), sentence);
}

/* ---- the type ---- */

static bool unknown_type(uc__reading *r, const uc_param *p, uc_view word)
{
    uc_near near;

    uc_near_init(&near, word);
    for (int i = 0; i < TYPES - 1; i++)
        uc_near_try_text(&near, types[i].name);
    if (near.best.p != NULL)
        return wrong(r, p, "unknown type '%.*s': did you mean '%.*s'?",
                     UC__SHOW(word), UC__SHOW(near.best));
    return wrong(r, p,
                 "unknown type '%.*s': there are text, integer, real, "
                 "boolean, time, uuid, json, blob and 'a'|'b'",
                 UC__SHOW(word));
}

static bool one_word(uc__reading *r, uc__line *l, uc_param *p, uc_view *words)
{
    uc_view *w = &words[p->nwords];

    if (!uc__line_quoted(l, r->mem, w))
        return wrong(r, p, "a word of the list has no closing '");
    if (w->p == NULL)
        return uc__no_memory(r);
    if (w->len == 0 || w->len > UC_ROUTE_NAME)
        return wrong(r, p, "a word of the list has 1 to %d bytes",
                     UC_ROUTE_NAME);
    for (uint32_t i = 0; i < p->nwords; i++)
        if (uc_view_same(words[i], *w))
            return wrong(r, p, "'%.*s' stands twice in the list", UC__SHOW(*w));
    p->nwords++;
    return true;
}

/* 'new'|'paid', and [] behind it. */
static bool list_of_words(uc__reading *r, uc__line *l, uc_param *p)
{
    uc_view words[UC_ROUTE_WORDS], *copy, rest;

    p->type = UC_PARAM_WORDS;
    for (;; l->p++) {
        if (p->nwords == UC_ROUTE_WORDS)
            return wrong(r, p, "a list has at most %d words", UC_ROUTE_WORDS);
        if (l->p >= l->end || *l->p != '\'')
            return wrong(r, p, "a word in quotes has to follow the '|'");
        if (!one_word(r, l, p, words))
            return false;
        if (l->p >= l->end || *l->p != '|')
            break;
    }
    copy = uc_arena_calloc(r->mem, p->nwords, sizeof *copy);
    if (copy == NULL)
        return uc__no_memory(r);
    memcpy(copy, words, p->nwords * sizeof *copy);
    p->words = copy;
    if (l->end - l->p >= 2 && l->p[0] == '[' && l->p[1] == ']') {
        p->list = true;
        l->p += 2;
    }
    rest = uc__line_peek(l);
    if (rest.len > 0 && rest.p == l->p && rest.p[-1] != ' ' &&
        rest.p[-1] != '\t')
        return wrong(r, p, "'%.*s' directly behind the list of words",
                     UC__SHOW(rest));
    return true;
}

static bool type(uc__reading *r, uc__line *l, uc_param *p)
{
    uc_view word = uc__line_peek(l), name = word;

    if (word.len == 0)
        return wrong(r, p, "it has no type");
    if (word.p[0] == '\'')
        return list_of_words(r, l, p);
    uc__line_word(l);
    if (name.len > 2 && memcmp(name.p + name.len - 2, "[]", 2) == 0) {
        p->list = true;
        name.len -= 2;
    }
    for (int i = 0; i < TYPES - 1; i++) {
        if (uc_view_is(name, types[i].name)) {
            p->type = types[i].type;
            return true;
        }
    }
    return unknown_type(r, p, name);
}

static const char *type_name(const uc_param *p)
{
    for (int i = 0; i < TYPES - 1; i++)
        if (types[i].type == p->type)
            return types[i].name;
    return "list of words";
}

/* ---- the range ---- */

static bool is_range(uc_view w)
{
    uint8_t c = w.len > 0 ? w.p[0] : 0;

    if (c != '.' && c != '-' && c != '+' && (c < '0' || c > '9'))
        return false;
    for (size_t i = 0; i + 1 < w.len; i++)
        if (w.p[i] == '.' && w.p[i + 1] == '.')
            return true;
    return false;
}

static void split(uc_view w, uc_view *lo, uc_view *hi)
{
    size_t i = 0;

    while (w.p[i] != '.' || w.p[i + 1] != '.')
        i++;
    *lo = (uc_view){w.p, i};
    *hi = (uc_view){w.p + i + 2, w.len - i - 2};
}

bool uc__range_of(uc_view v, int64_t *least, int64_t *most)
{
    uc_view lo, hi;

    if (!is_range(v))
        return false;
    split(v, &lo, &hi);
    return uc__int_of(lo, least) && uc__int_of(hi, most);
}

/* A bound of reals is what a caller could have written. */
static bool real_of(uc__reading *r, uc_view v, double *d)
{
    static const uc_param real = {.type = UC_PARAM_REAL};
    uc_view why;
    uc_arg arg;

    if (!uc_value_of_text(&real, v, r->mem, &arg, &why))
        return false;
    *d = arg.type == UC_ARG_INT ? (double)arg.i : arg.d;
    return true;
}

static bool bound(uc__reading *r, uc_param *p, uc_view v, bool *has, int64_t *n,
                  double *d)
{
    bool real = p->type == UC_PARAM_REAL && !p->list;

    *has = v.len > 0;
    if (!*has || (real ? real_of(r, v, d) : uc__int_of(v, n)))
        return true;
    return r->mem->failed
               ? uc__no_memory(r)
               : wrong(r, p, "'%.*s' in its range is no %s", UC__SHOW(v),
                       real ? "number" : "whole number");
}

/* Of what is counted. Where a range has no end a list and a text have one all
 * the same. */
static bool counted(uc__reading *r, const uc_param *p)
{
    int64_t most = p->list                    ? UC_ROUTE_LIST
                   : p->type == UC_PARAM_TEXT ? UC_ROUTE_TEXT
                                              : INT64_MAX;

    if ((p->has_least && p->least < 0) || (p->has_most && p->most < 0))
        return wrong(r, p, "its range counts, and nothing counts less than 0");
    if (p->has_least && !p->has_most && p->least > most)
        return wrong(r, p,
                     "its range begins behind %lld, where one without an end "
                     "ends",
                     (long long)most);
    return true;
}

static bool range(uc__reading *r, uc_param *p, uc_view w)
{
    bool ranged = p->list;
    uc_view lo, hi;

    for (int i = 0; i < TYPES; i++)
        ranged = ranged || (types[i].type == p->type && types[i].ranged);
    if (!ranged)
        return wrong(r, p, "a %s has no range", type_name(p));
    split(w, &lo, &hi);
    if (lo.len == 0 && hi.len == 0)
        return wrong(r, p, "the range '..' has neither end");
    if (!bound(r, p, lo, &p->has_least, &p->least, &p->least_real) ||
        !bound(r, p, hi, &p->has_most, &p->most, &p->most_real))
        return false;
    if (p->has_least && p->has_most &&
        (p->least > p->most || p->least_real > p->most_real))
        return wrong(r, p, "the range %.*s ends before it begins", UC__SHOW(w));
    if (p->list || p->type == UC_PARAM_TEXT || p->type == UC_PARAM_BLOB)
        return counted(r, p);
    return true;
}

/* ---- the rest of the line ---- */

static bool twice(uc__reading *r, const uc_param *p, const char *what)
{
    return wrong(r, p, "%s stands twice", what);
}

/* `= 10`, `= 'two words'`. l is at the equals sign. */
static bool preset(uc__reading *r, uc__line *l, const uc_param *p, parts *has)
{
    if (has->has_preset)
        return twice(r, p, "the value behind '='");
    has->has_preset = true;
    l->p++;
    has->preset = uc__line_peek(l);
    if (has->preset.len == 0)
        return wrong(r, p, "no value behind '='");
    if (has->preset.p[0] != '\'') {
        uc__line_word(l);
        if (uc_view_is(has->preset, "null"))
            return wrong(r, p, "null is what an absent one ('?') is");
        return true;
    }
    if (!uc__line_quoted(l, r->mem, &has->preset))
        return wrong(r, p, "the value behind '=' has no closing '");
    return has->preset.p != NULL || uc__no_memory(r);
}

static bool once(uc__reading *r, const uc_param *p, bool *flag,
                 const char *what)
{
    if (*flag)
        return twice(r, p, what);
    *flag = true;
    return true;
}

static bool begins_words(uc_view w)
{
    uint8_t c = w.p[0];

    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '(' ||
           c >= 0x80;
}

/* The words to the end of the line. What would have meant something in front of
 * them is refused: a range that is not looked at is worse than none. */
static bool words(uc__reading *r, uc__line *l, uc_param *p)
{
    uc_view w = uc__line_peek(l);
    uc__line look;

    if (w.len > 0 && !begins_words(w))
        return wrong(r, p, "'%.*s' is no range, no value and no word",
                     UC__SHOW(w));
    look = *l;
    p->about = uc__line_rest(l);
    while ((w = uc__line_word(&look)).len > 0)
        if (is_range(w) || w.p[0] == '@' || uc_view_is(w, "?"))
            return wrong(r, p, "'%.*s' has to stand before the words",
                         UC__SHOW(w));
    return true;
}

static bool modifiers(uc__reading *r, uc__line *l, uc_param *p, parts *has)
{
    for (;;) {
        uc_view w = uc__line_peek(l);
        bool fine;

        if (w.len > 0 && w.p[0] == '=') {
            if (!preset(r, l, p, has))
                return false;
            continue;
        }
        if (uc_view_is(w, "?"))
            fine = once(r, p, &p->optional, "'?'");
        else if (uc_view_is(w, "secret"))
            fine = once(r, p, &p->secret, "'secret'");
        else if (uc_view_is(w, "@clamp"))
            fine = once(r, p, &p->clamp, "@clamp");
        else if (is_range(w))
            fine = once(r, p, &has->ranged, "the range") && range(r, p, w);
        else
            return words(r, l, p);
        if (!fine)
            return false;
        uc__line_word(l);
    }
}

/* The bounds hold for a preset as well, whatever is clamped of a caller's. */
static bool set_preset(uc__reading *r, uc_param *p, const parts *has)
{
    uc_param strict = *p;
    uc_view why = {0};

    strict.clamp = false;
    if (!has->has_preset)
        return true;
    if (p->optional)
        return wrong(r, p,
                     "it has '?' and a value behind '=', which it has "
                     "when it is absent");
    if (uc_value_of_text(&strict, has->preset, r->mem, &p->preset, &why))
        return true;
    return r->mem->failed
               ? uc__no_memory(r)
               : wrong(r, p, "the value behind '=' %.*s", UC__SHOW(why));
}

static bool fits(uc__reading *r, uc_param *p, const parts *has)
{
    if (p->clamp && !has->ranged)
        return wrong(r, p, "@clamp needs a range");
    if (p->clamp &&
        (p->list || (p->type != UC_PARAM_INTEGER && p->type != UC_PARAM_REAL)))
        return wrong(r, p, "@clamp is for a number");
    return set_preset(r, p, has);
}

/* ---- the whole ---- */

static bool new_name(uc__reading *r, const uc_param *p)
{
    uc__draft *d = &r->d;
    int before = uc__param_place(d, p->name);

    if (before >= 0)
        return uc__wrong(r, r->line,
                         "the parameter '%.*s' stands in line %u already",
                         UC__SHOW(p->name), (unsigned)d->params[before].line);
    if (d->nown == UC__OWN_PARAMS)
        return uc__wrong(r, r->line, "a route has at most %d parameters",
                         UC__OWN_PARAMS);
    return true;
}

static bool declare(uc__reading *r, uc__line *l, uc_param *p)
{
    uc__draft *d = &r->d;
    parts has = {0};

    p->line = r->line;
    if (!new_name(r, p) || !type(r, l, p) || !modifiers(r, l, p, &has) ||
        !fits(r, p, &has))
        return false;
    d->params[d->nown++] = *p;
    d->route.nparams = d->nown;
    return true;
}

bool uc__param_read(uc__reading *r, uc__line *l)
{
    uc_param p = {.name = uc__line_word(l)};

    if (p.name.len == 0)
        return uc__wrong(r, r->line, "@param has no name");
    if (p.name.p[0] == '_')
        return uc__wrong(r, r->line,
                         "@param %.*s: names with _ in front are the service's",
                         UC__SHOW(p.name));
    if (!uc__is_name(p.name))
        return uc__wrong(r, r->line,
                         "@param %.*s: a name has letters, digits and _, and "
                         "at most %d",
                         UC__SHOW(p.name), UC_ROUTE_NAME);
    return declare(r, l, &p);
}

static bool is_header(uc_view v)
{
    for (size_t i = 0; i < v.len; i++) {
        uint8_t c = v.p[i];

        if (!((c | 0x20) >= 'a' && (c | 0x20) <= 'z') &&
            (i == 0 || ((c < '0' || c > '9') && c != '-')))
            return false;
    }
    return v.len > 0 && v.len <= UC_ROUTE_NAME;
}

/* x-tenant is in_header, and x_tenant the name. */
static bool name_of_header(uc__reading *r, uc_param *p, uc_view word)
{
    uint8_t *header = uc_arena_alloc(r->mem, word.len);
    uint8_t *name = uc_arena_alloc(r->mem, word.len);

    if (header == NULL || name == NULL)
        return uc__no_memory(r);
    for (size_t i = 0; i < word.len; i++) {
        uint8_t c = word.p[i];

        if (c >= 'A' && c <= 'Z')
            c |= 0x20;
        header[i] = c;
        name[i] = c == '-' ? '_' : c;
    }
    p->in_header = (uc_view){header, word.len};
    p->name = (uc_view){name, word.len};
    return true;
}

bool uc__header_read(uc__reading *r, uc__line *l)
{
    uc_param p = {.header = true};
    uc_view word = uc__line_word(l);

    if (word.len == 0)
        return uc__wrong(r, r->line, "@header has no name");
    if (!is_header(word))
        return uc__wrong(r, r->line,
                         "@header %.*s: a name has letters, digits and -, and "
                         "at most %d",
                         UC__SHOW(word), UC_ROUTE_NAME);
    return name_of_header(r, &p, word) && declare(r, l, &p);
}

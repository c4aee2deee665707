#include "routes/tags.h"

#include "common/near.h"
#include "routes/draft.h"
#include "routes/param.h"

enum { ONCE = 1, ANYWHERE = 2 };

enum { RATE_MOST = 1000000, AUDIT_PARTS = 2 };

/* ---- routes and their statements ---- */

static bool get(uc__reading *r, uc__line *l)
{
    return uc__draft_begin(r, UC_METHOD_GET, l);
}

static bool post(uc__reading *r, uc__line *l)
{
    return uc__draft_begin(r, UC_METHOD_POST, l);
}

static bool new_as(uc__reading *r, uc_view name)
{
    const uc__draft *d = &r->d;

    if (!uc__is_name(name))
        return uc__wrong(r, r->line,
                         "@as needs a name of letters, digits and _");
    if (d->as_waits)
        return uc__wrong(r, d->as_line, "@as without a statement behind it");
    for (uint32_t i = 0; i < d->route.nstatements; i++)
        if (uc_view_same(d->statements[i].name, name))
            return uc__wrong(r, r->line, "@as %.*s stands twice",
                             UC__SHOW(name));
    return true;
}

static bool as(uc__reading *r, uc__line *l)
{
    uc__draft *d = &r->d;
    uc_view name = uc__line_word(l);

    if (!new_as(r, name))
        return false;
    d->as = name;
    d->as_form = UC_FORM_MANY;
    d->as_line = r->line;
    d->as_waits = true;
    if (uc__line_peek(l).len == 0)
        return true;
    if (!uc__form_read(r, l, &d->as_form))
        return false;
    if (d->as_form == UC_FORM_NONE || d->as_form == UC_FORM_PAGE ||
        d->as_form == UC_FORM_HTML)
        return uc__wrong(r, r->line,
                         "the forms of @as are :many, :one, :one! and :text");
    return true;
}

/* ---- who may call it ---- */

static bool audience_is_new(uc__reading *r)
{
    const uc__draft *d = &r->d;

    return (!d->has_auth && !d->route.is_public) ||
           uc__wrong(r, r->line, "@auth and @public exclude each other");
}

static bool is_role(uc_view w)
{
    for (size_t i = 0; i < w.len; i++)
        if (!((w.p[i] | 0x20) >= 'a' && (w.p[i] | 0x20) <= 'z') &&
            !(w.p[i] >= '0' && w.p[i] <= '9') &&
            (w.p[i] == '\0' || strchr("-_.:", w.p[i]) == NULL))
            return false;
    return w.len <= UC_ROUTE_NAME;
}

static bool role(uc__reading *r, uc_view w)
{
    uc__draft *d = &r->d;

    if (!is_role(w))
        return uc__wrong(r, r->line,
                         "@auth: the role '%.*s' has others than letters, "
                         "digits and -_.:, or more than %d",
                         UC__SHOW(w), UC_ROUTE_NAME);
    for (uint32_t i = 0; i < d->route.nroles; i++)
        if (uc_view_same(d->roles[i], w))
            return uc__wrong(r, r->line, "@auth: the role '%.*s' stands twice",
                             UC__SHOW(w));
    if (d->route.nroles == UC_ROUTE_WORDS)
        return uc__wrong(r, r->line, "@auth has at most %d roles",
                         UC_ROUTE_WORDS);
    d->roles[d->route.nroles++] = w;
    return true;
}

static bool auth(uc__reading *r, uc__line *l)
{
    uc_view w;

    if (!audience_is_new(r))
        return false;
    r->d.has_auth = true;
    while ((w = uc__line_word(l)).len > 0)
        if (!role(r, w))
            return false;
    return true;
}

static bool is_public(uc__reading *r, uc__line *l)
{
    (void)l;
    if (!audience_is_new(r))
        return false;
    r->d.route.is_public = true;
    return true;
}

/* ---- times ---- */

static bool time_of(uc__reading *r, const char *tag, uc_view w, int64_t *ms)
{
    return uc__time_of(w, ms) ||
           uc__wrong(r, r->line,
                     "@%s: '%.*s' is no time: a number with ms, s, m, h or d "
                     "directly behind it, at most 366d",
                     tag, UC__SHOW(w));
}

static bool cache(uc__reading *r, uc__line *l)
{
    if (r->d.route.method != UC_METHOD_GET)
        return uc__wrong(r, r->line, "@cache is for a GET");
    return time_of(r, "cache", uc__line_word(l), &r->d.route.cache_ms);
}

static bool timeout(uc__reading *r, uc__line *l)
{
    return time_of(r, "timeout", uc__line_word(l), &r->d.route.timeout_ms);
}

static bool rate_by(uc__reading *r, uc__line *l)
{
    uc_view w = uc__line_word(l);

    if (uc_view_is(w, "by"))
        w = uc__line_word(l);
    if (uc_view_is(w, "ip"))
        r->d.route.rate.by = UC_RATE_IP;
    else if (uc_view_is(w, "user"))
        r->d.route.rate.by = UC_RATE_USER;
    else
        return uc__wrong(r, r->line,
                         "@rate: 'by ip' or 'by user' has to follow, not "
                         "'%.*s'",
                         UC__SHOW(w));
    return true;
}

/* 10/1m by ip */
static bool rate(uc__reading *r, uc__line *l)
{
    uc_view w = uc__line_word(l), every = {0};
    const uint8_t *slash = w.len > 0 ? memchr(w.p, '/', w.len) : NULL;
    int64_t n;

    r->d.rate_line = r->line;
    if (slash != NULL) {
        every = (uc_view){slash + 1, (size_t)(w.p + w.len - slash) - 1};
        w.len = (size_t)(slash - w.p);
    }
    if (slash == NULL || !uc__int_of(w, &n) || n < 1 || n > RATE_MOST)
        return uc__wrong(r, r->line,
                         "@rate needs a number from 1 to %d, and a time: "
                         "10/1m by ip",
                         RATE_MOST);
    r->d.route.rate.n = (uint32_t)n;
    return time_of(r, "rate", every, &r->d.route.rate.every_ms) &&
           rate_by(r, l);
}

/* ---- writing ---- */

static bool scan(uc__reading *r, uc__line *l)
{
    if (!uc_view_is(uc__line_word(l), "ok"))
        return uc__wrong(r, r->line, "@scan is followed by 'ok'");
    r->d.route.scan_ok = true;
    return true;
}

/* table, schema.table */
static bool is_table(uc_view w)
{
    const uint8_t *dot = w.len > 0 ? memchr(w.p, '.', w.len) : NULL;
    uc_view schema = w;

    if (dot == NULL)
        return uc__is_name(w);
    schema.len = (size_t)(dot - w.p);
    return uc__is_name(schema) &&
           uc__is_name((uc_view){dot + 1, w.len - schema.len - 1});
}

static bool audit(uc__reading *r, uc__line *l)
{
    uc_view w = uc__line_word(l);

    if (r->d.route.method != UC_METHOD_POST)
        return uc__wrong(r, r->line, "@audit is for a POST");
    if (!is_table(w))
        return uc__wrong(r, r->line, "@audit needs the name of a table");
    r->d.route.audit = w;
    r->d.audit_line = r->line;
    return true;
}

static bool say_kind(uc__reading *r, uc_view kind)
{
    static const char *const kinds[] = {"unique", "foreign-key", "check",
                                        "not-null", "constraint"};
    uc_near near;

    uc_near_init(&near, kind);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (uc_view_is(kind, kinds[i]))
            return true;
        uc_near_try_text(&near, kinds[i]);
    }
    if (near.best.p != NULL)
        return uc__wrong(r, r->line,
                         "@say: unknown kind '%.*s': did you mean '%.*s'?",
                         UC__SHOW(kind), UC__SHOW(near.best));
    return uc__wrong(r, r->line,
                     "@say: unknown kind '%.*s': there are unique, "
                     "foreign-key, check, not-null and constraint",
                     UC__SHOW(kind));
}

/* unique(name): cuts the column off. */
static bool say_column(uc__reading *r, uc_view *kind, uc_view *column)
{
    const uint8_t *open =
        kind->len > 0 ? memchr(kind->p, '(', kind->len) : NULL;

    if (open == NULL)
        return true;
    *column = (uc_view){open + 1, (size_t)(kind->p + kind->len - open) - 1};
    kind->len = (size_t)(open - kind->p);
    if (column->len == 0 || column->p[--column->len] != ')' ||
        !uc__is_name(*column))
        return uc__wrong(r, r->line,
                         "@say: a column stands directly behind the kind, as "
                         "in unique(name)");
    return true;
}

static bool say_is_new(uc__reading *r, const uc_say *s)
{
    const uc__draft *d = &r->d;

    for (uint32_t i = 0; i < d->route.nsays; i++)
        if (uc_view_same(d->says[i].kind, s->kind) &&
            uc_view_same(d->says[i].column, s->column))
            return uc__wrong(r, r->line, "@say %.*s stands twice",
                             UC__SHOW(s->kind));
    return d->route.nsays < UC_ROUTE_WORDS ||
           uc__wrong(r, r->line, "a route has at most %d @say", UC_ROUTE_WORDS);
}

static bool say(uc__reading *r, uc__line *l)
{
    uc_say s = {.kind = uc__line_word(l)};

    if (r->d.route.method != UC_METHOD_POST)
        return uc__wrong(r, r->line,
                         "@say is for a POST: a GET breaks no constraint");
    if (!say_column(r, &s.kind, &s.column) || !say_kind(r, s.kind))
        return false;
    s.text = uc__line_rest(l);
    if (s.text.len == 0)
        return uc__wrong(r, r->line, "@say %.*s has no text", UC__SHOW(s.kind));
    if (!say_is_new(r, &s))
        return false;
    r->d.says[r->d.route.nsays++] = s;
    return true;
}

/* ---- answering ---- */

static bool is_in_any_case(uc_view v, const char *lower)
{
    if (v.len != strlen(lower))
        return false;
    for (size_t i = 0; i < v.len; i++) {
        uint8_t c = (uint8_t)lower[i];

        if (v.p[i] != c && (v.p[i] | 0x20) != c)
            return false;
    }
    return true;
}

/* Whoever sends the answer writes these, and nobody else. None of ours writes
 * `server`. */
static bool is_framing(uc_view name)
{
    static const char *const names[] = {
        "connection", "content_length", "date",    "keep_alive",
        "te",         "trailer",        "upgrade", "transfer_encoding"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (is_in_any_case(name, names[i]))
            return true;
    return false;
}

static bool reply(uc__reading *r, uc__line *l)
{
    uc__draft *d = &r->d;
    uc_view w = uc__line_word(l);

    if (!uc__is_name(w))
        return uc__wrong(r, r->line,
                         "@reply needs the name of a column: "
                         "letters, digits and _");
    if (is_framing(w))
        return uc__wrong(r, r->line, "@reply %.*s: this header is the server's",
                         UC__SHOW(w));
    for (uint32_t i = 0; i < d->route.nreplies; i++)
        if (uc_view_same(d->replies[i], w))
            return uc__wrong(r, r->line, "@reply %.*s stands twice",
                             UC__SHOW(w));
    if (d->route.nreplies == UC_ROUTE_WORDS)
        return uc__wrong(r, r->line, "a route has at most %d @reply",
                         UC_ROUTE_WORDS);
    d->replies[d->route.nreplies++] = w;
    return true;
}

static bool repeat(uc__reading *r, uc__line *l)
{
    uc_view w = uc__line_word(l);

    if (w.len < 2 || w.p[0] != ':')
        return uc__wrong(r, r->line,
                         "@repeat needs a parameter, as in "
                         "'@repeat :n'");
    r->d.repeat = (uc_view){w.p + 1, w.len - 1};
    r->d.repeat_line = r->line;
    return true;
}

static bool random_range(uc__reading *r, uc__line *l)
{
    uc_route *route = &r->d.route;
    uc_view w = uc__line_word(l);

    if (!uc__range_of(w, &route->random_least, &route->random_most))
        return uc__wrong(r, r->line,
                         "@random needs two whole numbers, as in "
                         "'@random 1..10000'");
    if (route->random_least > route->random_most)
        return uc__wrong(r, r->line,
                         "@random: the range %.*s ends before it begins",
                         UC__SHOW(w));
    r->d.random_line = r->line;
    return true;
}

static bool live(uc__reading *r, uc__line *l)
{
    (void)l;
    return uc__wrong(r, r->line, "@live is not built yet");
}

/* ---- the table ---- */

static const struct {
    const char *name;
    bool (*read)(uc__reading *, uc__line *);
    unsigned flags;
} tags[] = {
    {"get", get, ANYWHERE},       {"post", post, ANYWHERE},
    {"param", uc__param_read, 0}, {"header", uc__header_read, 0},
    {"auth", auth, ONCE},         {"public", is_public, ONCE},
    {"cache", cache, ONCE},       {"timeout", timeout, ONCE},
    {"rate", rate, ONCE},         {"scan", scan, ONCE},
    {"audit", audit, ONCE},       {"say", say, 0},
    {"reply", reply, 0},          {"as", as, ANYWHERE},
    {"repeat", repeat, ONCE},     {"random", random_range, ONCE},
    {"live", live, ANYWHERE},
};

enum { TAGS = sizeof tags / sizeof tags[0] };

static bool is_method(uc_view name)
{
    return uc_view_is(name, "put") || uc_view_is(name, "patch") ||
           uc_view_is(name, "delete") || uc_view_is(name, "head");
}

static int find(uc__reading *r, uc_view name)
{
    uc_near near;

    uc_near_init(&near, name);
    for (int i = 0; i < TAGS; i++) {
        if (uc_view_is(name, tags[i].name))
            return i;
        uc_near_try_text(&near, tags[i].name);
    }
    if (is_method(name))
        uc__wrong(r, r->line,
                  "there is no '@%.*s': a route reads with @get, and changes "
                  "with @post",
                  UC__SHOW(name));
    else if (near.best.p != NULL)
        uc__wrong(r, r->line, "unknown tag '@%.*s': did you mean '@%.*s'?",
                  UC__SHOW(name), UC__SHOW(near.best));
    else
        uc__wrong(r, r->line, "unknown tag '@%.*s'", UC__SHOW(name));
    return -1;
}

static bool begins_route(int tag)
{
    return tags[tag].read == get || tags[tag].read == post;
}

/* May it stand here? */
static bool place(uc__reading *r, int tag)
{
    uc__draft *d = &r->d;
    uint32_t bit = (uint32_t)1 << tag;

    if (begins_route(tag) || tags[tag].read == live)
        return true;
    if (!d->open)
        return uc__wrong(r, r->line,
                         "@%s before any route: a route begins with @get or "
                         "@post",
                         tags[tag].name);
    if (d->route.nstatements > 0 && (tags[tag].flags & ANYWHERE) == 0)
        return uc__wrong(r, r->line,
                         "@%s stands before the first statement of its route",
                         tags[tag].name);
    if ((tags[tag].flags & ONCE) != 0 && (d->seen & bit) != 0)
        return uc__wrong(r, r->line, "@%s stands twice", tags[tag].name);
    d->seen |= bit;
    return true;
}

bool uc__tag_read(uc__reading *r, uc_view line)
{
    uc__line l = {line.p, line.p + line.len};
    uc_view name = uc__line_word(&l), rest;
    int tag;

    if (name.p != line.p) /* a blank behind the @ */
        name.len = 0;
    tag = find(r, name);
    if (tag < 0 || !place(r, tag) || !tags[tag].read(r, &l))
        return false;
    rest = uc__line_rest(&l);
    return rest.len == 0 || uc__wrong(r, r->line, "'%.*s' behind @%s",
                                      UC__SHOW(rest), tags[tag].name);
}

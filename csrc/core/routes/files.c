#include "common/mem.h"
#include "routes/draft.h"
#include "routes/statement.h"
#include "routes/tags.h"
#include "routes/template.h"
#include "wire/utf8.h"

/* From files to a set: what may be in a file at all, then its comments and
 * statements one after the other. */

static bool is_sql(uc_view name)
{
    return name.len > 4 && memcmp(name.p + name.len - 4, ".sql", 4) == 0;
}

/* ---- bytes ---- */

static uint32_t line_of(uc_view text, const uint8_t *at)
{
    uint32_t line = 1;

    for (const uint8_t *p = text.p; p < at; p++)
        line += *p == '\n';
    return line;
}

static bool utf8_at_all(uc__reading *r, uc_view text)
{
    const uint8_t *end = text.p + text.len;
    uint32_t line = 1;

    if (uc_is_utf8(text.p, text.len))
        return true;
    for (const uint8_t *p = text.p; p < end; line++) {
        const uint8_t *nl = memchr(p, '\n', (size_t)(end - p));

        if (nl == NULL)
            nl = end;
        if (!uc_is_utf8(p, (size_t)(nl - p)))
            break;
        p = nl + 1;
    }
    return uc__wrong(r, line, "this line is not UTF-8");
}

/* A lone CR ends a comment of PostgreSQL's, and none of SQLite's. */
static bool no_lone_cr(uc__reading *r, uc_view text)
{
    const uint8_t *p = text.p, *end = text.p + text.len;

    while (p < end && (p = memchr(p, '\r', (size_t)(end - p))) != NULL) {
        if (p + 1 == end || p[1] != '\n')
            return uc__wrong(r, line_of(text, p),
                             "a carriage return without a line feed behind "
                             "it");
        p++;
    }
    return true;
}

static bool bytes_are_fine(uc__reading *r, uc_view text)
{
    const uint8_t *nul = text.len > 0 ? memchr(text.p, 0, text.len) : NULL;

    if (nul != NULL)
        return uc__wrong(r, line_of(text, nul), "a NUL byte");
    if (!utf8_at_all(r, text))
        return false;
    return text.len == 0 || no_lone_cr(r, text);
}

/* ---- comments and statements ---- */

/* A line of words: they are a route's when it follows directly. */
static void add_words(uc__reading *r, uc_view text)
{
    if (text.len > 0 && text.p[0] == ' ') {
        text.p++;
        text.len--;
    }
    if (text.len > 0 && text.p[text.len - 1] == '\r')
        text.len--;
    uc_buf_put(&r->about, text.p, text.len);
    uc_buf_byte(&r->about, '\n');
}

static bool comment(uc__reading *r, const uc__token *t)
{
    uc_view line;

    r->line = t->line;
    if (t->gap > 1)
        uc_buf_rewind(&r->about, 0);
    if (!uc__is_tag(t, &line)) {
        if (t->first)
            add_words(r, t->text);
        return true;
    }
    if (!t->first)
        return uc__wrong(r, t->line, "a tag begins its line");
    if (!uc__tag_read(r, line))
        return false;
    uc_buf_rewind(&r->about, 0);
    return true;
}

static bool read_text(uc__reading *r, uc_view text)
{
    uc__sql sql;
    uc__token t;

    if (text.len >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0)
        text = (uc_view){text.p + 3, text.len - 3};
    uc_buf_rewind(&r->about, 0);
    uc__sql_begin(&sql, text, 1);
    for (uc__sql_next(&sql, &t); t.kind != UC__SQL_END;
         uc__sql_next(&sql, &t)) {
        if (t.kind == UC__SQL_COMMENT) {
            if (!comment(r, &t))
                return false;
            continue;
        }
        r->line = t.line;
        if (t.kind == UC__SQL_FAULT)
            return uc__wrong(r, t.line, "%s", sql.fault);
        if (!uc__statement_read(r, &sql, &t))
            return false;
        uc_buf_rewind(&r->about, 0);
    }
    return uc__draft_end(r);
}

/* ---- the set ---- */

/* It stands in messages. */
static bool is_name(uc_view name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.p[i] < 0x20 || name.p[i] == 0x7f)
            return false;
    return name.len > 0 && name.len <= 255 && uc_is_utf8(name.p, name.len);
}

static bool sizes_are_fine(const uc_source *files, uint32_t n, uc_error *e)
{
    size_t total = 0;

    if (n > UC_ROUTES_MOST)
        return uc_fail(e, UC_ROUTE, "there are more than %d files of routes",
                       UC_ROUTES_MOST);
    for (uint32_t i = 0; i < n; i++) {
        if (!is_name(files[i].name))
            return uc_fail(e, UC_ROUTE,
                           "file %u: its name is no text of 1 to 255 bytes "
                           "without control characters",
                           (unsigned)i + 1);
        total += files[i].text.len;
        if (files[i].text.len > UC_ROUTES_BYTES || total > UC_ROUTES_BYTES)
            return uc_fail(e, UC_ROUTE,
                           "%.*s:1: with this file all have more than %d "
                           "bytes",
                           UC__SHOW(files[i].name), UC_ROUTES_BYTES);
    }
    return true;
}

static bool names_differ(uc__reading *r)
{
    for (r->file = 0; r->file < r->set->nfiles; r->file++) {
        const uc_source *f = &r->set->files[r->file];

        /* The first of this name is found. */
        if (uc_routes_text(r->set, f->name).p != f->text.p)
            return uc__wrong(r, 1, "a file of this name is there twice");
    }
    return true;
}

static bool read_files(uc__reading *r)
{
    for (uint32_t i = 0; i < r->set->nfiles; i++) {
        uc_view text = r->set->files[i].text;

        r->file = i;
        if (!bytes_are_fine(r, text) ||
            (is_sql(r->set->files[i].name) && !read_text(r, text)))
            return false;
    }
    return true;
}

/* Routes may share one: `read` has them by their files. */
static bool template_of(uc__reading *r, uc_route *route,
                        const uc_template **read)
{
    int64_t file = uc__template_file(r->set, route->html);

    if (read[file] == NULL)
        read[file] = uc__template_read(r, (uint32_t)file);
    route->template = read[file];
    return route->template != NULL;
}

static bool templates(uc__reading *r)
{
    uc_route *routes = (uc_route *)(void *)r->finished.p;
    size_t n = r->finished.len / sizeof *routes;
    const uc_template **read =
        uc_arena_calloc(r->mem, r->set->nfiles, sizeof *read);

    if (read == NULL)
        return uc__no_memory(r);
    for (size_t i = 0; i < n; i++) {
        if (routes[i].html.len > 0 && !template_of(r, &routes[i], read))
            return false;
    }
    return true;
}

static bool fill(uc__reading *r)
{
    const uc_route *again, *before;

    if (uc__set_fill(r->set, (const uc_route *)(const void *)r->finished.p,
                     (uint32_t)(r->finished.len / sizeof(uc_route)), &again,
                     &before))
        return true;
    if (again == NULL)
        return uc__no_memory(r);
    r->file = again->file;
    return uc__wrong(
        r, again->line,
        "the route %s %.*s stands in %.*s:%u "
        "already",
        again->method == UC_METHOD_GET ? "GET" : "POST", UC__SHOW(again->path),
        UC__SHOW(uc_routes_file(r->set, before->file)), (unsigned)before->line);
}

static bool read_all(uc__reading *r, uc_routes *set, uc_error *e)
{
    bool done;

    memset(r, 0, sizeof *r);
    r->set = set;
    r->mem = &set->mem;
    r->e = e;
    uc_buf_init(&r->about, UC_ROUTES_BYTES + 16);
    uc_buf_init(&r->finished, UC_ROUTES_MOST * sizeof(uc_route));
    done = names_differ(r) && read_files(r) && templates(r) && fill(r);
    uc_buf_fini(&r->about);
    uc_buf_fini(&r->finished);
    return done;
}

uc_routes *uc_routes_read(const uc_source *files, uint32_t n, uc_error *e)
{
    uc__reading *r;
    uc_routes *set;
    bool done = false;

    if (!sizes_are_fine(files, n, e))
        return NULL;
    set = uc__set_new(files, n);
    r = uc_malloc(sizeof *r);
    if (set == NULL || r == NULL)
        uc_fail(e, UC_MEMORY, "routes: out of memory");
    else
        done = read_all(r, set, e);
    uc_free(r);
    if (done)
        return set;
    uc_routes_unref(set);
    return NULL;
}

/* Templates: by the rules of mustache(5), category for category; what does not
 * fit the statements; what is faulty; and what is beyond a limit. */
#include "common/mem.h"
#include "routes/fits.h"
#include "tap.h"

static uc_view view(const char *s)
{
    return (uc_view){(const uint8_t *)s, strlen(s)};
}

/* ---- the data of all cases ----
 *
 *   list     x y    two rows: 1 a, 2 b
 *   none     z      no row
 *   words    w      three rows of one column
 *   one      ...    values of each kind
 *   nobody   q      an object without a row
 *   text            a text
 */
static const char routes[] = "-- @get / :html t.mustache\n"
                             "-- @public\n"
                             "-- @as list :many\nselect 1 limit 9;\n"
                             "-- @as none :many\nselect 1 limit 9;\n"
                             "-- @as words :many\nselect 1 limit 9;\n"
                             "-- @as one :one\nselect 1;\n"
                             "-- @as nobody :one\nselect 1;\n"
                             "-- @as text :text\nselect 1;\n";

#define ODD "& < > \" ' ` = / \xc3\xbc"
#define ODD_ESCAPED "&amp; &lt; &gt; &quot; &#39; ` = / \xc3\xbc"

static const char *const columns[][8] = {
    {"x", "y"}, {"z"},
    {"w"},      {"odd", "yes", "no", "empty", "int", "lines", "x", NULL},
    {"q"},      {"text"},
};

static const char *const list_rows[] = {"1", "a", "2", "b"};
static const char *const words_rows[] = {"a", "b<", ""};
static const char *const one_rows[] = {ODD,  "yes",   NULL, "",
                                       "85", "<\n->", "one"};
static const char *const text_rows[] = {"<text>"};

static const struct {
    const char *const *cells;
    uint32_t n;
} rows[] = {{list_rows, 2}, {NULL, 0}, {words_rows, 3},
            {one_rows, 1},  {NULL, 0}, {text_rows, 1}};

enum { STATEMENTS = 6 };

static uint32_t width(uint32_t statement)
{
    uint32_t n = 0;

    while (n < 8 && columns[statement][n] != NULL)
        n++;
    return n;
}

/* ---- loading ---- */

static char said[600];

enum { FILES_MOST = 24 };

/* files: name and text in turn; the first is the template. */
static uc_routes *load(const char *const *files, uint32_t n)
{
    uc_source sources[FILES_MOST + 1] = {{view("r.sql"), view(routes)}};
    uc_routes *set;
    uc_error e;

    for (uint32_t i = 0; i < n; i++)
        sources[i + 1] =
            (uc_source){view(files[2 * i]), view(files[2 * i + 1])};
    uc_error_init(&e);
    set = uc_routes_read(sources, n + 1, &e);
    snprintf(said, sizeof said, "%s", set != NULL ? "" : e.message);
    return set;
}

static bool fits(const uc_routes *set)
{
    const uc_route *route = uc_routes_at(set, 0);
    uc_fits f;
    uc_error e;
    bool is;

    uc_error_init(&e);
    uc_fits_init(&f, set, route);
    for (uint32_t i = 0; i < STATEMENTS; i++) {
        uc_fits_columns(&f, i, width(i));
        for (uint32_t k = 0; k < width(i); k++)
            uc_fits_column(&f, i, view(columns[i][k]));
    }
    is = uc_fits_check(&f, &e);
    snprintf(said, sizeof said, "%s", is ? "" : e.message);
    uc_fits_fini(&f);
    return is;
}

/* ---- rendering ---- */

static void keep(uc_html_rows *r, const uc_template *t, uint32_t i,
                 const uc_statement *st, uc_buf *cells)
{
    uint32_t n = width(i);

    uc_html_begin(r, t, st, cells->len);
    for (uint32_t k = 0; k < n; k++)
        uc_html_column(r, t, k, n, view(columns[i][k]));
    for (uint32_t k = 0; k < rows[i].n; k++) {
        size_t at = uc_html_row(r, cells);

        for (uint32_t c = 0; c < r->ncells; c++) {
            const char *s = rows[i].cells[k * n + r->columns[c]];

            if (s != NULL)
                uc_buf_put(cells, s, strlen(s));
            uc_html_cell(r, cells, at, c, s != NULL && *s != '\0');
        }
    }
}

/* False: too many steps. */
static bool fill(const uc_routes *set, uc_buf *out)
{
    const uc_route *route = uc_routes_at(set, 0);
    uc_html_rows *r = uc_calloc(STATEMENTS, sizeof *r);
    uc_buf cells;
    bool whole;

    uc_buf_init(&cells, SIZE_MAX);
    for (uint32_t i = 0; i < STATEMENTS; i++)
        keep(&r[i], route->template, i, &route->statements[i], &cells);
    whole = uc_html_render(route->template, r, STATEMENTS, &cells,
                           (uc_html_end){NULL, NULL}, out);
    uc_buf_fini(&cells);
    uc_free(r);
    return whole;
}

static void shows(const char *name, const char *const *files, uint32_t n,
                  const char *want)
{
    uc_routes *set = load(files, n);
    uc_buf out;

    if (set == NULL || !fits(set)) {
        eq_str(said, "", name);
        uc_routes_unref(set);
        return;
    }
    uc_buf_init(&out, 1 << 20);
    fill(set, &out);
    uc_buf_byte(&out, '\0');
    eq_str((const char *)out.p, want, name);
    uc_buf_fini(&out);
    uc_routes_unref(set);
}

/* ---- by the categories of the specification ---- */

typedef struct example {
    const char *name, *text, *want;
} example;

static const example comments[] = {
    {"a comment is nothing", "12345{{! a comment }}67890", "1234567890"},
    {"of several lines", "12345{{!\n  a\n  comment\n}}67890\n", "1234567890\n"},
    {"alone on its line", "Begin.\n{{! one }}\nEnd.\n", "Begin.\nEnd.\n"},
    {"alone and indented", "Begin.\n  {{! one }}  \nEnd.\n", "Begin.\nEnd.\n"},
    {"alone, with CR", "|\r\n{{! one }}\r\n|", "|\r\n|"},
    {"alone on the first line", "  {{! one }}\n!", "!"},
    {"alone on the last line", "!\n  {{! one }}", "!\n"},
    {"alone, of several lines", "Begin.\n{{!\nof two\n}}\nEnd.\n",
     "Begin.\nEnd.\n"},
    {"not alone", "  12 {{! 34 }}\n", "  12 \n"},
    {"two of them are not alone", "{{!a}} {{!b}}\n", " \n"},
    {"blanks around it stay", "12345 {{! a }} 67890", "12345  67890"},
    {"what looks like a name", "{{!text}}{{!#list}}", ""},
};

static const example delimiters[] = {
    {"another pair", "{{=<% %>=}}(<%text%>)", "(&lt;text&gt;)"},
    {"of one character", "({{=[ ]=}}[one.int])", "(85)"},
    {"in a section", "{{#one}}{{int}}{{=| |=}}|int|{{int}}|/one||int.|",
     NULL /* refused: see faults */},
    {"and back", "{{=| |=}}|={{ }}=|{{one.int}}", "85"},
    {"with blanks", "|{{= | | =}}|={{ }}=|{{one.int}}", NULL},
    {"blanks around", "| {{=@ @=}} |", "|  |"},
    {"alone", "Begin.\n{{=@ @=}}\nEnd.\n", "Begin.\nEnd.\n"},
    {"alone and indented", "Begin.\n  {{=@ @=}}  \nEnd.\n", "Begin.\nEnd.\n"},
    {"alone, with CR", "|\r\n{{= @ @ =}}\r\n|", "|\r\n|"},
    {"alone on the first line", "  {{=@ @=}}\n=", "="},
    {"alone on the last line", "=\n  {{=@ @=}}", "=\n"},
    {"not escaped", "{{=<< >>=}}<<&text>><<{text}>>", "<text><text>"},
    {"the old ones are text then", "{{=<% %>=}}{{text}}", "{{text}}"},
    {"one that the other begins with", "{{=<| |=}}<|one.int|<|!c|", "85"},
};

static const example interpolation[] = {
    {"no tag", "Hello {}\n{ { } }\n", "Hello {}\n{ { } }\n"},
    {"nothing at all", "", ""},
    {"a value", "Hello, {{one.int}}!\n", "Hello, 85!\n"},
    {"is escaped", "{{one.odd}}", ODD_ESCAPED},
    {"three braces", "{{{one.odd}}}", ODD},
    {"an ampersand", "{{&one.odd}}", ODD},
    {"null is nothing", "({{one.no}})({{{one.no}}})({{&one.no}})", "()()()"},
    {"so is what is empty", "({{one.empty}})", "()"},
    {"an object without a row", "({{nobody.q}})", "()"},
    {"a text of a statement", "{{text}} {{{text}}}", "&lt;text&gt; <text>"},
    {"blanks around it stay", "| {{one.int}} |\n| {{{one.int}}} |",
     "| 85 |\n| 85 |"},
    {"blanks in it do not", "|{{ one.int }}|{{{ one.int }}}|{{& one.int }}|",
     "|85|85|85|"},
    {"tabs and lines either", "|{{\tone.int\n}}|", "|85|"},
    {"alone on its line it is not alone", "  {{one.int}}\n", "  85\n"},
    {"neither unescaped", "  {{{one.int}}}\n  {{&one.int}}\n", "  85\n  85\n"},
    {"lines of a value stay as they are", "  {{{one.lines}}}\n", "  <\n->\n"},
    {"from the section around",
     "{{#one}}{{int}}{{#yes}}{{int}}{{/yes}}{{/one}}", "8585"},
    {"the innermost wins", "{{#one}}{{x}}{{#list}}{{x}}{{/list}}{{x}}{{/one}}",
     "one12one"},
    {"a dotted name in a section", "{{#list}}{{one.int}}{{x}}{{/list}}",
     "851852"},
};

static const example sections[] = {
    {"something", "\"{{#one.yes}}This{{/one.yes}}\"", "\"This\""},
    {"null", "\"{{#one.no}}This{{/one.no}}\"", "\"\""},
    {"an empty text", "\"{{#one.empty}}This{{/one.empty}}\"", "\"\""},
    {"an object", "{{#one}}{{int}}{{/one}}", "85"},
    {"an object without a row", "({{#nobody}}{{q}}{{/nobody}})", "()"},
    {"a list", "{{#list}}{{x}}{{y}};{{/list}}", "1a;2b;"},
    {"an empty list", "({{#none}}{{z}}{{/none}})", "()"},
    {"a text", "{{#text}}({{.}}){{/text}}", "(&lt;text&gt;)"},
    {"twice", "{{#list}}{{x}}{{/list}}{{#list}}{{y}}{{/list}}", "12ab"},
    {"a list in a list", "{{#list}}{{x}}{{#words}}{{w}}{{/words}},{{/list}}",
     "1ab&lt;,2ab&lt;,"},
    {"a list within itself", "{{#list}}{{x}}{{#list}}{{x}}{{/list}},{{/list}}",
     "112,212,"},
    {"a value in a list", "{{#list}}{{#y}}{{.}}{{x}}{{/y}}{{/list}}", "a1b2"},
    {"the same one in each other",
     "{{#one}}{{#yes}}A{{#yes}}B{{/yes}}C{{/yes}}{{/one}}", "ABC"},
    {"the only column of a row", "{{#words}}({{.}}){{/words}}", "(a)(b&lt;)()"},
    {"unescaped", "{{#words}}({{{.}}})({{&.}}){{/words}}",
     "(a)(a)(b<)(b<)()()"},
    {"a section of it", "{{#words}}{{#.}}[{{.}}]{{/.}}{{^.}}-{{/.}}{{/words}}",
     "[a][b&lt;]-"},
    {"blanks in its tags", "|{{# one.yes }}={{/ one.yes }}|", "|=|"},
    {"blanks around it", " | {{#one.yes}}\t|\t{{/one.yes}} | \n",
     " | \t|\t | \n"},
    {"blanks within it", " | {{#one.yes}} {{! c }}\n {{/one.yes}} | \n",
     " |  \n  | \n"},
    {"on one line twice",
     " {{#one.yes}}Y{{/one.yes}}\n {{#one.yes}}G{{/one.yes}}\n", " Y\n G\n"},
    {"lines alone", "| This\n{{#one.yes}}\n|\n{{/one.yes}}\n| End\n",
     "| This\n|\n| End\n"},
    {"lines alone and indented",
     "| This\n  {{#one.yes}}\n|\n\t{{/one.yes}}  \n| End\n",
     "| This\n|\n| End\n"},
    {"lines alone, with CR", "|\r\n{{#one.yes}}\r\n{{/one.yes}}\r\n|",
     "|\r\n|"},
    {"alone on the first line", "  {{#one.yes}}\n#{{/one.yes}}\n/", "#\n/"},
    {"alone on the last line", "#{{#one.yes}}\n/\n  {{/one.yes}}", "#\n/\n"},
    {"a list of lines", "{{#list}}\n- {{x}}\n{{/list}}\n", "- 1\n- 2\n"},
    {"a lone tag behind text is not alone", "a {{#one.yes}}\nb{{/one.yes}}\n",
     "a \nb\n"},
};

static const example inverted[] = {
    {"null", "\"{{^one.no}}This{{/one.no}}\"", "\"This\""},
    {"something", "\"{{^one.yes}}This{{/one.yes}}\"", "\"\""},
    {"an object", "({{^one}}x{{/one}})", "()"},
    {"an object without a row", "({{^nobody}}x{{/nobody}})", "(x)"},
    {"a list", "({{^list}}x{{/list}})", "()"},
    {"an empty list", "({{^none}}x{{/none}})", "(x)"},
    {"a text", "({{^text}}x{{/text}})", "()"},
    {"twice", "{{^none}}1{{/none}}{{^one.no}}2{{/one.no}}", "12"},
    {"in each other", "{{^none}}A{{^one.no}}B{{/one.no}}C{{/none}}", "ABC"},
    {"in each other, of something",
     "| A {{^one.yes}}B {{^one.yes}}C{{/one.yes}} D{{/one.yes}} E |",
     "| A  E |"},
    {"a dotted name", "{{^nobody.q}}x{{/nobody.q}}", "x"},
    {"in a list", "{{#words}}{{^w}}empty{{/w}}{{/words}}", "empty"},
    {"blanks in its tags", "|{{^ one.no }}={{/ one.no }}|", "|=|"},
    {"lines alone", "| This\n{{^one.no}}\n|\n{{/one.no}}\n| End\n",
     "| This\n|\n| End\n"},
    {"lines alone, with CR", "|\r\n{{^one.no}}\r\n{{/one.no}}\r\n|", "|\r\n|"},
    {"alone on the first line", "  {{^one.no}}\n^{{/one.no}}\n/", "^\n/"},
    {"alone on the last line", "^{{^one.no}}\n/\n  {{/one.no}}", "^\n/\n"},
};

static void each(const char *category, const example *all, size_t n)
{
    char name[128];

    for (size_t i = 0; i < n; i++) {
        const char *files[] = {"t.mustache", all[i].text};

        snprintf(name, sizeof name, "%s: %s", category, all[i].name);
        if (all[i].want != NULL)
            shows(name, files, 1, all[i].want);
    }
}

#define EACH(category) \
    each(#category, category, sizeof category / sizeof category[0])

/* ---- partials ---- */

typedef struct combined {
    const char *name;
    const char *files[8];
    const char *want;
} combined;

static const combined partials[] = {
    {"one",
     {"t.mustache", "\"{{>text}}\"", "text.mustache", "from it"},
     "\"from it\""},
    {"by its whole name",
     {"t.mustache", "{{> a/b.html }}", "a/b.html", "b"},
     "b"},
    {"of a folder", {"t.mustache", "{{>a/b}}", "a/b.mustache", "b"}, "b"},
    {"sees what is around it",
     {"t.mustache", "{{#list}}{{>p}}{{/list}}", "p.mustache", "*{{x}}*"},
     "*1**2*"},
    {"twice", {"t.mustache", "{{>p}}{{>p}}", "p.mustache", "x"}, "xx"},
    {"in each other",
     {"t.mustache", "{{>o}}", "o.mustache", "*{{one.int}} {{>i}}*",
      "i.mustache", "{{one.int}}!"},
     "*85 85!*"},
    {"has delimiters of its own",
     {"t.mustache", "{{=| |=}}|>p||one.int|", "p.mustache",
      ".{{one.int}}|{{=% %=}}%one.int%."},
     ".85|85.85"},
    {"blanks around it stay",
     {"t.mustache", "| {{>p}} |", "p.mustache", "\t|\t"},
     "| \t|\t |"},
    {"not alone, without indentation",
     {"t.mustache", "  {{one.int}}  {{> p}}\n", "p.mustache", ">\n>"},
     "  85  >\n>\n"},
    {"alone, with CR",
     {"t.mustache", "|\r\n{{>p}}\r\n|", "p.mustache", ">"},
     "|\r\n>|"},
    {"alone on the first line",
     {"t.mustache", "  {{>p}}\n>", "p.mustache", ">\n>"},
     "  >\n  >>"},
    {"alone on the last line",
     {"t.mustache", ">\n  {{>p}}", "p.mustache", ">\n>"},
     ">\n  >\n  >"},
    {"its lines are indented",
     {"t.mustache", "\\\n {{>p}}\n/\n", "p.mustache",
      "|\n{{{one.lines}}}\n|\n"},
     "\\\n |\n <\n->\n |\n/\n"},
    {"its sections too",
     {"t.mustache", "<\n  {{>p}}\n>\n", "p.mustache",
      "{{#list}}\n- {{x}}\n{{/list}}\n{{#words}}{{w}}{{/words}}\n"},
     "<\n  - 1\n  - 2\n  ab&lt;\n>\n"},
    {"in each other, indented",
     {"t.mustache", " {{>o}}\n", "o.mustache", "o\n  {{>i}}\no\n", "i.mustache",
      "i\ni\n"},
     " o\n   i\n   i\n o\n"},
    {"blanks in its tag",
     {"t.mustache", "|{{> p }}|", "p.mustache", "[]"},
     "|[]|"},
    {"an empty one", {"t.mustache", "({{>p}})", "p.mustache", ""}, "()"},
    {"with a byte order mark",
     {"t.mustache", "\xef\xbb\xbf({{>p}})", "p.mustache",
      "\xef\xbb\xbf"
      "x"},
     "(x)"},
};

static uint32_t files_of(const char *const *files)
{
    uint32_t n = 0;

    while (n < 4 && files[2 * n] != NULL)
        n++;
    return n;
}

static void each_partial(void)
{
    char name[128];

    for (size_t i = 0; i < sizeof partials / sizeof *partials; i++) {
        const combined *c = &partials[i];

        snprintf(name, sizeof name, "partials: %s", c->name);
        shows(name, c->files, files_of(c->files), c->want);
    }
}

/* ---- what is wrong with a template ---- */

static const combined faults[] = {
    {"",
     {"t.mustache", "\n\n{{#list}}\n{{x}}\n"},
     "t.mustache:3: the section 'list' has no end"},
    {"",
     {"t.mustache", "{{^list}}{{#one}}{{/one}}"},
     "t.mustache:1: the section 'list' has no end"},
    {"",
     {"t.mustache", "{{#list}}\n{{#one}}\n{{/list}}{{/one}}"},
     "t.mustache:3: 'list' ends where the section 'one' of line 2 is open"},
    {"",
     {"t.mustache", "x\n{{/list}}"},
     "t.mustache:2: no section 'list' is open"},
    {"",
     {"t.mustache", "\n{{one.int"},
     "t.mustache:2: this tag has no end '}}'"},
    {"",
     {"t.mustache", "{{one.int}"},
     "t.mustache:1: this tag has no end '}}'"},
    {"",
     {"t.mustache", "{{{one.int}}"},
     "t.mustache:1: this tag has no end '}}}'"},
    {"",
     {"t.mustache", "{{=<% %>}}"},
     "t.mustache:1: this tag has no end '=}}'"},
    {"", {"t.mustache", "{{=}}"}, "t.mustache:1: this tag has no end '=}}'"},
    {"",
     {"t.mustache", "{{=<%\n%>=}}\n<%one.int}}"},
     "t.mustache:3: this tag has no end '%>'"},
    {"",
     {"t.mustache", "{{=<%=}}"},
     "t.mustache:1: delimiters are two words without '=', as in {{=<% %>=}}"},
    {"",
     {"t.mustache", "{{=a b c=}}"},
     "t.mustache:1: delimiters are two words without '=', as in {{=<% %>=}}"},
    {"",
     {"t.mustache", "{{=a= =b=}}"},
     "t.mustache:1: delimiters are two words without '=', as in {{=<% %>=}}"},
    {"", {"t.mustache", "\n{{}}"}, "t.mustache:2: a tag without a name"},
    {"", {"t.mustache", "{{# }}"}, "t.mustache:1: a tag without a name"},
    {"", {"t.mustache", "{{>}}"}, "t.mustache:1: a tag without a name"},
    {"",
     {"t.mustache", "{{a b}}"},
     "t.mustache:1: 'a b' is no name: it has blanks"},
    {"",
     {"t.mustache", "{{a.}}"},
     "t.mustache:1: 'a.' is no name: a dot stands between a statement and its "
     "column"},
    {"",
     {"t.mustache", "{{.a}}"},
     "t.mustache:1: '.a' is no name: a dot stands between a statement and its "
     "column"},
    {"",
     {"t.mustache", "{{a.b.c}}"},
     "t.mustache:1: 'a.b.c' is no name: a dot stands between a statement and "
     "its column"},
    {"",
     {"t.mustache", "{{<p}}{{/p}}"},
     "t.mustache:1: a tag with '<': templates inherit nothing here, {{>file}} "
     "puts one into another"},
    {"",
     {"t.mustache", "{{$p}}{{/p}}"},
     "t.mustache:1: a tag with '$': templates inherit nothing here, {{>file}} "
     "puts one into another"},
    {"",
     {"t.mustache", "\n{{>tset.mustache}}", "test.mustache", ""},
     "t.mustache:2: there is no template 'tset.mustache': did you mean "
     "'test.mustache'?"},
    {"",
     {"t.mustache", "{{>r.sql}}"},
     "t.mustache:1: there is no template 'r.sql'"},
    {"",
     {"t.mustache", "{{>../x}}"},
     "t.mustache:1: there is no template '../x'"},
    {"",
     {"t.mustache", "\n{{>t}}"},
     "t.mustache:2: the partial 't' would be within itself"},
    {"",
     {"t.mustache", "{{>p}}", "p.mustache", "\n\n{{>t}}"},
     "p.mustache:3: the partial 't' would be within itself"},
    {"",
     {"t.mustache", "{{>p}}{{/list}}", "p.mustache", "\n{{#list}}"},
     "p.mustache:2: the section 'list' has no end"},
    {"",
     {"t.mustache", "{{#list}}{{>p}}", "p.mustache", "{{/list}}"},
     "p.mustache:1: no section 'list' is open"},
    {"",
     {"t.mustache", "{{>p}}\n{{#x", "p.mustache", ""},
     "t.mustache:2: this tag has no end '}}'"},
};

static const combined misfits[] = {
    {"",
     {"t.mustache", "\n{{#list}}\n{{yy}}{{/list}}"},
     "t.mustache:3: there is no 'yy': did you mean 'y'?"},
    {"",
     {"t.mustache", "{{#lists}}{{/lists}}"},
     "t.mustache:1: there is no 'lists': did you mean 'list'?"},
    {"",
     {"t.mustache", "{{^nothing_at_all}}{{/nothing_at_all}}"},
     "t.mustache:1: there is no 'nothing_at_all'"},
    {"",
     {"t.mustache", "\n{{y}}"},
     "t.mustache:2: 'y' is a column of 'list': it stands between {{#list}} "
     "and {{/list}}"},
    {"",
     {"t.mustache", "{{^list}}{{y}}{{/list}}"},
     "t.mustache:1: 'y' is a column of 'list': it stands between {{#list}} "
     "and {{/list}}"},
    {"",
     {"t.mustache", "{{list}}"},
     "t.mustache:1: 'list' is a list: {{#list}} \xe2\x80\xa6 {{/list}} shows "
     "what is in it"},
    {"",
     {"t.mustache", "{{{one}}}"},
     "t.mustache:1: 'one' is a row: {{#one}} \xe2\x80\xa6 {{/one}} shows what "
     "is in it"},
    {"",
     {"t.mustache", "{{list.x}}"},
     "t.mustache:1: 'list' is a list: its 'x' stands between {{#list}} and "
     "{{/list}}"},
    {"",
     {"t.mustache", "{{one.itn}}"},
     "t.mustache:1: there is no 'itn': did you mean 'int'?"},
    {"",
     {"t.mustache", "{{text.x}}"},
     "t.mustache:1: 'text' is a value: it has no 'x'"},
    {"",
     {"t.mustache", "{{.}}"},
     "t.mustache:1: '.' is the value of a section, or the only column of its "
     "rows: there is none here"},
    {"",
     {"t.mustache", "{{#list}}{{.}}{{/list}}"},
     "t.mustache:1: '.' is the value of a section, or the only column of its "
     "rows: there is none here"},
    {"", {"t.mustache", "{{rows}}"}, "t.mustache:1: there is no 'rows'"},
    {"",
     {"t.mustache", "\n{{#list}}{{>p}}{{/list}}", "p.mustache", "\n\n{{zz}}"},
     "p.mustache:3: there is no 'zz'"},
};

static void each_fault(void)
{
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        const combined *c = &faults[i];
        uc_routes *set = load(c->files, files_of(c->files));

        eq_str(said, c->want, c->want);
        uc_routes_unref(set);
    }
}

static void each_misfit(void)
{
    for (size_t i = 0; i < sizeof misfits / sizeof *misfits; i++) {
        const combined *c = &misfits[i];
        uc_routes *set = load(c->files, files_of(c->files));

        if (set != NULL)
            fits(set);
        eq_str(said, c->want, c->want);
        uc_routes_unref(set);
    }
}

/* ---- limits ---- */

/* n times the text, which is freed by the caller. */
static char *times(const char *text, size_t n)
{
    size_t len = strlen(text);
    char *all = malloc(len * n + 1);

    for (size_t i = 0; i < n; i++)
        memcpy(all + i * len, text, len);
    all[len * n] = '\0';
    return all;
}

static char *join(char *a, char *b)
{
    size_t n = strlen(a), m = strlen(b);
    char *all = malloc(n + m + 1);

    memcpy(all, a, n);
    memcpy(all + n, b, m + 1);
    free(a);
    free(b);
    return all;
}

static void refused(char *text, const char *want)
{
    const char *files[] = {"t.mustache", text};
    uc_routes *set = load(files, 1);

    eq_str(said, want, want[0] != '\0' ? want : "a limit is reached");
    uc_routes_unref(set);
    free(text);
}

static void of_one_file(void)
{
    char *names = malloc(200 * 8);
    size_t n = 0;

    refused(join(times("{{#one}}", 32), times("{{/one}}", 32)), "");
    refused(join(times("{{#one}}", 33), times("{{/one}}", 33)),
            "t.mustache:1: more than 32 sections in each other");
    refused(times("{{text}}", UC_TEMPLATE_NODES), "");
    refused(times("{{text}}\n", UC_TEMPLATE_NODES / 2 + 1),
            "t.mustache:32769: up to here this template and its partials have "
            "more than 65536 tags and texts");
    refused(times("x", UC_TEMPLATE_BYTES - 1), "");
    refused(times("x", UC_TEMPLATE_BYTES),
            "t.mustache:1: with this file a template and its partials have "
            "more than 1048576 bytes");
    for (int i = 0; i < 129; i++)
        n += (size_t)snprintf(names + n, 200 * 8 - n, "{{n%d}}\n", i);
    refused(names, "t.mustache:129: this template and its partials have more "
                   "than 128 names");
}

/* Each file has the next one twice: 2^22 of the last, had nobody counted. */
static void of_partials(void)
{
    static char names[FILES_MOST][24], texts[FILES_MOST][80];
    const char *files[2 * FILES_MOST];
    uc_routes *set;

    for (int i = 0; i < FILES_MOST; i++) {
        snprintf(names[i], sizeof names[i], "%s%.0d.mustache", "t", i);
        snprintf(texts[i], sizeof texts[i], "{{>t%d}}", i + 1);
        files[2 * i] = names[i];
        files[2 * i + 1] = i + 1 < FILES_MOST ? texts[i] : "";
    }
    set = load(files, FILES_MOST);
    eq_str(said, "t16.mustache:1: more than 16 partials in each other",
           "partials in each other");
    uc_routes_unref(set);
    for (int i = 0; i < 15; i++)
        snprintf(texts[i], sizeof texts[i], "{{>t%d}}{{>t%d}}{{>t%d}}{{>t%d}}",
                 i + 1, i + 1, i + 1, i + 1);
    files[2 * 15 + 1] = "";
    set = load(files, FILES_MOST);
    ok(strstr(said, "more than 1048576 bytes") != NULL,
       "partials that multiply");
    uc_routes_unref(set);
}

/* 2^30 times nothing, and as often something. */
static void of_pages(void)
{
    const char *files[] = {"t.mustache", NULL};
    char *nothing = join(times("{{#list}}", 30), times("{{/list}}", 30));
    char *text = join(join(times("{{#list}}", 30), times("x", 100)),
                      times("{{/list}}", 30));
    uc_routes *set;
    uc_buf out;

    files[1] = nothing;
    set = load(files, 1);
    uc_buf_init(&out, 1 << 20);
    ok(!fill(set, &out) && !out.failed && out.len == 0,
       "a page that comes to no end");
    uc_routes_unref(set);
    files[1] = text;
    set = load(files, 1);
    fill(set, &out);
    ok(out.full && out.len <= 1 << 20, "a page that is too large");
    uc_buf_fini(&out);
    uc_routes_unref(set);
    free(nothing);
    free(text);
}

/* A file that is the template of two routes is read once. */
static void shared(void)
{
    static const char two[] =
        "-- @get /a :html t.mustache\n-- @public\nselect 1 as a limit 1;\n"
        "-- @get /b :html t.mustache\n-- @public\nselect 2 as a limit 1;\n";
    uc_source files[] = {{view("r.sql"), view(two)},
                         {view("t.mustache"), view("{{#rows}}{{a}}{{/rows}}")}};
    uc_error e;
    uc_routes *set;

    uc_error_init(&e);
    set = uc_routes_read(files, 2, &e);
    ok(set != NULL && uc_routes_at(set, 0)->template != NULL &&
           uc_routes_at(set, 0)->template == uc_routes_at(set, 1)->template,
       "two routes share a template");
    uc_routes_unref(set);
}

/* Of each length, one byte at each place has to be escaped, or none. */
static void escapes(void)
{
    static const char *const odd[] = {"&", "<", ">", "\"", "'"};
    static const char *const entities[] = {"&amp;", "&lt;", "&gt;", "&quot;",
                                           "&#39;"};
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
    unsigned wrong = 0;

    for (int n = 0; n <= 25; n++) {
        for (int i = 0; i < 5 * (n + 1); i++) {
            int at = i / 5, rest = at == n ? 0 : n - at - 1;
            char in[40], want[60];
            uc_buf b;

            snprintf(in, sizeof in, "%.*s%s%.*s", at, letters,
                     at == n ? "" : odd[i % 5], rest, letters);
            snprintf(want, sizeof want, "-%.*s%s%.*s", at, letters,
                     at == n ? "" : entities[i % 5], rest, letters);
            uc_buf_init(&b, SIZE_MAX);
            uc_buf_byte(&b, '-');
            uc_html_escape(&b, (uc_view){(const uint8_t *)in, strlen(in)});
            wrong += b.len != strlen(want) || memcmp(b.p, want, b.len) != 0;
            uc_buf_fini(&b);
        }
    }
    eq_int(wrong, 0, "escaped at each place of each length");
}

int main(void)
{
    escapes();
    EACH(comments);
    EACH(delimiters);
    EACH(interpolation);
    EACH(sections);
    EACH(inverted);
    each_partial();
    each_fault();
    each_misfit();
    of_one_file();
    of_partials();
    of_pages();
    shared();
    return tap_end();
}

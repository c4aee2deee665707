/* Routes as files declare them: what is made of good files, the sentence for
 * each mistake, and the text of statements with some of their pieces. */
#include "common/near.h"
#include "common/thread.h"
#include "routes/routes.h"
#include "routes_example.h"
#include "routes_faults.h"
#include "tap.h"

static uc_view view(const char *s)
{
    return (uc_view){(const uint8_t *)s, strlen(s)};
}

/* A file of this text, beside two templates. *e is in words in `said`. */
static char said[600];

static uc_routes *read_bytes(const void *p, size_t n)
{
    uc_source files[] = {
        {view("r.sql"), {p, n}},
        {view("board.mustache"), view(routes_template)},
        {view("part.mustache"), view("")},
    };
    uc_error e;
    uc_routes *set;

    uc_error_init(&e);
    set = uc_routes_read(files, 3, &e);
    snprintf(said, sizeof said, "%s", set != NULL ? "" : e.message);
    if (set == NULL && (e.code == NULL || strcmp(e.code, "UC_ROUTE") != 0))
        snprintf(said, sizeof said, "the code is %s", e.code);
    return set;
}

static uc_routes *read_text(const char *s)
{
    return read_bytes(s, strlen(s));
}

static void eq_view(uc_view v, const char *want, const char *name)
{
    char text[4096];

    snprintf(text, sizeof text, "%.*s", (int)v.len, v.p);
    eq_str(text, want, name);
}

/* ---- what is made of them ---- */

static const uc_param *param(const uc_route *route, const char *name)
{
    for (uint32_t i = 0; i < route->nparams; i++)
        if (uc_view_is(route->params[i].name, name))
            return &route->params[i];
    tap_diag("there is no parameter %s", name);
    exit(1);
}

static const uc_route *find(const uc_routes *set, uc_method m, const char *path)
{
    const uc_route *route = uc_routes_find(set, m, view(path));

    if (route != NULL)
        return route;
    tap_diag("there is no route %s", path);
    exit(1);
}

static void the_page(const uc_routes *set)
{
    const uc_route *route = find(set, UC_METHOD_GET, "/dmail/user/q");
    const uc_param *p;

    eq_view(route->about, "The people of one name and age, a keyset page.",
            "words describe a route");
    eq_int(route->form, UC_FORM_MANY, ":many");
    ok(route->is_public && route->nroles == 0, "@public");
    eq_int(route->cache_ms, 1000, "@cache");
    eq_int(route->timeout_ms, 500, "@timeout");
    eq_int(route->nparams, 4, "four parameters");
    eq_int(route->required, 3, "of which two have to be given");
    eq_int(route->line, 2, "its line");
    p = param(route, "name");
    ok(p->type == UC_PARAM_TEXT && p->has_least && p->least == 1 &&
           p->has_most && p->most == 64 && p->preset.type == UC_ARG_ABSENT,
       "text 1..64");
    p = param(route, "id");
    ok(p->has_least && p->least == 0 && !p->has_most, "integer 0..");
    ok(p->preset.type == UC_ARG_INT && p->preset.i == 0, "= 0");
    eq_view(p->about, "the last id seen", "the words of a parameter");
    eq_int(p->line, 5, "its line");
    eq_int(param(route, "ps")->preset.i, 10, "= 10");
    eq_int(route->nstatements, 1, "one statement");
    eq_int(route->statements[0].form, UC_FORM_MANY, "has the route's form");
    ok(route->statements[0].bounded, "and is bounded");
    eq_int(route->statements[0].line, 10, "where it begins");
}

static void the_writes(const uc_routes *set)
{
    const uc_route *route = find(set, UC_METHOD_POST, "/dmail/user/add");

    eq_int(route->nparams, 4, "those of the service come behind");
    eq_view(route->params[2].name, "_now", "in the order of the text");
    ok(param(route, "_user")->type == UC_PARAM_GIVEN &&
           param(route, "_user")->given == UC_GIVEN_user,
       ":_user");
    eq_int(route->required, 3, "and are not to be sent");
    eq_int(route->nroles, 1, "@auth editor");
    eq_view(route->roles[0], "editor", "the role");
    eq_int(route->nsays, 1, "@say");
    eq_view(route->says[0].kind, "unique", "its kind");
    eq_int(route->says[0].column.len, 0, "of any column");
    eq_view(route->says[0].text, "that name is taken", "its text");
    route = find(set, UC_METHOD_POST, "/dmail/user/set");
    eq_int(route->nstatements, 2, "two statements");
    ok(route->statements[0].refuses && !route->statements[1].refuses,
       "the first refuses");
    ok(route->statements[0].form == UC_FORM_NONE &&
           route->statements[1].form == UC_FORM_NONE,
       "neither answers");
    eq_int(route->required, 1, "? may be absent");
    eq_int(route->statements[1].nchoices, 2, "two pieces");
    eq_int(route->statements[1].npieces, 5, "and what is around them");
    eq_int(route->statements[1].pieces[1].needs, 2, "the first needs the name");
    eq_view(route->statements[1].pieces[1].sql, " , name = :name ",
            "as it is in the file");
}

static void the_board(const uc_routes *set)
{
    const uc_route *route = find(set, UC_METHOD_GET, "/dmail/board");

    eq_int(route->about.len, 0, "no words");
    eq_int(route->form, UC_FORM_MANY, "the form of a GET");
    eq_view(route->statements[0].name, "users", "@as");
    eq_int(route->statements[0].form, UC_FORM_ONE, "its form");
    eq_view(route->statements[1].name, "newest", "@as again");
    eq_int(route->statements[1].form, UC_FORM_MANY, "its form");
}

static void example(void)
{
    uc_routes *set = read_text(routes_example);

    eq_str(said, "", "the example of the format is read");
    if (set == NULL)
        return;
    eq_int(uc_routes_count(set), 4, "its routes");
    the_page(set);
    the_writes(set);
    the_board(set);
    ok(uc_routes_find(set, UC_METHOD_POST, view("/dmail/board")) == NULL,
       "another method");
    ok(uc_routes_find(set, UC_METHOD_GET, view("/dmail/boar")) == NULL &&
           uc_routes_find(set, UC_METHOD_GET, view("/dmail/board/")) == NULL &&
           uc_routes_find(set, UC_METHOD_GET, view("")) == NULL,
       "another path");
    eq_view(uc_routes_at(set, 3)->path, "/dmail/board", "in their order");
    eq_view(uc_routes_file(set, 0), "r.sql", "a file's name");
    eq_view(uc_routes_text(set, view("board.mustache")), routes_template,
            "a file's text");
    ok(uc_routes_text(set, view("nothing")).p == NULL, "no such file");
    eq_int(uc_routes_text(set, view("part.mustache")).len, 0, "an empty one");
    uc_routes_ref(set);
    uc_routes_unref(set);
    eq_int(uc_routes_count(set), 4, "a second reference");
    uc_routes_unref(set);
    uc_routes_unref(NULL);
}

static void all_params(const uc_route *route)
{
    const uc_param *p = param(route, "t");

    ok(p->list && p->type == UC_PARAM_TEXT && p->least == 1 && p->most == 20,
       "a list with a length");
    eq_view(p->preset.s, "[\"a\",\"b\"]", "and a preset, as it is bound");
    p = param(route, "i");
    ok(p->clamp && p->least == -5 && p->most == 5 && p->preset.i == 3,
       "clamped");
    eq_view(p->about, "(words)", "words in parentheses");
    p = param(route, "r");
    ok(p->type == UC_PARAM_REAL && p->least_real == 0.5 &&
           p->most_real == 1000 && p->optional,
       "a range of reals");
    p = param(route, "b");
    ok(p->type == UC_PARAM_BOOLEAN && p->preset.i == 1, "a boolean");
    ok(param(route, "w")->type == UC_PARAM_TIME, "a time");
    p = param(route, "u");
    ok(p->type == UC_PARAM_UUID && p->list && p->secret && !p->has_least &&
           p->most == 5,
       "a list of uuids");
    eq_view(p->about,
            "\xc3\xbc"
            "ber",
            "words beyond ASCII");
    ok(param(route, "j")->type == UC_PARAM_JSON, "JSON");
    ok(param(route, "p")->type == UC_PARAM_BLOB, "a blob");
    p = param(route, "s");
    ok(p->type == UC_PARAM_WORDS && p->nwords == 3, "a list of words");
    eq_view(p->words[1], "it's", "with a quote");
    eq_view(p->preset.s, "on hold", "one with a blank is the preset");
    ok(param(route, "pass")->secret && param(route, "pass")->least == 8,
       "secret");
    p = param(route, "x_tenant");
    ok(p->header, "a header");
    eq_view(p->in_header, "x-tenant", "in lower case");
}

static void all_of_get(const uc_routes *set)
{
    const uc_route *route = find(set, UC_METHOD_GET, "/a/b-c_d.e~f");

    eq_view(route->about, "One line of words.\n  And another.",
            "words of two lines");
    eq_int(route->form, UC_FORM_HTML, ":html");
    eq_view(route->html, "board.mustache", "its template");
    all_params(route);
    eq_int(route->nroles, 2, "two roles");
    eq_view(route->roles[1], "editor:all", "the second");
    eq_int(route->cache_ms, 300000, "minutes");
    eq_int(route->timeout_ms, 7200000, "hours");
    ok(route->rate.n == 10 && route->rate.every_ms == 60000 &&
           route->rate.by == UC_RATE_USER,
       "@rate by user");
    ok(route->scan_ok, "@scan ok");
    eq_int(route->nreplies, 2, "@reply");
    eq_view(route->replies[1], "content_type", "the second");
    ok(route->random_least == -10 && route->random_most == 10, "@random");
    eq_int(route->statements[0].form, UC_FORM_ONE_REQUIRED, ":one!");
    eq_int(route->statements[1].form, UC_FORM_MANY, "the form without one");
    eq_int(route->statements[1].nchoices, 2, "pieces");
    eq_int(route->statements[1].line, 32, "its line");
}

static void all_of_post(const uc_routes *set)
{
    const uc_route *route = find(set, UC_METHOD_POST, "/a/b-c_d.e~f");

    ok(route->rate.by == UC_RATE_IP && route->rate.every_ms == 10000,
       "@rate ip");
    eq_view(route->audit, "main.log_of", "@audit");
    eq_int(route->nsays, 3, "@say");
    eq_view(route->says[0].column, "name", "of a column");
    eq_view(route->says[2].kind, "foreign-key", "a kind with a hyphen");
    eq_int(route->repeat, 1, "@repeat");
    ok(!route->statements[0].bounded, "nothing says how many rows there are");
    eq_int(param(route, "_random")->given, UC_GIVEN_random, ":_random");
}

static void all(void)
{
    uc_routes *set = read_text(routes_all);

    eq_str(said, "", "a file with everything is read");
    if (set == NULL)
        return;
    all_of_get(set);
    all_of_post(set);
    uc_routes_unref(set);
}

/* ---- what may be ---- */

static const char *const good[] = {
    "",
    "\n\n-- only words\n",
    "/* nothing */",
    "-- @get /\n-- @auth\nselect 1;",
    "--@get /a :one\n--@public\nselect 1;",
    "  \t-- @get /a\r\n  -- @public  \r\nselect\r\n1\r\n;\r\n",
    GET "select 1 -- and no more\n;",
    GET "select ';', \"a;b\", `;`, [;], '{', '}' /* ; { :x */ limit 1;",
    GET "select a::text, '::' from t limit 3;",
    GET "select 'it''s :x', \"a\"\":x\" from t limit 3;",
    GET "select a from t limit 3 offset 5;",
    GET PS "select a from t limit 3, :ps;",
    GET PS "select a from t where b in (select c from d) LIMIT :ps;",
    GET "with a as (select 1 as b from t) select b from a limit 7;",
    GET "(select a from t) union (select b from t) limit 7;",
    GET "select a from (select a from t limit 3) order by a, b;",
    GET "select a from (select a from t union all select 1 limit 3) as u "
        "where a > 1;",
    GET "with a as (select 1) select * from (values (1), (2) limit 1);",
    GET "select count(*) from t;",
    GET "select max(a) as m, count(*) filter (where b) from t where c = 1;",
    GET "select json_group_array(a) from t;",
    GET "values (1), (2);",
    GET "select a from t as refuse limit 1;",
    "-- @get /a :one\n-- @public\nselect a from b;",
    "-- @get /a :text\n-- @public\nselect a from b;",
    "-- @get /a :none\n-- @public\nselect a from b;",
    "-- @get /a :html part.mustache\n-- @public\nselect a from b limit 1;",
    "-- @get /a :page a\n" PS
    "-- @param a integer = 0\n-- @public\nselect a from "
    "t where a > :a order by a limit :ps;",
    GET "select 'no' as refuse where 0;\nselect 1;",
    GET "select 'no' AS \"refuse\" where 0; select 1;",
    GET "with a as (select 1) select 'no' as refuse from a; select 1;",
    GET "select (select 1 as refuse) limit 1;",
    "-- @get /a :none\n-- @public\nselect 'no' as refuse;",
    POST "select a from t;",
    POST "insert into t values (1); insert into t values (2);",
    "-- @post /a :many\n-- @public\ninsert into t values (1) returning a; "
    "update t set a = 1 where b = 2 returning a;",
    POST "-- @as a\nselect 1; update t set a = 1 where b;",
    "-- @get /a :html part.mustache\n-- @public\n-- @as a :text\nselect 1;",
    GET "-- @as a\nselect 'x'; select 'no' as refuse where 0;",
    POST "-- @param a text ?\n"
         "update t set b = (select c from d where e = :a) where f = 1 "
         "{ and g = :a };",
    POST "-- @param a text ?\n"
         "update t set b = 1 { , c = (select d from e where f = :a) } where g;",
    POST "-- @param a text ?\n"
         "insert into t select a from b { where c = :a };",
    GET "-- @param a integer 1..500 = 1 @clamp\n-- @repeat :a\nselect 1;",
    GET "-- @random 5..5\nselect :_random;",
    GET "-- @param a text = 'it''s'\nselect :a;",
    GET "-- @param a text =x\nselect :a;",
    GET "-- @param a text = \xc3\xbc\nselect :a;",
    GET "-- @param a 'x'[] 1..1\nselect :a;",
    GET "-- @param a text\nselect 'x' -- :b ?1 $1 @c { '\n || :a;",
    GET "select a from t where b @> c and d <@ e or f @@ g limit 3;",
    GET "select a$b, :_user, :_roles, :_now, :_ip, :_id limit 1;",
    "-- @get /a\n-- @auth " X64 "\nselect 1;",
    GET "-- @param " X64 " text\nselect :" X64 ";",
    GET "-- @cache 9m\n-- @timeout 19ms\nselect 1;",
    GET "-- @random -9223372036854775808..9223372036854775807\n"
        "select :_random;",
    GET "-- @cache 366d\n-- @timeout 1ms\nselect 1;",
    GET "select t.limit, t.from, t.order from t limit 1;",
    GET "select a from t order by b limit 1 for update;",
    GET "-- @reply server\nselect 1 as server;",
    "-- @get /a!+,=@b:c/~\n-- @public\nselect 1;\n"
    "-- @get /b\n-- @public\nselect 1;",
};

static void what_may_be(void)
{
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        uc_routes *set = read_text(good[i]);

        if (!ok(set != NULL, good[i]))
            tap_diag("%s", said);
        uc_routes_unref(set);
    }
}

/* ---- mistakes ---- */

static void mistakes(void)
{
    for (size_t i = 0; i < sizeof routes_faults / sizeof routes_faults[0];
         i++) {
        uc_routes *set = read_text(routes_faults[i].text);
        char name[120];

        snprintf(name, sizeof name, "%.100s", routes_faults[i].want);
        eq_str(said, routes_faults[i].want, name);
        if (set != NULL)
            tap_diag("it was read: %s", routes_faults[i].text);
        uc_routes_unref(set);
    }
}

/* ---- mistakes of bytes, of sizes and of several files ---- */

static void is_bytes(const void *p, size_t n, const char *want)
{
    uc_routes *set = read_bytes(p, n);

    eq_str(said, want, want);
    uc_routes_unref(set);
}

static void bytes(void)
{
    is_bytes("-- a\n\0", 6, "r.sql:2: a NUL byte");
    is_bytes("-- a\n-- \xff\n", 10, "r.sql:2: this line is not UTF-8");
    is_bytes("-- \xc3", 4, "r.sql:1: this line is not UTF-8");
    is_bytes("-- a\r-- b\n", 10,
             "r.sql:1: a carriage return without a line feed behind it");
    is_bytes("\n\n\r", 3,
             "r.sql:3: a carriage return without a line feed behind it");
    is_bytes(NULL, 0, "");
}

static void set_is(const uc_source *files, uint32_t n, const char *want)
{
    uc_error e;
    uc_routes *set;

    uc_error_init(&e);
    set = uc_routes_read(files, n, &e);
    eq_str(set != NULL ? "" : e.message, want, want);
    uc_routes_unref(set);
}

static void several_files(void)
{
    const uc_source twice[] = {{view("a.sql"), view(GET "select 1;")},
                               {view("b.sql"), view("\n" GET "select 1;")}};
    const uc_source names[] = {{view("a.sql"), view("")},
                               {view("a.sql"), view("")}};
    const uc_source strange[] = {{view("a.sql"), view("")},
                                 {view("a\nb.sql"), view("")}};
    const uc_source template[] = {{view("a.sql"), view("")},
                                  {view("b.mustache"), view("\n\n\xff")}};
    const uc_source both[] = {
        {view("a.sql"), view(GET "select 1;" POST "select 1;")}};

    set_is(NULL, 0, "");
    set_is(twice, 2, "b.sql:2: the route GET /a stands in a.sql:1 already");
    set_is(names, 2, "a.sql:1: a file of this name is there twice");
    set_is(strange, 2,
           "file 2: its name is no text of 1 to 255 bytes without control "
           "characters");
    set_is(template, 2, "b.mustache:3: this line is not UTF-8");
    set_is(both, 1, "a.sql:3: a tag begins its line");
}

/* A file that is made of a beginning, so many repetitions and an end. */
static void repeated(const char *begin, const char *part, int times,
                     const char *end, const char *want)
{
    size_t n = strlen(begin) + strlen(part) * (size_t)times + strlen(end);
    char *text = malloc(n + 1), *p = text;

    p = stpcpy(p, begin);
    for (int i = 0; i < times; i++)
        p = stpcpy(p, part);
    strcpy(p, end);
    is_bytes(text, n, want);
    free(text);
}

/* The same with a number in each part. */
static void numbered(const char *begin, const char *before, const char *behind,
                     int times, const char *end, const char *want)
{
    size_t room = strlen(begin) + strlen(end) + 1;
    char *text, *p;

    room += (strlen(before) + strlen(behind) + 12) * (size_t)times;
    p = text = malloc(room);
    p = stpcpy(p, begin);
    for (int i = 0; i < times; i++)
        p += sprintf(p, "%s%d%s", before, i, behind);
    strcpy(p, end);
    is_bytes(text, strlen(text), want);
    free(text);
}

static void limits(void)
{
    repeated(GET "select '", "x", UC_ROUTE_SQL - 9, "';", "");
    repeated(GET "select '", "x", UC_ROUTE_SQL - 8, "';",
             "r.sql:3: a statement has at most 65536 bytes");
    repeated("", "-- 1234\n", UC_ROUTES_BYTES / 8 + 1, "",
             "r.sql:1: with this file all have more than 4194304 bytes");
    repeated(POST, "insert into t values (1);\n", 32, "", "");
    repeated(POST, "insert into t values (1);\n", 33, "",
             "r.sql:35: a route has at most 32 statements");
    repeated(GET "select ", "(", 65, "1", "r.sql:3: this statement has no ';'");
    repeated(GET "select ", "(", 65, "1;",
             "r.sql:3: more than 64 parentheses deep");
    repeated(GET MAYBE "select 1", " { + :a }", 8, ";", "");
    repeated(GET MAYBE "select 1", " { + :a }", 9, ";",
             "r.sql:4: a statement has at most 8 pieces { }");
    repeated("-- @get /", "x", 511, "\n-- @public\nselect 1;", "");
    numbered(GET, "-- @param a", " text\n", 51, "select 1;",
             "r.sql:53: a route has at most 50 parameters");
    numbered(GET, "-- @reply a", "\n", 65, "select 1;",
             "r.sql:67: a route has at most 64 @reply");
    numbered("-- @get /a\n-- @auth", " r", "", 65, "\nselect 1;",
             "r.sql:2: @auth has at most 64 roles");
    numbered(GET "-- @param a 'x'", "|'", "'", 64, "\nselect :a;",
             "r.sql:3: @param a: a list has at most 64 words");
    numbered(POST, "-- @say unique(a", ") x\n", 65, "select 1;",
             "r.sql:67: a route has at most 64 @say");
    numbered("", "-- @get /a", "\n-- @public\nselect 1;\n", UC_ROUTES_MOST, "",
             "");
    numbered("", "-- @get /a", "\n-- @public\nselect 1;\n", UC_ROUTES_MOST + 1,
             "", "r.sql:12289: there are more than 4096 routes");
}

/* ---- variants ---- */

static void variant_is(uc_routes *set, const uc_route *route, int statement,
                       uint64_t given, const char *want, const char *params)
{
    uc_variant *v =
        uc_statement_variant(set, route, &route->statements[statement], given);
    char text[200] = "", *p = text;

    eq_view(v->sql, want, want);
    ok(v->sql.p[v->sql.len] == '\0', "has a NUL behind it");
    for (uint32_t i = 0; i < v->nparams; i++)
        p += sprintf(p, "%s%.*s", i > 0 ? " " : "",
                     (int)route->params[v->params[i]].name.len,
                     route->params[v->params[i]].name.p);
    eq_str(text, params, "its parameters");
    ok(uc_statement_variant(set, route, &route->statements[statement], given) ==
           v,
       "is made once");
}

static void variants(void)
{
    uc_routes *set = read_text(routes_example);
    const uc_route *route = find(set, UC_METHOD_POST, "/dmail/user/set");

    variant_is(set, route, 1, 0, "update person set id = id     where id = ?1",
               "id");
    variant_is(set, route, 1, 1, "update person set id = id     where id = ?1",
               "id");
    variant_is(set, route, 1, 2,
               "update person set id = id   , name = ?1     where id = ?2",
               "name id");
    variant_is(set, route, 1, 4,
               "update person set id = id     , age = ?1   where id = ?2",
               "age id");
    variant_is(set, route, 1, 7,
               "update person set id = id   , name = ?1     , age = ?2   where "
               "id = ?3",
               "name age id");
    variant_is(set, route, 0, UINT64_MAX,
               "select 'no such user' as refuse where not exists (select 1 "
               "from person where id = ?1 and owner = ?2)",
               "id _user");
    uc_routes_unref(set);
}

/* Names in comments and quotes stay; one that stands twice has one number. */
static void variants_of_all(void)
{
    uc_routes *set = read_text(
        POST "-- @param a text ?\n-- @param b text ?\n-- @param c text\n"
             "select ':a', \":b\" -- :c\n,:c||:a{:b+:a}{:b},[x:a]/*:b*/,:c;");
    const uc_route *route;

    if (!ok(set != NULL, "a statement with all of it"))
        return;
    route = uc_routes_at(set, 0);
    variant_is(set, route, 0, 4,
               "select ':a', \":b\" -- :c\n,?1||?2  ,[x:a]/*:b*/,?1", "c a");
    variant_is(set, route, 0, 6,
               "select ':a', \":b\" -- :c\n,?1||?2  ?3 ,[x:a]/*:b*/,?1",
               "c a b");
    variant_is(set, route, 0, 7,
               "select ':a', \":b\" -- :c\n,?1||?2 ?3+?2  ?3 "
               ",[x:a]/*:b*/,?1",
               "c a b");
    uc_routes_unref(set);
}

/* Eight pieces: each of the 256 subsets has those and no others. */
static void every_subset(void)
{
    char text[2000], *p = text, want[400];
    const uc_route *route;
    uc_routes *set;
    int wrong = 0;

    p = stpcpy(p, POST);
    for (int i = 0; i < 8; i++)
        p += sprintf(p, "-- @param p%d integer ?\n", i);
    p = stpcpy(p, "select 0");
    for (int i = 0; i < 8; i++)
        p += sprintf(p, "{,:p%d}", i);
    strcpy(p, ";");
    set = read_text(text);
    if (!ok(set != NULL, "eight pieces"))
        return;
    route = uc_routes_at(set, 0);
    for (int round = 0; round < 2; round++) {
        for (uint64_t given = 0; given < 256; given++) {
            const uc_variant *v =
                uc_statement_variant(set, route, route->statements, given);
            int n = 0;

            p = stpcpy(want, "select 0");
            for (int i = 0; i < 8; i++)
                p += given >> i & 1 ? sprintf(p, " ,?%d ", ++n)
                                    : sprintf(p, " ");
            wrong += v->sql.len != (size_t)(p - want) ||
                     memcmp(v->sql.p, want, v->sql.len) != 0 ||
                     v->nparams != (uint32_t)n;
        }
    }
    eq_int(wrong, 0, "every subset");
    uc_routes_unref(set);
}

/* More than nine parameters. */
static void two_digits(void)
{
    char text[3000], want[1000], *p = text, *w = want;
    uc_routes *set;

    p = stpcpy(p, POST);
    for (int i = 0; i < 50; i++)
        p += sprintf(p, "-- @param p%d text\n", i);
    p = stpcpy(p, "select 0");
    w = stpcpy(w, "select 0");
    for (int i = 0; i < 50; i++) {
        p += sprintf(p, ",:p%d", 49 - i);
        w += sprintf(w, ",?%d", i + 1);
    }
    strcpy(p, ",:_user,:_roles,:_now,:_ip,:_id;");
    strcpy(w, ",?51,?52,?53,?54,?55");
    set = read_text(text);
    if (!ok(set != NULL, "as many parameters as there may be"))
        return;
    eq_view(uc_statement_variant(set, uc_routes_at(set, 0),
                                 uc_routes_at(set, 0)->statements, 0)
                ->sql,
            want, "numbers of two digits");
    eq_int(uc_routes_at(set, 0)->required, ((uint64_t)1 << 50) - 1,
           "all that are the file's have to be given");
    uc_routes_unref(set);
}

/* ---- several threads ---- */

typedef struct asking {
    uc_routes *set;
    uc_variant *got[4];
} asking;

static void *ask(void *arg)
{
    asking *a = arg;
    const uc_route *route = find(a->set, UC_METHOD_POST, "/dmail/user/set");

    for (uint64_t i = 0; i < 4; i++)
        a->got[i] =
            uc_statement_variant(a->set, route, &route->statements[1], i << 1);
    uc_routes_unref(a->set);
    return NULL;
}

static void threads(void)
{
    uc_routes *set = read_text(routes_example);
    asking all_of_them[4];
    uc_thread t[4];
    bool same = true;

    for (int i = 0; i < 4; i++) {
        all_of_them[i].set = uc_routes_ref(set);
        uc_thread_start(&t[i], "asking", ask, &all_of_them[i]);
    }
    for (int i = 0; i < 4; i++)
        uc_thread_join(t[i]);
    for (int i = 0; i < 16; i++)
        same = same && all_of_them[i / 4].got[i % 4] != NULL &&
               all_of_them[i / 4].got[i % 4] == all_of_them[0].got[i % 4];
    ok(same, "several threads get the same variants");
    uc_routes_unref(set);
}

/* ---- whatever comes ---- */

/* Each variant of what could be read is asked for, and every view is looked
 * at. */
static uint64_t touch(uc_routes *set)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < uc_routes_count(set); i++) {
        uc_route *route = uc_routes_at(set, i);

        sum += uc_routes_find(set, route->method, route->path) == route;
        for (uint32_t j = 0; j < route->nstatements; j++) {
            const uc_statement *s = &route->statements[j];

            for (uint32_t k = 0; k < s->npieces; k++)
                sum += uc_statement_variant(set, route, &route->statements[j],
                                            s->pieces[k].needs)
                           ->sql.len;
        }
    }
    return sum;
}

static void mutate(char *text, size_t *n, size_t room)
{
    static const char *const parts[] = {
        "'", "{",  "}", ";", ":", "--",           "@",    "\n", "/*", "..",
        "|", "[]", "?", "(", ")", "-- @get /a\n", "\xff", "="};
    size_t at = *n > 0 ? (size_t)(tap_random() % *n) : 0, len;
    const char *part;

    switch (tap_random() % 3) {
    case 0: /* a part goes */
        len = (size_t)(tap_random() % 12);
        if (len > *n - at)
            len = *n - at;
        memmove(text + at, text + at + len, *n - at - len);
        *n -= len;
        return;
    case 1: /* another byte */
        if (*n > 0)
            text[at] = (char)tap_random();
        return;
    default: /* something more */
        part = parts[tap_random() % (sizeof parts / sizeof parts[0])];
        len = strlen(part);
        if (*n + len > room)
            return;
        memmove(text + at + len, text + at, *n - at);
        memcpy(text + at, part, len);
        *n += len;
    }
}

static void mutations(void)
{
    static const char *const from[] = {routes_example, routes_all};
    static char text[8192];
    int read = 0, refused = 0, without = 0;

    tap_seed(20261130);
    for (int i = 0; i < 4000; i++) {
        const char *s = from[i % 2];
        size_t n = strlen(s);
        uc_routes *set;

        memcpy(text, s, n);
        for (uint64_t k = tap_random() % 4 + 1; k > 0; k--)
            mutate(text, &n, sizeof text);
        set = read_bytes(text, n);
        read += set != NULL;
        refused += set == NULL;
        without += set == NULL && strstr(said, "r.sql:") != said;
        if (set != NULL)
            touch(set);
        uc_routes_unref(set);
    }
    ok(read > 100 && refused > 1000, "mutations, read and refused");
    eq_int(without, 0, "each mistake has its file and line");
}

static void random_bytes(void)
{
    uint8_t bytes_[600];
    int read = 0;

    for (int i = 0; i < 2000; i++) {
        size_t n = (size_t)(tap_random() % sizeof bytes_);
        uc_routes *set;

        for (size_t j = 0; j < n; j++)
            bytes_[j] =
                (uint8_t)(i % 2 != 0 ? tap_random() & 0x7f : tap_random());
        set = read_bytes(bytes_, n);
        read += set != NULL;
        uc_routes_unref(set);
    }
    ok(read < 200, "random bytes");
}

/* ---- the nearest word ---- */

static const char *nearest(const char *word, const char *const *names)
{
    static char text[100];
    uc_near n;

    uc_near_init(&n, view(word));
    for (; *names != NULL; names++)
        uc_near_try_text(&n, *names);
    snprintf(text, sizeof text, "%.*s", (int)n.best.len,
             n.best.p != NULL ? (const char *)n.best.p : "");
    return text;
}

static void near(void)
{
    static const char *const names[] = {"integer", "text",        "time", "",
                                        X64 "x",   "foreign-key", NULL};

    eq_str(nearest("integre", names), "integer", "two letters in each place");
    eq_str(nearest("int", names), "integer", "the beginning of a word");
    eq_str(nearest("integers", names), "integer", "more than a word");
    eq_str(nearest("TEXT", names), "text", "whatever the case");
    eq_str(nearest("tixe", names), "time", "of two the nearer one");
    eq_str(nearest("x", names), "", "none is near");
    eq_str(nearest("", names), "", "to nothing");
    eq_str(nearest(X64 "x", names), "", "to a long word");
    eq_str(nearest("in", names), "", "two letters are no beginning");
}

int main(void)
{
    example();
    all();
    what_may_be();
    mistakes();
    bytes();
    several_files();
    limits();
    variants();
    variants_of_all();
    every_subset();
    two_digits();
    threads();
    mutations();
    random_bytes();
    near();
    return tap_end();
}

/* Statements for PostgreSQL: parameters by any of their forms, and what a text
 * is by its words. */
#include "data/pg/sql.h"
#include "tap.h"

static uc_view view(const char *s)
{
    return (uc_view){(const uint8_t *)s, strlen(s)};
}

/* text → what a server gets, and the names by number. */
static const struct {
    const char *text, *want, *names;
} rewritten[] = {
    {"select 1", "select 1", ""},
    {"select ?", "select $1", "-"},
    {"select?", "select $1", "-"},
    {"select ?, ?", "select $1, $2", "- -"},
    {"select ?2, ?1, ?", "select $2, $1, $3", "- - -"},
    {"select $2, $1", "select $2, $1", "- -"},
    {"select :a, @b, $c, :a", "select $1, $2, $3, $1", "a b c"},
    {"select :a, ?, :b", "select $1, $2, $3", "a - b"},
    {"select :a::text", "select $1::text", "a"},
    {"select ?::text", "select $1::text", "-"},
    {"select '?' || ? || \"?\"", "select '?' || $1 || \"?\"", "-"},
    {"select 'it''s ?', ?", "select 'it''s ?', $1", "-"},
    {"select e'\\'?', ?", "select e'\\'?', $1", "-"},
    {"select '\\', ?", "select '\\', $1", "-"},
    {"select U&'\\0061?' , ?", "select U&'\\0061?' , $1", "-"},
    {"select $$?$$, ?", "select $$?$$, $1", "-"},
    {"select $q$ $$ ? $q $q$, ?", "select $q$ $$ ? $q $q$, $1", "-"},
    {"select a$b$c, ?", "select a$b$c, $1", "-"},
    {"select /* ? /* :a */ ? */ ?", "select /* ? /* :a */ ? */ $1", "-"},
    {"select ? -- ? :a\n, ?", "select $1 -- ? :a\n, $2", "- -"},
    {"select a ?? 'k' from t where b = ?", "select a ? 'k' from t where b = $1",
     "-"},
    {"select a ??| b, a ??& c, ?", "select a ?| b, a ?& c, $1", "-"},
    {"select a ? 'k' where b = $1", "select a ? 'k' where b = $1", "-"},
    {"select a @? '$.x', a @@ 'q', a @> b, a <@ c",
     "select a @? '$.x', a @@ 'q', a @> b, a <@ c", ""},
    {"select a<@b, c=@d", "select a<@b, c=$1", "d"},
    {"select a=?and b>=?", "select a=$1 and b>=$2", "- -"},
    {"select a[1:2], a[:x], a[1:y], a[:p:q]",
     "select a[1:2], a[$1], a[1:y], a[$2:q]", "x p"},
    {"select f(x := 1, y => ?)", "select f(x := 1, y => $1)", "-"},
    {"select ?-?", "select $1-$2", "- -"},
    {"select ?||?", "select $1||$2", "- -"},
    {"select ?;", "select $1", "-"},
    {"select ? ; -- the end", "select $1 ", "-"},
    {"select 1.5e-3, .5, 0x1f, ?", "select 1.5e-3, .5, 0x1f, $1", "-"},
    {"select \"a\"\"?\", ?", "select \"a\"\"?\", $1", "-"},
    {"select ?1 0", "select $1 0", "-"},
    {"insert into t values (?,?),(:a,?)",
     "insert into t values ($1,$2),($3,$4)", "- - a -"},
};

static void text_of(const pg_sql *s, char *out, size_t size)
{
    size_t n = 0;

    out[0] = '\0';
    for (uint32_t i = 1; i <= s->nparams; i++) {
        uc_view v = pg_sql_name(s, i);

        n += (size_t)snprintf(out + n, size - n, "%s%.*s", i > 1 ? " " : "",
                              v.p != NULL ? (int)v.len : 1,
                              v.p != NULL ? (const char *)v.p : "-");
    }
}

static void parameters(void)
{
    for (size_t i = 0; i < sizeof rewritten / sizeof *rewritten; i++) {
        char names[200];
        uc_error e = {0};
        pg_sql s;

        ok(pg_sql_read(&s, view(rewritten[i].text), &e), rewritten[i].text);
        eq_str((const char *)s.text.p, rewritten[i].want, "its text");
        text_of(&s, names, sizeof names);
        eq_str(names, rewritten[i].names, "its names");
        pg_sql_fini(&s);
    }
}

static const struct {
    const char *text;
    uc_class cls;
} classes[] = {
    {"select 1", UC_CLASS_READ},
    {"SeLeCt 1", UC_CLASS_READ},
    {"-- x\n /* y */ select 1", UC_CLASS_READ},
    {"(select 1) union (select 2)", UC_CLASS_READ},
    {"table t", UC_CLASS_READ},
    {"with a as (select 1) select * from a", UC_CLASS_READ},
    {"with a as (delete from t returning *) select * from a", UC_CLASS_WRITE},
    {"with \"delete\" as (select 1) select 1", UC_CLASS_READ},
    {"explain delete from t", UC_CLASS_READ},
    {"explain analyze delete from t", UC_CLASS_WRITE},
    {"select pg_notify('a', 'b')", UC_CLASS_WRITE},
    {"select 'pg_notify'", UC_CLASS_READ},
    {"insert into t values (1)", UC_CLASS_WRITE},
    {"create table t(a int)", UC_CLASS_WRITE},
    {"notify a", UC_CLASS_WRITE},
    {"set local work_mem = '1MB'", UC_CLASS_WRITE},
    {"set transaction snapshot '1'", UC_CLASS_WRITE},
    {"vacuum t", UC_CLASS_ALONE},
    {"create database d", UC_CLASS_ALONE},
    {"create index concurrently i on t(a)", UC_CLASS_ALONE},
    {"create unique index concurrently i on t(a)", UC_CLASS_ALONE},
    {"drop index concurrently i", UC_CLASS_ALONE},
    {"alter system set work_mem = '1MB'", UC_CLASS_ALONE},
    {"refresh materialized view concurrently v", UC_CLASS_WRITE},
    {"insert into t(concurrently) values (1)", UC_CLASS_WRITE},
};

static void by_words(void)
{
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        uc_error e = {0};
        pg_sql s;

        ok(pg_sql_read(&s, view(classes[i].text), &e), classes[i].text);
        eq_int(s.cls, classes[i].cls, "its class");
        pg_sql_fini(&s);
    }
}

static const struct {
    const char *text, *code;
} refused[] = {
    {"", "UC_SQL_EMPTY"},
    {" -- nothing\n", "UC_SQL_EMPTY"},
    {"select 1; select 2", "UC_SQL_MULTI"},
    {"begin", "UC_SQL_TRANSACTION"},
    {"commit", "UC_SQL_TRANSACTION"},
    {"savepoint a", "UC_SQL_TRANSACTION"},
    {"start transaction", "UC_SQL_TRANSACTION"},
    {"set work_mem = '1MB'", "UC_SQL_CONNECTION"},
    {"set session authorization x", "UC_SQL_CONNECTION"},
    {"set transaction read write", "UC_SQL_CONNECTION"},
    {"set transaction", "UC_SQL_CONNECTION"},
    {"reset all", "UC_SQL_CONNECTION"},
    {"discard all", "UC_SQL_CONNECTION"},
    {"listen a", "UC_SQL_CONNECTION"},
    {"copy t from stdin", "UC_SQL_CONNECTION"},
    {"select set_config('a.b', 'c', false)", "UC_SQL_CONNECTION"},
    {"select pg_advisory_lock(1)", "UC_SQL_CONNECTION"},
    {"select $0", "UC_PARAM_COUNT"},
    {"select $65536", "UC_PARAM_COUNT"},
    {"select ?99999999999", "UC_PARAM_COUNT"},
};

static void not_here(void)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        uc_error e = {0};
        pg_sql s;

        ok(!pg_sql_read(&s, view(refused[i].text), &e), refused[i].text);
        eq_str(e.code != NULL ? e.code : "", refused[i].code, "its code");
        pg_sql_fini(&s);
    }
}

/* Whatever is read, it ends, within its bytes. */
static void any_bytes(void)
{
    static const char some[] = "'\"$?:@ae-/*\n[;x&u1";
    unsigned ended = 0;

    for (unsigned round = 0; round < 20000; round++) {
        char *text = malloc(24);
        size_t n = tap_random() % 24;
        uc_error e = {0};
        pg_sql s;

        for (size_t i = 0; i < n; i++)
            text[i] = some[tap_random() % (sizeof some - 1)];
        pg_sql_read(&s, (uc_view){(uint8_t *)text, n}, &e);
        pg_sql_fini(&s);
        free(text);
        ended++;
    }
    eq_int(ended, 20000, "random texts are read to their end");
}

/* ---- places ---- */

/* Where a word of what is sent stands in what was given. */
static const struct {
    const char *text, *sent, *here;
} places[] = {
    {"select nope", "nope", "nope"},
    {"select ?, nope", "nope", "nope"},
    {"select :name, @other, nope", "nope", "nope"},
    {"select 'é日😀', ?, nope", "nope", "nope"},
    {"select a ?? b, nope", "nope", "nope"},
    {"select 1 where ?and nope", "nope", "nope"},
    {"select a=?", "$1", "?"},
    {"select :name", "$1", ":name"},
    {"select $1, nope", "nope", "nope"},
};

static int64_t characters(const char *from, const char *to)
{
    int64_t n = 0;

    for (; from < to; from++)
        n += (*from & 0xc0) != 0x80;
    return n;
}

static void found_again(void)
{
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const char *text = places[i].text, *at;
        uc_error e = {0};
        pg_sql s;

        ok(pg_sql_read(&s, view(text), &e), text);
        at = strstr((const char *)s.text.p, places[i].sent);
        eq_int(pg_sql_offset(view(text),
                             characters((const char *)s.text.p, at) + 1),
               strstr(text, places[i].here) - text, "its place");
        pg_sql_fini(&s);
    }
    eq_int(pg_sql_offset(view("select 1"), 0), -1, "no place is none");
    eq_int(pg_sql_offset(view("select 1"), 1000), 8,
           "behind the end is its end");
    eq_int(pg_sql_offset(view("begin"), 3), -1, "nor of what cannot be read");
}

/* ---- scripts ---- */

static const struct {
    const char *text, *sent, *code;
    int offset; /* of the error; else of the second statement */
} scripts[] = {
    {"select 1; select 2", "select 1; select 2", NULL, 10},
    {"begin; select 1; select 2; commit", "     ; select 1; select 2;       ",
     NULL, 17},
    {"\xef\xbb\xbf"
     "begin;; select 1; a; end work;",
     "     ;; select 1; a;         ;", NULL, 21},
    {"-- begin;\nselect ';'; select $$;$$",
     "-- begin;\nselect ';'; select $$;$$", NULL, 22},
    {"", "", NULL, -1},
    {" ;; -- x", " ;; -- x", NULL, -1},
    {"begin", NULL, "UC_SQL_TRANSACTION", 0},
    {"select 1; commit", NULL, "UC_SQL_TRANSACTION", 10},
    {"begin; commit; select 1", NULL, "UC_SQL_TRANSACTION", 7},
    {"begin; savepoint a; commit", NULL, "UC_SQL_TRANSACTION", 7},
    {"begin; begin; commit", NULL, "UC_SQL_TRANSACTION", 7},
    {"begin select 1; commit", NULL, "PG_SYNTAX_ERROR", 6},
    {"begin; select 1; commit and chain", NULL, "PG_SYNTAX_ERROR", 24},
    {"select 1; set a = 1", NULL, "UC_SQL_CONNECTION", 10},
    {"select 1; pragma x", NULL, "UC_NOT_HERE", 10},
    {"select 1; create temp table a(b int)", NULL, "UC_SQL_CONNECTION", 10},
};

static void whole_scripts(void)
{
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        const char *text = scripts[i].text;
        char sent[100];
        uc_error e;
        pg_script s;
        bool fine;

        uc_error_init(&e);
        fine = pg_script_read(&s, view(text), &e);
        ok(fine == (scripts[i].code == NULL), text);
        if (fine) {
            pg_script_put(&s, sent);
            eq_str(sent, scripts[i].sent, "what is sent");
            eq_int(pg_script_offset(view(text), 0, 1), scripts[i].offset,
                   "its second statement");
        } else {
            eq_str(e.code, scripts[i].code, "its code");
            eq_int(e.offset, scripts[i].offset, "its place");
        }
    }
    eq_int(pg_script_offset(view("select 'é'; nope"), 13, 0), 13,
           "a place of the server is of characters");
}

/* Statements of a script, with | between; a ! in front of those that begin or
 * end a transaction. */
static const struct {
    const char *text, *want;
} statements[] = {
    {"", ""},
    {" ; ;; -- x\n;", ""},
    {"select 1", "select 1"},
    {"select 1;", "select 1"},
    {" select 1 ; select 2 -- ;\n ; ", "select 1|select 2"},
    {"select ';', \";\", $$;$$, e'\\';' /* ; */; select 2",
     "select ';', \";\", $$;$$, e'\\';'|select 2"},
    {"begin; select 1; commit", "!begin|select 1|!commit"},
    {"START TRANSACTION; End; abort; savepoint a; release a; rollback to a",
     "!START TRANSACTION|!End|!abort|!savepoint a|!release a|!rollback to a"},
    {"prepare transaction 'x'; prepare x as select 1; commit prepared 'x'",
     "!prepare transaction 'x'|prepare x as select 1|!commit prepared 'x'"},
    {"create function f() returns int begin atomic select 1; end; select 2",
     "create function f() returns int begin atomic select 1; end|select 2"},
    {"create function f() returns int begin atomic select case when a then 1 "
     "else case b when 1 then 2 end end; select 3; end; end",
     "create function f() returns int begin atomic select case when a then 1 "
     "else case b when 1 then 2 end end; select 3; end|!end"},
    {"select case when true then 1 end; select 2",
     "select case when true then 1 end|select 2"},
    {"create rule r as on delete to a do (select 1; select 2); select 3",
     "create rule r as on delete to a do (select 1; select 2)|select 3"},
    {"do $x$ begin commit; end $x$; select 1",
     "do $x$ begin commit; end $x$|select 1"},
    {"select 1; 'no end; select 2", "select 1|'no end; select 2"},
    {"select 1; /* no end; select 2", "select 1| /* no end; select 2"},
    {"select (1; select 2", "select (1; select 2"},
};

static void parts_of_scripts(void)
{
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
        uc_view text = view(statements[i].text);
        pg_lexer l = {text.p, text.p + text.len};
        char got[512] = "";
        pg_part part;

        while (pg_part_next(&l, &part) && strlen(got) + part.text.len < 500) {
            if (got[0] != '\0')
                strcat(got, "|");
            strcat(got, part.controls ? "!" : "");
            strncat(got, (const char *)part.text.p, part.text.len);
        }
        ok(strcmp(got, statements[i].want) == 0, statements[i].text);
    }
}

int main(void)
{
    tap_seed(17);
    parameters();
    by_words();
    not_here();
    any_bytes();
    found_again();
    whole_scripts();
    parts_of_scripts();
    return tap_end();
}

#ifndef UC_TEST_ROUTES_FAULTS_H
#define UC_TEST_ROUTES_FAULTS_H

/* Files with a mistake, and the sentence for each of them. */

#define GET "-- @get /a\n-- @public\n"
#define POST "-- @post /a\n-- @public\n"
#define PS "-- @param ps integer 1..9\n"
#define A "-- @param a text\n"
#define MAYBE "-- @param a text ?\n"
#define X64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static const struct {
    const char *text, *want;
} routes_faults[] = {
    /* tags */
    {"-- @parm a text\n",
     "r.sql:1: unknown tag '@parm': did you mean '@param'?"},
    {"-- @gte /a\n", "r.sql:1: unknown tag '@gte': did you mean '@get'?"},
    {"-- @Get /a\n", "r.sql:1: unknown tag '@Get': did you mean '@get'?"},
    {GET "-- @authorize\nselect 1;",
     "r.sql:3: unknown tag '@authorize': did you mean '@auth'?"},
    {GET "-- @websocket\nselect 1;", "r.sql:3: unknown tag '@websocket'"},
    {"-- @put /a\n",
     "r.sql:1: there is no '@put': a route reads with @get, and "
     "changes with @post"},
    {"-- @delete /a\n", "r.sql:1: there is no '@delete': a route reads with "
                        "@get, and changes with @post"},
    {"-- @ get /a\n", "r.sql:1: unknown tag '@'"},
    {GET "-- @live\nselect 1;", "r.sql:3: @live is not built yet"},
    {"-- @live\n", "r.sql:1: @live is not built yet"},
    {"\n-- @public\n", "r.sql:2: @public before any route: a route begins with "
                       "@get or @post"},
    {"-- @as a\nselect 1;",
     "r.sql:1: @as before any route: a route begins with "
     "@get or @post"},
    {"-- words\nselect 1;", "r.sql:2: a statement before any route: a route "
                            "begins with @get or @post"},
    {"-- @get /a\n-- @public\n-- @public\nselect 1;",
     "r.sql:3: @public stands twice"},
    {GET "-- @cache 1s\n-- @cache 1s\nselect 1;",
     "r.sql:4: @cache stands twice"},
    {GET "-- @timeout 1s\n-- @timeout 1s\nselect 1;",
     "r.sql:4: @timeout stands twice"},
    {GET "-- @rate 1/1s ip\n-- @rate 1/1s ip\nselect 1;",
     "r.sql:4: @rate stands twice"},
    {GET "-- @scan ok\n-- @scan ok\nselect 1;", "r.sql:4: @scan stands twice"},
    {POST "-- @audit a\n-- @audit a\nselect 1;",
     "r.sql:4: @audit stands twice"},
    {GET "-- @random 1..2\n-- @random 1..2\nselect 1;",
     "r.sql:4: @random stands twice"},
    {GET "-- @repeat :a\n-- @repeat :a\nselect 1;",
     "r.sql:4: @repeat stands twice"},
    {GET "select 1; -- @get /b\n", "r.sql:3: a tag begins its line"},
    {GET "/* */ -- @auth\nselect 1;", "r.sql:3: a tag begins its line"},
    {GET "select 1\n-- @get /b\n-- @public\nselect 1;",
     "r.sql:4: a tag within the statement of line 3: is its ';' missing?"},
    {GET "-- @as a\nselect 1;\n-- @param b text\n-- @as c\nselect :b;",
     "r.sql:5: @param stands before the first statement of its route"},
    {GET "select 1;\n-- @cache 1s\n",
     "r.sql:4: @cache stands before the first statement of its route"},
    {"-- @get /a\n-- @public yes\nselect 1;", "r.sql:2: 'yes' behind @public"},
    {GET "-- @cache 1s 2s\nselect 1;", "r.sql:3: '2s' behind @cache"},
    {GET "-- @reply a b\nselect 1;", "r.sql:3: 'b' behind @reply"},

    /* routes */
    {"-- @get\n", "r.sql:1: a route without a path"},
    {"-- @get a\n", "r.sql:1: the path 'a' does not begin with /"},
    {"-- @get :many\n", "r.sql:1: the path ':many' does not begin with /"},
    {"-- @get /a/\n",
     "r.sql:1: the path '/a/' has an empty part between two /, or "
     "a / at its end"},
    {"-- @get //a\n",
     "r.sql:1: the path '//a' has an empty part between two /, or "
     "a / at its end"},
    {"-- @get /a/../b\n", "r.sql:1: the path '/a/../b' has a part . or .."},
    {"-- @get /.\n", "r.sql:1: the path '/.' has a part . or .."},
    {"-- @get /a?b=c\n",
     "r.sql:1: the path '/a?b=c' has a ?: what is behind it in "
     "a request are @params"},
    {"-- @get /a#b\n",
     "r.sql:1: the path '/a#b' has a #, which no request has"},
    {"-- @get /a%20b\n",
     "r.sql:1: the path '/a%20b' has a %: it is written as it "
     "is, and only with plain characters"},
    {"-- @get /user/:id\n",
     "r.sql:1: the path '/user/:id' has a part that begins with a colon: what "
     "varies is a @param, behind the ? of a request"},
    {"-- @get /{id}\n", "r.sql:1: the path '/{id}' has a character other than "
                        "letters, digits and -._~!+,=@:"},
    {"-- @get /\xc3\xbc\n",
     "r.sql:1: the path '/\xc3\xbc' has a character other "
     "than letters, digits and -._~!+,=@:"},
    {"-- @get /a;b\n", "r.sql:1: the path '/a;b' has a character other than "
                       "letters, digits and -._~!+,=@:"},
    {"-- @get /" X64 X64 X64 X64 X64 X64 X64 X64 "\n",
     "r.sql:1: the path "
     "'/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
     "xxxxxx' is longer than 512 bytes"},
    {"-- @get /a b\n",
     "r.sql:1: unknown form 'b': there are :many, :one, :one!, "
     ":none, :page, :text and :html"},
    {"-- @get /a :mayn\n",
     "r.sql:1: unknown form ':mayn': did you mean ':many'?"},
    {"-- @get /a many\n",
     "r.sql:1: unknown form 'many': did you mean ':many'?"},
    {"-- @get /a :one ?\n", "r.sql:1: '?' behind the form of a route"},
    {"-- @get /a :html\n", "r.sql:1: :html needs the name of a template"},
    {"-- @get /a :html bord.mustache\n",
     "r.sql:1: there is no template 'bord.mustache': did you mean "
     "'board.mustache'?"},
    {"-- @get /a :html ../x\n", "r.sql:1: there is no template '../x'"},
    {"-- @get /a :html r.sql\n", "r.sql:1: there is no template 'r.sql'"},
    {"-- @get /a :html board.mustache more\n",
     "r.sql:1: 'more' behind the form of a route"},
    {GET, "r.sql:1: this route has no statement"},
    {GET "-- @get /b\n-- @public\nselect 1;",
     "r.sql:1: this route has no statement"},
    {"-- @get /a\nselect 1;",
     "r.sql:1: this route says neither @auth nor @public"},
    {GET "-- @auth\nselect 1;",
     "r.sql:3: @auth and @public exclude each other"},
    {"-- @get /a\n-- @auth a\n-- @public\nselect 1;",
     "r.sql:3: @auth and @public exclude each other"},
    {GET "select 1;\n" GET "select 1;",
     "r.sql:4: the route GET /a stands in r.sql:1 already"},

    /* parameters: names */
    {GET "-- @param\nselect 1;", "r.sql:3: @param has no name"},
    {GET "-- @param _user text\nselect 1;",
     "r.sql:3: @param _user: names with _ in front are the service's"},
    {GET "-- @param a-b text\nselect 1;",
     "r.sql:3: @param a-b: a name has letters, digits and _, and at most 64"},
    {GET "-- @param 1a text\nselect 1;",
     "r.sql:3: @param 1a: a name has letters, digits and _, and at most 64"},
    {GET "-- @param " X64 "x text\nselect 1;",
     "r.sql:3: @param " X64
     ": a name has letters, digits and _, and at most 64"},
    {GET A "-- @param b text\n" A "select :a, :b;",
     "r.sql:5: the parameter 'a' stands in line 3 already"},
    {GET "-- @param x_a text\n-- @header x-a text\nselect :x_a;",
     "r.sql:4: the parameter 'x_a' stands in line 3 already"},
    {GET "-- @header\nselect 1;", "r.sql:3: @header has no name"},
    {GET "-- @header x_a text\nselect 1;",
     "r.sql:3: @header x_a: a name has letters, digits and -, and at most 64"},
    {GET "-- @header X-A txt\nselect 1;",
     "r.sql:3: @header x-a: unknown type 'txt': did you mean 'text'?"},

    /* types */
    {GET "-- @param a\nselect 1;", "r.sql:3: @param a: it has no type"},
    {GET "-- @param a int\nselect 1;",
     "r.sql:3: @param a: unknown type 'int': did you mean 'integer'?"},
    {GET "-- @param a string\nselect 1;",
     "r.sql:3: @param a: unknown type 'string': there are text, integer, real, "
     "boolean, time, uuid, json, blob and 'a'|'b'"},
    {GET "-- @param a text?\nselect 1;",
     "r.sql:3: @param a: unknown type 'text?': did you mean 'text'?"},
    {GET "-- @param a words\nselect 1;",
     "r.sql:3: @param a: unknown type 'words': there are text, integer, real, "
     "boolean, time, uuid, json, blob and 'a'|'b'"},
    {GET "-- @param a 'x\nselect 1;",
     "r.sql:3: @param a: a word of the list has no closing '"},
    {GET "-- @param a 'x'|\nselect 1;",
     "r.sql:3: @param a: a word in quotes has to follow the '|'"},
    {GET "-- @param a 'x'|y\nselect 1;",
     "r.sql:3: @param a: a word in quotes has to follow the '|'"},
    {GET "-- @param a 'x'|'x'\nselect 1;",
     "r.sql:3: @param a: 'x' stands twice in the list"},
    {GET "-- @param a 'x'|''\nselect 1;",
     "r.sql:3: @param a: a word of the list has 1 to 64 bytes"},
    {GET "-- @param a 'x'y\nselect 1;",
     "r.sql:3: @param a: 'y' directly behind the list of words"},
    {GET "-- @param a 'x' 'y'\nselect 1;",
     "r.sql:3: @param a: ''y'' is no range, no value and no word"},

    /* ranges */
    {GET "-- @param a integer 5..1\nselect 1;",
     "r.sql:3: @param a: the range 5..1 ends before it begins"},
    {GET "-- @param a text 5..1\nselect 1;",
     "r.sql:3: @param a: the range 5..1 ends before it begins"},
    {GET "-- @param a real 0.5..0.25\nselect 1;",
     "r.sql:3: @param a: the range 0.5..0.25 ends before it begins"},
    {GET "-- @param a integer ..\nselect 1;",
     "r.sql:3: @param a: the range '..' has neither end"},
    {GET "-- @param a integer 1...5\nselect 1;",
     "r.sql:3: @param a: '.5' in its range is no whole number"},
    {GET "-- @param a integer 1..x\nselect 1;",
     "r.sql:3: @param a: 'x' in its range is no whole number"},
    {GET "-- @param a integer 1.5..2\nselect 1;",
     "r.sql:3: @param a: '1.5' in its range is no whole number"},
    {GET "-- @param a integer 1..9223372036854775808\nselect 1;",
     "r.sql:3: @param a: '9223372036854775808' in its range is no whole "
     "number"},
    {GET "-- @param a integer +1..2\nselect 1;",
     "r.sql:3: @param a: '+1' in its range is no whole number"},
    {GET "-- @param a real 1.e..2\nselect 1;",
     "r.sql:3: @param a: '1.e' in its range is no number"},
    {GET "-- @param a real ..1e999\nselect 1;",
     "r.sql:3: @param a: '1e999' in its range is no number"},
    {GET "-- @param a integer 1..2 3..4\nselect 1;",
     "r.sql:3: @param a: the range stands twice"},
    {GET "-- @param a integer 1 .. 2\nselect 1;",
     "r.sql:3: @param a: '1' is no range, no value and no word"},
    {GET "-- @param a text -1..5\nselect 1;",
     "r.sql:3: @param a: its range counts, and nothing counts less than 0"},
    {GET "-- @param a integer[] -5..-1\nselect 1;",
     "r.sql:3: @param a: its range counts, and nothing counts less than 0"},
    {GET "-- @param a text 70000..\nselect 1;",
     "r.sql:3: @param a: its range begins behind 65536, where one without an "
     "end "
     "ends"},
    {GET "-- @param a integer[] 1001..\nselect 1;",
     "r.sql:3: @param a: its range begins behind 1000, where one without an "
     "end "
     "ends"},
    {GET "-- @param a boolean 0..1\nselect 1;",
     "r.sql:3: @param a: a boolean has no range"},
    {GET "-- @param a time 1..2\nselect 1;",
     "r.sql:3: @param a: a time has no range"},
    {GET "-- @param a 'x'|'y' 1..2\nselect 1;",
     "r.sql:3: @param a: a list of words has no range"},
    {GET "-- @param a integer the age 0..150\nselect 1;",
     "r.sql:3: @param a: '0..150' has to stand before the words"},
    {GET "-- @param a integer the age ?\nselect 1;",
     "r.sql:3: @param a: '?' has to stand before the words"},
    {GET "-- @param a integer the age @clamp\nselect 1;",
     "r.sql:3: @param a: '@clamp' has to stand before the words"},
    {GET "-- @param a integer ? ?\nselect 1;",
     "r.sql:3: @param a: '?' stands twice"},
    {GET "-- @param a text secret secret\nselect 1;",
     "r.sql:3: @param a: 'secret' stands twice"},
    {GET "-- @param a integer @clamp\nselect 1;",
     "r.sql:3: @param a: @clamp needs a range"},
    {GET "-- @param a text 1..5 @clamp\nselect 1;",
     "r.sql:3: @param a: @clamp is for a number"},
    {GET "-- @param a integer[] 1..5 @clamp\nselect 1;",
     "r.sql:3: @param a: @clamp is for a number"},

    /* presets */
    {GET "-- @param a integer =\nselect 1;",
     "r.sql:3: @param a: no value behind '='"},
    {GET "-- @param a integer = 1 = 2\nselect 1;",
     "r.sql:3: @param a: the value behind '=' stands twice"},
    {GET "-- @param a integer ? = 1\nselect 1;",
     "r.sql:3: @param a: it has '?' and a value behind '=', which it has when "
     "it "
     "is absent"},
    {GET "-- @param a integer = null\nselect 1;",
     "r.sql:3: @param a: null is what an absent one ('?') is"},
    {GET "-- @param a text = 'x\nselect 1;",
     "r.sql:3: @param a: the value behind '=' has no closing '"},
    {GET "-- @param a integer 1..5 = 6\nselect 1;",
     "r.sql:3: @param a: the value behind '=' must be between 1 and 5"},
    {GET "-- @param a integer = 0 1..5\nselect 1;",
     "r.sql:3: @param a: the value behind '=' must be between 1 and 5"},
    {GET "-- @param a integer 1..5 @clamp = 6\nselect 1;",
     "r.sql:3: @param a: the value behind '=' must be between 1 and 5"},
    {GET "-- @param a integer = x\nselect 1;",
     "r.sql:3: @param a: the value behind '=' must be an integer"},
    {GET "-- @param a text 3..4 = ab\nselect 1;",
     "r.sql:3: @param a: the value behind '=' must have 3 to 4 characters"},
    {GET "-- @param a boolean = yes\nselect 1;",
     "r.sql:3: @param a: the value behind '=' must be true or false"},
    {GET "-- @param a 'x'|'y' = z\nselect 1;",
     "r.sql:3: @param a: the value behind '=' must be one of x, y"},
    {GET "-- @param a integer[] 2..3 = 1\nselect 1;",
     "r.sql:3: @param a: the value behind '=' must have 2 to 3 entries"},

    /* the other tags */
    {GET "-- @cache\nselect 1;",
     "r.sql:3: @cache: '' is no time: a number with ms, s, m, h or d directly "
     "behind it, at most 366d"},
    {GET "-- @cache 5\nselect 1;",
     "r.sql:3: @cache: '5' is no time: a number with ms, s, m, h or d directly "
     "behind it, at most 366d"},
    {GET "-- @timeout 0s\nselect 1;", "r.sql:3: @timeout: '0s' is no time: a "
                                      "number with ms, s, m, h or d directly "
                                      "behind it, at most 366d"},
    {GET "-- @timeout 367d\nselect 1;",
     "r.sql:3: @timeout: '367d' is no time: a number with ms, s, m, h or d "
     "directly behind it, at most 366d"},
    {GET "-- @timeout 99999999999999999s\nselect 1;",
     "r.sql:3: @timeout: '99999999999999999s' is no time: a number with ms, s, "
     "m, "
     "h or d directly behind it, at most 366d"},
    {GET "-- @timeout -5s\nselect 1;", "r.sql:3: @timeout: '-5s' is no time: a "
                                       "number with ms, s, m, h or d directly "
                                       "behind it, at most 366d"},
    {GET "-- @timeout 1.5s\nselect 1;",
     "r.sql:3: @timeout: '1.5s' is no time: a number with ms, s, m, h or d "
     "directly behind it, at most 366d"},
    {POST "-- @cache 1s\nselect 1;", "r.sql:3: @cache is for a GET"},
    {GET "-- @rate 10\nselect 1;", "r.sql:3: @rate needs a number from 1 to "
                                   "1000000, and a time: 10/1m by ip"},
    {GET "-- @rate 0/1m ip\nselect 1;", "r.sql:3: @rate needs a number from 1 "
                                        "to 1000000, and a time: 10/1m by ip"},
    {GET "-- @rate\nselect 1;", "r.sql:3: @rate needs a number from 1 to "
                                "1000000, and a time: 10/1m by ip"},
    {GET "-- @rate 10/m ip\nselect 1;",
     "r.sql:3: @rate: 'm' is no time: a number with ms, s, m, h or d directly "
     "behind it, at most 366d"},
    {GET "-- @rate 10/1m\nselect 1;",
     "r.sql:3: @rate: 'by ip' or 'by user' has to follow, not ''"},
    {GET "-- @rate 10/1m by host\nselect 1;",
     "r.sql:3: @rate: 'by ip' or 'by user' has to follow, not 'host'"},
    {GET "-- @rate 10/1m by user\nselect 1;",
     "r.sql:3: @rate by user: nobody is logged in on a @public route"},
    {GET "-- @scan\nselect 1;", "r.sql:3: @scan is followed by 'ok'"},
    {GET "-- @audit log\nselect 1;", "r.sql:3: @audit is for a POST"},
    {POST "-- @audit\nselect 1;", "r.sql:3: @audit needs the name of a table"},
    {POST "-- @audit a.b.c\nselect 1;",
     "r.sql:3: @audit needs the name of a table"},
    {GET "-- @say unique x\nselect 1;",
     "r.sql:3: @say is for a POST: a GET breaks no constraint"},
    {POST "-- @say uniqe x\nselect 1;",
     "r.sql:3: @say: unknown kind 'uniqe': did you mean 'unique'?"},
    {POST "-- @say\nselect 1;",
     "r.sql:3: @say: unknown kind '': there are unique, foreign-key, check, "
     "not-null and constraint"},
    {POST "-- @say unique\nselect 1;", "r.sql:3: @say unique has no text"},
    {POST "-- @say unique(a b) x\nselect 1;",
     "r.sql:3: @say: a column stands directly behind the kind, as in "
     "unique(name)"},
    {POST "-- @say unique x\n-- @say unique y\nselect 1;",
     "r.sql:4: @say unique stands twice"},
    {GET "-- @reply\nselect 1;",
     "r.sql:3: @reply needs the name of a column: letters, digits and _"},
    {GET "-- @reply a-b\nselect 1;",
     "r.sql:3: @reply needs the name of a column: letters, digits and _"},
    {GET "-- @reply Content_Length\nselect 1;",
     "r.sql:3: @reply Content_Length: this header is the server's"},
    {GET "-- @reply a\n-- @reply a\nselect 1;",
     "r.sql:4: @reply a stands twice"},
    {"-- @get /a\n-- @auth a b a\nselect 1;",
     "r.sql:2: @auth: the role 'a' stands twice"},
    {"-- @get /a\n-- @auth a,b\nselect 1;",
     "r.sql:2: @auth: the role 'a,b' has others than letters, digits and -_.:, "
     "or "
     "more than 64"},
    {GET "-- @random 5\nselect 1;",
     "r.sql:3: @random needs two whole numbers, as in '@random 1..10000'"},
    {GET "-- @random 5..\nselect 1;",
     "r.sql:3: @random needs two whole numbers, as in '@random 1..10000'"},
    {GET "-- @random 5..1\nselect 1;",
     "r.sql:3: @random: the range 5..1 ends before it begins"},
    {GET "-- @random 1..5\nselect 1;", "r.sql:3: no statement uses ':_random'"},
    {GET "select :_random;", "r.sql:3: ':_random' needs '@random lo..hi'"},
    {GET "-- @repeat a\nselect 1;",
     "r.sql:3: @repeat needs a parameter, as in '@repeat :n'"},
    {GET "-- @repeat :m\n-- @param n integer 1..5\nselect 1;",
     "r.sql:3: there is no @param 'm': did you mean ':n'?"},
    {GET "-- @repeat :mmm\n-- @param n integer 1..5\nselect 1;",
     "r.sql:3: there is no @param 'mmm'"},
    {GET "-- @param n integer\n-- @repeat :n\nselect 1;",
     "r.sql:4: @repeat :n: it has to be an integer that is always there, with "
     "a "
     "range within 0..10000"},
    {GET "-- @param n integer 1..5 ?\n-- @repeat :n\nselect 1;",
     "r.sql:4: @repeat :n: it has to be an integer that is always there, with "
     "a "
     "range within 0..10000"},
    {GET "-- @param n text 1..5\n-- @repeat :n\nselect 1;",
     "r.sql:4: @repeat :n: it has to be an integer that is always there, with "
     "a "
     "range within 0..10000"},
    {GET "-- @param n integer 0..10001\n-- @repeat :n\nselect 1;",
     "r.sql:4: @repeat :n: it has to be an integer that is always there, with "
     "a "
     "range within 0..10000"},
    {GET "-- @param n integer 1..5\n-- @repeat :n\n-- @as a\nselect 1;",
     "r.sql:4: @repeat answers one array: there is no @as then"},
    {"-- @get /a :text\n-- @public\n-- @param n integer 1..5\n-- @repeat :n\n"
     "select 1;",
     "r.sql:4: @repeat answers one array: the form is :one or :many"},
    {GET "-- @as\nselect 1;",
     "r.sql:3: @as needs a name of letters, digits and _"},
    {GET "-- @as a :mnay\nselect 1;",
     "r.sql:3: unknown form ':mnay': did you mean ':many'?"},
    {GET "-- @as a :page\nselect 1;",
     "r.sql:3: the forms of @as are :many, :one, :one! and :text"},
    {GET "-- @as a\n-- @as b\nselect 1;",
     "r.sql:3: @as without a statement behind it"},
    {GET "select 1;\n-- @as b\n", "r.sql:4: @as without a statement behind it"},
    {GET "-- @as a\nselect 1;\n-- @as a\nselect 2;",
     "r.sql:5: @as a stands twice"},
    {"-- @get /a :many\n-- @public\n-- @as a\nselect 1;",
     "r.sql:1: with @as the forms stand there, and none behind the path"},

    /* statements */
    {GET "select 1", "r.sql:3: this statement has no ';'"},
    {GET "select 1; more", "r.sql:3: this statement has no ';'"},
    {GET "select 1;\n\nmore\n", "r.sql:5: this statement has no ';'"},
    {GET "select 1;;", "r.sql:3: a ';' without a statement"},
    {GET "select 1;\nselect 2;", "r.sql:3: of several statements of a GET each "
                                 "has a name: '@as name :form' "
                                 "before it"},
    {GET "-- @as a\nselect 1;\nselect 2;",
     "r.sql:5: of several statements of a GET each has a name: '@as name "
     ":form' "
     "before it"},
    {GET "select 'no' as refuse;",
     "r.sql:1: no statement of this route answers, they only refuse"},
    {GET "-- @as a\nselect 'no' as refuse;",
     "r.sql:4: a statement that refuses has no name (@as)"},
    {GET "select 'a\n\nb', \"c\nd\" -- e\n, :x;",
     "r.sql:7: there is no @param 'x'"},
    {GET "/* a\n\n */ select :x;", "r.sql:5: there is no @param 'x'"},
    {GET "select 'a;", "r.sql:3: this text has no closing '"},
    {GET "select\n\"a;\n", "r.sql:4: this name has no closing \""},
    {GET "select `a;", "r.sql:3: this name has no closing `"},
    {GET "select [a;", "r.sql:3: this [ has no ]"},
    {GET "select 1; /* a", "r.sql:3: this comment has no */"},
    {GET "select /* a\n /* b */ */ 1;", "r.sql:3: a comment within a comment"},
    {GET "select (1;", "r.sql:3: a '(' of this statement has no ')'"},
    {GET "select\n1);", "r.sql:4: a ')' without a '('"},
    {GET A "select :a, :b;",
     "r.sql:4: there is no @param 'b': did you mean ':a'?"},
    {GET "-- @param name text\nselect\n :nmae;",
     "r.sql:5: there is no @param 'nmae': did you mean ':name'?"},
    {GET "select :name;", "r.sql:3: there is no @param 'name'"},
    {GET "select :_usr;",
     "r.sql:3: the service gives no ':_usr': did you mean ':_user'?"},
    {GET "select :_tenant;", "r.sql:3: the service gives no ':_tenant': it "
                             "gives :_user, :_roles, :_now, "
                             ":_ip, :_id, :_params and :_random"},
    {GET A "select 1;", "r.sql:3: no statement uses ':a'"},
    {GET A "select ':a' -- :a\n;", "r.sql:3: no statement uses ':a'"},
    {GET "select ?;",
     "r.sql:3: a '?' outside of a text: parameters are written "
     ":name"},
    {GET "select ?1;",
     "r.sql:3: a '?' outside of a text: parameters are written "
     ":name"},
    {GET "select $1;",
     "r.sql:3: a '$' outside of a text: parameters are written "
     ":name"},
    {GET "select $$a$$;", "r.sql:3: a '$' outside of a text: parameters are "
                          "written :name"},
    {GET "select @a;", "r.sql:3: a '@' before a name: parameters are written "
                       ":name"},
    {GET "select :1;", "r.sql:3: a parameter has a name, not a number"},
    {GET A "select :a\xc3\xbc;",
     "r.sql:4: a parameter's name has letters, digits and _"},
    {GET A "select :a$b;",
     "r.sql:4: a parameter's name has letters, digits and _"},
    {GET "select E'a\\'b';",
     "r.sql:3: a text with backslashes (E'...') is not for "
     "routes: bind it as a parameter"},

    /* pieces */
    {GET MAYBE "select 1 { + :a;", "r.sql:4: this '{' has no '}'"},
    {GET MAYBE "select 1 + :a };", "r.sql:4: a '}' without a '{'"},
    {GET MAYBE "select 1 { + { :a } };", "r.sql:4: a piece { } within a piece"},
    {GET MAYBE "select :a\n { + 1 };",
     "r.sql:5: this piece { } uses no parameter"},
    {GET MAYBE "select :a { + ':a' };",
     "r.sql:4: this piece { } uses no parameter"},
    {GET A "select 1 { + :a };",
     "r.sql:4: this piece { } is always there: none of its parameters may be "
     "absent ('?')"},
    {GET "-- @param a text = x\nselect 1 { + :a };",
     "r.sql:4: this piece { } is always there: none of its parameters may be "
     "absent ('?')"},
    {GET "select 1 { , :_user };",
     "r.sql:3: this piece { } is always there: none of its parameters may be "
     "absent ('?')"},
    {GET MAYBE "select 1 { + (:a };",
     "r.sql:4: a '(' in this piece has no ')' in it"},
    {GET MAYBE "select (1 { + :a) };",
     "r.sql:4: a ')' in this piece has no '(' in it"},
    {POST MAYBE "update t set b = 1\n { where c = :a };",
     "r.sql:5: the 'where' of this update stands in a piece { }: without it "
     "the "
     "statement is one of all rows"},
    {POST MAYBE "delete from t { WHERE c = :a };",
     "r.sql:4: the 'where' of this delete stands in a piece { }: without it "
     "the "
     "statement is one of all rows"},
    {POST MAYBE "with b as (select 1) delete from t { where c = :a };",
     "r.sql:4: the 'where' of this delete stands in a piece { }: without it "
     "the "
     "statement is one of all rows"},
    {POST MAYBE "with b as (delete from t { where c = :a } returning c) "
                "select * from b limit 1;",
     "r.sql:4: the 'where' of this delete stands in a piece { }: without it "
     "the "
     "statement is one of all rows"},
    {POST MAYBE
     "update t set b = (select 1 from c where d) { , e = :a where f };",
     "r.sql:4: the 'where' of this update stands in a piece { }: without it "
     "the "
     "statement is one of all rows"},

    /* lists */
    {GET "select a from (select a from t limit 3), u;",
     "r.sql:3: a list needs a 'limit': a number, or a parameter with a range"},
    {GET "select a from (select a from t limit 3) join u;",
     "r.sql:3: a list needs a 'limit': a number, or a parameter with a range"},
    {GET "select a from (select a from t limit 3) union select b from t;",
     "r.sql:3: a list needs a 'limit': a number, or a parameter with a range"},
    {GET "select a from (select a from t);",
     "r.sql:3: a list needs a 'limit': a number, or a parameter with a range"},
    {GET "select a from (select a from (select a from t limit 3));",
     "r.sql:3: a list needs a 'limit': a number, or a parameter with a range"},
    {GET "select a from (select a from t limit 3) order by a union select b "
         "from t;",
     "r.sql:3: a list needs a 'limit': a number, or a parameter with a range"},
    {GET "select a from (select a from t limit 1 + 2);",
     "r.sql:3: a list needs a 'limit': a number, or a parameter with a range"},
    {GET "select 1 is distinct from (select 1 limit 1) from t;",
     "r.sql:3: a list needs a 'limit': a number, or a parameter with a range"},
    {GET "select a from t where a = (select b from t limit 1);",
     "r.sql:3: a list needs a 'limit': a number, or a parameter with a range"},
    {GET "select a from t;",
     "r.sql:3: a list needs a 'limit': a number, or a parameter with a range"},
    {GET "with a as (select b from t limit 5) select b from a;",
     "r.sql:3: a list needs a 'limit': a number, or a parameter with a range"},
    {GET "(select a from t limit 1) union (select b from t);",
     "r.sql:3: a list needs a 'limit': a number, or a parameter with a range"},
    {GET "select count(*), a from t group by a;",
     "r.sql:3: a list needs a 'limit': a number, or a parameter with a range"},
    {GET "select max(a, 1) from t;",
     "r.sql:3: a list needs a 'limit': a number, or a parameter with a range"},
    {GET "select count(*) over (order by a) from t;",
     "r.sql:3: a list needs a 'limit': a number, or a parameter with a range"},
    {GET "select count(*) from t union all select a from t;",
     "r.sql:3: a list needs a 'limit': a number, or a parameter with a range"},
    {GET "values (1) union all select a from t;",
     "r.sql:3: a list needs a 'limit': a number, or a parameter with a range"},
    {GET "-- @as a\nselect a from t;",
     "r.sql:4: a list needs a 'limit': a number, or a parameter with a range"},
    {"-- @get /a :html board.mustache\n-- @public\nselect a from t;",
     "r.sql:3: a list needs a 'limit': a number, or a parameter with a range"},
    {"-- @post /a :many\n-- @public\nselect a from t;",
     "r.sql:3: a list needs a 'limit': a number, or a parameter with a range"},
    {GET "select a from t limit -1;", "r.sql:3: its 'limit' has to be a number "
                                      "or a parameter, and the last of it "
                                      "but 'offset'"},
    {GET "select a from t limit all;",
     "r.sql:3: its 'limit' has to be a number or a parameter, and the last of "
     "it "
     "but 'offset'"},
    {GET "select a from t limit 1e9;",
     "r.sql:3: its 'limit' has to be a number or a parameter, and the last of "
     "it "
     "but 'offset'"},
    {GET PS "select a from t limit :ps * 1000;",
     "r.sql:4: its 'limit' has to be a number or a parameter, and the last of "
     "it "
     "but 'offset'"},
    {GET "select a from t limit 1, -1;",
     "r.sql:3: its 'limit' has to be a number or a parameter, and the last of "
     "it "
     "but 'offset'"},
    {GET "select a from t limit (select 5);",
     "r.sql:3: its 'limit' has to be a number or a parameter, and the last of "
     "it "
     "but 'offset'"},
    {GET "select a from t fetch first 5 rows only;",
     "r.sql:3: its 'limit' has to be a number or a parameter, and the last of "
     "it "
     "but 'offset'"},
    {GET "-- @param n integer 1..5 ?\nselect a from t { limit :n };",
     "r.sql:4: its 'limit' stands in a piece { }, and may be absent"},
    {GET "-- @param n integer 1..5 ?\nselect a from t limit :n;",
     "r.sql:4: the limit ':n' may be absent: give it a value behind '=' in "
     "place "
     "of '?'"},
    {GET "-- @param n integer 1..\nselect a from t limit :n;",
     "r.sql:4: the limit ':n' needs a range with both ends, from 0 or more on"},
    {GET "-- @param n integer ..5\nselect a from t limit :n;",
     "r.sql:4: the limit ':n' needs a range with both ends, from 0 or more on"},
    {GET "-- @param n integer -1..5\nselect a from t limit :n;",
     "r.sql:4: the limit ':n' needs a range with both ends, from 0 or more on"},
    {GET "-- @param n text 1..5\nselect a from t limit :n;",
     "r.sql:4: the limit ':n' is no integer"},
    {GET "select a from t limit :_now;",
     "r.sql:3: the limit ':_now' is no integer"},
    {"-- @get /a :page a\n-- @public\nselect a from t order by a limit 5;",
     "r.sql:3: :page needs a 'limit' that is a parameter"},
    {"-- @get /a :page a\n-- @public\n" PS "select a from t limit :ps;",
     "r.sql:4: :page needs an 'order by'"},
    {"-- @get /a :page\n-- @public\nselect 1;",
     "r.sql:1: :page names the columns behind which the next page begins: "
     "':page id'"},
    {"-- @get /a :page 1\n-- @public\nselect 1;",
     "r.sql:1: :page: '1' is no name of a column"},
    {"-- @get /a :page a\n-- @public\n" PS
     "select a from t order by a limit :ps;",
     "r.sql:1: :page a: there is no @param of this name, which brings the page "
     "that is asked for"},
    {"-- @get /a :page a\n-- @public\n-- @param a integer\n" PS
     "select a from t where a > :a order by a limit :ps;",
     "r.sql:3: ':a' of :page needs a value behind '=', for the first page, or "
     "'?'"},
    {"-- @post /a :page a\n-- @public\nselect 1; select 2;",
     "r.sql:1: :page is of one statement"},
};

#endif

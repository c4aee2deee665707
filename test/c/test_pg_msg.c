/* PostgreSQL's messages and arrays: what a server sends, and what it may not.
 */
#include "data/pg/array.h"
#include "data/pg/errcode.h"
#include "data/pg/msg.h"
#include "tap.h"

static uc_view view(const char *s)
{
    return (uc_view){(const uint8_t *)s, strlen(s)};
}

static void cutting(void)
{
    static const uint8_t two[] = {'Z', 0, 0, 0, 5, 'I', 'C', 0, 0, 0, 4};
    size_t used = 0, want = 0;
    pg_msg m;

    for (size_t n = 0; n < 6; n++)
        eq_int(pg_msg_cut(two, n, 1 << 20, &m, &used, &want), PG_CUT_MORE,
               "a part of a message");
    eq_int(want, 6, "and how long it will be");
    eq_int(pg_msg_cut(two, sizeof two, 1 << 20, &m, &used, &want), PG_CUT_ONE,
           "a message");
    ok(used == 6 && m.type == 'Z' && m.body.len == 1 && *m.body.p == 'I',
       "and what it is");
    eq_int(pg_msg_cut(two + 6, 5, 1 << 20, &m, &used, &want), PG_CUT_ONE,
           "one without a body");
    ok(used == 5 && m.body.len == 0, "is nothing but its head");
}

static void lengths(void)
{
    static const struct {
        uint8_t head[5];
        size_t most;
        int want;
        const char *name;
    } heads[] = {
        {{'D', 0, 0, 0, 3}, 1 << 20, PG_CUT_BAD, "shorter than its length"},
        {{'D', 0xff, 0xff, 0xff, 0xff}, 1 << 28, PG_CUT_BAD, "4 GiB of row"},
        {{'D', 0, 0x20, 0, 0}, 1 << 20, PG_CUT_BAD, "a row above the limit"},
        {{'D', 0, 0x20, 0, 0}, 1 << 28, PG_CUT_MORE, "a row within it"},
        {{'E', 0, 0x20, 0, 0}, 1 << 28, PG_CUT_BAD, "2 MiB of error"},
        {{'E', 0, 0, 0x10, 0}, 1 << 28, PG_CUT_MORE, "4 KiB of error"},
    };

    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        size_t used, want;
        pg_msg m;

        eq_int(pg_msg_cut(heads[i].head, 5, heads[i].most, &m, &used, &want),
               heads[i].want, heads[i].name);
    }
}

static void reading(void)
{
    static const uint8_t bytes[] = {1, 0, 2, 0, 0, 0, 3, 'a', 'b', 0, 'c'};
    pg_reader r = pg_reader_of((uc_view){bytes, sizeof bytes});

    eq_int(pg_get8(&r), 1, "a byte");
    eq_int(pg_get16(&r), 2, "two");
    eq_int(pg_get32(&r), 3, "four");
    ok(uc_view_is(pg_get_str(&r), "ab"), "a string");
    ok(pg_get_str(&r).p == NULL && r.failed, "one without an end");
    eq_int(pg_get8(&r), 0, "and nothing behind it");
    r = pg_reader_of((uc_view){bytes, 3});
    ok(pg_get_bytes(&r, 4).p == NULL && r.failed, "more than there is");
    r = pg_reader_of((uc_view){NULL, 0});
    ok(pg_get_str(&r).p == NULL && r.failed, "nothing at all");
}

static void saying(void)
{
    static const char error[] = "SERROR\0VERROR\0C23505\0Mduplicate\0"
                                "tusers\0nusers_key\0DKey\0Hhint\0P12\0";
    static const char cut[] = "C23505\0Mduplic";
    const char *kind, *name;
    bool retryable;
    pg_said said;

    ok(pg_msg_said((uc_view){(const uint8_t *)error, sizeof error}, &said),
       "an error");
    ok(uc_view_is(said.message, "duplicate") &&
           uc_view_is(said.table, "users") &&
           uc_view_is(said.constraint, "users_key") &&
           uc_view_is(said.detail, "Key") && uc_view_is(said.hint, "hint") &&
           uc_view_is(said.position, "12"),
       "and its fields");
    name = pg_errcode(said.sqlstate, &kind, &retryable);
    eq_str(name, "PG_UNIQUE_VIOLATION", "its name");
    eq_str(kind, "unique", "its kind");
    name = pg_errcode(view("40001"), &kind, &retryable);
    ok(strcmp(name, "PG_SERIALIZATION_FAILURE") == 0 && retryable,
       "one that may be tried again");
    pg_errcode(view("22003"), &kind, &retryable);
    eq_str(kind, "constraint", "a value that is out of range");
    pg_errcode(view("22012"), &kind, &retryable);
    eq_str(kind, "usage", "a statement that divides by zero");
    pg_errcode(view("2200H"), &kind, &retryable);
    eq_str(kind, "full", "a sequence at its end");
    eq_str(pg_errcode(view("99ABC"), &kind, &retryable), "PG_ERROR",
           "one that is nobody's");
    eq_str(pg_errcode(view("1"), &kind, &retryable), "PG_ERROR", "half of one");
    ok(!pg_msg_said((uc_view){(const uint8_t *)cut, sizeof cut - 1}, &said),
       "an error that is cut");
    ok(!pg_msg_said((uc_view){(const uint8_t *)"M\0", 3}, &said),
       "one without a code");
}

static const struct {
    uint32_t element;
    const char *text, *want;
} arrays[] = {
    {23, "{}", "[]"},
    {23, "{1,2,NULL,-3}", "[1,2,null,-3]"},
    {23, "{{1,2},{3,4}}", "[[1,2],[3,4]]"},
    {23, "[0:1]={1,2}", "[1,2]"},
    {20, "{9007199254740993,1}", "[\"9007199254740993\",1]"},
    {25, "{a,\"b c\",\"NULL\",NULL,\"\"}",
     "[\"a\",\"b c\",\"NULL\",null,\"\"]"},
    {25, "{\"a\\\"b\",\"c\\\\d\",\"{e}\",\"f,g\"}",
     "[\"a\\\"b\",\"c\\\\d\",\"{e}\",\"f,g\"]"},
    {16, "{t,f,NULL}", "[true,false,null]"},
    {701, "{1.5,NaN,-Infinity,1e+20}", "[1.5,\"NaN\",\"-Infinity\",1e+20]"},
    {1700, "{1.10,2}", "[\"1.10\",\"2\"]"},
    {3802, "{\"{\\\"a\\\": 1}\",1}", "[{\"a\": 1},1]"},
    {2950, "{00000000-0000-0000-0000-000000000001}",
     "[\"00000000-0000-0000-0000-000000000001\"]"},
};

static const char *const no_arrays[] = {
    "",      "{",        "}",    "1",      "{1",
    "{1,",   "{\"a",     "{1}}", "{1} ",   "[0:1]=",
    "[0:1]", "{\"a\\",   "{a\\", "{1 {2}", "{{{{{{{1}}}}}}}",
    "{,}",   "{\"a\"b}", "=",
};

static void as_json(void)
{
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        uc_buf b;

        uc_buf_init(&b, SIZE_MAX);
        ok(pg_array_json(&b, arrays[i].element, view(arrays[i].text)),
           arrays[i].text);
        uc_buf_byte(&b, '\0');
        eq_str((const char *)b.p, arrays[i].want, "as JSON");
        uc_buf_fini(&b);
    }
    for (size_t i = 0; i < sizeof no_arrays / sizeof *no_arrays; i++) {
        uc_buf b;

        uc_buf_init(&b, SIZE_MAX);
        ok(!pg_array_json(&b, 23, view(no_arrays[i])), no_arrays[i]);
        uc_buf_fini(&b);
    }
    eq_int(pg_array_element(1007), 23, "integers are in _int4");
    eq_int(pg_array_element(23), 0, "an integer is no array");
}

/* Whatever comes, it is read to its end, within its bytes. */
static void any_bytes(void)
{
    static const char some[] = "{}[]=,\\\"a1N: ";
    unsigned ended = 0;

    for (unsigned round = 0; round < 20000; round++) {
        size_t n = tap_random() % 24, used, want;
        uint8_t *p = malloc(n + 1);
        pg_said said;
        pg_msg m;
        uc_buf b;

        for (size_t i = 0; i < n; i++)
            p[i] = (uint8_t)some[tap_random() % (sizeof some - 1)];
        uc_buf_init(&b, SIZE_MAX);
        pg_array_json(&b, 25, (uc_view){p, n});
        uc_buf_fini(&b);
        for (size_t i = 0; i < n; i++)
            p[i] = (uint8_t)tap_random();
        pg_msg_cut(p, n, 1 << 20, &m, &used, &want);
        pg_msg_said((uc_view){p, n}, &said);
        free(p);
        ended++;
    }
    eq_int(ended, 20000, "random bytes are read to their end");
}

int main(void)
{
    tap_seed(23);
    cutting();
    lengths();
    reading();
    saying();
    as_json();
    any_bytes();
    return tap_end();
}

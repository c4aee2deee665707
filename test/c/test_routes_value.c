/* Values of parameters: each type in text and in JSON, and the sentences for
 * what is refused. */
#define _GNU_SOURCE
#include <locale.h>
#include <math.h>
#include <time.h>

#include "routes/json.h"
#include "routes/scalar.h"
#include "routes/value.h"
#include "routes_params.h"
#include "wire/json.h"
#include "wire/utf8.h"

/* ---- values -------------------------------------------------------------- */

static uc_arena mem;

static const char *outcome(bool good, const uc_arg *arg, uc_view why)
{
    if (good)
        return show(arg);
    sprintf(shown, "! %.*s", (int)why.len, (const char *)why.p);
    return shown;
}

static const char *of_text(const uc_param *p, uc_view text)
{
    uc_arg arg;
    uc_view why = {0};

    uc_arena_reset(&mem);
    return outcome(uc_value_of_text(p, text, &mem, &arg, &why), &arg, why);
}

static const char *of_json(const uc_param *p, const char *text)
{
    uc_arg arg;
    uc_view why = {0};
    uc_json_error e;
    const json_t *v;

    uc_arena_reset(&mem);
    v = uc__json_read(view(text), 0, &mem, &e);
    if (v == NULL)
        return "no JSON";
    return outcome(uc_value_of_json(p, v, &mem, &arg, &why), &arg, why);
}

typedef struct value_case {
    const uc_param *p;
    const char *text; /* NULL: none */
    const char *json; /* NULL: none */
    const char *want;
} value_case;

/* The two are read alike. */
#define BOTH(s) (s), (s)
/* A string in JSON, and its text. */
#define STRING(s) (s), ("\"" s "\"")
#define TEXT(s) (s), NULL
#define JSON(s) NULL, (s)

static const uc_view colours[] = {V("new"), V("paid"), V("1"), V("to \"go\"")};
static const uc_view numbers[] = {V("1"), V("10"), V("100")};

#define AGE P(TYPE(INTEGER), RANGE(0, 150))
#define INTEGER P(TYPE(INTEGER))
#define CLAMPED P(TYPE(INTEGER), RANGE(1, 500), .clamp = true, PRESET(1))
#define REAL P(TYPE(REAL))
#define SHARE P(TYPE(REAL), REALS(-0.5, 1))
#define BOOLEAN P(TYPE(BOOLEAN))
#define NAME P(TYPE(TEXT), RANGE(1, 4))
#define STATE P(TYPE(WORDS), .nwords = 4, .words = colours)
#define TIME P(TYPE(TIME))
#define UUID P(TYPE(UUID))
#define ANY P(TYPE(JSON))
#define BLOB P(TYPE(BLOB))
#define IDS P(TYPE(INTEGER), .list = true)
#define NO_INTEGER "! must be an integer"
#define NO_NUMBER "! must be a number"
#define NO_TIME \
    "! must be a date, or a time with its zone such as 2026-11-30T13:00:00Z"
#define NO_UUID "! must be a UUID"
#define NO_BLOB "! must be base64"
#define NO_NUL "! must not contain a NUL character"
#define NO_WORD "! must be one of new, paid, 1, to \"go\""
#define NULL_JSON(p)                          \
    {                                         \
        p, JSON("null"), "! must not be null" \
    }

static const value_case values[] = {
    /* integers */
    {AGE, BOTH("0"), "0"},
    {AGE, BOTH("4"), "4"},
    {AGE, BOTH("150"), "150"},
    {AGE, BOTH("-0"), "0"},
    {AGE, BOTH("151"), "! must be between 0 and 150"},
    {AGE, BOTH("-1"), "! must be between 0 and 150"},
    {AGE, TEXT("99999999999999999999"), "! must be between 0 and 150"},
    {AGE, TEXT("-99999999999999999999"), "! must be between 0 and 150"},
    {AGE, JSON("1e30"), "! must be between 0 and 150"},
    {AGE, JSON("-1e30"), "! must be between 0 and 150"},
    {AGE, TEXT(""), NO_INTEGER},
    {AGE, TEXT("-"), NO_INTEGER},
    {AGE, TEXT("+4"), NO_INTEGER},
    {AGE, TEXT("04"), NO_INTEGER},
    {AGE, TEXT("-04"), NO_INTEGER},
    {AGE, TEXT("00"), NO_INTEGER},
    {AGE, TEXT(" 4"), NO_INTEGER},
    {AGE, TEXT("4 "), NO_INTEGER},
    {AGE, TEXT("4.0"), NO_INTEGER},
    {AGE, TEXT("4e0"), NO_INTEGER},
    {AGE, TEXT("0x4"), NO_INTEGER},
    {AGE, TEXT("4a"), NO_INTEGER},
    {AGE, TEXT("--4"), NO_INTEGER},
    {AGE, TEXT("4,5"), NO_INTEGER},
    {AGE, TEXT("NaN"), NO_INTEGER},
    {AGE, TEXT("\xd9\xa4"), NO_INTEGER}, /* an Arabic four */
    {AGE, TEXT("null"), NO_INTEGER},
    {AGE, JSON("\"4\""), NO_INTEGER},
    {AGE, JSON("4.0"), "4"},
    {AGE, JSON("4e0"), "4"},
    {AGE, JSON("40e-1"), "4"},
    {AGE, JSON("-0.0"), "0"},
    {AGE, JSON("4.5"), NO_INTEGER},
    {AGE, JSON("true"), NO_INTEGER},
    {AGE, JSON("[4]"), NO_INTEGER},
    {AGE, JSON("{}"), NO_INTEGER},
    NULL_JSON(AGE),
    {INTEGER, BOTH("9223372036854775807"), "9223372036854775807"},
    {INTEGER, BOTH("-9223372036854775808"), "-9223372036854775808"},
    {INTEGER, TEXT("9223372036854775808"),
     "! must be at most 9223372036854775807"},
    {INTEGER, TEXT("-9223372036854775809"),
     "! must be at least -9223372036854775808"},
    {INTEGER, TEXT("18446744073709551616"),
     "! must be at most 9223372036854775807"},
    {INTEGER, JSON("9007199254740992.0"), "9007199254740992"},
    {INTEGER, JSON("9007199254740994.0"), NO_INTEGER},
    {INTEGER, JSON("-1e17"), NO_INTEGER},
    {INTEGER, JSON("1e19"), "! must be at most 9223372036854775807"},
    {INTEGER, JSON("-1e19"), "! must be at least -9223372036854775808"},
    {INTEGER, JSON("9223372036854775808"), "no JSON"},
    {P(TYPE(INTEGER), FROM(1)), BOTH("1"), "1"},
    {P(TYPE(INTEGER), FROM(1)), BOTH("0"), "! must be at least 1"},
    {P(TYPE(INTEGER), FROM(1)), TEXT("9223372036854775808"),
     "! must be at most 9223372036854775807"},
    {P(TYPE(INTEGER), TO(-5)), BOTH("-5"), "-5"},
    {P(TYPE(INTEGER), TO(-5)), BOTH("-4"), "! must be at most -5"},
    {P(TYPE(INTEGER), TO(-5)), TEXT("-9223372036854775809"),
     "! must be at least -9223372036854775808"},
    {P(TYPE(INTEGER), RANGE(INT64_MIN, INT64_MAX)),
     BOTH("-9223372036854775808"), "-9223372036854775808"},
    /* @clamp */
    {CLAMPED, BOTH("20"), "20"},
    {CLAMPED, BOTH("0"), "1"},
    {CLAMPED, BOTH("-7"), "1"},
    {CLAMPED, BOTH("501"), "500"},
    {CLAMPED, TEXT("99999999999999999999"), "500"},
    {CLAMPED, TEXT("-99999999999999999999"), "1"},
    {CLAMPED, JSON("1e30"), "500"},
    {CLAMPED, TEXT(""), "1"},
    {CLAMPED, TEXT("foo"), "1"},
    {CLAMPED, TEXT("4.5"), "1"},
    {CLAMPED, JSON("4.5"), "1"},
    {CLAMPED, JSON("\"20\""), "1"},
    {CLAMPED, JSON("null"), "1"},
    {CLAMPED, JSON("[]"), "1"},
    {P(TYPE(INTEGER), RANGE(1, 9), .clamp = true), TEXT("x"), NO_INTEGER},
    {P(TYPE(INTEGER), RANGE(1, 9), .clamp = true), JSON("null"),
     "! must not be null"},
    {P(TYPE(INTEGER), RANGE(1, 9), .clamp = true, .optional = true, PRESET(5)),
     JSON("null"), "null"},
    {P(TYPE(INTEGER), .clamp = true, PRESET(5)), TEXT("99999999999999999999"),
     "9223372036854775807"},
    {P(TYPE(REAL), REALS(0, 2), .clamp = true), BOTH("2.5"), "real 2"},
    {P(TYPE(REAL), REALS(0, 2), .clamp = true), BOTH("-2.5"), "real 0"},
    {P(TYPE(REAL), REALS(0, 2), .clamp = true), TEXT("1e999"), "real 2"},
    {P(TYPE(REAL), REALS(0, 2), .clamp = true), TEXT("-1e999"), "real 0"},
    {P(TYPE(REAL), .clamp = true, .preset = {.type = UC_ARG_REAL, .d = 7}),
     TEXT("1e999"), "real 7"},
    {P(TYPE(REAL), .clamp = true, .preset = {.type = UC_ARG_REAL, .d = 7}),
     TEXT("seven"), "real 7"},
    /* reals */
    {REAL, BOTH("0"), "real 0"},
    {REAL, BOTH("-0"), "real 0"},
    {REAL, BOTH("-0.0"), "real 0"},
    {REAL, BOTH("-0e5"), "real 0"},
    {REAL, BOTH("1.5"), "real 1.5"},
    {REAL, BOTH("-1.5"), "real -1.5"},
    {REAL, BOTH("4"), "real 4"},
    {REAL, BOTH("1e3"), "real 1000"},
    {REAL, BOTH("1E+3"), "real 1000"},
    {REAL, BOTH("1e-3"), "real 0.001"},
    {REAL, BOTH("0.1"), "real 0.10000000000000001"},
    {REAL, BOTH("0.30000000000000004"), "real 0.30000000000000004"},
    {REAL, BOTH("1.7976931348623157e308"), "real 1.7976931348623157e+308"},
    {REAL, BOTH("4.9e-324"), "real 4.9406564584124654e-324"},
    {REAL, BOTH("1e-999"), "real 0"},
    {REAL, BOTH("-1e-999"), "real 0"},
    {REAL, BOTH("123456789012345678901234567890.5"),
     "real 1.2345678901234568e+29"},
    {REAL, TEXT("123456789012345678901234567890"),
     "real 1.2345678901234568e+29"},
    {REAL, BOTH("0.00000000000000000000000000001"),
     "real 9.9999999999999994e-30"},
    {REAL, TEXT("1e999"), "! must be a finite number"},
    {REAL, TEXT("-1e999"), "! must be a finite number"},
    {REAL, TEXT("1e99999999999999999999"), "! must be a finite number"},
    {REAL, JSON("1e999"), "no JSON"},
    {REAL, TEXT(""), NO_NUMBER},
    {REAL, TEXT("."), NO_NUMBER},
    {REAL, TEXT(".5"), NO_NUMBER},
    {REAL, TEXT("5."), NO_NUMBER},
    {REAL, TEXT("05.5"), NO_NUMBER},
    {REAL, TEXT("+1"), NO_NUMBER},
    {REAL, TEXT("1e"), NO_NUMBER},
    {REAL, TEXT("1e+"), NO_NUMBER},
    {REAL, TEXT("1e1.5"), NO_NUMBER},
    {REAL, TEXT("1,5"), NO_NUMBER},
    {REAL, TEXT(" 1"), NO_NUMBER},
    {REAL, TEXT("1 "), NO_NUMBER},
    {REAL, TEXT("0x1p3"), NO_NUMBER},
    {REAL, TEXT("inf"), NO_NUMBER},
    {REAL, TEXT("Infinity"), NO_NUMBER},
    {REAL, TEXT("NaN"), NO_NUMBER},
    {REAL, JSON("\"1.5\""), NO_NUMBER},
    {REAL, JSON("true"), NO_NUMBER},
    NULL_JSON(REAL),
    {SHARE, BOTH("-0.5"), "real -0.5"},
    {SHARE, BOTH("1"), "real 1"},
    {SHARE, BOTH("1.0000000000000002"), "! must be between -0.5 and 1"},
    {SHARE, BOTH("-0.6"), "! must be between -0.5 and 1"},
    {SHARE, TEXT("1e999"), "! must be between -0.5 and 1"},
    {P(TYPE(REAL), .has_least = true, .least_real = 1e21), BOTH("1"),
     "! must be at least 1e+21"},
    {P(TYPE(REAL), .has_least = true, .least_real = 0), TEXT("1e999"),
     "! must be a finite number"},
    {P(TYPE(REAL), .has_most = true, .most_real = 0.1), BOTH("0.2"),
     "! must be at most 0.1"},
    {P(TYPE(REAL), .has_most = true, .most_real = 0.1), TEXT("-1e999"),
     "! must be a finite number"},
    /* booleans */
    {BOOLEAN, BOTH("true"), "1"},
    {BOOLEAN, BOTH("false"), "0"},
    {BOOLEAN, TEXT("1"), "1"},
    {BOOLEAN, TEXT("0"), "0"},
    {BOOLEAN, TEXT("TRUE"), "! must be true or false"},
    {BOOLEAN, TEXT("yes"), "! must be true or false"},
    {BOOLEAN, TEXT("on"), "! must be true or false"},
    {BOOLEAN, TEXT("01"), "! must be true or false"},
    {BOOLEAN, TEXT(""), "! must be true or false"},
    {BOOLEAN, JSON("1"), "! must be true or false"},
    {BOOLEAN, JSON("\"true\""), "! must be true or false"},
    NULL_JSON(BOOLEAN),
    /* texts */
    {NAME, STRING("a"), "'a'"},
    {NAME, STRING("abcd"), "'abcd'"},
    {NAME, STRING("null"), "'null'"},
    {NAME, STRING("\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xc3\xbc\xe2\x82\xac"),
     "'\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xc3\xbc\xe2\x82\xac'"},
    {NAME, JSON("\"\\ud83d\\ude00\\n\\\"\""), "'\xf0\x9f\x98\x80\n\"'"},
    {NAME, STRING(""), "! must have 1 to 4 characters"},
    {NAME, STRING("abcde"), "! must have 1 to 4 characters"},
    {NAME, STRING("\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc"),
     "! must have 1 to 4 characters"},
    {NAME, TEXT("\xff"), "! must be valid UTF-8"},
    {NAME, TEXT("a\xc3"), "! must be valid UTF-8"},
    {NAME, TEXT("\xc0\xaf"), "! must be valid UTF-8"},
    {NAME, TEXT("\xed\xa0\x80"), "! must be valid UTF-8"},
    {NAME, TEXT("\xf4\x90\x80\x80"), "! must be valid UTF-8"},
    {NAME, JSON("\"a\\u0000\""), NO_NUL},
    {NAME, JSON("\"\\ud800\""), "no JSON"},
    {NAME, JSON("4"), "! must be a string"},
    {NAME, JSON("true"), "! must be a string"},
    {NAME, JSON("[\"a\"]"), "! must be a string"},
    {NAME, JSON("{}"), "! must be a string"},
    NULL_JSON(NAME),
    {P(TYPE(TEXT), .optional = true), JSON("null"), "null"},
    {P(TYPE(TEXT), .optional = true), TEXT("null"), "'null'"},
    {P(TYPE(TEXT)), STRING(""), "''"},
    {P(TYPE(TEXT), RANGE(3, 3)), STRING("ab"),
     "! must have exactly 3 characters"},
    {P(TYPE(TEXT), RANGE(1, 1)), STRING("ab"),
     "! must have exactly 1 character"},
    {P(TYPE(TEXT), RANGE(0, 2)), STRING("abc"),
     "! must have at most 2 characters"},
    {P(TYPE(TEXT), RANGE(0, 1)), STRING("abc"),
     "! must have at most 1 character"},
    {P(TYPE(TEXT), TO(2)), STRING("abc"), "! must have at most 2 characters"},
    {P(TYPE(TEXT), FROM(2)), STRING("a"), "! must have at least 2 characters"},
    {P(TYPE(TEXT), FROM(1)), STRING(""), "! must have at least 1 character"},
    {P(TYPE(TEXT), FROM(2)), STRING("abc"), "'abc'"},
    /* words */
    {STATE, STRING("new"), "'new'"},
    {STATE, STRING("paid"), "'paid'"},
    {STATE, STRING("1"), "'1'"},
    {STATE, STRING("New"), NO_WORD},
    {STATE, STRING("ne"), NO_WORD},
    {STATE, STRING("newer"), NO_WORD},
    {STATE, STRING(""), NO_WORD},
    {STATE, STRING(" new"), NO_WORD},
    {STATE, JSON("1"), NO_WORD},
    {STATE, JSON("true"), NO_WORD},
    NULL_JSON(STATE),
    /* times */
    {TIME, STRING("2026-11-30"), "'2026-11-30T00:00:00.000Z'"},
    {TIME, STRING("2026-11-30T13:00Z"), "'2026-11-30T13:00:00.000Z'"},
    {TIME, STRING("2026-11-30T13:00:59Z"), "'2026-11-30T13:00:59.000Z'"},
    {TIME, STRING("2026-11-30T13:00:59.1Z"), "'2026-11-30T13:00:59.100Z'"},
    {TIME, STRING("2026-11-30T13:00:59.123Z"), "'2026-11-30T13:00:59.123Z'"},
    {TIME, STRING("2026-11-30T13:00:59.123999999Z"),
     "'2026-11-30T13:00:59.123Z'"},
    {TIME, STRING("2026-11-30T13:00:00+01:00"), "'2026-11-30T12:00:00.000Z'"},
    {TIME, STRING("2026-11-30T13:00:00-05:30"), "'2026-11-30T18:30:00.000Z'"},
    {TIME, STRING("2026-11-30T13:00:00-00:00"), "'2026-11-30T13:00:00.000Z'"},
    {TIME, STRING("2026-12-31T23:30:00-00:30"), "'2027-01-01T00:00:00.000Z'"},
    {TIME, STRING("2027-01-01T00:00:00+00:01"), "'2026-12-31T23:59:00.000Z'"},
    {TIME, STRING("2024-03-01T00:00:00+01:00"), "'2024-02-29T23:00:00.000Z'"},
    {TIME, STRING("2023-03-01T00:00:00+01:00"), "'2023-02-28T23:00:00.000Z'"},
    {TIME, STRING("2024-02-28T23:00:00-23:59"), "'2024-02-29T22:59:00.000Z'"},
    {TIME, STRING("2024-02-29"), "'2024-02-29T00:00:00.000Z'"},
    {TIME, STRING("2000-02-29"), "'2000-02-29T00:00:00.000Z'"},
    {TIME, STRING("0001-01-01"), "'0001-01-01T00:00:00.000Z'"},
    {TIME, STRING("9999-12-31T23:59:59.999Z"), "'9999-12-31T23:59:59.999Z'"},
    {TIME, STRING("0001-01-01T00:00:00+00:01"), NO_TIME},
    {TIME, STRING("9999-12-31T23:59:00-00:01"), NO_TIME},
    {TIME, STRING("0000-01-01"), NO_TIME},
    {TIME, STRING("1900-02-29"), NO_TIME},
    {TIME, STRING("2026-02-29"), NO_TIME},
    {TIME, STRING("2026-02-30"), NO_TIME},
    {TIME, STRING("2026-04-31"), NO_TIME},
    {TIME, STRING("2026-00-10"), NO_TIME},
    {TIME, STRING("2026-13-10"), NO_TIME},
    {TIME, STRING("2026-10-00"), NO_TIME},
    {TIME, STRING("2026-1-1"), NO_TIME},
    {TIME, STRING("26-01-01"), NO_TIME},
    {TIME, STRING("+2026-01-01"), NO_TIME},
    {TIME, STRING("20260101"), NO_TIME},
    {TIME, STRING("2026-W01-1"), NO_TIME},
    {TIME, STRING("2026-11-30T13:00:00"), NO_TIME},
    {TIME, STRING("2026-11-30T13:00"), NO_TIME},
    {TIME, STRING("2026-11-30Z"), NO_TIME},
    {TIME, STRING("2026-11-30T"), NO_TIME},
    {TIME, STRING("2026-11-30T13Z"), NO_TIME},
    {TIME, STRING("2026-11-30T24:00:00Z"), NO_TIME},
    {TIME, STRING("2026-11-30T13:60:00Z"), NO_TIME},
    {TIME, STRING("2016-12-31T23:59:60Z"), NO_TIME},
    {TIME, STRING("2026-11-30T13:00:00.Z"), NO_TIME},
    {TIME, STRING("2026-11-30T13:00:00.1234567890Z"), NO_TIME},
    {TIME, STRING("2026-11-30T13:00:00,5Z"), NO_TIME},
    {TIME, STRING("2026-11-30t13:00:00Z"), NO_TIME},
    {TIME, STRING("2026-11-30T13:00:00z"), NO_TIME},
    {TIME, STRING("2026-11-30 13:00:00Z"), NO_TIME},
    {TIME, STRING("2026-11-30T13:00:00 01:00"), NO_TIME},
    {TIME, STRING("2026-11-30T13:00:00+0100"), NO_TIME},
    {TIME, STRING("2026-11-30T13:00:00+01"), NO_TIME},
    {TIME, STRING("2026-11-30T13:00:00+24:00"), NO_TIME},
    {TIME, STRING("2026-11-30T13:00:00+01:60"), NO_TIME},
    {TIME, STRING("2026-11-30T13:00:00Zx"), NO_TIME},
    {TIME, STRING(" 2026-11-30"), NO_TIME},
    {TIME, STRING("2026-11-30 "), NO_TIME},
    {TIME, STRING(""), NO_TIME},
    {TIME, BOTH("1764500000000"), NO_TIME},
    NULL_JSON(TIME),
    /* UUIDs */
    {UUID, STRING("123e4567-e89b-12d3-a456-426614174000"),
     "'123e4567-e89b-12d3-a456-426614174000'"},
    {UUID, STRING("123E4567-E89B-12D3-A456-42661417400F"),
     "'123e4567-e89b-12d3-a456-42661417400f'"},
    {UUID, STRING("00000000-0000-0000-0000-000000000000"),
     "'00000000-0000-0000-0000-000000000000'"},
    {UUID, STRING("123e4567-e89b-12d3-a456-42661417400"), NO_UUID},
    {UUID, STRING("123e4567-e89b-12d3-a456-4266141740000"), NO_UUID},
    {UUID, STRING("123e4567e89b12d3a456426614174000"), NO_UUID},
    {UUID, STRING("{123e4567-e89b-12d3-a456-426614174000}"), NO_UUID},
    {UUID, STRING("123e4567-e89b-12d3-a456_426614174000"), NO_UUID},
    {UUID, STRING("123e4567-e89b-12d3-a456-42661417400g"), NO_UUID},
    {UUID, STRING("123e4567-e89b-12d3-a456-42661417400@"), NO_UUID},
    {UUID, STRING(""), NO_UUID},
    {UUID, JSON("5"), NO_UUID},
    NULL_JSON(UUID),
    /* base64 */
    {BLOB, STRING(""), "x"},
    {BLOB, STRING("AA=="), "x00"},
    {BLOB, STRING("AAE="), "x0001"},
    {BLOB, STRING("AAEC"), "x000102"},
    {BLOB, STRING("AAECAw=="), "x00010203"},
    {BLOB, STRING("//79"), "xfffefd"},
    {BLOB, STRING("+/+/"), "xfbffbf"},
    {BLOB, STRING("AA"), NO_BLOB},
    {BLOB, STRING("AAE"), NO_BLOB},
    {BLOB, STRING("A"), NO_BLOB},
    {BLOB, STRING("A==="), NO_BLOB},
    {BLOB, STRING("===="), NO_BLOB},
    {BLOB, STRING("AB=="), NO_BLOB}, /* bits are left over */
    {BLOB, STRING("AAF="), NO_BLOB},
    {BLOB, STRING("AA=A"), NO_BLOB},
    {BLOB, STRING("AA==AAEC"), NO_BLOB},
    {BLOB, STRING("-_-_"), NO_BLOB},
    {BLOB, STRING("AA E"), NO_BLOB},
    {BLOB, TEXT("AA\nE"), NO_BLOB},
    {BLOB, JSON("[0,1]"), NO_BLOB},
    NULL_JSON(BLOB),
    {P(TYPE(BLOB), RANGE(1, 2)), STRING("AAE="), "x0001"},
    {P(TYPE(BLOB), RANGE(1, 2)), STRING(""), "! must have 1 to 2 bytes"},
    {P(TYPE(BLOB), RANGE(1, 2)), STRING("AAEC"), "! must have 1 to 2 bytes"},
    {P(TYPE(BLOB), TO(1)), STRING("AAEC"), "! must have at most 1 byte"},
    /* JSON */
    {ANY, BOTH("1"), "'1'"},
    {ANY, BOTH("1.0"), "'1'"},
    {ANY, BOTH("-0.0"), "'0'"},
    {ANY, BOTH("1e21"), "'1e+21'"},
    {ANY, BOTH("-0.5e21"), "'-500000000000000000000.0'"},
    {ANY, BOTH("-500000000000000000000.0"), "'-500000000000000000000.0'"},
    {ANY, BOTH("4e18"), "'4000000000000000000'"},
    {ANY, BOTH("9007199254740993"), "'9007199254740993'"},
    {ANY, BOTH("true"), "'true'"},
    {ANY, BOTH("false"), "'false'"},
    {ANY, BOTH("\"\\u00e9\\/\\u001f\""), "'\"\xc3\xa9/\\u001f\"'"},
    {ANY, BOTH("[ ]"), "'[]'"},
    {ANY, BOTH("{ }"), "'{}'"},
    {ANY, BOTH("[1, [null, {}],\n\"a\" ]"), "'[1,[null,{}],\"a\"]'"},
    {ANY, BOTH("{\"b\": 1, \"a\" :{\"d\":2,\"c\":3}, \"aa\":0, \"\":5}"),
     "'{\"\":5,\"a\":{\"c\":3,\"d\":2},\"aa\":0,\"b\":1}'"},
    {ANY, BOTH("null"), "! must not be null"},
    {P(TYPE(JSON), .optional = true), BOTH("null"), "null"},
    {ANY, BOTH("[\"a\\u0000\"]"), NO_NUL},
    {ANY, BOTH("{\"a\":\"\\u0000\"}"), NO_NUL},
    {ANY, TEXT(""), "! must be JSON"},
    {ANY, TEXT("a"), "! must be JSON"},
    {ANY, TEXT("{"), "! must be JSON"},
    {ANY, TEXT("[1,]"), "! must be JSON"},
    {ANY, TEXT("01"), "! must be JSON"},
    {ANY, TEXT("'a'"), "! must be JSON"},
    {ANY, TEXT("1 2"), "! must be JSON"},
    {ANY, TEXT("NaN"), "! must be JSON"},
    {ANY, TEXT("{\"a\":1,\"a\":1}"), "! must be JSON"},
    {ANY, TEXT("99999999999999999999"), "! must be JSON"},
    {ANY, TEXT("/* */ 1"), "! must be JSON"},
    /* lists */
    {IDS, "1,2,3", "[1,2,3]", "'[1,2,3]'"},
    {IDS, "7", "[7]", "'[7]'"},
    {IDS, "", "[]", "'[]'"},
    {IDS, "1,-0,9223372036854775807", "[1, -0, 9223372036854775807]",
     "'[1,0,9223372036854775807]'"},
    {IDS, "1,x", "[1,\"x\"]", "! entry 2 must be an integer"},
    {IDS, JSON("[1,\"2\"]"), "! entry 2 must be an integer"},
    {IDS, TEXT("1, 2"), "! entry 2 must be an integer"},
    {IDS, TEXT(","), "! entry 1 must be an integer"},
    {IDS, TEXT("1,"), "! entry 2 must be an integer"},
    {IDS, TEXT("1,99999999999999999999"),
     "! entry 2 must be at most 9223372036854775807"},
    {IDS, JSON("[1,null]"), "! entry 2 must not be null"},
    {IDS, JSON("[[1]]"), "! entry 1 must be an integer"},
    {IDS, JSON("1"), "! must be a list"},
    {IDS, JSON("\"1,2\""), "! must be a list"},
    {IDS, JSON("{\"0\":1}"), "! must be a list"},
    NULL_JSON(IDS),
    {P(TYPE(INTEGER), .list = true, .optional = true), JSON("null"), "null"},
    {P(TYPE(INTEGER), .list = true, RANGE(2, 3)), "1", "[1]",
     "! must have 2 to 3 entries"},
    {P(TYPE(INTEGER), .list = true, RANGE(2, 3)), "1,2,3", "[1,2,3]",
     "'[1,2,3]'"},
    {P(TYPE(INTEGER), .list = true, RANGE(2, 3)), "1,2,3,4", "[1,2,3,4]",
     "! must have 2 to 3 entries"},
    {P(TYPE(INTEGER), .list = true, FROM(1)), "", "[]",
     "! must have at least 1 entry"},
    {P(TYPE(INTEGER), .list = true, TO(1)), "1,2", "[1,2]",
     "! must have at most 1 entry"},
    {P(TYPE(TEXT), .list = true), "a,\"b\",\xc3\xbc",
     "[\"a\",\"\\\"b\\\"\",\"\xc3\xbc\"]",
     "'[\"a\",\"\\\"b\\\"\",\"\xc3\xbc\"]'"},
    {P(TYPE(TEXT), .list = true), TEXT("a,,b"), "'[\"a\",\"\",\"b\"]'"},
    {P(TYPE(TEXT), .list = true), JSON("[\"a,b\"]"), "'[\"a,b\"]'"},
    {P(TYPE(TEXT), .list = true), JSON("[1]"), "! entry 1 must be a string"},
    {P(TYPE(TEXT), .list = true), JSON("[\"\\u0000\"]"),
     "! entry 1 must not contain a NUL character"},
    {P(TYPE(REAL), .list = true), "1.50,2", "[1.50,2]", "'[1.5,2]'"},
    {P(TYPE(REAL), .list = true), TEXT("1e999"),
     "! entry 1 must be a finite number"},
    {P(TYPE(BOOLEAN), .list = true), TEXT("true,0"), "'[true,false]'"},
    {P(TYPE(BOOLEAN), .list = true), JSON("[true,false]"), "'[true,false]'"},
    {P(TYPE(BOOLEAN), .list = true), JSON("[1]"),
     "! entry 1 must be true or false"},
    {P(TYPE(TIME), .list = true), "2026-11-30", "[\"2026-11-30\"]",
     "'[\"2026-11-30T00:00:00.000Z\"]'"},
    {P(TYPE(UUID), .list = true), "123E4567-E89B-12D3-A456-42661417400F",
     "[\"123E4567-E89B-12D3-A456-42661417400F\"]",
     "'[\"123e4567-e89b-12d3-a456-42661417400f\"]'"},
    {P(TYPE(BLOB), .list = true), "AA==,", "[\"AA==\",\"\"]",
     "'[\"AA==\",\"\"]'"},
    {P(TYPE(WORDS), .list = true, .nwords = 3, .words = numbers), "100,1",
     "[\"100\",\"1\"]", "'[\"100\",\"1\"]'"},
    {P(TYPE(WORDS), .list = true, .nwords = 3, .words = numbers), "1,2",
     "[\"1\",\"2\"]", "! entry 2 must be one of 1, 10, 100"},
    {P(TYPE(WORDS), .list = true, .nwords = 3, .words = numbers), JSON("[1]"),
     "! entry 1 must be one of 1, 10, 100"},
    {P(TYPE(JSON), .list = true), BOTH("[1,null,{\"b\":1,\"a\":2}]"),
     "'[1,null,{\"a\":2,\"b\":1}]'"},
    {P(TYPE(JSON), .list = true), TEXT("1,2"), "! must be JSON"},
    {P(TYPE(JSON), .list = true), BOTH("{}"), "! must be a list"},
    {P(TYPE(JSON), .list = true), BOTH("[\"\\u0000\"]"),
     "! entry 1 must not contain a NUL character"},
};

static void all_values(void)
{
    char name[200];

    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        const value_case *c = &values[i];

        if (c->text != NULL) {
            snprintf(name, sizeof name, "text %.60s: %.60s", c->text, c->want);
            eq_str(of_text(c->p, view(c->text)), c->want, name);
        }
        if (c->json != NULL) {
            snprintf(name, sizeof name, "JSON %.60s: %.60s", c->json, c->want);
            eq_str(of_json(c->p, c->json), c->want, name);
        }
    }
    eq_str(of_text(NAME, (uc_view)V("a\0b")), NO_NUL, "a NUL in a text");
    eq_str(of_text(AGE, (uc_view)V("4\0")), NO_NUL, "a NUL in a number");
    eq_str(of_text(P(TYPE(TEXT)), (uc_view){0}), "''", "no bytes at all");
    eq_str(of_text(IDS, (uc_view){0}), "'[]'", "and no list");
}

/* ---- bounds that no file names ------------------------------------------- */

static void default_bounds(void)
{
    static char text[UC_ROUTE_TEXT + 2];
    const uc_param *list = P(TYPE(TEXT), .list = true);
    uc_view long_word[UC_ROUTE_WORDS];
    uc_param words = {.type = UC_PARAM_WORDS, .nwords = UC_ROUTE_WORDS};

    memset(text, 'a', UC_ROUTE_TEXT);
    ok(of_text(P(TYPE(TEXT)), view(text))[0] == '\'', "the longest text");
    text[UC_ROUTE_TEXT] = 'a';
    eq_str(of_text(P(TYPE(TEXT)), view(text)),
           "! must have at most 65536 characters", "one character more");
    eq_str(of_text(P(TYPE(TEXT), FROM(1)), view(text)),
           "! must have at most 65536 characters", "with a lower bound alone");
    eq_str(of_text(list, view(text)),
           "! entry 1 must have at most 65536 characters", "in a list");
    ok(of_text(P(TYPE(TEXT), TO(UC_ROUTE_TEXT + 1)), view(text))[0] == '\'',
       "a bound of the file may be larger");
    memset(text, ',', UC_ROUTE_LIST - 1);
    text[UC_ROUTE_LIST - 1] = '\0';
    ok(of_text(list, view(text))[0] == '\'', "the longest list");
    text[UC_ROUTE_LIST - 1] = ',';
    text[UC_ROUTE_LIST] = '\0';
    eq_str(of_text(list, view(text)), "! must have at most 1000 entries",
           "one entry more");
    memset(text, 'w', UC_ROUTE_NAME);
    for (int i = 0; i < UC_ROUTE_WORDS; i++)
        long_word[i] = (uc_view){(uint8_t *)text, UC_ROUTE_NAME};
    words.words = long_word;
    of_text(&words, (uc_view)V("x"));
    ok(strlen(shown) < 420 && strcmp(shown + strlen(shown) - 5, ", ...") == 0,
       "a long list of words is cut");
}

/* ---- against other ways to know it --------------------------------------- */

static void every_day(void)
{
    unsigned wrong = 0;

    for (int year = 1583; year <= 2600; year++) {
        for (int n = 0; n < 12 * 32; n++) {
            struct tm tm = {.tm_year = year - 1900,
                            .tm_mon = n / 32,
                            .tm_mday = n % 32,
                            .tm_hour = 12};
            uint8_t out[UC_TIME_LENGTH];
            char in[40];
            bool is_day;

            snprintf(in, sizeof in, "%04d-%02d-%02dT12:00Z", year, n / 32 + 1,
                     n % 32);
            timegm(&tm);
            is_day = tm.tm_mon == n / 32 && tm.tm_mday == n % 32;
            wrong += uc__time_of_text(view(in), out) != is_day;
        }
    }
    eq_int(wrong, 0, "the days of a thousand years");
}

static void moments(void)
{
    unsigned wrong = 0;

    for (int i = 0; i < 50000; i++) {
        int64_t s = (int64_t)(tap_random() % 200000000000) - 30000000000;
        int offset = (int)(tap_random() % (24 * 60));
        bool east = tap_random() & 1;
        time_t local = (time_t)(s + (east ? offset : -offset) * 60);
        time_t utc = (time_t)s;
        char in[64], want[64];
        uint8_t out[UC_TIME_LENGTH];
        struct tm tm;
        size_t n;

        gmtime_r(&local, &tm);
        n = strftime(in, sizeof in, "%Y-%m-%dT%H:%M:%S", &tm);
        snprintf(in + n, sizeof in - n, "%c%02d:%02d", east ? '+' : '-',
                 offset / 60, offset % 60);
        gmtime_r(&utc, &tm);
        strftime(want, sizeof want, "%Y-%m-%dT%H:%M:%S.000Z", &tm);
        wrong += !uc__time_of_text(view(in), out) ||
                 memcmp(out, want, UC_TIME_LENGTH) != 0;
    }
    eq_int(wrong, 0, "any moment in any zone");
}

static void reals(void)
{
    unsigned wrong = 0;

    for (int i = 0; i < 50000; i++) {
        char in[80];
        double v, want;

        if (i % 2 == 0) {
            snprintf(in, sizeof in, "%" PRId64 ".%" PRIu64 "e%d",
                     (int64_t)tap_random() >> (tap_random() & 63),
                     tap_random() >> (tap_random() & 63),
                     (int)(tap_random() % 80) - 40);
        } else {
            uint64_t bits = tap_random();

            memcpy(&want, &bits, sizeof want);
            if (!isfinite(want))
                continue;
            snprintf(in, sizeof in, "%.17g", want);
        }
        want = strtod(in, NULL);
        uc_arena_reset(&mem);
        wrong +=
            uc__real_of_text(view(in), &mem, &v) != UC_NUMBER_FITS || v != want;
    }
    eq_int(wrong, 0, "reals as strtod reads them");
}

static void integers(void)
{
    unsigned wrong = 0;

    for (int i = 0; i < 50000; i++) {
        int64_t want = (int64_t)tap_random() >> (tap_random() & 63), v;
        char in[32];

        snprintf(in, sizeof in, "%" PRId64, want);
        wrong +=
            uc__integer_of_text(view(in), &v) != UC_NUMBER_FITS || v != want;
    }
    eq_int(wrong, 0, "integers as they are printed");
}

static void blobs(void)
{
    unsigned wrong = 0;
    uint8_t block[64], out[64];
    size_t n;
    uc_buf b;

    uc_buf_init(&b, SIZE_MAX);
    for (int i = 0; i < 5000; i++) {
        uc_view v = {block, tap_random() % sizeof block};

        for (size_t j = 0; j < sizeof block; j++)
            block[j] = (uint8_t)tap_random();
        uc_buf_rewind(&b, 0);
        uc_json_blob(&b, v);
        wrong += !uc__base64_of_text((uc_view){b.p + 1, b.len - 2}, out, &n) ||
                 n != v.len || memcmp(out, block, n) != 0;
    }
    uc_buf_fini(&b);
    eq_int(wrong, 0, "base64 as it is printed");
}

/* Four letters of which one is any byte: accepted when printing gives it. */
static void base64_letters(void)
{
    unsigned wrong = 0;
    uint8_t out[3];
    size_t n;
    uc_buf b;

    uc_buf_init(&b, SIZE_MAX);
    for (int at = 0; at < 4; at++) {
        for (int c = 0; c < 256; c++) {
            uint8_t in[4] = {'A', 'A', 'A', 'A'};
            bool good;

            in[at] = (uint8_t)c;
            good = uc__base64_of_text((uc_view){in, 4}, out, &n);
            uc_buf_rewind(&b, 0);
            uc_json_blob(&b, (uc_view){out, good ? n : 0});
            if (good)
                wrong += b.len != 6 || memcmp(b.p + 1, in, 4) != 0;
            else
                wrong += strchr("ABab09+/", c) != NULL && c != 0;
        }
    }
    uc_buf_fini(&b);
    eq_int(wrong, 0, "each letter of base64 at each place");
}

/* ---- properties ---------------------------------------------------------- */

/* Whatever is accepted is within its bounds. */
static void within_bounds(void)
{
    static const char *const pieces[] = {"0",  "1",   "9",  "-", "+",  ".",
                                         "e",  "150", " ",  "a", "00", "5",
                                         "%3", "99",  "E-", ""};
    unsigned wrong = 0, taken = 0;
    char text[64];

    for (int i = 0; i < 200000; i++) {
        uc_arg arg;
        uc_view why;

        text[0] = '\0';
        for (uint64_t n = tap_random() % 5; n > 0; n--)
            strcat(text, pieces[tap_random() % 16]);
        uc_arena_reset(&mem);
        if (uc_value_of_text(AGE, view(text), &mem, &arg, &why)) {
            taken++;
            wrong += arg.type != UC_ARG_INT || arg.i < 0 || arg.i > 150;
        }
        if (uc_value_of_text(CLAMPED, view(text), &mem, &arg, &why))
            wrong += arg.type != UC_ARG_INT || arg.i < 1 || arg.i > 500;
        else
            wrong++; /* it refuses nothing */
        if (uc_value_of_text(SHARE, view(text), &mem, &arg, &why))
            wrong += arg.type != UC_ARG_REAL || !(arg.d >= -0.5 && arg.d <= 1);
    }
    eq_int(wrong, 0, "what is accepted is within its bounds");
    ok(taken > 1000, "and some is accepted");
}

/* What has been read reads the same again. */
static void written_again(void)
{
    static const char *const texts[] = {
        "{\"b\":[1,2.5,-0.0,1e300,\"\\u0001\\\"\"],\"a\":{\"\":null}}",
        "[[[]],{},true,false,null,\"\xf0\x9f\x98\x80\"]", "1e21", "\"\\/\""};
    char first[400];

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        strcpy(first, of_json(ANY, texts[i]));
        first[strlen(first) - 1] = '\0';
        of_json(ANY, first + 1);
        ok(strncmp(shown, first, strlen(first)) == 0,
           "JSON that is read twice stays the same");
    }
}

/* A host may have set a locale that writes 1,5. */
static void other_locale(void)
{
    if (setlocale(LC_NUMERIC, "de_DE.UTF-8") == NULL) {
        tap_skip("reals in another locale", "there is no de_DE.UTF-8");
        return;
    }
    eq_str(of_text(REAL, view("12345678901234567890.5")),
           "real 1,2345678901234567e+19", "a long real in another locale");
    eq_str(of_json(REAL, "1.5"), "real 1,5", "one of JSON");
    eq_str(of_json(ANY, "[0.1,1.5e-7]"), "'[0.1,1.5e-7]'", "and JSON again");
    eq_str(of_text(SHARE, view("1.5")), "! must be between -0.5 and 1",
           "and a sentence");
    setlocale(LC_NUMERIC, "C");
}

int main(void)
{
    tap_seed(20261130);
    uc_arena_init(&mem, SIZE_MAX);
    all_values();
    default_bounds();
    every_day();
    moments();
    reals();
    integers();
    blobs();
    base64_letters();
    within_bounds();
    written_again();
    other_locale();
    uc_arena_fini(&mem);
    return tap_end();
}

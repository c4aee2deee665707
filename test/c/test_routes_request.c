/* Reading requests: each type in text and in JSON, the sentences for what is
 * refused, bodies, headers, what is bound, and the hash. */
#define _GNU_SOURCE
#include <locale.h>
#include <math.h>
#include <time.h>

#include "common/thread.h"
#include "routes/input.h"
#include "routes/json.h"
#include "routes/scalar.h"
#include "routes/value.h"
#include "tap.h"
#include "wire/json.h"
#include "wire/utf8.h"

#define V(s)                                \
    {                                       \
        (const uint8_t *)(s), sizeof(s) - 1 \
    }
/* At file scope its storage is static. */
#define P(...)                      \
    &(const uc_param)               \
    {                               \
        .name = V("p"), __VA_ARGS__ \
    }
#define TYPE(t) .type = UC_PARAM_##t
#define RANGE(lo, hi) \
    .has_least = true, .has_most = true, .least = (lo), .most = (hi)
#define FROM(lo) .has_least = true, .least = (lo)
#define TO(hi) .has_most = true, .most = (hi)
#define REALS(lo, hi) \
    .has_least = true, .has_most = true, .least_real = (lo), .most_real = (hi)
#define PRESET(n) .preset = {.type = UC_ARG_INT, .i = (n)}

static uc_view view(const char *s)
{
    return (uc_view){(const uint8_t *)s, strlen(s)};
}

/* ---- what a value looks like --------------------------------------------- */

static char shown[300 * 1024];

static void show_bytes(uc_view s, char *p)
{
    for (size_t i = 0; i < s.len; i++)
        p += sprintf(p, "%02x", s.p[i]);
}

static const char *show(const uc_arg *arg)
{
    switch (arg->type) {
    case UC_ARG_ABSENT:
        return "absent";
    case UC_ARG_NULL:
        return "null";
    case UC_ARG_INT:
        sprintf(shown, "%" PRId64, arg->i);
        return shown;
    case UC_ARG_REAL:
        sprintf(shown, "real %.17g", arg->d);
        return shown;
    case UC_ARG_TEXT:
        sprintf(shown, "'%.*s'", (int)arg->s.len, (const char *)arg->s.p);
        return shown;
    case UC_ARG_BLOB:
        strcpy(shown, "x");
        show_bytes(arg->s, shown + 1);
        return shown;
    }
    return "?";
}

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

/* ---- requests ------------------------------------------------------------ */

#define PARAM(n, ...)             \
    {                             \
        .name = V(n), __VA_ARGS__ \
    }
#define ROUTE(m, p, all)                                      \
    {                                                         \
        .method = UC_METHOD_##m, .path = V(p),                \
        .nparams = sizeof(all) / sizeof *(all), .params = all \
    }

static const uc_param of_query[] = {
    PARAM("name", TYPE(TEXT), RANGE(1, 64)),
    PARAM("age", TYPE(INTEGER), RANGE(0, 150)),
    PARAM("id", TYPE(INTEGER), FROM(0), PRESET(0)),
    PARAM("ps", TYPE(INTEGER), RANGE(1, 100), PRESET(10)),
    PARAM("_now", TYPE(GIVEN), .given = UC_GIVEN_now),
};
static const uc_param of_set[] = {
    PARAM("id", TYPE(INTEGER), FROM(1)),
    PARAM("name", TYPE(TEXT), RANGE(1, 64), .optional = true),
    PARAM("age", TYPE(INTEGER), RANGE(0, 150), .optional = true),
    PARAM("data", TYPE(JSON), .optional = true),
    PARAM("_user", TYPE(GIVEN), .given = UC_GIVEN_user),
};
static const uc_param of_tenant[] = {
    PARAM("x_tenant", TYPE(TEXT), RANGE(1, 8), .header = true,
          .in_header = V("x-tenant")),
    PARAM("x_depth", TYPE(INTEGER), .header = true, .optional = true,
          .in_header = V("x-depth")),
    PARAM("n", TYPE(INTEGER), .optional = true),
};
static const uc_route query = ROUTE(GET, "/dmail/user/q", of_query);
static const uc_route set = ROUTE(POST, "/dmail/user/set", of_set);
static const uc_route tenant = ROUTE(GET, "/tenant", of_tenant);
static const uc_route post_tenant = ROUTE(POST, "/tenant", of_tenant);

static const uc_view origins[] = {V("https://app.example"),
                                  V("http://localhost:5173"), V("null")};
enum { BODY_MOST = 200000 };
static const uc_serving serving = {
    .body_most = BODY_MOST, .norigins = 3, .origins = origins};

static uc_header headers[64];
static uc_request q;

/* "a: b\nc: d" */
static uint32_t split_headers(const char *s)
{
    uint32_t n = 0;

    while (*s != '\0') {
        const char *colon = strstr(s, ": "), *end = strchrnul(s, '\n');

        headers[n].name = (uc_view){(const uint8_t *)s, (size_t)(colon - s)};
        headers[n].value =
            (uc_view){(const uint8_t *)colon + 2, (size_t)(end - colon - 2)};
        n++;
        s = *end != '\0' ? end + 1 : end;
    }
    return n;
}

static const char *refusal_name(uc_refusal r)
{
    static const char *const names[] = {
#define X(name, plain, fine) #name,
        UC_REFUSAL_MAP(X)
#undef X
    };

    return names[r];
}

/* What has been read, or why not. */
static const char *result(bool good)
{
    static char text[400 * 1024];
    char *p = text;

    if (!good) {
        snprintf(text, sizeof text, "%s %.*s", refusal_name(q.refusal),
                 (int)q.text.len, (const char *)q.text.p);
        return text;
    }
    *p = '\0';
    for (uint32_t i = 0; i < q.route->nparams; i++) {
        bool given = q.given >> i & 1, sent = q.sent >> i & 1;

        p += sprintf(p, "%s%s%s", i > 0 ? " " : "", show(&q.args[i]),
                     given == sent ? "" : "*"); /* a preset */
        if (given == (q.args[i].type == UC_ARG_ABSENT))
            p += sprintf(p, " (given is wrong)");
    }
    if (q.idempotency_key.p != NULL)
        p += sprintf(p, " key %.*s", (int)q.idempotency_key.len,
                     (const char *)q.idempotency_key.p);
    if (q.if_none_match.p != NULL)
        sprintf(p, " etag %.*s", (int)q.if_none_match.len,
                (const char *)q.if_none_match.p);
    return text;
}

static const char *take(const uc_route *route, uc_view search, const char *head,
                        uc_view body)
{
    q.headers = headers;
    q.nheaders = split_headers(head);
    q.body = body;
    uc__request_start(&q);
    q.route = route;
    return result(uc__request_take(&q, search, &serving));
}

static const char *get(const uc_route *route, const char *search)
{
    return take(route, view(search), "", (uc_view){0});
}

#define IS_JSON "content-type: application/json"

static const char *post(const uc_route *route, const char *body)
{
    return take(route, (uc_view){0}, IS_JSON, view(body));
}

typedef struct text_case {
    const char *in, *want;
} text_case;

static const text_case queries[] = {
    {"name=2---&ps=10&id=354757&age=4", "'2---' 4 354757 10 absent"},
    {"name=a&age=0", "'a' 0 0* 10* absent"},
    {"age=0&name=a", "'a' 0 0* 10* absent"},
    {"name=a&age=0&", "'a' 0 0* 10* absent"},
    {"&&name=a&&age=0", "'a' 0 0* 10* absent"},
    {"name=a=b&age=0", "'a=b' 0 0* 10* absent"},
    {"name=a?b&age=0", "'a?b' 0 0* 10* absent"},
    {"name=a+b&age=0", "'a b' 0 0* 10* absent"},
    {"name=a%20b&age=0", "'a b' 0 0* 10* absent"},
    {"name=a%2Bb%2b%26%3D%25&age=0", "'a+b+&=%' 0 0* 10* absent"},
    {"name=a%2541&age=0", "'a%41' 0 0* 10* absent"},
    {"name=%C3%BC&age=%34", "'\xc3\xbc' 4 0* 10* absent"},
    {"name=\xc3\xbc&age=4", "'\xc3\xbc' 4 0* 10* absent"},
    {"n%61me=a&age=0", "'a' 0 0* 10* absent"},
    {"", "PARAMS name: is missing\nage: is missing"},
    {"&", "PARAMS name: is missing\nage: is missing"},
    {"name", "PARAMS name: must have 1 to 64 characters\nage: is missing"},
    {"name=&age",
     "PARAMS name: must have 1 to 64 characters\nage: must be an integer"},
    {"name=a&age=151&ps=0&id=-1",
     "PARAMS age: must be between 0 and 150\nid: must be at least 0\n"
     "ps: must be between 1 and 100"},
    {"age=4&age=5&name=a", "PARAMS age: was given twice"},
    {"age=4&age=4&name=a", "PARAMS age: was given twice"},
    {"name=a&age=4&n%61me=b", "PARAMS name: was given twice"},
    {"age=4&name=a&age=x&age=9", "PARAMS age: was given twice"},
    {"name=%&age=4", "PARAMS name: has a % without two hexadecimal digits"},
    {"name=%4&age=4", "PARAMS name: has a % without two hexadecimal digits"},
    {"name=%zz&age=4", "PARAMS name: has a % without two hexadecimal digits"},
    {"name=%4g&age=4", "PARAMS name: has a % without two hexadecimal digits"},
    {"name=%u0041&age=4",
     "PARAMS name: has a % without two hexadecimal digits"},
    {"name=%ff&age=4", "PARAMS name: must be valid UTF-8"},
    {"name=%ed%a0%80&age=4", "PARAMS name: must be valid UTF-8"},
    {"name=%00&age=4%00", "PARAMS name: must not contain a NUL character\n"
                          "age: must not contain a NUL character"},
    {"name=a&age=+4", "PARAMS age: must be an integer"},
    {"name=a&age=4&x=1", "PARAMS x: is unknown"},
    {"x=1&name=&y", "PARAMS name: must have 1 to 64 characters\n"
                    "age: is missing\nx: is unknown\ny: is unknown"},
    {"name=a&age=4&x=1&x=2", "PARAMS x: is unknown"},
    {"name=a&age=4&=1", "PARAMS \"\": is unknown"},
    {"name=a&age=4&Name=b", "PARAMS Name: is unknown"},
    {"name=a&age=4&name%20=b", "PARAMS name : is unknown"},
    {"name=a&age=4&name[]=b", "PARAMS name[]: is unknown"},
    {"name=a&age=4&_now=1", "PARAMS _now: is unknown"},
    {"name=a&age=4&:_now=1", "PARAMS :_now: is unknown"},
    {"name=a&age=4&_user=1", "PARAMS _user: is unknown"},
    {"name=a&age=4&a%0a%0d%1b%7f%c2%85%e2%80%a8%e2%80%ae%e2%81%a6b=1",
     "PARAMS a????????b: is unknown"},
    {"name=a&age=4&a%ffb%00=1", "PARAMS a\xef\xbf\xbd"
                                "b?: is unknown"},
    {"name=a&age=4&a%zz=1", "PARAMS a%zz: is unknown"},
    {"name=a&age=4&"
     "0123456789012345678901234567890123456789=1",
     "PARAMS 0123456789012345678901234567890123456789: is unknown"},
    {"name=a&age=4&"
     "01234567890123456789012345678901234567890=1",
     "PARAMS 0123456789012345678901234567890123456789...: is unknown"},
    {"name=a&age=4&a&b&c&d&e&f&g&h",
     "PARAMS a: is unknown\nb: is unknown\nc: is unknown\nd: is unknown\n"
     "e: is unknown\nf: is unknown\ng: is unknown\nh: is unknown"},
    {"name=a&age=4&a&b&c&d&e&f&g&h&i&j",
     "PARAMS a: is unknown\nb: is unknown\nc: is unknown\nd: is unknown\n"
     "e: is unknown\nf: is unknown\ng: is unknown\nh: is unknown\n"
     "query: has 2 more unknown parameters"},
};

static const text_case bodies[] = {
    {"{\"id\":1}", "1 absent absent absent absent"},
    {" { \"id\" : 1 } \n", "1 absent absent absent absent"},
    {"{\"id\":1,\"name\":\"a\",\"age\":4}", "1 'a' 4 absent absent"},
    {"{\"id\":1,\"name\":null,\"age\":null,\"data\":null}",
     "1 null null null absent"},
    {"{\"id\":1,\"data\":{\"b\":[],\"a\":{\"id\":1}}}",
     "1 absent absent '{\"a\":{\"id\":1},\"b\":[]}' absent"},
    {"{\"\\u0069d\":1}", "1 absent absent absent absent"},
    {"", "PARAMS id: is missing"},
    {"{}", "PARAMS id: is missing"},
    {"{\"id\":null}", "PARAMS id: must not be null"},
    {"{\"id\":\"1\",\"name\":5,\"age\":4.5}",
     "PARAMS id: must be an integer\nname: must be a string\n"
     "age: must be an integer"},
    {"{\"x\":1,\"_user\":2,\"id\":0,\"\":3}",
     "PARAMS id: must be at least 1\nx: is unknown\n_user: is unknown\n"
     "\"\": is unknown"},
    {"{\"id\":1,\"constructor\":{},\"__proto__\":{}}",
     "PARAMS constructor: is unknown\n__proto__: is unknown"},
    {"{\"id\":1,\"a\":0,\"b\":0,\"c\":0,\"d\":0,\"e\":0,\"f\":0,\"g\":0,"
     "\"h\":0,\"i\":0}",
     "PARAMS a: is unknown\nb: is unknown\nc: is unknown\nd: is unknown\n"
     "e: is unknown\nf: is unknown\ng: is unknown\nh: is unknown\n"
     "body: has 1 more unknown parameters"},
    {"[]", "PARAMS body: must be a JSON object"},
    {"1", "PARAMS body: must be a JSON object"},
    {"null", "PARAMS body: must be a JSON object"},
    {"\"id\"", "PARAMS body: must be a JSON object"},
    {" ", "PARAMS body: is not valid JSON (line 1, column 1)"},
    {"id=1", "PARAMS body: is not valid JSON (line 1, column 2)"},
    {"{\"id\":1", "PARAMS body: is not valid JSON (line 1, column 7)"},
    {"{\"id\":1}}", "PARAMS body: is not valid JSON (line 1, column 9)"},
    {"{\"id\":1}{}", "PARAMS body: is not valid JSON (line 1, column 9)"},
    {"{\n \"id\":01}", "PARAMS body: is not valid JSON (line 2, column 7)"},
    {"{\"id\":1,}", "PARAMS body: is not valid JSON (line 1, column 9)"},
    {"{'id':1}", "PARAMS body: is not valid JSON (line 1, column 2)"},
    {"{id:1}", "PARAMS body: is not valid JSON (line 1, column 3)"},
    {"{\"id\":NaN}", "PARAMS body: is not valid JSON (line 1, column 9)"},
    {"{\"id\":+1}", "PARAMS body: is not valid JSON (line 1, column 7)"},
    {"{\"id\":1} // one", "PARAMS body: is not valid JSON (line 1, column 10)"},
    {"\xef\xbb\xbf{\"id\":1}",
     "PARAMS body: is not valid JSON (line 1, column 1)"},
    {"{\"name\":\"\\ud800\"}",
     "PARAMS body: is not valid JSON (line 1, column 16)"},
    {"{\"name\":\"\\udc00\"}",
     "PARAMS body: is not valid JSON (line 1, column 16)"},
    {"{\"name\":\"\\ud800\\u0041\"}",
     "PARAMS body: is not valid JSON (line 1, column 22)"},
    {"{\"name\":\"a\nb\"}",
     "PARAMS body: is not valid JSON (line 1, column 10)"},
    {"{\"name\":\"\\x41\"}",
     "PARAMS body: is not valid JSON (line 1, column 11)"},
    {"{\"name\":\"\xff\"}",
     "PARAMS body: is not valid UTF-8 (line 1, column 9)"},
    {"{\"name\":\"\xed\xa0\x80\"}",
     "PARAMS body: is not valid UTF-8 (line 1, column 9)"},
    {"{\"id\":9223372036854775808}",
     "PARAMS body: has a number that is too large (line 1, column 25)"},
    {"{\"id\":-9223372036854775809}",
     "PARAMS body: has a number that is too large (line 1, column 26)"},
    {"{\"id\":1e999}",
     "PARAMS body: has a number that is too large (line 1, column 11)"},
    {"{\"i\\u0000d\":1}",
     "PARAMS body: has a key with a NUL character (line 1, column 11)"},
    {"{\"id\":1,\"id\":1}", "PARAMS id: was given twice"},
    {"{\"id\":1, \"name\" : \"{\\\"\", \"name\" : 2, \"x\":",
     "PARAMS name: was given twice"},
    {"{\"x\":1,\"x\":1}", "PARAMS body: has a key twice (line 1, column 10)"},
    {"{\"id\":1,\"\\u0069d\":1}",
     "PARAMS body: has a key twice (line 1, column 17)"},
    {"{\"id\":1,\"data\":{\"id\":1,\"id\":2}}",
     "PARAMS body: has a key twice (line 1, column 27)"},
};

/* An unknown name of many long characters is cut between two of them. */
static void long_name(void)
{
    char search[1000] = "name=a&age=4&", want[1000] = "PARAMS ";

    for (int i = 0; i < 200; i++)
        strcat(search, "\xf0\x9f\x98\x80");
    for (int i = 0; i < 40; i++)
        strcat(want, "\xf0\x9f\x98\x80");
    strcat(want, "...: is unknown");
    eq_str(get(&query, search), want, "a long unknown name is cut");
}

static void all_requests(void)
{
    char name[200];

    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        snprintf(name, sizeof name, "?%.80s", queries[i].in);
        eq_str(get(&query, queries[i].in), queries[i].want, name);
    }
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        snprintf(name, sizeof name, "body %.80s", bodies[i].in);
        for (char *p = name; *p != '\0'; p++)
            *p = *p == '\n' ? ' ' : *p;
        eq_str(post(&set, bodies[i].in), bodies[i].want, name);
    }
    eq_str(take(&set, (uc_view){0}, IS_JSON, (uc_view)V("{\"id\":1}\0")),
           "PARAMS body: is not valid JSON (line 1, column 9)",
           "a NUL behind the body");
    eq_str(take(&set, (uc_view)V("id=1"), IS_JSON, (uc_view)V("{\"id\":1}")),
           "PARAMS query: a POST takes its parameters from the body",
           "a POST with a query");
    eq_str(take(&query, (uc_view)V("name=a&age=4"), "", (uc_view)V("{}")),
           "PARAMS body: a GET takes none", "a GET with a body");
    long_name();
}

static char *repeated(const char *s, size_t n, const char *end)
{
    size_t len = strlen(s);
    char *p = malloc(len * n + strlen(end) + 20);

    strcpy(p, "{\"id\":1,\"data\":");
    for (size_t i = 0, at = strlen(p); i < n; i++, at += len)
        memcpy(p + at, s, len + 1);
    strcat(p, end);
    return p;
}

/* Of a body, each of the bounds: what still fits and what does not. */
static void body_bounds(void)
{
    char *body, *closing;

    closing = malloc(100);
    memset(closing, ']', 63);
    strcpy(closing + 63, "}");
    body = repeated("[", 63, closing);
    ok(strncmp(post(&set, body), "1 ", 2) == 0, "64 levels deep");
    free(body);
    memset(closing, ']', 64);
    strcpy(closing + 64, "}");
    body = repeated("[", 64, closing);
    eq_str(post(&set, body), "PARAMS body: nests more than 64 levels deep",
           "65 levels deep");
    free(body);
    body = repeated("[", 90000, "");
    eq_str(post(&set, body), "PARAMS body: nests more than 64 levels deep",
           "without an end");
    free(body);
    free(closing);
    body = repeated("[", 1, "\"[[[[,,,,\\\"[[[\"]}");
    ok(strncmp(post(&set, body), "1 ", 2) == 0,
       "what is in a string nests not");
    free(body);
    body = repeated("0,", 45000, "");
    memcpy(body, "{\"id\":1,\"data\":[0,0,", 20);
    ok(strstr(post(&set, body), "is not valid JSON") != NULL,
       "many values, cut off");
    free(body);
    body = repeated(",{}", 60000, "]}");
    body[15] = '[';
    ok(strncmp(post(&set, body), "1 ", 2) == 0, "what takes most memory");
    free(body);
    /* The body itself, id, data and its entries. */
    body = repeated(",0", UC_JSON_VALUES - 3, "]}");
    body[15] = '[';
    ok(strncmp(post(&set, body), "1 ", 2) == 0,
       "as many values as there may be");
    free(body);
    body = repeated(",0", UC_JSON_VALUES - 2, "]}");
    body[15] = '[';
    eq_str(post(&set, body), "PARAMS body: has more than 65536 values",
           "one value more");
    body = realloc(body, BODY_MOST + 2);
    memset(body, ' ', BODY_MOST + 1);
    memcpy(body, "{\"id\":1}", 8);
    body[BODY_MOST + 1] = '\0';
    eq_str(post(&set, body), "BODY_SIZE body: must have at most 200000 bytes",
           "one byte more");
    body[BODY_MOST] = '\0';
    eq_str(post(&set, body), "1 absent absent absent absent",
           "as many bytes as there may be");
    free(body);
}

/* ---- headers ------------------------------------------------------------- */

#define ELSEWHERE "ORIGIN origin: a page of another site may not post here"
#define NOT_JSON "PARAMS content-type: must be application/json"
#define TAKEN "1 absent absent absent absent"

static const text_case posts[] = {
    {IS_JSON, TAKEN},
    {IS_JSON ";charset=utf-8", TAKEN},
    {IS_JSON " ; charset=UTF-8 ", TAKEN},
    {IS_JSON "; charset=\"utf-8\"", TAKEN},
    {"content-type: Application/JSON", TAKEN},
    {"", NOT_JSON},
    {"content-type: ", NOT_JSON},
    {"content-type: text/plain", NOT_JSON},
    {"content-type: text/plain; application/json", NOT_JSON},
    {"content-type: application/x-www-form-urlencoded", NOT_JSON},
    {"content-type: multipart/form-data", NOT_JSON},
    {"content-type: application/json5", NOT_JSON},
    {"content-type: application/jsonp; charset=utf-8", NOT_JSON},
    {"content-type: application/ld+json", NOT_JSON},
    {"content-type: application/json, text/plain", NOT_JSON},
    {IS_JSON "; charset=latin1", NOT_JSON},
    {IS_JSON "; charset=utf-8x", NOT_JSON},
    {IS_JSON "; charset=utf-8; q=1", NOT_JSON},
    {IS_JSON "; boundary=x", NOT_JSON},
    {IS_JSON ";", NOT_JSON},
    {IS_JSON "\n" IS_JSON, NOT_JSON},
    /* where it comes from */
    {IS_JSON "\nsec-fetch-site: same-origin", TAKEN},
    {IS_JSON "\nsec-fetch-site: none", TAKEN},
    {IS_JSON "\nsec-fetch-site: same-site", ELSEWHERE},
    {IS_JSON "\nsec-fetch-site: cross-site", ELSEWHERE},
    {IS_JSON "\nsec-fetch-site: ", ELSEWHERE},
    {IS_JSON "\nsec-fetch-site: Same-Origin", ELSEWHERE},
    {IS_JSON "\nsec-fetch-site: same-origin, same-origin", ELSEWHERE},
    {IS_JSON "\nsec-fetch-site: none\nsec-fetch-site: none", ELSEWHERE},
    {IS_JSON "\nsec-fetch-site: cross-site\norigin: https://app.example",
     TAKEN},
    {IS_JSON "\nsec-fetch-site: same-site\norigin: http://localhost:5173",
     TAKEN},
    {IS_JSON "\nsec-fetch-site: cross-site\norigin: https://APP.example",
     ELSEWHERE},
    {IS_JSON "\nsec-fetch-site: cross-site\norigin: https://app.example/",
     ELSEWHERE},
    {IS_JSON "\nsec-fetch-site: cross-site\norigin: https://app.example.evil",
     ELSEWHERE},
    {IS_JSON "\nsec-fetch-site: cross-site\norigin: https://app.exampl",
     ELSEWHERE},
    {IS_JSON "\nsec-fetch-site: cross-site\norigin: http://app.example",
     ELSEWHERE},
    {IS_JSON "\nsec-fetch-site: cross-site\norigin: null", ELSEWHERE},
    {IS_JSON "\nsec-fetch-site: cross-site\nhost: a.b\norigin: https://a.b",
     ELSEWHERE},
    {IS_JSON "\nsec-fetch-site: same-origin\norigin: https://other", TAKEN},
    {IS_JSON "\norigin: https://app.example", TAKEN},
    {IS_JSON "\norigin: https://app.example\norigin: https://app.example",
     ELSEWHERE},
    {IS_JSON "\norigin: null", ELSEWHERE},
    {IS_JSON "\norigin: ", ELSEWHERE},
    {IS_JSON "\norigin: https://other", ELSEWHERE},
    {IS_JSON "\nhost: a.b\norigin: https://a.b", TAKEN},
    {IS_JSON "\nhost: a.b:80\norigin: http://a.b:80", TAKEN},
    {IS_JSON "\nhost: a.b:80\norigin: http://a.b", ELSEWHERE},
    {IS_JSON "\nhost: a.b\norigin: http://a.b:81", ELSEWHERE},
    {IS_JSON "\nhost: a.b\norigin: http://x.a.b", ELSEWHERE},
    {IS_JSON "\nhost: a.b\norigin: http://a.b.x", ELSEWHERE},
    {IS_JSON "\nhost: a.b\norigin: ftp://a.b", ELSEWHERE},
    {IS_JSON "\nhost: a.b\norigin: a.b", ELSEWHERE},
    {IS_JSON "\nhost: \norigin: http://", ELSEWHERE},
    {IS_JSON "\nhost: null\norigin: null", ELSEWHERE},
    {IS_JSON "\nhost: a.b\nhost: a.b\norigin: http://a.b", ELSEWHERE},
    {"content-type: text/plain\nsec-fetch-site: cross-site", ELSEWHERE},
    /* keys */
    {IS_JSON "\nidempotency-key: a-1", TAKEN " key a-1"},
    {IS_JSON "\nidempotency-key: \"!~\"", TAKEN " key \"!~\""},
    {IS_JSON "\nidempotency-key: ",
     "PARAMS idempotency-key: must have 1 to 255 characters of visible ASCII"},
    {IS_JSON "\nidempotency-key: a b",
     "PARAMS idempotency-key: must have 1 to 255 characters of visible ASCII"},
    {IS_JSON "\nidempotency-key: \xc3\xbc",
     "PARAMS idempotency-key: must have 1 to 255 characters of visible ASCII"},
    {IS_JSON "\nidempotency-key: \x7f",
     "PARAMS idempotency-key: must have 1 to 255 characters of visible ASCII"},
    {IS_JSON "\nidempotency-key: a\nidempotency-key: a",
     "PARAMS idempotency-key: was given twice"},
    {IS_JSON "\nif-none-match: \"a\"", TAKEN},
};

static const text_case tenants[] = {
    {"x-tenant: a", "'a' absent absent"},
    {"x-tenant: a\nx-depth: -4", "'a' -4 absent"},
    {"x-tenant: a%20+b", "'a%20+b' absent absent"},
    {"x-tenant: \xc3\xbc", "'\xc3\xbc' absent absent"},
    {"x-tenant: \xfc", "PARAMS x-tenant: must be valid UTF-8"},
    {"", "PARAMS x-tenant: is missing"},
    {"x-tenant: ", "PARAMS x-tenant: must have 1 to 8 characters"},
    {"x-tenant: a\nx-tenant: a", "PARAMS x-tenant: was given twice"},
    {"x-tenant: a\nx-tenant: a\nx-tenant: a",
     "PARAMS x-tenant: was given twice"},
    {"x-tenant: 123456789\nx-depth: 04",
     "PARAMS x-tenant: must have 1 to 8 characters\n"
     "x-depth: must be an integer"},
    {"x_tenant: a", "PARAMS x-tenant: is missing"},
    {"x-tenant: a\nif-none-match: W/\"1\", \"2\"",
     "'a' absent absent etag W/\"1\", \"2\""},
    {"x-tenant: a\nif-none-match: ", "'a' absent absent"},
    {"x-tenant: a\nidempotency-key: no key", "'a' absent absent"},
    {"x-tenant: a\norigin: https://evil\nsec-fetch-site: cross-site",
     "'a' absent absent"},
};

static void all_headers(void)
{
    char name[200], key[400] = IS_JSON "\nidempotency-key: ";
    const uc_view id = V("{\"id\":1}");
    size_t n = strlen(key);

    for (size_t i = 0; i < sizeof posts / sizeof *posts; i++) {
        snprintf(name, sizeof name, "%.100s", posts[i].in);
        for (char *p = name; *p != '\0'; p++)
            *p = *p == '\n' ? ' ' : *p;
        eq_str(take(&set, (uc_view){0}, posts[i].in, id), posts[i].want, name);
    }
    for (size_t i = 0; i < sizeof tenants / sizeof *tenants; i++) {
        snprintf(name, sizeof name, "header, case %zu", i);
        eq_str(take(&tenant, (uc_view){0}, tenants[i].in, (uc_view){0}),
               tenants[i].want, name);
    }
    eq_str(take(&tenant, (uc_view)V("n=4&x_tenant=b&x-tenant=c"), "x-tenant: a",
                (uc_view){0}),
           "PARAMS x_tenant: is unknown\nx-tenant: is unknown",
           "what comes from a header comes from nowhere else");
    eq_str(take(&post_tenant, (uc_view){0}, IS_JSON "\nx-tenant: a",
                (uc_view)V("{\"n\":4}")),
           "'a' absent 4", "a header beside a body");
    eq_str(take(&post_tenant, (uc_view){0}, IS_JSON "\nx-tenant: a",
                (uc_view)V("{\"x_tenant\":\"b\"}")),
           "PARAMS x_tenant: is unknown", "nor from a body");
    memset(key + n, 'k', 256);
    key[n + 255] = '\0';
    take(&set, (uc_view){0}, key, id);
    eq_int(q.idempotency_key.len, 255, "the longest key");
    key[n + 255] = 'k';
    eq_str(take(&set, (uc_view){0}, key, id),
           "PARAMS idempotency-key: must have 1 to 255 characters of visible "
           "ASCII",
           "a longer one");
}

/* ---- answers ------------------------------------------------------------- */

static void answers(void)
{
    char text[2000];

    eq_int(uc_refusal_status(UC_REFUSAL_NONE, true), 200, "nothing refused");
    eq_int(uc_refusal_status(UC_REFUSAL_CONFLICT, false), 400, "the notes'");
    eq_int(uc_refusal_status(UC_REFUSAL_CONFLICT, true), 409, "a fine one");
    eq_int(uc_refusal_status(UC_REFUSAL_TIMEOUT, false), 500, "a time-out");
    eq_int(uc_refusal_status(UC_REFUSAL_TIMEOUT, true), 504, "a fine time-out");
    eq_int(uc_refusal_status(UC_REFUSAL_NO_ROUTE, false), 404, "no route");
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = '\0';
    ok(!uc_request_refuse(&q, UC_REFUSAL_REFUSED, "%s", text) &&
           q.text.len == sizeof text - 1 && q.refusal == UC_REFUSAL_REFUSED,
       "a long sentence");
    ok(!uc_request_refuse(&q, UC_REFUSAL_NO_ROW, "not %s", "found") &&
           q.text.len == 9 && memcmp(q.text.p, "not found", 9) == 0,
       "takes the place of what was there");
    ok(uc_origin_listed(&serving, origins[0]) &&
           !uc_origin_listed(&serving, view("https://app.example ")) &&
           !uc_origin_listed(&serving, view("null")) &&
           !uc_origin_listed(&serving, (uc_view){0}),
       "origins on the list");
}

/* ---- what is bound ------------------------------------------------------- */

static void bind(void)
{
    static const uc_param of_all[] = {
        PARAM("t", TYPE(TEXT)),
        PARAM("i", TYPE(INTEGER)),
        PARAM("r", TYPE(REAL)),
        PARAM("b", TYPE(BLOB)),
        PARAM("o", TYPE(BOOLEAN)),
        PARAM("n", TYPE(TEXT), .optional = true),
        PARAM("a", TYPE(TEXT), .optional = true),
        PARAM("d", TYPE(INTEGER), PRESET(-7)),
    };
    static const uc_route all = ROUTE(POST, "/all", of_all);
    static const uint8_t places[] = {0, 1, 2, 3, 4, 5, 6, 7, 0};
    static const uint8_t want[] =
        "\x99\xa2\xc3\xbc\xcd\x01\x2c\xcb\x3f\xf8\0\0\0\0\0\0\xc4\x02\0\1\x01"
        "\xc0\xc0\xf9\xa2\xc3\xbc";
    const uc_variant v = {.nparams = sizeof places, .params = places};
    const uc_variant none = {.nparams = 0};
    uc_buf b;

    uc_buf_init(&b, SIZE_MAX);
    post(&all, "{\"t\":\"\xc3\xbc\",\"i\":300,\"r\":1.5,\"b\":\"AAE=\","
               "\"o\":true,\"n\":null}");
    uc_request_bind(&q, &v, &b);
    eq_bytes(b.p, b.len, want, sizeof want - 1,
             "each type, in a variant's order");
    uc_buf_rewind(&b, 0);
    uc_request_bind(&q, &none, &b);
    eq_bytes(b.p, b.len, "\x90", 1, "no parameters");
    uc_buf_fini(&b);
    uc_buf_init(&b, 10);
    uc_request_bind(&q, &v, &b);
    ok(b.failed, "a buffer that is too small says so");
    uc_buf_fini(&b);
}

static void hash_of(const uc_route *route, const char *body, uint8_t hash[16])
{
    if (route->method == UC_METHOD_POST)
        post(route, body);
    else
        get(route, body);
    uc_request_hash(&q, hash);
}

static bool same_hash(const uc_route *a, const char *x, const uc_route *b,
                      const char *y)
{
    uint8_t one[16], two[16];

    hash_of(a, x, one);
    hash_of(b, y, two);
    return memcmp(one, two, sizeof one) == 0;
}

static void hashes(void)
{
    static const uc_param of_two[] = {
        PARAM("a", TYPE(TEXT), .optional = true),
        PARAM("b", TYPE(TEXT), .optional = true),
        PARAM("r", TYPE(REAL), .optional = true),
        PARAM("j", TYPE(JSON), .optional = true),
        PARAM("p", TYPE(INTEGER), PRESET(5)),
        PARAM("s", TYPE(TEXT), .optional = true, .secret = true),
    };
    static const uc_route two = ROUTE(POST, "/two", of_two);
    static const uc_route other = ROUTE(POST, "/other", of_two);
    static const struct {
        const char *a, *b;
        bool same;
    } pairs[] = {
        {"{\"a\":\"x\",\"b\":\"y\"}", "{ \"b\":\"y\", \"a\":\"\\u0078\" }",
         true},
        {"{\"r\":1.50}", "{\"r\":15e-1}", true},
        {"{\"r\":-0.0}", "{\"r\":0}", true},
        {"{\"j\":{\"x\":1,\"y\":2}}", "{\"j\":{\"y\":2.0, \"x\":1}}", true},
        {"{\"a\":\"ab\",\"b\":\"c\"}", "{\"a\":\"a\",\"b\":\"bc\"}", false},
        {"{\"a\":\"x\"}", "{\"b\":\"x\"}", false},
        {"{\"a\":\"x\"}", "{\"a\":\"y\"}", false},
        {"{\"a\":null}", "{}", false},
        {"{\"a\":null}", "{\"a\":\"\"}", false},
        {"{\"p\":5}", "{}", false}, /* what was sent, and no preset */
        {"{\"j\":[1,2]}", "{\"j\":[2,1]}", false},
        {"{\"j\":\"1\"}", "{\"j\":1}", false},
        {"{\"a\":\"x\",\"s\":\"y\"}", "{\"a\":\"x\",\"s\":\"z\"}", true},
        {"{\"a\":\"x\",\"s\":\"y\"}", "{\"a\":\"x\"}", true},
    };
    char name[100];

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        snprintf(name, sizeof name, "hash: %.40s %.40s", pairs[i].a,
                 pairs[i].b);
        ok(same_hash(&two, pairs[i].a, &two, pairs[i].b) == pairs[i].same,
           name);
    }
    ok(!same_hash(&two, "{}", &other, "{}"), "hash: another route");
    ok(same_hash(&query, "name=a%20b&age=4", &query, "age=4&name=a+b"),
       "hash: a query");
}

/* ---- from files ---------------------------------------------------------- */

static const char file[] =
    "-- @get /dmail/user/q :many\n"
    "-- @param name text 1..64\n"
    "-- @param age integer 0..150\n"
    "-- @param id integer 0.. = 0 the last id seen\n"
    "-- @param ps integer 1..100 = 10 page size\n"
    "-- @public\n"
    "select id from person where name = :name and age = :age and id > :id\n"
    "order by id limit :ps;\n"
    "-- @post /dmail/user/set\n"
    "-- @param id integer 1..\n"
    "-- @param name text 1..64 ?\n"
    "-- @auth editor\n"
    "update person set id = id {, name = :name } where id = :id\n"
    " and owner = :_user;\n"
    "-- @get /both :one\n"
    "-- @param queries integer 1..500 @clamp = 1\n"
    "-- @public\n"
    "select :queries as n;\n"
    "-- @post /both :one\n"
    "-- @param at time = 2026-11-30\n"
    "-- @param tags 'a'|'b'[] ?\n"
    "-- @param share real 0..1 = 0.5\n"
    "-- @public\n"
    "select :at a, :tags b, :share c;\n";

typedef struct target_case {
    const char *method, *target, *want;
} target_case;

static const target_case targets[] = {
    {"GET", "/dmail/user/q?name=2---&ps=10&id=354757&age=4",
     "'2---' 4 354757 10"},
    {"HEAD", "/dmail/user/q?name=2---&age=4", "'2---' 4 0* 10* head"},
    {"GET", "/dmail/user/q", "PARAMS name: is missing\nage: is missing"},
    {"GET", "/dmail/user/q?", "PARAMS name: is missing\nage: is missing"},
    {"POST", "/dmail/user/q", "METHOD method not allowed (GET, HEAD)"},
    {"PUT", "/dmail/user/q", "METHOD method not allowed (GET, HEAD)"},
    {"OPTIONS", "/dmail/user/q", "METHOD method not allowed (GET, HEAD)"},
    {"get", "/dmail/user/q", "METHOD method not allowed (GET, HEAD)"},
    {"", "/dmail/user/q", "METHOD method not allowed (GET, HEAD)"},
    {"GET", "/dmail/user/set", "METHOD method not allowed (POST)"},
    {"HEAD", "/dmail/user/set?id=1", "METHOD method not allowed (POST)"},
    {"DELETE", "/both", "METHOD method not allowed (GET, HEAD, POST)"},
    {"POST", "/dmail/user/set", "1 absent absent"},
    {"POST", "/dmail/user/set?", "1 absent absent"},
    {"POST", "/dmail/user/set?id=1",
     "PARAMS query: a POST takes its parameters from the body"},
    {"POST", "/both", "PARAMS id: is unknown"},
    {"GET", "/both", "1*"},
    {"GET", "/both?queries=", "1"},
    {"GET", "/both?queries=foo", "1"},
    {"GET", "/both?queries=0", "1"},
    {"GET", "/both?queries=20", "20"},
    {"GET", "/both?queries=501", "500"},
    {"GET", "/", "NO_ROUTE not found"},
    {"GET", "", "NO_ROUTE not found"},
    {"GET", "*", "NO_ROUTE not found"},
    {"OPTIONS", "*", "NO_ROUTE not found"},
    {"GET", "?", "NO_ROUTE not found"},
    {"GET", "/Both", "NO_ROUTE not found"},
    {"GET", "/both/", "NO_ROUTE not found"},
    {"GET", "//both", "NO_ROUTE not found"},
    {"GET", "/b%6fth", "NO_ROUTE not found"},
    {"GET", "/x/../both", "NO_ROUTE not found"},
    {"GET", "/both#x", "NO_ROUTE not found"},
    {"GET", "http://a/both", "NO_ROUTE not found"},
    {"PUT", "/nowhere", "NO_ROUTE not found"},
};

static const char *target(uc_routes *routes, const target_case *c)
{
    static char text[2000];
    size_t n;

    q.method = view(c->method);
    q.target = view(c->target);
    q.nheaders = split_headers(IS_JSON);
    q.headers = headers;
    q.body = view(strcmp(c->method, "POST") == 0 ? "{\"id\":1}" : "");
    snprintf(text, sizeof text, "%s",
             result(uc_request_read(&q, routes, &serving)));
    n = strlen(text);
    if (q.head && q.refusal == UC_REFUSAL_NONE)
        snprintf(text + n, sizeof text - n, " head");
    if (q.allow.len > 0)
        snprintf(text + n, sizeof text - n, " (%.*s)", (int)q.allow.len,
                 (const char *)q.allow.p);
    return text;
}

static void from_files(void)
{
    uc_source source = {V("a.sql"), V(file)};
    uc_routes *routes;
    char name[200];
    uc_error e;

    uc_error_init(&e);
    routes = uc_routes_read(&source, 1, &e);
    ok(routes != NULL, e.code != NULL ? e.message : "the file is read");
    if (routes == NULL)
        return;
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        const target_case *c = &targets[i];

        snprintf(name, sizeof name, "%s %s", c->method, c->target);
        eq_str(target(routes, c), c->want, name);
    }
    q.target = view("/both");
    q.method = view("POST");
    q.nheaders = split_headers(IS_JSON);
    q.body = view("{\"tags\":[\"b\",\"a\"]}");
    eq_str(result(uc_request_read(&q, routes, &serving)),
           "'2026-11-30T00:00:00.000Z'* '[\"b\",\"a\"]' real 0.5*",
           "presets are read as a caller's values are");
    ok(uc_view_is(uc_routes_allow(routes, view("/both?x")),
                  "GET, HEAD, POST") &&
           uc_routes_allow(routes, view("/nowhere")).len == 0,
       "what OPTIONS answers");
    uc_routes_unref(routes);
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

/* Many threads read at once, the first bodies of the process among them. */
static void *reader(void *wrong)
{
    static const char body[] = "{\"id\":7,\"data\":{\"b\":1,\"a\":[2.50]}}";
    static const uc_header json[] = {
        {V("content-type"), V("application/json")}};
    uc_request one = {.headers = json, .nheaders = 1, .body = V(body)};

    uc_request_init(&one);
    for (int i = 0; i < 500; i++) {
        uc__request_start(&one);
        one.route = &set;
        *(unsigned *)wrong +=
            !uc__request_take(&one, (uc_view){0}, &serving) ||
            one.args[0].i != 7 ||
            !uc_view_is(one.args[3].s, "{\"a\":[2.5],\"b\":1}");
    }
    uc_request_fini(&one);
    return NULL;
}

static void threads(void)
{
    unsigned wrong[4] = {0};
    uc_thread t[4];

    for (int i = 0; i < 4; i++) {
        if (uc_thread_start(&t[i], "reader", reader, &wrong[i]) != 0)
            abort();
    }
    for (int i = 0; i < 4; i++)
        uc_thread_join(t[i]);
    eq_int(wrong[0] + wrong[1] + wrong[2] + wrong[3], 0,
           "threads do not meet in each other's memory");
}

int main(void)
{
    threads();
    tap_seed(20261130);
    uc_arena_init(&mem, SIZE_MAX);
    uc_request_init(&q);
    all_values();
    default_bounds();
    every_day();
    moments();
    reals();
    integers();
    blobs();
    base64_letters();
    all_requests();
    body_bounds();
    all_headers();
    answers();
    bind();
    hashes();
    from_files();
    within_bounds();
    written_again();
    other_locale();
    uc_request_fini(&q);
    uc_arena_fini(&mem);
    return tap_end();
}

/* The JSON of rows, through a session: what a parser has to make of it. */
#include <inttypes.h>
#include <stdlib.h>

#include "client.h"
#include "tap.h"

static client *c;

static void is(const char *sql, const char *want, const char *name)
{
    char full[600];

    client_define(c, 1, sql);
    snprintf(full, sizeof full, "bytes %s", want);
    eq_str(client_ask(c, UC_OP_json, "n i i n", 1, 0), full, name);
}

static void param(const char *fmt, const void *p, size_t n, const char *want,
                  const char *name)
{
    char full[600];

    client_define(c, 1, "select ? v");
    snprintf(full, sizeof full, "bytes [{\"v\":%s}]", want);
    eq_str(client_ask(c, UC_OP_json, fmt, 1, 0, p, n), full, name);
}

/* Of each length, one byte at each place is another one. */
static void lengths(void)
{
    static const struct {
        const char *in, *out;
    } odd[] = {{"\"", "\\\""}, {"\x1f", "\\u001f"}, {"\xc3\xbc", "\xc3\xbc"}};

    for (int n = 0; n <= 20; n++) {
        for (int i = 0; i < 3 * (n + 1); i++) {
            char text[40], wanted[60], name[40];
            int at = i / 3;
            bool is_whole = at == n;

            snprintf(text, sizeof text, "%.*s%s%.*s", at,
                     "abcdefghijklmnopqrst", is_whole ? "" : odd[i % 3].in,
                     is_whole ? 0 : n - at - 1, "uvwxyzABCDEFGHIJKLMN");
            snprintf(wanted, sizeof wanted, "\"%.*s%s%.*s\"", at,
                     "abcdefghijklmnopqrst", is_whole ? "" : odd[i % 3].out,
                     is_whole ? 0 : n - at - 1, "uvwxyzABCDEFGHIJKLMN");
            snprintf(name, sizeof name, "%d bytes, the %dth", n, at);
            param("n i i [t]", text, strlen(text), wanted, name);
        }
    }
}

/* With one digit more each, and the least and the largest of them. */
static void integers(void)
{
    int64_t least = 1;

    for (int digits = 1; digits <= 19; digits++) {
        int64_t most = digits < 19 ? least * 10 - 1 : INT64_MAX;
        char sql[120], wanted[120];

        snprintf(sql, sizeof sql,
                 "select %" PRId64 " a, %" PRId64 " b, %" PRId64 " c", least,
                 most, -most);
        snprintf(wanted, sizeof wanted,
                 "[{\"a\":%" PRId64 ",\"b\":%" PRId64 ",\"c\":%" PRId64 "}]",
                 least, most, -most);
        is(sql, wanted, "integers");
        if (digits < 19)
            least *= 10;
    }
    is("select 0 a, 102030405060708090 b",
       "[{\"a\":0,\"b\":102030405060708090}]", "zeros");
}

int main(void)
{
    char all[256];
    char text[40];

    c = client_open(":memory:", NULL);
    is("select 1 where 0", "[]", "no rows");
    is("select null n, 1 i, 2.5 d, 'x' s",
       "[{\"n\":null,\"i\":1,\"d\":2.5,\"s\":\"x\"}]", "the types");
    is("select 9007199254740993 a, -9223372036854775808 b",
       "[{\"a\":9007199254740993,\"b\":-9223372036854775808}]",
       "integers keep all digits");
    is("select 9e999 a, -9e999 b", "[{\"a\":null,\"b\":null}]",
       "infinity is null");
    is("select 0.1 a, 1e21 b, 1e-7 c, -0.0 d, 1e300 e",
       "[{\"a\":0.1,\"b\":1e+21,\"c\":1e-7,\"d\":0,\"e\":1e+300}]",
       "reals as JSON.stringify prints them");
    is("select 1e15 a, 123456789012345680000.0 b, 0.000001 c, 1.5e-6 d,"
       " -1.2345678901234568e-5 e, 4.9e-324 f, 1.7976931348623157e308 g,"
       " 0.1 + 0.2 h, -1e-10 i",
       "[{\"a\":1000000000000000,\"b\":123456789012345680000,"
       "\"c\":0.000001,\"d\":0.0000015,\"e\":-0.000012345678901234568,"
       "\"f\":5e-324,\"g\":1.7976931348623157e+308,"
       "\"h\":0.30000000000000004,\"i\":-1e-10}]",
       "and these");
    is("select x'' a, x'00' b, x'0001' c, x'000102' d, x'fffefd' e",
       "[{\"a\":\"\",\"b\":\"AA==\",\"c\":\"AAE=\",\"d\":\"AAEC\","
       "\"e\":\"//79\"}]",
       "blobs are base64");
    is("select 1 \"a\"\"b\\c\", 2 \"\n\"", "[{\"a\\\"b\\\\c\":1,\"\\n\":2}]",
       "names are escaped");
    is("values (1), (2)", "[{\"column1\":1},{\"column1\":2}]", "two rows");
    param("n i i [t]", "\b\f\n\r\t\"\\", 7, "\"\\b\\f\\n\\r\\t\\\"\\\\\"",
          "short escapes");
    param("n i i [t]", "\x01\x1f", 2, "\"\\u0001\\u001f\"", "long ones");
    param("n i i [t]", "\x7f/\xc3\xbc\xf0\x9f\x98\x80", 8,
          "\"\x7f/\xc3\xbc\xf0\x9f\x98\x80\"", "what needs none");
    is("select cast(x'61ffeda0807a' as text) v",
       "[{\"v\":\"a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\"}]",
       "invalid UTF-8 that is in the file is repaired");
    /* A special byte at each place of a word, and behind the last word. */
    for (int i = 0; i < 20; i++) {
        char name[40];

        memset(text, 'a', 20);
        text[i] = '"';
        memset(all, 'a', 24);
        all[0] = '"';
        all[i + 1] = '\\';
        all[i + 2] = '"';
        all[22] = '"';
        all[23] = '\0';
        snprintf(name, sizeof name, "a quote at %d", i);
        param("n i i [t]", text, 20, all, name);
    }
    lengths();
    integers();
    client_close(c);
    return tap_end();
}

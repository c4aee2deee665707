/*
 * Pages of rows and bodies of JSON, written from plain values: what an engine
 * hands in, and what a client reads.
 */
#include "tap.h"
#include "wire/json.h"
#include "wire/reader.h"
#include "wire/rows.h"

/* Two columns, a and b. */
static const uc_columns cols = {7,
                                {(const uint8_t *)"\x92\xa1"
                                                  "a\xa1"
                                                  "b",
                                 5}};

static uc_view view(const char *s)
{
    return (uc_view){(const uint8_t *)s, strlen(s)};
}

/* want: a literal, which may hold NUL. */
#define is(b, want, name) \
    eq_bytes((b).p, (b).len, (want), sizeof(want) - 1, (name))

static bool pair(uc_rows *r, int64_t a, const char *b)
{
    uint8_t *p = uc_row_begin(r, 2);

    if (p == NULL)
        return false;
    p = uc_row_int(p, a);
    p = uc_row_text(r, p, view(b));
    return uc_row_end(r, p);
}

static void replies(void)
{
    uc_buf out, text;
    uc_rows r;

    uc_buf_init(&out, 1000);
    uc_buf_init(&text, 1000);
    uc_rows_begin(&r, &out, &text, 9, &cols, 0, 256, false);
    ok(pair(&r, 1, "xy") && pair(&r, -1, "\xc3\xbc"), "two rows");
    uc_rows_end(&r, 0);
    is(out,
       "\x96\xce\0\0\0\x09\x02\xce\0\0\0\x07\x92\xa1"
       "a\xa1"
       "b\xc0\xdd\0\0\0\x01"
       "\x94\xce\0\0\0\x02\x01\xc6\0\0\0\x04"
       "\x01\xa2\xff\xa1"
       "\xdb\0\0\0\x04xy\xc3\xbc",
       "the names, one page, its text behind its cells");

    uc_buf_rewind(&out, 0);
    uc_rows_begin(&r, &out, &text, 9, &cols, 7, 256, true);
    ok(pair(&r, 0, ""), "a row");
    uc_rows_end(&r, 5);
    is(out,
       "\x96\xce\0\0\0\x09\x02\xce\0\0\0\x07\xc0\xce\0\0\0\x05"
       "\xdd\0\0\0\x01\x94\xce\0\0\0\x01\0\xc6\0\0\0\x02\0\xa0"
       "\xdb\0\0\0\0",
       "names that the client has, and a cursor");

    uc_buf_rewind(&out, 0);
    uc_rows_begin(&r, &out, &text, 9, NULL, 0, 256, false);
    uc_rows_end(&r, 0);
    is(out, "\x96\xce\0\0\0\x09\x02\xce\0\0\0\0\x90\xc0\xdd\0\0\0\0",
       "no columns, no rows");
    uc_buf_fini(&out);
    uc_buf_fini(&text);
}

/* One row with a cell of each kind, read back. */
static void kinds(void)
{
    static const uc_columns five = {1,
                                    {(const uint8_t *)"\x95\xa1"
                                                      "a\xa1"
                                                      "b\xa1"
                                                      "c\xa1"
                                                      "d\xa1"
                                                      "e",
                                     11}};
    static uint8_t blob[5000];
    uc_buf out, text;
    uc_rows r;
    uc_reader in;
    uc_value v;
    uint8_t *p;
    uc_view cells;

    uc_buf_init(&out, 1 << 20);
    uc_buf_init(&text, 1 << 20);
    memset(blob, 0xab, sizeof blob);
    uc_rows_begin(&r, &out, &text, 1, &five, 0, 256, false);
    p = uc_row_begin(&r, 5);
    p = uc_row_null(p);
    p = uc_row_int(p, INT64_MIN);
    p = uc_row_blob(&r, p, (uc_view){blob, sizeof blob}, 3);
    p = uc_row_blob(&r, p, (uc_view){NULL, 0}, 2);
    p = uc_row_double(p, -0.5);
    ok(uc_row_end(&r, p), "a row larger than what there was room for");
    ok(!r.open, "and than a page");
    /* U+FFFD twice: what is cut off, and what is no byte of UTF-8. */
    p = uc_row_begin(&r, 5);
    p = uc_row_text(&r, p, view("z\xe2\x82\xff"));
    p = uc_row_text(&r, p, (uc_view){NULL, 0});
    for (int i = 0; i < 3; i++)
        p = uc_row_null(p);
    ok(uc_row_end(&r, p), "the next");
    uc_rows_end(&r, 0);

    in = (uc_reader){out.p, out.p + out.len};
    ok(uc_read(&in, &v) && v.type == UC_T_ARRAY && v.n == 6, "the reply");
    for (int i = 0; i < 5; i++)
        ok(uc_read_skip(&in), "what is in front of the pages");
    ok(uc_read(&in, &v) && v.type == UC_T_ARRAY && v.n == 2, "two pages");
    ok(uc_read(&in, &v) && v.n == 4 && uc_read(&in, &v) && v.i == 1 &&
           uc_read(&in, &v) && v.i == 0,
       "a row, ASCII");
    ok(uc_read(&in, &v) && v.type == UC_T_BIN, "its cells");
    cells = v.s;
    ok(uc_read_str(&in, &v.s) && v.s.len == 0, "no text");
    {
        uc_reader c = {cells.p, cells.p + cells.len};

        ok(uc_read(&c, &v) && v.type == UC_T_NIL, "null");
        ok(uc_read(&c, &v) && v.type == UC_T_INT && v.i == INT64_MIN,
           "the least integer");
        ok(uc_read(&c, &v) && v.type == UC_T_BIN, "a blob");
        eq_bytes(v.s.p, v.s.len, blob, sizeof blob, "with its bytes");
        ok(uc_read(&c, &v) && v.type == UC_T_BIN && v.s.len == 0, "an empty");
        ok(uc_read(&c, &v) && v.type == UC_T_DOUBLE && v.d == -0.5, "a double");
        ok(c.p == c.end, "and no more");
    }
    ok(uc_read(&in, &v) && v.n == 4 && uc_read(&in, &v) && v.i == 1 &&
           uc_read(&in, &v) && v.i == 1,
       "a row that is not ASCII");
    ok(uc_read(&in, &v) && v.type == UC_T_BIN, "its cells");
    eq_bytes(v.s.p, v.s.len, "\xa3\xa0\xc0\xc0\xc0", 5,
             "a length in UTF-16 units, of what was repaired");
    ok(uc_read_str(&in, &v.s), "its text");
    eq_bytes(v.s.p, v.s.len, "z\xef\xbf\xbd\xef\xbf\xbd", 7, "repaired");
    ok(in.p == in.end, "the end");
    uc_buf_fini(&out);
    uc_buf_fini(&text);
}

static void limits(void)
{
    uc_buf out, text;
    uc_rows r;
    int n = 0;

    uc_buf_init(&out, 4000);
    uc_buf_init(&text, 4000);
    uc_rows_begin(&r, &out, &text, 1, &cols, 0, 256, false);
    while (n < 5000 && pair(&r, n, "some text"))
        n++;
    ok(n > 200 && n < 400, "until the maximum");
    ok(out.failed && out.full, "which the buffer says");
    ok(r.pages > 10, "in pages of what was asked for");
    uc_rows_end(&r, 0);
    ok(out.failed, "and remembers");

    uc_buf_rewind(&out, 0);
    uc_rows_begin(&r, &out, &text, 1, &cols, 0, 256, false);
    ok(uc_row_begin(&r, 1000) == NULL && out.full, "a row with too many cells");
    uc_buf_rewind(&out, 0);
    uc_rows_begin(&r, &out, &text, 1, &cols, 0, 256, false);
    {
        static uint8_t blob[5000];
        uint8_t *p = uc_row_begin(&r, 2);

        ok(uc_row_blob(&r, p, (uc_view){blob, sizeof blob}, 2) == NULL &&
               out.full,
           "a blob that is too large");
    }
    uc_buf_fini(&out);
    uc_buf_fini(&text);
}

static void json(void)
{
    static const char want[] = "[{\"a\":1,\"\\\"b\":-0.5},"
                               "{\"a\":null,\"\\\"b\":\"\xc3\xbc\\n\"},"
                               "{\"a\":\"AAE=\",\"\\\"b\":\"\"}]";
    uc_buf b, whole;
    size_t at;

    uc_buf_init(&b, 1000);
    at = uc_json_begin(&b, 3);
    for (int i = 0; i < 3; i++) {
        if (i > 0)
            uc_buf_byte(&b, ',');
        uc_json_key(&b, true, view("a"));
        if (i == 0)
            uc_json_int(&b, 1);
        else if (i == 1)
            uc_json_null(&b);
        else
            uc_json_blob(&b, (uc_view){(const uint8_t *)"\0\1", 2});
        uc_json_key(&b, false, view("\"b"));
        if (i == 0)
            uc_json_double(&b, -0.5);
        else if (i == 1)
            uc_json_text(&b, view("\xc3\xbc\n"));
        else
            uc_json_text(&b, (uc_view){NULL, 0});
        uc_buf_byte(&b, '}');
    }
    uc_json_end(&b, at);
    uc_buf_init(&whole, 1000);
    uc_buf_put(&whole, "\x93\xce\0\0\0\x03\x04\xc6\0\0\0", 11);
    uc_buf_byte(&whole, sizeof want - 1);
    uc_buf_put(&whole, want, sizeof want - 1);
    eq_bytes(b.p, b.len, whole.p, whole.len, "an array of objects");
    uc_buf_fini(&whole);

    uc_buf_rewind(&b, 0);
    at = uc_json_begin(&b, 3);
    uc_json_end(&b, at);
    is(b, "\x93\xce\0\0\0\x03\x04\xc6\0\0\0\x02[]", "an empty one");
    uc_buf_fini(&b);

    uc_buf_init(&b, 20);
    at = uc_json_begin(&b, 3);
    uc_json_text(&b, view("0123456789"));
    uc_json_end(&b, at);
    ok(b.failed && b.full, "over the maximum");
    uc_buf_fini(&b);
}

int main(void)
{
    replies();
    kinds();
    limits();
    json();
    return tap_end();
}

#include <string.h>

#include "data/pg/decode.h"
#include "tap.h"

/* The messages of logical decoding: as PostgreSQL 15 sends them, and cut or
 * changed at each byte. */

#define V(text) ((uc_view){(const uint8_t *)(text), sizeof(text) - 1})

/* relation 16385, public.a (id int8 key, v text) */
static const char relation[] = "R\0\0\x40\x01public\0a\0d\0\2"
                               "\1id\0\0\0\0\x14\xff\xff\xff\xff"
                               "\0v\0\0\0\0\x19\xff\xff\xff\xff";
static const char pair[] = "R\0\0\x40\x02side\0pair\0d\0\2"
                           "\1x\0\0\0\0\x17\xff\xff\xff\xff"
                           "\1y\0\0\0\0\x17\xff\xff\xff\xff";
static const char begin[] =
    "B\0\0\0\0\1\x96\x0f\x10\0\2\xa0\0\0\0\0\0\0\0\2\xe5";
static const char commit[] = "C\0\0\0\0\0\1\x96\x0f\x10\0\0\0\0\1\x96\x0f\x40"
                             "\0\2\xa0\0\0\0\0\0";
static const char insert[] = "I\0\0\x40\x01N\0\2t\0\0\0\2-5n";
static const char update[] = "U\0\0\x40\x01N\0\2t\0\0\0\1"
                             "1t\0\0\0\1x";
static const char new_key[] = "U\0\0\x40\x01K\0\2t\0\0\0\1"
                              "1nN\0\2t\0\0\0\1"
                              "2u";
static const char delete[] = "D\0\0\x40\x01K\0\2t\0\0\0\1"
                             "7n";
static const char truncate_two[] = "T\0\0\0\2\1\0\0\x40\x01\0\0\x40\x02";
static const char message[] = "M\1\0\0\0\0\1\x96\x0f\x10uc\0\0\0\0\4id:7";
static const char origin[] = "O\0\0\0\0\0\0\0\0name\0";

static pg_change read_change(uc_view v)
{
    pg_change c;

    pg_change_read(v, &c);
    return c;
}

static bool key_is(uc_view row, int64_t wanted)
{
    uc_view text;
    int64_t n;

    return pg_change_column(row, 0, &text) && pg_change_integer(text, &n) &&
           n == wanted;
}

static void whole(void)
{
    pg_change c = read_change(V(relation));
    uc_view text;

    ok(c.kind == PG_CHANGE_RELATION && c.relation == 16385, "a relation");
    ok(uc_view_is(c.schema, "public") && uc_view_is(c.name, "a"), "its name");
    ok(c.identity == 'd' && c.key == 0, "and its key");
    c = read_change(V(pair));
    ok(c.kind == PG_CHANGE_RELATION && c.key == -1, "a key of two columns");
    c = read_change(V(begin));
    ok(c.kind == PG_CHANGE_BEGIN && c.xid == 741, "begin");
    c = read_change(V(commit));
    ok(c.kind == PG_CHANGE_COMMIT && c.end == 0x1960f40, "commit");
    c = read_change(V(insert));
    ok(c.kind == PG_CHANGE_ROW && c.before.p == NULL && key_is(c.after, -5),
       "insert");
    ok(!pg_change_column(c.after, 1, &text), "a NULL has no text");
    ok(!pg_change_column(c.after, 2, &text), "nor has what is not there");
    c = read_change(V(update));
    ok(c.kind == PG_CHANGE_ROW && c.before.p == NULL && key_is(c.after, 1),
       "update");
    c = read_change(V(new_key));
    ok(key_is(c.before, 1) && key_is(c.after, 2), "update of a key");
    ok(!pg_change_column(c.after, 1, &text), "a value as it was");
    c = read_change(V(delete));
    ok(c.kind == PG_CHANGE_ROW && key_is(c.before, 7) && c.after.p == NULL,
       "delete");
    c = read_change(V(truncate_two));
    ok(c.kind == PG_CHANGE_TRUNCATE && c.relations.len == 8, "truncate");
    c = read_change(V(message));
    ok(c.kind == PG_CHANGE_MESSAGE && uc_view_is(c.prefix, "uc") &&
           uc_view_is(c.content, "id:7"),
       "message");
    ok(read_change(V(origin)).kind == PG_CHANGE_NONE, "an origin");
}

static void bad(void)
{
    const uc_view all[] = {V(relation),     V(pair),   V(begin),   V(commit),
                           V(insert),       V(update), V(new_key), V(delete),
                           V(truncate_two), V(message)};
    unsigned taken = 0;
    uint8_t copy[128];

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        for (size_t n = 0; n < all[i].len; n++)
            taken += read_change((uc_view){all[i].p, n}).kind != PG_CHANGE_BAD;
        for (size_t at = 0; at < all[i].len; at++) {
            for (unsigned byte = 0; byte < 256; byte++) {
                pg_change c;
                uc_view text;

                memcpy(copy, all[i].p, all[i].len);
                copy[at] = (uint8_t)byte;
                c = read_change((uc_view){copy, all[i].len});
                for (int k = 0; c.kind == PG_CHANGE_ROW && k < 4; k++) {
                    pg_change_column(c.before, k, &text);
                    pg_change_column(c.after, k, &text);
                }
            }
        }
        memcpy(copy, all[i].p, all[i].len);
        copy[all[i].len] = 0;
        taken +=
            read_change((uc_view){copy, all[i].len + 1}).kind != PG_CHANGE_BAD;
    }
    ok(taken == 0, "what is cut, or too long, is none");
    ok(read_change(V("T\xff\xff\xff\xff\0")).kind == PG_CHANGE_BAD,
       "a number of tables that cannot be");
    ok(read_change(V("I\0\0\0\1N\xff\xffn")).kind == PG_CHANGE_BAD,
       "a number of columns that cannot be");
    ok(read_change(V("?")).kind == PG_CHANGE_BAD, "an unknown one");
}

static void stream(void)
{
    pg_wal w;

    pg_wal_read(V("k\0\0\0\0\1\x96\x0f\x40\0\2\xa0\0\0\0\0\0\1"), &w);
    ok(w.kind == PG_WAL_ALIVE && w.at == 0x1960f40 && w.asks, "a keepalive");
    pg_wal_read(V("w\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\3B"), &w);
    ok(w.kind == PG_WAL_DATA && w.at == 1 && uc_view_is(w.change, "B"),
       "a piece of the stream");
    pg_wal_read(V("k\0\0\0\0\1\x96\x0f\x40\0\2\xa0\0\0\0\0\0"), &w);
    ok(w.kind == PG_WAL_BAD, "one that is cut");
    pg_wal_read(V(""), &w);
    ok(w.kind == PG_WAL_BAD, "nothing");
}

static void integers(void)
{
    int64_t n;

    ok(pg_change_integer(V("9223372036854775807"), &n) && n == INT64_MAX,
       "the largest");
    ok(pg_change_integer(V("-9223372036854775808"), &n) && n == INT64_MIN,
       "the smallest");
    ok(!pg_change_integer(V("9223372036854775808"), &n), "one more");
    ok(!pg_change_integer(V("-9223372036854775809"), &n), "one less");
    ok(!pg_change_integer(V("1.0"), &n) && !pg_change_integer(V("-"), &n) &&
           !pg_change_integer(V(""), &n) && !pg_change_integer(V("x"), &n),
       "none");
}

int main(void)
{
    whole();
    bad();
    stream();
    integers();
    return tap_end();
}

/*
 * The msgpack reader against the end of a mapped page: reading one byte too
 * far faults. Every message is tried whole and cut at every place.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tap.h"
#include "wire/reader.h"

static uint8_t *page_end;

static void guard(void)
{
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *p = mmap(NULL, 3 * size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED || mprotect(p + 2 * size, size, PROT_NONE) != 0)
        abort();
    page_end = p + 2 * size;
}

/* A copy of the bytes that ends where the mapping ends. */
static uc_reader at_the_edge(const void *p, size_t n)
{
    memcpy(page_end - n, p, n);
    return (uc_reader){page_end - n, page_end};
}

#define BYTES(s) (s), sizeof(s) - 1

typedef struct sample {
    const char *name, *bytes;
    size_t len;
    uc_type type;
    int64_t i; /* integers; lengths and counts of the others */
} sample;

static const sample samples[] = {
    {"nil", BYTES("\xc0"), UC_T_NIL, 0},
    {"false", BYTES("\xc2"), UC_T_BOOL, 0},
    {"true", BYTES("\xc3"), UC_T_BOOL, 1},
    {"positive fixint", BYTES("\x7f"), UC_T_INT, 127},
    {"negative fixint", BYTES("\xe0"), UC_T_INT, -32},
    {"uint8", BYTES("\xcc\xff"), UC_T_INT, 255},
    {"uint16", BYTES("\xcd\xff\xfe"), UC_T_INT, 65534},
    {"uint32", BYTES("\xce\xff\xff\xff\xfd"), UC_T_INT, 4294967293},
    {"uint64", BYTES("\xcf\x7f\xff\xff\xff\xff\xff\xff\xff"), UC_T_INT,
     INT64_MAX},
    {"int8", BYTES("\xd0\x80"), UC_T_INT, -128},
    {"int16", BYTES("\xd1\x80\x00"), UC_T_INT, -32768},
    {"int32", BYTES("\xd2\x80\x00\x00\x00"), UC_T_INT, INT32_MIN},
    {"int64", BYTES("\xd3\x80\x00\x00\x00\x00\x00\x00\x00"), UC_T_INT,
     INT64_MIN},
    {"fixstr",
     BYTES("\xa3"
           "abc"),
     UC_T_STR, 3},
    {"empty str", BYTES("\xa0"), UC_T_STR, 0},
    {"str8",
     BYTES("\xd9\x02"
           "ab"),
     UC_T_STR, 2},
    {"str16",
     BYTES("\xda\x00\x02"
           "ab"),
     UC_T_STR, 2},
    {"str32",
     BYTES("\xdb\x00\x00\x00\x02"
           "ab"),
     UC_T_STR, 2},
    {"bin8", BYTES("\xc4\x01\x00"), UC_T_BIN, 1},
    {"bin16", BYTES("\xc5\x00\x01\x00"), UC_T_BIN, 1},
    {"bin32", BYTES("\xc6\x00\x00\x00\x01\x00"), UC_T_BIN, 1},
    {"fixarray", BYTES("\x92\x01\x02"), UC_T_ARRAY, 2},
    {"array16", BYTES("\xdc\x00\x02\x01\x02"), UC_T_ARRAY, 2},
    {"array32", BYTES("\xdd\x00\x00\x00\x01\x01"), UC_T_ARRAY, 1},
    {"fixmap",
     BYTES("\x81\xa1"
           "a\x01"),
     UC_T_MAP, 1},
    {"map16",
     BYTES("\xde\x00\x01\xa1"
           "a\x01"),
     UC_T_MAP, 1},
    {"map32",
     BYTES("\xdf\x00\x00\x00\x01\xa1"
           "a\x01"),
     UC_T_MAP, 1},
};

static int64_t number(const uc_value *v)
{
    switch (v->type) {
    case UC_T_BOOL:
        return v->b;
    case UC_T_INT:
        return v->i;
    case UC_T_STR:
    case UC_T_BIN:
        return (int64_t)v->s.len;
    case UC_T_ARRAY:
    case UC_T_MAP:
        return v->n;
    default:
        return 0;
    }
}

static void tokens(void)
{
    char name[100];

    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        const sample *s = &samples[i];
        uc_reader r = at_the_edge(s->bytes, s->len);
        uc_value v = {0};
        bool cut = false;

        snprintf(name, sizeof name, "%s", s->name);
        ok(uc_read(&r, &v) && v.type == s->type, name);
        snprintf(name, sizeof name, "%s: its value", s->name);
        eq_int(number(&v), s->i, name);
        r = at_the_edge(s->bytes, s->len);
        snprintf(name, sizeof name, "%s: skipped whole", s->name);
        ok(uc_read_skip(&r) && r.p == r.end, name);
        for (size_t n = 0; n < s->len; n++) {
            r = at_the_edge(s->bytes, n);
            cut |= uc_read_skip(&r);
        }
        snprintf(name, sizeof name, "%s: refused when cut", s->name);
        ok(!cut, name);
    }
}

static void floats(void)
{
    uc_reader r = at_the_edge(BYTES("\xca\x3f\x80\x00\x00"));
    uc_value v;

    ok(uc_read(&r, &v) && v.type == UC_T_DOUBLE && v.d == 1.0, "float32");
    r = at_the_edge(BYTES("\xcb\xc0\x04\x00\x00\x00\x00\x00\x00"));
    ok(uc_read(&r, &v) && v.type == UC_T_DOUBLE && v.d == -2.5, "float64");
    r = at_the_edge(BYTES("\xcf\x80\x00\x00\x00\x00\x00\x00\x00"));
    ok(uc_read(&r, &v) && v.type == UC_T_UINT && v.u == 1ull << 63,
       "an integer beyond int64");
}

static void lies(void)
{
    static const struct {
        const char *name, *bytes;
        size_t len;
    } lie[] = {
        {"an array of 4294967295", BYTES("\xdd\xff\xff\xff\xff\xc0")},
        {"a map of 4294967295", BYTES("\xdf\xff\xff\xff\xff\xc0\xc0")},
        {"a map of one with a byte left", BYTES("\x81\xc0")},
        {"an array of 65535", BYTES("\xdc\xff\xff\xc0")},
        {"a str of 4 GiB", BYTES("\xdb\xff\xff\xff\xff"
                                 "a")},
        {"a bin of 4 GiB", BYTES("\xc6\xff\xff\xff\xff"
                                 "a")},
        {"the reserved byte", BYTES("\xc1")},
        {"fixext 1", BYTES("\xd4\x01\x00")},
        {"fixext 16", BYTES("\xd8\x01"
                            "0123456789abcdef")},
        {"ext 8", BYTES("\xc7\x01\x01\x00")},
        {"ext 32", BYTES("\xc9\x00\x00\x00\x01\x01\x00")},
    };

    for (size_t i = 0; i < sizeof lie / sizeof *lie; i++) {
        uc_reader r = at_the_edge(lie[i].bytes, lie[i].len);
        uc_value v;

        ok(!uc_read(&r, &v), lie[i].name);
    }
}

static void depth(void)
{
    uint8_t nest[100];
    uc_reader r;

    memset(nest, 0x91, sizeof nest);
    nest[UC_MAX_DEPTH - 1] = 0xc0;
    r = at_the_edge(nest, UC_MAX_DEPTH);
    ok(uc_read_skip(&r), "as deep as allowed");
    nest[UC_MAX_DEPTH - 1] = 0x91;
    nest[UC_MAX_DEPTH] = 0xc0;
    r = at_the_edge(nest, UC_MAX_DEPTH + 1);
    ok(!uc_read_skip(&r), "one deeper");
    memset(nest, 0x91, sizeof nest);
    r = at_the_edge(nest, sizeof nest);
    ok(!uc_read_skip(&r), "much deeper");
}

static void typed(void)
{
    uint32_t u;
    uint64_t w;
    uc_view s;
    bool b;
    uc_reader r = at_the_edge(BYTES("\xcf\x00\x00\x00\x01\x00\x00\x00\x00"));

    ok(!uc_read_u32(&r, &u), "2^32 is no u32");
    r = at_the_edge(BYTES("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"));
    ok(uc_read_u64(&r, &w) && w == UINT64_MAX, "2^64 - 1 is an u64");
    r = at_the_edge(BYTES("\xff"));
    ok(!uc_read_u64(&r, &w), "-1 is none");
    r = at_the_edge(BYTES("\xc4\x01"
                          "a"));
    ok(!uc_read_str(&r, &s), "bin is no str");
    r = at_the_edge(BYTES("\x01"));
    ok(!uc_read_bool(&r, &b), "1 is no bool");
    r = at_the_edge(BYTES("\x81\x01\x01"));
    ok(!uc_read_array(&r, &u), "a map is no array");
    r = at_the_edge("", 0);
    ok(!uc_read_u32(&r, &u) && !uc_read_str(&r, &s) && !uc_read_bool(&r, &b),
       "nothing is nothing");
}

/* Random bytes: no reading past the end, and progress or an end. */
static void noise(void)
{
    bool stuck = false;

    tap_seed(7);
    for (int i = 0; i < 20000; i++) {
        uint8_t bytes[64];
        size_t n = tap_random() % sizeof bytes;
        uc_reader r;

        for (size_t j = 0; j < n; j++)
            bytes[j] = (uint8_t)tap_random();
        r = at_the_edge(bytes, n);
        while (r.p < r.end) {
            const uint8_t *before = r.p;

            if (!uc_read_skip(&r))
                break;
            stuck |= r.p <= before || r.p > r.end;
        }
    }
    ok(!stuck, "random bytes");
}

int main(void)
{
    guard();
    tokens();
    floats();
    lies();
    depth();
    typed();
    noise();
    return tap_end();
}

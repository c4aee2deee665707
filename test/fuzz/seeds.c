/*
 * Writes what the fuzzers start from: seeds FUZZER FOLDER [FILE ...]. A hex
 * file belongs to the fuzzer that its name begins with, the corpus of requests
 * (.tsv) to fuzz_http.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "doors/sp/sp.h"
#include "routes_example.h"

static const char *fuzzer, *folder;
static int made;

static void save(const char *name, const uint8_t *p, size_t n)
{
    char path[600];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    f = fopen(path, "wb");
    if (f == NULL || fwrite(p, 1, n, f) != n || fclose(f) != 0) {
        perror(path);
        exit(1);
    }
}

static void save_numbered(const uc_buf *b)
{
    char name[32];

    snprintf(name, sizeof name, "seed-%02d", made++);
    save(name, b->p, b->len);
}

/* ---- requests ---- */

static uc_buf input;

static void begin(uint8_t flags)
{
    uc_buf_rewind(&input, 0);
    uc_buf_byte(&input, flags);
}

#define ADD(how, op, fmt, ...)                                       \
    do {                                                             \
        uc_buf_byte(&input, how);                                    \
        pack(&input, "[i i " fmt "]", UC_OP_##op, 1, ##__VA_ARGS__); \
    } while (0)

static void requests(uint8_t flags, uint8_t how)
{
    begin(flags);
    ADD(how, ping, "n {s [i d b n]}", "a", -70000, 1.5, 1);
    ADD(how, health, "n");
    ADD(how, stats, "n");
    ADD(how, describe, "n");
    save_numbered(&input);
    begin(flags);
    ADD(how, define, "n i s", 9, "select ?1 a, :b b, 'x' || $c c");
    ADD(how, get, "n i i {s i s s s x}", 9, 0, "b", 1, "c", "t", "1", "\1",
        (size_t)1);
    ADD(how, undefine, "n i", 9);
    save_numbered(&input);
    begin(flags);
    ADD(how, run, "n i i [s]", 1, 0, "text");
    ADD(how, all, "n i i n", 2, 0);
    ADD(how, json, "n i i n", 2, 0);
    ADD(how, get, "n i i [i]", 3, 0, 1);
    ADD(how, all, "n i i [n]", 5, 0);
    save_numbered(&input);
    begin(flags);
    ADD(how, run, "{s b s s} s i [i]", "r", 1, "o", "key",
        "insert into t (v) values (?)", 0, 1);
    ADD(how, all, "{s b s i} s i n", "r", 1, "t", 5, "select * from t", 0);
    ADD(how, run, "{s b} i i [i]", "r", 1, 1, 0, 1);
    ADD(how, batch, "n [[s [i]] [i n]]", "select ?", 5, 2);
    ADD(how, many, "{s s} s n b [[i]]", "o", "rows",
        "insert into t (v) values (?)", 0, 2);
    ADD(how, cursor_open, "n s i n i", "select * from t", 0, 1);
    ADD(how, hello, "n {s [i i] s s}", "v", 1, 2, "client", "fuzz");
    ADD(how, door, "n");
    save_numbered(&input);
    begin(flags);
    ADD(how, many, "n i n b [[i][s][n]]", 1, 0, 1, "b");
    ADD(how, many, "n i n b [[i]]", 1, 1, 1);
    ADD(how, many, "n i i b [[i]]", 1, 1, 0, 2);
    ADD(how, batch, "n [[i [i]] [i n]]", 1, 5, 2);
    save_numbered(&input);
    begin(flags);
    ADD(how, exec, "n s",
        "create table u (a unique, b references t(i)); begin; "
        "insert into u values (1, 1); commit; insert into u values (1, 2)");
    ADD(how, exec, "n s",
        "create temp table q as select * from t; "
        "create trigger g after insert on t begin "
        "select raise(rollback, 'no'); end");
    ADD(how, run, "n i i [i]", 1, 0, 1);
    save_numbered(&input);
    begin(flags);
    ADD(how, tx_begin, "n");
    ADD(how, run, "{s i} i i [i]", "x", 1, 1, 0, 1);
    ADD(how, savepoint, "n i i i", 1, 0, 1);
    ADD(how, cursor_open, "{s i} i i n i", "x", 1, 2, 0, 256);
    ADD(how, savepoint, "n i i i", 1, 2, 1);
    ADD(how, tx_end, "n i b", 1, 1);
    save_numbered(&input);
    begin(flags);
    ADD(how, cursor_open, "n i i n i", 2, 0, 1);
    ADD(how, cursor_next, "n i i", 1, 0);
    ADD(how, cursor_next, "n i i", 1, 0);
    ADD(how, cursor_close, "n i", 1);
    save_numbered(&input);
    begin(flags);
    ADD(how, snap_begin, "n");
    ADD(how, all, "{s i} i i n", "s", 1, 2, 0);
    ADD(how, cursor_open, "{s i} i i n i", "s", 1, 2, 0, 1);
    ADD(how, snap_end, "n i", 1);
    save_numbered(&input);
    begin(flags);
    ADD(how, backup_begin, "n s", "nowhere.db");
    ADD(how, backup_step, "n i i", 1, 1);
    ADD(how, backup_end, "n i", 1);
    ADD(how, restore, "n s", "nowhere.db");
    save_numbered(&input);
    begin(flags);
    ADD(how, cache_hold, "n i", 0);
    ADD(how, cache_set, "n s x {s i s i s i s i s [s s s]}", "k", "\1",
        (size_t)1, "t", 1000, "i", 5, "s", 1, "e", 1, "d", "#a", "n:b", "t:t");
    ADD(how, cache_read, "n s", "k");
    ADD(how, cache_incr, "n s i n", "k", 1);
    ADD(how, cache_cas, "n s n x n", "c", "\1", (size_t)1);
    ADD(how, cache_get_many, "n [s s]", "k", "c");
    ADD(how, cache_set_many, "n [[s x] [s x]] {s i}", "k", "\1", (size_t)1, "l",
        "", (size_t)0, "t", 1);
    ADD(how, cache_ttl, "n s", "k");
    ADD(how, cache_touch, "n s i", "k", 0);
    ADD(how, run, "n i i [i]", 1, 0, 1);
    ADD(how, cache_get, "n s", "k");
    ADD(how, cache_delete, "n s", "c");
    ADD(how, cache_hold, "n i", 3);
    save_numbered(&input);
    begin(flags);
    ADD(how, cache_load, "n s {s i s b s b}", "m", "lease", 5, "stale", 1, "l1",
        1);
    ADD(how, cache_load, "{s i} s n", "t", 3, "m");
    ADD(how, cache_loaded, "n i x {s i s [s]} n", 1249, "\1", (size_t)1, "t", 1,
        "d", "#a");
    ADD(how, cache_load, "n s n", "m");
    ADD(how, cache_loaded, "n i n n s", 2273, "failed");
    ADD(how, cache_drop, "n [s s]", "#a", "t:t");
    ADD(how, cache_clear, "n");
    ADD(how, cache_stats, "n");
    ADD(how, cancel, "n i i", 1, 0);
    save_numbered(&input);
    begin(flags | 4);
    ADD(how, log_open, "n x", "0123456789abcdef", (size_t)16);
    ADD(how, log_put, "n i i x", 2, 2, "a\nb\n", (size_t)4);
    ADD(how, log_put, "n i i x", 3, 2, "b\nc\n", (size_t)4);
    ADD(how, log_level, "n i", 20);
    ADD(how, log_level, "n n");
    ADD(how, log_watch, "n i", 1);
    ADD(how, log_flush, "{s i} b", "t", 50, 1);
    ADD(how, log_stats, "n");
    ADD(how, cancel, "n i i", 1, 0);
    save_numbered(&input);
    begin(flags);
    ADD(how, migrate_apply, "n i s s s b", 1, "one", "sum",
        "alter table t add column w", 0);
    ADD(how, checkpoint, "n s", "truncate");
    ADD(how, cancel, "n i i", 1, 0);
    ADD(how, all, "{s i} i i n", "t", 1, 2, 0);
    ADD(how, close, "n");
    save_numbered(&input);
}

static void values(void)
{
    uc_buf b;

    uc_buf_init(&b, SIZE_MAX);
    pack(&b, "[n b i I u d s x {s [i]}]", 1, -1, INT64_MIN, UINT64_MAX, 2.5,
         "gr\xc3\xbcn \xf0\x9f\x98\x80", "\0\xff", (size_t)2, "k", 7);
    save_numbered(&b);
    uc_buf_rewind(&b, 0);
    pack(&b, "{s i s s s {s i s s} s {s s}}", "tx_ms", 5, "synchronous", "full",
         "pragmas", "cache_size", -5, "x", "y", "attach", "aux", "a.db");
    save_numbered(&b);
    free(b.p);
}

/* ---- a stream of messages ---- */

static void message(uint32_t id, const uc_buf *frame)
{
    uint8_t head[SP_HEAD];

    sp_head(head, frame->len, SP_NO_REQUEST | id);
    uc_buf_put(&input, head, sizeof head);
    uc_buf_put(&input, frame->p, frame->len);
}

static void messages(void)
{
    uc_buf b;

    uc_buf_init(&b, SIZE_MAX);
    for (uint8_t step = 0; step < 3; step++) {
        begin((uint8_t)(step * 20));
        pack(&b, "[i i n]", UC_OP_ping, 1);
        message(1, &b);
        uc_buf_rewind(&b, 0);
        pack(&b, "[i i {s i} i i [s d b n]]", UC_OP_get, 70000, "t", 300, 1, 0,
             "text", 1.5, 1);
        message(70000, &b);
        uc_buf_rewind(&b, 0);
        pack(&b, "[i i {}]", UC_OP_hello, 3);
        message(3, &b);
        uc_buf_rewind(&b, 0);
        message(4, &b);
        save_numbered(&input);
    }
    uc_buf_fini(&b);
}

/* ---- templates ---- */

static void templates(void)
{
    static const char *const all[] = {
        "{{#list}}{{a}} {{{b}}} {{&b}}{{/list}}{{^list}}none{{/list}}",
        "<\r\n  {{! of\n two }}\r\n  {{#one}}\n- {{c}}\n  {{/one}}\n>",
        "{{=<% %>=}}<%#list%><%#b%><%.%><%/b%><%/list%><%={{ }}=%>{{text}}",
        "{{one.a}}{{#text}}{{.}}{{/text}}{{#none}}{{#.}}{{.}}{{/.}}{{/none}}",
    };

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        uc_buf_rewind(&input, 0);
        uc_buf_put(&input, all[i], strlen(all[i]));
        uc_buf_put(&input, "\n  {{>p}}\n", 10);
        uc_buf_byte(&input, 0);
        uc_buf_put(&input, all[(i + 1) % 4], strlen(all[(i + 1) % 4]));
        save_numbered(&input);
    }
}

/* ---- a file of routes ---- */

/* The template is called t.mustache there. */
static void routes(void)
{
    const char *at = strstr(routes_all, "board.mustache");

    save("example", (const uint8_t *)routes_example, strlen(routes_example));
    uc_buf_rewind(&input, 0);
    uc_buf_put(&input, routes_all, (size_t)(at - routes_all));
    uc_buf_put(&input, "t", 1);
    uc_buf_put(&input, at + 5, strlen(at + 5));
    uc_buf_byte(&input, 0);
    uc_buf_put(&input, routes_template, strlen(routes_template));
    save_numbered(&input);
}

/* ---- requests of HTTP ---- */

static void http_requests(void)
{
#define POST "POST\n/a\ncontent-type:application/json\n"
    static const char *const all[] = {
        "GET\n/a\n\n",
        "HEAD\n/a?text=a%20b+c&integer=150&real=-0.5e0&boolean=true\n"
        "if-none-match:\"1\"\nx-tenant:t\n\n",
        "GET\n/a?time=2026-11-30T13:00:00.5%2B01:00&page=x&word=paid"
        "&blob=AAE=&uuid=123E4567-E89B-12D3-A456-426614174000\n\n",
        "GET\n/a?json={\"b\":[1,2.5e3,\"\\u00fc\"],\"a\":null}"
        "&integers=1,-2,3&texts=a,%C3%BC,\n\n",
        "GET\n/a?text=&integer=4&integer=5&unknown=%00&%zz=1\n\n",
        "PUT\n/a\n\n",
        "GET\n/b\n\n",
        POST "\n{}",
        POST "sec-fetch-site:same-origin\nidempotency-key:k\n\n"
             "{\"text\":\"\\ud83d\\ude00\",\"integer\":4.0,\"real\":1e2,"
             "\"boolean\":true,\"page\":0,\"word\":\"new\"}",
        POST "origin:https://app.example\n\n"
             "{\"time\":\"2024-02-29\",\"blob\":\"AAEC\",\"json\":{\"b\":1,"
             "\"a\":[null,true]},\"integers\":[1,2],\"texts\":[\"a\",\"\"]}",
        POST
        "origin:http://h:1\nhost:h:1\n\n"
        "{\"text\":null,\"uuid\":\"00000000-0000-0000-0000-000000000000\"}",
        POST "\n{\"text\":1,\"x\":{},\"integers\":[\"1\"]}",
        POST "\n{\"text\":\"a\",\"text\":\"b\"}",
        POST "\n{\"integer\":9223372036854775808}",
    };
#undef POST

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        uc_buf_rewind(&input, 0);
        uc_buf_put(&input, all[i], strlen(all[i]));
        save_numbered(&input);
    }
}

/* ---- bytes of HTTP ---- */

/* The corpus has a request a line, its last field in hexadecimal digits; what a
 * fuzzer would cut off is left out. */
static void http_bytes(const char *path)
{
    FILE *f = fopen(path, "r");
    char *line = NULL;
    size_t cap = 0;

    if (f == NULL) {
        perror(path);
        exit(1);
    }
    while (getline(&line, &cap, f) > 0) {
        const char *hex = strrchr(line, '\t') + 1;
        unsigned byte;

        if (strlen(hex) > 4096)
            continue;
        begin((uint8_t)made);
        for (; sscanf(hex, "%2x", &byte) == 1; hex += 2)
            uc_buf_byte(&input, (uint8_t)byte);
        save_numbered(&input);
    }
    free(line);
    fclose(f);
}

/* ---- what once failed ---- */

static void convert(const char *path)
{
    const char *name =
        strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
    uint8_t bytes[8192];
    size_t n = 0;
    int c, high = -1;
    FILE *f;

    if (strncmp(name, fuzzer, strlen(fuzzer)) != 0)
        return;
    f = fopen(path, "r");
    if (f == NULL) {
        perror(path);
        exit(1);
    }
    while ((c = getc(f)) != EOF && n < sizeof bytes) {
        int digit = isdigit(c) ? c - '0' : (c | 0x20) - 'a' + 10;

        if (!isxdigit(c))
            continue;
        if (high >= 0)
            bytes[n++] = (uint8_t)(high << 4 | digit);
        high = high >= 0 ? -1 : digit;
    }
    fclose(f);
    save(name, bytes, n);
}

/* ---- what a server of PostgreSQL sends ---- */

#define SAY(type, bytes) say(type, bytes, sizeof(bytes) - 1)

static void say(char type, const char *p, size_t n)
{
    uint32_t length = __builtin_bswap32((uint32_t)n + 4);

    uc_buf_byte(&input, (uint8_t)type);
    uc_buf_put(&input, &length, sizeof length);
    uc_buf_put(&input, p, n);
}

static void a_server(uint8_t flags, uint8_t calls)
{
    begin(flags);
    uc_buf_byte(&input, calls);
    uc_buf_byte(&input, 200);
}

/* One column of a type, named a. */
static void column(uint8_t oid)
{
    char row[] = "\0\1a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

    row[13] = (char)oid;
    say('T', row, sizeof row - 1);
}

static void execution(uint8_t oid)
{
    SAY('1', "");
    SAY('t', "\0\0");
    column(oid);
    SAY('2', "");
    SAY('D', "\0\1\0\0\0\4true");
    SAY('D', "\0\1\377\377\377\377");
    SAY('C', "SELECT 2");
}

static void servers(void)
{
    static const uint8_t oids[] = {16, 17, 20, 21, 23, 114, 199, 25};

    for (uint8_t role = 0; role < 3; role++) {
        for (size_t i = 0; i < sizeof oids; i++) {
            a_server(role, (uint8_t)(i * 9));
            execution(oids[i]);
            execution(oids[i]);
            execution(oids[i]);
            SAY('Z', "I");
            SAY('2', "");
            SAY('C', "SELECT 1");
            SAY('Z', "I");
            save_numbered(&input);
        }
        a_server(role, 27);
        SAY('1', "");
        SAY('t', "\0\0");
        SAY('n', "");
        SAY('2', "");
        SAY('C', "INSERT 0 1");
        SAY('E', "SERROR\0C23505\0Mno\0tt\0nu_key\0\0");
        SAY('Z', "I");
        SAY('Z', "I");
        save_numbered(&input);
        a_server(role | 4, 56);
        SAY('E', "SERROR\0C26000\0Mnone\0\0");
        SAY('N', "SNOTICE\0C00000\0Mx\0\0");
        SAY('S', "TimeZone\0UTC\0");
        SAY('A', "\0\0\0\7channel\0payload\0");
        SAY('Z', "I");
        SAY('E', "SFATAL\0C57P01\0Mgone\0\0");
        save_numbered(&input);
    }
    for (uint8_t role = 3; role < 32; role += 8) {
        a_server(role, 0);
        SAY('R', "\0\0\0\12SCRAM-SHA-256\0\0");
        SAY('R', "\0\0\0\13r=x,s=QUJD,i=4096");
        SAY('R', "\0\0\0\14v=QUJD");
        save_numbered(&input);
        a_server(role, 0);
        SAY('R', "\0\0\0\5salt");
        SAY('R', "\0\0\0\0");
        SAY('S', "client_encoding\0UTF8\0");
        SAY('S', "DateStyle\0ISO, MDY\0");
        SAY('S', "server_version\0"
                 "15.1\0");
        SAY('K', "\0\0\0\7\0\0\0\1");
        SAY('Z', "I");
        SAY('D', "\0\6\0\0\0\1"
                 "7"
                 "\0\0\0\1f\0\0\0\3off\0\0\0\2on"
                 "\0\0\0\6"
                 "150001"
                 "\0\0\0\1t");
        SAY('C', "SELECT 1");
        SAY('Z', "I");
        SAY('1', "");
        SAY('1', "");
        SAY('Z', "I");
        SAY('C', "SET");
        SAY('Z', "I");
        save_numbered(&input);
    }
}

/* ---- a stream of logical decoding ---- */

#define CHANGE(text)                                                       \
    (uc_buf_rewind(&input, 0), uc_buf_put(&input, text, sizeof(text) - 1), \
     save_numbered(&input))

static void stream(void)
{
    CHANGE("R\0\0\x40\x01public\0a\0d\0\2\1id\0\0\0\0\x14\xff\xff\xff\xff"
           "\0v\0\0\0\0\x19\xff\xff\xff\xff");
    CHANGE("B\0\0\0\0\1\x96\x0f\x10\0\2\xa0\0\0\0\0\0\0\0\2\xe5");
    CHANGE("I\0\0\x40\x01N\0\2t\0\0\0\2-5n");
    CHANGE("U\0\0\x40\x01K\0\2t\0\0\0\001"
           "1nN\0\2t\0\0\0\001"
           "2u");
    CHANGE("T\0\0\0\2\1\0\0\x40\x01\0\0\x40\x02");
    CHANGE("M\1\0\0\0\0\1\x96\x0f\x10uc\0\0\0\0\4id:7");
    CHANGE("k\0\0\0\0\1\x96\x0f\x40\0\2\xa0\0\0\0\0\0\1");
    CHANGE("w\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\003"
           "D\0\0\x40\x01K\0\2t\0\0\0\0017n");
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: seeds FUZZER FOLDER [FILE ...]\n");
        return 2;
    }
    fuzzer = argv[1];
    folder = argv[2];
    uc_buf_init(&input, SIZE_MAX);
    if (strcmp(fuzzer, "fuzz_dispatch") == 0) {
        for (uint8_t flags = 0; flags < 4; flags++) {
            requests(flags, 0);
            requests(flags, 1);
            requests(flags, UC_HINT_ASSIST << 1);
            requests(flags, 64);
        }
    } else if (strcmp(fuzzer, "fuzz_pg") == 0) {
        servers();
    } else if (strcmp(fuzzer, "fuzz_decode") == 0) {
        stream();
    } else if (strcmp(fuzzer, "fuzz_sp") == 0) {
        messages();
    } else if (strcmp(fuzzer, "fuzz_routes") == 0) {
        routes();
    } else if (strcmp(fuzzer, "fuzz_html") == 0) {
        templates();
    } else if (strcmp(fuzzer, "fuzz_request") == 0) {
        http_requests();
    } else if (strcmp(fuzzer, "fuzz_http") == 0) {
        for (int i = 3; i < argc; i++) {
            if (strstr(argv[i], ".tsv") != NULL)
                http_bytes(argv[i]);
        }
    } else {
        values();
    }
    for (int i = 3; i < argc; i++)
        convert(argv[i]);
    free(input.p);
    return 0;
}

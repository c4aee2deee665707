/* The small modules: arena, buf, mem, op, options. */
#include "client.h"
#include "common/arena.h"
#include "common/buf.h"
#include "common/mem.h"
#include "desk/op.h"
#include "desk/options.h"
#include "tap.h"

static void buffers(void)
{
    uc_buf b;
    uint8_t block[3000] = {7};

    uc_buf_init(&b, 4096);
    ok(b.p == NULL && b.cap == 0, "a new buffer has nothing");
    uc_buf_put(&b, block, 0);
    ok(b.p == NULL, "appending nothing allocates nothing");
    uc_buf_put(&b, block, sizeof block);
    eq_int(b.len, 3000, "appended");
    uc_buf_put(&b, block, sizeof block);
    ok(b.failed && b.full, "past the maximum it fails");
    eq_int(b.len, 3000, "and keeps what it had");
    uc_buf_put(&b, block, 1096);
    eq_int(b.len, 4096, "the maximum itself fits");
    ok(b.failed, "failure is sticky");
    uc_buf_rewind(&b, 1);
    ok(!b.failed && !b.full && b.len == 1 && b.p[0] == 7, "rewind forgives");
    ok(!uc_buf_reserve(&b, SIZE_MAX), "a length that overflows");
    uc_buf_fini(&b);
    ok(b.p == NULL && b.max == 4096 && !b.failed, "fini is ready for more");
    uc_buf_init(&b, SIZE_MAX);
    for (int i = 0; i < 5000; i++)
        uc_buf_byte(&b, (uint8_t)i);
    eq_int(b.len, 5000, "byte by byte");
    eq_int(b.p[4999], 4999 & 0xff, "the last one");
    uc_buf_fini(&b);
}

static void arenas(void)
{
    uc_arena a;
    uint8_t *all[500], *first;
    unsigned wrong = 0;
    uc_view v;

    uc_arena_init(&a, 1 << 20);
    ok(a.blocks == NULL, "a new arena has nothing");
    for (unsigned i = 0; i < 500; i++) {
        all[i] = uc_arena_alloc(&a, i);
        wrong += all[i] == NULL || (uintptr_t)all[i] % 16 != 0;
        memset(all[i], (int)i, i);
    }
    eq_int(wrong, 0, "all of it is aligned");
    for (unsigned i = 0; i < 500; i++) {
        for (unsigned j = 0; j < i; j++)
            wrong += all[i][j] != (uint8_t)i;
    }
    eq_int(wrong, 0, "and stays where it is");
    v = uc_arena_copy(&a, (uc_view){(const uint8_t *)"copy", 4});
    eq_str((const char *)v.p, "copy", "a copy ends with a NUL");
    v = uc_arena_copy(&a, (uc_view){NULL, 0});
    ok(v.len == 0 && v.p != NULL && *v.p == '\0', "one of nothing as well");
    first = uc_arena_calloc(&a, 100, 10);
    for (unsigned i = 0; first != NULL && i < 1000; i++)
        wrong += first[i] != 0;
    ok(first != NULL && wrong == 0, "zeroed");
    ok(uc_arena_calloc(&a, SIZE_MAX / 2, 3) == NULL && a.failed,
       "a product that overflows");
    ok(uc_arena_alloc(&a, 1) == NULL, "failure is sticky");
    uc_arena_reset(&a);
    ok(!a.failed && a.used == 0 && a.blocks != NULL,
       "reset forgives, and keeps a block");
    first = uc_arena_alloc(&a, 1);
    uc_arena_reset(&a);
    ok(uc_arena_alloc(&a, 1) == first, "which is used again");
    ok(uc_arena_alloc(&a, 1 << 19) != NULL, "a large one");
    uc_arena_reset(&a);
    ok(a.blocks == NULL, "is not kept");
    ok(uc_arena_alloc(&a, 1 << 20) != NULL, "the maximum itself fits");
    ok(uc_arena_alloc(&a, 1) == NULL && a.failed, "and nothing beyond it");
    uc_arena_fini(&a);
    ok(a.blocks == NULL && !a.failed && a.max == 1 << 20,
       "fini is ready for more");
    uc_arena_init(&a, SIZE_MAX);
    ok(uc_arena_alloc(&a, SIZE_MAX) == NULL, "a length that overflows");
    uc_arena_reset(&a);
    ok(uc_arena_alloc(&a, SIZE_MAX - 15) == NULL && a.failed,
       "and one that does with its block");
    uc_arena_fini(&a);
}

static void table(void)
{
    uint32_t last = 0, n = 0;
    bool rising = true, found = true;
    const uc_op *op;

    for (; (op = uc_op_at(n)) != NULL; n++) {
        rising &= op->num > last;
        last = op->num;
        found &= uc_op_find(op->num) == op && op->lo <= op->hi;
    }
    ok(n > 20 && rising, "the ops rise by number");
    ok(found, "each is found by its number");
    ok(uc_op_find(0) == NULL && uc_op_find(last + 1) == NULL &&
           uc_op_find(UINT32_MAX) == NULL && uc_op_find(17) == NULL,
       "and no other");
    eq_str(uc_op_find(UC_OP_get)->name, "get", "a name");
}

static const char *read_options(uc_options *o, uc_error *e, const char *fmt,
                                ...)
{
    uc_buf b;
    va_list ap;
    bool good;

    uc_buf_init(&b, SIZE_MAX);
    va_start(ap, fmt);
    vpack(&b, fmt, ap);
    va_end(ap);
    memset(e, 0, sizeof *e);
    good = uc_options_read(o, (uc_view){b.p, b.len}, e);
    uc_buf_fini(&b);
    return good ? "" : e->message;
}

static void options(void)
{
    uc_options o, p;
    uc_error e;

    eq_str(read_options(&o, &e, ""), "", "no options");
    ok(o.create == 1 && o.max_rows == 1000000 && o.synchronous == UC_SYNC_FULL,
       "leave the defaults");
    uc_options_fini(&o);
    eq_str(read_options(&o, &e, "{s i s s s {s i s s} s {s s}}", "tx_ms", 5,
                        "synchronous", "normal", "pragmas", "cache_size", -5,
                        "x", "y", "attach", "aux", "a.db"),
           "", "every kind of option");
    ok(o.tx_ms == 5 && o.synchronous == UC_SYNC_NORMAL && o.npragmas == 2 &&
           strcmp(o.pragmas[0].value, "-5") == 0 &&
           strcmp(o.attach[0].name, "aux") == 0,
       "is read");
    read_options(&p, &e, "{s i}", "tx_ms", 5);
    ok(!uc_options_same(&o, &p, &e) && strstr(e.message, "synchronous"),
       "a difference is named");
    uc_options_fini(&p);
    read_options(&p, &e, "{s i s b}", "tx_ms", 6, "readonly", 1);
    ok(!uc_options_same(&o, &p, &e) &&
           strstr(e.message, "transactionTimeoutMs"),
       "so is another, as users write it");
    uc_options_fini(&p);
    uc_options_fini(&o);
    read_options(&o, &e, "{s b}", "readonly", 1);
    read_options(&p, &e, "{ }");
    ok(uc_options_same(&o, &p, &e), "readonly may differ");
    uc_options_fini(&o);
    uc_options_fini(&p);
#define refused(want, ...)                                          \
    do {                                                            \
        ok(strstr(read_options(&o, &e, __VA_ARGS__), want) != NULL, \
           "refused: " want);                                       \
        uc_options_fini(&o);                                        \
    } while (0)
    refused("unknown option speed", "{s i}", "speed", 1);
    refused("expected 1 to", "{s i}", "cursors", 0);
    refused("got -1", "{s i}", "tx_ms", -1);
    refused("expected an integer", "{s s}", "tx_ms", "5");
    refused("synchronous: expected", "{s s}", "synchronous", "maybe");
    refused("synchronous: expected", "{s i}", "synchronous", 1);
    refused("pragmas: expected a map", "{s [i]}", "pragmas", 1);
    refused("pragmas.a: expected", "{s {s n}}", "pragmas", "a");
    refused("attach: expected names", "{s {i s}}", "attach", 1, "x");
    refused("keys are strings", "{i i}", 1, 1);
    refused("have to be a map", "[ ]");
    refused("pragmas is there twice", "{s {s i} s {s i}}", "pragmas", "a", 1,
            "pragmas", "b", 2);
}

/* Each row of the table is what its option is held to. */
static void option_table(void)
{
    uc_options o;
    uc_error e;

    for (unsigned i = 0; i < UC_OPTIONS; i++) {
        const uc_option *it = &uc_option_table[i];

        ok(it->least <= it->def && it->def <= it->most, it->key);
        if (it->kind >= UC_OPTION_LEVEL) /* words */
            continue;
        eq_str(read_options(&o, &e, "{s I}", it->key, it->most), "",
               "its most");
        uc_options_fini(&o);
        eq_str(read_options(&o, &e, "{s I}", it->key, it->least), "",
               "its least");
        uc_options_fini(&o);
        ok(*read_options(&o, &e, "{s I}", it->key, it->most + 1) != '\0' &&
               strstr(e.message, it->name != NULL ? it->name : it->key) != NULL,
           "and no more");
        uc_options_fini(&o);
        ok(*read_options(&o, &e, "{s I}", it->key, it->least - 1) != '\0',
           "and no less");
        uc_options_fini(&o);
    }
}

int main(void)
{
    buffers();
    arenas();
    table();
    options();
    option_table();
    return tap_end();
}

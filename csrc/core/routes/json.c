#include "routes/json.h"

#include <math.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "common/thread.h"
#include "wire/json.h"

/* ---- jansson's memory ---------------------------------------------------- */

/*
 * jansson takes its memory from the arena of whoever reads. It does not look
 * whether its buffer for a token could grow: after a failure it would go on
 * with a text that lacks bytes, and look for a closing quote behind the end.
 * So it does not come back from an allocation that fails; all that it holds is
 * in the arena.
 */
typedef struct reading {
    uc_arena *mem;
    jmp_buf no_memory;
} reading;

static _Thread_local reading *current;

static void *take(size_t n)
{
    void *p;

    if (current == NULL)
        return NULL;
    p = uc_arena_alloc(current->mem, n);
    if (p == NULL)
        longjmp(current->no_memory, 1);
    return p;
}

static void leave(void *p)
{
    (void)p; /* with the arena */
}

static void hook_in(void)
{
    static uc_mutex mu = UC_MUTEX_INIT;
    static atomic_bool done;

    if (atomic_load_explicit(&done, memory_order_acquire))
        return;
    uc_lock(&mu);
    if (!atomic_load_explicit(&done, memory_order_relaxed))
        json_set_alloc_funcs(take, leave);
    atomic_store_explicit(&done, true, memory_order_release);
    uc_unlock(&mu);
}

/* NULL: its text is no JSON, or mem has failed. */
static json_t *load(uc_view text, size_t flags, uc_arena *mem, json_error_t *e)
{
    reading r = {.mem = mem};
    json_t *v;

    if (setjmp(r.no_memory) != 0) {
        current = NULL;
        return NULL;
    }
    current = &r;
    v = json_loadb((const char *)text.p, text.len, flags, e);
    current = NULL;
    return v;
}

/* ---- before anything is built -------------------------------------------- */

/* Goes through a text token by token, as far as that is JSON. */
typedef struct walk {
    const uint8_t *p, *end;
    int64_t depth;
    uint64_t values;
    uc_view last; /* the last string, without its quotes */
} walk;

static void walk_string(walk *w)
{
    const uint8_t *from = w->p;

    while (w->p < w->end && *w->p != '"')
        w->p += *w->p == '\\' && w->p + 1 < w->end ? 2 : 1;
    w->last = (uc_view){from, (size_t)(w->p - from)};
    if (w->p < w->end)
        w->p++;
}

/* Does an array or object begin with a value? Blanks count as one. */
static bool has_first(const walk *w)
{
    return w->p < w->end && *w->p != ']' && *w->p != '}';
}

static void walk_on(walk *w)
{
    switch (*w->p++) {
    case '"':
        walk_string(w);
        break;
    case '[':
    case '{':
        w->depth++;
        w->values += has_first(w);
        break;
    case ']':
    case '}':
        w->depth--;
        break;
    case ',':
        w->values++;
        break;
    default:
        break;
    }
}

/* Bounds what jansson makes of it: its stack, and memory of many times the
 * text's own (an empty object is two bytes here and some 200 there). */
static bool within_bounds(uc_view text, uc_json_error *e)
{
    walk w = {.p = text.p, .end = text.p + text.len, .values = 1};

    while (w.p < w.end) {
        walk_on(&w);
        if (w.depth > UC_JSON_DEPTH || w.values > UC_JSON_VALUES) {
            e->fault = w.depth > UC_JSON_DEPTH ? UC_JSON_DEEP : UC_JSON_MANY;
            return false;
        }
    }
    return true;
}

/* ---- reading ------------------------------------------------------------- */

static uc_json_fault fault_of(const json_error_t *e)
{
    switch (json_error_code(e)) {
    case json_error_invalid_utf8:
        return UC_JSON_UTF8;
    case json_error_numeric_overflow:
        return UC_JSON_NUMBER;
    case json_error_duplicate_key:
        return UC_JSON_TWICE;
    case json_error_null_byte_in_key:
        return UC_JSON_NUL_KEY;
    default:
        return UC_JSON_SYNTAX;
    }
}

/* jansson stops right behind the key that was there before. */
static void find_key(uc_view text, int position, uc_json_error *e)
{
    walk w = {.p = text.p, .end = text.p + text.len};

    if (position > 0 && (size_t)position < text.len)
        w.end = text.p + position;
    while (w.p < w.end)
        walk_on(&w);
    e->key = w.last;
    e->depth = w.depth > 0 ? (unsigned)w.depth : 0;
}

json_t *uc__json_read(uc_view text, size_t flags, uc_arena *mem,
                      uc_json_error *e)
{
    json_error_t why = {0};
    json_t *v;

    *e = (uc_json_error){0};
    if (text.len == 0 || !within_bounds(text, e))
        return NULL;
    hook_in();
    v = load(text,
             flags | JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL,
             mem, &why);
    if (v != NULL)
        return v;
    if (mem->failed) {
        e->fault = UC_JSON_MEMORY;
        return NULL;
    }
    e->fault = fault_of(&why);
    e->line = why.line > 0 ? (unsigned)why.line : 0;
    e->column = why.column > 0 ? (unsigned)why.column : 0;
    if (e->fault == UC_JSON_TWICE)
        find_key(text, why.position, e);
    return NULL;
}

static json_t *of_flat(const uc_flat_member *m)
{
    switch (m->type) {
    case UC_FLAT_NULL:
        return json_null();
    case UC_FLAT_FALSE:
        return json_false();
    case UC_FLAT_TRUE:
        return json_true();
    case UC_FLAT_INTEGER:
        return json_integer(m->i);
    default:
        return json_stringn_nocheck((const char *)m->s.p, m->s.len);
    }
}

json_t *uc__json_of_flat(const uc_flat_member *m, uc_arena *mem)
{
    reading r = {.mem = mem};
    json_t *v;

    hook_in();
    if (setjmp(r.no_memory) != 0) {
        current = NULL;
        return NULL;
    }
    current = &r;
    v = of_flat(m);
    current = NULL;
    return v;
}

/* ---- writing ------------------------------------------------------------- */

typedef struct member {
    uc_view key;
    const json_t *value;
} member;

static int by_key(const void *a, const void *b)
{
    uc_view x = ((const member *)a)->key, y = ((const member *)b)->key;
    int order = memcmp(x.p, y.p, x.len < y.len ? x.len : y.len);

    if (order != 0)
        return order;
    return (x.len > y.len) - (x.len < y.len);
}

/* jansson iterates over what it does not change, but not over a const. */
static json_t *unlocked(const json_t *v)
{
    union {
        const json_t *in;
        json_t *out;
    } u = {.in = v};

    return u.out;
}

static member *sorted(const json_t *v, size_t n, uc_arena *mem)
{
    member *all = uc_arena_calloc(mem, n, sizeof *all);
    json_t *object = unlocked(v);
    void *at = json_object_iter(object);

    if (all == NULL)
        return NULL;
    for (size_t i = 0; i < n && at != NULL; i++) {
        all[i].key.p = (const uint8_t *)json_object_iter_key(at);
        all[i].key.len = json_object_iter_key_len(at);
        all[i].value = json_object_iter_value(at);
        at = json_object_iter_next(object, at);
    }
    if (n > 1)
        qsort(all, n, sizeof *all, by_key);
    return all;
}

static bool write_object(const json_t *v, uc_arena *mem, uc_buf *out)
{
    size_t n = json_object_size(v);
    const member *all;

    if (n == 0) {
        uc_buf_put(out, "{}", 2);
        return true;
    }
    all = sorted(v, n, mem);
    if (all == NULL)
        return false;
    for (size_t i = 0; i < n; i++) {
        uc_json_key(out, i == 0, all[i].key);
        if (!uc__json_write(all[i].value, mem, out))
            return false;
    }
    uc_buf_byte(out, '}');
    return true;
}

static bool write_array(const json_t *v, uc_arena *mem, uc_buf *out)
{
    size_t n = json_array_size(v);

    uc_buf_byte(out, '[');
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            uc_buf_byte(out, ',');
        if (!uc__json_write(json_array_get(v, i), mem, out))
            return false;
    }
    uc_buf_byte(out, ']');
    return true;
}

static bool write_string(const json_t *v, uc_buf *out)
{
    uc_view s = {(const uint8_t *)json_string_value(v), json_string_length(v)};

    if (memchr(s.p, '\0', s.len) != NULL)
        return false;
    uc_json_text(out, s);
    return true;
}

/*
 * With JavaScript's digits. Up to 1e21 these have no point: beyond 64 bits they
 * would be an integer that is too large for who reads them again, as we do.
 */
static void write_real(double v, uc_buf *out)
{
    uc_json_double(out, v);
    if (fabs(v) >= 0x1p63 && fabs(v) < 1e21)
        uc_buf_put(out, ".0", 2);
}

bool uc__json_write(const json_t *v, uc_arena *mem, uc_buf *out)
{
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        return write_object(v, mem, out) && !out->failed;
    case JSON_ARRAY:
        return write_array(v, mem, out) && !out->failed;
    case JSON_STRING:
        return write_string(v, out) && !out->failed;
    case JSON_INTEGER:
        uc_json_int(out, json_integer_value(v));
        break;
    case JSON_REAL:
        write_real(json_real_value(v), out);
        break;
    case JSON_TRUE:
        uc_buf_put(out, "true", 4);
        break;
    case JSON_FALSE:
        uc_buf_put(out, "false", 5);
        break;
    case JSON_NULL:
        uc_json_null(out);
        break;
    }
    return !out->failed;
}
